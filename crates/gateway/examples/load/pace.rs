//! When the next question is due: at once, or at its place in an even rate that a thread of its own keeps.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

use tokio::{sync::Semaphore, time::Instant};

use crate::Run;

/// Questions that may be due and wait; more are missed, and make the run wrong.
const MAX_DUE: usize = 100_000;
/// The thread looks again at least this often whether the run is over.
const LONGEST_NAP: Duration = Duration::from_millis(50);

/// The pace of a run.
pub(crate) struct Pace {
    rate: f64,
    due: Mutex<VecDeque<Instant>>,
    waiting: Semaphore,
    missed: AtomicU64,
}

impl Pace {
    /// So many questions a second; 0 is as many as are answered.
    pub(crate) fn new(rate: f64) -> Self {
        Pace {
            rate,
            due: Mutex::default(),
            waiting: Semaphore::new(0),
            missed: AtomicU64::new(0),
        }
    }

    /// Waits until a question is due; the instant at which it was. Nothing when the run is over.
    pub(crate) async fn next(&self) -> Option<Instant> {
        if self.rate <= 0.0 {
            return Some(Instant::now());
        }
        self.waiting.acquire().await.ok()?.forget();
        self.due
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()
    }

    /// Ends all waiting.
    pub(crate) fn stop(&self) {
        self.waiting.close();
    }

    /// How many questions found no place.
    pub(crate) fn missed(&self) -> u64 {
        self.missed.load(Ordering::Relaxed)
    }

    fn release(&self, at: Instant) {
        let mut due = self.due.lock().unwrap_or_else(PoisonError::into_inner);
        if due.len() < MAX_DUE {
            due.push_back(at);
            self.waiting.add_permits(1);
        } else {
            self.missed.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Starts the thread that keeps the pace. A sleeping thread wakes within some 60 µs, a timer of the runtime within
/// a millisecond, which would be a burst of questions at each.
pub(crate) fn start(run: &Arc<Run>) -> JoinHandle<()> {
    let run = Arc::clone(run);
    thread::spawn(move || {
        if run.pace.rate <= 0.0 {
            return;
        }
        let apart = Duration::from_secs_f64(1.0 / run.pace.rate);
        let mut next = Instant::now();
        while !run.is_stopped() {
            let now = Instant::now();
            while next <= now {
                run.pace.release(next);
                next += apart;
            }
            thread::sleep((next - now).min(LONGEST_NAP));
        }
    })
}
