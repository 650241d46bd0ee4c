//! Whether a connection is made at all: a port that opens a moment later.

use std::time::Duration;

use domain::outcome::Outcome;
use sources::{Answer, Problem};
use tokio::{
    net::TcpSocket,
    time::sleep,
};

use crate::{
    server::{Server, json},
    world::{TRAFFIC, car_answer, car_question, file, sources},
};

/// When the port opens: well before the second try, which comes after 5 ms at the soonest.
const OPENS_AFTER: Duration = Duration::from_millis(2);

/// What comes of a question to a port that refuses at first, and how often it was asked there. The port is taken from
/// the beginning, so that no other test can open it.
async fn ask_too_soon(retries: &str) -> (Answer, usize) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let port = socket.local_addr().unwrap().port();
    let text = TRAFFIC.replacen("deadline_ms", &format!("{retries}\ndeadline_ms"), 1);
    let sources = sources(&[file("traffic.toml", &text, port)]);
    let opens = async {
        sleep(OPENS_AFTER).await;
        Server::on(socket.listen(16).unwrap(), |_| json(car_answer()))
    };
    // The question comes first, so that it meets a port that is shut however late the timer is.
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
