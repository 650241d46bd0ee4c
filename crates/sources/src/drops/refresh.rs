//! Looks for new drops, and puts the newest good one in the place of the one before.

use std::{
    collections::BTreeSet,
    sync::{Arc, PoisonError, TryLockError, atomic::Ordering},
};

use domain::time::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};

use super::{
    DropEvent, DropNews, DropProgress, Drops, Looked, Quarantine, Serving,
    import::{Import, Refusal},
    name::{Stamp, each},
    quarantine::Waiting,
    shelf::Shelf,
    ways::Ways,
};
use crate::{report::Problem, route::Route, source::Source, sources::Sources, transport::Transport};

/// How many drops of a folder are remembered, the newest of them: one a day for 27 years.
const MAX_REMEMBERED: usize = 10_000;
/// How many drops are tried in one look, from the newest on.
const MAX_TRIED: usize = 8;
const DAY_SECONDS: i64 = 24 * 3600;

/// A file of the folder that is a drop by its name; the newest is the greatest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    as_of: Timestamp,
    name: String,
}

/// What became of a candidate.
enum Tried {
    /// Nothing is new about it.
    Passed,
    /// It was refused, or is held back.
    Told(DropNews),
    /// It answers from now on.
    Serves(DropNews),
    /// The process is about to end.
    Stopped,
}

/// One look.
struct Look<'a> {
    routes: &'a [Route],
    now: Timestamp,
    progress: &'a dyn Fn(DropProgress<'_>),
    /// What was there before, whether it answers or not.
    kept: Option<&'a Shelf>,
}

