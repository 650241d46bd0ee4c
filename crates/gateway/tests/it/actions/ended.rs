//! A look-up ends once: also when the session ends, the person leaves, the client goes away or nobody ends it.

use std::{sync::Arc, time::Duration};

use domain::{
    lookup::{RawLookup, SubjectRef},
    requester::Requester,
    words::Mode,
};
use gateway::{
    actions::{
        close_overdue::close_overdue,
        erase_person::erase_person,
        look_up::{self, Ask, Asked, Intent},
        open_review::{Opening, open_review},
        strengthen::{Consent, Shown, by_portrait},
        view_history,
    },
    api::request::found_by_token,
    app::Lang,
    error::Error,
};
use sandbox::Switch;
use serde_json::{Value, json};
use store::SealedPerson;
use tokio::time::{Instant, sleep, timeout};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, my_vehicle},
};

on_both!(
    a_session_that_ended_meanwhile_is_answered_nothing,
    a_session_that_was_raised_meanwhile_is_answered_nothing,
    a_person_who_was_erased_meanwhile_is_answered_nothing,
    a_client_that_goes_away_leaves_nothing_open,
    an_intent_that_nobody_ends_is_closed,
    a_release_that_comes_late_loses,
    who_was_erased_after_the_session_was_read_is_asked_about_nowhere,
    what_was_read_of_somebody_else_is_not_used,
    a_requester_who_is_said_to_be_somebody_else_is_refused,
    who_signed_out_between_head_and_body_is_not_served,
    who_signed_out_meanwhile_has_consented_to_nothing,
);

/// Makes traffic management slow.
fn slow(app: &TestApp, delay_ms: u64) {
    app.switch(Switch {
        path: Some("traffic/licence/query".into()),
        delay_ms,
        ..Switch::default()
    });
}

/// Waits until the source has been asked.
async fn until_asked(app: &TestApp) {
    let before = app.sandbox.journal().len();
    while app.sandbox.journal().len() == before {
        sleep(Duration::from_millis(2)).await;
    }
}

async fn a_session_that_ended_meanwhile_is_answered_nothing(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, other) = (app.at_l2(chen()).await, app.at_l2(chen()).await);
    slow(&app, 400);
    let question = about_me("driving-licence");
    let (reply, ()) = tokio::join!(app.look_up_as(&token, "k", &question), async {
        until_asked(&app).await;
        app.delete(&token, "/v1/account/sessions").await.expect(204);
    });
    let reply = reply.expect_problem(403, "NOT_PERMITTED");
    assert_eq!(app.asked(reply.lookup_id()), 1);
    refused_at_the_end(&app, &other, reply.lookup_id(), "SESSION_ENDED").await;
    // Nothing was kept: the same question from another session of the same account is told the same.
    let again = app
        .look_up_as(&other, "k", &question)
        .await
        .expect_problem(403, "NOT_PERMITTED");
    assert_eq!(again.text, reply.text);
}

async fn refused_at_the_end(app: &TestApp, token: &str, lookup: &str, reason: &str) {
    let log = app.access_log(token).await;
    let own: Vec<&Value> = log.iter().filter(|e| e["lookup_id"] == lookup).collect();
    let types: Vec<&Value> = own.iter().map(|e| &e["type"]).collect();
    assert_eq!(types, ["REFUSAL", "INTENT"]);
    assert_eq!(
        (&own[0]["reasons"], &own[0]["disclosed"]),
        (&json!([reason]), &json!([]))
    );
    assert_eq!(
        (&own[0]["outcome"], &own[0]["source"]),
        (&Value::Null, &Value::Null),
        "what was found is not told"
    );
    let line = app.get(token, &format!("/v1/lookups/{lookup}")).await.expect(200);
    assert_eq!(line.text_at("/state"), "refused");
}

async fn a_session_that_was_raised_meanwhile_is_answered_nothing(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    slow(&app, 400);
    let question = about_me("driving-licence");
    let (reply, strong) = tokio::join!(app.look_up(&token, &question), async {
        until_asked(&app).await;
        app.strengthen(&token, chen()).await.expect(200)
    });
    let reply = reply.expect_problem(403, "NOT_PERMITTED");
    refused_at_the_end(
        &app,
        strong.text_at("/session/token"),
        reply.lookup_id(),
        "SESSION_ENDED",
    )
    .await;
}

async fn a_person_who_was_erased_meanwhile_is_answered_nothing(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let (requester, _) = found_by_token(&app.app, &token).await.unwrap();
    let subject = requester.subject.unwrap();
    slow(&app, 400);
    let question = about_me("driving-licence");
    let (reply, ()) = tokio::join!(app.look_up(&token, &question), async {
        until_asked(&app).await;
        app.delete(&token, "/v1/account").await.expect(204);
    });
    reply.expect_problem(403, "NOT_PERMITTED");
    let newest = app.app.store.entries(subject, None, 3).await.unwrap();
    let types: Vec<String> = newest.iter().map(|e| e.shared.entry_type.to_string()).collect();
    assert_eq!(types, ["REFUSAL", "CHANGE", "INTENT"]);
    assert!(newest[0].shared.disclosed.is_empty());
}

