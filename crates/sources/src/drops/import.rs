//! Reads one drop as a whole: every row with every route's mapping, onto a shelf of its own.

use std::{fs, path::Path};

use domain::time::Timestamp;
use rand_chacha::ChaCha20Rng;
use serde_json::Value as Json;

use super::{
    DropProgress, Drops, RowError, Stage,
    lines::{Lines, Stop},
    news::DropEvent,
    read::Content,
    shelf::{Builder, Shelf},
    way::DropWay,
};
use crate::{
    report::{Failure, Problem},
    route::Route,
    transport::Way,
};

/// How many rows that cannot be read are told.
const MAX_TOLD: usize = 20;
/// A sign of life after so many rows.
const TOLD_EACH: u64 = 1_000;

/// Why a drop does not answer.
#[derive(Debug)]
pub(super) struct Refusal {
    /// `None` where the process is about to end.
    pub(super) problem: Option<Problem>,
    pub(super) rows: Vec<RowError>,
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        Refusal {
            problem: Some(problem),
            rows: Vec::new(),
        }
    }
}

/// Whoever watches, and what they watch.
pub(super) struct Import<'a> {
    pub(super) drops: &'a Drops,
    pub(super) routes: &'a [Route],
    pub(super) now: Timestamp,
    pub(super) progress: &'a dyn Fn(DropProgress<'_>),
    of_bytes: u64,
}

/// What has been counted.
#[derive(Default)]
struct Count {
    rows: u64,
    left_out: u64,
    told: Vec<RowError>,
}

