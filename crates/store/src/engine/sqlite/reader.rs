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
    time::{Instant, sleep_until},
};

use super::{locked, statement};
use crate::engine::DbError;

/// How often this process has committed, to whichever database: what was answered is seen by all that begins to read
/// after it.
static COMMITS: AtomicU64 = AtomicU64::new(0);
/// How often one of them changed more than the log.
static CHANGES: AtomicU64 = AtomicU64::new(0);

/// How often it is looked whether a reader has left, and how long apart: a read takes less. A longer one is not waited
/// for.
const TRIES: u32 = 50;
const BETWEEN: Duration = Duration::from_millis(1);

/// What a transaction changes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(in crate::engine) enum Changes {
    /// Nothing but the log.
    Log,
    /// It is not said.
    Anything,
}

/// What a connection reads.
#[derive(Clone, Copy, Debug)]
pub(super) enum Reads {
    /// Nothing of the log.
    People,
    /// It is not said.
    Anything,
}

impl Reads {
    /// How often it was changed.
    fn counted(self) -> &'static AtomicU64 {
        match self {
            Reads::People => &CHANGES,
            Reads::Anything => &COMMITS,
        }
    }

    /// How long a reader stays in its snapshot at most; it leaves sooner where the write-ahead log is to be copied back.
    /// So late is seen what another process commits.
    fn stays(self) -> Duration {
        match self {
            Reads::People => Duration::from_millis(250),
            Reads::Anything => Duration::from_millis(5),
        }
    }
}

/// Takes note of a commit, before anybody is told of it: nobody who reads what it changed stays in a snapshot of before.
pub(super) fn committed(changed: Changes) {
    COMMITS.fetch_add(1, Ordering::Release);
    if changed == Changes::Anything {
        CHANGES.fetch_add(1, Ordering::Release);
    }
}

/// Waits until none of these is where it was when this began, for as long as a read takes.
pub(super) fn leave(readers: &[Weak<Reader>]) {
    committed(Changes::Anything);
    for reader in readers.iter().filter_map(Weak::upgrade) {
        for _ in 0..TRIES {
            if reader.leave() {
                break;
            }
            std::thread::sleep(BETWEEN);
        }
    }
}

/// A connection that reads.
pub(super) struct Reader {
    /// Held while somebody reads, so that their statements share a snapshot where they ask for one.
    state: Mutex<State>,
    connection: Mutex<Connection>,
    reads: Reads,
    /// The count of what it reads before its snapshot was taken; the highest where it is in none.
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
    /// The count of what its reader reads, before it was taken.
    count: u64,
    until: Instant,
}

/// A reader that is somebody's for the time.
pub(super) struct Reading<'a> {
    reader: &'a Arc<Reader>,
    state: MutexGuard<'a, State>,
}

impl Reader {
    pub(super) fn new(connection: Connection, reads: Reads) -> Self {
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
        if self.since.load(Ordering::Acquire) >= self.count() {
            return true;
        }
        self.try_enter().is_some_and(|mut reading| reading.end().is_ok())
    }

    /// Ends the snapshot, and its timer, if its time is over; otherwise when to look again.
    fn look(self: &Arc<Self>) -> Option<Instant> {
        let Some(mut reading) = self.try_enter() else {
            return Some(Instant::now() + BETWEEN);
        };
        match &reading.state.snapshot {
            Some(snapshot) if reading.stays() => Some(snapshot.until),
            _ => {
                drop(reading.end());
                // While nobody can begin another one.
                reading.state.timer = None;
                None
            }
        }
    }

    /// How often what it reads was changed.
    fn count(&self) -> u64 {
        self.reads.counted().load(Ordering::Acquire)
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
        let count = self.reader.count();
        self.reader.since.store(count, Ordering::Release);
        statement::execute(&locked(&self.reader.connection), "BEGIN DEFERRED", &[])?;
        let Ok(runtime) = Handle::try_current() else {
            return Ok(());
        };
        let until = Instant::now() + self.reader.reads.stays();
        self.state.snapshot = Some(Snapshot { count, until });
        // One may have ended with its runtime.
        if self.state.timer.as_ref().is_none_or(JoinHandle::is_finished) {
            self.state.timer = Some(runtime.spawn(end_in_time(Arc::downgrade(self.reader), until)));
        }
        Ok(())
    }

    /// It is in a snapshot since which nothing of what it reads was committed here, and whose time is not over.
    fn stays(&self) -> bool {
        let is_fresh = |s: &Snapshot| s.count == self.reader.count() && Instant::now() < s.until;
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

/// Looks after a reader until it is in no snapshot, at first when its present one is over.
async fn end_in_time(reader: Weak<Reader>, until: Instant) {
    let mut next = Some(until);
    while let Some(time) = next {
        sleep_until(time).await;
        next = reader.upgrade().and_then(|reader| reader.look());
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::{sleep, timeout};

    use super::super::{Sqlite, in_the_way};
    use super::*;

    /// How long a busy machine may take to end a snapshot.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn is_in_a_snapshot(reader: &Reader) -> bool {
        !locked(&reader.connection).is_autocommit()
    }

    fn reader(reads: Reads) -> Arc<Reader> {
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
    async fn a_reader_stays_until_a_commit() {
        let reader = reader(Reads::Anything);
        assert!(stays_after(&reader, || ()));
        for changed in [Changes::Log, Changes::Anything] {
            assert!(!stays_after(&reader, || committed(changed)), "{changed:?}");
        }
        read(&reader);
        committed(Changes::Log);
        assert!(reader.leave());
        assert!(!is_in_a_snapshot(&reader));
    }

    #[tokio::test]
    async fn whoever_reads_people_stays_while_the_log_grows_and_no_longer() {
        let reader = reader(Reads::People);
        assert!(stays_after(&reader, || committed(Changes::Log)));
        assert!(!stays_after(&reader, || committed(Changes::Anything)));
    }

    #[tokio::test]
    async fn a_reader_stays_for_a_moment() {
        for reads in [Reads::People, Reads::Anything] {
            let reader = reader(reads);
            read(&reader);
            // The timer looks when the time of this one is over, and once more for the one that follows.
            sleep(reads.stays() / 2).await;
            committed(Changes::Anything);
            read(&reader);
            let left = async {
                while is_in_a_snapshot(&reader) {
                    sleep(BETWEEN).await;
                }
            };
            timeout(PATIENCE, left).await.unwrap();
        }
    }

    #[tokio::test]
    async fn a_later_snapshot_is_looked_at_again_when_its_own_time_is_over() {
        let reader = reader(Reads::People);
        let stays = Reads::People.stays();
        // Other tests commit meanwhile, which ends it early.
        let looked = || {
            (0..1000).find_map(|_| {
                committed(Changes::Anything);
                let before = Instant::now();
                read(&reader);
                let latest = Instant::now() + stays;
                reader.look().map(|next| (before + stays, next, latest))
            })
        };
        for _ in 0..2 {
            let (earliest, next, latest) = looked().unwrap();
            assert!(earliest <= next && next <= latest);
        }
    }

    #[tokio::test]
    async fn all_leave_who_may_be_in_a_snapshot() {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Sqlite::open(&folder.path().join("a.sqlite"), 1).unwrap();
        let all = [&sqlite.readers[0], &sqlite.of_people[0]];
        // Nothing here waits for their timers.
        all.into_iter().for_each(read);
        leave(&in_the_way(&sqlite.readers, &sqlite.of_people));
        for reader in all {
            assert!(!is_in_a_snapshot(reader), "{:?}", reader.reads);
        }
    }
}
