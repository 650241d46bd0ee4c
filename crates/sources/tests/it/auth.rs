//! What lets us in: each way against a server that checks it, and what comes of it where it is wrong.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{AgreedKey, Suite};
use domain::{
    outcome::Outcome,
    time::{ManualClock, Timestamp},
};
use futures_util::future::join_all;
use sources::{Answer, Problem, Realm, SourceError, Sources};

use crate::{
    server::{Act, Heard, Server, http, json},
    world::{NOW, TRAFFIC, car_answer, car_question, file, kinds, number, sources_with},
};

const API_KEY: &str = "\n[auth.api-key]\nheader = \"x-api-key\"\nsecret = \"literal:APPCODE 8f3a\"\n";

fn refused() -> Act {
    Act::Raw(http("401 Unauthorized", "", b""))
}

fn asked_with(table: &str, port: u16, clock: Arc<ManualClock>) -> Sources {
    sources_with(&[file("traffic.toml", &format!("{TRAFFIC}{table}"), port)], clock)
}

async fn ask(table: &str, server: &Server) -> (Outcome, Option<Problem>) {
    let sources = asked_with(table, server.port(), Arc::new(ManualClock::new(NOW)));
    let answer = sources.ask(car_question()).await;
    (answer.outcome, answer.report.map(|report| report.problem))
}

const LOCKED_OUT: (Outcome, Option<Problem>) = (Outcome::Broken, Some(Problem::CredentialsRefused));
const FOUND: (Outcome, Option<Problem>) = (Outcome::Found, None);

#[tokio::test]
async fn an_api_key_travels_in_its_header() {
    let server = Server::start(|heard| match heard.header("x-api-key") {
        Some("APPCODE 8f3a") => json(car_answer()),
        _ => refused(),
    })
    .await;
    assert_eq!(ask(API_KEY, &server).await, FOUND);
    assert_eq!(ask(&API_KEY.replace("8f3a", "8f3b"), &server).await, LOCKED_OUT);
    // Without a table a 401 is a bad answer, as any other status.
    assert_eq!(
        ask("", &server).await,
        (Outcome::BadAnswer, Some(Problem::BadStatus))
    );
}

/// A server that checks the keyed hash as the documentation says it is made, with nothing of ours but the algorithm.
struct Checker {
    key: AgreedKey,
    nonces: Mutex<BTreeSet<String>>,
}

impl Checker {
    fn act(&self, heard: &Heard) -> Act {
        let text = |name| heard.header(name).unwrap_or_default();
        let digest = self.key.suite().hash(&[&heard.body]);
        let digest: String = digest.iter().map(|b| format!("{b:02x}")).collect();
        let signed = format!(
            "POST\n/traffic/car\n{}\n{}\n{digest}",
            text("x-time"),
            text("x-nonce")
        );
        let tag = STANDARD.encode(self.key.tag(signed.as_bytes()));
        let is_fresh = self.nonces.lock().unwrap().insert(text("x-nonce").to_owned());
        let is_now = text("x-time") == (NOW.0 / 1000).to_string();
        if tag == text("x-signature") && text("x-key-id") == "us" && is_fresh && is_now {
            json(car_answer())
        } else {
            refused()
        }
    }
}

pub(crate) fn hmac(digest: &str, secret: &str) -> String {
    format!(
        "\n[auth.hmac]\nkey_id = \"us\"\nsecret = \"literal:{secret}\"\ndigest = \"{digest}\"\n\
         headers = {{ key_id = \"X-Key-Id\", time = \"x-time\", nonce = \"x-nonce\", signature = \"x-signature\" }}\n"
    )
}

#[tokio::test]
async fn a_keyed_hash_covers_the_request_and_none_is_used_twice() {
    for (suite, digest) in [(Suite::Intl, "sha256"), (Suite::Gm, "sm3")] {
        let checker = Checker {
            key: AgreedKey::new(suite, b"a secret that is long"),
            nonces: Mutex::default(),
        };
        let server = Server::start(move |heard| checker.act(heard)).await;
        let sources = asked_with(
            &hmac(digest, "a secret that is long"),
            server.port(),
            Arc::new(ManualClock::new(NOW)),
        );
        for _ in 0..3 {
            assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
        }
        let wrong = hmac(digest, "another one as long!!");
        assert_eq!(ask(&wrong, &server).await, LOCKED_OUT);
        let other = if digest == "sm3" { "sha256" } else { "sm3" };
        let wrong = hmac(other, "a secret that is long");
        assert_eq!(ask(&wrong, &server).await, LOCKED_OUT);
        assert_eq!(server.requests().len(), 5, "what is refused is not sent again");
    }
}

