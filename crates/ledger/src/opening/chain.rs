//! The opening that subject and auditor may read: who truly asked, why, and what came before.

use super::reader::MapReader;
use super::{OpeningError, VERSION, bounded};
use crate::cbor::{MapWriter, Value, put_bytes, put_int, put_text};
use crate::hash::Hash;
use crate::leaf::{Commitment, CommitmentKind, Salt};
use std::collections::BTreeMap;
use std::fmt;

/// Who asked or acted.
#[derive(Clone, PartialEq, Eq)]
pub struct Requester {
    /// As what: the subject itself, a relative, an operator, the deployment, ...
    pub role: String,
    /// The account or client. At most 64 bytes; empty for the deployment itself.
    pub id: Vec<u8>,
    /// The assurance level, 0 where there is none.
    pub level: u8,
}

/// The chain opening: a link of the chain that one owner's entries form.
#[derive(Clone, PartialEq, Eq)]
pub struct Chain {
    /// Whose chain: a subject's, an account's, a mandate's or the deployment's.
    pub owner: [u8; 16],
    /// The number of this link, counted from zero without a gap. Below 2^63.
    pub sequence: u64,
    /// The leaf hash of the owner's previous entry; [`Hash::ZERO`] in the first.
    pub previous: Hash,
    /// All coded reasons of the decision.
    pub reasons: Vec<String>,
    /// Who truly asked.
    pub requester: Requester,
    /// Whatever else belongs to an entry of this type.
    pub detail: BTreeMap<String, Value>,
}

impl fmt::Debug for Chain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Chain({}, redacted)", self.sequence)
    }
}

impl fmt::Debug for Requester {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Requester(redacted)")
    }
}

/// The longest id of a requester, in bytes.
const MAX_ID_BYTES: usize = 64;

impl Chain {
    /// The deterministic CBOR, to be kept verbatim.
    pub fn to_bytes(&self) -> Result<Vec<u8>, OpeningError> {
        self.to_bytes_linked(&self.owner, self.sequence, &self.previous)
    }

    /// As [`Chain::to_bytes`], of the same opening at another place: whoever seals knows the link last.
    pub fn to_bytes_linked(
        &self,
        owner: &[u8; 16],
        sequence: u64,
        previous: &Hash,
    ) -> Result<Vec<u8>, OpeningError> {
        /// Most have about 200 bytes.
        const ROOM: usize = 256;
        let sequence = i64::try_from(sequence).map_err(|_| OpeningError::Wrong("sequence"))?;
        if self.requester.id.len() > MAX_ID_BYTES {
            return Err(OpeningError::Wrong("id"));
        }
        let mut map = MapWriter::with_room(ROOM);
        put_int(map.key("v"), VERSION);
        put_bytes(map.key("owner"), owner);
        map.values("detail", &self.detail)?;
        map.texts("reasons", &self.reasons);
        put_bytes(map.key("previous"), &previous.0);
        put_int(map.key("sequence"), sequence);
        map.key("requester").extend_from_slice(&self.requester.to_bytes());
        bounded(map.finish())
    }

    /// Reads exactly what [`Chain::to_bytes`] writes.
    pub fn parse(bytes: &[u8]) -> Result<Chain, OpeningError> {
        let mut map = MapReader::open(bytes)?;
        let sequence = map.required("sequence", MapReader::int)?;
        let chain = Chain {
            owner: map.required("owner", MapReader::array)?,
            sequence: u64::try_from(sequence).map_err(|_| OpeningError::Wrong("sequence"))?,
            previous: Hash(map.required("previous", MapReader::array)?),
            reasons: map.texts("reasons")?,
            requester: Requester::read(map.required("requester", MapReader::nested)?)?,
            detail: map.values("detail")?,
        };
        map.finish()?;
        Ok(chain)
    }

    /// The commitment over an opening's bytes as they are kept.
    pub fn commitment(bytes: &[u8], salt: &Salt) -> Commitment {
        Commitment::of(CommitmentKind::Chain, salt, bytes)
    }
}

impl Requester {
    fn to_bytes(&self) -> Vec<u8> {
        let mut map = MapWriter::with_room(self.id.len() + self.role.len() + 32);
        put_bytes(map.key("id"), &self.id);
        put_text(map.key("role"), &self.role);
        put_int(map.key("level"), i64::from(self.level));
        map.finish()
    }

    fn read(mut map: MapReader) -> Result<Requester, OpeningError> {
        let level = map.required("level", MapReader::int)?;
        let requester = Requester {
            role: map.required("role", MapReader::text)?,
            id: map.required("id", MapReader::bytes)?,
            level: u8::try_from(level).map_err(|_| OpeningError::Wrong("level"))?,
        };
        if requester.id.len() > MAX_ID_BYTES {
            return Err(OpeningError::Wrong("id"));
        }
        map.finish()?;
        Ok(requester)
    }
}
