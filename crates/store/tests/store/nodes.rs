//! Several nodes over one PostgreSQL, and its connections lost in the middle of a commit.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use domain::time::ManualClock;
use futures_util::future::join_all;
use store::{Effect, Outcome, StoreConfig, StoreError, engine::DbConfig};
use tokio::sync::Notify;

use crate::{
    acts::*,
    wire::{Cut, wire},
    world::*,
};

/// Three nodes seal at once for the same owners: one log, one chain for each owner, every receipt good everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn nodes_share_one_log() {
    on_postgres(|world| async move {
        let mut nodes = vec![];
        for number in 0..3 {
            // Their clocks do not agree.
            let clock = Arc::new(ManualClock::new(START.plus_seconds(i64::from(number) * 40)));
            nodes.push(world.open_node(number, clock).await);
        }
        let by = sign_up(&nodes[0], 1).await;
        let owners: Vec<_> = join_all((1..4).map(|n| {
            let store = nodes[0].clone();
            async move { store.mention_subject(&id_number(n)).await.unwrap() }
        }))
        .await;
        let before = nodes[0].log_size().await.unwrap();
        let rounds = (0..40).map(|n| {
            let (store, owner) = (nodes[n % 3].clone(), owners[n % 2]);
            async move {
                let mut all = vec![];
                for _ in 0..6 {
                    let new = new_lookup(&store, by);
                    let lookup = new.lookup;
                    all.push(sealed(store.seal(begin(owner, new)).await));
                    all.push(sealed(store.seal(end(owner, by, lookup, true)).await));
                }
                all
            }
        });
        let mut all: Vec<_> = join_all(rounds).await.into_iter().flatten().collect();
        all.sort_by_key(|sealed| sealed.leaf_index);
        assert!(
            all.iter()
                .map(|sealed| sealed.leaf_index)
                .eq(before..before + 480)
        );
        assert!(all.is_sorted_by_key(|sealed| sealed.time), "times follow the log");
        for sealed in &all {
            verify(&nodes[0], &sealed.receipt()).unwrap();
        }
        for store in &nodes {
            let receipt = store.receipt(owners[0], 0).await.unwrap().unwrap();
            verify(store, &receipt).unwrap();
            store.publish_checkpoint().await.unwrap();
            check(store).await;
        }
        let (size, _) = nodes[1].published().await.unwrap().unwrap();
        assert_eq!(size, before + 480);
    })
    .await;
}

/// The same look-up is ended on two nodes, the same key is begun on two, the same phone signs up on two.
#[tokio::test(flavor = "multi_thread")]
async fn of_two_nodes_one_wins() {
    on_postgres(|world| async move {
        let one = world.open().await;
        let two = world.open_node(2, Arc::clone(&world.clock)).await;
        let subject = one.mention_subject(&id_number(1)).await.unwrap();
        let by = sign_up(&one, 1).await;
        for round in 0..15 {
            let new = store::NewLookup {
                repeat_key: Some([round; 32]),
                ..new_lookup(&one, by)
            };
            let other = store::NewLookup {
                lookup: new_lookup(&two, by).lookup,
                ..new.clone()
            };
            let lookups = [new.lookup, other.lookup];
            let (a, b) = tokio::join!(one.seal(begin(subject, new)), two.seal(begin(subject, other)));
            let lookup = match (a.unwrap(), b.unwrap()) {
                (Outcome::Sealed(_), Outcome::Nothing) => lookups[0],
                (Outcome::Nothing, Outcome::Sealed(_)) => lookups[1],
                both => panic!("{both:?}"),
            };
            let (a, b) = tokio::join!(
                one.seal(end(subject, by, lookup, true)),
                two.seal(end(subject, by, lookup, false))
            );
            let won = [a, b]
                .into_iter()
                .filter(|o| matches!(o, Ok(Outcome::Sealed(_))))
                .count();
            assert_eq!(won, 1);
            let phone = phone(100 + u32::from(round));
            let (a, b) = tokio::join!(one.create_account(&phone), two.create_account(&phone));
            let ((a, make_a), (b, make_b)) = (a.unwrap(), b.unwrap());
            let (made_a, made_b) = tokio::join!(
                one.seal(change(a.chain(), "account-created", make_a)),
                two.seal(change(b.chain(), "account-created", make_b))
            );
            let made = [made_a, made_b]
                .into_iter()
                .filter(|o| matches!(o, Ok(Outcome::Sealed(_))))
                .count();
            assert_eq!(made, 1);
            let number = id_number(500 + u32::from(round));
            let (a, b) = tokio::join!(one.mention_subject(&number), two.mention_subject(&number));
            assert_eq!(a.unwrap(), b.unwrap());
        }
        check(&one).await;
    })
    .await;
}

