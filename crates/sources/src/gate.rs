//! The bulkhead and the breaker before one source: what is slow or dead takes up a bounded number of places.

use std::{
    sync::{
        Mutex, PoisonError,
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
    report::{Failure, Problem},
};

/// How long a question waits for a place, in milliseconds: enough for a burst, too short to pile up.
const WAIT_MS: u64 = 50;

/// The gate of one source.
pub(crate) struct Gate {
    places: Semaphore,
    waiting: AtomicUsize,
    max_waiting: usize,
    breaker: Mutex<Breaker>,
    /// The breaker counts milliseconds from here; monotonic, so that a clock that is set cannot open or hold it.
    since: Instant,
}

/// A place towards the source. Dropped without a word, it counts as abandoned.
pub(crate) struct Place<'a> {
    gate: &'a Gate,
    _permit: SemaphorePermit<'a>,
    pass: Pass,
    verdict: Verdict,
}

impl Gate {
    /// A gate with so many places; as many questions again may wait.
    pub(crate) fn new(places: usize) -> Self {
        Gate {
            places: Semaphore::new(places),
            waiting: AtomicUsize::new(0),
            max_waiting: places,
            breaker: Mutex::new(Breaker::Closed(0)),
            since: Instant::now(),
        }
    }

    /// Whether nobody would be let through now.
    pub(crate) fn is_shut(&self) -> bool {
        self.breaker().is_shut(self.now_ms())
    }

    /// Takes a place.
    pub(crate) async fn enter(&self, deadline: Instant) -> Result<Place<'_>, Failure> {
        let permit = match self.places.try_acquire() {
            Ok(permit) => permit,
            Err(_) => self.wait(deadline).await?,
        };
        let pass = self.breaker().admit(self.now_ms());
        let pass = pass.ok_or(Failure::new(Outcome::Broken, Problem::BreakerOpen))?;
        Ok(Place {
            gate: self,
            _permit: permit,
            pass,
            verdict: Verdict::Abandoned,
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

    fn breaker(&self) -> std::sync::MutexGuard<'_, Breaker> {
        self.breaker.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.since.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// One who waits; leaves the count when dropped, also when nobody polls any longer.
struct Turn<'a>(&'a AtomicUsize);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Place<'_> {
    /// Tells the breaker what became of the question. Only a source that is not there or does not answer in time
    /// fails; one that answers nonsense about one person must stay open to all others.
    pub(crate) fn leave(mut self, failure: Option<&Failure>) {
        let outcome = failure.map(|f| f.outcome);
        self.verdict = match outcome {
            Some(Outcome::Broken | Outcome::TimedOut) => Verdict::Failed,
            _ => Verdict::Answered,
        };
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.gate
            .breaker()
            .record(self.pass, self.verdict, self.gate.now_ms());
    }
}
