//! Record reviews: one row that moves by compare-and-set, `submitted → received → answered → closed`.
//!
//! What a review says is encrypted under its subject's key of the class `record` before it gets into an effect, and
//! dies with that key at erasure.

use crypto::envelope;
use domain::{
    ids::{AccountId, LookupId, ReviewId, SessionId, SubjectId},
    review::ReviewState,
    time::Timestamp,
};

use crate::{
    Effect, Store, StoreError,
    engine::{DbError, Insert, Row, Sql, Tx, Value},
    subject_keys::KEY_VERSION,
};

/// How many reviews of one person may be under way at once.
pub const MAX_OPEN_REVIEWS: i64 = 10;
/// How long a review is kept after it was opened, once nothing follows any more.
const KEPT_SECONDS: i64 = 366 * 24 * 3600;

/// What is encrypted.
#[derive(Debug, Clone, Copy)]
pub enum ReviewPart {
    /// The content, at this revision.
    Content(u64),
    /// The picture at this place.
    Picture(u64),
}

/// What a review's row is born with.
#[derive(Debug, Clone)]
pub struct NewReview {
    /// Its id.
    pub review: ReviewId,
    /// Who opens it.
    pub requester: AccountId,
    /// From which session, which must live.
    pub session: SessionId,
    /// The look-up whose answer is disputed.
    pub lookup: LookupId,
    /// Until when the source is to answer.
    pub due: Timestamp,
    /// When the job goes on with it.
    pub next: Timestamp,
    /// The requester's idempotency key, hashed with the requester.
    pub repeat_key: [u8; 32],
    /// Hash of the whole request.
    pub request_hash: [u8; 32],
    /// The encrypted content, at revision 0.
    pub content: Vec<u8>,
    /// The encrypted pictures.
    pub pictures: Vec<Vec<u8>>,
}

/// One step forward.
#[derive(Debug, Clone)]
pub struct ReviewAdvance {
    /// Which review.
    pub review: ReviewId,
    /// In which state it must be.
    pub from: ReviewState,
    /// At which revision it must be; the new content is of the next one.
    pub revision: u64,
    /// Into which state it comes.
    pub to: ReviewState,
    /// The encrypted content.
    pub content: Vec<u8>,
    /// When the job goes on with it.
    pub next: Option<Timestamp>,
    /// Until when the source answers, where that is another day now.
    pub due: Option<Timestamp>,
}

/// A review.
#[derive(Clone)]
pub struct ReviewView {
    /// Its id.
    pub review: ReviewId,
    /// Whose record it is about.
    pub subject: SubjectId,
    /// How far it is.
    pub state: ReviewState,
    /// Who opened it.
    pub requester: AccountId,
    /// The look-up whose answer is disputed.
    pub lookup: LookupId,
    /// Until when the source is to answer.
    pub due: Timestamp,
    /// How often it was tried in vain to go on with it.
    pub tries: u32,
    /// How often its content was written.
    pub revision: u64,
    /// The content.
    pub content: Vec<u8>,
    /// When it came into each state, in order.
    pub steps: Vec<(ReviewState, Timestamp)>,
}

impl std::fmt::Debug for ReviewView {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReviewView({}, {}, redacted)", self.review, self.state)
    }
}

const REVIEW: Insert = Insert {
    table: "review",
    columns: &[
        "subject_id",
        "review_id",
        "state",
        "requester_id",
        "lookup_id",
        "created_us",
        "due_us",
        "next_us",
        "tries",
        "repeat_key",
        "request_hash",
        "revision",
        "content",
    ],
    tail: "ON CONFLICT DO NOTHING",
};
const PICTURE: Insert = Insert {
    table: "review_picture",
    columns: &["subject_id", "review_id", "place", "bytes"],
    tail: "ON CONFLICT DO NOTHING",
};
const STEP: Insert = Insert {
    table: "review_step",
    columns: &["subject_id", "review_id", "state", "time_us"],
    tail: "ON CONFLICT DO NOTHING",
};
const FORGET_PICTURES: Sql = Sql::both("DELETE FROM review_picture WHERE subject_id = $1 AND review_id = $2");

impl Store {
    /// Encrypts a part of a review.
    ///
    /// # Errors
    /// The subject's key cannot be read or was destroyed.
    pub async fn encrypt_review(
        &self,
        subject: SubjectId,
        review: ReviewId,
        part: ReviewPart,
        plain: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let keys = self.keys_for(subject, &["record"]).await?;
        let key = keys.get("record").ok_or(StoreError::Erased)?;
        let row = review.bytes();
        let context = self.review_context(subject, &row, part);
        Ok(self
            .inner
            .random
            .with(|rng| envelope::seal_row(key, &context, plain, rng)))
    }

