//! Look-ups: one question, or a report of several.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json, extract::State};
use domain::{
    lookup::{RawLookup, SubjectRef},
    outcome::Outcome,
    requester::Requester,
    time::Timestamp,
    words::{LegalBasis, Mode},
};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::{Value as Json_, value::RawValue};
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::{
    Asking, Bearer, BearerWithPerson, Body, Entering, Problem, Shared, Written,
    account::{PersonRequest, person},
    catalogue::text,
    problems::{AskProblems, AtPeak},
    to_the_end,
};
use crate::{
    actions::{
        look_up::{self, Answered, Ask, WrittenSalt},
        my_records as mine, report as reporting,
    },
    app::{App, Lang},
    error::Error,
    portal::messages,
};

/// A question.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({
    "kind": "vehicle", "mode": "read", "subject": "self", "key": { "plate": "晋N35T08", "plate_class": "02" },
    "fields": ["vin", "inspection_valid_until"], "purpose": "own-information"
}))]
pub struct LookupRequest {
    /// The record kind's id.
    kind: String,
    /// `read`, `match`, `predicate` or `list`.
    mode: String,
    /// `"self"`, or name and number of somebody (refused without that person's leave).
    #[serde(default)]
    #[schema(value_type = Object)]
    subject: Json_,
    /// What the record is found by, such as plate and plate class.
    #[serde(default)]
    key: BTreeMap<String, Json_>,
    /// The fields wanted; all where absent.
    #[serde(default)]
    fields: Option<Vec<String>>,
    /// Fields wanted without their mask; needs L3.
    #[serde(default)]
    reveal: Vec<String>,
    /// Claimed values, in mode `match`.
    #[serde(default)]
    claims: BTreeMap<String, Json_>,
    /// Named rules, in mode `predicate`.
    #[serde(default)]
    predicates: Vec<String>,
    /// `any` (the freshest that can be had) or `realtime` (nothing staler; `not_covered` where no source of the region
    /// promises it). Silence accepts any, and the answer says which source gave it, as of when, what that source
    /// promises, and with `staler` that a fresher one could not answer.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    freshness: Option<String>,
    /// The region of the record: 2, 4 or 6 leading digits of a division code. Where absent, the plate tells, or the
    /// subject's number hints.
    #[serde(default)]
    region: Option<String>,
    /// The purpose's code.
    purpose: String,
    /// The legal basis; the purpose's first where absent.
    #[serde(default)]
    basis: Option<String>,
}

/// What came of a question.
#[derive(Debug, Serialize, ToSchema)]
pub struct LookupBody {
    /// The look-up's id.
    pub lookup_id: String,
    /// The record kind's id.
    pub kind: String,
    /// One of the closed set of outcomes.
    pub outcome: String,
    /// What that means, in a plain sentence; not where there is a record or a yes or no.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sentence: Option<TextBody>,
    /// What can be done next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_step: Option<TextBody>,
    /// Where nothing is covered here: regions and their own entries.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub own_entries: Vec<OwnEntryBody>,
    /// The id of the source that answered; absent where that would tell what is hidden, and where nobody answered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub source: Option<Arc<str>>,
    /// As of when the answer is true, by the source's word.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub as_of: Option<Arc<str>>,
    /// What the source promises: `realtime`, `daily` or `weekly`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub freshness: Option<Arc<str>>,
    /// Disclosed fields by id.
    #[serde(serialize_with = "by_id")]
    #[schema(value_type = BTreeMap<String, FieldBody>)]
    pub record: Vec<(Arc<str>, FieldBody)>,
    /// Fields of the kind that were not disclosed.
    pub withheld: Vec<String>,
    /// Keys of all records in one's name, in mode `list`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>)]
    pub rows: Vec<BTreeMap<String, Json_>>,
    /// The salt of the commitment `rows` in the receipt, hexadecimal. It is over the rows as JSON without spaces, the
    /// members of each in the order of their names.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub rows_salt: Option<WrittenSalt>,
    /// A fresher source covers the question and could not answer it; this is staler.
    #[serde(skip_serializing_if = "is_false")]
    pub staler: bool,
    /// Sources that were asked too and said nothing in time, so that nothing is known of whether they agree.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_compared: Vec<String>,
    /// With `not_covered`: where people of that region look.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<ElsewhereBody>,
    /// With `not_covered`: no live source covers it, but others do. Ask again with `freshness` `any`.
    #[serde(skip_serializing_if = "is_false")]
    pub not_live: bool,
    /// What must be said with this answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub statement: Option<TextBody>,
    /// A mark on every page and print of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mark: Option<TextBody>,
    /// The sealed outcome, verifiable offline with `mingcha verify`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Object)]
    pub receipt: Option<Box<RawValue>>,
}

