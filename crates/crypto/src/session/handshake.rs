//! Hello and welcome: how two parties come to a session.

use rand_core::CryptoRng;

use super::agreement::Ephemeral;
use super::channel::{Channel, InitiatorSession, ResponderSession};
use super::identity::{Identity, Peer};
use super::wire::{Hello, Welcome, put_text};
use super::{LIFETIME_US, SKEW_US, SessionError};
use crate::aead::DataKey;
use crate::secret::SecretBytes;
use crate::suite::Suite;

const LABEL: &[u8] = b"mingcha-session-v1";

/// A party's place in the handshake, signed with it so that no signature serves in the other place.
#[derive(Clone, Copy)]
enum Role {
    Initiator = 1,
    Responder = 2,
}

/// The initiator between its hello and the other's welcome.
pub struct Initiator<'a> {
    identity: &'a Identity,
    peer: &'a Peer,
    expiry_us: i64,
    ephemeral: Ephemeral,
}

impl<'a> Initiator<'a> {
    /// Begins a session of an hour from `now_us`; returns the hello to send.
    ///
    /// # Errors
    /// [`SessionError::OtherSuite`] when the two keys are of different suites.
    pub fn start(
        identity: &'a Identity,
        peer: &'a Peer,
        now_us: i64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<(Self, Vec<u8>), SessionError> {
        let suite = common_suite(identity, peer)?;
        let ephemeral = Ephemeral::generate(suite, rng);
        let expiry_us = now_us.saturating_add(LIFETIME_US);
        let hello = Hello {
            suite,
            expiry_us,
            initiator: identity.name(),
            responder: peer.name(),
            key: &ephemeral.public_key(),
        };
        let hello = hello.write();
        Ok((
            Self {
                identity,
                peer,
                expiry_us,
                ephemeral,
            },
            hello,
        ))
    }

    /// Ends the handshake with the welcome that came back.
    ///
    /// # Errors
    /// [`SessionError`] when the welcome is not the peer's answer to this hello, or came after the expiry.
    pub fn finish(self, welcome: &[u8], now_us: i64) -> Result<InitiatorSession, SessionError> {
        let welcome = Welcome::read(welcome)?;
        if welcome.suite != self.ephemeral.suite() {
            return Err(SessionError::OtherSuite);
        }
        let handshake = Handshake {
            suite: welcome.suite,
            expiry_us: self.expiry_us,
            initiator: self.identity.name(),
            responder: self.peer.name(),
            initiator_key: &self.ephemeral.public_key(),
            responder_key: welcome.key,
        };
        if !self
            .peer
            .verify(&handshake.signed(Role::Responder), welcome.signature)
        {
            return Err(SessionError::BadSignature);
        }
        let secret = self.ephemeral.agree(welcome.key)?;
        let confirmation = self.identity.sign(&handshake.signed(Role::Initiator));
        let channel = handshake.channel(Role::Initiator, &secret);
        channel.check_clock(now_us)?;
        Ok(InitiatorSession::new(channel, confirmation))
    }
}

/// Answers a hello: returns the session and the welcome to send. The session opens nothing before its first
/// request has shown the initiator's signature.
///
/// # Errors
/// [`SessionError`] when the hello is not from `peer` to `identity`, or proposes an expiry out of bounds.
pub fn accept(
    identity: &Identity,
    peer: &Peer,
    hello: &[u8],
    now_us: i64,
    rng: &mut (impl CryptoRng + ?Sized),
) -> Result<(ResponderSession, Vec<u8>), SessionError> {
    let suite = common_suite(identity, peer)?;
    let hello = Hello::read(hello)?;
    if hello.suite != suite {
        return Err(SessionError::OtherSuite);
    }
    if hello.initiator != peer.name() || hello.responder != identity.name() {
        return Err(SessionError::OtherParty);
    }
    let remaining = hello.expiry_us.saturating_sub(now_us);
    if remaining <= 0 || remaining > LIFETIME_US + SKEW_US {
        return Err(SessionError::BadExpiry);
    }
    let ephemeral = Ephemeral::generate(suite, rng);
    let own_key = ephemeral.public_key();
    let handshake = Handshake {
        suite,
        expiry_us: hello.expiry_us,
        initiator: hello.initiator,
        responder: hello.responder,
        initiator_key: hello.key,
        responder_key: &own_key,
    };
    let secret = ephemeral.agree(hello.key)?;
    let signature = identity.sign(&handshake.signed(Role::Responder));
    let welcome = Welcome {
        suite,
        key: &own_key,
        signature: &signature,
    }
    .write();
    let channel = handshake.channel(Role::Responder, &secret);
    let session = ResponderSession::new(channel, peer.clone(), handshake.signed(Role::Initiator));
    Ok((session, welcome))
}

fn common_suite(identity: &Identity, peer: &Peer) -> Result<Suite, SessionError> {
    if identity.suite() == peer.suite() {
        Ok(peer.suite())
    } else {
        Err(SessionError::OtherSuite)
    }
}

/// All that both parties sign and derive from.
struct Handshake<'a> {
    suite: Suite,
    expiry_us: i64,
    initiator: &'a str,
    responder: &'a str,
    initiator_key: &'a [u8],
    responder_key: &'a [u8],
}

impl Handshake<'_> {
    /// The bytes common to both. They read one way only: the keys' length follows from the suite.
    fn common(&self) -> Vec<u8> {
        let mut out = LABEL.to_vec();
        out.push(self.suite.byte());
        out.extend_from_slice(&self.expiry_us.to_be_bytes());
        put_text(&mut out, self.initiator);
        put_text(&mut out, self.responder);
        out.extend_from_slice(self.initiator_key);
        out.extend_from_slice(self.responder_key);
        out
    }

    fn signed(&self, role: Role) -> Vec<u8> {
        let mut out = self.common();
        out.push(role as u8);
        out
    }

    fn channel(&self, role: Role, secret: &SecretBytes<32>) -> Channel {
        let salt = self.suite.hash(&[&self.common()]);
        let key = |info: &[u8]| DataKey::derive(self.suite, &salt, secret.expose(), &[LABEL, info]);
        let (requests, replies) = (key(b" requests"), key(b" replies"));
        let mut id = [0; 16];
        self.suite
            .derive(&salt, secret.expose(), &[LABEL, b" id"], &mut id);
        let (send, receive) = match role {
            Role::Initiator => (requests, replies),
            Role::Responder => (replies, requests),
        };
        Channel::new(id, self.expiry_us, send, receive)
    }
}
