//! The line as a state machine: who is in work, who waits, and who is next. It knows no clock and no connection.
//!
//! One account has one place. So nobody is ever overtaken by whom they were told to be before, and between two turns
//! of one account everybody has theirs who waited meanwhile: first come, first served is round robin then.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use domain::{
    ids::{AccountId, SessionId},
    requester::Requester,
};
use tokio::time::Instant;

use super::pace::Pace;

/// Places in the line for each question in work: 8 × 3.5 s = 28 s is the longest that anybody waits, even where every
/// question takes all of its time.
const PLACES_FOR_EACH: usize = 8;
/// Whose turn comes within this stands in line with an open connection; the others are told their place at once.
pub(super) const STANDING: Duration = Duration::from_secs(1);
/// The longest until somebody is to come again: a person who sees nothing new for longer thinks it is stuck.
const LONGEST_AWAY_SECONDS: i64 = 5;
/// Accounts that were admitted lately and are remembered: as many as a busy node admits while its line moves on once.
const MOST_REMEMBERED: usize = 16_384;
/// How much later than told somebody may come and still has their place: a phone in a pocket, a slow network.
const GRACE: Duration = Duration::from_secs(10);

/// The number of a turn; the line is in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TurnId(pub(super) u64);

/// What somebody who waits is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Which turn.
    pub turn: TurnId,
    /// 1 is the next.
    pub place: usize,
    /// Seconds until it is their turn, at most.
    pub seconds: i64,
    /// Seconds after which they are to come again.
    pub come_after: i64,
    /// They named a turn that is not known any more, and this is a new one.
    pub anew: bool,
}

/// How somebody enters.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entered<K> {
    /// Into work, at once; with what they waited as, if they did.
    Works(Option<Waited<K>>),
    /// Into the line.
    Waits(TurnId),
    /// Not at all: the line is full, or nearly full and their account had a turn while it moved on last. The seconds
    /// until it has moved on.
    Full(i64),
    /// Not at all: their account has its place, and another question waits there. The seconds until its turn.
    HasPlace(i64),
}

/// Whoever has left the line for work.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Waited<K> {
    /// What was kept for them.
    pub(super) kept: Option<K>,
    /// They had been told a place and a time, and came again.
    pub(super) told: bool,
}

struct Waiting<W, K> {
    account: AccountId,
    session: SessionId,
    /// How to reach who stands there; nobody does while they are away.
    stands: Option<W>,
    /// What is kept for them while they wait; it goes with the place.
    kept: Option<K>,
    /// Their place was told, so that it is kept while they are away.
    told: bool,
    anew: bool,
    /// Until when it is kept.
    lapses: Instant,
}

impl<W, K> Waiting<W, K> {
    fn parts(self) -> (Option<W>, Waited<K>) {
        let (kept, told) = (self.kept, self.told);
        (self.stands, Waited { kept, told })
    }
}

/// The line. `W` is how to reach somebody who stands in it, `K` what is kept for somebody who waits.
pub(super) struct Line<W, K> {
    /// How many may be in work at once.
    bound: usize,
    /// How many may stand with an open connection.
    most_standing: usize,
    in_work: usize,
    next: u64,
    waiting: BTreeMap<TurnId, Waiting<W, K>>,
    of_account: BTreeMap<AccountId, TurnId>,
    standing: BTreeSet<TurnId>,
    /// Who was admitted last, while the line was nearly full. Who asks most often would else win most of the places
    /// that become free.
    admitted: BTreeMap<AccountId, Instant>,
    pace: Pace,
}

impl<W, K> Line<W, K> {
    pub(super) fn new(bound: usize, most_standing: usize) -> Self {
        let bound = bound.max(1);
        Line {
            bound,
            most_standing,
            in_work: 0,
            next: 1,
            waiting: BTreeMap::new(),
            of_account: BTreeMap::new(),
            standing: BTreeSet::new(),
            admitted: BTreeMap::new(),
            pace: Pace::new(bound),
        }
    }

