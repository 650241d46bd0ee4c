//! An agreed session: sealing and opening requests and replies.
//!
//! All methods take `&self`, because many requests share a session. The two ends are two types, so that no
//! program can open its own request or seal a reply to itself; the keys forbid it a second time.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use super::identity::Peer;
use super::window::Window;
use super::wire::{CONFIRMING, Head, REPLY, REQUEST};
use super::{LIFETIME_US, MAX_KIND, MAX_MESSAGES, MAX_PLAINTEXT, SKEW_US, SessionError};
use crate::aead::{self, DataKey, NONCE_LEN};
use crate::signer::SIGNATURE_LEN;

/// What ties a reply to its request, on either side. It holds no content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchange {
    /// The id the initiator gave.
    pub request_id: [u8; 16],
    /// What is asked, in words the two sides agreed on.
    pub kind: String,
    /// The suite's hash over the request as sent.
    pub digest: [u8; 32],
}

/// A request ready to send.
pub struct SealedRequest {
    /// For [`InitiatorSession::open_reply`].
    pub exchange: Exchange,
    /// The bytes to send, once: a repetition is refused and must be sealed anew.
    pub bytes: Vec<u8>,
}

/// A request that arrived, is authentic, fresh and not a repetition.
pub struct OpenedRequest {
    /// For [`ResponderSession::seal_reply`].
    pub exchange: Exchange,
    /// When the initiator sealed it, UTC microseconds, within 60 s of our clock.
    pub time_us: i64,
    /// What was sealed.
    pub plaintext: Vec<u8>,
}

/// The initiator's end of a session: asks.
pub struct InitiatorSession {
    channel: Channel,
    confirmation: [u8; SIGNATURE_LEN],
    confirmed: AtomicBool,
}

/// The responder's end of a session: answers.
pub struct ResponderSession {
    channel: Channel,
    peer: Peer,
    /// What the initiator's signature must cover.
    awaited: Vec<u8>,
    confirmed: AtomicBool,
}

impl InitiatorSession {
    pub(super) fn new(channel: Channel, confirmation: [u8; SIGNATURE_LEN]) -> Self {
        Self {
            channel,
            confirmation,
            confirmed: AtomicBool::new(false),
        }
    }

    /// When the session ends, UTC microseconds. Start a new one some time before.
    pub fn expires_us(&self) -> i64 {
        self.channel.expires_us
    }

    /// Seals a request under an id that the caller never uses twice.
    ///
    /// # Errors
    /// [`SessionError`] when the session is over, or kind or plaintext are out of bounds.
    pub fn seal_request(
        &self,
        request_id: [u8; 16],
        kind: &str,
        now_us: i64,
        plaintext: &[u8],
    ) -> Result<SealedRequest, SessionError> {
        let confirming = !self.confirmed.load(Ordering::Acquire);
        let signature: &[u8] = if confirming { &self.confirmation } else { &[] };
        let draft = Draft {
            flags: if confirming { CONFIRMING } else { 0 },
            request_id,
            kind,
            now_us,
        };
        let bytes = self.channel.seal(REQUEST, &draft, &[], &[signature, plaintext])?;
        let digest = self.channel.digest(&bytes);
        Ok(SealedRequest {
            exchange: Exchange {
                request_id,
                kind: kind.to_owned(),
                digest,
            },
            bytes,
        })
    }

    /// Opens the reply to a request.
    ///
    /// # Errors
    /// [`SessionError`] when it is not the peer's fresh answer to exactly this request, or came before.
    pub fn open_reply(
        &self,
        exchange: &Exchange,
        bytes: &[u8],
        now_us: i64,
    ) -> Result<Vec<u8>, SessionError> {
        let (head, plaintext) = self.channel.open(REPLY, bytes, &exchange.digest, now_us)?;
        if head.request_id != exchange.request_id || head.kind != exchange.kind {
            return Err(SessionError::NotAuthentic);
        }
        self.confirmed.store(true, Ordering::Release);
        Ok(plaintext)
    }
}

impl ResponderSession {
    pub(super) fn new(channel: Channel, peer: Peer, awaited: Vec<u8>) -> Self {
        Self {
            channel,
            peer,
            awaited,
            confirmed: AtomicBool::new(false),
        }
    }

