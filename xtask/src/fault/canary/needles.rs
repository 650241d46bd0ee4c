//! What is searched for: every value of the canaries in every encoding in which it could leak.

use std::{collections::BTreeMap, fs};

use base64::{
    Engine,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE},
};
use crypto::Suite;
use encoding_rs::GB18030;
use toml::Value;

use crate::{people::FOLDER, run};

/// The file of the canaries, in the folder of the personas.
const CANARIES: &str = "08-canaries.toml";
/// Keys whose values are words of the sandbox and not of a person.
const NO_VALUES: [&str; 5] = ["id", "about", "driver", "co_owner", "insured"];
/// Shorter texts occur by chance: three bytes once in 16 million.
const SHORTEST: usize = 6;

/// All needles, by their first two bytes.
pub(super) struct Needles {
    by_start: BTreeMap<[u8; 2], Vec<Needle>>,
}

struct Needle {
    bytes: Vec<u8>,
    /// What is found, without saying it: this is printed.
    name: String,
}

impl Needles {
    /// The values of the canaries that occur with nobody else and in no record kind.
    ///
    /// # Errors
    /// The files cannot be read, or too few values are left.
    pub(super) fn of_the_canaries() -> Result<Self, String> {
        let root = run::root();
        let folder = root.join(FOLDER);
        let read = |path: std::path::PathBuf| {
            fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))
        };
        let canaries: Value =
            toml::from_str(&read(folder.join(CANARIES))?).map_err(|e| format!("{CANARIES}: {e}"))?;
        let mut elsewhere = String::new();
        for entry in fs::read_dir(&folder)
            .map_err(|e| format!("{}: {e}", folder.display()))?
            .flatten()
        {
            if entry.file_name() != CANARIES {
                elsewhere.push_str(&read(entry.path())?);
            }
        }
        for kind in fs::read_dir(root.join("kinds"))
            .map_err(|e| format!("kinds: {e}"))?
            .flatten()
        {
            elsewhere.push_str(&read(kind.path().join("kind.toml"))?);
        }
        let mut values = vec![];
        collect(&canaries, &mut values);
        values.retain(|(_, value)| is_telling(value) && !elsewhere.contains(value.as_str()));
        values.sort();
        values.dedup_by(|a, b| a.1 == b.1);
        if values.len() < 20 {
            return Err(format!(
                "the canaries have only {} values of their own",
                values.len()
            ));
        }
        Ok(Needles::of(&values))
    }

    /// Needles for these values, each with a name.
    fn of(values: &[(String, String)]) -> Self {
        let mut by_start: BTreeMap<[u8; 2], Vec<Needle>> = BTreeMap::new();
        for (name, value) in values {
            for (encoding, bytes) in encodings(value) {
                if let Some(start) = bytes.first_chunk() {
                    let needle = Needle {
                        name: format!("{name} in {encoding}"),
                        bytes: bytes.clone(),
                    };
                    by_start.entry(*start).or_default().push(needle);
                }
            }
        }
        Needles { by_start }
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.by_start.values().map(|n| n.len() as u64).sum()
    }

    /// Which of them occur, each once, with the first place.
    pub(super) fn found_in(&self, bytes: &[u8]) -> Vec<String> {
        let mut found: BTreeMap<&str, usize> = BTreeMap::new();
        let mut starts = vec![false; 1 << 16];
        for start in self.by_start.keys() {
            starts[usize::from(u16::from_be_bytes(*start))] = true;
        }
        for at in 0..bytes.len().saturating_sub(1) {
            let start = [bytes[at], bytes[at + 1]];
            if !starts[usize::from(u16::from_be_bytes(start))] {
                continue;
            }
            for needle in self.by_start.get(&start).into_iter().flatten() {
                if bytes[at..].starts_with(&needle.bytes) {
                    found.entry(&needle.name).or_insert(at);
                }
            }
        }
        found
            .iter()
            .map(|(name, at)| format!("{name} at byte {at}"))
            .collect()
    }
}

fn collect(value: &Value, values: &mut Vec<(String, String)>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect(item, values)),
        Value::Table(table) => {
            for (key, value) in table.iter().filter(|(key, _)| !NO_VALUES.contains(&key.as_str())) {
                match value {
                    Value::String(text) => values.push((key.clone(), text.clone())),
                    other => collect(other, values),
                }
            }
        }
        _ => {}
    }
}

/// Long enough to occur once, and no date.
fn is_telling(value: &str) -> bool {
    let is_day = value.starts_with(['+', '-']) && value.contains('d');
    let is_date = value.len() == 10 && value.bytes().filter(|b| *b == b'-').count() == 2;
    value.len() >= SHORTEST && !is_day && !is_date
}

