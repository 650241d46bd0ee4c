//! Every chain, entry by entry, against its row, its leaves and its openings.

use domain::{ids::SubjectId, time::Timestamp};
use ledger::{EntryType, Hash};

use super::Check;
use crate::{
    PERSON_ERASED, Store, StoreError,
    committer::LOG,
    engine::{DbError, Row, Sql},
    entries::{class_of, int, is_readable},
    subject_keys::{Destroyed, SubjectKeys},
};

/// Chains, and entries of one chain, read at once.
const PAGE: i64 = 500;

const OWNERS: Sql =
    Sql::both("SELECT subject_id FROM subject WHERE subject_id > $1 ORDER BY subject_id LIMIT $2");
const OWNER: Sql = Sql::both("SELECT log_id, state FROM subject WHERE subject_id = $1");
const ENTRIES: Sql = Sql::both(
    "SELECT p.seq, e.leaf_index, e.time_us, e.lookup_id, e.key_class, e.shared, e.chain, l.leaf, \
     k.state, k.intent_seq, k.outcome_seq, e.subject_id, e.seq, p.leaf_hash FROM \
     (SELECT seq, leaf_index, leaf_hash FROM chain_place WHERE subject_id = $1 AND seq >= $2 \
     UNION ALL SELECT seq - 1, intent_leaf, NULL FROM (SELECT seq, intent_leaf FROM chain_place \
     WHERE subject_id = $1 AND seq > $3 ORDER BY seq LIMIT $4) i WHERE intent_leaf IS NOT NULL \
     UNION ALL SELECT intent_seq, intent_leaf, NULL FROM lookup \
     WHERE subject_id = $1 AND state = 'intended' AND intent_seq >= $2 ORDER BY 1 LIMIT $4) p \
     LEFT JOIN entry e ON e.log_id = $5 AND e.leaf_index = p.leaf_index \
     LEFT JOIN leaf l ON l.log_id = $5 AND l.leaf_index = p.leaf_index \
     LEFT JOIN lookup k ON k.subject_id = $1 AND k.lookup_id = e.lookup_id ORDER BY p.seq",
);

impl Store {
    /// Checks every chain, and that each of the log's first `size` leaves is one chain's entry, the last of them of
    /// the head's time.
    pub(super) async fn check_chains(&self, size: u64, time: Timestamp) -> Result<Check, StoreError> {
        let mut check = Check::of("entries in chains");
        let mut leaves = Leaves::new(size);
        let mut after = vec![];
        loop {
            let rows = self.read_all(&OWNERS, vec![after.into(), PAGE.into()]).await?;
            let Some(last) = rows.last() else { break };
            after = last.blob(0, "subject.subject_id")?.to_vec();
            for row in &rows {
                let Ok(owner) = row.id(0, "subject.subject_id") else {
                    check.tell("a chain's owner has an id of a wrong length".into());
                    continue;
                };
                self.check_chain(SubjectId::from_bytes(owner), &mut leaves, &mut check)
                    .await?;
            }
        }
        if let Some(index) = leaves.first_missing() {
            check.tell(format!("leaf {index} is no entry of any chain"));
        }
        if leaves.last_time.is_some_and(|last| last != time.0) {
            check.tell("the head has another time than the last entry".into());
        }
        Ok(check)
    }

    async fn check_chain(
        &self,
        owner: SubjectId,
        leaves: &mut Leaves,
        check: &mut Check,
    ) -> Result<(), StoreError> {
        let mut chain = Walked {
            destroyed: None,
            owner,
            next: 0,
            last: Hash::ZERO,
            closed: false,
            erased: false,
        };
        let mut asked_again = false;
        let row = loop {
            let next = int(chain.next);
            // Of a first entry that says that it has an intent before it, that one is told too.
            let behind = if next == 0 { -1 } else { next };
            let params = vec![
                owner.bytes().into(),
                next.into(),
                behind.into(),
                PAGE.into(),
                LOG.into(),
            ];
            let all_placed = self.all_placed().await?;
            let rows = self.read_all(&ENTRIES, params).await?;
            drop(all_placed);
            if rows.is_empty() {
                let row = self.read_opt(&OWNER, vec![owner.bytes().into()]).await?;
                // Somebody may have sealed between the two statements; then the entries are there now.
                if asked_again || row.as_ref().is_none_or(|row| chain.agrees_with(row)) {
                    break row;
                }
            }
            asked_again = rows.is_empty();
            let Some(keys) = check.or_tell(self.keys_of_rows(owner, &rows).await) else {
                return Ok(());
            };
            if chain.destroyed.is_none() && !rows.iter().all(|row| is_readable(&keys, row)) {
                chain.destroyed = Some(self.inner.keys.destroyed(owner).await?);
            }
            for row in &rows {
                check.count += 1;
                if let Err(problem) = self.check_entry(&keys, row, &mut chain, leaves) {
                    check.tell(format!("chain {owner}: {problem}"));
                }
            }
        };
        if row.is_some_and(|row| !chain.agrees_with(&row)) {
            check.tell(format!("chain {owner}: its row does not say what it says"));
        }
        Ok(())
    }