    /// The session's id, by which [`peek`](super::peek) finds it for a request.
    pub fn id(&self) -> [u8; 16] {
        self.channel.id
    }

    /// When the session ends, UTC microseconds.
    pub fn expires_us(&self) -> i64 {
        self.channel.expires_us
    }

    /// Who is at the other end, once the session is confirmed.
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether the initiator has proven who it is. Sessions that have not are the first to be evicted.
    pub fn is_confirmed(&self) -> bool {
        self.confirmed.load(Ordering::Acquire)
    }

    /// Opens a request.
    ///
    /// # Errors
    /// [`SessionError`] when it is not the peer's, not fresh, or came before.
    pub fn open_request(&self, bytes: &[u8], now_us: i64) -> Result<OpenedRequest, SessionError> {
        let (head, mut plaintext) = self.channel.open(REQUEST, bytes, &[], now_us)?;
        if head.flags & CONFIRMING != 0 {
            let signature = *plaintext
                .first_chunk()
                .ok_or(SessionError::Malformed("no room for a signature"))?;
            self.confirm(&signature)?;
            plaintext.drain(..SIGNATURE_LEN);
        } else if !self.is_confirmed() {
            return Err(SessionError::Unconfirmed);
        }
        let digest = self.channel.digest(bytes);
        let exchange = Exchange {
            request_id: head.request_id,
            kind: head.kind.to_owned(),
            digest,
        };
        Ok(OpenedRequest {
            exchange,
            time_us: head.time_us,
            plaintext,
        })
    }

    /// Seals the reply to a request.
    ///
    /// # Errors
    /// [`SessionError`] when the session is over or the plaintext too long.
    pub fn seal_reply(
        &self,
        exchange: &Exchange,
        now_us: i64,
        plaintext: &[u8],
    ) -> Result<Vec<u8>, SessionError> {
        let draft = Draft {
            flags: 0,
            request_id: exchange.request_id,
            kind: &exchange.kind,
            now_us,
        };
        self.channel.seal(REPLY, &draft, &exchange.digest, &[plaintext])
    }

    fn confirm(&self, signature: &[u8; SIGNATURE_LEN]) -> Result<(), SessionError> {
        // Several requests may carry the signature before the first reply; one verification is enough, because
        // only the holder of the session's key could have sealed any of them.
        if self.is_confirmed() {
            return Ok(());
        }
        if !self.peer.verify(&self.awaited, signature) {
            return Err(SessionError::BadSignature);
        }
        self.confirmed.store(true, Ordering::Release);
        Ok(())
    }
}

/// What a sender decides about a message.
struct Draft<'a> {
    flags: u8,
    request_id: [u8; 16],
    kind: &'a str,
    now_us: i64,
}

/// What both ends have: a key and a counter out, a key and a window in.
pub(super) struct Channel {
    id: [u8; 16],
    expires_us: i64,
    send: DataKey,
    next: AtomicU64,
    receive: DataKey,
    received: Mutex<Window>,
}

impl Channel {
    pub(super) fn new(id: [u8; 16], expires_us: i64, send: DataKey, receive: DataKey) -> Self {
        let received = Mutex::new(Window::new());
        Self {
            id,
            expires_us,
            send,
            next: AtomicU64::new(0),
            receive,
            received,
        }
    }

    /// Refuses a session that is over; and one that ends later than it ever could, after the clock went back.
    pub(super) fn check_clock(&self, now_us: i64) -> Result<(), SessionError> {
        let remaining = self.expires_us.saturating_sub(now_us);
        if remaining <= 0 || remaining > LIFETIME_US + SKEW_US {
            return Err(SessionError::Expired);
        }
        Ok(())
    }

    fn digest(&self, bytes: &[u8]) -> [u8; 32] {
        self.send.suite().hash(&[bytes])
    }

    fn seal(
        &self,
        message_type: u8,
        draft: &Draft<'_>,
        bound: &[u8],
        plaintext: &[&[u8]],
    ) -> Result<Vec<u8>, SessionError> {
        self.check_clock(draft.now_us)?;
        if !(1..=MAX_KIND).contains(&draft.kind.len()) {
            return Err(SessionError::BadKind);
        }
        if plaintext
            .last()
            .is_some_and(|content| content.len() > MAX_PLAINTEXT)
        {
            return Err(SessionError::TooLong);
        }
        let counter = self.take_counter()?;
        let head = Head {
            flags: draft.flags,
            session: self.id,
            counter,
            request_id: draft.request_id,
            time_us: draft.now_us,
            kind: draft.kind,
        };
        let mut out = head.write(message_type);
        let aad = [&out, bound].concat();
        aead::seal_onto(&self.send, &nonce(counter), &aad, plaintext, &mut out);
        Ok(out)
    }

