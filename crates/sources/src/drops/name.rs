//! The names of drops: which files are drops, and as of when.

use std::{fs, io, path::Path, time::SystemTime};

use domain::time::Timestamp;

use crate::format;

/// A name with the place of its date.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pattern {
    before: String,
    after: String,
    /// How many characters the date has.
    date: usize,
}

/// The places a date can be written in a name.
const DATES: [&str; 3] = ["{yyyyMMddHHmmss}", "{yyyy-MM-dd}", "{yyyyMMdd}"];

impl Pattern {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("name: a file name with one of {}", DATES.join(", "));
        let place = DATES
            .into_iter()
            .find(|place| text.contains(place))
            .ok_or_else(wrong)?;
        let (before, after) = text.split_once(place).ok_or_else(wrong)?;
        if text.contains(['/', '\0']) || text.len() > 128 || before.starts_with('.') || after.contains('{') {
            return Err(wrong());
        }
        Ok(Pattern {
            before: before.to_owned(),
            after: after.to_owned(),
            date: place.len() - 2,
        })
    }

    /// As of when a file of that name is, in China: the beginning of its day, or its instant.
    pub(super) fn as_of(&self, name: &str) -> Option<Timestamp> {
        let date = name
            .strip_prefix(self.before.as_str())?
            .strip_suffix(self.after.as_str())?;
        (date.len() == self.date).then(|| format::instant(date))?
    }

    /// Whether its files are packed.
    pub(super) fn is_packed(&self) -> bool {
        self.after.ends_with(".gz")
    }
}

/// Sizes and times of a drop's files: while they stay, so does what was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Stamp(Vec<Option<(u64, SystemTime)>>);

impl Stamp {
    /// Of files that may be missing.
    pub(super) fn of(paths: &[&Path]) -> Self {
        let one = |path: &&Path| {
            let metadata = fs::symlink_metadata(path).ok()?;
            Some((metadata.len(), metadata.modified().ok()?))
        };
        Stamp(paths.iter().map(one).collect())
    }
}

/// Shows the name of each file of a folder, in whatever order they come. However many they are, one at a time is in
/// memory.
pub(super) fn each(folder: &Path, mut show: impl FnMut(String)) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        if let Ok(name) = entry?.file_name().into_string() {
            show(name);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_its_date() {
        let check = |pattern: &str, name: &str, expected: Option<&str>| {
            let as_of = Pattern::parse(pattern)
                .unwrap()
                .as_of(name)
                .map(Timestamp::rfc3339);
            assert_eq!(as_of.as_deref(), expected, "{pattern} {name}");
        };
        check(
            "bd-{yyyyMMdd}.csv.gz",
            "bd-20261122.csv.gz",
            Some("2026-11-21T16:00:00Z"),
        );
        check("{yyyy-MM-dd}", "2026-11-22", Some("2026-11-21T16:00:00Z"));
        check(
            "a{yyyyMMddHHmmss}b",
            "a20261122080000b",
            Some("2026-11-22T00:00:00Z"),
        );
        for name in [
            "bd-20261122.csv",
            "bd-20261322.csv.gz",
            "bd-2026-11-22.csv.gz",
            "bd-20261122.csv.gz.sm3",
            "x",
        ] {
            check("bd-{yyyyMMdd}.csv.gz", name, None);
        }
        for pattern in [
            "bd.csv",
            "../{yyyyMMdd}",
            "{yyyyMMdd}{yyyyMMdd}",
            ".{yyyyMMdd}",
            "",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }
}
