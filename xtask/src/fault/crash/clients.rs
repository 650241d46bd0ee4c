//! The clients of the rig: they ask as fast as they are answered, and write down every whole answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Condvar, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

use serde_json::{Value, json};

use crate::{
    fault::tamper::receipt_in,
    http::{Client, Reply},
    people::{self, Person},
    random::Dice,
};

/// A whole answer that reached a client.
#[derive(Debug, Clone)]
pub(in crate::fault) struct Answer {
    pub(in crate::fault) status: u16,
    pub(super) lookup: Option<String>,
    /// The outcome, or the code of the problem.
    pub(in crate::fault) word: String,
    pub(super) receipt: Option<String>,
}

impl Answer {
    pub(in crate::fault) fn of(reply: &Reply) -> Self {
        let json = reply.json();
        let text = |key: &str| json[key].as_str().map(str::to_owned);
        Answer {
            status: reply.status,
            lookup: text("lookup_id"),
            word: text("outcome").or_else(|| text("code")).unwrap_or_default(),
            receipt: receipt_in(&reply.text()).map(str::to_owned),
        }
    }
}

/// A session that lives through all kills.
#[derive(Debug, Clone)]
pub(in crate::fault) struct Session {
    pub(in crate::fault) person: Person,
    pub(in crate::fault) token: String,
}

/// What all clients were answered, and the news of it.
#[derive(Default)]
struct Journal {
    answers: Mutex<Vec<Answer>>,
    news: Condvar,
}

impl Journal {
    fn write(&self, answer: Answer) {
        self.answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(answer);
        self.news.notify_all();
    }
}

/// All clients.
pub(in crate::fault) struct Clients {
    sessions: Vec<Session>,
    journal: Arc<Journal>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Clients {
    /// Signs everybody in and begins.
    ///
    /// # Errors
    /// Somebody cannot sign in.
    pub(super) fn start(address: SocketAddr, people: &[Person], seed: u64) -> Result<Self, String> {
        let mut sessions = vec![];
        for person in people {
            let mut client = Client::new(address);
            people::sign_in(&mut client, person)?;
            sessions.push(Session {
                person: person.clone(),
                token: client.token.unwrap_or_default(),
            });
        }
        let (journal, ended) = (Arc::<Journal>::default(), Arc::new(AtomicBool::new(false)));
        let mut threads = vec![];
        for connection in 0..2 * sessions.len() {
            let mut client = Client::new(address);
            let own = &sessions[connection % sessions.len()];
            client.token = Some(own.token.clone());
            let (own, others) = (own.person.clone(), people.to_vec());
            let (journal, ended) = (Arc::clone(&journal), Arc::clone(&ended));
            let dice = Dice::new(seed.wrapping_add(1000 + connection as u64));
            threads.push(spawn(move || {
                ask_on(client, &own, &others, dice, &journal, &ended)
            }));
        }
        Ok(Clients {
            sessions,
            journal,
            ended,
            threads,
        })
    }

    /// How many answers there are so far.
    pub(super) fn answers(&self) -> usize {
        self.journal
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .len()
    }

    /// Returns as soon as somebody has an answer, or after this time.
    pub(in crate::fault) fn wait_for_an_answer(&self, at_most: Duration) {
        let answers = self
            .journal
            .answers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let before = answers.len();
        drop(
            self.journal
                .news
                .wait_timeout_while(answers, at_most, |answers| answers.len() == before),
        );
    }

    /// Lets them end; their sessions and all answers.
    pub(super) fn end(self) -> (Vec<Session>, Vec<Answer>) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads {
            drop(thread.join());
        }
        let answers = std::mem::take(
            &mut *self
                .journal
                .answers
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        (self.sessions, answers)
    }
}

fn ask_on(
    mut client: Client,
    own: &Person,
    others: &[Person],
    mut dice: Dice,
    journal: &Journal,
    ended: &AtomicBool,
) {
    while !ended.load(Ordering::Relaxed) {
        let question = question(own, others, &mut dice);
        match client.post("/v1/lookups", &question) {
            Ok(reply) => journal.write(Answer::of(&reply)),
            // Killed, or not there yet: nothing was answered, so nothing is written down.
            Err(_) => sleep(Duration::from_millis(2)),
        }
    }
}

/// Mostly one's own vehicle or licence; now and then somebody else's, which is refused.
fn question(own: &Person, others: &[Person], dice: &mut Dice) -> Value {
    let mut question =
        json!({ "kind": "vehicle", "mode": "read", "subject": "self", "purpose": "own-information" });
    let throw = dice.below(20);
    if throw < 6 && own.has_licence {
        question["kind"] = "driving-licence".into();
        return question;
    }
    let (plate, class) = &own.plates[0];
    question["key"] = json!({ "plate": plate, "plate_class": class });
    if throw == 19 {
        let number = dice.below(others.len() as u64);
        let other = &others[usize::try_from(number).unwrap_or_default()];
        if other.id != own.id {
            question["subject"] = json!({ "name": other.name, "id_number": other.id_number });
        }
    }
    question
}
