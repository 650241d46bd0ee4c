//! One source as it stands in memory: what its file says, and the way to it.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use domain::{
    identifiers::SourceEncoding,
    kind::{Catalogue, LoadedKind},
    time::Timestamp,
    words::{Bilingual, Freshness},
};
use jiff::civil::Date;
use toml::Spanned;

use crate::{
    agreement::Agreement,
    dial::Realm,
    drops::Changes,
    file::{Protocol, Raw, RawServes, SourceError, SourceFile},
    gate::Gate,
    image::ImageRoute,
    measure::{Came, Measure},
    region::{Elsewhere, Region},
    report::Problem,
    route::Route,
    submit::SubmitRoute,
    transport::Transport,
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
    /// The regions that it covers; empty where it covers the whole country.
    pub regions: Vec<Region>,
    /// What an answer costs, in fen.
    pub price: u32,
    /// Where people of other regions look.
    pub elsewhere: Vec<Elsewhere>,
    /// The agreement by which it may be asked; only the demo goes without.
    pub agreement: Option<Agreement>,
}

/// A source that can be asked.
pub(crate) struct Source {
    pub(crate) info: SourceInfo,
    pub(crate) encoding: SourceEncoding,
    pub(crate) deadline: Duration,
    /// After how much silence a question is put a second time; never where there is none.
    pub(crate) hedge: Option<Duration>,
    pub(crate) transport: Transport,
    pub(crate) gate: Gate,
    /// What it delivered, by kind: one for each that it serves.
    pub(crate) measures: BTreeMap<String, Measure>,
    /// By an operator, until resumed.
    pub(crate) paused: AtomicBool,
    pub(crate) routes: Arc<[Route]>,
    pub(crate) images: Vec<ImageRoute>,
    pub(crate) submits: Vec<SubmitRoute>,
    /// What it pushes.
    pub(crate) changes: Option<Changes>,
}

impl Source {
    /// Why it must not be asked at all, if so.
    pub(crate) fn stopped(&self, today: Date) -> Option<Problem> {
        let agreement = self.info.agreement.as_ref();
        if self.paused.load(Ordering::Relaxed) {
            return Some(Problem::Paused);
        }
        let ended = agreement.is_some_and(|agreement| !agreement.holds(today));
        ended.then_some(Problem::AgreementExpired)
    }

    /// Counts one question about a kind, and what came of it.
    pub(crate) fn measure(&self, kind: &str, now: Timestamp, came: Came) {
        if let Some(measure) = self.measures.get(kind) {
            measure.record(now, came);
        }
    }

