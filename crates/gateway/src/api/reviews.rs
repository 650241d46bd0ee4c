//! Record reviews: open one, see mine, fetch its pictures.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use domain::{
    ids::{LookupId, ReviewId},
    requester::Requester,
    review::MAX_PICTURES,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    Asking, Bearer, Body, Path, Problem, ProvenBearer, Shared, Written,
    lookups::LookupBody,
    problem::ProblemBody,
    problems::{CountedProblems, HistoryProblems},
    to_the_end,
};
use crate::{
    actions::{
        look_up::Answered,
        open_review::{self, Opening},
        view_reviews::{self, Review},
    },
    app::App,
    error::Error,
};

/// The largest body that opens a review: three pictures of 1 MiB in base64, and the text.
pub const MAX_REVIEW_BODY: usize = 4 * 1024 * 1024 + 256 * 1024;

/// What is wrong with an answer.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ReviewRequest {
    /// The look-up whose answer is disputed.
    lookup_id: String,
    /// What is wrong, in 1 to 1000 characters.
    text: String,
    /// At most three pictures in base64: PNG or JPEG, each at most 1 MiB and 20 megapixels.
    #[serde(default)]
    pictures: Vec<String>,
}

/// A record review.
#[derive(Serialize, ToSchema)]
pub struct ReviewBody {
    /// Its id.
    review_id: String,
    /// Its number, for people and for the source.
    number: String,
    /// `submitted`, `received`, `answered` or `closed`.
    state: &'static str,
    /// The look-up whose answer is disputed.
    lookup_id: String,
    /// The record kind's id.
    kind: String,
    /// The source that gave the answer.
    source: String,
    /// What became of that look-up.
    outcome: String,
    /// What is wrong, in the person's words.
    text: String,
    /// How many pictures were handed in; they are kept until the answer.
    pictures: usize,
    /// The day by which the source is to answer, by working days.
    due: String,
    /// Holidays of that year are not announced yet: the day may move.
    due_estimated: bool,
    /// The source's own number, once it has taken the review.
    source_number: Option<String>,
    /// `corrected`, `upheld`, `refused`, `undelivered` or `unanswered`, once it has ended.
    result: Option<&'static str>,
    /// What the source says to it.
    answer: Option<String>,
    /// When it came into each state.
    steps: Vec<StepBody>,
    /// The look-up that was repeated after the answer. None in a closed review where values had been compared: they are
    /// kept nowhere, so that it is for the person to ask again.
    repeated_lookup_id: Option<String>,
    /// Its answer, when it was just repeated or is still kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    lookup: Option<LookupBody>,
}

/// One step of a review.
#[derive(Serialize, ToSchema)]
pub struct StepBody {
    state: &'static str,
    time: String,
}

impl ReviewBody {
    fn of(app: &App, review: Review, answered: Option<Answered>) -> Self {
        let number = review.number();
        let (view, content) = (review.view, review.content);
        let step = |(state, time): &(domain::review::ReviewState, domain::time::Timestamp)| StepBody {
            state: state.code(),
            time: time.rfc3339(),
        };
        ReviewBody {
            review_id: view.review.to_string(),
            number,
            state: view.state.code(),
            lookup_id: view.lookup.to_string(),
            kind: content.kind,
            source: content.source,
            outcome: content.outcome,
            text: content.text,
            pictures: content.pictures,
            due: view.due.date_in_china().to_string(),
            due_estimated: content.estimated,
            source_number: content.source_number,
            result: content.result.map(domain::review::ReviewResult::code),
            answer: content.answer,
            steps: view.steps.iter().map(step).collect(),
            repeated_lookup_id: content.repeated.map(|id| id.to_string()),
            lookup: answered.map(|answered| LookupBody::of(app, answered)),
        }
    }
}

/// The idempotency key hashed with the requester, and a hash of the whole request. Without a key each request is
/// another one.
pub(crate) fn repetition(
    app: &App,
    requester: &Requester,
    key: Option<&[u8]>,
    (lookup, text, pictures): (LookupId, &str, &[Bytes]),
) -> Result<([u8; 32], [u8; 32]), Error> {
    if key.is_some_and(|key| key.is_empty() || key.len() > 100) {
        return Err(Error::bad("BAD_VALUE", "idempotency-key", "1 to 100 characters"));
    }
    let random = app.store.random().bytes::<32>();
    let key = Sha256::new()
        .chain_update(requester.account.bytes())
        .chain_update(key.unwrap_or(&random));
    let mut whole = Sha256::new()
        .chain_update(lookup.bytes())
        .chain_update(Sha256::digest(text));
    for picture in pictures {
        whole.update(Sha256::digest(picture));
    }
    Ok((key.finalize().into(), whole.finalize().into()))
}

