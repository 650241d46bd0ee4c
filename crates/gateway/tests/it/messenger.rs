//! Whoever sends SMS for a deployment: an HTTPS interface that takes a message, refuses it, talks nonsense, is silent,
//! or leads elsewhere.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use domain::{identifiers::Phone, time::Timestamp};
use gateway::{
    app::Lang,
    config::MessengerConfig,
    messenger::{Messenger, NotSent, code_text, news_text},
};
use serde_json::{Value, json};
use sources::Realm;
use tokio::{
    net::TcpListener,
    time::{Instant, pause, sleep, timeout},
};

use crate::{
    certificates::{Ca, Files, Key, params, server_config},
    server::{Act, Heard, Server, http},
};

const PHONE: &str = "17900100077";
const CODE: &str = "12345678";
const OPERATOR: &str = "示例市";
/// What is answered where the message was taken.
const TAKEN: &[u8] = br#"{"results": [{"code": "OK"}]}"#;
const JSON: &str = "content-type: application/json\r\n";

/// A sender of SMS, and the authority that signed its certificate.
struct Sender {
    server: Server,
    ca: PathBuf,
    /// The folder of the authority's file.
    _files: Files,
}

impl Sender {
    async fn new(script: impl Fn(&Heard) -> Act + Send + Sync + 'static) -> Self {
        let (ca, key, files) = (Ca::new(1), Key::new(2), Files::new());
        let certificate = ca.sign(&params("127.0.0.1"), &key);
        let server = Server::start_tls(server_config(vec![certificate], &key, None), script).await;
        Sender {
            server,
            ca: files.authority(&ca),
            _files: files,
        }
    }

    /// One that does the same with every message.
    async fn that(act: Act) -> Self {
        Sender::new(move |_| act.clone()).await
    }

    async fn that_says(status: &str, headers: &str, body: &[u8]) -> Self {
        Sender::that(Act::Raw(http(status, headers, body))).await
    }

    fn config(&self) -> MessengerConfig {
        MessengerConfig {
            ca: Some(self.ca.clone()),
            ..config(&format!("https://127.0.0.1:{}/send?app=7", self.server.port()))
        }
    }

    /// Why a code was not taken from a messenger of this configuration, if so.
    async fn refuses(&self, config: &MessengerConfig) -> Option<String> {
        send_code(&messenger(config)).await.err().map(|error| error.0)
    }
}

fn config(endpoint: &str) -> MessengerConfig {
    let members = [
        ("to", "+86 {phone}"),
        ("parameters", "code={code}"),
        ("words", "{text}"),
    ];
    MessengerConfig {
        endpoint: endpoint.to_owned(),
        ca: None,
        headers: BTreeMap::new(),
        body: members.map(|(k, v)| (k.to_owned(), v.to_owned())).into(),
        success_at: "/results/0/code".to_owned(),
        success_is: "OK".to_owned(),
    }
}

/// On this machine, where the server of a test is.
fn messenger(config: &MessengerConfig) -> Messenger {
    Messenger::http(config, Realm::Demo).unwrap()
}

fn phone() -> Phone {
    Phone::parse(PHONE).unwrap().value
}

async fn send_code(messenger: &Messenger) -> Result<(), NotSent> {
    messenger
        .send_code(&phone(), CODE, OPERATOR, Lang::Zh, Timestamp(0))
        .await
}

#[tokio::test]
async fn a_message_is_filled_in_and_posted_once() {
    let sender = Sender::that(Act::Json(TAKEN.to_vec())).await;
    let messenger = messenger(&sender.config());
    send_code(&messenger).await.unwrap();
    let to = phone();
    let news = messenger.send_news(&to, OPERATOR, Lang::En, Timestamp(0));
    news.await.unwrap();
    let heard = sender.server.requests();
    let bodies: Vec<Value> = heard
        .iter()
        .map(|h| serde_json::from_slice(&h.body).unwrap())
        .collect();
    let to = format!("+86 {PHONE}");
    let expected = [
        json!({ "to": to, "parameters": "code=12345678", "words": code_text(CODE, OPERATOR, Lang::Zh) }),
        json!({ "to": to, "parameters": "code=", "words": news_text(OPERATOR, Lang::En) }),
    ];
    assert_eq!(bodies, expected);
    for heard in &heard {
        assert!(
            heard.head.starts_with("POST /send?app=7 HTTP/1.1\r\n"),
            "{}",
            heard.head
        );
        assert_eq!(heard.header("content-type"), Some("application/json"));
    }
}