    /// Checks a file and prepares all that it says.
    pub(crate) fn compile(file: &SourceFile, kinds: &Catalogue, realm: Realm) -> Result<Self, SourceError> {
        let raw = file.parse()?;
        let bounded =
            |name, value: &Option<Spanned<usize>>, default, max| bounded(file, name, value, default, max);
        // A front-end database is another's, and each place is a connection to it.
        let places = if raw.protocol == Protocol::Sql { 8 } else { 64 };
        let concurrency = bounded("concurrency", &raw.concurrency, places, 4096)?;
        let max_body = bounded("max_body", &raw.max_body, 1 << 20, 16 << 20)?;
        let deadline_ms = self::bounded(file, "deadline_ms", &raw.deadline_ms, 3000, 60_000)?;
        let deadline = Duration::from_millis(deadline_ms);
        let transport = Transport::compile(file, &raw, realm, (concurrency, max_body), deadline)?;
        let routes = compile_routes(file, kinds, &raw, &transport)?;
        Ok(Source {
            info: describe(file, kinds, &raw, realm)?,
            encoding: raw.charset.encoding(),
            deadline,
            hedge: hedge(file, &raw, deadline_ms)?,
            gate: Gate::new(raw.id.get_ref(), concurrency, deadline),
            measures: routes.iter().map(|r| (r.kind.clone(), Measure::new())).collect(),
            paused: AtomicBool::new(false),
            images: compile_images(file, kinds, &raw, &transport, &routes)?,
            submits: compile_submits(file, &raw, &transport, &routes)?,
            changes: Changes::compile(file, &raw, realm, &transport, &routes)?,
            routes: routes.into(),
            transport,
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

/// A file is asked on this machine: a second question would wait for the same disk.
fn hedge(file: &SourceFile, raw: &Raw, deadline_ms: u64) -> Result<Option<Duration>, SourceError> {
    match &raw.hedge_ms {
        None => Ok(None),
        Some(ms) if raw.protocol == Protocol::File => {
            Err(file.wrong(&ms.span(), "hedge_ms: a file is asked once"))
        }
        Some(ms) if (1..deadline_ms).contains(ms.get_ref()) => Ok(Some(Duration::from_millis(*ms.get_ref()))),
        Some(ms) => Err(file.wrong(&ms.span(), "hedge_ms: from 1 to less than deadline_ms")),
    }
}

fn describe(
    file: &SourceFile,
    kinds: &Catalogue,
    raw: &Raw,
    realm: Realm,
) -> Result<SourceInfo, SourceError> {
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
    Ok(SourceInfo {
        id: id.clone(),
        version: raw.version,
        name: raw.name.get_ref().clone(),
        freshness: raw.freshness,
        regions: raw
            .regions
            .iter()
            .map(|region| Region::compile(file, region))
            .collect::<Result<_, _>>()?,
        price: raw.price,
        elsewhere: raw
            .elsewhere
            .iter()
            .map(|raw| Elsewhere::compile(file, kinds, raw))
            .collect::<Result<_, _>>()?,
        agreement: Agreement::compile(file, kinds, raw, realm)?,
    })
}

fn compile_routes(
    file: &SourceFile,
    kinds: &Catalogue,
    raw: &Raw,
    transport: &Transport,
) -> Result<Vec<Route>, SourceError> {
    if raw.serves.is_empty() || raw.serves.len() > MAX_ROUTES {
        return Err(file.wrong_as_a_whole(format!("serves: between 1 and {MAX_ROUTES} are needed")));
    }
    let compile = |serves: &Spanned<_>| {
        let serves: &Spanned<RawServes> = serves;
        let kind = kind_of(file, kinds, &serves.get_ref().kind)?;
        Route::compile(file, transport, &kind.kind, serves)
    };
    let mut routes: Vec<Route> = Vec::new();
    for serves in &raw.serves {
        let route = compile(serves)?;
        if let Some(what) = routes.iter().find_map(|other| other.clash(&route)) {
            let problem = format!(
                "{} is served twice in mode {}{what}: take one of the two out",
                route.kind, route.mode
            );
            return Err(file.wrong(&serves.span(), problem));
        }
        routes.push(route);
    }
    Ok(routes)
}

fn compile_images(
    file: &SourceFile,
    kinds: &Catalogue,
    raw: &Raw,
    transport: &Transport,
    served: &[Route],
) -> Result<Vec<ImageRoute>, SourceError> {
    let mut routes: Vec<ImageRoute> = Vec::new();
    for images in &raw.images {
        let Transport::Http(http) = transport else {
            return Err(file.wrong(&images.span(), "only a source over http streams images"));
        };
        let route = ImageRoute::compile(file, http, kinds, served, images)?;
        let is_twice = |id: &&String| routes.iter().any(|r| r.is_for(id));
        if let Some(id) = route.kinds().iter().find(is_twice) {
            return Err(file.wrong(&images.span(), format!("images of {id} are served twice")));
        }
        routes.push(route);
    }
    Ok(routes)
}

fn compile_submits(
    file: &SourceFile,
    raw: &Raw,
    transport: &Transport,
    served: &[Route],
) -> Result<Vec<SubmitRoute>, SourceError> {
    match (transport, raw.submits.first()) {
        (Transport::Http(http), _) => SubmitRoute::compile_all(file, http, served, &raw.submits),
        (_, Some(submits)) => Err(file.wrong(&submits.span(), "only a source over http takes reviews")),
        (_, None) => Ok(vec![]),
    }
}

/// The kind that a file names.
pub(crate) fn kind_of<'a>(
    file: &SourceFile,
    kinds: &'a Catalogue,
    named: &Spanned<String>,
) -> Result<&'a Arc<LoadedKind>, SourceError> {
    let id = named.get_ref();
    kinds.get(id).ok_or_else(|| {
        let known = kinds.in_order();
        let known: Vec<&str> = known.iter().map(|k| k.kind.id.as_str()).collect();
        let problem = format!("there is no kind {id}; known are {known:?}, and those of a folder of kinds");
        file.wrong(&named.span(), problem)
    })
}
