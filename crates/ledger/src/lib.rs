//! The log of Mingcha as mathematics: no IO, no clock, no randomness, no keys that can sign.
//!
//! A log is an RFC 6962 Merkle tree over SHA-256. What is served and handed out follows the C2SP
//! specifications, each read at the commit named here, because not all of them are tagged:
//!
//! | specification | commit | module |
//! |---|---|---|
//! | [signed-note](https://c2sp.org/signed-note) | `055287621bf3` | [`note`], [`key`] |
//! | [tlog-checkpoint](https://c2sp.org/tlog-checkpoint) | `2793893976c8` | [`checkpoint`] |
//! | [tlog-cosignature](https://c2sp.org/tlog-cosignature) | `01194db11950` | [`cosignature`] |
//! | [tlog-tiles](https://c2sp.org/tlog-tiles) | `0ad71eb1f1b9` | [`tile`] |
//! | [tlog-proof](https://c2sp.org/tlog-proof) | `0065ea5b7161` | [`proof`] |
//!
//! The way of an entry: two [openings](opening) are encoded as [deterministic CBOR](cbor), each is
//! hidden behind a salted [commitment](leaf), both commitments make one leaf, the [tree] grows by a
//! batch of leaves, its head is signed as a [checkpoint], and the requester keeps a [receipt], which
//! anybody can verify with the log's public key alone.
//!
//! Signing and verifying come in as functions, so that this crate needs no signature library.

pub mod cbor;
pub mod checkpoint;
pub mod cosignature;
pub mod hash;
pub mod key;
pub mod leaf;
pub mod note;
pub mod opening;
pub mod proof;
pub mod receipt;
mod text;
pub mod tile;
pub mod tree;
pub mod trust;

pub use checkpoint::Checkpoint;
pub use hash::Hash;
pub use key::{KeyId, SignatureType, VerifierKey};
pub use leaf::{Commitment, Salt};
pub use note::Note;
pub use opening::{Chain, EntryType, Shared};
pub use proof::Proof;
pub use receipt::{Receipt, ReceiptError, Verified};
pub use tile::Tile;
pub use tree::{BatchTree, Frontier, HashReader};
pub use trust::{Standing, TrustedKeys};
