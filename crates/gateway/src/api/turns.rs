//! Turns: where a question stands that waits because many ask at once.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Bearer, Path, Problem, Shared, problem::ProblemBody};
use crate::{
    error::Error,
    turns::{Told, TurnId},
};

/// The place of a question in line. Nothing was asked yet, and nothing of the question is kept: send it again, as it
/// was, after `retry-after` seconds with the header `mingcha-turn`.
#[derive(Debug, Serialize, ToSchema)]
pub struct TurnBody {
    /// The turn, for the header `mingcha-turn`.
    pub turn: String,
    /// 1 is the next.
    pub place: usize,
    /// Seconds until it is its turn, at most.
    pub estimate_seconds: i64,
    /// The turn that was named is not known any more (it came too late, or the server was started again): this is a
    /// new one.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub anew: bool,
    #[serde(skip)]
    come_after: u64,
}

impl TurnBody {
    /// What is told of a turn.
    pub(super) fn of(told: Told) -> Self {
        TurnBody {
            turn: told.turn.to_string(),
            place: told.place,
            estimate_seconds: told.seconds,
            anew: told.anew,
            come_after: told.come_after.unsigned_abs(),
        }
    }
}

impl IntoResponse for TurnBody {
    fn into_response(self) -> Response {
        let place = format!("/v1/lookups/turns/{}", self.turn);
        let (come_after, mut response) = (self.come_after, Json(self).into_response());
        *response.status_mut() = StatusCode::ACCEPTED;
        let headers = response.headers_mut();
        headers.insert(header::RETRY_AFTER, HeaderValue::from(come_after));
        if let Ok(place) = HeaderValue::try_from(place) {
            headers.insert(header::LOCATION, place);
        }
        response
    }
}

/// How far a question of this session is that waits for its turn. Looking keeps the place, but does not ask: when
/// `retry-after` is over, send the question again with the header `mingcha-turn`.
#[utoipa::path(get, path = "/v1/lookups/turns/{id}", params(("id" = String, Path, description = "The turn")), responses((status = 202, body = TurnBody), (status = 404, body = ProblemBody, description = "No question of this session waits there any more")), tag = "look-ups", security(("session" = [])))]
pub async fn show(
    State(app): Shared,
    Bearer(requester): Bearer,
    Path(id): Path<String>,
) -> Result<TurnBody, Problem> {
    let turn = TurnId::parse(&id).ok_or(Error::NotFound)?;
    Ok(TurnBody::of(app.turns.look(&requester, turn)?))
}
