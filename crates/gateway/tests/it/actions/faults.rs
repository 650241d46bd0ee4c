//! Whatever a source answers or fails to answer is one of the closed set, and a failure discloses nothing.

use std::{sync::Arc, time::Duration};

use domain::outcome::Outcome;
use futures_util::future::join_all;
use ledger::EntryType;
use sandbox::{Fault, Switch};
use serde_json::{Value, json};
use tokio::time::Instant;

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, my_vehicle, persona, with},
    reply::Reply,
};

on_both!(
    every_outcome_of_the_closed_set,
    what_does_not_answer_in_time_is_cut_off,
    a_source_that_is_not_there_harms_only_itself,
    what_no_register_holds_is_not_asked_for,
    a_failed_member_of_a_comparison_fails_it,
    an_agreement_that_has_expired_is_not_used,
    dates_that_contradict_each_other_are_left_out,
);

const VEHICLE: &str = "traffic/vehicle/query";

fn told(outcome: Outcome) -> Switch {
    Switch {
        path: Some(VEHICLE.into()),
        outcome: Some(outcome),
        ..Switch::default()
    }
}

fn spoilt(fault: Fault, member: Option<&str>) -> Switch {
    Switch {
        path: Some(VEHICLE.into()),
        fault: Some(fault),
        member: member.map(str::to_owned),
        ..Switch::default()
    }
}

fn question() -> Value {
    my_vehicle("vehicle", &chen().vehicles[0])
}

async fn every_outcome_of_the_closed_set(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    for (switch, outcome) in [
        (told(Outcome::NotFound), "not_found"),
        (told(Outcome::CannotCompare), "cannot_compare"),
        (told(Outcome::Ambiguous), "ambiguous"),
        (told(Outcome::DocumentExpired), "document_expired"),
        (told(Outcome::NotFiledYet), "not_filed_yet"),
        (told(Outcome::NotCovered), "not_covered"),
        (told(Outcome::Maintenance), "maintenance"),
        (told(Outcome::Overloaded), "overloaded"),
        (spoilt(Fault::Close, None), "broken"),
        (spoilt(Fault::Garbage, None), "bad_answer"),
        (spoilt(Fault::NotJson, None), "bad_answer"),
        (spoilt(Fault::MissingField, Some("clsbdh")), "bad_answer"),
        (spoilt(Fault::WrongType, Some("clsbdh")), "bad_answer"),
        (spoilt(Fault::WrongType, Some("zt")), "bad_answer"),
        (spoilt(Fault::MissingField, Some("sfzmhm")), "bad_answer"),
        (spoilt(Fault::MissingField, Some("fdjh")), "found"), // optional
        (spoilt(Fault::WrongPerson, None), "not_found"),
    ] {
        app.switch(switch.clone());
        let answer = app.look_up(&token, &question()).await.expect_outcome(outcome);
        check(&app, &token, &answer, outcome).await;
        app.sandbox.clear_switches();
        app.look_up(&token, &question()).await.expect_outcome("found");
    }
}

/// A failure is sealed as one, discloses nothing, and names no source; anything else is a release.
async fn check(app: &TestApp, token: &str, answer: &Reply, outcome: &str) {
    let failed = Outcome::from_code(outcome).unwrap().is_failure();
    let shared = answer.verified(&app.app).shared;
    let entry = app.entry_about(token, answer.lookup_id()).await;
    let (sealed, state) = if failed {
        ("FAILURE", "failed")
    } else {
        ("RELEASE", "released")
    };
    assert_eq!(
        (&entry["type"], &entry["outcome"]),
        (&json!(sealed), &json!(outcome))
    );
    assert_eq!(shared.entry_type == EntryType::Failure, failed);
    assert_eq!(shared.outcome.as_deref(), Some(outcome));
    let line = app
        .get(token, &format!("/v1/lookups/{}", answer.lookup_id()))
        .await
        .expect(200);
    assert_eq!(line.text_at("/state"), state);
    if outcome != "found" {
        // Every one has its plain sentence and its next step, in both languages.
        for part in ["/sentence/zh", "/sentence/en", "/next_step/zh", "/next_step/en"] {
            let text = answer.text_at(part);
            assert!(
                !text.is_empty() && !text.starts_with("outcome"),
                "{outcome}: {part}"
            );
        }
        assert!(
            answer.disclosed().is_empty() && shared.disclosed.is_empty(),
            "{outcome}"
        );
        let kind = app.app.kinds.get("vehicle").unwrap();
        let withheld = answer.json["withheld"].as_array().unwrap().len();
        assert_eq!(
            withheld,
            kind.kind.disclosable().count(),
            "{outcome}: all of the kind"
        );
    }
    if failed {
        assert_eq!(
            (&shared.source, shared.as_of),
            (&None, None),
            "{outcome} tells nothing"
        );
    } else {
        assert!(shared.source.is_some(), "{outcome}");
    }
}

