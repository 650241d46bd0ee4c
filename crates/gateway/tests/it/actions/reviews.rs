//! Record reviews, from the disputed answer to the repeated look-up; twice, cut off, refused, and about others.

use std::sync::Arc;

use base64::{Engine, prelude::BASE64_STANDARD};
use domain::{
    ids::{ReviewId, SubjectId},
    outcome::Outcome,
};
use gateway::actions::pursue_reviews::pursue_reviews;
use http::Method;
use sandbox::{Fault, Switch};
use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, persona, with},
    reply::Reply,
};

on_both!(
    a_review_leads_to_the_record,
    the_same_key_is_the_same_review,
    a_source_that_is_away_gets_it_later,
    a_crash_between_seal_and_submission_loses_nothing,
    what_is_no_picture_is_refused,
    anothers_review_is_not_there,
    only_ones_own_answer_can_be_disputed,
    a_review_dies_with_the_person,
    a_source_may_refuse_or_uphold,
    what_nobody_answers_comes_to_an_end,
    no_more_are_open_than_may_be,
);

const SUBMIT: &str = "traffic/review/submit";

/// A look-up of the licence of somebody whose licence is not filed.
async fn unfiled(app: &TestApp, token: &str) -> String {
    let answer = app.look_up(token, &about_me("driving-licence")).await;
    answer.expect_outcome("not_filed_yet").lookup_id().to_owned()
}

fn request(lookup: &str) -> Value {
    json!({ "lookup_id": lookup, "text": "我在外地增驾了 D，档案还没有。", "pictures": [picture()] })
}

/// A drawn portrait will do for a picture of a document.
fn picture() -> String {
    BASE64_STANDARD.encode(sandbox::portrait_of(chen()))
}

async fn open(app: &TestApp, token: &str, request: &Value) -> Reply {
    app.post(token, "/v1/reviews", request).await
}

async fn open_with_key(app: &TestApp, token: &str, key: &str, request: &Value) -> Reply {
    let mut http = TestApp::request(Method::POST, "/v1/reviews", Some(token), request.to_string());
    http.headers_mut().insert("idempotency-key", key.parse().unwrap());
    app.send(http).await
}

async fn show(app: &TestApp, token: &str, id: &str) -> Reply {
    app.get(token, &format!("/v1/reviews/{id}")).await
}

/// How often the authority was handed in a review, or asked about one.
fn heard(app: &TestApp, path: &str) -> usize {
    app.sandbox.journal().iter().filter(|e| e.path == path).count()
}

/// What a job does, by the hour that the clock shows after so many seconds.
async fn later(app: &TestApp, seconds: i64) {
    app.clock.advance_seconds(seconds);
    pursue_reviews(&app.app).await.unwrap();
}

fn steps(reply: &Reply) -> Vec<&str> {
    let steps = reply.json["steps"].as_array().unwrap();
    steps.iter().map(|s| s["state"].as_str().unwrap()).collect()
}

/// The types, acts and outcomes of the entries about a look-up, oldest first.
async fn sealed(app: &TestApp, token: &str, lookup: &str) -> Vec<(String, String, String)> {
    let text = |e: &Value, member: &str| e[member].as_str().unwrap_or_default().to_owned();
    let mut log = app.access_log(token).await;
    log.retain(|e| e["lookup_id"] == lookup && e["about"].is_string());
    let told = log.iter().rev();
    told.map(|e| (text(e, "type"), text(e, "about"), text(e, "outcome")))
        .collect()
}

