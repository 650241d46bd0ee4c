//! Every way in which a source can fail, lie or stall, and the outcome that it must become, in time.

use std::time::Duration;

use domain::outcome::Outcome;
use serde_json::{Value as Json, json};
use sources::{Answer, Problem, Sources};
use tokio::{io::AsyncWriteExt, net::TcpSocket, time::Instant};

use crate::{
    server::{Act, Server, http, json},
    world::{TRAFFIC, car_answer, car_question, file, number, sources},
};

/// The source's deadline in the test's file, and what may pass beyond it (promise R4).
const DEADLINE: Duration = Duration::from_millis(400);
const SLACK: Duration = Duration::from_millis(50);

const JSON: &str = "content-type: application/json\r\n";

async fn ask_timed(sources: &Sources, case: &str) -> Answer {
    let question = car_question();
    let started = Instant::now();
    let answer = sources.ask(question).await;
    assert!(
        started.elapsed() <= DEADLINE + SLACK,
        "{case} took {:?}",
        started.elapsed()
    );
    assert!(answer.rows.is_empty(), "{case}");
    assert_eq!(
        answer.record.is_some(),
        answer.outcome == Outcome::Found,
        "{case}"
    );
    answer
}

async fn check(case: &str, act: Act, outcome: Outcome, problem: Problem) {
    let server = Server::always(act).await;
    let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
    let answer = ask_timed(&sources, case).await;
    let report = answer
        .report
        .unwrap_or_else(|| panic!("{case}: {:?} without a report", answer.outcome));
    assert_eq!((answer.outcome, report.problem), (outcome, problem), "{case}");
    assert_eq!(report.source, "test-traffic", "{case}");
}

/// The usual answer with one place changed.
fn with(pointer: &str, value: Json) -> Act {
    let mut answer = car_answer();
    *answer.pointer_mut(pointer).unwrap() = value;
    json(answer)
}

/// The usual answer with one member taken away.
fn without(object: &str, member: &str) -> Act {
    let mut answer = car_answer();
    answer
        .pointer_mut(object)
        .unwrap()
        .as_object_mut()
        .unwrap()
        .remove(member)
        .unwrap();
    json(answer)
}

fn doubled(member: &str) -> Act {
    let text = car_answer().to_string();
    Act::Json(text.replacen('{', &format!("{{{member},"), 1).into_bytes())
}

fn body(bytes: &[u8]) -> Act {
    Act::Json(bytes.to_vec())
}

#[tokio::test]
async fn what_stalls_is_cut_off_at_the_deadline() {
    let late = (Outcome::TimedOut, Problem::DeadlinePassed);
    let head =
        |length: usize| format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {length}\r\n\r\n").into_bytes();
    let cases = [
        ("hangs before the head", Act::Hang),
        (
            "hangs within the head",
            Act::Raw(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
        ),
        ("hangs before the body", Act::Raw(head(100))),
        (
            "hangs within the body",
            Act::Raw([head(100), b"{\"code\":0".to_vec()].concat()),
        ),
        ("drips its body", Act::Drip(head(60_000), 10)),
        ("drips its head", Act::Drip(b"HTTP/1.1 200 OK\r\nx:".to_vec(), 10)),
        (
            "sends 1xx for ever",
            Act::Raw(b"HTTP/1.1 102 Processing\r\n\r\n".repeat(3)),
        ),
        (
            "never ends its chunks",
            Act::Drip(
                format!("HTTP/1.1 200 OK\r\n{JSON}transfer-encoding: chunked\r\n\r\n1\r\n").into_bytes(),
                1000,
            ),
        ),
    ];
    for (case, act) in cases {
        check(case, act, late.0, late.1).await;
    }
}

#[tokio::test]
#[expect(
    clippy::disallowed_methods,
    reason = "the test plays a peer whose queue is full"
)]
async fn a_connection_that_is_not_accepted_or_not_secured_is_cut_off_too() {
    // With its queue full a listener lets nobody finish the handshake.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut waiting = Vec::new();
    for _ in 0..4 {
        let connect = TcpSocket::new_v4().unwrap().connect(address);
        waiting.push(tokio::time::timeout(Duration::from_millis(50), connect).await);
    }
    let sources = crate::world::sources(&[file("traffic.toml", TRAFFIC, address.port())]);
    assert_eq!(ask_timed(&sources, "full queue").await.outcome, Outcome::TimedOut);

    let silent = Server::always(Act::Hang).await;
    let https = TRAFFIC.replace("http://127", "https://127");
    let sources = crate::world::sources(&[file("traffic.toml", &https, silent.port())]);
    assert_eq!(
        ask_timed(&sources, "no TLS handshake").await.outcome,
        Outcome::TimedOut
    );
}

