//! The ways to ask a source, each with a source of its own that lies in it, and what must never be believed.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicUsize, Ordering},
};

use domain::outcome::Outcome;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sources::{Answer, Question, Sources};

use crate::{
    lies::{self, MUTATIONS, Mutation},
    peer::Peer,
    server::{Act, Heard, Server},
    world::{
        REGISTER, SHOPS, TRAFFIC, car_question, file, list_question, match_question, sources, visit_question,
    },
};

/// One way to ask.
pub(crate) struct Game {
    pub(crate) name: &'static str,
    /// Of a hundred replies, how many are lies in this one.
    pub(crate) percent: usize,
    pub(crate) question: fn() -> Question,
    /// Somebody believed what was not so.
    pub(crate) is_fooled: fn(&Answer) -> bool,
    pub(crate) sources: Arc<Sources>,
    /// How many lies were told.
    pub(crate) told: Arc<AtomicUsize>,
    heard: Arc<Mutex<Vec<Heard>>>,
}

impl Game {
    /// Forgets what was heard, which would grow for ever.
    pub(crate) fn forget(&self) {
        self.heard.lock().unwrap().clear();
    }
}

/// All of them.
pub(crate) async fn games(seed: u64) -> Vec<Game> {
    let found: fn(&Answer) -> bool = |answer| answer.record.is_some() || answer.outcome == Outcome::Found;
    let listed: fn(&Answer) -> bool = |answer| !answer.rows.is_empty() || answer.outcome == Outcome::Found;
    let matched: fn(&Answer) -> bool = |answer| answer.outcome == Outcome::Match;
    let wide = TRAFFIC.replace("concurrency = 4", "concurrency = 64");
    assert_ne!(wide, TRAFFIC, "the test's file names another concurrency");
    let register = REGISTER.replace("charset", "concurrency = 64\ncharset");
    let plainly = [
        (
            "read",
            55,
            car_question as fn() -> Question,
            found,
            wide.as_str(),
            lies::record as Lie,
        ),
        ("list", 15, list_question, listed, &wide, lies::list),
        (
            "match",
            10,
            || match_question(&[]),
            matched,
            &register,
            lies::comparison,
        ),
        ("asserted", 10, visit_question, found, SHOPS, lies::visit),
    ];
    let mut games = vec![];
    for (at, (name, percent, question, is_fooled, text, lie)) in plainly.into_iter().enumerate() {
        let told = Arc::<AtomicUsize>::default();
        let server = liar(dice(seed, at), lie, Arc::clone(&told)).await;
        games.push(Game {
            name,
            percent,
            question,
            is_fooled,
            sources: Arc::new(sources(&[file("lying.toml", text, server.port())])),
            told,
            heard: server.heard,
        });
    }
    let told = Arc::<AtomicUsize>::default();
    let peer = Peer::new(dice(seed, games.len()), Arc::clone(&told));
    let text = peer.file(&wide);
    let server = Server::start(move |heard| peer.act(heard)).await;
    games.push(Game {
        name: "envelope",
        percent: 10,
        question: car_question,
        is_fooled: found,
        sources: Arc::new(sources(&[file("lying.toml", &text, server.port())])),
        told,
        heard: server.heard,
    });
    games
}

type Lie = fn(&mut ChaCha20Rng, Mutation) -> Vec<u8>;

/// A source that tells each of the lies in turn.
async fn liar(dice: ChaCha20Rng, lie: Lie, told: Arc<AtomicUsize>) -> Server {
    let dice = Mutex::new(dice);
    Server::start(move |_| {
        let mut dice = dice.lock().unwrap();
        let turn = told.fetch_add(1, Ordering::Relaxed);
        Act::Json(lie(&mut dice, MUTATIONS[turn % MUTATIONS.len()]))
    })
    .await
}

/// The same seed gives the same lies in each game, and no two games the same.
fn dice(seed: u64, game: usize) -> ChaCha20Rng {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&seed.to_be_bytes());
    bytes[8] = u8::try_from(game).unwrap();
    ChaCha20Rng::from_seed(bytes)
}
