//! Erasure, the end of retention, and rotation of the root key.

use std::sync::Arc;

use crypto::RootKeys;
use domain::ids::SubjectId;
use futures_util::future::join_all;
use ledger::EntryType;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use store::{PERSON_ERASED, Store, StoreError};

use crate::{acts::*, world::*};

async fn erase(store: &Store, person: Proven) {
    let effect = store.erase(person.subject, person.account);
    sealed(store.seal(change(person.subject, PERSON_ERASED, effect)).await);
    store.destroy_keys(person.subject, person.account).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn erasure_leaves_evidence_and_nothing_else() {
    each_world(|world| async move {
        let store = world.open().await;
        let (person, other) = (prove(&store, 1).await, prove(&store, 2).await);
        let (_, release) = look_up(&store, person.subject, person.holder).await;
        // An answer is kept for a repetition; another look-up is under way, by somebody else.
        let new = store::NewLookup {
            repeat_key: Some([4; 32]),
            request_hash: Some([5; 32]),
            ..new_lookup(&store, person.holder)
        };
        let lookup = new.lookup;
        sealed(store.seal(begin(person.subject, new)).await);
        let answer = store.encrypt_answer(person.subject, lookup, b"the answer").await.unwrap();
        let kept = (answer.clone(), world.now().plus_seconds(600));
        sealed(store.seal(end_with(person.subject, person.holder, lookup, kept)).await);
        let repeated = store.repetition(person.subject, [4; 32], [5; 32]).await.unwrap().unwrap();
        assert_eq!(repeated.answer.as_deref(), Some(b"the answer".as_slice()));
        let under_way = new_lookup(&store, other.holder);
        let late = under_way.lookup;
        sealed(store.seal(begin(person.subject, under_way)).await);
        store.drain_outbox_wholly().await.unwrap();
        look_up(&store, other.subject, person.holder).await;

        erase(&store, person).await;
        refused(store.seal(end(person.subject, other.holder, late, true)).await);
        store.drain_outbox_wholly().await.unwrap();

        let data = world.data().await;
        let account = [person.account.bytes().into()];
        for table in ["account WHERE account_id", "session WHERE account_id", "requester_lookup WHERE requester_id", "directory WHERE owner_id"] {
            assert_eq!(run(&data, &format!("DELETE FROM {table} = $1"), &account).await, 0, "{table}");
        }
        let subject = [person.subject.bytes().into()];
        assert_eq!(run(&data, "DELETE FROM directory WHERE owner_id = $1", &subject).await, 0);
        let left = "SELECT count(*) FROM lookup WHERE answer IS NOT NULL OR repeat_key IS NOT NULL OR request_hash IS NOT NULL";
        assert_eq!(number_of(&data, left).await, 0);
        let view = store.subject(person.subject).await.unwrap().unwrap();
        assert!(!view.active && view.person.is_none() && view.account.is_none());
        // Keys: of these two owners only those of evidence are left; none is made again.
        let keys = world.keys().await;
        for owner in [person.subject, person.account.chain()] {
            let gone = "DELETE FROM wrapped_key WHERE subject_id = $1 AND class NOT LIKE 'evidence-%'";
            assert_eq!(run(&keys, gone, &[owner.bytes().into()]).await, 0);
        }
        let again = store.encrypt_answer(person.subject, lookup, b"again").await;
        assert!(matches!(again, Err(StoreError::Erased)), "{again:?}");
        // The evidence is there, and proves what it proved.
        let types: Vec<EntryType> = store
            .entries(person.subject, None, 100)
            .await
            .unwrap()
            .iter()
            .map(|entry| entry.shared.entry_type)
            .collect();
        use EntryType::{Change, Intent, Refusal, Release};
        assert_eq!(types, [Refusal, Change, Intent, Release, Intent, Release, Intent, Change]);
        verify(&store, &release.receipt()).unwrap();
        verify(&store, &store.receipt(person.subject, 0).await.unwrap().unwrap()).unwrap();
        // Once is enough; and nobody erases through another's account.
        let twice = store.erase(person.subject, person.account);
        nothing(store.seal(change(person.subject, PERSON_ERASED, twice)).await);
        let foreign = store.erase(other.subject, person.account);
        nothing(store.seal(change(other.subject, PERSON_ERASED, foreign)).await);
        check(&store).await;
    })
    .await;
}

/// SQLite's files hold no copy of a destroyed key, not even in the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_destroyed_key_is_in_no_file() {
    each_world(|world| async move {
        let store::engine::DbConfig::Sqlite { path, .. } = world.config.keys.clone() else {
            return;
        };
        let store = world.open().await;
        let person = prove(&store, 1).await;
        world.clock.advance_seconds(365 * 24 * 3600);
        sealed(store.seal(note(person.subject, "next year")).await);
        let keys = world.keys().await;
        let wrapped = |class: &str| {
            let sql = format!("SELECT wrapped FROM wrapped_key WHERE class = '{class}' AND subject_id = $1");
            (
                store::engine::Sql::both(String::leak(sql)),
                [person.subject.bytes().into()],
            )
        };
        let mut destroyed = vec![];
        for class in ["profile", "evidence-2026"] {
            let (sql, params) = wrapped(class);
            let row = keys.query_opt(&sql, &params).await.unwrap().unwrap();
            destroyed.push(row.blob(0, "wrapped_key.wrapped").unwrap()[20..52].to_vec());
        }
        let files = || {
            let mut all = vec![];
            for side in ["sqlite", "sqlite-wal", "sqlite-shm"] {
                all.extend(std::fs::read(path.with_extension(side)).unwrap());
            }
            all
        };
        let lies = |bytes: &[u8]| files().windows(bytes.len()).any(|window| window == bytes);
        assert!(destroyed.iter().all(|key| lies(key)), "they are there before");
        erase(&store, person).await;
        assert_eq!(store.destroy_outdated_evidence(0).await.unwrap(), 2);
        assert!(!destroyed.iter().any(|key| lies(key)));
        check(&store).await;
    })
    .await;
}

