//! The other way to ask: JSON in the clear with an API key, and a reply that is signed for that request. The repair
//! shops' platform speaks so; docs/sandbox.md describes it for integrators.

use std::{
    collections::{BTreeSet, VecDeque},
    sync::{Mutex, PoisonError},
};

use axum::http::{HeaderMap, header};
use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::SecretText;

use crate::{
    answers::Path,
    authority::Authority,
    sandbox::{Reply, Sandbox},
};

/// The header of the API key.
pub(crate) const API_KEY: &str = "x-api-key";
/// The header of a request's nonce.
pub(crate) const NONCE: &str = "x-nonce";
/// The header of a reply's time.
pub(crate) const TIME: &str = "x-time";
/// The header of a reply's signature.
pub(crate) const SIGNATURE: &str = "x-signature";

/// How many nonces are remembered: those of several minutes at full speed, in half a megabyte.
const MAX_NONCES: usize = 10_000;

/// The nonces that came, oldest first.
#[derive(Default)]
pub(crate) struct Nonces(Mutex<(BTreeSet<u128>, VecDeque<u128>)>);

impl Nonces {
    /// Remembers one; `false` where it came before.
    #[must_use]
    fn take(&self, nonce: u128) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, order) = &mut *known;
        if !seen.insert(nonce) {
            return false;
        }
        order.push_back(nonce);
        if order.len() > MAX_NONCES
            && let Some(oldest) = order.pop_front()
        {
            seen.remove(&oldest);
        }
        true
    }
}

impl Sandbox {
    /// Checks who asks, answers, and signs the answer.
    pub(crate) fn exchange_signed(
        &self,
        authority: Authority,
        path: Path,
        head: &HeaderMap,
        body: &[u8],
    ) -> Reply {
        let now = self.clock.now();
        let key = only(head, API_KEY).map(|key| SecretText::new(key.to_owned()));
        if key.is_none_or(|key| key != *self.keys.api_key()) {
            return Reply::Unknown;
        }
        if only(head, header::CONTENT_TYPE.as_str()) != Some("application/json") {
            return Reply::Malformed("content-type: application/json");
        }
        let Some((text, nonce)) = only(head, NONCE).and_then(|text| Some((text, parse_nonce(text)?))) else {
            return Reply::Malformed("x-nonce: 32 hexadecimal digits in lower case");
        };
        if !self.nonces.take(nonce) {
            return Reply::Malformed("x-nonce: it came before");
        }
        let (plain, delay_ms) = match self.respond(authority, path, (nonce.to_be_bytes(), false), body, now) {
            Ok(responded) => responded,
            Err(reply) => return reply,
        };
        let time = (now.0 / 1000).to_string();
        let digest = self.keys.suite().hash(&[&plain]);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let lines = format!("{time}\n{text}\n{digest}");
        let signature = self.keys.identity(authority).sign(lines.as_bytes());
        Reply::Signed {
            body: plain,
            time,
            signature: STANDARD.encode(signature),
            delay_ms,
        }
    }
}

fn parse_nonce(text: &str) -> Option<u128> {
    let is_sound = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    if text.len() != 32 || !text.bytes().all(is_sound) {
        return None;
    }
    u128::from_str_radix(text, 16).ok()
}

/// The text of a header that stands once.
fn only<'a>(head: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let mut values = head.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_nonce_counts_once_and_only_so_many_are_remembered() {
        let nonces = Nonces::default();
        for nonce in 0..=MAX_NONCES as u128 {
            assert!(nonces.take(nonce) && !nonces.take(nonce));
        }
        assert!(!nonces.take(1) && nonces.take(0), "the oldest is forgotten");
    }
}
