//! Who can be proven when the phone is not simply their own: a recycled number, none at all, a child's.

use std::{collections::BTreeSet, sync::Arc};

use sandbox::Persona;
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, persona},
    portal::browser::Browser,
};

on_both!(
    a_recycled_phone_begins_a_new_account,
    a_phone_is_passed_on_by_the_carriers_word_alone,
    who_has_no_phone_is_proven_at_a_counter,
    a_child_is_not_proven_alone,
    there_is_no_counter_among_real_people,
    a_former_number_has_a_chain_of_its_own,
);

/// At the demo's counter; the token of a session at L3, if it is given.
async fn at_counter(app: &TestApp, token: &str, persona: &Persona) -> Option<String> {
    let mut browser = Browser::with_session(app, token);
    let values = [
        ("name", persona.name.as_str()),
        ("id_number", &persona.id_number),
        ("way", "counter"),
    ];
    let reply = browser.post("/prove", &values).await;
    (reply.status == 303).then(|| browser.cookies["mingcha-session"].clone())
}

/// Signs in with any phone; L1.
async fn sign_in(app: &TestApp, phone: &str) -> String {
    let code = app.code(phone).await;
    app.redeem(phone, &code)
        .await
        .expect(200)
        .text_at("/token")
        .to_owned()
}

fn abouts(log: &[Value]) -> Vec<&str> {
    log.iter().filter_map(|e| e["about"].as_str()).collect()
}

/// The look-ups among these entries.
fn lookup_ids(entries: &[Value]) -> BTreeSet<String> {
    let ids = entries.iter().filter_map(|e| e["lookup_id"].as_str());
    ids.map(str::to_owned).collect()
}

/// The father was proven at a counter, with a phone that the carrier has in his son's name.
async fn a_recycled_phone_begins_a_new_account(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let father = persona("chen-jianguo");
    let phone = father.phone.as_deref().unwrap();
    let his = at_counter(&app, &app.sign_in(father).await, father)
        .await
        .unwrap();
    let looked = app.look_up(&his, &about_me("marriage")).await.expect(200);
    let looked = looked.lookup_id().to_owned();
    let idle = app.sign_in(father).await;

    // The son signs in with it: a phone alone, on his father's account, which proves to be the son's.
    let l1 = app.sign_in(father).await;
    let mut misspelt = chen().clone();
    misspelt.name = "陈昊".into();
    assert_eq!(
        app.prove(&l1, &misspelt).await.expect(200).json["result"],
        "NOT_PROVEN"
    );
    let proof = app.prove(&l1, chen()).await.expect(200);
    assert_eq!(proof.json["result"], "PROVEN");
    let sons = proof.text_at("/session/token");
    for dead in [&his, &idle, &l1] {
        app.get(dead, "/v1/account")
            .await
            .expect_problem(401, "NOT_SIGNED_IN");
    }
    let account = app.get(sons, "/v1/account").await.expect(200);
    assert_eq!(
        (account.text_at("/level"), account.text_at("/name")),
        ("L2", "陈**")
    );
    let log = app.access_log(sons).await;
    assert_eq!(abouts(&log), ["real-name-proven"]);
    let claims = lookup_ids(&log);
    assert_eq!(claims.len(), 2, "he sees both claims, by whomever: {log:?}");
    let none = app.get(sons, "/v1/lookups").await.expect(200);
    assert_eq!(none.json, json!([]), "nothing of what the father asked");
    let again = sign_in(&app, phone).await;
    assert_eq!(
        app.prove(&again, father).await.expect(200).json,
        json!({ "result": "NOT_PROVEN" })
    );
    assert_eq!(
        app.prove(&again, chen()).await.expect(200).json["result"],
        "PROVEN"
    );

    // The father proves again with another phone, and has his evidence and what he had looked up.
    let other = sign_in(&app, "17988881111").await;
    let his = at_counter(&app, &other, father).await.unwrap();
    let log = app.access_log(&his).await;
    let seen: BTreeSet<&str> = abouts(&log).into_iter().collect();
    assert!(seen.contains("phone-passed-on"), "{seen:?}");
    let entry = log.iter().find(|e| e["about"] == "phone-passed-on").unwrap();
    assert_eq!(
        (&entry["by"], &entry["by_me"]),
        (&json!("deployment"), &json!(false))
    );
    let mine = app.get(&his, "/v1/lookups").await.expect(200);
    let mine = lookup_ids(mine.json.as_array().unwrap());
    assert!(mine.contains(&looked));
    assert!(mine.is_disjoint(&claims), "what the son claimed is the son's");
    for id in &claims {
        app.get(&his, &format!("/v1/receipts/{id}")).await.expect(404);
    }
    app.get(&his, &format!("/v1/receipts/{looked}")).await.expect(200);
}

