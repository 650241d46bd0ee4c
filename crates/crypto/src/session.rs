//! Message encryption between Mingcha and a record holder, above TLS. [format]
//!
//! Two parties who know each other's public keys agree on a session: a hello and a welcome carry an ephemeral
//! key each (SM2's curve, or X25519), and each party signs once, with its static key (SM2 or Ed25519), over
//!
//! `"mingcha-session-v1" ‖ suite ‖ expiry ‖ initiator ‖ responder ‖ initiator's key ‖ responder's key ‖ role`
//!
//! (names after one byte of length; expiry in 8 bytes of UTC microseconds; role 1 is the initiator, 2 the
//! responder). The responder's signature is in the welcome. The initiator can sign only once it has the
//! responder's key, so its signature travels inside its requests until the first reply shows that it arrived; the
//! responder opens nothing before it has verified it. A replayed or invented hello therefore yields a session
//! that nobody can use, and costs the responder one signature: whoever keeps sessions bounds and evicts those
//! that are not [confirmed](ResponderSession::is_confirmed).
//!
//! HKDF with the suite's hash (salt: hash of the signed bytes without role; secret: the shared x-coordinate or
//! X25519 output) gives one key per direction and the public session id. Nonces are counters, never random.
//!
//! ```text
//! hello    1 ‖ 1 ‖ suite ‖ expiry 8 ‖ initiator (1+n) ‖ responder (1+n) ‖ key 65|32
//! welcome  1 ‖ 2 ‖ suite ‖ key 65|32 ‖ signature 64
//! request  1 ‖ 3 ‖ flags ‖ session 16 ‖ counter 8 ‖ request id 16 ‖ time 8 ‖ kind (1+n) ‖ sealed
//! reply    1 ‖ 4 ‖ 0     ‖ session 16 ‖ counter 8 ‖ request id 16 ‖ time 8 ‖ kind (1+n) ‖ sealed
//! ```
//!
//! The first byte is the version, the second the type, integers are big-endian. With flag 1 the plaintext of a
//! request begins with the initiator's signature. The associated data of a request is all that stands before
//! `sealed`; that of a reply is the same, then the request's digest: the suite's hash over all bytes of the
//! request as sent. (The ciphertext, not the plaintext: both sides have it, it stands for this one sending, and
//! it may be kept in a trace.)
//!
//! Requests travel concurrently, so counters may arrive in any order within a window of 1024; each is accepted
//! once. A message whose time is more than 60 s off, or of a session that expired, is refused.

mod agreement;
mod channel;
mod handshake;
mod identity;
mod window;
mod wire;

pub use channel::{Exchange, InitiatorSession, OpenedRequest, ResponderSession, SealedRequest};
pub use handshake::{Initiator, accept};
pub use identity::{Identity, KeyTextError, Peer};
pub use wire::{Incoming, peek};

/// How long a session lasts at most: one hour, in microseconds.
pub const LIFETIME_US: i64 = 3_600_000_000;
/// How far the two clocks may differ: 60 s, in microseconds.
pub const SKEW_US: i64 = 60_000_000;
/// How many messages one direction of a session carries at most.
pub const MAX_MESSAGES: u64 = 1 << 32;
/// Longest plaintext of one message, in bytes.
pub const MAX_PLAINTEXT: usize = 4 << 20;
/// Longest name of a party, in bytes.
pub const MAX_NAME: usize = 64;
/// Longest kind of a request, in bytes.
pub const MAX_KIND: usize = 64;

/// Why a session is not made or a message is refused. No message shows content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SessionError {
    /// Cut short, trailing bytes, a bad length, an unknown type or flag.
    #[error("not a message of this protocol: {0}")]
    Malformed(&'static str),
    /// Another version of the protocol.
    #[error("version {0} of message encryption is not known; the known one is 1")]
    UnknownVersion(u8),
    /// The parties use different suites.
    #[error("the two sides use different suites; both must be configured for the same one")]
    OtherSuite,
    /// The hello names other parties than those configured.
    #[error("the hello is from or for another party than the one configured")]
    OtherParty,
    /// A name of a party that is empty or too long.
    #[error("a name has 1 to {MAX_NAME} bytes")]
    BadName,
    /// A kind that is empty or too long.
    #[error("a kind has 1 to {MAX_KIND} bytes")]
    BadKind,
    /// An ephemeral key that is no key.
    #[error("the other side's ephemeral key is not a point that can be used")]
    BadEphemeralKey,
    /// The signature is not the other party's over this handshake.
    #[error("the other side's signature does not fit: wrong key configured, or the handshake was changed")]
    BadSignature,
    /// The hello's expiry is past or more than an hour away.
    #[error("the proposed expiry is not within the coming hour; compare the clocks of both sides")]
    BadExpiry,
    /// The session is over, or the clock was set far back.
    #[error("the session has expired; start a new one")]
    Expired,
    /// All counters are used.
    #[error("the session has carried all its messages; start a new one")]
    Exhausted,
    /// A message of another session.
    #[error("the message belongs to another session")]
    OtherSession,
    /// The message's time is too far from ours.
    #[error("the message's time differs from ours by more than 60 s; compare the clocks of both sides")]
    Skew,
    /// The counter was accepted before.
    #[error("the message was received before")]
    Replayed,
    /// The counter is below the window.
    #[error("the message is too far behind the newest one")]
    TooOld,
    /// Key, associated data, or any bit differs from what was sealed.
    #[error("the message does not open: it was changed, or answers another request")]
    NotAuthentic,
    /// A request without the initiator's signature in a session that has not seen it.
    #[error("the session's first request must carry the initiator's signature")]
    Unconfirmed,
    /// More than the protocol carries.
    #[error("a message carries at most {MAX_PLAINTEXT} bytes")]
    TooLong,
}
