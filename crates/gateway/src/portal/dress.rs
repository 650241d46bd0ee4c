//! The layer around all pages: tells them who looks and how, makes a page of every failure, and sets the headers.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use domain::{decision::Reason, requester::Requester, words::Level};
use tokio::time::Instant;

use super::{
    Answer, Failed, Guest, Page,
    cookies::Cookie,
    form,
    page::{Context, go, html_with},
};
use crate::{
    api::{
        Problem,
        request::{Arrived, accepted_language, requester_of_token, trace_id},
    },
    app::{App, Lang, hex},
    error::Error,
};

/// No script and no style inside pages, nothing from elsewhere, in nobody's frame.
const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; \
                      form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// Why something was not done, and what to do.
#[derive(Template)]
#[template(path = "problem.html")]
pub(super) struct ProblemView {
    pub(super) p: Page,
    /// The stable code, which names the messages too.
    pub(super) code: String,
    /// The sealed refusal.
    pub(super) lookup: Option<String>,
    /// By which this request is found in our traces; never where something is hidden.
    pub(super) trace: Option<String>,
    /// Minutes to wait.
    pub(super) minutes: Option<String>,
}

/// What is needed before a page can be shown, and the way there.
#[derive(Template)]
#[template(path = "step_up.html")]
pub(super) struct StepUpView {
    pub(super) p: Page,
    pub(super) level: Level,
    /// The address of the next step, with the way back.
    pub(super) next_step: String,
    /// The real name has to be proven first, though more is needed.
    pub(super) name_first: bool,
}

/// Dresses a page.
pub(crate) async fn dress(State(app): State<Arc<App>>, mut request: Request, next: Next) -> Response {
    let secure = app.store.realm() != "demo";
    let known = Cookie::Visitor.read(request.headers(), secure);
    let fresh = known.is_none().then(|| hex(&app.store.random().bytes::<16>()));
    let visitor = known.or_else(|| fresh.clone()).unwrap_or_default();
    let token = Cookie::Session.read(request.headers(), secure);
    let requester = match requester(&app, token.as_deref()).await {
        Ok(requester) => requester,
        // Without the database nobody is known, and the page that says so needs nobody.
        Err(error) => {
            let context = context(&app, &request, None, String::new(), secure);
            return failure(&Page::new(context), &Failed::Error(error));
        }
    };
    // The forms of who is signed in are bound to the session, so that they end with it.
    let binding = token.filter(|_| requester.is_some()).unwrap_or(visitor);
    let guest = guest(&app, &request, requester, &binding, secure);
    let page = guest.page.clone();
    request.extensions_mut().insert(guest);
    let mut response = next.run(request).await;
    if let Some(failed) = response.extensions().get::<Arc<Failed>>().cloned() {
        response = failure(&page, &failed);
    } else if let Some(failed) = foreign_failure(&response) {
        response = failure(&page, &failed);
    }
    if let Some(fresh) = fresh {
        response
            .headers_mut()
            .append(header::SET_COOKIE, Cookie::Visitor.set(&fresh, secure));
    }
    protect(response.headers_mut());
    response
}

/// Any path that is no page and no route of the API.
pub(crate) async fn nowhere(request: Request) -> Answer {
    let path = request.uri().path();
    if path.starts_with("/v1/") || path.starts_with("/log/") || path.starts_with("/static/") {
        return Ok(Problem(Error::NotFound).into_response());
    }
    Err(Error::NotFound.into())
}

/// Who is behind a session's token; a token that is no longer good is nobody's.
async fn requester(app: &App, token: Option<&str>) -> Result<Option<Requester>, Error> {
    let Some(token) = token else { return Ok(None) };
    match requester_of_token(app, token).await {
        Ok(requester) => Ok(Some(requester)),
        Err(Error::NotSignedIn) => Ok(None),
        Err(error) => Err(error),
    }
}

fn guest(app: &App, request: &Request, requester: Option<Requester>, binding: &str, secure: bool) -> Guest {
    let form_token = form::token(app, binding);
    let page = Page::new(context(
        app,
        request,
        requester.map(|r| r.level),
        form_token,
        secure,
    ));
    // Every request passes the layer that notes its arrival.
    let arrived = request
        .extensions()
        .get::<Arrived>()
        .map_or_else(Instant::now, |a| a.0);
    Guest {
        page,
        requester,
        binding: binding.into(),
        arrived,
    }
}

