//! Strict JSON from a source: UTF-8 only, no key twice, bounded depth and size in memory.
//!
//! Two readers of an object with a repeated key may see two different records, which is how a record about one
//! person can be passed off as another's; such an answer is no answer.

use std::{cell::Cell, fmt};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

use crate::report::Problem;

/// How deep objects and arrays may nest.
const MAX_DEPTH: u32 = 32;
/// How many values one answer may hold: 65,536 × 32 bytes are two megabytes, where a body of one megabyte of
/// `[0,0,…]` would take sixteen.
const MAX_VALUES: u32 = 65_536;

/// Reads a whole body.
pub(crate) fn parse(body: &[u8]) -> Result<Value, Problem> {
    let text = std::str::from_utf8(body).map_err(|_| Problem::NotUtf8)?;
    let seen = Seen {
        values: Cell::new(0),
        problem: Cell::new(Problem::NotJson),
    };
    let mut reader = serde_json::Deserializer::from_str(text);
    let value = Strict {
        depth: 0,
        seen: &seen,
    }
    .deserialize(&mut reader)
    .map_err(|_| seen.problem.get())?;
    reader.end().map_err(|_| Problem::NotJson)?;
    Ok(value)
}

/// What has been counted so far, and why reading stopped if it did.
struct Seen {
    values: Cell<u32>,
    problem: Cell<Problem>,
}

/// Reads one value at a depth.
struct Strict<'a> {
    depth: u32,
    seen: &'a Seen,
}

impl<'a> Strict<'a> {
    fn stop<E: Error>(&self, problem: Problem) -> E {
        self.seen.problem.set(problem);
        E::custom("refused")
    }

    fn inner<E: Error>(&self) -> Result<Strict<'a>, E> {
        if self.depth >= MAX_DEPTH {
            Err(self.stop(Problem::TooDeep))
        } else {
            Ok(Strict {
                depth: self.depth + 1,
                ..*self
            })
        }
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        let values = self.seen.values.get() + 1;
        if values > MAX_VALUES {
            return Err(self.stop(Problem::TooManyValues));
        }
        self.seen.values.set(values);
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::from(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut values = Vec::new();
        while let Some(value) = access.next_element_seed(self.inner()?)? {
            values.push(value);
        }
        Ok(Value::Array(values))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut members = Map::new();
        while let Some(key) = access.next_key::<String>()? {
            let value = access.next_value_seed(self.inner()?)?;
            if members.insert(key, value).is_some() {
                return Err(self.stop(Problem::RepeatedKey));
            }
        }
        Ok(Value::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sound_json_is_read_as_everybody_reads_it() {
        let text = r#"{"a":[1,-2,0.5,"x",null,true],"b":{"c":{"d":"\u4eac"}},"":18446744073709551615}"#;
        assert_eq!(parse(text.as_bytes()), Ok(serde_json::from_str(text).unwrap()));
    }

    #[test]
    fn doubtful_json_is_refused_by_name() {
        let deep = |n: usize| format!("{}{}", "[".repeat(n), "]".repeat(n));
        let many = format!("[{}0]", "0,".repeat(65_600));
        let cases: [(&[u8], Problem); 9] = [
            (br#"{"a":1,"a":1}"#, Problem::RepeatedKey),
            (br#"{"b":{"a":1,"\u0061":2}}"#, Problem::RepeatedKey),
            (&deep(34).into_bytes(), Problem::TooDeep),
            (&deep(100_000).into_bytes(), Problem::TooDeep),
            (many.as_bytes(), Problem::TooManyValues),
            (b"{\"a\":\"\xbe\xa9\"}", Problem::NotUtf8),
            (b"{\"a\":1} {}", Problem::NotJson),
            (br#"{"a":"\ud800"}"#, Problem::NotJson),
            (b"", Problem::NotJson),
        ];
        for (body, problem) in cases {
            assert_eq!(parse(body), Err(problem));
        }
        assert!(parse(deep(32).as_bytes()).is_ok());
    }
}
