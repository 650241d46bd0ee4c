//! A report: a record and its parts, each with its own source, date and receipt.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
};

use super::{
    Answer, Form, Holder, Page, Shared,
    answer::PartView,
    html,
    look_up::{Step, ask, key, once, question},
    page::html_with,
    turn::{self, Asked},
    values::Shown,
};
use crate::{actions::report as reporting, app::App, error::Error, turns::Pass};

/// The parts of a report.
#[derive(Template)]
#[template(path = "report.html")]
pub(super) struct ReportView {
    pub(super) p: Page,
    pub(super) name: String,
    pub(super) key: Vec<(String, String)>,
    /// The key as people read it.
    pub(super) about: String,
    pub(super) parts: Vec<PartView>,
    pub(super) once: String,
    pub(super) may_reveal: bool,
}

/// The notices of all parts, and the form.
pub(crate) async fn show(
    State(app): Shared,
    holder: Holder,
    Path(id): Path<String>,
    Query(step): Query<Step>,
) -> Answer {
    let kind = super::kinds::get(&app, &id)?;
    if kind.kind.parts.is_empty() {
        return Err(Error::NotFound.into());
    }
    holder.needs(kind.kind.level)?;
    html(&question(&app, &holder.page, kind, true, None, step.is_form())?)
}

/// The report.
pub(crate) async fn submit(State(app): Shared, holder: Holder, Path(id): Path<String>, form: Form) -> Answer {
    let kind = super::kinds::get(&app, &id)?;
    if kind.kind.parts.is_empty() {
        return Err(Error::NotFound.into());
    }
    holder.needs(kind.kind.level)?;
    let view = question(&app, &holder.page, kind, true, Some(&form), true)?;
    if view.is_wrong() {
        return html_with(StatusCode::BAD_REQUEST, &view);
    }
    turn::ask(&app, holder, Asked::Report(id), form).await
}

/// Its parts, when it is their turn; they have one turn together.
pub(super) async fn answer(app: &Arc<App>, holder: Holder, id: &str, form: &Form, pass: Pass) -> Answer {
    let kind = super::kinds::get(app, id)?;
    let ask = ask(app, &holder, kind, form)?;
    let (shared, requester) = (Arc::clone(app), holder.requester);
    let task = tokio::spawn(async move {
        let _in_work = pass;
        reporting::report(&shared, &requester, &ask).await
    });
    let parts = task.await.map_err(Error::from)??;
    let page = holder.page.at(format!("/report/{id}"));
    html(&ReportView {
        name: page.of(&kind.kind.name).to_owned(),
        about: about(&page, &kind.kind, form),
        parts: parts
            .iter()
            .map(|(kind, result)| PartView::of(app, &page, kind, result))
            .collect(),
        key: key(&kind.kind, form),
        once: once(app),
        may_reveal: holder.requester.level >= super::answer::REVEAL,
        p: page,
    })
}

/// The key as people read it: `京A·12345，小型汽车`.
fn about(page: &Page, kind: &domain::kind::Kind, form: &Form) -> String {
    let value = |part: &domain::kind::KeyPart| {
        let typed = serde_json::json!(form.get(&format!("key.{}", part.id)));
        let normal = part.of_type.read(&typed).map_or(typed, |v| v.into_json());
        super::values::text(page, &part.of_type, &normal, false)
    };
    kind.key.iter().map(value).collect::<Vec<_>>().join(" · ")
}
