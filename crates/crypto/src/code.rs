//! One-time codes and opaque tokens: drawing them, and hashing them for storage.
//!
//! A code of eight digits has 26 bits: a plain hash of it is found in a second by whoever reads the database,
//! so it is hashed under a key that is not there.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rand_core::CryptoRng;

use crate::mac::MacKey;
use crate::secret::{SecretBytes, SecretText};
use crate::suite::Suite;

/// How many different codes there are.
const CODES: u32 = 100_000_000;

/// The key under which codes and tokens are hashed: `HMAC(key, purpose ‖ 0 ‖ value)`. [format]
#[derive(Clone, Debug)]
pub struct CodeKey(MacKey);

impl CodeKey {
    /// Prepares a code key with its number.
    pub fn new(suite: Suite, id: u32, key: &SecretBytes<32>) -> Self {
        Self(MacKey::new(suite, id, key))
    }

    /// The key's number, to be stored beside each digest.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// What is stored in place of a code or token. The purpose keeps a code for one thing from serving another.
    pub fn digest(&self, purpose: &'static str, value: &str) -> [u8; 32] {
        self.0.digest(purpose, value.as_bytes())
    }

    /// Whether a value that somebody typed is the stored one; takes the same time for right and wrong.
    #[must_use]
    pub fn matches(&self, purpose: &'static str, typed: &str, stored: &[u8; 32]) -> bool {
        self.0.verify(purpose, typed.as_bytes(), stored)
    }
}

/// Draws a token: 32 random bytes as 43 characters of base64url.
pub fn generate_token(rng: &mut (impl CryptoRng + ?Sized)) -> SecretText {
    SecretText::new(URL_SAFE_NO_PAD.encode(SecretBytes::<32>::generate(rng).expose()))
}

/// Draws a code of eight digits, each of the hundred million equally likely.
pub fn generate_code(rng: &mut (impl CryptoRng + ?Sized)) -> SecretText {
    // The last, incomplete run of a hundred million below 2^32 is drawn again; else small codes were likelier.
    const FAIR: u32 = u32::MAX - u32::MAX % CODES;
    loop {
        let drawn = rng.next_u32();
        if drawn < FAIR {
            return SecretText::new(format!("{:08}", drawn % CODES));
        }
    }
}