    /// How many are in work, and how many wait.
    pub(super) fn counts(&self) -> (usize, usize) {
        (self.in_work, self.waiting.len())
    }

    /// Nobody new gets in.
    pub(super) fn is_full(&self) -> bool {
        self.in_work >= self.bound && self.waiting.len() >= self.bound * PLACES_FOR_EACH
    }

    /// Whether somebody waits with this turn.
    pub(super) fn waits(&self, turn: TurnId) -> bool {
        self.waiting.contains_key(&turn)
    }

    /// The seconds until the whole line has moved on.
    pub(super) fn seconds_of_all(&self) -> i64 {
        self.pace.told(self.waiting.len())
    }

    /// Enters, new or with a turn that was told.
    pub(super) fn enter(&mut self, who: &Requester, named: Option<TurnId>, now: Instant) -> Entered<K> {
        let own = named.filter(|turn| self.is_of(*turn, who));
        if self.in_work < self.bound {
            self.in_work += 1;
            self.admit(who.account, now);
            let waited = own.and_then(|turn| self.remove(turn));
            return Entered::Works(waited.map(|w| w.parts().1));
        }
        if let Some(turn) = own {
            return Entered::Waits(turn);
        }
        if let Some(place) = self.place_of(who.account) {
            return Entered::HasPlace(self.pace.told(place));
        }
        if self.is_full() || self.had_a_turn(who.account, now) {
            return Entered::Full(self.seconds_of_all());
        }
        let turn = TurnId(self.next);
        self.next += 1;
        let waiting = Waiting {
            account: who.account,
            session: who.session,
            stands: None,
            kept: None,
            told: false,
            anew: named.is_some(),
            lapses: now + GRACE,
        };
        self.waiting.insert(turn, waiting);
        self.of_account.insert(who.account, turn);
        Entered::Waits(turn)
    }

    /// Whether so short a wait is left that one stands in line for it.
    pub(super) fn is_near(&self, turn: TurnId) -> bool {
        let place = self.place(turn);
        place <= self.most_standing && self.pace.until(place) <= STANDING
    }

    /// Stands in line from now on.
    pub(super) fn stand(&mut self, turn: TurnId, reach: W) {
        if let Some(waiting) = self.waiting.get_mut(&turn) {
            waiting.stands = Some(reach);
            self.standing.insert(turn);
        }
    }

    /// Whether another request stands there already.
    pub(super) fn stands(&self, turn: TurnId) -> bool {
        self.standing.contains(&turn)
    }

    /// Keeps something for whoever waits, in place of what was kept before.
    pub(super) fn keep(&mut self, turn: TurnId, kept: K) {
        if let Some(waiting) = self.waiting.get_mut(&turn) {
            waiting.kept = Some(kept);
        }
    }

    /// What is kept for whoever waits.
    pub(super) fn kept(&self, turn: TurnId) -> Option<&K> {
        self.waiting.get(&turn)?.kept.as_ref()
    }

    /// Steps aside, to come again later.
    pub(super) fn step_aside(&mut self, turn: TurnId) {
        self.standing.remove(&turn);
        if let Some(waiting) = self.waiting.get_mut(&turn) {
            waiting.stands = None;
        }
    }

    /// Place and time; nothing where it is not in the line any more. The place is kept until well after they are to
    /// come again.
    pub(super) fn tell(&mut self, turn: TurnId, now: Instant) -> Option<Told> {
        let place = self.place(turn);
        // Half of the time, so that they are there if it goes faster; and soon, where nothing is known of the pace.
        let half = i64::try_from(self.pace.until(place).as_secs() / 2).unwrap_or(i64::MAX);
        let longest = if self.pace.is_known() {
            LONGEST_AWAY_SECONDS
        } else {
            1
        };
        let come_after = half.clamp(1, longest);
        // Whoever comes when they are told to stands in line for a moment then.
        let seconds = self.pace.told(place).max(come_after + 1);
        let waiting = self.waiting.get_mut(&turn)?;
        waiting.told = true;
        waiting.lapses = now + Duration::from_secs(come_after.unsigned_abs()) + GRACE;
        Some(Told {
            turn,
            place,
            seconds,
            come_after,
            anew: waiting.anew,
        })
    }