    /// What brings a review into being, to be sealed as the ACT that hands it in. Its condition: the session lives,
    /// the person is not erased, it was not opened before under the same key, and not too many are under way.
    #[must_use]
    pub fn new_review(&self, subject: SubjectId, new: NewReview) -> Effect {
        Effect::new(move |tx, time| {
            let new = new.clone();
            Box::pin(async move { insert(tx, subject, new, time).await })
        })
    }

    /// What takes a review one step on, to be sealed with the entry that says so. Its pictures go with its answer.
    #[must_use]
    pub fn advance_review(&self, subject: SubjectId, step: ReviewAdvance) -> Effect {
        const MOVE: Sql = Sql::both(
            "UPDATE review SET state = $1, next_us = $2, tries = 0, revision = revision + 1, content = $3, \
             due_us = COALESCE($4, due_us) \
             WHERE subject_id = $5 AND review_id = $6 AND state = $7 AND revision = $8 \
             AND EXISTS (SELECT 1 FROM subject WHERE subject_id = $5 AND state = 'active')",
        );
        Effect::new(move |tx, time| {
            let step = step.clone();
            Box::pin(async move {
                let (s, r) = (Value::from(subject.bytes()), Value::from(step.review.bytes()));
                let moved = [
                    step.to.code().into(),
                    step.next.map(|t| t.0).into(),
                    step.content.into(),
                    step.due.map(|t| t.0).into(),
                    s.clone(),
                    r.clone(),
                    step.from.code().into(),
                    int(step.revision),
                ];
                if tx.execute(&MOVE, &moved).await? == 0 {
                    return Ok(false);
                }
                let row = vec![s.clone(), r.clone(), step.to.code().into(), time.0.into()];
                tx.insert_many(&STEP, &[row]).await?;
                if matches!(step.to, ReviewState::Answered | ReviewState::Closed) {
                    tx.execute(&FORGET_PICTURES, &[s, r]).await?;
                }
                Ok(true)
            })
        })
    }

    /// Puts off the next try of a review, unless it has moved meanwhile; `failed` counts a try in vain.
    ///
    /// # Errors
    /// The database.
    pub async fn postpone_review(
        &self,
        view: &ReviewView,
        next: Timestamp,
        failed: bool,
    ) -> Result<(), StoreError> {
        const PUT_OFF: Sql = Sql::both(
            "UPDATE review SET next_us = $1, tries = $2 \
             WHERE subject_id = $3 AND review_id = $4 AND state = $5 AND revision = $6",
        );
        let tries = if failed { view.tries.saturating_add(1) } else { 0 };
        let params = vec![
            next.0.into(),
            tries.into(),
            view.subject.bytes().into(),
            view.review.bytes().into(),
            view.state.code().into(),
            int(view.revision),
        ];
        self.execute(&PUT_OFF, params).await.map(|_| ())
    }

    /// Puts off the next try of a review of which no more is known than where it is: it cannot be read, or nobody may
    /// go on with it.
    ///
    /// # Errors
    /// The database.
    pub async fn postpone_unread_review(
        &self,
        subject: SubjectId,
        review: ReviewId,
        next: Timestamp,
    ) -> Result<(), StoreError> {
        const PUT_OFF: Sql = Sql::both(
            "UPDATE review SET next_us = $1 WHERE subject_id = $2 AND review_id = $3 AND next_us IS NOT NULL",
        );
        let params = vec![next.0.into(), subject.bytes().into(), review.bytes().into()];
        self.execute(&PUT_OFF, params).await.map(|_| ())
    }

    /// The reviews of a person, newest first; at most so many.
    ///
    /// # Errors
    /// The database, or a content that does not open.
    pub async fn reviews_of(&self, subject: SubjectId, limit: u16) -> Result<Vec<ReviewView>, StoreError> {
        const ALL: Sql = Sql::both(
            "SELECT subject_id, review_id, state, requester_id, lookup_id, due_us, tries, revision, content \
             FROM review WHERE subject_id = $1 ORDER BY review_id DESC LIMIT $2",
        );
        let rows = self
            .read_all(&ALL, vec![subject.bytes().into(), limit.into()])
            .await?;
        let mut views = Vec::with_capacity(rows.len());
        for row in &rows {
            views.push(self.open_review(row).await?);
        }
        Ok(views)
    }

    /// One review of a person.
    ///
    /// # Errors
    /// The database, or a content that does not open.
    pub async fn review(&self, subject: SubjectId, id: ReviewId) -> Result<Option<ReviewView>, StoreError> {
        const ONE: Sql = Sql::both(
            "SELECT subject_id, review_id, state, requester_id, lookup_id, due_us, tries, revision, content \
             FROM review WHERE subject_id = $1 AND review_id = $2",
        );
        match self
            .read_opt(&ONE, vec![subject.bytes().into(), id.bytes().into()])
            .await?
        {
            Some(row) => self.open_review(&row).await.map(Some),
            None => Ok(None),
        }
    }

