//! Takes the keys of an opening one by one, and refuses what is left over.

use super::{MAX_OPENING_BYTES, OpeningError, VERSION};
use crate::cbor::Value;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The entries of a map that were not taken yet.
pub(super) struct MapReader {
    map: BTreeMap<String, Value>,
}

impl MapReader {
    /// Reads an opening's bytes and checks its version.
    pub(super) fn open(bytes: &[u8]) -> Result<MapReader, OpeningError> {
        if bytes.len() > MAX_OPENING_BYTES {
            return Err(OpeningError::TooLong);
        }
        let Value::Map(map) = Value::decode(bytes)? else {
            return Err(OpeningError::Wrong("opening"));
        };
        let mut reader = MapReader { map };
        if reader.required("v", MapReader::int)? == VERSION {
            Ok(reader)
        } else {
            Err(OpeningError::Version)
        }
    }

    /// A map within the opening.
    pub(super) fn nested(&mut self, key: &'static str) -> Result<Option<MapReader>, OpeningError> {
        self.taken(key, |value| match value {
            Value::Map(map) => Some(MapReader { map }),
            _ => None,
        })
    }

    /// What must be there, by one of the methods below.
    pub(super) fn required<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(&mut MapReader, &'static str) -> Result<Option<T>, OpeningError>,
    ) -> Result<T, OpeningError> {
        read(self, key)?.ok_or(OpeningError::Missing(key))
    }

    pub(super) fn int(&mut self, key: &'static str) -> Result<Option<i64>, OpeningError> {
        self.taken(key, |value| match value {
            Value::Int(int) => Some(int),
            _ => None,
        })
    }

    pub(super) fn text(&mut self, key: &'static str) -> Result<Option<String>, OpeningError> {
        self.taken(key, |value| match value {
            Value::Text(text) => Some(text),
            _ => None,
        })
    }

    pub(super) fn bytes(&mut self, key: &'static str) -> Result<Option<Vec<u8>>, OpeningError> {
        self.taken(key, |value| match value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        })
    }

    /// Bytes of a fixed length.
    pub(super) fn array<const N: usize>(
        &mut self,
        key: &'static str,
    ) -> Result<Option<[u8; N]>, OpeningError> {
        self.taken(key, fixed_bytes)
    }

    /// A list of texts; empty where the key is absent.
    pub(super) fn texts(&mut self, key: &'static str) -> Result<Vec<String>, OpeningError> {
        let texts = self.taken(key, |value| match value {
            Value::Array(items) if !items.is_empty() => items
                .into_iter()
                .map(|item| match item {
                    Value::Text(text) => Some(text),
                    _ => None,
                })
                .collect(),
            _ => None,
        });
        Ok(texts?.unwrap_or_default())
    }

    /// A map of any values; empty where the key is absent.
    pub(super) fn values(&mut self, key: &'static str) -> Result<BTreeMap<String, Value>, OpeningError> {
        let values = self.taken(key, |value| match value {
            Value::Map(map) if !map.is_empty() => Some(map),
            _ => None,
        });
        Ok(values?.unwrap_or_default())
    }

    /// A map from texts to hashes; empty where the key is absent.
    pub(super) fn hashes<T: From<[u8; 32]>>(
        &mut self,
        key: &'static str,
    ) -> Result<BTreeMap<Arc<str>, T>, OpeningError> {
        let entries = self.values(key)?.into_iter();
        let hashes = entries.map(|(text, value)| Some((text.into(), fixed_bytes(value)?.into())));
        hashes.collect::<Option<_>>().ok_or(OpeningError::Wrong(key))
    }

    /// Refuses keys that nothing took.
    pub(super) fn finish(self) -> Result<(), OpeningError> {
        if self.map.is_empty() {
            Ok(())
        } else {
            Err(OpeningError::UnknownKey)
        }
    }

    fn taken<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Value) -> Option<T>,
    ) -> Result<Option<T>, OpeningError> {
        match self.map.remove(key) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or(OpeningError::Wrong(key)),
        }
    }
}

fn fixed_bytes<const N: usize>(value: Value) -> Option<[u8; N]> {
    match value {
        Value::Bytes(bytes) => bytes.try_into().ok(),
        _ => None,
    }
}
