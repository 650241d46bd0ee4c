//! The ends of chains as the last commits of this process left them, so that the second entry of a look-up need not
//! search for the first.
//!
//! Nobody adds an entry without moving the log's head, and an owner stops being active only together with an entry
//! (what comes of an erasure later finds the owner inactive already). So what is known holds while the head is where
//! this process left it and nothing else was changed.

use std::collections::BTreeMap;

use domain::ids::SubjectId;

use super::{Act, Seal, batch::Written, conditions::Link};

/// How many chains are known at most; then all are forgotten. A look-up is under way for three seconds.
const MAX_CHAINS: usize = 4096;

/// What is known.
#[derive(Default)]
pub(super) struct Known {
    size: u64,
    chains: BTreeMap<SubjectId, Link>,
}

impl Known {
    /// What of it these seals may use, that of their owners: nothing where one of them changes other rows.
    pub(super) fn of(&self, seals: &[Seal]) -> Known {
        let known = |seal: &Seal| Some((seal.owner, *self.chains.get(&seal.owner)?));
        let chains = match change(seals) {
            true => BTreeMap::new(),
            false => seals.iter().filter_map(known).collect(),
        };
        Known {
            size: self.size,
            chains,
        }
    }

    /// What is known after a commit of which it is certain that it happened. Another's commit or a change beside it ends
    /// what was known before.
    pub(super) fn after(mut self, seals: &[Seal], written: &Written) -> Known {
        if change(seals) || self.size != written.before.size() {
            self.chains.clear();
        }
        self.size = written.tree.size();
        self.chains.extend(written.links.iter());
        if self.chains.len() > MAX_CHAINS {
            self.chains.clear();
        }
        self
    }

    /// The chains, where the log still is as large as it was left.
    pub(super) fn at(&self, size: u64) -> BTreeMap<SubjectId, Link> {
        match self.size == size {
            true => self.chains.clone(),
            false => BTreeMap::new(),
        }
    }
}

/// Whether one of them changes rows beside the log.
fn change(seals: &[Seal]) -> bool {
    seals.iter().any(|seal| matches!(seal.act, Act::Change(_)))
}
