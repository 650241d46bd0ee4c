//! A scripted MySQL 8: it lets in by `caching_sha2_password` as the protocol says, and answers what a list needs. It
//! counts packets as strictly as MySQL does, and keeps all that it hears.

use std::{io, sync::Arc, time::Duration};

use crypto::Suite;
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    sync::mpsc::{UnboundedReceiver, unbounded_channel},
    time::timeout,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

use crate::{
    front_peer::{Peer, packet, write},
    world::number,
};

/// What its only user is let in by.
pub(crate) const PASSWORD: &str = "correct-horse-8";
/// A public key of RSA, whose secret half nobody has.
const RSA: &[u8] = b"-----BEGIN PUBLIC KEY-----
MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC77UPyMYhPLsuBxltzwDettMwd
w4KVh1+DzUDkvEXpOQGpfhBDCLbeVGCBEBap+J/i7WKnQptQAFhrnCFf9MOtY3+A
rYbC0QosL6vFrQ8FCwmUy2OV+C8vr1zkjYPFgtMXY9dzzj1lvmxHCeZ/YOxiAJxZ
sVzQlDz9uNn98Eg6qQIDAQAB
-----END PUBLIC KEY-----
";

const SHA2: &[u8] = b"caching_sha2_password";
const NATIVE: &[u8] = b"mysql_native_password";
/// Twenty bytes that a real one draws anew for each connection.
const NONCE: &[u8; 20] = b"a greeting's 20bytes";
/// The same, drawn again where it turns from one way in to another.
const SECOND_NONCE: &[u8; 20] = b"another twenty bytes";
/// The bit in the second byte of the capabilities that stands for TLS.
const CLIENT_SSL: u8 = 0x08;
/// Its whole request for TLS.
const SSL_REQUEST: usize = 32;
/// What `caching_sha2_password` says to a proof that it believes.
const BELIEVED: &[u8] = &[1, 3];
/// What it says where it wants the password itself.
const FULL: &[u8] = &[1, 4];
/// What a client says that wants the server's RSA key.
const KEY_WANTED: &[u8] = &[2];

const QUERY: u8 = 0x03;
const PREPARE: u8 = 0x16;
/// The command by which a prepared statement runs.
pub(crate) const EXECUTE: u8 = 0x17;
const OK: &[u8] = &[0, 0, 0, 2, 0, 0, 0];
const END: &[u8] = &[254, 0, 0, 2, 0];
/// What may be set here; `max_statement_time` is MariaDB's.
const KNOWN: [&str; 4] = [
    "SET SESSION TRANSACTION READ ONLY",
    "SET time_zone = '+08:00'",
    "SET sql_select_limit = ",
    "SET SESSION max_execution_time = ",
];
/// What its only statement gives.
const COLUMNS: [&str; 3] = ["hphm", "hpzl", "syr"];

/// How it lets somebody in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manners {
    /// It greets by the older way in, and turns to the newer when it hears for whom.
    pub(crate) turns: bool,
    /// It knows the password's hash by heart, so that a proof is enough.
    pub(crate) remembers: bool,
}

/// Where it listens, and what each connection said once it has ended.
pub(crate) struct MySql8 {
    pub(crate) port: u16,
    ended: UnboundedReceiver<Vec<Vec<u8>>>,
}

impl MySql8 {
    pub(crate) async fn start(manners: Manners, tls: Option<Arc<ServerConfig>>) -> Self {
        let (sender, ended) = unbounded_channel();
        let peer = Peer::start(move |stream, _| {
            let (tls, sender) = (tls.clone(), sender.clone());
            async move {
                let mut heard = Vec::new();
                let served = serve(stream, manners, tls, &mut heard).await;
                // The test may be over.
                drop(sender.send(heard));
                served
            }
        })
        .await;
        MySql8 {
            port: peer.port,
            ended,
        }
    }

    /// All packets of the connection that ended first, from the greeting on.
    pub(crate) async fn heard(&mut self) -> Vec<Vec<u8>> {
        let ended = timeout(Duration::from_secs(5), self.ended.recv()).await;
        ended.unwrap().unwrap()
    }
}

