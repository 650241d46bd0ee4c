//! Who asks: a value, never an HTTP request.

use crate::{
    ids::{AccountId, SessionId, SubjectId},
    words::{Level, vocabulary},
};

vocabulary! {
    /// In what capacity somebody asks. Organisations, officers and operators join when their accounts exist.
    Role {
        /// A natural person for themselves.
        Person = "person",
    }
}

vocabulary! {
    /// What the requester is to the person asked about.
    Relation {
        /// The same person, proven.
        Own = "own",
        /// Claims to be that person and is about to prove it.
        Claimed = "claimed",
        /// Anybody else.
        Other = "other",
    }
}

/// Who asks, how surely, and from which session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requester {
    /// In what capacity.
    pub role: Role,
    /// The account that signed in.
    pub account: AccountId,
    /// The session; it is checked again before the answer leaves.
    pub session: SessionId,
    /// The person that the account was proven to be; nobody below L2.
    pub subject: Option<SubjectId>,
    /// The assurance level of this session.
    pub level: Level,
}
