//! A peer in front of a database of the tests: it speaks TLS in the database's place, or lies about how much follows.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional},
    net::{TcpListener, TcpStream},
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::front::Engine;

/// The bit of MySQL's capabilities, little-endian, that stands for TLS.
const CLIENT_SSL: u8 = 0x08;
/// The first byte of MySQL's packet by which a statement is prepared.
const PREPARE: u8 = 0x16;
/// The first byte of MySQL's packet by which a prepared statement is run.
const EXECUTE: u8 = 0x17;

/// Where it listens.
pub(crate) struct Peer {
    pub(crate) port: u16,
    /// Bytes of lies that somebody took.
    pub(crate) taken: Arc<AtomicU64>,
}

/// How it lies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Lie {
    /// It greets with a message of a gigabyte, or one that is continued for ever.
    AtTheGreeting,
    /// It answers the statement with such a row, or such a packet.
    InARow,
    /// It answers the statement with these packets and no more; of MySQL's only.
    Saying(&'static [&'static [u8]]),
    /// It prepares the statement with 65,535 columns, and describes each at length; of MySQL's only.
    InColumns,
}

impl Peer {
    /// Speaks TLS and hands all to the database; without a configuration it says that it has no TLS.
    pub(crate) async fn encrypted(engine: Engine, config: Option<Arc<ServerConfig>>) -> Self {
        Peer::start(move |stream, _| {
            let config = config.clone();
            async move {
                match engine {
                    Engine::Postgres => postgres(stream, config).await,
                    Engine::MariaDb => mariadb(stream, config).await,
                }
            }
        })
        .await
    }

    /// Hands all to the database but for one message, in whose place it says that much more follows.
    pub(crate) async fn lying(engine: Engine, lie: Lie) -> Self {
        Peer::start(move |stream, taken| liar(stream, engine, lie, taken)).await
    }

    /// Serves whoever comes.
    pub(crate) async fn start<F, R>(serve: F) -> Self
    where
        F: Fn(TcpStream, Arc<AtomicU64>) -> R + Send + 'static,
        R: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        #[expect(clippy::disallowed_methods, reason = "the test plays the peer")]
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, taken) = (listener.local_addr().unwrap().port(), Arc::default());
        let counted = Arc::clone(&taken);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                // Who hangs up hangs up.
                let served = serve(stream, Arc::clone(&counted));
                tokio::spawn(async move { drop(served.await) });
            }
        });
        Peer { port, taken }
    }
}

/// The database of the tests, without its name.
async fn behind(engine: Engine) -> std::io::Result<TcpStream> {
    let url = engine.url();
    let place = url.rsplit('@').next().unwrap().split('/').next().unwrap();
    #[expect(
        clippy::disallowed_methods,
        reason = "a peer of the tests speaks to their own database"
    )]
    TcpStream::connect(place).await
}

/// An SSLRequest is eight bytes, and `S` or `N` answers it.
async fn postgres(mut stream: TcpStream, config: Option<Arc<ServerConfig>>) -> std::io::Result<()> {
    let mut request = [0; 8];
    stream.read_exact(&mut request).await?;
    assert_eq!(
        request,
        [0, 0, 0, 8, 4, 210, 22, 47],
        "nothing was said before TLS"
    );
    let Some(config) = config else {
        stream.write_all(b"N").await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        assert!(rest.is_empty(), "nothing is said in the clear");
        return Ok(());
    };
    stream.write_all(b"S").await?;
    let mut stream = TlsAcceptor::from(config).accept(stream).await?;
    let mut database = behind(Engine::Postgres).await?;
    copy_bidirectional(&mut stream, &mut database).await?;
    Ok(())
}

/// MySQL's greeting says whether it has TLS; the client asks for it by the first half of its own greeting. That one is
/// a packet more than the database knows of, so that until it has let the client in the numbers differ by one.
async fn mariadb(mut stream: TcpStream, config: Option<Arc<ServerConfig>>) -> std::io::Result<()> {
    let mut database = behind(Engine::MariaDb).await?;
    let (number, mut greeting) = packet(&mut database).await?;
    let version_ends = greeting.iter().position(|byte| *byte == 0).unwrap();
    // Behind the version: a number of four bytes, eight random ones and a zero; then the capabilities.
    let capabilities = version_ends + 1 + 4 + 8 + 1;
    greeting[capabilities + 1] &= !CLIENT_SSL;
    let Some(config) = config else {
        write(&mut stream, number, &greeting).await?;
        let mut rest = Vec::new();
        stream.read_to_end(&mut rest).await?;
        assert!(rest.is_empty(), "nothing is said in the clear");
        return Ok(());
    };
    greeting[capabilities + 1] |= CLIENT_SSL;
    write(&mut stream, number, &greeting).await?;
    let (_, half) = packet(&mut stream).await?;
    assert_eq!(half.len(), 32, "no name and no password before TLS");
    let mut stream = TlsAcceptor::from(config).accept(stream).await?;
    loop {
        let (number, mut said) = packet(&mut stream).await?;
        if number == 2 {
            said[1] &= !CLIENT_SSL;
        }
        write(&mut database, number - 1, &said).await?;
        let (number, said) = packet(&mut database).await?;
        write(&mut stream, number + 1, &said).await?;
        // 0 lets the client in, 255 does not; all else is still about who it is.
        if matches!(said[0], 0 | 255) {
            break;
        }
    }
    copy_bidirectional(&mut stream, &mut database).await?;
    Ok(())
}

