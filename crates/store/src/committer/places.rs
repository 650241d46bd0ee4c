//! Where the entries of a chain lie, and when that is written.
//!
//! The place of a change is written with it. That of a look-up's end is kept in memory first, and written with a later
//! batch, in the order of owners: then a page of the table is changed for several at once
//! (`docs/decisions/0040-places-written-behind.md`). What is kept here can be made again from entries, leaves and look-ups:
//! `log_head.placed` says from which entry on, and a start does so. Whoever reads a chain has its places written first
//! ([`Store::placed`]).
//!
//! On PostgreSQL, whose nodes do not share a memory, every place is written with its entry.

mod left;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    ops::Bound,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::ids::SubjectId;
use ledger::Hash;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

use super::batch::int;
use crate::{
    Store, StoreError,
    engine::{DbError, Engine, Insert, Tx, Value},
};
use left::write_since;

/// How many places are due at most, but for those of a batch: the more, the more of them share a page. With debug
/// assertions it is few, so that tests meet their writing.
const KEPT: usize = if cfg!(debug_assertions) { 8 } else { 8192 };
/// A place is due for at most so many entries times the number kept: a start looks through them. In the order of owners a
/// place may wait until twice as many look-ups as are kept have ended, of two entries each.
const BEHIND: u64 = 6;

const COLUMNS: &[&str] = &["subject_id", "seq", "leaf_index", "intent_leaf", "leaf_hash"];
/// Places of entries of this very batch.
pub(super) const PLACE: Insert = Insert {
    table: "chain_place",
    columns: COLUMNS,
    tail: "",
};
/// Places of entries of before, which may have been written already: for a reader, or before a crash.
pub(super) const PLACE_DUE: Insert = Insert {
    table: "chain_place",
    columns: COLUMNS,
    tail: "ON CONFLICT DO NOTHING",
};

/// An entry in its chain: whose it is, and its number.
pub(super) type At = (SubjectId, u64);
/// Number and leaf's hash of the newest entries of chains.
pub(super) type Ends = BTreeMap<SubjectId, (u64, Hash)>;

/// Where an entry lies that is no intent.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Due {
    /// Its index in the log.
    pub(super) index: u64,
    /// Number and index of the intent that it ends.
    pub(super) intent: Option<(u64, u64)>,
    /// The hash of its leaf.
    pub(super) hash: Hash,
}

impl Due {
    /// Its rows: an intent right before it shares one with it.
    pub(super) fn push_rows(&self, (owner, seq): At, rows: &mut Vec<Vec<Value>>) {
        let owner = Value::from(owner.bytes());
        let shared = match self.intent {
            Some((before, index)) if before + 1 == seq => Some(index),
            Some((before, index)) => {
                // It is not the newest of its chain any more, so that nobody needs its hash.
                rows.push(vec![
                    owner.clone(),
                    int(before),
                    int(index),
                    Value::Null,
                    Value::Null,
                ]);
                None
            }
            None => None,
        };
        rows.push(vec![
            owner,
            int(seq),
            int(self.index),
            shared.map_or(Value::Null, int),
            self.hash.0.into(),
        ]);
    }
}

fn rows<'a>(places: impl IntoIterator<Item = &'a (At, Due)>) -> Vec<Vec<Value>> {
    let mut rows = vec![];
    for (at, due) in places {
        due.push_rows(*at, &mut rows);
    }
    rows
}

/// The places that are not written yet.
pub(crate) struct Places {
    kept: usize,
    /// Held by whoever commits, from before it until what is due is here; and by those who read chains.
    turn: RwLock<()>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    due: BTreeMap<At, Due>,
    /// The same by their indexes.
    by_index: BTreeMap<u64, At>,
    /// From where on the next ones are written.
    hand: Option<At>,
    /// The log as this process left or found it.
    size: u64,
}

impl State {
    fn of(&self, owner: SubjectId) -> impl DoubleEndedIterator<Item = (At, Due)> {
        let all = self.due.range((owner, 0)..=(owner, u64::MAX));
        all.map(|(at, due)| (*at, *due))
    }

    fn remove(&mut self, written: &[(At, Due)]) {
        for (at, due) in written {
            if self.due.get(at) == Some(due) {
                self.due.remove(at);
                self.by_index.remove(&due.index);
            }
        }
    }
}

/// What a batch writes of them, and where the next one goes on.
#[derive(Debug, Default)]
pub(super) struct Step {
    places: Vec<(At, Due)>,
    hand: Option<At>,
}

impl Places {
    pub(crate) fn new(engine: Engine) -> Self {
        Places::keeping(match engine {
            Engine::Sqlite => KEPT,
            Engine::Postgres => 0,
        })
    }

    fn keeping(kept: usize) -> Self {
        Places {
            kept,
            turn: RwLock::default(),
            state: Mutex::default(),
        }
    }

    /// Whether any is written behind.
    pub(super) fn are_kept(&self) -> bool {
        self.kept > 0
    }

