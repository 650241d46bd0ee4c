//! How pages shall look: the language and the elder mode, kept in cookies, changed by a tap in the header.

use axum::{extract::State, http::header};

use super::{Answer, Form, Shared, cookies::Cookie, page::go};

/// The first parts of the pages to which one may be led back. Nothing else is ever followed.
const PAGES: [&str; 18] = [
    "",
    "access-log",
    "account",
    "coverage",
    "demo",
    "genuine",
    "help",
    "look-up",
    "look-ups",
    "mine",
    "privacy",
    "prove",
    "report",
    "reviews",
    "sign-in",
    "strengthen",
    "turn",
    "verify",
];
/// The longest path that is followed.
const MAX_PATH: usize = 200;

/// A path on this very site that is the address of a page; anything else leads home.
#[must_use]
pub(crate) fn local(next: &str) -> &str {
    let safe = |b: u8| {
        b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'?' | b'=' | b'&' | b'.' | b'%')
    };
    let first = next
        .strip_prefix('/')
        .map(|rest| rest.split(['/', '?']).next().unwrap_or_default());
    let known = first.is_some_and(|f| PAGES.contains(&f));
    if known && next.len() <= MAX_PATH && !next.contains("//") && next.bytes().all(safe) {
        next
    } else {
        "/"
    }
}

/// Remembers a preference and goes back.
pub(crate) async fn set(State(app): Shared, form: Form) -> Answer {
    let secure = app.store.realm() != "demo";
    let mut response = go(local(form.get("next")));
    let mut keep = |cookie: Cookie, value: &str| {
        response
            .headers_mut()
            .append(header::SET_COOKIE, cookie.set(value, secure));
    };
    if let lang @ ("zh" | "en") = form.get("lang") {
        keep(Cookie::Lang, lang);
    }
    if let elder @ ("0" | "1") = form.get("elder") {
        keep(Cookie::Elder, elder);
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::local;

    #[test]
    fn one_is_led_to_our_own_pages_only() {
        for good in [
            "/",
            "/mine",
            "/look-up/some-kind",
            "/look-ups?before=0190&kind=x",
            "/sign-in/code?next=%2Fmine",
        ] {
            assert_eq!(local(good), good);
        }
        let long = format!("/mine/{}", "a".repeat(200));
        for bad in [
            "",
            "mine",
            "//evil.example",
            "/\\evil",
            "/mine//evil",
            "https://evil.example",
            "/v1/lookups",
            "/mine\r\nx",
            "/mine#x",
            "/preferences",
            "/static/x",
            &long,
        ] {
            assert_eq!(local(bad), "/", "{bad}");
        }
    }
}
