//! A circuit breaker: a source that failed often of late is left alone for a while, then tried with one question.
//!
//! It is a plain state machine over milliseconds that the caller passes in, so that every order of events can be
//! tested. What one person's record looks like never opens it: only a source that cannot be reached or does not
//! answer in time counts as failing.

/// How many verdicts are looked back at.
const WINDOW: u32 = 20;
/// How many failures among them open it: half, so that a source which answers now and then is left alone too.
pub(crate) const OPENS_AFTER: u32 = 10;
/// For how many milliseconds it stays open before one question may try.
pub(crate) const OPEN_MS: u64 = 2_000;

/// The state of the way to one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Breaker {
    /// Everything passes; of the last [`WINDOW`] verdicts the ones that failed, the latest in the lowest bit.
    Closed(u32),
    /// Nothing passes before this instant.
    Open(u64),
    /// One question is trying; nothing else passes.
    Trying,
}

/// How a question was let through; to be given back with what became of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Pass {
    /// The way was open to all.
    Ordinary,
    /// This question decides whether the way is free again.
    Trial,
}

/// What became of a question that was let through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// The source answered, whatever it answered.
    Answered,
    /// The source could not be reached or did not answer in time.
    Failed,
    /// Nobody waited for the answer, so that nothing was learned.
    Abandoned,
}

impl Breaker {
    /// Asks to pass.
    pub(crate) fn admit(&mut self, now_ms: u64) -> Option<Pass> {
        match *self {
            Breaker::Closed(_) => Some(Pass::Ordinary),
            Breaker::Open(until) if now_ms >= until => {
                *self = Breaker::Trying;
                Some(Pass::Trial)
            }
            Breaker::Open(_) | Breaker::Trying => None,
        }
    }

    /// Whether it would let nobody pass.
    pub(crate) fn is_shut(self, now_ms: u64) -> bool {
        match self {
            Breaker::Closed(_) => false,
            Breaker::Open(until) => now_ms < until,
            Breaker::Trying => true,
        }
    }

    /// Tells what became of a question. Stragglers from before it opened change nothing.
    pub(crate) fn record(&mut self, pass: Pass, verdict: Verdict, now_ms: u64) {
        *self = match (*self, pass, verdict) {
            (Breaker::Closed(failed), Pass::Ordinary, Verdict::Answered) => Breaker::Closed(later(failed)),
            (Breaker::Closed(failed), Pass::Ordinary, Verdict::Failed) => match later(failed) | 1 {
                failed if failed.count_ones() >= OPENS_AFTER => Breaker::Open(now_ms.saturating_add(OPEN_MS)),
                failed => Breaker::Closed(failed),
            },
            (Breaker::Trying, Pass::Trial, Verdict::Answered) => Breaker::Closed(0),
            (Breaker::Trying, Pass::Trial, Verdict::Failed) => Breaker::Open(now_ms.saturating_add(OPEN_MS)),
            (Breaker::Trying, Pass::Trial, Verdict::Abandoned) => Breaker::Open(now_ms),
            (unchanged, _, _) => unchanged,
        };
    }
}

/// The window one verdict later; the oldest is forgotten.
fn later(failed: u32) -> u32 {
    (failed << 1) & ((1 << WINDOW) - 1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn verdict() -> impl Strategy<Value = Verdict> {
        prop_oneof![1 => Just(Verdict::Answered), 3 => Just(Verdict::Failed), 1 => Just(Verdict::Abandoned)]
    }

    proptest! {
        /// Any interleaving of questions: at most one trial at a time, none before its time, and the way never
        /// stays shut once questions come and go.
        #[test]
        fn every_order_of_events_is_safe(
            steps in prop::collection::vec((0u64..900, any::<bool>(), any::<prop::sample::Index>(), verdict()), 1..400),
        ) {
            let (mut breaker, mut now, mut passing) = (Breaker::Closed(0), 0u64, Vec::<Pass>::new());
            let (mut shut_since, mut recent) = (None::<u64>, Vec::<bool>::new());
            for (wait, asks, which, verdict) in steps {
                now += wait;
                if asks || passing.is_empty() {
                    let shut = breaker.is_shut(now);
                    let admitted = breaker.admit(now);
                    prop_assert_eq!(shut, admitted.is_none());
                    if let (Some(Pass::Trial), Some(since)) = (admitted, shut_since) {
                        prop_assert!(now >= since + OPEN_MS);
                    }
                    if admitted == Some(Pass::Trial) {
                        prop_assert!(!passing.contains(&Pass::Trial));
                    }
                    passing.extend(admitted);
                } else {
                    let pass = passing.swap_remove(which.index(passing.len()));
                    let before = breaker;
                    breaker.record(pass, verdict, now);
                    if let (Breaker::Closed(_), Pass::Ordinary, Verdict::Answered | Verdict::Failed) = (before, pass, verdict) {
                        recent.push(verdict == Verdict::Failed);
                        let failed = recent.iter().rev().take(WINDOW as usize).filter(|failed| **failed).count();
                        let opens = failed >= OPENS_AFTER as usize;
                        prop_assert_eq!(opens, matches!(breaker, Breaker::Open(_)));
                    }
                    match breaker {
                        Breaker::Closed(_) if before == Breaker::Trying => { recent.clear(); shut_since = None; }
                        Breaker::Open(until) if before != breaker && verdict == Verdict::Failed => {
                            prop_assert_eq!(until, now + OPEN_MS);
                            shut_since = Some(now);
                        }
                        _ => {}
                    }
                }
            }
            for pass in passing.drain(..) {
                breaker.record(pass, Verdict::Abandoned, now);
            }
            prop_assert!(breaker.admit(now + OPEN_MS).is_some());
        }
    }

    #[test]
    fn a_source_that_answers_now_and_then_is_left_alone_too() {
        let opens = |every: u32| {
            let mut breaker = Breaker::Closed(0);
            (1..=200).find(|n| {
                let verdict = if n % every == 0 {
                    Verdict::Answered
                } else {
                    Verdict::Failed
                };
                breaker.record(Pass::Ordinary, verdict, 0);
                breaker.is_shut(0)
            })
        };
        assert_eq!(opens(10), Some(11), "nine of ten fail");
        assert_eq!(opens(3), Some(14), "two of three fail");
        let mut breaker = Breaker::Closed(0);
        for n in 0..1000 {
            let verdict = if n % 5 < 2 {
                Verdict::Failed
            } else {
                Verdict::Answered
            };
            breaker.record(Pass::Ordinary, verdict, 0);
        }
        assert!(!breaker.is_shut(0), "two of five fail");
    }

    #[test]
    fn one_answer_closes_it_again() {
        let mut breaker = Breaker::Closed(0);
        for _ in 0..OPENS_AFTER {
            let pass = breaker.admit(0).unwrap();
            breaker.record(pass, Verdict::Failed, 0);
        }
        assert_eq!(breaker.admit(OPEN_MS - 1), None);
        let trial = breaker.admit(OPEN_MS).unwrap();
        assert_eq!(breaker.admit(OPEN_MS), None);
        breaker.record(trial, Verdict::Answered, OPEN_MS);
        assert_eq!(breaker.admit(OPEN_MS), Some(Pass::Ordinary));
    }
}
