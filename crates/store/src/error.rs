//! What can go wrong in the store. No text carries a stored value.

use thiserror::Error;

use crate::engine::DbError;

/// An error of the store.
#[derive(Debug, Clone, Error)]
pub enum StoreError {
    /// The database.
    #[error(transparent)]
    Db(#[from] DbError),
    /// A wrapped key does not open.
    #[error("{0}")]
    Key(String),
    /// Something encrypted does not open: it was changed, or belongs elsewhere.
    #[error("{0}")]
    Sealed(String),
    /// The log contradicts itself or what is known of it.
    #[error("the log: {0}")]
    Log(String),
    /// The keys of this subject were destroyed.
    #[error("the keys of this subject were destroyed")]
    Erased,
    /// The queue of the committer is full.
    #[error("too much is waiting to be sealed")]
    Overloaded,
    /// The log cannot be written any more: nothing is asked and nothing is answered.
    #[error("the log cannot be written; the process is stopping")]
    Stopping,
    /// A file beside the database cannot be read or written.
    #[error("{file}: {problem}")]
    File {
        /// Its name.
        file: String,
        /// What is wrong and what to do.
        problem: String,
    },
    /// The database is not the one that this program may use.
    #[error("{0}")]
    Refused(String),
}

impl StoreError {
    /// Trying the items of a batch one by one would not help.
    pub(crate) fn concerns_all(&self) -> bool {
        match self {
            StoreError::Db(db) => matches!(
                db,
                DbError::Unavailable(_) | DbError::Uncertain(_) | DbError::Full | DbError::Contention
            ),
            StoreError::Key(_) | StoreError::Erased | StoreError::Sealed(_) => false,
            _ => true,
        }
    }
}
