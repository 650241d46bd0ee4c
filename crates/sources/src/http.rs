//! The protocol `http`: a body by POST, in an envelope if the source has one, else with what lets us in, and perhaps
//! with a signature on what comes back.

use std::{
    collections::BTreeMap,
    ops::Range,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use domain::{outcome::Outcome, time::Clock, words::Mode};
use http::{HeaderValue, Uri};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use serde_json::Value as Json;
use tokio::time::Instant;
use toml::Spanned;

use crate::{
    auth::Auth,
    client::{Client, Content, Outgoing, Reply},
    dial::Realm,
    envelope::Envelope,
    file::{Encoding, Raw, RawServes, SourceError, SourceFile},
    json,
    outcomes::Outcomes,
    report::{Failure, Problem},
    request::{Scope, Template},
    secret,
    signature::Signature,
    target::Target,
    tls,
};

/// The way to one source that speaks HTTP.
pub(crate) struct Http {
    client: Client,
    envelope: Option<Envelope>,
    auth: Option<Auth>,
    signature: Option<Signature>,
    encoding: Encoding,
    endpoint: String,
    max_body: usize,
}

/// What an exchange needs of the world.
pub(crate) struct World<'a> {
    client: &'a Client,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) random: &'a Mutex<ChaCha20Rng>,
    pub(crate) deadline: Instant,
}

impl World<'_> {
    /// [`Client::post`], by this generator.
    pub(crate) async fn post(&self, request: Outgoing<'_>, max_body: usize) -> Result<Reply, Failure> {
        self.client.post(self.random, request, max_body).await
    }

    /// A fresh id for each message: one look-up may send several.
    pub(crate) fn fresh_id(&self) -> [u8; 16] {
        let mut id = [0; 16];
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(&mut id);
        id
    }
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
        let id = raw.id.get_ref();
        let endpoint = check_endpoint(file, raw, realm)?;
        let retries = raw.retries.as_ref().map_or(1, |r| *r.get_ref());
        if retries > 3 {
            return Err(file.wrong_as_a_whole("retries: at most 3"));
        }
        let tls = raw.tls.as_ref().map(Spanned::get_ref);
        let tls = tls::config(file, id, realm, tls)?;
        check_together(file, raw, endpoint)?;
        let auth = raw.auth.as_ref();
        let signature = raw.signature.as_ref();
        Ok(Http {
            client: Client::new(realm, tls, concurrency, retries),
            envelope: compile_envelope(file, raw, realm, endpoint)?,
            auth: auth
                .map(|auth| Auth::compile(file, id, realm, auth))
                .transpose()?,
            signature: signature
                .map(|signature| Signature::compile(file, id, realm, signature))
                .transpose()?,
            encoding: raw.content.as_ref().map(|c| *c.get_ref()).unwrap_or_default(),
            endpoint: endpoint.to_owned(),
            max_body,
        })
    }

    /// Checks one of its paths.
    pub(crate) fn target(
        &self,
        file: &SourceFile,
        path: &Spanned<String>,
        max_body: usize,
    ) -> Result<Target, SourceError> {
        Target::compile(file, &self.endpoint, path, max_body)
    }

    /// Checks what a request to it carries.
    pub(crate) fn template(
        &self,
        file: &SourceFile,
        line: &Range<usize>,
        scope: &Scope<'_>,
        raw: &BTreeMap<String, Spanned<String>>,
    ) -> Result<Template, SourceError> {
        Template::compile(file, line, scope, self.encoding, raw)
    }

    /// Whether every reply that is read was signed, so that others can be shown who signed it.
    pub(crate) fn is_signed(&self) -> bool {
        self.signature.as_ref().is_some_and(Signature::is_proof)
    }

    /// Sends a body, in an envelope if the source has one, and returns the plain reply, its signature checked. What
    /// the source did not let in is sent once more where there is another way in: it was not read.
    pub(crate) async fn exchange(
        &self,
        (clock, random): (&dyn Clock, &Mutex<ChaCha20Rng>),
        target: &Target,
        body: Bytes,
        deadline: Instant,
    ) -> Result<Bytes, Failure> {
        let world = World {
            client: &self.client,
            clock,
            random,
            deadline,
        };
        if let Some(envelope) = &self.envelope {
            return envelope.exchange(&world, target, &body).await.map(Bytes::from);
        }
        let mut is_last = false;
        loop {
            match self.attempt(&world, target, body.clone(), is_last).await? {
                Some(reply) => return Ok(reply),
                None => is_last = true,
            }
        }
    }

    /// One attempt; `None` where another one makes sense.
    async fn attempt(
        &self,
        world: &World<'_>,
        target: &Target,
        body: Bytes,
        is_last: bool,
    ) -> Result<Option<Bytes>, Failure> {
        let content = match self.encoding {
            Encoding::Json => Content::Json,
            Encoding::Form => Content::Form,
        };
        let mut request = Outgoing::new(&target.uri, content, body);
        let nonce = self.nonce(world);
        if let Some(signature) = &self.signature {
            signature.ask(&mut request.headers, &nonce);
        }
        let shown = match &self.auth {
            Some(auth) => Some((auth, auth.apply(world, &mut request, &nonce).await?)),
            None => None,
        };
        match (world.post(request, target.max_body).await?, shown) {
            (Reply::Body(head, reply), _) => {
                if let Some(signature) = &self.signature {
                    signature.verify(&head, &nonce, &reply, world.clock.now())?;
                }
                Ok(Some(reply))
            }
            (Reply::Unknown, Some((auth, shown))) if auth.renews(&shown) && !is_last => Ok(None),
            (Reply::Unknown, Some(_)) => Err(Failure::new(Outcome::Broken, Problem::CredentialsRefused)),
            (Reply::Unknown, None) => Err(Failure::bad_answer(Problem::BadStatus)),
        }
    }

    /// What makes a request one of its kind, where somebody looks at it.
    fn nonce(&self, world: &World<'_>) -> HeaderValue {
        if self.auth.is_none() && self.signature.is_none() {
            return HeaderValue::from_static("");
        }
        let nonce = HeaderValue::try_from(secret::hex(&world.fresh_id()));
        // INVARIANT: hexadecimal digits make a header.
        nonce.expect("a header")
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
            target: self.target(file, path, self.max_body)?,
            template: self.template(file, line, scope, &raw.request)?,
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

fn check_endpoint<'a>(file: &SourceFile, raw: &'a Raw, realm: Realm) -> Result<&'a str, SourceError> {
    let endpoint = raw.endpoint.as_ref();
    let endpoint = endpoint.ok_or_else(|| file.wrong_as_a_whole("endpoint: the address is missing"))?;
    check_address(file, "endpoint", endpoint, realm, raw.envelope.is_some())?;
    Ok(endpoint.get_ref())
}

