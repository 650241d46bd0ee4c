//! What the record holder pushed after a drop: it lies beside the drop's rows, sealed and found under the same keys, is
//! read before them, and goes with them.
//!
//! `STORE/ID.DATE.changes`, a file of SQLite that is synced before a change is acknowledged. The next drop takes over
//! what is newer than itself; of the rest only the sequence numbers stay, so that a change that comes late is known.

use std::path::Path;

use domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::shelf::{Digest, Label, ShelfKeys, Token};

/// How many changes one drop takes: more are a new file. A hundred thousand are about 50 MB.
const MAX_CHANGES: i64 = 100_000;
/// For how long a message's id is remembered: senders repeat for a day or two.
const IDS_KEPT_SECONDS: i64 = 3 * 24 * 3600;
/// For how long the sequence number of a record is remembered that did not change any more.
const SEQUENCES_KEPT_SECONDS: i64 = 30 * 24 * 3600;

/// What a change says about one record.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Change {
    /// The columns by which the record is found.
    pub(super) record: Json,
    /// Rises with each change of this record.
    pub(super) sequence: i64,
    /// Since when it is so, in UTC microseconds.
    pub(super) as_of: i64,
    /// Whether the record holder alone could have signed it.
    pub(super) signed: bool,
    /// What is to be shown.
    pub(super) effect: Effect,
}

impl std::fmt::Debug for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Change({}, redacted)", self.sequence)
    }
}

/// What a change does to the rows of its record.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Effect {
    /// Nothing: the drop is newer.
    None,
    /// They are void, and what is instead is not known.
    Void,
    /// These take their place.
    Rows(Vec<Json>),
}

/// A change with the tokens under which it is found on one shelf.
pub(super) struct Found<'a> {
    pub(super) change: &'a Change,
    /// Of its record.
    pub(super) token: Token,
    /// Of each of its rows, for each route.
    pub(super) rows: Vec<Vec<Token>>,
    /// The rows of the drop whose place it takes.
    pub(super) void: Vec<i64>,
}

/// What became of a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// It is shown from now on, or is known to be in the drop.
    Done,
    /// The same message came before.
    Repeated,
    /// A later change of the same record came before.
    Overtaken,
    /// There are too many since the drop.
    TooMany,
}

impl Taken {
    /// The word for metrics.
    pub(crate) fn code(self) -> &'static str {
        match self {
            Taken::Done => "taken",
            Taken::Repeated => "repeated",
            Taken::Overtaken => "overtaken",
            Taken::TooMany => "too_many",
        }
    }
}

/// The changes beside one shelf.
pub(super) struct Overlay {
    connection: Connection,
}

impl Overlay {
    /// Opens the changes of a shelf, and begins them where `create` says so and there are none.
    pub(super) fn open(path: &Path, create: bool) -> rusqlite::Result<Option<Self>> {
        if !create && !path.exists() {
            return Ok(None);
        }
        let connection = Connection::open(path)?;
        // With FULL alone the end of a journal may be lost with the power, and with it what was acknowledged.
        connection.execute_batch(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;
             CREATE TABLE IF NOT EXISTS change
                 (token BLOB PRIMARY KEY, sequence INTEGER NOT NULL, as_of INTEGER NOT NULL, sealed BLOB NOT NULL);
             CREATE TABLE IF NOT EXISTS found (token BLOB NOT NULL, change BLOB NOT NULL, place INTEGER NOT NULL);
             CREATE INDEX IF NOT EXISTS by_token ON found (token);
             CREATE INDEX IF NOT EXISTS by_change ON found (change);
             CREATE TABLE IF NOT EXISTS void (row INTEGER NOT NULL, change BLOB NOT NULL);
             CREATE INDEX IF NOT EXISTS by_row ON void (row);
             CREATE INDEX IF NOT EXISTS by_voider ON void (change);
             CREATE TABLE IF NOT EXISTS seen (id BLOB PRIMARY KEY, at INTEGER NOT NULL)",
        )?;
        Ok(Some(Overlay { connection }))
    }

    /// Takes a change durably, unless its message or a later change of the same record came before.
    pub(super) fn take(
        &mut self,
        found: &Found<'_>,
        sealed: &[u8],
        id: &Digest,
        now: Timestamp,
    ) -> rusqlite::Result<Taken> {
        let behaviour = TransactionBehavior::Immediate;
        let transaction = self.connection.transaction_with_behavior(behaviour)?;
        let forget = now.plus_seconds(-IDS_KEPT_SECONDS).0;
        transaction.execute("DELETE FROM seen WHERE at < ?", [forget])?;
        let add = "INSERT INTO seen (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING";
        if transaction.execute(add, params![id, now.0])? == 0 {
            return Ok(Taken::Repeated);
        }
        let last = "SELECT sequence FROM change WHERE token = ?";
        let last: Option<i64> = transaction
            .query_row(last, [&found.token], |row| row.get(0))
            .optional()?;
        if last.is_some_and(|last| last >= found.change.sequence) {
            transaction.commit()?;
            return Ok(Taken::Overtaken);
        }
        // One that takes the place of another needs none of its own.
        if last.is_none() {
            let count: i64 = transaction.query_row("SELECT count(*) FROM change", [], |row| row.get(0))?;
            if count >= MAX_CHANGES {
                return Ok(Taken::TooMany);
            }
        }
        put(&transaction, found, sealed)?;
        transaction.commit()?;
        Ok(Taken::Done)
    }