/// A packet of MySQL's: three bytes of length, little-endian, and its number.
pub(crate) async fn packet(from: &mut (impl AsyncRead + Unpin)) -> std::io::Result<(u8, Vec<u8>)> {
    let mut head = [0; 4];
    from.read_exact(&mut head).await?;
    let mut body = vec![0; usize::from(head[0]) | usize::from(head[1]) << 8 | usize::from(head[2]) << 16];
    from.read_exact(&mut body).await?;
    Ok((head[3], body))
}

pub(crate) async fn write(
    to: &mut (impl AsyncWrite + Unpin),
    number: u8,
    body: &[u8],
) -> std::io::Result<()> {
    let length = u32::try_from(body.len()).unwrap().to_le_bytes();
    to.write_all(&[length[0], length[1], length[2], number]).await?;
    to.write_all(body).await?;
    to.flush().await
}

async fn liar(mut stream: TcpStream, engine: Engine, lie: Lie, taken: Arc<AtomicU64>) -> std::io::Result<()> {
    // MySQL greets before it is greeted.
    let is_at_once = (engine, lie) == (Engine::MariaDb, Lie::AtTheGreeting);
    if !is_at_once && !hand_over(&mut stream, engine, lie).await? {
        return Ok(());
    }
    match lie {
        Lie::Saying(bodies) => return say(stream, bodies).await,
        Lie::InColumns => return columns(stream, taken).await,
        _ if engine == Engine::MariaDb => return packets(stream, lie, taken).await,
        _ => {}
    }
    if lie == Lie::InARow {
        stream.write_all(b"2\0\0\0\x04").await?;
    }
    stream.write_all(b"D\x40\0\0\0").await?;
    let nothing = vec![0; 1 << 16];
    loop {
        stream.write_all(&nothing).await?;
        taken.fetch_add(nothing.len() as u64, Ordering::Relaxed);
    }
}

/// Hands all over until it is time for the lie; whether that came.
async fn hand_over(stream: &mut TcpStream, engine: Engine, lie: Lie) -> std::io::Result<bool> {
    let mut database = behind(engine).await?;
    let (mut from_client, mut from_database) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut is_first = true;
    loop {
        tokio::select! {
            length = stream.read(&mut from_client) => {
                let said = &from_client[..length?];
                let is_greeting = std::mem::take(&mut is_first);
                let is_now = match lie {
                    Lie::AtTheGreeting => is_greeting,
                    Lie::InColumns => said.get(4) == Some(&PREPARE),
                    _ if engine == Engine::MariaDb => said.get(4) == Some(&EXECUTE),
                    _ => !is_greeting && binds(said),
                };
                if said.is_empty() || is_now {
                    return Ok(!said.is_empty());
                }
                database.write_all(said).await?;
            }
            length = from(&mut database, &mut from_database) => {
                stream.write_all(&from_database[..length?]).await?;
            }
        }
    }
}

/// Packets as long as can be, each of which says by its length that it is continued in the next.
async fn packets(mut stream: TcpStream, lie: Lie, taken: Arc<AtomicU64>) -> std::io::Result<()> {
    let body = vec![0; (1 << 24) - 1];
    // The client's own packet was the first where it has said something.
    let first = u8::from(lie == Lie::InARow);
    for number in first..=u8::MAX {
        stream.write_all(&[255, 255, 255, number]).await?;
        for part in body.chunks(1 << 16) {
            stream.write_all(part).await?;
            taken.fetch_add(part.len() as u64, Ordering::Relaxed);
        }
    }
    Ok(())
}

/// The packets, and then nothing: whoever waits for more waits.
async fn say(mut stream: TcpStream, bodies: &[&[u8]]) -> std::io::Result<()> {
    for (number, body) in (1..).zip(bodies) {
        write(&mut stream, number, body).await?;
    }
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await.map(drop)
}

/// What prepares a statement: its number, how many columns it gives and how many places it has; then the columns.
async fn columns(mut stream: TcpStream, taken: Arc<AtomicU64>) -> std::io::Result<()> {
    let prepared = [0, 1, 0, 0, 0, 255, 255, 0, 0, 0, 0, 0];
    write(&mut stream, 1, &prepared).await?;
    let mut column = b"\x03def".to_vec();
    column.resize(8000, 0);
    let mut number = 1_u8;
    for _ in 0..u16::MAX {
        number = number.wrapping_add(1);
        write(&mut stream, number, &column).await?;
        taken.fetch_add(column.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

/// Whether one of the messages gives a statement its values.
fn binds(mut messages: &[u8]) -> bool {
    while let [tag, a, b, c, d, ..] = messages {
        if *tag == b'B' {
            return true;
        }
        let length = 1 + u32::from_be_bytes([*a, *b, *c, *d]) as usize;
        messages = messages.get(length..).unwrap_or_default();
    }
    false
}

async fn from(database: &mut TcpStream, into: &mut [u8]) -> std::io::Result<usize> {
    match database.read(into).await {
        Ok(0) => Err(std::io::ErrorKind::UnexpectedEof.into()),
        read => read,
    }
}
