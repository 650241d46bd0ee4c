//! Rows of look-ups: one row that moves by compare-and-set, `held → intended → released | refused | failed`.

use std::sync::Arc;

use crypto::envelope;
use domain::{
    ids::{AccountId, LookupId, SessionId, SubjectId},
    requester::Standing,
    time::Timestamp,
};

use crate::{
    Store, StoreError,
    engine::{Row, Sql, Value},
    subject_keys::KEY_VERSION,
};

/// How long after its deadline an intent that nobody ended is closed by the job.
pub const GRACE_SECONDS: i64 = 5;

/// How long an idempotency key is remembered, longer than any answer is kept.
pub const REPEATABLE_SECONDS: i64 = 24 * 3600;

/// Rows forgotten by one statement.
const FORGET_AT_ONCE: i64 = 1000;

/// What a look-up's row is born with.
#[derive(Debug, Clone)]
pub struct NewLookup {
    /// Its id.
    pub lookup: LookupId,
    /// Who asks.
    pub requester: AccountId,
    /// From which session.
    pub session: SessionId,
    /// How they were found when they asked.
    pub standing: Option<Standing>,
    /// Until when it must be answered.
    pub deadline: Timestamp,
    /// The requester's idempotency key, hashed with the requester; at most one look-up has it, for a day.
    pub repeat_key: Option<[u8; 32]>,
    /// Hash of the whole request, to tell a repetition from another question under the same key.
    pub request_hash: Option<[u8; 32]>,
}

/// How an intended look-up ends.
#[derive(Debug, Clone)]
pub struct EndLookup {
    /// Its id.
    pub lookup: LookupId,
    /// The requester's account.
    pub requester: AccountId,
    /// The session that must still live for a release.
    pub session: SessionId,
    /// How it was found when they asked.
    pub standing: Option<Standing>,
    /// `true` releases, `false` records a failure.
    pub release: bool,
    /// The encrypted answer, and until when it is kept for a repetition.
    pub answer: Option<(Vec<u8>, Timestamp)>,
}

/// A look-up that was asked before under the same idempotency key.
#[derive(Debug)]
pub struct Repetition {
    /// Its id.
    pub lookup: LookupId,
    /// `intended`, `released`, `refused` or `failed`.
    pub state: String,
    /// The same question, not another one under the same key.
    pub same_request: bool,
    /// The answer as it was given, while it is kept.
    pub answer: Option<Vec<u8>>,
    /// The number of its last entry.
    pub outcome_seq: Option<u64>,
}

/// An intent past its deadline that nobody ended.
#[derive(Debug, Clone, Copy)]
pub struct OverdueLookup {
    /// Whose chain.
    pub subject: SubjectId,
    /// Its id.
    pub lookup: LookupId,
    /// Who asked.
    pub requester: AccountId,
    /// From which session.
    pub session: SessionId,
    /// The entry of its intent.
    pub intent_seq: u64,
}

impl Store {
    /// Encrypts an answer to be kept for a repeated request. Its key is of the class `record`.
    ///
    /// # Errors
    /// The subject's key cannot be read or was destroyed.
    pub async fn encrypt_answer(
        &self,
        subject: SubjectId,
        lookup: LookupId,
        answer: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let keys = self.keys_for(subject, &["record"]).await?;
        let key = keys.get("record").ok_or(StoreError::Erased)?;
        let context = self.answer_context(subject, &lookup.bytes(), |c| {
            self.inner
                .random
                .with(|rng| envelope::seal_row(key, c, answer, rng))
        });
        Ok(context)
    }

