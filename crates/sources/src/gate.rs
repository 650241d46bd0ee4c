//! The bulkhead and the breaker before one source: what is slow or dead takes up a bounded number of places.

use std::{
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::outcome::Outcome;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};

use crate::{
    breaker::{Breaker, Pass, Verdict},
    limit::Limit,
    report::{Failure, Problem},
};

/// How long a question waits for a place, in milliseconds: enough for a burst, too short to pile up.
const WAIT_MS: u64 = 50;

/// The gate of one source.
pub(crate) struct Gate {
    /// The source's id, for the metric.
    source: String,
    places: Semaphore,
    waiting: AtomicUsize,
    max_waiting: usize,
    state: Mutex<State>,
    /// The state counts milliseconds from here; monotonic, so that a clock that is set cannot open or hold it.
    since: Instant,
}

struct State {
    breaker: Breaker,
    limit: Limit,
    /// How many places there are, taken or free; follows the limit as they are given back.
    places: usize,
}

/// A place towards the source. Dropped without a word, it counts as abandoned.
pub(crate) struct Place<'a> {
    gate: &'a Gate,
    permit: Option<SemaphorePermit<'a>>,
    pass: Pass,
    verdict: Verdict,
    /// The source was too busy, by its own word.
    refused: bool,
    taken_ms: u64,
}

impl Gate {
    /// A gate with so many places, to a source that must answer within `deadline`; as many questions again may wait.
    pub(crate) fn new(source: &str, places: usize, deadline: Duration) -> Self {
        let most = u32::try_from(places).unwrap_or(u32::MAX);
        Gate {
            source: source.to_owned(),
            places: Semaphore::new(places),
            waiting: AtomicUsize::new(0),
            max_waiting: places,
            state: Mutex::new(State {
                breaker: Breaker::Closed(0),
                limit: Limit::new(most, millis(deadline)),
                places,
            }),
            since: Instant::now(),
        }
    }

    /// Whether nobody would be let through now.
    pub(crate) fn is_shut(&self) -> bool {
        self.state().breaker.is_shut(self.now_ms())
    }