    /// Takes over changes and ids from the drop before, as they were.
    pub(super) fn take_over(
        &mut self,
        changes: &[(Found<'_>, Vec<u8>)],
        ids: &[(Digest, i64)],
    ) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction()?;
        for (found, sealed) in changes {
            put(&transaction, found, sealed)?;
        }
        for (id, at) in ids {
            transaction.execute(
                "INSERT OR REPLACE INTO seen (id, at) VALUES (?, ?)",
                params![id, at],
            )?;
        }
        transaction.commit()
    }

    /// All changes, sealed, with their tokens and sequences; those that nobody can still send are left out.
    pub(super) fn all(&self, now: Timestamp) -> rusqlite::Result<Vec<(Token, i64, Vec<u8>)>> {
        let after = now.plus_seconds(-SEQUENCES_KEPT_SECONDS).0;
        let all = "SELECT token, sequence, sealed FROM change WHERE as_of >= ?";
        let mut statement = self.connection.prepare(all)?;
        let rows = statement.query_map([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
        rows.collect()
    }

    /// The ids of the messages that came.
    pub(super) fn ids(&self) -> rusqlite::Result<Vec<(Digest, i64)>> {
        let mut statement = self.connection.prepare("SELECT id, at FROM seen")?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    }

    /// The change that made a row of the drop void.
    pub(super) fn voided(&self, row: i64) -> rusqlite::Result<Option<Token>> {
        let find = "SELECT change FROM void WHERE row = ?";
        let mut statement = self.connection.prepare_cached(find)?;
        statement.query_row([row], |row| row.get(0)).optional()
    }

    /// The change of the record that is found under a token, and those of which rows are found under it, with the
    /// places of these rows.
    pub(super) fn find(&self, token: &Token) -> rusqlite::Result<Vec<(Token, Option<usize>)>> {
        let find = "SELECT token, NULL FROM change WHERE token = $1
                    UNION ALL SELECT change, place FROM found WHERE token = $1 ORDER BY 1, 2";
        let mut statement = self.connection.prepare_cached(find)?;
        let rows = statement.query_map([token], |row| {
            let place: Option<i64> = row.get(1)?;
            Ok((row.get(0)?, place.and_then(|place| usize::try_from(place).ok())))
        })?;
        rows.collect()
    }

    /// One change, sealed, with its sequence.
    pub(super) fn change(&self, token: &Token) -> rusqlite::Result<(i64, Vec<u8>)> {
        let find = "SELECT sequence, sealed FROM change WHERE token = ?";
        let mut statement = self.connection.prepare_cached(find)?;
        statement.query_row([token], |row| Ok((row.get(0)?, row.get(1)?)))
    }
}

fn put(transaction: &Transaction<'_>, found: &Found<'_>, sealed: &[u8]) -> rusqlite::Result<()> {
    let (token, change) = (&found.token, found.change);
    transaction.execute("DELETE FROM found WHERE change = ?", [token])?;
    transaction.execute("DELETE FROM void WHERE change = ?", [token])?;
    let add = "INSERT OR REPLACE INTO change (token, sequence, as_of, sealed) VALUES (?, ?, ?, ?)";
    transaction.execute(add, params![token, change.sequence, change.as_of, sealed])?;
    if change.effect == Effect::None {
        return Ok(());
    }
    for row in &found.void {
        transaction.execute(
            "INSERT INTO void (row, change) VALUES (?, ?)",
            params![row, token],
        )?;
    }
    for (place, tokens) in found.rows.iter().enumerate() {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        for found in tokens {
            let add = "INSERT INTO found (token, change, place) VALUES (?, ?, ?)";
            transaction.execute(add, params![found, token, place])?;
        }
    }
    Ok(())
}

impl Change {
    /// Seals it for one shelf.
    pub(super) fn seal(
        &self,
        label: &Label,
        keys: &ShelfKeys,
        token: &Token,
        random: &mut rand_chacha::ChaCha20Rng,
    ) -> Option<Vec<u8>> {
        let plain = serde_json::to_vec(self).ok()?;
        Some(label.seal_change(keys, token, self.sequence, &plain, random))
    }

    /// Opens what was sealed for one shelf.
    pub(super) fn open(
        label: &Label,
        keys: &ShelfKeys,
        token: &Token,
        (sequence, sealed): (i64, &[u8]),
    ) -> Option<Self> {
        let plain = label.open_change(keys, token, sequence, sealed)?;
        serde_json::from_slice(&plain).ok()
    }
}