impl<'a> Import<'a> {
    pub(super) fn new(
        drops: &'a Drops,
        routes: &'a [Route],
        now: Timestamp,
        progress: &'a dyn Fn(DropProgress<'_>),
    ) -> Self {
        Import {
            drops,
            routes,
            now,
            progress,
            of_bytes: 0,
        }
    }

    /// Checks, reads, and puts the drop in the place of the one before. Nothing of it stays where it is refused.
    pub(super) fn run(
        mut self,
        name: &str,
        as_of: Timestamp,
        random: &mut ChaCha20Rng,
    ) -> Result<(Shelf, DropEvent), Refusal> {
        let path = self.drops.folder.join(name);
        self.of_bytes = plain_file(&path).ok_or(Problem::DropUnreadable)?;
        let expected = self.drops.expected(name)?;
        let hashed = self
            .drops
            .hash(&path, |bytes| self.tell(Stage::Checking, bytes, 0));
        match hashed.map_err(|_| Problem::DropUnreadable)? {
            None => {
                return Err(Refusal {
                    problem: None,
                    rows: Vec::new(),
                });
            }
            Some(hash) if hash != expected => return Err(Problem::ChecksumWrong.into()),
            Some(_) => {}
        }
        let built = self
            .drops
            .files
            .begin(as_of, random)
            .map_err(|_| Refusal::from(Problem::DropNotStored));
        let built = built.and_then(|mut builder| {
            let (count, hash) = self.read(&path, &mut builder)?;
            // What was read is what was checked, even where somebody writes into the file meanwhile.
            if hash != expected {
                return Err(Problem::ChecksumWrong.into());
            }
            self.tell(Stage::Indexing, self.of_bytes, count.rows);
            let finished = builder.finish(self.drops.version, self.drops.signer.is_some());
            let (rows, repeated) = finished.map_err(|_| Problem::DropNotStored)?;
            self.tell(Stage::Built, self.of_bytes, rows);
            let shelf = self
                .drops
                .files
                .publish(builder)
                .map_err(|_| Problem::DropNotStored)?;
            self.tell(Stage::Swapped, self.of_bytes, rows);
            Ok((
                shelf,
                DropEvent::Serving {
                    as_of,
                    rows,
                    left_out: count.left_out,
                    repeated,
                },
            ))
        });
        if built.is_err() {
            // Where even this fails, the next look does it again.
            drop(self.drops.files.discard(as_of));
        }
        built
    }

    fn read(&self, path: &Path, builder: &mut Builder) -> Result<(Count, [u8; 32]), Refusal> {
        let drops = self.drops;
        let packed = drops.pattern.is_packed();
        let unreadable = |_| Refusal::from(Problem::DropUnreadable);
        let mut content = Content::open(path, packed, drops.checksum).map_err(unreadable)?;
        let lines = Lines::open(&mut content, drops.layout, drops.charset, drops.bounds.row_bytes);
        let mut lines = lines.map_err(stopped)?;
        self.check_header(&lines)?;
        let mut count = Count::default();
        loop {
            let line = match lines.next(&mut content) {
                Ok(Some(line)) => line,
                Ok(None) => break,
                Err(stop) => return Err(stopped(stop)),
            };
            if lines.bytes() > drops.bounds.bytes {
                return Err(Problem::BodyTooLarge.into());
            }
            count.rows += 1;
            match line
                .row
                .map_err(Failure::bad_answer)
                .and_then(|row| Ok((self.words(&row)?, row)))
            {
                Ok((words, row)) => builder.add(&words, &row).map_err(|_| Problem::DropNotStored)?,
                Err(failure) => count.leave_out(line.line, failure, drops.bounds.bad_rows)?,
            }
            if count.rows % TOLD_EACH == 0 && !self.tell(Stage::Reading, content.count(), count.rows) {
                return Err(Refusal {
                    problem: None,
                    rows: Vec::new(),
                });
            }
        }
        if count.rows == count.left_out {
            return Err(Refusal {
                problem: Some(Problem::DropEmpty),
                rows: count.told,
            });
        }
        Ok((count, content.finish().map_err(unreadable)?))
    }

    /// By what a row is found, for each route that can read it; all must.
    fn words(&self, row: &Json) -> Result<Vec<String>, Failure> {
        let today = self.now.date_in_china();
        let one = |(route, way): (&Route, &DropWay)| {
            route.check_row(row, self.now)?;
            way.of_row(row, today)
        };
        self.ways().map(one).collect()
    }

    /// Every column that is mapped is there: one that was renamed would be an absent field in every row.
    fn check_header(&self, lines: &Lines) -> Result<(), Refusal> {
        let Some(header) = lines.header() else {
            return Ok(());
        };
        let mapped = self
            .ways()
            .flat_map(|(route, way)| route.columns().chain(way.columns()));
        let lacking = mapped.filter(|(_, column)| !header.iter().any(|name| name == column));
        let told: Vec<_> = lacking
            .map(|(field, _)| RowError {
                line: 1,
                field: Some(field.to_owned()),
                problem: Problem::HeaderMalformed,
            })
            .take(MAX_TOLD)
            .collect();
        if told.is_empty() {
            Ok(())
        } else {
            Err(Refusal {
                problem: Some(Problem::HeaderMalformed),
                rows: told,
            })
        }
    }

    fn ways(&self) -> impl Iterator<Item = (&'a Route, &'a DropWay)> {
        self.routes.iter().filter_map(|route| match &route.way {
            Way::Drop(way) => Some((route, way)),
            _ => None,
        })
    }

    /// Tells how far it is; false where the process is about to end.
    fn tell(&self, stage: Stage, bytes: u64, rows: u64) -> bool {
        let source = self.drops.id.as_str();
        (self.progress)(DropProgress {
            source,
            stage,
            bytes,
            of_bytes: self.of_bytes,
            rows,
        });
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
                problem: failure.problem,
            });
        }
        if self.left_out > most && self.told.len() as u64 >= (MAX_TOLD as u64).min(most + 1) {
            return Err(Refusal {
                problem: Some(Problem::DropRowMalformed),
                rows: std::mem::take(&mut self.told),
            });
        }
        Ok(())
    }
}

fn stopped(stop: Stop) -> Refusal {
    match stop {
        Stop::Whole(problem) => problem.into(),
        Stop::At(line, problem) => Refusal {
            problem: Some(problem),
            rows: vec![RowError {
                line,
                field: None,
                problem,
            }],
        },
    }
}

fn plain_file(path: &Path) -> Option<u64> {
    let metadata = fs::symlink_metadata(path).ok()?;
    metadata.is_file().then_some(metadata.len())
}
