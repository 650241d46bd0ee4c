//! My look-ups: search, export, put out of sight; one of them in full.

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::header,
    response::IntoResponse,
};
use domain::{ids::LookupId, requester::Requester, time::Timestamp};
use serde::Deserialize;
use store::LookupView;

use super::{Answer, Form, Holder, Page, Shared, html, kinds, page::go, sentences::field};
use crate::{
    actions::{
        open_review,
        search_history::{self, Class, Found, Search},
        view_history,
        view_image::view_image,
    },
    api::{history::ExportBody, images},
    app::App,
    error::Error,
};

/// How many rows a page shows.
const SHOWN: usize = 20;

/// What to search for, as it was typed.
#[derive(Deserialize, Default)]
#[serde(default)]
pub(crate) struct Typed {
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
pub(crate) async fn list(State(app): Shared, holder: Holder, Query(typed): Query<Typed>) -> Answer {
    let search = typed.search();
    let Found { views: rows, next } = search_history::find(&app, &holder.requester, &search, SHOWN).await?;
    let page = holder.page;
    let kinds = app.kinds.in_order();
    let choice = |id: &String, name| (id.clone(), page.of(name).to_owned(), *id == typed.kind);
    let older = next.map(|id| {
        let Typed {
            kind,
            outcome,
            from,
            to,
            hidden,
            ..
        } = &typed;
        format!("/look-ups?kind={kind}&outcome={outcome}&from={from}&to={to}&hidden={hidden}&before={id}")
    });
    html(&LookUpsView {
        rows: rows.iter().map(|view| line(&app, &page, view)).collect(),
        kinds: kinds.iter().map(|k| choice(&k.kind.id, &k.kind.name)).collect(),
        outcomes: Class::ALL
            .iter()
            .map(|c| (c.word(), Some(*c) == search.class))
            .collect(),
        is_search: typed.is_search(),
        with_hidden: search.with_hidden,
        from: search.from.map(|d| d.to_string()).unwrap_or_default(),
        to: search.to.map(|d| d.to_string()).unwrap_or_default(),
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
    let name = |id: &str| field(&app, &page, &kind, id);
    html(&DetailView {
        line: line(&app, &page, &view),
        kind_id: opening.kind.clone().filter(|id| app.kinds.get(id).is_some()),
        purpose: opening
            .purpose
            .as_deref()
            .map(|code| kinds::purpose_name(&app, &page, code)),
        basis: opening.basis.clone(),
        asked: opening.fields.iter().map(|id| name(id)).collect(),
        disclosed: opening.disclosed.keys().map(|id| name(id)).collect(),
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
    let found = search_history::export(&app, &holder.requester, None).await?;
    let text =
        serde_json::to_string_pretty(&ExportBody::of(&found)).map_err(|e| Error::Internal(e.to_string()))?;
    let headers = [
        (header::CONTENT_TYPE, "application/json"),
        (
            header::CONTENT_DISPOSITION,
            "attachment; filename=\"mingcha-look-ups.json\"",
        ),
    ];
    Ok((headers, text).into_response())
}

/// One look-up of this requester; what was just asked is there at once.
pub(super) async fn one(app: &App, requester: &Requester, id: &str) -> Result<LookupView, Error> {
    view_history::lookup(app, requester, LookupId::parse(id).ok_or(Error::NotFound)?).await
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

impl Typed {
    fn is_search(&self) -> bool {
        [&self.kind, &self.outcome, &self.from, &self.to, &self.hidden]
            .iter()
            .any(|v| !v.is_empty())
    }

    /// What it asks for; what cannot be read is not searched for.
    fn search(&self) -> Search {
        Search {
            kind: Some(self.kind.clone()).filter(|kind| !kind.is_empty()),
            class: Class::from_word(&self.outcome),
            from: self.from.parse().ok(),
            to: self.to.parse().ok(),
            with_hidden: self.hidden == "1",
            before: LookupId::parse(&self.before),
        }
    }
}
