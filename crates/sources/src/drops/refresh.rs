//! Looks for new drops, and puts the newest good one in the place of the one before.

use std::{
    cmp::Reverse,
    collections::BTreeSet,
    sync::{Arc, PoisonError, TryLockError, atomic::Ordering},
};

use domain::time::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::{
    DropEvent, DropNews, DropProgress, Drops, Looked, Serving,
    import::Import,
    name::{Stamp, list},
};
use crate::{report::Problem, route::Route, source::Source, sources::Sources, transport::Transport};

/// How many files of a folder are looked at: a drop, its checksum and its signature each day for nine years.
const MAX_FILES: usize = 10_000;
/// How many drops are tried in one look, from the newest on.
const MAX_TRIED: usize = 8;
const DAY_SECONDS: i64 = 24 * 3600;

/// A file of the folder that is a drop by its name.
struct Candidate {
    name: String,
    as_of: Timestamp,
}

impl Sources {
    /// Looks for new drops of one source, and returns what there is to tell. It reads whole files: call it on a thread
    /// for blocking work, one for each source, so that a slow disk or a long import holds up no other source.
    /// Questions meanwhile are answered from what was there before.
    pub fn refresh(&self, source: &str, progress: &dyn Fn(DropProgress<'_>)) -> Vec<DropNews> {
        let Some((source, drops)) = self.drops_of(source) else {
            return Vec::new();
        };
        let mut seed = [0; 32];
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(&mut seed);
        let now = self.clock.now();
        let news = drops.refresh(&source.routes, now, &mut ChaCha20Rng::from_seed(seed), progress);
        news.iter().for_each(observe);
        if let Some(shelf) = drops.shelf() {
            let age = now.0.saturating_sub(shelf.as_of().0) / 1_000_000;
            #[expect(clippy::cast_precision_loss, reason = "seconds of an age fit a float exactly")]
            metrics::gauge!("mingcha_source_drop_age_seconds", "source" => source.info.id.clone())
                .set(age as f64);
        }
        news
    }

    /// The ids of the sources that have drops to look for.
    pub fn drop_sources(&self) -> impl Iterator<Item = &str> {
        let has_drops = |source: &&Source| matches!(source.transport, Transport::Drops(_));
        self.all()
            .iter()
            .filter(has_drops)
            .map(|source| source.info.id.as_str())
    }

    fn drops_of(&self, id: &str) -> Option<(&Source, &Drops)> {
        let source = self.all().iter().find(|source| source.info.id == id)?;
        match &source.transport {
            Transport::Drops(drops) => Some((source, drops)),
            _ => None,
        }
    }

    /// Ends every import that is under way, for a process that is about to end.
    pub fn stop_refreshing(&self) {
        for source in self.all() {
            if let Transport::Drops(drops) = &source.transport {
                drops.stop();
            }
        }
    }
}

impl Drops {
    fn refresh(
        &self,
        routes: &[Route],
        now: Timestamp,
        random: &mut ChaCha20Rng,
        progress: &dyn Fn(DropProgress<'_>),
    ) -> Vec<DropNews> {
        let mut looked = match self.looking.try_lock() {
            Ok(looked) => looked,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            // Another look is at work.
            Err(TryLockError::WouldBlock) => return Vec::new(),
        };
        let serving = self.shelf().map(|shelf| shelf.as_of());
        let mut news = Vec::new();
        if self.files.destroy_others(serving).is_err() {
            news.push(self.refused("", Problem::DropNotStored));
        }
        let Ok(names) = list(&self.folder, MAX_FILES) else {
            news.extend(self.refuse_once(&mut looked, "", Problem::DropUnreadable));
            return news;
        };
        let mut candidates: Vec<_> = names.iter().filter_map(|name| self.candidate(name)).collect();
        candidates.sort_by_key(|candidate| Reverse(candidate.as_of));
        news.extend(self.late(&mut looked, &candidates, serving));
        let newer = candidates
            .iter()
            .filter(|c| serving.is_none_or(|serving| c.as_of > serving));
        for candidate in newer.take(MAX_TRIED) {
            let stamp = self.stamp(&candidate.name);
            // Without its checksum it is still being written.
            if !names.contains(&self.checksum_name(&candidate.name))
                || looked.refused.get(&candidate.name) == Some(&stamp)
            {
                continue;
            }
            if let Some(problem) = self.refuse_date(candidate.as_of, now) {
                if looked.dated.insert(candidate.name.clone()) {
                    news.push(self.refused(&candidate.name, problem));
                }
                continue;
            }
            let import = Import::new(self, routes, now, progress);
            match import.run(&candidate.name, candidate.as_of, random) {
                Ok((shelf, event)) => {
                    self.swap(shelf);
                    news.push(self.news(&candidate.name, event));
                    break;
                }
                Err(refusal) => {
                    let Some(problem) = refusal.problem else {
                        return news;
                    };
                    // A full disk is not the drop's fault: it is tried again.
                    if problem != Problem::DropNotStored {
                        looked.refused.insert(candidate.name.clone(), stamp);
                    }
                    let rows = refusal.rows;
                    news.push(self.news(&candidate.name, DropEvent::Refused { problem, rows }));
                }
            }
        }
        looked.dated.retain(|name| names.contains(name));
        looked
            .refused
            .retain(|name, _| names.contains(name) || name.is_empty());
        news.extend(self.overdue(now));
        news
    }

    /// Makes a shelf the one that answers. Who is still reading from the one before finishes there; on disk it and
    /// its key are gone.
    fn swap(&self, shelf: super::shelf::Shelf) {
        let as_of = shelf.as_of();
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = Serving::Shelf(Arc::new(shelf));
        // Where it fails, the next look does it again, and tells.
        drop(self.files.destroy_others(Some(as_of)));
    }

    fn candidate(&self, name: &str) -> Option<Candidate> {
        let as_of = self.pattern.as_of(name)?;
        Some(Candidate {
            name: name.to_owned(),
            as_of,
        })
    }

    fn stamp(&self, name: &str) -> Stamp {
        let checksum = self.folder.join(self.checksum_name(name));
        let signature = self.folder.join(format!("{}.sig", self.checksum_name(name)));
        Stamp::of(&[&self.folder.join(name), &checksum, &signature])
    }

    fn refuse_date(&self, as_of: Timestamp, now: Timestamp) -> Option<Problem> {
        if as_of > now {
            return Some(Problem::AsOfInFuture);
        }
        (as_of < now.plus_seconds(-self.bounds.age_days * DAY_SECONDS)).then_some(Problem::DropOutdated)
    }

    /// Drops that came although a newer one answers: somebody sent last month's again. What lay there at the first
    /// look is the archive.
    fn late(
        &self,
        looked: &mut Looked,
        candidates: &[Candidate],
        serving: Option<Timestamp>,
    ) -> Vec<DropNews> {
        let names: BTreeSet<String> = candidates.iter().map(|c| c.name.clone()).collect();
        let Some(seen) = looked.seen.replace(names) else {
            return Vec::new();
        };
        let is_late =
            |c: &&Candidate| !seen.contains(&c.name) && serving.is_some_and(|serving| c.as_of <= serving);
        let late = candidates.iter().filter(is_late);
        late.map(|c| self.refused(&c.name, Problem::DropOutdated))
            .collect()
    }

    /// Told when it begins, not each minute.
    fn overdue(&self, now: Timestamp) -> Option<DropNews> {
        let as_of = self.shelf()?.as_of();
        let overdue = as_of < now.plus_seconds(-self.bounds.age_days * DAY_SECONDS);
        let was = self.overdue.swap(overdue, Ordering::Relaxed);
        (overdue && !was).then(|| self.news("", DropEvent::Overdue { as_of }))
    }

    fn refuse_once(&self, looked: &mut Looked, name: &str, problem: Problem) -> Option<DropNews> {
        let before = looked.refused.insert(name.to_owned(), Stamp::of(&[]));
        before.is_none().then(|| self.refused(name, problem))
    }

    fn refused(&self, name: &str, problem: Problem) -> DropNews {
        self.news(
            name,
            DropEvent::Refused {
                problem,
                rows: Vec::new(),
            },
        )
    }

    fn news(&self, name: &str, event: DropEvent) -> DropNews {
        DropNews {
            source: self.id.clone(),
            file: name.to_owned(),
            event,
        }
    }
}

/// Counts and traces: names that fit a pattern, places and codes.
fn observe(news: &DropNews) {
    let (source, file) = (&news.source, &news.file);
    let count = |problem: &'static str| {
        metrics::counter!("mingcha_source_problems_total", "source" => source.clone(), "problem" => problem)
            .increment(1);
    };
    match &news.event {
        DropEvent::Serving {
            rows,
            left_out,
            repeated,
            ..
        } => {
            tracing::info!(
                source,
                file,
                rows,
                left_out,
                repeated,
                "a drop answers from now on"
            );
        }
        DropEvent::Refused { problem, rows } => {
            count(problem.code());
            let first = rows.first();
            let (line, field) = (first.map(|r| r.line), first.and_then(|r| r.field.as_deref()));
            let row = first.map(|r| r.problem.code());
            tracing::error!(
                source,
                file,
                problem = problem.code(),
                line,
                field,
                row,
                "a drop was refused; the one before goes on"
            );
        }
        DropEvent::Overdue { .. } => {
            count(Problem::DropOverdue.code());
            tracing::error!(source, "no good drop came for too long; the one before goes on");
        }
    }
}