#[tokio::test]
#[expect(clippy::disallowed_methods, reason = "the test plays the peer")]
async fn what_breaks_is_broken() {
    let broken = |case, act, problem| check(case, act, Outcome::Broken, problem);
    let cut = http("200 OK", JSON, &[b' '; 500])[..200].to_vec();
    broken(
        "closes at once",
        Act::RawThenClose(Vec::new()),
        Problem::ConnectionBroken,
    )
    .await;
    broken(
        "closes within the head",
        Act::RawThenClose(b"HTTP/1.1 200".to_vec()),
        Problem::ConnectionBroken,
    )
    .await;
    broken(
        "closes within the body",
        Act::RawThenClose(cut),
        Problem::ConnectionBroken,
    )
    .await;
    broken("500", Act::Raw(http("500 Oops", JSON, b"{}")), Problem::BadStatus).await;
    broken(
        "502",
        Act::Raw(http("502 Bad Gateway", "", b"<html>")),
        Problem::BadStatus,
    )
    .await;

    // A server that knows no TLS answers a handshake with words; it is not spoken to otherwise.
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let https = TRAFFIC.replace("http://127", "https://127");
    let secured = sources(&[file(
        "traffic.toml",
        &https,
        listener.local_addr().unwrap().port(),
    )]);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            stream
                .write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n")
                .await
                .unwrap();
        }
    });
    let answer = ask_timed(&secured, "no TLS").await;
    assert_eq!(answer.outcome, Outcome::Broken);
    assert_eq!(answer.report.unwrap().problem, Problem::NotConnected);

    let nobody = {
        tokio::net::TcpListener::bind("127.0.0.1:0")
            .await
            .unwrap()
            .local_addr()
            .unwrap()
    };
    let sources = sources(&[file("traffic.toml", TRAFFIC, nobody.port())]);
    let answer = ask_timed(&sources, "nobody listens").await;
    assert_eq!(answer.outcome, Outcome::Broken);
    assert_eq!(answer.report.unwrap().problem, Problem::NotConnected);
}

#[tokio::test]
async fn other_statuses_are_told_apart() {
    let to = |place: &str| http("302 Found", &format!("location: {place}\r\n"), b"");
    let cases = [
        (
            "redirect inward",
            to("http://127.0.0.1:1/admin"),
            Outcome::BadAnswer,
            Problem::Redirected,
        ),
        (
            "redirect to metadata",
            to("http://169.254.169.254/"),
            Outcome::BadAnswer,
            Problem::Redirected,
        ),
        (
            "308",
            http("308 Permanent", "location: /x\r\n", b""),
            Outcome::BadAnswer,
            Problem::Redirected,
        ),
        (
            "404",
            http("404 Not Found", "", b""),
            Outcome::BadAnswer,
            Problem::BadStatus,
        ),
        (
            "401",
            http("401 Unauthorized", "", b""),
            Outcome::BadAnswer,
            Problem::BadStatus,
        ),
        (
            "204",
            http("204 No Content", "", b""),
            Outcome::BadAnswer,
            Problem::BadStatus,
        ),
        (
            "429",
            http("429 Slow down", "", b""),
            Outcome::Overloaded,
            Problem::BadStatus,
        ),
        (
            "503",
            http("503 Closed", "", b""),
            Outcome::Maintenance,
            Problem::BadStatus,
        ),
        (
            "504",
            http("504 Late", "", b""),
            Outcome::TimedOut,
            Problem::BadStatus,
        ),
    ];
    for (case, reply, outcome, problem) in cases {
        check(case, Act::Raw(reply), outcome, problem).await;
    }
}

