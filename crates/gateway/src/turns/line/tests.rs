//! Whatever comes in whatever order: bounded, nobody overtaken, nobody's place lost, and what was told is kept.

use domain::{requester::Role, words::Level};
use proptest::prelude::*;

use super::*;

const BOUND: usize = 3;

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

/// Who waits, with whom of them stands and what they were told last.
#[derive(Clone, Copy, Debug)]
struct Client {
    account: u8,
    turn: TurnId,
    stands: bool,
    told: Option<Told>,
}

impl Client {
    /// As what they leave the line.
    fn waited(&self) -> Waited<u8> {
        Waited {
            kept: Some(self.account),
            told: self.told.is_some(),
        }
    }
}

/// A line, and those who wait in it as they see it.
struct World {
    line: Line<TurnId, u8>,
    clients: Vec<Client>,
    working: usize,
    now: Instant,
}

impl World {
    fn new(bound: usize, most_standing: usize) -> Self {
        World {
            line: Line::new(bound, most_standing),
            clients: vec![],
            working: 0,
            now: Instant::now(),
        }
    }

    /// Enters and, where it is near, stands; otherwise is told.
    fn come(&mut self, account: u8, named: Option<TurnId>) -> Entered<u8> {
        let entered = self.line.enter(&person(account), named, self.now);
        match entered {
            Entered::Works(ref waited) => {
                let own = self.clients.iter().find(|c| Some(c.turn) == named);
                assert_eq!(*waited, own.map(Client::waited), "what was kept is theirs");
                self.working += 1;
                self.clients.retain(|c| Some(c.turn) != named);
            }
            Entered::Waits(turn) => {
                if !self.clients.iter().any(|c| c.turn == turn) {
                    self.line.keep(turn, account);
                    self.clients.push(Client {
                        account,
                        turn,
                        stands: false,
                        told: None,
                    });
                }
                if self.line.is_near(turn) {
                    self.line.stand(turn, turn);
                    self.client(turn).stands = true;
                } else {
                    self.tell(turn);
                }
            }
            Entered::Full(_) | Entered::HasPlace(_) => {}
        }
        entered
    }

    fn client(&mut self, turn: TurnId) -> &mut Client {
        self.clients.iter_mut().find(|c| c.turn == turn).unwrap()
    }

    fn tell(&mut self, turn: TurnId) {
        self.line.step_aside(turn);
        let told = self.line.tell(turn, self.now).expect("no place is lost");
        let client = self.client(turn);
        if let Some(before) = client.told {
            assert!(told.place <= before.place, "nobody is overtaken");
        }
        assert!(told.seconds > told.come_after && told.come_after >= 1);
        (client.told, client.stands) = (Some(told), false);
    }

    /// A question is done; who is next then.
    fn done(&mut self) -> Option<Client> {
        let first = self.clients.iter().filter(|c| c.stands).map(|c| c.turn).min();
        let next = self.line.done(self.now);
        assert_eq!(
            next.as_ref().map(|(turn, _)| *turn),
            first,
            "the first who stands there is next"
        );
        match next {
            Some((turn, waited)) => {
                let client = *self.client(turn);
                assert_eq!(waited, client.waited());
                self.clients.retain(|c| c.turn != turn);
                Some(client)
            }
            None => {
                self.working -= 1;
                None
            }
        }
    }

    fn check(&self) {
        let (in_work, waiting) = self.line.counts();
        assert_eq!((in_work, waiting), (self.working, self.clients.len()));
        assert!(in_work <= self.line.bound && waiting <= self.line.bound * PLACES_FOR_EACH);
        let mut accounts: Vec<u8> = self.clients.iter().map(|c| c.account).collect();
        accounts.sort_unstable();
        accounts.dedup();
        assert_eq!(accounts.len(), waiting, "one account has one place");
        let stands = self.clients.iter().any(|c| c.stands);
        assert!(
            !stands || in_work == self.line.bound,
            "nobody stands before a free place"
        );
    }
}

