//! The tree against the vectors of RFC 6962's implementations, against the RFC's own recursion, and against
//! changed proofs.

use crate::sample::{MemoryTree, leaf_hashes};
use ledger::tree::*;
use ledger::{Frontier, Hash, HashReader};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::convert::Infallible;
use std::ops::Range;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The test vectors that the implementations of Certificate Transparency share: eight leaves, eight heads.
#[test]
fn known_heads() {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let heads = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    let mut frontier = Frontier::new();
    assert_eq!(frontier.root(), Hash::EMPTY_TREE);
    for (leaf, head) in leaves.iter().zip(heads) {
        frontier.append(Hash::of_leaf(leaf));
        assert_eq!(hex(&frontier.root().0), head);
    }
}

/// RFC 6962, section 2.1, word for word, over ranges of leaves. It only remembers what it computed.
struct Naive {
    leaves: Vec<Hash>,
    known: BTreeMap<(usize, usize), Hash>,
}

/// The largest power of two below the length of the range, added to its start.
fn split(range: &Range<usize>) -> usize {
    range.start + range.len().next_power_of_two() / 2
}

impl Naive {
    fn new(leaves: &[Hash]) -> Naive {
        Naive {
            leaves: leaves.to_vec(),
            known: BTreeMap::new(),
        }
    }

    fn mth(&mut self, range: Range<usize>) -> Hash {
        if let Some(known) = self.known.get(&(range.start, range.end)) {
            return *known;
        }
        let hash = match range.len() {
            0 => Hash::EMPTY_TREE,
            1 => self.leaves[range.start],
            _ => {
                let k = split(&range);
                Hash::of_node(&self.mth(range.start..k), &self.mth(k..range.end))
            }
        };
        self.known.insert((range.start, range.end), hash);
        hash
    }

    /// Section 2.1.1; `m` is counted from the first leaf of the log.
    fn path(&mut self, m: usize, range: Range<usize>) -> Vec<Hash> {
        if range.len() == 1 {
            return vec![];
        }
        let k = split(&range);
        let (near, beside) = if m < k {
            (range.start..k, k..range.end)
        } else {
            (k..range.end, range.start..k)
        };
        let mut proof = self.path(m, near);
        proof.push(self.mth(beside));
        proof
    }

    /// Section 2.1.2; `m` is counted from the first leaf of the log.
    fn subproof(&mut self, m: usize, range: Range<usize>, b: bool) -> Vec<Hash> {
        if m == range.end {
            return if b { vec![] } else { vec![self.mth(range)] };
        }
        let k = split(&range);
        let (near, beside, b) = if m <= k {
            (range.start..k, k..range.end, b)
        } else {
            (k..range.end, range.start..k, false)
        };
        let mut proof = self.subproof(m, near, b);
        proof.push(self.mth(beside));
        proof
    }
}

#[test]
fn every_index_of_every_size() {
    let leaves = leaf_hashes(300);
    let mut naive = Naive::new(&leaves);
    let mut tree = MemoryTree::new(leaves.clone());
    for size in 1..=300 {
        let root = naive.mth(0..size);
        assert_eq!(tree_root(size as u64, &mut tree).unwrap(), root);
        for (index, leaf) in leaves.iter().enumerate().take(size) {
            let proof = inclusion_proof(index as u64, size as u64, &mut tree).unwrap();
            assert_eq!(proof, naive.path(index, 0..size), "{index} of {size}");
            verify_inclusion(leaf, index as u64, size as u64, &proof, &root).unwrap();
        }
    }
}

#[test]
fn every_pair_of_sizes() {
    let leaves = leaf_hashes(150);
    let mut naive = Naive::new(&leaves);
    let mut tree = MemoryTree::new(leaves);
    for new in 0..=150 {
        let new_root = naive.mth(0..new);
        for old in 0..=new {
            let proof = consistency_proof(old as u64, new as u64, &mut tree).unwrap();
            if old > 0 {
                assert_eq!(proof, naive.subproof(old, 0..new, true), "{old} to {new}");
            }
            let old_root = naive.mth(0..old);
            let verify = |old_root, new_root, proof: &[Hash]| {
                verify_consistency(old as u64, &old_root, new as u64, &new_root, proof)
            };
            verify(old_root, new_root, &proof).unwrap();
            verify(Hash::ZERO, new_root, &proof).unwrap_err();
            if old > 0 || new == 0 {
                verify(old_root, Hash::ZERO, &proof).unwrap_err();
            }
        }
    }
}

