//! What every request carries: its arrival, its trace id, and who asks.

use std::sync::Arc;

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    middleware::Next,
    response::Response,
};
use domain::requester::{Requester, Role};
use serde::de::DeserializeOwned;
use store::{SealedPerson, SessionView};
use tokio::time::Instant;

use super::{Problem, problem::explained};
use crate::{
    actions::guards::demand_proven,
    app::{App, Lang, hex},
    error::Error,
    turns::{self, Pass, TurnId},
};

tokio::task_local! {
    static TRACE_ID: [u8; 8];
}

/// The id of the request that this task serves.
#[must_use]
pub fn trace_id() -> Option<String> {
    TRACE_ID.try_with(|id| hex(id)).ok()
}

/// When a request arrived. The deadline counts from here, but for whoever had been told to wait.
#[derive(Debug, Clone, Copy)]
pub struct Arrived(pub Instant);

impl<S: Sync> FromRequestParts<S> for Arrived {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Self::Rejection> {
        Ok(parts
            .extensions
            .get::<Arrived>()
            .copied()
            .unwrap_or_else(|| Arrived(Instant::now())))
    }
}

/// How a question arrived: when, in which language its notices are shown, under which idempotency key, and with which
/// turn.
#[derive(Debug)]
pub struct Asking {
    /// When.
    pub arrived: Instant,
    /// By the header `accept-language`: the notice that is sealed, and messages.
    pub lang: Lang,
    /// The header `idempotency-key`, as it came.
    pub repeat_key: Option<Vec<u8>>,
    /// The header `mingcha-turn`: the turn that was told before.
    pub turn: Option<TurnId>,
}

impl<S: Sync> FromRequestParts<S> for Asking {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        let Arrived(arrived) = Arrived::from_request_parts(parts, state).await?;
        let header = |name| parts.headers.get(name);
        Ok(Asking {
            arrived,
            lang: accepted_language(&parts.headers),
            repeat_key: header("idempotency-key").map(|v| v.as_bytes().to_vec()),
            turn: header("mingcha-turn").and_then(|v| TurnId::parse(v.to_str().ok()?)),
        })
    }
}

/// A question that will enter work. A handler takes it first: where the line is full, this is the end, before it is
/// known who asks and what.
#[derive(Debug)]
pub struct Entering(pub Asking);

impl FromRequestParts<Arc<App>> for Entering {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Ok(asking) = Asking::from_request_parts(parts, app).await;
        app.turns.shed(asking.turn)?;
        Ok(Entering(asking))
    }
}

impl Asking {
    /// Enters work, or tells when to come again; and from when the deadline counts.
    ///
    /// # Errors
    /// As [`Turns::enter`](crate::turns::Turns::enter); or there were too many look-ups in this minute already.
    pub async fn enter(&self, app: &App, requester: &Requester) -> Result<(Pass, Instant), Error> {
        let pass = turns::enter(app, requester, self.turn).await?;
        let since = pass.since(self.arrived);
        Ok((pass, since))
    }
}

/// Chinese, unless English is asked for before anything else.
#[must_use]
pub fn accepted_language(headers: &HeaderMap) -> Lang {
    let accepted = headers.get(header::ACCEPT_LANGUAGE).map(HeaderValue::as_bytes);
    match accepted.is_some_and(|languages| languages.starts_with(b"en")) {
        true => Lang::En,
        false => Lang::Zh,
    }
}

/// Gives each request its arrival and trace id, counts it, and traces it by route, never by address or content.
pub async fn trace(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let arrived = Arrived(Instant::now());
    request.extensions_mut().insert(arrived);
    let id = app.store.random().bytes();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let is_api = path
        .as_ref()
        .is_some_and(|path| path.as_str().starts_with("/v1/"));
    let answered = async {
        let response = next.run(request).await;
        if is_api { explained(response) } else { response }
    };
    let mut response = TRACE_ID.scope(id, answered).await;
    let route = path.as_ref().map_or("none", MatchedPath::as_str);
    let status = response.status().as_u16();
    app.meters.count(route, status, arrived.0.elapsed().as_secs_f64());
    tracing::debug!(trace_id = hex(&id), %method, route, status, "request");
    let headers = response.headers_mut();
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    );
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    response
}

/// Does work on a task of its own, to its end: a client that goes away leaves nothing half-done behind.
///
/// # Errors
/// Those of the work, or that it panicked.
pub fn to_the_end<T: Send + 'static>(
    work: impl Future<Output = Result<T, Error>> + Send + 'static,
) -> impl Future<Output = Result<T, Error>> {
    // Several kilobytes, which whoever waits does not hold.
    let task = tokio::spawn(Box::pin(work));
    async move { task.await? }
}

/// The parameters after the question mark; unknown ones are refused, and nothing of them is repeated.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        let read =
            read.map_err(|_| Error::bad("BAD_VALUE", "query", "the described parameters, each once"))?;
        Ok(Query(read.0))
    }
}

/// The parts of the path; one that is not text is nowhere.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        Ok(Path(read.map_err(|_| Error::NotFound)?.0))
    }
}

/// Who asks, by the bearer token of a session.
#[derive(Debug, Clone, Copy)]
pub struct Bearer(pub Requester);

impl FromRequestParts<Arc<App>> for Bearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        Ok(Bearer(requester_of_token(app, bearer(parts)?).await?))
    }
}

/// Who asks, at the level that opens records. What has a large body is not read for a phone alone.
#[derive(Debug, Clone, Copy)]
pub struct ProvenBearer(pub Requester);

impl FromRequestParts<Arc<App>> for ProvenBearer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let Bearer(requester) = Bearer::from_request_parts(parts, app).await?;
        demand_proven(&requester)?;
        Ok(ProvenBearer(requester))
    }
}

fn bearer(parts: &Parts) -> Result<&str, Error> {
    let value = parts.headers.get(header::AUTHORIZATION);
    let token = value.and_then(|v| v.to_str().ok()?.strip_prefix("Bearer "));
    token.ok_or(Error::NotSignedIn)
}

/// Who asks for records, with what their session has of their person: it is theirs once it opens, and until then nothing
/// is done for that person.
#[derive(Debug)]
pub struct BearerWithPerson(pub Requester, pub Option<SealedPerson>);

impl FromRequestParts<Arc<App>> for BearerWithPerson {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Problem> {
        let (requester, person) = found_by_token(app, bearer(parts)?).await?;
        Ok(BearerWithPerson(requester, person))
    }
}

/// The requester behind a session's token.
///
/// # Errors
/// There is no such living session.
pub async fn requester_of_token(app: &App, token: &str) -> Result<Requester, Error> {
    let session = app.store.session(digest_of(app, token)?).await?;
    Ok(requester(session.ok_or(Error::NotSignedIn)?))
}

/// The same by the session alone, with what it has of their person.
///
/// # Errors
/// There is no such living session.
pub async fn found_by_token(app: &App, token: &str) -> Result<(Requester, Option<SealedPerson>), Error> {
    let found = app.store.session_and_person(digest_of(app, token)?).await?;
    let (session, person) = found.ok_or(Error::NotSignedIn)?;
    Ok((requester(session), person))
}

fn digest_of(app: &App, token: &str) -> Result<[u8; 32], Error> {
    if token.len() > 64 {
        return Err(Error::NotSignedIn);
    }
    Ok(app.store.root_keys().codes().digest("session", token))
}

fn requester(session: SessionView) -> Requester {
    Requester {
        role: Role::Person,
        account: session.account,
        session: session.id,
        subject: session.subject,
        level: session.level,
        standing: session.standing,
    }
}
