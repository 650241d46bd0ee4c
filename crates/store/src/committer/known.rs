//! What the last commits of this process left, so that what was written or read just before need not be searched for
//! again: the ends of chains, the look-ups that have begun, and since when nothing but look-ups was entered.
//!
//! Nobody adds an entry without moving the log's head; and an owner stops being active, a session ends before its time,
//! and a look-up begins or ends only together with an entry (what comes of an erasure later finds the owner inactive
//! already). So what is known of chains and of look-ups that have begun holds while the head is where this process left it and nothing else
//! was changed, and what a requester was found to be ([`Standing`]) holds if it was read after the last such change.

use std::collections::BTreeMap;

use domain::{
    ids::{LookupId, SubjectId},
    requester::Standing,
};

use super::{
    Act, Seal,
    batch::{Verdict, Written},
    conditions::Link,
};

/// How many chains or look-ups are known at most; then all are forgotten. A look-up is under way for three seconds.
const MAX: usize = 4096;

/// Where the entry stands with which a look-up began that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Intent {
    /// Whose chain it is in.
    pub(super) owner: SubjectId,
    /// Its number in it.
    pub(super) seq: u64,
    /// Its index in the log.
    pub(super) index: u64,
}

/// What is known.
#[derive(Default)]
pub(super) struct Known {
    size: u64,
    /// The size of the log from which on only look-ups were entered, all of them by this process.
    quiet_since: u64,
    chains: BTreeMap<SubjectId, Link>,
    begun: BTreeMap<LookupId, Intent>,
}

/// What a batch may use of it.
#[derive(Default)]
pub(super) struct Usable {
    /// The ends of chains.
    pub(super) chains: BTreeMap<SubjectId, Link>,
    begun: BTreeMap<LookupId, Intent>,
    quiet_since: Option<u64>,
}

impl Usable {
    /// With which entry of this owner's chain that look-up began, if it is certain that it has not ended.
    pub(super) fn intent(&self, lookup: LookupId, owner: SubjectId) -> Option<Intent> {
        let intent = self.begun.get(&lookup);
        intent.filter(|intent| intent.owner == owner).copied()
    }

    /// What was read of a requester, if it still is true.
    pub(super) fn holds(&self, standing: Option<Standing>) -> Option<Standing> {
        standing.filter(|read| self.quiet_since.is_some_and(|since| read.log_size >= since))
    }
}

impl Known {
    /// What of it concerns these seals.
    pub(super) fn of(&self, seals: &[Seal]) -> Known {
        let chain = |seal: &Seal| Some((seal.owner, *self.chains.get(&seal.owner)?));
        let begun = |seal: &Seal| {
            let Act::End(end) = &seal.act else { return None };
            Some((end.lookup, *self.begun.get(&end.lookup)?))
        };
        Known {
            chains: seals.iter().filter_map(chain).collect(),
            begun: seals.iter().filter_map(begun).collect(),
            ..*self
        }
    }

    /// What of it these seals may use once they have met a log of `size`: where somebody else has committed nothing but
    /// of requesters, and nothing where one of the seals changes other rows.
    pub(super) fn usable(&self, seals: &[Seal], size: u64) -> Usable {
        if change(seals) {
            return Usable::default();
        }
        let alone = self.size == size;
        if !alone {
            return Usable {
                quiet_since: Some(size),
                ..Usable::default()
            };
        }
        Usable {
            chains: self.chains.clone(),
            begun: self.begun.clone(),
            quiet_since: Some(self.quiet_since),
        }
    }

    /// Takes note of a commit of which it is certain that it happened. Another's commit or a change beside it ends what
    /// was known before.
    pub(super) fn after(mut self, seals: &[Seal], written: &Written) -> Known {
        let (before, after) = (written.before.size(), written.tree.size());
        if change(seals) {
            self = Known {
                quiet_since: after,
                ..Known::default()
            };
        } else if self.size != before {
            self = Known {
                quiet_since: before,
                ..Known::default()
            };
        }
        self.size = after;
        self.chains.extend(written.links.iter());
        if self.chains.len() > MAX {
            self.chains.clear();
        }
        self.follow_look_ups(seals, written);
        if self.begun.len() > MAX {
            self.begun.clear();
        }
        self
    }

    /// Takes note of the look-ups that began, and forgets those that ended.
    fn follow_look_ups(&mut self, seals: &[Seal], written: &Written) {
        for (seal, verdict) in seals.iter().zip(&written.verdicts) {
            match (&seal.act, verdict) {
                (Act::Begin(new), Verdict::Made(made)) if !made.refused => {
                    let intent = Intent {
                        owner: seal.owner,
                        seq: made.seq,
                        index: written.before.size() + made.position as u64,
                    };
                    self.begun.insert(new.lookup, intent);
                }
                (Act::End(end), _) => drop(self.begun.remove(&end.lookup)),
                _ => {}
            }
        }
    }
}

/// Whether one of them changes rows beside the log.
pub(super) fn change(seals: &[Seal]) -> bool {
    seals.iter().any(|seal| matches!(seal.act, Act::Change(_)))
}
