//! Accounts, subjects, and what binds them.

use domain::{identifiers::PersonName, lookup::Person, words::Level};
use futures_util::future::join_all;
use store::{Outcome, StoreError};

use crate::{acts::*, world::*};

#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_found_by_its_phone_alone() {
    each_world(|world| async move {
        let store = world.open().await;
        assert!(store.account_by_phone(&phone(1)).await.unwrap().is_none());
        let by = sign_up(&store, 1).await;
        assert_eq!(store.account_by_phone(&phone(1)).await.unwrap(), Some(by.account));
        assert!(store.account_by_phone(&phone(2)).await.unwrap().is_none());
        let account = store.account(by.account).await.unwrap().unwrap();
        assert_eq!(
            (account.id, account.level, account.subject),
            (by.account, Level::L1, None)
        );
        assert_eq!(account.phone.expose(), phone(1).expose());
        let nobody = store.random().id(world.now(), domain::ids::AccountId::new);
        assert!(store.account(nobody).await.unwrap().is_none());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_phone_makes_one_account_however_many_ask() {
    each_world(|world| async move {
        let store = world.open().await;
        for round in 0..5 {
            let phone = phone(round);
            let all = join_all((0..20).map(|_| async {
                let (id, effect) = store.create_account(&phone).await.unwrap();
                let outcome = store
                    .seal(change(id.chain(), "account-created", effect))
                    .await
                    .unwrap();
                (id, matches!(outcome, Outcome::Sealed(_)))
            }))
            .await;
            let made: Vec<_> = all.into_iter().filter(|(_, made)| *made).collect();
            assert_eq!(made.len(), 1);
            assert_eq!(store.account_by_phone(&phone).await.unwrap(), Some(made[0].0));
        }
        assert_eq!(
            number_of(&world.data().await, "SELECT count(*) FROM account").await,
            5
        );
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_number_makes_one_subject_however_many_mention_it() {
    each_world(|world| async move {
        let store = world.open().await;
        for round in 0..5 {
            let number = id_number(round);
            let all = join_all((0..20).map(|_| store.mention_subject(&number))).await;
            let first = *all[0].as_ref().unwrap();
            assert!(all.into_iter().all(|one| one.unwrap() == first));
            let subject = store.subject(first).await.unwrap().unwrap();
            assert!(subject.active && subject.account.is_none() && subject.person.is_none());
        }
        let chains = "SELECT count(*) FROM subject";
        assert_eq!(
            number_of(&world.data().await, chains).await,
            6,
            "five and the deployment"
        );
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_has_one_account_and_an_account_one_person() {
    each_world(|world| async move {
        let store = world.open().await;
        let first = prove(&store, 1).await;
        let subject = store.subject(first.subject).await.unwrap().unwrap();
        assert_eq!(subject.account, Some(first.account));
        let proven = subject.person.unwrap();
        assert_eq!(proven.id_number.expose(), id_number(1).expose());
        assert_eq!(proven.name.expose(), person(1).name.expose());
        let account = store.account(first.account).await.unwrap().unwrap();
        assert_eq!((account.subject, account.level), (Some(first.subject), Level::L2));
        let session = store
            .session(token_of(first.holder.session))
            .await
            .unwrap()
            .unwrap();
        assert_eq!(session.subject, Some(first.subject));
        // Another account claims the same person; the same account claims another.
        let second = sign_up(&store, 2).await;
        let other = store.mention_subject(&id_number(3)).await.unwrap();
        let renamed = Person {
            name: PersonName::parse("测试乙").unwrap().value,
            id_number: id_number(1),
        };
        for (account, subject, person) in [
            (second.account, first.subject, renamed),
            (first.account, other, person(3)),
            (first.account, first.subject, person(1)),
        ] {
            let effect = store.bind_account(account, subject, &person).await.unwrap();
            nothing(store.seal(change(subject, "name-proven", effect)).await);
        }
        let subject = store.subject(first.subject).await.unwrap().unwrap();
        assert_eq!(subject.account, Some(first.account));
        assert_eq!(subject.person.unwrap().name.expose(), person(1).name.expose());
        assert_eq!(
            store.account(second.account).await.unwrap().unwrap().subject,
            None
        );
        check(&store).await;
    })
    .await;
}

/// The phone of an account is somebody else's now: the account is closed, the person stays, and their next account takes
/// over what they have looked up.
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_is_followed_by_another() {
    each_world(|world| async move {
        let store = world.open().await;
        let first = prove(&store, 1).await;
        look_up(&store, first.subject, first.holder).await;
        store.drain_outbox_wholly().await.unwrap();
        let stranger = store.mention_subject(&id_number(2)).await.unwrap();
        let close = |subject| change(subject, "passed-on", store.close_account(first.account, subject));
        nothing(store.seal(close(stranger)).await);
        sealed(store.seal(close(first.subject)).await);
        nothing(store.seal(close(first.subject)).await);
        let effect = store.start_session(new_session(&store, first.account, Level::L2, None));
        nothing(
            store
                .seal(change(first.account.chain(), "signed-in", effect))
                .await,
        );
        store
            .destroy_account_key(first.account, first.subject)
            .await
            .unwrap();
        assert!(store.account(first.account).await.unwrap().is_none());
        assert!(store.account_by_phone(&phone(1)).await.unwrap().is_none());
        assert!(
            store
                .session(token_of(first.holder.session))
                .await
                .unwrap()
                .is_none()
        );
        // Nobody looks at the chain meanwhile, which would have its places written.
        // The phone begins a new account, of another person.
        let next = sign_up(&store, 1).await;
        let effect = store
            .bind_account(next.account, stranger, &person(2))
            .await
            .unwrap();
        sealed(store.seal(change(stranger, "name-proven", effect)).await);
        // And the first person binds one of another phone, once.
        let (again, third) = (sign_up(&store, 3).await, sign_up(&store, 4).await);
        for (by, holds) in [(again, true), (third, false)] {
            let effect = store
                .bind_account(by.account, first.subject, &person(1))
                .await
                .unwrap();
            let outcome = store
                .seal(change(first.subject, "name-proven", effect))
                .await
                .unwrap();
            assert_eq!(matches!(outcome, Outcome::Sealed(_)), holds);
        }
        let page = || store::LookupPage {
            before: None,
            with_hidden: false,
            limit: 10,
        };
        assert_eq!(store.lookups_of(again.account, page()).await.unwrap().len(), 1);
        assert_eq!(store.lookups_of(first.account, page()).await.unwrap().len(), 0);
        let subject = store.subject(first.subject).await.unwrap().unwrap();
        assert_eq!(subject.account, Some(again.account));
        assert_eq!(subject.person.unwrap().id_number.expose(), id_number(1).expose());
        check(&store).await;
    })
    .await;
}

/// Many accounts claim the same person at once, and one account several persons.
#[tokio::test(flavor = "multi_thread")]
async fn of_many_claims_at_once_one_holds() {
    each_world(|world| async move {
        let store = world.open().await;
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let holders = join_all((0..10).map(|n| sign_up(&store, n))).await;
        let claims = holders.iter().map(|by| async {
            let effect = store.bind_account(by.account, subject, &person(1)).await.unwrap();
            store.seal(change(subject, "name-proven", effect)).await.unwrap()
        });
        let held = join_all(claims).await;
        assert_eq!(
            held.iter()
                .filter(|one| matches!(one, Outcome::Sealed(_)))
                .count(),
            1
        );
        let by = sign_up(&store, 20).await;
        let claims = (30..40).map(|n| {
            let store = &store;
            async move {
                let subject = store.mention_subject(&id_number(n)).await.unwrap();
                let effect = store.bind_account(by.account, subject, &person(n)).await.unwrap();
                store.seal(change(subject, "name-proven", effect)).await.unwrap()
            }
        });
        let held = join_all(claims).await;
        assert_eq!(
            held.iter()
                .filter(|one| matches!(one, Outcome::Sealed(_)))
                .count(),
            1
        );
        check(&store).await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn names_for_a_subject_differ_by_requester() {
    each_world(|world| async move {
        let store = world.open().await;
        let (one, two) = (sign_up(&store, 1).await, sign_up(&store, 2).await);
        let subject = store.mention_subject(&id_number(1)).await.unwrap();
        let name = store.pairwise(one.account, subject);
        assert_eq!(name.len(), 16);
        assert_eq!(name, store.pairwise(one.account, subject));
        assert_ne!(name, store.pairwise(two.account, subject));
        assert_ne!(name, subject.bytes());
    })
    .await;
}

/// Nobody seals for an owner whose chain nobody has made.
#[tokio::test(flavor = "multi_thread")]
async fn an_owner_without_a_chain_has_no_entries() {
    each_world(|world| async move {
        let store = world.open().await;
        let nobody = store.random().id(world.now(), domain::ids::SubjectId::new);
        let outcome = store.seal(note(nobody, "note")).await;
        assert!(matches!(outcome, Err(StoreError::Db(_))), "{outcome:?}");
        store.ensure_chain(nobody).await.unwrap();
        store.ensure_chain(nobody).await.unwrap();
        sealed(store.seal(note(nobody, "note")).await);
        assert!(
            store
                .subject(store.random().id(world.now(), domain::ids::SubjectId::new))
                .await
                .unwrap()
                .is_none()
        );
    })
    .await;
}
