//! All routes of the sandbox on one page. Whoever binds the router listens on loopback only: the paths that begin
//! with an underscore are for people who rehearse, and have no guard.

use std::{io, sync::Arc, time::Duration};

use axum::{
    Json, Router,
    body::{Body, Bytes},
    extract::{DefaultBodyLimit, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::{Value, json};

use crate::{
    answers::Path,
    authority::Authority,
    journal::JournalEntry,
    register::personas,
    sandbox::{Reply, Sandbox, path_within},
    signed::{SIGNATURE, TIME},
    switches::Switch,
    wire,
};

/// Longest body: a picture of 4 MiB in base64, and its envelope.
const MAX_BODY: usize = 6 << 20;

impl Sandbox {
    /// The routes of all authorities, of the switches and of the journal.
    pub fn router(self: &Arc<Self>) -> Router {
        let mut router = Router::new()
            .route(
                "/_switch",
                get(list_switches).post(set_switch).delete(clear_switches),
            )
            .route("/_journal", get(list_journal))
            .route("/_personas", get(list_personas));
        for authority in Authority::ALL.into_iter().filter(|authority| !authority.signs()) {
            let shake = move |State(sandbox): State<Arc<Sandbox>>, hello: Bytes| async move {
                match sandbox.shake_hands(authority, &hello) {
                    Ok(welcome) => message(welcome),
                    Err(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
                }
            };
            router = router.route(&format!("/{}/v1/session", authority.slug()), post(shake));
        }
        for path in Path::ALL {
            // Every path begins with the slug of an authority, which a test proves.
            let Some(authority) = Authority::ALL.into_iter().find(|a| is_under(path, *a)) else {
                continue;
            };
            let ask = move |State(sandbox): State<Arc<Sandbox>>, head: HeaderMap, body: Bytes| async move {
                if authority.signs() {
                    reply(sandbox.exchange_signed(authority, path, &head, &body)).await
                } else {
                    reply(sandbox.exchange(authority, path, &body)).await
                }
            };
            router = router.route(
                &format!("/{}/v1/{}", authority.slug(), path_within(path)),
                post(ask),
            );
        }
        router
            .layer(DefaultBodyLimit::max(MAX_BODY))
            .with_state(Arc::clone(self))
    }
}

fn is_under(path: Path, authority: Authority) -> bool {
    path.name()
        .strip_prefix(authority.slug())
        .is_some_and(|rest| rest.starts_with('/'))
}

async fn reply(reply: Reply) -> Response {
    match reply {
        Reply::Message { bytes, delay_ms } => {
            pause(delay_ms).await;
            message(bytes)
        }
        Reply::Signed {
            body,
            time,
            signature,
            delay_ms,
        } => {
            pause(delay_ms).await;
            let head = [
                (header::CONTENT_TYPE.as_str(), "application/json"),
                (TIME, &time),
                (SIGNATURE, &signature),
            ];
            (head, body).into_response()
        }
        Reply::Close { delay_ms } => {
            pause(delay_ms).await;
            cut_off()
        }
        Reply::Unknown => StatusCode::UNAUTHORIZED.into_response(),
        Reply::Refused(error) => (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
        Reply::Malformed(words) => (StatusCode::BAD_REQUEST, words).into_response(),
        Reply::Failed => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn pause(delay_ms: u64) {
    if delay_ms > 0 {
        tokio::time::sleep(Duration::from_millis(delay_ms)).await;
    }
}

fn message(bytes: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, "application/octet-stream")], bytes).into_response()
}

/// An answer that promises more than comes: the server can only close the connection.
fn cut_off() -> Response {
    let parts = [
        Ok(Bytes::from_static(&[1, 4])),
        Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
    ];
    let body = Body::from_stream(futures_util::stream::iter(parts));
    (
        [
            (header::CONTENT_TYPE, "application/octet-stream"),
            (header::CONTENT_LENGTH, "1000"),
        ],
        body,
    )
        .into_response()
}

async fn set_switch(State(sandbox): State<Arc<Sandbox>>, body: Bytes) -> Response {
    let switch: Switch = match wire::object(&body) {
        Ok(switch) => switch,
        Err(error) => return problem(&error.to_string()),
    };
    match sandbox.switch(switch) {
        Ok(()) => Json(sandbox.switches()).into_response(),
        Err(error) => problem(&error.to_string()),
    }
}

fn problem(detail: &str) -> Response {
    (StatusCode::BAD_REQUEST, Json(json!({ "detail": detail }))).into_response()
}

async fn list_switches(State(sandbox): State<Arc<Sandbox>>) -> Json<Vec<Switch>> {
    Json(sandbox.switches())
}

async fn clear_switches(State(sandbox): State<Arc<Sandbox>>) -> StatusCode {
    sandbox.clear_switches();
    StatusCode::NO_CONTENT
}

async fn list_journal(State(sandbox): State<Arc<Sandbox>>) -> Json<Vec<JournalEntry>> {
    Json(sandbox.journal())
}

async fn list_personas() -> Json<Vec<Value>> {
    let shown = personas().iter().map(|who| {
        json!({
            "id": who.id, "name": who.name, "id_number": who.id_number, "phone": who.phone,
            "about": who.about, "canary": who.canary,
        })
    });
    Json(shown.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_has_an_authority() {
        for path in Path::ALL {
            assert_eq!(
                Authority::ALL
                    .into_iter()
                    .filter(|authority| is_under(path, *authority))
                    .count(),
                1
            );
        }
    }
}