    /// Checks one entry; the problem in words.
    fn check_entry(
        &self,
        keys: &SubjectKeys,
        row: &Row,
        chain: &mut Walked,
        leaves: &mut Leaves,
    ) -> Result<(), String> {
        let told = |error: DbError| error.to_string();
        let seq = row.int(0, "entry.seq").map_err(told)?;
        let leaf = row.opt_blob(7, "leaf.leaf").ok().flatten().map(Hash::of_leaf);
        let (expected, previous) = (chain.next, chain.last);
        // Rows come from `chain.next` on, so this never goes back, and the walk ends.
        chain.next = u64::try_from(seq).unwrap_or(0).saturating_add(1);
        chain.last = leaf.unwrap_or(Hash::ZERO);
        if u64::try_from(seq) != Ok(expected) {
            return Err(format!("entry {expected} is missing"));
        }
        if row.opt_id(11, "entry.subject_id").map_err(told)? != Some(chain.owner.bytes())
            || row.opt_int(12, "entry.seq").map_err(told)? != Some(seq)
        {
            return Err(format!("where entry {seq} should lie is another or none"));
        }
        let time = row.int(2, "entry.time_us").map_err(told)?;
        if !leaves.mark(row.int(1, "entry.leaf_index").map_err(told)?, time) {
            return Err(format!("entry {seq} has the leaf of another"));
        }
        let leaf = leaf.ok_or_else(|| format!("entry {seq} has no leaf"))?;
        if (row.opt_blob(13, "chain_place.leaf_hash").map_err(told)?).is_some_and(|said| said != leaf.0) {
            return Err(format!(
                "the place of entry {seq} says another hash than its leaf's"
            ));
        }
        let class = class_of(row).map_err(told)?;
        if keys.get(class).is_none() {
            // A key that was destroyed at the end of its retention leaves its entries closed for good.
            chain.closed = true;
            let lawful = chain.destroyed.as_ref().is_some_and(|gone| gone.contains(class));
            return if lawful {
                Ok(())
            } else {
                Err(format!("the key of entry {seq} is missing"))
            };
        }
        let opened = self.open_row(chain.owner, keys, row).map_err(|e| e.to_string())?;
        let (shared, committed) = opened.commitments();
        let view = opened.view;
        chain.erased |= view.shared.about.as_deref() == Some(PERSON_ERASED);
        let same = view.chain.owner == chain.owner.bytes()
            && view.chain.sequence == view.seq
            && view.shared.time == view.time.0
            && view.shared.lookup == view.lookup.map(|lookup| lookup.bytes());
        if ledger::leaf::leaf_hash(&self.inner.origin, &shared, &committed) != leaf {
            Err(format!("entry {seq} is not its leaf"))
        } else if view.chain.previous != previous {
            Err(format!("entry {seq} has another before it"))
        } else if !same {
            Err(format!("the columns of entry {seq} do not say what it says"))
        } else if view.lookup.is_some() && !is_of_lookup(row, view.shared.entry_type) {
            Err(format!("the look-up of entry {seq} does not say what it says"))
        } else {
            Ok(())
        }
    }
}

/// The row of an entry's look-up names the entry, in the state that the entry brought about.
fn is_of_lookup(row: &Row, entry_type: EntryType) -> bool {
    let seq = row.opt_int(0, "entry.seq");
    let state = match entry_type {
        EntryType::Intent => return row.opt_int(9, "lookup.intent_seq") == seq,
        EntryType::Release => "released",
        EntryType::Refusal => "refused",
        EntryType::Failure => "failed",
        // About its answer, and after it: a review.
        EntryType::Change | EntryType::Act => return row.opt_text(8, "lookup.state") == Ok(Some("released")),
    };
    row.opt_text(8, "lookup.state") == Ok(Some(state)) && row.opt_int(10, "lookup.outcome_seq") == seq
}

/// How far a chain was walked.
struct Walked {
    owner: SubjectId,
    /// Which keys were destroyed, as soon as one is missing.
    destroyed: Option<Destroyed>,
    /// The number and the predecessor of the next entry.
    next: u64,
    last: Hash,
    /// An entry could not be opened, because its retention is over.
    closed: bool,
    /// An entry says that this person was erased.
    erased: bool,
}

impl Walked {
    /// Its owner's row stands in the same log, and was erased where an entry says so. Whether the end of the chain is
    /// missing, the leaves tell: each belongs to an entry.
    fn agrees_with(&self, row: &Row) -> bool {
        let erased = row.text(1, "subject.state").map(|state| state != "active");
        row.int(0, "subject.log_id") == Ok(LOG)
            && (erased == Ok(self.erased) || (erased.is_ok() && self.closed))
    }
}

/// Which leaves belong to an entry: one bit each.
struct Leaves {
    bits: Vec<u64>,
    size: u64,
    /// The time of the last one's entry.
    last_time: Option<i64>,
}

impl Leaves {
    fn new(size: u64) -> Self {
        let words = usize::try_from(size.div_ceil(64)).unwrap_or(usize::MAX);
        Leaves {
            bits: vec![0; words],
            size,
            last_time: None,
        }
    }

    /// Marks a leaf; `false` where it was marked before. Leaves beyond were added since the check began.
    fn mark(&mut self, index: i64, time: i64) -> bool {
        let Ok(index) = u64::try_from(index) else {
            return false;
        };
        if index >= self.size {
            return true;
        }
        if index + 1 == self.size {
            self.last_time = Some(time);
        }
        let word = usize::try_from(index / 64)
            .ok()
            .and_then(|word| self.bits.get_mut(word));
        let Some(word) = word else { return false };
        let bit = 1 << (index % 64);
        let new = *word & bit == 0;
        *word |= bit;
        new
    }

    fn first_missing(&self) -> Option<u64> {
        let (word, bits) = self.bits.iter().enumerate().find(|(at, bits)| {
            let wanted = self.size - *at as u64 * 64;
            let full = if wanted >= 64 { u64::MAX } else { (1 << wanted) - 1 };
            **bits != full
        })?;
        Some(word as u64 * 64 + u64::from(bits.trailing_ones()))
    }
}
