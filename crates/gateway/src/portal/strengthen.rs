//! Raising the level: a portrait, with a consent of its own on a screen of its own, or in person.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::{Multipart, Query, State},
    http::StatusCode,
};
use bytes::Bytes;
use domain::words::Level;

use super::{
    Answer, Failed, Form, Guest, Holder, Page, Shared,
    dress::with_next,
    form::{self, TOKEN},
    html,
    kinds::card,
    notices::{Block, NoticeView, of_proofing},
    page::{go, html_with},
    preferences::local,
    sign_in::{Next, with_session},
};
use crate::{
    actions::strengthen::{Consent, MAX_PORTRAIT, Shown, Strengthened, agreed, by_portrait, in_person},
    app::App,
    error::Error,
};

/// The ways there are.
#[derive(Template)]
#[template(path = "strengthen.html")]
pub(super) struct StrengthenView {
    pub(super) p: Page,
    pub(super) next: String,
    /// The address of the consent, with the way back.
    pub(super) portrait: String,
    /// The names of the record kinds that open at L3 alone, where nobody is proven in person.
    pub(super) closed: String,
}

/// The separate consent (PIPL 29).
#[derive(Template)]
#[template(path = "portrait_consent.html")]
pub(super) struct ConsentView {
    pub(super) p: Page,
    pub(super) next: String,
    /// What is sealed with the comparison.
    pub(super) notice: NoticeView,
    /// The exact text that is agreed to; its last paragraph stands beside the box.
    pub(super) consent: NoticeView,
    /// The text's hash, which the box carries.
    pub(super) hash: String,
    pub(super) missing: bool,
}

/// The form for the picture.
#[derive(Template)]
#[template(path = "portrait.html")]
pub(super) struct PortraitView {
    pub(super) p: Page,
    pub(super) next: String,
    /// The hash of the consent that was given.
    pub(super) consent: String,
    /// A code of what was wrong with the picture.
    pub(super) error: Option<String>,
    /// The outcome's code of a comparison that did not succeed.
    pub(super) result: Option<String>,
    /// In the demo, the drawn portrait of the persona.
    pub(super) drawn: Option<String>,
}

impl ConsentView {
    /// The other ways, with the way back from there.
    fn back(&self) -> String {
        with_next("/strengthen", &self.next)
    }
}

impl PortraitView {
    /// As [`ConsentView::back`].
    fn back(&self) -> String {
        with_next("/strengthen", &self.next)
    }
}

/// The ways there are.
pub(crate) async fn show(State(app): Shared, holder: Holder, Query(next): Query<Next>) -> Answer {
    holder.needs(Level::L2)?;
    if holder.requester.level == Level::L3 {
        return Ok(go(next.path()));
    }
    let portrait = with_next("/strengthen/portrait", next.path());
    html(&StrengthenView {
        portrait,
        closed: closed(&app, &holder.page),
        next: next.path().to_owned(),
        p: holder.page,
    })
}

/// The names of the record kinds that open at L3 alone.
fn closed(app: &App, page: &Page) -> String {
    let cards = app.kinds.in_order().into_iter().map(|kind| card(app, page, kind));
    let strong = cards.filter(|card| card.level == Level::L3);
    let names: Vec<_> = strong.map(|card| card.name).collect();
    names.join(page.lang.separator())
}

/// In person; in the demo the counter is a button.
pub(crate) async fn counter(State(app): Shared, holder: Holder, form: Form) -> Answer {
    let signed_in = in_person(&app, &holder.requester).await?;
    Ok(with_session(&app, go(local(form.get("next"))), &signed_in))
}

/// The separate consent.
pub(crate) async fn consent(State(app): Shared, holder: Holder, Query(next): Query<Next>) -> Answer {
    holder.needs(Level::L2)?;
    html(&asked_consent(&app, holder.page, next.path(), false)?)
}

fn asked_consent(app: &App, p: Page, next: &str, missing: bool) -> Result<ConsentView, Error> {
    let shown = app.portrait_consent(p.lang);
    Ok(ConsentView {
        next: next.to_owned(),
        notice: of_proofing(app, &p)?,
        consent: NoticeView::read(&shown.text),
        hash: shown.hash_text(),
        missing,
        p,
    })
}

