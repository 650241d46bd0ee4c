//! What whoever asks may choose about where the answer comes from, where the sources make it matter.

use domain::{
    kind::{FieldType, Kind},
    words::{Freshness, Mode},
};

use crate::{
    region::{Elsewhere, Region},
    sources::Sources,
};

/// What can be chosen for a question; nothing where every choice leads to the same source.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Choices {
    /// Some sources are live and some are not, so that it matters whether a staler one is accepted.
    pub freshness: bool,
    /// The regions among which sources divide the kind, or that are named with an entry of their own, where nothing in
    /// the question tells the region for certain; by their codes.
    pub regions: Vec<Region>,
}

impl Sources {
    /// What matters for a question about a kind.
    #[must_use]
    pub fn choices(&self, kind: &Kind, mode: Mode) -> Choices {
        let Some(candidates) = self.candidates(&kind.id, mode) else {
            return Choices::default();
        };
        let all = candidates.all();
        let live = |c: &&crate::routing::Candidate| c.freshness == Freshness::Realtime;
        let live = all.iter().filter(live).count();
        let tells_region = kind.key.iter().any(|part| part.of_type == FieldType::Plate);
        let divided = all.iter().any(|c| !c.regions.is_empty()) && !tells_region;
        let mut regions: Vec<Region> = vec![];
        let entries = self.infos().flat_map(|info| &info.elsewhere);
        let entries = entries
            .filter(|entry| entry.is_of(&kind.id))
            .map(Elsewhere::region);
        let own = all.iter().flat_map(|c| &c.regions);
        for region in own.chain(entries).filter(|_| divided) {
            if !regions.iter().any(|known| known.area == region.area) {
                regions.push(region.clone());
            }
        }
        regions.sort_by_key(|region| region.area);
        Choices {
            freshness: (1..all.len()).contains(&live),
            regions,
        }
    }
}
