//! The way to a front-end database: encrypted to the right one only, and no wider than one answer.

use std::sync::{Arc, atomic::Ordering};

use domain::outcome::Outcome;
use rcgen::{CertificateParams, date_time_ymd};
use sources::Problem;
use tokio_rustls::rustls::ServerConfig;

use crate::{
    certificates::{Ca, Files, Key, params, server_config},
    front::{BOTH, Engine, about, files, row},
    front_peer::{Lie, Peer},
    world::sources,
};

/// What comes of a question to a database behind this peer, and to the same one again.
pub(crate) async fn ask(
    table: &str,
    url: &str,
    change: impl Fn(String) -> String,
) -> (Outcome, Option<Problem>) {
    let sources = sources(&files(table, url, change));
    let answer = sources.ask(about("京A12345")).await;
    if answer.outcome == Outcome::Found {
        let again = sources.ask(about("京A12345")).await;
        assert_eq!(again.outcome, Outcome::Found, "by the connection that was kept");
    }
    (answer.outcome, answer.report.map(|report| report.problem))
}

pub(crate) fn url(engine: Engine, host: &str, port: u16) -> String {
    let url = engine.url();
    let (before, after) = url.rsplit_once('@').unwrap();
    let (_, name) = after.split_once('/').unwrap();
    format!("{before}@{host}:{port}/{name}")
}

/// As a file says by whom the database's certificate must be signed.
pub(crate) fn ca(files: &Files, ca: &Ca) -> String {
    let table = files.table(ca, None);
    let line = table.lines().find(|line| line.starts_with("ca = "));
    format!("[sql]\n{}", line.unwrap())
}

#[tokio::test]
async fn a_database_is_believed_or_named_for_what_it_is() {
    let (authority, key, files) = (Ca::new(1), Key::new(2), Files::new());
    let table = ca(&files, &authority);
    let signed = |ca: &Ca, params: &CertificateParams| server_config(vec![ca.sign(params, &key)], &key, None);
    let mut expired = params("127.0.0.1");
    expired.not_before = date_time_ymd(2019, 1, 1);
    expired.not_after = date_time_ymd(2020, 1, 1);
    let refused = |problem| (Outcome::Broken, Some(problem));
    let right = signed(&authority, &params("127.0.0.1"));
    let by_name = signed(&authority, &params("localhost"));
    let cases: [(&str, &str, Arc<ServerConfig>, _); 6] = [
        ("the right one", "127.0.0.1", right, (Outcome::Found, None)),
        (
            "by its name",
            "localhost",
            by_name.clone(),
            (Outcome::Found, None),
        ),
        (
            "of another host",
            "127.0.0.1",
            by_name,
            refused(Problem::CertificateOfOther),
        ),
        (
            "of another name",
            "localhost",
            signed(&authority, &params("police.example")),
            refused(Problem::CertificateOfOther),
        ),
        (
            "of another authority",
            "127.0.0.1",
            signed(&Ca::new(3), &params("127.0.0.1")),
            refused(Problem::CertificateRefused),
        ),
        (
            "expired",
            "127.0.0.1",
            signed(&authority, &expired),
            refused(Problem::CertificateExpired),
        ),
    ];
    for engine in BOTH {
        engine.table("encrypted", &[row("京A12345", 1, "")]).await;
        for (case, host, config, expected) in &cases {
            let peer = Peer::encrypted(engine, Some(Arc::clone(config))).await;
            let url = url(engine, host, peer.port);
            let told = ask("encrypted", &url, |text| text.replace("[sql]", &table)).await;
            assert_eq!(told, *expected, "{engine:?}: {case}");
        }
    }
}

/// Where a certificate is asked for, a database without one is not spoken to.
#[tokio::test]
async fn nothing_is_said_in_the_clear() {
    let (authority, files) = (Ca::new(1), Files::new());
    let table = ca(&files, &authority);
    for engine in BOTH {
        let peer = Peer::encrypted(engine, None).await;
        let url = url(engine, "127.0.0.1", peer.port);
        let (outcome, problem) = ask("clear", &url, |text| text.replace("[sql]", &table)).await;
        assert!(
            outcome != Outcome::Found && problem.is_some(),
            "{engine:?}: {outcome:?} {problem:?}"
        );
        assert_eq!(outcome, Outcome::Broken, "{engine:?}: {problem:?}");
    }
}

/// A database that announces a gigabyte, or more and more, and sends it, is heard for as long as an answer may be.
#[tokio::test]
async fn a_message_without_end_is_not_held() {
    for (engine, lie) in BOTH
        .into_iter()
        .flat_map(|engine| [Lie::AtTheGreeting, Lie::InARow].map(|lie| (engine, lie)))
    {
        engine.table("endless", &[row("京A12345", 1, "")]).await;
        let peer = Peer::lying(engine, lie).await;
        let url = url(engine, "127.0.0.1", peer.port);
        let told = ask("endless", &url, |text: String| {
            text.replace("deadline_ms = 1500", "deadline_ms = 10000")
        })
        .await;
        let too_large = (Outcome::BadAnswer, Some(Problem::BodyTooLarge));
        assert_eq!(told, too_large, "{engine:?} {lie:?}");
        // What may come is 1.2 MB; the rest is what two sockets hold.
        let taken = peer.taken.load(Ordering::Relaxed);
        assert!(taken < 32 << 20, "{engine:?} {lie:?}: {taken} bytes were taken");
    }
}
