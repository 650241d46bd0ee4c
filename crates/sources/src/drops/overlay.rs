//! What the record holder pushed after a drop: it lies beside the drop's rows, sealed and found under the same keys, is
//! read before them, and goes with them.
//!
//! `STORE/ID.DATE.changes`, a file of SQLite that is synced before a change is acknowledged. The next drop takes over
//! what is newer than itself; of the rest only the sequence numbers stay, so that a change that comes late is known.

use std::{io, path::Path};

use domain::time::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::shelf::{Digest, Label, ShelfKeys, Token};

/// How many changes that are newer than it one drop takes: more are a new file.
const MAX_CHANGES: i64 = 100_000;
/// How many bytes they take together, as they are sealed: a hundred thousand of one short row are about 45 MB, and 256 of
/// the longest messages that are taken are 64 MiB.
const MAX_SEALED: i64 = 64 << 20;
/// How many changes are remembered by their number although the drop is newer: of two months and more at 10,000 a day.
/// 200 MB.
const MAX_REMEMBERED: i64 = 10 * MAX_CHANGES;
/// How many ids are remembered: those of the most changes a day for three days, and as many again. What is forgotten
/// earlier is known by its number all the same. 40 MB.
const MAX_IDS: i64 = 4 * MAX_CHANGES;
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
    /// Too many came since the drop, or too much.
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
    /// As of when the drop stands: what is not newer is only remembered.
    drop_as_of: i64,
    held: Held,
}

/// How much is kept: counted when the file is opened, and kept up to date by whoever alone writes to it.
#[derive(Clone, Copy)]
struct Held {
    /// Changes that are newer than the drop, and their bytes.
    shown: i64,
    sealed: i64,
    /// The others.
    remembered: i64,
    ids: i64,
}

/// What one drop takes over from the one before.
pub(super) struct Inheritance<'a> {
    transaction: Transaction<'a>,
}

