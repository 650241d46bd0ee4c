//! What is checked before the policy is asked, against a model of few words, by random questions. What depends on the
//! question, the register and the requester alone comes first, and is told; then what the requester is not told; last
//! the written policy. All must permit.

mod draw;

use std::{cell::RefCell, collections::BTreeSet, fs, path::Path, sync::Arc};

use domain::{
    ids::{AccountId, SessionId, SubjectId},
    kind::Mask,
    lookup::{LookupRequest, RequestProblem, SubjectRef},
    purpose::{ACCOUNT_PROOFING, Purpose},
    requester::{Relation, Requester, Role},
    words::{LegalBasis, Level, Mode},
};
use gateway::{actions::decide, app::App};
use proptest::prelude::*;

use self::draw::{Asked, draws};
use crate::bed::Bed;

on_both!(random_questions_are_decided_as_the_model_says);

/// So many that even the rarest of [`SEEN`] comes up a dozen times.
const CASES: u32 = 6000;
/// What must come up, or the questions would prove nothing.
const SEEN: [&str; 9] = [
    "BAD_VALUE",
    "FIELD_NOT_IN_KIND",
    "LEVEL_TOO_LOW",
    "NO_GRANT",
    "PERMITTED",
    "PIA_MISSING",
    "POLICY_FORBIDS",
    "PURPOSE_NOT_REGISTERED",
    "SUBJECT_ERASED",
];

const KINDS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../kinds");
const BASES: &str = "bases = [\"contract\"]\npia = \"TEST-PIA-1\"";
/// A purpose that serves parts of some kinds and nothing of one.
const NARROW: &str = r#"bases = ["contract", "statutory-duty", "consent"]
pia = "TEST-PIA-1"
fields = { vehicle = ["brand", "fuel"], identity = ["phone"], vehicle-insurance = [] }"#;
/// A purpose that a kind has and nobody assessed, and one that no kind has.
const FURTHER: &str = r#"[[purposes]]
code = "unassessed"
name = { zh = "没有评估过", en = "never assessed" }
bases = ["contract"]
pia = "  "

[[purposes]]
code = "of-no-kind"
name = { zh = "没有哪种信息用到", en = "of no kind" }
bases = ["contract"]
pia = "TEST-PIA-3"

[limits]"#;

async fn random_questions_are_decided_as_the_model_says(bed: Arc<Bed>) {
    let folder = bed.folder().join("kinds");
    copy_kind(&folder.join("licence-copy"));
    let app = bed.app().kinds(&folder).replacing(BASES, NARROW);
    let app = app.replacing("[limits]", FURTHER).start().await;
    let seen = RefCell::new(BTreeSet::new());
    proptest!(ProptestConfig::with_cases(CASES), |(draw in draws())| {
        let asked = Asked::new(draw, &app.app);
        let (said, expected) = (decided(&app.app, &asked), model(&app.app, &asked));
        match &said {
            Ok(fields) => {
                prop_assert!(expected.is_empty(), "permitted, though {:?}", expected);
                prop_assert_eq!(fields.clone(), asked.fields(), "what is asked for");
                seen.borrow_mut().insert("PERMITTED");
            }
            Err(why) => {
                prop_assert!(expected.contains(why), "{:?}, and not one of {:?}", why, expected);
                seen.borrow_mut().insert(why.0);
            }
        }
    });
    assert_eq!(seen.into_inner(), BTreeSet::from(SEEN));
}

/// The driving licence once more, also for a purpose that nobody assessed.
fn copy_kind(to: &Path) {
    fs::create_dir_all(to).unwrap();
    for file in ["kind.toml", "notice.zh.md", "notice.en.md"] {
        let text = fs::read_to_string(Path::new(KINDS).join("driving-licence").join(file)).unwrap();
        let text = text.replace("id = \"driving-licence\"\n", "id = \"licence-copy\"\n");
        let further =
            "purposes = [\"own-information\", \"unassessed\"]\nlevel_by_purpose = { unassessed = \"L3\" }";
        let text = text.replace("purposes = [\"own-information\"]", further);
        fs::write(to.join(file), text).unwrap();
    }
}

