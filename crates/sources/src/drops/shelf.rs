//! The rows of one drop on disk: sealed under a key of the drop, found through hashes under another.
//!
//! A file of SQLite of its own. It is written once, rows first and the index of hashes last, so that any number of
//! rows goes through in bounded memory; afterwards it is only read.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

use crypto::{DataKey, DirectoryKey, envelope};
use domain::{outcome::Outcome, time::Timestamp};
use rand_chacha::ChaCha20Rng;
use rusqlite::{Connection, OpenFlags, params};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{
    overlay::{Change, Effect, Found as PlacedChange, Overlay, Taken},
    ways::Ways,
};
use crate::{
    json,
    report::{Failure, Problem},
};

/// How many rows one question may find.
const MAX_ROWS: usize = 500;
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

/// What was pushed under a token.
#[derive(Default)]
struct Pushed {
    rows: Vec<Json>,
    as_of: Option<Timestamp>,
    unsigned: bool,
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
    path: PathBuf,
    label: Label,
    keys: ShelfKeys,
    meta: Meta,
    about: About,
    overlay: Mutex<Option<Overlay>>,
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

impl Shelf {
    /// Opens what was built; `None` where it is not whole.
    pub(super) fn open(path: &Path, label: Label, keys: ShelfKeys) -> Option<Self> {
        let connection = open(path).ok()?;
        let read = "SELECT mapping, signed, row_count, row.sealed FROM meta JOIN row ON row.id = ?";
        let read = connection.query_row(read, [ABOUT], |row| {
            let meta = Meta {
                mapping: row.get(0)?,
                signed: row.get(1)?,
                rows: row.get::<_, i64>(2)?.unsigned_abs(),
            };
            Ok((meta, row.get::<_, Vec<u8>>(3)?))
        });
        let (meta, sealed) = read.ok()?;
        let about = serde_json::from_slice(&label.open(&keys, ABOUT, &sealed)?).ok()?;
        let overlay = Overlay::open(&changes_path(path), false).ok()?;
        let connections = Mutex::new(vec![connection]);
        Some(Shelf {
            path: path.to_owned(),
            label,
            keys,
            meta,
            about,
            overlay: Mutex::new(overlay),
            connections,
        })
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

    /// Takes the rows out that are void, and finds those that take their place.
    fn pushed(
        &self,
        overlay: &Overlay,
        token: &Token,
        found: &mut Vec<(i64, Vec<u8>)>,
    ) -> Result<Pushed, Failure> {
        let broken = |_| unreadable();
        let mut changes: BTreeMap<Token, Vec<usize>> = BTreeMap::new();
        let mut kept = Vec::with_capacity(found.len());
        for (id, sealed) in found.drain(..) {
            match overlay.voided(id).map_err(broken)? {
                Some(change) => drop(changes.entry(change).or_default()),
                None => kept.push((id, sealed)),
            }
        }
        *found = kept;
        for (change, place) in overlay.find(token).map_err(broken)? {
            changes.entry(change).or_default().extend(place);
        }
        let mut pushed = Pushed::default();
        for (token, places) in changes {
            let (sequence, sealed) = overlay.change(&token).map_err(broken)?;
            let change = Change::open(&self.label, &self.keys, &token, (sequence, &sealed));
            let change = change.ok_or_else(unreadable)?;
            let mut rows = match change.effect {
                Effect::None => continue,
                // The drop's rows are wrong, and nobody knows the right ones.
                Effect::Void => return Err(Failure::new(Outcome::Maintenance, Problem::RecordChanged)),
                Effect::Rows(rows) => rows,
            };
            let mut take = |place: usize| rows.get_mut(place).map(Json::take);
            pushed.rows.extend(places.into_iter().filter_map(&mut take));
            let as_of = Timestamp(change.as_of);
            pushed.as_of = Some(pushed.as_of.map_or(as_of, |before| before.min(as_of)));
            pushed.unsigned |= !change.signed;
        }
        Ok(pushed)
    }

    /// Takes a change durably. The rows that it gives were read by all routes before.
    pub(super) fn take(
        &self,
        mut change: Change,
        id: &Digest,
        ways: Ways<'_>,
        (now, random): (Timestamp, &mut ChaCha20Rng),
    ) -> Result<Taken, Failure> {
        if change.as_of <= self.as_of().0 {
            change.effect = Effect::None;
        }
        let found = self.place_change(&change, ways, now)?;
        let sealed = change.seal(&self.label, &self.keys, &found.token, random);
        let sealed = sealed.ok_or_else(unreadable)?;
        let broken = |_| Failure::new(Outcome::Broken, Problem::DropNotStored);
        let mut overlay = self.overlay();
        if overlay.is_none() {
            *overlay = Overlay::open(&changes_path(&self.path), true).map_err(broken)?;
        }
        let overlay = overlay.as_mut().ok_or_else(unreadable)?;
        overlay.take(&found, &sealed, id, now).map_err(broken)
    }

    /// Under which tokens a change stands on this shelf, and which rows it makes void.
    fn place_change<'a>(
        &self,
        change: &'a Change,
        ways: Ways<'_>,
        now: Timestamp,
    ) -> Result<PlacedChange<'a>, Failure> {
        let way = ways.record().ok_or_else(unreadable)?;
        let token = self.token(&way.of_row(&change.record, now.date_in_china())?);
        let rows: &[Json] = match &change.effect {
            Effect::Rows(rows) => rows,
            _ => &[],
        };
        let tokens = |row: &Json| {
            let words = ways.words(row, now)?;
            Ok(words.iter().map(|words| self.token(words)).collect())
        };
        let rows = rows
            .iter()
            .map(tokens)
            .collect::<Result<Vec<Vec<_>>, Failure>>()?;
        let void = self.with_connection(|connection| {
            let find = "SELECT row FROM token WHERE token = ?";
            let mut statement = connection.prepare_cached(find)?;
            let ids = statement.query_map([&token], |row| row.get(0))?;
            ids.collect()
        })?;
        Ok(PlacedChange {
            change,
            token,
            rows,
            void,
        })
    }

