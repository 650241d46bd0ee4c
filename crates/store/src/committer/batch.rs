//! One batch: one transaction.

use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, PoisonError},
};

use crypto::DataKey;
use domain::{decision::Reason, ids::SubjectId, time::Timestamp};
use futures_util::future::{BoxFuture, try_join};
use ledger::{BatchTree, Chain, EntryType, Frontier, Hash, Shared, leaf::LEAF_BYTES, tree::append_batch};
use rand_chacha::ChaCha20Rng;

use super::{
    Act, LOG, Outcome, Seal, answer,
    conditions::{Condition, Link, Links, judge},
    known::{Known, OfBatch, change},
    openings::{Built, Place, build},
    places::{At, Due, Step},
    rows::{Numbers, Rows},
    uncertain,
};
use crate::{
    StoreError,
    engine::{DbError, Engine, Row, Sql, Tx, Value},
    entries,
    inner::Inner,
    subject_keys::{KeyStore, SubjectKeys},
};

/// Everything that the transaction's body needs; it may run more than once.
pub(super) struct Batch {
    pub(super) inner: Arc<Inner>,
    pub(super) seals: Arc<Vec<Seal>>,
    keys: BTreeMap<SubjectId, Arc<SubjectKeys>>,
    key_class: String,
    now: Timestamp,
    known: OfBatch,
    /// What the last run of the body wrote; it counts only if that run was committed.
    written: Mutex<Option<Written>>,
}

/// What the transaction wrote.
pub(super) struct Written {
    pub(super) before: Frontier,
    /// For each seal, in their order: what became of it, and its entry if one was made.
    pub(super) verdicts: Vec<Verdict>,
    pub(super) time: Timestamp,
    pub(super) tree: BatchTree,
    /// The ends of its chains.
    pub(super) links: Links,
    /// The first of its leaves, if it has any: nobody else's leaf is the same.
    pub(super) first_leaf: Option<[u8; LEAF_BYTES]>,
    /// Which places of before it wrote.
    step: Step,
    /// Which places of its own it did not write.
    due: Vec<(At, Due)>,
}

pub(super) enum Verdict {
    Made(Box<Made>),
    Nothing,
}

pub(super) struct Made {
    pub(super) entry: Built,
    pub(super) seq: u64,
    /// Its place among the batch's leaves.
    pub(super) position: usize,
    pub(super) refused: bool,
}

/// Commits the seals in one transaction and returns what became of each, in order.
pub(super) async fn commit(
    inner: &Arc<Inner>,
    known: &mut Known,
    seals: Arc<Vec<Seal>>,
) -> Result<Vec<Outcome>, StoreError> {
    // Another node's clock may be in the next year already, for which the openings need another key: once more.
    for _ in 0..2 {
        let batch = prepare(inner, known, Arc::clone(&seals)).await?;
        let before = std::mem::take(known);
        let turn = inner.places.turn().await;
        let run = body(Arc::clone(&batch));
        let done = if change(&seals) {
            inner.db.write(run).await
        } else {
            inner.db.write_log(run).await
        };
        let written = batch
            .written
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        match done {
            Ok(()) => {}
            Err(DbError::Uncertain(why)) => uncertain::resolve(inner, written.as_ref(), &why).await?,
            Err(error) => return Err(error.into()),
        }
        if let Some(written) = written {
            let size = written.tree.size();
            if !inner.places.settle(&written.step, &written.due, size) {
                inner.stop("two entries of a chain were given one number");
                return Err(StoreError::Stopping);
            }
            drop(turn);
            *known = before.after(&seals, &written);
            return answer::answer(inner, &seals, written).await;
        }
    }
    Err(DbError::Contention.into())
}

/// What the transaction runs.
fn body(
    batch: Arc<Batch>,
) -> impl for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<(), DbError>> + Send + Sync + 'static {
    move |tx| {
        let batch = Arc::clone(&batch);
        Box::pin(async move {
            let written = batch.write(tx).await?;
            *batch.written.lock().unwrap_or_else(PoisonError::into_inner) = written;
            Ok(())
        })
    }
}