    /// For whoever commits, until [`Places::settle`].
    pub(super) async fn turn(&self) -> RwLockWriteGuard<'_, ()> {
        self.turn.write().await
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Number and leaf's hash of the newest entry whose place is due, of each of these chains that has one.
    pub(super) fn ends<'a>(&self, owners: impl IntoIterator<Item = &'a SubjectId>) -> Ends {
        let state = self.state();
        let end = |owner: &SubjectId| {
            let ((_, seq), due) = state.of(*owner).next_back()?;
            Some((*owner, (seq, due.hash)))
        };
        owners.into_iter().filter_map(end).collect()
    }

    /// What is written together with up to `new` entries after a log of `size`, so that about as many remain due as are kept,
    /// and none for long: those that have waited longest, and then those from the hand on. After the last owner the next
    /// batch goes on with the first.
    fn step(&self, new: usize, size: u64) -> Step {
        let state = self.state();
        let oldest = size.saturating_sub(BEHIND * self.kept as u64);
        let waited = state.by_index.range(..oldest).map(|(_, at)| at);
        let waited = waited.filter_map(|at| Some((*at, *state.due.get(at)?)));
        let mut places: Vec<_> = waited.collect();
        let over = (state.due.len() + new).saturating_sub(self.kept + places.len());
        let from = state.hand.map_or(Bound::Unbounded, Bound::Included);
        let mut ahead = state.due.range((from, Bound::Unbounded));
        places.extend(ahead.by_ref().take(over).map(|(at, due)| (*at, *due)));
        Step {
            places,
            hand: ahead.next().map(|(at, _)| *at),
        }
    }

    /// Below which entry nothing is due once this step is committed.
    pub(super) fn placed(&self, step: &Step, size: u64) -> u64 {
        let written: BTreeSet<u64> = step.places.iter().map(|(_, due)| due.index).collect();
        let state = self.state();
        let oldest = state.by_index.keys().find(|index| !written.contains(index));
        oldest.copied().unwrap_or(size)
    }

    /// Takes note of what is committed, in a log of `size` now. `false` where two entries have one number, which nothing
    /// that is right can bring about.
    #[must_use]
    pub(super) fn settle(&self, step: &Step, due: &[(At, Due)], size: u64) -> bool {
        let mut state = self.state();
        state.remove(&step.places);
        (state.hand, state.size) = (step.hand, size);
        let mut right = true;
        for (at, due) in due {
            right &= state.due.insert(*at, *due).is_none();
            state.by_index.insert(due.index, *at);
        }
        right
    }

    /// Writes what is to be written together with a batch of `new` entries, and all of those whose chains a change of the batch
    /// may read. `placed` is what the head of `size` says.
    pub(super) async fn write(
        &self,
        tx: &Tx<'_>,
        new: usize,
        may_read: BTreeSet<SubjectId>,
        (size, placed): (u64, u64),
    ) -> Result<Step, DbError> {
        if !self.are_kept() {
            return Ok(Step::default());
        }
        // Another process has committed, which none should.
        if self.state().size != size {
            write_since(tx, placed, size).await?;
        }
        let mut step = self.step(new, size);
        for owner in may_read {
            step.places.extend(self.state().of(owner));
        }
        tx.insert_many(&PLACE_DUE, &rows(&step.places)).await?;
        Ok(step)
    }
}

/// While somebody has it, nothing is committed here.
pub(crate) type Placed<'a> = Option<RwLockReadGuard<'a, ()>>;

impl Store {
    /// Has the places of these chains written. While what is returned is held nothing is committed, so that one statement
    /// finds all entries, and none twice.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) async fn placed(
        &self,
        owners: impl IntoIterator<Item = SubjectId>,
    ) -> Result<Placed<'_>, StoreError> {
        let owners: BTreeSet<SubjectId> = owners.into_iter().collect();
        self.written(|state| owners.iter().flat_map(|owner| state.of(*owner)).collect())
            .await
    }

    /// The same of all chains.
    ///
    /// # Errors
    /// They cannot be written.
    pub(crate) async fn all_placed(&self) -> Result<Placed<'_>, StoreError> {
        self.written(|state| state.due.iter().map(|(at, due)| (*at, *due)).collect())
            .await
    }

    async fn written(&self, of: impl Fn(&State) -> Vec<(At, Due)>) -> Result<Placed<'_>, StoreError> {
        let places = &self.inner.places;
        if !places.are_kept() {
            return Ok(None);
        }
        // As a rule all is written before anybody has to wait.
        let due = of(&places.state());
        self.write_due(due).await?;
        let turn = places.turn.read().await;
        let due = of(&places.state());
        self.write_due(due).await?;
        Ok(Some(turn))
    }

    async fn write_due(&self, due: Vec<(At, Due)>) -> Result<(), StoreError> {
        if due.is_empty() {
            return Ok(());
        }
        let rows = rows(&due);
        let written = self.inner.db.write_log(move |tx| {
            let rows = rows.clone();
            Box::pin(async move { tx.insert_many(&PLACE_DUE, &rows).await })
        });
        written.await?;
        self.inner.places.state().remove(&due);
        Ok(())
    }
}
