//! What is covered: by kind and region who is asked, by what right, and what each has delivered.

use askama::Template;
use axum::extract::State;
use domain::{
    kind::{Kind, LoadedKind},
    words::Mode,
};
use sources::{Age, Agreement, Coverage, Measured, Region, SourceInfo, Span};

use super::{Answer, Guest, Page, Shared, dates, html, kinds, provinces};
use crate::{actions::watch_sources::state, app::App};

/// Who is asked for what.
#[derive(Template)]
#[template(path = "coverage.html")]
pub(super) struct CoverageView {
    pub(super) p: Page,
    pub(super) kinds: Vec<CoveredKind>,
    pub(super) sources: Vec<SourceLine>,
}

/// One kind and who is asked for it.
#[derive(Debug)]
pub(super) struct CoveredKind {
    /// Its id, to which the list on top leads.
    pub(super) id: String,
    pub(super) name: String,
    pub(super) about: String,
    pub(super) level: String,
    pub(super) statement: Option<String>,
    pub(super) lines: Vec<CoverageLine>,
    /// Where people look whose region no source covers: region, name, and address if there is one.
    pub(super) elsewhere: Vec<(String, String, Option<String>)>,
}

/// One source of a kind.
#[derive(Debug)]
pub(super) struct CoverageLine {
    pub(super) source: String,
    /// The regions; empty where it is the whole country.
    pub(super) regions: String,
    /// What can be asked: modes, and the claims that are compared.
    pub(super) features: String,
    pub(super) delivered: Delivered,
}

/// What a source promises and what it delivered.
#[derive(Debug, Clone)]
pub(super) struct Delivered {
    /// `asked`, `paused` or `expired`.
    pub(super) state: &'static str,
    pub(super) freshness: &'static str,
    pub(super) drifting: bool,
    /// Over a day, 7 and 30 days; empty where it was not asked in any of them.
    pub(super) spans: Vec<SpanLine>,
}

/// What a source delivered over one span: how often it answered, and how old that was.
#[derive(Debug, Clone)]
pub(super) struct SpanLine {
    /// The span's stable word.
    pub(super) span: &'static str,
    /// The share of questions that came to an answer; none where it was not asked.
    pub(super) success: Option<String>,
    /// How old its answers were, in a line or two.
    pub(super) ages: Vec<String>,
    /// It answers, and does not say how old the data is.
    pub(super) tells_no_age: bool,
}

/// One source and by what right it is asked.
#[derive(Debug)]
pub(super) struct SourceLine {
    pub(super) name: String,
    /// Number and last day of the agreement, and of the licence to give.
    pub(super) agreement: Option<(String, String)>,
    pub(super) licence: Option<(String, String)>,
    /// `asked`, `paused` or `expired`.
    pub(super) state: &'static str,
    /// Names of the kinds for which it is asked.
    pub(super) kinds: Vec<String>,
}

/// Coverage.
pub(crate) async fn coverage(State(app): Shared, guest: Guest) -> Answer {
    let page = guest.page;
    let coverage = app.sources.coverage();
    let covered = |loaded: &std::sync::Arc<LoadedKind>| {
        let k = &loaded.kind;
        CoveredKind {
            id: k.id.clone(),
            name: page.of(&k.name).to_owned(),
            about: page.of(&k.about).to_owned(),
            level: page.level_name(&kinds::card(&app, &page, loaded).level),
            statement: k.statement.as_ref().map(|s| page.of(s).to_owned()),
            lines: lines(&app, &page, k, &coverage),
            elsewhere: elsewhere(&app, &page, &k.id),
        }
    };
    let kinds = app.kinds.in_order().into_iter().map(covered).collect();
    html(&CoverageView {
        kinds,
        sources: source_lines(&app, &page),
        p: page,
    })
}

/// One line for each source of a kind, with all that can be asked of it.
fn lines(app: &App, page: &Page, kind: &Kind, coverage: &[Coverage]) -> Vec<CoverageLine> {
    let of_kind = |c: &&Coverage| c.kind == kind.id;
    let mut ids: Vec<&str> = vec![];
    for line in coverage.iter().filter(of_kind) {
        if !ids.contains(&line.source.as_str()) {
            ids.push(&line.source);
        }
    }
    let line = |id: &str| {
        let info = app.sources.named(id)?;
        let own = coverage.iter().filter(of_kind).filter(|c| c.source == id);
        Some(CoverageLine {
            source: page.of(&info.name).to_owned(),
            regions: regions(page, &info.regions),
            features: features(page, kind, own),
            delivered: delivered(app, page, info, &kind.id),
        })
    };
    ids.into_iter().filter_map(line).collect()
}

/// The entries of regions: those that sources name, then those that the operator does.
fn elsewhere(app: &App, page: &Page, kind: &str) -> Vec<(String, String, Option<String>)> {
    let named = app.sources.infos().flat_map(|info| &info.elsewhere);
    let named = named.filter(|entry| entry.is_of(kind)).map(|entry| {
        let region = regions(page, std::slice::from_ref(entry.region()));
        (
            region,
            page.of(&entry.name).to_owned(),
            Some(entry.address.clone()),
        )
    });
    let own = app.config.own_entries.iter().filter(|entry| entry.is_for(kind));
    let own = own.map(|e| (page.of(&e.region).to_owned(), page.of(&e.entry).to_owned(), None));
    let mut all: Vec<_> = named.collect();
    // Several files may name the same entry.
    all.dedup();
    all.extend(own);
    all
}

