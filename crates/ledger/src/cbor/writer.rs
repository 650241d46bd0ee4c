//! Writes the pieces of deterministic CBOR, each in its shortest form.

use super::{ARRAY, BYTES, CborError, MAP, NEGATIVE, TEXT, UNSIGNED, Value, key_order};
use std::{collections::BTreeMap, sync::Arc};

/// Writes a map that lies `depth` deep.
pub(super) fn put_values(
    out: &mut Vec<u8>,
    map: &BTreeMap<String, Value>,
    depth: usize,
) -> Result<(), CborError> {
    put_head(out, MAP, map.len() as u64);
    for (key, value) in in_key_order(map) {
        put_text(out, key);
        value.encode_into(out, depth + 1)?;
    }
    Ok(())
}

fn in_key_order<K: AsRef<str>, V>(map: &BTreeMap<K, V>) -> Vec<(&str, &V)> {
    let mut entries: Vec<_> = map.iter().map(|(key, value)| (key.as_ref(), value)).collect();
    entries.sort_unstable_by(|(a, _), (b, _)| key_order(a, b));
    entries
}

/// What stands before a value: its type and its argument, in as few bytes as it takes.
pub(crate) struct Head {
    bytes: [u8; 9],
    len: usize,
}

impl Head {
    fn of(major: u8, argument: u64) -> Head {
        let whole = argument.to_be_bytes();
        let (info, size) = match argument {
            0..=23 => (argument as u8, 0),
            24..=0xff => (24, 1),
            0x100..=0xffff => (25, 2),
            0x1_0000..=0xffff_ffff => (26, 4),
            _ => (27, 8),
        };
        let mut bytes = [0; 9];
        bytes[0] = major | info;
        bytes[1..=size].copy_from_slice(&whole[8 - size..]);
        Head { bytes, len: 1 + size }
    }

    /// That of an array of so many items.
    pub(crate) fn of_array(items: usize) -> Head {
        Head::of(ARRAY, items as u64)
    }

    /// That of this text.
    pub(crate) fn of_text(text: &str) -> Head {
        Head::of(TEXT, text.len() as u64)
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

pub(super) fn put_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    out.extend_from_slice(Head::of(major, argument).as_bytes());
}

pub(crate) fn put_int(out: &mut Vec<u8>, int: i64) {
    // The complement of a negative number is what CBOR writes for it: -1 - n.
    if int < 0 {
        put_head(out, NEGATIVE, !int as u64)
    } else {
        put_head(out, UNSIGNED, int as u64)
    }
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, bytes: &[u8]) {
    put_head(out, BYTES, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

pub(crate) fn put_text(out: &mut Vec<u8>, text: &str) {
    put_head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

/// Writes a map whose keys the caller names in their order, without building a [`Value`].
pub(crate) struct MapWriter {
    /// A byte in place of the head, and the entries.
    out: Vec<u8>,
    entries: usize,
    last_key: &'static str,
}

impl MapWriter {
    /// Begins a map that has so many bytes of room before it must grow.
    pub(crate) fn with_room(bytes: usize) -> Self {
        let mut out = Vec::with_capacity(bytes);
        out.push(MAP);
        MapWriter {
            out,
            entries: 0,
            last_key: "",
        }
    }

    /// Begins an entry; the caller writes its value next. Keys come in the order of [`key_order`].
    pub(crate) fn key(&mut self, key: &'static str) -> &mut Vec<u8> {
        debug_assert!(key_order(self.last_key, key).is_lt(), "{key} is out of order");
        self.last_key = key;
        self.entries += 1;
        put_text(&mut self.out, key);
        &mut self.out
    }

    /// Writes a text, if there is one.
    pub(crate) fn optional_text(&mut self, key: &'static str, text: Option<&str>) {
        if let Some(text) = text {
            put_text(self.key(key), text);
        }
    }

    /// Writes bytes, if there are some.
    pub(crate) fn optional_bytes(&mut self, key: &'static str, bytes: Option<&[u8]>) {
        if let Some(bytes) = bytes {
            put_bytes(self.key(key), bytes);
        }
    }

    /// Writes a number, if there is one.
    pub(crate) fn optional_int(&mut self, key: &'static str, int: Option<i64>) {
        if let Some(int) = int {
            put_int(self.key(key), int);
        }
    }

    /// Writes a list of texts, if it is not empty.
    pub(crate) fn texts(&mut self, key: &'static str, texts: &[String]) {
        if texts.is_empty() {
            return;
        }
        let out = self.key(key);
        out.extend_from_slice(Head::of_array(texts.len()).as_bytes());
        for text in texts {
            put_text(out, text);
        }
    }

    /// Writes a map from texts to bytes, if it is not empty.
    pub(crate) fn texts_to_bytes<B: AsRef<[u8]>>(&mut self, key: &'static str, map: &BTreeMap<Arc<str>, B>) {
        if map.is_empty() {
            return;
        }
        let out = self.key(key);
        put_head(out, MAP, map.len() as u64);
        for (text, bytes) in in_key_order(map) {
            put_text(out, text);
            put_bytes(out, bytes.as_ref());
        }
    }

    /// Writes a map of any values, if it is not empty.
    pub(crate) fn values(
        &mut self,
        key: &'static str,
        map: &BTreeMap<String, Value>,
    ) -> Result<(), CborError> {
        if map.is_empty() {
            return Ok(());
        }
        put_values(self.key(key), map, 1)
    }

    /// The whole map.
    pub(crate) fn finish(mut self) -> Vec<u8> {
        let head = Head::of(MAP, self.entries as u64);
        // As long as the byte in its place, but for a map of more entries than any of ours.
        self.out.splice(..1, head.as_bytes().iter().copied());
        self.out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_of_many_entries_has_a_longer_head() {
        for entries in [0, 23, 24, 300] {
            let mut map = MapWriter::with_room(0);
            let mut same = BTreeMap::new();
            for number in 0..entries {
                let key: &'static str = String::leak(format!("{number:03}"));
                put_int(map.key(key), number);
                same.insert(key.to_owned(), Value::Int(number));
            }
            let mut expected = vec![];
            put_values(&mut expected, &same, 0).unwrap();
            assert_eq!(map.finish(), expected, "{entries}");
        }
    }
}
