//! Sessions and the journal.

use axum::http::StatusCode;
use sandbox::Authority;
use serde_json::Value;

use crate::client::{Gateway, about, every_path, with};

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
