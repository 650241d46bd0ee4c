//! Bounds on how often one account may look up, kept in memory: a node forgets them when it stops, and the bounds
//! that must not be forgotten (codes, proofs, questions about others) are counted in the database instead.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use domain::{ids::AccountId, time::Timestamp};

/// How many accounts are counted at once; beyond it, those whose minute is over are forgotten.
const COUNTED: usize = 100_000;

/// Counts look-ups per account and minute.
#[derive(Debug, Default)]
pub struct Limiter(Mutex<BTreeMap<AccountId, (i64, u32)>>);

impl Limiter {
    /// Counts one look-up; `Err` with the seconds to wait when there were too many in this minute.
    ///
    /// # Errors
    /// The seconds until the next minute begins.
    pub fn count(&self, account: AccountId, per_minute: u32, now: Timestamp) -> Result<(), i64> {
        let seconds = now.0.div_euclid(1_000_000);
        let minute = seconds.div_euclid(60);
        let mut counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counted.len() >= COUNTED {
            counted.retain(|_, (m, _)| *m == minute);
        }
        let entry = counted.entry(account).or_insert((minute, 0));
        if entry.0 != minute {
            *entry = (minute, 0);
        }
        if entry.1 >= per_minute {
            return Err(60 - seconds.rem_euclid(60));
        }
        entry.1 += 1;
        Ok(())
    }

    /// Whether the next look-up of this minute would be one too many; counts nothing.
    ///
    /// # Errors
    /// The seconds until the next minute begins.
    pub fn look(&self, account: AccountId, per_minute: u32, now: Timestamp) -> Result<(), i64> {
        let seconds = now.0.div_euclid(1_000_000);
        let counted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counted.get(&account) {
            Some((minute, count)) if *minute == seconds.div_euclid(60) && *count >= per_minute => {
                Err(60 - seconds.rem_euclid(60))
            }
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_so_many_and_the_next_one_again() {
        let (limiter, account) = (Limiter::default(), AccountId::from_bytes([1; 16]));
        let at = |s: i64| Timestamp(s * 1_000_000);
        assert_eq!(limiter.count(account, 2, at(120)), Ok(()));
        assert_eq!(limiter.count(account, 2, at(121)), Ok(()));
        assert_eq!(limiter.look(account, 2, at(150)), Err(30));
        assert_eq!(limiter.count(account, 2, at(150)), Err(30));
        assert_eq!(limiter.count(AccountId::from_bytes([2; 16]), 2, at(150)), Ok(()));
        assert_eq!(limiter.look(account, 2, at(180)), Ok(()));
        assert_eq!(limiter.count(account, 2, at(180)), Ok(()));
    }
}
