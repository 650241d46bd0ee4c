//! Erasure: the person and the account are gone at once, the evidence stays sealed, the log still verifies.

use std::sync::Arc;

use gateway::api::request::requester_of_token;
use serde_json::json;

use crate::{
    bed::Bed,
    cast::{about_me, chen, gulbahar, subject, with},
    reply::verify_receipt,
};

on_both!(
    an_account_of_nobody_proven_is_erased_by_its_phone,
    an_erased_person_is_gone_and_may_come_back_as_new,
    an_erasure_survives_a_restart
);

async fn an_erased_person_is_gone_and_may_come_back_as_new(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, other) = (app.at_l3(chen()).await, app.at_l2(chen()).await);
    let before = requester_of_token(&app.app, &token).await.unwrap();
    let answer = app
        .look_up_as(&token, "kept", &about_me("marriage"))
        .await
        .expect_outcome("found");
    let hers = app.at_l2(gulbahar()).await;
    let tried = app
        .look_up(
            &hers,
            &with(about_me("driving-licence"), "subject", subject(chen())),
        )
        .await;
    app.delete(&token, "/v1/account").await.expect(204);
    for dead in [&token, &other] {
        app.get(dead, "/v1/account")
            .await
            .expect_problem(401, "NOT_SIGNED_IN");
        app.delete(dead, "/v1/account")
            .await
            .expect_problem(401, "NOT_SIGNED_IN");
    }
    let gone = app
        .app
        .store
        .subject(before.subject.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(!gone.active && gone.person.is_none() && gone.account.is_none());
    assert!(app.app.store.account(before.account).await.unwrap().is_none());
    // What they hold is still proof, and what others asked about them is still theirs.
    let receipt = serde_json::from_str::<serde_json::Value>(&answer.text).unwrap();
    assert!(receipt["receipt"].is_object());
    answer.verified(&app.app);
    let line = app
        .get(&hers, &format!("/v1/lookups/{}", tried.lookup_id()))
        .await
        .expect(200);
    assert_eq!(line.text_at("/state"), "refused");
    let kept = app
        .get(&hers, &format!("/v1/receipts/{}", tried.lookup_id()))
        .await
        .expect(200);
    verify_receipt(&app.app, &kept.text);
    // The same phone and the same name: another account, another subject, no past.
    let again = app.at_l3(chen()).await;
    let after = requester_of_token(&app.app, &again).await.unwrap();
    assert!(after.account != before.account && after.subject != before.subject);
    let log = app.access_log(&again).await;
    assert!(log.iter().all(|e| e["lookup_id"] != answer.lookup_id()));
    assert_eq!(log.last().unwrap()["number"], 0);
    let id = answer.lookup_id();
    app.get(&again, &format!("/v1/lookups/{id}"))
        .await
        .expect_problem(404, "NOT_FOUND");
    app.get(&again, &format!("/v1/receipts/{id}"))
        .await
        .expect_problem(404, "NOT_FOUND");
    let fresh = app
        .look_up_as(&again, "kept", &about_me("marriage"))
        .await
        .expect_outcome("found");
    assert_ne!(fresh.lookup_id(), id, "no answer of before is kept");
}

async fn an_erasure_survives_a_restart(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let who = requester_of_token(&app.app, &token).await.unwrap();
    app.look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    app.delete(&token, "/v1/account").await.expect(204);
    let clock = Arc::clone(&app.clock);
    app.stop().await;
    let app = bed.app().clock(&clock).start().await;
    app.get(&token, "/v1/account")
        .await
        .expect_problem(401, "NOT_SIGNED_IN");
    let gone = app
        .app
        .store
        .subject(who.subject.unwrap())
        .await
        .unwrap()
        .unwrap();
    assert!(!gone.active && gone.person.is_none());
    // The evidence can be read by the auditor until its retention ends; then its keys are destroyed.
    let entries = app
        .app
        .store
        .entries(who.subject.unwrap(), None, 50)
        .await
        .unwrap();
    assert_eq!(entries[0].shared.about.as_deref(), Some("person-erased"));
    assert!(
        entries.len() >= 5,
        "proof, release and erasure: {}",
        entries.len()
    );
    app.clock.advance_seconds(5 * 366 * 24 * 3600);
    assert!(app.app.store.destroy_outdated_evidence(3).await.unwrap() > 0);
    let closed = app.app.store.entries(who.subject.unwrap(), None, 50).await;
    assert!(
        closed.unwrap().is_empty(),
        "what cannot be opened any more is not told"
    );
    let token = app.at_l2(chen()).await;
    assert_eq!(app.access_log(&token).await.last().unwrap()["number"], json!(0));
}

async fn an_account_of_nobody_proven_is_erased_by_its_phone(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.sign_in(chen()).await;
    let first = requester_of_token(&app.app, &token).await.unwrap();
    app.delete(&token, "/v1/account").await.expect(204);
    app.get(&token, "/v1/account")
        .await
        .expect_problem(401, "NOT_SIGNED_IN");
    let store = &app.app.store;
    assert!(store.account(first.account).await.unwrap().is_none());
    let chain = store.subject(first.account.chain()).await.unwrap().unwrap();
    assert!(!chain.active && chain.account.is_none());
    // The same phone comes back as somebody new.
    let proven = app.at_l2(chen()).await;
    let second = requester_of_token(&app.app, &proven).await.unwrap();
    assert_ne!(first.account, second.account);
    // Now the account is a person's: the phone alone does not erase it.
    let phone_only = app.sign_in(chen()).await;
    app.delete(&phone_only, "/v1/account")
        .await
        .expect_problem(400, "PROVE_NAME_FIRST");
    app.get(&proven, "/v1/account").await.expect(200);
}
