//! The played authorities as one value: what they know, their keys, their clock, their switches and their journal.

use std::{
    io,
    path::{Path as FilePath, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use crypto::session::{Peer, ResponderSession, SessionError};
use domain::time::{Clock, Timestamp};
use rand_core::CryptoRng;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    answers::{Path, World},
    authority::Authority,
    crowd::Crowd,
    insurance_drop::{InsuranceMessage, Renewal, renewal_message, write_insurance_drop},
    journal::{Journal, JournalEntry},
    keys::Keys,
    persona::Persona,
    register::Register,
    reviews::Reviews,
    sessions::Sessions,
    signed::Nonces,
    switches::{Fault, Switch, SwitchError, Switches},
    wire::{self, Code},
};

/// Simulated authorities. Everybody in them is invented.
pub struct Sandbox {
    register: Register,
    pub(crate) keys: Keys,
    gateway: Peer,
    pub(crate) clock: Arc<dyn Clock>,
    random: Mutex<Box<dyn CryptoRng + Send>>,
    sessions: [Sessions; Authority::ALL.len()],
    pub(crate) nonces: Nonces,
    switches: Switches,
    journal: Journal,
    reviews: Reviews,
}

/// What becomes of a message.
pub(crate) enum Reply {
    /// Bytes to send after so many milliseconds.
    Message { bytes: Vec<u8>, delay_ms: u64 },
    /// JSON in the clear, its time, and the signature over both, after so many milliseconds.
    Signed {
        body: Vec<u8>,
        time: String,
        signature: String,
        delay_ms: u64,
    },
    /// The connection breaks after so many milliseconds.
    Close { delay_ms: u64 },
    /// The session is unknown: the client starts a new one. Or the API key is.
    Unknown,
    /// No message of this protocol, or one that came before.
    Refused(SessionError),
    /// The headers break the agreement; the words say how.
    Malformed(&'static str),
    /// The journal could not be written.
    Failed,
}

impl Sandbox {
    /// Authorities with these keys; `rng` draws the keys of sessions.
    #[must_use]
    pub fn new(keys: Keys, clock: Arc<dyn Clock>, rng: impl CryptoRng + Send + 'static) -> Self {
        Sandbox {
            register: Register::new(),
            gateway: keys.gateway().peer(),
            keys,
            clock,
            random: Mutex::new(Box::new(rng)),
            sessions: Default::default(),
            nonces: Nonces::default(),
            switches: Switches::default(),
            journal: Journal::default(),
            reviews: Reviews::default(),
        }
    }

    /// Besides the personas, `size` more people with a car each, computed when asked for ([`crate::crowd_member`]).
    #[must_use]
    pub fn with_crowd(mut self, size: u64) -> Self {
        self.register.crowd = Crowd::of(size);
        self
    }

    /// Besides the personas, these people, of whom register and carrier know name, number and phone
    /// ([`crate::guests`]).
    #[must_use]
    pub fn with_guests(mut self, guests: Vec<Persona>) -> Self {
        self.register.guests = guests;
        self
    }

    /// The people who were added.
    #[must_use]
    pub fn guests(&self) -> &[Persona] {
        &self.register.guests
    }

    /// Appends the journal to a file too, one JSON object a line.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn with_journal(mut self, path: &FilePath) -> io::Result<Self> {
        self.journal = Journal::with_file(path)?;
        Ok(self)
    }

    /// Sets a switch; it stays until it is used up or all are cleared.
    ///
    /// # Errors
    /// The switch could never apply.
    pub fn switch(&self, switch: Switch) -> Result<(), SwitchError> {
        self.switches.set(switch)
    }

    /// Clears all switches.
    pub fn clear_switches(&self) {
        self.switches.clear();
    }

    /// The switches that are set.
    #[must_use]
    pub fn switches(&self) -> Vec<Switch> {
        self.switches.all()
    }

    /// The last requests that arrived, oldest first; at most 100,000.
    #[must_use]
    pub fn journal(&self) -> Vec<JournalEntry> {
        self.journal.entries()
    }

    /// Drops the insurers' file of today into a folder, if it is not there yet.
    ///
    /// # Errors
    /// The folder cannot be written.
    pub fn drop_insurance(&self, folder: &FilePath) -> io::Result<PathBuf> {
        write_insurance_drop(folder, &self.keys, self.clock.now())
    }

    /// What the insurers' platform sends when a policy was renewed since its last file; `None` where the persona has no
    /// insured vehicle. Whoever calls this posts it to the gateway: the sandbox opens no connection.
    #[must_use]
    pub fn renew_policy(&self, renewal: Renewal<'_>) -> Option<InsuranceMessage> {
        renewal_message(&self.keys, renewal, self.clock.now())
    }

    pub(crate) fn shake_hands(&self, authority: Authority, hello: &[u8]) -> Result<Vec<u8>, SessionError> {
        let own = self.keys.identity(authority);
        let mut random = self.random.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now().0;
        self.sessions[authority as usize].accept(own, &self.gateway, hello, now, &mut **random)
    }

    /// Opens a message, writes it down, and seals the answer.
    pub(crate) fn exchange(&self, authority: Authority, path: Path, message: &[u8]) -> Reply {
        let now = self.clock.now();
        let Some(session) = self.sessions[authority as usize].find(message, now.0) else {
            return Reply::Unknown;
        };
        let request = match session.open_request(message, now.0) {
            Ok(request) => request,
            Err(SessionError::Expired) => return Reply::Unknown,
            Err(error) => return Reply::Refused(error),
        };
        let is_moved = request.exchange.kind.trim_start_matches('/') != path_within(path);
        let message = (request.exchange.request_id, is_moved);
        match self.respond(authority, path, message, &request.plaintext, now) {
            Ok((plain, delay_ms)) => self.seal(&session, &request.exchange, now, &plain, delay_ms),
            Err(reply) => reply,
        }
    }

    /// Writes a request down and answers it: the bytes to seal or sign, and after how many milliseconds to send them.
    /// `is_moved` is one that was sealed for another path.
    pub(crate) fn respond(
        &self,
        authority: Authority,
        path: Path,
        (message, is_moved): ([u8; 16], bool),
        body: &[u8],
        now: Timestamp,
    ) -> Result<(Vec<u8>, u64), Reply> {
        let about = About::read(body);
        self.journal
            .record(&about.qqlsh, message, now, path.name())
            .map_err(|_| Reply::Failed)?;
        let switch = self
            .switches
            .take(&about.qqlsh, &about.sfzmhm, path)
            .unwrap_or_default();
        let delay_ms = switch.delay_ms;
        let plain = match switch.fault {
            Some(Fault::Close) => return Err(Reply::Close { delay_ms }),
            Some(Fault::Garbage) => {
                return Err(Reply::Message {
                    bytes: b"\x00\xffgarbage\r\n\r\n".to_vec(),
                    delay_ms,
                });
            }
            Some(Fault::NotJson) => b"<html>502</html>".to_vec(),
            _ if is_moved => self.write_out(
                Err(Code::BadRequest("消息种类与路径不符")),
                authority,
                now,
                &switch,
            ),
            _ => self.write_out(
                self.answer(path, body, &about, &switch, now),
                authority,
                now,
                &switch,
            ),
        };
        Ok((plain, delay_ms))
    }

    fn answer(
        &self,
        path: Path,
        body: &[u8],
        about: &About,
        switch: &Switch,
        now: Timestamp,
    ) -> wire::Answered {
        let world = World {
            register: &self.register,
            now,
            reviews: &self.reviews,
            plan: switch.plan(),
        };
        if switch.fault == Some(Fault::WrongPerson) {
            return path.somebody_elses(&world, &about.sfzmhm);
        }
        // A review that was answered so has mended the record.
        let mended = path.is_reviewed() && self.reviews.has_mended(&about.sfzmhm, now);
        if let Some(code) = switch.outcome.and_then(Code::of).filter(|_| !mended) {
            return Err(code);
        }
        let answered = path.answer(&world, body);
        // What is always answered about a persona is told only to a request that fits them.
        let is_about_them = !matches!(
            answered,
            Err(Code::BadRequest(_) | Code::Mismatch | Code::CannotCompare)
        );
        let always = self.register.person(&about.sfzmhm).and_then(|who| {
            let same = who.name == about.xm;
            who.always
                .get(path.name())
                .copied()
                .filter(|_| same)
                .and_then(Code::of)
        });
        always.filter(|_| is_about_them && !mended).map_or(answered, Err)
    }

    fn write_out(
        &self,
        answered: wire::Answered,
        authority: Authority,
        now: Timestamp,
        switch: &Switch,
    ) -> Vec<u8> {
        let mut document = wire::document(answered, authority, now, switch.stale_days);
        match switch.fault {
            Some(Fault::MissingField) => spoil(&mut document, switch.member.as_deref(), None),
            Some(Fault::WrongType) => spoil(
                &mut document,
                switch.member.as_deref(),
                Some(json!([{ "": null }])),
            ),
            _ => {}
        }
        document.to_string().into_bytes()
    }

    fn seal(
        &self,
        session: &ResponderSession,
        exchange: &crypto::session::Exchange,
        now: Timestamp,
        plain: &[u8],
        delay_ms: u64,
    ) -> Reply {
        match session.seal_reply(exchange, now.0, plain) {
            Ok(bytes) => Reply::Message { bytes, delay_ms },
            Err(error) => Reply::Refused(error),
        }
    }
}

/// What the journal and the switches need of a request, read without judging it.
#[derive(Default, Deserialize)]
#[serde(default)]
struct About {
    qqlsh: String,
    xm: String,
    sfzmhm: String,
}

impl About {
    fn read(body: &[u8]) -> Self {
        let mut about: About = serde_json::from_slice(body).unwrap_or_default();
        // The journal keeps it, and must keep nothing but ids.
        if uuid::Uuid::try_parse(&about.qqlsh).is_err() {
            about.qqlsh.clear();
        }
        about
    }
}

/// The path below its authority, such as `vehicle/query`.
pub(crate) fn path_within(path: Path) -> &'static str {
    path.name().split_once('/').map_or("", |(_, within)| within)
}

/// Takes away or replaces a member of `data`; where there is no data, the code itself.
fn spoil(document: &mut Value, member: Option<&str>, with: Option<Value>) {
    let at_top = document
        .get("data")
        .and_then(Value::as_object)
        .is_none_or(serde_json::Map::is_empty);
    let part = if at_top {
        Some(document)
    } else {
        document.get_mut("data")
    };
    let Some(members) = part.and_then(Value::as_object_mut) else {
        return;
    };
    let first = || members.keys().next().cloned();
    let Some(name) = member.map(str::to_owned).or_else(first) else {
        return;
    };
    match with {
        Some(value) => {
            members.insert(name, value);
        }
        None => {
            members.remove(&name);
        }
    }
}
