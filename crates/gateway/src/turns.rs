//! Whose turn it is: so many questions are in work at once, and whoever comes when all places are taken waits in a
//! bounded line, with a place and a time that are kept.
//!
//! Nothing is sealed while a question waits for its turn, for nothing was asked yet. Whoever was told a place and comes
//! again is admitted from the line, and their deadline counts from then; whoever was told nothing, and stood in line for
//! a moment without knowing, has it from their arrival. What is lost when the process ends is the place, and whoever
//! comes with it is told.
//! `docs/decisions/0017-one-place.md` says why an account has one place.

mod line;
mod pace;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::requester::Requester;
use tokio::{
    sync::oneshot,
    time::{Instant, timeout},
};

use line::{Entered, Line, STANDING, Waited};
pub use line::{Told, TurnId};

use crate::{app::App, error::Error, portal::turn::Kept};

/// A place in work. It is given on, or free again, when this is dropped.
#[must_use = "the question is in work only as long as this is held"]
pub struct Pass {
    turns: Arc<Turns>,
    /// When the question was admitted, where its requester had been told a place before.
    admitted: Option<Instant>,
    kept: Option<Kept>,
}

/// Enters work, unless the account has had its look-ups of this minute: then it takes up no place.
///
/// # Errors
/// [`Error::TooMany`], or as [`Turns::enter`].
pub async fn enter(app: &App, who: &Requester, named: Option<TurnId>) -> Result<Pass, Error> {
    let per_minute = app.config.limits.lookups_per_minute;
    app.limiter
        .look(who.account, per_minute, app.now())
        .map_err(|retry_after| Error::TooMany { retry_after })?;
    app.turns.enter(who, named).await
}

/// The turns of one node.
pub struct Turns(Mutex<TheLine>);

type TheLine = Line<oneshot::Sender<Pass>, Kept>;

impl Turns {
    /// So many questions in work at once, and at most so many that stand in line with an open connection.
    #[must_use]
    pub fn new(in_work: usize, standing: usize) -> Arc<Self> {
        Arc::new(Turns(Mutex::new(Line::new(in_work, standing))))
    }

    /// Refuses at once, before anything is read of a request that names no turn of the line. Whose turn it is cannot be
    /// asked yet: that takes the database.
    ///
    /// # Errors
    /// [`Error::Overloaded`]: the line is full.
    pub fn shed(&self, named: Option<TurnId>) -> Result<(), Error> {
        let line = self.line();
        let has_place = named.is_some_and(|turn| line.waits(turn));
        if !has_place && line.is_full() {
            let retry_after = line.seconds_of_all();
            return Err(counted("full", Error::Overloaded { retry_after }));
        }
        Ok(())
    }

    /// Enters work, at once or after a moment in line. `named` is the turn that was told before.
    ///
    /// # Errors
    /// [`Error::Waiting`] with place and time; at once, where there is no place, [`Error::Overloaded`] or
    /// [`Error::AlreadyWaiting`].
    pub async fn enter(self: &Arc<Self>, who: &Requester, named: Option<TurnId>) -> Result<Pass, Error> {
        let (turn, mut reached) = {
            let mut line = self.line();
            match line.enter(who, named, Instant::now()) {
                Entered::Works(waited) => return Ok(self.pass(waited)),
                Entered::Full(retry_after) => return Err(counted("full", Error::Overloaded { retry_after })),
                Entered::HasPlace(retry_after) => {
                    return Err(counted("has-place", Error::AlreadyWaiting { retry_after }));
                }
                Entered::Waits(turn) if line.stands(turn) || !line.is_near(turn) => {
                    return Err(told(&mut line, turn));
                }
                Entered::Waits(turn) => {
                    let (reach, reached) = oneshot::channel();
                    line.stand(turn, reach);
                    (turn, reached)
                }
            }
        };
        let mut standing = Standing {
            turns: self,
            turn: Some(turn),
        };
        let came = timeout(STANDING, &mut reached).await;
        let mut line = self.line();
        standing.turn = None;
        // It may have come just after the wait was over.
        match came.ok().and_then(Result::ok).or_else(|| reached.try_recv().ok()) {
            Some(pass) => Ok(pass),
            None => {
                line.step_aside(turn);
                Err(told(&mut line, turn))
            }
        }
    }

    /// Keeps what a person typed until it is their turn.
    pub(crate) fn keep(&self, turn: TurnId, kept: Kept) {
        self.line().keep(turn, kept);
    }

