//! A source that misbehaves on demand: HTTP written by hand, because no library would send such replies.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::TcpListener,
    time::sleep,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// One request as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Heard {
    pub(crate) head: String,
    pub(crate) path: String,
    pub(crate) body: Vec<u8>,
}

impl Heard {
    /// The value of a header; the name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let mut lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, v)| v)
    }
}

/// What the server does once it has read a request.
#[derive(Clone)]
pub(crate) enum Act {
    /// 200 with this JSON.
    Json(Vec<u8>),
    /// These bytes, and the connection stays open.
    Raw(Vec<u8>),
    /// These bytes, then the end.
    RawThenClose(Vec<u8>),
    /// These bytes, then one byte every so many milliseconds.
    Drip(Vec<u8>, u64),
    /// A head, then bytes without end.
    Flood(Vec<u8>),
    /// Nothing, for ever.
    Hang,
}

pub(crate) type Script = Arc<dyn Fn(&Heard) -> Act + Send + Sync>;

/// A running server; it ends with the test.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) heard: Arc<Mutex<Vec<Heard>>>,
}

impl Server {
    /// Starts on a free port of this machine.
    #[expect(clippy::disallowed_methods, reason = "the test plays the source")]
    pub(crate) async fn start(script: impl Fn(&Heard) -> Act + Send + Sync + 'static) -> Server {
        Server::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), script)
    }

    /// Starts where somebody listens already.
    pub(crate) fn on(
        listener: TcpListener,
        script: impl Fn(&Heard) -> Act + Send + Sync + 'static,
    ) -> Server {
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Script, _) = (Arc::new(script), Arc::clone(&heard));
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(stream, Arc::clone(&script), Arc::clone(&log)));
            }
        });
        Server { address, heard }
    }

    /// The same, over TLS.
    pub(crate) async fn start_tls(
        config: Arc<ServerConfig>,
        script: impl Fn(&Heard) -> Act + Send + Sync + 'static,
    ) -> Server {
        #[expect(clippy::disallowed_methods, reason = "the test plays the source")]
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (script, log): (Script, _) = (Arc::new(script), Arc::clone(&heard));
        let acceptor = TlsAcceptor::from(config);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, script, log) = (acceptor.clone(), Arc::clone(&script), Arc::clone(&log));
                tokio::spawn(async move {
                    match acceptor.accept(stream).into_fallible().await {
                        Ok(stream) => serve(stream, script, log).await,
                        // What the client still sends is read, so that it can read why it was refused.
                        Err((_, mut stream)) => while stream.read_u8().await.is_ok() {},
                    }
                });
            }
        });
        Server { address, heard }
    }

    /// A server that does the same whatever it hears.
    pub(crate) async fn always(act: Act) -> Server {
        Server::start(move |_| act.clone()).await
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    pub(crate) fn requests(&self) -> Vec<Heard> {
        self.heard.lock().unwrap().clone()
    }
}

pub(crate) fn json(body: impl ToString) -> Act {
    Act::Json(body.to_string().into_bytes())
}

/// A reply with a status, headers and a body whose length is told.
pub(crate) fn http(status: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, script: Script, log: Arc<Mutex<Vec<Heard>>>) {
    let mut buffer = Vec::new();
    while let Some(heard) = read(&mut stream, &mut buffer).await {
        let act = script(&heard);
        log.lock().unwrap().push(heard);
        if perform(&mut stream, act).await.is_none() {
            return;
        }
    }
}

/// Does it; `None` where the connection is to be closed.
async fn perform(stream: &mut (impl AsyncWrite + Unpin), act: Act) -> Option<()> {
    match act {
        Act::Json(body) => stream
            .write_all(&http("200 OK", "content-type: application/json\r\n", &body))
            .await
            .ok(),
        Act::Raw(bytes) => stream.write_all(&bytes).await.ok(),
        Act::RawThenClose(bytes) => {
            stream.write_all(&bytes).await.ok()?;
            None
        }
        Act::Drip(head, every) => {
            stream.write_all(&head).await.ok()?;
            loop {
                sleep(Duration::from_millis(every)).await;
                stream.write_all(b" ").await.ok()?;
            }
        }
        Act::Flood(head) => {
            stream.write_all(&head).await.ok()?;
            loop {
                stream.write_all(&[b' '; 8192]).await.ok()?;
            }
        }
        Act::Hang => {
            sleep(Duration::from_secs(3600)).await;
            None
        }
    }
}

/// Reads one request with a length; what came after it stays in the buffer.
async fn read(stream: &mut (impl AsyncRead + Unpin), buffer: &mut Vec<u8>) -> Option<Heard> {
    let head_end = loop {
        if let Some(at) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            break at + 4;
        }
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    };
    let head = String::from_utf8(buffer[..head_end].to_vec()).ok()?;
    let length = head
        .to_lowercase()
        .split("content-length: ")
        .nth(1)?
        .split("\r\n")
        .next()?
        .parse::<usize>()
        .ok()?;
    while buffer.len() < head_end + length {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    let body = buffer[head_end..head_end + length].to_vec();
    buffer.drain(..head_end + length);
    let path = head.split(' ').nth(1)?.to_owned();
    Some(Heard { head, path, body })
}