/// A connection, the number that the next packet must have, and what was heard.
struct Line<'a, S> {
    stream: S,
    due: u8,
    heard: &'a mut Vec<Vec<u8>>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Line<'_, S> {
    async fn hear(&mut self) -> io::Result<Vec<u8>> {
        let (number, body) = packet(&mut self.stream).await?;
        self.heard.push(body.clone());
        if number != self.due {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.due = self.due.wrapping_add(1);
        Ok(body)
    }

    async fn say(&mut self, body: &[u8]) -> io::Result<()> {
        write(&mut self.stream, self.due, body).await?;
        self.due = self.due.wrapping_add(1);
        Ok(())
    }
}

async fn serve(
    stream: TcpStream,
    manners: Manners,
    tls: Option<Arc<ServerConfig>>,
    heard: &mut Vec<Vec<u8>>,
) -> io::Result<()> {
    let due = 0;
    let mut line = Line { stream, due, heard };
    let greets_by = if manners.turns { NATIVE } else { SHA2 };
    line.say(&greeting(greets_by, tls.is_some())).await?;
    let Some(tls) = tls else {
        return converse(line, manners).await;
    };
    let request = line.hear().await?;
    if request.len() != SSL_REQUEST || request[1] & CLIENT_SSL == 0 {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let Line { stream, due, heard } = line;
    let stream = TlsAcceptor::from(tls).accept(stream).await?;
    converse(Line { stream, due, heard }, manners).await
}

/// The version, a number, the nonce in two parts, and between them all that MySQL 8 can do.
fn greeting(plugin: &[u8], has_tls: bool) -> Vec<u8> {
    let second = if has_tls { 0xff } else { !CLIENT_SSL };
    let mut greeting = b"\x0a8.0.36\0\x07\0\0\0".to_vec();
    greeting.extend(&NONCE[..8]);
    greeting.extend([0, 0xff, second, 0xff, 2, 0, 0xff, 0xdf, 21]);
    greeting.extend([0_u8; 10]);
    greeting.extend(&NONCE[8..]);
    greeting.push(0);
    greeting.extend(plugin);
    greeting.push(0);
    greeting
}

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    mut line: Line<'_, S>,
    manners: Manners,
) -> io::Result<()> {
    if !lets_in(&mut line, manners).await? {
        return line.say(&error(1045, "28000")).await;
    }
    line.say(OK).await?;
    loop {
        line.due = 0;
        let said = line.hear().await?;
        for packet in answer(&said) {
            line.say(&packet).await?;
        }
    }
}

async fn lets_in<S: AsyncRead + AsyncWrite + Unpin>(
    line: &mut Line<'_, S>,
    manners: Manners,
) -> io::Result<bool> {
    let response = line.hear().await?;
    let proof = proof(&response).ok_or(io::ErrorKind::InvalidData)?;
    let (mut proof, mut nonce) = (proof.to_vec(), NONCE);
    if manners.turns {
        nonce = SECOND_NONCE;
        let turn = [b"\xfe".as_slice(), SHA2, b"\0", nonce, b"\0"].concat();
        line.say(&turn).await?;
        proof = line.hear().await?;
    }
    if manners.remembers {
        let believes = proves(&proof, nonce);
        if believes {
            line.say(BELIEVED).await?;
        }
        return Ok(believes);
    }
    line.say(FULL).await?;
    let mut shown = line.hear().await?;
    if shown == KEY_WANTED {
        line.say(&[b"\x01".as_slice(), RSA].concat()).await?;
        shown = line.hear().await?;
    }
    Ok(shown == [PASSWORD.as_bytes(), b"\0"].concat())
}

/// What stands in a response behind 32 bytes and the user's name, and a byte that is its length.
fn proof(response: &[u8]) -> Option<&[u8]> {
    let names = response.get(SSL_REQUEST..)?;
    let user_ends = names.iter().position(|byte| *byte == 0)?;
    let (length, rest) = names.get(user_ends + 1..)?.split_first()?;
    rest.get(..usize::from(*length))
}

/// The proof is XOR(SHA256(password), SHA256(SHA256(SHA256(password)), nonce)). MySQL keeps SHA256(SHA256(password))
/// alone, takes the second half away, and what is left must hash to what it keeps.
fn proves(proof: &[u8], nonce: &[u8]) -> bool {
    let hash = |parts: &[&[u8]]| Suite::Intl.hash(parts);
    let once = hash(&[PASSWORD.as_bytes()]);
    let kept = hash(&[once.as_slice()]);
    let mask = hash(&[kept.as_slice(), nonce]);
    let left: Vec<u8> = proof.iter().zip(mask).map(|(one, other)| one ^ other).collect();
    proof.len() == mask.len() && hash(&[left.as_slice()]) == kept
}

fn answer(said: &[u8]) -> Vec<Vec<u8>> {
    match said {
        [QUERY, statement @ ..] => match &*String::from_utf8_lossy(statement) {
            "SELECT @@wait_timeout" => table(&["@@wait_timeout"], Some(text("28800"))),
            set if KNOWN.iter().any(|known| set.starts_with(*known)) => vec![OK.to_vec()],
            _ => vec![error(1193, "HY000")],
        },
        // It is the first statement, gives three columns and has one place.
        [PREPARE, ..] => {
            let prepared = vec![0, 1, 0, 0, 0, 3, 0, 1, 0, 0, 0, 0];
            let mut packets = vec![prepared, column("?"), END.to_vec()];
            packets.extend(COLUMNS.map(column));
            packets.push(END.to_vec());
            packets
        }
        [EXECUTE, values @ ..] => {
            let owner = number(1);
            let owner = owner.expose();
            let is_asked_about = values.windows(owner.len()).any(|part| part == owner.as_bytes());
            let cells = ["京A12345", "02", owner].map(text).concat();
            // A zero, and a bit for each cell that is NULL.
            let row = [b"\0\0".as_slice(), &cells].concat();
            table(&COLUMNS, is_asked_about.then_some(row))
        }
        // A goodbye, or that a statement is no longer needed: to neither anything is said.
        _ => Vec::new(),
    }
}

/// An answer of one row, or of none.
fn table(columns: &[&str], row: Option<Vec<u8>>) -> Vec<Vec<u8>> {
    let mut packets = vec![vec![u8::try_from(columns.len()).unwrap()]];
    packets.extend(columns.iter().map(|name| column(name)));
    packets.push(END.to_vec());
    packets.extend(row);
    packets.push(END.to_vec());
    packets
}

/// Its catalogue, its names, of which two are there, and its charset (255, which is `utf8mb4`), length and type.
fn column(name: &str) -> Vec<u8> {
    let name = text(name);
    let tail = b"\x0c\xff\0\x50\0\0\0\xfd\0\0\0\0\0";
    [b"\x03def\0\0\0".as_slice(), &name, &name, tail].concat()
}

fn text(value: &str) -> Vec<u8> {
    let length = u8::try_from(value.len()).unwrap();
    [[length].as_slice(), value.as_bytes()].concat()
}

fn error(code: u16, state: &str) -> Vec<u8> {
    let [low, high] = code.to_le_bytes();
    [[255, low, high, b'#'].as_slice(), state.as_bytes(), b"no"].concat()
}
