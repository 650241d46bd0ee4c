//! My record reviews: the list, one of them, its pictures. When the source has answered, the look-up is repeated.
//!
//! A job cannot repeat it: a record is released to a living session only, and the answer may come days later. So it is
//! repeated when the person next opens the review, once, and the review is closed with it.

use bytes::Bytes;
use domain::{
    ids::{LookupId, ReviewId, SubjectId},
    lookup::{RawLookup, SubjectRef},
    requester::Requester,
    review::{ReviewResult, ReviewState},
    words::{LegalBasis, Mode},
};
use ledger::cbor::Value;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use store::{LookupView, ReviewAdvance, ReviewPart, ReviewView};
use tokio::time::Instant;

use super::{
    guards::{may_view_own, still_signed_in},
    look_up::{self, Answered, Ask},
    seal_change::{requester_of, seal_change},
    view_history,
    view_image::highest_level,
};
use crate::{
    app::{App, Lang},
    error::Error,
};

/// How many a list shows.
const SHOWN: u16 = 100;

/// What of a review is kept encrypted.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReviewContent {
    /// The record kind's id.
    pub kind: String,
    /// The source that gave the answer.
    pub source: String,
    /// What became of the look-up.
    pub outcome: String,
    /// What is wrong, in the person's words.
    pub text: String,
    /// How many pictures were handed in.
    pub pictures: usize,
    /// The day by which the source is to answer may move: a year on the way has no calendar yet.
    pub estimated: bool,
    /// The source's own number.
    pub source_number: Option<String>,
    /// How it ended.
    pub result: Option<ReviewResult>,
    /// What the source says to it.
    pub answer: Option<String>,
    /// The look-up that was repeated.
    pub repeated: Option<LookupId>,
    /// The language in which it was opened, in which the person is told how it goes on.
    #[serde(default)]
    pub lang: Lang,
}

/// A review as the person sees it.
pub struct Review {
    /// How far it is.
    pub view: ReviewView,
    /// What it says.
    pub content: ReviewContent,
}

impl std::fmt::Debug for Review {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.view.fmt(f)
    }
}

impl Review {
    pub(super) fn read(view: ReviewView) -> Result<Self, Error> {
        let content = serde_json::from_slice(&view.content);
        let content = content.map_err(|_| Error::Internal("a review does not parse".into()))?;
        Ok(Review { view, content })
    }

    /// Its number for people.
    #[must_use]
    pub fn number(&self) -> String {
        domain::review::number(self.view.review)
    }
}

/// My reviews, newest first.
///
/// # Errors
/// The session's level is too low, too many in a minute, or the database does not answer.
pub async fn reviews(app: &App, requester: &Requester) -> Result<Vec<Review>, Error> {
    let Some(subject) = may_view_own(app, requester)? else {
        return Ok(vec![]);
    };
    let views = app.store.reviews_of(subject, SHOWN).await?;
    views.into_iter().map(Review::read).collect()
}

/// One of my reviews, and the answer to the repeated look-up where there is one to show.
///
/// # Errors
/// There is none of theirs with that id, or as [`reviews`].
pub async fn review(
    app: &App,
    requester: &Requester,
    id: ReviewId,
    (lang, arrived): (Lang, Instant),
) -> Result<(Review, Option<Answered>), Error> {
    let subject = may_view_own(app, requester)?.ok_or(Error::NotFound)?;
    let review = one(app, subject, id).await?;
    if review.view.state == ReviewState::Answered {
        return repeat(app, requester, review, (lang, arrived)).await;
    }
    let answered = match review.content.repeated {
        Some(lookup) => kept(app, requester, subject, lookup).await?,
        None => None,
    };
    Ok((review, answered))
}

/// The kept answer of the repeated look-up, at the level that its kind needs, for whoever is still signed in.
async fn kept(
    app: &App,
    requester: &Requester,
    subject: SubjectId,
    lookup: LookupId,
) -> Result<Option<Answered>, Error> {
    let kept = app.store.kept_answer(subject, requester.account, lookup).await?;
    let answered: Option<Answered> = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
    let suffices = |answered: &Answered| {
        let kind = app.kinds.get(&answered.kind);
        kind.is_some_and(|loaded| requester.level >= highest_level(&loaded.kind))
    };
    let answered = answered.filter(suffices);
    if answered.is_some() {
        still_signed_in(app, requester).await?;
    }
    Ok(answered)
}

