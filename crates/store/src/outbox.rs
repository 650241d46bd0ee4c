//! The requester's view of their look-ups. Those about themselves are in their own chains; those about others follow
//! from a commit and may come later, by the outbox.

use std::collections::BTreeMap;

use domain::{
    ids::{AccountId, LookupId, SubjectId},
    time::Timestamp,
};

use crate::{
    EntryView, Store, StoreError,
    committer::LOG,
    engine::{DbError, Row, Sql, Tx, Value},
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

    /// Applies everything that is waiting. Where nothing is, whoever only reads does not stand in line to write.
    ///
    /// # Errors
    /// The database; what was applied before stays.
    pub async fn drain_outbox_wholly(&self) -> Result<u64, StoreError> {
        const WAITING: Sql = Sql::both("SELECT outbox_id FROM outbox ORDER BY outbox_id LIMIT 1");
        let mut all = 0;
        while self.read_opt(&WAITING, vec![]).await?.is_some() {
            let done = self.drain_outbox(500).await?;
            all += done;
            // What came since is another's: whoever reads does not wait for all who ask.
            if done < 500 {
                break;
            }
        }
        Ok(all)
    }

    /// A requester's look-ups, newest first: those of their own chains, and those about others.
    ///
    /// # Errors
    /// The database, or an opening that does not open.
    pub async fn lookups_of(
        &self,
        requester: AccountId,
        page: LookupPage,
    ) -> Result<Vec<LookupView>, StoreError> {
        // The chain is walked first: SQLite keeps the order of a CROSS JOIN, and would else read the whole log.
        const OWN: Sql = Sql::both(
            "SELECT l.lookup_id, l.subject_id, l.hidden, l.state, l.outcome_seq FROM chain_place p \
             CROSS JOIN entry e CROSS JOIN lookup l WHERE e.log_id = $1 AND e.leaf_index = p.leaf_index \
             AND l.lookup_id = e.lookup_id AND l.subject_id = p.subject_id AND l.outcome_seq = p.seq \
             AND p.subject_id = $2 AND l.requester_id = $3 AND l.lookup_id < $4 AND l.hidden <= $5 \
             ORDER BY l.lookup_id DESC LIMIT $6",
        );
        const OTHERS: Sql = Sql::both(
            "SELECT l.lookup_id, l.subject_id, l.hidden, l.state, l.outcome_seq FROM requester_lookup r \
             JOIN lookup l ON l.lookup_id = r.lookup_id AND l.subject_id = r.subject_id \
             WHERE r.requester_id = $1 AND r.lookup_id < $2 AND l.hidden <= $3 \
             ORDER BY r.lookup_id DESC LIMIT $4",
        );
        let Some(chains) = self.own_chains(requester).await? else {
            return Ok(vec![]);
        };
        // Only what has ended is shown: what ends while it is read may be missing, and keeps nobody from committing.
        drop(self.placed(chains.iter().copied()).await?);
        let before = page.before.map_or([0xff; 16], LookupId::bytes);
        let others = vec![
            requester.bytes().into(),
            before.into(),
            i64::from(page.with_hidden).into(),
            page.limit.into(),
        ];
        let own = |chain: SubjectId| [&[LOG.into(), chain.bytes().into()], others.as_slice()].concat();
        let own: Vec<Vec<Value>> = chains.into_iter().map(own).collect();
        let read = self.inner.db.read(move |tx| {
            Box::pin(async move {
                let mut rows = tx.query_many(&OWN, &own).await?;
                rows.push(tx.query(&OTHERS, &others).await?);
                Ok(rows)
            })
        });
        // What was asked before one was proven to be oneself is in both; it is shown once.
        let mut newest = BTreeMap::new();
        for row in read.await?.into_iter().flatten() {
            newest.insert(row.id(0, "lookup.lookup_id")?, row);
        }
        let rows = newest.into_values().rev().take(page.limit.into()).collect();
        self.views(rows).await
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
            "SELECT l.lookup_id, l.subject_id, l.hidden, l.state, l.outcome_seq FROM lookup l \
             JOIN account a ON a.account_id = l.requester_id \
             WHERE l.lookup_id = $1 AND l.requester_id = $2 AND l.outcome_seq IS NOT NULL",
        );
        let rows = self
            .read_all(&ONE, vec![lookup.bytes().into(), requester.bytes().into()])
            .await?;
        Ok(self.views(rows).await?.pop())
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
        const HIDE: Sql = Sql::both(
            "UPDATE lookup SET hidden = $1 WHERE lookup_id = $2 AND requester_id = $3 AND outcome_seq IS NOT NULL",
        );
        let params = vec![hidden.into(), lookup.bytes().into(), requester.bytes().into()];
        Ok(self.execute(&HIDE, params).await? == 1)
    }

    /// The chains that are an account's own; none where there is no account.
    async fn own_chains(&self, account: AccountId) -> Result<Option<Vec<SubjectId>>, StoreError> {
        const PERSON: Sql = Sql::both(
            "SELECT s.subject_id FROM account a \
             LEFT JOIN subject s ON s.subject_id = a.subject_id AND s.account_id = a.account_id \
             WHERE a.account_id = $1",
        );
        let Some(row) = self.read_opt(&PERSON, vec![account.bytes().into()]).await? else {
            return Ok(None);
        };
        let person = row.opt_id(0, "account.subject_id")?.map(SubjectId::from_bytes);
        Ok(Some([account.chain()].into_iter().chain(person).collect()))
    }

    /// The views of these rows, except of those whose evidence is outdated and destroyed.
    async fn views(&self, rows: Vec<Row>) -> Result<Vec<LookupView>, StoreError> {
        let mut places = Vec::with_capacity(rows.len());
        for row in &rows {
            let subject = SubjectId::from_bytes(row.id(1, "lookup.subject_id")?);
            let seq =
                opt_seq(row, 4, "lookup.outcome_seq")?.ok_or_else(|| row.corrupt("lookup.outcome_seq"))?;
            places.push((subject, seq));
        }
        let mut entries = self.entries_at(places.clone()).await?;
        let mut views = Vec::with_capacity(rows.len());
        for (row, place) in rows.iter().zip(places) {
            let Some(entry) = entries.remove(&place) else {
                continue;
            };
            views.push(LookupView {
                lookup: LookupId::from_bytes(row.id(0, "lookup.lookup_id")?),
                subject: place.0,
                time: entry.time,
                state: row.text(3, "lookup.state")?.to_owned(),
                hidden: row.flag(2, "lookup.hidden")?,
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
        "INSERT INTO requester_lookup (requester_id, lookup_id, subject_id) \
         SELECT o.requester_id, o.lookup_id, o.subject_id \
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
