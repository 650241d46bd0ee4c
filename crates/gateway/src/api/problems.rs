//! How the document tells what can go wrong: by the shape of an operation where that decides, and by a type that several
//! operations name where the act does. Codes are stable; a program decides by them.

use utoipa::{
    IntoResponses,
    openapi::{
        ContentBuilder, OpenApi, Ref, RefOr, Response, ResponseBuilder,
        path::{Operation, ParameterIn},
    },
};

use super::{
    problem::{PROBLEM, ProblemBody},
    turns::TurnBody,
};

/// Of one question about a record; with [`AtPeak`]. Where several are asked together, each has these in its own part.
#[derive(IntoResponses)]
pub enum AskProblems {
    /// `LEVEL_TOO_LOW`, `PURPOSE_NOT_REGISTERED`, `FIELD_NOT_IN_KIND` depend on the request and the requester alone.
    /// `NOT_PERMITTED` is everything else, and hides which.
    #[response(status = 403)]
    Refused(ProblemBody),
    /// `IDEMPOTENCY_KEY_REUSED`, `LOOKUP_UNDER_WAY`, `ANSWER_NOT_KEPT`, `LOOKUP_CUT_OFF`.
    #[response(status = 409)]
    Conflict(ProblemBody),
}

/// Of a proof, which is a look-up by the act that proves and not by a question of its own.
#[derive(IntoResponses)]
pub enum ProofProblems {
    /// `NOT_PERMITTED`, or `PURPOSE_NOT_REGISTERED` where this deployment proves nobody.
    #[response(status = 403)]
    Refused(ProblemBody),
    /// `LOOKUP_CUT_OFF`: it was closed before it was answered. Send it again.
    #[response(status = 409)]
    CutOff(ProblemBody),
}

/// Of what a phone alone does not open, once a name is proven: look-ups, receipts, reviews, who looked.
#[derive(IntoResponses)]
pub enum HistoryProblems {
    /// `LEVEL_TOO_LOW`: once a real name is proven, its history needs L2.
    #[response(status = 403)]
    Refused(ProblemBody),
    /// `TOO_MANY_REQUESTS`; the header `retry-after` has the seconds.
    #[response(status = 429)]
    TooMany(ProblemBody),
}

/// Of what is counted and does not wait its turn: codes, portraits, images, reviews.
#[derive(IntoResponses)]
pub enum CountedProblems {
    /// `TOO_MANY_REQUESTS`; the header `retry-after` has the seconds.
    #[response(status = 429)]
    TooMany(ProblemBody),
}

/// Of what waits its turn while many ask.
#[derive(IntoResponses)]
pub enum AtPeak {
    /// Many ask now: this is its place in line. Send it again after `retry-after` seconds, with the header
    /// `mingcha-turn`.
    #[response(status = 202)]
    Waits(TurnBody),
    /// `TOO_MANY_REQUESTS`, or `ALREADY_WAITING`: another question of this account waits for its turn. The header
    /// `retry-after` has the seconds.
    #[response(status = 429)]
    TooMany(ProblemBody),
    /// `OVERLOADED`: no place is left in line; the header `retry-after` has the seconds. `UNAVAILABLE`: nothing can be
    /// recorded now, so nothing is asked.
    #[response(status = 503)]
    Full(ProblemBody),
}

/// What follows from an operation's shape: status, name, whether, and the codes.
type Shape = (&'static str, &'static str, fn(&Operation) -> bool, &'static str);
const BY_SHAPE: [Shape; 6] = [
    (
        "400",
        "BadInput",
        |o| o.request_body.is_some() || has_parameter(o, &ParameterIn::Query),
        "`BODY_NOT_JSON`, `BODY_TOO_LARGE` (`expected` tells the limit), `BAD_VALUE` and codes of the operation; `at` names the part, and nothing of it is repeated.",
    ),
    (
        "401",
        "NotSignedIn",
        |o| o.security.is_some(),
        "`NOT_SIGNED_IN`: no session, or it has ended.",
    ),
    (
        "404",
        "NotFound",
        |o| has_parameter(o, &ParameterIn::Path),
        "`NOT_FOUND`: there is nothing at that place, for this requester.",
    ),
    (
        "408",
        "TimedOut",
        |o| o.security.is_some() || o.request_body.is_some(),
        "`REQUEST_TIMED_OUT`: the request was not there, or not answered, within thirty seconds; it may have been done.",
    ),
    (
        "500",
        "Fault",
        |o| o.security.is_some() || o.request_body.is_some(),
        "`INTERNAL`: a fault of ours; nothing was disclosed.",
    ),
    (
        "503",
        "Unavailable",
        |o| o.security.is_some() || o.request_body.is_some(),
        "`UNAVAILABLE`: nothing can be recorded now, so nothing is asked.",
    ),
];

fn has_parameter(operation: &Operation, place: &ParameterIn) -> bool {
    let mut parameters = operation.parameters.iter().flatten();
    parameters.any(|p| matches!(p, RefOr::T(p) if p.parameter_in == *place))
}

/// Adds what follows from the shape of each operation, and the media type of all problems.
pub fn describe(document: &mut OpenApi) {
    let components = document.components.get_or_insert_default();
    for (_, name, _, codes) in BY_SHAPE {
        components.responses.insert(name.to_owned(), shared(codes).into());
    }
    let items = document.paths.paths.values_mut();
    let operations = items.flat_map(|item| [&mut item.get, &mut item.put, &mut item.post, &mut item.delete]);
    for operation in operations.flatten() {
        for (status, name, applies, _) in BY_SHAPE {
            if applies(operation) {
                let shared = RefOr::Ref(Ref::from_response_name(name));
                let responses = &mut operation.responses.responses;
                responses.entry(status.to_owned()).or_insert(shared);
            }
        }
        for (status, response) in &mut operation.responses.responses {
            if let (true, RefOr::T(response)) = (status.as_str() >= "400", response)
                && let Some(content) = response.content.swap_remove("application/json")
            {
                response.content.insert(PROBLEM.to_owned(), content);
            }
        }
    }
}

fn shared(codes: &str) -> Response {
    let body = ContentBuilder::new().schema(Some(Ref::from_schema_name("ProblemBody")));
    ResponseBuilder::new()
        .description(codes)
        .content(PROBLEM, body.build())
        .build()
}
