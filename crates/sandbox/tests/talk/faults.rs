//! The switches.

use axum::http::StatusCode;
use domain::outcome::Outcome;
use sandbox::{Fault, Switch};
use serde_json::{Value, json};

use crate::client::{Gateway, about, every_path, split, who, with};

async fn set(gateway: &Gateway, switch: Value) {
    let (status, body) = gateway.post("/_switch", switch.to_string().into_bytes()).await;
    assert_eq!(
        status,
        StatusCode::OK,
        "{}",
        String::from_utf8_lossy(&body.unwrap())
    );
}

#[tokio::test]
async fn every_outcome_can_be_told() {
    let mut gateway = Gateway::new();
    let codes = [
        ("not_found", "1001"),
        ("mismatch", "1002"),
        ("cannot_compare", "1003"),
        ("ambiguous", "1004"),
        ("document_expired", "1005"),
        ("not_filed_yet", "1006"),
        ("not_covered", "1007"),
        ("face_below_threshold", "1008"),
        ("maintenance", "2001"),
        ("overloaded", "2002"),
    ];
    for (outcome, code) in codes {
        set(&gateway, json!({ "outcome": outcome })).await;
        for (path, request) in every_path() {
            let answer = gateway.ask(path, &request).await;
            assert_eq!(
                (answer["code"].as_str(), answer.get("data")),
                (Some(code), None),
                "{path} {outcome}"
            );
        }
    }
    let told = codes.map(|(outcome, _)| Outcome::from_code(outcome).unwrap());
    let others = [
        "found",
        "match",
        "yes",
        "no",
        "broken",
        "timed_out",
        "bad_answer",
        "cut_off",
    ];
    assert_eq!(
        told.len() + others.len(),
        Outcome::ALL.len(),
        "a new outcome needs a code or a fault"
    );
    for outcome in others {
        let (status, _) = gateway
            .post("/_switch", json!({ "outcome": outcome }).to_string().into())
            .await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{outcome}");
    }
}

#[tokio::test]
async fn a_switch_is_for_whom_and_what_it_names() {
    let mut gateway = Gateway::new();
    set(
        &gateway,
        json!({ "persona": "he-xin", "path": "traffic/licence/query", "outcome": "maintenance" }),
    )
    .await;
    assert_eq!(
        gateway.code("traffic/licence/query", &about("he-xin")).await,
        "2001"
    );
    assert_eq!(
        gateway.code("traffic/driver/violations", &about("he-xin")).await,
        "0"
    );
    assert_eq!(
        gateway
            .code("traffic/licence/query", &about("chen-weidong"))
            .await,
        "0"
    );
    let lookup = "01930000-0000-7000-8000-00000000abcd";
    set(
        &gateway,
        json!({ "request": lookup, "outcome": "overloaded", "times": 1 }),
    )
    .await;
    assert_eq!(
        gateway
            .code("traffic/licence/query", &about("chen-weidong"))
            .await,
        "0"
    );
    let named = with(about("chen-weidong"), json!({ "qqlsh": lookup }));
    assert_eq!(gateway.code("traffic/licence/query", &named).await, "2002");
    assert_eq!(gateway.code("traffic/licence/query", &named).await, "0", "once");
    gateway.sandbox.clear_switches();
    assert_eq!(gateway.code("traffic/licence/query", &about("he-xin")).await, "0");
    for wrong in [
        json!({ "who": "he-xin" }),
        json!([]),
        json!({ "persona": "nobody" }),
        json!({ "delay_ms": -1 }),
    ] {
        let (status, _) = gateway.post("/_switch", wrong.to_string().into()).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{wrong}");
    }
}

#[tokio::test]
async fn answers_can_be_broken_in_every_way() {
    let mut gateway = Gateway::new();
    for (path, request) in every_path() {
        let body = request.to_string().into_bytes();
        let switch = |fault| Switch {
            fault: Some(fault),
            times: Some(1),
            ..Switch::default()
        };
        let honest = gateway.ask(path, &request).await;

        let (authority, within) = split(path);
        gateway.sandbox.switch(switch(Fault::Close)).unwrap();
        let broken = if authority.signs() {
            gateway.ask_signed(path, &body).await
        } else {
            let (_, message) = gateway.seal(authority, &format!("/{within}"), &body).await;
            let path = format!("/{}/v1/{within}", authority.slug());
            gateway.post(&path, message).await.1
        };
        assert_eq!(broken, None, "{path}: the connection closes");

        gateway.sandbox.switch(switch(Fault::Garbage)).unwrap();
        assert_eq!(gateway.ask_raw(path, &body).await, None, "{path}: no message");

        gateway.sandbox.switch(switch(Fault::NotJson)).unwrap();
        let plain = gateway.ask_raw(path, &body).await.unwrap();
        assert!(serde_json::from_slice::<Value>(&plain).is_err(), "{path}");

        for fault in [Fault::MissingField, Fault::WrongType] {
            gateway.sandbox.switch(switch(fault)).unwrap();
            let spoiled = gateway.ask(path, &request).await;
            assert!(spoiled != honest && spoiled.is_object(), "{path} {fault:?}");
        }
        assert_eq!(gateway.ask(path, &request).await, honest, "{path}: used up");
    }
    let vin = Switch {
        fault: Some(Fault::MissingField),
        member: Some("clsbdh".into()),
        ..Switch::default()
    };
    gateway.sandbox.switch(vin).unwrap();
    let (path, request) = &every_path()[0];
    let data = gateway.data(path, request).await;
    assert!(data.get("clsbdh").is_none() && data.get("clpp").is_some());
}

#[tokio::test]
async fn another_s_record_can_be_sent() {
    let mut gateway = Gateway::new();
    gateway
        .sandbox
        .switch(Switch {
            fault: Some(Fault::WrongPerson),
            ..Switch::default()
        })
        .unwrap();
    let own = &who("chen-weidong").id_number;
    for (path, request) in every_path() {
        let answer = gateway.ask(path, &request).await;
        assert_eq!(answer["code"], "0", "{path}");
        assert!(
            !answer.to_string().contains(own.as_str()),
            "{path}: nothing of the person asked about"
        );
        let nobody = with(
            request,
            json!({ "xm": "无此人", "sfzmhm": who("kong-kong").id_number }),
        );
        assert_eq!(
            gateway.code(path, &nobody).await,
            "0",
            "{path}: even where there is no record"
        );
    }
}

#[tokio::test]
async fn data_can_be_stale() {
    let mut gateway = Gateway::new();
    set(&gateway, json!({ "stale_days": 10 })).await;
    for (path, expected) in [
        ("traffic/licence/query", "2026-11-12 12:00:00"),
        ("civil-affairs/marriage/query", "2026-11-12 12:00:00"),
    ] {
        assert_eq!(gateway.ask(path, &about("chen-weidong")).await["gxsj"], expected);
    }
}

#[tokio::test]
async fn an_answer_can_be_late() {
    let mut gateway = Gateway::new();
    gateway.shake_hands(sandbox::Authority::Traffic).await;
    set(&gateway, json!({ "delay_ms": 60 })).await;
    let started = tokio::time::Instant::now();
    assert_eq!(
        gateway
            .code("traffic/licence/query", &about("chen-weidong"))
            .await,
        "0"
    );
    assert!(started.elapsed().as_millis() >= 60);
}
