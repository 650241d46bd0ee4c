//! How we show a source who asks, over HTTP: an API key, a keyed hash of each request, or a token of OAuth. A
//! certificate of ours is the business of [`crate::tls`], message encryption that of [`crate::envelope`].

mod hmac;
mod oauth;

use std::sync::Arc;

use http::{HeaderName, HeaderValue, header};
use serde::Deserialize;
use toml::Spanned;

use crate::{
    client::Outgoing,
    dial::Realm,
    file::{SourceError, SourceFile},
    http::World,
    report::Failure,
    secret,
};
use hmac::{Hmac, RawHmac};
use oauth::{Oauth, RawOauth, Token};

/// The table `[auth]` of a file: one of these.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub(crate) struct RawAuth {
    #[serde(default)]
    api_key: Option<RawApiKey>,
    #[serde(default)]
    hmac: Option<RawHmac>,
    #[serde(default)]
    oauth: Option<RawOauth>,
}

/// A secret in a header.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawApiKey {
    header: Spanned<String>,
    secret: Spanned<String>,
}

/// What each request carries.
pub(crate) enum Auth {
    /// A secret in a header.
    ApiKey(HeaderName, HeaderValue),
    /// A keyed hash of the request.
    Hmac(Box<Hmac>),
    /// A token by client credentials.
    Oauth(Box<Oauth>),
}

/// By what a request was let in, so that it can be given up where it was not.
pub(crate) struct Shown(Option<Arc<Token>>);

impl Auth {
    /// Checks the table and reads its secret.
    pub(crate) fn compile(
        file: &SourceFile,
        source: &str,
        realm: Realm,
        raw: &Spanned<RawAuth>,
    ) -> Result<Self, SourceError> {
        let RawAuth { api_key, hmac, oauth } = raw.get_ref();
        match (api_key, hmac, oauth) {
            (Some(raw), None, None) => {
                let secret = secret::text(file, "secret", &raw.secret, source, realm)?;
                let name = header_name(file, "header", &raw.header)?;
                let value = secret_header(&secret);
                let wrong = || file.wrong(&raw.secret.span(), "secret: not what a header can carry");
                Ok(Auth::ApiKey(name, value.ok_or_else(wrong)?))
            }
            (None, Some(raw), None) => Ok(Auth::Hmac(Box::new(Hmac::compile(file, source, realm, raw)?))),
            (None, None, Some(raw)) => Ok(Auth::Oauth(Box::new(Oauth::compile(file, source, realm, raw)?))),
            _ => Err(file.wrong(&raw.span(), "auth: one of api-key, hmac and oauth")),
        }
    }

    /// Puts onto a request what lets it in.
    pub(crate) async fn apply(
        &self,
        world: &World<'_>,
        request: &mut Outgoing<'_>,
        nonce: &HeaderValue,
    ) -> Result<Shown, Failure> {
        match self {
            Auth::ApiKey(name, secret) => {
                request.headers.insert(name, secret.clone());
                Ok(Shown(None))
            }
            Auth::Hmac(hmac) => {
                hmac.sign(world.clock.now(), request, nonce);
                Ok(Shown(None))
            }
            Auth::Oauth(oauth) => {
                let token = oauth.token(world).await?;
                request
                    .headers
                    .insert(header::AUTHORIZATION, token.header.clone());
                Ok(Shown(Some(token)))
            }
        }
    }

    /// The source did not let it in. Whether another try makes sense: a token may have been withdrawn before its end.
    pub(crate) fn renews(&self, shown: &Shown) -> bool {
        match (self, &shown.0) {
            (Auth::Oauth(oauth), Some(token)) => {
                oauth.forget(token);
                true
            }
            _ => false,
        }
    }
}

/// A value that shows itself in no trace.
fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok().filter(|_| !text.is_empty())?;
    value.set_sensitive(true);
    Some(value)
}

/// The name of a header of an agreement; those that say how long a message is, or where to, are not for that.
pub(crate) fn header_name(
    file: &SourceFile,
    key: &str,
    name: &Spanned<String>,
) -> Result<HeaderName, SourceError> {
    let taken = [
        header::CONTENT_TYPE,
        header::CONTENT_LENGTH,
        header::CONTENT_ENCODING,
        header::TRANSFER_ENCODING,
        header::HOST,
        header::CONNECTION,
        header::COOKIE,
    ];
    HeaderName::from_bytes(name.get_ref().as_bytes())
        .ok()
        .filter(|name| !taken.contains(name))
        .ok_or_else(|| {
            file.wrong(
                &name.span(),
                format!("{key}: not the name of a header that is free, such as x-signature"),
            )
        })
}
