//! A peer that has agreed on a session and lies within it: what it may say is somebody else's, and what would be the
//! asker's own is never its fresh answer to this request.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use crypto::{
    Suite,
    session::{Exchange, Identity, Incoming, ResponderSession, accept, peek},
};
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;

use crate::{
    lies::{self, MUTATIONS, below},
    server::{Act, Heard, http},
    world::{NOW, car_answer},
};

/// How many sessions are kept: a gateway has one at a time.
const KEPT: usize = 4;
/// How many ways there are to lie in a session.
pub(crate) const WAYS: usize = 10;

/// The peer.
pub(crate) struct Peer {
    gateway: Identity,
    own: Identity,
    state: Mutex<State>,
    told: Arc<AtomicUsize>,
}

struct State {
    dice: ChaCha20Rng,
    /// Each with another one, of which the gateway does not know.
    sessions: Vec<[ResponderSession; 2]>,
    /// A true reply to an earlier request, never sent as such.
    held_back: Option<Vec<u8>>,
}

impl Peer {
    pub(crate) fn new(mut dice: ChaCha20Rng, told: Arc<AtomicUsize>) -> Self {
        let mut identity = |name| Identity::generate(name, Suite::Intl, &mut dice).unwrap();
        Peer {
            gateway: identity("gateway"),
            own: identity("traffic"),
            state: Mutex::new(State {
                dice,
                sessions: vec![],
                held_back: None,
            }),
            told,
        }
    }

    /// The source's file, in which the session is agreed.
    pub(crate) fn file(&self, text: &str) -> String {
        let envelope = format!(
            "[envelope]\nsuite = \"intl\"\nown_name = \"gateway\"\nown_key = \"base64:{}\"\npeer_name = \"traffic\"\npeer_key = \"{}\"\n\n[[serves]]",
            self.gateway.to_base64().expose(),
            self.own.peer().to_base64(),
        );
        text.replacen("[[serves]]", &envelope, 1)
    }

    pub(crate) fn act(&self, heard: &Heard) -> Act {
        let mut state = self.state.lock().unwrap();
        let said = match peek(&heard.body) {
            Ok(Incoming::Hello { .. }) => self.welcome(&mut state, &heard.body),
            Ok(Incoming::Request { session }) => self.lie(&mut state, session, &heard.body),
            Err(_) => None,
        };
        match said {
            Some(bytes) => Act::Raw(http(
                "200 OK",
                "content-type: application/octet-stream\r\n",
                &bytes,
            )),
            None => Act::Raw(http("401 Unknown session", "", b"")),
        }
    }

    fn welcome(&self, state: &mut State, hello: &[u8]) -> Option<Vec<u8>> {
        let mut twice = || accept(&self.own, &self.gateway.peer(), hello, NOW.0, &mut state.dice).ok();
        let ((session, welcome), (other, _)) = (twice()?, twice()?);
        if state.sessions.len() == KEPT {
            state.sessions.remove(0);
        }
        state.sessions.push([session, other]);
        Some(welcome)
    }

    fn lie(&self, state: &mut State, id: [u8; 16], asked: &[u8]) -> Option<Vec<u8>> {
        let State {
            dice,
            sessions,
            held_back,
        } = state;
        let [session, other] = sessions.iter().find(|[session, _]| session.id() == id)?;
        let request = session.open_request(asked, NOW.0).ok()?;
        let turn = self.told.fetch_add(1, Ordering::Relaxed);
        let own = car_answer().to_string().into_bytes();
        let sealed = |exchange: &Exchange, late| session.seal_reply(exchange, NOW.0 + late, &own).ok();
        let mut exchange = request.exchange.clone();
        let byte = below(dice, 16);
        match turn % WAYS {
            1 => {
                // The reply that would be true comes with the next request.
                let earlier = held_back.take();
                *held_back = sealed(&exchange, 0);
                return earlier.or_else(|| Some(vec![0; 300]));
            }
            2 => exchange.digest[byte] ^= 1,
            3 => exchange.request_id[byte] ^= 1,
            4 => exchange.kind.push('s'),
            5 => return sealed(&exchange, 61_000_000),
            // The counter and what else stands in the head, or what follows it.
            6 | 7 => {
                let mut reply = sealed(&exchange, 0)?;
                let bound = if turn % WAYS == 6 { 64 } else { reply.len() };
                let at = below(dice, bound.min(reply.len()));
                reply[at] ^= 1 << (dice.next_u32() % 8);
                return Some(reply);
            }
            8 => return Some(asked.to_vec()),
            9 => return other.seal_reply(&exchange, NOW.0, &own).ok(),
            _ => {
                let lie = lies::record(dice, MUTATIONS[turn / WAYS % MUTATIONS.len()]);
                return session.seal_reply(&exchange, NOW.0, &lie).ok();
            }
        }
        sealed(&exchange, 0)
    }
}
