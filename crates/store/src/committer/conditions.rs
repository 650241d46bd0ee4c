//! The conditions of a batch, judged in the transaction that commits it.
//!
//! Changes come first, then the look-ups: all of a batch were waiting at once, so any order is a fair one, and in
//! this one a withdrawal is never overtaken by a release of the same batch.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::{AccountId, SubjectId},
    time::Timestamp,
};
use futures_util::future::{try_join, try_join3};
use ledger::Hash;

use super::{
    Act, LOG, Seal,
    known::{Intent, Usable},
    places::Places,
};
use crate::{
    engine::{DbError, Row, Sql, Tx, Value},
    lookups::{EndLookup, NewLookup},
};

/// What is asked of the newest place of a chain `p`: its number, and its leaf only where it does not say the leaf's hash.
macro_rules! end_of_chain {
    ($log:literal) => {
        concat!(
            "SELECT p.seq, CASE WHEN p.leaf_hash IS NULL THEN (SELECT l.leaf FROM leaf l WHERE l.log_id = ",
            $log,
            " AND l.leaf_index = p.leaf_index) END, p.leaf_hash"
        )
    };
}

/// The newest entry of a chain whose place in it is written. SQLite takes the first place of the chain from its end;
/// PostgreSQL would sort the whole chain.
const NEWEST: Sql = Sql::each(
    concat!(
        end_of_chain!("$1"),
        " FROM chain_place p WHERE p.subject_id = $2 ORDER BY p.seq DESC LIMIT 1"
    ),
    concat!(
        end_of_chain!("$1"),
        " FROM chain_place p WHERE p.subject_id = $2 \
         AND p.seq = (SELECT max(seq) FROM chain_place WHERE subject_id = $2)"
    ),
);
/// The same, with what of its owner is told: the state, and the account that is theirs.
const OWNER: Sql = Sql::each(
    concat!(
        end_of_chain!("s.log_id"),
        ", s.state, s.account_id FROM subject s LEFT JOIN chain_place p ON p.subject_id = s.subject_id \
         WHERE s.subject_id = $1 ORDER BY p.seq DESC LIMIT 1"
    ),
    concat!(
        end_of_chain!("s.log_id"),
        ", s.state, s.account_id FROM subject s LEFT JOIN chain_place p ON p.subject_id = s.subject_id \
         AND p.seq = (SELECT max(seq) FROM chain_place WHERE subject_id = $1) WHERE s.subject_id = $1"
    ),
);
/// The newest intent of a chain whose look-up is open: its place is not among the chain's places yet.
const OPEN: Sql = Sql::both(
    "SELECT k.intent_seq, l.leaf FROM lookup k \
     LEFT JOIN leaf l ON l.log_id = $1 AND l.leaf_index = k.intent_leaf \
     WHERE k.subject_id = $2 AND k.state = 'intended' ORDER BY k.intent_seq DESC LIMIT 1",
);
/// A look-up that ends.
const ENDING: Sql =
    Sql::both("SELECT state, intent_seq, intent_leaf FROM lookup WHERE lookup_id = $1 AND subject_id = $2");
/// The session that must still live for a release.
const SESSION: Sql = Sql::both("SELECT ended_us, expires_us FROM session WHERE session_id = $1");
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
    /// The intent that ends.
    pub(super) intent: Option<Intent>,
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

