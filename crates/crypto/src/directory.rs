//! Keys of directories: how an ID number, a phone or a token is found again without being stored.
//!
//! An ID number has so few possible values that its plain hash is as good as the number; hence the key.

use crate::mac::MacKey;
use crate::secret::SecretBytes;
use crate::suite::Suite;

/// The key under which what one arrives with is hashed; `HMAC(key, type ‖ 0 ‖ normalised value)`. [format]
#[derive(Clone, Debug)]
pub struct DirectoryKey(MacKey);

impl DirectoryKey {
    /// Prepares a directory key with its number.
    pub fn new(suite: Suite, id: u32, key: &SecretBytes<32>) -> Self {
        Self(MacKey::new(suite, id, key))
    }

    /// The key's number, to be stored beside each digest.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// The digest of a value. The caller normalises it: the same phone must always be the same text.
    pub fn digest(&self, value_type: &'static str, normalised: &str) -> [u8; 32] {
        self.0.digest(value_type, normalised.as_bytes())
    }
}
