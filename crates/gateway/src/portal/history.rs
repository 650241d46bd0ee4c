//! My look-ups: search, export, put out of sight; one of them in full.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::header,
    response::IntoResponse,
};
use domain::{ids::LookupId, requester::Requester, time::Timestamp};
use jiff::civil::Date;
use serde::Deserialize;
use serde_json::json;
use store::{LookupPage, LookupView};

use super::{
    Answer, Form, Holder, Page, Shared, html, kinds,
    page::go,
    sentences::{Class, field},
};
use crate::{
    actions::{open_review, view_history, view_image::view_image},
    api::images,
    app::App,
    error::Error,
};

/// How many rows a page shows.
const SHOWN: usize = 20;
/// How many rows one request reads at most, to find those.
const READ: u16 = 100;
const READS: usize = 5;
/// How many rows an export has at most.
const EXPORTED: usize = 5000;

/// What to search for. Nothing in it is about a person.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Search {
    kind: String,
    outcome: String,
    from: String,
    to: String,
    hidden: String,
    before: String,
}

/// A page of look-ups.
#[derive(Template)]
#[template(path = "look_ups.html")]
pub(super) struct LookUpsView {
    pub(super) p: Page,
    pub(super) rows: Vec<LookUpLine>,
    /// Kinds to choose from: id, name, chosen.
    pub(super) kinds: Vec<(String, String, bool)>,
    /// Outcomes to choose from: word, chosen.
    pub(super) outcomes: Vec<(&'static str, bool)>,
    pub(super) from: String,
    pub(super) to: String,
    pub(super) with_hidden: bool,
    /// Something was searched for.
    pub(super) is_search: bool,
    pub(super) older: Option<String>,
}

/// One look-up in a list.
#[derive(Debug)]
pub(super) struct LookUpLine {
    pub(super) lookup: String,
    pub(super) time: String,
    pub(super) kind: String,
    pub(super) class: &'static str,
    /// The outcome's code; refusals have none.
    pub(super) outcome: Option<String>,
    pub(super) hidden: bool,
}

/// One look-up in full.
#[derive(Template)]
#[template(path = "look_up_detail.html")]
pub(super) struct DetailView {
    pub(super) p: Page,
    pub(super) line: LookUpLine,
    pub(super) kind_id: Option<String>,
    pub(super) purpose: Option<String>,
    pub(super) basis: Option<String>,
    pub(super) asked: Vec<String>,
    pub(super) disclosed: Vec<String>,
    pub(super) source: Option<String>,
    pub(super) as_of: Option<String>,
    /// The code of a reason that the requester may know.
    pub(super) reason: Option<String>,
    pub(super) log_index: u64,
    /// The source takes reviews of it.
    pub(super) reviewable: bool,
}

/// The list.
pub(crate) async fn list(State(app): Shared, holder: Holder, Query(search): Query<Search>) -> Answer {
    let (rows, older) = find(&app, &holder.requester, &search).await?;
    let page = holder.page;
    let kinds = app.kinds.in_order();
    let choice = |id: &String, name| (id.clone(), page.of(name).to_owned(), *id == search.kind);
    let older = older.map(|id| {
        let Search {
            kind,
            outcome,
            from,
            to,
            hidden,
            ..
        } = &search;
        format!("/look-ups?kind={kind}&outcome={outcome}&from={from}&to={to}&hidden={hidden}&before={id}")
    });
    html(&LookUpsView {
        rows: rows.iter().map(|view| line(&app, &page, view)).collect(),
        kinds: kinds.iter().map(|k| choice(&k.kind.id, &k.kind.name)).collect(),
        outcomes: Class::ALL
            .iter()
            .map(|c| (c.word(), c.word() == search.outcome))
            .collect(),
        is_search: search.is_search(),
        with_hidden: search.hidden == "1",
        from: search
            .date(&search.from)
            .map(|d| d.to_string())
            .unwrap_or_default(),
        to: search.date(&search.to).map(|d| d.to_string()).unwrap_or_default(),
        older: older.filter(|address| super::preferences::local(address) == address),
        p: page,
    })
}

/// One of them.
pub(crate) async fn show(State(app): Shared, holder: Holder, Path(id): Path<String>) -> Answer {
    let view = one(&app, &holder.requester, &id).await?;
    let page = holder.page;
    let opening = &view.entry.shared;
    let kind = opening.kind.clone().unwrap_or_default();
    let names =
        |ids: &mut dyn Iterator<Item = &String>| ids.map(|id| field(&app, &page, &kind, id)).collect();
    html(&DetailView {
        line: line(&app, &page, &view),
        kind_id: opening.kind.clone().filter(|id| app.kinds.get(id).is_some()),
        purpose: opening
            .purpose
            .as_deref()
            .map(|code| kinds::purpose_name(&app, &page, code)),
        basis: opening.basis.clone(),
        asked: names(&mut opening.fields.iter()),
        disclosed: names(&mut opening.disclosed.keys()),
        source: opening
            .source
            .as_deref()
            .map(|id| kinds::source_name(&app, &page, id)),
        as_of: opening.as_of.map(|t| page.time(Timestamp(t))),
        reason: opening.reason.clone(),
        log_index: view.entry.leaf_index,
        reviewable: open_review::disputable(&app, &holder.requester, &view).is_some(),
        p: page,
    })
}

/// Puts one out of sight, or back. It stays in the log and in "who looked at me".
pub(crate) async fn hide(State(app): Shared, holder: Holder, Path(id): Path<String>, form: Form) -> Answer {
    let id = LookupId::parse(&id).ok_or(Error::NotFound)?;
    view_history::hide(&app, &holder.requester, id, form.get("hidden") == "1").await?;
    Ok(go(super::preferences::local(form.get("next"))))
}

/// A picture of a record, while its answer is kept. The handle is in the form: it may tell something about a person.
pub(crate) async fn image(State(app): Shared, holder: Holder, Path(id): Path<String>, form: Form) -> Answer {
    let id = LookupId::parse(&id).ok_or(Error::NotFound)?;
    let image = view_image(&app, &holder.requester, id, form.get("handle"), holder.arrived).await?;
    Ok(images::response(image))
}

/// All of them as a file.
pub(crate) async fn export(State(app): Shared, holder: Holder) -> Answer {
    let mut rows = vec![];
    let mut before = None;
    while rows.len() < EXPORTED {
        let page = LookupPage {
            before,
            with_hidden: true,
            limit: READ,
        };
        let views = view_history::lookups(&app, &holder.requester, page).await?;
        rows.extend(views.iter().map(exported));
        before = views.last().map(|v| v.lookup);
        if views.len() < usize::from(READ) {
            break;
        }
    }
    let text = serde_json::to_string_pretty(&json!({ "format": "mingcha-look-ups-v1", "look_ups": rows }))
        .map_err(|e| Error::Internal(e.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"mingcha-look-ups.json\"",
        ),
    ];
    Ok((headers, text).into_response())
}

fn exported(view: &LookupView) -> serde_json::Value {
    let opening = &view.entry.shared;
    json!({
        "lookup_id": view.lookup.to_string(),
        "time": view.time.rfc3339(),
        "state": view.state,
        "kind": opening.kind,
        "mode": opening.mode,
        "purpose": opening.purpose,
        "basis": opening.basis,
        "fields": opening.fields,
        "disclosed": opening.disclosed.keys().collect::<Vec<_>>(),
        "outcome": opening.outcome,
        "reason": opening.reason,
        "source": opening.source,
        "as_of": opening.as_of.map(|t| Timestamp(t).rfc3339()),
        "log_index": view.entry.leaf_index,
        "hidden": view.hidden,
    })
}

/// One look-up of this requester; what was just asked is there at once.
pub(super) async fn one(app: &App, requester: &Requester, id: &str) -> Result<LookupView, Error> {
    view_history::lookup(app, requester, LookupId::parse(id).ok_or(Error::NotFound)?).await
}

/// Those that fit, newest first, and the id before which to go on.
async fn find(
    app: &App,
    requester: &Requester,
    search: &Search,
) -> Result<(Vec<LookupView>, Option<LookupId>), Error> {
    let mut found = vec![];
    let mut before = LookupId::parse(&search.before);
    for _ in 0..READS {
        let page = LookupPage {
            before,
            with_hidden: search.hidden == "1",
            limit: READ,
        };
        let views = view_history::lookups(app, requester, page).await?;
        let full = views.len() == usize::from(READ);
        for view in views {
            before = Some(view.lookup);
            if search.fits(&view) {
                found.push(view);
            }
            if found.len() == SHOWN {
                return Ok((found, before));
            }
        }
        if !full {
            return Ok((found, None));
        }
    }
    Ok((found, before))
}

fn line(app: &App, page: &Page, view: &LookupView) -> LookUpLine {
    let opening = &view.entry.shared;
    LookUpLine {
        lookup: view.lookup.to_string(),
        time: page.time(view.time),
        kind: kinds::name(app, page, opening.kind.as_deref().unwrap_or_default()),
        class: Class::of(opening).word(),
        outcome: opening.outcome.clone(),
        hidden: view.hidden,
    }
}

impl Search {
    fn is_search(&self) -> bool {
        [&self.kind, &self.outcome, &self.from, &self.to, &self.hidden]
            .iter()
            .any(|v| !v.is_empty())
    }

    fn date(&self, text: &str) -> Option<Date> {
        text.parse().ok()
    }

    fn fits(&self, view: &LookupView) -> bool {
        let opening = &view.entry.shared;
        let day = view.time.date_in_china();
        (self.kind.is_empty() || opening.kind.as_deref() == Some(self.kind.as_str()))
            && (self.outcome.is_empty() || Class::of(opening).word() == self.outcome)
            && self.date(&self.from).is_none_or(|from| day >= from)
            && self.date(&self.to).is_none_or(|to| day <= to)
    }
}
