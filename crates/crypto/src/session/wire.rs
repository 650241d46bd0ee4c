//! The bytes of messages: reading what came, writing what goes.

use super::{MAX_KIND, MAX_NAME, MAX_PLAINTEXT, SessionError};
use crate::aead::TAG_LEN;
use crate::signer::SIGNATURE_LEN;
use crate::suite::Suite;

const VERSION: u8 = 1;
const HELLO: u8 = 1;
const WELCOME: u8 = 2;
pub(super) const REQUEST: u8 = 3;
pub(super) const REPLY: u8 = 4;
/// The request carries the initiator's signature.
pub(super) const CONFIRMING: u8 = 1;

/// Longest message: header with the longest kind, signature, plaintext, tag.
const MAX_MESSAGE: usize = 3 + 16 + 8 + 16 + 8 + 1 + MAX_KIND + SIGNATURE_LEN + MAX_PLAINTEXT + TAG_LEN;

/// What a responder does with bytes that arrived, before any key is tried. Nothing in it is proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    /// Somebody who says to be `from` asks for a session: find that peer and [`accept`](super::accept).
    Hello {
        /// Name of the initiator, as it claims.
        from: String,
    },
    /// A request in a session.
    Request {
        /// Id of the session.
        session: [u8; 16],
    },
}

/// Looks at what a responder received.
///
/// # Errors
/// [`SessionError`] when it is neither a hello nor a request.
pub fn peek(bytes: &[u8]) -> Result<Incoming, SessionError> {
    match bytes.get(1) {
        Some(&HELLO) => Ok(Incoming::Hello {
            from: Hello::read(bytes)?.initiator.to_owned(),
        }),
        Some(&REQUEST) => Ok(Incoming::Request {
            session: Head::read(bytes, REQUEST)?.0.session,
        }),
        _ => Err(SessionError::Malformed("neither a hello nor a request")),
    }
}

pub(super) struct Hello<'a> {
    pub(super) suite: Suite,
    pub(super) expiry_us: i64,
    pub(super) initiator: &'a str,
    pub(super) responder: &'a str,
    pub(super) key: &'a [u8],
}

impl<'a> Hello<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, SessionError> {
        let mut reader = Reader(bytes);
        reader.version_and_type(HELLO)?;
        let hello = Self {
            suite: reader.suite()?,
            expiry_us: i64::from_be_bytes(reader.array()?),
            initiator: reader.text(MAX_NAME)?,
            responder: reader.text(MAX_NAME)?,
            key: reader.0,
        };
        Ok(hello)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION, HELLO, self.suite.byte()];
        out.extend_from_slice(&self.expiry_us.to_be_bytes());
        put_text(&mut out, self.initiator);
        put_text(&mut out, self.responder);
        out.extend_from_slice(self.key);
        out
    }
}

pub(super) struct Welcome<'a> {
    pub(super) suite: Suite,
    pub(super) key: &'a [u8],
    pub(super) signature: &'a [u8; SIGNATURE_LEN],
}

impl<'a> Welcome<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Self, SessionError> {
        let mut reader = Reader(bytes);
        reader.version_and_type(WELCOME)?;
        let suite = reader.suite()?;
        let (key, signature) = reader.0.split_last_chunk().ok_or(CUT)?;
        Ok(Self {
            suite,
            key,
            signature,
        })
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = vec![VERSION, WELCOME, self.suite.byte()];
        out.extend_from_slice(self.key);
        out.extend_from_slice(self.signature);
        out
    }
}

/// The readable part of a request or reply.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) flags: u8,
    pub(super) session: [u8; 16],
    pub(super) counter: u64,
    pub(super) request_id: [u8; 16],
    pub(super) time_us: i64,
    pub(super) kind: &'a str,
}

impl<'a> Head<'a> {
    /// The head, its own bytes, and the sealed rest.
    pub(super) fn read(
        bytes: &'a [u8],
        message_type: u8,
    ) -> Result<(Self, &'a [u8], &'a [u8]), SessionError> {
        if bytes.len() > MAX_MESSAGE {
            return Err(SessionError::TooLong);
        }
        let mut reader = Reader(bytes);
        reader.version_and_type(message_type)?;
        let [flags] = reader.array()?;
        let head = Self {
            flags,
            session: reader.array()?,
            counter: u64::from_be_bytes(reader.array()?),
            request_id: reader.array()?,
            time_us: i64::from_be_bytes(reader.array()?),
            kind: reader.text(MAX_KIND)?,
        };
        let known_flags = if message_type == REQUEST { CONFIRMING } else { 0 };
        if flags & !known_flags != 0 {
            return Err(SessionError::Malformed("unknown flag"));
        }
        let (own, sealed) = bytes.split_at(bytes.len() - reader.0.len());
        Ok((head, own, sealed))
    }

    pub(super) fn write(&self, message_type: u8) -> Vec<u8> {
        let mut out = Vec::with_capacity(64 + self.kind.len());
        out.extend_from_slice(&[VERSION, message_type, self.flags]);
        out.extend_from_slice(&self.session);
        out.extend_from_slice(&self.counter.to_be_bytes());
        out.extend_from_slice(&self.request_id);
        out.extend_from_slice(&self.time_us.to_be_bytes());
        put_text(&mut out, self.kind);
        out
    }
}

/// Appends a text after one byte of length. All texts here are bounded far below 256 bytes before they come here.
pub(super) fn put_text(out: &mut Vec<u8>, text: &str) {
    out.push(u8::try_from(text.len()).unwrap_or(u8::MAX));
    out.extend_from_slice(text.as_bytes());
}

const CUT: SessionError = SessionError::Malformed("it is cut short");

/// What has not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Result<[u8; N], SessionError> {
        let (first, rest) = self.0.split_first_chunk().ok_or(CUT)?;
        self.0 = rest;
        Ok(*first)
    }

    fn version_and_type(&mut self, message_type: u8) -> Result<(), SessionError> {
        match self.array()? {
            [VERSION, found] if found == message_type => Ok(()),
            [VERSION, _] => Err(SessionError::Malformed(
                "another type of message was expected here",
            )),
            [version, _] => Err(SessionError::UnknownVersion(version)),
        }
    }

    fn suite(&mut self) -> Result<Suite, SessionError> {
        let [byte] = self.array()?;
        Suite::from_byte(byte).map_err(|_| SessionError::Malformed("unknown suite"))
    }

    fn text(&mut self, max: usize) -> Result<&'a str, SessionError> {
        let [len] = self.array()?;
        let len = usize::from(len);
        if len == 0 || len > max {
            return Err(SessionError::Malformed("a text is empty or too long"));
        }
        let (text, rest) = self.0.split_at_checked(len).ok_or(CUT)?;
        self.0 = rest;
        std::str::from_utf8(text).map_err(|_| SessionError::Malformed("a text is not UTF-8"))
    }
}
