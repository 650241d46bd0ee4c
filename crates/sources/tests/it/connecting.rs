//! Whether a connection is made at all: a port that opens a moment later, and a name that leads inward.

use std::{sync::Arc, time::Duration};

use domain::{outcome::Outcome, time::ManualClock};
use sources::{Answer, Problem, Realm, SourceFile, Sources};
use tokio::{
    net::{TcpListener, TcpSocket},
    time::timeout,
};

use crate::{
    certificates::Files,
    front::FRONT,
    server::{Server, json},
    world::{NOW, TRAFFIC, car_answer, car_question, file, kinds, sources},
};

/// What comes of a question to a port that refuses at first, and how often it was asked there. The port is taken from
/// the beginning, so that no other test can open it.
async fn ask_too_soon(retries: &str) -> (Answer, usize) {
    #[expect(
        clippy::disallowed_methods,
        reason = "the test plays a port that is shut at first"
    )]
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let text = TRAFFIC.replacen("deadline_ms", &format!("{retries}\ndeadline_ms"), 1);
    let sources = sources(&[file("traffic.toml", &text, port)]);
    let opens = async { Server::on(socket.listen(16).unwrap(), |_| json(car_answer())) };
    // The question comes first: it is refused at once, and when it begins to wait the port opens.
    let (answer, server) = tokio::join!(biased; sources.ask(car_question()), opens);
    (answer, server.requests().len())
}

#[tokio::test]
async fn a_port_that_opens_a_moment_later_is_tried_again() {
    for retries in ["retries = 1", "retries = 3", ""] {
        let (answer, heard) = ask_too_soon(retries).await;
        assert_eq!((answer.outcome, heard), (Outcome::Found, 1), "{retries}");
        assert_eq!(answer.report, None, "{retries}");
    }
}

#[tokio::test]
async fn without_retries_a_port_that_is_shut_is_broken_at_once() {
    let (answer, heard) = ask_too_soon("retries = 0").await;
    assert_eq!((answer.outcome, heard), (Outcome::Broken, 0));
    assert_eq!(answer.report.unwrap().problem, Problem::NotConnected);
}

/// What a deployment with real sources says of a name that its name server answers with an inward address; nothing
/// arrives there.
async fn refused(case: &str, make: impl Fn(u16) -> SourceFile) {
    #[expect(clippy::disallowed_methods, reason = "the test listens where nobody may come")]
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let files = [make(listener.local_addr().unwrap().port())];
    let clock = Arc::new(ManualClock::new(NOW));
    let sources = Sources::new(&files, kinds(), Realm::Production, clock, [7; 32]).unwrap();
    let answer = sources.ask(car_question()).await;
    let problem = answer.report.map(|report| report.problem);
    assert_eq!(
        (answer.outcome, problem),
        (Outcome::Broken, Some(Problem::AddressRefused)),
        "{case}"
    );
    let accepted = timeout(Duration::from_millis(20), listener.accept()).await;
    assert!(accepted.is_err(), "{case}: somebody came");
}

#[tokio::test]
async fn a_name_that_leads_inward_is_not_dialled() {
    let http = "http://127.0.0.1:PORT/traffic";
    refused("http", |port| {
        let real = TRAFFIC.replace(http, "https://localhost:PORT/traffic");
        file("traffic.toml", &real, port)
    })
    .await;
    // A database may be on this machine, by its own name or address. `0` is resolved as a name is, to 0.0.0.0, which
    // leads to whoever listens here.
    let agreement = &TRAFFIC[TRAFFIC.find("[agreement]").unwrap()..TRAFFIC.find("[[serves]]").unwrap()];
    for scheme in ["postgres", "mysql"] {
        let secrets = Files::new();
        refused(scheme, |port| {
            let url = secrets.write("test-front.url", &format!("{scheme}://u:p@0:{port}/x"));
            let real = FRONT.replace("literal:URL", &format!("file:{}", url.display()));
            file(
                "front.toml",
                &real.replacen("[sql]", &format!("{agreement}[sql]"), 1),
                port,
            )
        })
        .await;
    }
}
