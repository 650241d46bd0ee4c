//! The hashes of the tree: RFC 6962, section 2.1, over SHA-256.

use crate::text;
use sha2::{Digest, Sha256};
use std::fmt;

/// A SHA-256 hash: of a leaf, of an interior node or of a whole tree.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// How many bytes a [`struct@Hash`] has.
pub const HASH_BYTES: usize = 32;

impl Hash {
    /// The head of the tree without leaves: the hash of nothing.
    pub const EMPTY_TREE: Hash = Hash([
        0xe3, 0xb0, 0xc4, 0x42, 0x98, 0xfc, 0x1c, 0x14, 0x9a, 0xfb, 0xf4, 0xc8, 0x99, 0x6f, 0xb9, 0x24, 0x27,
        0xae, 0x41, 0xe4, 0x64, 0x9b, 0x93, 0x4c, 0xa4, 0x95, 0x99, 0x1b, 0x78, 0x52, 0xb8, 0x55,
    ]);

    /// Thirty-two zero bytes: what the first entry of a chain has in place of a link to the previous.
    pub const ZERO: Hash = Hash([0; 32]);

    /// The hash of one entry: `SHA-256(0x00 ‖ data)`.
    pub fn of_leaf(data: &[u8]) -> Hash {
        sha256(&[&[0x00], data])
    }

    /// The hash of an interior node: `SHA-256(0x01 ‖ left ‖ right)`.
    pub fn of_node(left: &Hash, right: &Hash) -> Hash {
        sha256(&[&[0x01], &left.0, &right.0])
    }

    /// Reads the 44 characters of standard base64 that C2SP texts use.
    pub fn from_base64(text: &str) -> Option<Hash> {
        text::decode_base64(text)?.try_into().ok().map(Hash)
    }

    /// Writes the 44 characters of standard base64 that C2SP texts use.
    pub fn to_base64(&self) -> String {
        text::encode_base64(&self.0)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.to_base64())
    }
}

impl From<[u8; 32]> for Hash {
    fn from(bytes: [u8; 32]) -> Hash {
        Hash(bytes)
    }
}

impl AsRef<[u8]> for Hash {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// SHA-256 over the parts as if they were written one after another.
pub(crate) fn sha256(parts: &[&[u8]]) -> Hash {
    sha256_of(parts.iter())
}

pub(crate) fn sha256_of<'a>(parts: impl Iterator<Item = &'a &'a [u8]>) -> Hash {
    let mut state = Sha256::new();
    for part in parts {
        state.update(part);
    }
    Hash(state.finalize().into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_tree_is_the_hash_of_nothing() {
        assert_eq!(sha256(&[]), Hash::EMPTY_TREE);
    }

    #[test]
    fn base64_is_read_back_and_only_in_its_one_form() {
        let hash = Hash::of_leaf(b"hello world");
        // The value stands in the tests of other implementations of tlog-checkpoint.
        assert_eq!(hash.to_base64(), "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0=");
        assert_eq!(Hash::from_base64(&hash.to_base64()), Some(hash));
        for bad in [
            "",
            "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0",
            "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb1=",
            "TszzRgjTG6xce-z2AG31kAXYKBgQVtCSCE40HmuwBb0=",
            "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40HmuwBb0= ",
            "TszzRgjTG6xce+z2AG31kAXYKBgQVtCSCE40Hmuw",
        ] {
            assert_eq!(Hash::from_base64(bad), None, "{bad}");
        }
    }
}
