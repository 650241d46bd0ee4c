//! Changes that a record holder pushes before its next file: who sent them, what they say, and where they are kept.
//!
//! A message is signed as Standard Webhooks has it, over `id.timestamp.body`. A message that came before, and one that
//! is older than what is known of its record, are acknowledged and change nothing, so that a sender may repeat whatever
//! it is not sure of.

use std::{
    sync::{Arc, PoisonError},
    time::Duration,
};

use crypto::{
    Suite,
    webhook::{SharedSecret, SignedParts, WebhookKey},
};
use domain::time::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use serde::Deserialize;
use serde_json::Value as Json;
use tokio::time::timeout;
use toml::Spanned;

use super::{
    Drops,
    overlay::{Change, Effect, Taken},
    ways::Ways,
};
use crate::{
    dial::Realm,
    file::{Raw, SourceError, SourceFile},
    format, json,
    places::Places,
    pointer::Pointer,
    report::{Failure, Problem},
    route::Route,
    secret,
    source::Source,
    sources::Sources,
    transport::Transport,
};

/// How far a message's time may be from ours, as Standard Webhooks recommends.
const SKEW_SECONDS: i64 = 300;
/// How long a message's id may be.
const MAX_ID: usize = 128;
/// How many rows a record may have, as for what is read from a drop.
const MAX_ROWS: usize = 500;
/// How long a change waits for the one before it: a sender that gets no answer repeats.
const WAIT: Duration = Duration::from_secs(5);

/// The table `[changes]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawChanges {
    #[serde(default)]
    secret: Option<Spanned<String>>,
    #[serde(default)]
    signer: Option<Spanned<String>>,
    record: Spanned<String>,
    sequence: Spanned<String>,
    as_of: Spanned<String>,
    rows: Spanned<String>,
}

/// A compiled `[changes]`.
pub(crate) struct Changes {
    key: WebhookKey,
    record: Pointer,
    sequence: Pointer,
    as_of: Pointer,
    rows: Pointer,
}

/// A message as it came.
#[derive(Clone, Copy)]
pub struct PushedChange<'a> {
    /// The header `webhook-id`.
    pub id: &'a str,
    /// The header `webhook-timestamp`: seconds since 1970.
    pub timestamp: &'a str,
    /// The header `webhook-signature`.
    pub signature: &'a str,
    /// The body.
    pub body: &'a [u8],
}

/// Why a message was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotTaken {
    /// It is not from the record holder, or not of these minutes, or nobody pushes to this source: more is not told.
    Refused,
    /// It is from the record holder and does not fit the mapping. Sending it again does not help.
    Malformed,
    /// It cannot be kept now: send it again later.
    Unavailable,
}

/// Whether a message with these headers may be one that is taken: what can be told before its body is read.
fn may_be_pushed(id: &str, timestamp: &str, now: Timestamp) -> bool {
    let is_id = !id.is_empty() && id.len() <= MAX_ID && id.bytes().all(|b| b.is_ascii_graphic());
    let sent = timestamp.parse::<i64>().ok();
    is_id && sent.is_some_and(|sent| (now.0 / 1_000_000).abs_diff(sent) <= SKEW_SECONDS.unsigned_abs())
}

