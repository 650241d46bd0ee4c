//! The public log: a checkpoint that verifies, tiles that give its root, and nothing about anybody.

use std::sync::Arc;

use gateway::commands::verify;
use http::Method;
use ledger::{Frontier, Hash, TrustedKeys};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
};

on_both!(the_published_log_adds_up, what_is_no_tile_is_not_found);

async fn get(app: &TestApp, path: &str) -> axum::response::Response {
    use tower::ServiceExt;
    let request = TestApp::request(Method::GET, path, None, axum::body::Body::empty());
    gateway::router::router(Arc::clone(&app.app))
        .oneshot(request)
        .await
        .unwrap()
}

async fn bytes(app: &TestApp, path: &str) -> Vec<u8> {
    use http_body_util::BodyExt;
    let response = get(app, path).await;
    assert_eq!(response.status(), 200, "{path}");
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

async fn the_published_log_adds_up(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    assert_eq!(
        get(&app, "/log/0/checkpoint").await.status(),
        404,
        "nothing is published yet"
    );
    let token = app.at_l2(chen()).await;
    for _ in 0..130 {
        app.look_up(&token, &about_me("driving-licence"))
            .await
            .expect_outcome("found");
    }
    app.app.store.publish_checkpoint().await.unwrap();
    let note = String::from_utf8(bytes(&app, "/log/0/checkpoint").await).unwrap();
    let keys = TrustedKeys::new([app.app.store.log_keys().ed25519.clone()]).unwrap();
    let (checkpoint, _) = keys.open_checkpoint(&note, verify::signature).unwrap();
    let size = checkpoint.size();
    assert_eq!(size, app.entries().await);
    assert!(size > 256, "a full tile and a part of one");
    let part = size - 256;
    let mut leaves = bytes(&app, "/log/0/tile/0/000").await;
    leaves.extend(bytes(&app, &format!("/log/0/tile/0/001.p/{part}")).await);
    let mut frontier = Frontier::new();
    for leaf in leaves.chunks(32) {
        frontier.append(Hash(leaf.try_into().unwrap()));
    }
    assert_eq!((frontier.size(), frontier.root()), (size, *checkpoint.root()));
    // What is asked later does not move what was published.
    app.look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    assert_eq!(
        String::from_utf8(bytes(&app, "/log/0/checkpoint").await).unwrap(),
        note
    );
}

async fn what_is_no_tile_is_not_found(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.at_l2(chen()).await;
    app.app.store.publish_checkpoint().await.unwrap();
    for path in [
        "/log/1/checkpoint",
        "/log/x/checkpoint",
        "/log/0/tile/0/000",
        "/log/0/tile/0/001",
        "/log/0/tile/0/000.p/256",
        "/log/0/tile/0/000.p/0",
        "/log/0/tile/9/000",
        "/log/0/tile/0/x999/999",
        "/log/0/tile/0/x999/x999/x999/x999/x999/x999/999",
        "/log/0/tile/entries/000",
        "/log/0/tile/-1/000",
        "/log/0/tile/0/..%2f000",
        "/log/0/tile/%ff/000",
        "/log/1/tile/0/000.p/1",
    ] {
        let reply = app
            .send(TestApp::request(
                Method::GET,
                path,
                None,
                axum::body::Body::empty(),
            ))
            .await;
        reply.expect_problem(404, "NOT_FOUND");
    }
}
