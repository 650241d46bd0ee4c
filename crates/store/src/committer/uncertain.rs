//! What became of a COMMIT that was not answered.
//!
//! On PostgreSQL the connection may be lost while the server commits. A new transaction that waits for the same lock
//! is let in only after the old one has ended, and then the first leaf of the batch is there or not: no other batch
//! has the same. On SQLite an uncertain commit means that the disk cannot be trusted, and nothing is asked again.

use std::{sync::Arc, time::Duration};

use ledger::leaf::LEAF_BYTES;

use super::{
    LOG,
    batch::{Written, int, read_head},
};
use crate::{
    StoreError,
    engine::{DbError, Engine, Sql},
    inner::Inner,
};

/// How often the database is asked, a second apart; it may have to come back first.
const TRIES: u32 = 60;

const LEAF: Sql = Sql::both("SELECT leaf FROM leaf WHERE log_id = $1 AND leaf_index = $2");

/// Returns if the batch was committed after all.
///
/// # Errors
/// It was not, or nobody can find out; then the process stops.
pub(super) async fn resolve(
    inner: &Arc<Inner>,
    written: Option<&Written>,
    why: &str,
) -> Result<(), StoreError> {
    let leaf = written.and_then(|written| Some((written.before.size(), written.first_leaf?)));
    if inner.db.engine() == Engine::Postgres {
        // What had no entry changed nothing, whether it was committed or not.
        let Some((index, leaf)) = leaf else { return Ok(()) };
        for _ in 0..TRIES {
            match is_there(inner, index, leaf).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    let lost = "the connection was lost at COMMIT, and the server has not committed";
                    return Err(DbError::Unavailable(lost.to_owned()).into());
                }
                Err(error) => tracing::warn!(%error, "cannot find out yet what became of a commit"),
            }
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    }
    // Answering could be a lie either way: stop, and let the next start find out.
    inner.stop(&format!("a commit is uncertain: {why}"));
    Err(StoreError::Stopping)
}

async fn is_there(inner: &Inner, index: u64, leaf: [u8; LEAF_BYTES]) -> Result<bool, DbError> {
    inner
        .db
        .write(move |tx| {
            Box::pin(async move {
                read_head(tx).await?;
                let row = tx.query_opt(&LEAF, &[LOG.into(), int(index)]).await?;
                row.map_or(Ok(false), |row| Ok(row.blob(0, "leaf.leaf")? == leaf))
            })
        })
        .await
}
