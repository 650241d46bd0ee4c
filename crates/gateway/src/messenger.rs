//! Who carries a code to a phone. What an SMS says is fixed here: who sends, what it is for, that nobody calls to ask.

#[cfg(feature = "demo")]
mod outbox;

use std::{collections::BTreeMap, time::Duration};

use bytes::Bytes;
use domain::{identifiers::Phone, time::Timestamp};
use http::{Method, Request, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};

#[cfg(feature = "demo")]
pub use outbox::{Message, Outbox};

use crate::{app::Lang, config::MessengerConfig, error::StartError};

/// How long the sender of SMS may take.
const DEADLINE: Duration = Duration::from_secs(5);
/// The largest answer of it that is read.
const MAX_ANSWER: usize = 64 * 1024;

/// A messenger.
pub enum Messenger {
    /// An HTTP interface that sends SMS.
    Http(Box<HttpMessenger>),
    /// The demo's outbox, in memory, shown on a page that exists only there.
    #[cfg(feature = "demo")]
    Outbox(Outbox),
}

/// An HTTP interface that sends SMS, as the configuration maps it.
pub struct HttpMessenger {
    config: MessengerConfig,
    uri: Uri,
    headers: BTreeMap<String, String>,
    client: Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
}

/// What could not be done with a message; nothing about the phone.
#[derive(Debug, thiserror::Error)]
#[error("the message could not be handed over: {0}")]
pub struct NotSent(pub String);

impl Messenger {
    /// A messenger over HTTP. Only `https` goes out: the body carries a phone and a code.
    ///
    /// # Errors
    /// Names the key of the configuration that is wrong.
    pub fn http(config: &MessengerConfig) -> Result<Self, StartError> {
        let wrong = |key: &str, problem: &str| Err(StartError(format!("messenger.{key}: {problem}")));
        let Ok(uri) = config.endpoint.parse::<Uri>() else {
            return wrong("endpoint", "not a URL");
        };
        if uri.scheme_str() != Some("https") || uri.host().is_none() {
            return wrong("endpoint", "must begin with https://");
        }
        let filled: String = config.body.values().map(String::as_str).collect();
        if !filled.contains("{phone}") || !(filled.contains("{code}") || filled.contains("{text}")) {
            return wrong(
                "body",
                "some member must hold {phone}, and some member {code} or {text}",
            );
        }
        let mut headers = BTreeMap::new();
        for (name, value) in &config.headers {
            let value = match value.strip_prefix("env:") {
                Some(variable) => std::env::var(variable).map_err(|_| {
                    StartError(format!(
                        "messenger.headers.{name}: the variable {variable} is not set"
                    ))
                })?,
                None => value.clone(),
            };
            headers.insert(name.clone(), value);
        }
        let connector = HttpsConnectorBuilder::new()
            .with_webpki_roots()
            .https_only()
            .enable_http1()
            .build();
        let client = Client::builder(TokioExecutor::new()).build(connector);
        Ok(Messenger::Http(Box::new(HttpMessenger {
            config: config.clone(),
            uri,
            headers,
            client,
        })))
    }

    /// Sends a one-time code.
    ///
    /// # Errors
    /// It was not handed over.
    pub async fn send_code(
        &self,
        phone: &Phone,
        code: &str,
        operator: &str,
        lang: Lang,
        #[cfg_attr(
            not(feature = "demo"),
            expect(unused_variables, reason = "only the outbox tells the time")
        )]
        now: Timestamp,
    ) -> Result<(), NotSent> {
        let spaced = format!("{} {}", &code[..code.len() / 2], &code[code.len() / 2..]);
        let text = match lang {
            Lang::Zh => format!(
                "【{operator}】您的登录验证码是 {spaced}，5分钟内有效。不是您本人操作请不要理会。我们不会打电话索要验证码。"
            ),
            Lang::En => format!(
                "[{operator}] Your sign-in code is {spaced}, valid for 5 minutes. If this was not you, ignore it. We never call to ask for codes."
            ),
        };
        match self {
            Messenger::Http(http) => http.send(phone, code, &text).await,
            #[cfg(feature = "demo")]
            Messenger::Outbox(outbox) => {
                outbox.put(Message {
                    phone: phone.expose().to_owned(),
                    text,
                    code: code.to_owned(),
                    time: now,
                });
                Ok(())
            }
        }
    }
}

impl HttpMessenger {
    async fn send(&self, phone: &Phone, code: &str, text: &str) -> Result<(), NotSent> {
        let fill = |template: &String| {
            template
                .replace("{phone}", phone.expose())
                .replace("{code}", code)
                .replace("{text}", text)
        };
        let body: BTreeMap<&String, String> = self.config.body.iter().map(|(k, v)| (k, fill(v))).collect();
        let body = serde_json::to_vec(&body).map_err(|e| NotSent(e.to_string()))?;
        let mut request = Request::builder().method(Method::POST).uri(self.uri.clone());
        request = request.header(header::CONTENT_TYPE, "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(body)))
            .map_err(|e| NotSent(e.to_string()))?;
        let exchange = async {
            let response = self
                .client
                .request(request)
                .await
                .map_err(|_| NotSent("no connection".into()))?;
            let body = Limited::new(response.into_body(), MAX_ANSWER).collect().await;
            body.map(http_body_util::Collected::to_bytes)
                .map_err(|_| NotSent("a broken answer".into()))
        };
        let answer = tokio::time::timeout(DEADLINE, exchange)
            .await
            .map_err(|_| NotSent("no answer in time".into()))??;
        let answer: serde_json::Value =
            serde_json::from_slice(&answer).map_err(|_| NotSent("the answer is not JSON".into()))?;
        match answer.pointer(&self.config.success_at) {
            Some(serde_json::Value::String(word)) if *word == self.config.success_is => Ok(()),
            Some(number @ serde_json::Value::Number(_)) if *number.to_string() == *self.config.success_is => {
                Ok(())
            }
            _ => Err(NotSent("the sender of SMS refused it".into())),
        }
    }
}
