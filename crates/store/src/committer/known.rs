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

/// What of it concerns a batch.
pub(super) struct OfBatch {
    size: u64,
    quiet_since: u64,
    of_seals: Vec<OfSeal>,
}

/// What of it concerns one seal.
#[derive(Clone, Copy)]
struct OfSeal {
    /// The end of its owner's chain.
    chain: Option<Link>,
    /// The entry with which the look-up began that it ends.
    intent: Option<Intent>,
}

/// What a batch may use of it. Seals are named by their place in the batch.
#[derive(Default)]
pub(super) struct Usable<'a> {
    of_seals: &'a [OfSeal],
    quiet_since: Option<u64>,
}

impl Usable<'_> {
    /// The end of the chain of this seal's owner.
    pub(super) fn chain(&self, at: usize) -> Option<Link> {
        self.of_seals.get(at)?.chain
    }

    /// With which entry of its owner's chain the look-up began that this seal ends, if it is certain that it has not
    /// ended.
    pub(super) fn intent(&self, at: usize) -> Option<Intent> {
        self.of_seals.get(at)?.intent
    }

    /// What was read of a requester, if it still is true.
    pub(super) fn holds(&self, standing: Option<Standing>) -> Option<Standing> {
        standing.filter(|read| self.quiet_since.is_some_and(|since| read.log_size >= since))
    }
}

impl Known {
    /// What of it concerns these seals.
    pub(super) fn of(&self, seals: &[Seal]) -> OfBatch {
        let intent = |seal: &Seal| {
            let Act::End(end) = &seal.act else { return None };
            let intent = self.begun.get(&end.lookup).copied();
            intent.filter(|intent| intent.owner == seal.owner)
        };
        let of_seal = |seal: &Seal| OfSeal {
            chain: self.chains.get(&seal.owner).copied(),
            intent: intent(seal),
        };
        OfBatch {
            size: self.size,
            quiet_since: self.quiet_since,
            of_seals: seals.iter().map(of_seal).collect(),
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

impl OfBatch {
    /// What of it these seals may use once they have met a log of `size`: where somebody else has committed nothing but
    /// of requesters, and nothing where one of the seals changes other rows.
    pub(super) fn usable(&self, seals: &[Seal], size: u64) -> Usable<'_> {
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
            of_seals: &self.of_seals,
            quiet_since: Some(self.quiet_since),
        }
    }
}

/// Whether one of them changes rows beside the log.
pub(super) fn change(seals: &[Seal]) -> bool {
    seals.iter().any(|seal| matches!(seal.act, Act::Change(_)))
}
