//! Who carries messages to phones. What an SMS says is fixed here: who sends, what it is for, that nobody calls to ask
//! for codes. It has no link, and tells no kind of record, no plate and no result. The page on which people learn to know
//! our messages shows the same texts.

mod http;
#[cfg(feature = "demo")]
mod outbox;

use domain::{identifiers::Phone, time::Timestamp};
use sources::Realm;

pub use self::http::HttpMessenger;
#[cfg(feature = "demo")]
pub use outbox::{Message, Outbox};

use crate::{app::Lang, config::MessengerConfig, error::StartError};

/// A messenger.
pub enum Messenger {
    /// An HTTP interface that sends SMS.
    Http(Box<HttpMessenger>),
    /// The demo's outbox, in memory, shown on a page that exists only there.
    #[cfg(feature = "demo")]
    Outbox(Outbox),
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
    /// A messenger over HTTP, which speaks to whom this realm may speak to.
    ///
    /// # Errors
    /// Names the key of the configuration that is wrong.
    pub fn http(config: &MessengerConfig, realm: Realm) -> Result<Self, StartError> {
        HttpMessenger::new(config, realm).map(|http| Messenger::Http(Box::new(http)))
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

#[cfg(all(test, feature = "demo"))]
mod tests {
    use std::collections::BTreeMap;

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
            ca: None,
            headers: BTreeMap::new(),
            body: BTreeMap::from([("to".into(), "{phone}".into()), ("code".into(), "{code}".into())]),
            success_at: "/Code".into(),
            success_is: "OK".into(),
        };
        let messenger = Messenger::http(&config, Realm::Demo).unwrap();
        let phone = Phone::parse("17900100077").unwrap().value;
        let sent = messenger.send_news(&phone, "x", Lang::Zh, Timestamp(0)).await;
        assert!(sent.unwrap_err().0.contains("{text}"));
    }
}