/// A batch on every old size gives the same tree, frontier and proofs as one leaf after the other.
#[test]
fn every_batch_on_every_size() {
    let leaves = leaf_hashes(140);
    let mut naive = Naive::new(&leaves);
    for old in 0..70 {
        let mut frontier = Frontier::new();
        leaves[..old].iter().for_each(|leaf| frontier.append(*leaf));
        let mut one_by_one = frontier.clone();
        for length in 0..=70 {
            let size = old + length;
            let batch = append_batch(&frontier, &leaves[old..size]);
            assert_eq!(batch.root(), naive.mth(0..size), "{old} and {length}");
            assert_eq!(batch.frontier(), &one_by_one, "{old} and {length}");
            assert_eq!(batch.frontier().root(), batch.root());
            assert_eq!((batch.first_leaf(), batch.size()), (old as u64, size as u64));
            for position in 0..length {
                let proof = batch.inclusion_proof(position).unwrap();
                assert_eq!(
                    proof,
                    naive.path(old + position, 0..size),
                    "{position} of {old} and {length}"
                );
            }
            assert_eq!(batch.inclusion_proof(length), None);
            assert_eq!(batch.inclusion_proof(usize::MAX), None);
            one_by_one.append(leaves[size]);
        }
    }
}

#[test]
fn a_changed_proof_verifies_nothing() {
    let leaves = leaf_hashes(40);
    let mut tree = MemoryTree::new(leaves.clone());
    for size in 2..=40 {
        let root = tree_root(size, &mut tree).unwrap();
        for index in 0..size {
            let leaf = leaves[index as usize];
            let proof = inclusion_proof(index, size, &mut tree).unwrap();
            for other in (0..size + 2).chain([u64::MAX]).filter(|other| *other != index) {
                assert!(
                    verify_inclusion(&leaf, other, size, &proof, &root).is_err(),
                    "{index} as {other}"
                );
            }
            for position in 0..proof.len() {
                let mut changed = proof.clone();
                changed[position].0[31] ^= 1;
                assert!(verify_inclusion(&leaf, index, size, &changed, &root).is_err());
                changed.remove(position);
                assert!(verify_inclusion(&leaf, index, size, &changed, &root).is_err());
            }
            let longer = [proof.as_slice(), &[Hash::ZERO]].concat();
            assert!(verify_inclusion(&leaf, index, size, &longer, &root).is_err());
        }
        for old in 1..size {
            let old_root = tree_root(old, &mut tree).unwrap();
            let proof = consistency_proof(old, size, &mut tree).unwrap();
            for position in 0..proof.len() {
                let mut changed = proof.clone();
                changed[position].0[0] ^= 0x80;
                assert!(verify_consistency(old, &old_root, size, &root, &changed).is_err());
                changed.remove(position);
                assert!(verify_consistency(old, &old_root, size, &root, &changed).is_err());
            }
            let longer = [proof.as_slice(), &[Hash::ZERO]].concat();
            assert!(verify_consistency(old, &old_root, size, &root, &longer).is_err());
        }
    }
}

#[test]
fn what_is_out_of_range_has_no_proof() {
    let mut tree = MemoryTree::new(leaf_hashes(4));
    assert_eq!(inclusion_proof(4, 4, &mut tree), Err(ProveError::OutOfRange));
    assert_eq!(inclusion_proof(0, 0, &mut tree), Err(ProveError::OutOfRange));
    assert_eq!(consistency_proof(4, 3, &mut tree), Err(ProveError::OutOfRange));
    assert_eq!(consistency_proof(0, 4, &mut tree), Ok(vec![]));
    assert_eq!(tree_root(0, &mut tree), Ok(Hash::EMPTY_TREE));
}

#[test]
fn a_frontier_is_read_back_and_nothing_else_is_read() {
    let mut frontier = Frontier::new();
    for leaf in leaf_hashes(300) {
        let bytes = frontier.to_bytes();
        assert_eq!(Frontier::parse(&bytes), Ok(frontier.clone()));
        let shorter = bytes[..bytes.len() - 1].to_vec();
        let longer = [bytes.as_slice(), &[0]].concat();
        let one_hash_more = [bytes.as_slice(), &[0; 32]].concat();
        for other in [shorter, longer, one_hash_more] {
            assert_eq!(Frontier::parse(&other), Err(FrontierError::Length));
        }
        frontier.append(leaf);
    }
    let mut lies = frontier.to_bytes();
    lies[7] ^= 1;
    assert_eq!(Frontier::parse(&lies), Err(FrontierError::Length));
    assert_eq!(Frontier::parse(&u64::MAX.to_be_bytes()), Err(FrontierError::Size));
    // The largest frontier that is read can still grow.
    let largest = [MAX_TREE_SIZE.to_be_bytes().as_slice(), &[7; 32]].concat();
    let tree = append_batch(&Frontier::parse(&largest).unwrap(), &leaf_hashes(5));
    let proof = tree.inclusion_proof(4).unwrap();
    verify_inclusion(
        &leaf_hashes(5)[4],
        MAX_TREE_SIZE + 4,
        tree.size(),
        &proof,
        &tree.root(),
    )
    .unwrap();
}