/// Opens a record review (档案复核): what is wrong with an answer, handed in to the source that gave it. It is sealed
/// before the source hears of it, and handed in again while the source is away.
#[utoipa::path(post, path = "/v1/reviews", request_body = ReviewRequest, params(("idempotency-key" = Option<String>, Header, description = "The same review for the same key")), responses((status = 200, body = ReviewBody), (status = 400, body = ProblemBody, description = "`REVIEW_TEXT`, `REVIEW_NOT_POSSIBLE`, `EVIDENCE_UNUSABLE`, `BAD_RECEIPT_ID`, `BAD_VALUE`, `BODY_NOT_JSON`, `BODY_TOO_LARGE`"), (status = 403, body = ProblemBody, description = "`LEVEL_TOO_LOW`"), (status = 404, body = ProblemBody, description = "`NOT_FOUND`: no such look-up of theirs"), (status = 409, body = ProblemBody, description = "`IDEMPOTENCY_KEY_REUSED`, `TOO_MANY_REVIEWS`"), CountedProblems), tag = "reviews", security(("session" = [])))]
pub async fn open(
    State(app): Shared,
    ProvenBearer(requester): ProvenBearer,
    asking: Asking,
    Body(request): Body<ReviewRequest, MAX_REVIEW_BODY>,
) -> Result<Written, Problem> {
    let lookup = LookupId::parse(&request.lookup_id);
    let lookup = lookup.ok_or_else(|| Error::bad("BAD_RECEIPT_ID", "lookup_id", "the id of a look-up"))?;
    let bad = || Error::bad("EVIDENCE_UNUSABLE", "pictures", "at most 3 pictures in base64");
    if request.pictures.len() > MAX_PICTURES {
        return Err(bad().into());
    }
    let decode = |text: &String| BASE64_STANDARD.decode(text).map(Bytes::from).map_err(|_| bad());
    let pictures = request
        .pictures
        .iter()
        .map(decode)
        .collect::<Result<Vec<_>, _>>()?;
    let whole = (lookup, request.text.as_str(), pictures.as_slice());
    let repeat = repetition(&app, &requester, asking.repeat_key.as_deref(), whole)?;
    let opening = Opening {
        lookup,
        text: request.text,
        pictures,
        repeat,
        lang: asking.lang,
    };
    let body = to_the_end(async move {
        let review = open_review::open_review(&app, &requester, opening).await?;
        Written::json(&ReviewBody::of(&app, review, None))
    });
    Ok(body.await?)
}

/// My reviews, newest first.
#[utoipa::path(get, path = "/v1/reviews", responses((status = 200, body = Vec<ReviewBody>), HistoryProblems), tag = "reviews", security(("session" = [])))]
pub async fn list(State(app): Shared, Bearer(requester): Bearer) -> Result<Json<Vec<ReviewBody>>, Problem> {
    let reviews = view_reviews::reviews(&app, &requester).await?;
    let body = |review| ReviewBody::of(&app, review, None);
    Ok(Json(reviews.into_iter().map(body).collect()))
}

/// One of my reviews. When the source has answered it, the look-up is repeated once, sealed as any other, and its
/// answer comes with this.
#[utoipa::path(get, path = "/v1/reviews/{id}", params(("id" = String, Path)), responses((status = 200, body = ReviewBody), HistoryProblems), tag = "reviews", security(("session" = [])))]
pub async fn show(
    State(app): Shared,
    Bearer(requester): Bearer,
    asking: Asking,
    Path(id): Path<String>,
) -> Result<Written, Problem> {
    let id = ReviewId::parse(&id).ok_or(Error::NotFound)?;
    let body = to_the_end(async move {
        let at = (asking.lang, asking.arrived);
        let (review, answered) = view_reviews::review(&app, &requester, id, at).await?;
        Written::json(&ReviewBody::of(&app, review, answered))
    });
    Ok(body.await?)
}

/// A picture of one of my reviews, to be saved; until the source has answered.
#[utoipa::path(get, path = "/v1/reviews/{id}/pictures/{place}", params(("id" = String, Path), ("place" = usize, Path, description = "Counted from 1")), responses((status = 200, description = "A PNG with nothing in it but pixels", content_type = "image/png", body = Vec<u8>), HistoryProblems), tag = "reviews", security(("session" = [])))]
pub async fn picture(
    State(app): Shared,
    Bearer(requester): Bearer,
    Path((id, place)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let id = ReviewId::parse(&id).ok_or(Error::NotFound)?;
    let place = place.parse().map_err(|_| Error::NotFound)?;
    Ok(attachment(
        view_reviews::picture(&app, &requester, id, place).await?,
    ))
}

/// A picture on its way out: to be saved, never shown in a page, and taken for nothing else.
#[must_use]
pub fn attachment(picture: Bytes) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static("image/png")),
        (
            header::CONTENT_DISPOSITION,
            HeaderValue::from_static("attachment; filename=\"evidence.png\""),
        ),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, picture).into_response()
}
