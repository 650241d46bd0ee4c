//! What record holders push: a message of Standard Webhooks, signed with what the source's file names.

use std::sync::Arc;

use axum::{
    body::Bytes,
    extract::{FromRequestParts, State},
    http::{StatusCode, request::Parts},
};
use sources::{NotTaken, PushedChange};

use super::{Problem, request::Path};
use crate::{actions::take_change, app::App, error::Error};

/// The longest body: a change is about one record.
pub const MAX_CHANGE_BODY: usize = 256 << 10;

/// Tell that a record changed
///
/// For record holders whose source is a daily or weekly file: the change is shown at once instead of with the next file.
/// The message is signed as Standard Webhooks has it, or with SM2 as `v1sm2`; where its members stand is agreed in the
/// source's file. It is durable when it is answered. A message that came before, and one that is older than what is
/// known of its record, are answered alike and change nothing. Whatever is wrong with the signature is one refusal.
#[utoipa::path(
    post,
    path = "/v1/sources/{source}/changes",
    params(
        ("source" = String, Path, description = "The source's id"),
        ("webhook-id" = String, Header, description = "The message's id, the same whenever it is sent again"),
        ("webhook-timestamp" = String, Header, description = "When it is sent: seconds since 1970, within five minutes"),
        ("webhook-signature" = String, Header, description = "`v1,BASE64`, `v1a,BASE64` or `v1sm2,BASE64`; several after spaces"),
    ),
    request_body(content = String, content_type = "application/json", description = "As agreed with the record holder"),
    responses(
        (status = 204, description = "Taken, or taken before"),
        (status = 400, description = "Signed, and not as agreed", body = super::problem::ProblemBody),
        (status = 403, description = "Not from the record holder, or not now"),
        (status = 413, description = "Longer than 256 KiB"),
        (status = 503, description = "It cannot be kept now; send it again", body = super::problem::ProblemBody),
    ),
    tag = "sources"
)]
pub async fn take(
    State(app): State<Arc<App>>,
    Path(source): Path<String>,
    signed: Signed,
    body: Bytes,
) -> Result<StatusCode, Refusal> {
    let pushed = PushedChange {
        id: &signed.id,
        timestamp: &signed.timestamp,
        signature: &signed.signature,
        body: &body,
    };
    take_change::take_change(&app, &source, pushed)
        .await
        .map_err(Refusal)?;
    Ok(StatusCode::NO_CONTENT)
}

/// The headers of a message. They are looked at before its body is read.
#[derive(Debug)]
pub struct Signed {
    id: String,
    timestamp: String,
    signature: String,
}

impl FromRequestParts<Arc<App>> for Signed {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Refusal> {
        let text = |name: &str| {
            let value = parts.headers.get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        let signed = Signed {
            id: text("webhook-id"),
            timestamp: text("webhook-timestamp"),
            signature: text("webhook-signature"),
        };
        let source = Path::<String>::from_request_parts(parts, app).await;
        let source = source.map(|Path(source)| source).unwrap_or_default();
        take_change::expect_change(app, &source, &signed.id, &signed.timestamp)
            .await
            .map_err(Refusal)?;
        Ok(signed)
    }
}

/// Why a change was not taken, on its way out.
#[derive(Debug)]
pub struct Refusal(NotTaken);

impl axum::response::IntoResponse for Refusal {
    fn into_response(self) -> axum::response::Response {
        match self.0 {
            // The same bytes whatever the reason, so that it tells neither what was wrong nor which sources there are.
            NotTaken::Refused => StatusCode::FORBIDDEN.into_response(),
            NotTaken::Malformed => Problem(Error::bad(
                "BAD_CHANGE",
                "body",
                "what the source's [changes] says",
            ))
            .into_response(),
            NotTaken::Unavailable => Problem(Error::Unavailable).into_response(),
        }
    }
}
