//! A form that came from one of our own pages: bounded, and with its token checked before anything else.

use std::sync::Arc;

use axum::{
    body::to_bytes,
    extract::{FromRequest, Request},
};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Failed, Guest};
use crate::{
    app::{App, hex, unhex},
    error::Error,
};

/// The largest form; pictures come otherwise.
const MAX_FORM: usize = 64 * 1024;
/// How many values a form may have.
const MAX_VALUES: usize = 128;
/// The longest value, in bytes.
const MAX_VALUE: usize = 4 * 1024;
/// The name of the hidden field.
pub(crate) const TOKEN: &str = "form_token";

/// The values of a form, in their order; they are wiped when it goes.
#[derive(Default, Zeroize, ZeroizeOnDrop)]
pub(crate) struct Form(Vec<(String, String)>);

impl std::fmt::Debug for Form {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Form({} values, redacted)", self.0.len())
    }
}

/// The token of the forms that are bound to this cookie.
#[must_use]
pub(crate) fn token(app: &App, binding: &str) -> String {
    hex(&app.store.root_keys().cookies().digest("form", binding.as_bytes()))
}

/// The token is the one of this cookie; compared in constant time.
#[must_use]
pub(crate) fn is_ours(app: &App, binding: &str, token: &str) -> bool {
    let Some(digest) = unhex(token) else { return false };
    !binding.is_empty()
        && app
            .store
            .root_keys()
            .cookies()
            .verify("form", binding.as_bytes(), &digest)
}

impl FromRequest<Arc<App>> for Form {
    type Rejection = Failed;

    async fn from_request(request: Request, app: &Arc<App>) -> Result<Self, Failed> {
        let guest = request.extensions().get::<Guest>().cloned();
        let guest =
            guest.ok_or_else(|| Error::Internal("a form stands outside the portal's layer".into()))?;
        let too_large = || Error::bad("FORM_TOO_LARGE", "form", "fewer or shorter values");
        let bytes = to_bytes(request.into_body(), MAX_FORM)
            .await
            .map_err(|_| too_large())?;
        let form = Form::parse(&bytes).ok_or_else(too_large)?;
        if is_ours(app, &guest.binding, form.get(TOKEN)) {
            Ok(form)
        } else {
            Err(Error::Forged.into())
        }
    }
}

impl Form {
    /// Reads `application/x-www-form-urlencoded`; `None` where it is larger than any form of ours.
    #[must_use]
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut values = vec![];
        for (name, value) in url::form_urlencoded::parse(bytes) {
            if values.len() == MAX_VALUES || name.len() > MAX_VALUE || value.len() > MAX_VALUE {
                return None;
            }
            values.push((name.into_owned(), value.into_owned()));
        }
        Some(Form(values))
    }

    /// How many bytes names and values have.
    #[must_use]
    pub(crate) fn size(&self) -> usize {
        self.0.iter().map(|(name, value)| name.len() + value.len()).sum()
    }

    /// The first value of that name, without spaces around it; empty where there is none.
    #[must_use]
    pub(crate) fn get(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v.trim())
    }

    /// All values of that name.
    #[must_use]
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        self.0
            .iter()
            .filter(|(n, _)| n == name)
            .map(|(_, v)| v.clone())
            .collect()
    }

    /// The values whose names begin with `prefix`, by the rest of their names; empty ones are left out.
    pub(crate) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        let value = move |(n, v): &'a (String, String)| Some((n.strip_prefix(prefix)?, v.trim()));
        self.0.iter().filter_map(value).filter(|(_, v)| !v.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_are_read_and_bounded() {
        let form = Form::parse(b"key.plate=%E4%BA%ACA12345&key.x=&a=+b+&a=c").unwrap();
        assert_eq!(form.get("a"), "b");
        assert_eq!(form.get("missing"), "");
        assert_eq!(form.all("a"), [" b ", "c"]);
        assert_eq!(form.under("key.").collect::<Vec<_>>(), [("plate", "京A12345")]);
        assert!(Form::parse("a=1&".repeat(129).as_bytes()).is_none());
        assert!(Form::parse(format!("a={}", "x".repeat(5000)).as_bytes()).is_none());
        assert_eq!(format!("{form:?}"), "Form(4 values, redacted)");
    }

    /// Also where it is taken out of what was kept for a turn.
    #[test]
    fn what_was_typed_is_wiped_by_the_form_itself() {
        fn wipes(_: &impl ZeroizeOnDrop) {}
        let mut form = Form::parse(b"name=%E9%99%88&id_number=1").unwrap();
        let taken = std::mem::take(&mut form);
        assert_eq!((form.size(), taken.get("id_number")), (0, "1"));
        wipes(&taken);
        let mut taken = taken;
        taken.zeroize();
        assert_eq!(taken.size(), 0);
    }
}
