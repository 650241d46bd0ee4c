//! An HTTP interface that sends SMS, as the configuration maps it: JSON by POST, over TLS alone, for the body carries a
//! phone and a code. It is dialled by the function that dials sources.

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use domain::identifiers::Phone;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use sources::{Endpoint, Realm};
use tokio::time::timeout;

use super::NotSent;
use crate::{config::MessengerConfig, error::StartError};

/// How long the sender of SMS may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The largest answer of it that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// An HTTP interface that sends SMS.
pub struct HttpMessenger {
    config: MessengerConfig,
    headers: HeaderMap,
    endpoint: Endpoint,
}

impl HttpMessenger {
    /// Checks what the configuration says, and resolves its secrets.
    ///
    /// # Errors
    /// Names the key that is wrong.
    pub(super) fn new(config: &MessengerConfig, realm: Realm) -> Result<Self, StartError> {
        let filled: String = config.body.values().map(String::as_str).collect();
        if !filled.contains("{phone}") || !(filled.contains("{code}") || filled.contains("{text}")) {
            return Err(StartError(
                "messenger.body: some member must hold {phone}, and some member {code} or {text}".into(),
            ));
        }
        let endpoint = Endpoint::new(&config.endpoint, config.ca.as_deref(), realm, MAX_ANSWER);
        Ok(HttpMessenger {
            config: config.clone(),
            headers: headers(&config.headers)?,
            endpoint: endpoint.map_err(|problem| StartError(format!("messenger.{problem}")))?,
        })
    }

    /// Whether a member of the body has this part.
    pub(super) fn holds(&self, part: &str) -> bool {
        self.config.body.values().any(|member| member.contains(part))
    }

    /// Hands a message over, once.
    ///
    /// # Errors
    /// It was not taken, or nobody knows.
    pub(super) async fn send(&self, phone: &Phone, code: Option<&str>, text: &str) -> Result<(), NotSent> {
        if code.is_none() && !self.holds("{text}") {
            return Err(NotSent(
                "messenger.body has no {text}, so that only codes are sent".into(),
            ));
        }
        let fill = |template: &String| {
            template
                .replace("{phone}", phone.expose())
                .replace("{code}", code.unwrap_or_default())
                .replace("{text}", text)
        };
        let body: BTreeMap<&String, String> = self.config.body.iter().map(|(k, v)| (k, fill(v))).collect();
        let body = serde_json::to_vec(&body).map_err(|e| NotSent(e.to_string()))?;
        let answer = self.endpoint.post(self.headers.clone(), Bytes::from(body));
        let answer = timeout(DEADLINE, answer).await;
        let answer = answer.map_err(|_| NotSent("no answer in time".into()))?;
        let answer = answer.map_err(|problem| NotSent(problem.code().into()))?;
        let answer: Value =
            serde_json::from_slice(&answer).map_err(|_| NotSent("the answer is not JSON".into()))?;
        match self.is_success(&answer) {
            true => Ok(()),
            false => Err(NotSent("the sender of SMS refused it".into())),
        }
    }

    fn is_success(&self, answer: &Value) -> bool {
        match answer.pointer(&self.config.success_at) {
            Some(Value::String(word)) => *word == self.config.success_is,
            Some(Value::Number(number)) => number.to_string() == self.config.success_is,
            _ => false,
        }
    }
}

/// The headers as they are sent. A value may be a secret, and no error repeats one.
fn headers(configured: &BTreeMap<String, String>) -> Result<HeaderMap, StartError> {
    let mut headers = HeaderMap::new();
    for (name, value) in configured {
        let wrong = |problem: &str| StartError(format!("messenger.headers.{name}: {problem}"));
        let value = match value.strip_prefix("env:") {
            Some(variable) => {
                std::env::var(variable).map_err(|_| wrong(&format!("the variable {variable} is not set")))?
            }
            None => value.clone(),
        };
        let name = HeaderName::try_from(name.as_str()).map_err(|_| wrong("not the name of a header"))?;
        let mut value = HeaderValue::try_from(value).map_err(|_| wrong("not the value of a header"))?;
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}
