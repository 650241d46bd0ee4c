//! The rows of one drop on disk: sealed under a key of the drop, found through hashes under another.
//!
//! A file of SQLite of its own. It is written once, rows first and the index of hashes last, so that any number of
//! rows goes through in bounded memory; afterwards it is only read.

use std::{
    io,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crypto::{DataKey, DirectoryKey, envelope};
use domain::{outcome::Outcome, time::Timestamp};
use rand_chacha::ChaCha20Rng;
use rusqlite::{Connection, ErrorCode, OpenFlags, params};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{overlay::Overlay, pushed::changes_path};
use crate::{
    json,
    report::{Failure, Problem},
};

/// How many rows one question may find.
pub(super) const MAX_ROWS: usize = 500;
/// Half a hash tells ten million rows apart: two of them are alike once in 2⁸⁰ drops.
pub(super) type Token = [u8; 16];

/// Rows that were found, and what they are worth.
pub(crate) struct Found {
    pub(crate) rows: Vec<Json>,
    /// The date of the drop, or since when what was pushed is so.
    pub(crate) as_of: Timestamp,
    /// The record holder signed it.
    pub(crate) signed: bool,
}

/// What the rows of a drop are sealed and found by.
pub(super) struct ShelfKeys {
    pub(super) data: DataKey,
    pub(super) directory: DirectoryKey,
}

/// Which shelf of a source: the newest is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    /// The date of the drop.
    pub(super) as_of: Timestamp,
    /// Counts what was built of that date: a corrected drop, or the same one read by another mapping.
    pub(super) edition: u32,
}

/// To whom the rows belong; part of every seal.
#[derive(Clone)]
pub(super) struct Label {
    pub(super) realm: &'static str,
    pub(super) source: String,
    pub(super) place: Place,
}

/// What is kept beside the rows in the clear.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Meta {
    mapping: Digest,
    signed: bool,
    rows: u64,
}

/// A hash of a drop, or of the mapping by which it was read.
pub(super) type Digest = [u8; 32];

/// What is kept beside the rows, sealed as they are.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct About {
    /// The drops of this date that were read, the one on the shelf last.
    pub(super) digests: Vec<Digest>,
    /// The mapped places at which no row has anything.
    pub(super) lacking: Vec<String>,
}

/// The row under which [`About`] is sealed; those that are found count from one.
const ABOUT: i64 = 0;

/// The rows of one drop.
pub(crate) struct Shelf {
    pub(super) path: PathBuf,
    pub(super) label: Label,
    pub(super) keys: ShelfKeys,
    meta: Meta,
    about: About,
    pub(super) overlay: Mutex<Option<Overlay>>,
    connections: Mutex<Vec<Connection>>,
}

impl ShelfKeys {
    pub(super) fn token(&self, wanted: &str) -> Token {
        let digest = self.directory.digest("drop-row", wanted);
        let mut token = [0; 16];
        token.copy_from_slice(&digest[..16]);
        token
    }
}

impl Label {
    fn seal(&self, keys: &ShelfKeys, id: i64, row: &[u8], random: &mut ChaCha20Rng) -> Vec<u8> {
        envelope::seal_row(&keys.data, &self.context(&id.to_be_bytes()), row, random)
    }

    /// Seals what was pushed about a record.
    pub(super) fn seal_change(
        &self,
        keys: &ShelfKeys,
        token: &Token,
        sequence: i64,
        change: &[u8],
        random: &mut ChaCha20Rng,
    ) -> Vec<u8> {
        envelope::seal_row(&keys.data, &self.change_context(token, sequence), change, random)
    }

    /// Opens what was pushed about a record.
    pub(super) fn open_change(
        &self,
        keys: &ShelfKeys,
        token: &Token,
        sequence: i64,
        sealed: &[u8],
    ) -> Option<Vec<u8>> {
        envelope::open_row(&keys.data, &self.change_context(token, sequence), sealed).ok()
    }

    fn change_context<'a>(&'a self, token: &'a Token, sequence: i64) -> envelope::Context<'a> {
        envelope::Context {
            table: "drop-change",
            revision: sequence.unsigned_abs(),
            ..self.context(token)
        }
    }

    fn open(&self, keys: &ShelfKeys, id: i64, sealed: &[u8]) -> Option<Vec<u8>> {
        envelope::open_row(&keys.data, &self.context(&id.to_be_bytes()), sealed).ok()
    }