/// A region's own entry.
#[derive(Debug, Serialize, ToSchema)]
pub struct ElsewhereBody {
    /// Its name.
    pub name: TextBody,
    /// Its address.
    pub address: String,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Writes an object in the order of its ids; the fields, which are large, stay where they are.
fn by_id<S: Serializer>(record: &[(Arc<str>, FieldBody)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut fields: Vec<_> = record.iter().collect();
    fields.sort_unstable_by_key(|(id, _)| id);
    serializer.collect_map(fields.into_iter().map(|(id, field)| (id, field)))
}

/// A text in both languages.
#[derive(Debug, Serialize, ToSchema)]
pub struct TextBody {
    /// Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// A region's own entry, for what is not covered here.
#[derive(Debug, Serialize, ToSchema)]
pub struct OwnEntryBody {
    /// The region.
    pub region: TextBody,
    /// Which entry, and how to get there.
    pub entry: TextBody,
}

/// One disclosed field.
#[derive(Debug, Serialize, ToSchema)]
pub struct FieldBody {
    /// Its value; amounts in fen.
    #[schema(value_type = Object)]
    pub value: Json_,
    /// A mask hides part of it.
    pub masked: bool,
    /// `general`, `personal` or `sensitive`.
    pub classification: &'static str,
    /// The source's id.
    #[schema(value_type = Option<String>)]
    pub source: Option<Arc<str>>,
    /// As of when, by the source's word.
    #[schema(value_type = Option<String>)]
    pub as_of: Option<Arc<str>>,
    /// What the source promises: `realtime`, `daily` or `weekly`.
    #[schema(value_type = Option<String>)]
    pub freshness: Option<Arc<str>>,
    /// The salt of its commitment in the receipt, hexadecimal. There it stands under the field's id, and under
    /// `field@source` where it is of another source than the answer.
    #[schema(value_type = String)]
    pub salt: WrittenSalt,
    /// Another source says something else; `value` is of the one that leads.
    #[serde(skip_serializing_if = "is_false")]
    pub disagrees: bool,
    /// What others say; only of one's own record.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<OtherBody>,
}

/// What another source says of the same field.
#[derive(Debug, Serialize, ToSchema)]
pub struct OtherBody {
    /// Its value, behind the field's mask.
    #[schema(value_type = Object)]
    pub value: Json_,
    /// The source's id.
    #[schema(value_type = String)]
    pub source: Arc<str>,
    /// As of when, by that source's word.
    #[schema(value_type = Option<String>)]
    pub as_of: Option<Arc<str>>,
    /// What that source promises.
    #[schema(value_type = String)]
    pub freshness: Arc<str>,
    /// The salt of its commitment in the receipt, hexadecimal.
    #[schema(value_type = String)]
    pub salt: WrittenSalt,
}

impl LookupBody {
    /// The answer as the API gives it.
    #[must_use]
    pub fn of(app: &App, answered: Answered) -> Self {
        let kind = app.kinds.get(&answered.kind);
        // One for nearly all fields: they come from one answer.
        let from = Origin::of(answered.source.as_ref());
        let whole = from.clone();
        let other = |other: look_up::AnsweredOther| {
            let from = other
                .by
                .as_ref()
                .map_or_else(|| from.clone(), |by| Origin::of(Some(by)));
            OtherBody {
                value: other.value,
                source: from.source.unwrap_or_default(),
                as_of: from.as_of,
                freshness: from.freshness.unwrap_or_default(),
                salt: other.salt,
            }
        };
        // They stand in the kind's order, so that the search goes on from where the one before was found.
        let mut ahead = kind.map(|k| k.kind.fields.iter());
        let field = |f: look_up::AnsweredField| {
            let next = ahead.as_mut().and_then(|ahead| ahead.find(|k| *k.id == *f.id));
            let known = next.or_else(|| kind?.kind.field(&f.id));
            let classification = known.map(|k| k.classification.code());
            let from =
                f.by.as_ref()
                    .map_or_else(|| from.clone(), |by| Origin::of(Some(by)));
            let body = FieldBody {
                value: f.value,
                masked: f.masked,
                classification: classification.unwrap_or("personal"),
                source: from.source,
                as_of: from.as_of,
                freshness: from.freshness,
                salt: f.salt,
                disagrees: f.disagrees,
                others: f.others.into_iter().map(other).collect(),
            };
            (f.id, body)
        };
        let statement = kind.and_then(|k| match answered.outcome {
            domain::outcome::Outcome::NotFound => k.kind.not_found_statement.as_ref(),
            _ => k.kind.statement.as_ref(),
        });
        LookupBody {
            lookup_id: answered.lookup.to_string(),
            outcome: answered.outcome.code().to_owned(),
            sentence: told(answered.outcome, "outcome", answered.outcome.code()),
            own_entries: own_entries(app, &answered),
            next_step: told(answered.outcome, "outcome-next", answered.next()),
            record: answered.fields.into_iter().map(field).collect(),
            withheld: answered.withheld,
            rows: answered.rows,
            rows_salt: answered.rows_salt,
            source: whole.source,
            as_of: whole.as_of,
            freshness: whole.freshness,
            staler: answered.source.as_ref().is_some_and(|s| s.staler),
            not_compared: answered.not_compared,
            elsewhere: answered.elsewhere.map(|entry| ElsewhereBody {
                name: text(&entry.name),
                address: entry.address,
            }),
            not_live: answered.not_live,
            statement: statement.map(text),
            mark: kind.and_then(|k| k.kind.mark.as_ref()).map(text),
            kind: answered.kind,
            receipt: answered
                .receipt
                .and_then(|r| RawValue::from_string(r.to_json()).ok()),
        }
    }
}

/// Where a value comes from; nothing where no source is named.
#[derive(Clone)]
struct Origin {
    source: Option<Arc<str>>,
    as_of: Option<Arc<str>>,
    freshness: Option<Arc<str>>,
}

impl Origin {
    fn of(source: Option<&look_up::AnsweredSource>) -> Self {
        Origin {
            source: source.map(|s| s.id.as_str().into()),
            as_of: source
                .and_then(|s| s.as_of)
                .map(|t| Timestamp(t).rfc3339().into()),
            freshness: source.map(|s| s.freshness.as_str().into()),
        }
    }
}

/// Where people go for what is not covered here.
fn own_entries(app: &App, answered: &Answered) -> Vec<OwnEntryBody> {
    if answered.outcome != Outcome::NotCovered || answered.not_live {
        return vec![];
    }
    let entries = app.config.own_entries.iter().filter(|e| e.is_for(&answered.kind));
    entries
        .map(|e| OwnEntryBody {
            region: text(&e.region),
            entry: text(&e.entry),
        })
        .collect()
}

/// The portal's words for an outcome. A record speaks for itself.
fn told(outcome: Outcome, family: &str, code: &str) -> Option<TextBody> {
    if matches!(
        outcome,
        Outcome::Found | Outcome::Match | Outcome::Yes | Outcome::No
    ) {
        return None;
    }
    let key = format!("{family}-{code}");
    Some(TextBody {
        zh: messages::say(Lang::Zh, &key, &[]),
        en: messages::say(Lang::En, &key, &[]),
    })
}

/// The question of a request; wrong words of it are told before anything is read.
fn ask(app: &App, requester: &Requester, request: LookupRequest, asking: &Asking) -> Result<Ask, Error> {
    let mode = Mode::from_code(&request.mode)
        .ok_or_else(|| Error::bad("BAD_VALUE", "mode", "read, match, predicate or list"))?;
    let basis = match &request.basis {
        Some(code) => Some(
            LegalBasis::from_code(code)
                .ok_or_else(|| Error::bad("BAD_VALUE", "basis", "a legal basis of PIPL 13"))?,
        ),
        None => None,
    };
    let subject = match &request.subject {
        Json_::Null => SubjectRef::Own,
        Json_::String(word) if word == "self" => SubjectRef::Own,
        Json_::Object(_) => {
            let named: PersonRequest = serde_json::from_value(request.subject.clone())
                .map_err(|_| Error::bad("BAD_VALUE", "subject", "name and id_number"))?;
            SubjectRef::Person(person(app, &named.name, &named.id_number)?)
        }
        _ => {
            return Err(Error::bad(
                "BAD_VALUE",
                "subject",
                "\"self\", or name and id_number",
            ));
        }
    };
    let wanted = look_up::wanted(request.freshness.as_deref(), request.region.as_deref())?;
    let too_many = |n: usize| n > domain::kind::MAX_PARTS;
    if too_many(request.fields.as_ref().map_or(0, Vec::len))
        || [request.reveal.len(), request.predicates.len()]
            .into_iter()
            .any(too_many)
    {
        return Err(Error::bad("BAD_VALUE", "fields", "at most 64 entries"));
    }
    let repeat = match &asking.repeat_key {
        Some(key) => Some(repetition(requester, key, &request)?),
        None => None,
    };
    let raw = RawLookup {
        key: request.key,
        fields: request.fields,
        reveal: request.reveal,
        claims: request.claims,
        predicates: request.predicates,
        purpose: request.purpose,
        basis,
    };
    Ok(Ask {
        kind: request.kind,
        mode,
        subject,
        raw,
        wanted,
        own: None,
        portrait: None,
        repeat,
        proofing: false,
        lang: asking.lang,
        arrived: asking.arrived,
    })
}

/// The idempotency key hashed with the requester, so that nobody meets another's; and the hash of the whole request.
fn repetition(
    requester: &Requester,
    key: &[u8],
    request: &impl Serialize,
) -> Result<([u8; 32], [u8; 32]), Error> {
    if key.is_empty() || key.len() > 100 {
        return Err(Error::bad("BAD_VALUE", "idempotency-key", "1 to 100 characters"));
    }
    let key = Sha256::new()
        .chain_update(requester.account.bytes())
        .chain_update(key)
        .finalize()
        .into();
    let whole = serde_json::to_vec(request).map_err(|e| Error::Internal(e.to_string()))?;
    Ok((key, Sha256::digest(&whole).into()))
}

/// Asks one question. It is decided and sealed before any source is asked.
#[utoipa::path(post, path = "/v1/lookups", request_body = LookupRequest, params(("idempotency-key" = Option<String>, Header, description = "Repeats the same answer for ten minutes"), ("mingcha-turn" = Option<String>, Header, description = "The turn that was told with 202")), responses((status = 200, body = LookupBody), AskProblems, AtPeak), tag = "look-ups", security(("session" = [])))]
pub async fn create(
    State(app): Shared,
    Entering(asking): Entering,
    BearerWithPerson(requester, own): BearerWithPerson,
    Body(request): Body<LookupRequest>,
) -> Result<Written, Problem> {
    let mut question = ask(&app, &requester, request, &asking)?;
    question.own = own;
    let (pass, since) = asking.enter(&app, &requester).await?;
    question.arrived = since;
    let body = to_the_end(async move {
        let _in_work = pass;
        let answered = look_up::look_up(&app, &requester, question).await?;
        Written::json(&LookupBody::of(&app, answered))
    });
    Ok(body.await?)
}

/// One part of a report.
#[derive(Serialize, ToSchema)]
pub struct PartBody {
    /// The record kind's id.
    kind: String,
    /// Its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    lookup: Option<LookupBody>,
    /// Why it is missing: the code of a refusal, or the outcome of a source that failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    missing: Option<String>,
}

fn parts(app: &App, parts: Vec<(String, Result<Answered, Error>)>) -> Json<Vec<PartBody>> {
    let part = |(kind, result): (String, Result<Answered, Error>)| match result {
        Ok(answered) => {
            let missing = answered
                .outcome
                .is_failure()
                .then(|| answered.outcome.code().to_owned());
            PartBody {
                kind,
                lookup: Some(LookupBody::of(app, answered)),
                missing,
            }
        }
        Err(error) => PartBody {
            kind,
            lookup: None,
            missing: Some(error.code().to_owned()),
        },
    };
    Json(parts.into_iter().map(part).collect())
}

/// Asks for a record and its parts; each is a look-up of its own, with its own source, date and receipt.
#[utoipa::path(post, path = "/v1/reports", request_body = LookupRequest, params(("idempotency-key" = Option<String>, Header, description = "Repeats the same answers for ten minutes"), ("mingcha-turn" = Option<String>, Header, description = "The turn that was told with 202")), responses((status = 200, body = Vec<PartBody>, description = "What is refused or fails stands in its part"), AtPeak), tag = "look-ups", security(("session" = [])))]
pub async fn report(
    State(app): Shared,
    Entering(asking): Entering,
    Bearer(requester): Bearer,
    Body(request): Body<LookupRequest>,
) -> Result<Json<Vec<PartBody>>, Problem> {
    let mut question = ask(&app, &requester, request, &asking)?;
    let (pass, since) = asking.enter(&app, &requester).await?;
    question.arrived = since;
    let body = to_the_end(async move {
        let _in_work = pass;
        let report = reporting::report(&app, &requester, &question).await?;
        Ok(parts(&app, report))
    });
    Ok(body.await?)
}

/// Why one's own things are listed.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct MineRequest {
    /// The purpose's code.
    purpose: String,
    /// `any` or `realtime`, as in `/v1/lookups`. Silence accepts any, and each part is labelled like an answer there.
    #[serde(default)]
    freshness: Option<String>,
    /// The region of the records: 2, 4 or 6 leading digits of a division code, as in `/v1/lookups`. Where absent, the
    /// person's number hints.
    #[serde(default)]
    region: Option<String>,
}

/// Lists what is in one's name, kind by kind, without typing.
#[utoipa::path(post, path = "/v1/my-records", request_body = MineRequest, params(("idempotency-key" = Option<String>, Header, description = "Repeats the same answers for ten minutes"), ("mingcha-turn" = Option<String>, Header, description = "The turn that was told with 202")), responses((status = 200, body = Vec<PartBody>, description = "What is refused or fails stands in its part"), AtPeak), tag = "look-ups", security(("session" = [])))]
pub async fn my_records(
    State(app): Shared,
    Entering(asking): Entering,
    Bearer(requester): Bearer,
    Body(request): Body<MineRequest>,
) -> Result<Json<Vec<PartBody>>, Problem> {
    let wanted = look_up::wanted(request.freshness.as_deref(), request.region.as_deref())?;
    let key = asking.repeat_key.as_deref();
    let repeat = key.map(|key| repetition(&requester, key, &request)).transpose()?;
    let (pass, since) = asking.enter(&app, &requester).await?;
    let body = to_the_end(async move {
        let _in_work = pass;
        let at = (asking.lang, since);
        let mine = mine::my_records(&app, &requester, &request.purpose, wanted, repeat, at).await;
        Ok(parts(&app, mine))
    });
    Ok(body.await?)
}
