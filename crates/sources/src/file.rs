//! The schema of `sources/*.toml`: one file per source, unknown keys refused, errors with file and line.
//!
//! ```toml
//! id = "city-police"                    # stands in the evidence; lower case, digits, hyphens
//! version = 3                           # of the mapping; raise it with every change
//! name = { zh = "…", en = "…" }
//! protocol = "http"                     # by POST; or sql, file: see below
//! endpoint = "https://host:443/base"    # no redirect is followed, no identifier stands in an address
//! freshness = "realtime"                # or daily, weekly: what the agreement promises
//! deadline_ms = 3000                    # for connecting, handshake, request and reply together
//! concurrency = 64                      # questions at once, of sql 8; fewer while it is slow; one waits 50 ms for a place
//! hedge_ms = 800                        # a question without an answer by then is put a second time; never without this
//! charset = "utf-8"                     # gb18030, gbk: in what the register keeps names
//! max_body = 1048576                    # bytes of a reply
//! regions = []                          # such as "44", "4403" (division codes) or "粤B" (plates); empty is the country
//! price = 0                             # of an answer, in fen; of equally fresh sources the cheapest is asked
//! retries = 1                           # of a connection that could not be made; what was sent is not repeated
//! content = "json"                      # of requests; or form. Replies are JSON
//!
//! [agreement]                           # all of it is required in production; after either day: `maintenance`
//! number = "…"
//! expires = 2036-12-31                  # the last day, in China; alarms 60, 30 and 7 days before
//! licence = "…"                         # the paper by which the record holder may give
//! licence_expires = 2036-12-31
//! fields = { vehicle = ["vin", "fuel"] }   # kind → what may be mapped, and in mode match compared; nothing else is
//!
//! [[elsewhere]]                         # where people of a region look that no source here covers
//! region = "44"
//! name = { zh = "…", en = "…" }
//! address = "https://…"
//! kinds = []                            # empty is all
//!
//! [tls]                                 # where the endpoint is https
//! ca = "/etc/mingcha/city-police-ca.pem"  # who signs its certificate; without it the public authorities
//! certificate = "/etc/mingcha/us.pem"   # ours, where the source asks for one
//! key = "file:/keys/city-police.tls.pem"  # its secret key, by reference as own_key below
//!
//! [auth.api-key]                        # one of the three, where there is no [envelope]
//! header = "x-api-key"
//! secret = "env:MINGCHA_SOURCE_CITY_POLICE_API_KEY"   # the header's whole value
//!
//! [auth.hmac]                           # what is hashed: crates/sources/src/auth/hmac.rs
//! key_id = "…"
//! secret = "file:/keys/city-police.hmac"   # its text, at least 16 characters
//! digest = "sm3"                        # or sha256
//! headers = { key_id = "x-key-id", time = "x-time", nonce = "x-nonce", signature = "x-signature" }
//!
//! [auth.oauth]                          # client credentials; the token is kept until shortly before its end
//! token_endpoint = "https://host/token"
//! client_id = "…"
//! secret = "file:/keys/city-police.oauth"
//! credentials = "basic"                 # or body
//! scope = "…"                           # may be left out
//!
//! [signature]                           # of replies; what is signed: crates/sources/src/signature.rs
//! key = "gm-public:…"                   # SM2, or intl-public:… for Ed25519; or secret and digest of an HMAC
//! header = "x-signature"
//! time = "x-time"                       # of the reply; at most 60 s off
//! nonce = "x-nonce"                     # of the request
//!
//! [envelope]                            # message encryption; without it only https is spoken in production
//! suite = "gm"                          # or intl
//! own_name = "…"
//! own_key = "file:/keys/city-police.key"   # or env:MINGCHA_SOURCE_CITY_POLICE_…; base64:… in the demo only
//! peer_name = "…"
//! peer_key = "gm-public:…"
//!
//! [[serves]]
//! kind = "vehicle"
//! mode = "read"                         # list, match; a predicate is asked as `read`
//! path = "/vehicle/query"               # after the endpoint; /session is the handshake's
//! base = true                           # mode match: asked with name and number in every case …
//! claims = []                           # … or only where one of these is claimed
//! [serves.request]                      # subject.name and subject.id_number, the whole key and all claims are needed
//! hphm = "key.plate"                    # or claims.…, portrait (base64), lookup.id, literal:…
//! xm = "subject.name"
//! sfz = "subject.id_number"
//! [serves.outcome]
//! at = "/code"                          # a code that is not listed makes a bad answer
//! codes = { "0" = "found", "1" = "not_found" }
//! [serves.answer]
//! as_of = "/time"                       # RFC 3339, or China's time as 2026-11-22 10:25:04 or 20261122102504
//! rows = "/data/list"                   # mode list: each row maps the key's parts and the owner's number
//! [serves.fields]
//! vin = "/data/clsbdh"
//! fuel = { at = "/data/rlzl", codes = { A = "petrol" } }
//! registered_on = { at = "/data/djrq", format = "yyyyMMdd" }   # yyyy/M/d, yyyy年M月d日, yyyyMMddHHmmss,
//!                                       # china-datetime, yuan; without one 2026-11-22
//! states = { at = "/data/zt", split = "," }                    # a text into rows of one item; "" cuts everywhere
//! visits = { at = "/data/wx", items = { place = "/dd", cost = { at = "/fy", format = "yuan" } } }
//!                                       # the list may also be written as a text of JSON
//!
//! [[serves]]                            # a kind that another source answers: asked at the same time, to compare
//! kind = "vehicle-insurance"
//! mode = "read"
//! beside = true                         # never asked instead; both values are shown where they differ
//! leads = ["compulsory_valid_until"]    # fields in which this one's value stands first; else the other's does
//! wait_ms = 200                         # how long an answer that is there waits for this one; at most 1000
//! path = "/vehicle/insurance"           # request, outcome, answer as above
//! [serves.fields]                       # some of the kind's; no lists, no images; one of belongs_to is needed
//! owner_id_number = "/data/sfzmhm"
//! compulsory_valid_until = "/data/bxzzrq"
//!
//! [[images]]                            # the bytes of images whose digest and handle this source gives
//! kinds = ["vehicle-violations"]        # each served above in mode read
//! path = "/evidence/query"
//! [images.request]                      # subject.name, subject.id_number and image.handle are needed
//! xm = "subject.name"                   # or lookup.id (of the look-up that gave the handle), literal:…
//! sfz = "subject.id_number"
//! zjbh = "image.handle"
//! [images.outcome]
//! at = "/code"
//! codes = { "0" = "found", "1" = "not_found" }
//! [images.answer]
//! bytes = "/data/tp"                    # base64 of a PNG or JPEG, at most 1 MiB and 20 megapixels
//!
//! [[submits]]                           # reviews of records that this source gives, handed in to it
//! kinds = ["driving-licence"]           # each served above, in whatever mode
//! path = "/review/submit"               # sent again under the same review.number until there is an answer
//! working_days = 5                      # within which the source answers; 1 to 60
//! poll_minutes = 60                     # how often it is asked how far it is; 1 to 1440
//! [submits.request]                     # subject.name, subject.id_number, review.number and review.text are needed
//! xm = "subject.name"                   # or lookup.id (of the look-up that is disputed), literal:…
//! sfz = "subject.id_number"
//! fhbh = "review.number"
//! sqly = "review.text"
//! fj1 = "review.image.1"                # to 3; base64 of a PNG, not sent where there is none
//! [submits.outcome]
//! at = "/code"                          # accepted, refused, maintenance, overloaded
//! codes = { "0" = "accepted", "1" = "refused" }
//! [submits.answer]
//! number = "/data/slh"                  # the source's own number: letters, digits, hyphens, at most 64
//! [submits.status]
//! path = "/review/query"
//! [submits.status.request]              # subject.name, subject.id_number and review.source_number are needed
//! xm = "subject.name"                   # or review.number, lookup.id, literal:…
//! sfz = "subject.id_number"
//! slh = "review.source_number"
//! [submits.status.outcome]
//! at = "/data/zt"                       # pending, corrected, upheld, maintenance, overloaded
//! codes = { "1" = "pending", "2" = "corrected", "3" = "upheld" }
//! [submits.status.answer]
//! number = "/data/fhbh"                 # review.number as the source has it; another one makes a bad answer
//! text = "/data/clyj"                   # what it says to the person; may be left out
//! ```
//!
//! `protocol = "sql"` has no endpoint and no envelope. A row's columns are the members of the answer; NULL is absent,
//! no row is `not_found`, several rows are `ambiguous` unless all are somebody else's:
//!
//! ```toml
//! charset = "gb18030"                   # of text that the database does not convert (SQL_ASCII, binary columns)
//!
//! [sql]
//! database = "env:MINGCHA_SOURCE_SHOPS_URL"   # postgres:// or mysql://user:password@host:port/name; or file:PATH
//! ca = "/etc/mingcha/shops-ca.pem"      # who signs its certificate; beyond this machine TLS is always spoken
//!
//! [[serves]]
//! kind = "vehicle-maintenance"
//! mode = "read"
//! several = true                        # all rows are one record: what they agree in, and the rows under /rows;
//!                                       # where they differ in a required field, the answer is a bad one
//! statement = "SELECT rq, lc, gxsj FROM wx WHERE hphm = {key.plate} AND sfz = {subject.id_number}"
//! answer = { as_of = "/gxsj" }          # fields as above; outcome only where a column holds a code
//! ```
//!
//! `protocol = "file"` answers from the newest good file of a folder, as of the date in its name. A drop is complete
//! once its checksum lies beside it: `NAME.sm3` or `NAME.sha256`, one line `HEX  NAME`, and `….sig`, its signature
//! in base64:
//!
//! ```toml
//! charset = "gb18030"                   # of the files; gbk, utf-8
//!
//! [drops]
//! folder = "/srv/drops/insurers"        # read only
//! name = "policies-{yyyyMMdd}.csv.gz"   # or {yyyy-MM-dd}, {yyyyMMddHHmmss}; .gz is unpacked
//! layout = "csv"                        # with a header; or json-lines
//! delimiter = ","                       # ; or a tab
//! checksum = "sm3"                      # or sha256
//! signer = "gm-public:…"                # SM2, or intl-public:… for Ed25519; required in production
//! store = "/var/lib/mingcha/drops"      # rows, encrypted; of this process alone
//! keys = "/var/lib/mingcha-keys/drops"  # their keys, in another backup or in none
//! suite = "gm"                          # of the encryption
//! max_age_days = 3                      # older ones are refused; 10 for weekly
//! max_bytes = 8589934592                # unpacked
//! max_row_bytes = 65536
//! max_bad_rows = 0                      # so many may be left out
//!
//! [changes]                             # what the record holder pushes before its next file, to /v1/sources/ID/changes
//! secret = "env:MINGCHA_SOURCE_INSURERS_WEBHOOK"   # shared, whsec_… (HMAC-SHA-256, v1); or file:PATH
//! # signer = "gm-public:…"              # or its own key: SM2 (v1sm2), intl-public:… is Ed25519 (v1a)
//! record = "/data/record"               # an object with the columns of `find`, of the only route in mode read
//! sequence = "/data/sequence"           # a whole number that rises with each change of this record
//! as_of = "/timestamp"                  # since when it is so, written as answer.as_of
//! rows = "/data/rows"                   # its rows from now on, with the columns of the file; [] where there is no record
//!                                       # any more; absent: the old rows are void, `maintenance` until the next file
//!
//! [[serves]]
//! kind = "vehicle-insurance"
//! mode = "read"                         # or list
//! several = true
//! [serves.find]                         # the columns by which a row is found; codes and formats as in fields
//! plate = "/号牌号码"                   # every part of the key
//! plate_class = "/号牌种类"
//! subject = "/证件号"                   # the subject's number; needed for lists and where no field tells the owner
//! ```

