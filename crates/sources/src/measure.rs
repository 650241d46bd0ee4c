//! What a source delivers of each kind, measured: how often it answered and how old its answers were, by the hour for
//! 30 days.
//!
//! Counts and nothing else, in memory of a fixed size (720 hours of 88 bytes for a kind of a source). They are about
//! answers, not about people: no region, no look-up.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use domain::{
    time::Timestamp,
    words::{Freshness, Mode},
};
use serde::{Deserialize, Serialize};

use crate::{source::SourceInfo, sources::Sources};

/// 30 days.
const HOURS: i64 = 720;
const HOUR_US: i64 = 3_600_000_000;
const DAY_SECONDS: i64 = 86_400;

/// Where one class of age ends and the next begins, in seconds; the first begins at 0, the last has no end.
const AGES: [i64; 15] = [
    900,
    3600,
    6 * 3600,
    12 * 3600,
    DAY_SECONDS,
    2 * DAY_SECONDS,
    3 * DAY_SECONDS,
    4 * DAY_SECONDS,
    5 * DAY_SECONDS,
    6 * DAY_SECONDS,
    7 * DAY_SECONDS,
    8 * DAY_SECONDS,
    10 * DAY_SECONDS,
    15 * DAY_SECONDS,
    31 * DAY_SECONDS,
];
/// Fewer ages than these are told, but are no reason for an alarm.
const ENOUGH: u64 = 3;
/// So many of a hundred answers must be as fresh as was promised, and not only half of them.
const TAIL: u64 = 95;
/// Of fewer ages than these one alone would be more than five of a hundred.
const ENOUGH_FOR_TAIL: u64 = 20;

/// From so many answers on anybody is told how old they are: of fewer it could be read what a single one had said.
const ENOUGH_TO_TELL: u64 = 20;

/// Over how long something was measured, in hours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Span {
    /// The last 24 hours.
    Day = 24,
    /// The last 7 days.
    Week = 168,
    /// The last 30 days.
    Month = 720,
}

impl Span {
    /// From the shortest to the longest.
    pub const ALL: [Span; 3] = [Span::Day, Span::Week, Span::Month];

    /// The stable word for metrics.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Span::Day => "day",
            Span::Week => "7-days",
            Span::Month => "30-days",
        }
    }
}

/// What was measured over a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Measured {
    /// Questions that were put, or that the source was too ill or too busy to be put.
    pub asked: u64,
    /// Those that came to an answer, whatever it said.
    pub answered: u64,
    ages: [u64; AGES.len() + 1],
    undated: u64,
}

/// A class of age, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    /// At least so old.
    pub from: i64,
    /// Less than so old; `None` for the oldest class.
    pub below: Option<i64>,
}

impl Measured {
    /// The share of questions that came to an answer; `None` where there were none.
    #[must_use]
    pub fn success(&self) -> Option<f64> {
        (self.asked > 0).then(|| self.answered as f64 / self.asked as f64)
    }

    /// How many answers said as of when they were true.
    #[must_use]
    pub fn dated(&self) -> u64 {
        self.ages.iter().sum()
    }

    /// The class of age that so many hundredths of the dated answers do not exceed; `None` where there are none.
    #[must_use]
    pub fn age(&self, percent: u64) -> Option<Age> {
        let wanted = (self.dated() * percent).div_ceil(100).max(1);
        let mut seen = 0;
        let class = self.ages.iter().position(|count| {
            seen += count;
            seen >= wanted
        })?;
        Some(Age {
            from: class.checked_sub(1).map_or(0, |before| AGES[before]),
            below: AGES.get(class).copied(),
        })
    }

    /// Whether what came says how old it is; `None` where nothing came that could. What is not told is not measured.
    #[must_use]
    pub fn tells_age(&self) -> Option<bool> {
        let dated = self.dated();
        (dated + self.undated > 0).then_some(dated > 0)
    }

    /// The same with ages only where there are enough of them.
    fn with_ages_of_many(self) -> Self {
        // Of many without an age and one with it, that one would be told.
        let dated_alone = (1..ENOUGH_TO_TELL).contains(&self.dated());
        if self.dated() + self.undated >= ENOUGH_TO_TELL && !dated_alone {
            self
        } else {
            self.without_ages()
        }
    }

    fn without_ages(self) -> Self {
        Measured {
            asked: self.asked,
            answered: self.answered,
            ..Measured::default()
        }
    }

    /// Not so many hundredths of the answers were as fresh as was promised.
    fn is_staler(&self, percent: u64, promised: Freshness) -> bool {
        self.age(percent).is_some_and(|age| age.from >= oldest(promised))
    }
}