/// The consent was given: the form for the picture.
pub(crate) async fn consented(State(app): Shared, holder: Holder, form: Form) -> Answer {
    holder.needs(Level::L2)?;
    let next = local(form.get("next")).to_owned();
    let consent = form.get("consent").to_owned();
    if agreed(&app, &consent).is_err() {
        let view = asked_consent(&app, holder.page, &next, true)?;
        return html_with(StatusCode::BAD_REQUEST, &view);
    }
    let drawn = drawn(&app, &holder).await?;
    html(&PortraitView {
        next,
        consent,
        error: None,
        result: None,
        drawn,
        p: holder.page,
    })
}

/// The picture.
pub(crate) async fn upload(State(app): Shared, guest: Guest, holder: Holder, parts: Multipart) -> Answer {
    let upload = Upload::read(parts).await?;
    if !form::is_ours(&app, &guest.binding, &upload.token) {
        return Err(Error::Forged.into());
    }
    let (shared, requester, at) = (
        Arc::clone(&app),
        holder.requester,
        (holder.page.lang, holder.arrived),
    );
    let (picture, text) = (upload.picture, upload.consent.clone());
    let shown = if holder.page.elder {
        Shown::ElderPage
    } else {
        Shown::Page
    };
    let consent = Consent { text, shown };
    let task = tokio::spawn(async move { by_portrait(&shared, &requester, picture, consent, at).await });
    let (error, result) = match task.await.map_err(Error::from)? {
        Ok(Strengthened::Yes(signed_in, _)) => {
            return Ok(with_session(&app, go(local(&upload.next)), &signed_in));
        }
        Ok(Strengthened::No(answered)) => (None, Some(answered.outcome.code().to_owned())),
        Err(Error::Bad {
            code: code @ "PICTURE_UNUSABLE",
            ..
        }) => (Some(code.to_owned()), None),
        Err(error) => return Err(error.into()),
    };
    let (status, drawn) = (
        if error.is_some() {
            StatusCode::BAD_REQUEST
        } else {
            StatusCode::OK
        },
        drawn(&app, &holder).await?,
    );
    html_with(
        status,
        &PortraitView {
            next: local(&upload.next).to_owned(),
            consent: upload.consent,
            error,
            result,
            drawn,
            p: holder.page,
        },
    )
}

/// A form with a picture.
#[derive(Default)]
struct Upload {
    token: String,
    next: String,
    consent: String,
    picture: Bytes,
}

impl Upload {
    async fn read(mut parts: Multipart) -> Result<Self, Failed> {
        let malformed = |_| Error::bad("BAD_VALUE", "form", "the form of this site");
        let mut upload = Upload::default();
        let mut count = 0;
        while let Some(part) = parts.next_field().await.map_err(malformed)? {
            count += 1;
            let name = part.name().unwrap_or_default().to_owned();
            let bytes = part.bytes().await.map_err(malformed)?;
            let most = if name == "portrait" {
                MAX_PORTRAIT + 1
            } else {
                1024
            };
            if count > 8 || bytes.len() > most {
                return Err(
                    Error::bad("PICTURE_UNUSABLE", "portrait", "a JPEG or PNG of at most 500 kB").into(),
                );
            }
            let text = || String::from_utf8_lossy(&bytes).trim().to_owned();
            match name.as_str() {
                TOKEN => upload.token = text(),
                "next" => upload.next = text(),
                "consent" => upload.consent = text(),
                "portrait" => upload.picture = bytes,
                _ => {}
            }
        }
        Ok(upload)
    }
}

/// In the demo, the address of the drawn portrait of who is signed in.
#[cfg(feature = "demo")]
async fn drawn(app: &App, holder: &Holder) -> Result<Option<String>, Error> {
    super::demo::portrait_of(app, holder.requester.subject).await
}

/// There are no drawn people outside the demo.
#[cfg(not(feature = "demo"))]
async fn drawn(_: &App, _: &Holder) -> Result<Option<String>, Error> {
    Ok(None)
}