async fn a_client_that_goes_away_leaves_nothing_open(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let car = &chen().vehicles[0];
    app.switch(Switch {
        delay_ms: 300,
        ..Switch::default()
    });
    let before = app.access_log(&token).await.len();
    let leave = Duration::from_millis(100);
    let read = about_me("driving-licence");
    assert!(timeout(leave, app.look_up(&token, &read)).await.is_err());
    let report = my_vehicle("vehicle", car);
    assert!(
        timeout(leave, app.post(&token, "/v1/reports", &report))
            .await
            .is_err()
    );
    let mine = json!({ "purpose": "own-information" });
    assert!(
        timeout(leave, app.post(&token, "/v1/my-records", &mine))
            .await
            .is_err()
    );
    // One, four and one: an intent and a release each, without anybody to answer to.
    let deadline = Instant::now() + Duration::from_secs(5);
    let log = loop {
        let log = app.access_log(&token).await;
        if log.len() >= before + 12 || Instant::now() > deadline {
            break log;
        }
        sleep(Duration::from_millis(20)).await;
    };
    let count = |of: &str| {
        log[..log.len() - before]
            .iter()
            .filter(|e| e["type"] == of)
            .count()
    };
    assert_eq!((count("INTENT"), count("RELEASE")), (6, 6));
    let l1 = app.sign_in(chen()).await;
    assert!(timeout(leave, app.prove(&l1, chen())).await.is_err());
    let ended = async {
        while app.get(&l1, "/v1/account").await.status == 200 {
            sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(5), ended)
        .await
        .expect("the proof goes to its end, and the old session with it");
}

/// About one's own licence, with what was read of a person on the way.
fn about_own(own: Option<SealedPerson>) -> Ask {
    Ask {
        kind: "driving-licence".into(),
        mode: Mode::Read,
        subject: SubjectRef::Own,
        raw: RawLookup {
            purpose: "own-information".into(),
            ..RawLookup::default()
        },
        wanted: sources::Wanted::default(),
        own,
        portrait: None,
        repeat: None,
        proofing: false,
        lang: Lang::Zh,
        arrived: Instant::now(),
    }
}

/// Asks as the API does, up to the sealed intent.
pub(crate) async fn intend(app: &TestApp, token: &str) -> Box<Intent> {
    let (requester, own) = found_by_token(&app.app, token).await.unwrap();
    match look_up::ask(&app.app, &requester, about_own(own)).await {
        Ok(Asked::Intended(intent)) => intent,
        _ => panic!("it is permitted"),
    }
}

async fn an_intent_that_nobody_ends_is_closed(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for _ in 0..3 {
        drop(intend(&app, &token).await);
    }
    let newest =
        |log: Vec<Value>, n: usize| -> Vec<Value> { log[..n].iter().map(|e| e["type"].clone()).collect() };
    assert_eq!(
        newest(app.access_log(&token).await, 3),
        ["INTENT", "INTENT", "INTENT"]
    );
    // Not before the deadline and the grace have passed.
    assert_eq!(close_overdue(&app.app).await.unwrap(), 0);
    app.clock.advance_seconds(7);
    assert_eq!(close_overdue(&app.app).await.unwrap(), 0);
    app.clock.advance_seconds(2);
    assert_eq!(close_overdue(&app.app).await.unwrap(), 3);
    assert_eq!(close_overdue(&app.app).await.unwrap(), 0);
    let log = app.access_log(&token).await;
    for entry in &log[..3] {
        assert_eq!(
            (&entry["type"], &entry["outcome"]),
            (&json!("FAILURE"), &json!("cut_off"))
        );
        assert_eq!(
            (&entry["disclosed"], &entry["by"]),
            (&json!([]), &json!("deployment"))
        );
        let id = entry["lookup_id"].as_str().unwrap();
        let line = app.get(&token, &format!("/v1/lookups/{id}")).await.expect(200);
        assert_eq!(
            (line.text_at("/state"), line.text_at("/outcome")),
            ("failed", "cut_off")
        );
        let receipt = app.get(&token, &format!("/v1/receipts/{id}")).await.expect(200);
        crate::reply::verify_receipt(&app.app, &receipt.text);
    }
}

async fn a_release_that_comes_late_loses(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let intent = intend(&app, &token).await;
    app.clock.advance_seconds(9);
    assert_eq!(close_overdue(&app.app).await.unwrap(), 1);
    let before = app.entries().await;
    let late = look_up::release(&app.app, intent).await;
    assert!(matches!(late, Err(Error::Conflict("LOOKUP_CUT_OFF"))), "{late:?}");
    assert_eq!(app.entries().await, before, "at most one outcome for an intent");
    // And the other way round: what was released is not closed.
    let intent = intend(&app, &token).await;
    app.clock.advance_seconds(9);
    look_up::release(&app.app, intent).await.unwrap();
    assert_eq!(close_overdue(&app.app).await.unwrap(), 0);
}

/// Between the session and the question lies the line, in which one may wait for seconds.
async fn who_was_erased_after_the_session_was_read_is_asked_about_nowhere(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let (requester, own) = found_by_token(&app.app, &token).await.unwrap();
    assert!(own.is_some(), "the person comes with the session");
    app.delete(&token, "/v1/account").await.expect(204);
    let (before, entries) = (app.sandbox.journal().len(), app.entries().await);
    let asked = look_up::ask(&app.app, &requester, about_own(own)).await;
    match asked {
        Err(Error::NotSignedIn) => {}
        Err(error) => panic!("{error:?}"),
        Ok(_) => panic!("it is permitted"),
    }
    assert_eq!(app.sandbox.journal().len(), before, "nobody was asked");
    assert_eq!(app.entries().await, entries, "nothing is sealed");
}

async fn what_was_read_of_somebody_else_is_not_used(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, hers) = (app.at_l2(chen()).await, app.at_l2(gulbahar()).await);
    let (requester, _) = found_by_token(&app.app, &token).await.unwrap();
    let (_, other) = found_by_token(&app.app, &hers).await.unwrap();
    assert!(other.is_some());
    let intent = match look_up::ask(&app.app, &requester, about_own(other)).await {
        Ok(Asked::Intended(intent)) => intent,
        _ => panic!("it is permitted"),
    };
    let answered = look_up::release(&app.app, intent).await.unwrap();
    let own = answered.fields.iter().find(|f| &*f.id == "file_number").unwrap();
    let expected = &chen().licence.as_ref().unwrap().file_number;
    assert_eq!(own.value, json!(expected), "one's own record");
}

