//! Notes, checkpoints, keys, cosignatures and proofs as texts; and whose signatures are believed.

use crate::sample::*;
use ed25519_dalek::Signer as _;
use ledger::checkpoint::CheckpointError;
use ledger::cosignature::Cosignature;
use ledger::key::KeyError;
use ledger::note::NoteError;
use ledger::proof::ProofError;
use ledger::trust::{TrustError, UntrustedCheckpoint};
use ledger::{Checkpoint, Hash, Note, Proof, SignatureType, Standing, TrustedKeys, VerifierKey};
use proptest::prelude::*;

/// The example of signed-note, with the em dash and the empty line within its text.
const SIGNED_NOTE_EXAMPLE: &str = "Ognuno sta solo sul cuor della terra\n\
    trafitto da un raggio di sole:\n\ned è subito sera.\n\n\
    — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";

/// The example of tlog-cosignature.
const COSIGNED_EXAMPLE: &str = "example.com/behind-the-sofa\n20852163\n\
    CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n\
    — example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n\
    — witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n";

#[test]
fn the_specifications_examples_are_read() {
    let note = Note::parse(SIGNED_NOTE_EXAMPLE).unwrap();
    assert!(note.text().ends_with("sole:\n\ned è subito sera.\n"));
    assert_eq!(note.signatures()[0].name(), "quasimodo.example/salvatore");
    assert_eq!(note.signatures()[0].signature().len(), 64);
    assert_eq!(note.to_text(), SIGNED_NOTE_EXAMPLE);

    let note = Note::parse(COSIGNED_EXAMPLE).unwrap();
    assert_eq!(note.to_text(), COSIGNED_EXAMPLE);
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    assert_eq!(
        (checkpoint.origin(), checkpoint.size()),
        ("example.com/behind-the-sofa", 20_852_163)
    );
    assert_eq!(checkpoint.to_text(), note.text());
    let cosignature = Cosignature::parse(note.signatures()[1].signature()).unwrap();
    // The specification's own text says "time 1679315147" for this line.
    assert_eq!(cosignature.time(), 1_679_315_147);
    assert_eq!(cosignature.to_bytes(), note.signatures()[1].signature());
    assert_eq!(
        ledger::cosignature::message(cosignature.time(), note.text()),
        "cosignature/v1\ntime 1679315147\nexample.com/behind-the-sofa\n20852163\n\
         CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n",
    );
}

#[test]
fn malformed_notes() {
    use NoteError::*;
    let sixty_five = format!("text\n\n{}", "— n AAAAAAA=\n".repeat(65));
    let long = format!("{}\n\n— n AAAAAAA=\n", "x".repeat(256 * 1024));
    for (note, error) in [
        ("", Unsigned),
        ("text\n", Unsigned),
        ("text\n\n", Unsigned),
        ("\n— n AAAAAAA=\n", Unsigned),
        ("text\n\n— n AAAAAAA=", SignatureLine),
        ("text\n\n— n AAAAAAA=\n\n", Unsigned),
        ("text\n\n— n AAAAAAA=\nx\n", SignatureLine),
        ("text\n\n- n AAAAAAA=\n", SignatureLine),
        ("text\n\n—n AAAAAAA=\n", SignatureLine),
        ("text\n\n—  AAAAAAA=\n", SignatureLine),
        ("text\n\n— n  AAAAAAA=\n", SignatureLine),
        ("text\n\n— n AAAAAAA= \n", SignatureLine),
        ("text\n\n— a+b AAAAAAA=\n", SignatureLine),
        ("text\n\n— a\u{2003}b AAAAAAA=\n", SignatureLine),
        ("text\n\n— n AAAAAAA\n", SignatureLine),
        ("text\n\n— n AAAAAAB=\n", SignatureLine),
        ("text\n\n— n AAAAAA==\n", SignatureLine),
        ("text\n\n— n AAAA\n", SignatureLine),
        ("text\n\n— n \n", SignatureLine),
        ("te\txt\n\n— n AAAAAAA=\n", Text),
        ("text\r\n\n— n AAAAAAA=\n", Text),
        ("te\0xt\n\n— n AAAAAAA=\n", Text),
        (&sixty_five, TooLong),
        (&long, TooLong),
    ] {
        assert_eq!(Note::parse(note), Err(error), "{note:.60?}");
    }
    assert!(Note::parse("text\n\n— n AAAAAAA=\n").is_ok());
    assert_eq!(Note::new("text".into()), Err(Text));
    assert_eq!(Note::new(String::new()), Err(Text));
    assert_eq!(Note::new("a\u{1}\n".into()), Err(Text));
}

