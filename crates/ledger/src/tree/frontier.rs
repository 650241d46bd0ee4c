//! The right frontier: all that must be remembered of a tree to append to it.

use crate::hash::{HASH_BYTES, Hash};
use thiserror::Error;

/// The greatest size a frontier is read with: 2^62 leaves are far beyond reach, and no batch that fits
/// into memory can make a number of leaves overflow from there.
pub const MAX_TREE_SIZE: u64 = 1 << 62;

/// How many leaves a tree has, and the roots of its complete subtrees from left to right.
///
/// A size in binary tells which subtrees these are: one for each bit that is set, the greatest first.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Frontier {
    pub(super) size: u64,
    pub(super) hashes: Vec<Hash>,
}

/// Why bytes are not a frontier.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum FrontierError {
    /// Shorter than a size, or not exactly as long as the size demands.
    #[error("a frontier of this size has another length")]
    Length,
    /// More leaves than [`MAX_TREE_SIZE`].
    #[error("a tree has at most 2^62 leaves")]
    Size,
}

impl Frontier {
    /// The tree without leaves.
    pub fn new() -> Frontier {
        Frontier::default()
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds one leaf. For several use [`append_batch`](super::append_batch), which also proves them.
    pub fn append(&mut self, leaf_hash: Hash) {
        let mut hash = leaf_hash;
        let mut completed = self.size;
        while completed & 1 == 1
            && let Some(left) = self.hashes.pop()
        {
            hash = Hash::of_node(&left, &hash);
            completed >>= 1;
        }
        self.hashes.push(hash);
        self.size += 1; // INVARIANT: nobody lives long enough to append 2^63 leaves to MAX_TREE_SIZE.
    }

    /// The head of the tree.
    pub fn root(&self) -> Hash {
        let root = self
            .hashes
            .iter()
            .rev()
            .copied()
            .reduce(|right, left| Hash::of_node(&left, &right));
        root.unwrap_or(Hash::EMPTY_TREE)
    }

    /// The root of the complete subtree of `2^level` leaves, if the size has that bit.
    pub(super) fn at_level(&self, level: u32) -> Option<Hash> {
        let greater = self.size.checked_shr(level + 1).unwrap_or(0).count_ones();
        let has = self.size.checked_shr(level).unwrap_or(0) & 1 == 1;
        if has {
            self.hashes.get(greater as usize).copied()
        } else {
            None
        }
    }

    /// The size as eight bytes, big-endian, and the hashes, the greatest subtree first.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(8 + self.hashes.len() * HASH_BYTES);
        bytes.extend_from_slice(&self.size.to_be_bytes());
        for hash in &self.hashes {
            bytes.extend_from_slice(&hash.0);
        }
        bytes
    }

    /// Reads what [`Frontier::to_bytes`] wrote.
    pub fn parse(bytes: &[u8]) -> Result<Frontier, FrontierError> {
        let (size, rest) = bytes.split_first_chunk().ok_or(FrontierError::Length)?;
        let size = u64::from_be_bytes(*size);
        if size > MAX_TREE_SIZE {
            return Err(FrontierError::Size);
        }
        let (hashes, stray) = rest.as_chunks();
        if !stray.is_empty() || hashes.len() != size.count_ones() as usize {
            return Err(FrontierError::Length);
        }
        Ok(Frontier {
            size,
            hashes: hashes.iter().copied().map(Hash).collect(),
        })
    }
}
