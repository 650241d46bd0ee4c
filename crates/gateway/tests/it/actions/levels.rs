//! What each level of assurance opens, and that a session is another one after every raise.

use std::sync::Arc;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use sandbox::Switch;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, key, li, my_vehicle, persona, with},
    reply::Reply,
};

on_both!(
    a_phone_alone_opens_no_record,
    a_marriage_and_a_tap_need_l3,
    a_session_changes_with_every_raise,
    a_session_ends,
    a_phone_alone_shows_no_history_of_a_proven_person,
    one_person_has_one_account,
    one_account_is_one_person,
    portraits_are_judged_by_the_register,
    a_portrait_needs_consent_a_picture_and_a_proven_name,
    a_consent_is_sealed_before_the_register_is_asked,
    a_proof_seals_the_notice_of_its_language,
    a_register_that_is_down_proves_nothing,
    proofs_are_bounded,
    who_was_proven_is_locked_out_by_nobody,
    who_proves_often_is_not_shut_out,
);

async fn a_phone_alone_opens_no_record(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.sign_in(chen()).await;
    let kinds = app.get(&token, "/v1/kinds").await.expect(200);
    for kind in kinds.json.as_array().unwrap() {
        for mode in kind["modes"].as_array().unwrap() {
            let mut question = with(about_me(kind["id"].as_str().unwrap()), "mode", mode.clone());
            if !kind["key"].as_array().unwrap().is_empty() && mode != "list" {
                question["key"] = key(&chen().vehicles[0]);
            }
            if mode == "predicate" {
                question["predicates"] = json!([kind["predicates"][0]["id"]]);
            }
            let refused = app
                .look_up(&token, &question)
                .await
                .expect_problem(403, "LEVEL_TOO_LOW");
            assert!(refused.text_at("/lawful_way").contains("L2"));
            assert_eq!(app.asked(refused.lookup_id()), 0);
            let entry = app.entry_about(&token, refused.lookup_id()).await;
            assert_eq!(
                (&entry["type"], &entry["reasons"]),
                (&json!("REFUSAL"), &json!(["LEVEL_TOO_LOW"]))
            );
        }
    }
    let mine = app
        .post(&token, "/v1/my-records", &json!({ "purpose": "own-information" }))
        .await
        .expect(200);
    assert_eq!(
        mine.json,
        json!([{ "kind": "vehicle", "missing": "LEVEL_TOO_LOW" }])
    );
}

