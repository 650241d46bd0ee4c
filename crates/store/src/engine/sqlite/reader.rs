//! A connection that reads, and the snapshot in which it stays from one read to the next.
//!
//! SQLite drops all pages of a connection that begins to read after somebody else has committed. With a commit every few
//! milliseconds each request would read anew every page on the way to its rows. So a reader stays in its snapshot until
//! this process commits, and for a moment at most (`docs/decisions/0033-a-snapshot-for-many.md`).

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, TryLockError,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use rusqlite::Connection;
use tokio::{
    runtime::Handle,
    time::{Instant, sleep},
};

use super::{locked, statement};
use crate::engine::DbError;

/// How long a reader stays in its snapshot at most. So late is seen what another process commits.
const STAYS: Duration = Duration::from_millis(1);

/// How often this process has committed, to whichever database: what was answered is seen by all that begins to read
/// after it.
static COMMITS: AtomicU64 = AtomicU64::new(0);

/// Takes note of a commit, before anybody is told of it.
pub(super) fn committed() {
    COMMITS.fetch_add(1, Ordering::Release);
}

/// A connection that reads.
pub(super) struct Reader {
    /// Held while somebody reads, so that their statements share a snapshot where they ask for one.
    snapshot: Mutex<Option<Snapshot>>,
    connection: Mutex<Connection>,
}

/// A snapshot in which a reader stayed.
struct Snapshot {
    /// The count of commits before it was taken.
    commits: u64,
    until: Instant,
}

/// A reader that is somebody's for the time.
pub(super) struct Reading<'a> {
    reader: &'a Arc<Reader>,
    snapshot: MutexGuard<'a, Option<Snapshot>>,
}

impl Reader {
    pub(super) fn new(connection: Connection) -> Self {
        Reader {
            snapshot: Mutex::new(None),
            connection: Mutex::new(connection),
        }
    }

    /// Enters it, if nobody is in it.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Reading<'_>> {
        let snapshot = match self.snapshot.try_lock() {
            Ok(snapshot) => snapshot,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Reading {
            reader: self,
            snapshot,
        })
    }

    /// Enters it, after whoever is in it.
    pub(super) fn enter(self: &Arc<Self>) -> Reading<'_> {
        Reading {
            reader: self,
            snapshot: self.snapshot.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }
}

impl Snapshot {
    /// Nothing was committed here since, and its time is not over.
    fn is_fresh(&self) -> bool {
        self.commits == COMMITS.load(Ordering::Acquire) && Instant::now() < self.until
    }
}

impl Reading<'_> {
    /// Reads in one snapshot.
    pub(super) fn read<T>(
        mut self,
        work: impl FnOnce(&Mutex<Connection>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        if !self.snapshot.as_ref().is_some_and(Snapshot::is_fresh) {
            self.begin()?;
        }
        let result = work(&self.reader.connection);
        // What failed may have ended it already.
        if result.is_ok() && self.snapshot.as_ref().is_some_and(Snapshot::is_fresh) {
            return result;
        }
        self.end().and(result)
    }

    /// Takes a snapshot, in which the reader stays where there is a runtime that ends it in time.
    fn begin(&mut self) -> Result<(), DbError> {
        self.end()?;
        let commits = COMMITS.load(Ordering::Acquire);
        statement::execute(&locked(&self.reader.connection), "BEGIN DEFERRED", &[])?;
        let Ok(runtime) = Handle::try_current() else {
            return Ok(());
        };
        let until = Instant::now() + STAYS;
        *self.snapshot = Some(Snapshot { commits, until });
        let reader = Arc::downgrade(self.reader);
        runtime.spawn(async move {
            loop {
                sleep(STAYS).await;
                // Whoever is in it ends it, or the next turn does.
                let Some(reader) = reader.upgrade() else { return };
                let Some(mut reading) = reader.try_enter() else {
                    continue;
                };
                // A later one has a turn of its own.
                if reading.snapshot.as_ref().is_some_and(|s| s.until <= until) {
                    drop(reading.end());
                }
                return;
            }
        });
        Ok(())
    }

    /// Ends the snapshot, if there is one.
    fn end(&mut self) -> Result<(), DbError> {
        *self.snapshot = None;
        let connection = locked(&self.reader.connection);
        if connection.is_autocommit() {
            return Ok(());
        }
        statement::execute(&connection, "COMMIT", &[]).map(drop)
    }
}