#[tokio::test]
async fn what_is_no_sound_json_is_a_bad_answer() {
    let sound = car_answer().to_string().into_bytes();
    let gbk = [&b"{\"code\":0,\"x\":\""[..], &[0xbe, 0xa9], b"\"}"].concat();
    let flood = format!("HTTP/1.1 200 OK\r\n{JSON}connection: close\r\n\r\n").into_bytes();
    let zipped = http("200 OK", &format!("{JSON}content-encoding: gzip\r\n"), &sound);
    bad(
        "not HTTP",
        Act::RawThenClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
        Problem::NotHttp,
    )
    .await;
    bad("HTTP 0.9", Act::RawThenClose(b"hello".to_vec()), Problem::NotHttp).await;
    bad(
        "huge head",
        Act::Raw([b"HTTP/1.1 200 OK\r\n".to_vec(), b"x: y\r\n".repeat(90_000)].concat()),
        Problem::NotHttp,
    )
    .await;
    bad(
        "huge by its length",
        Act::Raw(format!("HTTP/1.1 200 OK\r\n{JSON}content-length: 9999999999\r\n\r\n").into_bytes()),
        Problem::BodyTooLarge,
    )
    .await;
    bad("huge without a length", Act::Flood(flood), Problem::BodyTooLarge).await;
    bad("just too large", body(&vec![b' '; 65_537]), Problem::BodyTooLarge).await;
    bad("compressed", Act::Raw(zipped), Problem::BadContentType).await;
    bad(
        "a page",
        Act::Raw(http("200 OK", "content-type: text/html\r\n", b"<html>")),
        Problem::BadContentType,
    )
    .await;
    bad(
        "no type",
        Act::Raw(http("200 OK", "", &sound)),
        Problem::BadContentType,
    )
    .await;
    bad("GBK", body(&gbk), Problem::NotUtf8).await;
    bad("empty", body(b""), Problem::NotJson).await;
    bad("cut", body(&sound[..sound.len() - 1]), Problem::NotJson).await;
    bad(
        "two documents",
        body(&[&sound[..], b"{}"].concat()),
        Problem::NotJson,
    )
    .await;
    bad("a code twice", doubled("\"code\":1"), Problem::RepeatedKey).await;
    bad("a record twice", doubled("\"d\":{}"), Problem::RepeatedKey).await;
    bad("deep", body(&b"[".repeat(60_000)), Problem::TooDeep).await;
}

async fn bad(case: &str, act: Act, problem: Problem) {
    check(case, act, Outcome::BadAnswer, problem).await;
}

#[tokio::test]
async fn an_outcome_that_was_not_agreed_is_a_bad_answer() {
    bad("no outcome", without("", "code"), Problem::NoOutcome).await;
    bad("null", with("/code", json!(null)), Problem::NoOutcome).await;
    bad("unknown", with("/code", json!("77")), Problem::UnknownOutcome).await;
    bad(
        "an array instead",
        json(json!([car_answer()])),
        Problem::NoOutcome,
    )
    .await;
    bad("no as-of time", without("", "sj"), Problem::AsOfMalformed).await;
    let to_come = with("/sj", json!("2026-11-23 00:00:00"));
    bad("an as-of time to come", to_come, Problem::AsOfInFuture).await;
}

#[tokio::test]
async fn a_field_that_is_missing_or_malformed_is_a_bad_answer() {
    let missing = [
        ("no field", without("/d", "pp")),
        ("an empty field", with("/d/pp", json!(""))),
        ("no internal field", without("/d", "syr")),
        ("no record", without("", "d")),
        ("a row without a place", with("/d/wx/0/dd", json!(null))),
    ];
    for (case, act) in missing {
        bad(case, act, Problem::FieldMissing).await;
    }
    let malformed = [
        ("/d/zw", json!("five")),
        ("/d/zw", json!(1.5)),
        ("/d/pp", json!({"a": 1})),
        ("/d/pp", json!("a\u{202e}b")),
        ("/d/pp", json!("长".repeat(600))),
        ("/d/rl", json!("Z")),
        ("/d/zt", json!("AZ")),
        ("/d/zt", json!("AAAA")),
        ("/d/wx", json!([1, 2, 3])),
        ("/d/wx", json!({"0": {}})),
        ("/d/wx/1/sj", json!("2026")),
        ("/d/djrq", json!("20210229")),
        ("/d/se", json!(-1)),
        ("/d/clsbdh", json!("LSVAA49J232047371")),
        ("/d/syr", json!("110104199001010011")),
    ];
    for (at, value) in malformed {
        bad(&format!("{at} {value}"), with(at, value), Problem::FieldMalformed).await;
    }
}

#[tokio::test]
async fn another_record_than_the_one_asked_for_is_dropped() {
    bad(
        "another plate",
        with("/d/hphm", json!("京A54321")),
        Problem::OtherRecord,
    )
    .await;
    let foreign = with("/d/syr", json!(number(2).expose()));
    check(
        "somebody else's",
        foreign,
        Outcome::NotFound,
        Problem::WrongSubject,
    )
    .await;
}

