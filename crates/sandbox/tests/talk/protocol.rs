//! Sessions and the journal.

use axum::http::StatusCode;
use sandbox::Authority;
use serde_json::Value;

use crate::client::{Gateway, about, every_path, with, with_plate};

const PATH: &str = "/traffic/v1/licence/query";

#[tokio::test]
async fn an_unknown_session_is_told_by_401() {
    let mut gateway = Gateway::new();
    let (_, message) = gateway.seal(Authority::Traffic, "/licence/query", b"{}").await;
    assert_eq!(
        Gateway::new().post(PATH, message.clone()).await.0,
        StatusCode::UNAUTHORIZED
    );
    // A session belongs to one authority.
    let (status, _) = gateway.post("/civil-affairs/v1/marriage/query", message).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    for garbage in [vec![], vec![0; 100], b"{}".to_vec(), vec![1, 3]] {
        assert_eq!(gateway.post(PATH, garbage).await.0, StatusCode::UNAUTHORIZED);
    }
    let (_, message) = gateway.seal(Authority::Traffic, "/licence/query", b"{}").await;
    gateway.clock.advance_seconds(3601);
    assert_eq!(
        gateway.post(PATH, message).await.0,
        StatusCode::UNAUTHORIZED,
        "over after an hour"
    );
}

#[tokio::test]
async fn a_message_counts_once() {
    let mut gateway = Gateway::new();
    let body = about("chen-weidong").to_string();
    let (_, message) = gateway
        .seal(Authority::Traffic, "/licence/query", body.as_bytes())
        .await;
    assert_eq!(gateway.post(PATH, message.clone()).await.0, StatusCode::OK);
    assert_eq!(
        gateway.post(PATH, message).await.0,
        StatusCode::BAD_REQUEST,
        "replayed"
    );
    let (_, mut message) = gateway
        .seal(Authority::Traffic, "/licence/query", body.as_bytes())
        .await;
    *message.last_mut().unwrap() ^= 1;
    assert_eq!(
        gateway.post(PATH, message).await.0,
        StatusCode::BAD_REQUEST,
        "changed"
    );
    let (_, message) = gateway
        .seal(Authority::Traffic, "/licence/query", body.as_bytes())
        .await;
    gateway.clock.advance_seconds(61);
    assert_eq!(
        gateway.post(PATH, message).await.0,
        StatusCode::BAD_REQUEST,
        "late"
    );
    assert_eq!(gateway.sandbox.journal().len(), 1, "what is refused is not asked");
}

#[tokio::test]
async fn a_message_cannot_be_moved_to_another_path() {
    let mut gateway = Gateway::new();
    let body = about("chen-weidong").to_string();
    let (exchange, message) = gateway
        .seal(Authority::Traffic, "/driver/violations", body.as_bytes())
        .await;
    let (_, reply) = gateway.post(PATH, message).await;
    let plain = gateway
        .open(Authority::Traffic, &exchange, &reply.unwrap())
        .unwrap();
    assert_eq!(serde_json::from_slice::<Value>(&plain).unwrap()["code"], "4001");
}

