//! The opening that requester and subject both may read. It names nobody in the clear.

use super::reader::MapReader;
use super::{OpeningError, VERSION, bounded};
use crate::cbor::{MapWriter, put_bytes, put_int, put_text};
use crate::leaf::{Commitment, CommitmentKind, Salt};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What an entry seals.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum EntryType {
    /// A source is about to be asked.
    Intent,
    /// Something was disclosed, and be it that there is no record.
    Release,
    /// A look-up was refused.
    Refusal,
    /// A look-up ended without an answer, and tells nothing about the subject.
    Failure,
    /// A grant, lock, erasure, configuration or statement was changed or made.
    Change,
    /// Something is about to be written to an authority, or was.
    Act,
}

impl EntryType {
    const ALL: [EntryType; 6] = [
        EntryType::Intent,
        EntryType::Release,
        EntryType::Refusal,
        EntryType::Failure,
        EntryType::Change,
        EntryType::Act,
    ];

    /// The word that stands in the opening.
    pub fn as_str(self) -> &'static str {
        match self {
            EntryType::Intent => "INTENT",
            EntryType::Release => "RELEASE",
            EntryType::Refusal => "REFUSAL",
            EntryType::Failure => "FAILURE",
            EntryType::Change => "CHANGE",
            EntryType::Act => "ACT",
        }
    }

    /// Reads the word that stands in the opening.
    pub fn parse(word: &str) -> Option<EntryType> {
        EntryType::ALL.into_iter().find(|known| known.as_str() == word)
    }
}

impl fmt::Display for EntryType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the source vouched for its answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Authenticity {
    /// It signed the message: a third party can be convinced.
    Signed,
    /// It spoke within an authenticated session: only the deployer knows.
    Session,
}

impl Authenticity {
    /// The word that stands in the opening.
    pub fn as_str(self) -> &'static str {
        match self {
            Authenticity::Signed => "signed",
            Authenticity::Session => "session",
        }
    }

    /// Reads the word that stands in the opening.
    pub fn parse(word: &str) -> Option<Authenticity> {
        [Authenticity::Signed, Authenticity::Session]
            .into_iter()
            .find(|known| known.as_str() == word)
    }
}

/// The shared opening. Absent options and empty lists have no key in the encoding.
#[derive(Clone, PartialEq, Eq)]
pub struct Shared {
    /// What is sealed.
    pub entry_type: EntryType,
    /// When, in microseconds since 1970-01-01 UTC; no entry of a log is earlier than the one before.
    pub time: i64,
    /// The subject under a name that this requester alone knows. 1 to 64 bytes.
    pub subject: Vec<u8>,
    /// The look-up this belongs to.
    pub lookup: Option<[u8; 16]>,
    /// The code of the declared purpose.
    pub purpose: Option<String>,
    /// The code of the legal basis (PIPL 13).
    pub basis: Option<String>,
    /// The record kind.
    pub kind: Option<String>,
    /// The version of the record kind.
    pub kind_version: Option<String>,
    /// `read`, `match`, `predicate` or `list`.
    pub mode: Option<String>,
    /// The ids of the fields asked for: one list for both entries of a look-up.
    pub fields: Arc<[String]>,
    /// One salted commitment for each field that was disclosed, and never for a withheld one.
    pub disclosed: BTreeMap<Arc<str>, Commitment>,
    /// How it ended.
    pub outcome: Option<String>,
    /// The source that answered.
    pub source: Option<String>,
    /// The time to which the answer is true by the source's word, in microseconds since 1970-01-01 UTC.
    pub as_of: Option<i64>,
    /// How the source vouched for the answer.
    pub authenticity: Option<Authenticity>,
    /// The digest of policy, kinds and purposes by which it was decided.
    pub policy: Option<String>,
    /// The version of the mapping from the source's answer to fields.
    pub mapping: Option<String>,
    /// The hash of the exact notice that was shown. 1 to 64 bytes.
    pub notice: Option<Vec<u8>>,
    /// The node that promised to answer (INTENT).
    pub node: Option<String>,
    /// Until when it promised, in microseconds since 1970-01-01 UTC (INTENT).
    pub deadline: Option<i64>,
    /// The code of a refusal's reason that the requester may know.
    pub reason: Option<String>,
    /// What was changed or done (CHANGE, ACT).
    pub about: Option<String>,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({}, redacted)", self.entry_type)
    }
}

/// Ids and hashes under `subject` and `notice` are at least 1 and at most 64 bytes long.
fn is_id(bytes: &[u8]) -> bool {
    (1..=64).contains(&bytes.len())
}