/// Who was told that their session has ended is answered nothing any more: a release that is under way on another
/// node comes before, or not at all.
#[tokio::test(flavor = "multi_thread")]
async fn no_release_is_committed_after_its_session_ended() {
    on_postgres(|world| async move {
        let one = world.open().await;
        let two = world.open_node(2, Arc::clone(&world.clock)).await;
        let subject = one.mention_subject(&id_number(1)).await.unwrap();
        let by = sign_up(&one, 1).await;
        let new = new_lookup(&one, by);
        let lookup = new.lookup;
        sealed(one.seal(begin(subject, new)).await);
        // The first stop lets the second and the release wait for one batch; in it the second stops, its snapshot taken.
        let stops = [Stop::default(), Stop::default()];
        let mut waiting = vec![];
        for stop in &stops {
            let (store, seal) = (one.clone(), change(subject, "stops", stop.effect()));
            waiting.push(tokio::spawn(async move { store.seal(seal).await }));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let store = one.clone();
        let release = tokio::spawn(async move { store.seal(end(subject, by, lookup, true)).await });
        tokio::time::sleep(Duration::from_millis(50)).await;
        stops[0].passes.notify_one();
        stops[1].reached.notified().await;
        let leaving = tokio::spawn(async move { sign_out(&two, by).await });
        tokio::time::sleep(Duration::from_millis(300)).await;
        let told = leaving.is_finished();
        stops[1].passes.notify_one();
        let release = release.await.unwrap().unwrap();
        assert!(
            !(told && matches!(release, Outcome::Sealed(_))),
            "answered after the session had ended"
        );
        leaving.await.unwrap();
        for stop in waiting {
            sealed(stop.await.unwrap());
        }
        assert!(one.session(token_of(by.session)).await.unwrap().is_none());
        check(&one).await;
    })
    .await;
}

/// What a node has found of a requester ends with the first thing that another node enters.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_node_found_ends_with_what_another_changes() {
    on_postgres(|world| async move {
        let one = world.open().await;
        let two = world.open_node(2, Arc::clone(&world.clock)).await;
        for (number, way) in (1..).zip(["signed out", "erased", "a look-up"]) {
            let person = prove(&one, number).await;
            let (subject, by) = (person.subject, found(&one, person.holder).await);
            assert!(by.standing.is_some());
            let (ending, other) = (new_lookup(&one, by), new_lookup(&two, by));
            let lookup = ending.lookup;
            sealed(one.seal(begin(subject, ending)).await);
            match way {
                "signed out" => sign_out(&two, by).await,
                "erased" => {
                    let effect = two.erase(subject, person.account);
                    sealed(two.seal(change(subject, "person-erased", effect)).await);
                }
                _ => drop(sealed(two.seal(begin(subject, other)).await)),
            }
            let ended = one.seal(end(subject, by, lookup, true)).await.unwrap();
            assert_eq!(
                matches!(ended, Outcome::Sealed(_)),
                way == "a look-up",
                "{way}: {ended:?}"
            );
            let begun = one.seal(begin(subject, new_lookup(&one, by))).await.unwrap();
            assert_eq!(
                matches!(begun, Outcome::Sealed(_)),
                way != "erased",
                "{way}: {begun:?}"
            );
        }
        check(&one).await;
    })
    .await;
}

/// A change that stops in the committer's transaction until it is let pass.
#[derive(Default)]
struct Stop {
    reached: Arc<Notify>,
    passes: Arc<Notify>,
}

impl Stop {
    fn effect(&self) -> Effect {
        let (reached, passes) = (Arc::clone(&self.reached), Arc::clone(&self.passes));
        Effect::new(move |_, _| {
            let (reached, passes) = (Arc::clone(&reached), Arc::clone(&passes));
            Box::pin(async move {
                reached.notify_one();
                passes.notified().await;
                Ok(true)
            })
        })
    }
}

/// A node that reads what another has sealed under a key it has not seen yet.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_reads_what_another_has_just_sealed() {
    on_postgres(|world| async move {
        let one = world.open().await;
        let two = world.open_node(2, Arc::clone(&world.clock)).await;
        let person = prove(&one, 1).await;
        assert!(
            two.subject(person.subject)
                .await
                .unwrap()
                .unwrap()
                .person
                .is_some()
        );
        world.clock.advance_seconds(365 * 24 * 3600);
        let sealed = sealed(one.seal(note(person.subject, "next year")).await);
        let entry = two.entry(person.subject, sealed.seq).await.unwrap().unwrap();
        assert_eq!(entry.shared.about.as_deref(), Some("next year"));
        verify(
            &two,
            &two.receipt(person.subject, sealed.seq).await.unwrap().unwrap(),
        )
        .unwrap();
    })
    .await;
}

