//! The lies: mutations of what is somebody else's, in each of the ways to ask.

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use serde_json::{Map, Value as Json, json};

use crate::{
    somebody_else,
    world::{car_answer, number},
};

/// What is done to a reply.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Mutation {
    /// Nothing: it is simply somebody else's.
    Nothing,
    /// The owner and the co-owner are two others.
    TwoOthers,
    /// The owner is not named.
    NoOwner,
    /// The owner is a list, an object, a number, true, null.
    OwnerOfAnotherType,
    /// The owner's number has spaces, full-width digits or a sign that cannot be seen.
    OwnerDressedUp,
    /// The asker's number stands in a field where it does not belong.
    NumberElsewhere,
    /// The asker's number stands in a second object of the same name.
    ObjectTwice,
    /// A member stands twice.
    MemberTwice,
    /// A member is taken away.
    MemberGone,
    /// A member has another member's value.
    MembersSwapped,
    /// A member is of another type.
    MemberOfAnotherType,
    /// An impossible date.
    DateImpossible,
    /// Bytes are changed.
    BytesFlipped,
    /// Bytes are cut out.
    BytesCut,
    /// Bytes are put in.
    BytesPutIn,
    /// A part is repeated.
    PartRepeated,
    /// It ends too soon.
    CutOff,
    /// Ten thousand levels.
    Deep,
    /// As large as is read, and larger.
    Large,
    /// GBK where UTF-8 was promised.
    OtherCharset,
    /// A code that was not agreed.
    CodeUnknown,
    /// The time of the answer is to come, or malformed.
    TimeWrong,
    /// A list where a record was promised.
    ListInstead,
    /// Another vehicle of nobody.
    OtherKey,
}

use Mutation as M;

/// All of them.
pub(crate) const MUTATIONS: [Mutation; 24] = [
    M::Nothing,
    M::TwoOthers,
    M::NoOwner,
    M::OwnerOfAnotherType,
    M::OwnerDressedUp,
    M::NumberElsewhere,
    M::ObjectTwice,
    M::MemberTwice,
    M::MemberGone,
    M::MembersSwapped,
    M::MemberOfAnotherType,
    M::DateImpossible,
    M::BytesFlipped,
    M::BytesCut,
    M::BytesPutIn,
    M::PartRepeated,
    M::CutOff,
    M::Deep,
    M::Large,
    M::OtherCharset,
    M::CodeUnknown,
    M::TimeWrong,
    M::ListInstead,
    M::OtherKey,
];

/// Somebody else's record. It never says that it is the asker's.
pub(crate) fn record(rng: &mut ChaCha20Rng, first: Mutation) -> Vec<u8> {
    let mut record = car_answer();
    record["d"]["syr"] = json!(somebody_else(rng.next_u32()));
    let own = number(1);
    mutated(rng, first, &record, |json| {
        [&json["d"]["syr"], &json["d"]["gyr"]]
            .iter()
            .any(|owner| **owner == own.expose())
    })
}

/// A list of what is other people's.
pub(crate) fn list(rng: &mut ChaCha20Rng, first: Mutation) -> Vec<u8> {
    let row = |draw| json!({ "hphm": "京A12345", "hpzl": "02", "syr": somebody_else(draw) });
    let rows: Vec<Json> = (0..=below(rng, 5)).map(|_| row(rng.next_u32())).collect();
    let own = number(1);
    mutated(rng, first, &json!({ "code": 0, "list": rows }), |json| {
        let rows = json["list"].as_array();
        rows.is_some_and(|rows| rows.iter().any(|row| row["syr"] == own.expose()))
    })
}

/// What was compared differs, or something that is almost the word for a match.
pub(crate) fn comparison(rng: &mut ChaCha20Rng, first: Mutation) -> Vec<u8> {
    let almost = [
        json!("2"),
        json!("3"),
        json!(2),
        json!(" 1"),
        json!("１"),
        json!("01"),
        json!("1\u{0}"),
        json!("1 "),
        json!(1.0),
        json!(-1),
        json!(true),
        json!(null),
        json!(["1"]),
        json!({ "1": "1" }),
        json!("match"),
        json!(""),
    ];
    let said = json!({ "r": almost[below(rng, almost.len())], "d": { "r": "1" } });
    mutated(rng, first, &said, |json| json["r"] == "1" || json["r"] == 1)
}

/// The record of another vehicle, where no owner is named.
pub(crate) fn visit(rng: &mut ChaCha20Rng, first: Mutation) -> Vec<u8> {
    let mut record = car_answer();
    let plates = ["京A12346", "京B12345", "京AD12345", "京A12345D", "*", "京A%", ""];
    match below(rng, plates.len() + 1) {
        // Another class is another vehicle.
        at if at == plates.len() => record["d"]["hpzl"] = json!("01"),
        at => record["d"]["hphm"] = json!(plates[at]),
    }
    mutated(rng, first, &record, |json| {
        let plate = json["d"]["hphm"].as_str().unwrap_or_default();
        let plain: String = plate.chars().filter(char::is_ascii_alphanumeric).collect();
        plain.eq_ignore_ascii_case("A12345") && json["d"]["hpzl"] == "02"
    })
}

