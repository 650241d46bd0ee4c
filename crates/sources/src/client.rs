//! HTTP towards one source, or towards who sends SMS: POST only, no redirect followed, nothing compressed, every body
//! bounded.
//!
//! The deadline is the caller's: whoever drops the future closes the connection, in whatever phase it is.

use std::{
    error::Error as _,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Incoming};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, Client as Pool},
    rt::{TokioExecutor, TokioTimer},
};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use rustls::ClientConfig;

use crate::{
    dial::{AddressRefused, Dialler, Realm, cause},
    report::{Failure, Problem},
    tls,
};
use domain::outcome::Outcome;

/// How long an unused connection is kept. Servers close theirs after 60 s and more.
const IDLE: Duration = Duration::from_secs(30);
/// How many bytes the head of a reply may have.
const MAX_HEAD: usize = 64 << 10;
/// About how long is waited before a connection that failed is tried again, in microseconds; twice as long each time.
const PAUSE_US: u64 = 10_000;

/// A pool of connections to one source or endpoint, shared with no other.
pub(crate) struct Client {
    pool: Pool<HttpsConnector<Dialler>, Full<Bytes>>,
    retries: u32,
}

/// What kind of body is sent and expected.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Content {
    /// A JSON document.
    Json,
    /// Members as a form writes them, `application/x-www-form-urlencoded`; the reply is JSON.
    Form,
    /// A message of the session layer, which proves itself.
    Message,
}

/// A request: a POST, and nothing of whom it is about in its address.
pub(crate) struct Outgoing<'a> {
    pub(crate) uri: &'a Uri,
    pub(crate) content: Content,
    /// Besides the content's type.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl<'a> Outgoing<'a> {
    /// A request with no more headers than it must have.
    pub(crate) fn new(uri: &'a Uri, content: Content, body: Bytes) -> Self {
        Outgoing {
            uri,
            content,
            headers: HeaderMap::new(),
            body,
        }
    }
}

/// A reply that may be read: a 200, or the word that the session, token or credentials are not known.
pub(crate) enum Reply {
    /// 200 with its headers and its body.
    Body(HeaderMap, Bytes),
    /// 401.
    Unknown,
}

impl Client {
    /// Makes a pool; no connection is opened yet.
    pub(crate) fn new(realm: Realm, tls: ClientConfig, concurrency: usize, retries: u32) -> Self {
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .wrap_connector(Dialler { realm });
        let pool = Pool::builder(TokioExecutor::new())
            .timer(TokioTimer::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE)
            .pool_max_idle_per_host(concurrency)
            .http1_max_buf_size(MAX_HEAD)
            .build(connector);
        Client { pool, retries }
    }

    /// Sends a request and reads a reply of at most `max_body` bytes. Only a connection that could not be made is
    /// tried again: what was sent once is never sent twice.
    pub(crate) async fn post(
        &self,
        random: &Mutex<ChaCha20Rng>,
        outgoing: Outgoing<'_>,
        max_body: usize,
    ) -> Result<Reply, Failure> {
        let mut tries = 0;
        let response = loop {
            match self.pool.request(request(&outgoing)).await {
                Ok(response) => break response,
                Err(e) => match explain(&e) {
                    failure if failure.problem == Problem::NotConnected && tries < self.retries => {
                        tokio::time::sleep(pause(random, tries)).await;
                        tries += 1;
                    }
                    failure => return Err(failure),
                },
            }
        };
        check_status(response.status())?;
        if response.status() == StatusCode::UNAUTHORIZED {
            return Ok(Reply::Unknown);
        }
        check_headers(&response, outgoing.content)?;
        let (head, body) = response.into_parts();
        Ok(Reply::Body(head.headers, read(body, max_body).await?))
    }

    /// Sends a request to an interface that is no source, once, and reads an answer of at most `max_body` bytes. Any
    /// status of success and any type of content will do: what it says stands in its body.
    pub(crate) async fn hand_over(&self, outgoing: &Outgoing<'_>, max_body: usize) -> Result<Bytes, Failure> {
        let response = self.pool.request(request(outgoing)).await;
        let response = response.map_err(|e| explain(&e))?;
        if response.status().is_success() {
            return read(response.into_body(), max_body).await;
        }
        check_status(response.status())?;
        // What is neither success nor refused there is a 401.
        Err(Failure::bad_answer(Problem::CredentialsRefused))
    }
}

