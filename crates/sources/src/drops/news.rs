//! What is told about drops: to the operator, and to whoever watches an import. Places and counts, never content.

use std::fmt;

use domain::time::Timestamp;
use serde::{Deserialize, Serialize};

use crate::report::Problem;

/// What became of a drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DropNews {
    /// The source's id.
    pub source: String,
    /// The drop's name, which fits the pattern of the source's file.
    pub file: String,
    /// What became of it.
    pub event: DropEvent,
}

/// What became of a drop.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DropEvent {
    /// It answers from now on.
    Serving {
        /// Its date.
        as_of: Timestamp,
        /// Rows that can be found.
        rows: u64,
        /// Rows that were left out, as far as the source's file allows it.
        left_out: u64,
        /// The first of those.
        told: Vec<RowError>,
        /// Keys under which several rows stand, which are ambiguous. Rows of a list, or of one record together, do not
        /// count.
        repeated: u64,
    },
    /// It was refused, and what served before goes on.
    Refused {
        /// Why.
        problem: Problem,
        /// The first rows that could not be read.
        rows: Vec<RowError>,
    },
    /// It is sound, and so unlike the one before, which goes on, that an operator must say whether it is meant.
    Quarantined(Quarantine),
    /// What answered until now was read by another mapping: nothing answers until a drop has been read by this one.
    Remapped {
        /// The date of what is kept until then.
        as_of: Timestamp,
    },
    /// No good drop came for longer than the source's file allows; the old one goes on.
    Overdue {
        /// The date of the one that answers.
        as_of: Timestamp,
    },
}

/// A row that could not be read: where, and what was wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowError {
    /// The line, counted from one.
    pub line: u64,
    /// The kind's field, or the part of `find`; of an item of a list `list/item`.
    pub field: Option<String>,
    /// The column in which it stands, as in the header or as the mapping names it.
    pub column: Option<String>,
    /// What was wrong.
    pub problem: Problem,
}

impl fmt::Display for RowError {
    /// Line, field and column, as a finding begins: no value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field.as_deref();
        match (field, &self.column) {
            (Some(field), Some(column)) => write!(f, "line {}, {field} ({column})", self.line),
            (field, column) => {
                let place = field.or(column.as_deref()).unwrap_or("row");
                write!(f, "line {}, {place}", self.line)
            }
        }
    }
}

/// A drop that waits for an operator's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantine {
    /// The drop's name.
    pub file: String,
    /// Its checksum in hexadecimal: the operator accepts this content and no other.
    pub digest: String,
    /// Its rows.
    pub rows: u64,
    /// The rows of the one before; 0 where there was none.
    pub before: u64,
    /// Mapped places at which no row has anything, though in the one before some had, or none came before.
    pub lacking: Vec<String>,
}

impl Quarantine {
    /// What is unlike.
    #[must_use]
    pub fn problem(&self) -> Problem {
        if self.lacking.is_empty() {
            Problem::DropShrunk
        } else {
            Problem::DropColumnGone
        }
    }
}

/// What a source's drops are at, as it is shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DropState {
    /// The source's id.
    pub source: String,
    /// From what it answers: the drop's date (RFC 3339) and its rows.
    pub serving: Option<(String, u64)>,
    /// What is being read.
    pub reading: Option<Reading>,
    /// What waits for the operator's word.
    pub waiting: Option<Quarantine>,
}

/// How far an import is, as it is shown to the operator.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// The drop's name.
    pub file: String,
    /// What is being done.
    pub stage: Stage,
    /// Hundredths of the file that were read.
    pub percent: u64,
    /// Rows that were read.
    pub rows: u64,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropProgress<'a> {
    /// The source's id.
    pub source: &'a str,
    /// The drop's name.
    pub file: &'a str,
    /// What is being done.
    pub stage: Stage,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Bytes of the file.
    pub of_bytes: u64,
    /// Rows that were read.
    pub rows: u64,
}

impl DropProgress<'_> {
    /// Hundredths of the file that were read.
    #[must_use]
    pub fn percent(&self) -> u64 {
        self.bytes.saturating_mul(100) / self.of_bytes.max(1)
    }
}

/// The steps of an import, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Stage {
    /// Checksum and signature.
    Checking,
    /// Reading and sealing rows.
    Reading,
    /// Building the index.
    Indexing,
    /// All is on disk; the next step makes it the one that answers.
    Built,
    /// It is the one that answers; what was before is about to be destroyed.
    Swapped,
}