fn features<'a>(page: &Page, kind: &Kind, lines: impl Iterator<Item = &'a Coverage>) -> String {
    let mut words: Vec<String> = vec![];
    for line in lines {
        let by_read = line.mode == Mode::Read && kind.modes.contains(&Mode::Predicate);
        let modes = [Some(line.mode), by_read.then_some(Mode::Predicate)];
        let modes = modes
            .into_iter()
            .flatten()
            .filter(|mode| kind.modes.contains(mode));
        let claims = line.claims.iter().filter_map(|id| kind.claim(id));
        let beside = line.beside.iter().flatten().filter_map(|id| kind.field(id));
        let beside: Vec<_> = beside.map(|field| page.of(&field.name)).collect();
        let more = [
            line.images.then(|| page.t("coverage-images")),
            line.reviewed_within
                .map(|days| page.with("coverage-reviews", days.to_string())),
        ];
        let named = modes
            .map(|mode| page.word("mode", mode.code()))
            .filter(|_| line.beside.is_none())
            .chain(
                line.beside
                    .is_some()
                    .then(|| page.with("coverage-beside", beside.join(page.lang.separator()))),
            )
            .chain(claims.map(|claim| page.of(&claim.name).to_owned()))
            .chain(more.into_iter().flatten());
        for word in named {
            if !words.contains(&word) {
                words.push(word);
            }
        }
    }
    words.join(page.lang.separator())
}

/// The names of regions; the letters of plates are told beside.
fn regions(page: &Page, regions: &[Region]) -> String {
    let name = |region: &Region| {
        let name = if page.is_english() {
            provinces::english(region)
        } else {
            region.name.clone()
        };
        if region.is_by_plate() {
            page.fill("coverage-plates", &[("name", &name), ("plates", &region.code)])
        } else {
            name
        }
    };
    let names: Vec<_> = regions.iter().map(name).collect();
    names.join(page.lang.separator())
}

fn delivered(app: &App, page: &Page, info: &SourceInfo, kind: &str) -> Delivered {
    let over = |span| app.sources.told(&info.id, kind, span);
    let spans = Span::ALL.map(|span| span_line(page, span, &over(span)));
    Delivered {
        state: state(app, info),
        freshness: info.freshness.code(),
        drifting: app.sources.is_told_drifting(&info.id, kind, info.freshness),
        spans: if over(Span::Month).asked > 0 {
            spans.into()
        } else {
            vec![]
        },
    }
}

fn span_line(page: &Page, span: Span, measured: &Measured) -> SpanLine {
    let ages = measured.age(50).zip(measured.age(95));
    SpanLine {
        span: span.code(),
        success: measured.success().map(percent_of),
        ages: ages.map_or_else(Vec::new, |(half, most)| age_lines(page, half, most)),
        tells_no_age: measured.tells_age() == Some(false),
    }
}

/// How old half of the answers were at most, and 95 of 100; in elder mode what nearly all keep, or where there is no
/// bound, whether only some or most are beyond it.
fn age_lines(page: &Page, half: Age, most: Age) -> Vec<String> {
    if page.elder {
        return vec![match (half.below, most.below) {
            (_, Some(below)) => page.with("coverage-nearly-all", duration(page, below)),
            (Some(_), None) => page.with("coverage-some", duration(page, most.from)),
            (None, None) => page.with("coverage-mostly", duration(page, half.from)),
        }];
    }
    let most_text = page.with("coverage-most", age_text(page, most));
    if half == most {
        return vec![most_text];
    }
    vec![page.with("coverage-half", age_text(page, half)), most_text]
}

fn age_text(page: &Page, age: Age) -> String {
    match age.below {
        Some(below) if age.from == 0 => page.with("age-below", duration(page, below)),
        Some(below) => page.fill(
            "age-between",
            &[
                ("from", &duration(page, age.from)),
                ("below", &duration(page, below)),
            ],
        ),
        None => page.with("age-over", duration(page, age.from)),
    }
}

/// To a tenth, which is left out where it is none. The sign stays with its number at the end of a line.
fn percent_of(share: f64) -> String {
    let text = format!("{:.1}", share * 100.0);
    format!("{}\u{a0}%", text.trim_end_matches(".0"))
}

/// In the largest unit that it fills.
fn duration(page: &Page, seconds: i64) -> String {
    match seconds {
        86_400.. => page.with("duration-days", (seconds / 86_400).to_string()),
        3600.. => page.with("duration-hours", (seconds / 3600).to_string()),
        _ => page.with("duration-minutes", (seconds / 60).to_string()),
    }
}

/// Every source, with its papers.
pub(super) fn source_lines(app: &App, page: &Page) -> Vec<SourceLine> {
    let coverage = app.sources.coverage();
    let line = |info: &SourceInfo| {
        let mut kinds: Vec<String> = vec![];
        for covered in coverage.iter().filter(|c| c.source == info.id) {
            let name = kinds::name(app, page, &covered.kind);
            if !kinds.contains(&name) {
                kinds.push(name);
            }
        }
        let agreement = info.agreement.as_ref();
        let paper = |number: &String, last| (number.clone(), dates::date(page.lang, last));
        let licence = |a: &Agreement| a.licence.as_ref().map(|(number, last)| paper(number, *last));
        SourceLine {
            name: page.of(&info.name).to_owned(),
            agreement: agreement.map(|a| paper(&a.number, a.expires)),
            licence: agreement.and_then(licence),
            state: state(app, info),
            kinds,
        }
    };
    app.sources.infos().map(line).collect()
}