fn context(app: &App, request: &Request, level: Option<Level>, form_token: String, secure: bool) -> Context {
    let headers = request.headers();
    let uri = request.uri();
    let with_query = uri.path_and_query().map_or("/", |p| p.as_str());
    let path = if matches!(*request.method(), Method::GET | Method::HEAD) {
        with_query
    } else {
        uri.path()
    };
    Context {
        lang: lang(headers, secure),
        elder: Cookie::Elder.read(headers, secure).as_deref() == Some("1"),
        demo: !secure,
        level,
        path: super::preferences::local(path).to_owned(),
        form_token,
        operator: Arc::new(app.config.operator.clone()),
    }
}

/// As chosen; otherwise Chinese, unless the browser asks for English before anything else.
fn lang(headers: &HeaderMap, secure: bool) -> Lang {
    match Cookie::Lang.read(headers, secure).as_deref() {
        Some("en") => Lang::En,
        Some(_) => Lang::Zh,
        None => accepted_language(headers),
    }
}

/// What axum refused before a handler was reached: plain text that no person should meet.
fn foreign_failure(response: &Response) -> Option<Failed> {
    let content = response
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    let ours = content.starts_with("text/html") || content.contains("json");
    let error = match response.status() {
        status if ours || !(status.is_client_error() || status.is_server_error()) => return None,
        StatusCode::PAYLOAD_TOO_LARGE => Error::bad("FORM_TOO_LARGE", "form", "fewer or shorter values"),
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED => Error::NotFound,
        status if status.is_client_error() => Error::bad("BAD_VALUE", "address", "an address of this site"),
        _ => Error::Internal("a page failed outside its handler".into()),
    };
    Some(error.into())
}

/// The page of a failure.
fn failure(page: &Page, failed: &Failed) -> Response {
    let rendered = match failed {
        Failed::Error(Error::NotSignedIn) => return go(&with_next("/sign-in", &page.path)),
        Failed::Error(Error::Refused {
            reason: Reason::LevelTooLow,
            ..
        }) => {
            let next = if page.level < Some(Level::L2) {
                Level::L2
            } else {
                Level::L3
            };
            step_up(page, next)
        }
        Failed::StepUp(level) => step_up(page, *level),
        Failed::Error(error) => problem(page, error),
    };
    rendered.unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

fn step_up(page: &Page, level: Level) -> Answer {
    let name_first = page.level < Some(Level::L2);
    let way = if name_first { "/prove" } else { "/strengthen" };
    let view = StepUpView {
        p: page.clone(),
        level,
        next_step: with_next(way, &page.path),
        name_first: name_first && level > Level::L2,
    };
    html_with(StatusCode::FORBIDDEN, &view)
}

fn problem(page: &Page, error: &Error) -> Answer {
    if let Error::Internal(fault) = error {
        tracing::error!(fault, "an internal error");
    }
    let mut lookup = None;
    match error {
        Error::NotPermitted { lookup: id } => lookup = Some(id.to_string()),
        Error::Refused { lookup: id, .. } => lookup = id.map(|id| id.to_string()),
        _ => {}
    }
    let minutes = error
        .retry_after()
        .map(|seconds| seconds.div_ceil(60).to_string());
    // A trace id would be a second value that varies.
    let hides = matches!(error, Error::NotPermitted { .. });
    let view = ProblemView {
        p: page.clone(),
        code: error.code().to_owned(),
        lookup,
        trace: if hides { None } else { trace_id() },
        minutes,
    };
    let status = StatusCode::from_u16(error.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = html_with(status, &view)?;
    if let Some(seconds) = error.retry_after() {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
    }
    Ok(response)
}

/// An address that leads back to `path` afterwards.
#[must_use]
pub(super) fn with_next(address: &str, path: &str) -> String {
    if path == "/" {
        return address.to_owned();
    }
    let path: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
    format!("{address}?next={path}")
}

fn protect(headers: &mut HeaderMap) {
    // A picture brings a stricter one.
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(POLICY));
    headers
        .entry(header::CACHE_CONTROL)
        .or_insert(HeaderValue::from_static("no-store"));
    headers.insert(
        "cross-origin-opener-policy",
        HeaderValue::from_static("same-origin"),
    );
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=()"),
    );
}
