//! The store: SQLite and PostgreSQL behind one concrete type, and the committer, the only writer of the log.
//!
//! [`Store`]'s methods stand in files by noun. What must be atomic with an entry of the log goes through
//! [`Store::seal`]; everything else is a plain transaction. Personal data is encrypted before it gets here or here,
//! under keys of its subject, which live in a database of their own.

mod accounts;
mod attempts;
#[cfg(feature = "bench-unsealed")]
mod bench;
mod checks;
mod closing;
mod committer;
mod deployment;
pub mod engine;
mod entries;
mod erasure;
mod error;
mod head_file;
mod inner;
mod journal;
mod log;
mod lookups;
mod open;
mod outbox;
mod random;
mod reviews;
mod rotation;
mod schema;
mod seen;
mod sessions;
mod subject_keys;
mod subjects;
#[cfg(feature = "testing")]
pub mod testing;
mod tiles;

use std::sync::Arc;

use domain::{ids::SubjectId, time::Clock};

pub use accounts::Account;
pub use attempts::{Attempts, Bound, Bounded, CoolDown};
pub use checks::Check;
pub use closing::PHONE_PASSED_ON;
pub use committer::{Act, Effect, Outcome, Seal, Sealed};
pub use entries::EntryView;
pub use erasure::PERSON_ERASED;
pub use error::StoreError;
pub use inner::LogKeys;
pub use lookups::{EndLookup, GRACE_SECONDS, NewLookup, OverdueLookup, REPEATABLE_SECONDS, Repetition};
pub use open::StoreConfig;
pub use outbox::{LookupPage, LookupView};
pub use random::Random;
pub use reviews::{MAX_OPEN_REVIEWS, NewReview, ReviewAdvance, ReviewPart, ReviewView};
pub use sessions::{MAX_SESSION_SECONDS, NewSession, SessionView};
pub use subjects::{OpenedPerson, SealedPerson, Subject};

use crate::{committer::Committer, inner::Inner, subject_keys::SubjectKeys};

/// The store. Clones share it.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
    committer: Committer,
}

impl Store {
    /// Seals one entry together with what must be atomic with it. Durable when this returns.
    ///
    /// # Errors
    /// Nothing was written, or nobody can know ([`StoreError::Stopping`]): then nothing may be answered either.
    pub fn seal(&self, seal: Seal) -> impl Future<Output = Result<Outcome, StoreError>> + Send {
        // A kilobyte, which whoever waits would hold several times, once for each step on the way.
        let seal = Box::new(seal);
        async move {
            #[cfg(feature = "bench-unsealed")]
            if let Some(outcome) = bench::unsealed(&seal) {
                return Ok(outcome);
            }
            self.committer.seal(seal).await
        }
    }

    /// Resolves with the reason when the log can no longer be written and the process has to end.
    pub async fn stopped(&self) -> String {
        let mut stopping = self.inner.stopping.subscribe();
        loop {
            if let Some(why) = stopping.borrow_and_update().clone() {
                return why;
            }
            if stopping.changed().await.is_err() {
                return "the store is gone".to_owned();
            }
        }
    }

    /// The store's clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.inner.clock
    }

    /// The store's generator.
    #[must_use]
    pub fn random(&self) -> &Arc<Random> {
        &self.inner.random
    }

    /// The keys of the deployment.
    #[must_use]
    pub fn root_keys(&self) -> &Arc<crypto::RootKeys> {
        &self.inner.root
    }

    /// `demo` or `production`.
    #[must_use]
    pub fn realm(&self) -> &str {
        self.inner.root.realm()
    }

    /// This process among all that share the database.
    #[must_use]
    pub fn node(&self) -> [u8; 16] {
        self.inner.node
    }

    async fn keys_for(&self, subject: SubjectId, classes: &[&str]) -> Result<Arc<SubjectKeys>, StoreError> {
        let now = self.inner.clock.now();
        self.inner
            .keys
            .ensure(subject, classes, now, &self.inner.random)
            .await
    }
}
