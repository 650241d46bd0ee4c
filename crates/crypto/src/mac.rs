//! Keyed hashes: HMAC with the suite's hash (RFC 2104; SM3 in place of SHA-256 for `gm`).

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use sm3::Sm3;
use subtle::ConstantTimeEq;

use crate::secret::SecretBytes;
use crate::suite::Suite;

/// A numbered key for keyed hashes. The number is stored beside each hash, so that the key can be replaced
/// while old hashes still name the key that made them.
#[derive(Clone)]
pub struct MacKey {
    id: u32,
    prepared: Prepared,
}

/// The HMAC state after the key was taken in: each use clones it instead of hashing the key again.
#[derive(Clone)]
enum Prepared {
    Gm(Hmac<Sm3>),
    Intl(Hmac<Sha256>),
}

impl MacKey {
    /// Prepares a key.
    pub fn new(suite: Suite, id: u32, key: &SecretBytes<32>) -> Self {
        // HMAC takes a key of any length; 32 bytes fit the block of both hashes, so `new` is given a whole block.
        let mut block = SecretBytes::new([0; 64]);
        block.expose_mut()[..32].copy_from_slice(key.expose());
        let block = block.expose().into();
        let prepared = match suite {
            Suite::Gm => Prepared::Gm(Hmac::new(block)),
            Suite::Intl => Prepared::Intl(Hmac::new(block)),
        };
        Self { id, prepared }
    }

    /// The key's number.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The keyed hash of `label ‖ 0 ‖ value`. The label says what the value is, so that a hash made for one
    /// use means nothing in another; it is a constant of the program and contains no zero byte.
    pub fn digest(&self, label: &'static str, value: &[u8]) -> [u8; 32] {
        debug_assert!(
            !label.contains('\0'),
            "a label with a zero byte would be ambiguous"
        );
        fn run<M: Mac + Clone>(keyed: &M, label: &str, value: &[u8]) -> hmac::digest::Output<M> {
            let mut mac = keyed.clone();
            mac.update(label.as_bytes());
            mac.update(&[0]);
            mac.update(value);
            mac.finalize().into_bytes()
        }
        match &self.prepared {
            Prepared::Gm(keyed) => run(keyed, label, value).into(),
            Prepared::Intl(keyed) => run(keyed, label, value).into(),
        }
    }

    /// Whether `digest` is the keyed hash of `label ‖ 0 ‖ value`; takes the same time for right and wrong.
    #[must_use]
    pub fn verify(&self, label: &'static str, value: &[u8], digest: &[u8; 32]) -> bool {
        self.digest(label, value).ct_eq(digest).into()
    }
}

/// A key that two parties agreed on, of whatever length, for an HMAC over a text whose form they agreed on too. What
/// we keep ourselves is hashed by [`MacKey`], which says what a value is.
pub struct AgreedKey {
    suite: Suite,
    prepared: Prepared,
}

impl AgreedKey {
    /// Prepares a key.
    #[must_use]
    pub fn new(suite: Suite, key: &[u8]) -> Self {
        fn keyed<M: KeyInit>(key: &[u8]) -> M {
            // INVARIANT: HMAC takes a key of any length (RFC 2104, section 2).
            M::new_from_slice(key).expect("a key of any length")
        }
        let prepared = match suite {
            Suite::Gm => Prepared::Gm(keyed(key)),
            Suite::Intl => Prepared::Intl(keyed(key)),
        };
        Self { suite, prepared }
    }

    /// The suite whose hash it uses.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The HMAC of a message.
    #[must_use]
    pub fn tag(&self, message: &[u8]) -> [u8; 32] {
        match &self.prepared {
            Prepared::Gm(keyed) => keyed.clone().chain_update(message).finalize().into_bytes().into(),
            Prepared::Intl(keyed) => keyed.clone().chain_update(message).finalize().into_bytes().into(),
        }
    }

    /// Whether `tag` is the HMAC of a message; takes the same time for right and wrong.
    #[must_use]
    pub fn verify(&self, message: &[u8], tag: &[u8; 32]) -> bool {
        self.tag(message).ct_eq(tag).into()
    }
}

impl fmt::Debug for AgreedKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AgreedKey({}, redacted)", self.suite)
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MacKey({}, redacted)", self.id)
    }
}
