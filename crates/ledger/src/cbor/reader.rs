//! Reads deterministic CBOR, and refuses every other form of it.

use super::{
    ARRAY, BYTES, CborError, FALSE, MAP, MAX_DEPTH, NEGATIVE, NULL, TEXT, TRUE, UNSIGNED, Value, key_order,
};
use std::collections::BTreeMap;

/// What is left to be read.
pub(super) struct Reader<'a> {
    pub(super) rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// Reads a value that lies `depth` deep.
    pub(super) fn value(&mut self, depth: usize) -> Result<Value, CborError> {
        let first = *self.rest.first().ok_or(CborError::Truncated)?;
        match first {
            FALSE | TRUE | NULL => {
                self.take(1)?;
                Ok(match first {
                    FALSE => Value::Bool(false),
                    TRUE => Value::Bool(true),
                    _ => Value::Null,
                })
            }
            _ => self.value_with_head(depth),
        }
    }

    fn value_with_head(&mut self, depth: usize) -> Result<Value, CborError> {
        let (major, argument) = self.head()?;
        let int = || i64::try_from(argument).map_err(|_| CborError::IntRange);
        match major {
            UNSIGNED => Ok(Value::Int(int()?)),
            NEGATIVE => Ok(Value::Int(!int()?)),
            BYTES => Ok(Value::Bytes(self.take(argument)?.to_vec())),
            TEXT => Ok(Value::Text(self.text(argument)?.to_owned())),
            ARRAY | MAP if depth >= MAX_DEPTH => Err(CborError::TooDeep),
            ARRAY => self.array(argument, depth + 1),
            MAP => self.map(argument, depth + 1),
            _ => Err(CborError::Unsupported),
        }
    }

    fn array(&mut self, length: u64, depth: usize) -> Result<Value, CborError> {
        self.check_count(length)?;
        let mut items = Vec::new();
        for _ in 0..length {
            items.push(self.value(depth)?);
        }
        Ok(Value::Array(items))
    }

    fn map(&mut self, length: u64, depth: usize) -> Result<Value, CborError> {
        self.check_count(length)?;
        let mut map = BTreeMap::new();
        let mut last: Option<&str> = None;
        for _ in 0..length {
            let (major, argument) = self.head()?;
            if major != TEXT {
                return Err(CborError::KeyType);
            }
            let key = self.text(argument)?;
            if last.is_some_and(|last| key_order(last, key).is_ge()) {
                return Err(CborError::KeyOrder);
            }
            last = Some(key);
            map.insert(key.to_owned(), self.value(depth)?);
        }
        Ok(Value::Map(map))
    }

    /// Each item has at least one byte, so a greater count is false; known before anything is allocated.
    fn check_count(&self, count: u64) -> Result<(), CborError> {
        if count > self.rest.len() as u64 {
            Err(CborError::Truncated)
        } else {
            Ok(())
        }
    }

    fn head(&mut self) -> Result<(u8, u64), CborError> {
        let first = self.take(1)?[0];
        let (major, info) = (first & 0xe0, first & 0x1f);
        // Major types 6 and 7 are tags, floats and simple values; the three known ones were read before.
        if major > MAP {
            return Err(CborError::Unsupported);
        }
        let length = match info {
            0..=23 => return Ok((major, u64::from(info))),
            24 => 1,
            25 => 2,
            26 => 4,
            27 => 8,
            _ => return Err(CborError::Unsupported),
        };
        let argument = self
            .take(length)?
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let least = match length {
            1 => 24,
            2 => 0x100,
            4 => 0x1_0000,
            _ => 0x1_0000_0000,
        };
        if argument < least {
            Err(CborError::NotShortest)
        } else {
            Ok((major, argument))
        }
    }

    fn text(&mut self, length: u64) -> Result<&'a str, CborError> {
        std::str::from_utf8(self.take(length)?).map_err(|_| CborError::Utf8)
    }

    fn take(&mut self, length: u64) -> Result<&'a [u8], CborError> {
        let length = usize::try_from(length).map_err(|_| CborError::Truncated)?;
        let (taken, rest) = self.rest.split_at_checked(length).ok_or(CborError::Truncated)?;
        self.rest = rest;
        Ok(taken)
    }
}
