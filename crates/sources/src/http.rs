//! The protocol `http`: JSON by POST, in an envelope if the source has one.

use std::ops::Range;

use bytes::Bytes;
use domain::words::Mode;
use http::Uri;
use serde_json::Value as Json;

use crate::{
    client::Client,
    dial::Realm,
    envelope::Envelope,
    file::{Raw, RawServes, SourceError, SourceFile},
    json,
    outcomes::Outcomes,
    report::Failure,
    request::{Scope, Template},
    secret,
    target::Target,
};
use domain::outcome::Outcome;

/// The way to one source that speaks HTTP.
pub(crate) struct Http {
    pub(crate) client: Client,
    pub(crate) envelope: Option<Envelope>,
    endpoint: String,
    max_body: usize,
}

/// How one route is asked over HTTP.
pub(crate) struct HttpWay {
    pub(crate) target: Target,
    pub(crate) template: Template,
    outcomes: Outcomes,
}

impl Http {
    /// Checks the endpoint, prepares the pool, and reads the keys of the envelope.
    pub(crate) fn compile(
        file: &SourceFile,
        raw: &Raw,
        realm: Realm,
        (concurrency, max_body): (usize, usize),
    ) -> Result<Self, SourceError> {
        if raw.sql.is_some() || raw.drops.is_some() {
            return Err(file.wrong_as_a_whole("[sql] and [drops] are of other protocols"));
        }
        let endpoint = check_endpoint(file, raw, realm)?;
        let retries = raw.retries.as_ref().map_or(1, |r| *r.get_ref());
        if retries > 3 {
            return Err(file.wrong_as_a_whole("retries: at most 3"));
        }
        let client = Client::new(realm, concurrency, retries)
            .map_err(|e| file.wrong_as_a_whole(format!("TLS cannot be set up: {e}")))?;
        Ok(Http {
            client,
            envelope: compile_envelope(file, raw, realm, endpoint)?,
            endpoint: endpoint.to_owned(),
            max_body,
        })
    }

    /// Where its paths begin.
    pub(crate) fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Checks how a route is asked.
    pub(crate) fn way(
        &self,
        file: &SourceFile,
        line: &Range<usize>,
        scope: &Scope<'_>,
        mode: Mode,
        raw: &RawServes,
    ) -> Result<HttpWay, SourceError> {
        let missing = |what: &str| file.wrong(line, format!("over http a route needs `{what}`"));
        if raw.statement.is_some() || !raw.find.is_empty() {
            return Err(file.wrong(line, "`statement` and `find` are of other protocols"));
        }
        let path = raw.path.as_ref().ok_or_else(|| missing("path"))?;
        let outcome = raw.outcome.as_ref().ok_or_else(|| missing("outcome"))?;
        Ok(HttpWay {
            target: Target::compile(file, &self.endpoint, path, self.max_body)?,
            template: Template::compile(file, line, scope, &raw.request)?,
            outcomes: Outcomes::compile(file, line, mode, outcome)?,
        })
    }
}

impl HttpWay {
    /// Reads a body: it is sound JSON, and its code is known.
    pub(crate) fn read(&self, body: &Bytes) -> Result<(Outcome, Json), Failure> {
        let answer = json::parse(body).map_err(Failure::bad_answer)?;
        let outcome = self.outcomes.read(&answer)?;
        Ok((outcome, answer))
    }
}

/// `http://` or `https://`, a host, perhaps a path; without message encryption only TLS, or the demo's own machine.
fn check_endpoint<'a>(file: &SourceFile, raw: &'a Raw, realm: Realm) -> Result<&'a str, SourceError> {
    let endpoint = raw.endpoint.as_ref();
    let endpoint = endpoint.ok_or_else(|| file.wrong_as_a_whole("endpoint: the address is missing"))?;
    let wrong = |problem: &str| file.wrong(&endpoint.span(), format!("endpoint: {problem}"));
    let text = endpoint.get_ref();
    let uri: Uri = text.parse().map_err(|_| wrong("not an address"))?;
    let scheme = uri.scheme_str().unwrap_or_default();
    let host = uri
        .host()
        .filter(|h| !h.is_empty())
        .ok_or_else(|| wrong("the host is missing"))?;
    if !matches!(scheme, "http" | "https") || text.contains(['?', '#', '@']) || text.ends_with('/') {
        return Err(wrong(
            "expected http:// or https://, a host and a path, without ?, #, @ or a / at the end",
        ));
    }
    if scheme == "http" && raw.envelope.is_none() && realm == Realm::Production {
        return Err(wrong(
            "without [envelope] a real source is spoken to only by https",
        ));
    }
    let literal = host.trim_matches(['[', ']']).parse().ok();
    let is_elsewhere = realm == Realm::Demo && literal.is_none() && host != "localhost";
    if is_elsewhere || literal.is_some_and(|address| !realm.permits(address)) {
        return Err(wrong(match realm {
            Realm::Demo => "the demo speaks only to this machine, such as 127.0.0.1",
            Realm::Production => "this address is not one of another machine",
        }));
    }
    Ok(text)
}

fn compile_envelope(
    file: &SourceFile,
    raw: &Raw,
    realm: Realm,
    endpoint: &str,
) -> Result<Option<Envelope>, SourceError> {
    let Some(envelope) = &raw.envelope else {
        return Ok(None);
    };
    let (identity, peer) = secret::parties(file, raw.id.get_ref(), realm, envelope.get_ref())?;
    let handshake = format!("{endpoint}/session").parse();
    let handshake = handshake.map_err(|_| file.wrong_as_a_whole("endpoint: not an address"))?;
    Ok(Some(Envelope::new(identity, peer, handshake)))
}