use std::{collections::BTreeMap, fmt, ops::Range};

use domain::{
    identifiers::SourceEncoding,
    outcome::Outcome,
    words::{Bilingual, Freshness, Mode},
};
use serde::{
    Deserialize, Deserializer,
    de::{Error, MapAccess, Visitor, value::MapAccessDeserializer},
};
use thiserror::Error;
use toml::Spanned;

use crate::{
    agreement::RawAgreement,
    auth::RawAuth,
    drops::{RawChanges, RawDrops},
    format::Format,
    region::RawElsewhere,
    signature::RawSignature,
    sql::RawSql,
    submit::RawSubmits,
    tls::RawTls,
};

/// One file of a deployment's folder `sources/`.
#[derive(Debug, Clone)]
pub struct SourceFile {
    /// The file's name, for errors.
    pub name: String,
    /// Its content.
    pub text: String,
}

/// Why a source's file cannot be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
#[error("{file}{}: {problem}", line.map(|l| format!(":{l}")).unwrap_or_default())]
pub struct SourceError {
    /// The file.
    pub file: String,
    /// The line, counted from one, where one is meant.
    pub line: Option<usize>,
    /// What is wrong and what to write instead. Never a secret.
    pub problem: String,
}

impl SourceFile {
    /// Reads the schema; what the words mean is checked afterwards.
    pub(crate) fn parse(&self) -> Result<Raw, SourceError> {
        toml::from_str(&self.text).map_err(|e| match e.span() {
            Some(span) => self.wrong(&span, e.message()),
            None => self.wrong_as_a_whole(e.message()),
        })
    }

