//! The decision about a look-up, before any source is asked. First what depends on the request, the register and
//! the requester alone; only then what the requester may not be told; then the written policy. All must permit.

use std::sync::Arc;

use domain::{
    decision::{Decision, Question, Reason},
    lookup::LookupRequest,
    requester::{Relation, Requester},
    words::{Classification, Describes, Level, Mode},
};

use crate::app::App;

/// Why not, with what the evidence says about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// The reason that decided.
    pub reason: Reason,
    /// Names of rules, for subject and auditor.
    pub details: Vec<String>,
}

impl Refusal {
    /// A refusal by this reason alone.
    #[must_use]
    pub fn by(reason: Reason) -> Self {
        Refusal {
            reason,
            details: vec![],
        }
    }
}

/// The part that depends on the request, the register and the requester alone. Nothing is read about anybody.
///
/// # Errors
/// A reason that the requester may see.
pub fn visible(request: &LookupRequest, level: Level) -> Result<(), Refusal> {
    if level < request.needed_level() {
        Err(Refusal::by(Reason::LevelTooLow))
    } else {
        Ok(())
    }
}

/// The part that the requester may not be told, and the written policy.
///
/// # Errors
/// A reason for subject and auditor; the requester is told `NOT_PERMITTED`.
pub fn hidden(
    app: &App,
    request: &LookupRequest,
    requester: &Requester,
    relation: Relation,
    subject_active: bool,
) -> Result<(), Refusal> {
    if relation == Relation::Other {
        return Err(Refusal::by(Reason::NoGrant));
    }
    if !subject_active {
        return Err(Refusal::by(Reason::SubjectErased));
    }
    if !app
        .register
        .get(&request.purpose)
        .is_some_and(domain::purpose::Purpose::is_assessed)
    {
        return Err(Refusal::by(Reason::PiaMissing));
    }
    for question in questions(request, requester, relation) {
        if let Decision::Forbid(details) = app.policy.decide(&question) {
            return Err(Refusal {
                reason: Reason::PolicyForbids,
                details,
            });
        }
    }
    Ok(())
}

/// The questions about the fields, claims or predicates, one for all that do not differ to the policy; one for the
/// kind where there is none.
#[must_use]
pub fn questions(request: &LookupRequest, requester: &Requester, relation: Relation) -> Vec<Question> {
    let kind = &request.kind.kind;
    let mut differing = vec![];
    let mut ask_about = |id: &str, reveal: bool| {
        let asked = kind.field(id).map(|f| (f.classification, f.describes, reveal));
        differing.extend(asked.filter(|asked| !differing.contains(asked)));
    };
    match request.mode {
        Mode::Read => request
            .fields
            .iter()
            .for_each(|f| ask_about(f, request.reveal.contains(f))),
        Mode::Predicate => {
            let predicates = request.predicates.iter().filter_map(|p| kind.predicate(p));
            predicates.for_each(|p| ask_about(&p.field, false));
        }
        Mode::Match | Mode::List => {}
    }
    if differing.is_empty() {
        differing.push((Classification::Personal, Describes::Subject, false));
    }
    let (kind, purpose): (Arc<str>, Arc<str>) = (kind.id.as_str().into(), request.purpose.as_str().into());
    let question = |(classification, describes, reveal)| Question {
        role: requester.role,
        relation,
        level: requester.level,
        needed: request.needed_level(),
        kind: Arc::clone(&kind),
        mode: request.mode,
        classification,
        describes,
        reveal,
        purpose: Arc::clone(&purpose),
        basis: request.basis,
    };
    differing.into_iter().map(question).collect()
}
