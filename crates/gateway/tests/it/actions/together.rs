//! Many at once: nothing is lost, nothing is done twice, and each holds a proof of their own.

use std::{collections::BTreeSet, sync::Arc};

use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::{
    bed::Bed,
    cast::{about_me, chen, gulbahar, li, my_vehicle, persona},
    reply::Reply,
};

on_both!(
    many_look_up_at_once,
    of_two_who_claim_to_be_one_person_one_is,
    a_session_is_raised_once,
    an_account_is_made_once,
    a_person_is_erased_once,
);

async fn many_look_up_at_once(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let people = [chen(), li(), gulbahar()];
    let mut tokens = vec![];
    for person in people {
        tokens.push((person, app.at_l2(person).await));
    }
    let before = app.entries().await;
    let asked = (0..20).flat_map(|_| &tokens).map(|(person, token)| {
        let question = match person.licence {
            Some(_) => about_me("driving-licence"),
            None => my_vehicle("vehicle", &chen().vehicles[0]),
        };
        let app = &app;
        async move { app.look_up(token, &question).await.expect_outcome("found") }
    });
    let replies = join_all(asked).await;
    let indexes: BTreeSet<u64> = replies.iter().map(|r| r.verified(&app.app).index).collect();
    assert_eq!(
        (replies.len(), indexes.len()),
        (60, 60),
        "each has an entry of its own"
    );
    assert_eq!(app.entries().await, before + 120);
    for (_, token) in &tokens {
        let log = app.access_log(token).await;
        let numbers: Vec<u64> = log.iter().map(|e| e["number"].as_u64().unwrap()).collect();
        assert!(
            numbers.windows(2).all(|pair| pair[0] == pair[1] + 1),
            "no gap: {numbers:?}"
        );
        for entry in log
            .iter()
            .filter(|e| e["type"] == "RELEASE" && e["kind"] != "identity")
        {
            let of = |kind: &str| {
                let same = |e: &&Value| e["lookup_id"] == entry["lookup_id"] && e["type"] == kind;
                log.iter().filter(same).count()
            };
            // The oldest intent may stand on the page before.
            assert!(of("RELEASE") == 1 && of("INTENT") <= 1);
        }
    }
}

fn results(replies: &[Reply]) -> Vec<&str> {
    let mut results: Vec<&str> = replies
        .iter()
        .map(|r| {
            r.json["result"]
                .as_str()
                .or(r.json["code"].as_str())
                .unwrap_or("none")
        })
        .collect();
    results.sort_unstable();
    results
}

async fn of_two_who_claim_to_be_one_person_one_is(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    // Both phones are in his name.
    let (his, fathers) = (
        app.sign_in(chen()).await,
        app.sign_in(persona("chen-jianguo")).await,
    );
    let replies = join_all([app.prove(&his, chen()), app.prove(&fathers, chen())]).await;
    assert_eq!(results(&replies), ["NOT_PROVEN", "PROVEN"]);
    let proven = replies.iter().find(|r| r.json["result"] == "PROVEN").unwrap();
    let log = app.access_log(proven.text_at("/session/token")).await;
    assert_eq!(log.iter().filter(|e| e["about"] == "real-name-proven").count(), 1);
}

async fn a_session_is_raised_once(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    for _ in 0..3 {
        let token = app.sign_in(chen()).await;
        let replies = join_all((0..4).map(|_| app.prove(&token, chen()))).await;
        let raised = replies.iter().filter(|r| r.json["result"] == "PROVEN").count();
        assert_eq!(raised, 1, "{:?}", results(&replies));
        assert!(
            replies.iter().all(|r| r.status == 200 || r.status == 401),
            "{:?}",
            results(&replies)
        );
    }
}

async fn an_account_is_made_once(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    // Two devices sign in with two codes of one phone at almost the same time, the first time ever.
    for person in [chen(), li(), gulbahar()] {
        let phone = person.phone.as_deref().unwrap();
        let code = app.code(phone).await;
        let replies = join_all((0..4).map(|_| app.redeem(phone, &code))).await;
        let won: Vec<&Reply> = replies.iter().filter(|r| r.status == 200).collect();
        assert_eq!(won.len(), 1);
        let log = app.access_log(won[0].text_at("/token")).await;
        let created = log.iter().filter(|e| e["about"] == "account-created").count();
        assert_eq!((created, &log[0]["about"]), (1, &json!("signed-in")));
    }
}

async fn a_person_is_erased_once(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (one, other) = (app.at_l2(chen()).await, app.at_l2(chen()).await);
    let question = about_me("driving-licence");
    let (erased, again, asked) = tokio::join!(
        app.delete(&one, "/v1/account"),
        app.delete(&other, "/v1/account"),
        join_all((0..6).map(|_| app.look_up(&other, &question))),
    );
    let mut statuses = [erased.status, again.status];
    statuses.sort_unstable();
    assert_eq!(statuses, [204, 401]);
    // Before it, answered; after it, nothing; never a failure of ours.
    assert!(
        asked.iter().all(|r| matches!(r.status, 200 | 401 | 403)),
        "{asked:?}"
    );
    app.at_l2(chen()).await;
}
