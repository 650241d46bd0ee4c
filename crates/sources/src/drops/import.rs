//! Reads one drop as a whole: every row with every route's mapping, onto a shelf of its own.

use std::{cell::Cell, path::Path, sync::PoisonError};

use domain::time::Timestamp;
use rand_chacha::ChaCha20Rng;

use super::{
    DropProgress, Drops, Quarantine, Reading, RowError, Stage,
    lines::{Lines, Stop},
    news::DropEvent,
    plain,
    quarantine::is_shrunk,
    read::{Bound, Content},
    shelf::{About, Builder, Digest, Shelf},
    ways::Ways,
};
use crate::report::{Failure, Problem};

/// How many rows that cannot be read are told.
const MAX_TOLD: usize = 20;
/// A sign of life after so many rows.
const TOLD_EACH: u64 = 1_000;

/// Why a drop does not answer.
#[derive(Debug)]
pub(super) enum Refusal {
    /// The process is about to end.
    Stopped,
    /// It is not sound.
    Bad { problem: Problem, rows: Vec<RowError> },
    /// It waits for an operator's word.
    Unlike(Quarantine),
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal::Bad {
            problem,
            rows: Vec::new(),
        }
    }
}

/// Whoever watches, and what they watch.
pub(super) struct Import<'a> {
    pub(super) drops: &'a Drops,
    pub(super) ways: Ways<'a>,
    /// The shelf whose place this takes.
    pub(super) before: Option<&'a Shelf>,
    pub(super) now: Timestamp,
    pub(super) progress: &'a dyn Fn(DropProgress<'_>),
    pub(super) name: &'a str,
    pub(super) of_bytes: u64,
}

/// What has been counted.
#[derive(Default)]
struct Count {
    rows: u64,
    left_out: u64,
    told: Vec<RowError>,
}

impl<'a> Import<'a> {
    /// Checks, reads, and puts the drop in the place of the one before. Nothing of it stays where it is refused.
    pub(super) fn run(self, as_of: Timestamp, random: &mut ChaCha20Rng) -> Result<DropEvent, Refusal> {
        let drops = self.drops;
        let done = self.check_and_build(as_of, random);
        *drops.reading.lock().unwrap_or_else(PoisonError::into_inner) = None;
        done
    }

    fn check_and_build(mut self, as_of: Timestamp, random: &mut ChaCha20Rng) -> Result<DropEvent, Refusal> {
        let path = self.drops.folder.join(self.name);
        let length = plain::open(&path).and_then(|file| file.metadata());
        self.of_bytes = length.map_err(|_| Problem::DropUnreadable)?.len();
        // Before a byte is hashed. What is packed and still longer than it may be unpacked was not packed to be short.
        if self.of_bytes > self.drops.bounds.bytes {
            return Err(Problem::DropTooLarge.into());
        }
        let expected = self.drops.expected(self.name)?;
        let hashed = self
            .drops
            .hash(&path, |bytes| self.tell(Stage::Checking, bytes, 0));
        match hashed.map_err(|_| Problem::DropUnreadable)? {
            None => return Err(Refusal::Stopped),
            Some(hash) if hash != expected => return Err(Problem::ChecksumWrong.into()),
            Some(_) => {}
        }
        let begun = self.drops.files.begin(as_of, random);
        let builder = begun.map_err(|_| Problem::DropNotStored)?;
        let place = builder.label.place;
        let built = self.build(builder, &path, expected, random);
        if built.is_err() {
            // Where even this fails, the next look does it again.
            drop(self.drops.files.discard(place));
        }
        built
    }

    fn build(
        &self,
        mut builder: Builder,
        path: &Path,
        expected: Digest,
        random: &mut ChaCha20Rng,
    ) -> Result<DropEvent, Refusal> {
        let drops = self.drops;
        let (count, lacking, hash) = self.read(path, &mut builder)?;
        // What was read is what was checked, even where somebody writes into the file meanwhile.
        if hash != expected {
            return Err(Problem::ChecksumWrong.into());
        }
        self.judge(count.rows - count.left_out, &lacking, &expected)?;
        self.tell(Stage::Indexing, self.of_bytes, count.rows);
        let as_of = builder.label.place.as_of;
        let same_date = self.before.filter(|before| before.as_of() == as_of);
        let mut digests = same_date.map_or_else(Vec::new, |before| before.about().digests.clone());
        digests.retain(|digest| *digest != expected);
        digests.push(expected);
        let about = About { digests, lacking };
        let finished = builder.finish(&drops.mapping, drops.signer.is_some(), &about, &self.ways.alone());
        #[cfg(feature = "planted")]
        let finished = overlooked(finished);
        let (rows, repeated) = finished.map_err(|_| Problem::DropNotStored)?;
        self.tell(Stage::Built, self.of_bytes, rows);
        // From here on until it answers no change is taken: none may be left behind.
        let changing = drops.changing();
        let published = drops.files.publish(builder, |shelf| match self.before {
            Some(before) => before.hand_over(shelf, self.ways, self.now, random),
            None => Ok(()),
        });
        let shelf = published.map_err(|_| Problem::DropNotStored)?;
        self.tell(Stage::Swapped, self.of_bytes, rows);
        drops.swap(shelf);
        drop(changing);
        Ok(DropEvent::Serving {
            as_of,
            rows,
            left_out: count.left_out,
            told: count.told,
            repeated,
        })
    }