#[tokio::test]
async fn what_the_source_says_about_itself_is_passed_on() {
    for (code, outcome) in [
        (1, Outcome::NotFound),
        (2, Outcome::Maintenance),
        (3, Outcome::NotCovered),
    ] {
        let server = Server::always(json(json!({ "code": code }))).await;
        let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
        let answer = ask_timed(&sources, "code").await;
        assert_eq!((answer.outcome, answer.report), (outcome, None));
        assert_eq!(answer.provenance.is_some(), outcome.is_release());
    }
}

#[tokio::test]
async fn a_sooner_deadline_of_the_question_holds() {
    let server = Server::always(Act::Hang).await;
    let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
    let mut question = car_question();
    let started = Instant::now();
    question.deadline = started + Duration::from_millis(100);
    assert_eq!(sources.ask(question.clone()).await.outcome, Outcome::TimedOut);
    assert!(started.elapsed() < Duration::from_millis(150));
    let heard = server.requests().len();
    assert_eq!(sources.ask(question).await.outcome, Outcome::TimedOut);
    assert_eq!(
        server.requests().len(),
        heard,
        "nothing is sent once the deadline has passed"
    );
}

#[tokio::test]
async fn a_slow_source_keeps_four_places_and_refuses_the_rest_soon() {
    let server = Server::always(Act::Hang).await;
    let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
    let asked = (0..40).map(|_| async {
        let started = Instant::now();
        (sources.ask(car_question()).await.outcome, started.elapsed())
    });
    let answers = futures_util::future::join_all(asked).await;
    let late = answers
        .iter()
        .filter(|(outcome, _)| *outcome == Outcome::TimedOut)
        .count();
    assert_eq!(late, 4);
    for (outcome, took) in answers
        .iter()
        .filter(|(outcome, _)| *outcome != Outcome::TimedOut)
    {
        assert_eq!(*outcome, Outcome::Overloaded);
        assert!(*took < Duration::from_millis(150), "{took:?}");
    }
}

#[tokio::test]
async fn what_was_sent_once_is_not_sent_again() {
    let server = Server::always(Act::RawThenClose(Vec::new())).await;
    let traffic = TRAFFIC.replacen("deadline_ms", "retries = 3\ndeadline_ms", 1);
    let sources = sources(&[file("traffic.toml", &traffic, server.port())]);
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Broken);
    assert_eq!(server.requests().len(), 1);
}

#[tokio::test]
async fn a_question_that_nobody_waits_for_gives_its_place_back() {
    let server = Server::start(
        |heard| match String::from_utf8_lossy(&heard.body).contains("京A12345") {
            true => json(car_answer()),
            false => Act::Hang,
        },
    )
    .await;
    let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
    let mut hanging = car_question();
    hanging
        .key
        .insert("plate".to_owned(), crate::world::text("京A99999"));
    for _ in 0..20 {
        let left = tokio::time::timeout(Duration::from_millis(5), sources.ask(hanging.clone())).await;
        assert!(left.is_err());
    }
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
}

#[tokio::test]
async fn a_dead_source_is_left_alone_and_found_again() {
    let dead = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let switch = std::sync::Arc::clone(&dead);
    let server = Server::start(move |_| match switch.load(std::sync::atomic::Ordering::SeqCst) {
        true => Act::RawThenClose(Vec::new()),
        false => json(car_answer()),
    })
    .await;
    let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
    for _ in 0..10 {
        assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Broken);
    }
    let heard = server.requests().len();
    let answer = sources.ask(car_question()).await;
    assert_eq!(answer.report.unwrap().problem, Problem::BreakerOpen);
    assert_eq!(server.requests().len(), heard);
    dead.store(false, std::sync::atomic::Ordering::SeqCst);
    tokio::time::sleep(Duration::from_millis(2_050)).await;
    for _ in 0..2 {
        assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
    }
}

#[tokio::test]
async fn one_persons_bad_record_shuts_nobody_else_out() {
    let server = Server::start(
        |heard| match String::from_utf8_lossy(&heard.body).contains("京A12345") {
            true => json(car_answer()),
            false => Act::Raw(http("404 Not Found", "", b"")),
        },
    )
    .await;
    let sources = sources(&[file("traffic.toml", TRAFFIC, server.port())]);
    let mut other = car_question();
    other
        .key
        .insert("plate".to_owned(), crate::world::text("京A99999"));
    for _ in 0..30 {
        assert_eq!(sources.ask(other.clone()).await.outcome, Outcome::BadAnswer);
    }
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
}
