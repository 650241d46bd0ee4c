//! Pages for everybody: what is covered, whether a message is genuine, help, the rules of privacy.

use askama::Template;
use axum::extract::State;
use domain::words::Mode;

use super::{Answer, Guest, Page, Shared, dates, html, kinds};
use crate::app::App;

/// Who is asked for what.
#[derive(Template)]
#[template(path = "coverage.html")]
pub(super) struct CoverageView {
    pub(super) p: Page,
    pub(super) kinds: Vec<CoveredKind>,
    pub(super) sources: Vec<SourceLine>,
}

/// One kind and what can be asked of it.
#[derive(Debug)]
pub(super) struct CoveredKind {
    pub(super) name: String,
    pub(super) about: String,
    pub(super) level: String,
    pub(super) statement: Option<String>,
    pub(super) lines: Vec<CoverageLine>,
}

/// One way to ask.
#[derive(Debug)]
pub(super) struct CoverageLine {
    /// The mode's word, which names its message.
    pub(super) mode: &'static str,
    pub(super) source: String,
    /// The regions; empty where it is the whole country.
    pub(super) regions: String,
    pub(super) freshness: &'static str,
}

/// One source and by what agreement it is asked.
#[derive(Debug)]
pub(super) struct SourceLine {
    pub(super) name: String,
    pub(super) freshness: &'static str,
    pub(super) agreement: Option<(String, String)>,
    /// Names of the kinds for which it is asked.
    pub(super) kinds: Vec<String>,
}

/// How to tell whether a message is ours.
#[derive(Template)]
#[template(path = "genuine.html")]
pub(super) struct GenuineView {
    pub(super) p: Page,
    pub(super) public_url: String,
    pub(super) keys: Vec<String>,
}

/// Rights, fraud, lawful ways.
#[derive(Template)]
#[template(path = "help.html")]
pub(super) struct HelpView {
    pub(super) p: Page,
}

/// What is collected, what is shared, for how long.
#[derive(Template)]
#[template(path = "privacy.html")]
pub(super) struct PrivacyView {
    pub(super) p: Page,
    pub(super) sources: Vec<SourceLine>,
    /// Kind, minutes of an answer, years of the evidence.
    pub(super) retention: Vec<(String, String, String)>,
}

/// Coverage.
pub(crate) async fn coverage(State(app): Shared, guest: Guest) -> Answer {
    let page = guest.page;
    let coverage = app.sources.coverage();
    let line = |c: &sources::Coverage| CoverageLine {
        mode: c.mode.code(),
        source: kinds::source_name(&app, &page, &c.source),
        regions: regions(&page, &c.regions),
        freshness: c.freshness.code(),
    };
    let covered = |loaded: &std::sync::Arc<domain::kind::LoadedKind>| {
        let k = &loaded.kind;
        let lines = coverage
            .iter()
            .filter(|c| c.kind == k.id && (c.mode != Mode::Match || k.modes.contains(&c.mode)));
        CoveredKind {
            name: page.of(&k.name).to_owned(),
            about: page.of(&k.about).to_owned(),
            level: page.level_name(&kinds::card(&app, &page, loaded).level),
            statement: k.statement.as_ref().map(|s| page.of(s).to_owned()),
            lines: lines.map(line).collect(),
        }
    };
    let kinds = app.kinds.in_order().into_iter().map(covered).collect();
    html(&CoverageView {
        kinds,
        sources: source_lines(&app, &page),
        p: page,
    })
}

/// Is this message genuine?
pub(crate) async fn genuine(State(app): Shared, guest: Guest) -> Answer {
    html(&GenuineView {
        public_url: app.config.public_url.clone(),
        keys: super::verify::keys(&app),
        p: guest.page,
    })
}

/// Help.
pub(crate) async fn help(guest: Guest) -> Answer {
    html(&HelpView { p: guest.page })
}

/// Privacy.
pub(crate) async fn privacy(State(app): Shared, guest: Guest) -> Answer {
    let page = guest.page;
    let kinds = app.kinds.in_order();
    let row = |k: &domain::kind::Kind| {
        let r = &k.retention;
        (
            page.of(&k.name).to_owned(),
            r.answer_minutes.to_string(),
            r.evidence_years.to_string(),
        )
    };
    let retention = kinds.iter().map(|k| row(&k.kind)).collect();
    html(&PrivacyView {
        sources: source_lines(&app, &page),
        retention,
        p: page,
    })
}

/// The names of regions; the letters of plates are told beside.
fn regions(page: &Page, regions: &[sources::Region]) -> String {
    let by_plate = |code: &str| !code.starts_with(|c: char| c.is_ascii_digit());
    let name = |region: &sources::Region| match by_plate(&region.code) {
        true => page.fill(
            "coverage-plates",
            &[("name", &region.name), ("plates", &region.code)],
        ),
        false => region.name.clone(),
    };
    let names: Vec<_> = regions.iter().map(name).collect();
    names.join(page.lang.separator())
}

fn source_lines(app: &App, page: &Page) -> Vec<SourceLine> {
    let mut lines: Vec<(String, SourceLine)> = vec![];
    for covered in app.sources.coverage() {
        let kind = kinds::name(app, page, &covered.kind);
        if let Some((_, line)) = lines.iter_mut().find(|(id, _)| *id == covered.source) {
            if !line.kinds.contains(&kind) {
                line.kinds.push(kind);
            }
            continue;
        }
        let Some(info) = app.sources.named(&covered.source) else {
            continue;
        };
        let agreement = info
            .agreement
            .as_ref()
            .map(|a| (a.number.clone(), dates::date(page.lang, a.expires)));
        let (name, freshness) = (page.of(&info.name).to_owned(), info.freshness.code());
        lines.push((
            covered.source.clone(),
            SourceLine {
                name,
                freshness,
                agreement,
                kinds: vec![kind],
            },
        ));
    }
    lines.into_iter().map(|(_, line)| line).collect()
}
