//! Openings are read back exactly, and nothing else is read.

use crate::sample::{sample_chain, sample_shared};
use ledger::cbor::Value;
use ledger::opening::*;
use ledger::{Chain, Commitment, EntryType, Hash, Salt, Shared};
use proptest::prelude::*;

/// The opening's bytes with one key set, or removed by `None`.
fn with(bytes: &[u8], key: &str, value: Option<Value>) -> Vec<u8> {
    let Ok(Value::Map(mut map)) = Value::decode(bytes) else {
        panic!("an opening is a map")
    };
    match value {
        Some(value) => map.insert(key.to_owned(), value),
        None => map.remove(key),
    };
    Value::Map(map).encode().unwrap()
}

#[test]
fn samples_are_read_back() {
    let bytes = sample_shared().to_bytes().unwrap();
    assert_eq!(Shared::parse(&bytes), Ok(sample_shared()));
    let bytes = sample_chain().to_bytes().unwrap();
    assert_eq!(Chain::parse(&bytes), Ok(sample_chain()));
    for entry_type in ["INTENT", "RELEASE", "REFUSAL", "FAILURE", "CHANGE", "ACT"] {
        let shared = Shared::new(EntryType::parse(entry_type).unwrap(), 0, vec![0]);
        let bytes = shared.to_bytes().unwrap();
        assert_eq!(Shared::parse(&bytes), Ok(shared), "{entry_type}");
    }
}

fn bytes(length: usize) -> Option<Value> {
    Some(Value::Bytes(vec![0; length]))
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Option<Value> {
    Some(Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    ))
}

#[test]
fn a_shared_opening_of_another_form_is_refused() {
    use OpeningError::*;
    let good = sample_shared().to_bytes().unwrap();
    let array = |items: &[Value]| Some(Value::Array(items.to_vec()));
    for (key, value, error) in [
        ("v", None, Missing("v")),
        ("v", Some(Value::Int(2)), Version),
        ("v", Some(text("1")), Wrong("v")),
        ("type", None, Missing("type")),
        ("type", Some(text("release")), Wrong("type")),
        ("type", Some(Value::Int(1)), Wrong("type")),
        ("time", None, Missing("time")),
        ("time", Some(text("now")), Wrong("time")),
        ("subject", None, Missing("subject")),
        ("subject", bytes(0), Wrong("subject")),
        ("subject", bytes(65), Wrong("subject")),
        ("lookup", bytes(15), Wrong("lookup")),
        ("lookup", bytes(17), Wrong("lookup")),
        ("notice", bytes(0), Wrong("notice")),
        ("purpose", Some(Value::Null), Wrong("purpose")),
        ("fields", array(&[]), Wrong("fields")),
        ("fields", array(&[Value::Int(1)]), Wrong("fields")),
        ("disclosed", map([]), Wrong("disclosed")),
        ("disclosed", map([("vin", Value::Int(1))]), Wrong("disclosed")),
        (
            "disclosed",
            map([("vin", Value::Bytes(vec![0; 31]))]),
            Wrong("disclosed"),
        ),
        ("authenticity", Some(text("Signed")), Wrong("authenticity")),
        ("as_of", Some(Value::Bool(true)), Wrong("as_of")),
        ("name", Some(text("张三丰")), UnknownKey),
        ("", Some(Value::Null), UnknownKey),
        ("outcome", Some(text(&"x".repeat(MAX_OPENING_BYTES))), TooLong),
    ] {
        assert_eq!(Shared::parse(&with(&good, key, value)), Err(error), "{key}");
    }
    assert_eq!(
        Shared::parse(&Value::Array(vec![]).encode().unwrap()),
        Err(Wrong("opening"))
    );
    assert!(matches!(
        Shared::parse(&[good.as_slice(), &[0]].concat()),
        Err(Cbor(_))
    ));
}

#[test]
fn what_is_optional_may_be_absent() {
    let good = sample_shared().to_bytes().unwrap();
    for key in [
        "lookup",
        "purpose",
        "basis",
        "kind",
        "kind_version",
        "mode",
        "fields",
        "disclosed",
        "outcome",
        "source",
        "as_of",
        "authenticity",
        "policy",
        "mapping",
        "notice",
    ] {
        assert!(
            with(&good, key, None).len() < good.len(),
            "the sample lacks {key}"
        );
        assert!(Shared::parse(&with(&good, key, None)).is_ok(), "{key}");
    }
}