impl Link {
    /// The chain as it is with the place of its newest entry, if that is not written yet.
    fn or_newer(self, due: Option<&(u64, Hash)>) -> Link {
        match due {
            Some(&(seq, head)) if seq >= self.next_seq => Link {
                next_seq: seq + 1,
                head,
                ..self
            },
            _ => self,
        }
    }
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

/// Runs the changes, then judges every seal, in the order of the batch; what is `usable` need not be read. `places` are
/// those that are not written yet.
pub(super) async fn judge(
    tx: &Tx<'_>,
    seals: &[Seal],
    time: Timestamp,
    usable: Usable<'_>,
    places: &Places,
) -> Result<(Vec<Judged>, Links), DbError> {
    let mut changed = vec![];
    for seal in seals {
        if let Act::Change(effect) = &seal.act {
            changed.push((effect.run)(tx, time).await?);
        }
    }
    let mut changed = changed.into_iter();
    let mut found = Found::read(tx, seals, usable, places).await?;
    let mut judged = Vec::with_capacity(seals.len());
    for (at, seal) in seals.iter().enumerate() {
        judged.push(match &seal.act {
            Act::Change(_) if changed.next() == Some(true) => Judged::bare(Condition::Holds),
            Act::Change(_) => Judged::bare(Condition::Fails),
            Act::End(end) => found.of_end((at, seal.owner), end, time)?,
            Act::Begin(new) | Act::Refuse(new) => Judged::bare(found.of_new(seal.owner, new)),
        });
    }
    Ok((judged, found.links))
}

/// What must be asked about a batch's look-ups. What a look-up's requester was found to be, and a chain that is known,
/// is not asked for again.
#[derive(Default)]
struct Asking {
    /// Owners of whom all is asked, and those whose account and state are known.
    owners: BTreeMap<SubjectId, Option<AccountId>>,
    ending: Vec<Vec<Value>>,
    sessions: Vec<Vec<Value>>,
    repeated: Vec<Vec<Value>>,
}

impl Asking {
    fn about(seals: &[Seal], usable: &Usable<'_>) -> Self {
        let mut asking = Asking::default();
        for (at, seal) in seals.iter().enumerate() {
            let standing = usable.holds(seal.act.standing());
            let account = standing
                .filter(|s| s.subject == seal.owner)
                .and(seal.act.requester());
            if usable.chain(at).is_none() {
                let known = asking.owners.entry(seal.owner).or_default();
                *known = known.or(account);
            }
            let owner = Value::from(seal.owner.bytes());
            match &seal.act {
                Act::End(end) => {
                    if usable.intent(at).is_none() {
                        asking.ending.push(vec![end.lookup.bytes().into(), owner]);
                    }
                    if end.release && standing.is_none() {
                        asking.sessions.push(vec![end.session.bytes().into()]);
                    }
                }
                Act::Begin(new) | Act::Refuse(new) => {
                    let key = new.repeat_key.map(|key| vec![owner, key.into()]);
                    asking.repeated.extend(key);
                }
                Act::Change(_) => {}
            }
        }
        asking
    }
}

/// What the database says about the batch's look-ups, each list in the order of the seals that it concerns.
struct Found<'a> {
    usable: Usable<'a>,
    links: Links,
    ending: std::vec::IntoIter<Vec<Row>>,
    sessions: std::vec::IntoIter<Vec<Row>>,
    repeated: std::vec::IntoIter<Vec<Row>>,
    ended: BTreeSet<(SubjectId, [u8; 16])>,
    repeat_keys: BTreeSet<(SubjectId, [u8; 32])>,
}

impl<'a> Found<'a> {
    /// Statements that travel together.
    async fn read(tx: &Tx<'_>, seals: &[Seal], usable: Usable<'a>, places: &Places) -> Result<Self, DbError> {
        let asking = Asking::about(seals, &usable);
        let ends = places.ends(asking.owners.keys());
        let id = |owner: &SubjectId| Value::from(owner.bytes());
        let unknown = asking.owners.iter().filter(|(_, account)| account.is_none());
        let unknown: Vec<Vec<Value>> = unknown.map(|(owner, _)| vec![id(owner)]).collect();
        let own = asking.owners.iter().filter(|(_, account)| account.is_some());
        let own: Vec<Vec<Value>> = own.map(|(owner, _)| vec![LOG.into(), id(owner)]).collect();
        let all: Vec<Vec<Value>> = asking.owners.keys().map(|o| vec![LOG.into(), id(o)]).collect();
        let chains = try_join3(
            tx.query_many(&OWNER, &unknown),
            tx.query_many(&NEWEST, &own),
            tx.query_many(&OPEN, &all),
        );
        let look_ups = try_join3(
            tx.query_many(&ENDING, &asking.ending),
            tx.query_many(&SESSION, &asking.sessions),
            tx.query_many(&REPEATED, &asking.repeated),
        );
        let ((unknown, own, open), (ending, sessions, repeated)) = try_join(chains, look_ups).await?;
        let (mut unknown, mut own) = (unknown.into_iter(), own.into_iter());
        let known = |(at, seal): (usize, &Seal)| Some((seal.owner, usable.chain(at)?));
        let mut links: BTreeMap<SubjectId, Link> = seals.iter().enumerate().filter_map(known).collect();
        for ((owner, account), open) in asking.owners.into_iter().zip(open) {
            let link = match account {
                Some(account) => {
                    let rows = own.next().unwrap_or_default();
                    Some(link(rows.first(), open.first(), true, Some(account))?)
                }
                None => match unknown.next().unwrap_or_default().first() {
                    Some(row) => Some(unknown_link(row, open.first())?),
                    None => None,
                },
            };
            let due = ends.get(&owner);
            links.extend(link.map(|link| (owner, link.or_newer(due))));
        }
        Ok(Found {
            usable,
            links: Links(links),
            ending: ending.into_iter(),
            sessions: sessions.into_iter(),
            repeated: repeated.into_iter(),
            ended: BTreeSet::new(),
            repeat_keys: BTreeSet::new(),
        })
    }

