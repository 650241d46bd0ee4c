//! A token by client credentials (RFC 6749, section 4.4): asked for when the first question comes, kept until shortly
//! before its end, made anew once where the source does not know it any more.

use std::sync::Arc;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use domain::outcome::Outcome;
use http::{HeaderValue, Uri, header};
use serde::Deserialize;
use serde_json::Value as Json;
use toml::Spanned;
use url::form_urlencoded::{Serializer, byte_serialize};
use zeroize::Zeroizing;

use super::secret_header;
use crate::{
    client::{Content, Outgoing, Reply},
    dial::Realm,
    file::{SourceError, SourceFile},
    http::{World, check_address},
    json,
    report::{Failure, Problem},
    secret,
    shared::Shared,
};

/// How long before its end a token is replaced, so that no request is under way when it ends; half its life where
/// it lives for less than two minutes.
const RENEW_BEFORE_US: i64 = 60_000_000;
/// How long a token lives whose reply does not say, in seconds (RFC 6749, section 5.1, leaves it to the agreement).
const UNTOLD_SECONDS: i64 = 300;
/// A token is not kept for longer, whatever its reply says: a day.
const MAX_SECONDS: i64 = 86_400;
/// The longest token, in bytes: what a server's headers hold at the least.
const MAX_TOKEN: usize = 4096;
/// How many bytes the reply may have that brings it.
const MAX_REPLY: usize = 16 << 10;

/// The table `[auth.oauth]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOauth {
    token_endpoint: Spanned<String>,
    client_id: Spanned<String>,
    secret: Spanned<String>,
    /// Where id and secret stand in the request for a token.
    #[serde(default)]
    credentials: Credentials,
    #[serde(default)]
    scope: Option<Spanned<String>>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Credentials {
    /// In the header `authorization` (RFC 6749, section 2.3.1).
    #[default]
    Basic,
    /// In the body.
    Body,
}

/// Who we are at a token endpoint, and the token it gave.
pub(crate) struct Oauth {
    endpoint: Uri,
    authorization: Option<HeaderValue>,
    body: Zeroizing<Vec<u8>>,
    token: Shared<Token>,
}

/// A token as requests carry it.
pub(crate) struct Token {
    pub(super) header: HeaderValue,
    good_until_us: i64,
}

impl Oauth {
    pub(super) fn compile(
        file: &SourceFile,
        source: &str,
        realm: Realm,
        raw: &RawOauth,
    ) -> Result<Self, SourceError> {
        let endpoint = check_address(file, "token_endpoint", &raw.token_endpoint, realm, false)?;
        let secret = secret::text(file, "secret", &raw.secret, source, realm)?;
        let id = raw.client_id.get_ref();
        let mut body = Serializer::new(String::new());
        body.append_pair("grant_type", "client_credentials");
        if let Some(scope) = &raw.scope {
            body.append_pair("scope", scope.get_ref());
        }
        let authorization = match raw.credentials {
            Credentials::Basic => {
                let encoded = |text: &str| byte_serialize(text.as_bytes()).collect::<String>();
                let pair = Zeroizing::new(format!("{}:{}", encoded(id), encoded(&secret)));
                let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
                secret_header(&text)
            }
            Credentials::Body => {
                body.append_pair("client_id", id);
                body.append_pair("client_secret", &secret);
                None
            }
        };
        Ok(Oauth {
            endpoint,
            authorization,
            body: Zeroizing::new(body.finish().into_bytes()),
            token: Shared::new(),
        })
    }

    /// The token; one question asks for it while the others wait.
    pub(super) async fn token(&self, world: &World<'_>) -> Result<Arc<Token>, Failure> {
        let now = world.clock.now().0;
        let is_good = |token: &Token| now < token.good_until_us;
        self.token.get(world.deadline, is_good, self.ask(world)).await
    }

    pub(super) fn forget(&self, token: &Arc<Token>) {
        self.token.forget(token);
    }

    async fn ask(&self, world: &World<'_>) -> Result<Token, Failure> {
        let mut request = Outgoing::new(&self.endpoint, Content::Form, Bytes::copy_from_slice(&self.body));
        if let Some(authorization) = &self.authorization {
            request
                .headers
                .insert(header::AUTHORIZATION, authorization.clone());
        }
        let refused = || Failure::new(Outcome::Broken, Problem::CredentialsRefused);
        match world.post(request, MAX_REPLY).await {
            Ok(Reply::Body(_, body)) => {
                read(&body, world.clock.now().0).ok_or(Failure::new(Outcome::Broken, Problem::TokenMalformed))
            }
            Ok(Reply::Unknown) => Err(refused()),
            // 400 is what a token endpoint says to a client that it does not know (RFC 6749, section 5.2).
            Err(failure) if failure == Failure::bad_answer(Problem::BadStatus) => Err(refused()),
            Err(failure) => Err(failure),
        }
    }
}

/// A reply that brings a token (RFC 6749, section 5.1), of the kind that a header can carry (RFC 6750).
fn read(body: &[u8], now_us: i64) -> Option<Token> {
    let reply = json::parse(body).ok()?;
    let text = |member| reply.get(member).and_then(Json::as_str);
    let token = text("access_token")?;
    let is_sound = |c: char| c.is_ascii_alphanumeric() || "-._~+/=".contains(c);
    let is_bearer = text("token_type")?.eq_ignore_ascii_case("bearer");
    if !is_bearer || !(1..=MAX_TOKEN).contains(&token.len()) || !token.chars().all(is_sound) {
        return None;
    }
    let seconds = match reply.get("expires_in") {
        None => UNTOLD_SECONDS,
        Some(told) => told.as_i64().filter(|seconds| *seconds > 0)?.min(MAX_SECONDS),
    };
    let life = seconds * 1_000_000;
    let text = Zeroizing::new(format!("Bearer {token}"));
    Some(Token {
        header: secret_header(&text)?,
        good_until_us: now_us + (life - RENEW_BEFORE_US).max(life / 2),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_kept_until_shortly_before_its_end() {
        let until = |body: &str| read(body.as_bytes(), 0).map(|token| token.good_until_us / 1_000_000);
        let reply = |more: &str| format!(r#"{{"access_token":"a.b-c~d+e/f==","token_type":"bearer"{more}}}"#);
        assert_eq!(until(&reply(r#","expires_in":3600"#)), Some(3540));
        assert_eq!(until(&reply(r#","expires_in":90"#)), Some(45));
        assert_eq!(until(&reply("")), Some(240));
        assert_eq!(
            until(&reply(r#","expires_in":9000000000000000"#)),
            Some(MAX_SECONDS - 60)
        );
        for wrong in [
            r#","expires_in":0"#,
            r#","expires_in":-5"#,
            r#","expires_in":"3600""#,
        ] {
            assert_eq!(until(&reply(wrong)), None, "{wrong}");
        }
        for wrong in [
            r#"{"token_type":"bearer"}"#,
            r#"{"access_token":"a","token_type":"mac"}"#,
            r#"{"access_token":"a"}"#,
            r#"{"access_token":"","token_type":"bearer"}"#,
            r#"{"access_token":"a\r\nx: y","token_type":"bearer"}"#,
            r#"{"access_token":"a","access_token":"b","token_type":"bearer"}"#,
            "[]",
            "",
        ] {
            assert_eq!(until(wrong), None, "{wrong}");
        }
        let long = "a".repeat(MAX_TOKEN + 1);
        assert_eq!(
            until(&format!(r#"{{"access_token":"{long}","token_type":"bearer"}}"#)),
            None
        );
    }
}
