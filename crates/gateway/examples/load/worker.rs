//! One connection that asks one question after the other.

use std::{
    net::SocketAddr,
    sync::{Arc, atomic::Ordering},
};

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{self, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use crate::{Run, asker::Problem};

/// What one worker saw while it counted.
#[derive(Default)]
pub(crate) struct Counted {
    pub(crate) micros: Vec<u64>,
    pub(crate) wrong: u64,
}

/// A connection to the server.
pub(crate) async fn connect(address: SocketAddr) -> Result<SendRequest<Full<Bytes>>, Problem> {
    #[expect(
        clippy::disallowed_methods,
        reason = "load comes from outside, as a client's does"
    )]
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender)
}

/// Asks until the run is over.
pub(crate) async fn work(run: Arc<Run>) -> Result<Counted, Problem> {
    let mut sender = connect(run.address).await?;
    let mut counted = Counted::default();
    while !run.is_stopped() {
        let Some(due) = run.pace.next().await else { break };
        let (request, ticket) = run.asker.request(run.next.fetch_add(1, Ordering::Relaxed))?;
        sender.ready().await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        let right = status == StatusCode::OK && run.asker.is_right(&ticket, &body);
        if !run.counting.load(Ordering::Relaxed) {
            continue;
        }
        if right {
            counted.micros.push(u64::try_from(due.elapsed().as_micros())?);
        } else {
            counted.wrong += 1;
        }
    }
    Ok(counted)
}

impl Run {
    pub(crate) fn count(&self, on: bool) {
        self.counting.store(on, Ordering::Relaxed);
    }

    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::Relaxed);
        self.pace.stop();
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.load(Ordering::Relaxed)
    }
}
