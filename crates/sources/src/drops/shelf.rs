//! The rows of one drop on disk: sealed under a key of the drop, found through hashes under another.
//!
//! A file of SQLite of its own. It is written once, rows first and the index of hashes last, so that any number of
//! rows goes through in bounded memory; afterwards it is only read.

use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use crypto::{DataKey, DirectoryKey, envelope};
use domain::{outcome::Outcome, time::Timestamp};
use rand_chacha::ChaCha20Rng;
use rusqlite::{Connection, OpenFlags, params};
use serde_json::Value as Json;

use crate::{
    json,
    report::{Failure, Problem},
};

/// How many rows one question may find.
const MAX_ROWS: usize = 500;
/// Half a hash tells ten million rows apart: two of them are alike once in 2⁸⁰ drops.
pub(super) type Token = [u8; 16];

/// What the rows of a drop are sealed and found by.
pub(super) struct ShelfKeys {
    pub(super) data: DataKey,
    pub(super) directory: DirectoryKey,
}

/// To whom the rows belong; part of every seal.
#[derive(Clone)]
pub(super) struct Label {
    pub(super) realm: &'static str,
    pub(super) source: String,
    pub(super) as_of: Timestamp,
}

/// What is kept beside the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) version: u32,
    pub(super) signed: bool,
    pub(super) rows: u64,
}

/// The rows of one drop.
pub(crate) struct Shelf {
    path: PathBuf,
    label: Label,
    keys: ShelfKeys,
    meta: Meta,
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

    fn context<'a>(&'a self, row: &'a [u8]) -> envelope::Context<'a> {
        envelope::Context {
            realm: self.realm,
            table: "drop",
            column: &self.source,
            subject: [0; 16],
            row,
            revision: self.as_of.0.unsigned_abs(),
            key_version: 0,
        }
    }
}

impl Shelf {
    /// Opens what was built; `None` where it is not whole.
    pub(super) fn open(path: &Path, label: Label, keys: ShelfKeys) -> Option<Self> {
        let connection = open(path).ok()?;
        let read = "SELECT version, signed, row_count FROM meta";
        let meta = connection.query_row(read, [], |row| {
            Ok(Meta {
                version: row.get(0)?,
                signed: row.get(1)?,
                rows: row.get::<_, i64>(2)?.unsigned_abs(),
            })
        });
        let meta = meta.ok()?;
        let connections = Mutex::new(vec![connection]);
        Some(Shelf {
            path: path.to_owned(),
            label,
            keys,
            meta,
            connections,
        })
    }

    /// The date of the drop.
    pub(crate) fn as_of(&self) -> Timestamp {
        self.label.as_of
    }

    /// The record holder signed it.
    pub(crate) fn signed(&self) -> bool {
        self.meta.signed
    }

    /// By which mapping it was built.
    pub(super) fn version(&self) -> u32 {
        self.meta.version
    }

    /// What a question's words are on this shelf.
    pub(super) fn token(&self, wanted: &str) -> Token {
        self.keys.token(wanted)
    }

    /// The rows under a token.
    pub(super) fn find(&self, token: &Token) -> Result<Vec<Json>, Failure> {
        let broken = |_| Failure::new(Outcome::Broken, Problem::DropUnreadable);
        let kept = self
            .connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let connection = kept.map_or_else(|| open(&self.path), Ok).map_err(broken)?;
        let found = self.find_by(&connection, token);
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(connection);
        let found = found.map_err(broken)?;
        if found.len() > MAX_ROWS {
            return Err(Failure::bad_answer(Problem::BadRows));
        }
        let unsealed = found.iter().map(|(id, sealed)| {
            let opened = envelope::open_row(&self.keys.data, &self.label.context(&id.to_be_bytes()), sealed);
            let opened = opened.map_err(|_| Failure::new(Outcome::Broken, Problem::DropUnreadable))?;
            json::parse(&opened).map_err(Failure::bad_answer)
        });
        unsealed.collect()
    }

    fn find_by(&self, connection: &Connection, token: &Token) -> rusqlite::Result<Vec<(i64, Vec<u8>)>> {
        let find = "SELECT row.id, row.sealed FROM token JOIN row ON row.id = token.row WHERE token.token = ? LIMIT ?";
        let most = i64::try_from(MAX_ROWS + 1).unwrap_or(i64::MAX);
        let mut statement = connection.prepare_cached(find)?;
        let rows = statement.query_map(params![token, most], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }
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
             CREATE TABLE meta (version INTEGER NOT NULL, signed INTEGER NOT NULL, row_count INTEGER NOT NULL);
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
        let sealed = self.label.seal(
            &self.keys,
            self.rows,
            row.to_string().as_bytes(),
            &mut self.random,
        );
        let add = "INSERT INTO row (id, sealed) VALUES (?, ?)";
        self.connection
            .prepare_cached(add)?
            .execute(params![self.rows, sealed])?;
        let mut find = self
            .connection
            .prepare_cached("INSERT INTO token (token, row) VALUES (?, ?)")?;
        for words in wanted {
            find.execute(params![self.keys.token(words), self.rows])?;
        }
        Ok(())
    }

    /// Builds the index and writes everything out. Returns rows, and tokens under which several rows stand.
    pub(super) fn finish(&mut self, version: u32, signed: bool) -> rusqlite::Result<(u64, u64)> {
        let meta = "INSERT INTO meta (version, signed, row_count) VALUES (?, ?, ?)";
        self.connection
            .execute(meta, params![version, signed, self.rows])?;
        self.connection
            .execute_batch("COMMIT; CREATE INDEX by_token ON token (token, row)")?;
        let count = "SELECT count(*) FROM (SELECT 1 FROM token GROUP BY token HAVING count(*) > 1)";
        let repeated: i64 = self.connection.query_row(count, [], |row| row.get(0))?;
        Ok((self.rows.unsigned_abs(), repeated.unsigned_abs()))
    }

    /// Closes the file and gives back what it was.
    pub(super) fn close(self) -> Result<(PathBuf, Label, ShelfKeys), rusqlite::Error> {
        self.connection.close().map_err(|(_, error)| error)?;
        Ok((self.path, self.label, self.keys))
    }
}
