//! A random question: its parts are drawn as places among what the kind has, so that most of them fit.

use std::{collections::BTreeSet, sync::Arc};

use domain::{
    kind::{FieldType, Kind, LoadedKind, Mask},
    lookup::RawLookup,
    purpose::ACCOUNT_PROOFING,
    requester::Relation,
    words::{LegalBasis, Level, Mode},
};
use gateway::app::App;
use proptest::{prelude::*, sample::Index};
use serde_json::{Value, json};

/// Purposes of the register, of whatever kind, and one that is not registered.
const PURPOSES: [&str; 5] = [
    "own-information",
    ACCOUNT_PROOFING,
    "unassessed",
    "of-no-kind",
    "no-such-purpose",
];

/// What was drawn.
#[derive(Debug, Clone)]
pub(super) struct Draw {
    kind: Index,
    pub(super) mode: Mode,
    /// Whether a mode of the kind is taken in place of `mode`.
    fitting_mode: Option<Index>,
    purpose: &'static str,
    /// Whether a purpose of the kind is taken in place of `purpose`.
    fitting_purpose: Option<Index>,
    basis: Option<LegalBasis>,
    /// What its mode has no use for is sent with it.
    stray: bool,
    fields: Option<Vec<Index>>,
    reveal: Vec<Index>,
    claims: Vec<(Index, bool)>,
    predicates: Vec<Index>,
    key: Vec<Typed>,
    further_key: bool,
    pub(super) level: Level,
    pub(super) relation: Relation,
    pub(super) active: bool,
}

/// How a part of the key was typed.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Typed {
    Well,
    Badly,
    /// Well by itself, but of a vehicle that cannot have the other part.
    Unfit,
    NotAtAll,
}

pub(super) fn draws() -> impl Strategy<Value = Draw> {
    let place = any::<Index>;
    let mostly = |probability: f64| prop::option::weighted(probability, any::<Index>());
    let of_what = (
        place(),
        (prop::sample::select(Mode::ALL), mostly(0.85)),
        (prop::sample::select(PURPOSES.to_vec()), mostly(0.85)),
        prop::option::weighted(0.4, prop::sample::select(LegalBasis::ALL)),
        prop::bool::weighted(0.1),
    );
    let typed = prop_oneof![
        12 => Just(Typed::Well),
        1 => Just(Typed::Badly),
        1 => Just(Typed::Unfit),
        1 => Just(Typed::NotAtAll),
    ];
    let parts = (
        prop::option::of(prop::collection::vec(place(), 0..4)),
        prop_oneof![2 => Just(Vec::<Index>::new()), 1 => prop::collection::vec(place(), 1..3)],
        prop::collection::vec((place(), prop::bool::weighted(0.8)), 0..3),
        prop::collection::vec(place(), 0..3),
        prop::collection::vec(typed, 2),
        prop::bool::weighted(0.05),
    );
    let by_whom = (
        prop_oneof![1 => Just(Level::L1), 2 => Just(Level::L2), 3 => Just(Level::L3)],
        prop_oneof![3 => Just(Relation::Own), 1 => Just(Relation::Claimed), 1 => Just(Relation::Other)],
        prop::bool::weighted(0.85),
    );
    (of_what, parts, by_whom).prop_map(|(of_what, parts, (level, relation, active))| {
        let (kind, (mode, fitting_mode), (purpose, fitting_purpose), basis, stray) = of_what;
        let (fields, reveal, claims, predicates, key, further_key) = parts;
        Draw {
            kind,
            mode,
            fitting_mode,
            purpose,
            fitting_purpose,
            basis,
            stray,
            fields,
            reveal,
            claims,
            predicates,
            key,
            further_key,
            level,
            relation,
            active,
        }
    })
}

impl Draw {
    /// Whether something that belongs to this mode is sent.
    fn sends(&self, mode: Mode) -> bool {
        self.stray || self.mode == mode
    }

    /// Fields, fields without their mask, and rules.
    fn name_parts(&self, kind: &Kind, raw: &mut RawLookup) {
        let fields = ids(&kind.fields, |field| &field.id);
        if self.sends(Mode::Read) {
            raw.fields = self.fields.as_ref().map(|places| pick(&fields, places));
            let on_tap = kind.fields.iter().filter(|f| f.mask == Mask::UntilRevealed);
            let on_tap = on_tap.map(|field| field.id.clone());
            let pool: Vec<String> = on_tap.chain(pick(&fields, &self.reveal)).collect();
            raw.reveal = pick(&pool, &self.reveal);
        }
        if self.sends(Mode::Predicate) {
            raw.predicates = pick(&ids(&kind.predicates, |rule| &rule.id), &self.predicates);
        }
    }

    fn claim(&self, kind: &Kind, raw: &mut RawLookup, bad: &mut BTreeSet<String>) {
        let pool = ids(&kind.claims, |claim| &claim.id);
        for (place, well) in self.claims.iter().filter(|_| self.sends(Mode::Match)) {
            let id = place.get(&pool).clone();
            let at = format!("claims.{id}");
            let claim = kind.claims.iter().find(|claim| claim.id == id);
            let typed = claim.map_or_else(|| json!("x"), |claim| value(&claim.of_type, *well));
            // Of two claims of one name the last one counts.
            raw.claims.insert(id, typed);
            match *well || claim.is_none() {
                true => bad.remove(&at),
                false => bad.insert(at),
            };
        }
    }

