//! JSON bodies. Those that come in are bounded, one object, no member twice, unknown members refused, errors that say
//! where without repeating what; those that go out are written in one piece.

use std::{borrow::Cow, collections::BTreeSet, fmt};

use axum::{
    extract::{DefaultBodyLimit, FromRequest, Request},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use serde::{
    Serialize,
    de::{DeserializeOwned, DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor},
};

use super::Problem;
use crate::error::Error;

/// The largest body of the API, but for operations that name another; a portrait of 500 kB in base64 fits.
pub const MAX_BODY: usize = 1024 * 1024;

/// What an answer with its receipt has room in: most have about 6 kB.
const USUAL_ANSWER: usize = 8 * 1024;

/// A JSON body of that shape, of at most so many bytes. It bounds what is read by itself, so that what is refused and
/// what is told of the limit are one number.
#[derive(Debug)]
pub struct Body<T, const MAX: usize = MAX_BODY>(pub T);

/// An answer that is written already. What is large and frequent is written into one piece of memory that is large
/// enough from the start, where [`axum::Json`] grows it many times.
#[derive(Debug)]
pub struct Written(Vec<u8>);

impl Written {
    /// Writes an answer.
    ///
    /// # Errors
    /// A fault of ours: what we answer can always be written.
    pub fn json<T: Serialize>(answer: &T) -> Result<Self, Error> {
        let mut bytes = Vec::with_capacity(USUAL_ANSWER);
        serde_json::to_writer(&mut bytes, answer).map_err(|e| Error::Internal(e.to_string()))?;
        Ok(Written(bytes))
    }
}

impl IntoResponse for Written {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, "application/json")], self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned, const MAX: usize> FromRequest<S> for Body<T, MAX> {
    type Rejection = Problem;

    async fn from_request(mut request: Request, state: &S) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Error::bad("BODY_NOT_JSON", "content-type", "application/json").into());
        }
        DefaultBodyLimit::max(MAX).apply(&mut request);
        let bytes = Bytes::from_request(request, state).await.map_err(|rejection| {
            match rejection.into_response().status() {
                StatusCode::PAYLOAD_TOO_LARGE => Error::bad(
                    "BODY_TOO_LARGE",
                    "body",
                    format!("at most {} MiB", mebibytes(MAX)),
                ),
                _ => Error::bad("BODY_NOT_JSON", "body", "the whole body"),
            }
        })?;
        Ok(Body(read(&bytes)?))
    }
}

/// So many bytes in MiB, to a hundredth: `1`, `4.25`.
fn mebibytes(bytes: usize) -> String {
    const MIB: usize = 1024 * 1024;
    let exact = format!("{}.{:02}", bytes / MIB, bytes % MIB * 100 / MIB);
    exact.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or_default();
    value
        .split(';')
        .next()
        .is_some_and(|essence| essence.trim().eq_ignore_ascii_case("application/json"))
}

/// Reads one object. Serde alone would also take an array of the members in their order, and the last of two
/// members of one name, which another reader of the same text may read differently.
fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Error> {
    // The text of serde's error may quote the input, which may be personal: only where it stands is told.
    let wrong = |e: &serde_json::Error, expected: &str| {
        Error::bad(
            "BODY_NOT_JSON",
            format!("body line {} column {}", e.line(), e.column()),
            expected,
        )
    };
    if !bytes.trim_ascii_start().starts_with(b"{") {
        return Err(Error::bad("BODY_NOT_JSON", "body", "a JSON object in UTF-8"));
    }
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    Once.deserialize(&mut reader)
        .map_err(|e| wrong(&e, "well-formed JSON, each member once"))?;
    serde_json::from_slice(bytes).map_err(|e| wrong(&e, "the described members"))
}

/// Reads any JSON, keeps nothing, and fails on an object that has a member twice.
struct Once;

impl<'de> DeserializeSeed<'de> for Once {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Once {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        while access.next_element_seed(Once)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<(), A::Error> {
        let mut seen = BTreeSet::new();
        while let Some(name) = access.next_key_seed(Name)? {
            access.next_value_seed(Once)?;
            if !seen.insert(name) {
                return Err(A::Error::custom("a member stands twice"));
            }
        }
        Ok(())
    }
}

/// Reads the name of a member, as it stands there where nothing in it is escaped.
struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Cow<'de, str>, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Cow<'de, str>, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use serde_json::Value;

    use super::*;

    #[test]
    fn doubtful_json_is_refused_and_nothing_of_it_repeated() {
        let deep = format!("{{\"a\":{}", "[".repeat(100_000));
        for text in [
            "",
            "[]",
            "null",
            "\"canary\"",
            r#"{"canary":1,"canary":2}"#,
            r#"{"a":{"canary":1,"\u0063anary":2}}"#,
            r#"{"a":[{"canary":1,"canary":1}]}"#,
            r#"{"canary":1} {}"#,
            r#"{"canary":"\ud800"}"#,
            r#"{"canary":1e999}"#,
            deep.as_str(),
        ] {
            let Err(Error::Bad {
                code: "BODY_NOT_JSON",
                at,
                expected,
                ..
            }) = read::<BTreeMap<String, Value>>(text.as_bytes())
            else {
                panic!("{text:.40}");
            };
            assert!(!at.contains("canary") && !expected.contains("canary"));
        }
        assert!(read::<BTreeMap<String, Value>>(b"{\"a\":\"\xff\"}").is_err());
        assert!(read::<BTreeMap<String, Value>>(br#" {"a":[{"b":1},{"b":1}]} "#).is_ok());
    }

    #[test]
    fn a_limit_is_told_in_mebibytes() {
        for (bytes, told) in [
            (MAX_BODY, "1"),
            (crate::api::reviews::MAX_REVIEW_BODY, "4.25"),
            (10 << 20, "10"),
            (100 << 10, "0.09"),
        ] {
            assert_eq!(mebibytes(bytes), told);
        }
    }

    #[test]
    fn the_media_type_may_carry_parameters() {
        let with = |text: &str| HeaderMap::from_iter([(header::CONTENT_TYPE, text.parse().unwrap())]);
        assert!(is_json(&with("application/json")) && is_json(&with("Application/JSON; charset=utf-8")));
        assert!(
            !is_json(&with("text/plain"))
                && !is_json(&with("application/jsonp"))
                && !is_json(&HeaderMap::new())
        );
    }
}