#[test]
fn malformed_checkpoints() {
    use CheckpointError::*;
    const ROOT: &str = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=";
    for (text, error) in [
        ("".to_owned(), Lines),
        ("\n".to_owned(), Lines),
        ("o\n1\n".to_owned(), Lines),
        (format!("o\n1\n{ROOT}"), Lines),
        (format!("\n1\n{ROOT}\n"), Origin),
        (format!("o\n01\n{ROOT}\n"), Size),
        (format!("o\n+1\n{ROOT}\n"), Size),
        (format!("o\n\n{ROOT}\n"), Size),
        (format!("o\n18446744073709551616\n{ROOT}\n"), Size),
        (format!("o\n1 \n{ROOT}\n"), Size),
        ("o\n1\nAAAA\n".to_owned(), Root),
        (
            "o\n1\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2J=\n".to_owned(),
            Root,
        ),
        (format!("o\n1\n{ROOT}\n\n"), Lines),
        (format!("o\n1\n{ROOT}\n\nx\n"), Lines),
    ] {
        assert_eq!(Checkpoint::parse(&text), Err(error), "{text:?}");
    }
    let extended = format!("an origin\n18446744073709551615\n{ROOT}\nabc\ndef\n");
    let checkpoint = Checkpoint::parse(&extended).unwrap();
    assert_eq!(checkpoint.extension_lines(), ["abc", "def"]);
    assert_eq!(checkpoint.to_text(), extended);
    for origin in ["", "a b", "a+b", "a\nb", "a\u{3000}b", &"x".repeat(256)] {
        assert_eq!(
            Checkpoint::new(origin, 0, Hash::EMPTY_TREE),
            Err(Origin),
            "{origin:?}"
        );
    }
}

#[test]
fn malformed_keys() {
    use KeyError::*;
    let vkey = log_vkey().to_string();
    assert_eq!(VerifierKey::parse(&vkey), Ok(log_vkey()));
    let (head, encoded) = vkey.rsplit_once('+').unwrap();
    let (name, id) = head.rsplit_once('+').unwrap();
    for (vkey, error) in [
        (String::new(), Malformed),
        (name.to_owned(), Malformed),
        (head.to_owned(), Malformed),
        (format!("{vkey}\n"), Malformed),
        (format!(" {vkey}"), Name),
        (format!("+{id}+{encoded}"), Name),
        (format!("x{vkey}"), Id),
        (format!("{name}+{}+{encoded}", id.to_uppercase()), Id),
        (format!("{name}+0{id}+{encoded}"), Id),
        (format!("{name}+{id}+"), UnknownType),
        (format!("{name}+{id}+Ag=="), UnknownType),
        (format!("{name}+{id}+AQ=="), PublicKey),
        (
            format!("{name}+{id}+{}", encoded.trim_end_matches('=')),
            if encoded.ends_with('=') { Malformed } else { Id },
        ),
    ] {
        if error == Id && vkey == log_vkey().to_string() {
            continue;
        }
        assert_eq!(VerifierKey::parse(&vkey), Err(error), "{vkey}");
    }
    for key in [sm2_vkey(), witness_vkey(5)] {
        assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key));
    }
    let mut compressed = sm2_vkey().public_key().to_vec();
    compressed[0] = 0x02;
    assert_eq!(
        VerifierKey::new("n", SignatureType::Sm2, &compressed),
        Err(PublicKey)
    );
    assert_eq!(
        VerifierKey::new("n", SignatureType::Sm2, &compressed[..33]),
        Err(PublicKey)
    );
    assert_eq!(
        VerifierKey::new("n", SignatureType::Ed25519, &[0; 31]),
        Err(PublicKey)
    );
}

#[test]
fn malformed_proofs() {
    use ProofError::*;
    const HASH: &str = "gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=";
    let start = "c2sp.org/tlog-proof@v1\n";
    let many = format!("{start}index 1\n{}\n\ncheckpoint\n", [HASH; 65].join("\n"));
    let long = format!("{start}index 1\n\n{}", "x".repeat(512 * 1024));
    for (proof, error) in [
        ("".to_owned(), Checkpoint),
        (format!("{start}index 1\n"), Checkpoint),
        (format!("{start}index 1\n{HASH}\ncheckpoint\n"), Checkpoint),
        (
            "c2sp.org/tlog-proof@v2\nindex 1\n\ncheckpoint\n".to_owned(),
            Header,
        ),
        (format!(" {start}index 1\n\ncheckpoint\n"), Header),
        (format!("{start}\ncheckpoint\n"), Index),
        (format!("{start}Index 1\n\ncheckpoint\n"), Index),
        (format!("{start}index 01\n\ncheckpoint\n"), Index),
        (format!("{start}index  1\n\ncheckpoint\n"), Index),
        (format!("{start}index -1\n\ncheckpoint\n"), Index),
        (
            format!("{start}index 18446744073709551616\n\ncheckpoint\n"),
            Index,
        ),
        (format!("{start}extra AA==\n\ncheckpoint\n"), Index),
        (format!("{start}index 1\nextra AA==\n\ncheckpoint\n"), Hash),
        (format!("{start}extra AB==\nindex 1\n\ncheckpoint\n"), Extra),
        (format!("{start}index 1\n{HASH} \n\ncheckpoint\n"), Hash),
        (format!("{start}index 1\nAAAA\n\ncheckpoint\n"), Hash),
        (many, Hash),
        (long, TooLong),
    ] {
        assert_eq!(Proof::parse(&proof), Err(error), "{proof:.80?}");
    }
    for good in [
        format!("{start}index 0\n\ncheckpoint\n"),
        format!("{start}extra AQ==\nindex 18446744073709551615\n{HASH}\n{HASH}\n\nx\n\n— n AAAAAAA=\n"),
        format!("{start}extra \nindex 0\n\n"),
    ] {
        assert_eq!(Proof::parse(&good).unwrap().to_text(), good);
    }
}

