//! Proofs for any leaf and any two sizes, from whatever can tell the roots of complete subtrees.

use crate::hash::Hash;
use thiserror::Error;

/// Tells the roots of complete subtrees: from tiles, a table of leaves, or memory.
pub trait HashReader {
    /// Why a hash could not be read.
    type Error;

    /// The root of the complete subtree over the leaves `index * 2^level .. (index + 1) * 2^level`.
    fn subtree(&mut self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// Why there is no proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ProveError<E> {
    /// The index is not below the size, or the old size is above the new one.
    #[error("the tree has fewer leaves than the proof is asked for")]
    OutOfRange,
    /// The reader failed.
    #[error("a hash of the tree could not be read: {0}")]
    Read(E),
}

/// The head of the tree of `size` leaves.
pub fn tree_root<R: HashReader>(size: u64, reader: &mut R) -> Result<Hash, R::Error> {
    range_root(0, size, reader)
}

/// The proof that the leaf `index` is in the tree of `size` leaves (RFC 6962, section 2.1.1).
///
/// At most 64 hashes; the sibling's first, the root's child last.
pub fn inclusion_proof<R: HashReader>(
    index: u64,
    size: u64,
    reader: &mut R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    let last_leaf = size
        .checked_sub(1)
        .filter(|last| index <= *last)
        .ok_or(ProveError::OutOfRange)?;
    let mut proof = Vec::with_capacity(64 - last_leaf.leading_zeros() as usize);
    let mut level = 0;
    while level < 64 && last_leaf >> level > 0 {
        let sibling = (index >> level) ^ 1;
        if sibling <= last_leaf >> level {
            let start = sibling << level;
            let length = (size - start).min(1 << level);
            proof.push(range_root(start, length, reader).map_err(ProveError::Read)?);
        }
        level += 1;
    }
    Ok(proof)
}

/// The proof that the tree of `new` leaves only appended to the tree of `old` leaves (RFC 6962, section
/// 2.1.2). Empty where there is nothing to prove: from the empty tree, or to the same size.
pub fn consistency_proof<R: HashReader>(
    old: u64,
    new: u64,
    reader: &mut R,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if old > new {
        return Err(ProveError::OutOfRange);
    }
    if old == 0 || old == new {
        return Ok(Vec::new());
    }
    // SUBPROOF of the RFC as a loop: it goes down to the right edge of the old tree and notes what lies
    // beside the way. The RFC lists this from the bottom up.
    let (mut start, mut length, mut old_length, mut is_old_root) = (0, new, old, true);
    let mut proof = Vec::with_capacity(2 * 64);
    while old_length < length {
        let left = 1 << (length - 1).ilog2();
        let beside = if old_length <= left {
            let beside = (start + left, length - left);
            length = left;
            beside
        } else {
            let beside = (start, left);
            (start, length, old_length, is_old_root) =
                (start + left, length - left, old_length - left, false);
            beside
        };
        proof.push(range_root(beside.0, beside.1, reader).map_err(ProveError::Read)?);
    }
    if !is_old_root {
        proof.push(range_root(start, length, reader).map_err(ProveError::Read)?);
    }
    proof.reverse();
    Ok(proof)
}

/// The root over `length` leaves from `start`, which must be a multiple of a power of two not below
/// `length`. Its complete subtrees are read from the smallest, on the right, to the greatest.
fn range_root<R: HashReader>(start: u64, length: u64, reader: &mut R) -> Result<Hash, R::Error> {
    let mut root: Option<Hash> = None;
    let mut remaining = length;
    while remaining > 0 {
        let level = remaining.trailing_zeros();
        remaining -= 1 << level;
        let left = reader.subtree(level as u8, (start + remaining) >> level)?;
        root = Some(root.map_or(left, |right| Hash::of_node(&left, &right)));
    }
    Ok(root.unwrap_or(Hash::EMPTY_TREE))
}