#[test]
fn a_chain_opening_of_another_form_is_refused() {
    use OpeningError::*;
    let good = sample_chain().to_bytes().unwrap();
    for (key, value, error) in [
        ("owner", None, Missing("owner")),
        ("owner", bytes(15), Wrong("owner")),
        ("sequence", None, Missing("sequence")),
        ("sequence", Some(Value::Int(-1)), Wrong("sequence")),
        ("previous", None, Missing("previous")),
        ("previous", bytes(0), Wrong("previous")),
        ("requester", None, Missing("requester")),
        ("requester", Some(text("me")), Wrong("requester")),
        ("detail", map([]), Wrong("detail")),
        ("reasons", Some(Value::Array(vec![])), Wrong("reasons")),
        ("fields", Some(Value::Array(vec![text("vin")])), UnknownKey),
    ] {
        assert_eq!(Chain::parse(&with(&good, key, value)), Err(error), "{key}");
    }
    assert_eq!(
        Chain::parse(&sample_shared().to_bytes().unwrap()),
        Err(Missing("sequence"))
    );
    assert!(Shared::parse(&good).is_err());
}

#[test]
fn a_requester_of_another_form_is_refused() {
    use OpeningError::*;
    let good = sample_chain().to_bytes().unwrap();
    let id = || ("id", Value::Bytes(vec![]));
    let role = || ("role", text("system"));
    let level = || ("level", Value::Int(0));
    let parsed = |requester| Chain::parse(&with(&good, "requester", requester)).map(|_| ());
    assert_eq!(parsed(map([id(), role(), level()])), Ok(()));
    for (requester, error) in [
        (map([id(), role()]), Missing("level")),
        (map([id(), level()]), Missing("role")),
        (map([role(), level()]), Missing("id")),
        (map([id(), role(), ("level", Value::Int(256))]), Wrong("level")),
        (
            map([("id", Value::Bytes(vec![0; 65])), role(), level()]),
            Wrong("id"),
        ),
        (map([id(), role(), level(), ("name", Value::Null)]), UnknownKey),
    ] {
        assert_eq!(parsed(requester), Err(error));
    }
}

#[test]
fn what_could_not_be_read_is_not_written() {
    use OpeningError::*;
    assert_eq!(
        Shared::new(EntryType::Act, 0, vec![]).to_bytes(),
        Err(Wrong("subject"))
    );
    assert_eq!(
        Shared::new(EntryType::Act, 0, vec![0; 65]).to_bytes(),
        Err(Wrong("subject"))
    );
    let shared = Shared {
        notice: Some(vec![]),
        ..sample_shared()
    };
    assert_eq!(shared.to_bytes(), Err(Wrong("notice")));
    let shared = Shared {
        about: Some("x".repeat(MAX_OPENING_BYTES)),
        ..sample_shared()
    };
    assert_eq!(shared.to_bytes(), Err(TooLong));
    assert_eq!(
        Chain {
            sequence: u64::MAX,
            ..sample_chain()
        }
        .to_bytes(),
        Err(Wrong("sequence"))
    );
    let mut chain = sample_chain();
    chain.requester.id = vec![0; 65];
    assert_eq!(chain.to_bytes(), Err(Wrong("id")));
    let deep = (0..16).fold(Value::Null, |inner, _| Value::Array(vec![inner]));
    let chain = Chain {
        detail: [("deep".into(), deep)].into(),
        ..sample_chain()
    };
    assert!(matches!(chain.to_bytes(), Err(Cbor(_))));
}

#[test]
fn debug_tells_nothing_of_the_content() {
    assert_eq!(format!("{:?}", sample_shared()), "Shared(RELEASE, redacted)");
    assert_eq!(format!("{:?}", sample_chain()), "Chain(1, redacted)");
    assert_eq!(format!("{:?}", sample_chain().requester), "Requester(redacted)");
    assert_eq!(format!("{:?}", Salt::new([7; 32])), "Salt(redacted)");
}