async fn a_review_leads_to_the_record(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(persona("zeng-jia")).await;
    let lookup = unfiled(&app, &token).await;
    let opened = open(&app, &token, &request(&lookup)).await.expect(200);
    let id = opened.text_at("/review_id").to_owned();
    // Sunday, 22 November 2026: five working days later is the Friday.
    assert_eq!(
        (opened.text_at("/due"), &opened.json["due_estimated"]),
        ("2026-11-27", &json!(false))
    );
    assert_eq!(opened.text_at("/state"), "received");
    assert_eq!(steps(&opened), ["submitted", "received"]);
    assert!(opened.text_at("/number").starts_with("FH-"));
    assert_eq!(opened.text_at("/source_number"), "SBX-00000001");
    assert_eq!(
        (heard(&app, SUBMIT), app.asked(&lookup)),
        (1, 2),
        "it names the look-up"
    );
    // The picture can be saved, and nothing else.
    let path = format!("/v1/reviews/{id}/pictures/1");
    let saved = app.get(&token, &path).await.expect(200);
    assert_eq!(saved.headers["content-type"], "image/png");
    assert_eq!(saved.headers["x-content-type-options"], "nosniff");
    assert!(
        saved.headers["content-disposition"]
            .to_str()
            .unwrap()
            .starts_with("attachment")
    );
    app.get(&token, &format!("/v1/reviews/{id}/pictures/2"))
        .await
        .expect_problem(404, "NOT_FOUND");
    // Still the same answer, until the source has mended the record.
    unfiled(&app, &token).await;
    later(&app, 30).await;
    assert_eq!(heard(&app, "traffic/review/query"), 0, "not before its time");
    let told = show(&app, &token, &id).await.expect(200);
    assert_eq!(
        (told.text_at("/state"), &told.json["result"]),
        ("received", &Value::Null)
    );
    later(&app, 31).await;
    assert_eq!(heard(&app, "traffic/review/query"), 1);
    // It is answered; opening it repeats the look-up, shows what is filed now, and closes it.
    let told = show(&app, &token, &id).await.expect(200);
    assert_eq!(
        (told.text_at("/state"), told.text_at("/result")),
        ("closed", "corrected")
    );
    assert_eq!(told.text_at("/lookup/outcome"), "found");
    assert_eq!(
        told.json["lookup"]["record"]["classes"]["value"],
        json!([{ "class": "C1" }, { "class": "D" }])
    );
    assert!(told.text_at("/answer").contains("已更正"));
    assert_eq!(steps(&told), ["submitted", "received", "answered", "closed"]);
    let expected = [
        ("ACT", "review-submitted", ""),
        ("ACT", "review-received", "accepted"),
        ("CHANGE", "review-answered", "corrected"),
    ];
    let expected = expected.map(|(t, a, o)| (t.to_owned(), a.to_owned(), o.to_owned()));
    assert_eq!(sealed(&app, &token, &lookup).await, expected);
    let repeated = told.text_at("/repeated_lookup_id").to_owned();
    let entry = app.entry_about(&token, &repeated).await;
    assert_eq!(
        (&entry["type"], &entry["outcome"]),
        (&json!("RELEASE"), &json!("found"))
    );
}

