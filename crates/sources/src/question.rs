//! What is asked of the sources, and what comes back: plain values.

use std::{collections::BTreeMap, fmt, sync::Arc};

use bytes::Bytes;
use domain::{
    beside::Beside,
    identifiers::Area,
    ids::LookupId,
    kind::{LoadedKind, Row, Value},
    lookup::Person,
    outcome::Outcome,
    record::{Provenance, Record},
    time::Timestamp,
    words::{AskedFreshness, Mode},
};
use tokio::time::Instant;

use crate::{
    region::Elsewhere,
    report::{Failure, Report},
};

/// One question about one person. Its INTENT must be durable before it is asked (invariant 1).
#[derive(Clone)]
pub struct Question {
    /// The look-up, by which traces and the source's own books find it.
    pub lookup: LookupId,
    /// What is asked for.
    pub kind: Arc<LoadedKind>,
    /// How. A predicate is asked as a record is read: the source is never told the rule.
    pub mode: Mode,
    /// About whom.
    pub person: Person,
    /// The key's parts.
    pub key: BTreeMap<String, Value>,
    /// The fields that were asked for in mode `read`; of the others, only internal ones
    /// and those that a predicate looks at stay in the record.
    pub fields: Arc<[String]>,
    /// Claimed values, in mode `match`.
    pub claims: BTreeMap<String, Value>,
    /// The bytes of the picture, if one is claimed.
    pub portrait: Option<Bytes>,
    /// Of which region, and how fresh.
    pub wanted: Wanted,
    /// When the question arrived.
    pub arrived: Timestamp,
    /// When nobody waits any longer. The source's own deadline may be sooner.
    pub deadline: Instant,
}

/// What the requester asks of whoever answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Wanted {
    /// How fresh.
    pub freshness: AskedFreshness,
    /// The region of the record, where the requester names it; else the plate tells, else the person's number hints.
    pub region: Option<Area>,
}

impl fmt::Debug for Question {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Question({}, {} {}, redacted)",
            self.lookup, self.mode, self.kind.kind.id
        )
    }
}

/// What came of it. For every question there is one.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// One of the closed set.
    pub outcome: Outcome,
    /// The whole record of the subject, internal fields included; only with `found`, outside mode `list`.
    pub record: Option<Record>,
    /// The keys in mode `list`; only with `found`.
    pub rows: Vec<Row>,
    /// Where it came from; none where no source said anything about the subject. Its as-of time is given only with
    /// a record or a match, so that "no record" looks the same whether there is none or it is somebody else's.
    pub provenance: Option<Provenance>,
    /// A fresher source would have covered the question and could not answer it.
    pub staler: bool,
    /// With `not_covered`: where people of that region look, if a file names it.
    pub elsewhere: Option<Elsewhere>,
    /// With `not_covered`: it was asked of live sources only, and there are others that cover it.
    pub not_live: bool,
    /// For the operator only; the requester is never told.
    pub report: Option<Report>,
    /// With a record: who else was asked, in the order of the plan.
    pub beside: Vec<AskedBeside>,
}

/// Who was asked beside the source that answered, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct AskedBeside {
    /// The source's id.
    pub source: String,
    /// One of the closed set; `timed_out` where the answer did not wait for it.
    pub outcome: Outcome,
    /// What it holds of the same subject; only with `found`.
    pub said: Option<Beside>,
}

impl Answer {
    /// An outcome without anything else.
    pub(crate) fn bare(outcome: Outcome) -> Self {
        Answer {
            outcome,
            record: None,
            rows: Vec::new(),
            provenance: None,
            staler: false,
            elsewhere: None,
            not_live: false,
            report: None,
            beside: Vec::new(),
        }
    }

    /// A failure, reported under the source's id.
    pub(crate) fn failed(source: &str, failure: Failure) -> Self {
        let report = Report {
            source: source.to_owned(),
            problem: failure.problem,
            field: failure.field,
        };
        Answer {
            report: Some(report),
            ..Answer::bare(failure.outcome)
        }
    }
}