impl Changes {
    /// Checks the table.
    pub(crate) fn compile(
        file: &SourceFile,
        raw: &Raw,
        realm: Realm,
        transport: &Transport,
        routes: &[Route],
    ) -> Result<Option<Self>, SourceError> {
        let Some(spanned) = &raw.changes else {
            return Ok(None);
        };
        let (line, table) = (&spanned.span(), spanned.get_ref());
        if !matches!(transport, Transport::Drops(_)) {
            let problem =
                "only of a source with protocol = \"file\" anything is kept that could change: take it out";
            return Err(file.wrong(line, problem));
        }
        if Ways(routes).record().is_none() {
            let problem = "a change is about one record: exactly one route in mode read is needed";
            return Err(file.wrong(line, problem));
        }
        let key = match (&table.secret, &table.signer) {
            (Some(secret), None) => {
                let wrong = |problem: String| file.wrong(&secret.span(), problem);
                let text =
                    secret::resolve("secret", secret.get_ref(), raw.id.get_ref(), realm).map_err(wrong)?;
                let shared = SharedSecret::parse(&text);
                let shared =
                    shared.ok_or_else(|| wrong("secret: whsec_ and base64 of 24 to 64 bytes".into()))?;
                WebhookKey::Shared(shared)
            }
            (None, Some(signer)) => {
                let wrong = |e| file.wrong(&signer.span(), format!("signer: {e}"));
                WebhookKey::signer(signer.get_ref()).map_err(wrong)?
            }
            _ => return Err(file.wrong(line, "write either secret or signer")),
        };
        Ok(Some(Changes {
            key,
            record: Pointer::compile(file, &table.record)?,
            sequence: Pointer::compile(file, &table.sequence)?,
            as_of: Pointer::compile(file, &table.as_of)?,
            rows: Pointer::compile(file, &table.rows)?,
        }))
    }

    fn is_authentic(&self, pushed: PushedChange<'_>, now: Timestamp) -> bool {
        let parts = SignedParts {
            id: pushed.id,
            timestamp: pushed.timestamp,
            body: pushed.body,
        };
        may_be_pushed(pushed.id, pushed.timestamp, now) && self.key.verify(parts, pushed.signature)
    }

    /// What a message says, cut down to what is mapped.
    fn read(&self, body: &[u8], ways: Ways<'_>, now: Timestamp) -> Result<Change, Failure> {
        let wrong = |field: &str| Failure::bad_field(Problem::ChangeMalformed, field);
        let message = json::parse(body).map_err(Failure::bad_answer)?;
        let sequence = self.sequence.find(&message).and_then(Json::as_i64);
        let as_of = self
            .as_of
            .find(&message)
            .and_then(Json::as_str)
            .and_then(format::instant);
        let as_of = as_of.filter(|as_of| *as_of <= now.plus_seconds(SKEW_SECONDS));
        let way = ways.record().ok_or_else(|| wrong("record"))?;
        let record = self.record.find(&message).ok_or_else(|| wrong("record"))?;
        let words = way.of_row(record, now.date_in_china())?;
        let mut keys = Places::default();
        way.mark(&mut keys);
        let effect = match self.rows.find(&message) {
            None | Some(Json::Null) => Effect::Void,
            Some(Json::Array(rows)) if rows.len() <= MAX_ROWS => {
                let mut places = ways.places();
                for row in rows {
                    ways.words(row, now)?;
                    // A row of another record would be shown to whoever asks for this one.
                    if way.of_row(row, now.date_in_china())? != words {
                        return Err(wrong("rows"));
                    }
                }
                Effect::Rows(rows.iter().map(|row| places.cut(row.clone())).collect())
            }
            Some(_) => return Err(wrong("rows")),
        };
        Ok(Change {
            record: keys.cut(record.clone()),
            sequence: sequence.filter(|n| *n >= 0).ok_or_else(|| wrong("sequence"))?,
            as_of: as_of.ok_or_else(|| wrong("as_of"))?.0,
            signed: matches!(self.key, WebhookKey::Signer(_)),
            effect,
        })
    }
}

impl Sources {
    /// Takes what a record holder pushed: it is durable when this returns, and the next question is answered by it.
    ///
    /// # Errors
    /// [`NotTaken`]; then nothing changed.
    pub async fn take_change(&self, source: &str, pushed: PushedChange<'_>) -> Result<(), NotTaken> {
        let now = self.clock.now();
        let (source, drops, changes) = self.taking_changes(source).ok_or(NotTaken::Refused)?;
        let agreement = source.info.agreement.as_ref();
        let has_ended = agreement.is_some_and(|agreement| !agreement.holds(now.date_in_china()));
        if has_ended || !changes.is_authentic(pushed, now) {
            count(source, "refused");
            return Err(NotTaken::Refused);
        }
        let taken = match changes.read(pushed.body, Ways(&source.routes), now) {
            Ok(change) => self.keep(drops, source, change, pushed.id, now).await,
            Err(failure) => Err(failure),
        };
        told(source, taken)
    }