async fn what_does_not_answer_in_time_is_cut_off(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    app.switch(Switch {
        path: Some(VEHICLE.into()),
        delay_ms: 10_000,
        ..Switch::default()
    });
    let begun = Instant::now();
    let asked = (0..5).map(|_| async {
        let answer = app.look_up(&token, &question()).await.expect_outcome("timed_out");
        (answer, begun.elapsed())
    });
    for (answer, took) in join_all(asked).await {
        assert!(
            (Duration::from_millis(2900)..Duration::from_millis(3900)).contains(&took),
            "{took:?}"
        );
        check(&app, &token, &answer, "timed_out").await;
    }
    // Slow, and in time.
    app.switch(Switch {
        path: Some(VEHICLE.into()),
        delay_ms: 1_000,
        ..Switch::default()
    });
    app.look_up(&token, &question()).await.expect_outcome("found");
}

async fn a_source_that_is_not_there_harms_only_itself(bed: Arc<Bed>) {
    // Nobody listens on the port of discard.
    let app = bed.app().sources(|files| {
        for file in files
            .iter_mut()
            .filter(|f| f.text.contains("id = \"sandbox-insurance\""))
        {
            let at = file.text.find("endpoint = \"").unwrap();
            let end = at + file.text[at..].find('\n').unwrap();
            file.text
                .replace_range(at..end, "endpoint = \"http://127.0.0.1:9/insurance/v1\"");
        }
    });
    let app = app.start().await;
    let token = app.at_l2(chen()).await;
    let insurance = my_vehicle("vehicle-insurance", &chen().vehicles[0]);
    // More than the failures after which it is left alone for a while.
    for _ in 0..15 {
        let answer = app.look_up(&token, &insurance).await.expect_outcome("broken");
        assert!(answer.disclosed().is_empty());
        app.look_up(&token, &question()).await.expect_outcome("found");
    }
}

async fn what_no_register_holds_is_not_asked_for(bed: Arc<Bed>) {
    let entries = "own_entries = [\n\
        { region = { zh = \"样板省\", en = \"Sample Province\" }, entry = { zh = \"样板省政务窗口\", en = \"the counter of Sample Province\" } },\n\
        { region = { zh = \"别处\", en = \"elsewhere\" }, entry = { zh = \"别的\", en = \"another\" }, kinds = [\"marriage\"] },\n]\n";
    let app = bed
        .app()
        .replacing("\nlisten =", &format!("\n{entries}listen ="))
        .start()
        .await;
    let token = app.at_l2(chen()).await;
    for (plate, class) in [("VA12345", "02"), ("WJ京1234X", "02")] {
        let question = with(
            about_me("vehicle"),
            "key",
            json!({ "plate": plate, "plate_class": class }),
        );
        let answer = app.look_up(&token, &question).await.expect_outcome("not_covered");
        assert_eq!(app.asked(answer.lookup_id()), 0, "the answer is known");
        let told = answer.json["own_entries"].as_array().unwrap();
        assert_eq!(
            (told.len(), answer.text_at("/own_entries/0/region/zh")),
            (1, "样板省")
        );
        assert_eq!(answer.verified(&app.app).shared.entry_type, EntryType::Release);
    }
}

async fn a_failed_member_of_a_comparison_fails_it(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let claims = json!({ "phone": persona("liu-zhiqiang").phone });
    let question = with(with(about_me("identity"), "mode", "match"), "claims", claims);
    app.look_up(&token, &question).await.expect_outcome("mismatch");
    // With a failure nothing is known, also not what the other source said.
    for path in ["population/identity/match", "carrier/holder/match"] {
        app.switch(Switch {
            path: Some(path.into()),
            fault: Some(Fault::Close),
            ..Switch::default()
        });
        let answer = app.look_up(&token, &question).await.expect_outcome("broken");
        assert_eq!(answer.verified(&app.app).shared.entry_type, EntryType::Failure);
    }
}

async fn an_agreement_that_has_expired_is_not_used(bed: Arc<Bed>) {
    let app = bed.app().sources(|files| {
        for file in files
            .iter_mut()
            .filter(|f| f.text.contains("id = \"sandbox-traffic\""))
        {
            file.text = file.text.replace("expires = 2099-12-31", "expires = 2026-11-22");
        }
    });
    let app = app.start().await;
    let token = app.at_l2(chen()).await;
    app.look_up(&token, &question()).await.expect_outcome("found");
    // Midnight in China is four in the afternoon in UTC.
    app.clock.advance_seconds(12 * 3600);
    let token = app.at_l2(chen()).await;
    let answer = app
        .look_up(&token, &question())
        .await
        .expect_outcome("maintenance");
    assert_eq!(app.asked(answer.lookup_id()), 0);
}

/// A cycle of points that does not follow from the day of first issue: its end is said to be its start. Neither is
/// told; the licence itself is.
async fn dates_that_contradict_each_other_are_left_out(bed: Arc<Bed>) {
    let app = bed.app().sources(|files| {
        for file in files {
            file.text = file.text.replace("/data/jfzqqz", "/data/jfzqqs");
        }
    });
    let app = app.start().await;
    let token = app.at_l2(persona("leap-run")).await;
    let answer = app.look_up(&token, &about_me("driving-licence")).await;
    let answer = answer.expect_outcome("found");
    let told = answer.disclosed();
    assert!(told.contains(&"first_issued_on") && told.contains(&"points_confirmed"));
    assert!(!told.contains(&"cycle_start") && !told.contains(&"cycle_end"));
    assert_eq!(answer.verified(&app.app).shared.entry_type, EntryType::Release);
}