    /// The turn of this session, if it waits, and something of what is kept for it.
    pub(crate) fn of<T>(
        &self,
        who: &Requester,
        read: impl FnOnce(&Kept) -> T,
    ) -> Option<(TurnId, Option<T>)> {
        let line = self.line();
        let turn = line.turn_of(who)?;
        Some((turn, line.kept(turn).map(read)))
    }

    /// Place and time of a turn of this session.
    ///
    /// # Errors
    /// It has no such turn.
    pub fn look(&self, who: &Requester, turn: TurnId) -> Result<Told, Error> {
        let mut line = self.line();
        if !line.is_of(turn, who) {
            return Err(Error::NotFound);
        }
        line.tell(turn, Instant::now()).ok_or(Error::NotFound)
    }

    /// Gives the place of this session up, with what was kept for it.
    pub fn leave(&self, who: &Requester) {
        self.line().leave(who);
    }

    /// Forgets whoever did not come again in time, and counts those who are there; how many were forgotten.
    #[expect(
        clippy::cast_precision_loss,
        reason = "a gauge is a float; there are a few thousand places"
    )]
    pub fn sweep(&self) -> u64 {
        let (gone, (in_work, waiting)) = {
            let mut line = self.line();
            (line.sweep(Instant::now()), line.counts())
        };
        metrics::gauge!("mingcha_turns_in_work").set(in_work as f64);
        metrics::gauge!("mingcha_turns_waiting").set(waiting as f64);
        if gone > 0 {
            metrics::counter!("mingcha_turns_total", "what" => "lapsed").increment(gone);
        }
        gone
    }

    fn pass(self: &Arc<Self>, waited: Option<Waited<Kept>>) -> Pass {
        if waited.is_some() {
            metrics::counter!("mingcha_turns_total", "what" => "served").increment(1);
        }
        Pass {
            turns: Arc::clone(self),
            admitted: waited.as_ref().is_some_and(|w| w.told).then(Instant::now),
            kept: waited.and_then(|w| w.kept),
        }
    }

    fn line(&self) -> MutexGuard<'_, TheLine> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What somebody in line is told.
fn told(line: &mut TheLine, turn: TurnId) -> Error {
    match line.tell(turn, Instant::now()) {
        Some(told) => counted("told", Error::Waiting(told)),
        // The place was given up meanwhile, from another page.
        None => Error::Overloaded { retry_after: 1 },
    }
}

fn counted(what: &'static str, error: Error) -> Error {
    metrics::counter!("mingcha_turns_total", "what" => what).increment(1);
    error
}

impl Pass {
    /// From when the deadline counts: the arrival, or the admission of a question whose requester had been told to wait.
    #[must_use]
    pub fn since(&self, arrived: Instant) -> Instant {
        self.admitted.unwrap_or(arrived)
    }

    /// What was kept while it waited.
    pub(crate) fn take_kept(&mut self) -> Option<Kept> {
        self.kept.take()
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        let unreached = {
            let mut line = self.turns.line();
            let next = line.done(Instant::now());
            // Sent while the line is held: whoever has waited long enough looks once more for it.
            next.and_then(|(reach, waited)| reach.send(self.turns.pass(Some(waited))).err())
        };
        // Whoever has just broken off gives it on to the next.
        drop(unreached);
    }
}

/// Somebody who stands in line. When the connection breaks, the next one is not kept waiting for them.
struct Standing<'a> {
    turns: &'a Turns,
    turn: Option<TurnId>,
}

impl Drop for Standing<'_> {
    fn drop(&mut self) {
        if let Some(turn) = self.turn {
            self.turns.line().broke_off(turn);
        }
    }
}

impl TurnId {
    /// From its text; anything else is no turn.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.parse().ok().map(TurnId)
    }
}

