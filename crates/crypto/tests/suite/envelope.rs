//! Envelopes: the bytes are pinned, and nothing opens that was not sealed at this place under this key.

use crate::common::{Constant, hex};
use crypto::envelope::{Context, EnvelopeError, OVERHEAD, key_version, open_row, seal_row};
use crypto::{DataKey, Suite};
use proptest::prelude::*;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const CONTEXT: Context<'static> = Context {
    realm: "demo",
    table: "record",
    column: "body",
    subject: [b'S'; 16],
    row: b"row-1",
    revision: 9,
    key_version: 3,
};

/// "mingcha-envelope-v1", suite, subject, revision, key version; then four texts after their lengths.
const AAD_AFTER_SUITE: &str = "53535353535353535353535353535353 0000000000000009 00000003
    00000004 64656d6f 00000006 7265636f7264 00000004 626f6479 00000005 726f772d31";

#[test]
fn associated_data_is_pinned() {
    for (suite, byte) in [(Suite::Gm, "01"), (Suite::Intl, "02")] {
        let expected = hex(&format!(
            "6d696e676368612d656e76656c6f70652d7631 {byte} {AAD_AFTER_SUITE}"
        ));
        assert_eq!(CONTEXT.associated_data(suite), expected);
    }
}

/// The values come from a separate implementation of SM4-GCM and AES-GCM.
#[test]
fn layout_is_pinned() {
    let cases = [
        (
            Suite::Gm,
            16,
            "010100000003010101010101010101010101fd8840126ab565342220ece3355c14a38f5b0db66d",
        ),
        (
            Suite::Intl,
            32,
            "0102000000030101010101010101010101011e84e5dbff72615dbbffc8634cbe662c243232007d",
        ),
    ];
    for (suite, len, expected) in cases {
        let key = DataKey::new(suite, &vec![7; len]).unwrap();
        let envelope = seal_row(&key, &CONTEXT, b"hello", &mut Constant(1));
        assert_eq!(envelope, hex(expected), "{suite}");
        assert_eq!(envelope.len(), OVERHEAD + 5);
        assert_eq!(key_version(&envelope), Ok(3));
        assert_eq!(open_row(&key, &CONTEXT, &envelope).unwrap(), b"hello");
    }
}

#[test]
fn no_part_of_the_context_may_differ() {
    let others = [
        (
            "realm",
            Context {
                realm: "production",
                ..CONTEXT
            },
        ),
        (
            "table",
            Context {
                table: "grant",
                ..CONTEXT
            },
        ),
        (
            "column",
            Context {
                column: "name",
                ..CONTEXT
            },
        ),
        (
            "subject",
            Context {
                subject: [b'T'; 16],
                ..CONTEXT
            },
        ),
        (
            "row",
            Context {
                row: b"row-2",
                ..CONTEXT
            },
        ),
        (
            "revision",
            Context {
                revision: 8,
                ..CONTEXT
            },
        ),
        // What one text loses the next gains: the lengths keep them apart.
        (
            "border",
            Context {
                table: "recordb",
                column: "ody",
                ..CONTEXT
            },
        ),
    ];
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    for suite in [Suite::Gm, Suite::Intl] {
        let key = DataKey::generate(suite, &mut rng);
        let envelope = seal_row(&key, &CONTEXT, b"secret", &mut rng);
        for (part, other) in &others {
            assert_eq!(
                open_row(&key, other, &envelope),
                Err(EnvelopeError::NotAuthentic),
                "{suite} {part}"
            );
        }
        let other = Context {
            key_version: 4,
            ..CONTEXT
        };
        let wrong_version = EnvelopeError::WrongKeyVersion { sealed: 3, asked: 4 };
        assert_eq!(open_row(&key, &other, &envelope), Err(wrong_version));
    }
}

#[test]
fn wrong_keys_and_suites_are_refused() {
    let mut rng = ChaCha20Rng::from_seed([2; 32]);
    let gm = DataKey::generate(Suite::Gm, &mut rng);
    let intl = DataKey::generate(Suite::Intl, &mut rng);
    let envelope = seal_row(&gm, &CONTEXT, b"secret", &mut rng);
    let stranger = DataKey::generate(Suite::Gm, &mut rng);
    assert_eq!(
        open_row(&stranger, &CONTEXT, &envelope),
        Err(EnvelopeError::NotAuthentic)
    );
    let wrong_suite = EnvelopeError::WrongSuite {
        sealed: Suite::Gm,
        key: Suite::Intl,
    };
    assert_eq!(open_row(&intl, &CONTEXT, &envelope), Err(wrong_suite));

    let with = |position: usize, value: u8| {
        let mut changed = envelope.clone();
        changed[position] = value;
        open_row(&gm, &CONTEXT, &changed)
    };
    assert_eq!(with(0, 2), Err(EnvelopeError::UnknownVersion(2)));
    assert_eq!(with(1, 3), Err(EnvelopeError::UnknownSuite(3)));
}

#[test]
fn nonces_differ() {
    let mut rng = ChaCha20Rng::from_seed([3; 32]);
    let key = DataKey::generate(Suite::Intl, &mut rng);
    assert_ne!(
        seal_row(&key, &CONTEXT, b"x", &mut rng),
        seal_row(&key, &CONTEXT, b"x", &mut rng)
    );
}

proptest! {
    #[test]
    fn what_was_sealed_opens_and_nothing_near_it(
        seed: [u8; 32],
        gm: bool,
        plaintext in prop::collection::vec(any::<u8>(), 0..80),
        row in prop::collection::vec(any::<u8>(), 0..20),
        revision: u64,
        key_version: u32,
    ) {
        let mut rng = ChaCha20Rng::from_seed(seed);
        let key = DataKey::generate(if gm { Suite::Gm } else { Suite::Intl }, &mut rng);
        let context = Context { row: &row, revision, key_version, ..CONTEXT };
        let envelope = seal_row(&key, &context, &plaintext, &mut rng);
        prop_assert_eq!(open_row(&key, &context, &envelope).unwrap(), plaintext);
        for bit in 0..envelope.len() * 8 {
            let mut flipped = envelope.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            prop_assert!(open_row(&key, &context, &flipped).is_err(), "bit {}", bit);
        }
        for len in 0..envelope.len() {
            prop_assert!(open_row(&key, &context, &envelope[..len]).is_err(), "cut to {}", len);
        }
    }

    #[test]
    fn any_bytes_are_an_error_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..100)) {
        let key = DataKey::new(Suite::Gm, &[9; 16]).unwrap();
        prop_assert!(open_row(&key, &CONTEXT, &bytes).is_err());
    }
}
