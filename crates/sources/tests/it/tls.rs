//! Certificates: theirs, ours, and every one that must not be believed, over real handshakes.

use std::sync::Arc;

use domain::outcome::Outcome;
use rcgen::{CertificateParams, date_time_ymd};
use sources::{Problem, SourceError, Sources};
use tokio_rustls::rustls::ServerConfig;

use crate::{
    certificates::{Ca, Files, Key, params, pem, server_config},
    server::{Server, json},
    world::{TRAFFIC, car_answer, car_question, file, kinds},
};

fn https(table: &str) -> String {
    format!("{}{table}", TRAFFIC.replace("http://127", "https://127"))
}

fn sources(table: &str, port: u16) -> Result<Sources, SourceError> {
    let clock = Arc::new(domain::time::ManualClock::new(crate::world::NOW));
    let files = [file("traffic.toml", &https(table), port)];
    Sources::new(&files, kinds(), sources::Realm::Demo, clock, [7; 32])
}

/// What comes of a question over this server with this table.
async fn ask(config: Arc<ServerConfig>, table: &str) -> (Outcome, Option<Problem>) {
    let server = Server::start_tls(config, |_| json(car_answer())).await;
    let answer = sources(table, server.port()).unwrap().ask(car_question()).await;
    if answer.outcome != Outcome::Found {
        assert_eq!(server.requests().len(), 0, "nothing was sent to it");
    }
    (answer.outcome, answer.report.map(|report| report.problem))
}

#[tokio::test]
async fn a_certificate_is_believed_or_named_for_what_it_is() {
    let (ca, key, files) = (Ca::new(1), Key::new(2), Files::new());
    let table = files.table(&ca, None);
    let one = |params: &CertificateParams| server_config(vec![ca.sign(params, &key)], &key, None);

    assert_eq!(
        ask(one(&params("127.0.0.1")), &table).await,
        (Outcome::Found, None)
    );

    let refused = |problem| (Outcome::Broken, Some(problem));
    let mut expired = params("127.0.0.1");
    expired.not_before = date_time_ymd(2019, 1, 1);
    expired.not_after = date_time_ymd(2020, 1, 1);
    assert_eq!(
        ask(one(&expired), &table).await,
        refused(Problem::CertificateExpired)
    );

    let mut early = params("127.0.0.1");
    early.not_before = date_time_ymd(4000, 1, 1);
    assert_eq!(
        ask(one(&early), &table).await,
        refused(Problem::CertificateExpired)
    );

    for other in ["127.0.0.2", "police.example"] {
        assert_eq!(
            ask(one(&params(other)), &table).await,
            refused(Problem::CertificateOfOther)
        );
    }

    let own_word = params("127.0.0.1").self_signed(&key).unwrap().der().clone();
    let self_signed = server_config(vec![own_word], &key, None);
    assert_eq!(
        ask(self_signed, &table).await,
        refused(Problem::CertificateRefused)
    );

    // The same name, but another authority; and a private authority where only the public ones are believed.
    let impostor = Ca::new(3).sign(&params("127.0.0.1"), &key);
    let impostor = server_config(vec![impostor], &key, None);
    assert_eq!(ask(impostor, &table).await, refused(Problem::CertificateRefused));
    assert_eq!(
        ask(one(&params("127.0.0.1")), "").await,
        refused(Problem::CertificateRefused)
    );
}

#[tokio::test]
async fn a_source_that_wants_our_certificate_gets_it() {
    let (ca, key, files) = (Ca::new(1), Key::new(2), Files::new());
    let (clients, own) = (Ca::new(4), Key::new(5));
    let config = || {
        let certificate = ca.sign(&params("127.0.0.1"), &key);
        server_config(vec![certificate], &key, Some(&clients))
    };
    let ours = clients.sign(&params("gateway.example"), &own);
    assert_eq!(
        ask(config(), &files.table(&ca, Some((&ours, &own)))).await,
        (Outcome::Found, None)
    );

    let refused = (Outcome::Broken, Some(Problem::OwnCertificateRefused));
    assert_eq!(ask(config(), &files.table(&ca, None)).await, refused);
    let unknown = ca.sign(&params("gateway.example"), &own);
    assert_eq!(
        ask(config(), &files.table(&ca, Some((&unknown, &own)))).await,
        refused
    );
}

#[test]
fn what_the_table_says_must_be_there_and_fit() {
    let (ca, own, files) = (Ca::new(1), Key::new(5), Files::new());
    let certificate = ca.sign(&params("gateway.example"), &own);
    let whole = files.table(&ca, Some((&certificate, &own)));
    let wrong = |table: &str| {
        let error = sources(table, 1).err().expect("refused");
        assert!(error.line.is_some(), "{error}");
        error.problem
    };
    assert!(sources(&whole, 1).is_ok());

    let without = |line: &str| {
        let kept = whole.lines().filter(|l| !l.starts_with(line));
        kept.collect::<Vec<_>>().join("\n")
    };
    assert!(wrong(&without("key")).contains("go together"));
    assert!(wrong(&without("certificate")).contains("go together"));
    assert!(wrong(&whole.replace("ca.pem", "no.pem")).contains("ca: not a readable file"));
    assert!(wrong(&whole.replace("us.pem", "no.pem")).contains("certificate: not a readable file"));
    files.write("empty.pem", "");
    assert!(wrong(&whole.replace("ca.pem", "empty.pem")).contains("ca: not a readable file"));
    assert!(wrong(&whole.replace("test-traffic.tls.pem", "other.pem")).contains("test-traffic."));
    files.write("test-traffic.other.pem", &pem("PRIVATE KEY", &Key::new(6).der()));
    assert!(wrong(&whole.replace("traffic.tls.pem", "traffic.other.pem")).contains("not the key of"));
    files.write("test-traffic.other.pem", "no key");
    assert!(wrong(&whole.replace("traffic.tls.pem", "traffic.other.pem")).contains("not a secret key"));
    let clear = https(&whole).replace("https://127", "http://127");
    let clock = Arc::new(domain::time::ManualClock::new(crate::world::NOW));
    let files = [file("traffic.toml", &clear, 1)];
    let error = Sources::new(&files, kinds(), sources::Realm::Demo, clock, [7; 32]).err();
    assert!(error.expect("refused").problem.contains("not https"));
}
