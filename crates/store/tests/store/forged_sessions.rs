//! Somebody with all rights over the database writes sessions: none makes them another person, and doctor tells which is
//! wrong.

use domain::words::Level;
use store::{
    StoreError,
    engine::{Sql, Value},
};

use crate::{acts::*, world::*};

/// Whoever writes the database cannot make their account somebody else's.
#[tokio::test(flavor = "multi_thread")]
async fn an_account_cannot_be_made_another_person() {
    each_world(|world| async move {
        let store = world.open().await;
        let (victim, thief) = (prove(&store, 1).await, sign_up(&store, 2).await);
        let db = world.data().await;
        let (subject, account): (Value, Value) =
            (victim.subject.bytes().into(), thief.account.bytes().into());
        // Their account names somebody, and with it whoever signs in anew.
        let steal = "UPDATE account SET subject_id = $1 WHERE account_id = $2";
        run(&db, steal, &[subject.clone(), account.clone()]).await;
        let session = store.session(token_of(thief.session)).await.unwrap().unwrap();
        assert_eq!(session.subject, None, "the session is as it was begun");
        let told = problems(&store).await;
        assert!(told.iter().any(|problem| problem.contains("session")), "{told:?}");
        let thief = sign_in(&store, thief.account, Level::L2, None).await;
        let session = store.session(token_of(thief.session)).await;
        assert!(session.is_err(), "{session:?}");
        let none = "UPDATE account SET subject_id = NULL WHERE account_id = $1";
        run(&db, none, std::slice::from_ref(&account)).await;
        // The session itself names them.
        let thief = sign_in(&store, thief.account, Level::L2, None).await;
        let steal = "UPDATE session SET subject_id = $1 WHERE account_id = $2";
        run(&db, steal, &[subject.clone(), account.clone()]).await;
        let session = store.session(token_of(thief.session)).await;
        assert!(session.is_err(), "{session:?}");
        // By itself it has nothing of them, and with what theirs has of them it opens nothing.
        let session = store.session_and_person(token_of(thief.session)).await;
        assert!(session.is_err(), "{session:?}");
        // Somebody of whom nothing is known opens nothing either, and no key is made for them.
        let nobody = "UPDATE session SET subject_id = $1, profile = token_digest WHERE account_id = $2";
        run(&db, nobody, &[[7; 16].into(), account.clone()]).await;
        let found = store.session_and_person(token_of(thief.session)).await.unwrap().unwrap();
        assert_eq!(found.0.standing, None, "nothing stands before it opens");
        let opened = store.open_person(&found.1.unwrap()).await;
        assert!(matches!(opened, Err(StoreError::Sealed(_))), "{opened:?}");
        let keys = "SELECT subject_id FROM wrapped_key WHERE subject_id = $1";
        let keys = world.keys().await.query(&Sql::both(keys), &[[7; 16].into()]).await.unwrap();
        assert!(keys.is_empty());
        run(&db, steal, &[subject.clone(), account.clone()]).await;
        let copy = "UPDATE session SET profile = (SELECT profile FROM subject WHERE subject_id = $1) WHERE account_id = $2";
        run(&db, copy, &[subject.clone(), account.clone()]).await;
        let found = store.session_and_person(token_of(thief.session)).await.unwrap();
        let opened = store.open_person(&found.unwrap().1.unwrap()).await;
        assert!(matches!(opened, Err(StoreError::Sealed(_))), "{opened:?}");
        let told = problems(&store).await;
        assert!(told.iter().any(|problem| problem.contains("session.subject_id")), "{told:?}");
        run(
            &db,
            "UPDATE subject SET account_id = $1 WHERE subject_id = $2",
            &[account, subject],
        )
        .await;
        assert!(store.session(token_of(victim.holder.session)).await.is_err());
        let session = store.session(token_of(thief.session)).await.unwrap().unwrap();
        assert_eq!(session.subject, Some(victim.subject));
        let opened = store.subject(victim.subject).await;
        assert!(matches!(opened, Err(StoreError::Sealed(_))), "{opened:?}");
        assert!(!problems(&store).await.is_empty());
    })
    .await;
}

/// An account ends with its sessions; one that was left over would still be somebody's.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_without_an_active_account_is_told() {
    each_world(|world| async move {
        let store = world.open().await;
        let (left, other) = (sign_up(&store, 1).await, sign_up(&store, 2).await);
        let db = world.data().await;
        check(&store).await;
        let close = "UPDATE account SET state = 'closed' WHERE account_id = $1";
        run(&db, close, &[left.account.bytes().into()]).await;
        let told = async || {
            let found = problems(&store).await;
            found.iter().filter(|problem| problem.contains("session")).count()
        };
        assert_eq!(told().await, 1, "and not the other one's");
        sign_out(&store, left).await;
        assert_eq!(told().await, 0);
        assert!(store.session(token_of(other.session)).await.unwrap().is_some());
    })
    .await;
}

/// What a session has of its person is what the person's row has, and a session is where it is looked for.
#[tokio::test(flavor = "multi_thread")]
async fn a_session_with_another_profile_or_number_is_told() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = prove(&store, 1).await;
        let ended = sign_in(&store, by.account, Level::L2, None).await;
        sign_out(&store, ended).await;
        let db = world.data().await;
        check(&store).await;
        for (column, wrong) in [
            ("profile", "NULL"),
            ("profile", "token_digest"),
            ("token_number", "token_number - 1"),
        ] {
            run(&db, String::leak(format!("UPDATE session SET {column} = {wrong} WHERE ended_us IS NULL")), &[]).await;
            let name = format!("session.{column}");
            let told = problems(&store).await;
            assert!(told.iter().any(|problem| problem.contains(&name)), "{told:?}");
            let right = "UPDATE session SET profile = (SELECT profile FROM subject WHERE subject_id = session.subject_id) \
                         WHERE ended_us IS NULL";
            run(&db, right, &[]).await;
        }
        let left = "UPDATE session SET profile = token_digest WHERE ended_us IS NOT NULL";
        assert_eq!(run(&db, left, &[]).await, 1);
        let told = problems(&store).await;
        assert!(told.iter().any(|problem| problem.contains("session.profile")), "{told:?}");
        // Found by its number only.
        assert!(store.session(token_of(by.holder.session)).await.unwrap().is_none());
        assert!(store.session_and_person(token_of(by.holder.session)).await.unwrap().is_none());
    })
    .await;
}
