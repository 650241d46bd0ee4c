//! Deterministic CBOR against the examples of RFC 8949, appendix A, and against everything non-canonical.

use ledger::cbor::{CborError, Value};
use proptest::prelude::*;

fn unhex(hex: &str) -> Vec<u8> {
    (0..hex.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect()
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn map<const N: usize>(entries: [(&str, Value); N]) -> Value {
    Value::Map(
        entries
            .into_iter()
            .map(|(key, value)| (key.to_owned(), value))
            .collect(),
    )
}

#[test]
fn examples_of_the_rfc() {
    use Value::*;
    for (hex, value) in [
        ("00", Int(0)),
        ("01", Int(1)),
        ("17", Int(23)),
        ("1818", Int(24)),
        ("1864", Int(100)),
        ("1903e8", Int(1_000)),
        ("1a000f4240", Int(1_000_000)),
        ("1b000000e8d4a51000", Int(1_000_000_000_000)),
        ("1b7fffffffffffffff", Int(i64::MAX)),
        ("20", Int(-1)),
        ("3863", Int(-100)),
        ("3903e7", Int(-1_000)),
        ("3b7fffffffffffffff", Int(i64::MIN)),
        ("f4", Bool(false)),
        ("f5", Bool(true)),
        ("f6", Null),
        ("40", Bytes(vec![])),
        ("4401020304", Bytes(vec![1, 2, 3, 4])),
        ("60", text("")),
        ("6449455446", text("IETF")),
        ("63e6b0b4", text("水")),
        ("80", Array(vec![])),
        (
            "8301820203820405",
            Array(vec![
                Int(1),
                Array(vec![Int(2), Int(3)]),
                Array(vec![Int(4), Int(5)]),
            ]),
        ),
        ("a0", map([])),
        (
            "a26161016162820203",
            map([("a", Int(1)), ("b", Array(vec![Int(2), Int(3)]))]),
        ),
        (
            "826161a161626163",
            Array(vec![text("a"), map([("b", text("c"))])]),
        ),
        // Section 4.2.1: the order is that of the encoded keys, so "z" stands before "aa".
        (
            "a3617a0062616101626162f6",
            map([("aa", Int(1)), ("ab", Null), ("z", Int(0))]),
        ),
    ] {
        let bytes = unhex(hex);
        assert_eq!(value.encode().as_ref(), Ok(&bytes), "{hex}");
        assert_eq!(Value::decode(&bytes).as_ref(), Ok(&value), "{hex}");
    }
}

#[test]
fn what_is_not_canonical_is_refused() {
    use CborError::*;
    for (hex, error) in [
        ("", Truncated),
        ("0000", Trailing),
        ("1800", NotShortest),
        ("1817", NotShortest),
        ("1900ff", NotShortest),
        ("1a0000ffff", NotShortest),
        ("1b00000000ffffffff", NotShortest),
        ("3817", NotShortest),
        ("5800", NotShortest),
        ("7801", NotShortest),
        ("980141", NotShortest),
        ("b800", NotShortest),
        ("a2616201616102", KeyOrder),
        ("a2616101616102", KeyOrder),
        ("a2626161016161f6", KeyOrder),
        ("a10101", KeyType),
        ("a1416101", KeyType),
        ("18", Truncated),
        ("19ff", Truncated),
        ("41", Truncated),
        ("62c3", Truncated),
        ("81", Truncated),
        ("8201", Truncated),
        ("a1", Truncated),
        ("a16161", Truncated),
        ("5b7fffffffffffffff00", Truncated),
        ("5bffffffffffffffff00", Truncated),
        ("9bffffffffffffffff00", Truncated),
        ("bbffffffffffffffff00", Truncated),
        ("9a7fffffff00", Truncated),
        ("1b8000000000000000", IntRange),
        ("3b8000000000000000", IntRange),
        ("3bffffffffffffffff", IntRange),
        ("61ff", Utf8),
        ("62c328", Utf8),
        ("63eda080", Utf8),
        ("1c", Unsupported),
        ("1f", Unsupported),
        ("5fff", Unsupported),
        ("7fff", Unsupported),
        ("9fff", Unsupported),
        ("bfff", Unsupported),
        ("c0", Unsupported),
        ("d81800", Unsupported),
        ("e0", Unsupported),
        ("f7", Unsupported),
        ("f818", Unsupported),
        ("f93c00", Unsupported),
        ("fa3f800000", Unsupported),
        ("fb3ff0000000000000", Unsupported),
        ("ff", Unsupported),
    ] {
        assert_eq!(Value::decode(&unhex(hex)), Err(error), "{hex}");
    }
}

#[test]
fn depth_is_bounded_both_ways() {
    let nested = |depth| (0..depth).fold(Value::Int(0), |inner, _| Value::Array(vec![inner]));
    let deep = nested(16).encode().unwrap();
    assert_eq!(Value::decode(&deep), Ok(nested(16)));
    assert_eq!(nested(17).encode(), Err(CborError::TooDeep));
    assert_eq!(
        Value::decode(&[[0x81].as_slice(), &deep].concat()),
        Err(CborError::TooDeep)
    );
    assert_eq!(Value::decode(&[0x81; 100_000]), Err(CborError::TooDeep));
    let maps = |depth| (0..depth).fold(Value::Int(0), |inner, _| map([("", inner)]));
    let deep = maps(16).encode().unwrap();
    assert_eq!(Value::decode(&deep), Ok(maps(16)));
    assert_eq!(maps(17).encode(), Err(CborError::TooDeep));
    assert_eq!(
        Value::decode(&[[0xa1, 0x60].as_slice(), &deep].concat()),
        Err(CborError::TooDeep)
    );
}

#[test]
fn debug_tells_nothing() {
    let value = map([("name", text("张三丰"))]);
    assert_eq!(format!("{value:?}"), "Map(redacted)");
}

fn values() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i64>().prop_map(Value::Int),
        any::<Vec<u8>>().prop_map(Value::Bytes),
        any::<String>().prop_map(Value::Text),
        any::<bool>().prop_map(Value::Bool),
        Just(Value::Null),
    ];
    leaf.prop_recursive(4, 32, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(Value::Map),
        ]
    })
}

proptest! {
    #[test]
    fn whatever_is_written_is_read_back(value in values()) {
        prop_assert_eq!(Value::decode(&value.encode().unwrap()), Ok(value));
    }

    #[test]
    fn whatever_is_read_is_written_the_same(bytes in any::<Vec<u8>>()) {
        if let Ok(value) = Value::decode(&bytes) {
            prop_assert_eq!(value.encode(), Ok(bytes));
        }
    }

    /// Random bytes are rarely CBOR; changed CBOR nearly is.
    #[test]
    fn changed_cbor_is_refused_or_means_something_else(value in values(), at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = value.encode().unwrap();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(changed) = Value::decode(&bytes) {
            prop_assert!(changed != value);
            prop_assert_eq!(changed.encode(), Ok(bytes));
        }
    }
}
