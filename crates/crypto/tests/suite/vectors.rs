//! The algorithms against the vectors that their standards publish.

use crate::common::{hex, hex_array};
use crypto::aead::{self, DataKey};
use crypto::signer::{Ed25519Signer, Ed25519Verifier, Sm2Signer, Sm2Verifier};
use crypto::{AgreedKey, SecretBytes, Suite};

/// GB/T 32905-2016, annex A (also draft-sca-cfrg-sm3, appendix A); FIPS 180-4 examples for SHA-256.
#[test]
fn hashes() {
    let long = "abcd".repeat(16);
    let cases = [
        (
            Suite::Gm,
            "abc",
            "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0",
        ),
        (
            Suite::Gm,
            long.as_str(),
            "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732",
        ),
        (
            Suite::Intl,
            "abc",
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        ),
        (
            Suite::Intl,
            "",
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        ),
    ];
    for (suite, message, digest) in cases {
        assert_eq!(
            suite.hash(&[message.as_bytes()]).to_vec(),
            hex(digest),
            "{suite} {message}"
        );
        let (one, two) = message.as_bytes().split_at(message.len() / 2);
        assert_eq!(
            suite.hash(&[one, two]).to_vec(),
            hex(digest),
            "{suite} {message} in parts"
        );
    }
}

struct Gcm {
    suite: Suite,
    key: &'static str,
    nonce: &'static str,
    aad: &'static str,
    plaintext: &'static str,
    sealed: &'static str,
}

/// RFC 8998, appendix A.1 (SM4-GCM); the GCM specification's test cases 14 and 16 (AES-256), which SP 800-38D
/// refers to.
#[test]
fn gcm() {
    let cases = [
        Gcm {
            suite: Suite::Gm,
            key: "0123456789ABCDEFFEDCBA9876543210",
            nonce: "00001234567800000000ABCD",
            aad: "FEEDFACEDEADBEEFFEEDFACEDEADBEEFABADDAD2",
            plaintext: "AAAAAAAAAAAAAAAABBBBBBBBBBBBBBBBCCCCCCCCCCCCCCCCDDDDDDDDDDDDDDDD
                        EEEEEEEEEEEEEEEEFFFFFFFFFFFFFFFFEEEEEEEEEEEEEEEEAAAAAAAAAAAAAAAA",
            sealed: "17F399F08C67D5EE19D0DC9969C4BB7D5FD46FD3756489069157B282BB200735
                     D82710CA5C22F0CCFA7CBF93D496AC15A56834CBCF98C397B4024A2691233B8D
                     83DE3541E4C2B58177E065A9BF7B62EC",
        },
        Gcm {
            suite: Suite::Intl,
            key: "0000000000000000000000000000000000000000000000000000000000000000",
            nonce: "000000000000000000000000",
            aad: "",
            plaintext: "00000000000000000000000000000000",
            sealed: "cea7403d4d606b6e074ec5d3baf39d18d0d1c8a799996bf0265b98b5d48ab919",
        },
        Gcm {
            suite: Suite::Intl,
            key: "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
            nonce: "cafebabefacedbaddecaf888",
            aad: "feedfacedeadbeeffeedfacedeadbeefabaddad2",
            plaintext: "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72
                        1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
            sealed: "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa
                     8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662
                     76fc6ece0f4e1768cddf8853bb2d551b",
        },
    ];
    for case in cases {
        let key = DataKey::new(case.suite, &hex(case.key)).unwrap();
        let (nonce, aad, plaintext) = (hex_array(case.nonce), hex(case.aad), hex(case.plaintext));
        let sealed = aead::seal(&key, &nonce, &aad, &plaintext);
        assert_eq!(sealed, hex(case.sealed), "{}", case.suite);
        assert_eq!(aead::open(&key, &nonce, &aad, &sealed).unwrap(), plaintext);
    }
}

/// RFC 8032, section 7.1: tests 1 to 3.
#[test]
fn ed25519() {
    let cases = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            "",
            "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155
             5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            "72",
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            "af82",
            "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac
             18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
        ),
    ];
    for (seed, public_key, message, signature) in cases {
        let signer = Ed25519Signer::new(&SecretBytes::new(hex_array(seed)));
        assert_eq!(signer.public_key(), hex_array::<32>(public_key));
        assert_eq!(signer.sign(&hex(message)), hex_array::<64>(signature));
        let verifier = Ed25519Verifier::new(&hex_array(public_key)).unwrap();
        assert!(verifier.verify(&hex(message), &hex_array(signature)));
    }
}

const SM2_SECRET: &str = "3945208F7B2144B13F36E38AC6D39F95889393692860B51A42FB81EF4DF7C5B8";
const SM2_PUBLIC: &str = "04
    09F9DF311E5421A150DD7D161E4BC5C672179FAD1833FC076BB08FF356F35020
    CCEA490CE26775A52DC6EA718CC1AA600AED05FBF35E084A6632F6072DA9AD13";