/// How old an answer may be, in seconds. `daily` is as of the day before, whose first minute is two days old by the
/// last of today; `weekly` is as of the last delivery, and a day to bring it in.
#[must_use]
pub fn oldest(promised: Freshness) -> i64 {
    match promised {
        Freshness::Realtime => 3600,
        Freshness::Daily => 2 * DAY_SECONDS,
        Freshness::Weekly => 8 * DAY_SECONDS,
    }
}

/// One hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
struct Hour {
    /// Hours since 1970.
    hour: i64,
    asked: u32,
    answered: u32,
    ages: [u32; AGES.len() + 1],
    /// Records, matches and mismatches that did not say how old they are.
    #[serde(default)]
    undated: u32,
}

/// What came of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Came {
    /// No answer.
    Nothing,
    /// An answer that has no age, such as that there is no record.
    Word,
    /// A record, a match or a mismatch, and as of when it is true, if that was said.
    Data(Option<Timestamp>),
}

/// The last 720 hours of one kind of one source; an hour's place is its number modulo 720.
pub(crate) struct Measure(Mutex<Vec<Hour>>);

impl Measure {
    pub(crate) fn new() -> Self {
        Measure(Mutex::new(vec![Hour::default(); HOURS as usize]))
    }

    /// Counts one question. An instant that lies before what its place holds already is not counted: a clock that
    /// was set back does not wipe out what was measured.
    pub(crate) fn record(&self, now: Timestamp, came: Came) {
        let hour = now.0.div_euclid(HOUR_US);
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let place = &mut hours[place_of(hour)];
        if place.hour > hour {
            return;
        }
        if place.hour < hour {
            *place = Hour {
                hour,
                ..Hour::default()
            };
        }
        place.asked = place.asked.saturating_add(1);
        place.answered = place.answered.saturating_add(u32::from(came != Came::Nothing));
        match came {
            Came::Nothing | Came::Word => {}
            Came::Data(None) => place.undated = place.undated.saturating_add(1),
            Came::Data(Some(as_of)) => {
                let seconds = now.0.saturating_sub(as_of.0) / 1_000_000;
                let class = AGES.partition_point(|end| *end <= seconds);
                place.ages[class] = place.ages[class].saturating_add(1);
            }
        }
    }

    /// What was measured in the span that ends with this hour.
    pub(crate) fn over(&self, span: Span, now: Timestamp) -> Measured {
        let last = now.0.div_euclid(HOUR_US);
        let first = last - (span as i64) + 1;
        let hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sum = Measured::default();
        for hour in hours.iter().filter(|h| (first..=last).contains(&h.hour)) {
            sum.asked += u64::from(hour.asked);
            sum.answered += u64::from(hour.answered);
            sum.undated += u64::from(hour.undated);
            for (sum, count) in sum.ages.iter_mut().zip(hour.ages) {
                *sum += u64::from(count);
            }
        }
        sum
    }

    fn is_drifting(&self, promised: Freshness, now: Timestamp) -> bool {
        self.drifts(promised, now, ENOUGH)
    }

    /// Whether it does by what so many answers at least say.
    fn drifts(&self, promised: Freshness, now: Timestamp, least: u64) -> bool {
        let (day, week) = (self.over(Span::Day, now), self.over(Span::Week, now));
        [(50, least), (TAIL, least.max(ENOUGH_FOR_TAIL))]
            .into_iter()
            .any(|(percent, enough)| {
                let judged = [&day, &week].into_iter().find(|m| m.dated() >= enough);
                judged.is_some_and(|m| m.is_staler(percent, promised))
            })
    }

    fn kept(&self) -> Vec<Hour> {
        let hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        hours.iter().filter(|h| h.asked > 0).copied().collect()
    }

    fn restore(&self, kept: &[Hour]) {
        let mut hours = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for hour in kept {
            let place = &mut hours[place_of(hour.hour)];
            if hour.hour > place.hour {
                *place = *hour;
            }
        }
    }
}

fn place_of(hour: i64) -> usize {
    usize::try_from(hour.rem_euclid(HOURS)).unwrap_or(0)
}

impl Sources {
    /// What a source delivered of a kind over a span that ends now; nothing where it does not serve it.
    #[must_use]
    pub fn measured(&self, source: &str, kind: &str, span: Span) -> Measured {
        let measure = self.measure_of(source, kind);
        measure.map_or_else(Measured::default, |m| m.over(span, self.clock.now()))
    }

