//! My requests for help (我的求助): record reviews, opened from an answer, with their steps and due date.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Multipart, Path, Query, State},
    http::StatusCode,
};
use bytes::Bytes;
use domain::{
    ids::{LookupId, ReviewId},
    review::{MAX_PICTURES, ReviewResult, ReviewState},
    words::Level,
    working_days,
};
use serde::Deserialize;

use super::{
    Answer, Failed, Guest, Holder, Page, Shared,
    answer::AnswerView,
    dates,
    form::{self, TOKEN},
    html, kinds,
    look_up::once,
    page::{go, html_with},
    values::Shown,
};
use crate::{
    actions::{
        open_review::{self, Opening},
        view_history,
        view_reviews::{self, Review},
    },
    api::reviews::{attachment, repetition},
    app::App,
    error::Error,
    evidence,
};

/// The list.
#[derive(Template)]
#[template(path = "reviews.html")]
pub(super) struct ReviewsView {
    pub(super) p: Page,
    pub(super) rows: Vec<ReviewLine>,
}

/// One review in a list.
#[derive(Debug)]
pub(super) struct ReviewLine {
    pub(super) id: String,
    pub(super) number: String,
    pub(super) kind: String,
    /// The code of its state, and of its result once it has one: they name their messages.
    pub(super) state: &'static str,
    pub(super) result: Option<&'static str>,
    pub(super) due: String,
}