    fn answer_context<T>(
        &self,
        subject: SubjectId,
        row: &[u8; 16],
        with: impl FnOnce(&envelope::Context<'_>) -> T,
    ) -> T {
        with(&envelope::Context {
            realm: self.inner.root.realm(),
            table: "lookup",
            column: "answer",
            subject: subject.bytes(),
            row,
            revision: 0,
            key_version: KEY_VERSION,
        })
    }

    /// The look-up that a subject's requester asked before under this idempotency key.
    ///
    /// # Errors
    /// The database, or an answer that does not open.
    pub async fn repetition(
        &self,
        subject: SubjectId,
        repeat_key: [u8; 32],
        request_hash: [u8; 32],
    ) -> Result<Option<Repetition>, StoreError> {
        const BY_KEY: Sql = Sql::both(
            "SELECT lookup_id, state, request_hash, answer, answer_until_us, outcome_seq FROM lookup \
             WHERE subject_id = $1 AND repeat_key = $2",
        );
        let row = self
            .read_opt(&BY_KEY, vec![subject.bytes().into(), repeat_key.into()])
            .await?;
        let Some(row) = row else { return Ok(None) };
        let lookup = LookupId::from_bytes(row.id(0, "lookup.lookup_id")?);
        Ok(Some(Repetition {
            lookup,
            state: row.text(1, "lookup.state")?.to_owned(),
            same_request: row.opt_hash(2, "lookup.request_hash")? == Some(request_hash),
            answer: self.open_answer(subject, lookup, &row, 3).await?,
            outcome_seq: opt_seq(&row, 5, "lookup.outcome_seq")?,
        }))
    }

    /// The answer of a released look-up of this requester about this subject, while it is kept.
    ///
    /// # Errors
    /// The database, or an answer that does not open.
    pub async fn kept_answer(
        &self,
        subject: SubjectId,
        requester: AccountId,
        lookup: LookupId,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        const BY_ID: Sql = Sql::both(
            "SELECT answer, answer_until_us FROM lookup \
             WHERE subject_id = $1 AND lookup_id = $2 AND requester_id = $3 AND state = 'released'",
        );
        let params = [subject.bytes(), lookup.bytes(), requester.bytes()].map(Value::from);
        match self.read_opt(&BY_ID, params.into()).await? {
            Some(row) => self.open_answer(subject, lookup, &row, 0).await,
            None => Ok(None),
        }
    }

    /// The answer at `at`, and until when it is kept right behind it.
    async fn open_answer(
        &self,
        subject: SubjectId,
        lookup: LookupId,
        row: &Row,
        at: usize,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        let until = row.opt_int(at + 1, "lookup.answer_until_us")?;
        let kept = until.is_some_and(|until| until > self.inner.now().0);
        let Some(sealed) = row.opt_blob(at, "lookup.answer")?.filter(|_| kept) else {
            return Ok(None);
        };
        let keys = self.keys_for(subject, &["record"]).await?;
        let key = keys.get("record").ok_or(StoreError::Erased)?;
        let opened = self.answer_context(subject, &lookup.bytes(), |c| envelope::open_row(key, c, sealed));
        opened.map(Some).map_err(|e| StoreError::Sealed(e.to_string()))
    }

    /// Intents whose deadline and grace have passed, oldest first.
    ///
    /// # Errors
    /// The database.
    pub async fn overdue_lookups(&self, limit: u16) -> Result<Vec<OverdueLookup>, StoreError> {
        const OVERDUE: Sql = Sql::both(
            "SELECT subject_id, lookup_id, requester_id, session_id, intent_seq FROM lookup \
             WHERE state = 'intended' AND deadline_us < $1 ORDER BY deadline_us LIMIT $2",
        );
        let before = self.inner.clock.now().plus_seconds(-GRACE_SECONDS);
        let rows = self
            .read_all(&OVERDUE, vec![before.0.into(), limit.into()])
            .await?;
        rows.iter()
            .map(|row| {
                Ok(OverdueLookup {
                    subject: SubjectId::from_bytes(row.id(0, "lookup.subject_id")?),
                    lookup: LookupId::from_bytes(row.id(1, "lookup.lookup_id")?),
                    requester: AccountId::from_bytes(row.id(2, "lookup.requester_id")?),
                    session: SessionId::from_bytes(row.id(3, "lookup.session_id")?),
                    intent_seq: opt_seq(row, 4, "lookup.intent_seq")?
                        .ok_or_else(|| row.corrupt("lookup.intent_seq"))?,
                })
            })
            .collect()
    }

    /// Forgets the answers whose time is over, and idempotency keys after a day; how many.
    ///
    /// # Errors
    /// The database.
    pub async fn forget_answers(&self) -> Result<u64, StoreError> {
        const ANSWERS: Sql = Sql::both(
            "UPDATE lookup SET answer = NULL, answer_until_us = NULL WHERE (lookup_id, subject_id) IN \
             (SELECT lookup_id, subject_id FROM lookup WHERE answer IS NOT NULL AND answer_until_us <= $1 LIMIT $2)",
        );
        const KEYS: Sql = Sql::both(
            "UPDATE lookup SET repeat_key = NULL, request_hash = NULL WHERE (lookup_id, subject_id) IN \
             (SELECT lookup_id, subject_id FROM lookup WHERE repeat_key IS NOT NULL AND created_us <= $1 LIMIT $2)",
        );
        let now = self.inner.clock.now();
        let answers = self.forget(&ANSWERS, now).await?;
        Ok(answers + self.forget(&KEYS, now.plus_seconds(-REPEATABLE_SECONDS)).await?)
    }

    /// Runs a statement that forgets a limited number of rows from before that time until none is left, so that
    /// others can write in between; how many.
    pub(crate) async fn forget(&self, sql: &'static Sql, before: Timestamp) -> Result<u64, StoreError> {
        let mut all = 0;
        loop {
            let some = self
                .execute(sql, vec![before.0.into(), FORGET_AT_ONCE.into()])
                .await?;
            all += some;
            if some < FORGET_AT_ONCE as u64 {
                return Ok(all);
            }
        }
    }

    pub(crate) async fn execute(&self, sql: &'static Sql, params: Vec<Value>) -> Result<u64, StoreError> {
        let params = Arc::new(params);
        let done = self.inner.db.write(move |tx| {
            let params = Arc::clone(&params);
            Box::pin(async move { tx.execute(sql, &params).await })
        });
        Ok(done.await?)
    }

    pub(crate) async fn read_all(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
    ) -> Result<Vec<Row>, StoreError> {
        Ok(self.inner.db.query(sql, &params).await?)
    }

    pub(crate) async fn read_opt(
        &self,
        sql: &'static Sql,
        params: Vec<Value>,
    ) -> Result<Option<Row>, StoreError> {
        Ok(self.read_all(sql, params).await?.into_iter().next())
    }
}

pub(crate) fn opt_seq(row: &Row, at: usize, name: &'static str) -> Result<Option<u64>, StoreError> {
    let seq = row.opt_int(at, name)?;
    seq.map(|n| u64::try_from(n).map_err(|_| row.corrupt(name).into()))
        .transpose()
}