/// A tree of any size in which all leaves are alike but one: its subtrees are computed, not stored.
struct VastTree {
    alike: Vec<Hash>,
    special: u64,
}

impl VastTree {
    fn new(special: u64) -> VastTree {
        let mut alike = vec![Hash::of_leaf(b"alike")];
        for level in 0..63 {
            alike.push(Hash::of_node(&alike[level], &alike[level]));
        }
        VastTree { alike, special }
    }

    fn node(&self, level: u8, index: u64) -> Hash {
        if self.special >> level != index {
            return self.alike[level as usize];
        }
        match level {
            0 => Hash::of_leaf(b"special"),
            _ => Hash::of_node(
                &self.node(level - 1, 2 * index),
                &self.node(level - 1, 2 * index + 1),
            ),
        }
    }
}

impl HashReader for VastTree {
    type Error = Infallible;

    fn subtree(&mut self, level: u8, index: u64) -> Result<Hash, Infallible> {
        Ok(self.node(level, index))
    }
}

proptest! {
    #[test]
    fn vast_trees_are_proven(size in 1_u64..1 << 40, at in any::<u64>(), old in any::<u64>()) {
        let (index, old) = (at % size, 1 + old % size);
        let mut tree = VastTree::new(index);
        let root = tree_root(size, &mut tree).unwrap();
        let proof = inclusion_proof(index, size, &mut tree).unwrap();
        let leaf = Hash::of_leaf(b"special");
        prop_assert!(verify_inclusion(&leaf, index, size, &proof, &root).is_ok());
        prop_assert!(verify_inclusion(&Hash::of_leaf(b"alike"), index, size, &proof, &root).is_err());
        prop_assert!(verify_inclusion(&leaf, index ^ 1, size, &proof, &root).is_err());
        let old_root = tree_root(old, &mut tree).unwrap();
        let proof = consistency_proof(old, size, &mut tree).unwrap();
        prop_assert!(verify_consistency(old, &old_root, size, &root, &proof).is_ok());
        let is_changed = index < old;
        let other_old_root = tree_root(old, &mut VastTree::new(u64::MAX)).unwrap();
        prop_assert_eq!(verify_consistency(old, &other_old_root, size, &root, &proof).is_err(), is_changed);
    }

    #[test]
    fn a_batch_on_a_vast_tree_is_proven(old in 0_u64..1 << 40, length in 1_usize..80) {
        // The frontier of a vast tree is read from its subtrees, the greatest first.
        let mut tree = VastTree::new(u64::MAX);
        let mut bytes = old.to_be_bytes().to_vec();
        for level in (0..64).rev().filter(|level| old >> level & 1 == 1) {
            bytes.extend(tree.subtree(level, (old >> level) - 1).unwrap().0);
        }
        let frontier = Frontier::parse(&bytes).unwrap();
        prop_assert_eq!(frontier.root(), tree_root(old, &mut tree).unwrap());
        let leaves = leaf_hashes(length as u64);
        let batch = append_batch(&frontier, &leaves);
        for (position, leaf) in leaves.iter().enumerate() {
            let index = old + position as u64;
            let proof = batch.inclusion_proof(position).unwrap();
            prop_assert!(verify_inclusion(leaf, index, batch.size(), &proof, &batch.root()).is_ok());
        }
        prop_assert_eq!(batch.frontier().root(), batch.root());
    }

    #[test]
    fn verifying_is_total(
        index in any::<u64>(), size in any::<u64>(), count in 0_usize..70, extreme in any::<bool>(),
    ) {
        let proof = vec![Hash::ZERO; count];
        let size = if extreme { u64::MAX } else { size };
        prop_assert!(verify_inclusion(&Hash::ZERO, index, size, &proof, &Hash::ZERO).is_err());
        prop_assert!(verify_inclusion(&Hash::ZERO, size.wrapping_sub(1), size, &proof, &Hash::ZERO).is_err()
            || (size == 1 && count == 0));
        let consistent = verify_consistency(index, &Hash::ZERO, size, &Hash::ZERO, &proof);
        prop_assert!(consistent.is_err() || (index == size && count == 0));
    }
}
