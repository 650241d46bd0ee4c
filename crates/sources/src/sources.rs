//! All sources of a deployment, and which of them is asked for what.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
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
    route::Route,
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
    read: Option<Place>,
    list: Option<Place>,
    base: Option<Place>,
    /// Claim → the route that is asked for it besides the base.
    extra: BTreeMap<String, Place>,
}

/// A route: which source, and which of its routes.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Place {
    source: usize,
    route: usize,
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
    pub regions: Vec<String>,
    /// What it promises about the age of its data.
    pub freshness: Freshness,
}

impl Sources {
    /// Reads all files, resolves their keys, and checks that each question has one source to go to. No connection
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
        let mut sources: Vec<Source> = Vec::new();
        let mut plan: BTreeMap<String, Plan> = BTreeMap::new();
        for file in files {
            let source = Source::compile(file, kinds, realm)?;
            if sources.iter().any(|s| s.info.id == source.info.id) {
                return Err(file.wrong_as_a_whole(format!("there is a source {} already", source.info.id)));
            }
            for (route, compiled) in source.routes.iter().enumerate() {
                let place = Place {
                    source: sources.len(),
                    route,
                };
                let plan = plan.entry(compiled.kind.clone()).or_default();
                plan.add(compiled, place)
                    .map_err(|problem| file.wrong_as_a_whole(problem))?;
            }
            sources.push(source);
        }
        for (kind, plan) in &plan {
            let orphan = plan.extra.values().next().filter(|_| plan.base.is_none());
            if let Some(place) = orphan {
                let problem =
                    format!("{kind}: in mode match one source needs a base route with name and number");
                return Err(files[place.source].wrong_as_a_whole(problem));
            }
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
        };
        let mut lines: Vec<_> = self
            .sources
            .iter()
            .flat_map(|s| s.routes.iter().map(move |r| line(s, r)))
            .collect();
        lines.sort_by(|a, b| (&a.kind, a.mode, &a.source).cmp(&(&b.kind, b.mode, &b.source)));
        lines
    }

    /// The source of that id.
    #[must_use]
    pub fn named(&self, id: &str) -> Option<&SourceInfo> {
        self.sources.iter().map(|s| &s.info).find(|info| info.id == id)
    }

    /// The one route for a mode other than `match`.
    pub(crate) fn route(&self, kind: &str, mode: Mode) -> Option<(&Source, &Route)> {
        let plan = self.plan.get(kind)?;
        let place = match mode {
            Mode::Read | Mode::Predicate => plan.read,
            Mode::List => plan.list,
            Mode::Match => plan.base,
        };
        place.map(|place| self.at(place))
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

    /// The routes for a match: the base first, then each that covers a claim which the base does not. `None` where
    /// a claim is covered by nobody.
    pub(crate) fn routes_to_match<'a>(
        &self,
        kind: &str,
        claims: impl Iterator<Item = &'a String>,
    ) -> Option<Vec<(&Source, &Route)>> {
        let plan = self.plan.get(kind)?;
        let mut places = vec![plan.base?];
        let base = self.at(plan.base?).1;
        for claim in claims.filter(|claim| !base.claims.contains(claim)) {
            let place = *plan.extra.get(claim)?;
            if !places.contains(&place) {
                places.push(place);
            }
        }
        Some(places.into_iter().map(|place| self.at(place)).collect())
    }

    fn at(&self, place: Place) -> (&Source, &Route) {
        let source = &self.sources[place.source];
        (source, &source.routes[place.route])
    }
}

impl Plan {
    fn add(&mut self, route: &Route, place: Place) -> Result<(), String> {
        let twice = |what: &str| {
            Err(format!(
                "{} is served twice in mode {}{what}",
                route.kind, route.mode
            ))
        };
        let slot = match route.mode {
            Mode::Read | Mode::Predicate => &mut self.read,
            Mode::List => &mut self.list,
            Mode::Match if route.base => &mut self.base,
            Mode::Match => {
                for claim in &route.claims {
                    if self.extra.insert(claim.clone(), place).is_some() {
                        return twice(&format!(" for the claim {claim}"));
                    }
                }
                return Ok(());
            }
        };
        if slot.replace(place).is_some() {
            twice("")
        } else {
            Ok(())
        }
    }
}
