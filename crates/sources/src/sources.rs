//! All sources of a deployment, and which of them is asked for what.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, atomic::Ordering},
};

use domain::{
    kind::Catalogue,
    time::Clock,
    words::{Freshness, Mode},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::{
    dial::Realm,
    file::{SourceError, SourceFile},
    image::ImageRoute,
    measure::Measure,
    region::{Elsewhere, Region, Whereabouts},
    route::Route,
    routing::{Candidate, Candidates, Place},
    source::{Source, SourceInfo},
    submit::SubmitRoute,
};

/// Every source that can be asked.
pub struct Sources {
    sources: Vec<Source>,
    plan: BTreeMap<String, Plan>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Mutex<ChaCha20Rng>,
}

/// Who is asked for one kind.
#[derive(Default)]
struct Plan {
    read: Candidates,
    /// Who is asked beside whoever answers.
    beside: Candidates,
    list: Candidates,
    base: Candidates,
    /// Claim → the routes that are asked for it besides the base.
    extra: BTreeMap<String, Candidates>,
}

/// One line of the page that says what can be looked up where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The kind.
    pub kind: String,
    /// The mode; predicates are asked as `read`.
    pub mode: Mode,
    /// The source's id; [`Sources::named`] tells its names.
    pub source: String,
    /// The claims that this source compares, besides name and number.
    pub claims: Vec<String>,
    /// The regions that it covers; empty where it covers the whole country.
    pub regions: Vec<Region>,
    /// What it promises about the age of its data.
    pub freshness: Freshness,
    /// Where it is asked beside another source and never instead: the fields that it is compared in.
    pub beside: Option<Vec<String>>,
    /// It gives images of this kind.
    pub images: bool,
    /// Within how many working days it answers reviews of this kind; `None` where it takes none.
    pub reviewed_within: Option<u32>,
}

impl Sources {
    /// Reads all files, resolves their keys, and plans who is asked for what. No connection
    /// is opened yet. `seed` feeds the generator of session keys: 32 bytes from the system's generator.
    ///
    /// # Errors
    /// The first file that is wrong, with the line and what to write instead.
    pub fn new(
        files: &[SourceFile],
        kinds: &Catalogue,
        realm: Realm,
        clock: Arc<dyn Clock>,
        seed: [u8; 32],
    ) -> Result<Self, SourceError> {
        let sources = Sources::alone(files, kinds, realm, clock, seed)?;
        for (kind, plan) in &sources.plan {
            let orphans = plan.extra.values().filter(|_| plan.base.all().is_empty());
            if let Some(orphan) = orphans.flat_map(|extra| extra.all().first()).next() {
                let problem =
                    format!("{kind}: in mode match one source needs a base route with name and number");
                return Err(files[orphan.place.source].wrong_as_a_whole(problem));
            }
            if let (Some(orphan), []) = (plan.beside.all().first(), plan.read.all()) {
                let problem = format!("{kind}: asked beside another source, but no other source serves it");
                return Err(files[orphan.place.source].wrong_as_a_whole(problem));
            }
        }
        Ok(sources)
    }

    /// Reads all files as [`Sources::new`] does, without asking that every match has its base among them: to look at
    /// single files.
    ///
    /// # Errors
    /// The first file that is wrong, with the line and what to write instead.
    pub fn alone(
        files: &[SourceFile],
        kinds: &Catalogue,
        realm: Realm,
        clock: Arc<dyn Clock>,
        seed: [u8; 32],
    ) -> Result<Self, SourceError> {
        let mut sources: Vec<Source> = Vec::new();
        let mut plan: BTreeMap<String, Plan> = BTreeMap::new();
        for file in files {
            let source = Source::compile(file, kinds, realm)?;
            if sources.iter().any(|s| s.info.id == source.info.id) {
                return Err(file.wrong_as_a_whole(format!("there is a source {} already", source.info.id)));
            }
            for (route, compiled) in source.routes.iter().enumerate() {
                let candidate = Candidate {
                    place: Place {
                        source: sources.len(),
                        route,
                    },
                    id: source.info.id.clone(),
                    freshness: source.info.freshness,
                    price: source.info.price,
                    regions: source.info.regions.clone(),
                };
                plan.entry(compiled.kind.clone())
                    .or_default()
                    .add(compiled, candidate);
            }
            sources.push(source);
        }
        Ok(Sources {
            sources,
            plan,
            clock,
            random: Mutex::new(ChaCha20Rng::from_seed(seed)),
        })
    }

