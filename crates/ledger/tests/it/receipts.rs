//! Receipts: what verifies, and that nothing else does.

use crate::sample::*;
use ed25519_dalek::Signer as _;
use ledger::receipt::{MAX_RECEIPT_BYTES, verify_field};
use ledger::{
    Checkpoint, Commitment, Frontier, Proof, Receipt, ReceiptError, Salt, SignatureType, Standing,
    TrustedKeys, Verified, VerifierKey, receipt,
};
use proptest::prelude::*;

fn trusted() -> TrustedKeys {
    TrustedKeys::new([log_vkey(), sm2_vkey(), witness_vkey(5), witness_vkey(6)]).unwrap()
}

fn verified(json: &str, keys: &TrustedKeys) -> Result<Verified, ReceiptError> {
    receipt::verify(json.as_bytes(), keys, verify)
}

fn code(json: &str) -> &'static str {
    verified(json, &trusted()).unwrap_err().code()
}

#[test]
fn a_receipt_proves_its_entry() {
    for (before, after) in [(0, 0), (0, 1), (5, 6), (63, 1), (64, 0), (1_000, 24)] {
        let json = sample_receipt(before, after, true, &[5]).to_json();
        let proven = verified(&json, &trusted()).unwrap();
        assert_eq!(
            (proven.origin.as_str(), proven.index, proven.size),
            (ORIGIN, before, before + after + 1)
        );
        assert_eq!(proven.shared, sample_shared());
        assert_eq!(proven.leaf_hash, sample_leaf().1);
        assert_eq!(proven.standing, Standing::Witnessed { seen: 1, trusted: 2 });
        let vin = |value, salt: &Salt| verify_field(&proven, "vin", value, salt);
        assert!(vin("LNOTACAR000000001", &field_salt()));
        assert!(!vin("LNOTACAR000000002", &field_salt()));
        assert!(!vin("LNOTACAR000000001", &Salt::new([0; 32])));
        assert!(!verify_field(
            &proven,
            "plate",
            "LNOTACAR000000001",
            &field_salt()
        ));
    }
}

#[test]
fn without_the_key_nothing_is_proven() {
    let json = sample_receipt(2, 1, false, &[]).to_json();
    let none = TrustedKeys::new([]).unwrap();
    assert_eq!(verified(&json, &none).unwrap_err().code(), "KEY_UNKNOWN");
    let log_only = TrustedKeys::new([log_vkey()]).unwrap();
    assert_eq!(
        verified(&json, &log_only).unwrap().standing.to_string(),
        "OPERATOR-SIGNED"
    );
    // An SM2 line that nobody asked for is ignored.
    let json = sample_receipt(2, 1, true, &[5, 6]).to_json();
    assert_eq!(
        verified(&json, &log_only).unwrap().standing,
        Standing::OperatorSigned
    );
}

/// With all its signers' keys given and required, every single bit of a receipt is protected.
#[test]
fn every_flipped_bit_fails() {
    let good = sample_receipt(5, 6, true, &[5, 6]).to_json().into_bytes();
    let keys = trusted().requiring_witnesses(2).unwrap();
    // The costly verification of two curves is done once for each pair of message and signature: whoever
    // changes either gets the answer of the real function, which the tests of notes show to be false.
    let seen = std::cell::RefCell::new(std::collections::BTreeMap::new());
    let cached = |key: &VerifierKey, message: &[u8], signature: &[u8]| {
        let question = (key.to_string(), message.to_vec(), signature.to_vec());
        *seen
            .borrow_mut()
            .entry(question)
            .or_insert_with(|| verify(key, message, signature))
    };
    assert!(receipt::verify(&good, &keys, cached).is_ok());
    for at in 0..good.len() {
        for bit in 0..8 {
            let mut changed = good.clone();
            changed[at] ^= 1 << bit;
            let answer = receipt::verify(&changed, &keys, cached);
            assert!(answer.is_err(), "bit {bit} of byte {at} may be flipped");
        }
    }
}

#[test]
fn every_cut_inserted_and_removed_byte_fails() {
    let good = sample_receipt(5, 6, false, &[]).to_json().into_bytes();
    let keys = TrustedKeys::new([log_vkey()]).unwrap();
    let fails = |bytes: &[u8]| receipt::verify(bytes, &keys, verify).is_err();
    assert!(!fails(&good));
    for at in 0..good.len() {
        assert!(fails(&good[..at]), "cut at {at}");
        let removed = [&good[..at], &good[at + 1..]].concat();
        assert!(fails(&removed), "removed at {at}");
    }
    for at in 0..=good.len() {
        for inserted in [b' ', b'\n', b'A', b'0', b'=', b'\\', b'"', 0] {
            let longer = [&good[..at], &[inserted], &good[at..]].concat();
            assert!(fails(&longer), "{inserted} inserted at {at}");
        }
    }
}

