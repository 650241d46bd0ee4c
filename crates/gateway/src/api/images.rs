//! Images that a look-up gave a handle of, as bytes.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use domain::ids::LookupId;
use serde::Deserialize;
use sources::ImageBytes;
use utoipa::ToSchema;

use super::{Arrived, Bearer, Body, Problem, Shared, problem::ProblemBody, problems::CountedProblems};
use crate::{actions::view_image::view_image, error::Error};

/// Which image.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageRequest {
    /// The look-up that gave the handle; its answer is kept for ten minutes.
    lookup_id: String,
    /// The handle, as it stands beside the digest.
    handle: String,
}

/// Shows an image of a record, under the release that disclosed its digest.
#[utoipa::path(post, path = "/v1/images", request_body = ImageRequest, responses((status = 200, description = "A PNG or JPEG with the digest that was released", content_type = "image/*", body = Vec<u8>), (status = 404, body = ProblemBody, description = "`NOT_FOUND`: no such image of theirs, or not any more"), (status = 503, body = ProblemBody, description = "`IMAGE_UNAVAILABLE`: the record holder does not give it now; `UNAVAILABLE`"), CountedProblems), tag = "look-ups", security(("session" = [])))]
pub async fn show(
    State(app): Shared,
    Bearer(requester): Bearer,
    Arrived(arrived): Arrived,
    Body(request): Body<ImageRequest>,
) -> Result<Response, Problem> {
    let lookup = LookupId::parse(&request.lookup_id);
    let lookup = lookup.ok_or_else(|| Error::bad("BAD_RECEIPT_ID", "lookup_id", "the id of a look-up"))?;
    Ok(response(
        view_image(&app, &requester, lookup, &request.handle, arrived).await?,
    ))
}

/// An image on its way out. It is what the source sent: nothing here decodes it, and a browser that opens it by itself
/// takes it for nothing but an image, without scripts and without a network.
#[must_use]
pub fn response(image: ImageBytes) -> Response {
    let name = match image.media_type.extension() {
        "png" => "inline; filename=evidence.png",
        _ => "inline; filename=evidence.jpg",
    };
    let headers = [
        (
            header::CONTENT_TYPE,
            HeaderValue::from_static(image.media_type.name()),
        ),
        (header::CONTENT_DISPOSITION, HeaderValue::from_static(name)),
        (
            header::CONTENT_SECURITY_POLICY,
            HeaderValue::from_static("sandbox; default-src 'none'"),
        ),
        (
            header::X_CONTENT_TYPE_OPTIONS,
            HeaderValue::from_static("nosniff"),
        ),
        (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    ];
    (headers, image.bytes).into_response()
}