    /// An error at a place in the file.
    pub(crate) fn wrong(&self, at: &Range<usize>, problem: impl Into<String>) -> SourceError {
        let before = self.text.get(..at.start).unwrap_or(&self.text);
        let line = Some(1 + before.matches('\n').count());
        SourceError {
            file: self.name.clone(),
            line,
            problem: problem.into(),
        }
    }

    /// An error that is about no single line.
    pub(crate) fn wrong_as_a_whole(&self, problem: impl Into<String>) -> SourceError {
        SourceError {
            file: self.name.clone(),
            line: None,
            problem: problem.into(),
        }
    }
}

/// A whole file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Raw {
    pub(crate) id: Spanned<String>,
    pub(crate) version: u32,
    pub(crate) name: Spanned<Bilingual>,
    pub(crate) protocol: Protocol,
    #[serde(default)]
    pub(crate) endpoint: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) sql: Option<Spanned<RawSql>>,
    #[serde(default)]
    pub(crate) drops: Option<Spanned<RawDrops>>,
    #[serde(default)]
    pub(crate) changes: Option<Spanned<RawChanges>>,
    pub(crate) freshness: Freshness,
    #[serde(default)]
    pub(crate) deadline_ms: Option<Spanned<u64>>,
    #[serde(default)]
    pub(crate) concurrency: Option<Spanned<usize>>,
    #[serde(default)]
    pub(crate) charset: Charset,
    #[serde(default)]
    pub(crate) max_body: Option<Spanned<usize>>,
    #[serde(default)]
    pub(crate) regions: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) price: u32,
    #[serde(default)]
    pub(crate) elsewhere: Vec<RawElsewhere>,
    #[serde(default)]
    pub(crate) retries: Option<Spanned<u32>>,
    #[serde(default)]
    pub(crate) agreement: Option<Spanned<RawAgreement>>,
    #[serde(default)]
    pub(crate) hedge_ms: Option<Spanned<u64>>,
    #[serde(default)]
    pub(crate) content: Option<Spanned<Encoding>>,
    #[serde(default)]
    pub(crate) tls: Option<Spanned<RawTls>>,
    #[serde(default)]
    pub(crate) auth: Option<Spanned<RawAuth>>,
    #[serde(default)]
    pub(crate) signature: Option<Spanned<RawSignature>>,
    #[serde(default)]
    pub(crate) envelope: Option<Spanned<RawEnvelope>>,
    pub(crate) serves: Vec<Spanned<RawServes>>,
    #[serde(default)]
    pub(crate) images: Vec<Spanned<RawImages>>,
    #[serde(default)]
    pub(crate) submits: Vec<Spanned<RawSubmits>>,
}