#[test]
fn commitments_of_different_kind_salt_or_content_differ() {
    let (salt, other) = (Salt::new([1; 32]), Salt::new([2; 32]));
    let all = [
        Shared::commitment(b"x", &salt),
        Chain::commitment(b"x", &salt),
        Shared::commitment(b"x", &other),
        Shared::commitment(b"", &salt),
        field_commitment("vin", "x", &salt),
        field_commitment("vi", "nx", &salt),
        field_commitment("vin", "y", &salt),
        field_commitment("vin", "x", &other),
    ];
    let distinct: std::collections::BTreeSet<_> = all.iter().collect();
    assert_eq!(distinct.len(), all.len());
}

fn shared_openings() -> impl Strategy<Value = Shared> {
    let text = || prop::option::of(any::<String>());
    let ids = (
        prop::collection::vec(any::<u8>(), 1..=64),
        prop::option::of(any::<[u8; 16]>()),
    );
    let lists = (
        prop::collection::vec(any::<String>(), 0..5),
        prop::collection::btree_map(any::<String>(), any::<[u8; 32]>().prop_map(Commitment), 0..5),
    );
    let texts = (
        text(),
        text(),
        text(),
        text(),
        text(),
        text(),
        text(),
        text(),
        text(),
    );
    (
        0..6_usize,
        any::<i64>(),
        ids,
        lists,
        texts,
        prop::option::of(any::<i64>()),
        any::<Option<bool>>(),
    )
        .prop_map(
            |(entry_type, time, (subject, lookup), (fields, disclosed), texts, int, authenticity)| {
                let words = ["INTENT", "RELEASE", "REFUSAL", "FAILURE", "CHANGE", "ACT"];
                let mut shared = Shared::new(EntryType::parse(words[entry_type]).unwrap(), time, subject);
                shared.lookup = lookup;
                (
                    shared.purpose,
                    shared.basis,
                    shared.kind,
                    shared.kind_version,
                    shared.mode,
                    ..,
                ) = texts.clone();
                (.., shared.outcome, shared.source, shared.policy, shared.mapping) = texts.clone();
                (shared.node, shared.reason, shared.about, ..) = texts;
                (shared.fields, shared.disclosed) = (
                    fields.into(),
                    disclosed.into_iter().map(|(id, of)| (id.into(), of)).collect(),
                );
                (shared.as_of, shared.deadline) = (int, int.map(|int| int ^ 1));
                shared.authenticity = authenticity.map(|signed| {
                    if signed {
                        Authenticity::Signed
                    } else {
                        Authenticity::Session
                    }
                });
                shared.notice = lookup.map(|lookup| lookup.to_vec());
                shared
            },
        )
}

proptest! {
    #[test]
    fn any_shared_opening_is_read_back(shared in shared_openings()) {
        let bytes = shared.to_bytes().unwrap();
        // The strict reader of CBOR confirms that the keys were written in their canonical order.
        prop_assert_eq!(Value::decode(&bytes).unwrap().encode().unwrap(), bytes.as_slice());
        prop_assert_eq!(Shared::parse(&bytes), Ok(shared));
    }

    #[test]
    fn any_chain_opening_is_read_back(
        owner in any::<[u8; 16]>(), sequence in 0..=i64::MAX as u64, previous in any::<[u8; 32]>(),
        reasons in prop::collection::vec(any::<String>(), 0..4), role in any::<String>(),
        id in prop::collection::vec(any::<u8>(), 0..=64), level in any::<u8>(),
        numbers in prop::collection::btree_map(any::<String>(), any::<i64>().prop_map(Value::Int), 0..4),
    ) {
        let requester = Requester { role, id, level };
        let previous = Hash(previous);
        let chain = Chain { owner, sequence, previous, reasons, requester, detail: numbers };
        let bytes = chain.to_bytes().unwrap();
        prop_assert_eq!(Value::decode(&bytes).unwrap().encode().unwrap(), bytes.as_slice());
        prop_assert_eq!(Chain::parse(&bytes), Ok(chain));
    }

    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        prop_assert!(Shared::parse(&bytes).is_err());
        prop_assert!(Chain::parse(&bytes).is_err());
    }

    #[test]
    fn a_changed_opening_is_refused_or_another(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = sample_shared().to_bytes().unwrap();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        if let Ok(shared) = Shared::parse(&bytes) {
            prop_assert_eq!(shared.to_bytes(), Ok(bytes));
        }
    }
}
