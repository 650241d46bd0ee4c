//! The clients: each asks what is in its own name, again and again. All but the first do as they are told; the first
//! floods.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
    thread::{JoinHandle, sleep, spawn},
    time::Duration,
};

use serde_json::json;

use super::journal::{Ended, Journal, Promise, Told};
use crate::{
    http::{Client, Reply},
    run::Stopwatch,
};

/// Connections over which one account floods.
const FLOOD: usize = 16;
/// A client that is to end does not sleep longer than this.
const NAP: Duration = Duration::from_millis(50);

#[derive(Default)]
struct Shared {
    /// What becomes of a question is written down.
    counting: AtomicBool,
    ended: AtomicBool,
    /// Of each account.
    answers: Vec<AtomicUsize>,
    requests: AtomicUsize,
    /// The last place in line that anybody was told.
    last_place: AtomicU64,
}

/// All clients.
pub(super) struct Clients {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<(usize, Vec<Ended>)>>,
}

impl Clients {
    /// One client for each session; with a flood, the first one asks so many times a second besides all others.
    pub(super) fn start(address: SocketAddr, tokens: &[String], flood: Option<f64>) -> Self {
        let shared = Arc::new(Shared {
            answers: tokens.iter().map(|_| AtomicUsize::default()).collect(),
            ..Shared::default()
        });
        let mut threads = vec![];
        for (account, token) in tokens.iter().enumerate() {
            let floods = flood.filter(|_| account == 0);
            for _ in 0..floods.map_or(1, |_| FLOOD) {
                let mut client = Client::new(address);
                client.token = Some(token.clone());
                let asks = Asks {
                    client,
                    account,
                    shared: Arc::clone(&shared),
                    turn: None,
                };
                threads.push(spawn(move || match floods {
                    Some(rate) => (account, asks.flood(Duration::from_secs_f64(FLOOD as f64 / rate))),
                    None => (account, asks.obey()),
                }));
            }
        }
        Clients { shared, threads }
    }

    /// From now on what becomes of each question is written down; what is wrong was from the beginning.
    pub(super) fn count(&self) {
        self.shared.counting.store(true, Ordering::Relaxed);
    }

    /// How many look-ups were answered.
    pub(super) fn answers(&self) -> usize {
        self.shared
            .answers
            .iter()
            .map(|a| a.load(Ordering::Relaxed))
            .sum()
    }

    /// How many look-ups of each account were answered at least.
    pub(super) fn least_answers(&self) -> usize {
        let answers = self.shared.answers.iter().map(|a| a.load(Ordering::Relaxed));
        answers.min().unwrap_or_default()
    }

    /// The last place in line that anybody was told.
    pub(super) fn last_place(&self) -> u64 {
        self.shared.last_place.load(Ordering::Relaxed)
    }

    /// How many requests were sent.
    pub(super) fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Lets them end; what became of each question.
    pub(super) fn end(self) -> Journal {
        self.shared.ended.store(true, Ordering::Relaxed);
        let mut journal = Journal::new(self.shared.answers.len());
        for thread in self.threads {
            if let Ok((account, ended)) = thread.join() {
                journal.write(account, ended);
            }
        }
        journal
    }
}

/// One client.
struct Asks {
    client: Client,
    account: usize,
    shared: Arc<Shared>,
    turn: Option<String>,
}

impl Asks {
    /// Asks, comes again when it is told to, and asks anew when it was answered.
    fn obey(mut self) -> Vec<Ended> {
        let mut ended = vec![];
        while !self.is_over() {
            if let Some(end) = self.one() {
                self.write(&mut ended, end);
            }
        }
        ended
    }

