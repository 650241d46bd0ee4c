//! What is decided before any source is asked: the question, the answer, and the coded reasons.

use std::sync::Arc;

use crate::{
    requester::{Relation, Role},
    words::{Classification, Describes, LegalBasis, Level, Mode, vocabulary},
};

/// Everything on which the written policy may depend, for one field (or claim, or predicate) of one look-up.
///
/// It holds no id of a person and no time, so that an answer may be kept and used again: the question and the
/// policy's version are the whole key.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Question {
    /// In what capacity it is asked.
    pub role: Role,
    /// What the requester is to the person asked about.
    pub relation: Relation,
    /// The requester's assurance level.
    pub level: Level,
    /// The level that the kind needs for this purpose.
    pub needed: Level,
    /// The record kind's id.
    pub kind: Arc<str>,
    /// The mode.
    pub mode: Mode,
    /// The field's classification.
    pub classification: Classification,
    /// Whom the field tells something about.
    pub describes: Describes,
    /// The requester asks for the value without its mask.
    pub reveal: bool,
    /// The purpose's code.
    pub purpose: Arc<str>,
    /// The legal basis.
    pub basis: LegalBasis,
}

vocabulary! {
    /// Why something is refused. The subject and the auditor see all; see [`Reason::is_visible`].
    Reason {
        /// The session's assurance level is below what the kind needs.
        LevelTooLow = "LEVEL_TOO_LOW",
        /// The purpose is not in the register, or does not go with this kind, basis or field.
        PurposeNotRegistered = "PURPOSE_NOT_REGISTERED",
        /// The kind has no such field, claim, key or predicate, or does not offer the mode.
        FieldNotInKind = "FIELD_NOT_IN_KIND",
        /// No impact assessment is on file for the purpose (PIPL 55).
        PiaMissing = "PIA_MISSING",
        /// The person asked about has given no leave.
        NoGrant = "NO_GRANT",
        /// The person asked about is being erased or has been.
        SubjectErased = "SUBJECT_ERASED",
        /// The session ended or lost its level between the question and the answer.
        SessionEnded = "SESSION_ENDED",
        /// The written policy does not permit it.
        PolicyForbids = "POLICY_FORBIDS",
    }
}

impl Reason {
    /// The requester may be told: it depends on the request, the register and the requester alone.
    #[must_use]
    pub fn is_visible(self) -> bool {
        matches!(
            self,
            Reason::LevelTooLow | Reason::PurposeNotRegistered | Reason::FieldNotInKind
        )
    }
}

/// The answer to a [`Question`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// The field may be disclosed as it was asked for.
    Permit,
    /// It may not; the names of the policies that decided, for the evidence.
    Forbid(Vec<String>),
}

/// How a permitted field is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shown {
    /// In full.
    Full,
    /// Behind its mask.
    Masked,
}