    fn context<'a>(&'a self, row: &'a [u8]) -> envelope::Context<'a> {
        envelope::Context {
            realm: self.realm,
            table: "drop",
            column: &self.source,
            subject: [0; 16],
            row,
            revision: self.place.as_of.0.unsigned_abs(),
            key_version: self.place.edition,
        }
    }
}

/// What was read; `None` where the file can never be read: no row in it, no such table, no database.
fn unless_broken<T>(read: rusqlite::Result<T>) -> io::Result<Option<T>> {
    read.map(Some).or_else(|error| match error.sqlite_error_code() {
        None | Some(ErrorCode::Unknown | ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => Ok(None),
        Some(_) => Err(io::Error::other(error)),
    })
}

impl Shelf {
    /// Opens what was built; `None` where it is not whole.
    ///
    /// # Errors
    /// The disk does not give it now.
    pub(super) fn open(path: &Path, label: Label, keys: ShelfKeys) -> io::Result<Option<Self>> {
        let Some((connection, meta, sealed)) = unless_broken(read_meta(path))? else {
            return Ok(None);
        };
        let about = label.open(&keys, ABOUT, &sealed);
        let Some(about) = about.and_then(|about| serde_json::from_slice(&about).ok()) else {
            return Ok(None);
        };
        // Changes that cannot be read any more are lost, and the rows alone would be wrong.
        let Some(overlay) = unless_broken(Overlay::open(&changes_path(path), label.place.as_of, false))?
        else {
            return Ok(None);
        };
        Ok(Some(Shelf {
            path: path.to_owned(),
            label,
            keys,
            meta,
            about,
            overlay: Mutex::new(overlay),
            connections: Mutex::new(vec![connection]),
        }))
    }

    /// The date of the drop.
    pub(crate) fn as_of(&self) -> Timestamp {
        self.label.place.as_of
    }

    /// Which shelf it is.
    pub(super) fn place(&self) -> Place {
        self.label.place
    }

    /// How many rows can be found.
    pub(super) fn rows(&self) -> u64 {
        self.meta.rows
    }

    /// What stands beside the rows.
    pub(super) fn about(&self) -> &About {
        &self.about
    }

    /// By which mapping it was built.
    pub(super) fn mapping(&self) -> &Digest {
        &self.meta.mapping
    }

    /// What a question's words are on this shelf.
    pub(super) fn token(&self, wanted: &str) -> Token {
        self.keys.token(wanted)
    }

    /// The same under its new name.
    pub(super) fn named(self, path: PathBuf) -> Self {
        Shelf { path, ..self }
    }

    /// The rows under a token, with what was pushed since.
    pub(super) fn find(&self, token: &Token) -> Result<Found, Failure> {
        let mut found = self.with_connection(|connection| self.find_by(connection, token))?;
        if found.len() > MAX_ROWS {
            return Err(Failure::bad_answer(Problem::BadRows));
        }
        let overlay = self.overlay();
        let pushed = match &*overlay {
            Some(overlay) => Some(self.pushed(overlay, token, &mut found)?),
            None => None,
        };
        drop(overlay);
        let pushed = pushed.unwrap_or_default();
        let unsealed = found.iter().map(|(id, sealed)| {
            let opened = self.label.open(&self.keys, *id, sealed).ok_or_else(unreadable)?;
            json::parse(&opened).map_err(Failure::bad_answer)
        });
        let mut rows: Vec<_> = unsealed.collect::<Result<_, _>>()?;
        // Whoever sees old and new together sees them as of the older.
        let as_of = pushed.as_of.filter(|_| rows.is_empty());
        rows.extend(pushed.rows);
        Ok(Found {
            rows,
            as_of: as_of.unwrap_or(self.as_of()),
            signed: self.meta.signed && !pushed.unsigned,
        })
    }

    pub(super) fn with_connection<T>(
        &self,
        read: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Failure> {
        let kept = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = kept
            .map_or_else(|| open(&self.path), Ok)
            .map_err(|_| unreadable())?;
        let read = read(&connection);
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        read.map_err(|_| unreadable())
    }

    fn find_by(&self, connection: &Connection, token: &Token) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
        let find = "SELECT row.id, row.sealed FROM token JOIN row ON row.id = token.row WHERE token.token = ? LIMIT ?";
        let most = i64::try_from(MAX_ROWS + 1).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(find)?;
        let rows = statement.query_map(params![token, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
}

/// A shelf, or what lies beside it, that cannot be read.
pub(super) fn unreadable() -> Failure {
    Failure::new(Outcome::Broken, Problem::DropUnreadable)
}

/// A connection, what is kept in the clear, and what is sealed beside it.
fn read_meta(path: &Path) -> rusqlite::Result<(Connection, Meta, Vec<u8>)> {
    let connection = open(path)?;
    let read = "SELECT mapping, signed, row_count, row.sealed FROM meta JOIN row ON row.id = ?";
    let (meta, sealed) = connection.query_row(read, [ABOUT], |row| {
        let meta = Meta {
            mapping: row.get(0)?,
            signed: row.get(1)?,
            rows: row.get::<_, i64>(2)?.unsigned_abs(),
        };
        Ok((meta, row.get(3)?))
    })?;
    Ok((connection, meta, sealed))
}

fn open(path: &Path) -> rusqlite::Result<Connection> {
    Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )
}

/// A shelf that is being built.
pub(super) struct Builder {
    pub(super) path: PathBuf,
    pub(super) label: Label,
    pub(super) keys: ShelfKeys,
    connection: Connection,
    random: ChaCha20Rng,
    rows: i64,
}

impl Builder {
    /// Begins a file. It needs no journal: what was not finished is thrown away whole.
    pub(super) fn begin(
        path: PathBuf,
        label: Label,
        keys: ShelfKeys,
        random: ChaCha20Rng,
    ) -> rusqlite::Result<Self> {
        let connection = Connection::open(&path)?;
        connection.execute_batch(
            "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF; PRAGMA cache_size = -32768;
             CREATE TABLE row (id INTEGER PRIMARY KEY, sealed BLOB NOT NULL);
             CREATE TABLE token (token BLOB NOT NULL, row INTEGER NOT NULL);
             CREATE TABLE meta (mapping BLOB NOT NULL, signed INTEGER NOT NULL, row_count INTEGER NOT NULL);
             BEGIN",
        )?;
        Ok(Builder {
            path,
            label,
            keys,
            connection,
            random,
            rows: 0,
        })
    }

    /// Appends a row under the words by which it is found.
    pub(super) fn add(&mut self, wanted: &[String], row: &Json) -> rusqlite::Result<()> {
        self.rows += 1;
        self.seal(self.rows, row.to_string().as_bytes())?;
        let mut find = self
            .connection
            .prepare_cached("INSERT INTO token (token, row) VALUES (?, ?)")?;
        for words in wanted {
            find.execute(params![self.keys.token(words), self.rows])?;
        }
        Ok(())
    }

    fn seal(&mut self, id: i64, row: &[u8]) -> rusqlite::Result<()> {
        let sealed = self.label.seal(&self.keys, id, row, &mut self.random);
        let add = "INSERT INTO row (id, sealed) VALUES (?, ?)";
        self.connection
            .prepare_cached(add)?
            .execute(params![id, sealed])?;
        Ok(())
    }

    /// Builds the index and writes everything out. Returns rows, and of the routes by which one row alone is a record
    /// the tokens under which several stand.
    pub(super) fn finish(
        &mut self,
        mapping: &Digest,
        signed: bool,
        about: &About,
        alone: &[bool],
    ) -> rusqlite::Result<(u64, u64)> {
        let about =
            serde_json::to_vec(about).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        self.seal(ABOUT, &about)?;
        let meta = "INSERT INTO meta (mapping, signed, row_count) VALUES (?, ?, ?)";
        self.connection
            .execute(meta, params![mapping, signed, self.rows])?;
        self.connection
            .execute_batch("COMMIT; CREATE INDEX by_token ON token (token, row)")?;
        let repeated = self.repeated(alone)?;
        Ok((self.rows.unsigned_abs(), repeated))
    }

    /// Each row has added a token for each route, in their order, so that a token's own number tells its route; the
    /// index has that number, and the table is not read.
    fn repeated(&self, alone: &[bool]) -> rusqlite::Result<u64> {
        let mut repeated = 0;
        let routes = i64::try_from(alone.len()).unwrap_or(i64::MAX);
        for (at, _) in (0_i64..).zip(alone).filter(|(_, alone)| **alone) {
            let count = "SELECT count(*) FROM
                (SELECT 1 FROM token WHERE (rowid - 1) % ? = ? GROUP BY token HAVING count(*) > 1)";
            let of_route: i64 = self
                .connection
                .query_row(count, params![routes, at], |row| row.get(0))?;
            repeated += of_route.unsigned_abs();
        }
        Ok(repeated)
    }

    /// Closes the file and gives back what it was.
    pub(super) fn close(self) -> Result<(PathBuf, Label, ShelfKeys), rusqlite::Error> {
        self.connection.close().map_err(|(_, error)| error)?;
        Ok((self.path, self.label, self.keys))
    }
}