/// From half to one and a half times the pause, drawn, so that those who failed together do not try together again.
fn pause(random: &Mutex<ChaCha20Rng>, tries: u32) -> Duration {
    let usual = PAUSE_US << tries;
    let drawn = random.lock().unwrap_or_else(PoisonError::into_inner).next_u64();
    Duration::from_micros(usual / 2 + drawn % usual)
}

/// Reads a body of bounded length. The usual body comes in one piece, which is not copied.
async fn read(mut body: Incoming, max_body: usize) -> Result<Bytes, Failure> {
    let too_large = || Failure::bad_answer(Problem::BodyTooLarge);
    if body.size_hint().lower() > max_body as u64 {
        return Err(too_large());
    }
    let mut first = Bytes::new();
    let mut rest = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| explain_hyper(&e))?;
        let Ok(data) = frame.into_data() else { continue };
        if first.len() + rest.len() + data.len() > max_body {
            return Err(too_large());
        }
        if first.is_empty() {
            first = data;
        } else {
            rest.extend_from_slice(&data);
        }
    }
    if rest.is_empty() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    whole.unsplit(rest);
    Ok(whole.freeze())
}

fn request(outgoing: &Outgoing<'_>) -> Request<Full<Bytes>> {
    let mut request = Request::new(Full::new(outgoing.body.clone()));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = outgoing.uri.clone();
    *request.headers_mut() = outgoing.headers.clone();
    let content_type = match outgoing.content {
        Content::Json => "application/json",
        Content::Form => "application/x-www-form-urlencoded",
        Content::Message => "application/octet-stream",
    };
    request
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    request
}

fn check_status(status: StatusCode) -> Result<(), Failure> {
    let outcome = match status {
        StatusCode::OK | StatusCode::UNAUTHORIZED => return Ok(()),
        _ if status.is_redirection() => return Err(Failure::bad_answer(Problem::Redirected)),
        StatusCode::TOO_MANY_REQUESTS => Outcome::Overloaded,
        StatusCode::SERVICE_UNAVAILABLE => Outcome::Maintenance,
        StatusCode::GATEWAY_TIMEOUT => Outcome::TimedOut,
        _ if status.is_server_error() => Outcome::Broken,
        _ => Outcome::BadAnswer,
    };
    Err(Failure::new(outcome, Problem::BadStatus))
}

/// We ask for nothing compressed, so that no small body becomes a large one; and JSON must say that it is.
fn check_headers(response: &Response<Incoming>, content: Content) -> Result<(), Failure> {
    let text = |name| response.headers().get(name).map(|v| v.to_str().unwrap_or("?"));
    let plain = text(header::CONTENT_ENCODING).is_none_or(|e| e == "identity");
    let agreed = content == Content::Message
        || text(header::CONTENT_TYPE)
            .and_then(|t| t.split(';').next())
            .is_some_and(|t| t.trim() == "application/json");
    if plain && agreed {
        Ok(())
    } else {
        Err(Failure::bad_answer(Problem::BadContentType))
    }
}

fn explain(error: &legacy::Error) -> Failure {
    if let Some(problem) = tls::refused(error) {
        return Failure::new(Outcome::Broken, problem);
    }
    if cause::<AddressRefused>(error).is_some() {
        return Failure::new(Outcome::Broken, Problem::AddressRefused);
    }
    if error.is_connect() {
        return Failure::new(Outcome::Broken, Problem::NotConnected);
    }
    match error.source().and_then(|e| e.downcast_ref::<hyper::Error>()) {
        Some(inner) => explain_hyper(inner),
        None => Failure::new(Outcome::Broken, Problem::ConnectionBroken),
    }
}

fn explain_hyper(error: &hyper::Error) -> Failure {
    if let Some(problem) = tls::refused(error) {
        Failure::new(Outcome::Broken, problem)
    } else if error.is_parse() {
        Failure::bad_answer(Problem::NotHttp)
    } else {
        Failure::new(Outcome::Broken, Problem::ConnectionBroken)
    }
}

#[cfg(test)]
mod tests {
    use rand_core::SeedableRng;

    use super::*;

    #[test]
    fn pauses_differ_and_grow() {
        let random = Mutex::new(ChaCha20Rng::from_seed([1; 32]));
        let mut drawn: Vec<Duration> = (0..100).map(|_| pause(&random, 0)).collect();
        drawn.sort();
        drawn.dedup();
        assert!(drawn.len() > 90);
        for (tries, from, below) in [(0, 5, 15), (1, 10, 30), (2, 20, 60)] {
            for _ in 0..100 {
                let pause = pause(&random, tries);
                assert!(pause >= Duration::from_millis(from) && pause < Duration::from_millis(below));
            }
        }
    }
}