async fn a_marriage_and_a_tap_need_l3(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let l2 = app.at_l2(chen()).await;
    let tap = with(about_me("driving-licence"), "reveal", json!(["licence_number"]));
    for question in [about_me("marriage"), tap.clone()] {
        let refused = app
            .look_up(&l2, &question)
            .await
            .expect_problem(403, "LEVEL_TOO_LOW");
        assert_eq!(
            (refused.json["at"].as_str(), app.asked(refused.lookup_id())),
            (Some("level"), 0)
        );
    }
    app.look_up(&l2, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    let strong = app.strengthen(&l2, chen()).await.expect(200);
    let l3 = strong.text_at("/session/token");
    app.look_up(l3, &about_me("marriage"))
        .await
        .expect_outcome("found");
    let shown = app.look_up(l3, &tap).await.expect_outcome("found");
    assert_eq!(
        shown.json["record"]["licence_number"]["value"],
        chen().id_number.as_str()
    );
}

async fn dead(app: &TestApp, token: &str) {
    let reply = app
        .get(token, "/v1/account")
        .await
        .expect_problem(401, "NOT_SIGNED_IN");
    assert_eq!(reply.headers["www-authenticate"], "Bearer");
    let reply = app.look_up(token, &about_me("driving-licence")).await;
    reply.expect_problem(401, "NOT_SIGNED_IN");
}

async fn a_session_changes_with_every_raise(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (l1, elsewhere) = (app.sign_in(chen()).await, app.sign_in(chen()).await);
    let l2 = app
        .prove(&l1, chen())
        .await
        .expect(200)
        .text_at("/session/token")
        .to_owned();
    dead(&app, &l1).await;
    let l3 = app
        .strengthen(&l2, chen())
        .await
        .expect(200)
        .text_at("/session/token")
        .to_owned();
    dead(&app, &l2).await;
    for (token, level) in [(&elsewhere, "L1"), (&l3, "L3")] {
        let account = app.get(token, "/v1/account").await.expect(200);
        assert_eq!(
            account.text_at("/level"),
            level,
            "another device is raised by itself only"
        );
    }
    // A raise that fails ends nothing.
    let no = app.prove(&elsewhere, li()).await.expect(200);
    assert_eq!(no.json, json!({ "result": "NOT_PROVEN" }));
    app.get(&elsewhere, "/v1/account").await.expect(200);
}

async fn a_session_ends(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (one, other) = (app.at_l2(chen()).await, app.at_l2(chen()).await);
    app.delete(&one, "/v1/account/sessions").await.expect(204);
    dead(&app, &one).await;
    app.look_up(&other, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    app.clock.advance_seconds(8 * 3600);
    dead(&app, &other).await;
}

async fn a_phone_alone_shows_no_history_of_a_proven_person(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let l2 = app.at_l2(chen()).await;
    let answer = app
        .look_up(&l2, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    let named = app.get(&l2, "/v1/account").await.expect(200);
    assert_eq!(
        (named.text_at("/name"), named.text_at("/phone")),
        ("陈**", "179****0003")
    );
    // The number was given to somebody else, who signs in with it.
    let l1 = app.sign_in(chen()).await;
    let id = answer.lookup_id();
    for path in [
        "/v1/lookups",
        "/v1/access-log",
        &format!("/v1/lookups/{id}"),
        &format!("/v1/receipts/{id}"),
    ] {
        app.get(&l1, path).await.expect_problem(403, "LEVEL_TOO_LOW");
    }
    let hide = app
        .put(
            &l1,
            &format!("/v1/lookups/{id}/hidden"),
            &json!({ "hidden": true }),
        )
        .await;
    hide.expect_problem(403, "LEVEL_TOO_LOW");
    let account = app.get(&l1, "/v1/account").await.expect(200);
    assert_eq!(account.json.get("name"), None);
}

async fn one_person_has_one_account(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    // The carrier has this phone in Chen Weidong's name; his father uses it.
    let father = persona("chen-jianguo");
    app.at_l2(chen()).await;
    let second = app.sign_in(father).await;
    for claimed in [chen(), father] {
        let proof = app.prove(&second, claimed).await.expect(200);
        assert_eq!(
            proof.json,
            json!({ "result": "NOT_PROVEN" }),
            "a second account of one person, or another's phone"
        );
    }
    let l1 = app.get(&second, "/v1/account").await.expect(200);
    assert_eq!(l1.text_at("/level"), "L1");
}

async fn one_account_is_one_person(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    // Proven by the phone that is in his name, though his father uses it.
    let father = persona("chen-jianguo");
    let token = app.sign_in(father).await;
    let proof = app.prove(&token, chen()).await.expect(200);
    assert_eq!(proof.json["result"], "PROVEN");
    let token = proof.text_at("/session/token").to_owned();
    let journal = app.sandbox.journal().len();
    let again = app.prove(&token, father).await.expect(200);
    assert_eq!(again.json, json!({ "result": "NOT_PROVEN" }));
    assert_eq!(
        app.sandbox.journal().len(),
        journal,
        "nobody is asked about a second person"
    );
    let again = app.prove(&token, chen()).await.expect(200);
    assert_eq!(again.json["result"], "PROVEN", "the same person again");
}

async fn portrait(app: &TestApp, token: &str, picture: &[u8]) -> Reply {
    let body = json!({ "portrait": BASE64_STANDARD.encode(picture), "consent": app.consent() });
    app.post(token, "/v1/account/portrait", &body).await
}

async fn portraits_are_judged_by_the_register(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for picture in [sandbox::blurred_portrait_of(chen()), sandbox::portrait_of(li())] {
        let no = portrait(&app, &token, &picture).await.expect(200);
        assert_eq!(
            (no.text_at("/result"), no.text_at("/lookup/outcome")),
            ("NOT_PROVEN", "face_below_threshold")
        );
        assert!(no.json.get("session").is_none());
        let entry = app.entry_about(&token, no.text_at("/lookup/lookup_id")).await;
        assert_eq!(
            (&entry["type"], &entry["fields"]),
            (&json!("FAILURE"), &json!(["portrait"]))
        );
    }
    let yes = app.strengthen(&token, chen()).await.expect(200);
    assert_eq!(
        (yes.text_at("/result"), yes.text_at("/session/level")),
        ("PROVEN", "L3")
    );
}

async fn a_portrait_needs_consent_a_picture_and_a_proven_name(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (l1, l2) = (app.sign_in(gulbahar()).await, app.at_l2(chen()).await);
    let picture = sandbox::portrait_of(chen());
    let text = BASE64_STANDARD.encode(&picture);
    let before = (app.entries().await, app.sandbox.journal().len());
    // A word is no consent; the hash of another text is none to this one.
    let other = app
        .get(&l2, "/v1/kinds/identity/notices/account-proofing")
        .await
        .expect(200);
    for agreed in ["", "yes", other.text_at("/hash")] {
        let body = json!({ "portrait": text, "consent": agreed });
        app.post(&l2, "/v1/account/portrait", &body)
            .await
            .expect_problem(400, "CONSENT_NEEDED");
    }
    app.post(&l2, "/v1/account/portrait", &json!({ "portrait": text }))
        .await
        .expect_problem(400, "BODY_NOT_JSON");
    let large = [&picture[..8], &vec![0; 500 * 1024]].concat();
    for unusable in [&b""[..], b"GIF89a", b"<svg/>", &picture[..4], &large] {
        portrait(&app, &l2, unusable)
            .await
            .expect_problem(400, "PICTURE_UNUSABLE");
    }
    let not_base64 = json!({ "portrait": "%%%", "consent": app.consent() });
    app.post(&l2, "/v1/account/portrait", &not_base64)
        .await
        .expect_problem(400, "PICTURE_UNUSABLE");
    portrait(&app, &l1, &picture)
        .await
        .expect_problem(400, "PROVE_NAME_FIRST");
    assert_eq!(
        (app.entries().await, app.sandbox.journal().len()),
        before,
        "nothing was asked or written"
    );
    for _ in 0..5 {
        portrait(&app, &l2, &sandbox::portrait_of(li())).await.expect(200);
    }
    portrait(&app, &l2, &picture)
        .await
        .expect_problem(429, "TOO_MANY_REQUESTS");
}

/// The consent is sealed on the person's chain before the register is asked: to which text, and how it was shown.
async fn a_consent_is_sealed_before_the_register_is_asked(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let consent = app
        .get(&token, "/v1/account/portrait/consent?lang=en")
        .await
        .expect(200);
    let (text, hash) = (consent.text_at("/text"), consent.text_at("/hash"));
    assert_eq!(gateway::app::hex(&Sha256::digest(text)), hash);
    assert!(!text.contains("{{"), "{text}");
    let body =
        json!({ "portrait": BASE64_STANDARD.encode(sandbox::blurred_portrait_of(chen())), "consent": hash });
    let no = app.post(&token, "/v1/account/portrait", &body).await.expect(200);
    let log = app.access_log(&token).await;
    let place = |holds: &dyn Fn(&Value) -> bool| log.iter().position(holds).unwrap();
    let consented = place(&|e| e["about"] == "portrait-consented");
    let asked = place(&|e| e["lookup_id"] == no.json["lookup"]["lookup_id"] && e["type"] == "INTENT");
    assert_eq!(consented, asked + 1, "newest first: {log:?}");
    let entry = &log[consented];
    assert_eq!(entry["type"], "CHANGE");
    assert_eq!(
        [&entry["notice"], &entry["notice_lang"], &entry["notice_shown"]],
        [&json!(hash), &json!("en"), &json!("client")]
    );
    assert_eq!(
        [&entry["basis"], &entry["fields"], &entry["by_me"]],
        [&json!("consent"), &json!(["portrait"]), &json!(true)]
    );
}

/// The notice that the API gives is the one that is sealed with a proof, in the language that is asked for.
async fn a_proof_seals_the_notice_of_its_language(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    for (header, lang) in [("en-GB,zh;q=0.5", "en"), ("zh-CN,en", "zh")] {
        let token = app.sign_in(chen()).await;
        let notice = format!("/v1/kinds/identity/notices/account-proofing?lang={lang}");
        let notice = app.get(&token, &notice).await.expect(200);
        assert_eq!(notice.text_at("/lang"), lang);
        let person = json!({ "name": chen().name, "id_number": chen().id_number }).to_string();
        let mut request = TestApp::request(http::Method::POST, "/v1/account/proof", Some(&token), person);
        let headers = request.headers_mut();
        headers.insert(http::header::ACCEPT_LANGUAGE, header.parse().unwrap());
        let proof = app.send(request).await.expect(200);
        let l2 = proof.text_at("/session/token");
        let entry = app.entry_about(l2, proof.text_at("/lookup/lookup_id")).await;
        assert_eq!(entry["notice"], notice.json["hash"]);
    }
}

async fn a_register_that_is_down_proves_nothing(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let down = |path: &str| {
        let outcome = Some(domain::outcome::Outcome::Maintenance);
        Switch {
            path: Some(path.into()),
            outcome,
            ..Switch::default()
        }
    };
    let token = app.sign_in(chen()).await;
    for path in ["population/identity/match", "carrier/holder/match"] {
        app.switch(down(path));
        let proof = app.prove(&token, chen()).await.expect(200);
        assert_eq!(
            (proof.text_at("/result"), proof.text_at("/lookup/outcome")),
            ("UNAVAILABLE", "maintenance")
        );
        assert!(proof.json.get("session").is_none());
    }
    app.sandbox.clear_switches();
    let proof = app.prove(&token, chen()).await.expect(200);
    let l2 = proof.text_at("/session/token");
    app.switch(down("population/identity/portrait"));
    let strong = app.strengthen(l2, chen()).await.expect(200);
    assert_eq!(
        (strong.text_at("/result"), strong.text_at("/lookup/outcome")),
        ("UNAVAILABLE", "maintenance")
    );
    app.look_up(l2, &my_vehicle("vehicle", &chen().vehicles[0]))
        .await
        .expect_outcome("found");
}

async fn who_proves_often_is_not_shut_out(bed: Arc<Bed>) {
    let few = (
        "proofs_per_account_per_day = 1000",
        "proofs_per_account_per_day = 2",
    );
    let app = bed.app().replacing(few.0, few.1).start().await;
    for _ in 0..5 {
        app.at_l2(chen()).await;
    }
    // What fails still counts.
    let token = app.sign_in(chen()).await;
    let other = persona("liu-zhiqiang");
    for _ in 0..2 {
        assert_eq!(
            app.prove(&token, other).await.expect(200).json,
            json!({ "result": "NOT_PROVEN" })
        );
    }
    app.prove(&token, chen())
        .await
        .expect_problem(429, "TOO_MANY_REQUESTS");
}

async fn proofs_are_bounded(bed: Arc<Bed>) {
    let few = (
        "proofs_per_account_per_day = 1000",
        "proofs_per_account_per_day = 2",
    );
    let few_of_one = (
        "proofs_per_person_per_day = 1000",
        "proofs_per_person_per_day = 3",
    );
    let app = bed
        .app()
        .replacing(few.0, few.1)
        .replacing(few_of_one.0, few_of_one.1)
        .start()
        .await;
    for claimant in ["liu-zhiqiang", "zhao-xiaomin"] {
        let token = app.sign_in(persona(claimant)).await;
        for _ in 0..2 {
            assert_eq!(
                app.prove(&token, chen()).await.expect(200).json,
                json!({ "result": "NOT_PROVEN" })
            );
        }
        app.prove(&token, persona(claimant))
            .await
            .expect_problem(429, "TOO_MANY_REQUESTS");
    }
    // Four tries about him, three of which were asked: he himself is refused for today, as any failed proof is.
    let journal = |app: &TestApp| -> Vec<Value> {
        app.sandbox
            .journal()
            .iter()
            .filter(|e| e.path.starts_with("population"))
            .map(|e| json!(e.lookup))
            .collect()
    };
    assert_eq!(journal(&app).len(), 3);
    let his = app.sign_in(chen()).await;
    assert_eq!(
        app.prove(&his, chen()).await.expect(200).json,
        json!({ "result": "NOT_PROVEN" })
    );
    assert_eq!(journal(&app).len(), 3);
    app.clock.advance_seconds(24 * 3600);
    app.at_l2(chen()).await;
}

/// Strangers who claim to be somebody do not keep out who was proven to be them before.
async fn who_was_proven_is_locked_out_by_nobody(bed: Arc<Bed>) {
    let app = bed
        .app()
        .replacing(
            "proofs_per_person_per_day = 1000",
            "proofs_per_person_per_day = 3",
        )
        .start()
        .await;
    app.at_l2(chen()).await;
    let stranger = app.sign_in(persona("liu-zhiqiang")).await;
    for _ in 0..4 {
        assert_eq!(
            app.prove(&stranger, chen()).await.expect(200).json,
            json!({ "result": "NOT_PROVEN" })
        );
    }
    app.at_l2(chen()).await;
}
