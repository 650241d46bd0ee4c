//! Cryptography of Mingcha: which algorithms, under which keys, over which bytes.
//!
//! Two suites (`gm`: SM2, SM3, SM4-GCM; `intl`: Ed25519 and X25519, SHA-256, AES-256-GCM) are one finite enum,
//! not a trait. Time and randomness are parameters of every function that needs them; the only IO is the key
//! file in [`key_file`]. The algorithms themselves come from the RustCrypto and dalek crates; this crate decides
//! how they are combined, and pins the bytes with tests.
//!
//! What is not promised: the software is not certified, SM4 and SM3 come from unaudited crates, and the SM4
//! S-box is a table, whose timing may depend on the cache. SECURITY.md says what an assessment would still ask.

pub mod aead;
pub mod code;
pub mod directory;
pub mod envelope;
pub mod key_file;
pub mod key_ring;
pub mod mac;
pub mod secret;
pub mod session;
pub mod signer;
pub mod suite;
pub mod webhook;

pub use aead::DataKey;
pub use directory::DirectoryKey;
pub use key_ring::RootKeys;
pub use mac::{AgreedKey, MacKey};
pub use secret::{SecretBytes, SecretText};
pub use signer::{Ed25519Signer, Sm2Signer};
pub use suite::Suite;