/// A token endpoint and a source behind it.
struct Office {
    given: AtomicUsize,
    /// Tokens before this one are not known any more.
    valid_from: AtomicUsize,
    /// How long it takes to give one.
    is_slow: bool,
}

impl Office {
    fn act(&self, heard: &Heard) -> Act {
        if heard.path == "/token" {
            return self.give(heard);
        }
        let given = heard.header("authorization").unwrap_or_default();
        let n = given
            .strip_prefix("Bearer t-")
            .and_then(|n| n.parse::<usize>().ok());
        if n.is_some_and(|n| n > self.valid_from.load(Ordering::SeqCst)) {
            json(car_answer())
        } else {
            refused()
        }
    }

    fn give(&self, heard: &Heard) -> Act {
        let form = String::from_utf8(heard.body.clone()).unwrap();
        let basic = format!("Basic {}", STANDARD.encode("us%2Bthem:a+secret%3A"));
        let by_header = heard.header("authorization") == Some(&basic)
            && form == "grant_type=client_credentials&scope=read+records";
        let by_body = form == "grant_type=client_credentials&client_id=us%2Bthem&client_secret=a+secret%3A";
        if !by_header && !by_body {
            return Act::Raw(http(
                "400 Bad Request",
                "content-type: application/json\r\n",
                br#"{"error":"invalid_client"}"#,
            ));
        }
        assert_eq!(
            heard.header("content-type"),
            Some("application/x-www-form-urlencoded")
        );
        let n = self.given.fetch_add(1, Ordering::SeqCst) + 1;
        if self.is_slow {
            std::thread::sleep(Duration::from_millis(50));
        }
        json(format!(
            r#"{{"access_token":"t-{n}","token_type":"Bearer","expires_in":600}}"#
        ))
    }
}

fn oauth(port: u16, more: &str) -> String {
    format!(
        "\n[auth.oauth]\ntoken_endpoint = \"http://127.0.0.1:{port}/token\"\nclient_id = \"us+them\"\n{more}\n"
    )
}

const BASIC: &str = "secret = \"literal:a secret:\"\nscope = \"read records\"";

async fn office(is_slow: bool) -> (Server, Arc<Office>) {
    let office = Arc::new(Office {
        given: AtomicUsize::new(0),
        valid_from: AtomicUsize::new(0),
        is_slow,
    });
    let inside = Arc::clone(&office);
    (Server::start(move |heard| inside.act(heard)).await, office)
}