    fn of_end(
        &mut self,
        (at, owner): (usize, SubjectId),
        end: &EndLookup,
        time: Timestamp,
    ) -> Result<Judged, DbError> {
        let intent = self.intent(at, owner)?;
        let lives = !end.release || self.lives(end, time)?;
        // Of two ends of a batch the first one counts.
        if intent.is_none() || !self.ended.insert((owner, end.lookup.bytes())) {
            return Ok(Judged::bare(Condition::Fails));
        }
        let condition = if end.release && !self.links.is_active(owner) {
            Condition::SubjectErased
        } else if !lives {
            Condition::SessionEnded
        } else {
            Condition::Holds
        };
        Ok(Judged { condition, intent })
    }

    /// The intent of a look-up that has not ended.
    fn intent(&mut self, at: usize, owner: SubjectId) -> Result<Option<Intent>, DbError> {
        if let Some(known) = self.usable.intent(at) {
            return Ok(Some(known));
        }
        let rows = self.ending.next().unwrap_or_default();
        let Some(row) = rows.first() else {
            return Ok(None);
        };
        if row.text(0, "lookup.state")? != "intended" {
            return Ok(None);
        }
        Ok(Some(Intent {
            owner,
            seq: row.number(1, "lookup.intent_seq")?,
            index: row.number(2, "lookup.intent_leaf")?,
        }))
    }

    /// Whether the session of a release lives; one that was forgotten does not.
    fn lives(&mut self, end: &EndLookup, time: Timestamp) -> Result<bool, DbError> {
        if let Some(standing) = self.usable.holds(end.standing) {
            return Ok(standing.expires > time);
        }
        let rows = self.sessions.next().unwrap_or_default();
        let Some(row) = rows.first() else {
            return Ok(false);
        };
        let ended = row.opt_int(0, "session.ended_us")?.is_some();
        Ok(!ended && row.int(1, "session.expires_us")? > time.0)
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

/// The chain of an owner of whom all was asked.
fn unknown_link(row: &Row, open: Option<&Row>) -> Result<Link, DbError> {
    let active = row.text(3, "subject.state")? == "active";
    let account = row.opt_id(4, "subject.account_id")?.map(AccountId::from_bytes);
    link(Some(row), open, active, account)
}

/// The chain whose newest place is in `row`, if it has any, with that of its newest open intent.
fn link(
    row: Option<&Row>,
    open: Option<&Row>,
    active: bool,
    account: Option<AccountId>,
) -> Result<Link, DbError> {
    let placed = row.map(|row| (row, "chain_place.seq"));
    let open = open.map(|row| (row, "lookup.intent_seq"));
    let mut newest: Option<(i64, &Row)> = None;
    for (row, name) in placed.into_iter().chain(open) {
        if let Some(seq) = row.opt_int(0, name)?
            && newest.is_none_or(|(before, _)| seq > before)
        {
            newest = Some((seq, row));
        }
    }
    let (next_seq, head) = match newest {
        Some((seq, row)) => {
            let next = u64::try_from(seq.saturating_add(1));
            (next.map_err(|_| row.corrupt("chain_place.seq"))?, head(row)?)
        }
        None => (0, Hash::ZERO),
    };
    Ok(Link {
        active,
        account,
        next_seq,
        head,
    })
}

/// The head of a chain: the hash of its newest entry's leaf.
fn head(row: &Row) -> Result<Hash, DbError> {
    match row.opt_blob(1, "leaf.leaf")? {
        Some(leaf) => Ok(Hash::of_leaf(leaf)),
        // Without either it is the leaf that is missing.
        None => row
            .hash(2, "chain_place.leaf_hash")
            .map(Hash)
            .map_err(|_| row.corrupt("leaf.leaf")),
    }
}
