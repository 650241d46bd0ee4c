//! Which of several routes is asked, and in what order: a plan made at start, and one pass over it per question.

use domain::words::{AskedFreshness, Freshness};

use crate::region::{Region, Whereabouts};

/// How many sources are asked in turn for one question.
pub(crate) const MAX_TRIES: usize = 3;

/// A route: which source, and which of its routes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) source: usize,
    pub(crate) route: usize,
}

/// A route that may be asked for something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Candidate {
    pub(crate) place: Place,
    /// The source's id: what is equal in all else is asked in its order.
    pub(crate) id: String,
    pub(crate) freshness: Freshness,
    pub(crate) price: u32,
    /// Empty for the whole country.
    pub(crate) regions: Vec<Region>,
}

/// All routes for one thing, best first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Candidates(Vec<Candidate>);

/// Who is asked in turn.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Order<'a> {
    /// At most [`MAX_TRIES`]; empty where nobody covers the question.
    pub(crate) turns: Vec<&'a Candidate>,
    /// The freshest that could have been had, were all well.
    freshest: Option<Freshness>,
}

impl Candidates {
    /// Puts a route into its place: the freshest first, then the cheapest, then whoever knows the region best.
    pub(crate) fn add(&mut self, candidate: Candidate) {
        let rank = |c: &Candidate| (c.freshness, c.price, c.regions.is_empty());
        let at = self.0.partition_point(|c| {
            (rank(c), &c.id, c.place.route) < (rank(&candidate), &candidate.id, candidate.place.route)
        });
        self.0.insert(at, candidate);
    }

    /// All of them, best first.
    pub(crate) fn all(&self) -> &[Candidate] {
        &self.0
    }

    /// Whoever covers the question and is fresh enough, in the order of the plan; who is not well is left out
    /// unless nobody is. Where the region is only likely and nobody covers it, all are asked as they come.
    pub(crate) fn order<'a, 'q>(
        &'a self,
        freshness: AskedFreshness,
        whereabouts: impl FnOnce() -> Whereabouts<'q>,
        is_well: impl Fn(&Candidate) -> bool,
    ) -> Order<'a> {
        let fresh = |c: &Candidate| freshness == AskedFreshness::Any || c.freshness == Freshness::Realtime;
        // Most plans have one route, for the whole country: then there is nothing to find out.
        if let [only] = self.0.as_slice()
            && only.regions.is_empty()
        {
            let turns: Vec<_> = Some(only).into_iter().filter(|c| fresh(c)).collect();
            let freshest = turns.first().map(|c| c.freshness);
            return Order { turns, freshest };
        }
        let whereabouts = whereabouts();
        let covers = |c: &Candidate| c.regions.is_empty() || c.regions.iter().any(|r| r.holds(whereabouts));
        let nobody = matches!(whereabouts, Whereabouts::Likely(_)) && !self.0.iter().any(covers);
        let eligible = || self.0.iter().filter(|c| (nobody || covers(c)) && fresh(c));
        let mut turns: Vec<_> = eligible().filter(|c| is_well(c)).take(MAX_TRIES).collect();
        let first = eligible().next();
        if turns.is_empty() {
            turns.extend(first);
        }
        Order {
            turns,
            freshest: first.map(|c| c.freshness),
        }
    }
}

impl Order<'_> {
    /// Whether this turn's answer is staler than the freshest that could have been had.
    pub(crate) fn is_staler(&self, turn: &Candidate) -> bool {
        self.freshest.is_some_and(|freshest| turn.freshness > freshest)
    }
}

#[cfg(test)]
mod tests {
    use domain::identifiers::Area;
    use proptest::prelude::*;
    use toml::Spanned;

    use super::*;
    use crate::file::SourceFile;

    const REGIONS: [&str; 6] = ["44", "4403", "440305", "11", "粤B", "京A"];
    const AREAS: [&str; 5] = ["440305", "4401", "11", "31", "44"];

    fn region(code: &str) -> Region {
        let file = SourceFile {
            name: String::new(),
            text: String::new(),
        };
        Region::compile(&file, &Spanned::new(0..0, code.to_owned())).unwrap()
    }

