//! Opens a record review (档案复核): what is wrong with an answer, with pictures, handed in to the source that gave it.
//!
//! The ACT is durable before the source hears of it, together with all that is needed to hand it in again after a
//! crash; the source knows a repetition by the review's number.

use bytes::Bytes;
use domain::{
    ids::{LookupId, ReviewId, SubjectId},
    outcome::Outcome,
    requester::Requester,
    review::{self, MAX_PICTURES},
    time::Timestamp,
    working_days,
};
use ledger::{Chain, EntryType, Hash, Shared, cbor::Value};
use sha2::{Digest, Sha256};
use sources::ReviewTerms;
use store::{Act, LookupView, NewReview, ReviewPart, Seal};

use super::{
    guards::{demand_proven, may_view_own, still_signed_in},
    look_up::DAY_SECONDS,
    pursue_reviews,
    seal_change::requester_of,
    view_history,
    view_reviews::{self, Review, ReviewContent},
};
use crate::{
    app::{App, Lang},
    error::Error,
    evidence,
};

/// Reviews that one account may open within a day.
const PER_DAY: i64 = 10;
/// How long the job leaves a review alone which is just being handed in.
const HEAD_START_SECONDS: i64 = 10;

/// A review as it arrived.
pub struct Opening {
    /// The look-up whose answer is disputed.
    pub lookup: LookupId,
    /// What is wrong.
    pub text: String,
    /// PNG or JPEG files.
    pub pictures: Vec<Bytes>,
    /// The requester's idempotency key, and a hash of the whole request.
    pub repeat: ([u8; 32], [u8; 32]),
    /// The language in which the person is told how it goes on.
    pub lang: Lang,
}

impl std::fmt::Debug for Opening {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opening({}, redacted)", self.lookup)
    }
}

/// An answer that can be disputed.
#[derive(Debug)]
pub struct Disputable {
    /// The record kind's id.
    pub kind: String,
    /// The source that is asked: the one that gave the answer, or else another that said something of it.
    pub source: String,
    /// What it answered.
    pub outcome: Outcome,
    /// On what terms it takes reviews.
    pub terms: ReviewTerms,
}

/// Whether, where and on what terms a look-up's answer can be disputed: it was the requester's own, it said something
/// that a review may follow from, and a source of it takes reviews.
#[must_use]
pub fn disputable(app: &App, requester: &Requester, view: &LookupView) -> Option<Disputable> {
    let opening = &view.entry.shared;
    let outcome = Outcome::from_code(opening.outcome.as_deref()?)?;
    let kind = opening.kind.clone()?;
    // Where sources differ, any of them may be the one that is wrong; the one that answered is asked first.
    let others = opening
        .disclosed
        .keys()
        .filter_map(|id| Some(id.split_once('@')?.1));
    let (source, terms) = opening
        .source
        .as_deref()
        .into_iter()
        .chain(others)
        .find_map(|source| {
            let terms = app.sources.review_terms(source, &kind)?;
            Some((source.to_owned(), terms))
        })?;
    let own = requester.subject == Some(view.subject) && view.state == "released";
    (own && review::may_follow(outcome)).then_some(Disputable {
        kind,
        source,
        outcome,
        terms,
    })
}

/// Opens a review and hands it in. Where the source is away, the job does it later.
///
/// # Errors
/// No such look-up or none that can be disputed, wrong text or pictures, too many, or nothing can be sealed now.
pub async fn open_review(app: &App, requester: &Requester, opening: Opening) -> Result<Review, Error> {
    demand_proven(requester)?;
    still_signed_in(app, requester).await?;
    let subject = may_view_own(app, requester)?.ok_or(Error::NotFound)?;
    if let Some(before) = repeated(app, subject, &opening).await? {
        return Ok(before);
    }
    let text = review::text(&opening.text);
    let text = text.ok_or_else(|| Error::bad("REVIEW_TEXT", "text", "1 to 1000 characters"))?;
    let lookup = view_history::lookup(app, requester, opening.lookup).await?;
    let about = disputable(app, requester, &lookup);
    let about = about.ok_or_else(|| {
        let expected = "a look-up of your own whose source takes reviews";
        Error::bad("REVIEW_NOT_POSSIBLE", "lookup_id", expected)
    })?;
    let counted = app
        .store
        .count_attempt("reviews", &requester.account.bytes(), DAY_SECONDS)
        .await?;
    if counted.count > PER_DAY {
        return Err(Error::too_many(counted.until, app.now()));
    }
    let pictures = cleaned(&opening.pictures).await?;
    let id = seal(app, requester, (subject, &opening), about, (text, pictures)).await?;
    // What does not come to an end here the job goes on with.
    if let Err(error) = pursue_reviews::pursue(app, subject, id).await {
        tracing::warn!(code = error.code(), "a review was not handed in at once");
    }
    view_reviews::one(app, subject, id).await
}