    /// Takes a place.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<Place<'_>, Failure> {
        let permit = match self.places.try_acquire() {
            Ok(permit) => permit,
            Err(_) => self.wait(deadline).await?,
        };
        let shut = Failure::new(Outcome::Broken, Problem::BreakerOpen);
        self.pass(permit).ok_or(shut)
    }

    /// Takes a place where one is free and nobody is kept out.
    pub(crate) fn try_enter(&self) -> Option<Place<'_>> {
        self.pass(self.places.try_acquire().ok()?)
    }

    fn pass<'a>(&'a self, permit: SemaphorePermit<'a>) -> Option<Place<'a>> {
        let now = self.now_ms();
        Some(Place {
            gate: self,
            pass: self.state().breaker.admit(now)?,
            permit: Some(permit),
            verdict: Verdict::Abandoned,
            refused: false,
            taken_ms: now,
        })
    }

    async fn wait(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Failure> {
        let full = || Failure::new(Outcome::Overloaded, Problem::NoPlace);
        let before = self.waiting.fetch_add(1, Ordering::Relaxed);
        let turn = Turn(&self.waiting);
        if before >= self.max_waiting {
            return Err(full());
        }
        let until = deadline.min(Instant::now() + Duration::from_millis(WAIT_MS));
        let permit = timeout_at(until, self.places.acquire()).await;
        drop(turn);
        permit.ok().and_then(Result::ok).ok_or_else(full)
    }

    /// Takes places away or adds some, until there are as many as the limit says. Those that others hold go when they
    /// are given back.
    fn follow(&self, state: &mut State, permit: Option<SemaphorePermit<'_>>) {
        let limit = state.limit.now() as usize;
        if limit > state.places {
            self.places.add_permits(limit - state.places);
            state.places = limit;
        } else if limit < state.places {
            if let Some(permit) = permit {
                permit.forget();
                state.places -= 1;
            }
            state.places -= self.places.forget_permits(state.places - limit);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        millis(self.since.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// One who waits; leaves the count when dropped, also when nobody polls any longer.
struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place<'_> {
    /// Tells the breaker and the limit what became of the question. Only a source that is not there or does not answer
    /// in time fails; one that answers nonsense about one person must stay open to all others. Where our own time
    /// was too short nothing was learned.
    pub(crate) fn leave(mut self, failure: Option<&Failure>) {
        self.verdict = match failure.map(|f| (f.outcome, f.problem)) {
            Some((_, Problem::OwnTimeOver)) => Verdict::Abandoned,
            Some((Outcome::Broken | Outcome::TimedOut, _)) => Verdict::Failed,
            _ => Verdict::Answered,
        };
        self.refused = failure.is_some_and(|f| f.outcome == Outcome::Overloaded);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let gate = self.gate;
        let now = gate.now_ms();
        let mut state = gate.state();
        state.breaker.record(self.pass, self.verdict, now);
        let before = state.limit.now();
        state.limit.record(self.verdict, self.refused, self.taken_ms, now);
        gate.follow(&mut state, self.permit.take());
        let after = state.limit.now();
        drop(state);
        if before != after {
            metrics::gauge!("mingcha_source_places", "source" => gate.source.clone()).set(after);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn gate(places: usize) -> Gate {
        Gate::new("test", places, Duration::from_secs(3))
    }

    fn busy() -> Failure {
        Failure::new(Outcome::Overloaded, Problem::BadStatus)
    }

    /// How many can enter at once.
    fn room(gate: &Gate) -> usize {
        let places: Vec<_> = std::iter::from_fn(|| gate.try_enter()).collect();
        places.len()
    }

    #[test]
    fn places_go_while_a_source_is_too_busy_and_come_back() {
        let gate = gate(8);
        assert_eq!(room(&gate), 8);
        for _ in 0..100 {
            gate.try_enter().unwrap().leave(Some(&busy()));
        }
        assert_eq!(room(&gate), 1);
        for _ in 0..200 {
            gate.try_enter().unwrap().leave(None);
        }
        assert_eq!(room(&gate), 8);
    }

    #[test]
    fn a_question_that_our_own_time_cut_off_teaches_nothing() {
        let gate = gate(8);
        let cut = Failure::new(Outcome::TimedOut, Problem::OwnTimeOver);
        for _ in 0..100 {
            gate.try_enter().unwrap().leave(Some(&cut));
        }
        assert!(!gate.is_shut());
        assert_eq!(room(&gate), 8);
        let late = Failure::new(Outcome::TimedOut, Problem::DeadlinePassed);
        for _ in 0..10 {
            gate.try_enter().unwrap().leave(Some(&late));
        }
        assert!(gate.is_shut());
    }

    proptest! {
        /// However places are taken and given back, there are as many as the limit says once nobody holds one.
        #[test]
        fn places_follow_the_limit(
            most in 1usize..40,
            steps in prop::collection::vec((any::<bool>(), any::<prop::sample::Index>(), 0u8..4), 1..400),
        ) {
            let gate = gate(most);
            let mut held = Vec::new();
            for (enters, which, how) in steps {
                if enters || held.is_empty() {
                    held.extend(gate.try_enter());
                    prop_assert!(held.len() <= most);
                } else {
                    let place: Place<'_> = held.swap_remove(which.index(held.len()));
                    match how {
                        0 => drop(place),
                        1 => place.leave(None),
                        _ => place.leave(Some(&busy())),
                    }
                }
                let state = gate.state();
                prop_assert_eq!(state.places, gate.places.available_permits() + held.len());
                prop_assert!(state.places >= state.limit.now() as usize && state.places <= most);
            }
            held.clear();
            prop_assert_eq!(gate.places.available_permits(), gate.state().limit.now() as usize);
        }
    }
}