async fn the_same_key_is_the_same_review(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(persona("zeng-jia")).await;
    let lookup = unfiled(&app, &token).await;
    let first = open_with_key(&app, &token, "k", &request(&lookup))
        .await
        .expect(200);
    let entries = app.entries().await;
    let second = open_with_key(&app, &token, "k", &request(&lookup))
        .await
        .expect(200);
    assert_eq!(first.json["review_id"], second.json["review_id"]);
    assert_eq!((app.entries().await, heard(&app, SUBMIT)), (entries, 1));
    let other = with(request(&lookup), "text", "别的");
    open_with_key(&app, &token, "k", &other)
        .await
        .expect_problem(409, "IDEMPOTENCY_KEY_REUSED");
    // At once, too: one review, whatever the order.
    let asked = (0..4).map(|_| open_with_key(&app, &token, "at-once", &other));
    let ids: std::collections::BTreeSet<String> = futures_util::future::join_all(asked)
        .await
        .into_iter()
        .map(|reply| reply.expect(200).text_at("/review_id").to_owned())
        .collect();
    assert_eq!(ids.len(), 1);
    let all = app.get(&token, "/v1/reviews").await.expect(200);
    assert_eq!(all.json.as_array().unwrap().len(), 2);
    // Another person's key is another key.
    let others = app.at_l2(chen()).await;
    let theirs = app
        .look_up(&others, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    open_with_key(&app, &others, "k", &request(theirs.lookup_id()))
        .await
        .expect(200);
}

async fn a_source_that_is_away_gets_it_later(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(persona("zeng-jia")).await;
    let lookup = unfiled(&app, &token).await;
    let away = Switch {
        path: Some(SUBMIT.into()),
        fault: Some(Fault::Close),
        ..Switch::default()
    };
    app.switch(away);
    let opened = open(&app, &token, &request(&lookup)).await.expect(200);
    let id = opened.text_at("/review_id").to_owned();
    assert_eq!((opened.text_at("/state"), heard(&app, SUBMIT)), ("submitted", 1));
    later(&app, 29).await;
    assert_eq!(heard(&app, SUBMIT), 1, "not at once again");
    later(&app, 2).await;
    assert_eq!(heard(&app, SUBMIT), 2);
    later(&app, 31).await;
    assert_eq!(heard(&app, SUBMIT), 2, "the pause doubles");
    app.sandbox.clear_switches();
    later(&app, 30).await;
    let told = show(&app, &token, &id).await.expect(200);
    assert_eq!((told.text_at("/state"), heard(&app, SUBMIT)), ("received", 3));
    let expected = [
        ("ACT", "review-submitted", ""),
        ("ACT", "review-received", "accepted"),
    ];
    let expected = expected.map(|(t, a, o)| (t.to_owned(), a.to_owned(), o.to_owned()));
    assert_eq!(
        sealed(&app, &token, &lookup).await,
        expected,
        "tries in vain leave no entry"
    );
}

async fn a_crash_between_seal_and_submission_loses_nothing(bed: Arc<Bed>) {
    // The answer to the submission is lost together with the process: the source has it, and we do not know.
    let clock = {
        let app = bed.app().start().await;
        let token = app.at_l2(persona("zeng-jia")).await;
        let lookup = unfiled(&app, &token).await;
        app.switch(Switch {
            path: Some(SUBMIT.into()),
            fault: Some(Fault::Close),
            ..Switch::default()
        });
        open(&app, &token, &request(&lookup)).await.expect(200);
        let clock = Arc::clone(&app.clock);
        app.stop().await;
        clock
    };
    let app = bed.app().clock(&clock).start().await;
    clock.advance_seconds(40);
    assert_eq!(pursue_reviews(&app.app).await.unwrap(), 1);
    assert_eq!(pursue_reviews(&app.app).await.unwrap(), 0);
    assert_eq!(heard(&app, SUBMIT), 1);
    let token = app.at_l2(persona("zeng-jia")).await;
    let all = app.get(&token, "/v1/reviews").await.expect(200);
    assert_eq!(all.text_at("/0/state"), "received");
    // A source that had it already says the same number: handed in twice, taken once.
    let review = all.text_at("/0/review_id");
    let again = app
        .app
        .store
        .subject(subject_of(&app).await)
        .await
        .unwrap()
        .unwrap();
    let question = sources::ReviewQuestion {
        lookup: domain::ids::LookupId::parse(all.text_at("/0/lookup_id")).unwrap(),
        source: "sandbox-traffic".into(),
        kind: "driving-licence".into(),
        person: again.person.unwrap(),
        number: domain::review::number(ReviewId::parse(review).unwrap()),
        source_number: None,
        text: "again".into(),
        images: vec![],
        deadline: tokio::time::Instant::now() + std::time::Duration::from_secs(3),
    };
    let reply = app.app.sources.submit(&question).await.unwrap();
    assert_eq!(
        reply,
        sources::ReviewReply::Accepted(all.text_at("/0/source_number").to_owned())
    );
}

/// The subject of the person whose licence is not filed.
async fn subject_of(app: &TestApp) -> SubjectId {
    let number = &persona("zeng-jia").id_number;
    let number = domain::identifiers::IdNumber::parse(number, app.app.now().date_in_china());
    app.app
        .store
        .mention_subject(&number.unwrap().value)
        .await
        .unwrap()
}

async fn what_is_no_picture_is_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(persona("zeng-jia")).await;
    let lookup = unfiled(&app, &token).await;
    let entries = app.entries().await;
    let portrait = sandbox::portrait_of(chen());
    let too_large = [portrait.as_slice(), &vec![0; 1 << 20]].concat();
    for (case, pictures) in [
        ("a page", json!([BASE64_STANDARD.encode("<html><script>")])),
        ("an archive", json!([BASE64_STANDARD.encode(b"PK\x03\x04")])),
        ("a head alone", json!([BASE64_STANDARD.encode(&portrait[..40])])),
        ("too large", json!([BASE64_STANDARD.encode(too_large)])),
        ("not base64", json!(["*"])),
        ("too many", json!([picture(), picture(), picture(), picture()])),
    ] {
        let reply = open(&app, &token, &with(request(&lookup), "pictures", pictures)).await;
        assert_eq!(
            reply.expect_problem(400, "EVIDENCE_UNUSABLE").status,
            400,
            "{case}"
        );
    }
    for text in ["", " \n ", &"字".repeat(1001), "a\u{7}b"] {
        let reply = open(&app, &token, &with(request(&lookup), "text", text)).await;
        reply.expect_problem(400, "REVIEW_TEXT");
    }
    assert_eq!((app.entries().await, heard(&app, SUBMIT)), (entries, 0));
    // A picture with something behind it is taken for its pixels, and nothing else of it is kept or sent.
    let polyglot = [portrait.as_slice(), b"PK\x03\x04canary<script>"].concat();
    let request = with(
        request(&lookup),
        "pictures",
        json!([BASE64_STANDARD.encode(polyglot)]),
    );
    let opened = open(&app, &token, &request).await.expect(200);
    let path = format!("/v1/reviews/{}/pictures/1", opened.text_at("/review_id"));
    let saved = app.get(&token, &path).await.expect(200);
    assert!(saved.bytes.starts_with(b"\x89PNG"));
    assert!(!saved.bytes.windows(6).any(|w| w == b"canary"));
}

