//! Goes on with record reviews: hands in what is not handed in yet, and asks how far the others are.
//!
//! Each step is a compare-and-set that is sealed with what it says, so that two nodes, or the job and the person who
//! just opened a review, may do the same at once: the source knows the number, and one of the two steps counts.

use std::{collections::BTreeMap, future::ready, time::Duration};

use domain::{
    ids::{ReviewId, SubjectId},
    review::{ReviewResult, ReviewState},
    time::Timestamp,
    working_days,
};
use futures_util::{StreamExt, future::join_all, stream};
use ledger::EntryType;
use sources::{ReviewQuestion, ReviewReply, ReviewStatus};
use store::{Act, Outcome, ReviewAdvance, Seal};
use tokio::time::Instant;

use super::{
    open_review::{act, digest},
    tell_news::tell_news,
    view_reviews::{self, Review, advance},
};
use crate::{app::App, error::Error};

/// How many one turn of the job looks at.
const AT_ONCE: u16 = 200;
/// How many of one source it goes on with at once. The sources do not wait for each other.
const PER_SOURCE: usize = 4;
/// For how long a turn begins with further ones: what is left is due at the next turn, in which a source that answers
/// is not behind one that does not.
const TURN: Duration = Duration::from_secs(10);
/// For how long a source is tried that is away, and how long after its due day one is asked that does not answer.
const PATIENCE_SECONDS: i64 = 14 * 24 * 3600;
const ANSWER_PATIENCE_SECONDS: i64 = 180 * 24 * 3600;
/// The first pause after a try in vain; it doubles each time, up to an hour.
const FIRST_PAUSE_SECONDS: i64 = 30;
const LONGEST_PAUSE_SECONDS: i64 = 3600;
/// For how long one try may last; the source's own deadline may be shorter.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Goes on with all that is due; how many came a step further or were put off.
///
/// # Errors
/// None could be gone on with.
pub async fn pursue_reviews(app: &App) -> Result<u64, Error> {
    let mut by_source: BTreeMap<String, Vec<Review>> = BTreeMap::new();
    let (mut done, mut failed) = (0, None);
    for (subject, id) in app.store.due_reviews(AT_ONCE).await? {
        match view_reviews::one(app, subject, id).await {
            Ok(review) => by_source
                .entry(review.content.source.clone())
                .or_default()
                .push(review),
            // Erased or forgotten meanwhile.
            Err(Error::NotFound) => put_off(app, subject, id).await?,
            // One that cannot be read must not hold up the others.
            Err(error) => {
                failed = Some(error);
                put_off(app, subject, id).await?;
            }
        }
    }
    let until = Instant::now() + TURN;
    let each = by_source.into_values().map(|reviews| {
        let some = stream::iter(reviews).take_while(move |_| ready(Instant::now() < until));
        some.map(|review| go_on(app, review))
            .buffer_unordered(PER_SOURCE)
            .collect::<Vec<_>>()
    });
    for result in join_all(each).await.into_iter().flatten() {
        match result {
            Ok(()) => done += 1,
            Err(error) => failed = Some(error),
        }
    }
    match failed {
        Some(error) if done == 0 => Err(error),
        _ => Ok(done),
    }
}

/// Makes way for others: so many as one turn looks at would else be looked at in each turn, and no other ever.
async fn put_off(app: &App, subject: SubjectId, id: ReviewId) -> Result<(), Error> {
    let next = app.now().plus_seconds(LONGEST_PAUSE_SECONDS);
    Ok(app.store.postpone_unread_review(subject, id, next).await?)
}

/// Goes on with one review.
///
/// # Errors
/// The database, or nothing can be sealed now: then it stays as it is.
pub(super) async fn pursue(app: &App, subject: SubjectId, id: ReviewId) -> Result<(), Error> {
    match view_reviews::one(app, subject, id).await {
        Err(Error::NotFound) => Ok(()),
        review => go_on(app, review?).await,
    }
}

async fn go_on(app: &App, review: Review) -> Result<(), Error> {
    let (subject, id) = (review.view.subject, review.view.review);
    let about = app.store.subject(subject).await?.filter(|s| s.active);
    let Some(person) = about.and_then(|s| s.person) else {
        return put_off(app, subject, id).await;
    };
    let mut question = ReviewQuestion {
        lookup: review.view.lookup,
        source: review.content.source.clone(),
        kind: review.content.kind.clone(),
        person,
        number: review.number(),
        source_number: review.content.source_number.clone(),
        text: String::new(),
        images: vec![],
        deadline: Instant::now() + DEADLINE,
    };
    match review.view.state {
        ReviewState::Submitted => {
            let pictures = app.store.review_pictures(subject, id).await?;
            let digest = digest(&review.content.text, &pictures);
            question.text.clone_from(&review.content.text);
            question.images = pictures.into_iter().map(Into::into).collect();
            hand_in(app, review, question, digest).await
        }
        ReviewState::Received => ask(app, review, question).await,
        ReviewState::Answered | ReviewState::Closed => Ok(()),
    }
}