impl std::fmt::Display for TurnId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use domain::{
        ids::{AccountId, SessionId},
        requester::Role,
        words::Level,
    };
    use tokio::time::sleep;

    use super::*;

    fn person(number: u8) -> Requester {
        Requester {
            role: Role::Person,
            account: AccountId::from_bytes([number; 16]),
            session: SessionId::from_bytes([number; 16]),
            subject: None,
            level: Level::L2,
            standing: None,
        }
    }

    async fn all_taken(turns: &Arc<Turns>, count: u8) -> Vec<Pass> {
        let mut passes = vec![];
        for number in 0..count {
            passes.push(turns.enter(&person(100 + number), None).await.unwrap());
        }
        passes
    }

    async fn until_waiting(turns: &Turns, count: usize) {
        while turns.line().counts().1 != count {
            sleep(Duration::from_millis(1)).await;
        }
    }

    async fn until_standing(turns: &Turns, turn: TurnId) {
        while !turns.line().stands(turn) {
            sleep(Duration::from_millis(1)).await;
        }
    }

    /// With so many in work, the next one's turn comes within the second that one stands for it.
    const MANY: u8 = 8;

    #[tokio::test]
    async fn who_stands_in_line_gets_the_place_that_is_given_on() {
        let turns = Turns::new(MANY.into(), 100);
        let mut passes = all_taken(&turns, MANY).await;
        let waiting = tokio::spawn({
            let turns = Arc::clone(&turns);
            async move { turns.enter(&person(1), None).await }
        });
        until_waiting(&turns, 1).await;
        drop(passes.pop());
        let pass = waiting.await.unwrap().unwrap();
        let long_ago = Instant::now() - Duration::from_secs(9);
        assert_eq!(
            pass.since(long_ago),
            long_ago,
            "who was told nothing has it from the arrival"
        );
        assert_eq!(turns.line().counts(), (MANY.into(), 0));
        drop((pass, passes));
        assert_eq!(turns.line().counts(), (0, 0), "every place is free again");
    }

    #[tokio::test]
    async fn who_breaks_off_keeps_nobody_waiting() {
        let turns = Turns::new(MANY.into(), 100);
        let mut passes = all_taken(&turns, MANY).await;
        let enter = |number| {
            let turns = Arc::clone(&turns);
            tokio::spawn(async move { turns.enter(&person(number), None).await })
        };
        let gone = enter(1);
        until_waiting(&turns, 1).await;
        let next = enter(2);
        until_waiting(&turns, 2).await;
        gone.abort();
        drop(gone.await);
        assert_eq!(
            turns.line().counts(),
            (MANY.into(), 1),
            "nothing was told, nothing is kept"
        );
        drop(passes.pop());
        drop(next.await.unwrap().unwrap());
        drop(passes);
        assert_eq!(turns.line().counts(), (0, 0));
    }

    #[tokio::test]
    async fn a_turn_that_nobody_has_gets_nobody_past_a_full_line() {
        let turns = Turns::new(1, 0);
        let _passes = all_taken(&turns, 1).await;
        let mut told = vec![];
        for number in 1..=8 {
            assert!(turns.shed(None).is_ok());
            match turns.enter(&person(number), None).await {
                Err(Error::Waiting(place)) => told.push(place.turn),
                _ => panic!("it waits"),
            }
        }
        for turn in told {
            assert!(turns.shed(Some(turn)).is_ok());
        }
        for none in [None, TurnId::parse("0"), TurnId::parse("999")] {
            assert!(
                matches!(turns.shed(none), Err(Error::Overloaded { .. })),
                "{none:?}"
            );
        }
    }

    #[tokio::test]
    async fn who_stood_long_enough_is_told_and_comes_again() {
        let turns = Turns::new(MANY.into(), 100);
        let mut passes = all_taken(&turns, MANY).await;
        let Err(Error::Waiting(told)) = turns.enter(&person(1), None).await else {
            panic!("it waits");
        };
        assert_eq!((told.place, told.anew), (1, false));
        assert!(matches!(
            turns.enter(&person(1), None).await,
            Err(Error::AlreadyWaiting { .. })
        ));
        assert!(matches!(turns.look(&person(2), told.turn), Err(Error::NotFound)));
        assert_eq!(turns.look(&person(1), told.turn).unwrap().place, 1);
        let long_ago = Instant::now() - Duration::from_secs(9);
        // They come again and stand until a place is given on.
        let again = tokio::spawn({
            let (turns, turn) = (Arc::clone(&turns), told.turn);
            async move { turns.enter(&person(1), Some(turn)).await }
        });
        until_standing(&turns, told.turn).await;
        drop(passes.pop());
        let pass = again.await.unwrap().unwrap();
        assert!(
            pass.since(long_ago) > long_ago,
            "who was told has it from when they were admitted"
        );
        let Err(Error::Waiting(told)) = turns.enter(&person(1), None).await else {
            panic!("it waits");
        };
        drop((passes.pop(), passes.pop()));
        // A place is free, and whoever comes takes it, told or not.
        let free = turns.enter(&person(1), Some(told.turn)).await.unwrap();
        assert!(free.since(long_ago) > long_ago, "at once, and told before");
        let new = turns.enter(&person(2), None).await.unwrap();
        assert_eq!(new.since(long_ago), long_ago);
        assert_eq!(turns.line().counts(), (MANY.into(), 0));
        drop((pass, free, new, passes));
        assert_eq!(turns.line().counts(), (0, 0));
    }
}