/// `http://` or `https://`, a host, perhaps a path; where nothing is encrypted above it only TLS, or the demo's own
/// machine.
pub(crate) fn check_address(
    file: &SourceFile,
    name: &str,
    address: &Spanned<String>,
    realm: Realm,
    is_enveloped: bool,
) -> Result<Uri, SourceError> {
    let wrong = |problem: &str| file.wrong(&address.span(), format!("{name}: {problem}"));
    let text = address.get_ref();
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
    if scheme == "http" && !is_enveloped && realm == Realm::Production {
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
    Ok(uri)
}

/// An envelope proves both sides and carries JSON; what does the same beside it would be said twice, and a 401 could
/// mean either.
fn check_together(file: &SourceFile, raw: &Raw, endpoint: &str) -> Result<(), SourceError> {
    if let (Some(tls), false) = (&raw.tls, endpoint.starts_with("https:")) {
        return Err(file.wrong(&tls.span(), "tls: the endpoint is not https"));
    }
    if raw.envelope.is_none() {
        return Ok(());
    }
    let form = raw.content.as_ref().filter(|c| *c.get_ref() == Encoding::Form);
    let beside = [
        raw.auth.as_ref().map(Spanned::span),
        raw.signature.as_ref().map(Spanned::span),
        form.map(Spanned::span),
    ];
    match beside.into_iter().flatten().next() {
        Some(at) => Err(file.wrong(
            &at,
            "[envelope] proves both sides and carries JSON: no [auth], [signature] or form beside it",
        )),
        None => Ok(()),
    }
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