    /// The review that was opened before under this key, and whether it was the same request.
    ///
    /// # Errors
    /// The database.
    pub async fn repeated_review(
        &self,
        subject: SubjectId,
        repeat_key: [u8; 32],
        request_hash: [u8; 32],
    ) -> Result<Option<(ReviewId, bool)>, StoreError> {
        const BY_KEY: Sql =
            Sql::both("SELECT review_id, request_hash FROM review WHERE subject_id = $1 AND repeat_key = $2");
        let row = self
            .read_opt(&BY_KEY, vec![subject.bytes().into(), repeat_key.into()])
            .await?;
        let Some(row) = row else { return Ok(None) };
        let same = row.hash(1, "review.request_hash")? == request_hash;
        Ok(Some((ReviewId::from_bytes(row.id(0, "review.review_id")?), same)))
    }

    /// The pictures of a review, in their order.
    ///
    /// # Errors
    /// The database, or a picture that does not open.
    pub async fn review_pictures(
        &self,
        subject: SubjectId,
        id: ReviewId,
    ) -> Result<Vec<Vec<u8>>, StoreError> {
        const PICTURES: Sql = Sql::both(
            "SELECT place, bytes FROM review_picture WHERE subject_id = $1 AND review_id = $2 ORDER BY place",
        );
        let rows = self
            .read_all(&PICTURES, vec![subject.bytes().into(), id.bytes().into()])
            .await?;
        let mut pictures = Vec::with_capacity(rows.len());
        for row in &rows {
            let place = row.number(0, "review_picture.place")?;
            let sealed = row.blob(1, "review_picture.bytes")?;
            pictures.push(
                self.open_part(subject, id, ReviewPart::Picture(place), sealed)
                    .await?,
            );
        }
        Ok(pictures)
    }

    /// Reviews that the job is to go on with now, longest waiting first.
    ///
    /// # Errors
    /// The database.
    pub async fn due_reviews(&self, limit: u16) -> Result<Vec<(SubjectId, ReviewId)>, StoreError> {
        const DUE: Sql = Sql::both(
            "SELECT subject_id, review_id FROM review WHERE next_us <= $1 ORDER BY next_us LIMIT $2",
        );
        let now = self.inner.clock.now();
        let rows = self.read_all(&DUE, vec![now.0.into(), limit.into()]).await?;
        rows.iter()
            .map(|row| {
                Ok((
                    SubjectId::from_bytes(row.id(0, "review.subject_id")?),
                    ReviewId::from_bytes(row.id(1, "review.review_id")?),
                ))
            })
            .collect()
    }

    /// Forgets reviews of which nothing follows any more, a year after they were opened; how many rows.
    ///
    /// # Errors
    /// The database.
    pub async fn forget_reviews(&self) -> Result<u64, StoreError> {
        const STEPS: Sql = Sql::both(
            "DELETE FROM review_step WHERE (subject_id, review_id) IN (SELECT subject_id, review_id FROM review \
             WHERE next_us IS NULL AND created_us <= $1 ORDER BY created_us LIMIT $2)",
        );
        const REVIEWS: Sql = Sql::both(
            "DELETE FROM review WHERE (subject_id, review_id) IN (SELECT subject_id, review_id FROM review \
             WHERE next_us IS NULL AND created_us <= $1 ORDER BY created_us LIMIT $2)",
        );
        let before = self.inner.clock.now().plus_seconds(-KEPT_SECONDS);
        // The steps of the oldest thousand, then those themselves; what is left is for the next time.
        let params = vec![before.0.into(), 1000.into()];
        self.execute(&STEPS, params.clone()).await?;
        self.execute(&REVIEWS, params).await
    }