#[tokio::test]
async fn a_token_is_asked_for_once_and_again_before_its_end() {
    for how in [BASIC, "secret = \"literal:a secret:\"\ncredentials = \"body\""] {
        let (server, office) = office(false).await;
        let clock = Arc::new(ManualClock::new(NOW));
        let sources = asked_with(&oauth(server.port(), how), server.port(), Arc::clone(&clock));
        let found = async || sources.ask(car_question()).await.outcome == Outcome::Found;
        assert!(found().await && found().await);
        assert_eq!(office.given.load(Ordering::SeqCst), 1, "{how}");
        clock.set(Timestamp(NOW.0 + 539_000_000));
        assert!(found().await);
        assert_eq!(office.given.load(Ordering::SeqCst), 1);
        clock.set(Timestamp(NOW.0 + 541_000_000));
        assert!(found().await);
        assert_eq!(office.given.load(Ordering::SeqCst), 2, "a minute before its end");
        for heard in server.requests() {
            assert!(!heard.path.contains('?') && !heard.head.contains(number(1).expose()));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn many_questions_make_one_token() {
    let (server, office) = office(true).await;
    let wide = |table: &str| TRAFFIC.replace("concurrency = 4", "concurrency = 64") + table;
    let files = [file(
        "traffic.toml",
        &wide(&oauth(server.port(), BASIC)),
        server.port(),
    )];
    let sources = sources_with(&files, Arc::new(ManualClock::new(NOW)));
    let all = || join_all((0..32).map(|_| sources.ask(car_question())));
    let is_found = |answers: Vec<Answer>| answers.iter().all(|a| a.outcome == Outcome::Found);
    assert!(is_found(all().await));
    assert_eq!(office.given.load(Ordering::SeqCst), 1);

    // The source knows it no more: each question tries once more, and all with the same new one.
    office.valid_from.store(1, Ordering::SeqCst);
    assert!(is_found(all().await));
    assert_eq!(office.given.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_token_that_is_never_taken_is_renewed_once() {
    let (server, office) = office(false).await;
    office.valid_from.store(usize::MAX, Ordering::SeqCst);
    assert_eq!(ask(&oauth(server.port(), BASIC), &server).await, LOCKED_OUT);
    assert_eq!(office.given.load(Ordering::SeqCst), 2);
    assert_eq!(server.requests().len(), 4, "two tokens, two questions");
}

#[tokio::test]
async fn who_gives_no_token_is_not_asked_for_a_record() {
    let (server, _) = office(false).await;
    let wrong = oauth(server.port(), "secret = \"literal:another\"");
    assert_eq!(ask(&wrong, &server).await, LOCKED_OUT);

    let odd = Server::start(|_| json("{\"access_token\":\"t\"}")).await;
    assert_eq!(
        ask(&oauth(odd.port(), BASIC), &server).await,
        (Outcome::Broken, Some(Problem::TokenMalformed))
    );
    let silent = Server::always(Act::Hang).await;
    assert_eq!(
        ask(&oauth(silent.port(), BASIC), &server).await,
        (Outcome::TimedOut, Some(Problem::DeadlinePassed))
    );
    assert!(server.requests().iter().all(|heard| heard.path == "/token"));
}

#[tokio::test]
async fn a_form_carries_what_json_would() {
    let server = Server::always(json(car_answer())).await;
    let form = TRAFFIC.replace("max_body", "content = \"form\"\nmax_body");
    let sources = sources_with(
        &[file("traffic.toml", &form, server.port())],
        Arc::new(ManualClock::new(NOW)),
    );
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
    let heard = &server.requests()[0];
    assert_eq!(
        heard.header("content-type"),
        Some("application/x-www-form-urlencoded")
    );
    assert_eq!(
        String::from_utf8(heard.body.clone()).unwrap(),
        format!(
            "hphm=%E4%BA%ACA12345&hpzl=02&lsh=09090909-0909-0909-0909-090909090909&sfz={}&ver=1%220&xm=%E7%94%B2%E6%9F%90",
            number(1).expose()
        )
    );
    assert_eq!(heard.path, "/traffic/car");
}

#[test]
fn a_table_says_one_thing_and_says_it_whole() {
    let compile = |text: &str, realm| {
        let clock = Arc::new(ManualClock::new(NOW));
        Sources::new(&[file("traffic.toml", text, 1)], kinds(), realm, clock, [7; 32])
    };
    let wrong = |table: &str| -> SourceError {
        let error = compile(&format!("{TRAFFIC}{table}"), Realm::Demo).err();
        error.unwrap_or_else(|| panic!("accepted: {table}"))
    };
    let cases = [
        (API_KEY.replace("x-api-key", "content-length"), "header"),
        (API_KEY.replace("x-api-key", "two words"), "header"),
        (API_KEY.replace("APPCODE 8f3a", ""), "secret"),
        (
            API_KEY.replace("literal:APPCODE 8f3a", "env:HOME"),
            "MINGCHA_SOURCE_TEST_TRAFFIC_",
        ),
        (API_KEY.replace("header", "headre"), "headre"),
        (hmac("md5", "a secret that is long"), "md5"),
        (hmac("sm3", "short"), "at least 16"),
        (
            hmac("sm3", "a secret that is long").replace("x-nonce", "x-time"),
            "four different",
        ),
        (
            format!("{API_KEY}{}", hmac("sm3", "a secret that is long")),
            "auth",
        ),
        (
            oauth(1, BASIC).replace("http://127.0.0.1:1/token", "http://203.0.113.7/token"),
            "token_endpoint",
        ),
        (
            oauth(1, BASIC).replace("/token\"", "/token?id=1\""),
            "token_endpoint",
        ),
    ];
    for (table, words) in cases {
        let error = wrong(&table);
        assert!(error.problem.contains(words), "{table}: {error}");
        assert!(
            !error.problem.contains("8f3a") && !error.problem.contains("a secret"),
            "{error}"
        );
    }

    // In production a secret is not in the file, and travels over TLS.
    let real = TRAFFIC.replace("127.0.0.1", "203.0.113.7");
    let error = compile(&format!("{real}{API_KEY}"), Realm::Production).err();
    assert!(error.unwrap().problem.contains("https"));
    let error = compile(
        &format!("{}{API_KEY}", real.replace("http://", "https://")),
        Realm::Production,
    );
    assert!(error.err().unwrap().problem.contains("is for the demo"));
}
