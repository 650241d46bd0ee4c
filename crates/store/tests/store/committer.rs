//! What becomes of seals, one by one and many at once.

use domain::{
    ids::{AccountId, SubjectId},
    time::Timestamp,
    words::Level,
};
use futures_util::future::join_all;
use ledger::EntryType;
use store::{NewLookup, Outcome, Store};

use crate::{acts::*, world::*};

/// The types of a chain's entries, oldest first.
async fn types(store: &Store, owner: SubjectId) -> Vec<EntryType> {
    let entries = store.entries(owner, None, 100).await.unwrap();
    entries
        .iter()
        .rev()
        .map(|entry| entry.shared.entry_type)
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_begins_and_ends_once() {
    each_world(|world| async move {
        let store = world.open().await;
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let by = sign_up(&store, 1).await;
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        let intent = sealed(store.seal(begin(subject, new)).await);
        assert_eq!(intent.seq, 0);
        let release = sealed(store.seal(end(subject, by, lookup, true)).await);
        assert_eq!(release.seq, 1);
        let verified = verify(&store, &release.receipt()).unwrap();
        assert_eq!(verified.shared.entry_type, EntryType::Release);
        assert_eq!(verified.shared.time, release.time.0);
        assert_eq!(verified.index, release.leaf_index);
        nothing(store.seal(end(subject, by, lookup, true)).await);
        nothing(store.seal(end(subject, by, lookup, false)).await);
        // Twice in one batch.
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        sealed(store.seal(begin(subject, new)).await);
        let busy = busy(&store, by.account.chain()).await;
        let (first, second) = tokio::join!(
            store.seal(end(subject, by, lookup, false)),
            store.seal(end(subject, by, lookup, true))
        );
        sealed(busy.await.unwrap());
        sealed(first);
        nothing(second);
        assert_eq!(
            types(&store, subject).await,
            [
                EntryType::Intent,
                EntryType::Release,
                EntryType::Intent,
                EntryType::Failure
            ]
        );
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_after_the_job_answers_nothing() {
    each_world(|world| async move {
        let store = world.open().await;
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let by = sign_up(&store, 1).await;
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        sealed(store.seal(begin(subject, new)).await);
        assert!(store.overdue_lookups(10).await.unwrap().is_empty());
        world.clock.advance_seconds(3 + store::GRACE_SECONDS + 1);
        let overdue = store.overdue_lookups(10).await.unwrap();
        assert_eq!(overdue.len(), 1);
        assert_eq!(
            (overdue[0].lookup, overdue[0].subject, overdue[0].intent_seq),
            (lookup, subject, 0)
        );
        sealed(store.seal(end(subject, by, lookup, false)).await);
        nothing(store.seal(end(subject, by, lookup, true)).await);
        assert!(store.overdue_lookups(10).await.unwrap().is_empty());
        assert_eq!(
            types(&store, subject).await,
            [EntryType::Intent, EntryType::Failure]
        );
        check(&store).await;
    })
    .await;
}

/// What the committer remembers of a look-up that has begun is of that look-up alone, and of none that was refused.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_ends_a_look_up_that_is_not_theirs_or_never_began() {
    each_world(|world| async move {
        let store = world.open().await;
        let (person, gone) = (prove(&store, 1).await, prove(&store, 2).await);
        let by = person.holder;
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        sealed(store.seal(begin(person.subject, new)).await);
        nothing(store.seal(end(gone.subject, by, lookup, true)).await);
        sealed(store.seal(end(person.subject, by, lookup, true)).await);
        let erase = store.erase(gone.subject, gone.account);
        sealed(store.seal(change(gone.subject, "person-erased", erase)).await);
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        refused(store.seal(begin(gone.subject, new)).await);
        nothing(store.seal(end(gone.subject, by, lookup, false)).await);
        check(&store).await;
    })
    .await;
}

/// The releases of look-ups whose session is gone, or whose subject is, become refusals that tell nothing.
#[tokio::test(flavor = "multi_thread")]
async fn a_release_whose_ground_is_gone_becomes_a_refusal() {
    each_world(|world| async move {
        let store = world.open().await;
        let person = prove(&store, 1).await;
        let ways = ["signed out", "replaced", "expired", "erased"];
        for (number, way) in (10..).zip(ways) {
            let by = sign_up(&store, number).await;
            let new = new_lookup(&store, by);
            let lookup = new.lookup;
            sealed(store.seal(begin(person.subject, new)).await);
            let reason = match way {
                "signed out" => {
                    sign_out(&store, by).await;
                    "SESSION_ENDED"
                }
                "replaced" => {
                    sign_in(&store, by.account, Level::L2, Some(by.session)).await;
                    "SESSION_ENDED"
                }
                "expired" => {
                    world.clock.advance_seconds(8 * 3600);
                    "SESSION_ENDED"
                }
                _ => {
                    let effect = store.erase(person.subject, person.account);
                    sealed(store.seal(change(person.subject, "person-erased", effect)).await);
                    "SUBJECT_ERASED"
                }
            };
            let answer = (b"an answer".to_vec(), world.now().plus_seconds(600));
            let refusal = refused(store.seal(end_with(person.subject, by, lookup, answer)).await);
            let shared = verify(&store, &refusal.receipt()).unwrap().shared;
            assert_eq!(shared.entry_type, EntryType::Refusal, "{way}");
            assert_eq!(shared.reason.as_deref(), Some("NOT_PERMITTED"), "{way}");
            assert!(
                shared.disclosed.is_empty() && shared.outcome.is_none() && shared.source.is_none(),
                "{way}"
            );
            let entry = store.entry(person.subject, refusal.seq).await.unwrap().unwrap();
            assert_eq!(entry.chain.reasons, [reason], "{way}");
            let data = world.data().await;
            let kept = "SELECT count(*) FROM lookup WHERE answer IS NOT NULL OR answer_until_us IS NOT NULL";
            assert_eq!(number_of(&data, kept).await, 0, "{way}: no answer is kept");
            let state = "SELECT count(*) FROM lookup WHERE state = 'refused'";
            assert_eq!(number_of(&data, state).await, i64::from(number) - 9, "{way}");
        }
        // After the erasure nothing begins any more, and a refusal is still a refusal.
        let by = sign_up(&store, 20).await;
        refused(store.seal(begin(person.subject, new_lookup(&store, by))).await);
        refused(store.seal(refuse(person.subject, new_lookup(&store, by))).await);
        check(&store).await;
    })
    .await;
}

/// What a requester was found to be when they asked is not read again, until anything but a look-up is entered.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_found_of_a_requester_is_read_again_after_a_change() {
    each_world(|world| async move {
        let store = world.open().await;
        let data = world.data().await;
        let other = sign_up(&store, 1).await;
        let ways = [
            ("nothing", true),
            ("another's change", true),
            ("its row is gone, and nothing says so", true),
            ("its row is gone, and something changed", false),
            ("signed out", false),
            ("replaced", false),
            ("expired", false),
            ("erased", false),
        ];
        for (number, (way, released)) in (10..).zip(ways) {
            let person = prove(&store, number).await;
            let by = found(&store, person.holder).await;
            assert!(by.standing.is_some());
            let new = new_lookup(&store, by);
            let lookup = new.lookup;
            sealed(store.seal(begin(person.subject, new)).await);
            if way.starts_with("its row is gone") {
                let token = [token_of(by.session).into()];
                run(&data, "DELETE FROM session WHERE token_digest = $1", &token).await;
            }
            match way {
                "another's change" | "its row is gone, and something changed" => {
                    sealed(store.seal(note(other.account.chain(), "a change")).await);
                }
                "signed out" => sign_out(&store, by).await,
                "replaced" => drop(sign_in(&store, by.account, Level::L2, Some(by.session)).await),
                "expired" => world.clock.advance_seconds(8 * 3600),
                "erased" => {
                    let effect = store.erase(person.subject, person.account);
                    sealed(store.seal(change(person.subject, "person-erased", effect)).await);
                }
                _ => {}
            }
            let ended = store.seal(end(person.subject, by, lookup, true)).await.unwrap();
            assert_eq!(matches!(ended, Outcome::Sealed(_)), released, "{way}: {ended:?}");
            let again = store
                .seal(begin(person.subject, new_lookup(&store, by)))
                .await
                .unwrap();
            assert_eq!(
                matches!(again, Outcome::Sealed(_)),
                way != "erased",
                "{way}: {again:?}"
            );
        }
        check(&store).await;
    })
    .await;
}

/// A failure is recorded whatever has become of session and subject: it tells nothing to anybody.
#[tokio::test(flavor = "multi_thread")]
async fn a_failure_needs_no_session() {
    each_world(|world| async move {
        let store = world.open().await;
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let by = sign_up(&store, 1).await;
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        sealed(store.seal(begin(subject, new)).await);
        sign_out(&store, by).await;
        sealed(store.seal(end(subject, by, lookup, false)).await);
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_idempotency_key_is_one_look_up() {
    each_world(|world| async move {
        let store = world.open().await;
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let by = sign_up(&store, 1).await;
        let with_key = |key: u8| NewLookup {
            repeat_key: Some([key; 32]),
            request_hash: Some([key; 32]),
            ..new_lookup(&store, by)
        };
        // One after the other.
        sealed(store.seal(begin(subject, with_key(1))).await);
        nothing(store.seal(begin(subject, with_key(1))).await);
        nothing(store.seal(refuse(subject, with_key(1))).await);
        // In one batch.
        let busy = busy(&store, by.account.chain()).await;
        let (first, second) = tokio::join!(
            store.seal(begin(subject, with_key(2))),
            store.seal(begin(subject, with_key(2)))
        );
        sealed(busy.await.unwrap());
        sealed(first);
        nothing(second);
        // At once.
        let all = (0..50).map(|_| store.seal(begin(subject, with_key(3))));
        let outcomes = join_all(all).await;
        let begun = outcomes
            .iter()
            .filter(|o| matches!(o, Ok(Outcome::Sealed(_))))
            .count();
        assert_eq!(begun, 1, "{outcomes:?}");
        // Another subject's look-up may have the same key: keys are hashed with the requester.
        let other = store.mention_subject(&id_number(2)).await.unwrap();
        sealed(store.seal(begin(other, with_key(3))).await);
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_whose_condition_fails_leaves_nothing() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let size = store.log_size().await.unwrap();
        // That session is not this account's to replace: it does not exist.
        let unknown = new_session(&store, by.account, Level::L1, None).id;
        let new = new_session(&store, by.account, Level::L3, Some(unknown));
        nothing(
            store
                .seal(change(
                    by.account.chain(),
                    "signed-in",
                    store.start_session(new.clone()),
                ))
                .await,
        );
        assert_eq!(store.log_size().await.unwrap(), size);
        assert!(store.session(new.token_digest).await.unwrap().is_none());
        let account = store.account(by.account).await.unwrap().unwrap();
        assert_eq!(account.level, Level::L1);
        check(&store).await;
    })
    .await;
}

/// A release in the same batch as what ends its session, or erases its subject, does not overtake it.
#[tokio::test(flavor = "multi_thread")]
async fn within_a_batch_changes_come_first() {
    each_world(|world| async move {
        let store = world.open().await;
        let person = prove(&store, 1).await;
        for way in ["replaced", "erased"] {
            let by = sign_up(&store, 2 + u32::from(way == "erased")).await;
            let new = new_lookup(&store, by);
            let lookup = new.lookup;
            sealed(store.seal(begin(person.subject, new)).await);
            let ending = if way == "replaced" {
                let new = new_session(&store, by.account, Level::L2, Some(by.session));
                change(by.account.chain(), "signed-in", store.start_session(new))
            } else {
                change(
                    person.subject,
                    "person-erased",
                    store.erase(person.subject, person.account),
                )
            };
            let busy = busy(&store, by.account.chain()).await;
            let (release, ended) = tokio::join!(
                store.seal(end(person.subject, by, lookup, true)),
                store.seal(ending)
            );
            sealed(busy.await.unwrap());
            let (release, ended) = (refused(release), sealed(ended));
            assert_eq!(release.time, ended.time, "{way}: one batch");
            assert!(ended.leaf_index < release.leaf_index, "{way}");
        }
        check(&store).await;
    })
    .await;
}

/// Many at once: every number once, every receipt verifies, by both keys where the suite has two.
#[tokio::test(flavor = "multi_thread")]
async fn many_seals_at_once_leave_chains_without_gaps() {
    for suite in [crypto::Suite::Intl, crypto::Suite::Gm] {
        each_world_of(suite, |world| async move {
            let store = world.open().await;
            let mut owners = vec![];
            for number in 0..7 {
                let account = store.random().id(world.now(), AccountId::new);
                store.ensure_chain(account.chain()).await.unwrap();
                owners.push((account.chain(), number));
            }
            let before = store.log_size().await.unwrap();
            let all = (0..500).map(|n| store.seal(note(owners[n % 7].0, &format!("note {n}"))));
            let all: Vec<_> = join_all(all).await.into_iter().map(sealed).collect();
            assert_eq!(store.log_size().await.unwrap(), before + 500);
            let mut indexes: Vec<u64> = all.iter().map(|sealed| sealed.leaf_index).collect();
            indexes.sort_unstable();
            assert!(indexes.into_iter().eq(before..before + 500));
            for (owner, number) in owners {
                let mut seqs: Vec<u64> = all
                    .iter()
                    .skip(number)
                    .step_by(7)
                    .map(|sealed| sealed.seq)
                    .collect();
                seqs.sort_unstable();
                assert!(seqs.iter().copied().eq(0..seqs.len() as u64), "{owner}: {seqs:?}");
            }
            for (n, sealed) in all.iter().enumerate() {
                let verified = verify(&store, &sealed.receipt()).unwrap();
                assert_eq!(verified.shared.about, Some(format!("note {n}")));
                assert_eq!(verified.index, sealed.leaf_index);
            }
            check(&store).await;
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn entry_times_never_go_back() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let start = world.now();
        let mut last = Timestamp(0);
        for jump in [0, 60, -3600, 30, -400 * 24 * 3600, 7200, -1] {
            world.clock.set(start.plus_seconds(jump));
            let sealed = sealed(store.seal(note(by.account.chain(), "note")).await);
            assert!(sealed.time >= last, "{jump}");
            assert_eq!(sealed.time, last.max(start.plus_seconds(jump)));
            last = sealed.time;
        }
        // The openings of all are under the key of the year that they say, not of the clock that was wrong.
        let years = "SELECT count(*) FROM entry WHERE key_class <> 'evidence-2026'";
        assert_eq!(number_of(&world.data().await, years).await, 0);
        check(&store).await;
        // A restart does not forget the time.
        world.clock.set(start.plus_seconds(-24 * 3600));
        close(store).await;
        let store = world.open().await;
        assert_eq!(
            sealed(store.seal(note(by.account.chain(), "note")).await).time,
            last
        );
    })
    .await;
}

/// A session has expired by the log's time although the clock, which went back, says otherwise.
#[tokio::test(flavor = "multi_thread")]
async fn expiry_is_judged_by_the_entrys_time() {
    each_world(|world| async move {
        let store = world.open().await;
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let by = sign_up(&store, 1).await;
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        sealed(store.seal(begin(subject, new)).await);
        assert!(store.session(token_of(by.session)).await.unwrap().is_some());
        world.clock.advance_seconds(8 * 3600);
        sealed(store.seal(note(by.account.chain(), "the log's time moves")).await);
        world.clock.advance_seconds(-4 * 3600);
        assert!(store.session(token_of(by.session)).await.unwrap().is_none());
        refused(store.seal(end(subject, by, lookup, true)).await);
        check(&store).await;
    })
    .await;
}

/// As what was placed before places said the hashes of leaves.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_goes_on_from_a_place_that_says_no_hash() {
    each_world(|world| async move {
        let store = world.open().await;
        let people = [prove(&store, 1).await, prove(&store, 2).await];
        for person in &people {
            look_up(&store, person.subject, person.holder).await;
        }
        // Which has all places written.
        check(&store).await;
        close(store).await;
        let data = world.data().await;
        let empty = "UPDATE chain_place SET leaf_hash = NULL WHERE leaf_hash IS NOT NULL";
        assert!(run(&data, empty, &[]).await > 4);
        // Nothing is known to whoever begins: one owner is read whole, of the other it is known who they are.
        let store = world.open().await;
        let [whole, known] = people;
        let known_as = found(&store, known.holder).await;
        for (person, by) in [(whole, whole.holder), (known, known_as)] {
            let (_, released) = look_up(&store, person.subject, by).await;
            verify(&store, &released.receipt()).unwrap();
        }
        check(&store).await;
        close(store).await;
        let said = "SELECT count(*) FROM chain_place WHERE leaf_hash IS NOT NULL";
        assert_eq!(
            number_of(&data, said).await,
            2,
            "an intent shares the place of the outcome right behind it"
        );
    })
    .await;
}

/// The full check tells that somebody changed it; and that it is what the next entry was linked to.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_goes_on_from_the_hash_that_its_newest_place_says() {
    each_world(|world| async move {
        let store = world.open().await;
        let person = prove(&store, 1).await;
        look_up(&store, person.subject, person.holder).await;
        // Which has all places written.
        check(&store).await;
        close(store).await;
        let data = world.data().await;
        let false_hash = "UPDATE chain_place SET leaf_hash = $1 WHERE subject_id = $2 \
             AND seq = (SELECT max(seq) FROM chain_place WHERE subject_id = $3)";
        let subject = || person.subject.bytes().into();
        assert_eq!(
            run(&data, false_hash, &[[7; 32].into(), subject(), subject()]).await,
            1
        );
        let store = world.open().await;
        look_up(&store, person.subject, person.holder).await;
        let problems = problems(&store).await.join("\n");
        for told in ["says another hash than its leaf's", "has another before it"] {
            assert!(problems.contains(told), "{problems}");
        }
        close(store).await;
    })
    .await;
}