/// A value as it could stand somewhere.
fn encodings(value: &str) -> Vec<(&'static str, Vec<u8>)> {
    let utf8 = value.as_bytes();
    let wide = |order: fn(u16) -> [u8; 2]| value.encode_utf16().flat_map(order).collect::<Vec<u8>>();
    let gbk = GB18030.encode(value).0.into_owned();
    let hex = |bytes: &[u8]| bytes.iter().map(|b| format!("{b:02x}")).collect::<String>();
    let decimals = utf8.iter().map(u8::to_string).collect::<Vec<_>>().join(", ");
    let mut all = vec![
        ("UTF-8", utf8.to_vec()),
        ("lower case", value.to_lowercase().into_bytes()),
        ("UTF-16, low byte first", wide(u16::to_le_bytes)),
        ("UTF-16, high byte first", wide(u16::to_be_bytes)),
        ("GBK", gbk.clone()),
        ("percent signs", percent(utf8).into_bytes()),
        (
            "percent signs, lower case",
            percent(utf8).to_lowercase().into_bytes(),
        ),
        ("percent signs of GBK", percent(&gbk).into_bytes()),
        ("hexadecimal", hex(utf8).into_bytes()),
        ("hexadecimal, upper case", hex(utf8).to_uppercase().into_bytes()),
        ("hexadecimal of GBK", hex(&gbk).into_bytes()),
        ("a list of numbers", decimals.into_bytes()),
        ("escapes of JSON", escaped(value).into_bytes()),
        (
            "escapes of JSON, upper case",
            escaped(value).to_uppercase().replace("\\U", "\\u").into_bytes(),
        ),
    ];
    for (before, name) in ["base64", "base64 after one byte", "base64 after two bytes"]
        .into_iter()
        .enumerate()
    {
        let coded = |engine: &dyn Fn(&[u8]) -> String| within_base64(utf8, before, engine).into_bytes();
        all.push((name, coded(&|bytes| BASE64_STANDARD.encode(bytes))));
        all.push((name, coded(&|bytes| BASE64_URL_SAFE.encode(bytes))));
    }
    // A hash without a key is no secret where there are so few values.
    for (suite, name) in [(Suite::Intl, "a SHA-256"), (Suite::Gm, "an SM3")] {
        let hash = suite.hash(&[utf8]);
        all.push((name, hash.to_vec()));
        all.push((name, hex(&hash).into_bytes()));
        all.push((
            name,
            BASE64_STANDARD
                .encode(hash)
                .trim_end_matches('=')
                .as_bytes()
                .to_vec(),
        ));
    }
    all.sort_by(|a, b| a.1.cmp(&b.1));
    all.dedup_by(|a, b| a.1 == b.1);
    all.retain(|(_, bytes)| bytes.len() >= SHORTEST);
    all
}

fn percent(bytes: &[u8]) -> String {
    let one = |byte: &u8| match byte {
        b if b.is_ascii_alphanumeric() => char::from(*b).to_string(),
        b => format!("%{b:02X}"),
    };
    bytes.iter().map(one).collect()
}

fn escaped(value: &str) -> String {
    let one = |unit: u16| match u8::try_from(unit).ok().filter(u8::is_ascii_graphic) {
        Some(ascii) => char::from(ascii).to_string(),
        None => format!("\\u{unit:04x}"),
    };
    value.encode_utf16().map(one).collect()
}

/// The letters that stand for these bytes alone when so many bytes come before them and any come after.
fn within_base64(bytes: &[u8], before: usize, encode: &dyn Fn(&[u8]) -> String) -> String {
    let text = encode(&[&vec![0; before], bytes].concat());
    let (first, end) = ((before * 8).div_ceil(6), (before + bytes.len()) * 8 / 6);
    text[first..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_encoding_is_found_wherever_it_stands() {
        let values = [("name".to_owned(), "鸩鹓鶵宁H7".to_owned())];
        let needles = Needles::of(&values);
        for (encoding, bytes) in encodings(&values[0].1) {
            for around in ["", "x", "xyz"] {
                let text = [around.as_bytes(), &bytes, around.as_bytes()].concat();
                assert!(!needles.found_in(&text).is_empty(), "{encoding}");
                assert!(
                    needles
                        .found_in(&text[..text.len() - around.len() - 1])
                        .iter()
                        .all(|f| !f.contains("UTF-8"))
                );
            }
        }
        assert!(
            needles
                .found_in("鸩鹓 鶵宁 H7 nothing of it".as_bytes())
                .is_empty()
        );
    }

    #[test]
    fn base64_is_found_at_every_offset_and_with_every_neighbour() {
        let needles = Needles::of(&[("plate".to_owned(), "宁H7X4Q1".to_owned())]);
        for before in ["", "a", "ab", "abc"] {
            let text = BASE64_STANDARD.encode(format!("{before}宁H7X4Q1后面"));
            assert!(!needles.found_in(text.as_bytes()).is_empty(), "{before}");
        }
    }

    #[test]
    fn the_canaries_have_values_and_none_is_a_date() {
        assert!(Needles::of_the_canaries().unwrap().count() > 400);
        assert!(!is_telling("2023-11-19") && !is_telling("-47d 17:43") && !is_telling("C1"));
    }
}