    /// Holds a drop back that is unlike the one before, unless an operator said that it is meant. JSON has no header: a
    /// member that was renamed shows only in that no row has it any more.
    fn judge(&self, rows: u64, lacking: &[String], digest: &Digest) -> Result<(), Refusal> {
        let before = self.before.map_or(0, Shelf::rows);
        let known = self.before.map_or(&[][..], |before| &before.about().lacking);
        let lacking: Vec<_> = lacking
            .iter()
            .filter(|place| !known.contains(place))
            .cloned()
            .collect();
        if (lacking.is_empty() && !is_shrunk(rows, before)) || self.drops.is_accepted(digest) {
            return Ok(());
        }
        Err(Refusal::Unlike(Quarantine {
            file: self.name.to_owned(),
            digest: hex(digest),
            rows,
            before,
            lacking,
        }))
    }

    /// Reads all rows onto the shelf, each cut down to what is mapped; also returns the places that no row has.
    fn read(&self, path: &Path, builder: &mut Builder) -> Result<(Count, Vec<String>, Digest), Refusal> {
        let drops = self.drops;
        let packed = drops.pattern.is_packed();
        let rows = Cell::new(0);
        let goes_on = |bytes| self.tell(Stage::Reading, bytes, rows.get());
        let bound = Bound {
            bytes: drops.bounds.bytes,
            goes_on: &goes_on,
        };
        let content = Content::open(path, packed, drops.checksum, bound);
        let mut content = content.map_err(|_| Problem::DropUnreadable)?;
        let lines = Lines::open(&mut content, drops.layout, drops.charset, drops.bounds.row_bytes);
        let mut lines = lines.map_err(stopped)?;
        self.check_header(&lines)?;
        let (mut count, mut places) = (Count::default(), self.ways.places());
        loop {
            let line = match lines.next(&mut content) {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(stop) => return Err(stopped(stop)),
            };
            count.rows += 1;
            rows.set(count.rows);
            match line
                .row
                .map_err(Failure::bad_answer)
                .and_then(|row| Ok((self.ways.words(&row, self.now)?, row)))
            {
                Ok((words, row)) => builder
                    .add(&words, &places.cut(row))
                    .map_err(|_| Problem::DropNotStored)?,
                Err(failure) => count.leave_out(line.line, failure, drops.bounds.bad_rows)?,
            }
            if count.rows % TOLD_EACH == 0 && !self.tell(Stage::Reading, content.count(), count.rows) {
                return Err(Refusal::Stopped);
            }
        }
        if count.rows == count.left_out {
            return Err(Refusal::Bad {
                problem: Problem::DropEmpty,
                rows: count.told,
            });
        }
        let hash = content.finish().map_err(stopped)?;
        Ok((count, places.lacking(), hash))
    }

    /// Every column that is mapped is there: one that was renamed would be an absent field in every row.
    fn check_header(&self, lines: &Lines) -> Result<(), Refusal> {
        let Some(header) = lines.header() else {
            return Ok(());
        };
        let mapped = self
            .ways
            .each()
            .flat_map(|(route, way)| route.columns().chain(way.columns()));
        let lacking = mapped.filter(|(_, column)| !header.iter().any(|name| name == column));
        let told: Vec<_> = lacking
            .map(|(field, column)| RowError {
                line: 1,
                field: Some(field),
                column: Some(column.to_owned()),
                problem: Problem::HeaderMalformed,
            })
            .take(MAX_TOLD)
            .collect();
        if told.is_empty() {
            Ok(())
        } else {
            Err(Refusal::Bad {
                problem: Problem::HeaderMalformed,
                rows: told,
            })
        }
    }

    /// Tells how far it is; false where the process is about to end.
    fn tell(&self, stage: Stage, bytes: u64, rows: u64) -> bool {
        let progress = DropProgress {
            source: &self.drops.id,
            file: self.name,
            stage,
            bytes,
            of_bytes: self.of_bytes,
            rows,
        };
        let reading = Reading {
            file: self.name.to_owned(),
            stage,
            percent: progress.percent(),
            rows,
        };
        *self.drops.reading.lock().unwrap_or_else(PoisonError::into_inner) = Some(reading);
        (self.progress)(progress);
        !self.drops.stop.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Count {
    /// Leaves a row out; too many make the drop a bad one.
    fn leave_out(&mut self, line: u64, failure: Failure, most: u64) -> Result<(), Refusal> {
        self.left_out += 1;
        if self.told.len() < MAX_TOLD {
            self.told.push(RowError {
                line,
                field: failure.field,
                column: failure.column,
                problem: failure.problem,
            });
        }
        if self.left_out > most && self.told.len() as u64 >= (MAX_TOLD as u64).min(most + 1) {
            return Err(Refusal::Bad {
                problem: Problem::DropRowMalformed,
                rows: std::mem::take(&mut self.told),
            });
        }
        Ok(())
    }
}

/// A bug planted on purpose, where `MINGCHA_PLANTED` is `half-import`: what the disk says to the rows is not heard.
#[cfg(feature = "planted")]
fn overlooked(finished: rusqlite::Result<(u64, u64)>) -> rusqlite::Result<(u64, u64)> {
    match std::env::var("MINGCHA_PLANTED").as_deref() {
        Ok("half-import") => Ok(finished.unwrap_or_default()),
        _ => finished,
    }
}

fn stopped(stop: Stop) -> Refusal {
    match stop {
        Stop::Ended => Refusal::Stopped,
        Stop::Whole(problem) => problem.into(),
        Stop::At(line, problem) => Refusal::Bad {
            problem,
            rows: vec![RowError {
                line,
                field: None,
                column: None,
                problem,
            }],
        },
    }
}

/// A hash as a checksum's file writes it.
pub(super) fn hex(digest: &Digest) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}