    /// What anybody may be told of that. Ages are left out where there are few, and of a kind that the source compares
    /// altogether: where it dates only what matches, its ages would tell a yes from a no.
    #[must_use]
    pub fn told(&self, source: &str, kind: &str, span: Span) -> Measured {
        let measured = self.measured(source, kind, span);
        if self.compares(source, kind) {
            measured.without_ages()
        } else {
            measured.with_ages_of_many()
        }
    }

    /// Whether anybody may be told that a source delivers staler data of a kind than it promises.
    #[must_use]
    pub fn is_told_drifting(&self, source: &str, kind: &str, promised: Freshness) -> bool {
        let measure = self.measure_of(source, kind);
        let drifts = measure.is_some_and(|m| m.drifts(promised, self.clock.now(), ENOUGH_TO_TELL));
        drifts && !self.compares(source, kind)
    }

    fn compares(&self, source: &str, kind: &str) -> bool {
        let source = self.all().iter().find(|s| s.info.id == source);
        source.is_some_and(|s| {
            let mut routes = s.routes.iter();
            routes.any(|route| route.kind == kind && route.mode == Mode::Match)
        })
    }

    /// Whether a source delivers staler data of a kind than it promises: half of its answers, or more than one in
    /// twenty. Each is judged over the last day, or where that says too little, over the last seven.
    #[must_use]
    pub fn is_drifting(&self, source: &str, kind: &str, promised: Freshness) -> bool {
        let measure = self.measure_of(source, kind);
        measure.is_some_and(|m| m.is_drifting(promised, self.clock.now()))
    }

    /// Every source with the kinds that it serves, each once: what is measured.
    pub fn served(&self) -> impl Iterator<Item = (&SourceInfo, &str)> {
        self.all().iter().flat_map(|source| {
            let kinds = source.measures.keys();
            kinds.map(move |kind| (&source.info, kind.as_str()))
        })
    }

    /// All that was measured, as JSON, to be kept over a restart.
    #[must_use]
    pub fn keep_measures(&self) -> String {
        let of =
            |source: &str, kind: &str| self.measure_of(source, kind).map_or_else(Vec::new, Measure::kept);
        let all: BTreeMap<_, _> = self
            .served()
            .map(|(info, kind)| (format!("{}/{kind}", info.id), of(&info.id, kind)))
            .collect();
        serde_json::to_string(&all).unwrap_or_default()
    }

