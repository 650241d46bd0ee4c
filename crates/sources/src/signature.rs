//! The detached signature of a reply, checked before anything is read of it. What is signed [format], three lines with
//! a line feed between them and none at the end:
//!
//! ```text
//! 1795314304000                the reply's time, as its header says it: milliseconds since 1970-01-01T00:00:00Z
//! 8f3a…                        the nonce of the request that is answered, 32 hexadecimal digits
//! 44136fa3…                    the hash of the body's bytes in lower-case hexadecimal
//! ```
//!
//! The signature travels in a header in base64: SM2 (`r ‖ s`, the default user id, with SM3), Ed25519 (with SHA-256)
//! or an HMAC. The nonce was drawn for the request, so that no reply to another one, or of another day, fits.

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{AgreedKey, Suite, session::Peer};
use domain::time::Timestamp;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde::Deserialize;
use toml::Spanned;

use crate::{
    auth::header_name,
    dial::Realm,
    file::{Digest, SourceError, SourceFile},
    report::{Failure, Problem},
    secret,
};

/// How far a reply's time may be from ours: as far as message encryption lets it.
const MAX_SKEW_MS: u64 = 60_000;

/// The table `[signature]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSignature {
    /// The source's public key: `gm-public:…` or `intl-public:…`.
    #[serde(default)]
    key: Option<Spanned<String>>,
    /// Or the secret of an HMAC, and its hash.
    #[serde(default)]
    secret: Option<Spanned<String>>,
    #[serde(default)]
    digest: Option<Digest>,
    header: Spanned<String>,
    time: Spanned<String>,
    /// In which header the request carries its nonce.
    nonce: Spanned<String>,
}

/// Who signs the replies of a source, and in which headers.
pub(crate) struct Signature {
    signer: Signer,
    header: HeaderName,
    time: HeaderName,
    nonce: HeaderName,
}

enum Signer {
    Public(Peer),
    Agreed(AgreedKey),
}

impl Signature {
    /// Checks the table and reads its key.
    pub(crate) fn compile(
        file: &SourceFile,
        source: &str,
        realm: Realm,
        raw: &Spanned<RawSignature>,
    ) -> Result<Self, SourceError> {
        let line = raw.span();
        let raw = raw.get_ref();
        let signer = match (&raw.key, &raw.secret, raw.digest) {
            (Some(key), None, None) => {
                let peer = Peer::from_base64("signer", key.get_ref());
                Signer::Public(peer.map_err(|e| file.wrong(&key.span(), format!("key: {e}")))?)
            }
            (None, Some(secret), Some(digest)) => {
                Signer::Agreed(secret::agreed_key(file, secret, digest, source, realm)?)
            }
            _ => {
                let problem = "signature: either `key`, or `secret` and `digest` of an HMAC";
                return Err(file.wrong(&line, problem));
            }
        };
        Ok(Signature {
            signer,
            header: header_name(file, "header", &raw.header)?,
            time: header_name(file, "time", &raw.time)?,
            nonce: header_name(file, "nonce", &raw.nonce)?,
        })
    }

    /// Lets a request say what its reply must be signed for.
    pub(crate) fn ask(&self, headers: &mut HeaderMap, nonce: &HeaderValue) {
        headers.insert(&self.nonce, nonce.clone());
    }

    /// Whether others than us can be shown who signed: whoever knows the secret of an HMAC could have made it.
    pub(crate) fn is_proof(&self) -> bool {
        matches!(self.signer, Signer::Public(_))
    }

    /// Checks the signature of a reply.
    pub(crate) fn verify(
        &self,
        head: &HeaderMap,
        nonce: &HeaderValue,
        body: &[u8],
        now: Timestamp,
    ) -> Result<(), Failure> {
        let unsigned = || Failure::bad_answer(Problem::ReplyUnsigned);
        let time = only(head, &self.time).ok_or_else(unsigned)?;
        let signature = only(head, &self.header).ok_or_else(unsigned)?;
        let signature = STANDARD.decode(signature).map_err(|_| unsigned())?;
        let digest = secret::hex(&self.suite().hash(&[body]));
        let lines = [time.as_bytes(), nonce.as_bytes(), digest.as_bytes()].join(&b'\n');
        if !self.is_signed(&lines, &signature) {
            return Err(Failure::bad_answer(Problem::ReplySignatureWrong));
        }
        let time: Option<i64> = time.parse().ok();
        if time.is_none_or(|time| time.abs_diff(now.0 / 1000) > MAX_SKEW_MS) {
            return Err(Failure::bad_answer(Problem::ReplyTimeOff));
        }
        Ok(())
    }

    fn suite(&self) -> Suite {
        match &self.signer {
            Signer::Public(peer) => peer.suite(),
            Signer::Agreed(key) => key.suite(),
        }
    }

    fn is_signed(&self, lines: &[u8], signature: &[u8]) -> bool {
        match &self.signer {
            Signer::Public(peer) => signature
                .try_into()
                .is_ok_and(|signature| peer.verify(lines, signature)),
            Signer::Agreed(key) => signature.try_into().is_ok_and(|tag| key.verify(lines, tag)),
        }
    }
}

/// The text of a header that stands once.
fn only<'a>(head: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = head.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}