async fn anothers_review_is_not_there(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(persona("zeng-jia")).await;
    let lookup = unfiled(&app, &token).await;
    let opened = open(&app, &token, &request(&lookup)).await.expect(200);
    let id = opened.text_at("/review_id");
    let other = app.at_l2(gulbahar()).await;
    let nobodys = "019abc00-0000-7000-8000-000000000000";
    for id in [id, nobodys] {
        show(&app, &other, id).await.expect_problem(404, "NOT_FOUND");
        let path = format!("/v1/reviews/{id}/pictures/1");
        app.get(&other, &path).await.expect_problem(404, "NOT_FOUND");
    }
    assert_eq!(app.get(&other, "/v1/reviews").await.expect(200).json, json!([]));
    // A phone alone opens none of one's own either.
    let phone = app.sign_in(persona("zeng-jia")).await;
    for path in ["/v1/reviews".to_owned(), format!("/v1/reviews/{id}")] {
        app.get(&phone, &path).await.expect_problem(403, "LEVEL_TOO_LOW");
    }
    open(&app, &phone, &request(&lookup))
        .await
        .expect_problem(403, "LEVEL_TOO_LOW");
}

async fn only_ones_own_answer_can_be_disputed(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let other = app.at_l2(gulbahar()).await;
    let theirs = app
        .look_up(&other, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    open(&app, &token, &request(theirs.lookup_id()))
        .await
        .expect_problem(404, "NOT_FOUND");
    // The record that was found may be wrong.
    let found = app
        .look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    open(&app, &token, &request(found.lookup_id())).await.expect(200);
    // A failure says nothing about the record, and a source that takes no reviews gets none.
    for outcome in [Outcome::Maintenance, Outcome::CannotCompare, Outcome::NotCovered] {
        let path = Some("traffic/licence/query".into());
        app.switch(Switch {
            path,
            outcome: Some(outcome),
            ..Switch::default()
        });
        let answer = app.look_up(&token, &about_me("driving-licence")).await;
        let reply = open(
            &app,
            &token,
            &request(answer.expect_outcome(outcome.code()).lookup_id()),
        )
        .await;
        reply.expect_problem(400, "REVIEW_NOT_POSSIBLE");
    }
    let identity = with(about_me("identity"), "mode", "match");
    let matched = app.look_up(&token, &identity).await.expect(200);
    open(&app, &token, &request(matched.lookup_id()))
        .await
        .expect_problem(400, "REVIEW_NOT_POSSIBLE");
}

async fn a_review_dies_with_the_person(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(persona("zeng-jia")).await;
    let lookup = unfiled(&app, &token).await;
    app.switch(Switch {
        path: Some(SUBMIT.into()),
        fault: Some(Fault::Close),
        ..Switch::default()
    });
    let opened = open(&app, &token, &request(&lookup)).await.expect(200);
    let id = ReviewId::parse(opened.text_at("/review_id")).unwrap();
    let subject = subject_of(&app).await;
    app.delete(&token, "/v1/account").await.expect(204);
    assert!(app.app.store.review(subject, id).await.unwrap().is_none());
    assert_eq!(
        app.app.store.review_pictures(subject, id).await.unwrap(),
        Vec::<Vec<u8>>::new()
    );
    app.sandbox.clear_switches();
    let before = heard(&app, SUBMIT);
    later(&app, 3600).await;
    assert_eq!(
        heard(&app, SUBMIT),
        before,
        "nothing is handed in for who is gone"
    );
}

async fn a_source_may_refuse_or_uphold(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let found = app
        .look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    let lookup = found.lookup_id();
    let refuses = Switch {
        path: Some(SUBMIT.into()),
        outcome: Some(Outcome::NotFound),
        ..Switch::default()
    };
    app.switch(refuses);
    let refused = open(&app, &token, &request(lookup)).await.expect(200);
    assert_eq!(
        (refused.text_at("/state"), refused.text_at("/result")),
        ("closed", "refused")
    );
    assert_eq!(steps(&refused), ["submitted", "closed"]);
    app.switch(Switch {
        path: Some(SUBMIT.into()),
        answer_after_s: Some(0),
        upholds: true,
        ..Switch::default()
    });
    let opened = open(&app, &token, &request(lookup)).await.expect(200);
    later(&app, 61).await;
    // The look-up is repeated when it is next opened, once, and sealed as any other.
    let told = show(&app, &token, opened.text_at("/review_id")).await.expect(200);
    assert_eq!(
        (told.text_at("/state"), told.text_at("/result")),
        ("closed", "upheld")
    );
    assert_eq!(told.text_at("/lookup/outcome"), "found");
    assert_eq!(told.json["lookup"]["lookup_id"], told.json["repeated_lookup_id"]);
    assert_eq!(steps(&told), ["submitted", "received", "answered", "closed"]);
    let entries = app.entries().await;
    let again = show(&app, &token, opened.text_at("/review_id")).await.expect(200);
    assert_eq!(
        again.json["lookup"]["lookup_id"], told.json["repeated_lookup_id"],
        "still kept"
    );
    assert_eq!(app.entries().await, entries);
    let path = format!("/v1/reviews/{}/pictures/1", opened.text_at("/review_id"));
    app.get(&token, &path).await.expect_problem(404, "NOT_FOUND");
}

async fn what_nobody_answers_comes_to_an_end(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let found = app
        .look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    app.switch(Switch {
        path: Some(SUBMIT.into()),
        fault: Some(Fault::Close),
        ..Switch::default()
    });
    let away = open(&app, &token, &request(found.lookup_id())).await.expect(200);
    app.switch(Switch {
        path: Some("traffic/review/query".into()),
        fault: Some(Fault::WrongPerson),
        ..Switch::default()
    });
    let opened = open(&app, &token, &request(found.lookup_id())).await.expect(200);
    app.sandbox
        .switch(Switch {
            path: Some(SUBMIT.into()),
            fault: Some(Fault::Close),
            ..Switch::default()
        })
        .unwrap();
    later(&app, 15 * 24 * 3600).await;
    let token = app.at_l2(chen()).await;
    let told = show(&app, &token, away.text_at("/review_id")).await.expect(200);
    assert_eq!(
        (told.text_at("/state"), told.text_at("/result")),
        ("closed", "undelivered")
    );
    // Somebody else's answer is none.
    let told = show(&app, &token, opened.text_at("/review_id")).await.expect(200);
    assert_eq!(
        (told.text_at("/state"), &told.json["answer"]),
        ("received", &Value::Null)
    );
    later(&app, 200 * 24 * 3600).await;
    let token = app.at_l2(chen()).await;
    let told = show(&app, &token, opened.text_at("/review_id")).await.expect(200);
    assert_eq!(
        (told.text_at("/state"), told.text_at("/result")),
        ("closed", "unanswered")
    );
    // A year after they were opened they are forgotten.
    assert_eq!(app.app.store.forget_reviews().await.unwrap(), 0);
    app.clock.advance_seconds(200 * 24 * 3600);
    assert_eq!(app.app.store.forget_reviews().await.unwrap(), 2);
    let token = app.at_l2(chen()).await;
    assert_eq!(app.get(&token, "/v1/reviews").await.expect(200).json, json!([]));
}

async fn no_more_are_open_than_may_be(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let found = app
        .look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    let plain = with(request(found.lookup_id()), "pictures", json!([]));
    for _ in 0..10 {
        open(&app, &token, &plain).await.expect(200);
    }
    open(&app, &token, &plain)
        .await
        .expect_problem(429, "TOO_MANY_REQUESTS");
    app.clock.advance_seconds(25 * 3600);
    let token = app.at_l2(chen()).await;
    open(&app, &token, &plain)
        .await
        .expect_problem(409, "TOO_MANY_REVIEWS");
}