    /// The number of the next message. No two callers get the same one, and none gets one past the limit.
    fn take_counter(&self) -> Result<u64, SessionError> {
        self.next
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |next| {
                (next < MAX_MESSAGES).then_some(next + 1)
            })
            .map_err(|_| SessionError::Exhausted)
    }

    fn open<'a>(
        &self,
        message_type: u8,
        bytes: &'a [u8],
        bound: &[u8],
        now_us: i64,
    ) -> Result<(Head<'a>, Vec<u8>), SessionError> {
        self.check_clock(now_us)?;
        let (head, own, sealed) = Head::read(bytes, message_type)?;
        if head.session != self.id {
            return Err(SessionError::OtherSession);
        }
        if head.counter >= MAX_MESSAGES {
            return Err(SessionError::Malformed("the counter is past the limit"));
        }
        if head.time_us.abs_diff(now_us) > SKEW_US.unsigned_abs() {
            return Err(SessionError::Skew);
        }
        let aad = [own, bound].concat();
        let plaintext = aead::open(&self.receive, &nonce(head.counter), &aad, sealed)
            .map_err(|_| SessionError::NotAuthentic)?;
        // Only now, because a counter that nobody authenticated must not move the window.
        self.received
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .admit(head.counter)?;
        Ok((head, plaintext))
    }
}

fn nonce(counter: u64) -> [u8; NONCE_LEN] {
    let mut nonce = [0; NONCE_LEN];
    nonce[4..].copy_from_slice(&counter.to_be_bytes());
    nonce
}

impl fmt::Debug for SealedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "SealedRequest({:?}, {} bytes)",
            self.exchange,
            self.bytes.len()
        )
    }
}

impl fmt::Debug for OpenedRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OpenedRequest({:?}, redacted)", self.exchange)
    }
}

impl fmt::Debug for InitiatorSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "InitiatorSession(until {}, redacted)", self.expires_us())
    }
}

impl fmt::Debug for ResponderSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ResponderSession(until {}, redacted)", self.expires_us())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::Suite;

    const DRAFT: Draft<'static> = Draft {
        flags: 0,
        request_id: [1; 16],
        kind: "vehicle",
        now_us: 0,
    };

    fn channel(send: u8, receive: u8) -> Channel {
        let key = |byte| DataKey::new(Suite::Intl, &[byte; 32]).unwrap();
        Channel::new([9; 16], LIFETIME_US, key(send), key(receive))
    }

    #[test]
    fn counters_end_and_never_wrap() {
        let (one, two) = (channel(1, 2), channel(2, 1));
        one.next.store(MAX_MESSAGES - 1, Ordering::Relaxed);
        let last = one.seal(REQUEST, &DRAFT, &[], &[b"plate"]).unwrap();
        assert_eq!(
            two.open(REQUEST, &last, &[], 0).unwrap().0.counter,
            MAX_MESSAGES - 1
        );
        for _ in 0..3 {
            assert_eq!(
                one.seal(REQUEST, &DRAFT, &[], &[b"plate"]).unwrap_err(),
                SessionError::Exhausted
            );
        }
    }

    #[test]
    fn a_counter_past_the_limit_is_refused_even_when_authentic() {
        let (one, two) = (channel(1, 2), channel(2, 1));
        let head = Head {
            flags: 0,
            session: [9; 16],
            counter: MAX_MESSAGES,
            request_id: [1; 16],
            time_us: 0,
            kind: "vehicle",
        };
        let mut bytes = head.write(REQUEST);
        let aad = bytes.clone();
        aead::seal_onto(&one.send, &nonce(MAX_MESSAGES), &aad, &[b"plate"], &mut bytes);
        assert!(matches!(
            two.open(REQUEST, &bytes, &[], 0),
            Err(SessionError::Malformed(_))
        ));
    }
}
