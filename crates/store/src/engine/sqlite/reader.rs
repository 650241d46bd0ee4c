//! A connection that reads, and the snapshot in which it stays from one read to the next.
//!
//! SQLite drops all pages of a connection that begins to read after somebody else has committed. With a commit every few
//! milliseconds each request would read anew every page on the way to its rows. So a reader stays in its snapshot until
//! this process commits what it reads, and for a moment at most (`docs/decisions/0033-a-snapshot-for-many.md`).

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

/// How often this process has committed, to whichever database: what was answered is seen by all that begins to read
/// after it.
static COMMITS: AtomicU64 = AtomicU64::new(0);
/// How often one of them changed more than the log.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// What a transaction changes, or a reader reads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Part {
    /// The log alone; read by nobody who does not read the rest too.
    Log,
    /// All but the log.
    People,
    /// Anything.
    All,
}

impl Part {
    /// How often what is read was changed.
    fn changes(self) -> &'static AtomicU64 {
        match self {
            Part::People => &CHANGES,
            Part::Log | Part::All => &COMMITS,
        }
    }

    /// How long a reader stays in its snapshot at most. So late is seen what another process commits; and meanwhile the
    /// write-ahead log cannot be copied back beyond it, which matters nothing for as long as it takes to grow by some
    /// megabytes.
    fn stays(self) -> Duration {
        match self {
            Part::People => Duration::from_millis(50),
            Part::Log | Part::All => Duration::from_millis(5),
        }
    }
}

/// Takes note of a commit, before anybody is told of it: nobody who reads what it changed stays in a snapshot of before.
pub(super) fn committed(changed: Part) {
    COMMITS.fetch_add(1, Ordering::Release);
    if changed != Part::Log {
        CHANGES.fetch_add(1, Ordering::Release);
    }
}

/// A connection that reads.
pub(super) struct Reader {
    /// Held while somebody reads, so that their statements share a snapshot where they ask for one.
    state: Mutex<State>,
    connection: Mutex<Connection>,
    reads: Part,
    /// The count of changes before its snapshot was taken; the highest where it is in none.
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
    /// The count of changes before it was taken.
    changes: u64,
    until: Instant,
}

/// A reader that is somebody's for the time.
pub(super) struct Reading<'a> {
    reader: &'a Arc<Reader>,
    state: MutexGuard<'a, State>,
}

impl Reader {
    pub(super) fn new(connection: Connection, reads: Part) -> Self {
        Reader {
            state: Mutex::default(),
            connection: Mutex::new(connection),
            reads,
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
        if self.since.load(Ordering::Acquire) >= self.changes() {
            return true;
        }
        self.try_enter().is_some_and(|mut reading| reading.end().is_ok())
    }

    /// How often what it reads was changed.
    fn changes(&self) -> u64 {
        self.reads.changes().load(Ordering::Acquire)
    }
}

impl Reading<'_> {
    /// Reads in one snapshot.
    pub(super) fn read<T>(
        mut self,
        work: impl FnOnce(&Mutex<Connection>) -> Result<T, DbError>,
    ) -> Result<T, DbError> {
        if !self.stays() {
            self.begin()?;
        }
        let result = work(&self.reader.connection);
        // What failed may have ended it already.
        if result.is_ok() && self.stays() {
            return result;
        }
        self.end().and(result)
    }

    /// Takes a snapshot, in which the reader stays where there is a runtime that ends it in time.
    fn begin(&mut self) -> Result<(), DbError> {
        self.end()?;
        let changes = self.reader.changes();
        self.reader.since.store(changes, Ordering::Release);
        statement::execute(&locked(&self.reader.connection), "BEGIN DEFERRED", &[])?;
        let Ok(runtime) = Handle::try_current() else {
            return Ok(());
        };
        let stays = self.reader.reads.stays();
        let until = Instant::now() + stays;
        self.state.snapshot = Some(Snapshot { changes, until });
        // One may have ended with its runtime.
        if self.state.timer.as_ref().is_none_or(JoinHandle::is_finished) {
            self.state.timer = Some(runtime.spawn(end_in_time(Arc::downgrade(self.reader), stays)));
        }
        Ok(())
    }

    /// It is in a snapshot since which nothing of what it reads was committed here, and whose time is not over.
    fn stays(&self) -> bool {
        let is_fresh = |s: &Snapshot| s.changes == self.reader.changes() && Instant::now() < s.until;
        self.state.snapshot.as_ref().is_some_and(is_fresh)
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

/// Looks after a reader until it is in no snapshot.
async fn end_in_time(reader: Weak<Reader>, stays: Duration) {
    loop {
        sleep(stays).await;
        let Some(reader) = reader.upgrade() else { return };
        let Some(mut reading) = reader.try_enter() else {
            continue;
        };
        if !reading.stays() {
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

    fn reader(reads: Part) -> Arc<Reader> {
        Arc::new(Reader::new(Connection::open_in_memory().unwrap(), reads))
    }

    fn read(reader: &Arc<Reader>) {
        reader.enter().read(|_| Ok(())).unwrap();
    }

    /// Whether it stays after a read, at least once in many: other tests commit meanwhile.
    fn stays_after(reader: &Arc<Reader>, then: impl Fn()) -> bool {
        (0..1000).any(|_| {
            read(reader);
            then();
            reader.enter().stays()
        })
    }

    #[tokio::test]
    async fn a_reader_stays_until_a_commit_or_for_a_moment() {
        let reader = reader(Part::All);
        assert!(stays_after(&reader, || ()));
        for changed in [Part::Log, Part::All] {
            assert!(!stays_after(&reader, || committed(changed)), "{changed:?}");
        }
        read(&reader);
        let left = async {
            while is_in_a_snapshot(&reader) {
                sleep(Part::All.stays()).await;
            }
        };
        timeout(1000 * Part::All.stays(), left).await.unwrap();
        read(&reader);
        committed(Part::All);
        assert!(reader.leave());
        assert!(!is_in_a_snapshot(&reader));
    }

    #[tokio::test]
    async fn whoever_reads_people_stays_while_the_log_grows_and_no_longer() {
        let reader = reader(Part::People);
        assert!(stays_after(&reader, || committed(Part::Log)));
        assert!(!stays_after(&reader, || committed(Part::All)));
    }
}
