//! The key ring and the key file: wrapping, rotation, and what a file must be to be read.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::common::{Constant, hex};
use crypto::envelope::EnvelopeError;
use crypto::key_file::KeyFileError;
use crypto::key_ring::{KeyContext, KeyError};
use crypto::{DataKey, RootKeys, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const CONTEXT: KeyContext<'static> = KeyContext {
    subject: [b'S'; 16],
    class: "record",
    key_version: 5,
};
const NOW: i64 = 1_700_000_000_000_000;

struct Rig {
    folder: tempfile::TempDir,
    rng: ChaCha20Rng,
}

impl Rig {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().expect("the rig works"),
            rng: ChaCha20Rng::from_seed([8; 32]),
        }
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("keys.json")
    }

    fn create(&mut self, suite: Suite) -> RootKeys {
        RootKeys::create(&self.path(), "demo", suite, NOW, &mut self.rng).expect("the rig works")
    }

    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder.path()).expect("the rig works");
        entries
            .map(|entry| {
                entry
                    .expect("the rig works")
                    .file_name()
                    .into_string()
                    .expect("the rig works")
            })
            .collect()
    }
}

/// The text of a key file whose every key is 32 times the byte 1; ours to break.
fn text(suite: Suite) -> String {
    let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let list = format!(r#"[{{"version":1,"created_us":0,"key":"{key}"}}]"#);
    let sm2 = if suite == Suite::Gm {
        format!(r#","log_sm2":"{key}""#)
    } else {
        String::new()
    };
    format!(
        r#"{{"format":"mingcha-keys-v1","realm":"demo","suite":"{suite}","roots":{list},"directory":{list},
        "codes":{list},"cookies":{list},"log_ed25519":"{key}"{sm2}}}"#
    )
}

/// The values come from a separate implementation of HKDF, SM4-GCM and AES-GCM.
#[test]
fn wrapped_keys_are_pinned() {
    let cases = [
        (
            Suite::Gm,
            16,
            "010100000001010101010101010101010101a1215b5116478e99d6b7538095bbc8095f4f2982
                         53190fadc7e9dbbb1ed811ad",
        ),
        (
            Suite::Intl,
            32,
            "01020000000101010101010101010101010116a584433908f281ed56d61446cd72c091accea
                           e0f5a115ce727051580d9fa2a5ea8d68aba00112dfe6d62d2a32bf640",
        ),
    ];
    for (suite, len, expected) in cases {
        let keys = RootKeys::parse(&text(suite)).unwrap();
        let key = DataKey::new(suite, &vec![7; len]).unwrap();
        assert_eq!(
            keys.wrap(&key, &CONTEXT, &mut Constant(1)),
            hex(expected),
            "{suite}"
        );
    }
}

/// Whether two keys are the same key: what one sealed the other opens.
fn same(one: &DataKey, two: &DataKey) -> bool {
    let sealed = crypto::aead::seal(one, &[0; 12], b"", b"probe");
    crypto::aead::open(two, &[0; 12], b"", &sealed).is_ok()
}

#[test]
fn wrapped_keys_open_for_their_subject_class_and_version_only() {
    for suite in [Suite::Gm, Suite::Intl] {
        let mut rig = Rig::new();
        let keys = rig.create(suite);
        let key = DataKey::generate(suite, &mut rig.rng);
        let wrapped = keys.wrap(&key, &CONTEXT, &mut rig.rng);
        assert!(same(&key, &keys.unwrap(&wrapped, &CONTEXT).unwrap()));
        let others = [
            KeyContext {
                subject: [b'T'; 16],
                ..CONTEXT
            },
            KeyContext {
                class: "profile",
                ..CONTEXT
            },
            KeyContext {
                key_version: 6,
                ..CONTEXT
            },
        ];
        for other in &others {
            let refused = keys.unwrap(&wrapped, other).unwrap_err();
            assert_eq!(
                refused,
                KeyError::Envelope(EnvelopeError::NotAuthentic),
                "{other:?}"
            );
        }
        for bit in 0..wrapped.len() * 8 {
            let mut flipped = wrapped.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(keys.unwrap(&flipped, &CONTEXT).is_err(), "bit {bit}");
        }
        for len in 0..wrapped.len() {
            assert!(keys.unwrap(&wrapped[..len], &CONTEXT).is_err(), "cut to {len}");
        }
    }
}

