//! Copies the log's pages back into the database's file and syncs it, on a thread beside the writer.
//!
//! SQLite would do it within a commit: every thousandth commit would take much longer, and a sync that
//! fails there would go unnoticed. And it would sync the file only after a copy that leaves nothing in the log, which
//! while commits come in is the one that the writer waits for: all pages of the whole log at once, and everybody waits
//! (`docs/decisions/0039-synced-by-little.md`).

use std::fs::File;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, OnceLock, Weak};

use rusqlite::{Connection, ErrorCode};

use super::reader::{Reader, leave};
use crate::engine::DbError;

/// Pages by which the log grows until they are copied and synced (2 MB with pages of 4 KB). Commits share the disk with
/// both: what is twice the size makes them wait twice as long, and saves few pages, because most change once.
const COPY: i32 = 500;

/// Pages in the log at which the writer waits for the copy, so that the log starts again from its
/// beginning (64 MB). It is also what a start after a crash has to read.
const WAIT: i32 = 16_000;

/// The way to the thread, which ends when this is dropped.
pub(super) struct WriteBack {
    wanted: SyncSender<Option<Sender<()>>>,
    failed: Arc<OnceLock<DbError>>,
    /// Pages in the log when the last copy was asked for.
    asked: i32,
}

impl WriteBack {
    /// Starts the thread with its connection, which must sync as the writer's does, with the database's file, and with
    /// the readers that are to let go of the log.
    pub(super) fn start(
        connection: Connection,
        file: File,
        readers: Vec<Weak<Reader>>,
    ) -> Result<Self, DbError> {
        let (wanted, requests) = sync_channel(1);
        let failed = Arc::new(OnceLock::new());
        let told = Arc::clone(&failed);
        std::thread::Builder::new()
            .name("store-write-back".to_owned())
            .spawn(move || {
                serve(&connection, &file, &readers, &requests, &told);
                // Whoever closes a file takes the locks away that this process has on it. SQLite's are not needed any
                // more, because nobody asks any more: this is the last connection.
                drop(connection);
                drop(file);
            })
            .map_err(|error| DbError::Open(format!("a thread does not start: {}", error.kind())))?;
        Ok(Self {
            wanted,
            failed,
            asked: 0,
        })
    }

    /// Takes note of the log's length after a commit.
    pub(super) fn grown_to(&mut self, pages: i32) {
        if pages >= WAIT {
            let (done, wait) = channel();
            // After a failure nothing is copied any more, and the next commit meets it.
            if self.wanted.send(Some(done)).is_ok() {
                wait.iter().for_each(drop);
            }
            self.asked = pages;
        } else if pages < self.asked {
            self.asked = 0;
        } else if pages - self.asked >= COPY && self.wanted.try_send(None).is_ok() {
            self.asked = pages;
        }
    }

    /// Why the disk is not to be trusted any more, if so.
    pub(super) fn failed(&self) -> Option<DbError> {
        self.failed.get().cloned()
    }
}

/// The thread. Dropping the request's sender is the answer to who waits.
fn serve(
    connection: &Connection,
    file: &File,
    readers: &[Weak<Reader>],
    requests: &Receiver<Option<Sender<()>>>,
    failed: &OnceLock<DbError>,
) {
    while let Ok(waits) = requests.recv() {
        // The thread stays without copying: with it the file would be closed while others are connected.
        if failed.get().is_some() {
            continue;
        }
        // What is newer than a reader's snapshot would stay in the log, and be the more the next time.
        leave(readers);
        if !copy(connection) || file.sync_data().is_err() {
            let text = "the log could not be written back into the database's file".to_owned();
            failed.get_or_init(|| DbError::Uncertain(text));
            continue;
        }
        // Who reads on in the log keeps it from starting again; who begins when all was copied reads none of it.
        if waits.is_some() {
            leave(readers);
        }
    }
}