    /// Hands what was pushed over to the shelf that takes this one's place: what is newer than that one, and the
    /// sequence numbers of the rest. Rows that were read by another mapping are not known to be right: their record is
    /// void until the next drop.
    pub(super) fn hand_over(
        &self,
        to: &Shelf,
        ways: Ways<'_>,
        now: Timestamp,
        random: &mut ChaCha20Rng,
    ) -> io::Result<()> {
        let overlay = self.overlay();
        let Some(overlay) = &*overlay else {
            return Ok(());
        };
        let mut changes = Vec::new();
        for (token, sequence, sealed) in overlay.all(now).map_err(io::Error::other)? {
            let opened = Change::open(&self.label, &self.keys, &token, (sequence, &sealed));
            let mut change = opened.ok_or(io::ErrorKind::InvalidData)?;
            if change.as_of <= to.as_of().0 {
                change.effect = Effect::None;
            } else if self.mapping() != to.mapping() && change.effect != Effect::None {
                change.effect = Effect::Void;
            }
            changes.push(change);
        }
        let mut placed = Vec::with_capacity(changes.len());
        for change in &changes {
            // A record that the mapping of today cannot find, nobody can ask for.
            let Ok(found) = to.place_change(change, ways, now) else {
                continue;
            };
            let sealed = change.seal(&to.label, &to.keys, &found.token, random);
            placed.push((found, sealed.ok_or(io::ErrorKind::InvalidData)?));
        }
        let ids = overlay.ids().map_err(io::Error::other)?;
        let created = Overlay::open(&changes_path(&to.path), true).map_err(io::Error::other)?;
        let mut created = created.ok_or(io::ErrorKind::InvalidData)?;
        created.take_over(&placed, &ids).map_err(io::Error::other)?;
        *to.overlay() = Some(created);
        Ok(())
    }

    fn overlay(&self) -> MutexGuard<'_, Option<Overlay>> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with_connection<T>(
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

fn unreadable() -> Failure {
    Failure::new(Outcome::Broken, Problem::DropUnreadable)
}

/// Where the changes of a shelf lie, whatever the shelf is named at the moment.
fn changes_path(path: &Path) -> PathBuf {
    path.with_extension("changes")
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

    /// Builds the index and writes everything out. Returns rows, and tokens under which several rows stand.
    pub(super) fn finish(
        &mut self,
        mapping: &Digest,
        signed: bool,
        about: &About,
    ) -> rusqlite::Result<(u64, u64)> {
        let about =
            serde_json::to_vec(about).map_err(|e| rusqlite::Error::ToSqlConversionFailure(e.into()))?;
        self.seal(ABOUT, &about)?;
        let meta = "INSERT INTO meta (mapping, signed, row_count) VALUES (?, ?, ?)";
        self.connection
            .execute(meta, params![mapping, signed, self.rows])?;
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
