//! The conditions of a batch, judged in the transaction that commits it.
//!
//! Changes come first, then the look-ups: all of a batch were waiting at once, so any order is a fair one, and in
//! this one a withdrawal is never overtaken by a release of the same batch.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::{AccountId, SubjectId},
    time::Timestamp,
};
use futures_util::future::try_join4;
use ledger::Hash;

use super::{Act, LOG, Seal};
use crate::{
    engine::{DbError, Row, Sql, Tx, Value},
    lookups::{EndLookup, NewLookup},
};

/// An owner with the newest entry whose place in the chain is known, and the account that is theirs.
const OWNER: Sql = Sql::each(
    // SQLite takes the first place of the chain from its end; PostgreSQL would sort the whole chain.
    "SELECT s.state, p.seq, l.leaf, s.account_id FROM subject s \
     LEFT JOIN chain_place p ON p.subject_id = s.subject_id \
     LEFT JOIN leaf l ON l.log_id = s.log_id AND l.leaf_index = p.leaf_index \
     WHERE s.subject_id = $1 ORDER BY p.seq DESC LIMIT 1",
    "SELECT s.state, p.seq, l.leaf, s.account_id FROM subject s \
     LEFT JOIN chain_place p ON p.subject_id = s.subject_id \
     AND p.seq = (SELECT max(seq) FROM chain_place WHERE subject_id = $1) \
     LEFT JOIN leaf l ON l.log_id = s.log_id AND l.leaf_index = p.leaf_index WHERE s.subject_id = $1",
);
/// The newest intent of a chain whose look-up is open: its place is not among the chain's places yet.
const OPEN: Sql = Sql::both(
    "SELECT k.intent_seq, l.leaf FROM lookup k \
     LEFT JOIN leaf l ON l.log_id = $1 AND l.leaf_index = k.intent_leaf \
     WHERE k.subject_id = $2 AND k.state = 'intended' ORDER BY k.intent_seq DESC LIMIT 1",
);
/// A look-up that ends, with the session that must still live for a release.
const ENDING: Sql = Sql::both(
    "SELECT l.state, s.ended_us, s.expires_us, l.intent_seq, l.intent_leaf FROM lookup l LEFT JOIN session s ON s.session_id = $1 \
     WHERE l.lookup_id = $2 AND l.subject_id = $3",
);
const REPEATED: Sql = Sql::both("SELECT lookup_id FROM lookup WHERE subject_id = $1 AND repeat_key = $2");

/// What the conditions said about one seal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Condition {
    Holds,
    SessionEnded,
    SubjectErased,
    Fails,
}

/// What the conditions said about one seal, and what they saw on the way.
#[derive(Clone, Copy)]
pub(super) struct Judged {
    pub(super) condition: Condition,
    /// Number and leaf of the intent that ends.
    pub(super) intent: Option<(u64, u64)>,
}

impl Judged {
    fn bare(condition: Condition) -> Self {
        Judged {
            condition,
            intent: None,
        }
    }
}

/// A chain as it grows within the batch.
#[derive(Clone, Copy)]
pub(super) struct Link {
    active: bool,
    /// Whose chain it is.
    account: Option<AccountId>,
    pub(super) next_seq: u64,
    pub(super) head: Hash,
}

/// The chains of a batch's owners.
pub(super) struct Links(BTreeMap<SubjectId, Link>);

