//! Pages of the demo alone: the invented people, the messages that were not sent, the drawn portraits.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::header,
    response::IntoResponse,
};
use domain::ids::SubjectId;

use super::{Answer, Guest, Page, Shared, html};
use crate::{app::App, error::Error, messenger::Messenger};

/// The invented people.
#[derive(Template)]
#[template(path = "demo.html")]
pub(super) struct DemoView {
    pub(super) p: Page,
    pub(super) personas: Vec<PersonaLine>,
    /// Where the played authorities listen; their switches are set there.
    pub(super) authorities: String,
}

/// One of them.
#[derive(Debug)]
pub(super) struct PersonaLine {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) id_number: String,
    pub(super) phone: Option<String>,
    pub(super) about: String,
}

/// The messages.
#[derive(Template)]
#[template(path = "outbox.html")]
pub(super) struct OutboxView {
    pub(super) p: Page,
    pub(super) messages: Vec<MessageLine>,
}

/// One message.
#[derive(Debug)]
pub(super) struct MessageLine {
    pub(super) phone: String,
    pub(super) text: String,
    /// Four and four, where it carries one.
    pub(super) code: Option<String>,
    pub(super) time: String,
}

/// Everybody in the demo.
pub(crate) async fn people(State(app): Shared, guest: Guest) -> Answer {
    only_demo(&app)?;
    let page = guest.page;
    let line = |persona: &sandbox::Persona| PersonaLine {
        id: persona.id.clone(),
        name: persona.name.clone(),
        id_number: persona.id_number.clone(),
        phone: persona.phone.clone(),
        about: page.of(&persona.about).to_owned(),
    };
    html(&DemoView {
        personas: everybody(&app).map(line).collect(),
        authorities: app
            .demo
            .as_ref()
            .map(|demo| demo.sandbox_url.clone())
            .unwrap_or_default(),
        p: page,
    })
}

/// What would have been sent to phones.
pub(crate) async fn outbox(State(app): Shared, guest: Guest) -> Answer {
    only_demo(&app)?;
    let page = guest.page;
    let messages = match &app.messenger {
        Messenger::Outbox(outbox) => outbox.messages(),
        Messenger::Http(_) => vec![],
    };
    let line = |m: &crate::messenger::Message| {
        let spaced = |code: &String| {
            let (first, last) = code.split_at(code.len() / 2);
            format!("{first} {last}")
        };
        MessageLine {
            phone: m.phone.clone(),
            text: m.text.clone(),
            code: m.code.as_ref().map(spaced),
            time: page.time(m.time),
        }
    };
    html(&OutboxView {
        messages: messages.iter().map(line).collect(),
        p: page,
    })
}

/// The drawn portrait of a persona, or with `-blurred` one that is not similar enough.
pub(crate) async fn portrait(State(app): Shared, Path(file): Path<String>) -> Answer {
    only_demo(&app)?;
    let name = file.strip_suffix(".png").ok_or(Error::NotFound)?;
    let persona = |id| everybody(&app).find(|p| p.id == id).ok_or(Error::NotFound);
    let png = match name.strip_suffix("-blurred") {
        Some(id) => sandbox::blurred_portrait_of(persona(id)?),
        None => sandbox::portrait_of(persona(name)?),
    };
    Ok(([(header::CONTENT_TYPE, "image/png")], png).into_response())
}

/// The address of the drawn portrait of who is signed in.
pub(super) async fn portrait_of(app: &App, subject: Option<SubjectId>) -> Result<Option<String>, Error> {
    let Some(id) = subject.filter(|_| app.store.realm() == "demo") else {
        return Ok(None);
    };
    let person = app.store.subject(id).await?.and_then(|s| s.person);
    let number = person.map(|p| p.id_number.expose().to_owned());
    let persona = everybody(app).find(|p| Some(&p.id_number) == number.as_ref());
    Ok(persona.map(|p| format!("/demo/portraits/{}.png", p.id)))
}

/// The test subjects of whoever rehearses, and the personas.
fn everybody(app: &App) -> impl Iterator<Item = &sandbox::Persona> {
    let guests = app.demo.iter().flat_map(|demo| demo.sandbox.guests());
    guests.chain(sandbox::personas())
}

fn only_demo(app: &App) -> Result<(), Error> {
    if app.store.realm() == "demo" {
        Ok(())
    } else {
        Err(Error::NotFound)
    }
}