async fn repeated(app: &App, subject: SubjectId, opening: &Opening) -> Result<Option<Review>, Error> {
    let (key, hash) = opening.repeat;
    match app.store.repeated_review(subject, key, hash).await? {
        None => Ok(None),
        Some((_, false)) => Err(Error::Conflict("IDEMPOTENCY_KEY_REUSED")),
        Some((id, true)) => view_reviews::one(app, subject, id).await.map(Some),
    }
}

/// The pictures with nothing in them but pixels.
async fn cleaned(files: &[Bytes]) -> Result<Vec<Vec<u8>>, Error> {
    let unusable = || {
        let expected = "at most 3 pictures, each a JPEG or PNG of at most 1 MiB and 20 megapixels";
        Error::bad("EVIDENCE_UNUSABLE", "pictures", expected)
    };
    if files.len() > MAX_PICTURES {
        return Err(unusable());
    }
    let mut pictures = Vec::with_capacity(files.len());
    for file in files {
        pictures.push(evidence::clean(file.clone()).await.ok_or_else(unusable)?);
    }
    Ok(pictures)
}

/// Seals that the review is handed in, together with the review itself.
async fn seal(
    app: &App,
    requester: &Requester,
    (subject, opening): (SubjectId, &Opening),
    about: Disputable,
    (text, pictures): (String, Vec<Vec<u8>>),
) -> Result<ReviewId, Error> {
    let now = app.now();
    let id = app.store.random().id(now, ReviewId::new);
    let due = working_days::after(now.date_in_china(), about.terms.working_days);
    let content = ReviewContent {
        kind: about.kind,
        source: about.source,
        outcome: about.outcome.code().to_owned(),
        text,
        pictures: pictures.len(),
        estimated: due.estimated,
        source_number: None,
        result: None,
        answer: None,
        repeated: None,
        lang: opening.lang,
    };
    let entry = act(
        app,
        &content,
        subject,
        opening.lookup,
        digest(&content.text, &pictures),
    );
    let plain = serde_json::to_vec(&content).map_err(|e| Error::Internal(e.to_string()))?;
    let mut sealed = vec![];
    for (place, picture) in pictures.iter().enumerate() {
        let part = ReviewPart::Picture(place as u64);
        sealed.push(app.store.encrypt_review(subject, id, part, picture).await?);
    }
    let new = NewReview {
        review: id,
        requester: requester.account,
        session: requester.session,
        lookup: opening.lookup,
        due: Timestamp::start_of(due.date).unwrap_or(now),
        next: now.plus_seconds(HEAD_START_SECONDS),
        repeat_key: opening.repeat.0,
        request_hash: opening.repeat.1,
        content: app
            .store
            .encrypt_review(subject, id, ReviewPart::Content(0), &plain)
            .await?,
        pictures: sealed,
    };
    let (shared, mut chain) = entry;
    chain.requester = requester_of(requester);
    let effect = app.store.new_review(subject, new);
    let act = Act::Change(effect);
    let seal = Seal {
        owner: subject,
        shared,
        chain,
        act,
    };
    match app.store.seal(seal).await? {
        store::Outcome::Sealed(_) | store::Outcome::Refused(_) => Ok(id),
        // Opened meanwhile under the same key, or too many are under way, or the session has ended.
        store::Outcome::Nothing => match repeated(app, subject, opening).await? {
            Some(before) => Ok(before.view.review),
            None => Err(Error::Conflict("TOO_MANY_REVIEWS")),
        },
    }
}

/// The openings of what is done about a review at its source.
pub(super) fn act(
    app: &App,
    content: &ReviewContent,
    subject: SubjectId,
    lookup: LookupId,
    digest: [u8; 32],
) -> (Shared, Chain) {
    let mut shared = Shared::new(EntryType::Act, 0, subject.bytes().to_vec());
    shared.about = Some("review-submitted".to_owned());
    shared.lookup = Some(lookup.bytes());
    shared.kind = Some(content.kind.clone());
    shared.source = Some(content.source.clone());
    shared.policy = Some(app.policy_version());
    let chain = Chain {
        owner: subject.bytes(),
        sequence: 0,
        previous: Hash::ZERO,
        reasons: vec![],
        requester: super::seal_change::deployment(),
        detail: [("submitted".to_owned(), Value::Bytes(digest.to_vec()))].into(),
    };
    (shared, chain)
}

/// What is handed in, as one hash: the text, and each picture, in their order.
pub(super) fn digest(text: &str, pictures: &[Vec<u8>]) -> [u8; 32] {
    let mut all = Sha256::new().chain_update(Sha256::digest(text));
    for picture in pictures {
        all.update(Sha256::digest(picture));
    }
    all.finalize().into()
}
