//! Appending many leaves at once, with a proof for each, from the old frontier alone.

use super::Frontier;
use crate::hash::Hash;

/// The tree after a batch, with all that proves the batch's leaves in it.
///
/// Only the nodes above the batch are kept: about twice as many hashes as the batch has leaves.
#[derive(Clone, Debug)]
pub struct BatchTree {
    first_leaf: u64,
    frontier: Frontier,
    root: Hash,
    nodes: Vec<Hash>,
    levels: Vec<Level>,
}

/// The kept nodes of one level: `nodes[start..end]`, of which the leftmost has the index `first`.
///
/// `first` is even, and the last is the tree's last node of that level, so that the sibling of every kept
/// node is kept too, or does not exist.
#[derive(Clone, Copy, Debug)]
struct Level {
    first: u64,
    start: usize,
    end: usize,
}

/// Appends `leaf_hashes` to the tree of `frontier`.
///
/// On each level, what lies left of the batch is at most one node: the one of the frontier whose parent
/// covers a leaf of the batch. What has no right sibling goes up unchanged, which is how RFC 6962 treats
/// the right edge of a tree whose size is no power of two.
pub fn append_batch(frontier: &Frontier, leaf_hashes: &[Hash]) -> BatchTree {
    let old_size = frontier.size;
    let size = old_size + leaf_hashes.len() as u64; // INVARIANT: MAX_TREE_SIZE and 2^58 hashes.
    let mut nodes = Vec::with_capacity(2 * leaf_hashes.len() + 2 * 64);
    let mut levels: Vec<Level> = Vec::with_capacity(64 - size.leading_zeros() as usize + 1);
    for number in 0.. {
        let start = nodes.len();
        let kept_left = frontier.at_level(number);
        nodes.extend(kept_left);
        match levels.last() {
            None => nodes.extend_from_slice(leaf_hashes),
            Some(below) => push_parents(&mut nodes, below),
        }
        let first = (old_size >> number) - u64::from(kept_left.is_some());
        levels.push(Level {
            first,
            start,
            end: nodes.len(),
        });
        if size.saturating_sub(1) >> number == 0 {
            break;
        }
    }
    BatchTree {
        first_leaf: old_size,
        frontier: Frontier {
            size,
            hashes: new_frontier(size, &nodes, &levels),
        },
        root: nodes.last().copied().unwrap_or(Hash::EMPTY_TREE),
        nodes,
        levels,
    }
}

fn push_parents(nodes: &mut Vec<Hash>, below: &Level) {
    for left in (below.start..below.end).step_by(2) {
        let right = left + 1;
        let parent = if right < below.end {
            Hash::of_node(&nodes[left], &nodes[right])
        } else {
            nodes[left]
        };
        nodes.push(parent);
    }
}

fn new_frontier(size: u64, nodes: &[Hash], levels: &[Level]) -> Vec<Hash> {
    let mut hashes = Vec::with_capacity(size.count_ones() as usize);
    for (number, level) in levels.iter().enumerate().rev() {
        let width = size >> number;
        if width & 1 == 1 {
            hashes.extend(level.node(nodes, width - 1));
        }
    }
    hashes
}

impl Level {
    fn node(&self, nodes: &[Hash], index: u64) -> Option<Hash> {
        let offset = usize::try_from(index.checked_sub(self.first)?).ok()?;
        nodes[self.start..self.end].get(offset).copied()
    }
}

impl BatchTree {
    /// The tree's frontier after the batch.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    /// The tree's size after the batch.
    pub fn size(&self) -> u64 {
        self.frontier.size
    }

    /// The tree's head after the batch.
    pub fn root(&self) -> Hash {
        self.root
    }

    /// The index in the log of the batch's first leaf: the tree's size before the batch.
    pub fn first_leaf(&self) -> u64 {
        self.first_leaf
    }

    /// The proof that the leaf `position` of the batch, counted from zero, is in the tree at
    /// `first_leaf + position`: the sibling's hash first, the root's child last. `None` beyond the batch.
    pub fn inclusion_proof(&self, position: usize) -> Option<Vec<Hash>> {
        let mut index = self.first_leaf.checked_add(position as u64)?;
        if index >= self.size() {
            return None;
        }
        let mut proof = Vec::with_capacity(self.levels.len());
        for level in &self.levels {
            proof.extend(level.node(&self.nodes, index ^ 1));
            index >>= 1;
        }
        Some(proof)
    }
}
