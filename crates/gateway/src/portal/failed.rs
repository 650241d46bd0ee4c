//! Why a page is not shown: an error, or a level that is not reached yet. [`super::dress`] makes a page of it.

use axum::{
    http::StatusCode,
    response::{IntoResponse, Response},
};
use domain::words::Level;

use crate::error::Error;

/// What a handler gives.
pub(crate) type Answer = Result<Response, Failed>;

/// Why a page is not shown.
#[derive(Debug)]
pub(crate) enum Failed {
    /// An error.
    Error(Error),
    /// It needs this level, and there is a way to get there.
    StepUp(Level),
}

impl<E: Into<Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Failed::Error(error.into())
    }
}

impl IntoResponse for Failed {
    /// The status, and the failure itself for the layer around all pages.
    fn into_response(self) -> Response {
        let status = match &self {
            Failed::Error(error) => StatusCode::from_u16(error.status()),
            Failed::StepUp(_) => Ok(StatusCode::FORBIDDEN),
        };
        let mut response = status
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
            .into_response();
        response.extensions_mut().insert(std::sync::Arc::new(self));
        response
    }
}