#[test]
fn rotation_keeps_old_keys_open_and_secrets_unchanged() {
    for suite in [Suite::Gm, Suite::Intl] {
        let mut rig = Rig::new();
        let old = rig.create(suite);
        let key = DataKey::generate(suite, &mut rig.rng);
        let wrapped = old.wrap(&key, &CONTEXT, &mut rig.rng);
        assert_eq!(old.rewrap(&wrapped, &CONTEXT, &mut rig.rng).unwrap(), None);

        let new = RootKeys::rotate(&rig.path(), NOW + 1, &mut rig.rng).unwrap();
        assert_eq!((old.newest_root(), new.newest_root()), (1, 2));
        assert!(same(&key, &new.unwrap(&wrapped, &CONTEXT).unwrap()));
        let rewrapped = new.rewrap(&wrapped, &CONTEXT, &mut rig.rng).unwrap().unwrap();
        assert!(same(&key, &new.unwrap(&rewrapped, &CONTEXT).unwrap()));
        assert_eq!(
            old.unwrap(&rewrapped, &CONTEXT).unwrap_err(),
            KeyError::UnknownRoot(2)
        );
        assert_eq!(new.rewrap(&rewrapped, &CONTEXT, &mut rig.rng).unwrap(), None);

        assert_eq!(old.log_ed25519().public_key(), new.log_ed25519().public_key());
        assert_eq!(
            old.log_sm2().map(|key| key.public_key()),
            new.log_sm2().map(|key| key.public_key())
        );
        assert_eq!(
            old.directory().digest("phone", "1"),
            new.directory().digest("phone", "1")
        );
        assert_eq!(
            old.codes().digest("sign-in", "1"),
            new.codes().digest("sign-in", "1")
        );
        assert_eq!(
            old.cookies().digest("form", b"1"),
            new.cookies().digest("form", b"1")
        );
        assert_eq!(rig.files(), ["keys.json"], "nothing is left beside the file");
    }
}

#[test]
fn all_secrets_of_a_ring_differ_and_no_two_rings_share_any() {
    let mut rig = Rig::new();
    let one = rig.create(Suite::Gm);
    fs::remove_file(rig.path()).unwrap();
    let two = rig.create(Suite::Gm);
    let of = |keys: &RootKeys| {
        [
            keys.directory().digest("x", "x"),
            keys.codes().digest("x", "x"),
            keys.cookies().digest("x", b"x"),
            keys.log_ed25519().public_key(),
            keys.log_sm2().unwrap().public_key()[1..33].try_into().unwrap(),
        ]
    };
    let all: std::collections::BTreeSet<_> = of(&one).into_iter().chain(of(&two)).collect();
    assert_eq!(all.len(), 10);
    assert_eq!(one.directory_by_id(1).map(|key| key.id()), Some(1));
    assert!(one.directory_by_id(2).is_none());
    assert_eq!(one.codes_by_id(1).map(|key| key.id()), Some(1));
    assert!(one.codes_by_id(2).is_none());
    assert_eq!((one.realm(), one.suite()), ("demo", Suite::Gm));
}

