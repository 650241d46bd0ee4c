//! Sessions, codes and counters of attempts.

use domain::words::Level;
use futures_util::future::join_all;
use store::{
    Bound, Bounded, MAX_SESSION_SECONDS, NewSession, PERSON_ERASED, PHONE_PASSED_ON, Store, StoreError,
};

use crate::{acts::*, world::*};

const HOUR: i64 = 3600;

#[tokio::test(flavor = "multi_thread")]
async fn a_session_lives_until_it_ends_expires_or_is_replaced() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let view = store.session(token_of(by.session)).await.unwrap().unwrap();
        assert_eq!(
            (view.id, view.account, view.subject, view.level),
            (by.session, by.account, None, Level::L1)
        );
        assert_eq!(view.expires, world.now().plus_seconds(8 * HOUR));
        assert!(store.session([0; 32]).await.unwrap().is_none());
        // A change of privilege: another id, and the old one is gone.
        let higher = sign_in(&store, by.account, Level::L2, Some(by.session)).await;
        assert!(store.session(token_of(by.session)).await.unwrap().is_none());
        assert_eq!(
            store
                .session(token_of(higher.session))
                .await
                .unwrap()
                .unwrap()
                .level,
            Level::L2
        );
        assert_eq!(store.account(by.account).await.unwrap().unwrap().level, Level::L2);
        // A session at a lower level lowers nothing.
        let lower = sign_in(&store, by.account, Level::L1, None).await;
        assert_eq!(store.account(by.account).await.unwrap().unwrap().level, Level::L2);
        // It replaces a session once.
        for _ in 0..2 {
            let again = new_session(&store, by.account, Level::L3, Some(by.session));
            nothing(
                store
                    .seal(change(
                        by.account.chain(),
                        "signed-in",
                        store.start_session(again),
                    ))
                    .await,
            );
        }
        sign_out(&store, lower).await;
        sign_out(&store, lower).await;
        assert!(store.session(token_of(lower.session)).await.unwrap().is_none());
        world.clock.advance_seconds(8 * HOUR - 1);
        assert!(store.session(token_of(higher.session)).await.unwrap().is_some());
        world.clock.advance_seconds(1);
        assert!(store.session(token_of(higher.session)).await.unwrap().is_none());
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sessions_have_a_greatest_age_and_are_forgotten() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let long = NewSession {
            seconds: 400 * 24 * HOUR,
            ..new_session(&store, by.account, Level::L1, None)
        };
        let token = long.token_digest;
        sealed(
            store
                .seal(change(by.account.chain(), "signed-in", store.start_session(long)))
                .await,
        );
        let expires = store.session(token).await.unwrap().unwrap().expires;
        assert_eq!(expires, world.now().plus_seconds(MAX_SESSION_SECONDS));
        for _ in 0..2 {
            sign_out(&store, by).await;
        }
        let journal = world.folder.path().join("effects.journal");
        let lines = std::fs::read_to_string(&journal).unwrap().lines().count();
        assert_eq!(lines, 1, "it ends once");
        world.clock.advance_seconds(32 * HOUR + 1);
        assert_eq!(
            store.forget_sessions().await.unwrap(),
            1,
            "one expired 24 hours ago, one has expired just now"
        );
        world.clock.advance_seconds(24 * HOUR);
        assert_eq!(store.forget_sessions().await.unwrap(), 1);
        assert_eq!(
            number_of(&world.data().await, "SELECT count(*) FROM session").await,
            0
        );
        assert_eq!(
            std::fs::metadata(&journal).unwrap().len(),
            0,
            "the journal is cleared too"
        );
        let by = sign_in(&store, by.account, Level::L1, None).await;
        sign_out(&store, by).await;
        assert_ne!(std::fs::metadata(&journal).unwrap().len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_signed_out_meanwhile_changes_nothing() {
    each_world(|world| async move {
        let store = world.open().await;
        let (proven, other) = (prove(&store, 1).await, sign_up(&store, 2).await);
        let by = proven.holder;
        let lives = async || store.session_lives(by.session, by.account).await.unwrap();
        assert!(lives().await);
        assert!(!store.session_lives(by.session, other.account).await.unwrap());
        let erase = |session| {
            let effect = store.erase(proven.subject, by.account);
            change(
                proven.subject,
                PERSON_ERASED,
                effect.while_lives(session, by.account),
            )
        };
        // Somebody else's session, and one's own that has ended.
        nothing(store.seal(erase(other.session)).await);
        sign_out(&store, by).await;
        assert!(!lives().await);
        nothing(store.seal(erase(by.session)).await);
        let subject = store.subject(proven.subject).await.unwrap().unwrap();
        assert!(subject.active && subject.person.is_some(), "nothing was erased");
        let again = sign_in(&store, by.account, Level::L2, None).await;
        sealed(store.seal(erase(again.session)).await);
        check(&store).await;
    })
    .await;
}

/// What a session has of its person does not outlive it.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_that_ended_has_nothing_of_its_person() {
    each_world(|world| async move {
        let store = world.open().await;
        let proven = prove(&store, 1).await;
        let (account, subject) = (proven.account, proven.subject);
        let with_profile = async || {
            let profiles = "SELECT count(*) FROM session WHERE profile IS NOT NULL";
            number_of(&world.data().await, profiles).await
        };
        assert_eq!(with_profile().await, 1);
        let second = sign_in(&store, account, Level::L2, None).await;
        assert_eq!(
            with_profile().await,
            2,
            "as at the time when the person was proven"
        );
        let third = sign_in(&store, account, Level::L2, Some(second.session)).await;
        assert_eq!(with_profile().await, 2, "one took another's place");
        sign_out(&store, third).await;
        assert_eq!(with_profile().await, 1);
        sealed(
            store
                .seal(change(
                    subject,
                    PHONE_PASSED_ON,
                    store.close_account(account, subject),
                ))
                .await,
        );
        assert_eq!(with_profile().await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_person_comes_with_the_session_until_they_are_erased() {
    each_world(|world| async move {
        let store = world.open().await;
        let (proven, by) = (prove(&store, 1).await, sign_up(&store, 2).await);
        let read = async |session| {
            let found = store.session_and_person(token_of(session)).await.unwrap();
            found.map(|(_, person)| person)
        };
        assert!(
            read(by.session).await.unwrap().is_none(),
            "nobody is proven there"
        );
        let sealed_person = read(proven.holder.session).await.unwrap().unwrap();
        assert_eq!(
            (sealed_person.subject, sealed_person.account),
            (proven.subject, proven.account)
        );
        let (opened, expected) = (store.open_person(&sealed_person).await.unwrap(), person(1));
        let session = store
            .session(token_of(proven.holder.session))
            .await
            .unwrap()
            .unwrap();
        assert!(session.standing.is_some());
        assert_eq!(
            opened.standing, session.standing,
            "what the committer need not read"
        );
        assert_eq!(opened.person.name.expose(), expected.name.expose());
        assert_eq!(opened.person.id_number.expose(), expected.id_number.expose());
        let effect = store.erase(proven.subject, proven.account);
        sealed(store.seal(change(proven.subject, PERSON_ERASED, effect)).await);
        store.destroy_keys(proven.subject, proven.account).await.unwrap();
        assert!(read(proven.holder.session).await.is_none());
        let opened = store.open_person(&sealed_person).await;
        assert!(matches!(opened, Err(StoreError::Erased)), "what was read before");
    })
    .await;
}

/// The same digest of a token twice would make two accounts one: the second session is not begun.
#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_one_sessions() {
    each_world(|world| async move {
        let store = world.open().await;
        let (one, two) = (sign_up(&store, 1).await, sign_up(&store, 2).await);
        let mut thief = new_session(&store, two.account, Level::L3, None);
        thief.token_digest = token_of(one.session);
        nothing(
            store
                .seal(change(
                    two.account.chain(),
                    "signed-in",
                    store.start_session(thief),
                ))
                .await,
        );
        // Nor is one begun that would be looked for in the same place, and nothing else than the whole digest opens one.
        let mut alike = new_session(&store, two.account, Level::L2, None);
        alike.token_digest = token_of(one.session);
        alike.token_digest[31] ^= 1;
        let token = alike.token_digest;
        let start = store.start_session(alike);
        nothing(store.seal(change(two.account.chain(), "signed-in", start)).await);
        assert!(store.session(token).await.unwrap().is_none());
        assert!(store.session_and_person(token).await.unwrap().is_none());
        assert_eq!(
            store
                .session(token_of(one.session))
                .await
                .unwrap()
                .unwrap()
                .account,
            one.account
        );
        assert_eq!(
            store.account(two.account).await.unwrap().unwrap().level,
            Level::L1
        );
    })
    .await;
}

async fn attempt(store: &Store, phone: [u8; 32], code: u8) -> bool {
    store
        .try_code(
            phone,
            store::CoolDown {
                failures: 1000,
                seconds: 3600,
            },
            move |stored| *stored == [code; 32],
        )
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_code_is_tried_five_times_and_used_once() {
    each_world(|world| async move {
        let store = world.open().await;
        let phone = store.phone_digest(&phone(1));
        let expires = world.now().plus_seconds(300);
        assert!(!attempt(&store, phone, 0).await, "there is none");
        store.put_code(phone, [1; 32], 5, expires).await.unwrap();
        for _ in 0..4 {
            assert!(!attempt(&store, phone, 9).await);
        }
        assert!(attempt(&store, phone, 1).await, "the fifth");
        assert!(!attempt(&store, phone, 1).await, "it was used");
        store.put_code(phone, [2; 32], 5, expires).await.unwrap();
        for _ in 0..5 {
            assert!(!attempt(&store, phone, 9).await);
        }
        assert!(!attempt(&store, phone, 2).await, "the sixth");
        // A new one replaces the old one.
        store.put_code(phone, [3; 32], 5, expires).await.unwrap();
        store.put_code(phone, [4; 32], 5, expires).await.unwrap();
        assert!(!attempt(&store, phone, 3).await);
        // Another phone's code is another's.
        assert!(!attempt(&store, store.phone_digest(&super::acts::phone(2)), 4).await);
        world.clock.advance_seconds(299);
        assert!(attempt(&store, phone, 4).await);
        store.put_code(phone, [5; 32], 5, expires).await.unwrap();
        world.clock.advance_seconds(1);
        assert!(!attempt(&store, phone, 5).await, "it has expired");
        world.clock.advance_seconds(2 * 24 * HOUR + 1);
        assert_eq!(store.forget_attempts().await.unwrap(), 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_redeemers_one_wins_and_of_many_guesses_five_count() {
    each_world(|world| async move {
        let store = world.open().await;
        let phone = store.phone_digest(&phone(1));
        let expires = world.now().plus_seconds(300);
        for round in 0..5 {
            store.put_code(phone, [1; 32], 60, expires).await.unwrap();
            let all = join_all((0..50).map(|_| attempt(&store, phone, 1))).await;
            assert_eq!(all.iter().filter(|won| **won).count(), 1, "{round}");
            // However many guess at once, five are judged.
            store.put_code(phone, [1; 32], 5, expires).await.unwrap();
            let judged = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
            join_all((0..50).map(|_| {
                let judged = std::sync::Arc::clone(&judged);
                store.try_code(
                    phone,
                    store::CoolDown {
                        failures: 1000,
                        seconds: 3600,
                    },
                    move |_| {
                        judged.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
                        false
                    },
                )
            }))
            .await;
            let left = number_of(&world.data().await, "SELECT tries_left FROM code").await;
            assert_eq!(left, 0);
            assert!(!attempt(&store, phone, 1).await);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn attempts_count_in_windows() {
    each_world(|world| async move {
        let store = world.open().await;
        let start = world.now();
        for n in 1..=3 {
            let counted = store.count_attempt("guess", b"me", HOUR).await.unwrap();
            assert_eq!((counted.count, counted.until), (n, start.plus_seconds(HOUR)));
            world.clock.advance_seconds(600);
        }
        assert_eq!(store.count_attempt("guess", b"you", HOUR).await.unwrap().count, 1);
        assert_eq!(store.count_attempt("other", b"me", HOUR).await.unwrap().count, 1);
        assert_eq!(
            store.attempts("guess", b"me", HOUR).await.unwrap().unwrap().count,
            3
        );
        world.clock.set(start.plus_seconds(HOUR));
        assert!(store.attempts("guess", b"me", HOUR).await.unwrap().is_none());
        let counted = store.count_attempt("guess", b"me", HOUR).await.unwrap();
        assert_eq!((counted.count, counted.until), (1, start.plus_seconds(2 * HOUR)));
        store.forgive_attempts("guess", b"me").await.unwrap();
        assert_eq!(store.count_attempt("guess", b"me", HOUR).await.unwrap().count, 1);
        let all = join_all((0..40).map(|_| store.count_attempt("crowd", b"", HOUR))).await;
        let mut counts: Vec<i64> = all.into_iter().map(|one| one.unwrap().count).collect();
        counts.sort_unstable();
        assert!(counts.into_iter().eq(1..=40), "each is counted once");
    })
    .await;
}

/// Counts within ten for all and three for each.
async fn within(store: &Store, about: &[u8]) -> Bounded {
    let bounds = [("all", &b""[..], 10), ("each", about, 3)].map(|(bucket, about, most)| Bound {
        bucket,
        about,
        seconds: HOUR,
        most,
    });
    store.count_within(&bounds).await.unwrap()
}

/// What is beyond a bound is counted for none of them, and leaves no row.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_beyond_a_bound_leaves_nothing() {
    each_world(|world| async move {
        let store = world.open().await;
        let within = async |about: &[u8]| within(&store, about).await;
        let until = world.now().plus_seconds(HOUR);
        assert_eq!(within(b"a").await, Bounded::Counted(None));
        assert_eq!(within(b"a").await, Bounded::Counted(None));
        assert_eq!(within(b"a").await, Bounded::Counted(Some("each")));
        let full = |bucket| Bounded::Full { bucket, until };
        assert_eq!(within(b"a").await, full("each"));
        // At once from many sides: exactly as many as there is room for.
        let many: Vec<[u8; 2]> = (0..24).map(|n| [b'x', n]).collect();
        let all = join_all(many.iter().map(|about| within(about))).await;
        let counted = all.iter().filter(|o| matches!(o, Bounded::Counted(_))).count();
        assert_eq!(counted, 7, "{all:?}");
        assert_eq!(within(b"new").await, full("all"));
        let rows = "SELECT count(*) FROM attempt";
        assert_eq!(number_of(&world.data().await, rows).await, 1 + 1 + 7);
        world.clock.advance_seconds(HOUR);
        assert_eq!(within(b"new").await, Bounded::Counted(None));
        // A clock that ran ahead and was put right locks nobody out for longer than the window.
        world.clock.advance_seconds(1000 * HOUR);
        for filled in [None, None, Some("each")] {
            assert_eq!(within(b"ahead").await, Bounded::Counted(filled));
        }
        world.clock.advance_seconds(-1000 * HOUR);
        let until = world.now().plus_seconds(HOUR);
        let locked = Bounded::Full {
            bucket: "each",
            until,
        };
        assert_eq!(within(b"ahead").await, locked);
        assert_eq!(within(b"ahead").await, locked);
        world.clock.advance_seconds(HOUR);
        assert_eq!(within(b"ahead").await, Bounded::Counted(None));
    })
    .await;
}

/// A clock that ran years ahead and was put right locks nobody out for years, and forgives nobody.
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_clock_neither_locks_out_nor_forgives() {
    each_world(|world| async move {
        let store = world.open().await;
        let start = world.now();
        world.clock.advance_seconds(4 * 365 * 24 * HOUR);
        for _ in 0..9 {
            store.count_attempt("guess", b"me", HOUR).await.unwrap();
        }
        world.clock.set(start);
        let counted = store.count_attempt("guess", b"me", HOUR).await.unwrap();
        assert_eq!((counted.count, counted.until), (10, start.plus_seconds(HOUR)));
        world.clock.advance_seconds(HOUR);
        assert_eq!(store.count_attempt("guess", b"me", HOUR).await.unwrap().count, 1);
        world.clock.advance_seconds(3 * 24 * HOUR);
        assert_eq!(store.forget_attempts().await.unwrap(), 1);
    })
    .await;
}

/// A counter stands whatever becomes of what was counted: in a change that fails, and in a caller that goes away.
#[tokio::test(flavor = "multi_thread")]
async fn counters_survive_failing_callers() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        store.count_attempt("guess", b"me", HOUR).await.unwrap();
        let fails = store::Effect::new(|_, _| Box::pin(async { Err(store::engine::DbError::Contention) }));
        assert!(
            store
                .seal(change(by.account.chain(), "fails", fails))
                .await
                .is_err()
        );
        let caller = store.clone();
        let gone = tokio::spawn(async move { caller.count_attempt("guess", b"me", HOUR).await.unwrap() });
        gone.await.unwrap();
        close(store).await;
        let store = world.open().await;
        assert_eq!(store.count_attempt("guess", b"me", HOUR).await.unwrap().count, 3);
    })
    .await;
}
