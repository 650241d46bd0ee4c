//! Signed replies: by the source's key, by an agreed secret, and everything that only looks like one.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, Ordering},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{AgreedKey, Suite, session::Identity};
use domain::{outcome::Outcome, record::Authenticity, time::ManualClock};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sources::{Problem, Sources};

use crate::{
    server::{Act, Heard, Server, http},
    world::{NOW, TRAFFIC, car_answer, car_question, file, sources_with},
};

/// What the source does wrong.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Fault {
    None,
    Unsigned,
    NoTime,
    SignedTwice,
    NotBase64,
    OtherKey,
    OtherBody,
    OtherNonce,
    /// The first reply, signature and all, to every request.
    Repeated,
    TimeChanged,
    /// Signed as of two minutes ago.
    Late,
    Early,
}

enum Key {
    Own(Identity),
    Agreed(AgreedKey),
}

struct Signer {
    key: Key,
    impostor: Key,
    fault: Fault,
    first: Mutex<Option<Vec<u8>>>,
}

impl Key {
    fn sign(&self, suite: Suite, time: &str, nonce: &str, body: &[u8]) -> String {
        let digest: String = suite.hash(&[body]).iter().map(|b| format!("{b:02x}")).collect();
        let lines = format!("{time}\n{nonce}\n{digest}");
        match self {
            Key::Own(identity) => STANDARD.encode(identity.sign(lines.as_bytes())),
            Key::Agreed(key) => STANDARD.encode(key.tag(lines.as_bytes())),
        }
    }
}

impl Signer {
    fn act(&self, suite: Suite, heard: &Heard) -> Act {
        let body = car_answer().to_string();
        let nonce = match self.fault {
            Fault::OtherNonce => "00000000000000000000000000000000",
            _ => heard.header("x-nonce").expect("the request has a nonce"),
        };
        let shift = match self.fault {
            Fault::Late => -120_000,
            Fault::Early => 120_000,
            _ => 0,
        };
        let time = (NOW.0 / 1000 + shift).to_string();
        let key = if self.fault == Fault::OtherKey {
            &self.impostor
        } else {
            &self.key
        };
        let mut signature = key.sign(suite, &time, nonce, body.as_bytes());
        let mut sent = body.clone();
        let mut headers = format!("content-type: application/json\r\nx-signed-at: {time}\r\n");
        match self.fault {
            Fault::NotBase64 => signature.insert(0, '!'),
            Fault::OtherBody => {
                sent = body
                    .replace("粤", "京")
                    .replace("汽", "柴")
                    .replace("300.5", "300.6")
            }
            Fault::NoTime => headers = "content-type: application/json\r\n".to_owned(),
            Fault::TimeChanged => headers = headers.replace(&time, &(NOW.0 / 1000 + 1).to_string()),
            _ => {}
        }
        if self.fault != Fault::Unsigned {
            headers += &format!("X-Signature: {signature}\r\n");
        }
        if self.fault == Fault::SignedTwice {
            headers += &format!("x-signature: {signature}\r\n");
        }
        let mut reply = http("200 OK", &headers, sent.as_bytes());
        if self.fault == Fault::Repeated {
            reply = self.first.lock().unwrap().get_or_insert(reply).clone();
        }
        Act::Raw(reply)
    }
}

struct World {
    sources: Sources,
    _server: Server,
}

async fn world(suite: Suite, agreed: bool, fault: Fault) -> World {
    let mut random = ChaCha20Rng::from_seed([1; 32]);
    let mut identity = || Identity::generate("traffic", suite, &mut random).unwrap();
    let digest = if suite == Suite::Gm { "sm3" } else { "sha256" };
    let (key, impostor, said) = if agreed {
        let secret = |text: &[u8]| Key::Agreed(AgreedKey::new(suite, text));
        (
            secret(b"agreed upon by both"),
            secret(b"known to somebody else"),
            format!("secret = \"literal:agreed upon by both\"\ndigest = \"{digest}\""),
        )
    } else {
        let (own, impostor) = (identity(), identity());
        let said = format!("key = \"{}\"", own.peer().to_base64());
        (Key::Own(own), Key::Own(impostor), said)
    };
    let signer = Signer {
        key,
        impostor,
        fault,
        first: Mutex::default(),
    };
    let server = Server::start(move |heard| signer.act(suite, heard)).await;
    let table = format!(
        "\n[signature]\n{said}\nheader = \"x-signature\"\ntime = \"x-signed-at\"\nnonce = \"x-nonce\"\n"
    );
    let files = [file("traffic.toml", &format!("{TRAFFIC}{table}"), server.port())];
    let sources = sources_with(&files, Arc::new(ManualClock::new(NOW)));
    World {
        sources,
        _server: server,
    }
}

const WAYS: [(Suite, bool); 4] = [
    (Suite::Gm, false),
    (Suite::Intl, false),
    (Suite::Gm, true),
    (Suite::Intl, true),
];

#[tokio::test]
async fn a_signed_reply_is_told_as_such_where_others_could_check_it() {
    for (suite, agreed) in WAYS {
        let world = world(suite, agreed, Fault::None).await;
        for _ in 0..2 {
            let answer = world.sources.ask(car_question()).await;
            assert_eq!(answer.outcome, Outcome::Found, "{suite} {agreed}");
            let expected = if agreed {
                Authenticity::Session
            } else {
                Authenticity::Signed
            };
            assert_eq!(answer.provenance.unwrap().authenticity, expected);
        }
    }
}

#[tokio::test]
async fn whatever_is_not_signed_for_this_request_is_not_read() {
    let cases = [
        (Fault::Unsigned, Problem::ReplyUnsigned),
        (Fault::NoTime, Problem::ReplyUnsigned),
        (Fault::SignedTwice, Problem::ReplyUnsigned),
        (Fault::NotBase64, Problem::ReplyUnsigned),
        (Fault::OtherKey, Problem::ReplySignatureWrong),
        (Fault::OtherBody, Problem::ReplySignatureWrong),
        (Fault::OtherNonce, Problem::ReplySignatureWrong),
        (Fault::TimeChanged, Problem::ReplySignatureWrong),
        (Fault::Late, Problem::ReplyTimeOff),
        (Fault::Early, Problem::ReplyTimeOff),
    ];
    for (suite, agreed) in WAYS {
        for (fault, problem) in cases {
            let world = world(suite, agreed, fault).await;
            let answer = world.sources.ask(car_question()).await;
            assert_eq!(answer.outcome, Outcome::BadAnswer, "{fault:?}");
            assert_eq!(answer.report.unwrap().problem, problem, "{fault:?}");
            assert!(answer.record.is_none() && answer.provenance.is_none());
        }
    }
}

#[tokio::test]
async fn a_reply_is_good_for_one_request() {
    let world = world(Suite::Gm, false, Fault::Repeated).await;
    let is_first = AtomicBool::new(true);
    for _ in 0..3 {
        let answer = world.sources.ask(car_question()).await;
        if is_first.swap(false, Ordering::SeqCst) {
            assert_eq!(answer.outcome, Outcome::Found);
        } else {
            assert_eq!(answer.report.unwrap().problem, Problem::ReplySignatureWrong);
        }
    }
}