async fn prepare(inner: &Arc<Inner>, known: &Known, seals: Arc<Vec<Seal>>) -> Result<Arc<Batch>, StoreError> {
    let now = inner.now();
    let key_class = KeyStore::evidence_class(now);
    let owners: BTreeSet<SubjectId> = seals.iter().map(|seal| seal.owner).collect();
    let keys = inner
        .keys
        .ensure_all(&owners, &[&key_class], now, &inner.random)
        .await?;
    Ok(Arc::new(Batch {
        inner: Arc::clone(inner),
        known: known.of(&seals),
        seals,
        keys,
        key_class,
        now,
        written: Mutex::new(None),
    }))
}

/// On PostgreSQL committers of several nodes wait here for each other. The lock is held before the first statement that
/// reads is even prepared, because that takes the snapshot; a wait at the row itself would end in a collision.
const TURN: Sql = Sql::both("LOCK TABLE log_head IN EXCLUSIVE MODE");
const HEAD: Sql = Sql::both("SELECT size, root, frontier, time_us, placed FROM log_head WHERE log_id = $1");
const MOVE_HEAD: Sql = Sql::both(
    "UPDATE log_head SET size = $1, root = $2, frontier = $3, time_us = $4, placed = $5 WHERE log_id = $6",
);

impl Batch {
    /// The body of the transaction; nothing where the entry's year needs another key than was prepared.
    async fn write(&self, tx: &Tx<'_>) -> Result<Option<Written>, DbError> {
        let (before, head_time, placed) = read_head(tx).await?;
        self.continues(&before)?;
        self.inner.saw_time(head_time);
        let time = self.now.max(head_time);
        if KeyStore::evidence_class(time) != self.key_class {
            return Ok(None);
        }
        let places = &self.inner.places;
        let head = (before.size(), placed);
        let step = places
            .write(tx, self.seals.len(), self.owners_of_changes(), head)
            .await?;
        let usable = self.known.usable(&self.seals, before.size());
        let (judged, mut links) = judge(tx, &self.seals, time, usable, places).await?;
        // A generator of its own for each run: a run after a collision encrypts other openings than the run before,
        // and no nonce may serve twice.
        let mut rng = self.inner.random.fork();
        let mut rows = Rows::new(self.inner.node, &self.key_class, places.are_kept());
        let mut verdicts: Vec<Verdict> = self.seals.iter().map(|_| Verdict::Nothing).collect();
        let mut hashes = vec![];
        let mut first_leaf = None;
        for at in self.in_order() {
            let (seal, judged) = (&self.seals[at], judged[at]);
            let condition = judged.condition;
            if condition == Condition::Fails {
                continue;
            }
            let own = (seal.act.requester()).is_some_and(|requester| links.is_own(seal.owner, requester));
            let link = links.of(seal.owner)?;
            let mut entry = self.build(seal, condition, link, time, &mut rng)?;
            let (seq, position) = (link.next_seq, hashes.len());
            let index = before.size() + position as u64;
            rows.push(seal, judged, own, &mut entry, Numbers { seq, index, time });
            first_leaf.get_or_insert(entry.leaf);
            hashes.push(entry.leaf_hash);
            (link.next_seq, link.head) = (seq + 1, entry.leaf_hash);
            let refused = condition != Condition::Holds;
            verdicts[at] = Verdict::Made(Box::new(Made {
                entry,
                seq,
                position,
                refused,
            }));
        }
        let tree = append_batch(&before, &hashes);
        if !hashes.is_empty() {
            let placed = if places.are_kept() {
                places.placed(&step, before.size())
            } else {
                tree.size()
            };
            try_join(rows.write(tx), move_head(tx, &tree, time, placed)).await?;
        }
        Ok(Some(Written {
            before,
            verdicts,
            time,
            tree,
            links,
            first_leaf,
            step,
            due: rows.due,
        }))
    }

    /// Whose chains may be read by what changes beside the log.
    fn owners_of_changes(&self) -> BTreeSet<SubjectId> {
        let changes = |seal: &&Seal| matches!(seal.act, Act::Change(_));
        self.seals.iter().filter(changes).map(|seal| seal.owner).collect()
    }

    /// A log that is shorter than what this process has seen, or another, was put in its place: by somebody, or by a
    /// fail-over that lost commits. Growing it would fork what was signed. Nobody else commits meanwhile.
    fn continues(&self, head: &Frontier) -> Result<(), DbError> {
        let seen = self.inner.seen();
        let grown = head.size() > seen.size();
        if grown || head == seen.frontier() {
            return Ok(());
        }
        let wrong = "the log that was seen is not in the database any more";
        self.inner.stop(wrong);
        Err(DbError::Open(wrong.to_owned()))
    }

