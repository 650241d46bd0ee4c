//! Signing in: the phone, then the eight digits that were sent to it.

use askama::Template;
use axum::{
    extract::{Query, State},
    http::{HeaderMap, StatusCode, header},
    response::Response,
};
use domain::{identifiers::Phone, kind::FieldType};
use serde::Deserialize;

use super::{
    Answer, Form, Guest, Page, Shared,
    cookies::Cookie,
    dress::with_next,
    html, inputs,
    page::{go, html_with},
    preferences::local,
};
use crate::{
    actions::{send_code, sign_in, sign_in::SignedIn},
    app::App,
    error::Error,
};

/// Where to go on afterwards.
#[derive(Deserialize)]
pub(crate) struct Next {
    #[serde(default)]
    next: String,
    /// A code was sent a moment ago.
    #[serde(default)]
    again: String,
}

impl Next {
    /// A page of this site.
    pub(super) fn path(&self) -> &str {
        local(&self.next)
    }
}

/// The form for the phone.
#[derive(Template)]
#[template(path = "sign_in.html")]
pub(super) struct SignInView {
    pub(super) p: Page,
    pub(super) next: String,
    pub(super) phone: String,
    pub(super) error: Option<String>,
}

/// The form for the code.
#[derive(Template)]
#[template(path = "sign_in_code.html")]
pub(super) struct CodeView {
    pub(super) p: Page,
    pub(super) next: String,
    pub(super) phone: String,
    pub(super) error: Option<String>,
    pub(super) again: bool,
}

/// The form for the phone.
pub(crate) async fn phone(guest: Guest, Query(next): Query<Next>) -> Answer {
    if guest.requester.is_some() {
        return Ok(go(next.path()));
    }
    html(&SignInView {
        next: next.path().to_owned(),
        phone: String::new(),
        error: None,
        p: guest.page,
    })
}

/// Sends a code.
pub(crate) async fn send(State(app): Shared, guest: Guest, headers: HeaderMap, form: Form) -> Answer {
    let secure = is_secure(&app);
    // Asked for once more, the phone need not be typed again.
    let typed = match form.get("again") {
        "1" => Cookie::Phone.read(&headers, secure).unwrap_or_default(),
        _ => form.get("phone").to_owned(),
    };
    let next = local(form.get("next")).to_owned();
    let phone = match Phone::parse(&typed) {
        Ok(phone) => phone.value,
        Err(error) => {
            let error = Some(inputs::sentence(&guest.page, &FieldType::Phone, &error));
            return html_with(
                StatusCode::BAD_REQUEST,
                &SignInView {
                    next,
                    phone: typed,
                    error,
                    p: guest.page,
                },
            );
        }
    };
    let address = with_next("/sign-in/code", &next);
    let address = match send_code::send_code(&app, &phone, guest.page.lang).await {
        Ok(()) => address,
        // One was sent a moment ago: it is still good.
        Err(Error::TooMany { retry_after }) if retry_after <= 30 => {
            format!(
                "{address}{}again=1",
                if address.contains('?') { '&' } else { '?' }
            )
        }
        Err(error) => return Err(error.into()),
    };
    #[cfg(feature = "planted")]
    let address = match crate::planted::acts("leak-address") {
        true => format!("{address}#{}", phone.expose()),
        false => address,
    };
    let mut response = go(&address);
    response
        .headers_mut()
        .append(header::SET_COOKIE, Cookie::Phone.set(phone.expose(), secure));
    Ok(response)
}

/// The form for the code.
pub(crate) async fn code(
    State(app): Shared,
    guest: Guest,
    headers: HeaderMap,
    Query(next): Query<Next>,
) -> Answer {
    let Some(phone) = waiting(&app, &headers) else {
        return Ok(go(&with_next("/sign-in", next.path())));
    };
    let (again, next) = (next.again == "1", next.path().to_owned());
    html(&CodeView {
        next,
        phone: phone.masked(),
        error: None,
        again,
        p: guest.page,
    })
}

/// Signs in.
pub(crate) async fn submit(State(app): Shared, guest: Guest, headers: HeaderMap, form: Form) -> Answer {
    let next = local(form.get("next")).to_owned();
    let Some(phone) = waiting(&app, &headers) else {
        return Ok(go(&with_next("/sign-in", &next)));
    };
    match sign_in::sign_in(&app, &phone, form.get("code")).await {
        Ok(signed_in) => {
            let mut response = with_session(&app, go(&next), &signed_in);
            for cookie in [Cookie::Phone, Cookie::Visitor] {
                response
                    .headers_mut()
                    .append(header::SET_COOKIE, cookie.remove(is_secure(&app)));
            }
            Ok(response)
        }
        Err(Error::Bad { code, .. }) => {
            let error = Some(guest.page.t(&format!("error-{code}")));
            let view = CodeView {
                next,
                phone: phone.masked(),
                error,
                again: false,
                p: guest.page,
            };
            html_with(StatusCode::BAD_REQUEST, &view)
        }
        Err(error) => Err(error.into()),
    }
}

/// The response with the cookie of a new session.
pub(super) fn with_session(app: &App, mut response: Response, signed_in: &SignedIn) -> Response {
    let cookie = Cookie::Session.set(signed_in.token.expose(), is_secure(app));
    response.headers_mut().append(header::SET_COOKIE, cookie);
    response
}

/// Only the demo has no TLS.
pub(super) fn is_secure(app: &App) -> bool {
    app.store.realm() != "demo"
}

/// The phone that waits for its code in this browser.
fn waiting(app: &App, headers: &HeaderMap) -> Option<Phone> {
    let typed = Cookie::Phone.read(headers, is_secure(app))?;
    Phone::parse(&typed).ok().map(|p| p.value)
}
