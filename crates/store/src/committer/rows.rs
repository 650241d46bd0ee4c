//! The rows of a batch, gathered and then written with one statement per table.

use domain::{purpose::ACCOUNT_PROOFING, time::Timestamp};
use futures_util::future::{try_join, try_join4};

use super::{
    Act, LOG, Seal,
    batch::int,
    conditions::{Condition, Judged},
    openings::Built,
    places::{At, Due, PLACE},
};
use crate::{
    engine::{DbError, Insert, Sql, Tx, Value},
    lookups::NewLookup,
};

const ENTRY: Insert = Insert {
    table: "entry",
    columns: &[
        "log_id",
        "leaf_index",
        "subject_id",
        "seq",
        "time_us",
        "lookup_id",
        "key_class",
        "shared",
        "chain",
    ],
    tail: "",
};
const LEAF: Insert = Insert {
    table: "leaf",
    columns: &["log_id", "leaf_index", "leaf"],
    tail: "",
};
const LOOKUP: Insert = Insert {
    table: "lookup",
    columns: &[
        "subject_id",
        "lookup_id",
        "state",
        "requester_id",
        "session_id",
        "node_id",
        "created_us",
        "deadline_us",
        "intent_seq",
        "intent_leaf",
        "outcome_seq",
        "repeat_key",
        "request_hash",
    ],
    tail: "",
};
const OUTBOX: Insert = Insert {
    table: "outbox",
    columns: &["outbox_id", "topic", "subject_id", "requester_id", "lookup_id"],
    tail: "",
};
const END_LOOKUP: Sql = Sql::both(
    "UPDATE lookup SET state = $1, outcome_seq = $2, answer = $3, answer_until_us = $4 \
     WHERE subject_id = $5 AND lookup_id = $6 AND state = 'intended'",
);

/// Where and when an entry stands.
#[derive(Clone, Copy)]
pub(super) struct Numbers {
    pub(super) seq: u64,
    pub(super) index: u64,
    pub(super) time: Timestamp,
}

pub(super) struct Rows<'a> {
    node: [u8; 16],
    key_class: &'a str,
    /// Places of look-ups' ends are written later.
    behind: bool,
    pub(super) due: Vec<(At, Due)>,
    entries: Vec<Vec<Value>>,
    leaves: Vec<Vec<Value>>,
    places: Vec<Vec<Value>>,
    lookups: Vec<Vec<Value>>,
    ends: Vec<Vec<Value>>,
    outbox: Vec<Vec<Value>>,
}

impl<'a> Rows<'a> {
    pub(super) fn new(node: [u8; 16], key_class: &'a str, behind: bool) -> Self {
        Rows {
            node,
            key_class,
            behind,
            due: vec![],
            entries: vec![],
            leaves: vec![],
            places: vec![],
            lookups: vec![],
            ends: vec![],
            outbox: vec![],
        }
    }

    /// Adds an entry's rows, into which its sealed openings go; `own` where the chain is the requester's own.
    pub(super) fn push(&mut self, seal: &Seal, judged: Judged, own: bool, entry: &mut Built, at: Numbers) {
        let owner = seal.owner.bytes();
        self.entries.push(vec![
            LOG.into(),
            int(at.index),
            owner.into(),
            int(at.seq),
            at.time.0.into(),
            seal.shared.lookup.into(),
            self.key_class.into(),
            std::mem::take(&mut entry.shared_sealed).into(),
            std::mem::take(&mut entry.chain_sealed).into(),
        ]);
        self.leaves
            .push(vec![LOG.into(), int(at.index), entry.leaf.into()]);
        let refused = judged.condition != Condition::Holds;
        // Who claims to be somebody is seen by that somebody alone: the account may be another's once its phone is.
        let claims = seal.shared.purpose.as_deref() == Some(ACCOUNT_PROOFING);
        let unlisted = own || claims;
        let mut place = Due {
            index: at.index,
            intent: None,
            hash: entry.leaf_hash,
        };
        match &seal.act {
            // Its place stays in its own row until it ends.
            Act::Begin(new) if !refused => return self.push_lookup(owner, "intended", new, at),
            Act::Begin(new) | Act::Refuse(new) => {
                self.push_lookup(owner, "refused", new, at);
                self.push_outbox(owner, unlisted, new.requester.bytes(), new.lookup.bytes(), at);
            }
            Act::End(end) => {
                let (state, answer) = match (refused, end.release) {
                    (true, _) => ("refused", None),
                    (false, true) => ("released", end.answer.as_ref()),
                    (false, false) => ("failed", None),
                };
                self.ends.push(vec![
                    state.into(),
                    int(at.seq),
                    answer.map(|(bytes, _)| bytes.as_slice()).into(),
                    answer.map(|(_, until)| until.0).into(),
                    owner.into(),
                    end.lookup.bytes().into(),
                ]);
                self.push_outbox(owner, unlisted, end.requester.bytes(), end.lookup.bytes(), at);
                place.intent = judged.intent.map(|intent| (intent.seq, intent.index));
            }
            Act::Change(_) => {}
        }
        let entry_at = (seal.owner, at.seq);
        match seal.act {
            Act::Change(_) => place.push_rows(entry_at, &mut self.places),
            _ if self.behind => self.due.push((entry_at, place)),
            _ => place.push_rows(entry_at, &mut self.places),
        }
    }

