//! Random sequences of what a deployment does: each step ends as a simple model says, and nothing is ever wrong.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    ids::{LookupId, SessionId, SubjectId},
    time::{Clock, Timestamp},
    words::Level,
};
use proptest::prelude::*;
use store::{NewLookup, Outcome, PERSON_ERASED, Store, StoreError};

use crate::{acts::*, world::*};

/// One step. Numbers pick one of what there is.
#[derive(Clone, Debug)]
enum Step {
    SignUp,
    SignIn(usize, bool),
    SignOut(usize),
    Prove(usize),
    Begin {
        who: usize,
        about: usize,
        key: Option<u8>,
    },
    Refuse {
        who: usize,
        about: usize,
        key: Option<u8>,
    },
    End {
        lookup: usize,
        release: bool,
    },
    Erase(usize),
    Clock(i32),
    Publish,
    Housekeep,
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let some = 0_usize..1000;
    let key = prop::option::of(0_u8..3);
    prop_oneof![
        2 => Just(Step::SignUp),
        2 => (some.clone(), any::<bool>()).prop_map(|(who, replace)| Step::SignIn(who, replace)),
        1 => some.clone().prop_map(Step::SignOut),
        2 => some.clone().prop_map(Step::Prove),
        6 => (some.clone(), some.clone(), key.clone()).prop_map(|(who, about, key)| Step::Begin { who, about, key }),
        2 => (some.clone(), some.clone(), key).prop_map(|(who, about, key)| Step::Refuse { who, about, key }),
        8 => (some.clone(), any::<bool>()).prop_map(|(lookup, release)| Step::End { lookup, release }),
        1 => some.prop_map(Step::Erase),
        2 => (-20_000_i32..30_000).prop_map(Step::Clock),
        1 => Just(Step::Publish),
        1 => Just(Step::Housekeep),
        1 => Just(Step::Restart),
    ]
}

/// What ought to be.
#[derive(Default)]
struct Model {
    holders: Vec<Holder>,
    /// Sessions that live, and until when.
    sessions: BTreeMap<SessionId, Timestamp>,
    /// Proven persons, by the place of their holder.
    proven: BTreeMap<usize, SubjectId>,
    erased: BTreeSet<SubjectId>,
    gone: BTreeSet<usize>,
    lookups: Vec<(LookupId, SubjectId, Holder, bool)>,
    /// Idempotency keys in use, and since when.
    keys: BTreeMap<(SubjectId, u8), Timestamp>,
    /// The time of the newest entry, and how many there are.
    time: Timestamp,
    size: u64,
}

impl Model {
    /// An entry is made now; its time.
    fn entry(&mut self, now: Timestamp) -> Timestamp {
        self.size += 1;
        self.time = self.time.max(now);
        self.time
    }

    /// The session lives at the time of an entry that is made now.
    fn lives(&self, session: SessionId, now: Timestamp) -> bool {
        let time = self.time.max(now);
        self.sessions.get(&session).is_some_and(|until| *until > time)
    }

