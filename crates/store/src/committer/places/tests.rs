//! What is due, and when it is written.

use std::{sync::Arc, time::Duration};

use crypto::{RootKeys, Suite};
use domain::{
    ids::AccountId,
    time::{ManualClock, Timestamp},
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use tokio::time::timeout;

use super::*;
use crate::{Effect, Outcome, Random, StoreConfig, engine::DbConfig, erasure::by_deployment};

fn at(owner: u8, seq: u64) -> At {
    (SubjectId::from_bytes([owner; 16]), seq)
}

fn due(index: u64) -> Due {
    Due {
        index,
        intent: None,
        hash: Hash([index as u8; 32]),
    }
}

/// Commits one entry for each of these owners; whose places were written with them, and below which none is due.
fn commit(places: &Places, owners: &[u8], size: &mut u64) -> (Vec<u8>, u64) {
    let step = places.step(owners.len(), *size);
    let placed = places.placed(&step, *size);
    let entries = (*size..).zip(owners);
    let made: Vec<_> = entries
        .map(|(index, owner)| (at(*owner, index), due(index)))
        .collect();
    *size += owners.len() as u64;
    assert!(places.settle(&step, &made, *size));
    let written = step.places.iter().map(|((owner, _), _)| owner.bytes()[0]);
    (written.collect(), placed)
}

#[test]
fn places_are_written_in_the_order_of_owners_and_none_is_passed_over_for_good() {
    let places = Places::keeping(4);
    let mut size = 0;
    assert_eq!(commit(&places, &[9, 3, 7, 1], &mut size), (vec![], 0));
    assert_eq!(commit(&places, &[2, 8], &mut size), (vec![1, 3], 0));
    // The second came too late for this round.
    assert_eq!(commit(&places, &[4, 5], &mut size), (vec![7, 8], 0));
    assert_eq!(commit(&places, &[6, 6], &mut size), (vec![9], 4));
    assert_eq!(commit(&places, &[1], &mut size), (vec![2, 4], 7));
}

#[test]
fn the_end_of_a_chain_is_its_newest_place() {
    let places = Places::keeping(4);
    let mut size = 0;
    commit(&places, &[5, 5, 6], &mut size);
    let owners = [5, 7].map(|owner| at(owner, 0).0);
    let ends = places.ends(&owners);
    assert_eq!(ends, BTreeMap::from([(owners[0], (1, due(1).hash))]));
}

#[test]
fn two_entries_of_one_number_are_noticed() {
    let places = Places::keeping(4);
    let right = |index| places.settle(&Step::default(), &[(at(1, 7), due(index))], index + 1);
    assert!(right(1) && !right(2));
}

#[test]
fn few_are_due_and_none_for_long_whoever_comes() {
    let some = |n: u64, k: u64| (n * 37 + k * 91) as u8;
    let ascending = |n: u64, k: u64| (n * 7 + k).min(255) as u8;
    let one = |n: u64, k: u64| if n + k == 0 { 1 } else { 200 };
    for owner in [some, ascending, one] {
        let places = Places::keeping(8);
        let mut size = 0;
        for n in 0..500_u64 {
            let owners: Vec<u8> = (0..n % 7).map(|k| owner(n, k)).collect();
            let before = size;
            let (_, placed) = commit(&places, &owners, &mut size);
            let state = places.state();
            assert!(state.due.len() <= 8 + 6 && state.by_index.len() == state.due.len());
            assert!(state.by_index.keys().all(|index| *index >= placed));
            assert!(before - placed <= 8 * BEHIND, "{before} {placed}");
        }
    }
}

/// Changes alone make the log grow, and the one place that is due is written in time.
#[test]
fn what_is_due_alone_is_written_in_time() {
    let places = Places::keeping(8);
    let mut size = 0;
    commit(&places, &[1], &mut size);
    size = 8 * BEHIND + 2;
    assert_eq!(commit(&places, &[], &mut size), (vec![1], size));
}

#[tokio::test]
async fn nothing_is_committed_while_somebody_reads_a_chain() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let sqlite = |name| DbConfig::Sqlite {
        path: at(name),
        readers: 1,
    };
    let config = StoreConfig {
        data: sqlite("data.sqlite"),
        keys: sqlite("keys.sqlite"),
        folder: folder.path().to_owned(),
        name: "log.example".to_owned(),
    };
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let root = RootKeys::create(&at("root-keys"), "production", Suite::Intl, 0, &mut rng).unwrap();
    let clock = Arc::new(ManualClock::new(Timestamp(1_780_243_200_000_000)));
    let store = Store::open(&config, Arc::new(root), clock, Arc::new(Random::new([2; 32])));
    let store = store.await.unwrap();
    let owner = AccountId::from_bytes([3; 16]).chain();
    store.ensure_chain(owner).await.unwrap();
    let seal = || {
        let (store, effect) = (store.clone(), Effect::new(|_, _| Box::pin(async { Ok(true) })));
        tokio::spawn(async move { store.seal(by_deployment(owner, "noted", effect)).await })
    };
    let reads = store.placed([owner]).await.unwrap();
    let mut sealing = seal();
    let early = timeout(Duration::from_millis(200), &mut sealing).await;
    assert!(early.is_err(), "it waits");
    assert_eq!(store.log_size().await.unwrap(), 0);
    drop(reads);
    assert!(matches!(sealing.await.unwrap(), Ok(Outcome::Sealed(_))));
}
