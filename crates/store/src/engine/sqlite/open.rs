//! Opens SQLite connections and sets them up.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::config::DbConfig as Switch;
use rusqlite::{Connection, ErrorCode, OpenFlags};

use super::statement;
use crate::engine::DbError;

/// How long a statement waits for another process that holds the database.
const BUSY: Duration = Duration::from_secs(5);

/// Pages the writer keeps in memory, at most 8 MB. Nobody else changes them, so they stay valid. More would make it slower:
/// after a page was split SQLite walks through all pages in memory at the next commit, and a page of one person is seldom
/// met twice. Less than a batch changes it would write before its commit.
const WRITER_PAGES: &str = "PRAGMA cache_size = -8192";

/// Prepared statements kept per connection; the program has fewer.
const STATEMENTS: usize = 512;

/// What the disk is told before a commit counts. `FULL` syncs the log of every commit.
const SYNCHRONOUS: (&str, i64) = ("FULL", 2);

/// A bug planted on purpose, where `MINGCHA_PLANTED` is `sync-off`: commits are acknowledged before they
/// are durable, so that the fault rig can prove that it would notice. No build that is shipped has it.
#[cfg(feature = "planted")]
const PLANTED: (&str, i64) = ("OFF", 0);

/// How often the log is tried to be emptied while readers are in it, each time for as long as [`BUSY`].
const SCRUBS: u32 = 6;

/// One opens at a time, so that none meets a file that another has just made and not yet closed.
static OPENING: Mutex<()> = Mutex::new(());

/// The database's file, made if it is not there, and the connections of the writer and of the thread that copies the log
/// back and syncs the file. It stands first, so that it is dropped last: closed while there are connections, it would
/// take SQLite's locks away.
pub(super) fn writers(path: &Path) -> Result<(File, Connection, Connection), DbError> {
    let _alone = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    create(path)?;
    let file = OpenOptions::new().read(true).write(true).open(path);
    let file = file.map_err(|error| refused(path, &error))?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let writer = connect(path, flags)?;
    use_log(&writer)?;
    statement::batch(&writer, WRITER_PAGES)?;
    // Copies of pages for savepoints stay in memory instead of files of their own.
    statement::batch(&writer, "PRAGMA temp_store = MEMORY")?;
    statement::batch(&writer, "PRAGMA foreign_keys = ON")?;
    expect(&writer, "PRAGMA foreign_keys", 1)?;
    expect(&writer, "PRAGMA secure_delete = ON", 1)?;
    synchronous(&writer)?;
    let second = connect(path, flags)?;
    synchronous(&second)?;
    Ok((file, writer, second))
}

/// A connection that cannot write.
pub(super) fn reader(path: &Path) -> Result<Connection, DbError> {
    connect(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// Makes the file if it is not there, readable by its owner alone; SQLite gives its side files the same mode.
fn create(path: &Path) -> Result<(), DbError> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| !folder.is_dir()) {
        return Err(DbError::Open(format!(
            "the folder {} does not exist; make it first",
            folder.display()
        )));
    }
    let mut options = OpenOptions::new();
    // Only a file that is not there yet is opened: closing one that SQLite has open, anywhere in this
    // process, would take SQLite's locks away.
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    if let Err(error) = options.open(path).map(drop)
        && error.kind() != ErrorKind::AlreadyExists
    {
        return Err(refused(path, &error));
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let refused = |error| refused(path, &error);
        if fs::metadata(path).map_err(refused)?.permissions().mode() & 0o077 != 0 {
            fs::set_permissions(path, fs::Permissions::from_mode(0o600)).map_err(refused)?;
        }
    }
    Ok(())
}

fn refused(path: &Path, error: &std::io::Error) -> DbError {
    DbError::Open(format!("{}: {}", path.display(), error.kind()))
}

/// Switches the database to its write-ahead log. Several processes that start on a new file get in
/// each other's way here, and SQLite does not wait by itself.
fn use_log(connection: &Connection) -> Result<(), DbError> {
    for _ in 0..500 {
        match connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get::<_, String>(0)) {
            Ok(mode) if mode == "wal" => return Ok(()),
            Ok(_) => {
                return Err(DbError::Open(
                    "the file system does not allow SQLite's WAL mode".to_owned(),
                ));
            }
            Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
                std::thread::sleep(BUSY / 500);
            }
            Err(error) => return Err(opening(&error)),
        }
    }
    Err(DbError::Open("another process holds the database".to_owned()))
}

/// Opens a connection with what every connection needs.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, DbError> {
    let connection = Connection::open_with_flags(path, flags).map_err(|error| opening(&error))?;
    connection.busy_timeout(BUSY).map_err(|error| opening(&error))?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    let switches = [
        // The schema's own functions and views are not trusted, and nothing may write the file's inside.
        (Switch::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (Switch::SQLITE_DBCONFIG_DEFENSIVE, true),
        // "x" is a column and never a text, as on PostgreSQL.
        (Switch::SQLITE_DBCONFIG_DQS_DML, false),
        (Switch::SQLITE_DBCONFIG_DQS_DDL, false),
        // A plan does not depend on the values: otherwise SQLite plans many statements anew at each binding.
        (Switch::SQLITE_DBCONFIG_ENABLE_QPSG, true),
    ];
    for (switch, on) in switches {
        connection
            .set_db_config(switch, on)
            .map_err(|error| opening(&error))?;
    }
    let encoding: String = pragma(&connection, "PRAGMA encoding")?;
    if encoding != "UTF-8" {
        return Err(DbError::Open(format!(
            "the database's encoding is {encoding}; it must be UTF-8"
        )));
    }
    Ok(connection)
}

fn pragma<T: rusqlite::types::FromSql>(connection: &Connection, text: &str) -> Result<T, DbError> {
    connection
        .query_row(text, [], |row| row.get(0))
        .map_err(|error| opening(&error))
}

/// Copies the log back into the file and empties it, so that nothing that was deleted is left in it. `leave` lets readers
/// go of what was before.
pub(super) fn scrub(path: &Path, leave: impl Fn()) -> Result<(), DbError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = connect(path, flags)?;
    synchronous(&connection)?;
    for _ in 0..SCRUBS {
        // While it is emptied, and waits for whoever reads in it, nobody can write. So all is copied before, and whoever
        // begins to read then reads none of it.
        leave();
        pragma::<i64>(&connection, "PRAGMA wal_checkpoint(PASSIVE)")?;
        leave();
        if pragma::<i64>(&connection, "PRAGMA wal_checkpoint(TRUNCATE)")? == 0 {
            return Ok(());
        }
    }
    Err(DbError::Contention)
}

fn synchronous(connection: &Connection) -> Result<(), DbError> {
    let (name, level) = SYNCHRONOUS;
    #[cfg(feature = "planted")]
    let (name, level) = match std::env::var("MINGCHA_PLANTED").as_deref() {
        Ok("sync-off") => PLANTED,
        _ => (name, level),
    };
    connection
        .pragma_update(None, "synchronous", name)
        .map_err(|error| opening(&error))?;
    expect(connection, "PRAGMA synchronous", level)
}

fn expect(connection: &Connection, text: &str, value: i64) -> Result<(), DbError> {
    if pragma::<i64>(connection, text)? == value {
        return Ok(());
    }
    Err(DbError::Open(format!("SQLite did not accept `{text}`")))
}

/// An error before any value is bound: its message speaks of the file.
pub(super) fn opening(error: &rusqlite::Error) -> DbError {
    DbError::Open(error.to_string())
}
