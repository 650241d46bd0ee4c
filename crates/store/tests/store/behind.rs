//! Places that are written behind: nobody misses one, and none is lost with the process.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use domain::ids::SubjectId;
use futures_util::future::join_all;
use store::{Sealed, Store, engine::Engine};

use crate::{acts::*, world::*};

/// Number and index of every entry of a chain, as it is read, the newest first.
async fn chain_of(store: &Store, owner: SubjectId) -> Vec<(u64, u64)> {
    let entries = store.entries(owner, None, 500).await.unwrap();
    entries.iter().map(|e| (e.seq, e.leaf_index)).collect()
}

/// Each way in which a look-up ends, an intent with another entry right behind it, and an intent that does not end.
async fn all_ways(store: &Store, who: Proven) -> Vec<Sealed> {
    let (subject, by) = (who.subject, who.holder);
    let [found, failed, between, open] = [(); 4].map(|()| new_lookup(store, by));
    let ids = [&found, &failed, &between].map(|new| new.lookup);
    let mut all = vec![];
    for (new, id, release) in [(found, ids[0], true), (failed, ids[1], false)] {
        all.push(sealed(store.seal(begin(subject, new)).await));
        all.push(sealed(store.seal(end(subject, by, id, release)).await));
    }
    all.push(sealed(store.seal(begin(subject, between)).await));
    all.push(sealed(store.seal(note(subject, "between the two")).await));
    all.push(sealed(store.seal(end(subject, by, ids[2], true)).await));
    all.push(sealed(store.seal(refuse(subject, new_lookup(store, by))).await));
    all.push(sealed(store.seal(begin(subject, open)).await));
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_due_when_a_process_ended_is_placed_at_the_next_start() {
    each_world(|world| async move {
        let store = world.open().await;
        let mut people = vec![];
        for number in 1..4 {
            let who = prove(&store, number).await;
            let mut made = vec![];
            for _ in 0..4 {
                made.extend(all_ways(&store, who).await);
            }
            let mut chain: Vec<_> = made.iter().map(|s| (s.seq, s.leaf_index)).collect();
            chain.reverse();
            people.push((who, chain));
        }
        // And several in one batch, after changes, which have places written.
        let all: Vec<_> = people.iter().map(|(who, _)| (who.subject, who.holder)).collect();
        for _ in 0..3 {
            join_all(
                all.iter()
                    .map(|(subject, _)| store.seal(note(*subject, "beside"))),
            )
            .await;
            join_all(all.iter().map(|(subject, by)| look_up(&store, *subject, *by))).await;
        }
        // Nobody reads, which would have places written, and nothing is said at the end.
        close(store).await;
        let data = world.data().await;
        let count = || number_of(&data, "SELECT count(*) FROM chain_place");
        let before = count().await;
        let store = world.open().await;
        match data.engine() {
            Engine::Sqlite => assert!(count().await > before, "some were due"),
            Engine::Postgres => assert_eq!(count().await, before, "none ever is"),
        }
        let left = "SELECT size - placed FROM log_head";
        assert_eq!(number_of(&data, left).await, 0);
        for (who, chain) in &people {
            let read = chain_of(&store, who.subject).await;
            assert_eq!(read[9..][..chain.len()], chain[..]);
            let numbers = read.iter().map(|(seq, _)| *seq);
            assert!(numbers.eq((0..=chain[0].0 + 9).rev()));
        }
        check(&store).await;
        for (who, chain) in &people {
            let (_, released) = look_up(&store, who.subject, who.holder).await;
            assert_eq!(released.seq, chain[0].0 + 9 + 2);
        }
        check(&store).await;
        close(store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_answered_is_found_at_once() {
    each_world(|world| async move {
        let store = world.open().await;
        let mut people = vec![];
        for number in 1..7 {
            people.push(prove(&store, number).await);
        }
        let asking = people.iter().map(|who| {
            let store = store.clone();
            async move {
                for _ in 0..20 {
                    let (lookup, released) = look_up(&store, who.subject, who.holder).await;
                    let entry = store.entry(who.subject, released.seq).await.unwrap().unwrap();
                    assert_eq!(
                        (entry.lookup, entry.leaf_index),
                        (Some(lookup), released.leaf_index)
                    );
                    let intent = store.receipt(who.subject, released.seq - 1).await.unwrap();
                    verify(&store, &intent.unwrap()).unwrap();
                    assert_eq!(chain_of(&store, who.subject).await[0].0, released.seq);
                }
            }
        });
        join_all(asking).await;
        check(&store).await;
        close(store).await;
    })
    .await;
}

/// Many read a chain while it grows: there is no moment at which an entry that was answered is not in it.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_was_answered_stays_to_be_found() {
    each_world(|world| async move {
        let store = world.open().await;
        let who = prove(&store, 1).await;
        let answered = Arc::new(AtomicU64::new(0));
        let reads = |whole: bool| {
            let (store, answered) = (store.clone(), Arc::clone(&answered));
            tokio::spawn(async move {
                while answered.load(Ordering::Acquire) != u64::MAX {
                    let newest = answered.load(Ordering::Acquire);
                    if newest != u64::MAX && !whole {
                        assert!(store.entry(who.subject, newest).await.unwrap().is_some());
                    } else {
                        let chain = store.entries(who.subject, None, 20).await.unwrap();
                        assert!(newest == u64::MAX || chain[0].seq >= newest);
                        assert!(chain.is_sorted_by(|a, b| a.seq == b.seq + 1));
                    }
                    tokio::task::yield_now().await;
                }
            })
        };
        let reading: Vec<_> = [true, false].map(reads).into();
        for n in 0..60 {
            let new = new_lookup(&store, who.holder);
            let lookup = new.lookup;
            let intent = sealed(store.seal(begin(who.subject, new)).await);
            answered.store(intent.seq, Ordering::Release);
            if n % 10 == 0 {
                sealed(store.seal(note(who.subject, "between the two")).await);
            }
            sealed(store.seal(end(who.subject, who.holder, lookup, true)).await);
        }
        answered.store(u64::MAX, Ordering::Release);
        for reading in reading {
            reading.await.unwrap();
        }
        check(&store).await;
        close(store).await;
    })
    .await;
}

/// On SQLite no other process should be there; one that is breaks no chain.
#[tokio::test(flavor = "multi_thread")]
async fn who_commits_after_another_process_places_what_that_one_has_not() {
    each_world(|world| async move {
        let nodes = [
            world.open().await,
            world.open_node(1, Arc::clone(&world.clock)).await,
        ];
        let who = prove(&nodes[0], 1).await;
        let first = look_up(&nodes[0], who.subject, who.holder).await.1.seq;
        for n in 1..8 {
            // Each in turn, and now and then twice.
            for store in [&nodes[n % 2], &nodes[(n / 2) % 2]] {
                look_up(store, who.subject, who.holder).await;
            }
        }
        let last = &nodes[1];
        let (_, released) = look_up(last, who.subject, who.holder).await;
        assert_eq!(released.seq, first + 2 * 15);
        check(last).await;
    })
    .await;
}
