//! The commitment to one disclosed field, which can be shown to others without the rest of the record.

use crate::cbor::{put_array_head, put_text};
use crate::leaf::{Commitment, CommitmentKind, Salt};

/// The commitment to a field: over the CBOR array of the field's id and its value as text.
pub fn field_commitment(id: &str, value: &str, salt: &Salt) -> Commitment {
    let mut bytes = Vec::with_capacity(id.len() + value.len() + 16);
    put_array_head(&mut bytes, 2);
    put_text(&mut bytes, id);
    put_text(&mut bytes, value);
    Commitment::of(CommitmentKind::Field, salt, &bytes)
}