impl Shared {
    /// An opening with what every entry has; the rest is absent.
    pub fn new(entry_type: EntryType, time: i64, subject: Vec<u8>) -> Shared {
        Shared {
            entry_type,
            time,
            subject,
            lookup: None,
            purpose: None,
            basis: None,
            kind: None,
            kind_version: None,
            mode: None,
            fields: Arc::default(),
            disclosed: BTreeMap::new(),
            outcome: None,
            source: None,
            as_of: None,
            authenticity: None,
            policy: None,
            mapping: None,
            notice: None,
            node: None,
            deadline: None,
            reason: None,
            about: None,
        }
    }

    /// The deterministic CBOR, to be kept verbatim. The keys stand in their canonical order: short ones
    /// first, then by the alphabet.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OpeningError> {
        self.to_bytes_at(self.time)
    }

    /// As [`Shared::to_bytes`], of the same opening at another time: whoever seals knows the time last.
    pub fn to_bytes_at(&self, time: i64) -> Result<Vec<u8>, OpeningError> {
        /// What most have without a disclosed field, and what each of those takes.
        const ROOM: usize = 640;
        const A_FIELD: usize = 56;
        if !is_id(&self.subject) {
            return Err(OpeningError::Wrong("subject"));
        }
        if !self.notice.as_deref().is_none_or(is_id) {
            return Err(OpeningError::Wrong("notice"));
        }
        let mut map = MapWriter::with_room(ROOM + A_FIELD * self.disclosed.len());
        put_int(map.key("v"), VERSION);
        map.optional_text("kind", self.kind.as_deref());
        map.optional_text("mode", self.mode.as_deref());
        map.optional_text("node", self.node.as_deref());
        put_int(map.key("time"), time);
        put_text(map.key("type"), self.entry_type.as_str());
        map.optional_text("about", self.about.as_deref());
        map.optional_int("as_of", self.as_of);
        map.optional_text("basis", self.basis.as_deref());
        map.texts("fields", &self.fields);
        map.optional_bytes("lookup", self.lookup.as_ref().map(<[u8; 16]>::as_slice));
        map.optional_bytes("notice", self.notice.as_deref());
        map.optional_text("policy", self.policy.as_deref());
        map.optional_text("reason", self.reason.as_deref());
        map.optional_text("source", self.source.as_deref());
        map.optional_text("mapping", self.mapping.as_deref());
        map.optional_text("outcome", self.outcome.as_deref());
        map.optional_text("purpose", self.purpose.as_deref());
        put_bytes(map.key("subject"), &self.subject);
        map.optional_int("deadline", self.deadline);
        map.texts_to_bytes("disclosed", &self.disclosed);
        map.optional_text("authenticity", self.authenticity.map(Authenticity::as_str));
        map.optional_text("kind_version", self.kind_version.as_deref());
        bounded(map.finish())
    }

    /// Reads exactly what [`Shared::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Shared, OpeningError> {
        let mut map = MapReader::open(bytes)?;
        let entry_type = map.required("type", MapReader::text)?;
        let subject = map.required("subject", MapReader::bytes)?;
        let authenticity = match map.text("authenticity")? {
            None => None,
            Some(word) => Some(Authenticity::parse(&word).ok_or(OpeningError::Wrong("authenticity"))?),
        };
        let notice = map.bytes("notice")?;
        if !is_id(&subject) {
            return Err(OpeningError::Wrong("subject"));
        }
        if !notice.as_deref().is_none_or(is_id) {
            return Err(OpeningError::Wrong("notice"));
        }
        let shared = Shared {
            entry_type: EntryType::parse(&entry_type).ok_or(OpeningError::Wrong("type"))?,
            time: map.required("time", MapReader::int)?,
            subject,
            lookup: map.array("lookup")?,
            purpose: map.text("purpose")?,
            basis: map.text("basis")?,
            kind: map.text("kind")?,
            kind_version: map.text("kind_version")?,
            mode: map.text("mode")?,
            fields: map.texts("fields")?.into(),
            disclosed: map.hashes("disclosed")?,
            outcome: map.text("outcome")?,
            source: map.text("source")?,
            as_of: map.int("as_of")?,
            authenticity,
            policy: map.text("policy")?,
            mapping: map.text("mapping")?,
            notice,
            node: map.text("node")?,
            deadline: map.int("deadline")?,
            reason: map.text("reason")?,
            about: map.text("about")?,
        };
        map.finish()?;
        Ok(shared)
    }

    /// The commitment over an opening's bytes as they are kept.
    pub fn commitment(bytes: &[u8], salt: &Salt) -> Commitment {
        Commitment::of(CommitmentKind::Shared, salt, bytes)
    }
}