impl Overlay {
    /// Opens the changes of a shelf whose drop stands as of then, and begins them where `create` says so and there are
    /// none.
    pub(super) fn open(path: &Path, drop_as_of: Timestamp, create: bool) -> rusqlite::Result<Option<Self>> {
        let drop_as_of = drop_as_of.0;
        let is_there = path.try_exists();
        if !is_there.map_err(|_| rusqlite::Error::InvalidPath(path.to_owned()))? && !create {
            return Ok(None);
        }
        let connection = Connection::open(path)?;
        // With FULL alone the end of a journal may be lost with the power, and with it what was acknowledged.
        connection.execute_batch(
            "PRAGMA journal_mode = DELETE; PRAGMA synchronous = EXTRA; PRAGMA secure_delete = ON;
             CREATE TABLE IF NOT EXISTS change
                 (token BLOB PRIMARY KEY, sequence INTEGER NOT NULL, as_of INTEGER NOT NULL, sealed BLOB NOT NULL);
             CREATE INDEX IF NOT EXISTS by_age ON change (as_of);
             CREATE TABLE IF NOT EXISTS found (token BLOB NOT NULL, change BLOB NOT NULL, place INTEGER NOT NULL);
             CREATE INDEX IF NOT EXISTS by_token ON found (token);
             CREATE INDEX IF NOT EXISTS by_change ON found (change);
             CREATE TABLE IF NOT EXISTS void (row INTEGER NOT NULL, change BLOB NOT NULL);
             CREATE INDEX IF NOT EXISTS by_row ON void (row);
             CREATE INDEX IF NOT EXISTS by_voider ON void (change);
             CREATE TABLE IF NOT EXISTS seen (id BLOB PRIMARY KEY, at INTEGER NOT NULL);
             CREATE INDEX IF NOT EXISTS by_time ON seen (at)",
        )?;
        let held = Held::count(&connection, drop_as_of)?;
        Ok(Some(Overlay {
            connection,
            drop_as_of,
            held,
        }))
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
        let mut held = self.held;
        if !remember(&transaction, &mut held, id, now)? {
            return Ok(Taken::Repeated);
        }
        let last = "SELECT sequence, as_of, length(sealed) FROM change WHERE token = ?";
        let last: Option<(i64, i64, i64)> = transaction
            .query_row(last, [&found.token], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })
            .optional()?;
        if last.is_some_and(|(last, ..)| last >= found.change.sequence) {
            transaction.commit()?;
            self.held = held;
            return Ok(Taken::Overtaken);
        }
        // One that takes the place of another needs none of its own, and no more room than it is longer.
        let before = held;
        if let Some((_, as_of, length)) = last {
            held.add(as_of > self.drop_as_of, (-1, -length));
        }
        let length = i64::try_from(sealed.len()).unwrap_or(i64::MAX);
        held.add(found.change.as_of > self.drop_as_of, (1, length));
        if held.is_too_much_after(before) {
            return Ok(Taken::TooMany);
        }
        put(&transaction, found, sealed)?;
        transaction.commit()?;
        self.held = held;
        Ok(Taken::Done)
    }

    /// Takes over from the drop before what `hand` gives, all or nothing. Of what is only remembered, the oldest beyond
    /// the bound is forgotten.
    pub(super) fn take_over(
        &mut self,
        hand: impl FnOnce(&Inheritance<'_>) -> io::Result<()>,
    ) -> io::Result<()> {
        let transaction = self.connection.transaction().map_err(io::Error::other)?;
        let inheritance = Inheritance { transaction };
        hand(&inheritance)?;
        let Inheritance { transaction } = inheritance;
        let kept = || -> rusqlite::Result<Held> {
            let oldest = "DELETE FROM change WHERE as_of <= $1 AND token IN
                          (SELECT token FROM change WHERE as_of <= $1 ORDER BY as_of DESC LIMIT -1 OFFSET $2)";
            transaction.execute(oldest, [self.drop_as_of, MAX_REMEMBERED])?;
            Held::count(&transaction, self.drop_as_of)
        };
        let held = kept().map_err(io::Error::other)?;
        transaction.commit().map_err(io::Error::other)?;
        self.held = held;
        Ok(())
    }

    /// Every change, sealed, with its token and sequence, one after the other; those that nobody can still send are
    /// left out.
    pub(super) fn each(
        &self,
        now: Timestamp,
        mut visit: impl FnMut(Token, i64, Vec<u8>) -> io::Result<()>,
    ) -> io::Result<()> {
        let after = now.plus_seconds(-SEQUENCES_KEPT_SECONDS).0;
        let all = "SELECT token, sequence, sealed FROM change WHERE as_of >= ?";
        let mut statement = self.connection.prepare(all).map_err(io::Error::other)?;
        let rows = statement.query_map([after], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)));
        for row in rows.map_err(io::Error::other)? {
            let (token, sequence, sealed) = row.map_err(io::Error::other)?;
            visit(token, sequence, sealed)?;
        }
        Ok(())
    }

    /// The id of each message that came, and when, one after the other.
    pub(super) fn each_id(&self, mut visit: impl FnMut(Digest, i64) -> io::Result<()>) -> io::Result<()> {
        let all = "SELECT id, at FROM seen";
        let mut statement = self.connection.prepare(all).map_err(io::Error::other)?;
        let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)));
        for row in rows.map_err(io::Error::other)? {
            let (id, at) = row.map_err(io::Error::other)?;
            visit(id, at)?;
        }
        Ok(())
    }

    /// The change that made a row of the drop void.
    pub(super) fn voided(&self, row: i64) -> rusqlite::Result<Option<Token>> {
        let find = "SELECT change FROM void WHERE row = ?";
        let mut statement = self.connection.prepare_cached(find)?;
        statement.query_row([row], |row| row.get(0)).optional()
    }

    /// The change of the record that is found under a token, and those of which rows are found under it, with the
    /// places of these rows; the first so many of them.
    pub(super) fn find(&self, token: &Token, most: usize) -> rusqlite::Result<Vec<(Token, Option<usize>)>> {
        let find = "SELECT token, NULL FROM change WHERE token = $1
                    UNION ALL SELECT change, place FROM found WHERE token = $1 ORDER BY 1, 2 LIMIT $2";
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let mut statement = self.connection.prepare_cached(find)?;
        let rows = statement.query_map(params![token, most], |row| {
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

impl Held {
    fn count(connection: &Connection, drop_as_of: i64) -> rusqlite::Result<Self> {
        let shown = "SELECT count(*), coalesce(sum(length(sealed)), 0) FROM change WHERE as_of > ?";
        let (shown, sealed) =
            connection.query_row(shown, [drop_as_of], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let remembered = "SELECT count(*) FROM change WHERE as_of <= ?";
        Ok(Held {
            shown,
            sealed,
            remembered: connection.query_row(remembered, [drop_as_of], |row| row.get(0))?,
            ids: connection.query_row("SELECT count(*) FROM seen", [], |row| row.get(0))?,
        })
    }

    /// One more, or one less, with its bytes.
    fn add(&mut self, is_shown: bool, (count, bytes): (i64, i64)) {
        if is_shown {
            self.shown += count;
            self.sealed = self.sealed.saturating_add(bytes);
        } else {
            self.remembered += count;
        }
    }

    /// Beyond a bound, and more than before.
    fn is_too_much_after(self, before: Held) -> bool {
        let beyond = |now: i64, then: i64, most: i64| now > most && now > then;
        beyond(self.shown, before.shown, MAX_CHANGES)
            || beyond(self.sealed, before.sealed, MAX_SEALED)
            || beyond(self.remembered, before.remembered, MAX_REMEMBERED)
    }
}

impl Inheritance<'_> {
    /// A change, as it is sealed for its new place.
    pub(super) fn put(&self, found: &Found<'_>, sealed: &[u8]) -> io::Result<()> {
        put(&self.transaction, found, sealed).map_err(io::Error::other)
    }

    /// The id of a message that came then.
    pub(super) fn remember(&self, id: &Digest, at: i64) -> io::Result<()> {
        let add = "INSERT OR REPLACE INTO seen (id, at) VALUES (?, ?)";
        let mut statement = self.transaction.prepare_cached(add).map_err(io::Error::other)?;
        statement
            .execute(params![id, at])
            .map(drop)
            .map_err(io::Error::other)
    }
}

/// Remembers the id of a message; `false` where it came before. What is too old is forgotten, and of too many the
/// oldest.
fn remember(
    transaction: &Transaction<'_>,
    held: &mut Held,
    id: &Digest,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    let count = |changed: usize| i64::try_from(changed).unwrap_or(i64::MAX);
    let until = now.plus_seconds(-IDS_KEPT_SECONDS).0;
    held.ids -= count(transaction.execute("DELETE FROM seen WHERE at < ?", [until])?);
    let add = "INSERT INTO seen (id, at) VALUES (?, ?) ON CONFLICT DO NOTHING";
    if transaction.execute(add, params![id, now.0])? == 0 {
        return Ok(false);
    }
    held.ids += 1;
    if held.ids > MAX_IDS {
        let oldest = "DELETE FROM seen WHERE id IN (SELECT id FROM seen ORDER BY at LIMIT ?)";
        held.ids -= count(transaction.execute(oldest, [held.ids - MAX_IDS])?);
    }
    Ok(true)
}

fn put(transaction: &Transaction<'_>, found: &Found<'_>, sealed: &[u8]) -> rusqlite::Result<()> {
    let (token, change) = (&found.token, found.change);
    for forget in [
        "DELETE FROM found WHERE change = ?",
        "DELETE FROM void WHERE change = ?",
    ] {
        transaction.prepare_cached(forget)?.execute([token])?;
    }
    let add = "INSERT OR REPLACE INTO change (token, sequence, as_of, sealed) VALUES (?, ?, ?, ?)";
    let mut statement = transaction.prepare_cached(add)?;
    statement.execute(params![token, change.sequence, change.as_of, sealed])?;
    if change.effect == Effect::None {
        return Ok(());
    }
    for row in &found.void {
        let add = "INSERT INTO void (row, change) VALUES (?, ?)";
        transaction.prepare_cached(add)?.execute(params![row, token])?;
    }
    for (place, tokens) in found.rows.iter().enumerate() {
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        for found in tokens {
            let add = "INSERT INTO found (token, change, place) VALUES (?, ?, ?)";
            let mut statement = transaction.prepare_cached(add)?;
            statement.execute(params![found, token, place])?;
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

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use tempfile::TempDir;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_314_304_000_000);

    fn bed() -> (TempDir, PathBuf) {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("test.changes");
        (folder, path)
    }

    fn opened(path: &Path) -> Overlay {
        as_of(path, NOW.plus_seconds(-1))
    }

    /// Beside a drop that stands as of then.
    fn as_of(path: &Path, drop_as_of: Timestamp) -> Overlay {
        Overlay::open(path, drop_as_of, true).unwrap().unwrap()
    }

    fn token(n: u8) -> Token {
        [n; 16]
    }

    /// Takes a change of a record, sealed in so many bytes, with rows that are all found under one token.
    fn take(
        overlay: &mut Overlay,
        (record, sequence): (u8, i64),
        id: u8,
        bytes: usize,
        rows: usize,
    ) -> Taken {
        let change = Change {
            record: Json::Null,
            sequence,
            as_of: NOW.0,
            signed: false,
            effect: Effect::Rows(Vec::new()),
        };
        let found = Found {
            change: &change,
            token: token(record),
            rows: vec![vec![token(99)]; rows],
            void: Vec::new(),
        };
        overlay.take(&found, &vec![0; bytes], &[id; 32], NOW).unwrap()
    }

    #[test]
    fn no_more_is_found_than_is_asked_for() {
        let (_folder, path) = bed();
        let mut overlay = opened(&path);
        for record in 0..3 {
            assert_eq!(take(&mut overlay, (record, 1), record, 8, 400), Taken::Done);
        }
        let found = |most| overlay.find(&token(99), most).unwrap().len();
        assert_eq!((found(502), found(usize::MAX)), (502, 1200));
    }

    #[test]
    fn what_is_kept_is_bounded_by_its_bytes_too() {
        let (_folder, path) = bed();
        let mut overlay = opened(&path);
        assert_eq!(take(&mut overlay, (0, 1), 0, 8, 0), Taken::Done);
        let long = "UPDATE change SET sealed = zeroblob(?)";
        overlay.connection.execute(long, [MAX_SEALED - 100]).unwrap();
        let mut overlay = opened(&path);
        // What was not taken leaves its id free, and what is as long as the one before it adds nothing.
        for (change, id, bytes, taken) in [
            ((1, 1), 1, 101, Taken::TooMany),
            ((1, 1), 1, 100, Taken::Done),
            ((1, 2), 2, 100, Taken::Done),
            ((1, 3), 3, 101, Taken::TooMany),
            ((1, 4), 4, 1, Taken::Done),
            ((2, 1), 5, 99, Taken::Done),
            ((3, 1), 6, 1, Taken::TooMany),
        ] {
            let came = take(&mut overlay, change, id, bytes, 0);
            assert_eq!(came, taken, "{change:?} in {bytes} bytes");
        }
        let mut overlay = opened(&path);
        assert_eq!(
            take(&mut overlay, (3, 1), 6, 1, 0),
            Taken::TooMany,
            "after a start, too"
        );
    }

    #[test]
    fn the_next_drop_makes_room() {
        let (_folder, path) = bed();
        let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
                    INSERT INTO change SELECT CAST('t' || i AS BLOB), 1, $2, X'00' FROM n";
        let filled = opened(&path)
            .connection
            .execute(fill, [MAX_CHANGES, NOW.0])
            .unwrap();
        assert_eq!(i64::try_from(filled).unwrap(), MAX_CHANGES);
        assert_eq!(take(&mut opened(&path), (1, 1), 1, 8, 0), Taken::TooMany);
        // As of the same instant, it has them all.
        let mut next = as_of(&path, NOW);
        assert_eq!((next.held.shown, next.held.remembered), (0, MAX_CHANGES));
        assert_eq!(take(&mut next, (1, 1), 1, 8, 0), Taken::Done);
        // What is only remembered is bounded as well, and the oldest of it is forgotten with a new drop.
        let older = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1)
                     INSERT INTO change SELECT CAST('o' || i AS BLOB), 1, $2 - i, X'00' FROM n";
        let more = MAX_REMEMBERED - MAX_CHANGES + 10;
        next.connection.execute(older, [more, NOW.0]).unwrap();
        let mut next = as_of(&path, NOW);
        assert_eq!(take(&mut next, (2, 1), 2, 8, 0), Taken::TooMany);
        next.take_over(|_| Ok(())).unwrap();
        assert_eq!(next.held.remembered, MAX_REMEMBERED);
        assert_eq!(
            take(&mut next, (1, 2), 3, 8, 0),
            Taken::Done,
            "in the place of one that is known"
        );
    }

    #[test]
    fn of_too_many_ids_the_oldest_are_forgotten() {
        let (_folder, path) = bed();
        let before = NOW.0 - 1_000_000_000;
        let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)
                    INSERT INTO seen SELECT CAST(i AS BLOB), ? + i FROM n";
        let filled = opened(&path).connection.execute(fill, [MAX_IDS, before]).unwrap();
        assert_eq!(i64::try_from(filled).unwrap(), MAX_IDS);
        let mut overlay = opened(&path);
        for id in 0..3 {
            assert_eq!(take(&mut overlay, (id, 1), id, 8, 0), Taken::Done);
        }
        let kept = |overlay: &Overlay| -> (i64, i64) {
            let all = "SELECT count(*), min(at) FROM seen";
            overlay
                .connection
                .query_row(all, [], |row| Ok((row.get(0)?, row.get(1)?)))
                .unwrap()
        };
        assert_eq!(kept(&overlay), (MAX_IDS, before + 4));
        assert_eq!(take(&mut overlay, (2, 2), 2, 8, 0), Taken::Repeated);
        assert_eq!(kept(&overlay), (MAX_IDS, before + 4));
    }

    #[test]
    fn a_file_of_before_opens_and_is_searched_by_time() {
        let (_folder, path) = bed();
        let mut overlay = opened(&path);
        assert_eq!(take(&mut overlay, (0, 1), 0, 8, 1), Taken::Done);
        overlay.connection.execute_batch("DROP INDEX by_time").unwrap();
        drop(overlay);
        let mut overlay = Overlay::open(&path, NOW.plus_seconds(-1), false)
            .unwrap()
            .unwrap();
        let how = "EXPLAIN QUERY PLAN DELETE FROM seen WHERE at < 1";
        let plan: String = overlay.connection.query_row(how, [], |row| row.get(3)).unwrap();
        assert!(plan.contains("by_time"), "{plan}");
        assert_eq!(take(&mut overlay, (0, 2), 0, 8, 1), Taken::Repeated);
        assert_eq!(overlay.find(&token(99), 9).unwrap(), [(token(0), Some(0))]);
    }
}