#[test]
fn the_file_is_for_its_owner_only_and_never_overwritten() {
    let mut rig = Rig::new();
    rig.create(Suite::Intl);
    let before = fs::read(rig.path()).unwrap();
    assert_eq!(
        fs::metadata(rig.path()).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let again = RootKeys::create(&rig.path(), "demo", Suite::Intl, NOW, &mut rig.rng).unwrap_err();
    assert!(matches!(again, KeyFileError::Exists(_)), "{again}");
    assert_eq!(fs::read(rig.path()).unwrap(), before);
    assert_eq!(rig.files(), ["keys.json"]);
    for mode in [0o640, 0o604, 0o620, 0o601, 0o666] {
        fs::set_permissions(rig.path(), fs::Permissions::from_mode(mode)).unwrap();
        let refused = RootKeys::load(&rig.path()).unwrap_err().to_string();
        assert!(
            refused.contains("chmod 600") && refused.contains(&format!("{mode:04o}")),
            "{refused}"
        );
        assert!(RootKeys::rotate(&rig.path(), NOW, &mut rig.rng).is_err());
    }
    fs::set_permissions(rig.path(), fs::Permissions::from_mode(0o400)).unwrap();
    assert!(RootKeys::load(&rig.path()).is_ok());
}

#[test]
fn what_is_no_file_is_refused() {
    let mut rig = Rig::new();
    let absent = RootKeys::load(&rig.path()).unwrap_err();
    assert!(
        matches!(
            &absent,
            KeyFileError::Io {
                action: "open it",
                ..
            }
        ),
        "{absent}"
    );
    assert!(RootKeys::rotate(&rig.path(), NOW, &mut rig.rng).is_err());
    assert!(matches!(
        RootKeys::load(rig.folder.path()),
        Err(KeyFileError::NotAFile(_))
    ));
    let nowhere = rig.folder.path().join("absent").join("keys.json");
    assert!(RootKeys::create(&nowhere, "demo", Suite::Gm, NOW, &mut rig.rng).is_err());
    let long = rig.path();
    fs::write(&long, vec![b' '; 600_000]).unwrap();
    fs::set_permissions(&long, fs::Permissions::from_mode(0o600)).unwrap();
    assert!(matches!(RootKeys::load(&long), Err(KeyFileError::TooLong)));
}

#[test]
fn writers_exclude_each_other() {
    let mut rig = Rig::new();
    rig.create(Suite::Intl);
    let other = fs::File::open(rig.folder.path()).unwrap();
    other.lock().unwrap();
    let refused = RootKeys::rotate(&rig.path(), NOW, &mut rig.rng).unwrap_err();
    assert!(matches!(refused, KeyFileError::Busy(_)), "{refused}");
    drop(other);
    assert_eq!(
        RootKeys::rotate(&rig.path(), NOW, &mut rig.rng)
            .unwrap()
            .newest_root(),
        2
    );
}

#[test]
fn what_a_dead_writer_left_is_cleared_away() {
    let mut rig = Rig::new();
    let left = rig.folder.path().join(".keys.json.new");
    fs::write(&left, "half a file").unwrap();
    rig.create(Suite::Intl);
    fs::write(&left, "half a file").unwrap();
    assert_eq!(
        RootKeys::rotate(&rig.path(), NOW, &mut rig.rng)
            .unwrap()
            .newest_root(),
        2
    );
    assert_eq!(rig.files(), ["keys.json"]);
}

#[test]
fn the_text_of_a_file_parses_as_the_file_does() {
    let mut rig = Rig::new();
    let loaded = rig.create(Suite::Gm);
    let parsed = RootKeys::parse(&fs::read_to_string(rig.path()).unwrap()).unwrap();
    assert_eq!(
        loaded.log_ed25519().public_key(),
        parsed.log_ed25519().public_key()
    );
    assert_eq!(format!("{parsed:?}"), "RootKeys(demo, gm, root 1, redacted)");
}

#[test]
fn texts_that_say_something_impossible_are_refused_without_showing_a_key() {
    let key = "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE=";
    let zero = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let list = |versions: &[u32]| {
        let entries: Vec<String> = versions
            .iter()
            .map(|version| format!(r#"{{"version":{version},"created_us":0,"key":"{key}"}}"#))
            .collect();
        format!("[{}]", entries.join(","))
    };
    let gm = text(Suite::Gm);
    assert!(RootKeys::parse(&gm).is_ok());
    let roots = |versions: &[u32]| {
        gm.replacen(
            &format!(r#""roots":{}"#, list(&[1])),
            &format!(r#""roots":{}"#, list(versions)),
            1,
        )
    };
    assert!(RootKeys::parse(&roots(&[1, 2, 9])).is_ok());
    let cases = [
        ("empty", String::new()),
        ("cut", gm[..gm.len() - 1].to_owned()),
        ("trailing", format!("{gm}x")),
        ("format", gm.replace("keys-v1", "keys-v2")),
        ("realm", gm.replace("demo", "DEMO")),
        ("suite", gm.replace(r#""gm""#, r#""rsa""#)),
        ("unknown member", gm.replacen('{', r#"{"extra":1,"#, 1)),
        ("no roots", roots(&[])),
        ("root 0", roots(&[0])),
        ("roots fall", roots(&[2, 1])),
        ("roots repeat", roots(&[1, 1])),
        ("no SM2 key", gm.replace(&format!(r#","log_sm2":"{key}""#), "")),
        ("SM2 key in intl", gm.replace(r#""gm""#, r#""intl""#)),
        (
            "SM2 key is 0",
            gm.replace(
                &format!(r#""log_sm2":"{key}""#),
                &format!(r#""log_sm2":"{zero}""#),
            ),
        ),
        ("short key", gm.replacen(key, "AQEB", 1)),
        (
            "33 bytes",
            gm.replacen(key, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB", 1),
        ),
        (
            "stray bits",
            gm.replacen(key, "AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQF=", 1),
        ),
        (
            "key as version",
            gm.replacen(r#""version":1"#, &format!(r#""version":"{key}""#), 1),
        ),
        ("key as suite", gm.replace(r#""gm""#, &format!(r#""{key}""#))),
    ];
    for (what, broken) in cases {
        assert_ne!(broken, gm, "{what} changes nothing");
        let refused = RootKeys::parse(&broken).expect_err(what).to_string();
        assert!(!refused.contains("AQEB"), "{what}: {refused}");
    }
}
