//! Places that were due when a process ended, found again in entries, leaves and look-ups.

use domain::ids::SubjectId;
use ledger::Hash;

use super::{Due, PLACE_DUE, rows};
use crate::{
    Store, StoreError,
    committer::{
        LOG,
        batch::{int, read_head},
    },
    engine::{DbError, Sql, Tx},
};

/// Look-ups found together at a start.
const PAGE: i64 = if cfg!(debug_assertions) { 3 } else { 1000 };

const HEAD: Sql = Sql::both("SELECT size, placed FROM log_head WHERE log_id = $1");
const MOVE_PLACED: Sql = Sql::both("UPDATE log_head SET placed = $1 WHERE log_id = $2");
/// The ends of look-ups among entries. SQLite keeps the order of a CROSS JOIN.
const ENDS: Sql = Sql::both(
    "SELECT e.leaf_index, e.subject_id, e.seq, f.leaf, l.intent_seq, l.intent_leaf \
     FROM entry e CROSS JOIN leaf f CROSS JOIN lookup l \
     WHERE e.log_id = $1 AND e.leaf_index >= $2 AND e.leaf_index < $3 \
     AND f.log_id = e.log_id AND f.leaf_index = e.leaf_index \
     AND l.lookup_id = e.lookup_id AND l.subject_id = e.subject_id AND l.outcome_seq = e.seq \
     ORDER BY e.leaf_index LIMIT $4",
);

impl Store {
    /// Writes the places that were due when the process before this one ended.
    ///
    /// # Errors
    /// The database, or rows of look-ups that do not say where their intents lie.
    pub(crate) async fn place_what_is_left(&self) -> Result<(), StoreError> {
        let row = self.read_opt(&HEAD, vec![LOG.into()]).await?;
        let row = row.ok_or_else(|| StoreError::Log("it has no head".into()))?;
        let size = row.number(0, "log_head.size")?;
        let placed = row.number(1, "log_head.placed")?;
        if self.inner.places.are_kept() && placed < size {
            let written = self.inner.db.write_log(move |tx| {
                Box::pin(async move {
                    let (head, _, placed) = read_head(tx).await?;
                    write_since(tx, placed, head.size()).await?;
                    tx.execute(&MOVE_PLACED, &[int(head.size()), LOG.into()]).await
                })
            });
            written.await?;
        }
        self.inner.places.state().size = size;
        Ok(())
    }
}

/// Writes the places of the look-ups that ended with an entry from `from` on, before `to`.
pub(super) async fn write_since(tx: &Tx<'_>, from: u64, to: u64) -> Result<(), DbError> {
    let mut from = from;
    loop {
        let range = [LOG.into(), int(from), int(to), PAGE.into()];
        let ends = tx.query(&ENDS, &range).await?;
        let mut places = Vec::with_capacity(ends.len());
        for row in &ends {
            let index = row.number(0, "entry.leaf_index")?;
            let owner = SubjectId::from_bytes(row.id(1, "entry.subject_id")?);
            let intent = match row.opt_int(4, "lookup.intent_seq")? {
                Some(_) => Some((
                    row.number(4, "lookup.intent_seq")?,
                    row.number(5, "lookup.intent_leaf")?,
                )),
                None => None,
            };
            let hash = Hash::of_leaf(row.blob(3, "leaf.leaf")?);
            let due = Due { index, intent, hash };
            places.push(((owner, row.number(2, "entry.seq")?), due));
            from = index + 1;
        }
        tx.insert_many(&PLACE_DUE, &rows(&places)).await?;
        if i64::try_from(ends.len()) != Ok(PAGE) {
            return Ok(());
        }
    }
}
