//! Which counters were received: each at most once, in any order within the last 1024.

use super::SessionError;

/// How far behind the newest counter one may still arrive.
const WIDTH: u64 = 1024;

/// A ring of bits, one for each of the last [`WIDTH`] counters.
pub(super) struct Window {
    /// One more than the highest counter received.
    next: u64,
    seen: [u64; (WIDTH / 64) as usize],
}

impl Window {
    pub(super) fn new() -> Self {
        Self {
            next: 0,
            seen: [0; (WIDTH / 64) as usize],
        }
    }

    /// Marks a counter as received. Call only for messages that proved authentic: a forged counter would close
    /// the window for the true ones.
    pub(super) fn admit(&mut self, counter: u64) -> Result<(), SessionError> {
        if counter >= self.next {
            // Between the last counter and this one lie counters not yet seen: their old bits are stale.
            let first = self.next.max(counter.saturating_sub(WIDTH - 1));
            for skipped in first..=counter {
                let (word, bit) = place(skipped);
                self.seen[word] &= !bit;
            }
            self.next = counter + 1;
        } else if self.next - counter > WIDTH {
            return Err(SessionError::TooOld);
        }
        let (word, bit) = place(counter);
        if self.seen[word] & bit != 0 {
            return Err(SessionError::Replayed);
        }
        self.seen[word] |= bit;
        Ok(())
    }
}

fn place(counter: u64) -> (usize, u64) {
    let position = counter % WIDTH;
    ((position / 64) as usize, 1 << (position % 64))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Against a set that forgets nothing.
        #[test]
        fn agrees_with_a_set(counters in prop::collection::vec(
            prop_oneof![0u64..3000, 900u64..1100, (1u64 << 32) - 2000..(1 << 32)], 1..400)) {
            let mut window = Window::new();
            let mut seen = BTreeSet::new();
            for counter in counters {
                let newest = seen.last().copied().unwrap_or(0);
                let expected = if newest >= counter + WIDTH {
                    Err(SessionError::TooOld)
                } else if seen.contains(&counter) {
                    Err(SessionError::Replayed)
                } else {
                    Ok(())
                };
                prop_assert_eq!(window.admit(counter), expected);
                if expected.is_ok() {
                    seen.insert(counter);
                }
            }
        }
    }
}
