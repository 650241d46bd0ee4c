//! How fast places become free, measured while all are taken, and what that lets us tell those who wait.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

/// The longest that one question stays in work: its deadline of 3 s, and half a second for the seals after it.
pub(super) const SLOWEST: Duration = Duration::from_millis(3500);
/// As many ends as are remembered: some nine commits, each of which ends about 28 look-ups at once.
const REMEMBERED: usize = 256;
/// With fewer of them chance would decide.
const ENOUGH: usize = 16;

/// The pace of one node.
#[derive(Debug)]
pub(super) struct Pace {
    /// How many are in work at once.
    bound: usize,
    /// When a place became free last, if all were taken then.
    last: Option<Instant>,
    /// The times between two such ends, and their sum.
    gaps: VecDeque<Duration>,
    sum: Duration,
}

impl Pace {
    /// Before anything was measured each question is thought to take all of its time.
    pub(super) fn new(bound: usize) -> Self {
        Pace {
            bound,
            last: None,
            gaps: VecDeque::new(),
            sum: Duration::ZERO,
        }
    }

    /// Enough was measured.
    pub(super) fn is_known(&self) -> bool {
        self.gaps.len() >= ENOUGH
    }

    /// A place became free; `crowded` says that all were taken until now.
    pub(super) fn freed(&mut self, now: Instant, crowded: bool) {
        let last = std::mem::replace(&mut self.last, crowded.then_some(now));
        let Some(last) = last.filter(|_| crowded) else {
            return;
        };
        if self.gaps.len() == REMEMBERED {
            self.sum -= self.gaps.pop_front().unwrap_or_default();
        }
        let gap = now.saturating_duration_since(last);
        self.gaps.push_back(gap);
        self.sum += gap;
    }

    /// The time between two places that become free.
    fn apart(&self) -> Duration {
        match u32::try_from(self.gaps.len()) {
            Ok(count) if self.is_known() => self.sum / count,
            _ => SLOWEST / u32::try_from(self.bound).unwrap_or(u32::MAX).max(1),
        }
    }

    /// How long it takes at this pace until so many places became free.
    pub(super) fn until(&self, place: usize) -> Duration {
        let place = u32::try_from(place).unwrap_or(u32::MAX);
        self.apart().saturating_mul(place).min(self.at_worst(place))
    }

    /// What is told: until their place, and one round more, because all who are in work may just have begun; half as
    /// long again, because a pace that was kept is not sure to be kept; whole seconds, at least one; never more than it
    /// takes if each question takes all of its time.
    pub(super) fn told(&self, place: usize) -> i64 {
        let count = u32::try_from(place).unwrap_or(u32::MAX);
        let told = (self.until(place.saturating_add(self.bound)) * 3 / 2).min(self.at_worst(count));
        i64::try_from(told.as_millis().div_ceil(1000)).map_or(i64::MAX, |seconds| seconds.max(1))
    }

    fn at_worst(&self, place: u32) -> Duration {
        let bound = u32::try_from(self.bound).unwrap_or(u32::MAX).max(1);
        SLOWEST.saturating_mul(place.div_ceil(bound))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_pace_is_measured_while_all_places_are_taken() {
        let (mut pace, mut now) = (Pace::new(10), Instant::now());
        assert_eq!(pace.until(10), SLOWEST, "nothing was measured");
        assert_eq!(pace.told(20), 7, "and never more than the slowest");
        for _ in 0..=ENOUGH {
            now += Duration::from_millis(20);
            pace.freed(now, true);
        }
        assert!(pace.is_known());
        assert_eq!(pace.until(50), Duration::from_secs(1));
        assert_eq!((pace.told(1), pace.told(50), pace.told(100)), (1, 2, 4));
        // A pause in which places were free says nothing about the pace.
        now += Duration::from_secs(3600);
        pace.freed(now, false);
        now += Duration::from_secs(3600);
        pace.freed(now, true);
        assert_eq!(pace.until(50), Duration::from_secs(1));
        for _ in 0..REMEMBERED {
            now += Duration::from_millis(40);
            pace.freed(now, true);
        }
        assert_eq!(
            pace.until(50),
            Duration::from_secs(2),
            "what is long ago is forgotten"
        );
    }
}