    async fn open_review(&self, row: &Row) -> Result<ReviewView, StoreError> {
        const STEPS: Sql = Sql::both(
            "SELECT state, time_us FROM review_step WHERE subject_id = $1 AND review_id = $2 ORDER BY time_us",
        );
        let state = |row: &Row, at, name: &'static str| {
            ReviewState::from_code(row.text(at, name)?).ok_or_else(|| row.corrupt(name))
        };
        let subject = SubjectId::from_bytes(row.id(0, "review.subject_id")?);
        let review = ReviewId::from_bytes(row.id(1, "review.review_id")?);
        let revision = row.number(7, "review.revision")?;
        let rows = self
            .read_all(&STEPS, vec![subject.bytes().into(), review.bytes().into()])
            .await?;
        let mut steps = Vec::with_capacity(rows.len());
        for step in &rows {
            let time = Timestamp(step.int(1, "review_step.time_us")?);
            steps.push((state(step, 0, "review_step.state")?, time));
        }
        // Several steps may bear one time, where little lies between them.
        steps.sort();
        let sealed = row.blob(8, "review.content")?;
        Ok(ReviewView {
            review,
            subject,
            state: state(row, 2, "review.state")?,
            requester: AccountId::from_bytes(row.id(3, "review.requester_id")?),
            lookup: LookupId::from_bytes(row.id(4, "review.lookup_id")?),
            due: Timestamp(row.int(5, "review.due_us")?),
            tries: u32::try_from(row.int(6, "review.tries")?).unwrap_or(u32::MAX),
            revision,
            content: self
                .open_part(subject, review, ReviewPart::Content(revision), sealed)
                .await?,
            steps,
        })
    }

    async fn open_part(
        &self,
        subject: SubjectId,
        review: ReviewId,
        part: ReviewPart,
        sealed: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let keys = self.keys_for(subject, &["record"]).await?;
        let key = keys.get("record").ok_or(StoreError::Erased)?;
        let row = review.bytes();
        let opened = envelope::open_row(key, &self.review_context(subject, &row, part), sealed);
        opened.map_err(|e| StoreError::Sealed(format!("review {review}: {e}")))
    }

    fn review_context<'a>(
        &'a self,
        subject: SubjectId,
        row: &'a [u8; 16],
        part: ReviewPart,
    ) -> envelope::Context<'a> {
        let (table, column, revision) = match part {
            ReviewPart::Content(revision) => ("review", "content", revision),
            // A picture never changes; its place is the rest of the row's key.
            ReviewPart::Picture(place) => ("review_picture", "bytes", place),
        };
        envelope::Context {
            realm: self.inner.root.realm(),
            table,
            column,
            subject: subject.bytes(),
            row,
            revision,
            key_version: KEY_VERSION,
        }
    }
}

async fn insert(tx: &Tx<'_>, subject: SubjectId, new: NewReview, time: Timestamp) -> Result<bool, DbError> {
    const ALIVE: Sql = Sql::both(
        "SELECT 1 FROM session WHERE session_id = $1 AND ended_us IS NULL AND expires_us > $2 \
         AND EXISTS (SELECT 1 FROM subject WHERE subject_id = $3 AND state = 'active')",
    );
    const OPEN: Sql = Sql::both("SELECT count(*) FROM review WHERE subject_id = $1 AND state <> 'closed'");
    let (s, r) = (Value::from(subject.bytes()), Value::from(new.review.bytes()));
    let alive = [new.session.bytes().into(), time.0.into(), s.clone()];
    if tx.query(&ALIVE, &alive).await?.is_empty() {
        return Ok(false);
    }
    let open = tx.query_one(&OPEN, std::slice::from_ref(&s)).await?;
    if open.int(0, "review.count")? >= MAX_OPEN_REVIEWS {
        return Ok(false);
    }
    let state = ReviewState::Submitted.code();
    let row = vec![
        s.clone(),
        r.clone(),
        state.into(),
        new.requester.bytes().into(),
        new.lookup.bytes().into(),
        time.0.into(),
        new.due.0.into(),
        new.next.0.into(),
        0.into(),
        new.repeat_key.into(),
        new.request_hash.into(),
        0.into(),
        new.content.into(),
    ];
    if tx.insert_many(&REVIEW, &[row]).await? == 0 {
        return Ok(false);
    }
    let picture =
        |(place, bytes): (usize, Vec<u8>)| vec![s.clone(), r.clone(), int(place as u64), bytes.into()];
    let pictures: Vec<Vec<Value>> = new.pictures.into_iter().enumerate().map(picture).collect();
    if !pictures.is_empty() {
        tx.insert_many(&PICTURE, &pictures).await?;
    }
    let step = vec![s.clone(), r.clone(), state.into(), time.0.into()];
    tx.insert_many(&STEP, &[step]).await?;
    Ok(true)
}

/// Removes all reviews of a person who is erased.
pub(crate) async fn remove_all(tx: &Tx<'_>, subject: SubjectId) -> Result<(), DbError> {
    const PICTURES: Sql = Sql::both("DELETE FROM review_picture WHERE subject_id = $1");
    const STEPS: Sql = Sql::both("DELETE FROM review_step WHERE subject_id = $1");
    const REVIEWS: Sql = Sql::both("DELETE FROM review WHERE subject_id = $1");
    for sql in [&PICTURES, &STEPS, &REVIEWS] {
        tx.execute(sql, &[subject.bytes().into()]).await?;
    }
    Ok(())
}

fn int(number: u64) -> Value {
    crate::entries::int(number).into()
}
