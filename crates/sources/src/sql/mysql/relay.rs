//! What stands between MySQL's client and a database: the client dials for itself, takes whatever number of columns it
//! is told as a number of bytes to keep, and looks into packets that are empty. A relay dials in its place, encrypts,
//! counts what comes, and cuts the connection at the first packet that no honest database sends.
//!
//! Our statements are prepared, so that a packet tells by its first byte what it is: 0 an acknowledgement or a row, 1 to
//! 250 the number of columns, among them the 3 of a column's definition, 254 an end, 255 an error. All else is a lie.

use std::{
    io,
    sync::{Arc, OnceLock},
};

use domain::outcome::Outcome;
use mysql_async::OptsBuilder;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader, BufWriter, split},
    task::JoinHandle,
};
use tokio_postgres::tls::TlsConnect;

use super::door::Door;
use crate::{
    dial::cause,
    report::{Failure, Problem},
    sql::{
        address::Target,
        allowance::{Allowance, Allowed},
        tls::Handshake,
    },
    tls,
};

/// What stands before a packet: three bytes of its length, little-endian, and its number.
const HEAD: usize = 4;
/// The length of the packet by which TLS is asked for, which is how the client's response begins.
const SSL_REQUEST: usize = 32;
/// The longest packet before the client is let in: an RSA key of 8192 bits takes less than half of it.
const MAX_LOGIN: usize = 4 << 10;
/// The most columns that a statement may give: from 251 on a number begins with another byte.
const MAX_COLUMNS: u8 = 250;

/// The first byte of an acknowledgement.
const OK: u8 = 0;
/// The first byte of what ends columns or rows.
const END: u8 = 254;
/// What ends them has always so many bytes, where [`DEPRECATE_EOF`] was not agreed.
const END_BYTES: usize = 5;
/// The first byte of an error.
const ERROR: u8 = 255;
/// How `caching_sha2_password` asks for the password itself, where the server does not know its hash by heart.
const FULL: [u8; 2] = [1, 4];
/// The ways of showing who one is that the client can be turned to; of others some make it panic.
const WAYS_IN: [&[u8]; 2] = [b"caching_sha2_password", b"mysql_native_password"];

/// The bit in the second byte of the capabilities that stands for TLS.
const SSL: u8 = 0x08;
/// The bit in their fourth byte by which an end would be as long as an acknowledgement.
const DEPRECATE_EOF: u8 = 0x01;

/// A relay at work. Dropped, it ends at once.
pub(super) struct Relay {
    task: JoinHandle<()>,
    word: Word,
}

/// Why a relay cut a connection: the client knows only that it is gone.
#[derive(Clone)]
pub(super) struct Word {
    allowance: Allowance,
    named: Arc<OnceLock<Failure>>,
}

/// A packet of a database does not keep what every honest one keeps.
#[derive(Debug, thiserror::Error)]
#[error("no honest database says that")]
struct Lie(Problem);

/// Nobody is let in here, though the database may be honest.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Closed {
    #[error("MySQL wants the password itself, which is shown over TLS only: name its `ca`")]
    InTheClear,
    #[error("MySQL wants another kind of account than caching_sha2_password or mysql_native_password")]
    OtherWay,
}

/// A packet with its head.
struct Packet(Vec<u8>);

/// What a relay does once the client has come.
struct Course {
    server: Allowed,
    tls: Option<Handshake>,
    longest: usize,
    named: Arc<OnceLock<Failure>>,
}

impl Relay {
    /// Dials the database and waits for the client. Returns how the client finds it. A row may have `longest` bytes, and
    /// one answer `max_body`.
    pub(super) async fn open<C>(
        target: &Target<C>,
        max_body: usize,
        longest: usize,
    ) -> Result<(Self, OptsBuilder), Failure> {
        let word = Word {
            allowance: Allowance::new(max_body),
            named: Arc::default(),
        };
        let tls = target.handshake()?;
        let server = target.dial(word.allowance.clone()).await?;
        let (door, path) = Door::open().map_err(|error| {
            tracing::error!(%error, "no way for the client of MySQL can be opened here");
            Failure::new(Outcome::Broken, Problem::NotConnected)
        })?;
        let course = Course {
            server,
            tls,
            longest,
            named: Arc::clone(&word.named),
        };
        let task = tokio::spawn(async move {
            if let Ok(client) = door.client().await {
                course.run(client).await;
            }
        });
        let opts = OptsBuilder::default().prefer_socket(false).socket(Some(path));
        Ok((Relay { task, word }, opts))
    }