/// One review in full.
#[derive(Template)]
#[template(path = "review.html")]
pub(super) struct ReviewView {
    pub(super) p: Page,
    pub(super) line: ReviewLine,
    /// What follows from it.
    pub(super) next: String,
    /// The kind to be looked up again by the person, where nobody else can.
    pub(super) again: Option<String>,
    pub(super) lookup: String,
    pub(super) source: String,
    pub(super) source_number: Option<String>,
    pub(super) estimated: bool,
    pub(super) text: String,
    /// The places of pictures that are still kept.
    pub(super) pictures: Vec<usize>,
    /// What the source says.
    pub(super) said: Option<String>,
    pub(super) steps: Vec<(&'static str, String)>,
    /// The repeated look-up's answer, or else its id.
    pub(super) repeated: Option<AnswerView>,
    pub(super) repeated_lookup: Option<String>,
    /// For a field that can be asked for without its mask; it is not here.
    pub(super) may_reveal: bool,
    pub(super) once: String,
    pub(super) key: Vec<(String, String)>,
}

/// The form.
#[derive(Template)]
#[template(path = "review_new.html")]
pub(super) struct AskView {
    pub(super) p: Page,
    pub(super) lookup: String,
    pub(super) kind: String,
    pub(super) outcome: String,
    pub(super) source: String,
    pub(super) due: String,
    pub(super) estimated: bool,
    pub(super) once: String,
    pub(super) text: String,
    /// The code of what was typed wrong.
    pub(super) error: Option<String>,
}

/// From which look-up.
#[derive(Deserialize)]
pub(crate) struct From {
    #[serde(default)]
    look_up: String,
}

/// My reviews.
pub(crate) async fn list(State(app): Shared, holder: Holder) -> Answer {
    holder.needs_name_if_proven()?;
    let reviews = view_reviews::reviews(&app, &holder.requester).await?;
    let page = holder.page;
    html(&ReviewsView {
        rows: reviews.iter().map(|review| line(&app, &page, review)).collect(),
        p: page,
    })
}

/// The form, opened from an answer.
pub(crate) async fn ask(State(app): Shared, holder: Holder, Query(from): Query<From>) -> Answer {
    holder.needs(Level::L2)?;
    html(&form_of(&app, &holder, &from.look_up, (String::new(), None)).await?)
}

/// Opens a review.
pub(crate) async fn open(State(app): Shared, guest: Guest, holder: Holder, parts: Multipart) -> Answer {
    holder.needs(Level::L2)?;
    let upload = Upload::read(parts).await?;
    if !form::is_ours(&app, &guest.binding, &upload.token) || upload.once.is_empty() {
        return Err(Error::Forged.into());
    }
    let lookup = LookupId::parse(&upload.look_up).ok_or(Error::NotFound)?;
    let whole = (lookup, upload.text.as_str(), upload.pictures.as_slice());
    let repeat = repetition(&app, &holder.requester, Some(upload.once.as_bytes()), whole)?;
    let opening = Opening {
        lookup,
        text: upload.text.clone(),
        pictures: upload.pictures,
        repeat,
        lang: holder.page.lang,
    };
    let (shared, requester) = (Arc::clone(&app), holder.requester);
    let task = tokio::spawn(async move { open_review::open_review(&shared, &requester, opening).await });
    match task.await.map_err(Error::from)? {
        Ok(review) => Ok(go(&format!("/reviews/{}", review.view.review))),
        Err(Error::Bad {
            code: code @ ("REVIEW_TEXT" | "EVIDENCE_UNUSABLE"),
            ..
        }) => {
            let typed = (upload.text, Some(code.to_owned()));
            let view = form_of(&app, &holder, &upload.look_up, typed).await?;
            html_with(StatusCode::BAD_REQUEST, &view)
        }
        Err(error) => Err(error.into()),
    }
}

/// One of my reviews. After the source's answer this repeats the look-up, once.
pub(crate) async fn show(State(app): Shared, holder: Holder, Path(id): Path<String>) -> Answer {
    holder.needs(Level::L2)?;
    let id = ReviewId::parse(&id).ok_or(Error::NotFound)?;
    let (shared, requester) = (Arc::clone(&app), holder.requester);
    let at = (holder.page.lang, holder.arrived);
    let task = tokio::spawn(async move { view_reviews::review(&shared, &requester, id, at).await });
    let (review, answered) = task.await.map_err(Error::from)??;
    let (page, content) = (holder.page, &review.content);
    let steps = review.view.steps.iter();
    let is_repeated = answered.is_some() || content.repeated.is_some();
    let (next, ask_again) = next(&page, &review, is_repeated);
    html(&ReviewView {
        line: line(&app, &page, &review),
        next,
        again: ask_again.then(|| content.kind.clone()),
        lookup: review.view.lookup.to_string(),
        source: kinds::source_name(&app, &page, &content.source),
        source_number: content.source_number.clone(),
        estimated: content.estimated,
        text: content.text.clone(),
        pictures: match content.result {
            None => (1..=content.pictures).collect(),
            Some(_) => vec![],
        },
        said: content.answer.clone(),
        steps: steps
            .map(|(state, time)| (state.code(), page.time(*time)))
            .collect(),
        repeated: answered.map(|a| AnswerView::of(&app, &page, &a, &[])),
        repeated_lookup: content.repeated.map(|id| id.to_string()),
        may_reveal: false,
        once: String::new(),
        key: vec![],
        p: page,
    })
}

/// A picture of one of my reviews, to be saved.
pub(crate) async fn picture(
    State(app): Shared,
    holder: Holder,
    Path((id, place)): Path<(String, String)>,
) -> Answer {
    let id = ReviewId::parse(&id).ok_or(Error::NotFound)?;
    let place = place.parse().map_err(|_| Error::NotFound)?;
    Ok(attachment(
        view_reviews::picture(&app, &holder.requester, id, place).await?,
    ))
}

async fn form_of(
    app: &App,
    holder: &Holder,
    look_up: &str,
    (text, error): (String, Option<String>),
) -> Result<AskView, Error> {
    let page = &holder.page;
    let lookup = LookupId::parse(look_up).ok_or(Error::NotFound)?;
    let view = view_history::lookup(app, &holder.requester, lookup).await?;
    let about = open_review::disputable(app, &holder.requester, &view).ok_or_else(|| {
        let expected = "a look-up of your own whose source takes reviews";
        Error::bad("REVIEW_NOT_POSSIBLE", "look_up", expected)
    })?;
    let due = working_days::after(app.now().date_in_china(), about.terms.working_days);
    Ok(AskView {
        p: page.clone(),
        lookup: lookup.to_string(),
        kind: kinds::name(app, page, &about.kind),
        outcome: about.outcome.code().to_owned(),
        source: kinds::source_name(app, page, &about.source),
        due: dates::date(page.lang, due.date),
        estimated: due.estimated,
        once: once(app),
        text,
        error,
    })
}

/// What follows from how far it is, and whether the person is to ask again themselves. That the look-up was repeated is
/// said only where it was: what was compared in it is kept nowhere.
fn next(page: &Page, review: &Review, is_repeated: bool) -> (String, bool) {
    let state = review.view.state;
    match review.content.result {
        Some(ReviewResult::Corrected) if !is_repeated => match state {
            ReviewState::Closed => (page.t("review-corrected-ask-again"), true),
            _ => (page.t("review-corrected-not-yet"), false),
        },
        Some(result) => (page.word("review-result-next", result.code()), false),
        None => (page.word("review-next", state.code()), false),
    }
}

fn line(app: &App, page: &Page, review: &Review) -> ReviewLine {
    ReviewLine {
        id: review.view.review.to_string(),
        number: review.number(),
        kind: kinds::name(app, page, &review.content.kind),
        state: review.view.state.code(),
        result: review.content.result.map(ReviewResult::code),
        due: dates::date(page.lang, review.view.due.date_in_china()),
    }
}

/// A form with pictures.
#[derive(Default)]
struct Upload {
    token: String,
    once: String,
    look_up: String,
    text: String,
    pictures: Vec<Bytes>,
}

impl Upload {
    async fn read(mut parts: Multipart) -> Result<Self, Failed> {
        let malformed = |_| Error::bad("BAD_VALUE", "form", "the form of this site");
        let mut upload = Upload::default();
        let mut count = 0;
        while let Some(part) = parts.next_field().await.map_err(malformed)? {
            count += 1;
            let name = part.name().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(malformed)?;
            let most = match name.as_str() {
                // One too many bytes, or pictures, is told by the action, beside the field.
                "pictures" => evidence::MAX_BYTES + 1,
                _ => 16 * 1024,
            };
            if count > 12 {
                return Err(Error::bad("FORM_TOO_LARGE", "form", "fewer or shorter values").into());
            }
            let text = || {
                String::from_utf8_lossy(&bytes[..bytes.len().min(most)])
                    .trim()
                    .to_owned()
            };
            match name.as_str() {
                TOKEN => upload.token = text(),
                "once" => upload.once = text(),
                "look_up" => upload.look_up = text(),
                "text" => upload.text = text(),
                // A browser sends an empty part where no file was chosen.
                "pictures" if !bytes.is_empty() && upload.pictures.len() <= MAX_PICTURES => {
                    upload.pictures.push(bytes);
                }
                _ => {}
            }
        }
        Ok(upload)
    }
}
