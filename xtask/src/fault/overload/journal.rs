//! What became of each question, and what must not have.

use std::time::Duration;

use serde_json::Value;

use crate::run::Stopwatch;

/// The program's own deadline, from the arrival of whoever was told nothing; standing in line is part of it.
const IN_TIME: Duration = Duration::from_secs(3);
/// Whoever was told a place may stand up to a second when they come again, and has the whole deadline then.
const IN_TIME_TOLD: Duration = Duration::from_secs(4);
/// A refusal comes at once.
const AT_ONCE: Duration = Duration::from_secs(1);
/// Whoever waits comes at whole seconds, and stands up to one second then.
const TOLERANCE: Duration = Duration::from_secs(2);
/// From so many answers on a share is a share.
pub(super) const MANY: usize = 1000;
/// The machine may be busy with something else: so large a share of many may be late, and of few.
const LATE: (f64, f64) = (0.01, 0.1);

/// So many answers more or less are chance, of many and of few: a busy machine gives away more places that nobody stands
/// for.
const CHANCE: (usize, usize) = (1, 3);

/// What somebody who waits was told.
#[derive(Debug, Clone)]
pub(super) struct Told {
    pub(super) turn: String,
    pub(super) place: u64,
    pub(super) estimate: u64,
    pub(super) retry_after: u64,
}

/// What was told first, and what has become of it so far.
pub(super) struct Promise {
    watch: Stopwatch,
    first: Told,
    place: u64,
}

impl Promise {
    pub(super) fn new(first: Told) -> Self {
        Promise {
            watch: Stopwatch::start(),
            place: first.place,
            first,
        }
    }

    /// Told again. The turn is the same and the place no worse.
    ///
    /// # Errors
    /// It is not.
    pub(super) fn again(&mut self, told: &Told) -> Result<(), String> {
        if told.turn != self.first.turn {
            return Err("a turn was lost".to_owned());
        }
        if told.place > self.place {
            return Err(format!("place {} became {}", self.place, told.place));
        }
        self.place = told.place;
        Ok(())
    }

    /// It was their turn: whether within the time that was told first.
    pub(super) fn end(self) -> bool {
        self.watch.elapsed() <= Duration::from_secs(self.first.estimate) + TOLERANCE
    }
}

/// What became of a question.
#[derive(Debug)]
pub(super) enum Ended {
    /// Found, in that time since it was sent last, naming a turn that was told or none; and whether the time was kept
    /// that was told first, by whoever holds it against that.
    Answered {
        took: Duration,
        told: bool,
        kept: Option<bool>,
    },
    /// Neither answered nor given a place: the line is full (503), or the account has its place (429).
    Refused {
        took: Duration,
        retry_after: u64,
        full: bool,
    },
    /// Anything else.
    Wrong(String),
}

/// What became of all questions, by account; the first account floods.
pub(super) struct Journal(Vec<Vec<Ended>>);

impl Journal {
    pub(super) fn new(accounts: usize) -> Self {
        Journal((0..accounts).map(|_| vec![]).collect())
    }

    pub(super) fn write(&mut self, account: usize, ended: Vec<Ended>) {
        if let Some(of_account) = self.0.get_mut(account) {
            of_account.extend(ended);
        }
    }

    pub(super) fn accounts(&self) -> usize {
        self.0.len()
    }

    /// How many look-ups were answered.
    pub(super) fn answers(&self) -> usize {
        self.0.iter().map(|ended| answered(ended)).sum()
    }

    fn all(&self) -> impl Iterator<Item = &Ended> {
        self.0.iter().flatten()
    }

    /// What must not have been where one account floods.
    pub(super) fn exceptions(&self) -> Vec<String> {
        let mut exceptions = self.broken();
        exceptions.extend(self.starved());
        exceptions
    }

    /// What must not have been where all do as they are told and the line has so many places, of which this one was the
    /// last that was told. Whoever is refused comes back when chance wills, so that nobody's share is judged here.
    pub(super) fn of_a_crowd(&self, places: usize, last_place: u64) -> Vec<String> {
        let mut exceptions = self.broken();
        if last_place != places as u64 {
            exceptions.push(format!(
                "the last place in line was {last_place}, where there are {places}"
            ));
        }
        match self.refused() {
            (0, _) => exceptions.push("the line was full for nobody".to_owned()),
            (_, 0) => {}
            (_, own) => exceptions.push(format!(
                "{own} who asked one thing were told that they wait already"
            )),
        }
        exceptions
    }

    /// What was told and not kept.
    fn broken(&self) -> Vec<String> {
        let wrong = self.all().filter_map(|ended| match ended {
            Ended::Wrong(what) => Some(what.clone()),
            _ => None,
        });
        let mut exceptions: Vec<String> = wrong.collect();
        let late = if self.answers() < MANY { LATE.1 } else { LATE.0 };
        for (what, (bad, of)) in [
            ("answers later than the deadline", self.slow()),
            ("refusals not at once", self.tardy()),
            ("waits longer than told", self.longer()),
        ] {
            if bad as f64 > late * of as f64 {
                exceptions.push(format!("{bad} of {of} {what}"));
            }
        }
        if self.longer().1 == 0 {
            exceptions.push("nobody had to wait, so that nothing was tried".to_owned());
        }
        exceptions
    }

    /// Who was answered less than a third as often as the one who floods, chance aside. A place in work that nobody
    /// stands for goes to whoever comes next, which is more often than not the one who floods.
    pub(super) fn starved(&self) -> Vec<String> {
        let Some((flood, others)) = self.0.split_first() else {
            return vec![];
        };
        let most = answered(flood);
        let chance = if self.answers() < MANY { CHANCE.1 } else { CHANCE.0 };
        let starved = others.iter().map(|ended| answered(ended));
        starved
            .filter(|count| 3 * (count + chance) < most)
            .map(|count| format!("{count} answers, where the one who floods had {most}"))
            .collect()
    }

