//! What the tests share: a tree in memory, keys made of fixed seeds, and a log with one entry to prove.

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use ledger::cosignature::{self, Cosignature};
use ledger::leaf::leaf_hash;
use ledger::opening::{Authenticity, field_commitment};
use ledger::tree::append_batch;
use ledger::{
    Chain, Checkpoint, Commitment, EntryType, Frontier, Hash, HashReader, Note, Proof, Receipt, Salt, Shared,
    SignatureType, VerifierKey,
};
use sm2::dsa::signature::Verifier as _;
use sm2::elliptic_curve::sec1::ToSec1Point as _;
use std::convert::Infallible;

/// The log of the tests. Nothing answers there.
pub(crate) const ORIGIN: &str = "log.example/mingcha/demo/0";

/// A tree that keeps all complete subtrees, level by level.
pub(crate) struct MemoryTree {
    levels: Vec<Vec<Hash>>,
}

impl MemoryTree {
    pub(crate) fn new(leaf_hashes: Vec<Hash>) -> MemoryTree {
        let mut levels = vec![leaf_hashes];
        while let Some(below) = levels.last().filter(|level| level.len() > 1) {
            let above = below
                .as_chunks::<2>()
                .0
                .iter()
                .map(|[left, right]| Hash::of_node(left, right));
            levels.push(above.collect());
        }
        MemoryTree { levels }
    }
}

impl HashReader for MemoryTree {
    type Error = Infallible;

    fn subtree(&mut self, level: u8, index: u64) -> Result<Hash, Infallible> {
        Ok(self.levels[level as usize][index as usize])
    }
}

/// Leaf hashes that all differ.
pub(crate) fn leaf_hashes(count: u64) -> Vec<Hash> {
    (0..count)
        .map(|number| Hash::of_leaf(&number.to_be_bytes()))
        .collect()
}

/// An Ed25519 key of a fixed seed; worthless outside of these tests.
pub(crate) fn ed25519(seed: u8) -> SigningKey {
    SigningKey::from_bytes(&[seed; 32])
}

/// An SM2 key of a fixed scalar; worthless outside of these tests.
pub(crate) fn sm2_key() -> sm2::dsa::SigningKey {
    let secret = sm2::SecretKey::from_slice(&[0x11; 32]).unwrap();
    sm2::dsa::SigningKey::new("1234567812345678", &secret).unwrap()
}

/// The verifier key of the log's Ed25519 key.
pub(crate) fn log_vkey() -> VerifierKey {
    VerifierKey::new(
        ORIGIN,
        SignatureType::Ed25519,
        ed25519(1).verifying_key().as_bytes(),
    )
    .unwrap()
}

/// The verifier key of the log's SM2 key.
pub(crate) fn sm2_vkey() -> VerifierKey {
    let point = sm2_key().verifying_key().as_affine().to_sec1_point(false);
    VerifierKey::new(ORIGIN, SignatureType::Sm2, point.as_bytes()).unwrap()
}

/// The verifier key of a witness with that seed.
pub(crate) fn witness_vkey(seed: u8) -> VerifierKey {
    let name = format!("witness.example/{seed}");
    VerifierKey::new(
        &name,
        SignatureType::CosignatureV1,
        ed25519(seed).verifying_key().as_bytes(),
    )
    .unwrap()
}

/// Verifies signatures as the gateway does, by the same crates.
pub(crate) fn verify(key: &VerifierKey, message: &[u8], signature: &[u8]) -> bool {
    match key.signature_type() {
        SignatureType::Ed25519 | SignatureType::CosignatureV1 => {
            let key = VerifyingKey::from_bytes(key.public_key().try_into().unwrap());
            let signature = ed25519_dalek::Signature::from_slice(signature);
            key.is_ok_and(|key| {
                signature.is_ok_and(|signature| key.verify_strict(message, &signature).is_ok())
            })
        }
        SignatureType::Sm2 => {
            let key = sm2::dsa::VerifyingKey::from_sec1_bytes("1234567812345678", key.public_key());
            let signature = sm2::dsa::Signature::from_slice(signature);
            key.is_ok_and(|key| signature.is_ok_and(|signature| key.verify(message, &signature).is_ok()))
        }
    }
}