    fn type_key(&self, kind: &Kind, raw: &mut RawLookup, bad: &mut BTreeSet<String>) {
        if self.further_key {
            raw.key.insert("no_such".to_owned(), json!("x"));
        }
        if !self.stray && self.mode == Mode::List {
            return;
        }
        let plate = kind.key.iter().zip(&self.key);
        let mut plate = plate.filter(|(part, _)| part.of_type == FieldType::Plate);
        let plate = plate.any(|(_, typed)| matches!(typed, Typed::Well | Typed::Unfit));
        for (part, typed) in kind.key.iter().zip(&self.key) {
            let unfit = *typed == Typed::Unfit && part.of_type == FieldType::PlateClass;
            let written = match typed {
                Typed::NotAtAll => None,
                // A small new-energy vehicle has a longer plate.
                Typed::Unfit if unfit => Some(json!("52")),
                typed => Some(value(&part.of_type, *typed != Typed::Badly)),
            };
            // That the two do not fit is known only where both can be read.
            if matches!(typed, Typed::Badly | Typed::NotAtAll) || (unfit && plate) {
                bad.insert(format!("key.{}", part.id));
            }
            raw.key.extend(written.map(|value| (part.id.clone(), value)));
        }
    }
}

/// The question that comes of it.
pub(super) struct Asked {
    pub(super) draw: Draw,
    pub(super) loaded: Arc<LoadedKind>,
    pub(super) raw: RawLookup,
    /// The parts of the request whose value is none of its type, or is not there.
    pub(super) bad: BTreeSet<String>,
    /// The fields of this kind that serve the purpose, where the register says which.
    serving: Option<Vec<String>>,
}

impl Asked {
    pub(super) fn new(mut draw: Draw, app: &App) -> Self {
        let kinds: Vec<Arc<LoadedKind>> = app.kinds.in_order().into_iter().cloned().collect();
        let loaded: Arc<LoadedKind> = Arc::clone(draw.kind.get(&kinds));
        let kind = &loaded.kind;
        draw.mode = draw.fitting_mode.map_or(draw.mode, |at| *at.get(&kind.modes));
        let fitting = draw.fitting_purpose.map(|at| at.get(&kind.purposes).clone());
        let mut raw = RawLookup {
            purpose: fitting.unwrap_or_else(|| draw.purpose.to_owned()),
            basis: draw.basis,
            ..RawLookup::default()
        };
        let registered = app.register.iter().find(|p| p.code == raw.purpose);
        let serving = registered.and_then(|p| p.fields.get(&kind.id).cloned());
        let mut bad = BTreeSet::new();
        draw.name_parts(kind, &mut raw);
        draw.claim(kind, &mut raw, &mut bad);
        draw.type_key(kind, &mut raw, &mut bad);
        Asked {
            draw,
            loaded,
            raw,
            bad,
            serving,
        }
    }

    pub(super) fn kind(&self) -> &Kind {
        &self.loaded.kind
    }

    pub(super) fn serves(&self, part: &str) -> bool {
        self.serving
            .as_ref()
            .is_none_or(|all| all.iter().any(|id| id == part))
    }

    /// The fields that are asked for: those that are named, or else all that may be disclosed for the purpose.
    pub(super) fn fields(&self) -> Vec<String> {
        let all = || {
            let open = self
                .kind()
                .fields
                .iter()
                .filter(|f| !f.internal && self.serves(&f.id));
            open.map(|f| f.id.clone()).collect()
        };
        match (&self.raw.fields, self.draw.mode) {
            (Some(named), Mode::Read) => named.clone(),
            (None, Mode::Read) => all(),
            _ => vec![],
        }
    }
}

/// The ids of these parts, and one that none of them has.
fn ids<T>(parts: &[T], id: impl Fn(&T) -> &String) -> Vec<String> {
    let known = parts.iter().map(|part| id(part).clone());
    known.chain(["no_such".to_owned()]).collect()
}

fn pick(pool: &[String], places: &[Index]) -> Vec<String> {
    places.iter().map(|at| at.get(pool).clone()).collect()
}

/// A value of that type, or one that is none.
fn value(of_type: &FieldType, well: bool) -> Value {
    let (good, bad) = match of_type {
        FieldType::Plate => (json!("晋N35T08"), json!("晋")),
        FieldType::PlateClass => (json!("02"), json!("99")),
        FieldType::Date => (json!("2030-01-01"), json!("2030-02-30")),
        FieldType::Code { .. } => (json!("yes"), json!("perhaps")),
        FieldType::Phone => (json!("13900000001"), json!("139")),
        FieldType::Image => (json!({ "digest": "0".repeat(64), "handle": "x" }), json!("x")),
        other => panic!("no value of the type {} is known here", other.word()),
    };
    if well { good } else { bad }
}
