//! The one error of the gateway. It tells what is wrong with the input and what to do, never anything about anybody.

use domain::{
    decision::Reason, identifiers::IdentifierError, ids::LookupId, lookup::RequestProblem, time::Timestamp,
};
use sources::SourceError;
use store::StoreError;
use tokio::task::JoinError;

use crate::turns::Told;

/// Why a request was not done.
#[derive(Debug)]
pub enum Error {
    /// The input is wrong: a stable code, the part of the request, and what is expected there.
    Bad {
        /// The stable code.
        code: &'static str,
        /// The part of the request, such as `key.plate`.
        at: String,
        /// What is expected there, as a word of ours.
        expected: String,
        /// What is wrong with an identifier there, and where in it.
        why: Option<IdentifierError>,
    },
    /// Nobody is signed in, or the session ended.
    NotSignedIn,
    /// The request lacks the token that shows it came from our own page.
    Forged,
    /// Refused for a reason that the requester may know.
    Refused {
        /// The reason.
        reason: Reason,
        /// The part of the request.
        at: String,
        /// The sealed refusal.
        lookup: Option<LookupId>,
    },
    /// Refused, and nothing more is said: only the id varies.
    NotPermitted {
        /// The sealed refusal.
        lookup: LookupId,
    },
    /// There is nothing at that place, for this requester.
    NotFound,
    /// Too often; try again after so many seconds.
    TooMany {
        /// Seconds to wait.
        retry_after: i64,
    },
    /// The same idempotency key was used for another question, or its look-up is still under way.
    Conflict(&'static str),
    /// It is done when it is its turn.
    Waiting(Told),
    /// Too many wait already; try again after so many seconds.
    Overloaded {
        /// Seconds to wait.
        retry_after: i64,
    },
    /// Another question of the same account waits for its turn, in so many seconds.
    AlreadyWaiting {
        /// Seconds to wait.
        retry_after: i64,
    },
    /// No question of this session waits for its turn.
    NotWaiting,
    /// It cannot be done now: the log or the database cannot be written.
    Unavailable,
    /// The record holder does not give an image now, or not one that is fit to be shown.
    ImageUnavailable,
    /// The request was not there, or not answered, in time.
    TimedOut,
    /// A fault of ours. The text is for the trace.
    Internal(String),
}

impl Error {
    /// Wrong input.
    pub fn bad(code: &'static str, at: impl Into<String>, expected: impl Into<String>) -> Self {
        Error::Bad {
            code,
            at: at.into(),
            expected: expected.into(),
            why: None,
        }
    }

    /// A value at that part is not of the type with that name.
    pub fn unread(at: impl Into<String>, of_type: &str, why: Option<IdentifierError>) -> Self {
        Error::Bad {
            code: "BAD_VALUE",
            at: at.into(),
            expected: of_type.to_owned(),
            why,
        }
    }

    /// Too often, until then. The seconds are rounded up: who comes back after them is not too early.
    #[must_use]
    pub fn too_many(until: Timestamp, now: Timestamp) -> Self {
        let micros = until.0.saturating_sub(now.0).max(1);
        Error::TooMany {
            retry_after: (micros - 1) / 1_000_000 + 1,
        }
    }

    /// The seconds after which it may be tried again.
    #[must_use]
    pub fn retry_after(&self) -> Option<u64> {
        match self {
            Error::TooMany { retry_after }
            | Error::Overloaded { retry_after }
            | Error::AlreadyWaiting { retry_after } => Some(retry_after.unsigned_abs()),
            Error::Waiting(told) => Some(told.come_after.unsigned_abs()),
            _ => None,
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Error::Bad { .. } => 400,
            Error::NotSignedIn => 401,
            Error::Forged | Error::Refused { .. } | Error::NotPermitted { .. } => 403,
            Error::Waiting(_) => 202,
            Error::NotFound | Error::NotWaiting => 404,
            Error::TooMany { .. } | Error::AlreadyWaiting { .. } => 429,
            Error::TimedOut => 408,
            Error::Conflict(_) => 409,
            Error::Overloaded { .. } | Error::Unavailable | Error::ImageUnavailable => 503,
            Error::Internal(_) => 500,
        }
    }

    /// The stable code, in the API and as the key of a page's sentence.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::Bad { code, .. } | Error::Conflict(code) => code,
            Error::NotSignedIn => "NOT_SIGNED_IN",
            Error::Forged => "FORM_EXPIRED",
            Error::Refused { reason, .. } => reason.code(),
            Error::NotPermitted { .. } => "NOT_PERMITTED",
            Error::NotFound => "NOT_FOUND",
            Error::TooMany { .. } => "TOO_MANY_REQUESTS",
            Error::Waiting(_) => "WAITING",
            Error::Overloaded { .. } => "OVERLOADED",
            Error::AlreadyWaiting { .. } => "ALREADY_WAITING",
            Error::NotWaiting => "NOT_WAITING",
            Error::Unavailable => "UNAVAILABLE",
            Error::ImageUnavailable => "IMAGE_UNAVAILABLE",
            Error::TimedOut => "REQUEST_TIMED_OUT",
            Error::Internal(_) => "INTERNAL",
        }
    }
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Overloaded | StoreError::Stopping => Error::Unavailable,
            StoreError::Erased => Error::NotSignedIn,
            other => {
                tracing::error!(error = %other, "the store failed");
                Error::Unavailable
            }
        }
    }
}

impl From<JoinError> for Error {
    fn from(error: JoinError) -> Self {
        match error.is_cancelled() {
            // Cut off because the process ends: nothing was answered, and what was begun is closed at the next start.
            true => Error::Unavailable,
            // What the panic says may hold what somebody sent.
            false => Error::Internal("a task panicked".into()),
        }
    }
}

impl From<RequestProblem> for Error {
    fn from(problem: RequestProblem) -> Self {
        match problem {
            RequestProblem::BadValue { at, expected, why } => Error::unread(at, expected, why),
            RequestProblem::Refused { reason, at } => Error::Refused {
                reason,
                at,
                lookup: None,
            },
        }
    }
}

/// Why the program does not start. The text says what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct StartError(pub String);

macro_rules! start_error_from {
    ($($error:ty),+) => {
        $(impl From<$error> for StartError {
            fn from(error: $error) -> Self {
                StartError(error.to_string())
            }
        })+
    };
}

start_error_from!(
    StoreError,
    SourceError,
    std::io::Error,
    domain::kind::CatalogueError,
    policy::PolicyError,
    crypto::key_file::KeyFileError,
    String
);