/// Whoever comes again is new: another subject, another account, and nothing leads to the old chain.
#[tokio::test(flavor = "multi_thread")]
async fn whoever_comes_again_is_a_new_subject() {
    each_world(|world| async move {
        let store = world.open().await;
        let before = prove(&store, 1).await;
        erase(&store, before).await;
        let after = prove(&store, 1).await;
        assert_ne!(before.subject, after.subject);
        assert_ne!(before.account, after.account);
        assert_eq!(store.mention_subject(&id_number(1)).await.unwrap(), after.subject);
        assert!(
            store
                .subject(after.subject)
                .await
                .unwrap()
                .unwrap()
                .person
                .is_some()
        );
        assert_eq!(store.entries(after.subject, None, 10).await.unwrap().len(), 1);
        check(&store).await;
        erase(&store, after).await;
        check(&store).await;
    })
    .await;
}

/// At the end of its retention evidence cannot be opened any more; the log and the younger evidence stay whole.
#[tokio::test(flavor = "multi_thread")]
async fn outdated_evidence_is_closed_for_good() {
    each_world(|world| async move {
        let store = world.open().await;
        let person = prove(&store, 1).await;
        for number in [500, 1000] {
            let subject = store.mention_subject(&id_number(number)).await.unwrap();
            look_up(&store, subject, person.holder).await;
        }
        look_up(&store, person.subject, person.holder).await;
        let old = store.log_size().await.unwrap();
        world
            .clock
            .set(domain::time::Timestamp::parse_rfc3339("2028-03-01T00:00:00Z").unwrap());
        let by = sign_in(&store, person.account, domain::words::Level::L2, None).await;
        let (_, young) = look_up(&store, person.subject, by).await;
        store.drain_outbox_wholly().await.unwrap();
        // Evidence of 2026, kept for one whole year after its end: through 2027.
        assert_eq!(store.destroy_outdated_evidence(2).await.unwrap(), 0);
        assert_eq!(store.destroy_outdated_evidence(1).await.unwrap(), 4);
        assert_eq!(store.destroy_outdated_evidence(1).await.unwrap(), 0);
        let entries = store.entries(person.subject, None, 100).await.unwrap();
        assert_eq!(entries.len(), 2);
        assert!(entries.iter().all(|entry| entry.leaf_index > old));
        let page = store::LookupPage {
            before: None,
            with_hidden: true,
            limit: 100,
        };
        assert_eq!(store.lookups_of(person.account, page).await.unwrap().len(), 1);
        let closed = store.receipt(person.subject, 0).await;
        assert!(matches!(closed, Err(StoreError::Erased)), "{closed:?}");
        verify(&store, &young.receipt()).unwrap();
        sealed(store.seal(note(person.subject, "goes on")).await);
        check(&store).await;
        close(store).await;
        let store = world.open().await;
        check(&store).await;
        // A key that is merely missing is told.
        run(
            &world.keys().await,
            "DELETE FROM wrapped_key WHERE class = 'evidence-2028'",
            &[],
        )
        .await;
        close(store).await;
        let problems = problems(&world.open().await).await;
        assert!(
            problems.iter().any(|problem| problem.contains("is missing")),
            "{problems:?}"
        );
    })
    .await;
}

