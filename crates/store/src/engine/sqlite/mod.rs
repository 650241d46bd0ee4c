//! SQLite: one writer thread, few readers that work on the calling thread.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use futures_util::future::BoxFuture;
use rusqlite::Connection;

pub(super) use reader::Changes;
use reader::{Reader, Reading, Reads};

use super::{DbError, Row, Sql, Tx, Value};

pub(super) mod apart;
mod drive;
mod open;
mod plan;
mod reader;
pub(crate) mod statement;
mod write_back;
mod writer;

/// An open SQLite database.
pub(super) struct Sqlite {
    path: PathBuf,
    // Readers are closed before the writer ends (it ends when its queue does), so that the last
    // connection to close is one that may empty the log.
    readers: Vec<Arc<Reader>>,
    of_people: Vec<Arc<Reader>>,
    next: AtomicUsize,
    pub(super) writer: writer::Writer,
}

impl Sqlite {
    /// Opens or creates the database at `path`; its folder must exist.
    pub(super) fn open(path: &Path, readers: usize) -> Result<Self, DbError> {
        let (file, writer, second) = open::writers(path)?;
        let some = |reads| {
            (0..readers.max(1))
                .map(|_| Ok(Arc::new(Reader::new(open::reader(path)?, reads))))
                .collect::<Result<Vec<_>, DbError>>()
        };
        let (readers, of_people) = (some(Reads::Anything)?, some(Reads::People)?);
        let write_back = write_back::WriteBack::start(second, file, in_the_way(&readers, &of_people))?;
        let writer = writer::Writer::start(writer, write_back)?;
        Ok(Self {
            path: path.to_owned(),
            readers,
            of_people,
            next: AtomicUsize::new(0),
            writer,
        })
    }

    /// Empties the log, on a thread that may wait.
    pub(super) async fn scrub(&self) -> Result<(), DbError> {
        let path = self.path.clone();
        let readers = in_the_way(&self.readers, &self.of_people);
        let scrubbed = tokio::task::spawn_blocking(move || open::scrub(&path, || reader::leave(&readers)));
        scrubbed.await.unwrap_or(Err(DbError::Panicked))
    }

    /// Runs a body on a reader, on this thread, in one snapshot: every statement outside a transaction
    /// would take and give back the file's locks, which costs more than the statement.
    pub(super) fn read<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: for<'t> FnOnce(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>>,
    {
        let reading = self.reader(&self.readers);
        reading.read(|connection| {
            let tx = Tx::sqlite(connection, Changes::Anything);
            catch_unwind(AssertUnwindSafe(|| drive::drive(work(&tx)))).unwrap_or(Err(DbError::Panicked))
        })
    }

    /// The rows of one statement, on this thread.
    pub(super) fn query(&self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, DbError> {
        let reading = self.reader(&self.readers);
        reading.read(|connection| statement::query(&locked(connection), sql.sqlite, params))
    }

    /// The same of a statement that reads nothing of the log.
    pub(super) fn query_people(&self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, DbError> {
        if cfg!(debug_assertions) {
            apart::must_read_people_alone(sql.sqlite)?;
        }
        let reading = self.reader(&self.of_people);
        reading.read(|connection| statement::query(&locked(connection), sql.sqlite, params))
    }

    /// The first free reader, because its cache is the warmest; if none is free, one after the other
    /// is waited for.
    fn reader<'a>(&self, readers: &'a [Arc<Reader>]) -> Reading<'a> {
        if let Some(free) = readers.iter().find_map(Reader::try_enter) {
            return free;
        }
        let at = self.next.fetch_add(1, Ordering::Relaxed) % readers.len();
        Reader::enter(&readers[at])
    }
}

/// All who may be in a snapshot. Those who stay longest leave first: the others may have to share a mark with them.
fn in_the_way(readers: &[Arc<Reader>], of_people: &[Arc<Reader>]) -> Vec<Weak<Reader>> {
    of_people.iter().chain(readers).map(Arc::downgrade).collect()
}

/// The connection behind its lock. A panic cannot leave it half-changed (SQLite is in C), so a
/// poisoned lock is as good as any.
pub(super) fn locked(connection: &Mutex<Connection>) -> MutexGuard<'_, Connection> {
    connection.lock().unwrap_or_else(PoisonError::into_inner)
}