    /// Whether one of both sides has gone.
    pub(super) fn has_ended(&self) -> bool {
        self.task.is_finished()
    }

    /// What it will have to say.
    pub(super) fn word(&self) -> Word {
        self.word.clone()
    }

    /// Waits until what the client said last has been passed on, and the client is gone.
    pub(super) async fn ended(&mut self) {
        drop((&mut self.task).await);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Word {
    /// A new question begins.
    pub(super) fn renew(&self) {
        self.allowance.renew();
    }

    /// What really happened, where the client saw this.
    pub(super) fn instead_of(&self, failure: Failure) -> Failure {
        if self.allowance.is_spent() {
            return Failure::bad_answer(Problem::BodyTooLarge);
        }
        self.named.get().cloned().unwrap_or(failure)
    }
}

impl Course {
    async fn run(self, mut client: impl AsyncRead + AsyncWrite + Unpin) {
        let ended = greet(&mut client, self.server, self.tls, self.longest).await;
        // The client learns last that it is over: whoever then asks why finds it.
        if let Err(error) = ended
            && let Some(failure) = name(&error)
        {
            drop(self.named.set(failure));
        }
    }
}

/// What the end of a connection amounts to, where it says more than that it broke.
fn name(error: &io::Error) -> Option<Failure> {
    if let Some(problem) = tls::refused(error) {
        return Some(Failure::new(Outcome::Broken, problem));
    }
    if let Some(why) = cause::<Closed>(error) {
        tracing::error!(%why, "nobody is let in");
        return Some(Failure::new(Outcome::Broken, Problem::NotConnected));
    }
    cause::<Lie>(error).map(|lie| Failure::bad_answer(lie.0))
}

fn lie(problem: Problem) -> io::Error {
    io::Error::other(Lie(problem))
}

/// Passes the greeting on, and encrypts where that is to be. The packet by which TLS is asked for is one that the client
/// does not know of, so that until it is let in the numbers differ by one.
async fn greet(
    client: &mut (impl AsyncRead + AsyncWrite + Unpin),
    mut server: Allowed,
    tls: Option<Handshake>,
    longest: usize,
) -> io::Result<()> {
    let mut greeting = Packet::read(&mut server, MAX_LOGIN).await?;
    // No greeting, as a rule because there are too many connections: the client reads that for itself.
    if greeting.body().first() == Some(&ERROR) {
        return greeting.send(client).await;
    }
    let has_tls = narrow(greeting.body_mut()).ok_or_else(|| lie(Problem::BadRows))?;
    let Some(tls) = tls else {
        greeting.send(client).await?;
        return carry(client, server, false, longest).await;
    };
    if !has_tls {
        return Err(io::ErrorKind::Unsupported.into());
    }
    greeting.send(client).await?;
    let mut response = Packet::read(client, MAX_LOGIN).await?;
    response.ask_for_tls()?.send(&mut server).await?;
    let mut server = tls.connect(server).await?;
    response.send(&mut server).await?;
    carry(client, server, true, longest).await
}

/// Takes out of a greeting what the client must not agree on: TLS, which is the relay's, the longer ends, and MariaDB's
/// own additions. Whether the server has TLS; nothing where it is no greeting.
fn narrow(greeting: &mut [u8]) -> Option<bool> {
    let version_ends = greeting.iter().position(|byte| *byte == 0)?;
    // Behind the version: a number of four bytes, eight random ones and a zero.
    let at = version_ends + 1 + 4 + 8 + 1;
    // Two bytes of capabilities, three of charset and state, the other two, a length, six of zeros, four of MariaDB's.
    let fixed = greeting.get_mut(at..at + 18)?;
    let has_tls = fixed[1] & SSL != 0;
    fixed[1] &= !SSL;
    fixed[6] &= !DEPRECATE_EOF;
    fixed[14..].fill(0);
    Some(has_tls)
}

/// Carries packets both ways until one of both has gone.
async fn carry(
    client: impl AsyncRead + AsyncWrite + Unpin,
    server: impl AsyncRead + AsyncWrite + Unpin,
    is_encrypted: bool,
    longest: usize,
) -> io::Result<()> {
    let (from_client, to_client) = split(client);
    let (from_server, to_server) = split(server);
    tokio::select! {
        ended = questions(from_client, to_server, u8::from(is_encrypted)) => ended,
        ended = answers(from_server, to_client, is_encrypted, longest) => ended,
    }
}

async fn questions(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shift: u8,
) -> io::Result<()> {
    loop {
        let mut packet = Packet::read(&mut from, usize::MAX).await?;
        // A command counts from nought; what has another number is said before the client is let in.
        if packet.number() > 0 {
            packet.renumber(shift);
        }
        packet.send(&mut to).await?;
    }
}

async fn answers(
    from: impl AsyncRead + Unpin,
    to: impl AsyncWrite + Unpin,
    is_encrypted: bool,
    longest: usize,
) -> io::Result<()> {
    let (mut from, mut to) = (BufReader::new(from), BufWriter::new(to));
    let (mut is_in, mut last) = (false, 0);
    loop {
        if from.buffer().is_empty() {
            to.flush().await?;
        }
        let bound = if is_in { longest } else { MAX_LOGIN };
        let mut packet = Packet::read(&mut from, bound).await?;
        let number = packet.number();
        let is_sound = if is_in {
            // What is said without having been asked is that the connection was idle for too long, and ends. Of a long
            // answer each 256th packet has that number too.
            let is_unasked = packet.number() == 0 && last != u8::MAX;
            if is_unasked && packet.body().first() == Some(&ERROR) {
                return Err(io::ErrorKind::ConnectionAborted.into());
            }
            is_honest(packet.body())
        } else {
            is_in = packet.body().first() == Some(&OK);
            packet.renumber(0_u8.wrapping_sub(u8::from(is_encrypted)));
            // An answer to a command is the first after it. Where the client believes that it is in, and the server
            // has not said so, it would be held to nothing.
            let is_sound = !packet.body().is_empty() && packet.number() > 1;
            if is_sound && let Some(closed) = closed(packet.body(), is_encrypted) {
                return Err(io::Error::other(closed));
            }
            is_sound
        };
        if !is_sound {
            return Err(lie(Problem::BadRows));
        }
        last = number;
        to.write_all(&packet.0).await?;
    }
}

/// Why the client must not hear this before it is let in, if it must not.
fn closed(said: &[u8], is_encrypted: bool) -> Option<Closed> {
    match said {
        // Without TLS nobody has shown who they are.
        _ if said.starts_with(&FULL) && !is_encrypted => Some(Closed::InTheClear),
        [END, way @ ..] => {
            let name = way.split(|byte| *byte == 0).next();
            let is_known = name.is_some_and(|name| WAYS_IN.contains(&name));
            (!is_known).then_some(Closed::OtherWay)
        }
        _ => None,
    }
}

/// Whether an honest database says that to a statement of ours.
fn is_honest(said: &[u8]) -> bool {
    match said {
        [] => false,
        [END, ..] => said.len() == END_BYTES,
        [first, ..] => *first <= MAX_COLUMNS || *first == ERROR,
    }
}

impl Packet {
    async fn read(from: &mut (impl AsyncRead + Unpin), longest: usize) -> io::Result<Self> {
        let mut bytes = vec![0; HEAD];
        from.read_exact(&mut bytes).await?;
        let length = usize::from(bytes[0]) | usize::from(bytes[1]) << 8 | usize::from(bytes[2]) << 16;
        if length > longest {
            return Err(lie(Problem::BodyTooLarge));
        }
        bytes.resize(HEAD + length, 0);
        from.read_exact(&mut bytes[HEAD..]).await?;
        Ok(Packet(bytes))
    }

    async fn send(&self, to: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        to.write_all(&self.0).await?;
        to.flush().await
    }

    fn body(&self) -> &[u8] {
        &self.0[HEAD..]
    }

    fn body_mut(&mut self) -> &mut [u8] {
        &mut self.0[HEAD..]
    }

    fn number(&self) -> u8 {
        self.0[HEAD - 1]
    }

    fn renumber(&mut self, by: u8) {
        self.0[HEAD - 1] = self.0[HEAD - 1].wrapping_add(by);
    }

    /// What asks for TLS before this response of the client's, which then comes after it.
    fn ask_for_tls(&mut self) -> io::Result<Packet> {
        if self.body().len() < SSL_REQUEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        self.body_mut()[1] |= SSL;
        let mut request = Packet(self.0[..HEAD + SSL_REQUEST].to_vec());
        request.0[..3].copy_from_slice(&[SSL_REQUEST as u8, 0, 0]);
        self.renumber(1);
        Ok(request)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{io::duplex, time::timeout};

    use super::*;

    fn packet(number: u8, body: &[u8]) -> Packet {
        let length = u8::try_from(body.len()).unwrap();
        Packet([[length, 0, 0, number].as_slice(), body].concat())
    }

    #[tokio::test]
    async fn numbers_differ_until_the_client_is_let_in_and_a_lie_ends_it() {
        let (mut client, near) = duplex(4096);
        let (far, mut server) = duplex(4096);
        let carried = tokio::spawn(carry(near, far, true, 4096));
        let say = [
            packet(3, b"\xfecaching_sha2_password\0"),
            packet(5, &[1, 3]),
            packet(6, &[OK, 0, 0, 2, 0, 0, 0]),
        ];
        for said in say {
            said.send(&mut server).await.unwrap();
        }
        let mut heard = [0; 3];
        for number in &mut heard {
            *number = Packet::read(&mut client, 4096).await.unwrap().0[3];
        }
        assert_eq!(heard, [2, 4, 5], "one less than was said");
        for (number, expected) in [(3, 4), (0, 0)] {
            packet(number, b"\x03SET").send(&mut client).await.unwrap();
            let heard = Packet::read(&mut server, 4096).await.unwrap();
            assert_eq!((heard.0[3], heard.body()), (expected, b"\x03SET".as_slice()));
        }
        packet(1, &[1]).send(&mut server).await.unwrap();
        assert_eq!(
            Packet::read(&mut client, 4096).await.unwrap().0,
            packet(1, &[1]).0
        );
        packet(2, b"\xfe\0\0\0\0\0\x04\0\0")
            .send(&mut server)
            .await
            .unwrap();
        let error = carried.await.unwrap().unwrap_err();
        assert_eq!(name(&error).unwrap(), Failure::bad_answer(Problem::BadRows));
        assert!(Packet::read(&mut client, 4096).await.is_err(), "nothing of it");
    }

    #[tokio::test]
    async fn who_is_let_in_by_halves_is_held_to_the_same() {
        // The client takes the packet behind `01 03` for an acknowledgement, whatever it is.
        for (shift, number) in [(0, 1), (1, 2)] {
            let (mut client, near) = duplex(4096);
            let (far, mut server) = duplex(4096);
            let carried = tokio::spawn(carry(near, far, shift == 1, 4096));
            for said in [packet(2 + shift, &[1, 3]), packet(3 + shift, &[1, 0])] {
                said.send(&mut server).await.unwrap();
                Packet::read(&mut client, 4096).await.unwrap();
            }
            let count = packet(number, b"\xfe\0\0\0\0\0\x04\0\0");
            count.send(&mut server).await.unwrap();
            let ended = timeout(Duration::from_secs(5), carried)
                .await
                .expect("it is cut off");
            let error = ended.unwrap().unwrap_err();
            assert_eq!(name(&error).unwrap(), Failure::bad_answer(Problem::BadRows));
        }
    }

    #[tokio::test]
    async fn what_the_client_must_not_hear_closes_the_door() {
        let unheard: [&[u8]; 3] = [&FULL, b"\xfeclient_ed25519\0nonce", b"\xfe"];
        for said in unheard {
            let (mut client, near) = duplex(4096);
            let (far, mut server) = duplex(4096);
            let carried = tokio::spawn(carry(near, far, false, 4096));
            packet(2, said).send(&mut server).await.unwrap();
            let ended = timeout(Duration::from_secs(5), carried)
                .await
                .expect("it is cut off");
            let error = ended.unwrap().unwrap_err();
            let refused = Failure::new(Outcome::Broken, Problem::NotConnected);
            assert_eq!(
                (cause::<Closed>(&error).is_some(), name(&error)),
                (true, Some(refused))
            );
            assert!(Packet::read(&mut client, 4096).await.is_err(), "nothing of it");
        }
        let told: [(&[u8], bool, Option<Closed>); 7] = [
            (&FULL, false, Some(Closed::InTheClear)),
            (&FULL, true, None),
            (&[1, 3], false, None),
            (b"\xfecaching_sha2_password\0nonce\0", false, None),
            (b"\xfemysql_native_password\0nonce\0", false, None),
            (b"\xfeparsec\0", true, Some(Closed::OtherWay)),
            (b"\xff\x15\x04#28000no", false, None),
        ];
        for (said, is_encrypted, why) in told {
            assert_eq!(closed(said, is_encrypted), why, "{said:?}");
        }
    }

    #[tokio::test]
    async fn what_was_not_asked_for_ends_the_connection() {
        let (mut client, near) = duplex(4096);
        let (far, mut server) = duplex(4096);
        let carried = tokio::spawn(carry(near, far, false, 4096));
        packet(2, &[OK, 0, 0, 2, 0, 0, 0])
            .send(&mut server)
            .await
            .unwrap();
        Packet::read(&mut client, 4096).await.unwrap();
        // Behind the 255th of an answer, the same is part of it.
        for said in [packet(255, &[OK, 0, 1]), packet(0, b"\xff\xad\x07#70100slow")] {
            said.send(&mut server).await.unwrap();
            assert_eq!(Packet::read(&mut client, 4096).await.unwrap().0, said.0);
        }
        let idle = packet(0, b"\xff\xbf\x0f#HY000idle");
        idle.send(&mut server).await.unwrap();
        let error = carried.await.unwrap().unwrap_err();
        assert!(name(&error).is_none(), "it is broken, and no lie");
        assert!(
            Packet::read(&mut client, 4096).await.is_err(),
            "the client is told nothing"
        );
    }

    #[test]
    fn a_packet_tells_by_its_first_byte_what_it_is() {
        let row: &[u8] = &[0, 0, 3, b'a', b'b', b'c'];
        let definition: &[u8] = b"\x03def\0\0\0\x01a\x01a";
        let end: &[u8] = &[END, 0, 0, 2, 0];
        let sound: [&[u8]; 7] = [row, definition, end, &[1], &[250], &[OK], b"\xff\x15\x04#28000no"];
        for said in sound {
            assert!(is_honest(said), "{said:?}");
        }
        let counts: [&[u8]; 4] = [
            b"\xfc\xfb\0",
            b"\xfd\xff\xff\xff",
            b"\xfe\0\0\0\0\0\x04\0\0",
            b"\xfe\0\0\0\0\0\x04\0\0\0",
        ];
        let others: [&[u8]; 3] = [b"", b"\xfe", b"\xfb/etc/hosts"];
        for wrong in counts.into_iter().chain(others) {
            assert!(!is_honest(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn the_client_agrees_on_neither_tls_nor_longer_ends() {
        let greeting = |low: u8, high: u8| {
            let mut bytes = b"\x0a11.8.3-MariaDB\0\x07\0\0\0abcdefgh\0".to_vec();
            bytes.extend([
                0xfe, low, 45, 2, 0, 0xff, high, 21, 0, 0, 0, 0, 0, 0, 0x1d, 0, 0, 0,
            ]);
            bytes.extend(b"ijklmnopqrst\0");
            bytes
        };
        let mut wide = greeting(0xff, 0x81);
        assert_eq!(narrow(&mut wide), Some(true));
        let mut narrowed = greeting(0xf7, 0x80);
        let at = narrowed.iter().rposition(|byte| *byte == 0x1d).unwrap();
        narrowed[at] = 0;
        assert_eq!(wide, narrowed);
        assert_eq!(narrow(&mut narrowed), Some(false));
        assert_eq!(narrow(&mut [10; 40]), None);
        assert_eq!(narrow(&mut [10, b'5', 0, 1, 2, 3]), None);
    }

    #[test]
    fn tls_is_asked_for_by_how_the_response_begins() {
        let mut response = packet(1, &[0x45; 60]);
        let request = response.ask_for_tls().unwrap();
        let mut half = [0x45; SSL_REQUEST];
        half[1] |= SSL;
        assert_eq!(request.0, packet(1, &half).0);
        assert_eq!(
            (response.0[3], response.body()[1], response.body().len()),
            (2, 0x4d, 60)
        );
        assert!(packet(1, &[0x45; 31]).ask_for_tls().is_err());
    }
}
