//! What follows from a commit and may come later: the requester's view of their own look-ups.

use domain::{
    ids::{AccountId, LookupId, SubjectId},
    time::Timestamp,
};

use crate::{
    EntryView, Store, StoreError,
    engine::{DbError, Row, Sql, Tx},
    lookups::opt_seq,
};

/// One look-up in its requester's view.
#[derive(Debug, Clone)]
pub struct LookupView {
    /// Its id.
    pub lookup: LookupId,
    /// Whom it was about.
    pub subject: SubjectId,
    /// When it ended.
    pub time: Timestamp,
    /// `released`, `refused` or `failed`.
    pub state: String,
    /// The requester has put it out of sight.
    pub hidden: bool,
    /// The entry of its end.
    pub entry: EntryView,
}

/// Which look-ups of a requester to read.
#[derive(Debug, Clone, Copy)]
pub struct LookupPage {
    /// Only those older than this one.
    pub before: Option<LookupId>,
    /// Those put out of sight too.
    pub with_hidden: bool,
    /// How many at most.
    pub limit: u16,
}

impl Store {
    /// Applies what is waiting in the outbox, oldest first, at most `limit` items; how many.
    ///
    /// # Errors
    /// The database; nothing was applied.
    pub async fn drain_outbox(&self, limit: u16) -> Result<u64, StoreError> {
        Ok(self
            .inner
            .db
            .write(move |tx| Box::pin(async move { drain(tx, limit).await }))
            .await?)
    }

    /// Applies everything that is waiting.
    ///
    /// # Errors
    /// The database; what was applied before stays.
    pub async fn drain_outbox_wholly(&self) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let done = self.drain_outbox(500).await?;
            all += done;
            if done < 500 {
                return Ok(all);
            }
        }
    }

    /// A requester's look-ups, newest first.
    ///
    /// # Errors
    /// The database, or an opening that does not open.
    pub async fn lookups_of(
        &self,
        requester: AccountId,
        page: LookupPage,
    ) -> Result<Vec<LookupView>, StoreError> {
        const PAGE: Sql = Sql::both(
            "SELECT r.lookup_id, r.subject_id, r.time_us, r.hidden, l.state, l.outcome_seq \
             FROM requester_lookup r JOIN lookup l ON l.subject_id = r.subject_id AND l.lookup_id = r.lookup_id \
             WHERE r.requester_id = $1 AND r.lookup_id < $2 AND r.hidden <= $3 \
             ORDER BY r.lookup_id DESC LIMIT $4",
        );
        let before = page.before.map_or([0xff; 16], LookupId::bytes);
        let params = vec![
            requester.bytes().into(),
            before.into(),
            i64::from(page.with_hidden).into(),
            page.limit.into(),
        ];
        let rows = self.read_all(&PAGE, params).await?;
        self.views(&rows).await
    }

    /// One look-up of a requester; nobody else's.
    ///
    /// # Errors
    /// The database, or an opening that does not open.
    pub async fn lookup_of(
        &self,
        requester: AccountId,
        lookup: LookupId,
    ) -> Result<Option<LookupView>, StoreError> {
        const ONE: Sql = Sql::both(
            "SELECT r.lookup_id, r.subject_id, r.time_us, r.hidden, l.state, l.outcome_seq \
             FROM requester_lookup r JOIN lookup l ON l.subject_id = r.subject_id AND l.lookup_id = r.lookup_id \
             WHERE r.requester_id = $1 AND r.lookup_id = $2",
        );
        let rows = self
            .read_all(&ONE, vec![requester.bytes().into(), lookup.bytes().into()])
            .await?;
        Ok(self.views(&rows).await?.pop())
    }

    /// Puts a look-up out of its requester's sight, or back. It stays in the log and in the subject's view.
    ///
    /// # Errors
    /// The database.
    pub async fn hide_lookup(
        &self,
        requester: AccountId,
        lookup: LookupId,
        hidden: bool,
    ) -> Result<bool, StoreError> {
        const HIDE: Sql =
            Sql::both("UPDATE requester_lookup SET hidden = $1 WHERE requester_id = $2 AND lookup_id = $3");
        let params = vec![hidden.into(), requester.bytes().into(), lookup.bytes().into()];
        Ok(self.execute(&HIDE, params).await? == 1)
    }

    /// The views of these rows, except of those whose evidence is outdated and destroyed.
    async fn views(&self, rows: &[Row]) -> Result<Vec<LookupView>, StoreError> {
        let mut places = Vec::with_capacity(rows.len());
        for row in rows {
            let subject = SubjectId::from_bytes(row.id(1, "requester_lookup.subject_id")?);
            let seq =
                opt_seq(row, 5, "lookup.outcome_seq")?.ok_or_else(|| row.corrupt("lookup.outcome_seq"))?;
            places.push((subject, seq));
        }
        let mut entries = self.entries_at(places.clone()).await?;
        let mut views = Vec::with_capacity(rows.len());
        for (row, place) in rows.iter().zip(places) {
            let Some(entry) = entries.remove(&place) else {
                continue;
            };
            views.push(LookupView {
                lookup: LookupId::from_bytes(row.id(0, "requester_lookup.lookup_id")?),
                subject: place.0,
                time: Timestamp(row.int(2, "requester_lookup.time_us")?),
                state: row.text(4, "lookup.state")?.to_owned(),
                hidden: row.flag(3, "requester_lookup.hidden")?,
                entry,
            });
        }
        Ok(views)
    }
}

async fn drain(tx: &Tx<'_>, limit: u16) -> Result<u64, DbError> {
    const LAST: Sql = Sql::both(
        "SELECT w.outbox_id FROM (SELECT outbox_id FROM outbox ORDER BY outbox_id LIMIT $1) w \
         ORDER BY w.outbox_id DESC LIMIT 1",
    );
    // Whoever was erased meanwhile has no view any more.
    const PROJECT: Sql = Sql::both(
        "INSERT INTO requester_lookup (requester_id, lookup_id, subject_id, time_us, hidden) \
         SELECT o.requester_id, o.lookup_id, o.subject_id, o.time_us, 0 \
         FROM outbox o JOIN account a ON a.account_id = o.requester_id \
         WHERE o.outbox_id <= $1 ORDER BY o.requester_id, o.lookup_id ON CONFLICT DO NOTHING",
    );
    // Ids grow with the log, and what is applied begins with the oldest: nothing before the last one is left out.
    const DONE: Sql = Sql::both("DELETE FROM outbox WHERE outbox_id <= $1");
    let Some(last) = tx.query_opt(&LAST, &[limit.into()]).await? else {
        return Ok(0);
    };
    let last = [last.id(0, "outbox.outbox_id")?.into()];
    tx.execute(&PROJECT, &last).await?;
    tx.execute(&DONE, &last).await
}
