//! Which source answers what, by what right, and what it has delivered: public, about nobody.

use axum::{Json, extract::State};
use serde::Serialize;
use sources::{Age, Coverage, Region, SourceInfo, Span};
use utoipa::ToSchema;

use super::{Shared, catalogue::text, lookups::TextBody};
use crate::{actions::watch_sources::state, app::App};

/// Which source answers which question.
#[derive(Serialize, ToSchema)]
pub struct CoverageBody {
    /// The record kind's id.
    kind: String,
    /// The mode; predicates are asked as `read`.
    mode: &'static str,
    /// The source's id.
    source: String,
    /// Its name.
    name: Option<TextBody>,
    /// `asked`, or why not: `paused` by an operator, `expired` with one of its papers.
    state: &'static str,
    /// What it promises: `realtime`, `daily` or `weekly`.
    freshness: &'static str,
    /// What it delivered.
    measured: MeasuredBody,
    /// The regions it covers; empty where it covers all.
    regions: Vec<RegionBody>,
    /// The claims it compares, in mode `match`.
    claims: Vec<String>,
    /// Where it is asked beside another source and never instead: the fields that are compared. Absent where it
    /// answers by itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    beside: Option<Vec<String>>,
    /// It gives images of this kind.
    images: bool,
    /// Within how many working days it answers reviews of this kind; null where it takes none.
    reviewed_within_working_days: Option<u32>,
    /// Where people of regions look that it does not cover.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    elsewhere: Vec<RegionsEntryBody>,
    /// The agreement under which it is asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    agreement: Option<PaperBody>,
    /// The paper by which the record holder may give.
    #[serde(skip_serializing_if = "Option::is_none")]
    licence: Option<PaperBody>,
}

/// A region's own entry.
#[derive(Serialize, ToSchema)]
pub struct RegionsEntryBody {
    /// The region.
    region: RegionBody,
    /// The entry's name.
    name: TextBody,
    /// Its address.
    address: String,
}

/// What a source delivered of a kind, in all its modes together.
#[derive(Serialize, ToSchema)]
pub struct MeasuredBody {
    /// The share of questions that came to an answer, over the last day; null where it was not asked.
    success_day: Option<f64>,
    /// Over the last 7 days.
    success_7_days: Option<f64>,
    /// Over the last 30 days.
    success_30_days: Option<f64>,
    /// Whether its answers of the last 7 days say how old they are; null where none could, or few came. What is not
    /// told is not measured. Of fewer than 20 answers, and of yes and no, no age is told: it would show what one of
    /// them said.
    tells_age: Option<bool>,
    /// Half of the answers of the last 7 days were no older.
    median_age: Option<AgeBody>,
    /// 95 of 100 were no older.
    p95_age: Option<AgeBody>,
    /// The same over the last day.
    median_age_day: Option<AgeBody>,
    /// The same over the last day.
    p95_age_day: Option<AgeBody>,
    /// The same over the last 30 days.
    median_age_30_days: Option<AgeBody>,
    /// The same over the last 30 days.
    p95_age_30_days: Option<AgeBody>,
    /// It delivers staler data than it promises: half of it, or more than one answer in twenty.
    drifting: bool,
}

/// A class of age, in seconds.
#[derive(Serialize, ToSchema)]
pub struct AgeBody {
    /// At least so old.
    from_seconds: i64,
    /// Less than so old; null where there is no bound.
    below_seconds: Option<i64>,
}

/// A paper and its last day.
#[derive(Serialize, ToSchema)]
pub struct PaperBody {
    /// Its number.
    number: String,
    /// Its last day, in China.
    expires: String,
}

/// A region that a source covers.
#[derive(Serialize, ToSchema)]
pub struct RegionBody {
    /// Leading digits of a division code, or how plates begin.
    code: String,
    /// Its name.
    name: String,
}

impl From<Region> for RegionBody {
    fn from(region: Region) -> Self {
        RegionBody {
            code: region.code,
            name: region.name,
        }
    }
}

impl From<Age> for AgeBody {
    fn from(age: Age) -> Self {
        AgeBody {
            from_seconds: age.from,
            below_seconds: age.below,
        }
    }
}

/// Which sources there are, what each offers, how fresh it promises to be, and what it delivered.
#[utoipa::path(get, path = "/v1/coverage", responses((status = 200, body = Vec<CoverageBody>)), tag = "catalogue")]
pub async fn coverage(State(app): Shared) -> Json<Vec<CoverageBody>> {
    let lines = app.sources.coverage().into_iter();
    Json(
        lines
            .filter_map(|line| {
                let info = app.sources.named(&line.source)?;
                Some(body(&app, line, info))
            })
            .collect(),
    )
}

fn body(app: &App, line: Coverage, info: &SourceInfo) -> CoverageBody {
    let agreement = info.agreement.as_ref();
    let paper = |number: &String, expires: jiff::civil::Date| PaperBody {
        number: number.clone(),
        expires: expires.to_string(),
    };
    let elsewhere = info.elsewhere.iter().filter(|entry| entry.is_of(&line.kind));
    let elsewhere = elsewhere.map(|entry| RegionsEntryBody {
        region: entry.region().clone().into(),
        name: text(&entry.name),
        address: entry.address.clone(),
    });
    CoverageBody {
        elsewhere: elsewhere.collect(),
        name: Some(text(&info.name)),
        state: state(app, info),
        measured: measured(app, info, &line.kind),
        agreement: agreement.map(|a| paper(&a.number, a.expires)),
        licence: agreement
            .and_then(|a| a.licence.as_ref())
            .map(|(number, expires)| paper(number, *expires)),
        kind: line.kind,
        mode: line.mode.code(),
        source: line.source,
        freshness: line.freshness.code(),
        regions: line.regions.into_iter().map(RegionBody::from).collect(),
        claims: line.claims,
        beside: line.beside,
        images: line.images,
        reviewed_within_working_days: line.reviewed_within,
    }
}

fn measured(app: &App, info: &SourceInfo, kind: &str) -> MeasuredBody {
    // To a thousandth, and without the counts: how much is asked is the operator's to know.
    let success = |span| {
        let share = app.sources.told(&info.id, kind, span).success();
        share.map(|share| (share * 1000.0).round() / 1000.0)
    };
    let week = app.sources.told(&info.id, kind, Span::Week);
    let age = |span, percent| {
        let told = app.sources.told(&info.id, kind, span);
        told.age(percent).map(AgeBody::from)
    };
    MeasuredBody {
        success_day: success(Span::Day),
        success_7_days: success(Span::Week),
        success_30_days: success(Span::Month),
        tells_age: week.tells_age(),
        median_age: age(Span::Week, 50),
        p95_age: age(Span::Week, 95),
        median_age_day: age(Span::Day, 50),
        p95_age_day: age(Span::Day, 95),
        median_age_30_days: age(Span::Month, 50),
        p95_age_30_days: age(Span::Month, 95),
        drifting: app.sources.is_told_drifting(&info.id, kind, info.freshness),
    }
}