    /// The seals' places in the order in which they are entered: changes first, as they were judged.
    fn in_order(&self) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.seals.len()).collect();
        order.sort_by_key(|at| !matches!(self.seals[*at].act, Act::Change(_)));
        order
    }

    fn build(
        &self,
        seal: &Seal,
        condition: Condition,
        link: &Link,
        time: Timestamp,
        rng: &mut ChaCha20Rng,
    ) -> Result<Built, DbError> {
        let reason = match condition {
            Condition::SessionEnded => Some(Reason::SessionEnded),
            Condition::SubjectErased => Some(Reason::SubjectErased),
            Condition::Holds | Condition::Fails => None,
        };
        let (shared, chain) = match reason {
            Some(reason) => refused(seal, reason),
            None => (Cow::Borrowed(&seal.shared), Cow::Borrowed(&seal.chain)),
        };
        let key: Option<&Arc<DataKey>> = self
            .keys
            .get(&seal.owner)
            .and_then(|keys| keys.get(&self.key_class));
        // INVARIANT: `prepare` has made the keys of all owners, or there is no batch.
        let key = key.ok_or_else(|| DbError::Open("a key of the batch is missing".to_owned()))?;
        let place = Place {
            realm: self.inner.root.realm(),
            origin: &self.inner.origin,
            owner: seal.owner,
            seq: link.next_seq,
        };
        build(&place, key, (&shared, time), (&chain, &link.head), rng)
    }
}

/// The openings of what ends otherwise than it was handed in: that it was refused, and nothing of an answer.
fn refused(seal: &Seal, reason: Reason) -> (Cow<'_, Shared>, Cow<'_, Chain>) {
    let (mut shared, mut chain) = (seal.shared.clone(), seal.chain.clone());
    shared.entry_type = EntryType::Refusal;
    shared.disclosed.clear();
    (shared.outcome, shared.source, shared.as_of, shared.authenticity) = (None, None, None, None);
    (shared.mapping, shared.node, shared.deadline) = (None, None, None);
    let told = if reason.is_visible() {
        reason.code()
    } else {
        "NOT_PERMITTED"
    };
    shared.reason = Some(told.to_owned());
    chain.reasons = vec![reason.code().to_owned()];
    chain.detail.clear();
    (Cow::Owned(shared), Cow::Owned(chain))
}

/// The head, its time, and from which entry on places may be due; alone with it until the transaction ends.
pub(super) async fn read_head(tx: &Tx<'_>) -> Result<(Frontier, Timestamp, u64), DbError> {
    if tx.engine() == Engine::Postgres {
        tx.execute(&TURN, &[]).await?;
    }
    let row = tx.query_one(&HEAD, &[LOG.into()]).await?;
    // That it is beyond the log is told at a start; here the log is first compared with what was seen of it.
    let size = row.int(0, "log_head.size")?;
    let placed = u64::try_from(row.int(4, "log_head.placed")?.min(size));
    let placed = placed.map_err(|_| row.corrupt("log_head.placed"))?;
    Ok((
        parse_head(&row)?,
        Timestamp(row.int(3, "log_head.time_us")?),
        placed,
    ))
}

/// The frontier of a row of size, root and frontier, which must agree: a tree must not grow from a false one.
pub(crate) fn parse_head(row: &Row) -> Result<Frontier, DbError> {
    let wrong = |_| row.corrupt("log_head.frontier");
    let frontier = Frontier::parse(row.blob(2, "log_head.frontier")?).map_err(wrong)?;
    if u64::try_from(row.int(0, "log_head.size")?) != Ok(frontier.size()) {
        return Err(row.corrupt("log_head.size"));
    }
    if Hash(row.hash(1, "log_head.root")?) != frontier.root() {
        return Err(row.corrupt("log_head.root"));
    }
    Ok(frontier)
}

async fn move_head(tx: &Tx<'_>, tree: &BatchTree, time: Timestamp, placed: u64) -> Result<(), DbError> {
    let head = [
        int(tree.size()),
        tree.root().0.into(),
        tree.frontier().to_bytes().into(),
        time.0.into(),
        int(placed),
        LOG.into(),
    ];
    tx.execute(&MOVE_HEAD, &head).await.map(|_| ())
}

/// A number of the log or of a chain as a value.
pub(super) fn int(number: u64) -> Value {
    entries::int(number).into()
}