#[tokio::test]
async fn only_the_gateway_gets_a_session() {
    let gateway = Gateway::new();
    for hello in [vec![], vec![1, 1, 2], vec![0xff; 200]] {
        let (status, _) = gateway.post("/traffic/v1/session", hello).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
    }
    assert_eq!(
        gateway.post("/traffic/v1/nothing", vec![]).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn sessions_are_bounded_and_the_used_one_stays() {
    let mut gateway = Gateway::new();
    gateway
        .data("traffic/licence/query", &about("chen-weidong"))
        .await;
    let mut strangers = Gateway::new();
    for _ in 0..300 {
        // Hellos as of the gateway, by somebody who keeps no session: they cannot push out the one in use.
        let peer = gateway.keys.peer(Authority::Traffic);
        let now = domain::time::Clock::now(&*gateway.clock).0;
        let mut random = <rand_chacha::ChaCha20Rng as rand_core::SeedableRng>::from_seed([9; 32]);
        let started = crypto::session::Initiator::start(strangers.keys.gateway(), &peer, now, &mut random);
        let (status, _) = gateway.post("/traffic/v1/session", started.unwrap().1).await;
        assert_eq!(status, StatusCode::OK);
    }
    strangers.shake_hands(Authority::Traffic).await;
    gateway
        .data("traffic/licence/query", &about("chen-weidong"))
        .await;
}

#[tokio::test]
async fn the_journal_has_each_request_before_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("journal.jsonl");
    let mut gateway = Gateway::with_suite(crypto::Suite::Intl, |sandbox| {
        sandbox.with_journal(&file).unwrap()
    });
    for (at, (path, request)) in every_path().into_iter().enumerate() {
        let lookup = format!("01930000-0000-7000-8000-0000000000{at:02}");
        gateway
            .ask(path, &with(request, serde_json::json!({ "qqlsh": lookup })))
            .await;
        let journal = gateway.sandbox.journal();
        assert_eq!(journal.len(), at + 1);
        assert_eq!(
            (journal[at].lookup.as_str(), journal[at].path.as_str()),
            (lookup.as_str(), path)
        );
    }
    let lines = std::fs::read_to_string(&file).unwrap();
    let written: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        Value::from(written),
        serde_json::to_value(gateway.sandbox.journal()).unwrap()
    );
    assert!(
        !lines.contains("陈卫东") && !lines.contains("142221"),
        "nothing personal is in the journal"
    );
}

#[tokio::test]
async fn in_the_clear_only_the_key_and_a_fresh_nonce_are_answered() {
    const RECORD: &str = "/repair/v1/record/query";
    let gateway = Gateway::new();
    let body = with_plate("chen-weidong", "晋N35T08", "02")
        .to_string()
        .into_bytes();
    let key = gateway.keys.api_key().expose().to_owned();
    let nonce = |n: u8| format!("{n:032x}");
    let ask = async |headers: &[(&str, &str)]| {
        let (head, _) = gateway.post_with(RECORD, headers, body.clone()).await;
        (head.status, head.headers.contains_key("x-signature"))
    };
    let json = ("content-type", "application/json");
    let (ours, one) = (("x-api-key", key.as_str()), nonce(1));

    assert_eq!(
        ask(&[json, ours, ("x-nonce", &one)]).await,
        (StatusCode::OK, true)
    );
    let replayed = ask(&[json, ours, ("x-nonce", &one)]).await;
    assert_eq!(replayed, (StatusCode::BAD_REQUEST, false), "replayed");
    assert_eq!(gateway.sandbox.journal()[0].message, one);

    let (two, other) = (nonce(2), nonce(3));
    let unknown = (StatusCode::UNAUTHORIZED, false);
    for wrong in ["", "x", &key[1..], &key.to_uppercase(), &format!("{key}0")] {
        let wrong = ask(&[json, ("x-api-key", wrong), ("x-nonce", &two)]).await;
        assert_eq!(wrong, unknown);
    }
    assert_eq!(ask(&[json, ("x-nonce", &two)]).await, unknown);
    assert_eq!(
        ask(&[json, ours, ours, ("x-nonce", &two)]).await,
        unknown,
        "twice"
    );

    let refused = (StatusCode::BAD_REQUEST, false);
    for wrong in [
        "",
        "1",
        &two[1..],
        &two.replace('0', "A"),
        &format!("+{}", &two[1..]),
    ] {
        assert_eq!(ask(&[json, ours, ("x-nonce", wrong)]).await, refused, "{wrong}");
    }
    assert_eq!(ask(&[json, ours]).await, refused);
    let twice = ask(&[json, ours, ("x-nonce", &two), ("x-nonce", &other)]).await;
    assert_eq!(twice, refused);
    assert_eq!(ask(&[ours, ("x-nonce", &two)]).await, refused);
    let form = ("content-type", "application/x-www-form-urlencoded");
    assert_eq!(ask(&[form, ours, ("x-nonce", &two)]).await, refused);
    assert_eq!(gateway.sandbox.journal().len(), 1, "what is refused is not asked");

    // There is no session here, and no key opens the others.
    assert_eq!(
        gateway.post("/repair/v1/session", vec![]).await.0,
        StatusCode::NOT_FOUND
    );
    let (head, _) = gateway
        .post_with(PATH, &[json, ours, ("x-nonce", &two)], body.clone())
        .await;
    assert_eq!(head.status, StatusCode::UNAUTHORIZED);
}
