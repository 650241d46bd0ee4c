//! What one vehicle query costs, sealing and opening at the asking end included, without a socket:
//! `cargo run --release -p sandbox --example sandbox_speed`. A benchmark of the gateway runs against the sandbox, so that
//! the sandbox must cost little and always the same.
#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a measurement for developers"
)]

use std::sync::Arc;

use axum::{body::Body, http::Request};
use crypto::{Suite, session::Initiator};
use domain::time::{Clock, ManualClock, Timestamp};
use http_body_util::BodyExt;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sandbox::{Authority, Keys, Sandbox, crowd_member};
use serde_json::json;
use tower::ServiceExt;

const QUERIES: u64 = 20_000;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    for suite in [Suite::Intl, Suite::Gm] {
        for crowd in [10_000, 1_000_000] {
            println!(
                "suite {suite}, {crowd} people: {:.1} µs a query",
                measure(suite, crowd).await
            );
        }
    }
}

async fn measure(suite: Suite, crowd: u64) -> f64 {
    let clock = Arc::new(ManualClock::new(
        Timestamp::parse_rfc3339("2026-11-22T12:00:00+08:00").unwrap(),
    ));
    let now = clock.now().0;
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let keys = || Keys::generate(suite, &mut ChaCha20Rng::from_seed([2; 32])).unwrap();
    let sandbox = Sandbox::new(keys(), clock, ChaCha20Rng::from_seed([3; 32])).with_crowd(crowd);
    let router = Arc::new(sandbox).router();
    let post = async |path: &str, body: Vec<u8>| {
        let request = Request::post(path).body(Body::from(body)).unwrap();
        let response = router.clone().oneshot(request).await.unwrap();
        response.into_body().collect().await.unwrap().to_bytes()
    };
    let (own, peer) = (keys(), keys().peer(Authority::Traffic));
    let (initiator, hello) = Initiator::start(own.gateway(), &peer, now, &mut rng).unwrap();
    let session = initiator
        .finish(&post("/traffic/v1/session", hello).await, now)
        .unwrap();
    let requests: Vec<Vec<u8>> = (0..QUERIES).map(|at| request((at * 7919) % crowd)).collect();
    #[expect(clippy::disallowed_methods, reason = "a measurement needs the real clock")]
    let started = std::time::Instant::now();
    for body in &requests {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        let sealed = session.seal_request(id, "/vehicle/query", now, body).unwrap();
        let reply = post("/traffic/v1/vehicle/query", sealed.bytes).await;
        let plain = session.open_reply(&sealed.exchange, &reply, now).unwrap();
        assert!(plain.starts_with(br#"{"code":"0""#));
    }
    started.elapsed().as_secs_f64() * 1e6 / QUERIES as f64
}

/// The question of one of the crowd about their own car.
fn request(i: u64) -> Vec<u8> {
    let who = crowd_member(i).unwrap();
    let car = &who.vehicles[0];
    let body = json!({
        "qqlsh": "01930000-0000-7000-8000-000000000001", "xm": who.name, "sfzmhm": who.id_number,
        "hphm": car.plate, "hpzl": car.class,
    });
    body.to_string().into_bytes()
}