impl Raw {
    /// Whether something stands there that only the protocol `http` has.
    pub(crate) fn has_http(&self) -> bool {
        self.endpoint.is_some()
            || self.content.is_some()
            || self.tls.is_some()
            || self.auth.is_some()
            || self.signature.is_some()
            || self.envelope.is_some()
    }
}

/// How the source is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Protocol {
    /// A body by POST.
    Http,
    /// A front-end database, read only.
    Sql,
    /// Files that the record holder drops daily or weekly.
    File,
}

/// In what the register behind the source keeps names. What travels is UTF-8 in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
pub(crate) enum Charset {
    /// Every name can be asked about.
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    /// Every name can be asked about.
    #[serde(rename = "gb18030")]
    Gb18030,
    /// Rare characters cannot be written, so that the source could not compare such names.
    #[serde(rename = "gbk")]
    Gbk,
}

impl Charset {
    /// What it means for names.
    pub(crate) fn encoding(self) -> SourceEncoding {
        match self {
            Charset::Utf8 | Charset::Gb18030 => SourceEncoding::Complete,
            Charset::Gbk => SourceEncoding::Gbk,
        }
    }
}

/// How the body of a request over HTTP is written. What comes back is JSON in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Encoding {
    /// A JSON object.
    #[default]
    Json,
    /// Members as a form writes them: `application/x-www-form-urlencoded`, in UTF-8.
    Form,
}

