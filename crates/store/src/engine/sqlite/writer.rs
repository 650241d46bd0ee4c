//! The one thread that writes: it shares a transaction and its sync among all who wait.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};

use futures_util::future::BoxFuture;
use rusqlite::{Connection, ffi};
use tokio::sync::{mpsc, oneshot};

use super::{
    drive::drive,
    locked,
    open::opening,
    reader::{self, Changes},
    statement,
    write_back::WriteBack,
};
use crate::engine::{DbError, Tx};

/// Bodies that may wait for the writer; more wait for a place.
const QUEUE: usize = 1024;

/// Bodies that share one transaction.
const SHARE: usize = 64;

/// The way to the writer thread, which ends when this is dropped.
pub(crate) struct Writer {
    queue: mpsc::Sender<Box<dyn Job>>,
}

/// A body with its result's type hidden.
trait Job: Send {
    /// Runs the body in the open transaction and keeps its value.
    fn run(&mut self, connection: &Mutex<Connection>) -> Result<(), DbError>;
    /// What it changes.
    fn changes(&self) -> Changes;
    /// Answers, once the transaction is durable or is known to have failed.
    fn answer(self: Box<Self>, outcome: Result<(), DbError>);
}

struct Task<T, F> {
    work: F,
    changes: Changes,
    value: Option<T>,
    reply: oneshot::Sender<Result<T, DbError>>,
}

impl<T, F> Job for Task<T, F>
where
    F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send,
    T: Send,
{
    fn run(&mut self, connection: &Mutex<Connection>) -> Result<(), DbError> {
        let tx = Tx::sqlite(connection, self.changes);
        let result =
            catch_unwind(AssertUnwindSafe(|| drive((self.work)(&tx)))).unwrap_or(Err(DbError::Panicked));
        self.value = Some(tx.outcome(result)?);
        Ok(())
    }

    fn changes(&self) -> Changes {
        self.changes
    }

    fn answer(self: Box<Self>, outcome: Result<(), DbError>) {
        let Self { value, reply, .. } = *self;
        let answer = outcome.and_then(|()| value.ok_or(DbError::Panicked));
        // The caller may have gone away; the transaction stands all the same.
        drop(reply.send(answer));
    }
}

impl Writer {
    /// Starts the thread with its connection.
    pub(super) fn start(mut connection: Connection, write_back: WriteBack) -> Result<Self, DbError> {
        // This takes the place of SQLite's own hook, which would write the log back within a commit.
        let pages = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&pages);
        connection
            .wal_hook(Some(move |_: &mut rusqlite::hooks::Wal, count| {
                seen.store(count, Ordering::Relaxed);
                Ok(())
            }))
            .map_err(|error| opening(&error))?;
        let (queue, jobs) = mpsc::channel(QUEUE);
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || {
                // The connection is closed first, so that the other thread, which then ends, has the last one.
                let mut write_back = write_back;
                let connection = Mutex::new(connection);
                serve(&connection, jobs, &pages, &mut write_back);
            })
            .map_err(|error| DbError::Open(format!("the writer thread does not start: {}", error.kind())))?;
        Ok(Self { queue })
    }

    /// Runs a body in a transaction and answers when it is durable. Once queued it runs to its end,
    /// even if the caller goes away.
    pub(in crate::engine) async fn write<T, F>(&self, changes: Changes, work: F) -> Result<T, DbError>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + 'static,
        T: Send + 'static,
    {
        let gone = || DbError::Unavailable("the writer has ended".to_owned());
        let (reply, answer) = oneshot::channel();
        let job = Box::new(Task {
            work,
            changes,
            value: None,
            reply,
        });
        self.queue.send(job).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }
}

/// The thread: takes what waits, commits it, answers.
fn serve(
    connection: &Mutex<Connection>,
    mut jobs: mpsc::Receiver<Box<dyn Job>>,
    pages: &AtomicI32,
    write_back: &mut WriteBack,
) {
    let mut stopped: Option<DbError> = None;
    let mut waiting = Vec::with_capacity(SHARE);
    while jobs.blocking_recv_many(&mut waiting, SHARE) > 0 {
        stopped = stopped.or_else(|| write_back.failed());
        match &stopped {
            // After an uncertain commit the disk is not to be trusted: a sync that is tried again can
            // succeed although what it should have written is lost.
            Some(error) => {
                for job in waiting.drain(..) {
                    job.answer(Err(error.clone()));
                }
            }
            None => stopped = commit_all(connection, &mut waiting),
        }
        write_back.grown_to(pages.load(Ordering::Relaxed));
    }
}