#[tokio::test]
async fn headers_are_sent_and_secrets_come_from_variables() {
    let sender = Sender::that(Act::Json(TAKEN.to_vec())).await;
    let with = |name: &str, value: &str| MessengerConfig {
        headers: BTreeMap::from([
            (name.to_owned(), value.to_owned()),
            ("X-App".to_owned(), "seven".to_owned()),
        ]),
        ..sender.config()
    };
    // A variable that is set wherever tests run.
    assert_eq!(sender.refuses(&with("Authorization", "env:PATH")).await, None);
    let heard = sender.server.requests().remove(0);
    assert_eq!(heard.header("x-app"), Some("seven"));
    assert_eq!(
        heard.header("authorization"),
        std::env::var("PATH").ok().as_deref()
    );
    for (name, value, why) in [
        (
            "Authorization",
            "env:MINGCHA_NOT_SET",
            "variable MINGCHA_NOT_SET is not set",
        ),
        ("Not a name", "x", "not the name of a header"),
        ("Authorization", "hidden\n", "not the value of a header"),
    ] {
        let told = Messenger::http(&with(name, value), Realm::Demo).err().unwrap().0;
        let at = format!("messenger.headers.{name}: ");
        assert!(
            told.starts_with(&at) && told.contains(why) && !told.contains("hidden"),
            "{told}"
        );
    }
}

