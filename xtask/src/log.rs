//! The public log as an outsider sees it: a checkpoint whose signature is checked, and all leaves behind it.

use crypto::signer::{Ed25519Verifier, Sm2Verifier};
use ledger::{Frontier, Hash, SignatureType, TrustedKeys, VerifierKey, tile};

use crate::http::Client;

/// A log that was read and checked.
pub(crate) struct PublicLog {
    /// The hash of every leaf, in order.
    pub(crate) leaves: Vec<Hash>,
    /// The root of the first so many leaves, from none to all.
    roots: Vec<Hash>,
}

/// Keys as the program prints them.
///
/// # Errors
/// One that cannot be read.
pub(crate) fn trusted(keys: &[String]) -> Result<TrustedKeys, String> {
    let keys: Result<Vec<_>, _> = keys.iter().map(|key| VerifierKey::parse(key)).collect();
    TrustedKeys::new(keys.map_err(|e| e.to_string())?).map_err(|e| e.to_string())
}

/// Checks one signature.
pub(crate) fn signature(key: &VerifierKey, message: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = signature.try_into() else {
        return false;
    };
    match key.signature_type() {
        SignatureType::Ed25519 | SignatureType::CosignatureV1 => {
            let key: Result<&[u8; 32], _> = key.public_key().try_into();
            key.is_ok_and(|k| Ed25519Verifier::new(k).is_ok_and(|v| v.verify(message, signature)))
        }
        SignatureType::Sm2 => {
            let key: Result<&[u8; 65], _> = key.public_key().try_into();
            key.is_ok_and(|k| Sm2Verifier::new(k).is_ok_and(|v| v.verify(message, signature)))
        }
    }
}

impl PublicLog {
    /// Reads the whole log and checks that its leaves give the root that was signed.
    ///
    /// # Errors
    /// Whatever does not fit.
    pub(crate) fn read(client: &mut Client, keys: &TrustedKeys) -> Result<Self, String> {
        let note = client.get("/log/0/checkpoint")?;
        let (checkpoint, _) = keys
            .open_checkpoint(&note.text(), signature)
            .map_err(|e| format!("the checkpoint: {e}"))?;
        let mut leaves = vec![];
        for bundle in tile::new_bundles(0, checkpoint.size()) {
            let bytes = client.get(&format!("/log/0/{}", bundle.path()))?.body;
            let entries = tile::parse_bundle(&bytes).map_err(|e| format!("{bundle}: {e}"))?;
            leaves.extend(entries.into_iter().map(Hash::of_leaf));
        }
        let mut frontier = Frontier::new();
        let mut roots = vec![frontier.root()];
        for leaf in &leaves {
            frontier.append(*leaf);
            roots.push(frontier.root());
        }
        if frontier.size() != checkpoint.size() || frontier.root() != *checkpoint.root() {
            return Err("the leaves do not give the root that was signed".to_owned());
        }
        Ok(PublicLog { leaves, roots })
    }

    /// The root of the first `size` leaves; nothing where there are fewer.
    pub(crate) fn root_of(&self, size: u64) -> Option<Hash> {
        self.roots.get(usize::try_from(size).ok()?).copied()
    }

    /// The hash of the leaf at `index`.
    pub(crate) fn leaf(&self, index: u64) -> Option<Hash> {
        self.leaves.get(usize::try_from(index).ok()?).copied()
    }
}