/// Copies what it can; whether the disk is to be trusted after it.
fn copy(connection: &Connection) -> bool {
    match connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        Ok(()) => true,
        // Where another process is at it, or the disk is full, a later commit asks again.
        Err(error) => error.sqlite_error_code() != Some(ErrorCode::SystemIoFailure),
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Read, os::fd::OwnedFd, path::Path, time::Duration};

    use tokio::time::{sleep, timeout};

    use super::*;
    use crate::engine::{
        Sql,
        sqlite::{Changes, locked, open, reader::Reads, writer::Writer},
    };

    /// A database with a table, and what writes and syncs it.
    fn made(path: &Path) -> (File, Connection, Connection) {
        let (file, writer, second) = open::writers(path).unwrap();
        writer.execute_batch("CREATE TABLE thing (id)").unwrap();
        (file, writer, second)
    }

    fn count(reader: &Arc<Reader>) -> Result<i64, DbError> {
        reader.enter().read(|connection| {
            let counted = locked(connection).query_row("SELECT count(*) FROM thing", [], |row| row.get(0));
            counted.map_err(|e| DbError::Open(e.to_string()))
        })
    }

    /// How long a busy machine may take for a copy.
    const PATIENCE: Duration = Duration::from_secs(10);

    /// Whether this comes about in time.
    async fn comes(wanted: impl Fn() -> bool) -> bool {
        let comes = async {
            while !wanted() {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, comes).await.is_ok()
    }

    #[tokio::test]
    async fn a_reader_that_stays_does_not_keep_the_log_from_starting_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.sqlite");
        let (file, writer, second) = made(&path);
        let reader = Arc::new(Reader::new(open::reader(&path).unwrap(), Reads::People));
        let mut write_back = WriteBack::start(second, file, vec![Arc::downgrade(&reader)]).unwrap();
        let log = || {
            std::fs::metadata(path.with_extension("sqlite-wal"))
                .unwrap()
                .len()
        };
        let count = || count(&reader);
        // Nothing here waits for the reader's timer, so that it stays in what was before the second thing.
        writer.execute_batch("INSERT INTO thing VALUES (1)").unwrap();
        assert_eq!(count(), Ok(1));
        writer.execute_batch("INSERT INTO thing VALUES (2)").unwrap();
        let before = log();
        write_back.grown_to(WAIT);
        writer.execute_batch("INSERT INTO thing VALUES (3)").unwrap();
        assert_eq!(log(), before, "it starts again from its beginning");
        assert_eq!(count(), Ok(3));
    }

    #[tokio::test]
    async fn a_reader_that_stays_keeps_nothing_from_being_copied() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.sqlite");
        let (file, writer, second) = made(&path);
        let reader = Arc::new(Reader::new(open::reader(&path).unwrap(), Reads::People));
        // Nothing here waits for the reader's timer, so that it stays in what was before the thing.
        assert_eq!(count(&reader), Ok(0));
        writer
            .execute_batch("INSERT INTO thing VALUES (zeroblob(1000000))")
            .unwrap();
        let size = || std::fs::metadata(&path).unwrap().len();
        assert!(size() < 1_000_000);
        let mut write_back = WriteBack::start(second, file, vec![Arc::downgrade(&reader)]).unwrap();
        write_back.grown_to(COPY);
        assert!(comes(|| size() > 1_000_000).await);
        assert_eq!(write_back.failed(), None);
    }

    #[tokio::test]
    async fn nothing_is_written_after_a_sync_that_failed() {
        const GROW: Sql = Sql::both("INSERT INTO thing VALUES (zeroblob(3000000))");
        let folder = tempfile::tempdir().unwrap();
        let (_file, connection, second) = made(&folder.path().join("log.sqlite"));
        // The system syncs no pipe; and its other end tells when it is closed.
        let (mut end, file) = std::io::pipe().unwrap();
        let file = File::from(OwnedFd::from(file));
        let write_back = WriteBack::start(second, file, vec![]).unwrap();
        let writer = Writer::start(connection, write_back).unwrap();
        let stops = async {
            let grow = || {
                writer.write(Changes::Anything, |tx| {
                    Box::pin(async move { tx.execute(&GROW, &[]).await })
                })
            };
            while !matches!(grow().await, Err(DbError::Uncertain(_))) {
                sleep(Duration::from_millis(1)).await;
            }
        };
        timeout(PATIENCE, stops).await.unwrap();
        // The file stays open while there are connections, whose locks it would take away.
        let closed = tokio::task::spawn_blocking(move || end.read(&mut [0]).unwrap());
        sleep(Duration::from_millis(20)).await;
        assert!(!closed.is_finished());
        drop(writer);
        assert_eq!(timeout(PATIENCE, closed).await.unwrap().unwrap(), 0);
    }
}