    fn push_lookup(&mut self, owner: [u8; 16], state: &str, new: &NewLookup, at: Numbers) {
        let (intent, outcome) = if state == "intended" {
            (Some(at), None)
        } else {
            (None, Some(at))
        };
        self.lookups.push(vec![
            owner.into(),
            new.lookup.bytes().into(),
            state.into(),
            new.requester.bytes().into(),
            new.session.bytes().into(),
            self.node.into(),
            at.time.0.into(),
            new.deadline.0.into(),
            intent.map_or(Value::Null, |at| int(at.seq)),
            intent.map_or(Value::Null, |at| int(at.index)),
            outcome.map_or(Value::Null, |at| int(at.seq)),
            new.repeat_key.into(),
            new.request_hash.into(),
        ]);
    }

    /// What is about another than the requester comes into the requester's view, but for claims. Ids of the outbox are log
    /// and index of the leaf, so that they are read in the order of the log.
    fn push_outbox(
        &mut self,
        owner: [u8; 16],
        unlisted: bool,
        requester: [u8; 16],
        lookup: [u8; 16],
        at: Numbers,
    ) {
        if unlisted {
            return;
        }
        let mut id = [0; 16];
        id[..8].copy_from_slice(&LOG.to_be_bytes());
        id[8..].copy_from_slice(&at.index.to_be_bytes());
        self.outbox.push(vec![
            id.into(),
            "lookup-ended".into(),
            owner.into(),
            requester.into(),
            lookup.into(),
        ]);
    }

    /// Writes all; the statements travel together.
    pub(super) async fn write(&self, tx: &Tx<'_>) -> Result<(), DbError> {
        let in_log = try_join(
            tx.insert_many(&ENTRY, &self.entries),
            tx.insert_many(&LEAF, &self.leaves),
        );
        let beside = try_join4(
            tx.insert_many(&PLACE, &self.places),
            tx.insert_many(&LOOKUP, &self.lookups),
            tx.execute_many(&END_LOOKUP, &self.ends),
            tx.insert_many(&OUTBOX, &self.outbox),
        );
        let (_, (_, _, ended, _)) = try_join(in_log, beside).await?;
        // That they are open may be known from before instead of read.
        if ended.iter().any(|rows| *rows != 1) {
            return Err(DbError::NotFound {
                sql: END_LOOKUP.sqlite,
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{committer::places::PLACE_DUE, schema::DATA};

    /// A list of more than two in a check, say, costs as much as the row itself.
    #[test]
    fn sqlite_makes_no_table_of_its_own_to_write_rows() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for migration in DATA {
            connection.execute_batch(migration.sqlite).unwrap();
        }
        let inserts = [ENTRY, LEAF, PLACE, PLACE_DUE, LOOKUP, OUTBOX];
        let texts = inserts.iter().map(|insert| insert.one_row().to_string());
        for sql in texts.chain([END_LOOKUP.sqlite.to_owned()]) {
            let mut statement = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
            // What is explained does not run, so that nothing need be bound.
            let (mut rows, mut steps) = (statement.raw_query(), vec![]);
            while let Some(row) = rows.next().unwrap() {
                steps.push(row.get::<_, String>("opcode").unwrap());
            }
            assert!(steps.iter().any(|step| step == "IdxInsert"), "{sql}");
            assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{sql}");
        }
    }
}
