//! The Merkle tree of RFC 6962: growing it, proving in it, and verifying what was proven.
//!
//! Nothing here holds a tree. Growing needs the [`Frontier`] alone, proving asks a [`HashReader`] for the
//! few hashes it needs, verifying needs nothing but the proof.

mod batch;
mod frontier;
mod prove;
mod verify;

pub use batch::{BatchTree, append_batch};
pub use frontier::{Frontier, FrontierError, MAX_TREE_SIZE};
pub use prove::{HashReader, ProveError, consistency_proof, inclusion_proof, tree_root};
pub use verify::{InvalidProof, verify_consistency, verify_inclusion};