    /// Takes up what was kept; sources and kinds that are gone are left out.
    ///
    /// # Errors
    /// It is not what [`Sources::keep_measures`] wrote; then nothing is taken up.
    pub fn restore_measures(&self, kept: &str) -> Result<(), serde_json::Error> {
        let all: BTreeMap<String, Vec<Hour>> = serde_json::from_str(kept)?;
        for (name, hours) in &all {
            let (source, kind) = name.split_once('/').unwrap_or_default();
            if let Some(measure) = self.measure_of(source, kind) {
                measure.restore(hours);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_795_314_304_000_000);

    fn days_old(days: i64) -> Came {
        Came::Data(Some(NOW.plus_seconds(-days * DAY_SECONDS)))
    }

    #[test]
    fn five_days_old_is_shown_as_such_and_is_no_daily_data() {
        let measure = Measure::new();
        for _ in 0..3 {
            measure.record(NOW, days_old(5));
        }
        let day = measure.over(Span::Day, NOW);
        let age = day.age(50).unwrap();
        assert_eq!((age.from, age.below), (5 * DAY_SECONDS, Some(6 * DAY_SECONDS)));
        assert!(measure.is_drifting(Freshness::Daily, NOW) && measure.is_drifting(Freshness::Realtime, NOW));
        assert!(!measure.is_drifting(Freshness::Weekly, NOW));
        for _ in 0..4 {
            measure.record(NOW, days_old(1));
        }
        assert!(
            !measure.is_drifting(Freshness::Daily, NOW),
            "most are as promised, and they are few"
        );
    }

    #[test]
    fn that_a_few_answers_are_too_old_is_not_told() {
        let measure = Measure::new();
        let told = || measure.drifts(Freshness::Daily, NOW, ENOUGH_TO_TELL);
        for n in 1..=ENOUGH_TO_TELL {
            assert!(!told(), "{n}");
            measure.record(NOW, days_old(5));
        }
        assert!(told());
        // Of a day with few answers nothing is told by itself: the week is.
        let tomorrow = NOW.plus_seconds(2 * DAY_SECONDS);
        let week = Measure::new();
        for _ in 0..100 {
            week.record(NOW, days_old(0));
        }
        for _ in 0..ENOUGH {
            week.record(tomorrow, days_old(5));
        }
        assert!(week.is_drifting(Freshness::Daily, tomorrow));
        assert!(!week.drifts(Freshness::Daily, tomorrow, ENOUGH_TO_TELL));
    }

    #[test]
    fn one_in_twenty_may_be_stale_and_no_more() {
        for (stale, fresh, drifts) in [
            (1, 18, false),
            (1, 19, false),
            (2, 18, true),
            (5, 95, false),
            (49, 51, true),
        ] {
            let measure = Measure::new();
            for n in 0..stale + fresh {
                measure.record(NOW, days_old(if n < stale { 5 } else { 1 }));
            }
            let (of, in_a_week) = (stale + fresh, NOW.plus_seconds(6 * DAY_SECONDS));
            assert_eq!(
                measure.is_drifting(Freshness::Daily, NOW),
                drifts,
                "{stale} of {of}"
            );
            assert_eq!(
                measure.is_drifting(Freshness::Daily, in_a_week),
                drifts,
                "{stale} of {of}"
            );
        }
    }

    #[test]
    fn an_age_that_is_not_told_is_not_measured() {
        let measure = Measure::new();
        let tells = || measure.over(Span::Day, NOW).tells_age();
        measure.record(NOW, Came::Nothing);
        measure.record(NOW, Came::Word);
        assert_eq!(tells(), None, "no record has no age");
        measure.record(NOW, Came::Data(None));
        assert_eq!(tells(), Some(false));
        measure.record(NOW, days_old(1));
        assert_eq!(tells(), Some(true));
    }

    #[test]
    fn two_answers_are_told_but_raise_no_alarm() {
        let measure = Measure::new();
        measure.record(NOW, days_old(40));
        measure.record(NOW, days_old(40));
        let day = measure.over(Span::Day, NOW);
        assert_eq!(day.age(95).unwrap().below, None);
        assert!(!measure.is_drifting(Freshness::Daily, NOW));
        assert_eq!(Measured::default().age(50), None);
        assert_eq!(Measured::default().success(), None);
    }

    #[test]
    fn what_a_single_answer_said_is_not_told() {
        let measure = Measure::new();
        let told = || measure.over(Span::Day, NOW).with_ages_of_many();
        for n in 1..ENOUGH_TO_TELL {
            // One of three does not say how old it is.
            measure.record(NOW, if n % 3 == 0 { Came::Data(None) } else { days_old(1) });
            assert_eq!((told().tells_age(), told().age(50)), (None, None), "{n}");
            assert_eq!((told().asked, told().success()), (n, Some(1.0)));
        }
        assert_eq!(
            measure.over(Span::Day, NOW).tells_age(),
            Some(true),
            "to operators it is"
        );
        for _ in 0..ENOUGH_TO_TELL {
            measure.record(NOW, days_old(1));
        }
        assert_eq!(told(), measure.over(Span::Day, NOW));
        assert_eq!(told().tells_age(), Some(true));
        let undated = Measure::new();
        for _ in 0..ENOUGH_TO_TELL {
            undated.record(NOW, Came::Data(None));
        }
        let told = || undated.over(Span::Day, NOW).with_ages_of_many();
        assert_eq!(told().tells_age(), Some(false));
        undated.record(NOW, days_old(1));
        assert_eq!((told().tells_age(), told().age(50)), (None, None), "one of many");
    }

    proptest! {
        /// Against a list of all that happened, with a clock that only goes forward by whole hours.
        #[test]
        fn it_counts_as_a_list_would(steps in prop::collection::vec((0i64..60, any::<bool>()), 0..300)) {
            let (measure, mut now, mut all) = (Measure::new(), NOW, Vec::new());
            for (wait, answered) in steps {
                now = now.plus_seconds(wait * 3600);
                measure.record(now, if answered { Came::Word } else { Came::Nothing });
                all.push((now.0.div_euclid(HOUR_US), answered));
            }
            let again = Measure::new();
            again.restore(&measure.kept());
            let last = now.0.div_euclid(HOUR_US);
            for span in Span::ALL {
                let within = || all.iter().filter(|(hour, _)| last - hour < span as i64);
                for measured in [measure.over(span, now), again.over(span, now)] {
                    prop_assert_eq!(measured.asked, within().count() as u64);
                    prop_assert_eq!(measured.answered, within().filter(|(_, answered)| *answered).count() as u64);
                }
            }
        }
    }
}
