//! What all questions to one source share, such as a session or a token: one question makes it, the others wait.

use std::sync::{
    Arc, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use domain::outcome::Outcome;
use tokio::time::Instant;

use crate::report::{Failure, Problem};

/// One such thing, made anew when it is no longer good.
pub(crate) struct Shared<T> {
    current: RwLock<Option<Arc<T>>>,
    /// Held while it is being made, so that many questions make one and not many; how that last failed.
    making: tokio::sync::Mutex<Option<Failure>>,
    /// How many times it failed: who waited meanwhile shares the failure, and does not try again in turn.
    failures: AtomicU64,
}

impl<T> Shared<T> {
    /// Nothing is made before the first question.
    pub(crate) fn new() -> Self {
        Shared {
            current: RwLock::new(None),
            making: tokio::sync::Mutex::new(None),
            failures: AtomicU64::new(0),
        }
    }

    /// What there is, or what `make` gives where that is no longer good.
    pub(crate) async fn get(
        &self,
        deadline: Instant,
        is_good: impl Fn(&T) -> bool,
        make: impl Future<Output = Result<T, Failure>>,
    ) -> Result<Arc<T>, Failure> {
        if let Some(good) = self.good(&is_good) {
            return Ok(good);
        }
        let failures = self.failures.load(Ordering::Acquire);
        let mut last_failure = self.making.lock().await;
        if let Some(good) = self.good(&is_good) {
            return Ok(good);
        }
        if Instant::now() >= deadline {
            // Whoever waited until now must not make what nobody will use.
            return Err(Failure::new(Outcome::TimedOut, Problem::DeadlinePassed));
        }
        match &*last_failure {
            Some(failure) if self.failures.load(Ordering::Acquire) != failures => return Err(failure.clone()),
            _ => {}
        }
        let made = match make.await {
            Ok(made) => Arc::new(made),
            Err(failure) => {
                *last_failure = Some(failure.clone());
                self.failures.fetch_add(1, Ordering::Release);
                return Err(failure);
            }
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&made));
        Ok(made)
    }

    /// Drops this one, unless another question already replaced it.
    pub(crate) fn forget(&self, lost: &Arc<T>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|kept| Arc::ptr_eq(kept, lost)) {
            *current = None;
        }
    }

    fn good(&self, is_good: impl Fn(&T) -> bool) -> Option<Arc<T>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.as_ref().filter(|kept| is_good(kept)).cloned()
    }
}
