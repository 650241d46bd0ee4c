//! The generator that the program passes in, shared by all who need a nonce, a salt or an id.

use std::sync::{Mutex, PoisonError};

use domain::time::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

/// A seeded generator behind a lock. Whoever holds the seed can predict it: the program seeds it from the system.
pub struct Random(Mutex<ChaCha20Rng>);

impl Random {
    /// A generator with this seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Random(Mutex::new(ChaCha20Rng::from_seed(seed)))
    }

    /// Runs `draw` with the generator.
    pub fn with<T>(&self, draw: impl FnOnce(&mut ChaCha20Rng) -> T) -> T {
        draw(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// So many random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.with(|rng| rng.fill_bytes(&mut bytes));
        bytes
    }

    /// A generator of its own for one piece of work, so that the lock is not held meanwhile.
    pub fn fork(&self) -> ChaCha20Rng {
        ChaCha20Rng::from_seed(self.bytes())
    }

    /// A new time-ordered id of any of our id types: `random.id(now, SubjectId::new)`.
    pub fn id<T>(&self, now: Timestamp, make: impl FnOnce(Timestamp, [u8; 10]) -> T) -> T {
        make(now, self.bytes())
    }
}