fn checkpoint() -> Checkpoint {
    Checkpoint::new(ORIGIN, 3, Hash::of_leaf(b"any")).unwrap()
}

fn open(note: &Note, keys: &[VerifierKey]) -> Result<Standing, UntrustedCheckpoint> {
    let keys = TrustedKeys::new(keys.iter().cloned()).unwrap();
    let (opened, standing) = keys.open_checkpoint(&note.to_text(), verify)?;
    assert_eq!(opened, checkpoint());
    Ok(standing)
}

#[test]
fn whose_signatures_count() {
    use Standing::*;
    let note = sign(&checkpoint(), true, &[5, 6]);
    let (log, sm2) = (log_vkey(), sm2_vkey());
    let (five, six, seven) = (witness_vkey(5), witness_vkey(6), witness_vkey(7));
    assert_eq!(open(&note, std::slice::from_ref(&log)), Ok(OperatorSigned));
    assert_eq!(open(&note, std::slice::from_ref(&sm2)), Ok(OperatorSigned));
    assert_eq!(
        open(&note, &[sm2.clone(), log.clone(), log.clone()]),
        Ok(OperatorSigned)
    );
    assert_eq!(
        open(&note, &[log.clone(), five.clone()]),
        Ok(Witnessed { seen: 1, trusted: 1 })
    );
    let three = [log.clone(), sm2.clone(), seven.clone(), six.clone(), five.clone()];
    assert_eq!(open(&note, &three), Ok(Witnessed { seen: 2, trusted: 3 }));
    assert_eq!(open(&note, &three).unwrap().to_string(), "WITNESSED 2/3");
    assert_eq!(open(&note, &[log.clone(), seven]), Ok(OperatorSigned));
    assert_eq!(OperatorSigned.to_string(), "OPERATOR-SIGNED");

    let unknown = Err(UntrustedCheckpoint::KeyUnknown {
        origin: ORIGIN.into(),
    });
    assert_eq!(open(&note, &[]), unknown);
    // Witnesses alone cannot vouch for a log whose key is unknown.
    assert_eq!(open(&note, &[five.clone(), six]), unknown);
    // The same name and another key; the same key and another name.
    let public_key = ed25519(2).verifying_key();
    let other = VerifierKey::new(ORIGIN, SignatureType::Ed25519, public_key.as_bytes()).unwrap();
    assert_eq!(open(&note, std::slice::from_ref(&other)), unknown);
    // Rotation: one of two keys of the same type is enough.
    assert_eq!(open(&note, &[other, log.clone()]), Ok(OperatorSigned));
    let elsewhere = VerifierKey::new("b.example", SignatureType::Ed25519, log.public_key()).unwrap();
    assert_eq!(open(&note, &[elsewhere]), unknown);
    // Nor does the key of one log vouch for another, though its own line below it is good.
    let elsewhere = VerifierKey::new("b.example", SignatureType::Ed25519, log.public_key()).unwrap();
    let mut foreign = checkpoint().to_note().unwrap();
    foreign.sign(&elsewhere, |text| ed25519(1).sign(text).to_bytes().to_vec());
    assert_eq!(open(&foreign, &[elsewhere]), unknown);
    // Whoever was given the SM2 key gets no checkpoint without its signature.
    let without_sm2 = sign(&checkpoint(), false, &[5]);
    assert_eq!(
        open(&without_sm2, &[log, sm2]),
        Err(UntrustedCheckpoint::SignatureMissing(SignatureType::Sm2)),
    );
}

