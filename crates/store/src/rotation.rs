//! Rotation of the root key: a new one wraps, and all wrapped keys are moved over to it.

use std::sync::Arc;

use crypto::RootKeys;

use crate::{Store, StoreError};

impl Store {
    /// Moves all wrapped keys over to the newest root key; how many were moved.
    ///
    /// # Errors
    /// The key database, or a key that no root of the ring opens.
    pub async fn rewrap_keys(&self) -> Result<u64, StoreError> {
        self.inner.keys.rewrap(&self.inner.random, 500).await
    }

    /// Goes on with root keys to which a rotation has added one. Every process that uses the database does this
    /// before one of them moves keys over.
    ///
    /// # Errors
    /// Other keys than those that the store was opened with, grown.
    pub fn adopt_root_keys(&self, keys: Arc<RootKeys>) -> Result<(), StoreError> {
        let ours = &self.inner.root;
        let same = keys.realm() == ours.realm()
            && keys.suite() == ours.suite()
            && keys.log_ed25519().public_key() == ours.log_ed25519().public_key();
        if same && self.inner.keys.adopt(keys) {
            return Ok(());
        }
        Err(StoreError::Refused(
            "these are not the keys of this store with a root added".into(),
        ))
    }
}