#[test]
fn other_json_of_the_same_meaning_is_refused() {
    let good = sample_receipt(5, 6, true, &[]).to_json();
    for (from, to) in [
        ("{\"format\"", "{ \"format\""),
        ("\":\"", "\": \""),
        ("\",\"", "\", \""),
        ("}", "}\n"),
        ("{", "\u{feff}{"),
        ("mingcha-receipt-v1", "mingcha-receipt-v2"),
        ("mingcha", "\\u006dingcha"),
        ("\\n", "\\u000a"),
        ("\\n", "\n"),
        ("—", "\\u2014"),
        ("/", "\\/"),
        ("\"shared\":", "\"x\":\"\",\"shared\":"),
        ("\"}", "\",\"x\":\"\"}"),
        ("\"}", "\",\"proof\":\"\"}"),
    ] {
        let other = good.replacen(from, to, 1);
        assert_ne!(other, good);
        assert_eq!(code(&other), "RECEIPT_NOT_CANONICAL", "{from} as {to}");
    }
    let reordered = good
        .replacen("\"shared\"", "\"tmp\"", 1)
        .replacen("\"shared_salt\"", "\"shared\"", 1);
    assert_eq!(code(&reordered), "RECEIPT_NOT_CANONICAL");
    assert_eq!(code(""), "RECEIPT_NOT_CANONICAL");
    assert_eq!(code("null"), "RECEIPT_NOT_CANONICAL");
    assert_eq!(code(&"[".repeat(MAX_RECEIPT_BYTES)), "RECEIPT_NOT_CANONICAL");
    assert_eq!(code(&" ".repeat(MAX_RECEIPT_BYTES + 1)), "RECEIPT_TOO_LONG");
    let error =
        Receipt::parse(good.replacen("\"shared_salt\"", "\"Shared_salt\"", 1).as_bytes()).unwrap_err();
    assert_eq!(
        error,
        ReceiptError::NotCanonical {
            at: good.find("\",\"shared_salt").unwrap()
        }
    );
}

/// The receipt with its proof changed.
fn with_proof(change: impl FnOnce(&mut Proof)) -> String {
    let mut receipt = sample_receipt(5, 6, true, &[5]);
    let mut proof = Proof::parse(&receipt.proof).unwrap();
    change(&mut proof);
    receipt.proof = proof.to_text();
    receipt.to_json()
}

#[test]
fn codes_tell_what_is_wrong() {
    assert_eq!(code(&with_proof(|proof| proof.index = 6)), "NOT_IN_LOG");
    assert_eq!(code(&with_proof(|proof| proof.index = u64::MAX)), "NOT_IN_LOG");
    assert_eq!(code(&with_proof(|proof| proof.hashes.clear())), "NOT_IN_LOG");
    assert_eq!(
        code(&with_proof(|proof| proof.extra = Some(vec![1]))),
        "PROOF_MALFORMED"
    );
    assert_eq!(
        code(&with_proof(|proof| proof.hashes = vec![proof.hashes[0]; 65])),
        "PROOF_MALFORMED"
    );
    assert_eq!(
        code(&with_proof(|proof| proof.checkpoint.clear())),
        "CHECKPOINT_MALFORMED"
    );
    assert_eq!(
        code(&with_proof(
            |proof| proof.checkpoint = "x\n\n— n AAAAAAA=\n".into()
        )),
        "CHECKPOINT_MALFORMED",
    );
    let size = |proof: &mut Proof| proof.checkpoint = proof.checkpoint.replacen("\n12\n", "\n13\n", 1);
    assert_eq!(code(&with_proof(size)), "SIGNATURE_FALSE");
    let cut = |proof: &mut Proof| {
        let sm2 = format!("— {ORIGIN} ");
        let at = proof.checkpoint.rfind(&sm2).unwrap();
        let end = at + proof.checkpoint[at..].find('\n').unwrap() + 1;
        proof.checkpoint.replace_range(at..end, "");
    };
    assert_eq!(code(&with_proof(cut)), "SIGNATURE_MISSING");
    let twice = |proof: &mut Proof| {
        let line = proof.checkpoint.lines().last().unwrap().to_owned() + "\n";
        proof.checkpoint.push_str(&line);
    };
    assert_eq!(code(&with_proof(twice)), "SIGNATURE_REPEATED");
    let both = trusted().requiring_witnesses(2).unwrap();
    let json = sample_receipt(5, 6, true, &[5]).to_json();
    assert_eq!(verified(&json, &both).unwrap_err().code(), "WITNESSES_MISSING");

    let mut other = sample_receipt(5, 6, true, &[]);
    other.shared_salt = Salt::new([0; 32]);
    assert_eq!(code(&other.to_json()), "NOT_IN_LOG");
    other.shared_salt = Salt::new([0x5a; 32]);
    other.chain = Commitment([0; 32]);
    assert_eq!(code(&other.to_json()), "NOT_IN_LOG");
}