async fn hand_in(
    app: &App,
    mut review: Review,
    question: ReviewQuestion,
    digest: [u8; 32],
) -> Result<(), Error> {
    let mut due = None;
    let (outcome, to) = match app.sources.submit(&question).await {
        Ok(ReviewReply::Accepted(number)) => {
            review.content.source_number = Some(number);
            due = recount(app, &mut review);
            ("accepted", ReviewState::Received)
        }
        Ok(ReviewReply::Refused) => {
            review.content.result = Some(ReviewResult::Refused);
            ("refused", ReviewState::Closed)
        }
        Err(_) if !is_over(app, &review, PATIENCE_SECONDS) => return try_again(app, &review).await,
        Err(_) => {
            review.content.result = Some(ReviewResult::Undelivered);
            ("undelivered", ReviewState::Closed)
        }
    };
    let poll = poll_seconds(app, &review);
    let next = (to == ReviewState::Received).then(|| app.now().plus_seconds(poll));
    let (mut shared, chain) = act(
        app,
        &review.content,
        review.view.subject,
        review.view.lookup,
        digest,
    );
    shared.outcome = Some(outcome.to_owned());
    shared.about = Some(
        match to {
            ReviewState::Received => "review-received",
            _ => "review-not-taken",
        }
        .to_owned(),
    );
    let step = ReviewAdvance {
        due,
        ..advance(app, &review, to, next).await?
    };
    let effect = app.store.advance_review(review.view.subject, step);
    seal(app, &review, (shared, chain), Act::Change(effect)).await
}

/// The day until which the source answers, counted from today, on which it has taken the review: it may have been away
/// for days.
fn recount(app: &App, review: &mut Review) -> Option<Timestamp> {
    let terms = app
        .sources
        .review_terms(&review.content.source, &review.content.kind)?;
    let due = working_days::after(app.now().date_in_china(), terms.working_days);
    review.content.estimated = due.estimated;
    Timestamp::start_of(due.date)
}

async fn ask(app: &App, mut review: Review, question: ReviewQuestion) -> Result<(), Error> {
    let (result, answer, to) = match app.sources.review_status(&question).await {
        Ok(ReviewStatus::Corrected(text)) => (ReviewResult::Corrected, text, ReviewState::Answered),
        Ok(ReviewStatus::Upheld(text)) => (ReviewResult::Upheld, text, ReviewState::Answered),
        other if is_over(app, &review, ANSWER_PATIENCE_SECONDS) => {
            drop(other);
            (ReviewResult::Unanswered, None, ReviewState::Closed)
        }
        Ok(ReviewStatus::Pending) => {
            let next = app.now().plus_seconds(poll_seconds(app, &review));
            return Ok(app.store.postpone_review(&review.view, next, false).await?);
        }
        Err(_) => return try_again(app, &review).await,
    };
    (review.content.result, review.content.answer) = (Some(result), answer);
    let (subject, lookup) = (review.view.subject, review.view.lookup);
    let (mut shared, mut chain) = act(app, &review.content, subject, lookup, [0; 32]);
    // The authority's act and not ours: what it said is noted.
    shared.entry_type = EntryType::Change;
    shared.about = Some("review-answered".to_owned());
    shared.outcome = Some(result.code().to_owned());
    chain.detail.clear();
    let step = advance(app, &review, to, None).await?;
    let effect = app.store.advance_review(subject, step);
    seal(app, &review, (shared, chain), Act::Change(effect)).await
}

async fn seal(
    app: &App,
    review: &Review,
    (shared, chain): (ledger::Shared, ledger::Chain),
    act: Act,
) -> Result<(), Error> {
    let owner = review.view.subject;
    let seal = Seal {
        owner,
        shared,
        chain,
        act,
    };
    match app.store.seal(seal).await? {
        Outcome::Sealed(_) => tell_news(app, review.view.requester, review.content.lang).await,
        // Another node, or the erasure of the person, was first: nothing was written, and there is nothing to tell.
        Outcome::Refused(_) | Outcome::Nothing => {}
    }
    Ok(())
}

async fn try_again(app: &App, review: &Review) -> Result<(), Error> {
    let doubled = FIRST_PAUSE_SECONDS << review.view.tries.min(10);
    let next = app.now().plus_seconds(doubled.min(LONGEST_PAUSE_SECONDS));
    Ok(app.store.postpone_review(&review.view, next, true).await?)
}

/// Whether so many seconds have passed: since it was opened, or after the source was to answer.
fn is_over(app: &App, review: &Review, seconds: i64) -> bool {
    let opened = review
        .view
        .steps
        .first()
        .map_or(review.view.due, |(_, time)| *time);
    let since = match review.view.state {
        ReviewState::Submitted => opened,
        _ => review.view.due,
    };
    app.now() > since.plus_seconds(seconds)
}

fn poll_seconds(app: &App, review: &Review) -> i64 {
    let terms = app
        .sources
        .review_terms(&review.content.source, &review.content.kind);
    // A source that takes no reviews any more is asked by the hour about those that it took.
    i64::from(terms.map_or(60, |t| t.poll_minutes)) * 60
}
