//! Proving a real name: name and number at the register and the phone at its carrier, both asked, one result.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Query, State},
    http::StatusCode,
};
use domain::{
    identifiers::{IdNumber, PersonName},
    kind::FieldType,
    lookup::Person,
    words::Level,
};

use super::{
    Answer, Form, Holder, Page, Shared, html, inputs,
    notices::{Block, NoticeView, of_proofing},
    page::{go, html_with},
    preferences::local,
    sign_in::{Next, with_session},
    turn::{self, Asked},
};
use crate::{
    actions::prove_real_name::{Proof, Way, prove_real_name},
    app::App,
    error::Error,
    turns::Pass,
};

/// The form.
#[derive(Template)]
#[template(path = "prove.html")]
pub(super) struct ProveView {
    pub(super) p: Page,
    pub(super) next: String,
    /// What is sealed with the proof.
    pub(super) notice: NoticeView,
    pub(super) name: String,
    pub(super) id_number: String,
    pub(super) name_error: Option<String>,
    pub(super) number_error: Option<String>,
    /// The outcome's code of a try that came to nothing; `not-proven` for all that must look alike.
    pub(super) result: Option<String>,
}

/// The form.
pub(crate) async fn show(State(app): Shared, holder: Holder, Query(next): Query<Next>) -> Answer {
    if holder.requester.level >= Level::L2 {
        return Ok(go(next.path()));
    }
    html(&empty(&app, holder.page, next.path())?)
}

/// The proof.
pub(crate) async fn submit(State(app): Shared, holder: Holder, form: Form) -> Answer {
    match person(&app, &holder.page, &form)? {
        Ok(_) => turn::ask(&app, holder, Asked::Proof, form).await,
        Err(view) => html_with(StatusCode::BAD_REQUEST, &*view),
    }
}

/// What became of it, when it is their turn.
pub(super) async fn answer(app: &Arc<App>, holder: Holder, form: &Form, pass: Pass) -> Answer {
    let page = holder.page.at("/prove".to_owned());
    let person = match person(app, &page, form)? {
        Ok(person) => person,
        Err(view) => return html_with(StatusCode::BAD_REQUEST, &*view),
    };
    let mut view = empty(app, page, local(form.get("next")))?;
    let (shared, requester) = (Arc::clone(app), holder.requester);
    let at = (view.p.lang, holder.arrived);
    let way = match form.get("way") {
        "counter" => Way::Counter,
        _ => Way::Phone,
    };
    // On a task of its own: who closes the page does not leave an intent behind.
    let task = tokio::spawn(async move {
        let _in_work = pass;
        prove_real_name(&shared, &requester, &person, way, at).await
    });
    match task.await.map_err(Error::from)?? {
        Proof::Proven(signed_in, _) => return Ok(with_session(app, go(&view.next), &signed_in)),
        Proof::NotProven(_) => view.result = Some("not-proven".to_owned()),
        Proof::Failed(answered) => view.result = Some(answered.outcome.code().to_owned()),
    }
    html(&view)
}

/// Who the form claims to be, or the form again with what is wrong.
fn person(app: &App, page: &Page, form: &Form) -> Result<Result<Person, Box<ProveView>>, Error> {
    let (typed, digits) = (form.get("name"), form.get("id_number"));
    Ok(
        match (
            PersonName::parse(typed),
            IdNumber::parse(digits, app.now().date_in_china()),
        ) {
            (Ok(name), Ok(number)) => Ok(Person {
                name: name.value,
                id_number: number.value,
            }),
            (name, number) => Err(Box::new(ProveView {
                name_error: name
                    .err()
                    .map(|e| inputs::sentence(page, &FieldType::PersonName, &e)),
                number_error: number
                    .err()
                    .map(|e| inputs::sentence(page, &FieldType::IdNumber, &e)),
                name: typed.to_owned(),
                id_number: digits.to_owned(),
                ..empty(app, page.clone(), local(form.get("next")))?
            })),
        },
    )
}

fn empty(app: &App, p: Page, next: &str) -> Result<ProveView, Error> {
    Ok(ProveView {
        notice: of_proofing(app, &p)?,
        p,
        next: next.to_owned(),
        name: String::new(),
        id_number: String::new(),
        name_error: None,
        number_error: None,
        result: None,
    })
}