impl Links {
    /// The chain of this owner. Who seals for an owner has made sure of the chain; without one it is refused.
    pub(super) fn of(&mut self, owner: SubjectId) -> Result<&mut Link, DbError> {
        self.0
            .get_mut(&owner)
            .ok_or(DbError::NotFound { sql: OWNER.sqlite })
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = (SubjectId, Link)> {
        self.0.iter().map(|(owner, link)| (*owner, *link))
    }

    /// The chain is this requester's own, in which they find their look-ups without a projection.
    pub(super) fn is_own(&self, owner: SubjectId, requester: AccountId) -> bool {
        let theirs = self.0.get(&owner).and_then(|link| link.account);
        owner == requester.chain() || theirs == Some(requester)
    }

    fn is_active(&self, owner: SubjectId) -> bool {
        self.0.get(&owner).is_some_and(|link| link.active)
    }
}

/// Runs the changes, then judges every seal, in the order of the batch; `known` are chains whose end need not be read.
pub(super) async fn judge(
    tx: &Tx<'_>,
    seals: &[Seal],
    time: Timestamp,
    known: BTreeMap<SubjectId, Link>,
) -> Result<(Vec<Judged>, Links), DbError> {
    let mut changed = vec![];
    for seal in seals {
        if let Act::Change(effect) = &seal.act {
            changed.push((effect.run)(tx, time).await?);
        }
    }
    let mut changed = changed.into_iter();
    let mut found = Found::read(tx, seals, known).await?;
    let mut judged = Vec::with_capacity(seals.len());
    for seal in seals {
        judged.push(match &seal.act {
            Act::Change(_) if changed.next() == Some(true) => Judged::bare(Condition::Holds),
            Act::Change(_) => Judged::bare(Condition::Fails),
            Act::End(end) => found.of_end(seal.owner, end, time)?,
            Act::Begin(new) | Act::Refuse(new) => Judged::bare(found.of_new(seal.owner, new)),
        });
    }
    Ok((judged, found.links))
}

/// What the database says about the batch's look-ups, each list in the order of the seals that it concerns.
struct Found {
    links: Links,
    ending: std::vec::IntoIter<Vec<Row>>,
    repeated: std::vec::IntoIter<Vec<Row>>,
    ended: BTreeSet<(SubjectId, [u8; 16])>,
    repeat_keys: BTreeSet<(SubjectId, [u8; 32])>,
}

impl Found {
    /// Four statements that travel together. A chain that is known is not asked for.
    async fn read(tx: &Tx<'_>, seals: &[Seal], known: BTreeMap<SubjectId, Link>) -> Result<Self, DbError> {
        let owners = seals.iter().map(|seal| seal.owner);
        let owners: BTreeSet<SubjectId> = owners.filter(|owner| !known.contains_key(owner)).collect();
        let by_owner: Vec<Vec<Value>> = owners.iter().map(|o| vec![o.bytes().into()]).collect();
        let in_log: Vec<Vec<Value>> = owners
            .iter()
            .map(|o| vec![LOG.into(), o.bytes().into()])
            .collect();
        let (mut by_lookup, mut by_key) = (vec![], vec![]);
        for seal in seals {
            let owner = Value::from(seal.owner.bytes());
            match &seal.act {
                Act::End(end) => {
                    by_lookup.push(vec![end.session.bytes().into(), end.lookup.bytes().into(), owner]);
                }
                Act::Begin(new) | Act::Refuse(new) => {
                    by_key.extend(new.repeat_key.map(|key| vec![owner, key.into()]));
                }
                Act::Change(_) => {}
            }
        }
        let (chains, open, ending, repeated) = try_join4(
            tx.query_many(&OWNER, &by_owner),
            tx.query_many(&OPEN, &in_log),
            tx.query_many(&ENDING, &by_lookup),
            tx.query_many(&REPEATED, &by_key),
        )
        .await?;
        let mut links = known;
        for ((owner, rows), open) in owners.into_iter().zip(chains).zip(open) {
            if let Some(row) = rows.first() {
                links.insert(owner, link(row, open.first())?);
            }
        }
        Ok(Found {
            links: Links(links),
            ending: ending.into_iter(),
            repeated: repeated.into_iter(),
            ended: BTreeSet::new(),
            repeat_keys: BTreeSet::new(),
        })
    }

    fn of_end(&mut self, owner: SubjectId, end: &EndLookup, time: Timestamp) -> Result<Judged, DbError> {
        let rows = self.ending.next().unwrap_or_default();
        let Some(row) = rows.first() else {
            return Ok(Judged::bare(Condition::Fails));
        };
        let first = self.ended.insert((owner, end.lookup.bytes()));
        let condition = if !first || row.text(0, "lookup.state")? != "intended" {
            Condition::Fails
        } else if end.release && !self.links.is_active(owner) {
            Condition::SubjectErased
        } else if end.release && !lives(row, time)? {
            Condition::SessionEnded
        } else {
            Condition::Holds
        };
        let intent = match condition {
            Condition::Fails => None,
            _ => Some((
                number(row, row.int(3, "lookup.intent_seq")?, "lookup.intent_seq")?,
                number(row, row.int(4, "lookup.intent_leaf")?, "lookup.intent_leaf")?,
            )),
        };
        Ok(Judged { condition, intent })
    }

    fn of_new(&mut self, owner: SubjectId, new: &NewLookup) -> Condition {
        if let Some(key) = new.repeat_key {
            let before = self.repeated.next().unwrap_or_default();
            if !before.is_empty() || !self.repeat_keys.insert((owner, key)) {
                return Condition::Fails;
            }
        }
        if self.links.is_active(owner) {
            Condition::Holds
        } else {
            Condition::SubjectErased
        }
    }
}

/// The chain of an owner's row, with that of its newest open intent.
fn link(row: &Row, open: Option<&Row>) -> Result<Link, DbError> {
    let placed = row.opt_int(1, "chain_place.seq")?.map(|seq| (seq, row, 2));
    let open = open.map(|open| Ok::<_, DbError>((open.int(0, "lookup.intent_seq")?, open, 1)));
    let newest = placed.into_iter().chain(open.transpose()?);
    let (next_seq, head) = match newest.max_by_key(|(seq, ..)| *seq) {
        Some((seq, row, at)) => (seq.saturating_add(1), Hash::of_leaf(row.blob(at, "leaf.leaf")?)),
        None => (0, Hash::ZERO),
    };
    Ok(Link {
        active: row.text(0, "subject.state")? == "active",
        account: row.opt_id(3, "subject.account_id")?.map(AccountId::from_bytes),
        next_seq: number(row, next_seq, "chain_place.seq")?,
        head,
    })
}

fn number(row: &Row, number: i64, name: &'static str) -> Result<u64, DbError> {
    u64::try_from(number).map_err(|_| row.corrupt(name))
}

/// The session of an ending look-up lives; one that was forgotten does not.
fn lives(row: &Row, time: Timestamp) -> Result<bool, DbError> {
    let ended = row.opt_int(1, "session.ended_us")?.is_some();
    let expires = row.opt_int(2, "session.expires_us")?;
    Ok(!ended && expires.is_some_and(|expires| expires > time.0))
}
