//! Serves a router to peers that are not trusted: so many connections at once, so long for a request's head.
//!
//! TLS ends in a proxy in front, and so does HTTP/2; here is HTTP/1.1.

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::GracefulShutdown,
    service::TowerToHyperService,
};
use tokio::{net::TcpListener, sync::Semaphore};

use crate::error::StartError;

/// How long a connection may take to send a request's head, or stay idle between two requests.
const HEAD: Duration = Duration::from_secs(15);
/// How long open connections get to finish when the process ends.
const FAREWELL: Duration = Duration::from_secs(10);
/// The longest head of a request.
const MAX_HEAD: usize = 32 * 1024;
/// After a failed accept (no file descriptor is left, say) it is tried again.
const PAUSE: Duration = Duration::from_millis(100);

/// Takes an address to listen at; `option` is what names it.
///
/// # Errors
/// It is taken, or not this machine's: the text names it, and the option by which to choose another.
#[expect(
    clippy::disallowed_methods,
    reason = "what listens is named by the configuration or an option"
)]
pub(super) async fn bind(address: SocketAddr, option: &str) -> Result<TcpListener, StartError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|e| StartError(format!("{address}: {e}. Choose another by {option}")))
}

/// Serves until `ended` resolves; at most `connections` at once, the next ones wait in the system's queue.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    connections: usize,
    ended: impl Future<Output = ()>,
) {
    let places = Arc::new(Semaphore::new(connections));
    let graceful = GracefulShutdown::new();
    let mut server = http1::Builder::new();
    server
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(MAX_HEAD);
    let mut ended = pin!(ended);
    loop {
        let accepted = tokio::select! {
            accepted = accept(&listener, &places) => accepted,
            () = &mut ended => break,
        };
        match accepted {
            Ok((stream, place)) => {
                // A look-up is one small answer; waiting to fill a packet would only delay it.
                drop(stream.set_nodelay(true));
                let service = TowerToHyperService::new(router.clone());
                let connection = graceful.watch(server.serve_connection(TokioIo::new(stream), service));
                tokio::spawn(async move {
                    // A peer that breaks off harms only itself.
                    drop(connection.await);
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(PAUSE).await;
            }
        }
    }
    drop(listener);
    drop(tokio::time::timeout(FAREWELL, graceful.shutdown()).await);
}

type Accepted = (tokio::net::TcpStream, tokio::sync::OwnedSemaphorePermit);

async fn accept(listener: &TcpListener, places: &Arc<Semaphore>) -> io::Result<Accepted> {
    let place = Arc::clone(places)
        .acquire_owned()
        .await
        .map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, place))
}

#[cfg(test)]
mod tests {
    use axum::routing::get;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpStream,
    };

    use super::*;

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "the test is the peer")]
    async fn one_more_than_allowed_waits_and_half_a_head_gives_its_place_back() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/", get(async || "here"));
        tokio::spawn(serve(listener, router, 2, std::future::pending()));
        let ask = async |head: &str| {
            let mut peer = TcpStream::connect(address).await.unwrap();
            peer.write_all(head.as_bytes()).await.unwrap();
            peer
        };
        let (_slow, slower) = (ask("GET / HTTP/1.1\r\n").await, ask("GET / HTTP/1.1\r\nho").await);
        let mut third = ask("GET / HTTP/1.1\r\nhost: a\r\n\r\n").await;
        let mut answer = [0; 12];
        let waited = tokio::time::timeout(Duration::from_millis(300), third.read_exact(&mut answer)).await;
        assert!(waited.is_err(), "all places are taken");
        drop(slower);
        third.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
    }
}