#[derive(Clone, Debug)]
enum Step {
    /// An account asks; one of them much more often than the others.
    Asks(u8),
    /// Somebody who was told comes again.
    Comes(usize),
    /// Somebody who stands there has stood long enough.
    Sits(usize),
    /// A connection breaks.
    Breaks(usize),
    /// A question is done.
    Done,
    /// Time passes, in milliseconds.
    Passes(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => (0u8..60).prop_map(Step::Asks),
        3 => Just(Step::Asks(0)),
        2 => (0usize..60).prop_map(Step::Comes),
        1 => (0usize..60).prop_map(Step::Sits),
        1 => (0usize..60).prop_map(Step::Breaks),
        4 => Just(Step::Done),
        1 => (0u64..20_000).prop_map(Step::Passes),
    ]
}

impl World {
    fn take(&mut self, step: &Step) {
        let at = |n: usize, clients: &[Client]| clients.get(n % clients.len().max(1)).copied();
        match *step {
            Step::Asks(account) => drop(self.come(account, None)),
            Step::Comes(n) => {
                if let Some(client) = at(n, &self.clients).filter(|c| !c.stands) {
                    let entered = self.come(client.account, Some(client.turn));
                    let kept = matches!(entered, Entered::Works(_)) || entered == Entered::Waits(client.turn);
                    assert!(kept, "no place is lost: {entered:?}");
                }
            }
            Step::Sits(n) => {
                if let Some(client) = at(n, &self.clients).filter(|c| c.stands) {
                    self.tell(client.turn);
                }
            }
            Step::Breaks(n) => {
                if let Some(client) = at(n, &self.clients).filter(|c| c.stands) {
                    self.line.broke_off(client.turn);
                    match client.told {
                        Some(_) => self.client(client.turn).stands = false,
                        None => self.clients.retain(|c| c.turn != client.turn),
                    }
                }
            }
            Step::Done if self.working > 0 => drop(self.done()),
            Step::Done => {}
            Step::Passes(millis) => {
                self.now += Duration::from_millis(millis);
                let gone = self.line.sweep(self.now);
                let before = self.clients.len();
                let line = &self.line;
                self.clients.retain(|c| line.waiting.contains_key(&c.turn));
                assert_eq!(gone, (before - self.clients.len()) as u64);
            }
        }
    }
}