impl Sources {
    /// Looks for new drops of one source, and returns what there is to tell. It reads whole files: call it on a thread
    /// for blocking work, one for each source, so that a slow disk or a long import holds up no other source.
    /// Questions meanwhile are answered from what was there before.
    pub fn refresh(&self, source: &str, progress: &dyn Fn(DropProgress<'_>)) -> Vec<DropNews> {
        let Some((source, drops)) = self.drops_of(source) else {
            return Vec::new();
        };
        let today = self.clock.now().date_in_china();
        // What comes after the agreement's end may not be kept.
        let agreement = source.info.agreement.as_ref();
        if agreement.is_some_and(|agreement| !agreement.holds(today)) {
            return Vec::new();
        }
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

    pub(super) fn drops_of(&self, id: &str) -> Option<(&Source, &Drops)> {
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
        let kept = self.kept();
        let kept = kept.as_deref();
        if !self.is_known() {
            return vec![self.refused("", Problem::DropNotStored)];
        }
        let mut news = Vec::new();
        if self.files.destroy_others(kept.map(Shelf::place)).is_err() {
            news.push(self.refused("", Problem::DropNotStored));
        }
        news.extend(self.remapped(&mut looked));
        let candidates = self.candidates();
        let was_there = !std::mem::replace(&mut looked.no_folder, candidates.is_err());
        let Ok(candidates) = candidates else {
            news.extend(was_there.then(|| self.refused("", Problem::NoDropFolder)));
            return news;
        };
        news.extend(self.late(&mut looked, &candidates, kept));
        let look = Look {
            routes,
            now,
            progress,
            kept,
        };
        // What is of the same date may be a corrected one.
        let newest_first = candidates.iter().rev();
        let newest = newest_first.take_while(|c| kept.is_none_or(|kept| c.as_of >= kept.as_of()));
        for candidate in newest.take(MAX_TRIED) {
            match self.try_one(&mut looked, candidate, &look, random) {
                Tried::Passed => {}
                Tried::Told(told) => news.push(told),
                Tried::Serves(told) => {
                    news.push(told);
                    break;
                }
                Tried::Stopped => return news,
            }
        }
        looked.dated.retain(|candidate| candidates.contains(candidate));
        looked
            .refused
            .retain(|candidate, _| candidates.contains(candidate));
        news.extend(self.overdue(now));
        news
    }

    fn try_one(
        &self,
        looked: &mut Looked,
        candidate: &Candidate,
        look: &Look<'_>,
        random: &mut ChaCha20Rng,
    ) -> Tried {
        let name = &candidate.name;
        let stamp = self.stamp(name);
        // Without its checksum it is still being written.
        let is_whole = self
            .folder
            .join(self.checksum_name(name))
            .symlink_metadata()
            .is_ok();
        let was_refused = looked.refused.get(candidate) == Some(&stamp) && !self.was_accepted(name);
        if !is_whole || was_refused {
            return Tried::Passed;
        }
        if let Some(problem) = self.refuse_date(candidate.as_of, look.now) {
            let is_new = looked.dated.insert(candidate.clone());
            return if is_new {
                Tried::Told(self.refused(name, problem))
            } else {
                Tried::Passed
            };
        }
        match self.is_repeated(candidate, look.kept) {
            Some(true) => return Tried::Passed,
            Some(false) => {
                looked.refused.insert(candidate.clone(), stamp);
                return Tried::Told(self.refused(name, Problem::DropSuperseded));
            }
            None => {}
        }
        let import = Import {
            drops: self,
            ways: Ways(look.routes),
            before: look.kept,
            now: look.now,
            progress: look.progress,
            name,
            of_bytes: 0,
        };
        let event = match import.run(candidate.as_of, random) {
            Ok(event) => {
                *self.waiting() = Waiting::default();
                return Tried::Serves(self.news(name, event));
            }
            Err(Refusal::Stopped) => return Tried::Stopped,
            Err(Refusal::Bad { problem, rows }) => DropEvent::Refused { problem, rows },
            Err(Refusal::Unlike(quarantine)) => {
                self.waiting().waiting = Some(quarantine.clone());
                DropEvent::Quarantined(quarantine)
            }
        };
        // A full disk is not the drop's fault: it is tried again.
        let is_ours = matches!(
            event,
            DropEvent::Refused {
                problem: Problem::DropNotStored,
                ..
            }
        );
        if !is_ours {
            looked.refused.insert(candidate.clone(), stamp);
        }
        Tried::Told(self.news(name, event))
    }

    /// Whether a drop of the date of what is kept is that one (`true`), or one that it has replaced (`false`); `None`
    /// where it is to be read.
    fn is_repeated(&self, candidate: &Candidate, kept: Option<&Shelf>) -> Option<bool> {
        let kept = kept.filter(|kept| kept.as_of() == candidate.as_of)?;
        let digest = self.expected(&candidate.name).ok()?;
        let (newest, replaced) = kept.about().digests.split_last()?;
        if replaced.contains(&digest) {
            return Some(false);
        }
        (digest == *newest && *kept.mapping() == self.mapping).then_some(true)
    }

    /// The newest drops of the folder.
    fn candidates(&self) -> std::io::Result<BTreeSet<Candidate>> {
        let mut candidates = BTreeSet::new();
        each(&self.folder, |name| {
            if let Some(as_of) = self.pattern.as_of(&name) {
                candidates.insert(Candidate { as_of, name });
            }
            if candidates.len() > MAX_REMEMBERED {
                candidates.pop_first();
            }
        })?;
        Ok(candidates)
    }

    /// Told once: what is there cannot answer until a drop has been read by the mapping of today.
    fn remapped(&self, looked: &mut Looked) -> Option<DropNews> {
        let as_of = match &*self.serving() {
            Serving::Outdated(shelf) => shelf.as_of(),
            _ => return None,
        };
        let told = std::mem::replace(&mut looked.remapped, true);
        (!told).then(|| self.news("", DropEvent::Remapped { as_of }))
    }

    /// Makes a shelf the one that answers. Who is still reading from the one before finishes there; on disk it and
    /// its key are gone.
    pub(super) fn swap(&self, shelf: Shelf) {
        let place = shelf.place();
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = Serving::Shelf(Arc::new(shelf));
        // Where it fails, the next look does it again, and tells.
        drop(self.files.destroy_others(Some(place)));
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
        candidates: &BTreeSet<Candidate>,
        kept: Option<&Shelf>,
    ) -> Vec<DropNews> {
        let Some(seen) = looked.seen.replace(candidates.clone()) else {
            return Vec::new();
        };
        // Of a full memory the oldest have gone, and are not new when they show again.
        let forgotten = seen.first().filter(|_| seen.len() == MAX_REMEMBERED);
        let is_late = |c: &&Candidate| {
            let is_older = kept.is_some_and(|kept| c.as_of < kept.as_of());
            is_older && !seen.contains(c) && forgotten.is_none_or(|forgotten| *c > forgotten)
        };
        let late = candidates.iter().filter(is_late);
        late.map(|c| self.refused(&c.name, Problem::DropSuperseded))
            .collect()
    }

    /// Told when it begins, not each minute.
    fn overdue(&self, now: Timestamp) -> Option<DropNews> {
        let as_of = self.shelf()?.as_of();
        let overdue = as_of < now.plus_seconds(-self.bounds.age_days * DAY_SECONDS);
        let was = self.overdue.swap(overdue, Ordering::Relaxed);
        (overdue && !was).then(|| self.news("", DropEvent::Overdue { as_of }))
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
            let column = first.and_then(|r| r.column.as_deref());
            let row = first.map(|r| r.problem.code());
            tracing::error!(
                source,
                file,
                problem = problem.code(),
                line,
                field,
                column,
                row,
                "a drop was refused; the one before goes on"
            );
        }
        DropEvent::Quarantined(quarantine) => {
            let Quarantine {
                rows,
                before,
                lacking,
                ..
            } = quarantine;
            let problem = quarantine.problem().code();
            count(problem);
            tracing::error!(
                source,
                file,
                problem,
                rows,
                before,
                ?lacking,
                "a drop is unlike the one before, which goes on: accept it if it is meant"
            );
        }
        DropEvent::Remapped { .. } => {
            count(Problem::MappingChanged.code());
            tracing::error!(
                source,
                "the mapping changed: nothing answers until a drop has been read by it"
            );
        }
        DropEvent::Overdue { .. } => {
            count(Problem::DropOverdue.code());
            tracing::error!(source, "no good drop came for too long; the one before goes on");
        }
    }
}