/// GB/T 32918.5-2017, annex A.2 (also GM/T 0003.5-2012, annex A): the key pair, and its signature of
/// "message digest" with the default user id.
#[test]
fn sm2_signature_of_the_standard() {
    let signer = Sm2Signer::new(&SecretBytes::new(hex_array(SM2_SECRET))).unwrap();
    assert_eq!(signer.public_key(), hex_array::<65>(SM2_PUBLIC));
    let signature = hex_array(
        "F5A03B0648D2C4630EEAC513E1BB81A15944DA3827D5B74143AC7EACEEE720B3
         B1B6AA29DF212FD8763182BC0D421CA1BB9038FD1F7F42D4840B69C485BBC1AA",
    );
    let verifier = Sm2Verifier::new(&hex_array(SM2_PUBLIC)).unwrap();
    assert!(verifier.verify(b"message digest", &signature));
    assert!(!verifier.verify(b"message digesu", &signature));
}

/// The standard draws its nonce at random; ours comes from RFC 6979 with SM3. The value was computed by a
/// separate implementation from the formulas of both documents.
#[test]
fn sm2_signature_is_deterministic() {
    let signer = Sm2Signer::new(&SecretBytes::new(hex_array(SM2_SECRET))).unwrap();
    let expected = hex_array::<64>(
        "24858ee71d63e687feefe41f5af80a59f0791eb1dabc2bbe71daf0e57f06c367
         3d15550de52785a435004c937256ac715c0e04176ac57062c6722fa692f7a491",
    );
    assert_eq!(signer.sign(b"message digest"), expected);
    assert!(signer.verifier().verify(b"message digest", &expected));
}

#[test]
fn every_flipped_bit_of_a_signature_fails() {
    let message = b"checkpoint";
    let ed25519 = Ed25519Signer::new(&SecretBytes::new([5; 32]));
    let sm2 = Sm2Signer::new(&SecretBytes::new([5; 32])).unwrap();
    for bit in 0..512 {
        let flip = |mut signature: [u8; 64]| {
            signature[bit / 8] ^= 1 << (bit % 8);
            signature
        };
        assert!(
            !ed25519.verifier().verify(message, &flip(ed25519.sign(message))),
            "Ed25519 bit {bit}"
        );
        assert!(
            !sm2.verifier().verify(message, &flip(sm2.sign(message))),
            "SM2 bit {bit}"
        );
    }
}

#[test]
fn keys_that_are_none_are_refused() {
    // n − 1 has no signature, n and 0 are no scalars (GB/T 32918.1, 6.1: from 1 to n − 2).
    let n_minus = |low: u8| {
        let mut n = hex_array::<32>("fffffffeffffffffffffffffffffffff7203df6b21c6052b53bbf40939d54123");
        n[31] -= low;
        Sm2Signer::new(&SecretBytes::new(n))
    };
    assert!(n_minus(0).is_err());
    assert!(n_minus(1).is_err());
    assert!(n_minus(2).is_ok());
    assert!(Sm2Signer::new(&SecretBytes::new([0; 32])).is_err());
    assert!(Sm2Signer::new(&SecretBytes::new([255; 32])).is_err());

    let mut off_curve = hex_array::<65>(SM2_PUBLIC);
    off_curve[64] ^= 1;
    assert!(Sm2Verifier::new(&off_curve).is_err());
    assert!(Sm2Verifier::new(&[0; 65]).is_err());
    // The identity of Ed25519: under it, a signature of everything verifies.
    let mut identity = [0; 32];
    identity[0] = 1;
    assert!(Ed25519Verifier::new(&identity).is_err());
    assert!(Ed25519Verifier::new(&[2; 32]).is_err(), "not a point");
}

#[test]
fn data_keys_have_the_length_of_their_suite() {
    for (suite, len) in [(Suite::Gm, 16), (Suite::Intl, 32)] {
        for wrong in [0, 15, 16, 17, 31, 32, 33] {
            assert_eq!(
                DataKey::new(suite, &vec![0; wrong]).is_ok(),
                wrong == len,
                "{suite} {wrong}"
            );
        }
    }
}

/// RFC 4231, cases 1 and 6 (a key longer than a block); the same under SM3, as OpenSSL computes it.
#[test]
fn keyed_hashes() {
    let long = [0xaa; 131];
    let (hi, larger) = (
        b"Hi There".as_slice(),
        b"Test Using Larger Than Block-Size Key - Hash Key First".as_slice(),
    );
    let cases = [
        (
            Suite::Intl,
            &[0x0b; 20][..],
            hi,
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7",
        ),
        (
            Suite::Intl,
            &long,
            larger,
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
        ),
        (
            Suite::Gm,
            &[0x0b; 20],
            hi,
            "51b00d1fb49832bfb01c3ce27848e59f871d9ba938dc563b338ca964755cce70",
        ),
        (
            Suite::Gm,
            &long,
            larger,
            "b4fd844e13342002f0b2e0690ea7741f1497d993a70494cea601e657bedf67a0",
        ),
    ];
    for (suite, key, message, tag) in cases {
        let key = AgreedKey::new(suite, key);
        assert_eq!(key.tag(message).to_vec(), hex(tag), "{suite}");
        assert!(key.verify(message, &hex_array(tag)), "{suite}");
        let mut other = hex_array::<32>(tag);
        other[31] ^= 1;
        assert!(!key.verify(message, &other), "{suite}");
    }
    assert_eq!(
        format!("{:?}", AgreedKey::new(Suite::Gm, b"open sesame")),
        "AgreedKey(gm, redacted)"
    );
}