/// Without what shows that they are that person, the person's own row must name their account.
async fn a_requester_who_is_said_to_be_somebody_else_is_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, hers) = (app.at_l2(chen()).await, app.at_l2(gulbahar()).await);
    let (requester, _) = found_by_token(&app.app, &token).await.unwrap();
    let (other, _) = found_by_token(&app.app, &hers).await.unwrap();
    let forged = Requester {
        subject: other.subject,
        ..requester
    };
    let before = app.sandbox.journal().len();
    let asked = look_up::look_up(&app.app, &forged, about_own(None)).await;
    assert!(matches!(asked, Err(Error::NotPermitted { .. })), "{asked:?}");
    assert_eq!(app.sandbox.journal().len(), before, "nobody was asked");
}

async fn who_signed_out_between_head_and_body_is_not_served(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, other) = (app.at_l2(chen()).await, app.at_l2(chen()).await);
    // Who they are was read with the head of each request.
    let (requester, _) = found_by_token(&app.app, &token).await.unwrap();
    let question = || Ask {
        repeat: Some(([1; 32], [2; 32])),
        ..about_own(None)
    };
    let asked = look_up::look_up(&app.app, &requester, question()).await.unwrap();
    let again = look_up::look_up(&app.app, &requester, question()).await.unwrap();
    assert_eq!(asked.lookup, again.lookup, "while the session lives");
    app.delete(&token, "/v1/account/sessions").await.expect(204);
    let entries = app.entries().await;
    let repeated = look_up::look_up(&app.app, &requester, question()).await;
    let opening = Opening {
        lookup: asked.lookup,
        text: "不对。".to_owned(),
        pictures: vec![],
        repeat: ([3; 32], [4; 32]),
        lang: Lang::Zh,
    };
    for refused in [
        repeated.map(drop),
        open_review(&app.app, &requester, opening).await.map(drop),
        view_history::hide(&app.app, &requester, asked.lookup, true).await,
        erase_person(&app.app, &requester).await,
    ] {
        assert!(matches!(refused, Err(Error::NotSignedIn)), "{refused:?}");
    }
    assert_eq!(app.entries().await, entries, "nothing is sealed");
    let line = app.get(&other, &format!("/v1/lookups/{}", asked.lookup)).await;
    assert_eq!(line.expect(200).json["hidden"], false);
}

/// A picture may be half a megabyte: the session may end while it comes.
async fn who_signed_out_meanwhile_has_consented_to_nothing(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let (requester, _) = found_by_token(&app.app, &token).await.unwrap();
    app.delete(&token, "/v1/account/sessions").await.expect(204);
    let before = (app.entries().await, app.sandbox.journal().len());
    let consent = Consent {
        text: app.consent(),
        shown: Shown::ByClient,
    };
    let (portrait, at) = (sandbox::portrait_of(chen()), (Lang::Zh, Instant::now()));
    let compared = by_portrait(&app.app, &requester, portrait.into(), consent, at).await;
    assert!(matches!(compared, Err(Error::NotSignedIn)), "{compared:?}");
    assert_eq!(
        (app.entries().await, app.sandbox.journal().len()),
        before,
        "no consent is sealed, and the register is not asked"
    );
}
