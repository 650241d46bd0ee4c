//! Bounds on how often one account may look up, kept in memory: a node forgets them when it stops, and the bounds
//! that must not be forgotten (codes, proofs, questions about others) are counted in the database instead.

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::{ids::AccountId, time::Timestamp};
use lru::LruCache;

/// How many accounts are counted at once: 7 MB. Beyond it whoever has not asked for the longest time is forgotten, which
/// is nobody who asks again before 100,000 others have.
// INVARIANT: not zero, or it does not compile.
const COUNTED: NonZeroUsize = NonZeroUsize::new(100_000).unwrap();

/// Counts look-ups per account and minute.
#[derive(Debug)]
pub struct Limiter(Mutex<LruCache<AccountId, Counted>>);

/// How many there were in which minute.
#[derive(Debug, Clone, Copy)]
struct Counted {
    minute: i64,
    times: u32,
}

impl Counted {
    /// Whoever has looked at the clock just before a minute began, and comes just after another, counts in the new one.
    fn is_of(self, minute: i64) -> bool {
        self.minute == minute || self.minute == minute + 1
    }
}

impl Default for Limiter {
    fn default() -> Self {
        Limiter::of(COUNTED)
    }
}

impl Limiter {
    fn of(accounts: NonZeroUsize) -> Self {
        Limiter(Mutex::new(LruCache::sparse(accounts)))
    }

    /// Counts one look-up; `Err` with the seconds to wait when there were too many in this minute.
    ///
    /// # Errors
    /// The seconds until the next minute begins.
    pub fn count(&self, account: AccountId, per_minute: u32, now: Timestamp) -> Result<(), i64> {
        let (minute, wait) = minute_of(now);
        let mut accounts = self.accounts();
        let counted = accounts.get_or_insert_mut(account, || Counted { minute, times: 0 });
        if !counted.is_of(minute) {
            *counted = Counted { minute, times: 0 };
        }
        if counted.times >= per_minute {
            return Err(wait);
        }
        counted.times += 1;
        Ok(())
    }

    /// Whether the next look-up of this minute would be one too many; counts nothing.
    ///
    /// # Errors
    /// The seconds until the next minute begins.
    pub fn look(&self, account: AccountId, per_minute: u32, now: Timestamp) -> Result<(), i64> {
        let (minute, wait) = minute_of(now);
        match self.accounts().peek(&account) {
            Some(counted) if counted.is_of(minute) && counted.times >= per_minute => Err(wait),
            _ => Ok(()),
        }
    }

    fn accounts(&self) -> MutexGuard<'_, LruCache<AccountId, Counted>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The minute of that time, and how many seconds of it are left.
fn minute_of(now: Timestamp) -> (i64, i64) {
    let seconds = now.0.div_euclid(1_000_000);
    (seconds.div_euclid(60), 60 - seconds.rem_euclid(60))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp(seconds * 1_000_000)
    }

    #[test]
    fn a_minute_has_so_many_and_the_next_one_again() {
        let (limiter, account) = (Limiter::default(), AccountId::from_bytes([1; 16]));
        assert_eq!(limiter.count(account, 2, at(120)), Ok(()));
        assert_eq!(limiter.count(account, 2, at(121)), Ok(()));
        assert_eq!(limiter.look(account, 2, at(150)), Err(30));
        assert_eq!(limiter.count(account, 2, at(150)), Err(30));
        assert_eq!(limiter.count(AccountId::from_bytes([2; 16]), 2, at(150)), Ok(()));
        assert_eq!(limiter.look(account, 2, at(180)), Ok(()));
        assert_eq!(limiter.count(account, 2, at(180)), Ok(()));
    }

    #[test]
    fn who_comes_with_the_time_of_before_gives_no_new_minute() {
        let (limiter, account) = (Limiter::default(), AccountId::from_bytes([1; 16]));
        assert_eq!(limiter.count(account, 2, at(180)), Ok(()));
        assert_eq!(limiter.count(account, 2, at(179)), Ok(()));
        assert_eq!(limiter.count(account, 2, at(180)), Err(60));
        assert_eq!(limiter.look(account, 2, at(179)), Err(1));
        // A clock that was wrong by an hour keeps nobody out for an hour.
        assert_eq!(limiter.count(account, 2, at(180 - 3600)), Ok(()));
    }

    #[test]
    fn whoever_asks_again_and_again_is_not_forgotten_among_many() {
        let limiter = Limiter::of(NonZeroUsize::new(4).unwrap());
        let busy = AccountId::from_bytes([255; 16]);
        let counts = (0..100).map(|n| {
            let others = AccountId::from_bytes([n; 16]);
            limiter.count(others, 5, Timestamp(0)).unwrap();
            limiter.count(busy, 5, Timestamp(0))
        });
        assert_eq!(counts.filter(Result::is_ok).count(), 5);
        assert_eq!(
            limiter.accounts().len(),
            4,
            "no more are counted than it has room for"
        );
    }
}