/// A clock that is years behind makes no key of a year whose retention is over.
#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_behind_loses_no_evidence() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let start = world.now();
        world.clock.set(domain::time::Timestamp(0));
        sealed(
            store
                .seal(note(by.account.chain(), "in 1970, says the clock"))
                .await,
        );
        world.clock.set(start);
        assert_eq!(store.destroy_outdated_evidence(1).await.unwrap(), 0);
        assert_eq!(
            store.entries(by.account.chain(), None, 10).await.unwrap().len(),
            3
        );
        check(&store).await;
    })
    .await;
}

/// The root is rotated while seals go on: none fails, and in the end the old root opens nothing.
#[tokio::test(flavor = "multi_thread")]
async fn the_root_rotates_under_load() {
    each_world(rotate).await;
}

async fn rotate(world: World) {
    let store = world.open().await;
    let person = prove(&store, 1).await;
    let owners: Vec<SubjectId> = join_all((2..200).map(|n| {
        let store = store.clone();
        async move { store.mention_subject(&id_number(n)).await.unwrap() }
    }))
    .await;
    let load = {
        let (store, owners) = (store.clone(), owners.clone());
        tokio::spawn(async move {
            for round in 0..3 {
                let all = join_all(
                    owners
                        .iter()
                        .map(|owner| store.seal(note(*owner, &format!("round {round}")))),
                )
                .await;
                all.into_iter().for_each(|one| drop(sealed(one)));
            }
        })
    };
    let mut rng = ChaCha20Rng::from_seed([77; 32]);
    let before = number_of(&world.keys().await, "SELECT count(*) FROM wrapped_key").await;
    let rotated = Arc::new(RootKeys::rotate(&world.key_file, world.now().0, &mut rng).unwrap());
    store.adopt_root_keys(Arc::clone(&rotated)).unwrap();
    let mut moved = 0;
    while !load.is_finished() {
        moved += store.rewrap_keys().await.unwrap();
    }
    load.await.unwrap();
    moved += store.rewrap_keys().await.unwrap();
    assert!(moved as i64 >= before, "{moved} of {before}");
    assert_eq!(store.rewrap_keys().await.unwrap(), 0, "all are moved");
    check(&store).await;
    // The old keys alone open nothing any more; keys of another store are refused.
    let stranger = tempfile::tempdir().unwrap();
    let stranger = stranger.path().join("keys");
    let stranger = RootKeys::create(&stranger, "production", crypto::Suite::Intl, 0, &mut rng).unwrap();
    assert!(matches!(
        store.adopt_root_keys(Arc::new(stranger)),
        Err(StoreError::Refused(_))
    ));
    let back = store.adopt_root_keys(Arc::clone(&world.root));
    assert!(
        matches!(back, Err(StoreError::Refused(_))),
        "there is no way back"
    );
    close(store).await;
    let old = world.open().await;
    let closed = old.entries(person.subject, None, 10).await;
    assert!(
        matches!(&closed, Err(StoreError::Key(text)) if text.contains("root key version 2")),
        "{closed:?}"
    );
    close(old).await;
    let new = world.with_root(rotated).open().await;
    assert_eq!(new.entries(owners[0], None, 10).await.unwrap().len(), 3);
    check(&new).await;
}
