//! Message encryption towards a source that keeps to it, and towards one that does not.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use crypto::{
    Suite,
    session::{Identity, Incoming, Peer, ResponderSession, accept, peek},
};
use domain::{outcome::Outcome, time::ManualClock};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::json;
use sources::{Problem, Sources};

use crate::{
    server::{Act, Heard, Server, http},
    world::{NOW, TRAFFIC, car_answer, car_question, file, number, sources_with},
};

/// What the authority does wrong.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Fault {
    None,
    /// Signs the welcome with another key than the one agreed.
    OtherKey,
    /// Never answers a hello.
    Mute,
    /// Answers the hello with bytes that are no welcome.
    Garbage,
    /// Answers a request with bytes that are no message.
    GarbageReply,
    /// Flips a bit of each reply.
    FlippedReply,
    /// Sends the first reply to every request.
    RepeatedReply,
    /// Knows no session that is older than one request.
    Forgets,
    /// Knows no session at all.
    ForgetsAlways,
    /// Answers in the clear.
    Clear,
}

/// An authority: its keys, its sessions, and how often it shook hands.
struct Authority {
    identity: Identity,
    impostor: Identity,
    gateway: Peer,
    sessions: Mutex<BTreeMap<[u8; 16], ResponderSession>>,
    handshakes: AtomicUsize,
    first_reply: Mutex<Option<Vec<u8>>>,
    clock: Arc<ManualClock>,
    fault: Fault,
}

impl Authority {
    fn act(&self, heard: &Heard) -> Act {
        match peek(&heard.body) {
            Ok(Incoming::Hello { .. }) => self.welcome(&heard.body),
            Ok(Incoming::Request { session }) => self.reply(heard, session),
            Err(_) => Act::Raw(http("400 Bad", "", b"")),
        }
    }

    fn welcome(&self, hello: &[u8]) -> Act {
        self.handshakes.fetch_add(1, Ordering::SeqCst);
        let identity = if self.fault == Fault::OtherKey {
            &self.impostor
        } else {
            &self.identity
        };
        let mut random = ChaCha20Rng::from_seed([self.handshakes.load(Ordering::SeqCst) as u8; 32]);
        let now = domain::time::Clock::now(&*self.clock).0;
        let Ok((session, welcome)) = accept(identity, &self.gateway, hello, now, &mut random) else {
            return Act::Raw(http("400 Bad", "", b""));
        };
        self.sessions.lock().unwrap().insert(session.id(), session);
        match self.fault {
            Fault::Mute => Act::Hang,
            Fault::Garbage => message(b"welcome, friend"),
            _ => message(&welcome),
        }
    }

    fn reply(&self, heard: &Heard, id: [u8; 16]) -> Act {
        let mut sessions = self.sessions.lock().unwrap();
        let now = domain::time::Clock::now(&*self.clock).0;
        let (Some(session), false) = (sessions.get(&id), self.fault == Fault::ForgetsAlways) else {
            return Act::Raw(http("401 Unknown session", "", b""));
        };
        let request = session.open_request(&heard.body, now).unwrap();
        assert_eq!(
            heard.path,
            format!("/traffic{}", request.exchange.kind),
            "the message is bound to its path"
        );
        let asked: serde_json::Value = serde_json::from_slice(&request.plaintext).unwrap();
        assert_eq!(asked["sfz"], number(1).expose());
        let plain = car_answer().to_string().into_bytes();
        let mut sealed = session.seal_reply(&request.exchange, now, &plain).unwrap();
        match self.fault {
            Fault::Forgets => sessions.clear(),
            Fault::FlippedReply => *sealed.last_mut().unwrap() ^= 1,
            Fault::GarbageReply => sealed = vec![0x5a; 300],
            Fault::RepeatedReply => sealed = self.first_reply.lock().unwrap().get_or_insert(sealed).clone(),
            Fault::Clear => sealed = plain,
            _ => {}
        }
        message(&sealed)
    }
}

fn message(bytes: &[u8]) -> Act {
    Act::Raw(http(
        "200 OK",
        "content-type: application/octet-stream\r\n",
        bytes,
    ))
}

struct World {
    sources: Sources,
    authority: Arc<Authority>,
    server: Server,
    clock: Arc<ManualClock>,
}

async fn world(suite: Suite, fault: Fault) -> World {
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let mut identity = |name| Identity::generate(name, suite, &mut random).unwrap();
    let (gateway, own, impostor) = (identity("gateway"), identity("traffic"), identity("traffic"));
    let clock = Arc::new(ManualClock::new(NOW));
    let secret = gateway.to_base64();
    let envelope = format!(
        "[envelope]\nsuite = \"{suite}\"\nown_name = \"gateway\"\nown_key = \"base64:{}\"\npeer_name = \"traffic\"\npeer_key = \"{}\"\n\n[[serves]]",
        secret.expose().split(':').next_back().unwrap(),
        own.peer().to_base64(),
    );
    let authority = Arc::new(Authority {
        gateway: gateway.peer(),
        identity: own,
        impostor,
        sessions: Mutex::default(),
        handshakes: AtomicUsize::new(0),
        first_reply: Mutex::default(),
        clock: Arc::clone(&clock),
        fault,
    });
    let acting = Arc::clone(&authority);
    let server = Server::start(move |heard| acting.act(heard)).await;
    let traffic = TRAFFIC
        .replacen("[[serves]]", &envelope, 1)
        .replace("concurrency = 4", "concurrency = 64");
    let sources = sources_with(
        &[file("traffic.toml", &traffic, server.port())],
        Arc::clone(&clock),
    );
    World {
        sources,
        authority,
        server,
        clock,
    }
}

