//! One source as it stands in memory: what its file says, and the way to it.

use std::time::Duration;

use domain::{
    identifiers::SourceEncoding,
    kind::Catalogue,
    words::{Bilingual, Freshness},
};
use http::Uri;
use jiff::civil::Date;
use toml::Spanned;

use crate::{
    client::Client,
    dial::Realm,
    envelope::Envelope,
    file::{Raw, RawAgreement, SourceError, SourceFile},
    gate::Gate,
    image::ImageRoute,
    route::Route,
    secret,
    submit::SubmitRoute,
};

/// How many routes one file may hold.
const MAX_ROUTES: usize = 64;

/// What people are told about a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceInfo {
    /// Its id, which stands in the evidence.
    pub id: String,
    /// The version of its mapping.
    pub version: u32,
    /// Its name.
    pub name: Bilingual,
    /// What it promises about the age of its data.
    pub freshness: Freshness,
    /// The regions that it covers; empty where it covers the whole country. For other regions it is still asked,
    /// and answers `not_covered` itself.
    pub regions: Vec<String>,
    /// The agreement by which it may be asked; only the demo goes without.
    pub agreement: Option<Agreement>,
}

/// The agreement with a record holder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Agreement {
    /// Its number, as both sides file it.
    pub number: String,
    /// The last day, in China, on which it permits to ask.
    pub expires: Date,
}

/// A source that can be asked.
pub(crate) struct Source {
    pub(crate) info: SourceInfo,
    pub(crate) encoding: SourceEncoding,
    pub(crate) deadline: Duration,
    pub(crate) client: Client,
    pub(crate) envelope: Option<Envelope>,
    pub(crate) gate: Gate,
    pub(crate) routes: Vec<Route>,
    pub(crate) images: Vec<ImageRoute>,
    pub(crate) submits: Vec<SubmitRoute>,
}

impl Source {
    /// Checks a file and prepares all that it says.
    pub(crate) fn compile(file: &SourceFile, kinds: &Catalogue, realm: Realm) -> Result<Self, SourceError> {
        let raw = file.parse()?;
        let endpoint = check_endpoint(file, &raw, realm)?;
        let bounded =
            |name, value: &Option<Spanned<usize>>, default, max| bounded(file, name, value, default, max);
        let concurrency = bounded("concurrency", &raw.concurrency, 64, 4096)?;
        let max_body = bounded("max_body", &raw.max_body, 1 << 20, 16 << 20)?;
        let deadline_ms = self::bounded(file, "deadline_ms", &raw.deadline_ms, 3000, 60_000)?;
        let retries = raw.retries.as_ref().map_or(1, |r| *r.get_ref());
        if retries > 3 {
            return Err(file.wrong_as_a_whole("retries: at most 3"));
        }
        let client = Client::new(realm, concurrency, retries)
            .map_err(|e| file.wrong_as_a_whole(format!("TLS cannot be set up: {e}")))?;
        let routes = compile_routes(file, kinds, &raw, (endpoint, max_body))?;
        Ok(Source {
            envelope: compile_envelope(file, &raw, realm, endpoint)?,
            info: describe(file, &raw, realm)?,
            encoding: raw.charset.encoding(),
            deadline: Duration::from_millis(deadline_ms),
            client,
            gate: Gate::new(concurrency),
            images: compile_images(file, kinds, &raw, endpoint, &routes)?,
            submits: SubmitRoute::compile_all(file, endpoint, &routes, &raw.submits)?,
            routes,
        })
    }
}

fn bounded<T: Copy + PartialOrd + From<u8> + std::fmt::Display>(
    file: &SourceFile,
    name: &str,
    value: &Option<Spanned<T>>,
    default: T,
    max: T,
) -> Result<T, SourceError> {
    match value {
        None => Ok(default),
        Some(value) if (T::from(1)..=max).contains(value.get_ref()) => Ok(*value.get_ref()),
        Some(value) => Err(file.wrong(&value.span(), format!("{name}: expected 1 to {max}"))),
    }
}

