//! The lies: mutations of somebody else's record, and tricks of the connection.

use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use serde_json::{Value as Json, json};

use crate::{
    server::{Act, http},
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

/// A reply with one to three mutations. It never says that the record is the asker's.
pub(crate) fn reply(rng: &mut ChaCha20Rng, first: Mutation) -> Vec<u8> {
    let mut record = car_answer();
    record["d"]["syr"] = json!(somebody_else(rng.next_u32()));
    let mut bytes = mutate(rng, first, record.clone());
    for _ in 0..rng.next_u32() % 3 {
        let next = MUTATIONS[below(rng, MUTATIONS.len())];
        if let Ok(parsed) = serde_json::from_slice(&bytes) {
            bytes = mutate(rng, next, parsed);
        }
    }
    // Chance may have written the asker's number where the owner's stands: then it would be their record.
    let own = number(1);
    match serde_json::from_slice::<Json>(&bytes) {
        Ok(json)
            if [&json["d"]["syr"], &json["d"]["gyr"]]
                .iter()
                .any(|v| **v == own.expose()) =>
        {
            record.to_string().into_bytes()
        }
        _ => bytes,
    }
}

fn mutate(rng: &mut ChaCha20Rng, mutation: Mutation, mut record: Json) -> Vec<u8> {
    let (one, other) = (any_member(rng, &record), any_member(rng, &record));
    let Some(d) = record.get_mut("d").and_then(Json::as_object_mut) else {
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

fn any_member(rng: &mut ChaCha20Rng, record: &Json) -> String {
    // The owners stay somebody else's.
    let names = record
        .get("d")
        .and_then(Json::as_object)
        .into_iter()
        .flat_map(|d| d.keys());
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

fn below(rng: &mut ChaCha20Rng, bound: usize) -> usize {
    usize::try_from(rng.next_u32()).unwrap() % bound.max(1)
}

/// A trick of the connection.
pub(crate) struct Trick {
    pub(crate) name: &'static str,
    pub(crate) act: fn() -> Act,
}

const JSON: &str = "content-type: application/json\r\n";

fn foreign() -> Vec<u8> {
    let mut record = car_answer();
    record["d"]["syr"] = json!(somebody_else(1));
    record.to_string().into_bytes()
}

fn head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {length}\r\n\r\n").into_bytes()
}

fn chunked() -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{JSON}transfer-encoding: chunked\r\n\r\n").into_bytes()
}

fn status(line: &str, headers: &str) -> Act {
    Act::Raw(http(line, headers, &foreign()))
}

/// All of them: stalls, floods, half replies, and statuses that say one thing while the body says another.
pub(crate) const TRICKS: [Trick; 24] = [
    Trick {
        name: "hangs before the head",
        act: || Act::Hang,
    },
    Trick {
        name: "hangs within the head",
        act: || Act::Raw(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
    },
    Trick {
        name: "hangs before the body",
        act: || Act::Raw(head(100)),
    },
    Trick {
        name: "hangs within the body",
        act: || Act::Raw([head(900), foreign()[..100].to_vec()].concat()),
    },
    Trick {
        name: "drips its head",
        act: || Act::Drip(b"HTTP/1.1 200 OK\r\nx:".to_vec(), 20),
    },
    Trick {
        name: "drips its body",
        act: || Act::Drip(head(60_000), 20),
    },
    Trick {
        name: "never ends its chunks",
        act: || Act::Drip([chunked(), b"1\r\n".to_vec()].concat(), 50),
    },
    Trick {
        name: "sends 1xx for ever",
        act: || Act::Raw(b"HTTP/1.1 102 Processing\r\n\r\n".repeat(50)),
    },
    Trick {
        name: "floods",
        act: || Act::Flood([head(usize::MAX / 2), foreign()].concat()),
    },
    Trick {
        name: "floods without a length",
        act: || Act::Flood(format!("HTTP/1.1 200 OK\r\n{JSON}\r\n").into_bytes()),
    },
    Trick {
        name: "floods its head",
        act: || Act::Flood(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
    },
    Trick {
        name: "closes at once",
        act: || Act::RawThenClose(vec![]),
    },
    Trick {
        name: "closes within the head",
        act: || Act::RawThenClose(b"HTTP/1.1 20".to_vec()),
    },
    Trick {
        name: "closes within the body",
        act: || Act::RawThenClose([head(5000), foreign()].concat()),
    },
    Trick {
        name: "a length that is too short",
        act: || Act::Raw([head(40), foreign()].concat()),
    },
    Trick {
        name: "two lengths",
        act: || {
            status(
                "200 OK",
                "content-type: application/json\r\ncontent-length: 3\r\n",
            )
        },
    },
    Trick {
        name: "redirects inward",
        act: || status("302 Found", "location: http://127.0.0.1:1/\r\n"),
    },
    Trick {
        name: "redirects to metadata",
        act: || status("307 Moved", "location: http://169.254.169.254/\r\n"),
    },
    Trick {
        name: "500 with a record",
        act: || status("500 Oops", JSON),
    },
    Trick {
        name: "404 with a record",
        act: || status("404 Not Found", JSON),
    },
    Trick {
        name: "another type",
        act: || status("200 OK", "content-type: text/html\r\n"),
    },
    Trick {
        name: "zipped",
        act: || {
            status(
                "200 OK",
                "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            )
        },
    },
    Trick {
        name: "not HTTP",
        act: || Act::RawThenClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
    },
    Trick {
        name: "two answers",
        act: || Act::Raw([http("200 OK", JSON, &foreign()), http("200 OK", JSON, &foreign())].concat()),
    },
];
