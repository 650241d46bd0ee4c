//! Receipts: what a requester keeps of an entry, and the verifier that needs nothing else but keys.
//!
//! A receipt is the shared opening with its salt, the commitment to the chain opening, and a tlog-proof.

mod form;

pub use form::Receipt;

use crate::hash::Hash;
use crate::key::VerifierKey;
use crate::leaf::{Salt, leaf_hash};
use crate::opening::{MAX_OPENING_BYTES, OpeningError, Shared, field_commitment};
use crate::proof::{MAX_PROOF_BYTES, Proof, ProofError};
use crate::tree::verify_inclusion;
use crate::trust::{Standing, TrustedKeys, UntrustedCheckpoint};
use thiserror::Error;

/// The longest receipt that is read, in bytes. Base64 makes four characters of three bytes; in a proof,
/// whatever is escaped takes two.
pub const MAX_RECEIPT_BYTES: usize = MAX_OPENING_BYTES / 3 * 4 + 2 * MAX_PROOF_BYTES + 1024;

/// What a verified receipt proves.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Verified {
    /// Which log the entry is in.
    pub origin: String,
    /// The entry's index in the log, counted from zero.
    pub index: u64,
    /// The size of the tree whose head was signed.
    pub size: u64,
    /// The entry's leaf hash, which names the entry publicly.
    pub leaf_hash: Hash,
    /// What the entry says.
    pub shared: Shared,
    /// What the signatures are worth.
    pub standing: Standing,
}

/// Why a receipt is refused.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum ReceiptError {
    /// Longer than [`MAX_RECEIPT_BYTES`].
    #[error("the receipt is longer than {MAX_RECEIPT_BYTES} bytes")]
    TooLong,
    /// Not the one form a receipt has: changed, cut off, reformatted, or something else altogether.
    #[error("the receipt deviates from its only form at byte {at}: it must be kept exactly as received")]
    NotCanonical {
        /// Where the first part begins that is not as it must be.
        at: usize,
    },
    /// The proof is no tlog-proof, or has extra data.
    #[error("the receipt's proof is malformed: {0}")]
    Proof(ProofError),
    /// The proof has extra data, which no receipt has.
    #[error("the receipt's proof has extra data, which nothing protects")]
    ProofExtra,
    /// The checkpoint is not believed.
    #[error(transparent)]
    Checkpoint(#[from] UntrustedCheckpoint),
    /// The signed log does not have this entry there.
    #[error("the log that was signed does not have this entry at index {index}")]
    NotInLog {
        /// The index that the proof claims.
        index: u64,
    },
    /// The entry is in the log, and its content is of a form this version does not know.
    #[error("the entry is in the log, but cannot be read: {0}")]
    Opening(#[from] OpeningError),
}

impl ReceiptError {
    /// A stable code for programs.
    pub fn code(&self) -> &'static str {
        match self {
            ReceiptError::TooLong => "RECEIPT_TOO_LONG",
            ReceiptError::NotCanonical { .. } => "RECEIPT_NOT_CANONICAL",
            ReceiptError::Proof(_) | ReceiptError::ProofExtra => "PROOF_MALFORMED",
            ReceiptError::Checkpoint(UntrustedCheckpoint::Note(_)) => "CHECKPOINT_MALFORMED",
            ReceiptError::Checkpoint(UntrustedCheckpoint::Checkpoint(_)) => "CHECKPOINT_MALFORMED",
            ReceiptError::Checkpoint(UntrustedCheckpoint::KeyUnknown { .. }) => "KEY_UNKNOWN",
            ReceiptError::Checkpoint(UntrustedCheckpoint::SignatureMissing(_)) => "SIGNATURE_MISSING",
            ReceiptError::Checkpoint(UntrustedCheckpoint::SignatureFalse { .. }) => "SIGNATURE_FALSE",
            ReceiptError::Checkpoint(UntrustedCheckpoint::SignatureRepeated { .. }) => "SIGNATURE_REPEATED",
            ReceiptError::Checkpoint(UntrustedCheckpoint::WitnessesMissing { .. }) => "WITNESSES_MISSING",
            ReceiptError::NotInLog { .. } => "NOT_IN_LOG",
            ReceiptError::Opening(_) => "OPENING_MALFORMED",
        }
    }
}

/// Verifies a receipt offline. `verify` tells whether a signature is by that key over that message; for
/// Ed25519 it should be the strict verification, which leaves a signature no second form.
///
/// Every bit of the receipt is protected, except signature lines by keys that are not among `keys`.
pub fn verify(
    receipt: &[u8],
    keys: &TrustedKeys,
    verify: impl Fn(&VerifierKey, &[u8], &[u8]) -> bool,
) -> Result<Verified, ReceiptError> {
    let receipt = Receipt::parse(receipt)?;
    let proof = Proof::parse(&receipt.proof).map_err(ReceiptError::Proof)?;
    if proof.extra.is_some() {
        return Err(ReceiptError::ProofExtra);
    }
    let (checkpoint, standing) = keys.open_checkpoint(&proof.checkpoint, verify)?;
    let shared_commitment = Shared::commitment(&receipt.shared, &receipt.shared_salt);
    let leaf_hash = leaf_hash(checkpoint.origin(), &shared_commitment, &receipt.chain);
    verify_inclusion(
        &leaf_hash,
        proof.index,
        checkpoint.size(),
        &proof.hashes,
        checkpoint.root(),
    )
    .map_err(|_| ReceiptError::NotInLog { index: proof.index })?;
    Ok(Verified {
        origin: checkpoint.origin().to_owned(),
        index: proof.index,
        size: checkpoint.size(),
        leaf_hash,
        shared: Shared::parse(&receipt.shared)?,
        standing,
    })
}

/// Whether the entry disclosed this value of this field, by the salt that was handed out with it.
pub fn verify_field(verified: &Verified, id: &str, value: &str, salt: &Salt) -> bool {
    verified.shared.disclosed.get(id) == Some(&field_commitment(id, value, salt))
}