/// Commits the jobs together; if that fails for a reason that only one of them may have, each alone.
/// Returns why the thread must not write any more.
fn commit_all(connection: &Mutex<Connection>, waiting: &mut Vec<Box<dyn Job>>) -> Option<DbError> {
    if waiting.len() > 1 {
        match commit(connection, waiting) {
            Ok(outcomes) => {
                for (job, outcome) in waiting.drain(..).zip(outcomes) {
                    job.answer(outcome);
                }
                return None;
            }
            Err(error @ DbError::Uncertain(_)) => {
                for job in waiting.drain(..) {
                    job.answer(Err(error.clone()));
                }
                return Some(error);
            }
            Err(_) => {}
        }
    }
    let mut stopped: Option<DbError> = None;
    for mut job in waiting.drain(..) {
        let outcome = match &stopped {
            Some(error) => Err(error.clone()),
            None => commit(connection, std::slice::from_mut(&mut job)).and_then(|mut one| one.remove(0)),
        };
        if let Err(error @ DbError::Uncertain(_)) = &outcome {
            stopped = Some(error.clone());
        }
        job.answer(outcome);
    }
    stopped
}

/// One transaction over the jobs, each in its own savepoint, unless it is the only one. An error is that of
/// the transaction as a whole: nothing of it is committed, except where it is [`DbError::Uncertain`].
fn commit(
    connection: &Mutex<Connection>,
    jobs: &mut [Box<dyn Job>],
) -> Result<Vec<Result<(), DbError>>, DbError> {
    let all_of_log = jobs.iter().all(|job| job.changes() == Changes::Log);
    let changed = if all_of_log {
        Changes::Log
    } else {
        Changes::Anything
    };
    execute(connection, "BEGIN IMMEDIATE")?;
    let mut outcomes = Vec::with_capacity(jobs.len());
    // A savepoint keeps a copy of every page that is changed after it; who is alone can roll back all.
    if let [job] = jobs {
        let outcome = job.run(connection);
        if outcome.is_err() {
            roll_back(connection);
            return Ok(vec![outcome]);
        }
        outcomes.push(outcome);
        return end(connection, changed).map(|()| outcomes);
    }
    for job in jobs {
        execute(connection, "SAVEPOINT one").inspect_err(|_| roll_back(connection))?;
        let outcome = job.run(connection);
        // Some failures (a full disk, say) roll the whole transaction back, the others' work included.
        if locked(connection).is_autocommit() {
            return Err(outcome.err().unwrap_or(DbError::Contention));
        }
        let end = if outcome.is_ok() {
            "RELEASE one"
        } else {
            "ROLLBACK TO one"
        };
        execute(connection, end).inspect_err(|_| roll_back(connection))?;
        if outcome.is_err() {
            execute(connection, "RELEASE one").inspect_err(|_| roll_back(connection))?;
        }
        outcomes.push(outcome);
    }
    end(connection, changed).map(|()| outcomes)
}

/// Commits what was `changed`.
fn end(connection: &Mutex<Connection>, changed: Changes) -> Result<(), DbError> {
    let committed = locked(connection)
        .prepare_cached("COMMIT")
        .and_then(|mut commit| commit.execute([]));
    // Whether it happened or not: nobody reads on in what was before it.
    reader::committed(changed);
    committed.map(drop).map_err(|error| {
        roll_back(connection);
        at_commit(&error)
    })
}

/// What a failed COMMIT means. Only where SQLite stops before the commit's record is complete is it
/// certain that nothing was committed; a failed write or sync leaves it open until the next start.
fn at_commit(error: &rusqlite::Error) -> DbError {
    match error.sqlite_error().map(|code| code.extended_code & 0xff) {
        Some(ffi::SQLITE_BUSY | ffi::SQLITE_CONSTRAINT | ffi::SQLITE_FULL) => {
            statement::failed(error, "COMMIT")
        }
        code => DbError::Uncertain(format!(
            "SQLite reports {} at COMMIT",
            code.unwrap_or(ffi::SQLITE_ERROR)
        )),
    }
}

fn execute(connection: &Mutex<Connection>, sql: &'static str) -> Result<(), DbError> {
    statement::execute(&locked(connection), sql, &[]).map(drop)
}

fn roll_back(connection: &Mutex<Connection>) {
    let connection = locked(connection);
    if !connection.is_autocommit() {
        // If even this fails, the next BEGIN does too, and says so.
        drop(connection.execute_batch("ROLLBACK"));
    }
}
