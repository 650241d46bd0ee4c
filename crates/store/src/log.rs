//! The log for outsiders: published checkpoints, tiles, proofs.

use ledger::{
    Hash, Proof, Tile,
    tile::{Content, FULL_WIDTH, encode_bundle},
    tree::{inclusion_proof, verify_inclusion},
};

use crate::{LogKeys, Store, StoreError, committer::LOG, engine::Sql, entries::int};

impl Store {
    /// The log's origin: its name for outsiders.
    #[must_use]
    pub fn origin(&self) -> &str {
        &self.inner.origin
    }

    /// The public keys of the log.
    #[must_use]
    pub fn log_keys(&self) -> &LogKeys {
        &self.inner.log_keys
    }

    /// How many entries the log has.
    ///
    /// # Errors
    /// The database.
    pub async fn log_size(&self) -> Result<u64, StoreError> {
        Ok(self.inner.stored_head().await?.size())
    }

    /// Shows the present head to outsiders, after the leaves since the last one were hashed here, and syncs the copy
    /// of it that lies outside the database.
    ///
    /// # Errors
    /// The database or the head file; or the database has another log than this process has seen.
    pub async fn publish_checkpoint(&self) -> Result<(), StoreError> {
        const PUBLISH: Sql = Sql::both(
            "INSERT INTO published (log_id, size, frontier, checkpoint, published_us) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (log_id) DO UPDATE SET size = excluded.size, frontier = excluded.frontier, \
             checkpoint = excluded.checkpoint, published_us = excluded.published_us \
             WHERE published.size <= excluded.size",
        );
        let seen = self.inner.look().await?;
        let params = vec![
            LOG.into(),
            int(seen.size()).into(),
            seen.frontier().to_bytes().into(),
            seen.checkpoint().into(),
            self.inner.clock.now().0.into(),
        ];
        self.execute(&PUBLISH, params).await?;
        self.inner.fill_tiles(seen.size()).await?;
        self.inner.sync_head_file().await
    }

    /// The published checkpoint: size and signed text.
    ///
    /// # Errors
    /// The database.
    pub async fn published(&self) -> Result<Option<(u64, String)>, StoreError> {
        const READ: Sql = Sql::both("SELECT size, checkpoint FROM published WHERE log_id = $1");
        let row = self.read_opt(&READ, vec![LOG.into()]).await?;
        row.map(|row| {
            let size = row.number(0, "published.size")?;
            Ok((size, row.text(1, "published.checkpoint")?.to_owned()))
        })
        .transpose()
    }

    /// The bytes of a tile or entry bundle, if the published log has it.
    ///
    /// # Errors
    /// The database.
    pub async fn tile(&self, tile: &Tile) -> Result<Option<Vec<u8>>, StoreError> {
        let size = self.published().await?.map_or(0, |(size, _)| size);
        if !tile.exists_in(size) {
            return Ok(None);
        }
        if let Content::Hashes { level } = tile.content() {
            let bytes = self.inner.hashes_of(level, tile.index(), tile.width()).await?;
            return Ok(Some(bytes));
        }
        let from = tile.index() * u64::from(FULL_WIDTH);
        let leaves = self.inner.leaves(from, from + u64::from(tile.width())).await?;
        let bundle = encode_bundle(leaves.iter().map(Vec::as_slice));
        Ok(Some(bundle.map_err(|e| StoreError::Log(e.to_string()))?))
    }

    /// An inclusion proof of one entry against the newest head that this process has seen, with the signed head.
    pub(crate) async fn prove(&self, leaf_index: u64, leaf_hash: Hash) -> Result<Proof, StoreError> {
        let mut seen = self.inner.seen();
        if leaf_index >= seen.size() {
            seen = self.inner.look().await?;
        }
        self.inner.fill_tiles(seen.size()).await?;
        let prove = |tiles: &mut _| inclusion_proof(leaf_index, seen.size(), tiles);
        let hashes = self.inner.with_tiles(seen.size(), prove).await?;
        // A cache can be wrong; a proof that does not hold is not handed out.
        verify_inclusion(&leaf_hash, leaf_index, seen.size(), &hashes, &seen.root()).map_err(|_| {
            StoreError::Log(format!(
                "entry {leaf_index} cannot be proven: it was changed, or the cached tiles were; run doctor"
            ))
        })?;
        Ok(Proof {
            extra: None,
            index: leaf_index,
            hashes,
            checkpoint: seen.checkpoint().to_owned(),
        })
    }

    /// The root of the tree of the first `size` leaves, as the tiles have it.
    pub(crate) async fn root_at(&self, size: u64) -> Result<Hash, StoreError> {
        let root =
            |tiles: &mut _| ledger::tree::tree_root(size, tiles).map_err(ledger::tree::ProveError::Read);
        self.inner.with_tiles(size, root).await
    }
}
