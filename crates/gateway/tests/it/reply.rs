//! What came back, and what is asked of it.

use axum::response::Response;
use bytes::Bytes;
use gateway::{app::App, commands::verify};
use http::HeaderMap;
use http_body_util::BodyExt;
use ledger::{TrustedKeys, Verified, receipt};
use serde::Deserialize;
use serde_json::{Value, value::RawValue};

/// One reply, as bytes and as JSON.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl Reply {
    pub(crate) async fn of(response: Response) -> Self {
        let (parts, body) = response.into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Reply {
            status: parts.status.as_u16(),
            headers: parts.headers,
            bytes,
            text,
            json,
        }
    }

    /// The reply, which must have this status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }

    /// The reply, which must be a problem (RFC 9457) with this status and code.
    #[track_caller]
    pub(crate) fn expect_problem(self, status: u16, code: &str) -> Self {
        assert_eq!(
            (self.status, self.json["code"].as_str()),
            (status, Some(code)),
            "{}",
            self.text
        );
        assert_eq!(self.headers["content-type"], "application/problem+json");
        assert_eq!(self.json["status"], status);
        assert!(
            self.json["title"].as_str().is_some_and(|t| !t.is_empty()),
            "{}",
            self.text
        );
        self
    }

    /// The reply, which must be an answer with this outcome.
    #[track_caller]
    pub(crate) fn expect_outcome(self, outcome: &str) -> Self {
        assert_eq!(
            (self.status, self.json["outcome"].as_str()),
            (200, Some(outcome)),
            "{}",
            self.text
        );
        self
    }

    /// A member that is a text.
    #[track_caller]
    pub(crate) fn text_at(&self, pointer: &str) -> &str {
        text_at(&self.json, pointer)
    }

    pub(crate) fn lookup_id(&self) -> &str {
        self.text_at("/lookup_id")
    }

    /// The ids of the disclosed fields.
    pub(crate) fn disclosed(&self) -> Vec<&str> {
        keys(&self.json["record"])
    }

    /// Verifies the receipt in this reply with nothing but its bytes and the log's public keys.
    #[track_caller]
    pub(crate) fn verified(&self, app: &App) -> Verified {
        let with: WithReceipt<'_> = serde_json::from_str(&self.text).unwrap();
        verify_receipt(app, with.receipt.get())
    }
}

/// A receipt exactly as it came: it is verified over its bytes.
#[derive(Deserialize)]
struct WithReceipt<'a> {
    #[serde(borrow)]
    receipt: &'a RawValue,
}

#[track_caller]
pub(crate) fn verify_receipt(app: &App, text: &str) -> Verified {
    let keys = app.store.log_keys();
    let trusted = TrustedKeys::new(std::iter::once(keys.ed25519.clone()).chain(keys.sm2.clone())).unwrap();
    receipt::verify(text.as_bytes(), &trusted, verify::signature).unwrap()
}

#[track_caller]
pub(crate) fn text_at<'a>(json: &'a Value, pointer: &str) -> &'a str {
    let text = json.pointer(pointer).and_then(Value::as_str);
    text.unwrap_or_else(|| panic!("no text at {pointer} of {json}"))
}

/// The members' names of an object.
pub(crate) fn keys(object: &Value) -> Vec<&str> {
    object
        .as_object()
        .map(|o| o.keys().map(String::as_str).collect())
        .unwrap_or_default()
}

pub(crate) fn unhex(text: &str) -> [u8; 32] {
    let byte = |i: usize| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap();
    std::array::from_fn(byte)
}
