//! Who asks: a value, never an HTTP request.

use crate::{
    ids::{AccountId, SessionId, SubjectId},
    time::Timestamp,
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
    /// How session and person were found, where both were.
    pub standing: Option<Standing>,
}

/// A living session and the active person whose account it is of, as they were read at one moment. It is true for as long
/// as nothing but look-ups is entered in the log, and until the session expires.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// The person.
    pub subject: SubjectId,
    /// Until when the session lives.
    pub expires: Timestamp,
    /// How many entries the log had at the moment as of which they were read.
    pub log_size: u64,
}