#[tokio::test]
async fn one_session_carries_all_questions_and_is_renewed() {
    for suite in [Suite::Gm, Suite::Intl] {
        let World {
            sources,
            authority,
            server,
            clock,
        } = world(suite, Fault::None).await;
        let many = (0..30).map(|_| sources.ask(car_question()));
        for answer in futures_util::future::join_all(many).await {
            assert_eq!(answer.outcome, Outcome::Found, "{:?}", answer.report);
        }
        assert_eq!(authority.handshakes.load(Ordering::SeqCst), 1);
        clock.advance_seconds(3600 - 59);
        assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
        assert_eq!(
            authority.handshakes.load(Ordering::SeqCst),
            2,
            "renewed a minute before its end"
        );
        clock.set(NOW);
        assert_eq!(
            sources.ask(car_question()).await.outcome,
            Outcome::Found,
            "a clock that was set back"
        );
        assert_eq!(authority.handshakes.load(Ordering::SeqCst), 3);
        let all: Vec<u8> = server
            .requests()
            .into_iter()
            .flat_map(|h| [h.head.into_bytes(), h.body].concat())
            .collect();
        for secret in [number(1).expose(), "甲某", "京A12345"] {
            assert!(
                !all.windows(secret.len()).any(|w| w == secret.as_bytes()),
                "sent in the clear"
            );
        }
    }
}

#[tokio::test]
async fn a_lost_session_is_made_anew_once() {
    let World {
        sources,
        authority,
        server,
        ..
    } = world(Suite::Intl, Fault::Forgets).await;
    for asked in 1..4 {
        let answer = sources.ask(car_question()).await;
        assert_eq!(answer.outcome, Outcome::Found, "{:?}", answer.report);
        assert_eq!(authority.handshakes.load(Ordering::SeqCst), asked);
    }
    assert_eq!(
        server.requests().len(),
        3 + 3 + 2,
        "three hellos, three answers, two that met no session"
    );

    let World {
        sources, authority, ..
    } = world(Suite::Intl, Fault::ForgetsAlways).await;
    let answer = sources.ask(car_question()).await;
    assert_eq!(answer.outcome, Outcome::Broken);
    assert_eq!(answer.report.unwrap().problem, Problem::SessionLost);
    assert_eq!(authority.handshakes.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn what_is_not_the_sources_own_word_is_a_bad_answer() {
    let cases = [
        (Fault::OtherKey, Problem::HandshakeFailed),
        (Fault::Garbage, Problem::HandshakeFailed),
        (Fault::GarbageReply, Problem::NotAuthentic),
        (Fault::FlippedReply, Problem::NotAuthentic),
        (Fault::Clear, Problem::NotAuthentic),
    ];
    for suite in [Suite::Gm, Suite::Intl] {
        for (fault, problem) in cases {
            let World { sources, .. } = world(suite, fault).await;
            let answer = sources.ask(car_question()).await;
            assert_eq!(answer.outcome, Outcome::BadAnswer);
            assert_eq!(answer.report.unwrap().problem, problem);
            assert!(answer.record.is_none());
        }
    }
    let World { sources, .. } = world(Suite::Gm, Fault::RepeatedReply).await;
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
    let answer = sources.ask(car_question()).await;
    assert_eq!(answer.report.unwrap().problem, Problem::NotAuthentic);
}

#[tokio::test]
async fn who_waits_for_a_handshake_shares_its_failure() {
    let World {
        sources, authority, ..
    } = world(Suite::Intl, Fault::OtherKey).await;
    let many = (0..30).map(|_| sources.ask(car_question()));
    for answer in futures_util::future::join_all(many).await {
        assert_eq!(answer.report.unwrap().problem, Problem::HandshakeFailed);
    }
    assert_eq!(authority.handshakes.load(Ordering::SeqCst), 1);
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::BadAnswer);
    assert_eq!(
        authority.handshakes.load(Ordering::SeqCst),
        2,
        "who comes later tries again"
    );
}

#[tokio::test]
async fn a_handshake_that_hangs_keeps_nobody_beyond_the_deadline() {
    let World { sources, .. } = world(Suite::Intl, Fault::Mute).await;
    let question = car_question();
    let started = tokio::time::Instant::now();
    let many = (0..20).map(|_| sources.ask(question.clone()));
    for answer in futures_util::future::join_all(many).await {
        assert_eq!(answer.outcome, Outcome::TimedOut);
    }
    assert!(started.elapsed() <= std::time::Duration::from_millis(450));
}

#[tokio::test]
async fn a_source_that_speaks_no_envelope_is_a_bad_answer() {
    let World { sources, .. } = world(Suite::Gm, Fault::None).await;
    assert_eq!(sources.ask(car_question()).await.outcome, Outcome::Found);
    let plain = Server::always(crate::server::json(json!({"code": 0}))).await;
    let mut random = ChaCha20Rng::from_seed([2; 32]);
    let me = Identity::generate("me", Suite::Gm, &mut random).unwrap();
    let envelope = format!(
        "[envelope]\nsuite = \"gm\"\nown_name = \"me\"\nown_key = \"base64:{}\"\npeer_name = \"me\"\npeer_key = \"{}\"\n[[serves]]",
        me.to_base64().expose(),
        me.peer().to_base64(),
    );
    let traffic = TRAFFIC.replacen("[[serves]]", &envelope, 1);
    let sources = sources_with(
        &[file("traffic.toml", &traffic, plain.port())],
        Arc::new(ManualClock::new(NOW)),
    );
    let answer = sources.ask(car_question()).await;
    assert_eq!(answer.report.unwrap().problem, Problem::HandshakeFailed);
}
