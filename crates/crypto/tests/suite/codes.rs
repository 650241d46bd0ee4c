//! Directory digests, codes and tokens.

use std::collections::BTreeSet;

use crate::common::{Constant, hex};
use crypto::code::{CodeKey, generate_code, generate_token};
use crypto::{DirectoryKey, MacKey, SecretBytes, Suite};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

const KEY: [u8; 32] = [2; 32];

/// The values come from a separate implementation of HMAC.
#[test]
fn directory_digests_are_pinned() {
    let cases = [
        (
            Suite::Gm,
            "853720af206030fb5507a2bce0789924c7febebecd11e874e81661b417d5ba9d",
        ),
        (
            Suite::Intl,
            "63c6ecc33dae8ed6c32907dcc0cd2f699d617068cac514cd9e8e6453a8d48327",
        ),
    ];
    for (suite, expected) in cases {
        let key = DirectoryKey::new(suite, 4, &SecretBytes::new(KEY));
        assert_eq!(key.id(), 4);
        assert_eq!(
            key.digest("id-number", "110101199003070134").to_vec(),
            hex(expected)
        );
    }
}

#[test]
fn type_value_and_key_all_count() {
    for suite in [Suite::Gm, Suite::Intl] {
        let key = DirectoryKey::new(suite, 1, &SecretBytes::new(KEY));
        let other_key = DirectoryKey::new(suite, 1, &SecretBytes::new([3; 32]));
        let digests = BTreeSet::from([
            key.digest("phone", "13900000000"),
            key.digest("phone", "13900000001"),
            key.digest("phon", "e13900000000"),
            key.digest("plate", "13900000000"),
            other_key.digest("phone", "13900000000"),
        ]);
        assert_eq!(digests.len(), 5, "{suite}");
    }
}

#[test]
fn a_code_matches_itself_for_its_purpose_only() {
    for suite in [Suite::Gm, Suite::Intl] {
        let key = CodeKey::new(suite, 1, &SecretBytes::new(KEY));
        let stored = key.digest("sign-in", "12345678");
        assert!(key.matches("sign-in", "12345678", &stored));
        assert!(!key.matches("sign-in", "12345679", &stored));
        assert!(
            !key.matches("sign-in", "1234 5678", &stored),
            "normalising is the caller's"
        );
        assert!(!key.matches("step-up", "12345678", &stored));
        let other = CodeKey::new(suite, 2, &SecretBytes::new([9; 32]));
        assert!(!other.matches("sign-in", "12345678", &stored));
        for bit in 0..256 {
            let mut flipped = stored;
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(!key.matches("sign-in", "12345678", &flipped), "bit {bit}");
        }
    }
}

#[test]
fn mac_keys_verify_what_they_made() {
    let key = MacKey::new(Suite::Intl, 7, &SecretBytes::new(KEY));
    let digest = key.digest("a", b"");
    assert_eq!(
        digest.to_vec(),
        hex("e85758568a8d6bd261688364d35c3348085c0ece41c1398ddcaffca7f5d8198f")
    );
    assert!(key.verify("a", b"", &digest));
    assert!(!key.verify("a", b"\0", &digest));
    assert_eq!(key.id(), 7);
}

#[test]
fn tokens_are_32_bytes_of_base64url() {
    let mut rng = ChaCha20Rng::from_seed([1; 32]);
    let tokens: Vec<_> = (0..1000).map(|_| generate_token(&mut rng)).collect();
    for token in &tokens {
        let text = token.expose();
        assert_eq!(text.len(), 43);
        assert!(
            text.bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
            "{text}"
        );
    }
    let distinct: BTreeSet<_> = tokens.iter().map(|token| token.expose()).collect();
    assert_eq!(distinct.len(), tokens.len());
    assert_eq!(generate_token(&mut Constant(0)).expose(), "A".repeat(43));
}

#[test]
fn codes_have_eight_digits_each_as_likely_as_the_others() {
    assert_eq!(
        generate_code(&mut Constant(0)).expose(),
        "00000000",
        "leading zeros are kept"
    );
    let mut rng = ChaCha20Rng::from_seed([4; 32]);
    let rounds = 100_000;
    let mut counts = [[0_i64; 10]; 8];
    for _ in 0..rounds {
        let code = generate_code(&mut rng);
        assert_eq!(code.expose().len(), 8);
        for (position, digit) in code.expose().bytes().enumerate() {
            counts[position][usize::from(digit - b'0')] += 1;
        }
    }
    for (position, digits) in counts.iter().enumerate() {
        for (digit, count) in digits.iter().enumerate() {
            // 10,000 expected, standard deviation 95: five of them.
            assert!(
                (count - rounds / 10).abs() < 475,
                "digit {digit} at {position}: {count}"
            );
        }
    }
}

/// A draw of the incomplete last run below 2³² must be drawn again, else codes up to 94967295 were likelier.
#[test]
fn the_incomplete_run_is_drawn_again() {
    struct Script(Vec<u32>);
    impl rand_core::TryRng for Script {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(self.0.remove(0))
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            unreachable!("codes are drawn from 32 bits")
        }
        fn try_fill_bytes(&mut self, _: &mut [u8]) -> Result<(), Self::Error> {
            unreachable!("codes are drawn from 32 bits")
        }
    }
    impl rand_core::TryCryptoRng for Script {}

    assert_eq!(
        generate_code(&mut Script(vec![u32::MAX, 4_200_000_000, 7])).expose(),
        "00000007"
    );
    assert_eq!(
        generate_code(&mut Script(vec![4_199_999_999])).expose(),
        "99999999"
    );
}