/// The reply with one to three mutations; without any where chance made it true.
fn mutated(rng: &mut ChaCha20Rng, first: Mutation, said: &Json, is_true: impl Fn(&Json) -> bool) -> Vec<u8> {
    let mut bytes = mutate(rng, first, said.clone());
    for _ in 0..rng.next_u32() % 3 {
        let next = MUTATIONS[below(rng, MUTATIONS.len())];
        if let Ok(parsed) = serde_json::from_slice(&bytes) {
            bytes = mutate(rng, next, parsed);
        }
    }
    match serde_json::from_slice::<Json>(&bytes) {
        Ok(json) if is_true(&json) => said.to_string().into_bytes(),
        _ => bytes,
    }
}

/// The object that mutations work on: the record, or the first row of a list.
fn object(said: &mut Json) -> Option<&mut Map<String, Json>> {
    let at = if said.pointer("/list/0").is_some() {
        "/list/0"
    } else {
        "/d"
    };
    said.pointer_mut(at).and_then(Json::as_object_mut)
}

fn mutate(rng: &mut ChaCha20Rng, mutation: Mutation, mut record: Json) -> Vec<u8> {
    let (one, other) = (any_member(rng, &mut record), any_member(rng, &mut record));
    let Some(d) = object(&mut record) else {
        return mutate_text(rng, M::BytesFlipped, &record);
    };
    let mut put = |member: &str, value: Json| drop(d.insert(member.to_owned(), value));
    match mutation {
        M::Nothing => {}
        M::TwoOthers => put("gyr", json!(somebody_else(rng.next_u32()))),
        M::NoOwner => drop(d.remove("syr")),
        M::OwnerOfAnotherType => put("syr", of_another_type(rng)),
        M::OwnerDressedUp => put("syr", json!(dressed_up(rng))),
        M::NumberElsewhere => put(&one, json!(number(1).expose())),
        M::MemberGone => drop(d.remove(&one)),
        M::MembersSwapped => {
            let value = d.get(&other).cloned().unwrap_or_default();
            d.insert(one, value);
        }
        M::MemberOfAnotherType => put(&one, of_another_type(rng)),
        M::DateImpossible => put("djrq", json!("20230231")),
        M::OtherKey => put("hphm", json!("京A·99999")),
        M::CodeUnknown => record["code"] = json!(rng.next_u32() % 100 + 10),
        M::TimeWrong => record["sj"] = json!(["2999-01-01 00:00:00", "soon", ""][below(rng, 3)]),
        M::ListInstead => record["d"] = json!([record["d"].clone()]),
        _ => return mutate_text(rng, mutation, &record),
    }
    record.to_string().into_bytes()
}

fn mutate_text(rng: &mut ChaCha20Rng, mutation: Mutation, record: &Json) -> Vec<u8> {
    let text = record.to_string();
    let own = number(1).expose().to_owned();
    let mut bytes = text.clone().into_bytes();
    let (at, few) = (below(rng, bytes.len()), below(rng, 8) + 1);
    let end = (at + few).min(bytes.len());
    match mutation {
        M::ObjectTwice => {
            return text
                .replacen('{', &format!(r#"{{"d":{{"syr":"{own}"}},"#), 1)
                .into();
        }
        M::MemberTwice => {
            return text
                .replacen(r#""syr""#, &format!(r#""syr":"{own}","syr""#), 1)
                .into();
        }
        M::BytesFlipped => bytes[at..end].iter_mut().for_each(|b| *b ^= 1 << (few - 1)),
        M::BytesCut => drop(bytes.drain(at..end)),
        M::BytesPutIn => drop(bytes.splice(at..at, (0..few).map(|n| b"{}[],:\"0"[n % 8]))),
        M::PartRepeated => {
            let part = bytes[at / 2..end].to_vec();
            drop(bytes.splice(end..end, part));
        }
        M::CutOff => bytes.truncate(at),
        M::Deep => return [b"[".repeat(10_000), bytes].concat(),
        M::Large => bytes.resize(60_000 + below(rng, 10_000), b' '),
        _ => bytes.splice(at..at, [0xbe, 0xa9]).for_each(drop),
    }
    bytes
}

fn any_member(rng: &mut ChaCha20Rng, said: &mut Json) -> String {
    // The owners stay somebody else's.
    let names = object(said).into_iter().flat_map(|object| object.keys());
    let names: Vec<&String> = names.filter(|n| !["syr", "gyr"].contains(&n.as_str())).collect();
    match names.len() {
        0 => "pp".to_owned(),
        count => names[below(rng, count)].clone(),
    }
}

fn of_another_type(rng: &mut ChaCha20Rng) -> Json {
    let own = number(1).expose().to_owned();
    [
        json!([own]),
        json!({ "value": own }),
        json!(true),
        json!(1.5e300),
        json!(null),
        json!(""),
        json!("\u{0}"),
        json!(-1),
    ][below(rng, 8)]
    .clone()
}

/// Another's number, written so that a careless reader may take it for something else.
fn dressed_up(rng: &mut ChaCha20Rng) -> String {
    let other = somebody_else(rng.next_u32());
    match rng.next_u32() % 4 {
        0 => format!("{}\u{200b}{other}", number(1).expose()),
        1 => format!("{other} {}", number(1).expose()),
        2 => other.chars().map(|c| format!("{c} ")).collect(),
        _ => format!("{other}\n"),
    }
}

pub(crate) fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % bound.max(1)
}