    prop_compose! {
        fn candidate()(
            name in 0u8..20,
            freshness in prop::sample::select(Freshness::ALL),
            price in 0u32..3,
            regions in prop::sample::subsequence(REGIONS.to_vec(), 0..3),
        ) -> Candidate {
            let place = Place { source: name.into(), route: 0 };
            let regions = regions.into_iter().map(region).collect();
            Candidate { place, id: format!("s{name:02}"), freshness, price, regions }
        }
    }

    fn whereabouts() -> impl Strategy<Value = Whereabouts<'static>> {
        let area = prop::sample::select(AREAS.to_vec()).prop_map(|a| Area::parse(a).unwrap());
        prop_oneof![
            area.clone().prop_map(|a| Whereabouts::Certain(a, None)),
            Just(Whereabouts::Certain(
                Area::parse("4403").unwrap(),
                Some("粤B12345")
            )),
            area.prop_map(Whereabouts::Likely),
            Just(Whereabouts::Unknown),
        ]
    }

    fn plan<'a>(all: impl Iterator<Item = &'a Candidate>) -> Candidates {
        let mut plan = Candidates::default();
        all.for_each(|c| plan.add(c.clone()));
        plan
    }

    proptest! {
        /// Said a second time, as sets and for all: what the code does in one pass.
        #[test]
        fn whom_it_chooses_is_whom_the_rules_name(
            all in prop::collection::btree_map(0u8..20, candidate(), 0..6),
            wish in prop::sample::select(AskedFreshness::ALL),
            at in whereabouts(),
            ill in prop::collection::btree_set(0usize..20, 0..12),
        ) {
            let mut all: Vec<_> = all.into_iter().map(|(name, mut c)| {
                (c.place.source, c.id) = (name.into(), format!("s{name:02}"));
                c
            }).collect();
            let well = |c: &Candidate| !ill.contains(&c.place.source);
            let forward = plan(all.iter());
            let backward = plan(all.iter().rev());
            prop_assert_eq!(&forward, &backward, "the order of files changes nothing");
            let order = forward.order(wish, || at, well);

            let covers = |c: &Candidate| c.regions.is_empty() || c.regions.iter().any(|r| r.holds(at));
            if !matches!(at, Whereabouts::Likely(_)) || all.iter().any(covers) {
                all.retain(covers);
            }
            if wish == AskedFreshness::Realtime {
                all.retain(|c| c.freshness == Freshness::Realtime);
            }
            all.sort_by_key(|c| (c.freshness, c.price, c.regions.is_empty(), c.id.clone()));
            let expected: Vec<_> = match all.iter().any(well) || all.is_empty() {
                true => all.iter().filter(|c| well(c)).take(MAX_TRIES).collect(),
                false => vec![&all[0]],
            };
            // One route alone is asked whether it is well or not: its gate gives the reason.
            let alone = forward.all().len() == 1 && forward.all()[0].regions.is_empty();
            if !alone {
                prop_assert_eq!(&order.turns, &expected);
            }
            for turn in &order.turns {
                let fresher = all.iter().any(|c| c.freshness < turn.freshness);
                prop_assert_eq!(order.is_staler(turn), fresher);
            }
        }
    }

    #[test]
    fn a_plate_is_certain_and_a_number_is_a_hint() {
        let only = |code| {
            plan(
                [Candidate {
                    place: Place { source: 0, route: 0 },
                    id: "s".into(),
                    freshness: Freshness::Daily,
                    price: 0,
                    regions: vec![region(code)],
                }]
                .iter(),
            )
        };
        let turns = |plan: &Candidates, wish, at| plan.order(wish, || at, |_| true).turns.len();
        let shenzhen = Area::parse("4403").unwrap();
        let (plate, number) = (
            Whereabouts::Certain(shenzhen, Some("粤B12345")),
            Whereabouts::Likely(shenzhen),
        );
        assert_eq!(turns(&only("11"), AskedFreshness::Any, plate), 0);
        assert_eq!(turns(&only("11"), AskedFreshness::Any, number), 1);
        assert_eq!(turns(&only("44"), AskedFreshness::Any, plate), 1);
        assert_eq!(turns(&only("粤B"), AskedFreshness::Any, plate), 1);
        assert_eq!(turns(&only("粤A"), AskedFreshness::Any, plate), 0);
        assert_eq!(turns(&only("44"), AskedFreshness::Realtime, plate), 0);
    }
}
