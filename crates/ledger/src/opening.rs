//! Openings: the private content behind the two commitments of an entry, and behind that of a field.
//!
//! The *shared* opening is for requester and subject, the *chain* opening for subject and auditor. Both are
//! deterministic CBOR, a map with text keys. What is absent has no key; there is no second way to say it.

mod chain;
mod field;
mod reader;
mod shared;

pub use chain::{Chain, Requester};
pub use field::field_commitment;
pub use shared::{Authenticity, EntryType, Shared};

use crate::cbor::CborError;
use thiserror::Error;

/// The longest opening that is written or read, in bytes.
pub const MAX_OPENING_BYTES: usize = 64 * 1024;

/// The version that stands in every opening under the key `v`.
const VERSION: i64 = 1;

/// Why bytes are not an opening, or an opening cannot be written. Never tells content.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum OpeningError {
    /// Longer than [`MAX_OPENING_BYTES`].
    #[error("the opening is longer than {MAX_OPENING_BYTES} bytes")]
    TooLong,
    /// Not deterministic CBOR.
    #[error(transparent)]
    Cbor(#[from] CborError),
    /// Another version; a newer program may read it.
    #[error("the opening is of an unknown version")]
    Version,
    /// A key that must be there is not.
    #[error("the opening lacks `{0}`")]
    Missing(&'static str),
    /// A value of a wrong type, length or range, or an empty list, which must be absent instead.
    #[error("`{0}` of the opening has a wrong type, length or range")]
    Wrong(&'static str),
    /// A key that this version does not know.
    #[error("the opening has an unknown key")]
    UnknownKey,
}

fn bounded(bytes: Vec<u8>) -> Result<Vec<u8>, OpeningError> {
    if bytes.len() > MAX_OPENING_BYTES {
        Err(OpeningError::TooLong)
    } else {
        Ok(bytes)
    }
}