/// One picture of a review, counted from one, while the review is under way.
///
/// # Errors
/// There is none, or as [`review`].
pub async fn picture(app: &App, requester: &Requester, id: ReviewId, place: usize) -> Result<Bytes, Error> {
    let subject = may_view_own(app, requester)?.ok_or(Error::NotFound)?;
    let mut pictures = app.store.review_pictures(subject, id).await?;
    let at = place.checked_sub(1).filter(|at| *at < pictures.len());
    Ok(pictures.swap_remove(at.ok_or(Error::NotFound)?).into())
}

/// The review, for whom it belongs to.
pub(super) async fn one(app: &App, subject: SubjectId, id: ReviewId) -> Result<Review, Error> {
    let view = app.store.review(subject, id).await?;
    Review::read(view.ok_or(Error::NotFound)?)
}

/// Repeats the look-up and closes the review. What cannot be repeated now, for whatever reason, stays answered.
async fn repeat(
    app: &App,
    requester: &Requester,
    mut review: Review,
    at: (Lang, Instant),
) -> Result<(Review, Option<Answered>), Error> {
    let before = view_history::lookup(app, requester, review.view.lookup).await?;
    let asked = match question(app, &review, &before, at) {
        Some(ask) => match look_up::look_up(app, requester, ask).await {
            Ok(answered) if !answered.outcome.is_failure() => Some(answered),
            // The source is away, or the level does not suffice for this kind: another time.
            Ok(answered) => return Ok((review, Some(answered))),
            Err(_) => return Ok((review, None)),
        },
        // What was compared is kept nowhere, so that the person has to ask again.
        None => None,
    };
    review.content.repeated = asked.as_ref().map(|answered| answered.lookup);
    let step = advance(app, &review, ReviewState::Closed, None).await?;
    let effect = app.store.advance_review(review.view.subject, step);
    let by = requester_of(requester);
    seal_change(app, review.view.subject, by, "review-closed", effect).await?;
    Ok((one(app, review.view.subject, review.view.review).await?, asked))
}

/// The same question again, of the same region and as fresh; `None` where what was claimed in it is not known any
/// more.
fn question(
    app: &App,
    review: &Review,
    before: &LookupView,
    (lang, arrived): (Lang, Instant),
) -> Option<Ask> {
    let (opening, chain) = (&before.entry.shared, &before.entry.chain);
    let mode = Mode::from_code(opening.mode.as_deref()?)?;
    let mut raw = RawLookup {
        purpose: opening.purpose.clone()?,
        basis: LegalBasis::from_code(opening.basis.as_deref()?),
        ..RawLookup::default()
    };
    match mode {
        Mode::Read => raw.fields = Some(opening.fields.to_vec()),
        Mode::Predicate => raw.predicates = opening.fields.to_vec(),
        Mode::Match if !opening.fields.is_empty() => return None,
        Mode::Match | Mode::List => {}
    }
    for (name, value) in &chain.detail {
        if let (Some(part), Value::Text(text)) = (name.strip_prefix("key."), value) {
            raw.key.insert(part.to_owned(), text.as_str().into());
        }
    }
    // Whoever opens the review twice in a minute gets one look-up; one that failed can be tried again after it.
    let minute = app.now().0.div_euclid(60_000_000);
    let key = Sha256::new()
        .chain_update(b"mingcha-review-repeated")
        .chain_update(review.view.review.bytes())
        .chain_update(minute.to_be_bytes());
    let key: [u8; 32] = key.finalize().into();
    Some(Ask {
        kind: review.content.kind.clone(),
        mode,
        subject: SubjectRef::Own,
        raw,
        wanted: look_up::wanted_of(chain)?,
        own: None,
        portrait: None,
        repeat: Some((key, key)),
        proofing: false,
        lang,
        arrived,
    })
}

/// The step into a state, with the content as it stands now.
pub(super) async fn advance(
    app: &App,
    review: &Review,
    to: ReviewState,
    next: Option<domain::time::Timestamp>,
) -> Result<ReviewAdvance, Error> {
    let view = &review.view;
    let plain = serde_json::to_vec(&review.content).map_err(|e| Error::Internal(e.to_string()))?;
    let part = ReviewPart::Content(view.revision + 1);
    Ok(ReviewAdvance {
        review: view.review,
        from: view.state,
        revision: view.revision,
        to,
        content: app
            .store
            .encrypt_review(view.subject, view.review, part, &plain)
            .await?,
        next,
        due: None,
    })
}