/// Signs a checkpoint by the log, by SM2 if wanted, and by witnesses at fixed times.
pub(crate) fn sign(checkpoint: &Checkpoint, with_sm2: bool, witnesses: &[u8]) -> Note {
    let mut note = checkpoint.to_note().unwrap();
    note.sign(&log_vkey(), |text| ed25519(1).sign(text).to_bytes().to_vec());
    if with_sm2 {
        note.sign(&sm2_vkey(), |text| {
            let signature: sm2::dsa::Signature = sm2_key().sign(text);
            signature.to_bytes().to_vec()
        });
    }
    for seed in witnesses {
        let time = 1_790_000_000 + u64::from(*seed);
        let message = cosignature::message(time, note.text());
        let signature = ed25519(*seed).sign(message.as_bytes()).to_bytes();
        note.add_signature(
            &witness_vkey(*seed),
            Cosignature::new(time, signature).unwrap().to_bytes(),
        );
    }
    note
}

/// The salt of the field that the sample discloses.
pub(crate) fn field_salt() -> Salt {
    Salt::new([0xf5; 32])
}

/// A RELEASE with every key that one has; everything in it is invented.
pub(crate) fn sample_shared() -> Shared {
    let mut shared = Shared::new(EntryType::Release, 1_790_000_000_000_000, vec![0x5b; 16]);
    shared.lookup = Some([0x10; 16]);
    shared.purpose = Some("own-information".into());
    shared.basis = Some("statutory-duty".into());
    shared.kind = Some("vehicle".into());
    shared.kind_version = Some("1".into());
    shared.mode = Some("read".into());
    shared.fields = ["vin".into(), "inspection_valid_until".into()].into();
    shared.disclosed.insert(
        "inspection_valid_until".into(),
        field_commitment("inspection_valid_until", "2027-03-31", &field_salt()),
    );
    shared.disclosed.insert(
        "vin".into(),
        field_commitment("vin", "LNOTACAR000000001", &field_salt()),
    );
    shared.outcome = Some("found".into());
    shared.source = Some("sandbox-traffic".into());
    shared.as_of = Some(1_789_999_000_000_000);
    shared.authenticity = Some(Authenticity::Session);
    shared.policy = Some("b1946ac9".into());
    shared.mapping = Some("1".into());
    shared.notice = Some(vec![0x0e; 32]);
    shared
}

/// A link of the subject's chain.
pub(crate) fn sample_chain() -> Chain {
    Chain {
        owner: [0x0a; 16],
        sequence: 1,
        previous: Hash([0x77; 32]),
        reasons: vec!["PERMITTED".into()],
        requester: ledger::opening::Requester {
            role: "self".into(),
            id: vec![0x1d; 16],
            level: 2,
        },
        detail: Default::default(),
    }
}

/// The leaf hash of the sample's two openings.
pub(crate) fn sample_leaf() -> (Receipt, Hash) {
    let shared = sample_shared().to_bytes().unwrap();
    let shared_salt = Salt::new([0x5a; 32]);
    let chain: Commitment = Chain::commitment(&sample_chain().to_bytes().unwrap(), &Salt::new([0xca; 32]));
    let leaf = leaf_hash(ORIGIN, &Shared::commitment(&shared, &shared_salt), &chain);
    (
        Receipt {
            shared,
            shared_salt,
            chain,
            proof: String::new(),
        },
        leaf,
    )
}

/// A log of `before` other entries, then the sample, then `after` others in the same batch.
pub(crate) fn sample_receipt(before: u64, after: u64, with_sm2: bool, witnesses: &[u8]) -> Receipt {
    let (mut receipt, leaf) = sample_leaf();
    let mut frontier = Frontier::new();
    leaf_hashes(before)
        .into_iter()
        .for_each(|leaf| frontier.append(leaf));
    let batch: Vec<Hash> = std::iter::once(leaf).chain(leaf_hashes(after)).collect();
    let tree = append_batch(&frontier, &batch);
    let checkpoint = Checkpoint::new(ORIGIN, tree.size(), tree.root()).unwrap();
    let proof = Proof {
        extra: None,
        index: before,
        hashes: tree.inclusion_proof(0).unwrap(),
        checkpoint: sign(&checkpoint, with_sm2, witnesses).to_text(),
    };
    receipt.proof = proof.to_text();
    receipt
}
