//! A keyed hash of each request. What is hashed [format], five lines with a line feed between them and none at the end:
//!
//! ```text
//! POST
//! /base/vehicle/query          the path, as it stands in the request
//! 1795314304000                the time, milliseconds since 1970-01-01T00:00:00Z
//! 8f3a…                        the nonce, 32 hexadecimal digits, drawn for this request
//! 44136fa3…                    the hash of the body's bytes, SHA-256 or SM3, in lower-case hexadecimal
//! ```
//!
//! The HMAC (RFC 2104) of these bytes, with the same hash, travels in base64 in a header of its own, beside the key's
//! name, the time and the nonce. Whoever checks it refuses a time that is far from theirs, and a nonce that came before.

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::AgreedKey;
use domain::time::Timestamp;
use http::{HeaderName, HeaderValue};
use serde::Deserialize;
use toml::Spanned;

use super::header_name;
use crate::{
    client::Outgoing,
    dial::Realm,
    file::{Digest, SourceError, SourceFile},
    secret,
};

/// The table `[auth.hmac]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawHmac {
    /// Which key it is, for whoever checks.
    key_id: Spanned<String>,
    secret: Spanned<String>,
    digest: Digest,
    headers: RawHeaders,
}

/// In which headers it travels.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHeaders {
    key_id: Spanned<String>,
    time: Spanned<String>,
    nonce: Spanned<String>,
    signature: Spanned<String>,
}

/// A key, and the headers that its hashes need.
pub(crate) struct Hmac {
    key: AgreedKey,
    key_id: (HeaderName, HeaderValue),
    time: HeaderName,
    nonce: HeaderName,
    signature: HeaderName,
}

impl Hmac {
    pub(super) fn compile(
        file: &SourceFile,
        source: &str,
        realm: Realm,
        raw: &RawHmac,
    ) -> Result<Self, SourceError> {
        let name = |key, name| header_name(file, key, name);
        let id = HeaderValue::from_str(raw.key_id.get_ref());
        let id = id.map_err(|_| file.wrong(&raw.key_id.span(), "key_id: not what a header can carry"))?;
        let [key_id, time, nonce, signature] = [
            name("headers.key_id", &raw.headers.key_id)?,
            name("headers.time", &raw.headers.time)?,
            name("headers.nonce", &raw.headers.nonce)?,
            name("headers.signature", &raw.headers.signature)?,
        ];
        let names = [&key_id, &time, &nonce, &signature];
        if (1..names.len()).any(|n| names[..n].contains(&names[n])) {
            return Err(file.wrong(
                &raw.headers.signature.span(),
                "headers: four different ones are needed",
            ));
        }
        Ok(Hmac {
            key: secret::agreed_key(file, &raw.secret, raw.digest, source, realm)?,
            key_id: (key_id, id),
            time,
            nonce,
            signature,
        })
    }

    /// Puts the key's name, the time, the nonce and the hash onto a request.
    pub(super) fn sign(&self, now: Timestamp, request: &mut Outgoing<'_>, nonce: &HeaderValue) {
        let time = HeaderValue::from(now.0 / 1000);
        let digest = secret::hex(&self.key.suite().hash(&[&request.body]));
        let lines = [
            b"POST".as_slice(),
            request.uri.path().as_bytes(),
            time.as_bytes(),
            nonce.as_bytes(),
            digest.as_bytes(),
        ];
        let tag = STANDARD.encode(self.key.tag(&lines.join(&b'\n')));
        let headers = &mut request.headers;
        headers.insert(&self.key_id.0, self.key_id.1.clone());
        headers.insert(&self.time, time);
        headers.insert(&self.nonce, nonce.clone());
        if let Ok(tag) = HeaderValue::try_from(tag) {
            headers.insert(&self.signature, tag);
        }
    }
}
