//! The commitment to one disclosed field, which can be shown to others without the rest of the record.

use crate::cbor::Head;
use crate::leaf::{Commitment, CommitmentKind, Salt};

/// The commitment to a field: over the CBOR array of the field's id and its value as text.
pub fn field_commitment(id: &str, value: &str, salt: &Salt) -> Commitment {
    let (array, of_id, of_value) = (Head::of_array(2), Head::of_text(id), Head::of_text(value));
    let parts = [
        array.as_bytes(),
        of_id.as_bytes(),
        id.as_bytes(),
        of_value.as_bytes(),
        value.as_bytes(),
    ];
    Commitment::of_parts(CommitmentKind::Field, salt, &parts)
}
