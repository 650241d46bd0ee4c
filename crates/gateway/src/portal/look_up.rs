//! Looking up one kind: the notice and the form, then the answer.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Path, Query, State},
    http::StatusCode,
};
use domain::{
    kind::{Kind, LoadedKind},
    lookup::{RawLookup, SubjectRef},
    words::Mode,
};
use serde::Deserialize;
use serde_json::json;
use sha2::{Digest, Sha256};

use super::{
    Answer, Form, Holder, Page, Shared,
    answer::{AnswerView, REVEAL},
    html,
    inputs::{self, Input},
    kinds::{self, KindCard},
    notices::{Block, NoticeView, notice},
    page::html_with,
    turn::{self, Asked},
    values::Shown,
};
use crate::{
    actions::look_up::{self, Answered, Ask},
    app::{App, hex},
    error::Error,
    turns::Pass,
};

/// The notice, and the form for the key.
#[derive(Template)]
#[template(path = "look_up.html")]
pub(super) struct LookUpView {
    pub(super) p: Page,
    pub(super) kind: KindCard,
    /// Where the form goes, which is also the address of this page.
    pub(super) action: String,
    /// A report of several parts is asked for.
    pub(super) is_report: bool,
    pub(super) notices: Vec<NoticeView>,
    pub(super) inputs: Vec<Input>,
    pub(super) mode: &'static str,
    /// Rules that can be asked instead, answered by yes or no: id and question.
    pub(super) rules: Vec<(String, String)>,
    pub(super) purpose: String,
    /// Who will be asked.
    pub(super) sources: Vec<String>,
    pub(super) mark: Option<String>,
    /// Repeats the same answer when the form is sent again.
    pub(super) once: String,
    /// The notice stands on this page; in elder mode each step has a page.
    pub(super) shows_notice: bool,
    /// The form stands on this page.
    pub(super) shows_form: bool,
}

/// The answer.
#[derive(Template)]
#[template(path = "answer.html")]
pub(super) struct AnswerPage {
    pub(super) p: Page,
    pub(super) answer: AnswerView,
    /// The key as it was asked, for asking again: name and value.
    pub(super) key: Vec<(String, String)>,
    pub(super) once: String,
    /// The session is strong enough to see what is masked until asked for.
    pub(super) may_reveal: bool,
}

/// Which step of the form.
#[derive(Deserialize)]
pub(crate) struct Step {
    #[serde(default)]
    step: String,
}

/// The notice and the form.
pub(crate) async fn show(
    State(app): Shared,
    holder: Holder,
    Path(id): Path<String>,
    Query(step): Query<Step>,
) -> Answer {
    let kind = kinds::get(&app, &id)?;
    holder.needs(kind.kind.level_for(&kinds::purpose(&app, &kind.kind)?.code))?;
    html(&question(&app, &holder.page, kind, false, None, step.is_form())?)
}

/// The look-up.
pub(crate) async fn submit(State(app): Shared, holder: Holder, Path(id): Path<String>, form: Form) -> Answer {
    let kind = kinds::get(&app, &id)?;
    holder.needs(kind.kind.level_for(&kinds::purpose(&app, &kind.kind)?.code))?;
    if !form.all("reveal").is_empty() {
        holder.needs(REVEAL)?;
    }
    let view = question(&app, &holder.page, kind, false, Some(&form), true)?;
    if view.is_wrong() {
        return html_with(StatusCode::BAD_REQUEST, &view);
    }
    turn::ask(&app, holder, Asked::LookUp(id), form).await
}

/// Its answer, when it is their turn.
pub(super) async fn answer(app: &Arc<App>, holder: Holder, id: &str, form: &Form, pass: Pass) -> Answer {
    let kind = kinds::get(app, id)?;
    let ask = ask(app, &holder, kind, form)?;
    let answered = run(app, &holder, ask, pass).await?;
    let page = holder.page.at(format!("/look-up/{id}"));
    html(&AnswerPage {
        answer: AnswerView::of(app, &page, &answered, &form.all("reveal")),
        key: key(&kind.kind, form),
        once: once(app),
        may_reveal: holder.requester.level >= REVEAL,
        p: page,
    })
}

impl Step {
    /// The form is asked for, not the notice before it.
    pub(super) fn is_form(&self) -> bool {
        self.step == "form"
    }
}

impl LookUpView {
    /// Something was typed wrong.
    pub(super) fn is_wrong(&self) -> bool {
        self.inputs.iter().any(|i| i.error.is_some())
    }
}

