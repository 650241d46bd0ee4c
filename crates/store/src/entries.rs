//! Entries of a chain, opened again: for the person's own view, for receipts, for the auditor.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    ids::{LookupId, SubjectId},
    time::Timestamp,
};
use ledger::{Chain, Commitment, Receipt, Shared, leaf};

use crate::{
    Store, StoreError,
    committer::{LOG, Opened, Place, open_entry},
    engine::{DbError, Row, Sql, Value},
    subject_keys::SubjectKeys,
};

/// An entry with both openings.
#[derive(Debug, Clone)]
pub struct EntryView {
    /// Its number in the chain.
    pub seq: u64,
    /// Its index in the log.
    pub leaf_index: u64,
    /// Its time.
    pub time: Timestamp,
    /// The look-up it belongs to.
    pub lookup: Option<LookupId>,
    /// What requester and subject may read.
    pub shared: Shared,
    /// What subject and auditor may read.
    pub chain: Chain,
}

/// The newest entries of a chain before a number, the intents of open look-ups among them. A place may be that of two
/// entries, of which the intent stands right before the other. So many places hold at least so many entries: no more
/// of them are looked at, which in a chain without intents would be all.
const COLUMNS_BEFORE: Sql = Sql::both(
    "SELECT e.seq, e.leaf_index, e.time_us, e.lookup_id, e.key_class, e.shared, e.chain FROM \
     (SELECT seq, leaf_index FROM chain_place WHERE subject_id = $1 AND seq < $2 \
     UNION ALL SELECT seq - 1, intent_leaf FROM (SELECT seq, intent_leaf FROM chain_place \
     WHERE subject_id = $1 AND seq <= $2 ORDER BY seq DESC LIMIT $3) i WHERE intent_leaf IS NOT NULL \
     UNION ALL SELECT intent_seq, intent_leaf FROM lookup \
     WHERE subject_id = $1 AND state = 'intended' AND intent_seq < $2 ORDER BY 1 DESC LIMIT $3) p \
     CROSS JOIN entry e WHERE e.log_id = $4 AND e.leaf_index = p.leaf_index ORDER BY e.seq DESC",
);
const ONE: Sql = Sql::both(
    "SELECT e.seq, e.leaf_index, e.time_us, e.lookup_id, e.key_class, e.shared, e.chain FROM \
     (SELECT leaf_index FROM chain_place WHERE subject_id = $1 AND seq = $2 \
     UNION ALL SELECT intent_leaf FROM chain_place \
     WHERE subject_id = $1 AND seq = $3 AND intent_leaf IS NOT NULL \
     UNION ALL SELECT intent_leaf FROM lookup \
     WHERE subject_id = $1 AND state = 'intended' AND intent_seq = $2) p \
     CROSS JOIN entry e WHERE e.log_id = $4 AND e.leaf_index = p.leaf_index",
);

/// The parameters of [`ONE`].
fn one(owner: SubjectId, seq: u64) -> Vec<Value> {
    let next = int(seq.saturating_add(1));
    vec![owner.bytes().into(), int(seq).into(), next.into(), LOG.into()]
}

impl Store {
    /// The newest entries of a chain before number `before` (or the end), newest first, without those whose evidence
    /// is outdated and destroyed.
    ///
    /// # Errors
    /// The database, or an opening that does not open.
    pub async fn entries(
        &self,
        owner: SubjectId,
        before: Option<u64>,
        limit: u16,
    ) -> Result<Vec<EntryView>, StoreError> {
        let placed = self.placed([owner]).await?;
        let before = before.and_then(|n| i64::try_from(n).ok()).unwrap_or(i64::MAX);
        let rows = self
            .read_all(
                &COLUMNS_BEFORE,
                vec![owner.bytes().into(), before.into(), limit.into(), LOG.into()],
            )
            .await?;
        drop(placed);
        let keys = self.keys_of_rows(owner, &rows).await?;
        let readable = rows.iter().filter(|row| is_readable(&keys, row));
        readable
            .map(|row| self.open_row(owner, &keys, row).map(|opened| opened.view))
            .collect()
    }

    /// One entry of a chain.
    ///
    /// # Errors
    /// The database, or an opening that does not open.
    pub async fn entry(&self, owner: SubjectId, seq: u64) -> Result<Option<EntryView>, StoreError> {
        let Some(row) = self.entry_row(owner, seq).await? else {
            return Ok(None);
        };
        let keys = self.keys_of_rows(owner, std::slice::from_ref(&row)).await?;
        Ok(Some(self.open_row(owner, &keys, &row)?.view))
    }

