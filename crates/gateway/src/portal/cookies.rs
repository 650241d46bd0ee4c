//! Cookies: the session, the anonymous visitor to whom forms are bound, and how pages shall look.

use axum::http::{HeaderMap, HeaderValue, header};

/// The longest value that is read.
const MAX_VALUE: usize = 128;
/// How long a preference is remembered: a year.
const YEAR_SECONDS: u32 = 365 * 24 * 3600;

/// A cookie of the portal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cookie {
    /// The session's token. It ends with the browser.
    Session,
    /// A random value: who is not signed in has forms too.
    Visitor,
    /// The phone that waits for its code, for ten minutes, in the browser into which it was typed.
    Phone,
    /// `zh` or `en`.
    Lang,
    /// `1` for the elder mode.
    Elder,
}

impl Cookie {
    fn word(self) -> &'static str {
        match self {
            Cookie::Session => "session",
            Cookie::Visitor => "visitor",
            Cookie::Phone => "phone",
            Cookie::Lang => "lang",
            Cookie::Elder => "elder",
        }
    }

    fn max_age(self) -> Option<u32> {
        match self {
            Cookie::Session | Cookie::Visitor => None,
            Cookie::Phone => Some(600),
            Cookie::Lang | Cookie::Elder => Some(YEAR_SECONDS),
        }
    }

    /// `__Host-` makes browsers refuse the cookie from another host or without TLS; the demo has no TLS.
    fn name(self, secure: bool) -> String {
        format!("{}mingcha-{}", if secure { "__Host-" } else { "" }, self.word())
    }

    /// Its value in a request.
    #[must_use]
    pub(crate) fn read(self, headers: &HeaderMap, secure: bool) -> Option<String> {
        let name = self.name(secure);
        let pairs = headers
            .get_all(header::COOKIE)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .flat_map(|v| v.split(';'));
        let mut values = pairs
            .filter_map(|p| p.trim().split_once('='))
            .filter(|(n, _)| *n == name)
            .map(|(_, v)| v);
        values
            .next()
            .filter(|v| (1..=MAX_VALUE).contains(&v.len()) && v.bytes().all(is_safe))
            .map(str::to_owned)
    }

    /// The header that sets it.
    #[must_use]
    pub(crate) fn set(self, value: &str, secure: bool) -> HeaderValue {
        let age = self
            .max_age()
            .map(|s| format!("; Max-Age={s}"))
            .unwrap_or_default();
        self.header(value, &age, secure)
    }

    /// The header that removes it.
    #[must_use]
    pub(crate) fn remove(self, secure: bool) -> HeaderValue {
        self.header("", "; Max-Age=0", secure)
    }

    fn header(self, value: &str, age: &str, secure: bool) -> HeaderValue {
        let value: String = value
            .chars()
            .filter(|c| c.is_ascii() && is_safe(*c as u8))
            .collect();
        let secure_word = if secure { "; Secure" } else { "" };
        let text = format!(
            "{}={value}; Path=/; HttpOnly; SameSite=Lax{secure_word}{age}",
            self.name(secure)
        );
        // INVARIANT: only ASCII letters, digits and a few signs are left in it.
        HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static(""))
    }
}

fn is_safe(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'+' | b'.')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_guarded() {
        let set = Cookie::Session.set("abc", true);
        assert_eq!(
            set,
            "__Host-mingcha-session=abc; Path=/; HttpOnly; SameSite=Lax; Secure"
        );
        let demo = Cookie::Lang.set("en", false);
        assert_eq!(
            demo,
            "mingcha-lang=en; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000"
        );
        assert_eq!(Cookie::Lang.set("e;n\r\n", false), demo);
    }

    #[test]
    fn a_cookie_is_read_by_its_whole_name_and_bounded() {
        let mut headers = HeaderMap::new();
        headers.insert(
            header::COOKIE,
            HeaderValue::from_static("x-mingcha-lang=a; mingcha-lang=en; mingcha-lang=zh"),
        );
        assert_eq!(Cookie::Lang.read(&headers, false).as_deref(), Some("en"));
        assert_eq!(Cookie::Lang.read(&headers, true), None);
        let long = format!("mingcha-lang={}", "e".repeat(200));
        headers.insert(header::COOKIE, HeaderValue::from_str(&long).unwrap());
        assert_eq!(Cookie::Lang.read(&headers, false), None);
    }
}