/// The page of a question; `form` is what was typed.
pub(super) fn question(
    app: &App,
    page: &Page,
    kind: &LoadedKind,
    is_report: bool,
    form: Option<&Form>,
    form_step: bool,
) -> Result<LookUpView, Error> {
    let k = &kind.kind;
    let purpose = kinds::purpose(app, k)?;
    let parts: Vec<_> = k
        .parts
        .iter()
        .filter(|_| is_report)
        .filter_map(|id| app.kinds.get(id))
        .collect();
    let all = std::iter::once(kind).chain(parts.iter().map(|p| p.as_ref()));
    let notices = all
        .clone()
        .map(|k| notice(app, page, k, &purpose.code))
        .collect::<Result<_, _>>()?;
    let mode = mode(k, form);
    let coverage = app.sources.coverage();
    let mut sources: Vec<String> = vec![];
    for line in all.flat_map(|k| coverage.iter().filter(|line| line.kind == k.kind.id)) {
        let name = kinds::source_name(app, page, &line.source);
        if !sources.contains(&name) {
            sources.push(name);
        }
    }
    let rules = k
        .predicates
        .iter()
        .filter(|_| !is_report && k.modes.contains(&Mode::Predicate));
    let asked = (mode, purpose.code.as_str());
    let mut inputs = inputs::inputs(page, k, asked, form, app.now().date_in_china());
    if !is_report {
        // The parts of a report have sources of their own.
        inputs.extend(inputs::wishes(page, &app.sources.choices(k, mode), form));
    }
    Ok(LookUpView {
        kind: kinds::card(app, page, kind),
        action: format!("/{}/{}", if is_report { "report" } else { "look-up" }, k.id),
        is_report,
        notices,
        inputs,
        mode: kinds::plain_mode(k).code(),
        rules: rules
            .map(|r| (r.id.clone(), page.of(&r.name).to_owned()))
            .collect(),
        purpose: page.of(&purpose.name).to_owned(),
        sources,
        mark: k.mark.as_ref().map(|m| page.of(m).to_owned()),
        once: once(app),
        shows_notice: !page.elder || !form_step,
        shows_form: !page.elder || form_step,
        p: page.clone(),
    })
}

fn mode(kind: &Kind, form: Option<&Form>) -> Mode {
    let asked = form.and_then(|f| Mode::from_code(f.get("mode")));
    asked
        .filter(|m| *m != Mode::List)
        .unwrap_or_else(|| kinds::plain_mode(kind))
}

/// The question as the action takes it.
pub(super) fn ask(app: &App, holder: &Holder, kind: &LoadedKind, form: &Form) -> Result<Ask, Error> {
    let mode = mode(&kind.kind, Some(form));
    let values = |prefix| {
        form.under(prefix)
            .map(|(id, value)| (id.to_owned(), json!(value)))
            .collect()
    };
    let purpose = kinds::purpose(app, &kind.kind)?.code.clone();
    let (fields, predicates) = (
        None,
        if mode == Mode::Predicate {
            form.all("rule")
        } else {
            vec![]
        },
    );
    let (key, claims) = (
        values("key."),
        if mode == Mode::Match {
            values("claims.")
        } else {
            Default::default()
        },
    );
    let raw = RawLookup {
        key,
        fields,
        reveal: form.all("reveal"),
        claims,
        predicates,
        purpose,
        basis: None,
    };
    let chosen = |name| Some(form.get(name)).filter(|value| !value.is_empty());
    let wanted = look_up::wanted(chosen(inputs::FRESHNESS), chosen(inputs::REGION))?;
    let repeat = repetition(holder, (&kind.kind.id, mode), &raw, wanted, form.get("once"))?;
    Ok(Ask {
        kind: kind.kind.id.clone(),
        mode,
        subject: SubjectRef::Own,
        raw,
        wanted,
        own: None,
        portrait: None,
        repeat: Some(repeat),
        proofing: false,
        lang: holder.page.lang,
        arrived: holder.arrived,
    })
}

/// The hidden key hashed with the requester, and the hash of the question that it stands for.
pub(super) fn repetition(
    holder: &Holder,
    (kind, mode): (&str, Mode),
    raw: &RawLookup,
    wanted: sources::Wanted,
    once: &str,
) -> Result<([u8; 32], [u8; 32]), Error> {
    if once.is_empty() || once.len() > 64 {
        return Err(Error::Forged);
    }
    let key = Sha256::new()
        .chain_update(holder.requester.account.bytes())
        .chain_update(once)
        .finalize();
    let whole = json!([
        kind,
        mode,
        raw.key,
        raw.reveal,
        raw.claims,
        raw.predicates,
        raw.purpose,
        wanted.freshness.code(),
        wanted.region.map(|area| area.code()),
    ]);
    Ok((key.into(), Sha256::digest(whole.to_string()).into()))
}

/// Runs on a task of its own: who closes the page does not leave an intent behind.
async fn run(app: &Arc<App>, holder: &Holder, ask: Ask, pass: Pass) -> Result<Answered, Error> {
    let (app, requester) = (Arc::clone(app), holder.requester);
    let task = tokio::spawn(async move {
        let _in_work = pass;
        look_up::look_up(&app, &requester, ask).await
    });
    task.await.map_err(Error::from)?
}

/// A fresh key for a form that may be sent twice.
pub(super) fn once(app: &App) -> String {
    hex(&app.store.random().bytes::<16>())
}

/// The key's values as they were typed, and what was chosen besides, by their names in a form.
pub(super) fn key(kind: &Kind, form: &Form) -> Vec<(String, String)> {
    let names = kind.key.iter().map(|part| format!("key.{}", part.id));
    let chosen = [inputs::FRESHNESS, inputs::REGION];
    let chosen = chosen.into_iter().filter(|name| !form.get(name).is_empty());
    names
        .chain(chosen.map(str::to_owned))
        .map(|name| (name.clone(), form.get(&name).to_owned()))
        .collect()
}