    /// Several entries of possibly several chains, by owner and number; whose key was destroyed is left out.
    ///
    /// # Errors
    /// The database, or an opening that does not open.
    pub(crate) async fn entries_at(
        &self,
        places: Vec<(SubjectId, u64)>,
    ) -> Result<BTreeMap<(SubjectId, u64), EntryView>, StoreError> {
        let placed = self.placed(places.iter().map(|(owner, _)| *owner)).await?;
        let params: Arc<Vec<_>> = Arc::new(places.iter().map(|(owner, seq)| one(*owner, *seq)).collect());
        let found = self
            .inner
            .db
            .read(move |tx| Box::pin(async move { tx.query_many(&ONE, &params).await }))
            .await?;
        drop(placed);
        let mut views = BTreeMap::new();
        for ((owner, seq), rows) in places.into_iter().zip(found) {
            let [row] = rows.as_slice() else {
                return Err(StoreError::Log(format!("entry {seq} of {owner} is missing")));
            };
            let keys = self.keys_of_rows(owner, &rows).await?;
            if is_readable(&keys, row) {
                views.insert((owner, seq), self.open_row(owner, &keys, row)?.view);
            }
        }
        Ok(views)
    }

    /// The receipt of an entry, against the newest head.
    ///
    /// # Errors
    /// The database, or an opening that does not open.
    pub async fn receipt(&self, owner: SubjectId, seq: u64) -> Result<Option<Receipt>, StoreError> {
        let Some(row) = self.entry_row(owner, seq).await? else {
            return Ok(None);
        };
        let keys = self.keys_of_rows(owner, std::slice::from_ref(&row)).await?;
        let opened = self.open_row(owner, &keys, &row)?;
        let (shared, chain) = opened.commitments();
        let leaf_hash = leaf::leaf_hash(&self.inner.origin, &shared, &chain);
        let proof = self.prove(opened.view.leaf_index, leaf_hash).await?;
        Ok(Some(Receipt {
            shared: opened.shared.bytes,
            shared_salt: opened.shared.salt,
            chain,
            proof: proof.to_text(),
        }))
    }

    /// The keys that these rows of one chain need, where they exist.
    pub(crate) async fn keys_of_rows(
        &self,
        owner: SubjectId,
        rows: &[Row],
    ) -> Result<Arc<SubjectKeys>, StoreError> {
        let classes: Result<Vec<&str>, _> = rows.iter().map(class_of).collect();
        self.inner.keys.having(owner, &classes?).await
    }

    async fn entry_row(&self, owner: SubjectId, seq: u64) -> Result<Option<Row>, StoreError> {
        let _placed = self.placed([owner]).await?;
        self.read_opt(&ONE, one(owner, seq)).await
    }

    pub(crate) fn open_row(
        &self,
        owner: SubjectId,
        keys: &SubjectKeys,
        row: &Row,
    ) -> Result<OpenedEntry, StoreError> {
        let seq = row.number(0, "entry.seq")?;
        let place = Place {
            realm: self.inner.root.realm(),
            origin: &self.inner.origin,
            owner,
            seq,
        };
        let key = keys.get(class_of(row)?).ok_or(StoreError::Erased)?;
        let shared = open_entry(&place, "shared", key, row.blob(5, "entry.shared")?)?;
        let chain = open_entry(&place, "chain", key, row.blob(6, "entry.chain")?)?;
        let wrong =
            |e: ledger::opening::OpeningError| StoreError::Sealed(format!("entry {seq} of {owner}: {e}"));
        let view = EntryView {
            seq,
            leaf_index: row.number(1, "entry.leaf_index")?,
            time: Timestamp(row.int(2, "entry.time_us")?),
            lookup: row.opt_id(3, "entry.lookup_id")?.map(LookupId::from_bytes),
            shared: Shared::parse(&shared.bytes).map_err(wrong)?,
            chain: Chain::parse(&chain.bytes).map_err(wrong)?,
        };
        Ok(OpenedEntry { view, shared, chain })
    }
}

/// An entry opened, with the bytes and salts of its commitments.
pub(crate) struct OpenedEntry {
    pub(crate) view: EntryView,
    shared: Opened,
    chain: Opened,
}

impl OpenedEntry {
    /// What the leaf commits to: the shared opening, and that of the chain.
    pub(crate) fn commitments(&self) -> (Commitment, Commitment) {
        (
            Shared::commitment(&self.shared.bytes, &self.shared.salt),
            Chain::commitment(&self.chain.bytes, &self.chain.salt),
        )
    }
}

/// The class of the key of an entry's openings.
pub(crate) fn class_of(row: &Row) -> Result<&str, DbError> {
    row.text(4, "entry.key_class")
}

/// Its key exists. A row without a class is tried, so that it is told.
pub(crate) fn is_readable(keys: &SubjectKeys, row: &Row) -> bool {
    class_of(row).map_or(true, |class| keys.get(class).is_some())
}

/// Sequence numbers and indexes stay below 2⁶³; what is above finds nothing.
pub(crate) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
