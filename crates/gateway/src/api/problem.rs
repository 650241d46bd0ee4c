//! Errors as RFC 9457 problems, with a stable code. A refusal that hides something varies in its look-up's id alone.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use domain::decision::Reason;
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{request::trace_id, turns::TurnBody},
    error::Error,
};

/// The media type of problems.
pub(super) const PROBLEM: &str = "application/problem+json";

/// An error on its way out of the API.
#[derive(Debug)]
pub struct Problem(pub Error);

impl<E: Into<Error>> From<E> for Problem {
    fn from(error: E) -> Self {
        Problem(error.into())
    }
}

/// The body of a problem (RFC 9457).
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemBody {
    /// The sort of problem, as a URN that ends in its code.
    #[serde(rename = "type")]
    pub kind: String,
    /// What is wrong, in a sentence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// The stable code; programs decide by it.
    pub code: String,
    /// The part of the request that it is about, such as `key.plate`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// What is expected there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What is wrong with an identifier there, as a stable code, such as `CHARACTER`, `WRONG_LENGTH`,
    /// `CHECK_CHARACTER` or `PLATE_CLASS_MISMATCH`. What was sent is never repeated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<&'static str>,
    /// Which character of it is wrong, from 1, separators counted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// What may have been meant there: `0` for O, `1` for I. It is never put right silently.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub suggestion: Option<String>,
    /// The lawful way to get what was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lawful_way: Option<String>,
    /// The sealed refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lookup_id: Option<String>,
    /// By which we find this request in our traces.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trace_id: Option<String>,
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let error = self.0;
        if let Error::Waiting(told) = error {
            return TurnBody::of(told).into_response();
        }
        if let Error::Internal(fault) = &error {
            tracing::error!(fault, "an internal error");
        }
        let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = body(&error);
        let json = serde_json::to_vec(&body).unwrap_or_default();
        let mut response = (status, json).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(PROBLEM));
        if let Some(seconds) = error.retry_after() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if matches!(error, Error::NotSignedIn) {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// What the layers around the API answer by themselves, a time-out and a caught panic, as a problem like any other.
pub(super) fn explained(response: Response) -> Response {
    let is_problem = response
        .headers()
        .get(header::CONTENT_TYPE)
        .is_some_and(|kind| kind == PROBLEM);
    match response.status() {
        StatusCode::REQUEST_TIMEOUT if !is_problem => Problem(Error::TimedOut).into_response(),
        StatusCode::INTERNAL_SERVER_ERROR if !is_problem => {
            Problem(Error::Internal("a handler panicked".into())).into_response()
        }
        _ => response,
    }
}

fn body(error: &Error) -> ProblemBody {
    let (mut at, mut expected, mut why, mut lookup_id) = (None, None, None, None);
    match error {
        Error::Bad {
            at: part,
            expected: what,
            why: found,
            ..
        } => {
            (at, expected, why) = (Some(part.clone()), Some(what.clone()), *found);
        }
        Error::Refused { at: part, lookup, .. } => {
            (at, lookup_id) = (Some(part.clone()), lookup.map(|l| l.to_string()));
        }
        Error::NotPermitted { lookup } => lookup_id = Some(lookup.to_string()),
        _ => {}
    }
    // A trace id would be a second value that varies.
    let hides = matches!(error, Error::NotPermitted { .. });
    ProblemBody {
        kind: format!("urn:mingcha:problem:{}", error.code()),
        title: title(error).to_owned(),
        status: error.status(),
        code: error.code().to_owned(),
        at,
        expected,
        reason: why.map(|w| w.code()),
        position: why.and_then(|w| w.position()),
        suggestion: why.and_then(|w| w.suggestion()).map(String::from),
        lawful_way: lawful_way(error).map(str::to_owned),
        lookup_id,
        trace_id: if hides { None } else { trace_id() },
    }
}

fn title(error: &Error) -> &'static str {
    match error {
        Error::Bad { code, .. } => match *code {
            "CODE_WRONG" => "the code is not right, or not right any more; ask for a new one",
            "CONSENT_NEEDED" => "comparing a picture needs your separate consent",
            "PICTURE_UNUSABLE" => "the picture cannot be used",
            "PROVE_NAME_FIRST" => "your real name has to be proven first",
            "UNDER_FOURTEEN" => {
                "for a child under fourteen a guardian consents; nobody is proven by themselves"
            }
            "UNKNOWN_KIND" => "there is no such record kind; see GET /v1/kinds",
            "BODY_TOO_LARGE" => "the body is larger than this operation takes",
            "BODY_NOT_JSON" => "the body is not the JSON that is expected here",
            "BAD_CHANGE" => "the change is signed, and is not what was agreed",
            "BAD_RECEIPT_ID" => "that is not the id of a look-up",
            _ => "a value is missing or malformed",
        },
        Error::NotSignedIn => "nobody is signed in, or the session has ended",
        Error::Forged => "the form has expired; open the page again",
        Error::Refused {
            reason: Reason::LevelTooLow,
            ..
        } => "this needs a higher level of assurance",
        Error::Refused {
            reason: Reason::PurposeNotRegistered,
            ..
        } => "this purpose or basis is not registered for this record kind, or for that part of it",
        Error::Refused { .. } => "this record kind has no such part",
        Error::NotPermitted { .. } => "this look-up is not permitted",
        Error::NotFound => "there is nothing here",
        Error::Waiting(_) => "the question waits for its turn",
        Error::Overloaded { .. } => "too many ask now, and no place is left in line; try again later",
        Error::AlreadyWaiting { .. } => {
            "another question of yours waits for its turn; an account has one place"
        }
        Error::NotWaiting => "no question of yours waits for its turn",
        Error::TooMany { .. } => "too often; try again later",
        Error::Conflict("IDEMPOTENCY_KEY_REUSED") => "this idempotency key was used for another question",
        Error::Conflict("LOOKUP_UNDER_WAY") => "this look-up is still under way",
        Error::Conflict("ANSWER_NOT_KEPT") => {
            "the answer is no longer kept; ask anew with a new idempotency key"
        }
        Error::Conflict(_) => "the look-up was closed before it was answered; ask anew",
        Error::Unavailable => "nothing can be recorded now, so nothing is asked; try again in a moment",
        Error::ImageUnavailable => "the record holder does not give this image now; try again in a moment",
        Error::TimedOut => {
            "the request took too long; what was asked may have been done: look before you ask again"
        }
        Error::Internal(_) => "a fault of ours; nothing was disclosed",
    }
}

