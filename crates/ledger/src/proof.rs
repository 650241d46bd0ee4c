//! Proofs that verify offline, as text (C2SP tlog-proof, section "Format").

use crate::hash::Hash;
use crate::note::MAX_NOTE_BYTES;
use crate::text;
use thiserror::Error;

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// No proof in a tree with a 64-bit size has more hashes.
pub const MAX_PROOF_HASHES: usize = 64;

/// The longest proof that is read, in bytes.
pub const MAX_PROOF_BYTES: usize = 2 * MAX_NOTE_BYTES;

/// Why something is not a proof.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum ProofError {
    /// Longer than [`MAX_PROOF_BYTES`].
    #[error("the proof is longer than {MAX_PROOF_BYTES} bytes")]
    TooLong,
    /// Another first line.
    #[error("the proof does not begin with the line {HEADER}")]
    Header,
    /// The line `extra` is not canonical base64.
    #[error("the proof's extra data are not base64")]
    Extra,
    /// No line `index` with a decimal number in its one form.
    #[error("the proof has no line `index` with a decimal number without leading zeros")]
    Index,
    /// A line that should be a hash is none, or there are more than [`MAX_PROOF_HASHES`].
    #[error("a line of the proof is not the base64 of a hash, or there are more than {MAX_PROOF_HASHES}")]
    Hash,
    /// No blank line before the checkpoint.
    #[error("the proof has no checkpoint after a blank line")]
    Checkpoint,
}

/// An index, an inclusion proof and the checkpoint it leads to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proof {
    /// Opaque data that no signature covers. Ours has none, and receipts with it are refused.
    pub extra: Option<Vec<u8>>,
    /// The entry's index in the log, counted from zero.
    pub index: u64,
    /// The inclusion proof, from the leaf's sibling to the root's child.
    pub hashes: Vec<Hash>,
    /// The signed checkpoint, verbatim. Not parsed here.
    pub checkpoint: String,
}

impl Proof {
    /// Writes the proof as text.
    pub fn to_text(&self) -> String {
        let mut proof = String::with_capacity(64 + 45 * self.hashes.len() + self.checkpoint.len());
        proof.extend([HEADER, "\n"]);
        if let Some(extra) = &self.extra {
            proof.extend(["extra ", &text::encode_base64(extra), "\n"]);
        }
        proof.extend(["index ", &self.index.to_string(), "\n"]);
        for hash in &self.hashes {
            text::push_base64(&hash.0, &mut proof);
            proof.push('\n');
        }
        proof.extend(["\n", &self.checkpoint]);
        proof
    }

    /// Reads a proof. What is read is written again to the same bytes.
    pub fn parse(proof: &str) -> Result<Proof, ProofError> {
        if proof.len() > MAX_PROOF_BYTES {
            return Err(ProofError::TooLong);
        }
        let (head, checkpoint) = proof.split_once("\n\n").ok_or(ProofError::Checkpoint)?;
        let mut lines = head.split('\n');
        if lines.next() != Some(HEADER) {
            return Err(ProofError::Header);
        }
        let mut line = lines.next().ok_or(ProofError::Index)?;
        let mut extra = None;
        if let Some(encoded) = line.strip_prefix("extra ") {
            extra = Some(text::decode_base64(encoded).ok_or(ProofError::Extra)?);
            line = lines.next().ok_or(ProofError::Index)?;
        }
        let index = line
            .strip_prefix("index ")
            .and_then(text::decimal)
            .ok_or(ProofError::Index)?;
        if lines.clone().count() > MAX_PROOF_HASHES {
            return Err(ProofError::Hash);
        }
        let hashes = lines
            .map(Hash::from_base64)
            .collect::<Option<Vec<_>>>()
            .ok_or(ProofError::Hash)?;
        Ok(Proof {
            extra,
            index,
            hashes,
            checkpoint: checkpoint.to_owned(),
        })
    }
}