    /// What the store says, and whether the model expected that.
    fn expect(&mut self, outcome: &Result<Outcome, StoreError>, expected: Expected, now: Timestamp) {
        match (outcome, expected) {
            (Ok(Outcome::Sealed(sealed)), Expected::Sealed)
            | (Ok(Outcome::Refused(sealed)), Expected::Refused) => {
                assert_eq!(sealed.leaf_index, self.size);
                assert_eq!(sealed.time, self.entry(now));
            }
            (Ok(Outcome::Nothing), Expected::Nothing) => {}
            (outcome, expected) => panic!("{outcome:?} where {expected:?} was due"),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Expected {
    Sealed,
    Refused,
    Nothing,
}

/// The store, the model, and the subjects that are only talked about.
struct Play {
    world: World,
    store: Store,
    model: Model,
    subjects: Vec<SubjectId>,
}

impl Play {
    async fn begin(world: World) -> Self {
        let store = world.open().await;
        let mut subjects = vec![];
        for number in 900..903 {
            subjects.push(store.mention_subject(&id_number(number)).await.unwrap());
        }
        let model = Model {
            time: world.now(),
            ..Model::default()
        };
        Play {
            world,
            store,
            model,
            subjects,
        }
    }

    fn holder(&self, some: usize) -> Option<(usize, Holder)> {
        let place = some % self.model.holders.len().max(1);
        (!self.model.gone.contains(&place)).then_some((place, *self.model.holders.get(place)?))
    }

    async fn step(&mut self, step: Step) {
        let now = self.world.now();
        match step {
            Step::SignUp => self.sign_up().await,
            Step::SignIn(some, replace) => self.sign_in(some, replace).await,
            Step::SignOut(some) => {
                if let Some((_, by)) = self.holder(some) {
                    let expected = match self.model.lives(by.session, now) {
                        true => Expected::Sealed,
                        false => Expected::Nothing,
                    };
                    let effect = self.store.end_session(by.session);
                    let outcome = self
                        .store
                        .seal(change(by.account.chain(), "signed-out", effect))
                        .await;
                    self.model.expect(&outcome, expected, now);
                    self.model.sessions.remove(&by.session);
                }
            }
            Step::Prove(some) => self.prove(some).await,
            Step::Begin { who, about, key } => self.new_lookup(who, about, key, true).await,
            Step::Refuse { who, about, key } => self.new_lookup(who, about, key, false).await,
            Step::End { lookup, release } => self.end(lookup, release).await,
            Step::Erase(some) => self.erase(some).await,
            Step::Clock(seconds) => self.world.clock.set(now.plus_seconds(seconds.into())),
            Step::Publish => self.store.publish_checkpoint().await.unwrap(),
            Step::Housekeep => {
                self.store.drain_outbox_wholly().await.unwrap();
                self.store.forget_answers().await.unwrap();
                self.store.forget_sessions().await.unwrap();
                self.store.destroy_outdated_evidence(3).await.unwrap();
                let forgotten = now.plus_seconds(-store::REPEATABLE_SECONDS);
                self.model.keys.retain(|_, since| *since > forgotten);
            }
            Step::Restart => {
                close(self.store.clone()).await;
                self.store = self.world.open().await;
            }
        }
    }

    async fn sign_up(&mut self) {
        let number = self.model.holders.len() as u32;
        let by = sign_up(&self.store, number).await;
        self.model.entry(self.world.now());
        let time = self.model.entry(self.world.now());
        self.model.holders.push(by);
        self.model
            .sessions
            .insert(by.session, time.plus_seconds(8 * 3600));
    }

    async fn sign_in(&mut self, some: usize, replace: bool) {
        let Some((place, by)) = self.holder(some) else {
            return;
        };
        let now = self.world.now();
        let new = new_session(&self.store, by.account, Level::L1, replace.then_some(by.session));
        let session = new.id;
        let time = self.model.time.max(now);
        let lives = self.model.lives(by.session, now);
        let expected = if replace && !lives {
            Expected::Nothing
        } else {
            Expected::Sealed
        };
        let effect = self.store.start_session(new);
        let outcome = self
            .store
            .seal(change(by.account.chain(), "signed-in", effect))
            .await;
        self.model.expect(&outcome, expected, now);
        if expected == Expected::Sealed {
            if replace {
                self.model.sessions.remove(&by.session);
            }
            self.model.sessions.insert(session, time.plus_seconds(8 * 3600));
            self.model.holders[place].session = session;
        }
    }

    async fn prove(&mut self, some: usize) {
        let Some((place, by)) = self.holder(some) else {
            return;
        };
        let person = person(place as u32);
        let subject = self.store.mention_subject(&person.id_number).await.unwrap();
        let expected = if self.model.proven.contains_key(&place) {
            Expected::Nothing
        } else {
            Expected::Sealed
        };
        let effect = self
            .store
            .bind_account(by.account, subject, &person)
            .await
            .unwrap();
        let outcome = self.store.seal(change(subject, "name-proven", effect)).await;
        self.model.expect(&outcome, expected, self.world.now());
        self.model.proven.insert(place, subject);
        if expected == Expected::Sealed {
            self.subjects.push(subject);
        }
    }

    async fn new_lookup(&mut self, who: usize, about: usize, key: Option<u8>, begins: bool) {
        let Some((_, by)) = self.holder(who) else { return };
        // Every other one is as it was found, and ends whenever it ends.
        let by = if who.is_multiple_of(2) {
            found(&self.store, by).await
        } else {
            by
        };
        let subject = self.subjects[about % self.subjects.len()];
        let now = self.world.now();
        let new = NewLookup {
            repeat_key: key.map(|key| [key; 32]),
            request_hash: key.map(|key| [key; 32]),
            ..new_lookup(&self.store, by)
        };
        let lookup = new.lookup;
        let expected = if key.is_some_and(|key| self.model.keys.contains_key(&(subject, key))) {
            Expected::Nothing
        } else if self.model.erased.contains(&subject) {
            Expected::Refused
        } else {
            Expected::Sealed
        };
        let seal = if begins {
            begin(subject, new)
        } else {
            refuse(subject, new)
        };
        let outcome = self.store.seal(seal).await;
        self.model.expect(&outcome, expected, now);
        if let (Some(key), true) = (key, expected != Expected::Nothing) {
            self.model.keys.insert((subject, key), self.model.time);
        }
        if begins && expected == Expected::Sealed {
            self.model.lookups.push((lookup, subject, by, true));
        }
    }

    async fn end(&mut self, some: usize, release: bool) {
        let place = some % self.model.lookups.len().max(1);
        let Some((lookup, subject, by, open)) = self.model.lookups.get(place).copied() else {
            return;
        };
        let now = self.world.now();
        let time = self.model.time.max(now);
        let lives = self
            .model
            .sessions
            .get(&by.session)
            .is_some_and(|until| *until > time);
        let expected = match (open, release) {
            (false, _) => Expected::Nothing,
            (true, true) if self.model.erased.contains(&subject) || !lives => Expected::Refused,
            (true, _) => Expected::Sealed,
        };
        let outcome = self.store.seal(end(subject, by, lookup, release)).await;
        self.model.expect(&outcome, expected, now);
        self.model.lookups[place].3 = false;
    }

    async fn erase(&mut self, some: usize) {
        let Some((place, by)) = self.holder(some) else {
            return;
        };
        let Some(subject) = self.model.proven.get(&place).copied() else {
            return;
        };
        let effect = self.store.erase(subject, by.account);
        let outcome = self.store.seal(change(subject, PERSON_ERASED, effect)).await;
        self.model.expect(&outcome, Expected::Sealed, self.world.now());
        self.store.destroy_keys(subject, by.account).await.unwrap();
        self.model.erased.insert(subject);
        self.model.gone.insert(place);
        let sessions: Vec<SessionId> = self.model.sessions.keys().copied().collect();
        for session in sessions {
            if self.store.session(token_of(session)).await.unwrap().is_none() {
                let until = self.model.sessions.remove(&session).unwrap();
                let expired = until <= self.model.time.max(self.world.now());
                assert!(
                    expired
                        || self
                            .model
                            .holders
                            .iter()
                            .all(|h| h.session != session || h.account == by.account)
                );
            }
        }
        self.model.keys.retain(|(about, _), _| *about != subject);
    }

    async fn finish(self) {
        assert_eq!(self.store.log_size().await.unwrap(), self.model.size);
        let now = self.world.clock.now().max(self.model.time);
        for (session, until) in &self.model.sessions {
            let lives = self.store.session(token_of(*session)).await.unwrap().is_some();
            assert_eq!(lives, *until > now, "{session}");
        }
        check(&self.store).await;
        close(self.store).await;
        check(&self.world.open().await).await;
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 10, max_shrink_iters: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_all_checks_stay_clean(steps in prop::collection::vec(step(), 10..60)) {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        runtime.block_on(each_world(|world| {
            let steps = steps.clone();
            async move {
                let mut play = Play::begin(world).await;
                for step in steps {
                    play.step(step).await;
                }
                play.finish().await;
            }
        }));
    }
}
