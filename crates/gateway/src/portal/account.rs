//! The account: level, signing out, erasing everything.

use askama::Template;
use axum::{
    extract::State,
    http::{StatusCode, header},
};
use domain::words::Level;

use super::{
    Answer, Form, Guest, Holder, Page, Shared,
    cookies::Cookie,
    html,
    page::{go, html_with},
    sign_in::is_secure,
    values::masked_text,
};
use crate::{
    actions::{erase_person::erase_person, sign_out::sign_out},
    error::Error,
};

/// The account.
#[derive(Template)]
#[template(path = "account.html")]
pub(super) struct AccountView {
    pub(super) p: Page,
    pub(super) phone: String,
    pub(super) name: Option<String>,
    pub(super) level: Level,
}

/// The page before everything is erased.
#[derive(Template)]
#[template(path = "erase.html")]
pub(super) struct EraseView {
    pub(super) p: Page,
    pub(super) unconfirmed: bool,
}

/// Everything is erased.
#[derive(Template)]
#[template(path = "erased.html")]
pub(super) struct ErasedView {
    pub(super) p: Page,
}

/// The account.
pub(crate) async fn show(State(app): Shared, holder: Holder) -> Answer {
    let account = app
        .store
        .account(holder.requester.account)
        .await?
        .ok_or(Error::NotSignedIn)?;
    let proven = holder
        .requester
        .subject
        .filter(|_| holder.requester.level >= Level::L2);
    let name = match proven {
        Some(id) => app
            .store
            .subject(id)
            .await?
            .and_then(|s| s.person)
            .map(|p| p.name.masked()),
        None => None,
    };
    let (phone, name) = (account.phone.masked(), name.map(|n| masked_text(&n)));
    html(&AccountView {
        phone,
        name,
        level: holder.requester.level,
        p: holder.page,
    })
}

/// Ends the session.
pub(crate) async fn leave(State(app): Shared, holder: Holder, _: Form) -> Answer {
    sign_out(&app, &holder.requester).await?;
    let mut response = go("/");
    response
        .headers_mut()
        .append(header::SET_COOKIE, Cookie::Session.remove(is_secure(&app)));
    Ok(response)
}

/// The page before everything is erased.
pub(crate) async fn confirm(holder: Holder) -> Answer {
    holder.needs_name_if_proven()?;
    html(&EraseView {
        unconfirmed: false,
        p: holder.page,
    })
}

/// Erases everything.
pub(crate) async fn erase(State(app): Shared, holder: Holder, form: Form) -> Answer {
    holder.needs_name_if_proven()?;
    if form.get("confirm") != "yes" {
        return html_with(
            StatusCode::BAD_REQUEST,
            &EraseView {
                unconfirmed: true,
                p: holder.page,
            },
        );
    }
    erase_person(&app, &holder.requester).await?;
    let mut response = go("/account/erased");
    response
        .headers_mut()
        .append(header::SET_COOKIE, Cookie::Session.remove(is_secure(&app)));
    Ok(response)
}

/// Everything is erased.
pub(crate) async fn erased(guest: Guest) -> Answer {
    html(&ErasedView { p: guest.page })
}