#[tokio::test]
async fn what_stands_in_the_answer_decides() {
    const REFUSED: Option<&str> = Some("the sender of SMS refused it");
    const NO_JSON: Option<&str> = Some("the answer is not JSON");
    for (success_is, answer, expected) in [
        (
            "OK",
            r#"{"results": [{"code": "OK", "id": 7}], "code": "FAIL"}"#,
            None,
        ),
        ("0", r#"{"results": [{"code": 0}]}"#, None),
        ("0", r#"{"results": [{"code": "0"}]}"#, None),
        ("OK", r#"{"results": [{"code": "LIMIT"}]}"#, REFUSED),
        ("OK", r#"{"results": [{"code": "ok"}]}"#, REFUSED),
        ("0", r#"{"results": [{"code": 1}]}"#, REFUSED),
        ("true", r#"{"results": [{"code": true}]}"#, REFUSED),
        ("OK", r#"{"results": []}"#, REFUSED),
        ("OK", r#"{"code": "OK"}"#, REFUSED),
        ("OK", r#""OK""#, REFUSED),
        ("OK", "OK", NO_JSON),
        ("OK", r#"{"results": [{"code": "OK"}]"#, NO_JSON),
        ("OK", "", NO_JSON),
    ] {
        let sender = Sender::that(Act::Json(answer.as_bytes().to_vec())).await;
        let config = MessengerConfig {
            success_is: success_is.to_owned(),
            ..sender.config()
        };
        assert_eq!(sender.refuses(&config).await.as_deref(), expected, "{answer}");
        assert_eq!(sender.server.requests().len(), 1, "{answer}");
    }
}

#[tokio::test]
async fn only_an_answer_of_success_and_of_bounded_length_is_read() {
    let long = [TAKEN, &[b' '; 64 * 1024]].concat();
    for (status, headers, body, expected) in [
        ("202 Accepted", "content-type: text/plain\r\n", TAKEN, None),
        ("400 Bad Request", JSON, TAKEN, Some("bad_status")),
        ("401 Unauthorized", JSON, TAKEN, Some("credentials_refused")),
        ("500 Internal Server Error", JSON, TAKEN, Some("bad_status")),
        ("200 OK", JSON, long.as_slice(), Some("body_too_large")),
    ] {
        let sender = Sender::that_says(status, headers, body).await;
        let refused = sender.refuses(&sender.config()).await;
        assert_eq!(refused.as_deref(), expected, "{status}");
    }
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let sender = Sender::new(|heard| match heard.path.as_str() {
        "/elsewhere" => Act::Json(TAKEN.to_vec()),
        _ => Act::Raw(http("307 Temporary Redirect", "location: /elsewhere\r\n", b"")),
    })
    .await;
    let refused = sender.refuses(&sender.config()).await;
    assert_eq!(refused.as_deref(), Some("redirected"));
    assert_eq!(sender.server.requests().len(), 1);
}

#[tokio::test]
async fn a_sender_that_is_silent_is_given_up_after_five_seconds() {
    let sender = Sender::that(Act::Hang).await;
    let (config, began) = (sender.config(), Instant::now());
    // As soon as it has the message and nothing else is to be done, the clock runs ahead to what happens next.
    let (refused, ()) = tokio::join!(timeout(Duration::from_secs(60), sender.refuses(&config)), async {
        while sender.server.requests().is_empty() {
            sleep(Duration::from_millis(1)).await;
        }
        pause();
    });
    let refused = refused.expect("it is given up");
    assert_eq!(refused.as_deref(), Some("no answer in time"));
    let took = began.elapsed();
    assert!(
        (Duration::from_secs(5)..Duration::from_secs(7)).contains(&took),
        "{took:?}"
    );
}

#[tokio::test]
async fn a_certificate_of_nobody_known_is_not_believed() {
    let sender = Sender::that(Act::Json(TAKEN.to_vec())).await;
    let public = MessengerConfig {
        ca: None,
        ..sender.config()
    };
    let refused = sender.refuses(&public).await;
    assert_eq!(refused.as_deref(), Some("certificate_refused"));
    assert_eq!(sender.server.requests().len(), 0, "no phone and no code was sent");
}

/// What the program makes of a configuration in a deployment that is real.
fn told(config: &MessengerConfig) -> String {
    let made = Messenger::http(config, Realm::Production);
    made.err().map(|error| error.0).unwrap_or_default()
}

#[test]
fn what_is_wrong_is_told_at_the_start() {
    assert_eq!(told(&config("https://sms.provider.example/send?app=7")), "");
    assert_eq!(
        told(&config("https://10.0.0.7:8443/send")),
        "",
        "in one's own network"
    );
    for (endpoint, why) in [
        ("http://sms.provider.example/send", "must begin with https://"),
        ("https://127.0.0.1/send", "not one of another machine"),
        ("https://[::1]/send", "not one of another machine"),
        ("https://169.254.169.254/send", "not one of another machine"),
    ] {
        let told = told(&config(endpoint));
        assert!(
            told.starts_with("messenger.endpoint: ") && told.contains(why),
            "{endpoint}: {told}"
        );
    }
    let whole = config("https://sms.provider.example/send");
    let body = |members: &[&str]| MessengerConfig {
        body: members
            .iter()
            .map(|m| ((*m).to_owned(), (*m).to_owned()))
            .collect(),
        ..whole.clone()
    };
    for members in [&["{phone}"][..], &["{code}", "{text}"], &[]] {
        assert!(
            told(&body(members)).starts_with("messenger.body: "),
            "{members:?}"
        );
    }
    for members in [&["{phone}", "{code}"], &["{phone}", "{text}"]] {
        assert_eq!(told(&body(members)), "");
    }
    let missing = MessengerConfig {
        ca: Some("/nowhere/ca.pem".into()),
        ..whole.clone()
    };
    assert!(told(&missing).starts_with("messenger.ca: "), "{}", told(&missing));
}

#[tokio::test]
async fn a_name_that_leads_inward_is_not_dialled() {
    #[expect(clippy::disallowed_methods, reason = "the test plays who sends the SMS")]
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://localhost:{}/send", listener.local_addr().unwrap().port());
    let messenger = Messenger::http(&config(&endpoint), Realm::Production).unwrap();
    assert_eq!(send_code(&messenger).await.unwrap_err().0, "address_refused");
    let accepted = timeout(Duration::from_millis(20), listener.accept()).await;
    assert!(accepted.is_err(), "somebody came");
}