/// A reason and the part of the request that it is about. What is hidden is about none.
type Why = (&'static str, String);

/// What the program decides: the fields that it will ask for, or why not.
fn decided(app: &App, asked: &Asked) -> Result<Vec<String>, Why> {
    let (draw, kind) = (&asked.draw, &asked.loaded);
    let (today, own) = (app.now().date_in_china(), SubjectRef::Own);
    let parsed = LookupRequest::parse(kind, draw.mode, own, &asked.raw, &app.register, today);
    let request = parsed.map_err(|problem| match problem {
        RequestProblem::Refused { reason, at } => (reason.code(), at),
        RequestProblem::BadValue { at, .. } => ("BAD_VALUE", at),
    })?;
    let told = decide::visible(&request, draw.level);
    told.map_err(|refusal| (refusal.reason.code(), "level".to_owned()))?;
    let requester = Requester {
        role: Role::Person,
        account: AccountId::from_bytes([1; 16]),
        session: SessionId::from_bytes([2; 16]),
        subject: Some(SubjectId::from_bytes([3; 16])),
        level: draw.level,
        standing: None,
    };
    let hidden = decide::hidden(app, &request, &requester, draw.relation, draw.active);
    hidden.map_err(|refusal| (refusal.reason.code(), String::new()))?;
    Ok(request.fields.to_vec())
}

/// What is wrong with a question.
#[derive(Default)]
struct Wrong(BTreeSet<Why>);

impl Wrong {
    fn put(&mut self, is_so: bool, code: &'static str, at: &str) {
        if is_so {
            self.0.insert((code, at.to_owned()));
        }
    }
}

/// Everything that is wrong at the first step at which anything is; nothing where it is permitted.
fn model(app: &App, asked: &Asked) -> BTreeSet<Why> {
    let purpose = app.register.iter().find(|p| p.code == asked.raw.purpose);
    let mut told = Wrong::default();
    tell(asked, purpose, &mut told);
    tell_of_fields(asked, &mut told);
    tell_of_parts(asked, &mut told);
    match purpose {
        Some(purpose) if told.0.is_empty() => hidden(asked, purpose),
        _ => told.0,
    }
}

const UNKNOWN: &str = "FIELD_NOT_IN_KIND";
const UNREGISTERED: &str = "PURPOSE_NOT_REGISTERED";
const BAD: &str = "BAD_VALUE";

/// What is told of the whole: it depends on the question, the register and the requester alone.
fn tell(asked: &Asked, purpose: Option<&Purpose>, wrong: &mut Wrong) {
    let (draw, kind, raw) = (&asked.draw, asked.kind(), &asked.raw);
    wrong.put(!kind.modes.contains(&draw.mode), UNKNOWN, "mode");
    let purpose = purpose.filter(|p| kind.purposes.contains(&p.code));
    wrong.put(purpose.is_none(), UNREGISTERED, "purpose");
    let of_another = |p: &Purpose| raw.basis.is_some_and(|basis| !p.bases.contains(&basis));
    wrong.put(purpose.is_some_and(of_another), UNREGISTERED, "basis");
    let needed = *kind.level_by_purpose.get(&raw.purpose).unwrap_or(&kind.level);
    let needed = if raw.reveal.is_empty() { needed } else { Level::L3 };
    wrong.put(draw.level < needed, "LEVEL_TOO_LOW", "level");
}

/// A record is read field by field; of no other answer a field can be named. A mask is lifted from what is asked for,
/// where the kind lets it be lifted.
fn tell_of_fields(asked: &Asked, wrong: &mut Wrong) {
    let (kind, raw) = (asked.kind(), &asked.raw);
    let named = raw.fields.as_deref().unwrap_or_default();
    if asked.draw.mode != Mode::Read {
        let none = named.is_empty() && raw.reveal.is_empty();
        wrong.put(!none, UNKNOWN, "fields");
        return;
    }
    let wanted = asked.fields();
    wrong.put(wanted.is_empty(), BAD, "fields");
    for (i, id) in named.iter().enumerate() {
        let at = format!("fields[{i}]");
        let is_field = kind.fields.iter().any(|f| f.id == *id && !f.internal);
        wrong.put(!is_field || named[..i].contains(id), UNKNOWN, &at);
        wrong.put(!asked.serves(id), UNREGISTERED, &at);
    }
    for (i, id) in raw.reveal.iter().enumerate() {
        let on_tap = kind
            .fields
            .iter()
            .any(|f| f.id == *id && f.mask == Mask::UntilRevealed);
        let fits = on_tap && wanted.contains(id) && !raw.reveal[..i].contains(id);
        wrong.put(!fits, UNKNOWN, &format!("reveal[{i}]"));
    }
}

/// A list takes no key, everything else each part of it. Values are claimed to be matched, and rules are named to be
/// answered by yes or no.
fn tell_of_parts(asked: &Asked, wrong: &mut Wrong) {
    let (mode, kind, raw) = (asked.draw.mode, asked.kind(), &asked.raw);
    let parts: &[_] = if mode == Mode::List { &[] } else { &kind.key };
    for id in raw.key.keys() {
        let is_part = parts.iter().any(|part| part.id == *id);
        wrong.put(!is_part, UNKNOWN, &format!("key.{id}"));
    }
    for part in parts {
        let at = format!("key.{}", part.id);
        wrong.put(asked.bad.contains(&at), BAD, &at);
    }
    for id in raw.claims.keys() {
        let at = format!("claims.{id}");
        let claim = kind.claims.iter().find(|claim| claim.id == *id);
        wrong.put(mode != Mode::Match || claim.is_none(), UNKNOWN, &at);
        let elsewhere = claim.is_some_and(|c| !c.purposes.is_empty() && !c.purposes.contains(&raw.purpose));
        wrong.put(elsewhere || !asked.serves(id), UNREGISTERED, &at);
        wrong.put(asked.bad.contains(&at), BAD, &at);
    }
    let none = raw.predicates.is_empty();
    wrong.put(mode == Mode::Predicate && none, BAD, "predicates");
    for (i, id) in raw.predicates.iter().enumerate() {
        let at = format!("predicates[{i}]");
        let rule = kind.predicates.iter().find(|rule| rule.id == *id);
        let fits = mode == Mode::Predicate && rule.is_some() && !raw.predicates[..i].contains(id);
        wrong.put(!fits, UNKNOWN, &at);
        wrong.put(
            rule.is_some_and(|rule| !asked.serves(&rule.field)),
            UNREGISTERED,
            &at,
        );
    }
}

/// What the requester is not told; and where nothing of it is wrong, what the written policy says.
fn hidden(asked: &Asked, purpose: &Purpose) -> BTreeSet<Why> {
    let (draw, mut wrong) = (&asked.draw, Wrong::default());
    wrong.put(draw.relation == Relation::Other, "NO_GRANT", "");
    wrong.put(!draw.active, "SUBJECT_ERASED", "");
    let assessed = purpose
        .pia
        .as_ref()
        .is_some_and(|number| !number.trim().is_empty());
    wrong.put(!assessed, "PIA_MISSING", "");
    // One's own records are open on a basis that the deployer sets; who proves a name is about to be that person.
    let basis = asked.raw.basis.unwrap_or(purpose.bases[0]);
    let deployers = [LegalBasis::Contract, LegalBasis::StatutoryDuty].contains(&basis);
    let permitted = if purpose.code == ACCOUNT_PROOFING {
        draw.mode == Mode::Match && (deployers || basis == LegalBasis::Consent)
    } else {
        draw.relation == Relation::Own && deployers
    };
    wrong.put(wrong.0.is_empty() && !permitted, "POLICY_FORBIDS", "");
    wrong.0
}