    /// Refuses by its headers alone what [`Sources::take_change`] would refuse whatever its body is.
    ///
    /// # Errors
    /// It is refused.
    pub fn expect_change(&self, source: &str, id: &str, timestamp: &str) -> Result<(), NotTaken> {
        if may_be_pushed(id, timestamp, self.clock.now()) {
            return Ok(());
        }
        if let Some((source, ..)) = self.taking_changes(source) {
            count(source, "refused");
        }
        Err(NotTaken::Refused)
    }

    /// Whether a source takes what its record holder pushes.
    #[must_use]
    pub fn takes_changes(&self, source: &str) -> bool {
        self.taking_changes(source).is_some()
    }

    /// The source of that id, where it takes changes.
    fn taking_changes(&self, id: &str) -> Option<(&Source, &Arc<Drops>, &Changes)> {
        let source = self.all().iter().find(|s| s.info.id == id)?;
        match (&source.transport, &source.changes) {
            (Transport::Drops(drops), Some(changes)) => Some((source, drops, changes)),
            _ => None,
        }
    }

    async fn keep(
        &self,
        drops: &Arc<Drops>,
        source: &Source,
        change: Change,
        id: &str,
        now: Timestamp,
    ) -> Result<Taken, Failure> {
        let unavailable = || Failure::new(domain::outcome::Outcome::Broken, Problem::DropNotStored);
        let mut seed = [0; 32];
        self.random
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .fill_bytes(&mut seed);
        let mut random = ChaCha20Rng::from_seed(seed);
        let turn = timeout(WAIT, Arc::clone(&drops.pushing).acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or_else(unavailable)?;
        let (drops, routes) = (Arc::clone(drops), Arc::clone(&source.routes));
        let id = Suite::Gm.hash(&[id.as_bytes()]);
        let taking = tokio::task::spawn_blocking(move || {
            // Whoever sent it may have gone: the turn ends when the disk has answered.
            let _turn = turn;
            let _changing = drops.changing();
            let shelf = drops.shelf().ok_or_else(unavailable)?;
            shelf.take(change, &id, Ways(&routes), (now, &mut random))
        });
        taking.await.map_err(|_| unavailable())?
    }
}

/// Counts and traces what became of a message: codes and names of fields, never content.
fn told(source: &Source, taken: Result<Taken, Failure>) -> Result<(), NotTaken> {
    let problem = match taken {
        Ok(Taken::TooMany) => Failure::bad_answer(Problem::TooManyChanges),
        Ok(taken) => {
            count(source, taken.code());
            return Ok(());
        }
        Err(failure) => failure,
    };
    let is_ours = matches!(
        problem.problem,
        Problem::TooManyChanges | Problem::DropNotStored | Problem::DropUnreadable
    );
    let (id, code, field) = (&source.info.id, problem.problem.code(), problem.field.as_deref());
    metrics::counter!("mingcha_source_problems_total", "source" => id.clone(), "problem" => code)
        .increment(1);
    tracing::error!(
        source = id,
        problem = code,
        field,
        "what was pushed was not taken"
    );
    count(source, if is_ours { "unavailable" } else { "malformed" });
    Err(if is_ours {
        NotTaken::Unavailable
    } else {
        NotTaken::Malformed
    })
}

fn count(source: &Source, result: &'static str) {
    metrics::counter!("mingcha_source_changes_total", "source" => source.info.id.clone(), "result" => result)
        .increment(1);
}
