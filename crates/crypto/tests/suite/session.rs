//! Sessions: pinned bytes, and everything that must be refused.

use crypto::Suite;
use crypto::session::{
    Exchange, Identity, Incoming, Initiator, InitiatorSession, LIFETIME_US, MAX_KIND, MAX_NAME,
    MAX_PLAINTEXT, Peer, ResponderSession, SessionError, accept, peek,
};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

use crate::common::{Constant, hex};

pub(crate) const NOW: i64 = 1_700_000_000_000_000;
const SUITES: [Suite; 2] = [Suite::Gm, Suite::Intl];
pub(crate) const ID: [u8; 16] = [0x55; 16];

pub(crate) struct Parties {
    pub(crate) mingcha: Identity,
    pub(crate) traffic: Identity,
    pub(crate) rng: ChaCha20Rng,
}

impl Parties {
    pub(crate) fn new(suite: Suite) -> Self {
        Self {
            mingcha: Identity::generate("mingcha", suite, &mut Constant(0x11)).expect("the parties agree"),
            traffic: Identity::generate("traffic", suite, &mut Constant(0x22)).expect("the parties agree"),
            rng: ChaCha20Rng::from_seed([6; 32]),
        }
    }

    fn session(&mut self) -> (InitiatorSession, ResponderSession) {
        let (traffic, mingcha) = (self.traffic.peer(), self.mingcha.peer());
        let (initiator, hello) =
            Initiator::start(&self.mingcha, &traffic, NOW, &mut self.rng).expect("the parties agree");
        let (server, welcome) =
            accept(&self.traffic, &mingcha, &hello, NOW, &mut self.rng).expect("the parties agree");
        (
            initiator.finish(&welcome, NOW).expect("the parties agree"),
            server,
        )
    }
}

pub(crate) fn session(suite: Suite) -> (InitiatorSession, ResponderSession) {
    Parties::new(suite).session()
}

fn flips(bytes: &[u8]) -> impl Iterator<Item = (usize, Vec<u8>)> + '_ {
    (0..bytes.len() * 8).map(|bit| {
        let mut flipped = bytes.to_vec();
        flipped[bit / 8] ^= 1 << (bit % 8);
        (bit, flipped)
    })
}

/// The values come from a separate implementation, written from the text at the head of the module.
#[test]
fn layouts_are_pinned() {
    let pins = include_str!("session_pins.txt");
    let pin = |suite: Suite, name: &str| {
        let start = format!("{suite} {name} ");
        pins.lines()
            .find_map(|line| line.strip_prefix(&start))
            .expect("a pin")
            .to_owned()
    };
    for suite in SUITES {
        let parties = Parties::new(suite);
        let (mingcha, traffic) = (parties.mingcha.peer(), parties.traffic.peer());
        assert_eq!(
            mingcha.to_base64(),
            format!("{suite}-public:{}", pin(suite, "mingcha"))
        );
        let (initiator, hello) =
            Initiator::start(&parties.mingcha, &traffic, NOW, &mut Constant(0x33)).unwrap();
        assert_eq!(hello, hex(&pin(suite, "hello")));
        let (server, welcome) = accept(&parties.traffic, &mingcha, &hello, NOW, &mut Constant(0x44)).unwrap();
        assert_eq!(welcome, hex(&pin(suite, "welcome")));
        let client = initiator.finish(&welcome, NOW).unwrap();
        let request = client.seal_request(ID, "vehicle", NOW + 5, b"plate").unwrap();
        assert_eq!(request.bytes, hex(&pin(suite, "request")));
        let opened = server.open_request(&request.bytes, NOW + 5).unwrap();
        let reply = server.seal_reply(&opened.exchange, NOW + 10, b"record").unwrap();
        assert_eq!(reply, hex(&pin(suite, "reply")));
        client.open_reply(&request.exchange, &reply, NOW + 10).unwrap();
        let second = client.seal_request(ID, "vehicle", NOW + 15, b"plate").unwrap();
        assert_eq!(
            second.bytes,
            hex(&pin(suite, "second-request")),
            "the signature is sent no more"
        );
    }
}