/// An entry of one log is none of another, even if the other has the same leaves.
#[test]
fn the_origin_is_part_of_the_leaf() {
    let mut receipt = sample_receipt(0, 0, false, &[]);
    let (_, leaf) = sample_leaf();
    let mut frontier = Frontier::new();
    frontier.append(leaf);
    let elsewhere = "log.example/mingcha/production/0";
    let key = ed25519(3);
    let public_key = key.verifying_key();
    let vkey = VerifierKey::new(elsewhere, SignatureType::Ed25519, public_key.as_bytes()).unwrap();
    let mut note = Checkpoint::new(elsewhere, 1, frontier.root())
        .unwrap()
        .to_note()
        .unwrap();
    note.sign(&vkey, |text| key.sign(text).to_bytes().to_vec());
    receipt.proof = Proof {
        extra: None,
        index: 0,
        hashes: vec![],
        checkpoint: note.to_text(),
    }
    .to_text();
    let keys = TrustedKeys::new([vkey]).unwrap();
    assert_eq!(
        verified(&receipt.to_json(), &keys).unwrap_err().code(),
        "NOT_IN_LOG"
    );
}

/// What was sealed and signed and yet cannot be read is told apart from what was changed.
#[test]
fn an_opening_of_the_future_is_said_to_be_one() {
    let mut receipt = sample_receipt(0, 0, false, &[]);
    receipt.shared = vec![0xa1, 0x61, 0x76, 0x02];
    let shared = ledger::Shared::commitment(&receipt.shared, &receipt.shared_salt);
    let mut frontier = Frontier::new();
    frontier.append(ledger::leaf::leaf_hash(ORIGIN, &shared, &receipt.chain));
    let checkpoint = Checkpoint::new(ORIGIN, 1, frontier.root()).unwrap();
    let checkpoint = sign(&checkpoint, true, &[]).to_text();
    receipt.proof = Proof {
        extra: None,
        index: 0,
        hashes: vec![],
        checkpoint,
    }
    .to_text();
    assert_eq!(code(&receipt.to_json()), "OPENING_MALFORMED");
}

#[test]
fn quotes_in_a_proof_are_escaped_and_read_back() {
    let mut receipt = sample_receipt(0, 0, false, &[]);
    receipt.proof = "a \"quoted\" \\ origin\n\u{7f}\u{2028}—".into();
    let json = receipt.to_json();
    assert_eq!(Receipt::parse(json.as_bytes()).unwrap().proof, receipt.proof);
    assert!(json.contains(r#""proof":"a \"quoted\" \\ origin\n"#));
    assert_eq!(format!("{receipt:?}"), "Receipt(redacted)");
}

proptest! {
    #[test]
    fn no_bytes_panic(bytes in any::<Vec<u8>>()) {
        prop_assert!(Receipt::parse(&bytes).is_err());
    }

    #[test]
    fn any_receipt_is_read_back(
        shared in any::<Vec<u8>>(), salt in any::<[u8; 32]>(), chain in any::<[u8; 32]>(), proof in "[^\u{0}-\u{9}\u{b}-\u{1f}]*",
    ) {
        let receipt = Receipt { shared, shared_salt: Salt::new(salt), chain: Commitment(chain), proof };
        let json = receipt.to_json();
        let read = Receipt::parse(json.as_bytes()).unwrap();
        prop_assert_eq!(read.to_json(), json);
        prop_assert_eq!(read.shared, receipt.shared);
        prop_assert_eq!(read.proof, receipt.proof);
    }

    /// Changed receipts reach deeper into the parsers than random bytes do.
    #[test]
    fn nothing_spliced_verifies(from in any::<prop::sample::Index>(), length in 0_usize..60, new in "[ -~\n]{0,60}") {
        let good = sample_receipt(5, 6, false, &[]).to_json();
        let from = from.index(good.len());
        let to = (from + length).min(good.len());
        let spliced = [&good.as_bytes()[..from], new.as_bytes(), &good.as_bytes()[to..]].concat();
        let keys = TrustedKeys::new([log_vkey()]).unwrap();
        let answer = receipt::verify(&spliced, &keys, verify);
        prop_assert_eq!(answer.is_ok(), spliced == good.as_bytes());
    }
}
