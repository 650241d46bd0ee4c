//! The log as this process has seen it with its own eyes.
//!
//! Whoever can write the database could put another log there. So the process remembers up to where it has hashed
//! every leaf itself, at start and since, and signs no head that does not continue from there.

use std::sync::{Arc, PoisonError};

use ledger::{Frontier, Hash};

use crate::{
    StoreError,
    committer::{LOG, parse_head},
    engine::{Row, Sql},
    entries::int,
    inner::Inner,
};

/// Leaves read at once.
pub(crate) const PAGE: u64 = 4096;

const HEAD: Sql = Sql::both("SELECT size, root, frontier, placed FROM log_head WHERE log_id = $1");
const LEAVES: Sql = Sql::both(
    "SELECT leaf FROM leaf WHERE log_id = $1 AND leaf_index >= $2 AND leaf_index < $3 ORDER BY leaf_index",
);

/// A tree of which this process has hashed every leaf, with its signed head.
#[derive(Clone)]
pub(crate) struct Seen {
    frontier: Frontier,
    root: Hash,
    checkpoint: Arc<str>,
}

impl Default for Seen {
    /// Nothing yet: the empty tree, not signed.
    fn default() -> Self {
        let frontier = Frontier::new();
        Seen {
            root: frontier.root(),
            frontier,
            checkpoint: "".into(),
        }
    }
}

impl Seen {
    pub(crate) fn size(&self) -> u64 {
        self.frontier.size()
    }

    pub(crate) fn root(&self) -> Hash {
        self.root
    }

    pub(crate) fn frontier(&self) -> &Frontier {
        &self.frontier
    }

    pub(crate) fn checkpoint(&self) -> &str {
        &self.checkpoint
    }
}

impl Inner {
    /// The greatest tree that this process has seen.
    pub(crate) fn seen(&self) -> Seen {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Signs the head of a tree whose leaves were all hashed here, and remembers it if it is the greatest.
    pub(crate) fn saw(&self, frontier: Frontier) -> Result<Seen, StoreError> {
        let root = frontier.root();
        let checkpoint = self.sign_checkpoint(frontier.size(), root)?.into();
        let new = Seen {
            frontier,
            root,
            checkpoint,
        };
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if new.size() >= seen.size() {
            *seen = new.clone();
        }
        Ok(new)
    }

    /// Looks at the log as the database has it now, and stops the process if it is not the one seen before, grown.
    pub(crate) async fn look(&self) -> Result<Seen, StoreError> {
        let seen = self.seen();
        let head = self.stored_head().await?;
        if head == seen.frontier {
            return Ok(seen);
        }
        if head.size() > seen.size() {
            let frontier = self.hash_on(seen.frontier, head.size()).await?;
            if frontier == head {
                return self.saw(frontier);
            }
        }
        let wrong = "the database has another log than the one that this process has seen grow";
        self.stop(wrong);
        Err(StoreError::Log(wrong.into()))
    }

    /// The head of the log as the database has it now.
    pub(crate) async fn stored_head(&self) -> Result<Frontier, StoreError> {
        let row = self.db.query_opt(&HEAD, &[LOG.into()]).await?;
        let row = row.ok_or_else(|| StoreError::Log("it has no head".into()))?;
        let head = parse_head(&row)?;
        // Beyond the log it would hide the places that are due.
        if !(0..=int(head.size())).contains(&row.int(3, "log_head.placed")?) {
            return Err(row.corrupt("log_head.placed").into());
        }
        Ok(head)
    }

    /// The tree grown by the stored leaves up to `size`.
    pub(crate) async fn hash_on(&self, mut frontier: Frontier, size: u64) -> Result<Frontier, StoreError> {
        while frontier.size() < size {
            let to = frontier.size().saturating_add(PAGE).min(size);
            for leaf in self.leaves(frontier.size(), to).await? {
                frontier.append(Hash::of_leaf(&leaf));
            }
        }
        Ok(frontier)
    }

    /// The data of the leaves from `from` to before `to`; all of them, or an error. At most a [`PAGE`] or so.
    pub(crate) async fn leaves(&self, from: u64, to: u64) -> Result<Vec<Vec<u8>>, StoreError> {
        let rows = self
            .db
            .query(&LEAVES, &[LOG.into(), int(from).into(), int(to).into()])
            .await?;
        if rows.len() as u64 != to.saturating_sub(from) {
            return Err(StoreError::Log(format!(
                "leaves are missing between {from} and {to}"
            )));
        }
        let data = |row: &Row| Ok(row.blob(0, "leaf.leaf")?.to_vec());
        rows.iter().map(data).collect()
    }
}
