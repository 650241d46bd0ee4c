//! What goes wrong at a seal: bad items, refused commits, a disk that lies, too much at once.

use std::collections::BTreeMap;

use domain::ids::AccountId;
use futures_util::future::join_all;
use ledger::cbor;
use store::{Effect, Outcome, StoreError, engine::Sql};

use crate::{acts::*, world::*};

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_item_harms_only_itself() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let owner = by.account.chain();
        let nobody = store.random().id(world.now(), AccountId::new).chain();
        const TWICE: Sql = Sql::both("INSERT INTO log_head SELECT * FROM log_head");
        let broken =
            Effect::new(|tx, _| Box::pin(async move { tx.execute(&TWICE, &[]).await.map(|_| true) }));
        let panics = Effect::new(|_, _| panic!("on purpose"));
        let mut long = note(owner, "long");
        long.chain.detail = BTreeMap::from([("text".into(), cbor::Value::Text("x".repeat(1 << 20)))]);
        let bad = [
            note(nobody, "no chain"),
            change(owner, "broken", broken),
            change(owner, "panics", panics),
            long,
        ];
        let busy = busy(&store, owner).await;
        let good = (0..20).map(|n| store.seal(note(owner, &format!("note {n}"))));
        let bad = bad.into_iter().map(|seal| store.seal(seal));
        let (good, bad) = tokio::join!(join_all(good), join_all(bad));
        sealed(busy.await.unwrap());
        good.into_iter().for_each(|one| drop(sealed(one)));
        for one in bad {
            assert!(one.is_err(), "{one:?}");
        }
        check(&store).await;
    })
    .await;
}

/// Whatever keeps the transaction from being committed: nothing is answered, and nothing is left.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_committed_is_not_answered() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let owner = by.account.chain();
        let size = store.log_size().await.unwrap();
        let data = world.data().await;
        for (table, event) in [("leaf", "INSERT"), ("entry", "INSERT"), ("log_head", "UPDATE")] {
            let trigger = Trigger::refuse(&data, table, event).await;
            let all = join_all((0..5).map(|_| store.seal(note(owner, "note")))).await;
            assert!(all.iter().all(Result::is_err), "{table}: {all:?}");
            trigger.remove(&data).await;
            assert_eq!(store.log_size().await.unwrap(), size, "{table}");
        }
        assert_eq!(sealed(store.seal(note(owner, "note")).await).leaf_index, size);
        check(&store).await;
    })
    .await;
}

/// A leaf that is not what was written, when it is read back, is never signed, and nobody is answered.
#[tokio::test(flavor = "multi_thread")]
async fn a_leaf_that_changed_on_its_way_is_not_signed() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let owner = by.account.chain();
        let data = world.data().await;
        let trigger = Trigger::new(
            &data,
            "log_head",
            "UPDATE",
            "UPDATE leaf SET leaf = $bytes WHERE leaf_index = 2",
        )
        .await;
        let answer = store.seal(note(owner, "note")).await;
        assert!(matches!(answer, Err(StoreError::Stopping)), "{answer:?}");
        let why = store.stopped().await;
        assert!(why.contains("read back differently"), "{why}");
        trigger.remove(&data).await;
        let answer = store.seal(note(owner, "note")).await;
        assert!(
            matches!(answer, Err(StoreError::Stopping)),
            "it has stopped: {answer:?}"
        );
    })
    .await;
}

/// Too much at once is refused at the door, and what was let in is sealed.
#[tokio::test(flavor = "multi_thread")]
async fn the_queue_has_an_end() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let owner = by.account.chain();
        let busy = busy(&store, owner).await;
        let all = join_all((0..4200).map(|_| store.seal(note(owner, "note")))).await;
        sealed(busy.await.unwrap());
        let refused = all
            .iter()
            .filter(|one| matches!(one, Err(StoreError::Overloaded)))
            .count();
        assert_eq!(refused, 4200 - 4096);
        assert_eq!(
            all.iter()
                .filter(|one| matches!(one, Ok(Outcome::Sealed(_))))
                .count(),
            4096
        );
    })
    .await;
}
