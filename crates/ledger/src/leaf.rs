//! What one entry puts into the public log: a single salted hash, and nothing else.
//!
//! An ID number or a plate has so few values that a plain hash of it can be undone by trying them all.
//! So each opening is hashed with 32 random bytes of its own, and those exist only beside the opening.

use crate::hash::{Hash, sha256, sha256_of};
use std::fmt;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// How many bytes the data of a leaf have.
pub const LEAF_BYTES: usize = 33;

/// The version byte that begins the data of a leaf.
const LEAF_VERSION: u8 = 0x01;

/// The random bytes that hide an opening behind its commitment. Whoever has them can test guesses.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Salt([u8; 32]);

impl Salt {
    /// Takes 32 bytes, which must come from a cryptographic generator and be used once.
    pub fn new(bytes: [u8; 32]) -> Salt {
        Salt(bytes)
    }

    /// The bytes, to be stored encrypted or written into a receipt.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for Salt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Salt(redacted)")
    }
}

/// What stands in the log in place of an opening. It tells nothing to whom lacks the salt.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Commitment(pub [u8; 32]);

impl From<[u8; 32]> for Commitment {
    fn from(bytes: [u8; 32]) -> Commitment {
        Commitment(bytes)
    }
}

impl AsRef<[u8]> for Commitment {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// What a commitment is about; one cannot be taken for another.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommitmentKind {
    /// The opening for requester and subject.
    Shared,
    /// The opening for subject and auditor.
    Chain,
    /// One disclosed field.
    Field,
}

impl CommitmentKind {
    fn tag(self) -> u8 {
        match self {
            CommitmentKind::Shared => b's',
            CommitmentKind::Chain => b'c',
            CommitmentKind::Field => b'f',
        }
    }
}

impl Commitment {
    /// `SHA-256(0x02 ‖ kind ‖ salt ‖ length as u32 ‖ bytes)`, the length big-endian.
    ///
    /// Openings are bounded far below 4 GiB. The length of longer input would stay at the greatest u32,
    /// and still no two inputs would be hashed as the same bytes, since `bytes` stand last.
    pub fn of(kind: CommitmentKind, salt: &Salt, bytes: &[u8]) -> Commitment {
        Commitment::of_parts(kind, salt, &[bytes])
    }

    /// The same over bytes in parts, which need not be put together before.
    pub(crate) fn of_parts(kind: CommitmentKind, salt: &Salt, parts: &[&[u8]]) -> Commitment {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let length = u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes();
        let before: [&[u8]; 3] = [&[0x02, kind.tag()], &salt.0, &length];
        Commitment(sha256_of(before.iter().chain(parts)).0)
    }
}

/// The data of a leaf, which is what `tile/entries/` serves:
/// `0x01 ‖ SHA-256(0x01 ‖ "mingcha-leaf-v1" ‖ SHA-256(origin) ‖ C_shared ‖ C_chain)`.
///
/// The origin is part of it, so that an entry of one log is no entry of another.
pub fn leaf_data(origin: &str, shared: &Commitment, chain: &Commitment) -> [u8; LEAF_BYTES] {
    let origin = sha256(&[origin.as_bytes()]);
    let inner = sha256(&[
        &[LEAF_VERSION],
        b"mingcha-leaf-v1",
        &origin.0,
        &shared.0,
        &chain.0,
    ]);
    let mut data = [LEAF_VERSION; LEAF_BYTES];
    data[1..].copy_from_slice(&inner.0);
    data
}

/// The RFC 6962 leaf hash of [`leaf_data`].
pub fn leaf_hash(origin: &str, shared: &Commitment, chain: &Commitment) -> Hash {
    Hash::of_leaf(&leaf_data(origin, shared, chain))
}