    fn slow(&self) -> (usize, usize) {
        count(self.all().filter_map(|ended| match ended {
            Ended::Answered { took, told, .. } => Some(*took > if *told { IN_TIME_TOLD } else { IN_TIME }),
            _ => None,
        }))
    }

    fn tardy(&self) -> (usize, usize) {
        count(self.all().filter_map(|ended| match ended {
            Ended::Refused { took, .. } => Some(*took > AT_ONCE),
            _ => None,
        }))
    }

    fn longer(&self) -> (usize, usize) {
        count(self.all().filter_map(|ended| match ended {
            Ended::Answered { kept, .. } => kept.map(|kept| !kept),
            _ => None,
        }))
    }

    /// How many were refused because the line was full, and because their account has its place.
    pub(super) fn refused(&self) -> (usize, usize) {
        let full = self.all().filter_map(|ended| match ended {
            Ended::Refused { full, .. } => Some(*full),
            _ => None,
        });
        let (full, all) = count(full);
        (full, all - full)
    }

    /// What is worth comparing between runs.
    pub(super) fn figures(&self) -> Vec<(&'static str, Value)> {
        let others = self.0.get(1..).unwrap_or_default();
        let least = others
            .iter()
            .map(|ended| answered(ended))
            .min()
            .unwrap_or_default();
        vec![
            ("waited", Value::from(self.longer().1)),
            ("longer_than_told", Value::from(self.longer().0)),
            ("refused_full", Value::from(self.refused().0)),
            ("refused_has_place", Value::from(self.refused().1)),
            ("late", Value::from(self.slow().0)),
            (
                "flood_answers",
                Value::from(self.0.first().map_or(0, |ended| answered(ended))),
            ),
            ("least_answers", Value::from(least)),
        ]
    }
}

fn answered(ended: &[Ended]) -> usize {
    let answered = ended.iter().filter(|e| matches!(e, Ended::Answered { .. }));
    answered.count()
}

/// How many are so, and of how many.
fn count(all: impl Iterator<Item = bool>) -> (usize, usize) {
    all.fold((0, 0), |(so, of), is| (so + usize::from(is), of + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(kept: Option<bool>) -> Ended {
        answer_in(200, kept.is_some(), kept)
    }

    fn answer_in(millis: u64, told: bool, kept: Option<bool>) -> Ended {
        let took = Duration::from_millis(millis);
        Ended::Answered { took, told, kept }
    }

    fn journal(flood: usize, others: &[usize]) -> Journal {
        let mut journal = Journal::new(1 + others.len());
        for (account, count) in std::iter::once(&flood).chain(others).enumerate() {
            journal.write(account, (0..*count).map(|_| answer(Some(true))).collect());
        }
        journal
    }

    #[test]
    fn who_floods_has_no_more_than_three_shares() {
        assert!(journal(5, &[5, 4, 6]).exceptions().is_empty());
        assert_eq!(journal(19, &[5, 3, 6]).starved().len(), 1);
        assert_eq!(journal(90, &[5, 3, 6]).starved().len(), 3);
    }

    #[test]
    fn what_was_told_is_held_against_what_was_met() {
        let told = |turn: &str, place| Told {
            turn: turn.to_owned(),
            place,
            estimate: 5,
            retry_after: 1,
        };
        let mut promise = Promise::new(told("7", 4));
        assert!(promise.again(&told("7", 4)).is_ok() && promise.again(&told("7", 2)).is_ok());
        assert!(promise.again(&told("7", 3)).is_err() && promise.again(&told("8", 1)).is_err());
        assert!(promise.end());
    }

    #[test]
    fn who_was_told_nothing_has_three_seconds_from_their_arrival() {
        for (told, late) in [(false, 1), (true, 0)] {
            let mut journal = journal(1, &[1]);
            journal.write(1, vec![answer_in(3500, told, None)]);
            assert_eq!(journal.slow(), (late, 3), "told: {told}");
        }
    }

    #[test]
    fn a_crowd_must_have_filled_the_line() {
        let refused = |full| Ended::Refused {
            took: Duration::ZERO,
            retry_after: 1,
            full,
        };
        let mut crowd = journal(1, &[1, 9]);
        assert_eq!(
            crowd.of_a_crowd(8, 7).len(),
            2,
            "never full, and nobody was refused"
        );
        crowd.write(1, vec![refused(true)]);
        assert!(crowd.of_a_crowd(8, 8).is_empty());
        assert_eq!(
            (crowd.of_a_crowd(8, 7).len(), crowd.of_a_crowd(8, 9).len()),
            (1, 1)
        );
        crowd.write(2, vec![refused(false), refused(true)]);
        assert_eq!(crowd.refused(), (2, 1));
        assert_eq!(crowd.of_a_crowd(8, 8).len(), 1);
    }

    #[test]
    fn one_that_is_late_is_chance_and_many_are_not() {
        let mut few = journal(10, &[10, 10]);
        few.write(1, vec![answer(Some(false))]);
        assert!(few.exceptions().is_empty());
        few.write(2, (0..5).map(|_| answer(Some(false))).collect());
        assert_eq!(few.exceptions(), ["6 of 36 waits longer than told"]);
        assert_eq!(
            Journal::new(2).exceptions().len(),
            1,
            "nothing tried is nothing shown"
        );
    }
}
