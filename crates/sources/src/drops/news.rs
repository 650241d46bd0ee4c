//! What is told about drops: to the operator, and to whoever watches an import. Places and counts, never content.

use domain::time::Timestamp;

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
        /// Keys under which several rows stand. Where rows do not make one record together, they are ambiguous.
        repeated: u64,
    },
    /// It was refused, and what served before goes on.
    Refused {
        /// Why.
        problem: Problem,
        /// The first rows that could not be read.
        rows: Vec<RowError>,
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
    /// The kind's field, or the part of `find`.
    pub field: Option<String>,
    /// What was wrong.
    pub problem: Problem,
}

/// How far an import is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DropProgress<'a> {
    /// The source's id.
    pub source: &'a str,
    /// What is being done.
    pub stage: Stage,
    /// Bytes of the file that were read.
    pub bytes: u64,
    /// Bytes of the file.
    pub of_bytes: u64,
    /// Rows that were read.
    pub rows: u64,
}

/// The steps of an import, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
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
