//! Drops that wait for an operator's word: sound, and so unlike the one before that something may have gone wrong.

use std::sync::{MutexGuard, PoisonError};

use super::{DropState, Drops, Quarantine, Serving, import::hex, shelf::Digest};
use crate::{sources::Sources, transport::Transport};

/// What waits, and what the operator accepted.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) waiting: Option<Quarantine>,
    accepted: Option<String>,
}

/// A drop is quarantined where it has fewer than four fifths of the rows of the one before.
pub(super) fn is_shrunk(rows: u64, before: u64) -> bool {
    rows.saturating_mul(5) < before.saturating_mul(4)
}

impl Sources {
    /// What the drops of each source are at. It reads no file.
    #[must_use]
    pub fn drop_states(&self) -> Vec<DropState> {
        let state = |source: &crate::source::Source| match &source.transport {
            Transport::Drops(drops) => Some(drops.state()),
            _ => None,
        };
        self.all().iter().filter_map(state).collect()
    }

    /// Takes an operator's word that a drop that waits is meant: the next look takes it. `false` where no drop of this
    /// source with this checksum waits for one.
    pub fn accept_drop(&self, source: &str, digest: &str) -> bool {
        let Some((_, drops)) = self.drops_of(source) else {
            return false;
        };
        let mut waiting = drops.waiting();
        let waits = waiting.waiting.as_ref().is_some_and(|drop| drop.digest == digest);
        if waits {
            waiting.accepted = Some(digest.to_owned());
        }
        waits
    }

    /// Whether a drop with this checksum waits for an operator's word.
    #[must_use]
    pub fn drop_waits(&self, source: &str, digest: &str) -> bool {
        let waits = |drops: &Drops| {
            let waiting = drops.waiting();
            let is_this = waiting.waiting.as_ref().is_some_and(|drop| drop.digest == digest);
            is_this && waiting.accepted.as_deref() != Some(digest)
        };
        self.drops_of(source).is_some_and(|(_, drops)| waits(drops))
    }
}

impl Drops {
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.quarantine.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the operator accepted this drop.
    pub(super) fn is_accepted(&self, digest: &Digest) -> bool {
        self.waiting().accepted.as_deref() == Some(&hex(digest))
    }

    /// Whether the drop of this name waits and was accepted meanwhile.
    pub(super) fn was_accepted(&self, file: &str) -> bool {
        let waiting = self.waiting();
        let digest = waiting.waiting.as_ref().filter(|drop| drop.file == file);
        digest.is_some_and(|drop| waiting.accepted.as_ref() == Some(&drop.digest))
    }

    fn state(&self) -> DropState {
        let serving = match &*self.serving() {
            Serving::Shelf(shelf) => Some((shelf.as_of().rfc3339(), shelf.rows())),
            _ => None,
        };
        let reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        DropState {
            source: self.id.clone(),
            serving,
            reading: reading.clone(),
            waiting: self.waiting().waiting.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fifth_may_go() {
        assert!(!is_shrunk(0, 0) && !is_shrunk(4, 5) && !is_shrunk(8, 10) && !is_shrunk(11, 10));
        assert!(is_shrunk(0, 1) && is_shrunk(3, 5) && is_shrunk(79, 100) && is_shrunk(1, u64::MAX));
    }
}