async fn a_phone_is_passed_on_by_the_carriers_word_alone(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let father = persona("chen-jianguo");
    // His own phone, on which his father claims to be himself: the carrier says that it is not his.
    let his = app.at_l2(chen()).await;
    let l1 = app.sign_in(chen()).await;
    let asked = app.sandbox.journal().len();
    assert_eq!(
        app.prove(&l1, father).await.expect(200).json,
        json!({ "result": "NOT_PROVEN" })
    );
    assert!(
        app.sandbox.journal().len() > asked,
        "it was asked as any claim is"
    );
    assert_eq!(
        at_counter(&app, &l1, father).await,
        None,
        "an account is one person's"
    );
    app.get(&his, "/v1/account").await.expect(200);
    // Who has an account has it with their own phone, and takes no second one.
    let elsewhere = sign_in(&app, father.phone.as_deref().unwrap()).await;
    let fathers = at_counter(&app, &elsewhere, father).await.unwrap();
    let l1 = sign_in(&app, father.phone.as_deref().unwrap()).await;
    assert_eq!(
        app.prove(&l1, chen()).await.expect(200).json,
        json!({ "result": "NOT_PROVEN" })
    );
    app.get(&fathers, "/v1/account").await.expect(200);
}

async fn who_has_no_phone_is_proven_at_a_counter(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let qi = persona("qi-wu");
    let l1 = sign_in(&app, "17988882222").await;
    assert_eq!(
        app.prove(&l1, qi).await.expect(200).json,
        json!({ "result": "NOT_PROVEN" })
    );
    let mut wrong = qi.clone();
    wrong.name = chen().name.clone();
    assert_eq!(at_counter(&app, &l1, &wrong).await, None, "the register is asked");
    let l3 = at_counter(&app, &l1, qi).await.unwrap();
    let account = app.get(&l3, "/v1/account").await.expect(200);
    assert_eq!(account.text_at("/level"), "L3");
    let log = app.access_log(&l3).await;
    let proof = log.iter().find(|e| e["outcome"] == "match").unwrap();
    assert_eq!(
        (&proof["purpose"], &proof["fields"]),
        (&json!("account-proofing"), &json!([])),
        "name and number, and no phone"
    );
    app.look_up(&l3, &about_me("marriage")).await.expect(200);
}

async fn a_child_is_not_proven_alone(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let child = persona("chen-xiaoyu");
    let l1 = sign_in(&app, "17988883333").await;
    let before = (app.entries().await, app.sandbox.journal().len());
    let refused = app.prove(&l1, child).await.expect_problem(400, "UNDER_FOURTEEN");
    assert_eq!(refused.json["at"], "id_number");
    assert!(refused.text_at("/lawful_way").contains("guardian"));
    assert_eq!(at_counter(&app, &l1, child).await, None);
    let values = [("name", child.name.as_str()), ("id_number", &child.id_number)];
    let page = Browser::with_session(&app, &l1).post("/prove", &values).await;
    assert!(page.expect(400).text.contains("监护人"));
    assert_eq!(
        (app.entries().await, app.sandbox.journal().len()),
        before,
        "decided from the number alone"
    );
}

/// The demo's counter is a button. In production it is not there, for whatever level: who pressed it would prove
/// themselves without a phone, and reach L3 without a portrait.
async fn there_is_no_counter_among_real_people(bed: Arc<Bed>) {
    let app = bed.app().in_production().start().await;
    let qi = persona("qi-wu");
    let l1 = sign_in(&app, "17900100077").await;
    let before = app.entries().await;
    let mut browser = Browser::new(&app);
    // The demo alone goes without TLS.
    let session = "__Host-mingcha-session";
    browser.cookies.insert(session.to_owned(), l1.clone());
    let person = [
        ("name", qi.name.as_str()),
        ("id_number", &qi.id_number),
        ("way", "counter"),
    ];
    for (form, values) in [("/prove", &person[..]), ("/strengthen", &[])] {
        let reply = browser.post(form, values).await;
        assert_eq!(reply.status, 404, "{form}: {}", reply.text);
        assert_eq!(browser.cookies[session], l1, "{form}");
    }
    assert_eq!(app.entries().await, before, "nothing was sealed");
    // Without the counter the same form asks, and finds nobody who could answer.
    let reply = browser.post("/prove", &person[..2]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

/// Nobody tells us that two numbers are one person's: what was tried under the former one is not in the new one's view.
async fn a_former_number_has_a_chain_of_its_own(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let now = persona("carter-michael");
    let mut before = now.clone();
    before.id_number = now.former_id_numbers[0].clone();
    let l1 = app.sign_in(now).await;
    assert_eq!(
        app.prove(&l1, &before).await.expect(200).json,
        json!({ "result": "NOT_PROVEN" })
    );
    let proven = app.prove(&l1, now).await.expect(200);
    assert_eq!(proven.text_at("/result"), "PROVEN");
    let log = app.access_log(proven.text_at("/session/token")).await;
    let asked = lookup_ids(&log);
    assert_eq!(
        asked,
        BTreeSet::from([proven.text_at("/lookup/lookup_id").to_owned()]),
        "{log:?}"
    );
}
