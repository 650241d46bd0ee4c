//! An answer is kept for a while, encrypted, for whoever was given it.

use domain::ids::LookupId;
use store::StoreError;

use crate::{acts::*, world::*};

#[tokio::test(flavor = "multi_thread")]
async fn only_the_requester_finds_a_kept_answer_and_not_for_long() {
    each_world(|world| async move {
        let store = world.open().await;
        let (owner, other) = (prove(&store, 1).await, prove(&store, 2).await);
        // Somebody else looks up the same person, as grants will let them.
        let mut lookups = Vec::new();
        for (by, answer) in [(owner.holder, &b"own"[..]), (other.holder, b"other")] {
            let new = new_lookup(&store, by);
            let lookup = new.lookup;
            sealed(store.seal(begin(owner.subject, new)).await);
            assert_eq!(
                store
                    .kept_answer(owner.subject, by.account, lookup)
                    .await
                    .unwrap(),
                None
            );
            let kept = store.encrypt_answer(owner.subject, lookup, answer).await.unwrap();
            let until = world.now().plus_seconds(600);
            sealed(
                store
                    .seal(end_with(owner.subject, by, lookup, (kept, until)))
                    .await,
            );
            lookups.push(lookup);
        }
        let kept = async |subject, requester, lookup: LookupId| {
            store.kept_answer(subject, requester, lookup).await.unwrap()
        };
        let (own, others) = (lookups[0], lookups[1]);
        assert_eq!(
            kept(owner.subject, owner.account, own).await.as_deref(),
            Some(&b"own"[..])
        );
        assert_eq!(
            kept(owner.subject, other.account, others).await.as_deref(),
            Some(&b"other"[..])
        );
        assert_eq!(
            kept(owner.subject, other.account, own).await,
            None,
            "another asked"
        );
        assert_eq!(
            kept(owner.subject, owner.account, others).await,
            None,
            "the subject did not ask"
        );
        assert_eq!(
            kept(other.subject, owner.account, own).await,
            None,
            "about another"
        );
        assert_eq!(kept(owner.subject, owner.account, look_up_id(&store)).await, None);
        world.clock.advance_seconds(599);
        assert!(kept(owner.subject, owner.account, own).await.is_some());
        world.clock.advance_seconds(1);
        assert_eq!(kept(owner.subject, owner.account, own).await, None);
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kept_answer_opens_in_its_own_row_alone() {
    each_world(|world| async move {
        let store = world.open().await;
        let owner = prove(&store, 1).await;
        let new = new_lookup(&store, owner.holder);
        let lookup = new.lookup;
        sealed(store.seal(begin(owner.subject, new)).await);
        let foreign = store
            .encrypt_answer(owner.subject, look_up_id(&store), b"x")
            .await
            .unwrap();
        let until = world.now().plus_seconds(600);
        sealed(
            store
                .seal(end_with(owner.subject, owner.holder, lookup, (foreign, until)))
                .await,
        );
        let answer = store.kept_answer(owner.subject, owner.account, lookup).await;
        assert!(matches!(answer, Err(StoreError::Sealed(_))), "{answer:?}");
    })
    .await;
}
