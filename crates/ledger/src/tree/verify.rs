//! Verifying proofs, as RFC 9162, sections 2.1.3.2 and 2.1.4.2, tell it for the tree of RFC 6962.
//!
//! Both are total: any numbers and any hashes give an answer.

use crate::hash::Hash;
use thiserror::Error;

/// The proof does not lead to the given head. Nothing can be concluded from it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("the proof does not lead to the given tree head")]
pub struct InvalidProof;

/// Verifies that `leaf_hash` is the leaf `index` of the tree with `size` leaves and head `root`.
pub fn verify_inclusion(
    leaf_hash: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), InvalidProof> {
    if index >= size {
        return Err(InvalidProof);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf_hash;
    for sibling in proof {
        if last == 0 {
            return Err(InvalidProof);
        }
        if node & 1 == 1 || node == last {
            hash = Hash::of_node(sibling, &hash);
            // A node at the right edge goes up unchanged as long as it has no sibling.
            let unpaired = if node & 1 == 1 { 0 } else { node.trailing_zeros() };
            (node, last) = shifted(node, last, unpaired);
        } else {
            hash = Hash::of_node(&hash, sibling);
        }
        (node, last) = shifted(node, last, 1);
    }
    if last == 0 && hash == *root {
        Ok(())
    } else {
        Err(InvalidProof)
    }
}

/// Verifies that the tree of `new_size` leaves begins with all leaves of the tree of `old_size`.
///
/// Anything is consistent with the empty tree, whose head is [`Hash::EMPTY_TREE`].
pub fn verify_consistency(
    old_size: u64,
    old_root: &Hash,
    new_size: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), InvalidProof> {
    let nothing_to_prove = old_size == 0 || old_size == new_size;
    if old_size > new_size || nothing_to_prove != proof.is_empty() {
        return Err(InvalidProof);
    }
    if nothing_to_prove {
        let expected = if old_size == 0 {
            &Hash::EMPTY_TREE
        } else {
            new_root
        };
        let empty_new = new_size == 0 && *new_root != Hash::EMPTY_TREE;
        return if old_root == expected && !empty_new {
            Ok(())
        } else {
            Err(InvalidProof)
        };
    }
    // The old head itself is left out of the proof where it is a node of the new tree.
    let (first, rest) = if old_size.is_power_of_two() {
        (old_root, proof)
    } else {
        proof.split_first().ok_or(InvalidProof)?
    };
    let (mut old_hash, mut new_hash) = (*first, *first);
    let old_last = old_size - 1;
    let (mut node, mut last) = shifted(old_last, new_size - 1, old_last.trailing_ones());
    for hash in rest {
        if last == 0 {
            return Err(InvalidProof);
        }
        if node & 1 == 1 || node == last {
            old_hash = Hash::of_node(hash, &old_hash);
            new_hash = Hash::of_node(hash, &new_hash);
            let unpaired = if node & 1 == 1 { 0 } else { node.trailing_zeros() };
            (node, last) = shifted(node, last, unpaired);
        } else {
            new_hash = Hash::of_node(&new_hash, hash);
        }
        (node, last) = shifted(node, last, 1);
    }
    let leads_to_both = old_hash == *old_root && new_hash == *new_root;
    if last == 0 && leads_to_both {
        Ok(())
    } else {
        Err(InvalidProof)
    }
}

/// Both numbers `levels` higher up in the tree; all bits may fall away.
fn shifted(node: u64, last: u64, levels: u32) -> (u64, u64) {
    (
        node.checked_shr(levels).unwrap_or(0),
        last.checked_shr(levels).unwrap_or(0),
    )
}
