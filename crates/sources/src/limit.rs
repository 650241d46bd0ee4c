//! How many questions one source is asked at once: as many as its file allows while it keeps up, fewer while it is
//! slow or fails, and more again step by step.
//!
//! A plain state machine over milliseconds that the caller passes in, like the breaker. Sixteen answers are judged
//! together, so that one slow record in a hundred changes nothing: additive increase, multiplicative decrease, as in
//! TCP (RFC 5681).

use crate::breaker::Verdict;

/// How many answers are judged together.
const ROUND: u8 = 16;
/// From so many bad ones among them on, the source does not keep up: a quarter.
const BAD: u8 = ROUND / 4;
/// An answer within this many milliseconds is never slow: that much a busy machine of our own may add.
const QUICK_MS: u64 = 100;
/// An answer that takes so many times as long as usual is slow.
const SLOW: u64 = 4;
/// The usual time follows each answer by one part in so many, so that a source which is slower for good is soon
/// taken as it is.
const MEMORY: u64 = 32;
/// In so many good rounds the limit grows from nothing to all that is allowed.
const STEPS: u32 = 32;

/// The limit, and what was seen since it was last judged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limit {
    most: u32,
    now: u32,
    /// In milliseconds; whatever is usual, what takes longer than this is slow.
    slowest_ms: u64,
    /// [`MEMORY`] times the usual time of an answer, in milliseconds; none before the first.
    usual: Option<u64>,
    seen: u8,
    bad: u8,
    /// When it was last lowered: what was asked before says nothing about the lower limit.
    lowered_ms: u64,
}

impl Limit {
    /// As many as are allowed, at a source that must answer within `deadline_ms`.
    pub(crate) fn new(most: u32, deadline_ms: u64) -> Self {
        let most = most.max(1);
        Limit {
            most,
            now: most,
            slowest_ms: (deadline_ms / 2).max(1),
            usual: None,
            seen: 0,
            bad: 0,
            lowered_ms: 0,
        }
    }

    /// How many questions may be under way; from 1 to what is allowed.
    pub(crate) fn now(&self) -> u32 {
        self.now
    }

    /// Tells what became of a question. `refused` is one that the source was too busy for, by its own word.
    pub(crate) fn record(&mut self, verdict: Verdict, refused: bool, asked_ms: u64, now_ms: u64) {
        if verdict == Verdict::Abandoned {
            return;
        }
        let took_ms = now_ms.saturating_sub(asked_ms);
        let is_bad = refused || verdict == Verdict::Failed || self.is_slow(took_ms);
        if verdict == Verdict::Answered && !refused {
            let usual = self.usual.unwrap_or(took_ms.saturating_mul(MEMORY));
            self.usual = Some((usual - usual / MEMORY).saturating_add(took_ms));
        }
        if asked_ms < self.lowered_ms {
            return;
        }
        self.seen += 1;
        self.bad += u8::from(is_bad);
        if self.bad >= BAD {
            self.now -= (self.now / 4).max(1).min(self.now - 1);
            (self.seen, self.bad, self.lowered_ms) = (0, 0, now_ms);
        } else if self.seen >= ROUND {
            self.now = (self.now + (self.most / STEPS).max(1)).min(self.most);
            (self.seen, self.bad) = (0, 0);
        }
    }

    fn is_slow(&self, took_ms: u64) -> bool {
        let usual = self.usual.map_or(u64::MAX, |usual| usual / MEMORY);
        let slow = usual.saturating_mul(SLOW).max(QUICK_MS).min(self.slowest_ms);
        took_ms > slow
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const DEADLINE: u64 = 3000;

    /// Asks one after the other, each answered after so many milliseconds; the time at the end.
    fn answer(limit: &mut Limit, mut now: u64, times: u32, took: u64, verdict: Verdict) -> u64 {
        for _ in 0..times {
            limit.record(verdict, false, now, now + took);
            now += took + 1;
        }
        now
    }

    fn verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![3 => Just(Verdict::Answered), 2 => Just(Verdict::Failed), 1 => Just(Verdict::Abandoned)]
    }

    proptest! {
        /// Whatever happens, in whatever order and by whatever clock.
        #[test]
        fn it_stays_between_one_and_what_is_allowed(
            most in 0u32..5000,
            deadline in 0u64..100_000,
            events in prop::collection::vec((verdict(), any::<bool>(), any::<u64>(), any::<u64>()), 0..400),
        ) {
            let mut limit = Limit::new(most, deadline);
            for (verdict, refused, asked, now) in events {
                let before = limit.now();
                limit.record(verdict, refused, asked, now);
                prop_assert!((1..=most.max(1)).contains(&limit.now()));
                prop_assert!(limit.now() >= before - (before / 4).max(1).min(before - 1), "by a quarter at most");
                prop_assert!(limit.seen < ROUND && limit.bad < BAD);
            }
        }

        /// Failing, refusing or slow, for long enough: one question at a time is left; and all are back afterwards.
        #[test]
        fn it_falls_while_a_source_is_ill_and_comes_back(
            most in 1u32..4097, quick in 0u64..90, how in 0u8..3,
        ) {
            let mut limit = Limit::new(most, DEADLINE);
            let mut now = answer(&mut limit, 0, 50, quick, Verdict::Answered);
            prop_assert_eq!(limit.now(), most);
            for _ in 0..200 {
                let (verdict, refused, took) = match how {
                    0 => (Verdict::Failed, false, 5),
                    1 => (Verdict::Answered, true, 5),
                    _ => (Verdict::Answered, false, DEADLINE / 2 + 1),
                };
                limit.record(verdict, refused, now, now + took);
                now += took + 1;
            }
            prop_assert_eq!(limit.now(), 1);
            // 32 rounds or one by one, and at first what was usual in bad times is forgotten.
            answer(&mut limit, now, u32::from(ROUND) * (2 * STEPS + most.min(64)), quick, Verdict::Answered);
            prop_assert_eq!(limit.now(), most);
        }
    }

    #[test]
    fn four_times_as_slow_as_usual_is_slow() {
        let mut limit = Limit::new(64, DEADLINE);
        let now = answer(&mut limit, 0, 96, 40, Verdict::Answered);
        let now = answer(&mut limit, now, 3, 300, Verdict::Answered);
        assert_eq!(limit.now(), 64, "three of sixteen");
        answer(&mut limit, now, 1, 300, Verdict::Answered);
        assert_eq!(limit.now(), 48);
    }

    #[test]
    fn a_few_slow_records_change_nothing() {
        let mut limit = Limit::new(64, DEADLINE);
        let mut now = 0;
        for _ in 0..100 {
            now = answer(&mut limit, now, 13, 10, Verdict::Answered);
            now = answer(&mut limit, now, 3, 2_000, Verdict::Answered);
        }
        assert_eq!(limit.now(), 64);
    }

    #[test]
    fn a_source_that_is_slower_for_good_is_taken_as_it_is() {
        let mut limit = Limit::new(64, DEADLINE);
        let now = answer(&mut limit, 0, 100, 20, Verdict::Answered);
        let now = answer(&mut limit, now, 60, 400, Verdict::Answered);
        assert!(limit.now() < 64);
        answer(&mut limit, now, 1000, 400, Verdict::Answered);
        assert_eq!(limit.now(), 64);
    }

    #[test]
    fn what_was_asked_before_says_nothing_about_the_lower_limit() {
        let mut limit = Limit::new(64, DEADLINE);
        for n in 0..64 {
            limit.record(Verdict::Failed, false, 0, 3_000 + n);
        }
        assert_eq!(limit.now(), 48, "one flood of timeouts is one sign");
    }
}
