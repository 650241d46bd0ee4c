//! The two suites of algorithms, and what differs between them by the choice of hash.

use std::fmt;
use std::str::FromStr;

use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use sm3::Sm3;

/// Which family of algorithms a deployment uses. Fixed when its keys are made; stored in the key file and in
/// every envelope.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Suite {
    /// SM2 signatures and key agreement (GB/T 32918), SM3 (GB/T 32905), SM4-GCM (GB/T 32907, RFC 8998).
    Gm,
    /// Ed25519 (RFC 8032), X25519 (RFC 7748), SHA-256 (FIPS 180-4), AES-256-GCM (SP 800-38D).
    Intl,
}

/// A suite's name or number that is neither `gm` (1) nor `intl` (2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("unknown suite; the suites are \"gm\" and \"intl\"")]
pub struct UnknownSuite;

impl Suite {
    /// The name used in configuration, key files and encoded keys.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gm => "gm",
            Self::Intl => "intl",
        }
    }

    /// The number used in binary layouts. [format]
    pub fn byte(self) -> u8 {
        match self {
            Self::Gm => 1,
            Self::Intl => 2,
        }
    }

    /// The suite of a number in a binary layout.
    ///
    /// # Errors
    /// [`UnknownSuite`] for any other number.
    pub fn from_byte(byte: u8) -> Result<Self, UnknownSuite> {
        match byte {
            1 => Ok(Self::Gm),
            2 => Ok(Self::Intl),
            _ => Err(UnknownSuite),
        }
    }

    /// Length in bytes of a key for the suite's cipher: SM4 has 128-bit keys, AES is used with 256.
    pub fn key_len(self) -> usize {
        match self {
            Self::Gm => 16,
            Self::Intl => 32,
        }
    }

    /// The suite's hash over the parts one after another. The caller makes the concatenation unambiguous.
    pub fn hash(self, parts: &[&[u8]]) -> [u8; 32] {
        fn run<D: Digest>(parts: &[&[u8]]) -> sha2::digest::Output<D> {
            let mut hash = D::new();
            for part in parts {
                hash.update(part);
            }
            hash.finalize()
        }
        match self {
            Self::Gm => run::<Sm3>(parts).into(),
            Self::Intl => run::<Sha256>(parts).into(),
        }
    }

    /// HKDF (RFC 5869) with the suite's hash; fills `out` (at most 255 hash lengths, and we ask for two at most).
    pub(crate) fn derive(self, salt: &[u8], secret: &[u8], info: &[&[u8]], out: &mut [u8]) {
        let filled = match self {
            Self::Gm => Hkdf::<Sm3>::new(Some(salt), secret).expand_multi_info(info, out),
            Self::Intl => Hkdf::<Sha256>::new(Some(salt), secret).expand_multi_info(info, out),
        };
        // INVARIANT: every caller is in this crate and asks for at most 64 of the 8160 bytes HKDF can give.
        filled.expect("HKDF output is short");
    }
}

/// The hash of a long text that comes in pieces.
pub struct Hasher(Hashing);

enum Hashing {
    Gm(Sm3),
    Intl(Sha256),
}

impl Hasher {
    /// Begins with the suite's hash.
    #[must_use]
    pub fn new(suite: Suite) -> Self {
        Self(match suite {
            Suite::Gm => Hashing::Gm(Sm3::new()),
            Suite::Intl => Hashing::Intl(Sha256::new()),
        })
    }

    /// Takes the next piece.
    pub fn update(&mut self, piece: &[u8]) {
        match &mut self.0 {
            Hashing::Gm(hash) => hash.update(piece),
            Hashing::Intl(hash) => hash.update(piece),
        }
    }

    /// The hash of all pieces.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        match self.0 {
            Hashing::Gm(hash) => hash.finalize().into(),
            Hashing::Intl(hash) => hash.finalize().into(),
        }
    }
}

impl fmt::Display for Suite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Suite {
    type Err = UnknownSuite;

    fn from_str(name: &str) -> Result<Self, UnknownSuite> {
        match name {
            "gm" => Ok(Self::Gm),
            "intl" => Ok(Self::Intl),
            _ => Err(UnknownSuite),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hash_as_the_whole() {
        for suite in [Suite::Gm, Suite::Intl] {
            let mut hasher = Hasher::new(suite);
            hasher.update(b"one");
            hasher.update(b"two");
            assert_eq!(hasher.finish(), suite.hash(&[b"onetwo"]), "{suite}");
        }
    }
}