#[test]
fn a_false_line_by_a_known_key_condemns_the_note() {
    let false_name = |name: &str| Err(UntrustedCheckpoint::SignatureFalse { name: name.into() });
    let (log, five) = (log_vkey(), witness_vkey(5));
    let mut note = checkpoint().to_note().unwrap();
    note.sign(&log, |text| ed25519(2).sign(text).to_bytes().to_vec());
    assert_eq!(open(&note, std::slice::from_ref(&log)), false_name(ORIGIN));

    let mut note = sign(&checkpoint(), false, &[]);
    note.add_signature(&five, Cosignature::new(1, [7; 64]).unwrap().to_bytes());
    assert_eq!(
        open(&note, std::slice::from_ref(&log)),
        Ok(Standing::OperatorSigned)
    );
    assert_eq!(
        open(&note, &[log.clone(), five.clone()]),
        false_name("witness.example/5")
    );

    // A log's signature is no cosignature, even of the same key, and has not its length.
    let mut note = sign(&checkpoint(), false, &[]);
    note.sign(&five, |text| ed25519(5).sign(text).to_bytes().to_vec());
    assert_eq!(
        open(&note, &[log.clone(), five.clone()]),
        false_name("witness.example/5")
    );

    // A cosignature over another time than the line tells.
    let message = ledger::cosignature::message(1, note.text());
    let signature = ed25519(5).sign(message.as_bytes()).to_bytes();
    let mut note = sign(&checkpoint(), false, &[]);
    note.add_signature(&five, Cosignature::new(2, signature).unwrap().to_bytes());
    assert_eq!(
        open(&note, &[log.clone(), five.clone()]),
        false_name("witness.example/5")
    );

    let mut note = sign(&checkpoint(), false, &[]);
    note.sign(&log, |text| ed25519(1).sign(text).to_bytes().to_vec());
    assert_eq!(
        open(&note, &[log]),
        Err(UntrustedCheckpoint::SignatureRepeated { name: ORIGIN.into() })
    );
    assert_eq!(Cosignature::new(1 << 63, [0; 64]), None);
    assert_eq!(Cosignature::parse(&[0xff; 72]), None);
    assert_eq!(Cosignature::parse(&[0; 71]), None);
    assert_eq!(Cosignature::parse(&[]), None);
}

#[test]
fn witnesses_can_be_required_and_must_be_independent() {
    let log = log_vkey();
    let keys = || TrustedKeys::new([log.clone(), witness_vkey(5), witness_vkey(6)]).unwrap();
    let text = sign(&checkpoint(), false, &[5]).to_text();
    assert!(
        keys()
            .requiring_witnesses(1)
            .unwrap()
            .open_checkpoint(&text, verify)
            .is_ok()
    );
    assert_eq!(
        keys()
            .requiring_witnesses(2)
            .unwrap()
            .open_checkpoint(&text, verify),
        Err(UntrustedCheckpoint::WitnessesMissing { seen: 1, required: 2 }),
    );
    assert_eq!(
        keys().requiring_witnesses(3).unwrap_err(),
        TrustError::TooManyRequired
    );
    // The operator under another name is no witness, and one witness is not two.
    let itself = VerifierKey::new("w.example", SignatureType::CosignatureV1, log.public_key()).unwrap();
    assert_eq!(
        TrustedKeys::new([itself, log]).unwrap_err(),
        TrustError::NotIndependent
    );
    let twice = VerifierKey::new(
        "w.example",
        SignatureType::CosignatureV1,
        witness_vkey(5).public_key(),
    )
    .unwrap();
    assert_eq!(
        TrustedKeys::new([witness_vkey(5), twice]).unwrap_err(),
        TrustError::NotIndependent
    );
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        prop_assert!(Note::parse(&text).is_err());
        prop_assert!(Checkpoint::parse(&text).is_err());
        prop_assert!(Proof::parse(&text).is_err());
        prop_assert!(VerifierKey::parse(&text).is_err());
    }

    /// Pieces that belong into these texts, in any order: nearer to what is read than random text.
    #[test]
    fn what_is_read_is_written_the_same(pieces in prop::collection::vec(prop::sample::select(vec![
        "\n", "\n\n", "c2sp.org/tlog-proof@v1\n", "index ", "extra ", "0", "7", "AA==\n", "— ", "name ", "AAAAAAA=\n",
        "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n", "origin\n", "text\n", "\\", "\"", " ",
    ]), 0..14)) {
        let text = pieces.concat();
        if let Ok(note) = Note::parse(&text) {
            prop_assert_eq!(note.to_text(), text.clone());
        }
        if let Ok(checkpoint) = Checkpoint::parse(&text) {
            prop_assert_eq!(checkpoint.to_text(), text.clone());
        }
        if let Ok(proof) = Proof::parse(&text) {
            prop_assert_eq!(proof.to_text(), text);
        }
    }
}
