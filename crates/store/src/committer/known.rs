//! What the last commits of this process left, so that what was written or read just before need not be searched for
//! again: the ends of chains, and since when nothing but look-ups was entered.
//!
//! Nobody adds an entry without moving the log's head, and an owner stops being active, and a session ends before its
//! time, only together with an entry (what comes of an erasure later finds the owner inactive already). So what is
//! known of chains holds while the head is where this process left it and nothing else was changed, and what a
//! requester was found to be ([`Standing`]) holds if it was read after the last such change.

use std::collections::BTreeMap;

use domain::{ids::SubjectId, requester::Standing};

use super::{Act, Seal, batch::Written, conditions::Link};

/// How many chains are known at most; then all are forgotten. A look-up is under way for three seconds.
const MAX_CHAINS: usize = 4096;

/// What is known.
#[derive(Default)]
pub(super) struct Known {
    size: u64,
    /// The size of the log from which on only look-ups were entered, all of them by this process.
    quiet_since: u64,
    chains: BTreeMap<SubjectId, Link>,
}

/// What a batch may use of it.
#[derive(Default)]
pub(super) struct Usable {
    /// The ends of chains.
    pub(super) chains: BTreeMap<SubjectId, Link>,
    quiet_since: Option<u64>,
}

impl Usable {
    /// What was read of a requester, if it still is true.
    pub(super) fn holds(&self, standing: Option<Standing>) -> Option<Standing> {
        standing.filter(|read| self.quiet_since.is_some_and(|since| read.log_size >= since))
    }
}

impl Known {
    /// What of it concerns these seals.
    pub(super) fn of(&self, seals: &[Seal]) -> Known {
        let known = |seal: &Seal| Some((seal.owner, *self.chains.get(&seal.owner)?));
        Known {
            chains: seals.iter().filter_map(known).collect(),
            ..*self
        }
    }

    /// What of it these seals may use once they have met a log of `size`: no chains where somebody else has committed,
    /// and nothing where one of the seals changes other rows.
    pub(super) fn usable(&self, seals: &[Seal], size: u64) -> Usable {
        if change(seals) {
            return Usable::default();
        }
        let alone = self.size == size;
        Usable {
            chains: if alone {
                self.chains.clone()
            } else {
                BTreeMap::new()
            },
            quiet_since: Some(if alone { self.quiet_since } else { size }),
        }
    }

    /// Takes note of a commit of which it is certain that it happened. Another's commit or a change beside it ends what
    /// was known before.
    pub(super) fn after(mut self, seals: &[Seal], written: &Written) -> Known {
        let (before, after) = (written.before.size(), written.tree.size());
        if change(seals) {
            self.chains.clear();
            self.quiet_since = after;
        } else if self.size != before {
            self.chains.clear();
            self.quiet_since = before;
        }
        self.size = after;
        self.chains.extend(written.links.iter());
        if self.chains.len() > MAX_CHAINS {
            self.chains.clear();
        }
        self
    }
}

/// Whether one of them changes rows beside the log.
fn change(seals: &[Seal]) -> bool {
    seals.iter().any(|seal| matches!(seal.act, Act::Change(_)))
}