    /// Broke off. A place that was told is kept for a while; who was told nothing will not come for it.
    pub(super) fn broke_off(&mut self, turn: TurnId) {
        if self.waiting.get(&turn).is_some_and(|w| w.told) {
            self.step_aside(turn);
        } else {
            self.remove(turn);
        }
    }

    /// Gives a place up, if it is theirs.
    pub(super) fn leave(&mut self, who: &Requester) {
        if let Some(turn) = self.turn_of(who) {
            self.remove(turn);
        }
    }

    /// The turn of this session, if it waits.
    pub(super) fn turn_of(&self, who: &Requester) -> Option<TurnId> {
        let turn = *self.of_account.get(&who.account)?;
        Some(turn).filter(|turn| self.is_of(*turn, who))
    }

    /// Whether the turn is this session's.
    pub(super) fn is_of(&self, turn: TurnId, who: &Requester) -> bool {
        let waiting = self.waiting.get(&turn);
        waiting.is_some_and(|w| w.account == who.account && w.session == who.session)
    }

    /// A question is done: its place in work goes to the first who stands there, or is free.
    #[must_use = "the place in work is theirs now"]
    pub(super) fn done(&mut self, now: Instant) -> Option<(W, Waited<K>)> {
        self.pace.freed(now, self.in_work >= self.bound);
        let next = self.standing.first().copied();
        let next = next.and_then(|turn| self.remove(turn));
        if let Some(waiting) = &next {
            self.admit(waiting.account, now);
        }
        match next.map(Waiting::parts) {
            Some((Some(reach), waited)) => Some((reach, waited)),
            _ => {
                self.in_work = self.in_work.saturating_sub(1);
                None
            }
        }
    }

    /// Others may be refused for want of a place: the last quarter is for who had no turn lately.
    fn is_busy(&self) -> bool {
        self.waiting.len() * 4 >= self.bound * PLACES_FOR_EACH * 3
    }

    fn admit(&mut self, account: AccountId, now: Instant) {
        if self.is_busy() && self.admitted.len() < MOST_REMEMBERED {
            self.admitted.insert(account, now);
        }
    }

    /// The account had a turn while others are refused, and the line has not moved on once since.
    fn had_a_turn(&self, account: AccountId, now: Instant) -> bool {
        let since = self.admitted.get(&account).filter(|_| self.is_busy());
        since.is_some_and(|since| now < *since + self.pace.until(self.waiting.len()))
    }

    /// Forgets whoever did not come again in time; how many.
    pub(super) fn sweep(&mut self, now: Instant) -> u64 {
        if self.is_busy() {
            let moved_on = self.pace.until(self.waiting.len());
            self.admitted.retain(|_, since| now < *since + moved_on);
        } else {
            self.admitted.clear();
        }
        let lapsed = |w: &Waiting<W, K>| w.stands.is_none() && w.lapses < now;
        let gone: Vec<TurnId> = self
            .waiting
            .iter()
            .filter(|(_, w)| lapsed(w))
            .map(|(turn, _)| *turn)
            .collect();
        for turn in &gone {
            self.remove(*turn);
        }
        gone.len() as u64
    }

    fn place_of(&self, account: AccountId) -> Option<usize> {
        #[cfg(feature = "planted")]
        if crate::planted::acts("many-places") {
            return None;
        }
        self.of_account.get(&account).map(|turn| self.place(*turn))
    }

    /// The place of a turn: 1 is the next.
    fn place(&self, turn: TurnId) -> usize {
        self.waiting.range(..=turn).count()
    }

    fn remove(&mut self, turn: TurnId) -> Option<Waiting<W, K>> {
        self.standing.remove(&turn);
        let waiting = self.waiting.remove(&turn)?;
        if self.of_account.get(&waiting.account) == Some(&turn) {
            self.of_account.remove(&waiting.account);
        }
        Some(waiting)
    }
}

#[cfg(test)]
mod tests;