/// One node's clock is in the next year already: both use that year's key from then on.
#[tokio::test(flavor = "multi_thread")]
async fn the_years_key_follows_the_logs_time() {
    on_postgres(|world| async move {
        let one = world.open().await;
        let ahead = Arc::new(ManualClock::new(START.plus_seconds(250 * 24 * 3600)));
        let two = world.open_node(2, ahead).await;
        let by = sign_up(&one, 1).await;
        sealed(two.seal(note(by.account.chain(), "in the next year")).await);
        sealed(one.seal(note(by.account.chain(), "still in this year")).await);
        let data = world.data().await;
        let classes = "SELECT count(*) FROM entry WHERE key_class = 'evidence-2027'";
        assert_eq!(number_of(&data, classes).await, 2);
        check(&one).await;
    })
    .await;
}

/// The wire is cut at the COMMIT of a batch, before the server heard it or before its answer came back. What was
/// committed is answered, what was not is not, and the next seals go on.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_found_out() {
    for heard in [false, true] {
        on_postgres(|world| async move {
            let cut = Arc::new(Cut {
                commits: AtomicUsize::new(usize::MAX),
                heard,
            });
            let url = wire(Arc::clone(&cut)).await;
            let DbConfig::Postgres { schema, .. } = world.config.data.clone() else {
                panic!("not PostgreSQL")
            };
            let data = DbConfig::Postgres { url, schema, pool: 4 };
            let store = world
                .open_with(&StoreConfig {
                    data,
                    ..world.config.clone()
                })
                .await;
            let by = sign_up(&store, 1).await;
            let owner = by.account.chain();
            let size = store.log_size().await.unwrap();
            cut.commits.store(1, Ordering::SeqCst);
            let answers = join_all((0..3).map(|_| store.seal(note(owner, "cut")))).await;
            if heard {
                let last = answers.into_iter().map(sealed).next_back().unwrap();
                assert_eq!(store.log_size().await.unwrap(), size + 3);
                verify(&store, &last.receipt()).unwrap();
            } else {
                for answer in &answers[..1] {
                    assert!(matches!(answer, Err(StoreError::Db(_))), "{answer:?}");
                }
            }
            let size = store.log_size().await.unwrap();
            assert_eq!(sealed(store.seal(note(owner, "after")).await).leaf_index, size);
            check(&store).await;
        })
        .await;
    }
}

/// The server kills every connection again and again while seals go on: each is answered truly, and nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn lost_connections_lose_nothing() {
    on_postgres(|world| async move {
        let DbConfig::Postgres { url, schema, pool } = world.config.data.clone() else {
            panic!("not PostgreSQL")
        };
        // Named, so that nobody else's connections are killed.
        let name = schema.clone().unwrap();
        let data = DbConfig::Postgres {
            url: format!("{url}?application_name={name}"),
            schema,
            pool,
        };
        let store = world
            .open_with(&StoreConfig {
                data,
                ..world.config.clone()
            })
            .await;
        let by = sign_up(&store, 1).await;
        let owner = by.account.chain();
        let killer = {
            let data = world.data().await;
            tokio::spawn(async move {
                for _ in 0..25 {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    let all = format!(
                        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                         WHERE application_name = '{name}' AND state <> 'idle'"
                    );
                    number_of(&data, &all).await;
                }
            })
        };
        let (mut answered, mut failed) = (vec![], 0);
        while !killer.is_finished() {
            for outcome in join_all((0..8).map(|_| store.seal(note(owner, "note")))).await {
                match outcome {
                    Ok(Outcome::Sealed(sealed)) => answered.push(sealed),
                    Ok(other) => panic!("{other:?}"),
                    Err(StoreError::Db(_)) => failed += 1,
                    Err(other) => panic!("{other:?}"),
                }
            }
        }
        killer.await.unwrap();
        let entries = number_of(&world.data().await, "SELECT count(*) FROM entry").await;
        assert_eq!(entries as usize, 2 + answered.len(), "{failed} failed");
        for sealed in &answered {
            verify(&store, &sealed.receipt()).unwrap();
        }
        check(&store).await;
    })
    .await;
}