#[test]
fn requests_and_replies_pass() {
    for suite in SUITES {
        let (client, server) = session(suite);
        assert!(!server.is_confirmed());
        assert_eq!(server.peer().name(), "mingcha");
        assert_eq!(
            (client.expires_us(), server.expires_us()),
            (NOW + LIFETIME_US, NOW + LIFETIME_US)
        );
        for (n, content) in [&b""[..], b"x", &[7; 10_000]].into_iter().enumerate() {
            let request = client
                .seal_request([n as u8; 16], "vehicle", NOW, content)
                .unwrap();
            assert_eq!(
                peek(&request.bytes),
                Ok(Incoming::Request { session: server.id() })
            );
            let opened = server.open_request(&request.bytes, NOW + 1).unwrap();
            assert!(server.is_confirmed());
            assert_eq!(opened.exchange, request.exchange);
            assert_eq!((opened.time_us, opened.plaintext.as_slice()), (NOW, content));
            let reply = server.seal_reply(&opened.exchange, NOW + 2, content).unwrap();
            assert_eq!(
                client.open_reply(&request.exchange, &reply, NOW + 3).unwrap(),
                content
            );
        }
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_the_handshake_fails() {
    for suite in SUITES {
        let mut parties = Parties::new(suite);
        let (traffic, mingcha) = (parties.traffic.peer(), parties.mingcha.peer());
        let rng = &mut parties.rng;
        let start = |rng: &mut _| Initiator::start(&parties.mingcha, &traffic, NOW, rng).unwrap();
        let (_, hello) = start(rng);
        for (bit, _) in flips(&hello) {
            // A hello is not signed: a changed one may be accepted, but the welcome then fits no initiator.
            let (initiator, mut hello) = start(rng);
            hello[bit / 8] ^= 1 << (bit % 8);
            if let Ok((server, welcome)) = accept(&parties.traffic, &mingcha, &hello, NOW, rng) {
                assert_eq!(
                    initiator.finish(&welcome, NOW).unwrap_err(),
                    SessionError::BadSignature,
                    "bit {bit}"
                );
                assert!(!server.is_confirmed());
            }
        }
        for len in 0..hello.len() {
            assert!(
                accept(&parties.traffic, &mingcha, &hello[..len], NOW, rng).is_err(),
                "cut to {len}"
            );
        }
        let (_, welcome) = accept(&parties.traffic, &mingcha, &hello, NOW, rng).unwrap();
        for (bit, _) in flips(&welcome) {
            let (initiator, hello) = start(rng);
            let (_, mut welcome) = accept(&parties.traffic, &mingcha, &hello, NOW, rng).unwrap();
            welcome[bit / 8] ^= 1 << (bit % 8);
            assert!(initiator.finish(&welcome, NOW).is_err(), "bit {bit}");
        }
        for len in 0..welcome.len() {
            let (initiator, _) = start(rng);
            assert!(initiator.finish(&welcome[..len], NOW).is_err(), "cut to {len}");
        }
    }
}

#[test]
fn every_flipped_bit_and_every_cut_of_a_message_fails() {
    for suite in SUITES {
        let (client, server) = session(suite);
        let request = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
        for (bit, flipped) in flips(&request.bytes) {
            assert!(server.open_request(&flipped, NOW).is_err(), "request bit {bit}");
        }
        for len in 0..request.bytes.len() {
            assert!(
                server.open_request(&request.bytes[..len], NOW).is_err(),
                "request cut to {len}"
            );
        }
        let opened = server
            .open_request(&request.bytes, NOW)
            .expect("failures left no trace in the window");
        let reply = server.seal_reply(&opened.exchange, NOW, b"record").unwrap();
        for (bit, flipped) in flips(&reply) {
            assert!(
                client.open_reply(&request.exchange, &flipped, NOW).is_err(),
                "reply bit {bit}"
            );
        }
        for len in 0..reply.len() {
            assert!(
                client.open_reply(&request.exchange, &reply[..len], NOW).is_err(),
                "reply cut to {len}"
            );
        }
        assert!(client.open_reply(&request.exchange, &reply, NOW).is_ok());
    }
}

#[test]
fn nothing_is_accepted_twice() {
    for suite in SUITES {
        let (client, server) = session(suite);
        let request = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
        let opened = server.open_request(&request.bytes, NOW).unwrap();
        assert_eq!(
            server.open_request(&request.bytes, NOW).unwrap_err(),
            SessionError::Replayed
        );
        let reply = server.seal_reply(&opened.exchange, NOW, b"record").unwrap();
        assert!(client.open_reply(&request.exchange, &reply, NOW).is_ok());
        assert_eq!(
            client.open_reply(&request.exchange, &reply, NOW),
            Err(SessionError::Replayed)
        );
    }
}

#[test]
fn requests_may_arrive_in_any_order_within_the_window() {
    let (client, server) = session(Suite::Intl);
    let seal = || client.seal_request(ID, "vehicle", NOW, b"plate").unwrap().bytes;
    let requests: Vec<_> = (0..1024).map(|_| seal()).collect();
    for request in requests.iter().rev() {
        assert!(server.open_request(request, NOW).is_ok());
    }
    for request in &requests {
        assert_eq!(
            server.open_request(request, NOW).unwrap_err(),
            SessionError::Replayed
        );
    }
    let late = seal();
    let newer: Vec<_> = (0..1024).map(|_| seal()).collect();
    assert!(server.open_request(&newer[1023], NOW).is_ok());
    assert_eq!(server.open_request(&late, NOW).unwrap_err(), SessionError::TooOld);
}

#[test]
fn a_reply_answers_one_request_only() {
    for suite in SUITES {
        let (client, server) = session(suite);
        // The same id, kind, time and content: still two requests, told apart by the digest.
        let one = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
        let two = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
        assert_ne!(one.exchange.digest, two.exchange.digest);
        let opened = server.open_request(&one.bytes, NOW).unwrap();
        server.open_request(&two.bytes, NOW).unwrap();
        let reply = server.seal_reply(&opened.exchange, NOW, b"record").unwrap();
        assert_eq!(
            client.open_reply(&two.exchange, &reply, NOW),
            Err(SessionError::NotAuthentic)
        );

        let other_id = Exchange {
            request_id: [1; 16],
            ..opened.exchange.clone()
        };
        let reply = server.seal_reply(&other_id, NOW, b"record").unwrap();
        assert_eq!(
            client.open_reply(&one.exchange, &reply, NOW),
            Err(SessionError::NotAuthentic)
        );
        let other_kind = Exchange {
            kind: "marriage".to_owned(),
            ..opened.exchange
        };
        let reply = server.seal_reply(&other_kind, NOW, b"record").unwrap();
        assert_eq!(
            client.open_reply(&one.exchange, &reply, NOW),
            Err(SessionError::NotAuthentic)
        );
    }
}

#[test]
fn a_message_does_not_pass_for_one_of_the_other_direction() {
    for suite in SUITES {
        let (client, server) = session(suite);
        let request = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
        let opened = server.open_request(&request.bytes, NOW).unwrap();
        let reply = server.seal_reply(&opened.exchange, NOW, &[9; 100]).unwrap();
        assert!(matches!(
            server.open_request(&reply, NOW),
            Err(SessionError::Malformed(_))
        ));
        assert!(matches!(
            client.open_reply(&request.exchange, &request.bytes, NOW),
            Err(SessionError::Malformed(_))
        ));
        // With the type byte changed the keys still differ.
        for flags in [0, 1] {
            let mut reflected = reply.clone();
            (reflected[1], reflected[2]) = (3, flags);
            assert_eq!(
                server.open_request(&reflected, NOW).unwrap_err(),
                SessionError::NotAuthentic
            );
        }
        let mut reflected = request.bytes.clone();
        (reflected[1], reflected[2]) = (4, 0);
        assert_eq!(
            client.open_reply(&request.exchange, &reflected, NOW).unwrap_err(),
            SessionError::NotAuthentic
        );
    }
}

#[test]
fn sessions_do_not_mix() {
    for suite in SUITES {
        let mut parties = Parties::new(suite);
        let (client, server) = parties.session();
        let (_, other_server) = parties.session();
        assert_ne!(server.id(), other_server.id());
        let mut request = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap().bytes;
        assert_eq!(
            other_server.open_request(&request, NOW).unwrap_err(),
            SessionError::OtherSession
        );
        request[3..19].copy_from_slice(&other_server.id());
        assert_eq!(
            other_server.open_request(&request, NOW).unwrap_err(),
            SessionError::NotAuthentic
        );
    }
}

#[test]
fn another_party_is_refused() {
    for suite in SUITES {
        let mut parties = Parties::new(suite);
        let (traffic, mingcha) = (parties.traffic.peer(), parties.mingcha.peer());
        let rng = &mut parties.rng;
        let impostor = Identity::generate("traffic", suite, rng).unwrap();
        let thief = Identity::generate("mingcha", suite, rng).unwrap();
        let civil = Identity::generate("civil", suite, rng).unwrap();

        // Somebody else answers under the responder's name.
        let (initiator, hello) = Initiator::start(&parties.mingcha, &traffic, NOW, rng).unwrap();
        let (_, welcome) = accept(&impostor, &mingcha, &hello, NOW, rng).unwrap();
        assert_eq!(
            initiator.finish(&welcome, NOW).unwrap_err(),
            SessionError::BadSignature
        );

        // Somebody else asks under the initiator's name: a session arises, and never opens anything.
        let (initiator, hello) = Initiator::start(&thief, &traffic, NOW, rng).unwrap();
        let (server, welcome) = accept(&parties.traffic, &mingcha, &hello, NOW, rng).unwrap();
        let client = initiator.finish(&welcome, NOW).unwrap();
        for _ in 0..3 {
            let request = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
            assert_eq!(
                server.open_request(&request.bytes, NOW).unwrap_err(),
                SessionError::BadSignature
            );
        }
        assert!(!server.is_confirmed());

        // The hello is for another party, or from another than the one configured.
        let (_, hello) = Initiator::start(&parties.mingcha, &traffic, NOW, rng).unwrap();
        assert_eq!(
            peek(&hello),
            Ok(Incoming::Hello {
                from: "mingcha".to_owned()
            })
        );
        let refused = accept(&civil, &mingcha, &hello, NOW, rng).unwrap_err();
        assert_eq!(refused, SessionError::OtherParty);
        let refused = accept(&parties.traffic, &civil.peer(), &hello, NOW, rng).unwrap_err();
        assert_eq!(refused, SessionError::OtherParty);
    }
}

#[test]
fn a_request_without_the_signature_opens_nothing_before_the_first_that_has_it() {
    for suite in SUITES {
        let (client, server) = session(suite);
        let exchange = Exchange {
            request_id: ID,
            kind: "vehicle".to_owned(),
            digest: [0; 32],
        };
        let signed = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
        // A reply that this client opens makes it believe that its signature arrived.
        let reply = server.seal_reply(&exchange, NOW, b"").unwrap();
        client.open_reply(&exchange, &reply, NOW).unwrap();
        let unsigned = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
        assert_eq!(
            server.open_request(&unsigned.bytes, NOW).unwrap_err(),
            SessionError::Unconfirmed
        );
        assert!(server.open_request(&signed.bytes, NOW).is_ok());
        let unsigned = client.seal_request(ID, "vehicle", NOW, b"plate").unwrap();
        assert_eq!(
            server.open_request(&unsigned.bytes, NOW).unwrap().plaintext,
            b"plate"
        );
    }
}

#[test]
fn roles_do_not_swap() {
    // Both sides start at once, and somebody in the middle hands each one's hello to the other as if it answered.
    for suite in SUITES {
        let mut parties = Parties::new(suite);
        let (traffic, mingcha) = (parties.traffic.peer(), parties.mingcha.peer());
        let rng = &mut parties.rng;
        let (one, hello_one) = Initiator::start(&parties.mingcha, &traffic, NOW, rng).unwrap();
        let (_, hello_two) = Initiator::start(&parties.traffic, &mingcha, NOW, rng).unwrap();
        assert!(accept(&parties.mingcha, &traffic, &hello_one, NOW, rng).is_err());
        let (_, welcome) = accept(&parties.mingcha, &traffic, &hello_two, NOW, rng).unwrap();
        assert_eq!(one.finish(&welcome, NOW).unwrap_err(), SessionError::BadSignature);
    }
}

#[test]
fn bounds_are_kept() {
    let (client, server) = session(Suite::Intl);
    assert_eq!(
        client.seal_request(ID, "", NOW, b"").unwrap_err(),
        SessionError::BadKind
    );
    let long = "k".repeat(MAX_KIND + 1);
    assert_eq!(
        client.seal_request(ID, &long, NOW, b"").unwrap_err(),
        SessionError::BadKind
    );
    let request = client
        .seal_request(ID, &long[1..], NOW, &vec![0; MAX_PLAINTEXT])
        .unwrap();
    assert_eq!(
        server.open_request(&request.bytes, NOW).unwrap().plaintext.len(),
        MAX_PLAINTEXT
    );
    let refused = client
        .seal_request(ID, "vehicle", NOW, &vec![0; MAX_PLAINTEXT + 1])
        .unwrap_err();
    assert_eq!(refused, SessionError::TooLong);
    let refused = server
        .open_request(&vec![1; MAX_PLAINTEXT + 1000], NOW)
        .unwrap_err();
    assert_eq!(refused, SessionError::TooLong);
    for name in ["", &"n".repeat(MAX_NAME + 1)] {
        assert!(Identity::generate(name, Suite::Intl, &mut Constant(1)).is_err());
    }
}

#[test]
fn ephemeral_keys_that_are_none_are_refused() {
    for suite in SUITES {
        let mut parties = Parties::new(suite);
        let (traffic, mingcha) = (parties.traffic.peer(), parties.mingcha.peer());
        let (_, hello) = Initiator::start(&parties.mingcha, &traffic, NOW, &mut parties.rng).unwrap();
        let key_len = if suite == Suite::Gm { 65 } else { 32 };
        // All zeros are of small order on Curve25519 and no point on SM2's curve; 64 bytes too many are no key.
        let mut zeros = hello.clone();
        let start = hello.len() - key_len;
        zeros[start..].fill(0);
        let mut off_curve = hello.clone();
        *off_curve.last_mut().unwrap() ^= 1;
        let trailing = [&hello[..], &[0]].concat();
        let mut refused = vec![zeros, trailing];
        if suite == Suite::Gm {
            refused.push(off_curve);
        }
        for hello in refused {
            let error = accept(&parties.traffic, &mingcha, &hello, NOW, &mut parties.rng).unwrap_err();
            assert_eq!(error, SessionError::BadEphemeralKey);
        }
    }
}

#[test]
fn suites_do_not_mix() {
    let (gm, mut intl) = (Parties::new(Suite::Gm), Parties::new(Suite::Intl));
    let other = SessionError::OtherSuite;
    let refused = Initiator::start(&gm.mingcha, &intl.traffic.peer(), NOW, &mut intl.rng)
        .err()
        .unwrap();
    assert_eq!(refused, other);
    let traffic = intl.traffic.peer();
    let (initiator, hello) = Initiator::start(&intl.mingcha, &traffic, NOW, &mut intl.rng).unwrap();
    let refused = accept(&gm.traffic, &gm.mingcha.peer(), &hello, NOW, &mut intl.rng).unwrap_err();
    assert_eq!(refused, other);
    let mut welcome = vec![0; 99];
    welcome[..3].copy_from_slice(&[1, 2, 1]);
    assert_eq!(initiator.finish(&welcome, NOW).unwrap_err(), other);
}

#[test]
fn static_keys_pass_through_text() {
    for suite in SUITES {
        let parties = Parties::new(suite);
        let secret = parties.mingcha.to_base64();
        let public = parties.mingcha.peer().to_base64();
        let back = Identity::from_base64("mingcha", &format!(" {}\n", secret.expose())).unwrap();
        assert_eq!(back.to_base64(), secret);
        assert_eq!(back.peer().to_base64(), public);
        assert_eq!(Peer::from_base64("mingcha", &public).unwrap().to_base64(), public);
        assert_eq!(
            format!("{back:?}"),
            format!("Identity(mingcha, {suite}, redacted)")
        );

        assert!(
            Peer::from_base64("mingcha", secret.expose()).is_err(),
            "a secret is no public key"
        );
        assert!(
            Identity::from_base64("mingcha", &public).is_err(),
            "a public key is no secret"
        );
        for broken in [
            "",
            ":",
            "gm-secret:",
            "intl-secret:AAAA",
            "rsa-secret:AAAA",
            "gm-public:####",
        ] {
            assert!(Identity::from_base64("mingcha", broken).is_err(), "{broken}");
            assert!(Peer::from_base64("mingcha", broken).is_err(), "{broken}");
        }
    }
    let zero = "gm-secret:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    assert!(Identity::from_base64("mingcha", zero).is_err());
}

#[test]
fn many_threads_share_a_session() {
    let (client, server) = session(Suite::Intl);
    let (client, server) = (&client, &server);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            scope.spawn(move || {
                for n in 0..200_u8 {
                    let id = [thread, n].repeat(8).try_into().unwrap();
                    let request = client.seal_request(id, "vehicle", NOW, &[thread, n]).unwrap();
                    let opened = server.open_request(&request.bytes, NOW).unwrap();
                    assert_eq!(opened.plaintext, [thread, n]);
                    let reply = server.seal_reply(&opened.exchange, NOW, &[n, thread]).unwrap();
                    assert_eq!(
                        client.open_reply(&request.exchange, &reply, NOW).unwrap(),
                        [n, thread]
                    );
                }
            });
        }
    });
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_an_error_and_no_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), kind in 0u8..6) {
        let mut parties = Parties::new(Suite::Intl);
        let (client, server) = parties.session();
        let mut bytes = bytes;
        if let Some(start) = bytes.first_chunk_mut::<2>() {
            *start = [1, kind];
        }
        let exchange = Exchange { request_id: ID, kind: "vehicle".to_owned(), digest: [0; 32] };
        assert!(server.open_request(&bytes, NOW).is_err());
        assert!(client.open_reply(&exchange, &bytes, NOW).is_err());
        assert!(accept(&parties.traffic, &parties.mingcha.peer(), &bytes, NOW, &mut parties.rng).is_err());
        drop(peek(&bytes));
    }
}