    /// One question, until it is answered or refused.
    fn one(&mut self) -> Option<Ended> {
        let mut promise: Option<Promise> = None;
        self.turn = None;
        loop {
            let (watch, was_told) = (Stopwatch::start(), self.turn.is_some());
            let reply = match self.post() {
                Ok(reply) => reply,
                Err(error) => return Some(Ended::Wrong(error)),
            };
            let took = watch.elapsed();
            let Some(told) = told(&reply) else {
                let kept = promise.map(Promise::end);
                let end = ended(&reply, took, was_told, kept);
                if let Ended::Refused { retry_after, .. } = end {
                    self.sleep(Duration::from_secs(retry_after));
                }
                return Some(end);
            };
            let away = Duration::from_secs(told.retry_after);
            self.turn = Some(told.turn.clone());
            self.shared.last_place.fetch_max(told.place, Ordering::Relaxed);
            match &mut promise {
                None => promise = Some(Promise::new(told)),
                Some(promise) => {
                    if let Err(wrong) = promise.again(&told) {
                        return Some(Ended::Wrong(wrong));
                    }
                }
            }
            self.sleep(away);
            if self.is_over() {
                return None;
            }
        }
    }

    /// Asks at this pace whatever it is told. It takes every place that it gets.
    fn flood(mut self, pace: Duration) -> Vec<Ended> {
        let mut ends = vec![];
        while !self.is_over() {
            let (watch, was_told) = (Stopwatch::start(), self.turn.is_some());
            let reply = self.post();
            match reply.as_ref().map(|reply| (told(reply), reply)) {
                Ok((Some(told), _)) => self.turn = Some(told.turn),
                Ok((None, reply)) => {
                    self.turn = None;
                    self.write(&mut ends, ended(reply, watch.elapsed(), was_told, None));
                }
                Err(error) => ends.push(Ended::Wrong(error.clone())),
            }
            self.sleep(pace.saturating_sub(watch.elapsed()));
        }
        ends
    }

    fn post(&mut self) -> Result<Reply, String> {
        let mut headers = "content-type: application/json\r\n".to_owned();
        if let Some(turn) = &self.turn {
            headers.push_str(&format!("mingcha-turn: {turn}\r\n"));
        }
        let question =
            json!({ "kind": "vehicle", "mode": "list", "subject": "self", "purpose": "own-information" });
        let body = question.to_string();
        self.shared.requests.fetch_add(1, Ordering::Relaxed);
        let reply = self
            .client
            .send("POST", "/v1/lookups", &headers, body.as_bytes())?;
        if reply.status == 200 {
            self.shared.answers[self.account].fetch_add(1, Ordering::Relaxed);
        }
        Ok(reply)
    }

    fn write(&self, ends: &mut Vec<Ended>, end: Ended) {
        if self.shared.counting.load(Ordering::Relaxed) || matches!(end, Ended::Wrong(_)) {
            ends.push(end);
        }
    }

    fn is_over(&self) -> bool {
        self.shared.ended.load(Ordering::Relaxed)
    }

    fn sleep(&self, time: Duration) {
        let watch = Stopwatch::start();
        while watch.elapsed() < time && !self.is_over() {
            sleep(NAP.min(time.saturating_sub(watch.elapsed())));
        }
    }
}

fn seconds(reply: &Reply) -> Option<u64> {
    reply.header("retry-after")?.parse().ok()
}

/// What is told with a place; nothing where the reply is none of that sort.
fn told(reply: &Reply) -> Option<Told> {
    let json = reply.json();
    Some(Told {
        turn: json["turn"].as_str().filter(|_| reply.status == 202)?.to_owned(),
        place: json["place"].as_u64()?,
        estimate: json["estimate_seconds"].as_u64()?,
        retry_after: seconds(reply)?,
    })
}

fn ended(reply: &Reply, took: Duration, told: bool, kept: Option<bool>) -> Ended {
    let json = reply.json();
    match (reply.status, json["outcome"].as_str(), seconds(reply)) {
        (200, Some("found"), _) => Ended::Answered { took, told, kept },
        (status @ (429 | 503), _, Some(retry_after)) => Ended::Refused {
            took,
            retry_after,
            full: status == 503,
        },
        (status, ..) => Ended::Wrong(format!("{status} {}", reply.text())),
    }
}
