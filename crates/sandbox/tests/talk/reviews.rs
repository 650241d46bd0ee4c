//! Reviews of records: taken once, answered later, and nobody else's.

use sandbox::Switch;
use serde_json::{Value, json};

use crate::client::{Gateway, about, with};

const SUBMIT: &str = "traffic/review/submit";
const QUERY: &str = "traffic/review/query";
const PNG: &str = "iVBORw0KGgo=";

fn review(id: &str, number: &str) -> Value {
    with(about(id), json!({ "fhbh": number, "sqly": "查不到" }))
}

#[tokio::test]
async fn a_review_is_taken_once_and_answered_after_a_while() {
    let mut gateway = Gateway::new();
    let licence = about("zeng-jia");
    assert_eq!(gateway.code("traffic/licence/query", &licence).await, "1006");
    let request = with(review("zeng-jia", "FH-1"), json!({ "fj1": PNG, "fj2": PNG }));
    let taken = gateway.data(SUBMIT, &request).await["slh"].clone();
    assert_eq!(
        gateway.data(SUBMIT, &request).await["slh"],
        taken,
        "the same review"
    );
    let other = gateway.data(SUBMIT, &review("zeng-jia", "FH-2")).await["slh"].clone();
    assert_ne!(other, taken);
    let status = with(about("zeng-jia"), json!({ "slh": taken }));
    let told = gateway.data(QUERY, &status).await;
    assert_eq!(told, json!({ "fhbh": "FH-1", "slh": taken, "zt": "1" }));
    gateway.clock.advance_seconds(60);
    let told = gateway.data(QUERY, &status).await;
    assert_eq!((&told["zt"], told["clyj"].is_string()), (&json!("2"), true));
    // The record is mended.
    assert_eq!(gateway.code("traffic/licence/query", &licence).await, "0");
    // Nobody else's, in the words for one that does not exist.
    let stranger = with(about("chen-weidong"), json!({ "slh": taken }));
    assert_eq!(gateway.code(QUERY, &stranger).await, "1001");
    let none = with(about("zeng-jia"), json!({ "slh": "SBX-99999999" }));
    assert_eq!(gateway.code(QUERY, &none).await, "1001");
}

#[tokio::test]
async fn when_and_how_it_is_answered_can_be_switched() {
    let mut gateway = Gateway::new();
    let switch = Switch {
        path: Some(SUBMIT.into()),
        answer_after_s: Some(0),
        upholds: true,
        ..Switch::default()
    };
    gateway.sandbox.switch(switch).unwrap();
    let taken = gateway.data(SUBMIT, &review("zeng-jia", "FH-1")).await["slh"].clone();
    let status = with(about("zeng-jia"), json!({ "slh": taken }));
    assert_eq!(gateway.data(QUERY, &status).await["zt"], "3");
    let licence = about("zeng-jia");
    assert_eq!(
        gateway.code("traffic/licence/query", &licence).await,
        "1006",
        "nothing was mended"
    );
}

#[tokio::test]
async fn what_breaks_the_agreement_is_refused() {
    let mut gateway = Gateway::new();
    for more in [
        json!({ "sqly": "" }),
        json!({ "sqly": "字".repeat(1001) }),
        json!({ "fhbh": "" }),
        json!({ "fhbh": "FH 1" }),
        json!({ "fj1": "*" }),
        json!({ "fj1": "R0lGODlh" }),
        json!({ "fj2": PNG }),
        json!({ "fj4": PNG }),
    ] {
        let request = with(review("zeng-jia", "FH-1"), more.clone());
        assert_eq!(gateway.code(SUBMIT, &request).await, "4001", "{more}");
    }
    let stranger = with(review("zeng-jia", "FH-1"), json!({ "xm": "别人" }));
    assert_eq!(gateway.code(SUBMIT, &stranger).await, "1001");
}