    /// What can be looked up, where.
    #[must_use]
    pub fn coverage(&self) -> Vec<Coverage> {
        let line = |source: &Source, route: &Route| Coverage {
            kind: route.kind.clone(),
            mode: route.mode,
            source: source.info.id.clone(),
            claims: route.claims.clone(),
            regions: source.info.regions.clone(),
            freshness: source.info.freshness,
            beside: route.beside.as_ref().map(|beside| beside.holds().to_vec()),
            images: source.images.iter().any(|images| images.is_for(&route.kind)),
            reviewed_within: self
                .review_terms(&source.info.id, &route.kind)
                .map(|terms| terms.working_days),
        };
        let mut lines: Vec<_> = self
            .sources
            .iter()
            .flat_map(|s| s.routes.iter().map(move |r| line(s, r)))
            .collect();
        lines.sort_by(|a, b| (&a.kind, a.mode, &a.source).cmp(&(&b.kind, b.mode, &b.source)));
        lines
    }

    /// Every source, in the order of the files.
    pub(crate) fn all(&self) -> &[Source] {
        &self.sources
    }

    /// Every source, in the order of their files.
    pub fn infos(&self) -> impl Iterator<Item = &SourceInfo> {
        self.sources.iter().map(|s| &s.info)
    }

    /// Leaves a source alone from now on, or asks it again; `false` where there is no such source.
    pub fn pause(&self, id: &str, paused: bool) -> bool {
        let source = self.sources.iter().find(|s| s.info.id == id);
        if let Some(source) = source {
            source.paused.store(paused, Ordering::Relaxed);
        }
        source.is_some()
    }

    /// Whether an operator paused it.
    #[must_use]
    pub fn is_paused(&self, id: &str) -> bool {
        let source = self.sources.iter().find(|s| s.info.id == id);
        source.is_some_and(|s| s.paused.load(Ordering::Relaxed))
    }

    pub(crate) fn measure_of(&self, id: &str, kind: &str) -> Option<&Measure> {
        self.sources.iter().find(|s| s.info.id == id)?.measures.get(kind)
    }

    /// The source of that id.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&SourceInfo> {
        self.infos().find(|info| info.id == id)
    }

    /// Where people look whose region no source covers: the narrowest entry that a file names.
    pub(crate) fn elsewhere(&self, kind: &str, whereabouts: Whereabouts<'_>) -> Option<Elsewhere> {
        let named = self.infos().flat_map(|info| &info.elsewhere);
        let fitting = named.filter(|entry| entry.is_for(kind, whereabouts));
        // Of equally narrow ones the first, in the order of the files.
        fitting
            .min_by_key(|entry| std::cmp::Reverse(entry.region.area.digits()))
            .cloned()
    }

    /// Who may be asked for a kind, in a mode other than `match`.
    pub(crate) fn candidates(&self, kind: &str, mode: Mode) -> Option<&Candidates> {
        let plan = self.plan.get(kind)?;
        Some(match mode {
            // Of a single file, which is looked at and not served, that alone can be asked.
            Mode::Read | Mode::Predicate if plan.read.all().is_empty() => &plan.beside,
            Mode::Read | Mode::Predicate => &plan.read,
            Mode::List => &plan.list,
            Mode::Match => &plan.base,
        })
    }

    /// Who may be asked beside whoever answers about a kind; nobody where nobody answers.
    pub(crate) fn beside(&self, kind: &str, mode: Mode) -> Option<&Candidates> {
        let asks = matches!(mode, Mode::Read | Mode::Predicate);
        let plan = self.plan.get(kind).filter(|_| asks)?;
        (!plan.beside.all().is_empty() && !plan.read.all().is_empty()).then_some(&plan.beside)
    }

    /// Who may be asked about a claim, besides the base.
    pub(crate) fn candidates_for(&self, kind: &str, claim: &str) -> Option<&Candidates> {
        self.plan.get(kind)?.extra.get(claim)
    }

    /// The route for images of a kind whose handles this source gave.
    pub(crate) fn image_route(&self, source: &str, kind: &str) -> Option<(&Source, &ImageRoute)> {
        let source = self.sources.iter().find(|s| s.info.id == source)?;
        let route = source.images.iter().find(|route| route.is_for(kind))?;
        Some((source, route))
    }

    /// The route by which a source takes reviews of its records of a kind.
    pub(crate) fn submit_route(&self, source: &str, kind: &str) -> Option<(&Source, &SubmitRoute)> {
        let source = self.sources.iter().find(|s| s.info.id == source)?;
        let route = source.submits.iter().find(|route| route.is_for(kind))?;
        Some((source, route))
    }

    pub(crate) fn at(&self, place: Place) -> (&Source, &Route) {
        let source = &self.sources[place.source];
        (source, &source.routes[place.route])
    }
}

impl Plan {
    fn add(&mut self, route: &Route, candidate: Candidate) {
        match route.mode {
            Mode::Read | Mode::Predicate if route.beside.is_some() => self.beside.add(candidate),
            Mode::Read | Mode::Predicate => self.read.add(candidate),
            Mode::List => self.list.add(candidate),
            Mode::Match if route.base => self.base.add(candidate),
            Mode::Match => {
                for claim in &route.claims {
                    self.extra
                        .entry(claim.clone())
                        .or_default()
                        .add(candidate.clone());
                }
            }
        }
    }
}