/// A hash that an agreement names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Digest {
    /// FIPS 180-4.
    Sha256,
    /// GB/T 32905.
    Sm3,
}

impl Digest {
    /// The suite that has this hash.
    pub(crate) fn suite(self) -> crypto::Suite {
        match self {
            Digest::Sha256 => crypto::Suite::Intl,
            Digest::Sm3 => crypto::Suite::Gm,
        }
    }
}

/// Message encryption.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawEnvelope {
    pub(crate) suite: Spanned<crypto::Suite>,
    pub(crate) own_name: Spanned<String>,
    pub(crate) own_key: Spanned<String>,
    pub(crate) peer_name: Spanned<String>,
    pub(crate) peer_key: Spanned<String>,
}

/// One kind in one mode.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawServes {
    pub(crate) kind: Spanned<String>,
    pub(crate) mode: Spanned<Mode>,
    #[serde(default)]
    pub(crate) path: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) statement: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) find: BTreeMap<Spanned<String>, RawField>,
    #[serde(default)]
    pub(crate) several: Option<Spanned<bool>>,
    #[serde(default)]
    pub(crate) beside: bool,
    #[serde(default)]
    pub(crate) leads: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) wait_ms: Option<Spanned<u64>>,
    #[serde(default)]
    pub(crate) base: Option<Spanned<bool>>,
    #[serde(default)]
    pub(crate) claims: Vec<Spanned<String>>,
    #[serde(default)]
    pub(crate) request: BTreeMap<String, Spanned<String>>,
    #[serde(default)]
    pub(crate) outcome: Option<RawOutcome>,
    #[serde(default)]
    pub(crate) answer: RawAnswer,
    #[serde(default)]
    pub(crate) fields: BTreeMap<Spanned<String>, RawField>,
}

/// Where the outcome's code stands, and what each code means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawOutcome {
    pub(crate) at: Spanned<String>,
    pub(crate) codes: BTreeMap<String, Spanned<Outcome>>,
}

/// What stands beside the fields.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawAnswer {
    #[serde(default)]
    pub(crate) as_of: Option<Spanned<String>>,
    #[serde(default)]
    pub(crate) rows: Option<Spanned<String>>,
}

/// The bytes of images.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawImages {
    pub(crate) kinds: Spanned<Vec<Spanned<String>>>,
    pub(crate) path: Spanned<String>,
    pub(crate) request: BTreeMap<String, Spanned<String>>,
    pub(crate) outcome: RawOutcome,
    pub(crate) answer: RawImageAnswer,
}

/// Where an image's bytes stand.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawImageAnswer {
    pub(crate) bytes: Spanned<String>,
}

/// Where a field stands and how it is written: `"/pointer"` or a table.
pub(crate) struct RawField {
    pub(crate) at: Spanned<String>,
    pub(crate) codes: Option<BTreeMap<String, String>>,
    pub(crate) format: Option<Format>,
    pub(crate) split: Option<String>,
    pub(crate) items: BTreeMap<Spanned<String>, RawField>,
}

/// The table form of [`RawField`].
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawFieldTable {
    at: Spanned<String>,
    #[serde(default)]
    codes: Option<BTreeMap<String, String>>,
    #[serde(default)]
    format: Option<Format>,
    #[serde(default)]
    split: Option<String>,
    #[serde(default)]
    items: BTreeMap<Spanned<String>, RawField>,
}

impl<'de> Deserialize<'de> for RawField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(FieldVisitor)
    }
}

struct FieldVisitor;

impl<'de> Visitor<'de> for FieldVisitor {
    type Value = RawField;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON pointer such as \"/data/vin\", or a table with `at`")
    }

    fn visit_str<E: Error>(self, pointer: &str) -> Result<RawField, E> {
        // The name of the field, which knows its line, stands in for the pointer's place.
        let at = Spanned::new(0..0, pointer.to_owned());
        Ok(RawField {
            at,
            codes: None,
            format: None,
            split: None,
            items: BTreeMap::new(),
        })
    }

    fn visit_map<A: MapAccess<'de>>(self, access: A) -> Result<RawField, A::Error> {
        let RawFieldTable {
            at,
            codes,
            format,
            split,
            items,
        } = RawFieldTable::deserialize(MapAccessDeserializer::new(access))?;
        Ok(RawField {
            at,
            codes,
            format,
            split,
            items,
        })
    }
}
