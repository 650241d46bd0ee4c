//! What is checked at every start: the published checkpoint, the leaves since, the head, and the head outside.

use ledger::{Frontier, Hash};

use crate::{
    Store, StoreError,
    committer::LOG,
    engine::{DbError, Sql},
    entries::int,
};

const PUBLISHED: Sql = Sql::both("SELECT size, frontier, checkpoint FROM published WHERE log_id = $1");
const BEYOND: Sql = Sql::both(
    "SELECT leaf_index FROM leaf WHERE log_id = $1 AND leaf_index >= $2 \
     UNION ALL SELECT leaf_index FROM entry WHERE log_id = $1 AND leaf_index >= $2 LIMIT 1",
);

impl Store {
    /// The leaves since the published checkpoint give the head, and the head is not behind what was known.
    pub(crate) async fn check_tail(&self, last_head: Option<(u64, Hash)>) -> Result<(), StoreError> {
        let wrong = |what: &str| Err(StoreError::Log(what.into()));
        let head = self.inner.stored_head().await?;
        let (known_size, known_root) = last_head.unwrap_or((0, Hash::EMPTY_TREE));
        if known_size > head.size() {
            return Err(StoreError::Log(format!(
                "the database has {} entries, but {known_size} were sealed: it was put back to an older state; see the \
                 operations manual, \"a database behind its head\"",
                head.size()
            )));
        }
        let mut frontier = self.published_frontier().await?.unwrap_or_default();
        if frontier.size() > head.size() {
            return wrong("its head is behind the published checkpoint; restore from a backup");
        }
        let known = if known_size < frontier.size() {
            self.root_at(known_size).await?
        } else {
            frontier = self.inner.hash_on(frontier, known_size).await?;
            frontier.root()
        };
        if known != known_root {
            return wrong("it differs from the head kept outside the database; restore from a backup");
        }
        if self.inner.hash_on(frontier, head.size()).await? != head {
            return wrong("its leaves do not give its head; restore from a backup");
        }
        if self.has_leaf_beyond(head.size()).await? {
            return wrong("it has a leaf or an entry beyond its head; restore from a backup");
        }
        if last_head.is_none() && head.size() > 0 {
            tracing::warn!(
                "no head of the log is known outside the database: nothing tells whether it is the newest"
            );
        }
        self.inner.saw(head)?;
        Ok(())
    }

    /// The tree whose head was published, after its signature.
    pub(super) async fn published_frontier(&self) -> Result<Option<Frontier>, StoreError> {
        let Some(row) = self.read_opt(&PUBLISHED, vec![LOG.into()]).await? else {
            return Ok(None);
        };
        let corrupt = |_| row.corrupt("published.frontier");
        let frontier = Frontier::parse(row.blob(1, "published.frontier")?).map_err(corrupt)?;
        let checkpoint = self
            .inner
            .log_keys
            .open_checkpoint(row.text(2, "published.checkpoint")?)?;
        let same = *checkpoint.root() == frontier.root() && checkpoint.size() == frontier.size();
        if !same || checkpoint.origin() != self.inner.origin {
            return Err(row.corrupt("published.checkpoint").into());
        }
        if row.int(0, "published.size")? != int(frontier.size()) {
            return Err(row.corrupt("published.size").into());
        }
        Ok(Some(frontier))
    }

    pub(super) async fn has_leaf_beyond(&self, size: u64) -> Result<bool, DbError> {
        let beyond = self
            .inner
            .db
            .query_opt(&BEYOND, &[LOG.into(), int(size).into()])
            .await?;
        Ok(beyond.is_some())
    }
}