proptest! {
    #[test]
    fn bounded_in_order_and_nothing_is_lost(steps in prop::collection::vec(step(), 0..400)) {
        let mut world = World::new(BOUND, 5);
        for step in &steps {
            world.take(step);
            world.check();
        }
        // Whoever is left is served in order, and nothing is left then.
        while !world.clients.is_empty() {
            for client in world.clients.clone() {
                if !client.stands && world.clients.iter().any(|c| c.turn == client.turn) {
                    world.come(client.account, Some(client.turn));
                }
            }
            if world.working > 0 {
                world.done();
            }
            world.check();
        }
    }

    /// One account asks ten times as often as all others together, who ask again as soon as they were answered. There
    /// is a place for everybody, in the first three quarters of the line.
    #[test]
    fn one_who_floods_has_one_turn_in_each_round(others in 4u8..(BOUND * PLACES_FOR_EACH * 3 / 4 - 1) as u8, rounds in 2usize..8) {
        let mut world = World::new(BOUND, 100);
        let mut served = vec![0usize; usize::from(others) + 1];
        for _ in 0..BOUND {
            world.come(0, None);
        }
        for _ in 0..rounds * served.len() {
            for _ in 0..10 {
                world.come(0, None);
            }
            for account in 1..=others {
                if !world.clients.iter().any(|c| c.account == account) {
                    world.come(account, None);
                }
            }
            // It stands there all the time, as everybody does: nobody is served because others are away.
            for client in world.clients.clone().iter().filter(|c| !c.stands) {
                world.line.stand(client.turn, client.turn);
                world.client(client.turn).stands = true;
            }
            if let Some(next) = world.done() {
                served[usize::from(next.account)] += 1;
            }
        }
        let (least, most) = (served.iter().min().unwrap(), served.iter().max().unwrap());
        prop_assert!(most - least <= 1, "{served:?}");
    }

    /// There are twice as many accounts as places. One asks ten times at each place that becomes free, the others now
    /// and then: it wins no more turns than twice what others have on average.
    #[test]
    fn one_who_floods_a_full_line_does_not_starve_others(asks in prop::collection::vec(1u8..49, 4000)) {
        let mut world = World::new(BOUND, 100);
        let mut served = vec![0usize; 49];
        for some in asks.chunks(4) {
            for _ in 0..10 {
                world.come(0, None);
            }
            for account in some {
                if !world.clients.iter().any(|c| c.account == *account) {
                    world.come(*account, None);
                }
            }
            for client in world.clients.clone().iter().filter(|c| !c.stands) {
                world.line.stand(client.turn, client.turn);
                world.client(client.turn).stands = true;
            }
            world.now += Duration::from_millis(50);
            if world.working > 0 && let Some(next) = world.done() {
                served[usize::from(next.account)] += 1;
            }
        }
        let others = served[1..].iter().sum::<usize>() / 48;
        prop_assert!(served[0] <= 2 * others.max(1), "{served:?}");
    }

    /// Questions take between 80 and 120 ms, which is half as long again. Whoever comes again when they are told to waits no longer than told.
    #[test]
    fn what_is_told_is_kept(takes in prop::collection::vec(80u64..120, 400), late in 0u64..900) {
        const TICK: u64 = 10;
        let mut world = World::new(BOUND, 100);
        let begun = world.now;
        let mut ends: Vec<Instant> = vec![];
        let mut promised: BTreeMap<TurnId, Instant> = BTreeMap::new();
        let mut comes: Vec<(Instant, Client)> = vec![];
        let mut takes = takes.into_iter();
        for tick in 0..1500u64 {
            world.now = begun + Duration::from_millis(tick * TICK);
            for _ in 0..ends.iter().filter(|end| **end <= world.now).count() {
                if let Some(client) = world.done() {
                    if let Some(promise) = promised.remove(&client.turn) {
                        prop_assert!(world.now <= promise, "late by {:?}", world.now - promise);
                    }
                    ends.push(world.now + Duration::from_millis(takes.next().unwrap_or(100)));
                }
            }
            ends.retain(|end| *end > world.now);
            // Twice as many come as are served; a hundred of them, the last hardly finds a place.
            if tick % 2 == 0 && tick < 200 {
                let account = u8::try_from(tick / 2).unwrap();
                if matches!(world.come(account, None), Entered::Works(_)) {
                    ends.push(world.now + Duration::from_millis(100));
                }
            }
            for (_, client) in comes.extract_if(.., |(at, _)| *at <= world.now).collect::<Vec<_>>() {
                if matches!(world.come(client.account, Some(client.turn)), Entered::Works(_)) {
                    promised.remove(&client.turn);
                    ends.push(world.now + Duration::from_millis(100));
                }
            }
            for client in world.clients.clone() {
                let Some(told) = client.told.filter(|_| !client.stands) else { continue };
                if !comes.iter().any(|(_, c)| c.turn == client.turn) {
                    let seconds = u64::try_from(told.seconds).unwrap();
                    let promise = world.now + Duration::from_secs(seconds) + Duration::from_millis(late);
                    promised.entry(client.turn).or_insert(promise);
                    let away = Duration::from_secs(told.come_after.unsigned_abs());
                    comes.push((world.now + away + Duration::from_millis(late), client));
                }
            }
        }
        prop_assert_eq!(world.line.counts(), (0, 0), "everybody was served");
    }
}

#[test]
fn another_session_or_account_cannot_take_a_turn() {
    let mut world = World::new(1, 100);
    world.come(1, None);
    world.come(2, None);
    let turn = world.line.turn_of(&person(2)).expect("it waits");
    let other_session = Requester {
        session: SessionId::from_bytes([9; 16]),
        ..person(2)
    };
    for (thief, expected) in [(person(3), None), (other_session, Some(()))] {
        assert!(!world.line.is_of(turn, &thief));
        let entered = world.line.enter(&thief, Some(turn), world.now);
        match expected {
            // Somebody else has a place of their own, behind.
            None => assert!(matches!(entered, Entered::Waits(other) if other > turn)),
            // The account has its place already.
            Some(()) => assert!(matches!(entered, Entered::HasPlace(_))),
        }
        world.line.leave(&thief);
        assert!(world.line.waiting.contains_key(&turn));
    }
}

#[test]
fn a_turn_that_is_not_known_is_a_new_place_and_says_so() {
    let mut world = World::new(1, 100);
    world.come(1, None);
    let Entered::Waits(turn) = world.come(2, Some(TurnId(77))) else {
        panic!("it waits");
    };
    assert!(world.line.tell(turn, world.now).unwrap().anew);
}
