//! A connection that reads, and the snapshot in which it stays from one read to the next.
//!
//! SQLite drops all pages of a connection that begins to read after somebody else has committed. With a commit every few
//! milliseconds each request would read anew every page on the way to its rows. So a reader stays in its snapshot until
//! this process commits, and for a moment at most (`docs/decisions/0033-a-snapshot-for-many.md`).

use std::sync::{
    Arc, Mutex, MutexGuard, PoisonError, TryLockError, Weak,
    atomic::{AtomicU64, Ordering},
};
use std::time::Duration;

use rusqlite::Connection;
use tokio::{
    runtime::Handle,
    task::JoinHandle,
    time::{Instant, sleep},
};

use super::{locked, statement};
use crate::engine::DbError;

/// How long a reader stays in its snapshot at most. So late is seen what another process commits.
const STAYS: Duration = Duration::from_millis(5);

/// How often this process has committed, to whichever database: what was answered is seen by all that begins to read
/// after it.
static COMMITS: AtomicU64 = AtomicU64::new(0);

/// Takes note of a commit, before anybody is told of it: nobody stays in a snapshot of before.
pub(super) fn committed() {
    COMMITS.fetch_add(1, Ordering::Release);
}

/// A connection that reads.
pub(super) struct Reader {
    /// Held while somebody reads, so that their statements share a snapshot where they ask for one.
    state: Mutex<State>,
    connection: Mutex<Connection>,
    /// The count of commits before its snapshot was taken; the highest where it is in none.
    since: AtomicU64,
}

#[derive(Default)]
struct State {
    snapshot: Option<Snapshot>,
    /// Ends the snapshot in time. There is one for each reader at most, not one for each snapshot.
    timer: Option<JoinHandle<()>>,
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
    state: MutexGuard<'a, State>,
}

impl Reader {
    pub(super) fn new(connection: Connection) -> Self {
        Reader {
            state: Mutex::default(),
            connection: Mutex::new(connection),
            since: AtomicU64::new(u64::MAX),
        }
    }

    /// Enters it, if nobody is in it.
    pub(super) fn try_enter(self: &Arc<Self>) -> Option<Reading<'_>> {
        let state = match self.state.try_lock() {
            Ok(state) => state,
            Err(TryLockError::Poisoned(error)) => error.into_inner(),
            Err(TryLockError::WouldBlock) => return None,
        };
        Some(Reading { reader: self, state })
    }

    /// Enters it, after whoever is in it.
    pub(super) fn enter(self: &Arc<Self>) -> Reading<'_> {
        Reading {
            reader: self,
            state: self.state.lock().unwrap_or_else(PoisonError::into_inner),
        }
    }

    /// Ends the snapshot in which it stays, if it is outdated; whether it is in none that is. Whoever reads in one ends it
    /// with their read.
    pub(super) fn leave(self: &Arc<Self>) -> bool {
        if self.since.load(Ordering::Acquire) >= COMMITS.load(Ordering::Acquire) {
            return true;
        }
        self.try_enter().is_some_and(|mut reading| reading.end().is_ok())
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
        if !self.state.stays() {
            self.begin()?;
        }
        let result = work(&self.reader.connection);
        // What failed may have ended it already.
        if result.is_ok() && self.state.stays() {
            return result;
        }
        self.end().and(result)
    }

    /// Takes a snapshot, in which the reader stays where there is a runtime that ends it in time.
    fn begin(&mut self) -> Result<(), DbError> {
        self.end()?;
        let commits = COMMITS.load(Ordering::Acquire);
        self.reader.since.store(commits, Ordering::Release);
        statement::execute(&locked(&self.reader.connection), "BEGIN DEFERRED", &[])?;
        let Ok(runtime) = Handle::try_current() else {
            return Ok(());
        };
        let until = Instant::now() + STAYS;
        self.state.snapshot = Some(Snapshot { commits, until });
        // One may have ended with its runtime.
        if self.state.timer.as_ref().is_none_or(JoinHandle::is_finished) {
            self.state.timer = Some(runtime.spawn(end_in_time(Arc::downgrade(self.reader))));
        }
        Ok(())
    }

    /// Ends the snapshot, if there is one.
    fn end(&mut self) -> Result<(), DbError> {
        self.state.snapshot = None;
        let connection = locked(&self.reader.connection);
        if !connection.is_autocommit() {
            statement::execute(&connection, "COMMIT", &[])?;
        }
        self.reader.since.store(u64::MAX, Ordering::Release);
        Ok(())
    }
}

impl State {
    fn stays(&self) -> bool {
        self.snapshot.as_ref().is_some_and(Snapshot::is_fresh)
    }
}

/// Looks after a reader until it is in no snapshot.
async fn end_in_time(reader: Weak<Reader>) {
    loop {
        sleep(STAYS).await;
        let Some(reader) = reader.upgrade() else { return };
        let Some(mut reading) = reader.try_enter() else {
            continue;
        };
        if !reading.state.stays() {
            drop(reading.end());
            // While nobody can begin another one.
            reading.state.timer = None;
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::timeout;

    use super::*;

    fn is_in_a_snapshot(reader: &Reader) -> bool {
        !locked(&reader.connection).is_autocommit()
    }

    fn read(reader: &Arc<Reader>) {
        reader.enter().read(|_| Ok(())).unwrap();
    }

    #[tokio::test]
    async fn a_reader_stays_until_a_commit_or_for_a_moment() {
        let reader = Arc::new(Reader::new(Connection::open_in_memory().unwrap()));
        // Other tests commit meanwhile.
        let stays = (0..1000).any(|_| {
            read(&reader);
            is_in_a_snapshot(&reader)
        });
        assert!(stays);
        committed();
        assert!(!reader.enter().state.stays(), "until somebody commits");
        read(&reader);
        let left = async {
            while is_in_a_snapshot(&reader) {
                sleep(STAYS).await;
            }
        };
        timeout(1000 * STAYS, left).await.unwrap();
        read(&reader);
        committed();
        assert!(reader.leave());
        assert!(!is_in_a_snapshot(&reader));
    }
}
