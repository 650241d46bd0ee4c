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
    let questions = questions(request, requester, relation);
    for (at, question) in questions.iter().enumerate() {
        // Fields that do not differ to the policy are asked about once.
        if questions[..at].contains(question) {
            continue;
        }
        if let Decision::Forbid(details) = app.policy.decide(question) {
            return Err(Refusal {
                reason: Reason::PolicyForbids,
                details,
            });
        }
    }
    Ok(())
}

/// One question for each field, claim or predicate; one for the kind where there is none.
#[must_use]
pub fn questions(request: &LookupRequest, requester: &Requester, relation: Relation) -> Vec<Question> {
    let kind = &request.kind.kind;
    let base = Question {
        role: requester.role,
        relation,
        level: requester.level,
        needed: request.needed_level(),
        kind: Arc::from(kind.id.as_str()),
        mode: request.mode,
        classification: Classification::Personal,
        describes: Describes::Subject,
        reveal: false,
        purpose: Arc::from(request.purpose.as_str()),
        basis: request.basis,
    };
    let of_field = |id: &String, reveal: bool| {
        let field = kind.field(id)?;
        Some(Question {
            classification: field.classification,
            describes: field.describes,
            reveal,
            ..base.clone()
        })
    };
    let questions: Vec<Question> = match request.mode {
        Mode::Read => request
            .fields
            .iter()
            .filter_map(|f| of_field(f, request.reveal.contains(f)))
            .collect(),
        Mode::Predicate => {
            let fields = request
                .predicates
                .iter()
                .filter_map(|p| kind.predicate(p))
                .map(|p| &p.field);
            fields.filter_map(|f| of_field(f, false)).collect()
        }
        Mode::Match | Mode::List => vec![base.clone()],
    };
    if questions.is_empty() {
        vec![base]
    } else {
        questions
    }
}
