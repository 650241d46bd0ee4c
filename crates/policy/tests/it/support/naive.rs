//! The permission model once more, written from the design's words in plain nested ifs. It is naive on purpose:
//! whoever doubts the Cedar text reads this instead.

use domain::{
    decision::{Decision, Question},
    kind::Catalogue,
    purpose::ACCOUNT_PROOFING,
    requester::{Relation, Role},
    words::{Describes, LegalBasis, Level, Mode},
};

/// What the rules of a kind's own `rules.cedar` must add to a refusal: written by hand, as the rest of this model.
/// A kind that brings rules and is not named here fails the comparison.
pub(crate) fn kind_forbids(_question: &Question) -> Vec<&'static str> {
    vec![]
}

/// The kinds whose own rules [`kind_forbids`] knows.
pub(crate) const KINDS_WITH_RULES: &[&str] = &[];

/// What must be answered.
pub(crate) fn expected(q: &Question, kinds: &Catalogue) -> Decision {
    let mut forbids = floors(q, kinds);
    forbids.extend(kind_forbids(q));
    forbids.sort_unstable();
    if !forbids.is_empty() {
        return Decision::Forbid(forbids.into_iter().map(str::to_owned).collect());
    }
    if permitted(q) {
        Decision::Permit
    } else {
        Decision::Forbid(vec![policy::NOTHING_PERMITS.to_owned()])
    }
}

/// Who may look at all.
fn permitted(q: &Question) -> bool {
    // The deployer sets the basis: an authority its statutory duty, a company its contract.
    let deployers_basis = q.basis == LegalBasis::StatutoryDuty || q.basis == LegalBasis::Contract;
    match q.role {
        Role::Person => {
            if q.purpose.as_ref() == ACCOUNT_PROOFING {
                // "Proofing is itself a sealed identity look-up": a claim about oneself, answered by an outcome.
                if q.mode == Mode::Match {
                    if q.describes == Describes::Subject {
                        match q.relation {
                            Relation::Claimed | Relation::Own => {
                                deployers_basis || q.basis == LegalBasis::Consent
                            }
                            Relation::Other => false,
                        }
                    } else {
                        false
                    }
                } else {
                    false
                }
            } else {
                match q.relation {
                    // "A person looks up their own."
                    Relation::Own => deployers_basis,
                    // Who has only claimed to be somebody is a stranger still.
                    Relation::Claimed => false,
                    // "What the grey market sells is what Mingcha refuses", and there are no grants yet.
                    Relation::Other => false,
                }
            }
        }
    }
}

/// What holds whatever is permitted, by the names that must stand in the evidence.
fn floors(q: &Question, kinds: &Catalogue) -> Vec<&'static str> {
    let mut broken = Vec::new();
    let proofing = q.purpose.as_ref() == ACCOUNT_PROOFING;
    if rank(q.level) < rank(q.needed) {
        broken.push("level-too-low");
    }
    let kind = kinds.get(&q.kind).map(|loaded| &loaded.kind);
    match kind {
        Some(kind) if kind.purposes.iter().any(|p| *p == *q.purpose) => {
            let level = kind
                .level_by_purpose
                .get(q.purpose.as_ref())
                .unwrap_or(&kind.level);
            if rank(q.needed) < rank(*level) {
                broken.push("level-below-kind");
            }
        }
        _ => broken.push("purpose-not-of-kind"),
    }
    match kind {
        Some(kind) if kind.modes.contains(&q.mode) => {}
        _ => broken.push("mode-not-of-kind"),
    }
    if q.level == Level::L1 {
        if proofing && q.mode == Mode::Match {
        } else {
            broken.push("phone-alone");
        }
    }
    if proofing && q.mode != Mode::Match {
        broken.push("proofing-only-matches");
    }
    if q.reveal {
        if q.relation == Relation::Own && q.mode == Mode::Read && q.level == Level::L3 {
        } else {
            broken.push("reveal-only-to-oneself");
        }
    }
    if q.describes == Describes::ThirdPerson && q.relation != Relation::Own {
        broken.push("third-person-only-to-oneself");
    }
    if q.relation == Relation::Own && q.basis == LegalBasis::Consent && !proofing {
        broken.push("own-access-without-consent");
    }
    broken
}

fn rank(level: Level) -> u8 {
    match level {
        Level::L1 => 1,
        Level::L2 => 2,
        Level::L3 => 3,
    }
}
