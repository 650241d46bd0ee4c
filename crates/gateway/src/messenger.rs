//! Who carries messages to phones. What an SMS says is fixed here: who sends, what it is for, that nobody calls to ask
//! for codes. It has no link, and tells no kind of record, no plate and no result. The page on which people learn to know
//! our messages shows the same texts.

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

/// What an SMS with a one-time code says.
#[must_use]
pub fn code_text(code: &str, operator: &str, lang: Lang) -> String {
    let spaced = format!("{} {}", &code[..code.len() / 2], &code[code.len() / 2..]);
    match lang {
        Lang::Zh => format!(
            "【{operator}】您的登录验证码是 {spaced}，5分钟内有效。不是您本人操作请不要理会。我们不会打电话索要验证码。"
        ),
        Lang::En => format!(
            "[{operator}] Your sign-in code is {spaced}, valid for 5 minutes. If this was not you, ignore it. We never call to ask for codes."
        ),
    }
}

/// What an SMS says of a request that has moved on.
#[must_use]
pub fn news_text(operator: &str, lang: Lang) -> String {
    match lang {
        Lang::Zh => format!(
            "【{operator}】您提交的一项申请有新进展。请自行打开本服务，在“我的求助”中查看。不是您本人的申请请不要理会。我们不会打电话索要验证码。"
        ),
        Lang::En => format!(
            "[{operator}] A request of yours has moved on. Open the service yourself and see \"My requests\". If you asked for nothing, ignore this. We never call to ask for codes."
        ),
    }
}

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
        now: Timestamp,
    ) -> Result<(), NotSent> {
        self.send(phone, Some(code), code_text(code, operator, lang), now)
            .await
    }

    /// Tells that something which the holder of the phone asked for has moved on; what, they see in the service.
    ///
    /// # Errors
    /// It was not handed over, or the sender of SMS takes codes only.
    pub async fn send_news(
        &self,
        phone: &Phone,
        operator: &str,
        lang: Lang,
        now: Timestamp,
    ) -> Result<(), NotSent> {
        self.send(phone, None, news_text(operator, lang), now).await
    }

    /// Whether news are sent, and not codes alone.
    #[must_use]
    pub fn sends_news(&self) -> bool {
        match self {
            Messenger::Http(http) => http.holds("{text}"),
            #[cfg(feature = "demo")]
            Messenger::Outbox(_) => true,
        }
    }

    async fn send(
        &self,
        phone: &Phone,
        code: Option<&str>,
        text: String,
        #[cfg_attr(
            not(feature = "demo"),
            expect(unused_variables, reason = "only the outbox tells the time")
        )]
        now: Timestamp,
    ) -> Result<(), NotSent> {
        match self {
            Messenger::Http(http) => http.send(phone, code, &text).await,
            #[cfg(feature = "demo")]
            Messenger::Outbox(outbox) => {
                outbox.put(Message {
                    phone: phone.expose().to_owned(),
                    text,
                    code: code.map(str::to_owned),
                    time: now,
                });
                Ok(())
            }
        }
    }
}

impl HttpMessenger {
    /// Whether a member of the body has this part.
    fn holds(&self, part: &str) -> bool {
        self.config.body.values().any(|member| member.contains(part))
    }

    async fn send(&self, phone: &Phone, code: Option<&str>, text: &str) -> Result<(), NotSent> {
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

#[cfg(all(test, feature = "demo"))]
mod tests {
    use super::*;

    #[tokio::test]
    async fn news_say_who_sends_and_nothing_of_what_it_is_about() {
        let messenger = Messenger::Outbox(Outbox::default());
        let phone = Phone::parse("17900100077").unwrap().value;
        for lang in [Lang::Zh, Lang::En] {
            messenger
                .send_news(&phone, "Example City", lang, Timestamp(0))
                .await
                .unwrap();
        }
        let Messenger::Outbox(outbox) = &messenger else {
            panic!("there is an outbox")
        };
        for (message, never_call) in outbox.messages().iter().zip(["never call", "不会打电话"]) {
            let text = &message.text;
            assert!(
                text.contains("Example City") && text.contains(never_call),
                "{text}"
            );
            assert!(!text.contains("http") && !text.contains('{'), "{text}");
            assert!(!text.bytes().any(|b| b.is_ascii_digit()) && message.code.is_none());
            // One SMS carries 70 letters of Chinese; three are the most that is worth its price.
            assert!(text.chars().count() <= 210);
        }
    }

    #[tokio::test]
    async fn a_sender_of_codes_alone_gets_no_news() {
        let config = MessengerConfig {
            endpoint: "https://127.0.0.1:1/".into(),
            headers: BTreeMap::new(),
            body: BTreeMap::from([("to".into(), "{phone}".into()), ("code".into(), "{code}".into())]),
            success_at: "/Code".into(),
            success_is: "OK".into(),
        };
        let messenger = Messenger::http(&config).unwrap();
        let phone = Phone::parse("17900100077").unwrap().value;
        let sent = messenger.send_news(&phone, "x", Lang::Zh, Timestamp(0)).await;
        assert!(sent.unwrap_err().0.contains("{text}"));
    }
}
