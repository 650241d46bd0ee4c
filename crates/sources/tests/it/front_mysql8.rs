//! MySQL 8's default way in, `caching_sha2_password`: a proof where the server knows the hash by heart, and otherwise
//! the password itself, over TLS only. The server is scripted.

use std::sync::Arc;

use domain::outcome::Outcome;
use sources::{Problem, Sources};
use tokio_rustls::rustls::ServerConfig;

use crate::{
    certificates::{Ca, Files, Key, params, server_config},
    front::files,
    front_mysql8_peer::{EXECUTE, Manners, MySql8, PASSWORD},
    front_tls::ca,
    world::{list_question, sources},
};

const REFUSED: (Outcome, Option<Problem>) = (Outcome::Broken, Some(Problem::NotConnected));

/// A server that knows the hash by heart, or does not, and greets by this way in or by the older one.
fn both(remembers: bool) -> [Manners; 2] {
    [false, true].map(|turns| Manners { turns, remembers })
}

fn source(server: &MySql8, password: &str, table: &str) -> Sources {
    let url = format!("mysql://reader:{password}@127.0.0.1:{}/front", server.port);
    sources(&files("eight", &url, |text| text.replace("[sql]", table)))
}

/// The table `[sql]` of a source over TLS, the folder of what it names, and what the server speaks TLS by.
fn encrypted() -> (String, Files, Arc<ServerConfig>) {
    let (authority, key, folder) = (Ca::new(1), Key::new(2), Files::new());
    let chain = vec![authority.sign(&params("127.0.0.1"), &key)];
    let table = ca(&folder, &authority);
    (table, folder, server_config(chain, &key, None))
}

async fn ask(sources: &Sources) -> (Outcome, Option<Problem>) {
    let answer = sources.ask(list_question()).await;
    let plates: Vec<_> = answer.rows.iter().map(|row| row["plate"].text()).collect();
    if answer.outcome == Outcome::Found {
        assert_eq!(plates, ["京A12345"]);
    }
    (answer.outcome, answer.report.map(|report| report.problem))
}

#[tokio::test]
async fn over_tls_the_proof_lets_in_and_otherwise_the_password() {
    let (table, _folder, config) = encrypted();
    for manners in [both(true), both(false)].concat() {
        let mut server = MySql8::start(manners, Some(Arc::clone(&config))).await;
        let sources = source(&server, PASSWORD, &table);
        // The second comes by the connection that was kept.
        for time in 1..=2 {
            let told = ask(&sources).await;
            assert_eq!(told, (Outcome::Found, None), "{manners:?} {time}");
        }
        drop(sources);
        let heard = server.heard().await;
        let is_shown = |said: &Vec<u8>| said.starts_with(PASSWORD.as_bytes());
        let shown = heard.iter().filter(|said| is_shown(said)).count();
        assert_eq!(shown, usize::from(!manners.remembers), "{manners:?}");
        let asked = heard.iter().filter(|said| said.first() == Some(&EXECUTE)).count();
        assert_eq!(asked, 2, "{manners:?}: by one connection");
        let bound = b"\x03SET SESSION max_execution_time = ";
        assert!(
            heard.iter().any(|said| said.starts_with(bound)),
            "{manners:?}: statements are bounded in MySQL's own way"
        );
    }
}

#[tokio::test]
async fn without_tls_the_proof_alone_lets_in() {
    for manners in both(true) {
        let server = MySql8::start(manners, None).await;
        let sources = source(&server, PASSWORD, "[sql]");
        assert_eq!(ask(&sources).await, (Outcome::Found, None), "{manners:?}");
    }
}

/// Who stands at this machine's address need not be the database, and would name a key of their own.
#[tokio::test]
async fn without_tls_the_password_is_shown_in_no_form() {
    for manners in both(false) {
        let mut server = MySql8::start(manners, None).await;
        let sources = source(&server, PASSWORD, "[sql]");
        assert_eq!(ask(&sources).await, REFUSED, "{manners:?}");
        let heard = server.heard().await;
        // The response, and where the server turned, the proof that belongs to its new nonce.
        let proofs = 1 + usize::from(manners.turns);
        assert_eq!(heard.len(), proofs, "{manners:?}: {heard:?}");
        let password = PASSWORD.as_bytes();
        let is_shown = |said: &Vec<u8>| said.windows(password.len()).any(|part| part == password);
        assert!(!heard.iter().any(is_shown), "{manners:?}");
    }
}

#[tokio::test]
async fn a_wrong_password_lets_nobody_in() {
    let (table, _folder, config) = encrypted();
    for manners in [both(true), both(false)].concat() {
        let server = MySql8::start(manners, Some(Arc::clone(&config))).await;
        let told = ask(&source(&server, "wrong", &table)).await;
        assert_eq!(told, REFUSED, "{manners:?}");
    }
    for manners in both(true) {
        let server = MySql8::start(manners, None).await;
        let told = ask(&source(&server, "wrong", "[sql]")).await;
        assert_eq!(told, REFUSED, "{manners:?}");
    }
}