fn describe(file: &SourceFile, raw: &Raw, realm: Realm) -> Result<SourceInfo, SourceError> {
    let id = raw.id.get_ref();
    let sound = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if id.is_empty() || id.len() > 48 || !id.chars().all(sound) {
        return Err(file.wrong(
            &raw.id.span(),
            "id: lower-case letters, digits and hyphens, at most 48",
        ));
    }
    if !raw.name.get_ref().is_complete() {
        return Err(file.wrong(&raw.name.span(), "name: needs words in zh and en"));
    }
    if raw.agreement.is_none() && realm == Realm::Production {
        return Err(file.wrong_as_a_whole("agreement: a real source is asked only under an agreement"));
    }
    Ok(SourceInfo {
        id: id.clone(),
        version: raw.version,
        name: raw.name.get_ref().clone(),
        freshness: raw.freshness,
        regions: raw.regions.clone(),
        agreement: raw
            .agreement
            .as_ref()
            .map(|agreement| read_agreement(file, agreement))
            .transpose()?,
    })
}

fn read_agreement(file: &SourceFile, raw: &RawAgreement) -> Result<Agreement, SourceError> {
    let expires = raw.expires.get_ref();
    let date = expires.time.is_none() && expires.offset.is_none();
    let expires = expires.to_string().parse().ok().filter(|_| date);
    let expires =
        expires.ok_or_else(|| file.wrong(&raw.expires.span(), "expires: a date such as 2036-12-31"))?;
    Ok(Agreement {
        number: raw.number.clone(),
        expires,
    })
}

/// `http://` or `https://`, a host, perhaps a path; without message encryption only TLS, or the demo's own machine.
fn check_endpoint<'a>(file: &SourceFile, raw: &'a Raw, realm: Realm) -> Result<&'a str, SourceError> {
    let wrong = |problem: &str| file.wrong(&raw.endpoint.span(), format!("endpoint: {problem}"));
    let text = raw.endpoint.get_ref();
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
    let handshake = handshake.map_err(|_| file.wrong(&raw.endpoint.span(), "endpoint: not an address"))?;
    Ok(Some(Envelope::new(identity, peer, handshake)))
}

fn compile_routes(
    file: &SourceFile,
    kinds: &Catalogue,
    raw: &Raw,
    at: (&str, usize),
) -> Result<Vec<Route>, SourceError> {
    if raw.serves.is_empty() || raw.serves.len() > MAX_ROUTES {
        return Err(file.wrong_as_a_whole(format!("serves: between 1 and {MAX_ROUTES} are needed")));
    }
    let compile = |serves: &Spanned<_>| {
        let id: &Spanned<String> = kind_of(serves);
        let kind = kinds.get(id.get_ref());
        let kind =
            kind.ok_or_else(|| file.wrong(&id.span(), format!("there is no kind {}", id.get_ref())))?;
        Route::compile(file, at, &kind.kind, serves)
    };
    raw.serves.iter().map(compile).collect()
}

fn compile_images(
    file: &SourceFile,
    kinds: &Catalogue,
    raw: &Raw,
    endpoint: &str,
    served: &[Route],
) -> Result<Vec<ImageRoute>, SourceError> {
    let mut routes: Vec<ImageRoute> = Vec::new();
    for images in &raw.images {
        let route = ImageRoute::compile(file, endpoint, kinds, served, images)?;
        let is_twice = |id: &&String| routes.iter().any(|r| r.is_for(id));
        if let Some(id) = route.kinds().iter().find(is_twice) {
            return Err(file.wrong(&images.span(), format!("images of {id} are served twice")));
        }
        routes.push(route);
    }
    Ok(routes)
}

fn kind_of(serves: &Spanned<crate::file::RawServes>) -> &Spanned<String> {
    &serves.get_ref().kind
}
