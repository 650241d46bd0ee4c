//! What was pushed after a drop, as its shelf shows it: how it is taken, read before the rows, and handed over to the
//! shelf of the next drop.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{MutexGuard, PoisonError},
};

use domain::{outcome::Outcome, time::Timestamp};
use rand_chacha::ChaCha20Rng;
use serde_json::Value as Json;

use super::{
    overlay::{Change, Effect, Found as PlacedChange, Overlay, Taken},
    shelf::{Digest, MAX_ROWS, Shelf, Token, unreadable},
    ways::Ways,
};
use crate::report::{Failure, Problem};

/// What was pushed under a token.
#[derive(Default)]
pub(super) struct Pushed {
    pub(super) rows: Vec<Json>,
    pub(super) as_of: Option<Timestamp>,
    pub(super) unsigned: bool,
}

impl Shelf {
    /// Takes the rows out that are void, and finds those that take their place.
    pub(super) fn pushed(
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
        // One is the record's own change and has no place; one row too many is known by one more.
        for (change, place) in overlay.find(token, MAX_ROWS + 2).map_err(broken)? {
            changes.entry(change).or_default().extend(place);
        }
        let places: usize = changes.values().map(Vec::len).sum();
        if found.len() + places > MAX_ROWS {
            return Err(Failure::bad_answer(Problem::BadRows));
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
            *overlay = Overlay::open(&changes_path(&self.path), self.as_of(), true).map_err(broken)?;
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
        // By a connection of its own: who asks meanwhile does not wait, and who pushes stands behind this already.
        let overlay =
            Overlay::open(&changes_path(&self.path), self.as_of(), false).map_err(io::Error::other)?;
        let Some(overlay) = overlay else {
            // What is open here and is not found there is not nothing.
            return match self.overlay().is_some() {
                true => Err(io::ErrorKind::NotFound.into()),
                false => Ok(()),
            };
        };
        let created = Overlay::open(&changes_path(&to.path), to.as_of(), true).map_err(io::Error::other)?;
        let mut created = created.ok_or(io::ErrorKind::InvalidData)?;
        // One after the other: all of them together, opened and sealed again, are more than need be held at once.
        created.take_over(|inheritance| {
            overlay.each(now, |token, sequence, sealed| {
                let opened = Change::open(&self.label, &self.keys, &token, (sequence, &sealed));
                let mut change = opened.ok_or(io::ErrorKind::InvalidData)?;
                if change.as_of <= to.as_of().0 {
                    change.effect = Effect::None;
                } else if self.mapping() != to.mapping() && change.effect != Effect::None {
                    change.effect = Effect::Void;
                }
                // A record that the mapping of today cannot find, nobody can ask for.
                if ways.record().is_none() {
                    return Ok(());
                }
                let found = match to.place_change(&change, ways, now) {
                    Ok(found) => found,
                    Err(failure) if failure.problem == Problem::DropUnreadable => {
                        return Err(io::Error::other("the new drop cannot be read"));
                    }
                    Err(_) => return Ok(()),
                };
                let sealed = change.seal(&to.label, &to.keys, &found.token, random);
                inheritance.put(&found, &sealed.ok_or(io::ErrorKind::InvalidData)?)
            })?;
            overlay.each_id(|id, at| inheritance.remember(&id, at))
        })?;
        *to.overlay() = Some(created);
        Ok(())
    }

    pub(super) fn overlay(&self) -> MutexGuard<'_, Option<Overlay>> {
        self.overlay.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where the changes of a shelf lie, whatever the shelf is named at the moment.
pub(super) fn changes_path(path: &Path) -> PathBuf {
    path.with_extension("changes")
}
