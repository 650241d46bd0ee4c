//! Deterministic CBOR: RFC 8949, section 4.2.1, over the few types that openings need.
//!
//! One meaning has one encoding, because openings are hashed. So reading refuses everything that writing
//! would not write: longer heads than needed, unsorted or repeated keys, indefinite lengths, floats, tags.

mod reader;
mod writer;

pub(crate) use writer::{Head, MapWriter, put_bytes, put_int, put_text};

use reader::Reader;
use std::collections::BTreeMap;
use std::fmt;
use thiserror::Error;
use writer::{put_head, put_values};

/// How deep arrays and maps may lie in one another.
pub const MAX_DEPTH: usize = 16;

/// A value. Its `Debug` tells the type and not the content, which may be about a person.
#[derive(Clone, PartialEq, Eq)]
pub enum Value {
    /// A whole number.
    Int(i64),
    /// Bytes.
    Bytes(Vec<u8>),
    /// UTF-8 text.
    Text(String),
    /// A list.
    Array(Vec<Value>),
    /// A map with text keys.
    Map(BTreeMap<String, Value>),
    /// Yes or no.
    Bool(bool),
    /// Nothing, said expressly.
    Null,
}

impl fmt::Debug for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Value::Int(_) => "Int(redacted)",
            Value::Bytes(_) => "Bytes(redacted)",
            Value::Text(_) => "Text(redacted)",
            Value::Array(_) => "Array(redacted)",
            Value::Map(_) => "Map(redacted)",
            Value::Bool(_) => "Bool(redacted)",
            Value::Null => "Null",
        })
    }
}

/// Why bytes are not deterministic CBOR of these types.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CborError {
    /// The input ends within a value, or a length exceeds it.
    #[error("the CBOR ends within a value")]
    Truncated,
    /// Bytes follow the value.
    #[error("bytes follow the CBOR value")]
    Trailing,
    /// A number or length is not written in the shortest form.
    #[error("a CBOR number or length is not in its shortest form")]
    NotShortest,
    /// The keys of a map are not strictly ascending in their encoding.
    #[error("the keys of a CBOR map are unsorted or repeated")]
    KeyOrder,
    /// A key is no text.
    #[error("a key of a CBOR map is not text")]
    KeyType,
    /// A float, a tag, an indefinite length, an unknown simple value.
    #[error("a CBOR type is used that openings do not have")]
    Unsupported,
    /// A number outside the range of i64.
    #[error("a CBOR number is outside 64 bits with sign")]
    IntRange,
    /// Text that is not UTF-8.
    #[error("a CBOR text is not UTF-8")]
    Utf8,
    /// Deeper than [`MAX_DEPTH`].
    #[error("the CBOR is nested deeper than {MAX_DEPTH}")]
    TooDeep,
}

impl Value {
    /// The value's one encoding. Only nesting beyond [`MAX_DEPTH`] fails.
    pub fn encode(&self) -> Result<Vec<u8>, CborError> {
        let mut out = Vec::new();
        self.encode_into(&mut out, 0)?;
        Ok(out)
    }

    fn encode_into(&self, out: &mut Vec<u8>, depth: usize) -> Result<(), CborError> {
        if depth >= MAX_DEPTH && matches!(self, Value::Array(_) | Value::Map(_)) {
            return Err(CborError::TooDeep);
        }
        match self {
            Value::Int(int) => put_int(out, *int),
            Value::Bytes(bytes) => put_bytes(out, bytes),
            Value::Text(text) => put_text(out, text),
            Value::Bool(bool) => out.push(if *bool { TRUE } else { FALSE }),
            Value::Null => out.push(NULL),
            Value::Array(items) => {
                put_head(out, ARRAY, items.len() as u64);
                for item in items {
                    item.encode_into(out, depth + 1)?;
                }
            }
            Value::Map(map) => put_values(out, map, depth)?,
        }
        Ok(())
    }

    /// Reads one value that fills the input, in the one encoding it has.
    pub fn decode(bytes: &[u8]) -> Result<Value, CborError> {
        let mut reader = Reader { rest: bytes };
        let value = reader.value(0)?;
        if reader.rest.is_empty() {
            Ok(value)
        } else {
            Err(CborError::Trailing)
        }
    }
}

const UNSIGNED: u8 = 0 << 5;
const NEGATIVE: u8 = 1 << 5;
const BYTES: u8 = 2 << 5;
const TEXT: u8 = 3 << 5;
const ARRAY: u8 = 4 << 5;
const MAP: u8 = 5 << 5;
const FALSE: u8 = 0xf4;
const TRUE: u8 = 0xf5;
const NULL: u8 = 0xf6;

/// The order of the encoded keys: the length stands in the head, so shorter keys come first.
fn key_order(a: &str, b: &str) -> std::cmp::Ordering {
    a.len().cmp(&b.len()).then_with(|| a.as_bytes().cmp(b.as_bytes()))
}
