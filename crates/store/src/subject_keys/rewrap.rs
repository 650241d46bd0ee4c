//! Moving wrapped keys over to a new root key; the data under them is not touched.

use std::sync::Arc;

use domain::ids::SubjectId;

use super::{KeyStore, context};
use crate::{
    StoreError,
    engine::{Row, Sql, Value},
    random::Random,
};

const PAGE: Sql = Sql::both(
    "SELECT subject_id, class, wrapped FROM wrapped_key WHERE (subject_id, class) > ($1, $2) \
     ORDER BY subject_id, class LIMIT $3",
);
/// Only what was read is replaced: a key that was destroyed meanwhile does not come back.
const UPDATE: Sql =
    Sql::both("UPDATE wrapped_key SET wrapped = $1 WHERE subject_id = $2 AND class = $3 AND wrapped = $4");

impl KeyStore {
    /// Moves all keys, in pages of `limit`, over to the newest root key; how many were moved.
    ///
    /// It goes over the table in the order of the key, so that it can be stopped and begun again.
    pub(crate) async fn rewrap(&self, random: &Random, limit: i64) -> Result<u64, StoreError> {
        let (mut last, mut moved) = ([Value::from([].as_slice()), Value::from("")], 0);
        loop {
            let [subject, class] = last.clone();
            let rows = self.db.query(&PAGE, &[subject, class, limit.into()]).await?;
            let Some(end) = rows.last() else { return Ok(moved) };
            last = [
                end.blob(0, "wrapped_key.subject_id")?.into(),
                end.text(1, "wrapped_key.class")?.into(),
            ];
            let mut updates = vec![];
            for row in &rows {
                updates.extend(self.rewrapped(row, random)?);
            }
            let updates = Arc::new(updates);
            let done = self.db.write(move |tx| {
                let updates = Arc::clone(&updates);
                Box::pin(async move { tx.execute_many(&UPDATE, &updates).await })
            });
            moved += done.await?.iter().sum::<u64>();
        }
    }

    fn rewrapped(&self, row: &Row, random: &Random) -> Result<Option<Vec<Value>>, StoreError> {
        let subject = SubjectId::from_bytes(row.id(0, "wrapped_key.subject_id")?);
        let class = row.text(1, "wrapped_key.class")?;
        let old = row.blob(2, "wrapped_key.wrapped")?;
        let new = random.with(|rng| self.root().rewrap(old, &context(subject, class), rng))?;
        Ok(new.map(|new| vec![new.into(), subject.bytes().into(), class.into(), old.into()]))
    }
}
