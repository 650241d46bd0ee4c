//! The two openings of an entry: encoded, committed to, and encrypted under the owner's key of that year.

use std::sync::Arc;

use crypto::{
    DataKey,
    envelope::{self, Context},
};
use domain::{ids::SubjectId, time::Timestamp};
use ledger::{Chain, Commitment, Hash, Salt, Shared, leaf};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::{StoreError, engine::DbError, subject_keys::KEY_VERSION};

/// Whose entry it is and under which key its openings stand.
pub(crate) struct Place<'a> {
    pub(crate) realm: &'a str,
    pub(crate) origin: &'a str,
    pub(crate) owner: SubjectId,
    pub(crate) seq: u64,
}

/// An entry, ready to be written.
pub(super) struct Built {
    pub(super) shared_bytes: Vec<u8>,
    pub(super) shared_salt: Salt,
    pub(super) chain_commitment: Commitment,
    pub(super) leaf: [u8; leaf::LEAF_BYTES],
    pub(super) leaf_hash: Hash,
    pub(super) shared_sealed: Vec<u8>,
    pub(super) chain_sealed: Vec<u8>,
}

/// Encodes, commits to and encrypts both openings. Deterministic for a given generator, so that a transaction
/// that runs again writes the same.
pub(super) fn build(
    place: &Place<'_>,
    key: &Arc<DataKey>,
    (shared, time): (&Shared, Timestamp),
    (chain, previous): (&Chain, &Hash),
    rng: &mut ChaCha20Rng,
) -> Result<Built, DbError> {
    let too_long = |_| DbError::Open("an opening is longer than the format allows".to_owned());
    let shared_bytes = shared.to_bytes_at(time.0).map_err(too_long)?;
    let chain_bytes = chain
        .to_bytes_linked(&place.owner.bytes(), place.seq, previous)
        .map_err(too_long)?;
    let (shared_salt, chain_salt) = (salt(rng), salt(rng));
    let shared_commitment = Commitment::of(leaf::CommitmentKind::Shared, &shared_salt, &shared_bytes);
    let chain_commitment = Commitment::of(leaf::CommitmentKind::Chain, &chain_salt, &chain_bytes);
    let leaf = leaf::leaf_data(place.origin, &shared_commitment, &chain_commitment);
    let row = place.seq.to_be_bytes();
    let mut seal = |column, salt: &Salt, bytes: &[u8]| {
        envelope::seal_row_of(key, &context(place, column, &row), &[salt.expose(), bytes], rng)
    };
    Ok(Built {
        shared_sealed: seal("shared", &shared_salt, &shared_bytes),
        chain_sealed: seal("chain", &chain_salt, &chain_bytes),
        leaf_hash: Hash::of_leaf(&leaf),
        shared_bytes,
        shared_salt,
        chain_commitment,
        leaf,
    })
}

/// An opening with the salt of its commitment.
pub(crate) struct Opened {
    pub(crate) salt: Salt,
    pub(crate) bytes: Vec<u8>,
}

/// Decrypts one opening, `column` being `shared` or `chain`.
pub(crate) fn open_entry(
    place: &Place<'_>,
    column: &'static str,
    key: &DataKey,
    sealed: &[u8],
) -> Result<Opened, StoreError> {
    let row = place.seq.to_be_bytes();
    let plain = envelope::open_row(key, &context(place, column, &row), sealed)
        .map_err(|e| StoreError::Sealed(format!("entry {} of {}: {e}", place.seq, place.owner)))?;
    let (salt, bytes) = plain
        .split_first_chunk::<32>()
        .ok_or_else(|| StoreError::Sealed(format!("entry {} of {}: no salt", place.seq, place.owner)))?;
    Ok(Opened {
        salt: Salt::new(*salt),
        bytes: bytes.to_vec(),
    })
}

fn context<'a>(place: &Place<'a>, column: &'static str, row: &'a [u8]) -> Context<'a> {
    Context {
        realm: place.realm,
        table: "entry",
        column,
        subject: place.owner.bytes(),
        row,
        revision: 0,
        key_version: KEY_VERSION,
    }
}

fn salt(rng: &mut ChaCha20Rng) -> Salt {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    Salt::new(bytes)
}
