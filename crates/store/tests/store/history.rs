//! A requester's own look-ups: the projection, its pages, hiding, kept answers and repetitions.

use domain::ids::LookupId;
use store::{LookupPage, NewLookup, REPEATABLE_SECONDS, Store};

use crate::{acts::*, world::*};

async fn page(
    store: &Store,
    by: Holder,
    before: Option<LookupId>,
    with_hidden: bool,
    limit: u16,
) -> Vec<LookupId> {
    let page = LookupPage {
        before,
        with_hidden,
        limit,
    };
    let views = store.lookups_of(by.account, page).await.unwrap();
    views.iter().map(|view| view.lookup).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn look_ups_come_newest_first_in_pages() {
    each_world(|world| async move {
        let store = world.open().await;
        let (by, other) = (sign_up(&store, 1).await, sign_up(&store, 2).await);
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let mut all = vec![];
        for n in 0..25 {
            world.clock.advance_seconds(1);
            all.push(match n % 5 {
                0 => {
                    let new = new_lookup(&store, by);
                    let lookup = new.lookup;
                    sealed(store.seal(refuse(subject, new)).await);
                    lookup
                }
                1 => {
                    let new = new_lookup(&store, by);
                    let lookup = new.lookup;
                    sealed(store.seal(begin(subject, new)).await);
                    sealed(store.seal(end(subject, by, lookup, false)).await);
                    lookup
                }
                _ => look_up(&store, subject, by).await.0,
            });
            look_up(&store, subject, other).await;
        }
        // One that has not ended is in nobody's view yet.
        sealed(store.seal(begin(subject, new_lookup(&store, by))).await);
        assert!(page(&store, by, None, true, 10).await.is_empty());
        assert_eq!(store.drain_outbox(10).await.unwrap(), 10);
        assert_eq!(store.drain_outbox_wholly().await.unwrap(), 40);
        assert_eq!(store.drain_outbox_wholly().await.unwrap(), 0);
        all.reverse();
        assert_eq!(page(&store, by, None, false, 100).await, all);
        let mut paged = vec![];
        loop {
            let some = page(&store, by, paged.last().copied(), false, 4).await;
            if some.is_empty() {
                break;
            }
            paged.extend(some);
        }
        assert_eq!(paged, all);
        let view = store.lookup_of(by.account, all[0]).await.unwrap().unwrap();
        assert_eq!(
            (view.state.as_str(), view.subject, view.hidden),
            ("released", subject, false)
        );
        assert_eq!(view.entry.lookup, Some(all[0]));
        assert_eq!(
            store.lookup_of(by.account, all[24]).await.unwrap().unwrap().state,
            "refused"
        );
        assert_eq!(
            store.lookup_of(by.account, all[23]).await.unwrap().unwrap().state,
            "failed"
        );
        // The subject's view: every entry, in pages.
        let mut seqs = vec![];
        let mut before = None;
        loop {
            let some = store.entries(subject, before, 7).await.unwrap();
            let Some(last) = some.last() else { break };
            before = Some(last.seq);
            seqs.extend(some.iter().map(|entry| entry.seq));
        }
        assert!(seqs.into_iter().rev().eq(0..20 * 2 + 5 + 25 * 2 + 1));
        check(&store).await;
    })
    .await;
}

/// What one asks about oneself is in one's own chain, and in one's view at once. What one asked before one was proven
/// to be oneself came by the outbox too, and is shown once.
#[tokio::test(flavor = "multi_thread")]
async fn ones_own_look_ups_need_no_outbox() {
    each_world(|world| async move {
        let store = world.open().await;
        let (by, other) = (sign_up(&store, 1).await, sign_up(&store, 2).await);
        let person = person(1);
        let subject = store.mention_subject(&person.id_number).await.unwrap();
        let claimed = look_up(&store, subject, by).await.0;
        assert!(page(&store, by, None, false, 100).await.is_empty());
        let effect = store.bind_account(by.account, subject, &person).await.unwrap();
        sealed(store.seal(change(subject, "name-proven", effect)).await);
        world.clock.advance_seconds(1);
        let own = look_up(&store, subject, by).await.0;
        world.clock.advance_seconds(1);
        let unproven = look_up(&store, by.account.chain(), by).await.0;
        world.clock.advance_seconds(1);
        let theirs = look_up(&store, subject, other).await.0;
        assert_eq!(page(&store, by, None, false, 100).await, [unproven, own, claimed]);
        assert_eq!(store.drain_outbox_wholly().await.unwrap(), 2);
        assert_eq!(page(&store, by, None, false, 100).await, [unproven, own, claimed]);
        assert_eq!(page(&store, by, Some(unproven), false, 1).await, [own]);
        assert_eq!(page(&store, other, None, false, 100).await, [theirs]);
        check(&store).await;
    })
    .await;
}

/// Intents whose look-ups are open are in their chain, between what is closed, and stay where they are.
#[tokio::test(flavor = "multi_thread")]
async fn open_intents_are_in_their_chain() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let (first, second) = (new_lookup(&store, by), new_lookup(&store, by));
        let (one, two) = (first.lookup, second.lookup);
        let chain = async || {
            let entries = store.entries(subject, None, 100).await.unwrap();
            entries.iter().map(|e| (e.seq, e.lookup)).collect::<Vec<_>>()
        };
        assert_eq!(sealed(store.seal(begin(subject, first)).await).seq, 0);
        assert_eq!(sealed(store.seal(begin(subject, second)).await).seq, 1);
        assert_eq!(sealed(store.seal(note(subject, "note")).await).seq, 2);
        assert_eq!(chain().await, [(2, None), (1, Some(two)), (0, Some(one))]);
        check(&store).await;
        assert_eq!(sealed(store.seal(end(subject, by, two, true)).await).seq, 3);
        let all = [(3, Some(two)), (2, None), (1, Some(two)), (0, Some(one))];
        assert_eq!(chain().await, all);
        assert!(store.entry(subject, 0).await.unwrap().is_some());
        check(&store).await;
        assert_eq!(sealed(store.seal(end(subject, by, one, false)).await).seq, 4);
        assert_eq!(chain().await[1..], all);
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_is_hidden_from_its_requester_alone() {
    each_world(|world| async move {
        let store = world.open().await;
        let (by, other) = (sign_up(&store, 1).await, sign_up(&store, 2).await);
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let mut all = vec![];
        for _ in 0..5 {
            world.clock.advance_seconds(1);
            all.insert(0, look_up(&store, subject, by).await.0);
        }
        store.drain_outbox_wholly().await.unwrap();
        assert!(store.hide_lookup(by.account, all[3], true).await.unwrap());
        assert!(
            !store.hide_lookup(other.account, all[4], true).await.unwrap(),
            "it is not theirs"
        );
        assert!(store.lookup_of(other.account, all[3]).await.unwrap().is_none());
        assert_eq!(page(&store, by, None, false, 100).await.len(), 4);
        assert_eq!(page(&store, by, None, true, 100).await, all);
        assert!(store.lookup_of(by.account, all[3]).await.unwrap().unwrap().hidden);
        assert!(store.hide_lookup(by.account, all[3], false).await.unwrap());
        assert_eq!(page(&store, by, None, false, 100).await, all);
        assert_eq!(store.entries(subject, None, 100).await.unwrap().len(), 10);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_kept_for_its_time_and_opens_nowhere_else() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let (key, hash) = ([1; 32], [2; 32]);
        assert!(store.repetition(subject, key, hash).await.unwrap().is_none());
        let new = NewLookup {
            repeat_key: Some(key),
            request_hash: Some(hash),
            ..new_lookup(&store, by)
        };
        let lookup = new.lookup;
        sealed(store.seal(begin(subject, new)).await);
        let before = store.repetition(subject, key, hash).await.unwrap().unwrap();
        assert_eq!(
            (before.lookup, before.state.as_str(), before.outcome_seq),
            (lookup, "intended", None)
        );
        assert!(before.same_request && before.answer.is_none());
        let answer = store.encrypt_answer(subject, lookup, b"an answer").await.unwrap();
        let until = world.now().plus_seconds(600);
        sealed(
            store
                .seal(end_with(subject, by, lookup, (answer.clone(), until)))
                .await,
        );
        let after = store.repetition(subject, key, hash).await.unwrap().unwrap();
        assert_eq!((after.state.as_str(), after.outcome_seq), ("released", Some(1)));
        assert_eq!(after.answer.as_deref(), Some(b"an answer".as_slice()));
        assert!(
            !store
                .repetition(subject, key, [3; 32])
                .await
                .unwrap()
                .unwrap()
                .same_request
        );
        let other = store.mention_subject(&id_number(2)).await.unwrap();
        assert!(store.repetition(other, key, hash).await.unwrap().is_none());
        // In another look-up's row it does not open.
        let new = NewLookup {
            repeat_key: Some([9; 32]),
            ..new_lookup(&store, by)
        };
        let moved = new.lookup;
        sealed(store.seal(begin(subject, new)).await);
        sealed(store.seal(end_with(subject, by, moved, (answer, until))).await);
        assert!(store.repetition(subject, [9; 32], hash).await.is_err());

        assert_eq!(store.forget_answers().await.unwrap(), 0);
        world.clock.advance_seconds(600);
        let gone = store.repetition(subject, key, hash).await.unwrap().unwrap();
        assert!(gone.answer.is_none() && gone.same_request);
        assert_eq!(store.forget_answers().await.unwrap(), 2);
        assert_eq!(store.forget_answers().await.unwrap(), 0);
        // After a day the key is forgotten, and may be used again.
        world.clock.advance_seconds(REPEATABLE_SECONDS);
        assert_eq!(store.forget_answers().await.unwrap(), 2);
        assert!(store.repetition(subject, key, hash).await.unwrap().is_none());
        let by = sign_in(&store, by.account, domain::words::Level::L1, None).await;
        let new = NewLookup {
            repeat_key: Some(key),
            request_hash: Some(hash),
            ..new_lookup(&store, by)
        };
        sealed(store.seal(begin(subject, new)).await);
        check(&store).await;
    })
    .await;
}

/// More than one statement forgets: nothing is left behind, whatever has gathered.
#[tokio::test(flavor = "multi_thread")]
async fn whatever_has_gathered_is_forgotten() {
    each_world(|world| async move {
        let store = world.open().await;
        let data = world.data().await;
        let (digest, phone) = if data.engine() == store::engine::Engine::Sqlite {
            (
                "CAST('d' || n AS BLOB)",
                "WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < 2500)",
            )
        } else {
            (
                "convert_to('d' || n, 'UTF8')",
                "WITH s AS (SELECT n FROM generate_series(1, 2500) n)",
            )
        };
        run(
            &data,
            &format!("{phone} INSERT INTO attempt SELECT 'guess', {digest}, 1, 1 FROM s"),
            &[],
        )
        .await;
        run(
            &data,
            &format!("{phone} INSERT INTO code SELECT {digest}, {digest}, 5, 1, 1 FROM s"),
            &[],
        )
        .await;
        assert_eq!(store.forget_attempts().await.unwrap(), 5000);
        for table in ["attempt", "code"] {
            assert_eq!(
                number_of(&data, &format!("SELECT count(*) FROM {table}")).await,
                0
            );
        }
    })
    .await;
}