fn lawful_way(error: &Error) -> Option<&'static str> {
    match error {
        Error::Refused {
            reason: Reason::LevelTooLow,
            ..
        } => Some(
            "raise your level: prove your real name (L2), and for L3 have your portrait compared besides; nobody has \
             to agree to that, and GET /v1/account/portrait/consent says what there is without it",
        ),
        Error::Bad {
            code: "UNDER_FOURTEEN",
            ..
        } => Some(
            "a parent or other guardian asks for the child, with both their documents, at the counter of the authority \
             that keeps the record",
        ),
        Error::NotPermitted { .. } => Some(
            "you may look up your own records; for somebody else's, that person looks them up, or the authority does \
             with a notarised power of attorney or a court's letter",
        ),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{Router, body::Body, middleware::map_response, routing::get};
    use http_body_util::BodyExt;
    use tower::ServiceExt;
    use tower_http::{catch_panic::CatchPanicLayer, timeout::TimeoutLayer};

    use super::*;

    #[tokio::test]
    async fn what_the_layers_answer_is_a_problem() {
        async fn slow() {
            tokio::time::sleep(Duration::from_secs(60)).await;
        }
        async fn broken() {
            panic!("陈伟东 110101199001010011");
        }
        async fn explain(response: Response) -> Response {
            explained(response)
        }
        let short = TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_millis(10));
        let router = Router::new()
            .route("/slow", get(slow))
            .route("/broken", get(broken))
            .route(
                "/told",
                get(async || Problem(Error::Internal("told before".into()))),
            )
            .route("/well", get(async || "well"))
            .layer(CatchPanicLayer::new())
            .layer(short)
            .layer(map_response(explain));
        for (path, status, code) in [
            ("/slow", 408, "REQUEST_TIMED_OUT"),
            ("/broken", 500, "INTERNAL"),
            ("/told", 500, "INTERNAL"),
        ] {
            let request = http::Request::get(path).body(Body::empty()).unwrap();
            let response = router.clone().oneshot(request).await.unwrap();
            assert_eq!(response.status(), status, "{path}");
            assert_eq!(response.headers()[header::CONTENT_TYPE], PROBLEM, "{path}");
            let bytes = response.into_body().collect().await.unwrap().to_bytes();
            let body: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            assert_eq!(body["code"], code, "{path}");
            let members = body.as_object().unwrap().len();
            assert_eq!(members, 4, "type, title, status and code alone: {body}");
        }
        let request = http::Request::get("/well").body(Body::empty()).unwrap();
        let response = router.oneshot(request).await.unwrap();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(&bytes[..], b"well");
    }
}
