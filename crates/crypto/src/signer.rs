//! Signatures: Ed25519 (RFC 8032) and SM2 (GB/T 32918.2) with the default user id.
//!
//! Both are deterministic: Ed25519 by definition, SM2 with a nonce by RFC 6979, so that a weak generator cannot
//! give the key away. The formats of notes and verifier keys live in the crate `ledger`.

use std::fmt;

use ed25519_dalek::Signer as _;
use rand_core::CryptoRng;
use sm2::dsa::signature::Verifier as _;

use crate::secret::SecretBytes;

/// The user id that GB/T 35276 prescribes where none is agreed.
pub const SM2_DEFAULT_ID: &str = "1234567812345678";
/// Length in bytes of a signature of either kind (`R ‖ S`, or `r ‖ s`).
pub const SIGNATURE_LEN: usize = 64;

/// Key bytes that are no key: for SM2, not a number from 1 to n − 2 or not a point of the curve; for Ed25519,
/// not a point of the curve or one of small order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("these bytes are not a valid {0} key")]
pub struct BadKey(&'static str);

/// An Ed25519 signing key: the log's, or a static key of message encryption.
pub struct Ed25519Signer(ed25519_dalek::SigningKey);

impl Ed25519Signer {
    /// Makes the key from its seed; every 32 bytes are a seed.
    pub fn new(seed: &SecretBytes<32>) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed.expose()))
    }

    /// Signs a message.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        self.0.sign(message).to_bytes()
    }

    /// The public key in its 32-byte encoding.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.verifying_key().to_bytes()
    }

    /// The public key, ready to verify.
    pub fn verifier(&self) -> Ed25519Verifier {
        Ed25519Verifier(self.0.verifying_key())
    }

    pub(crate) fn expose(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

/// An Ed25519 public key, parsed once.
#[derive(Clone, Debug)]
pub struct Ed25519Verifier(ed25519_dalek::VerifyingKey);

impl Ed25519Verifier {
    /// Parses a public key.
    ///
    /// # Errors
    /// [`BadKey`] when it is no point of the curve, or one of small order, which verifies almost anything.
    pub fn new(public_key: &[u8; 32]) -> Result<Self, BadKey> {
        match ed25519_dalek::VerifyingKey::from_bytes(public_key) {
            Ok(key) if !key.is_weak() => Ok(Self(key)),
            _ => Err(BadKey("Ed25519 public")),
        }
    }

    /// Whether the signature is valid; malleable signatures are not (`verify_strict`).
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        self.0
            .verify_strict(message, &ed25519_dalek::Signature::from_bytes(signature))
            .is_ok()
    }

    /// The public key in its 32-byte encoding.
    pub fn public_key(&self) -> [u8; 32] {
        self.0.to_bytes()
    }
}

/// An SM2 signing key. The crate below does not wipe its scalar on drop; these keys live as long as the process.
pub struct Sm2Signer(sm2::dsa::SigningKey);

impl Sm2Signer {
    /// Makes the key from its scalar, big-endian.
    ///
    /// # Errors
    /// [`BadKey`] when it is not a number from 1 to n − 2 (about one in 2³² random values is not).
    pub fn new(scalar: &SecretBytes<32>) -> Result<Self, BadKey> {
        let bad = BadKey("SM2 secret");
        let secret = sm2::SecretKey::from_slice(scalar.expose()).map_err(|_| bad)?;
        // With n − 1 no signature exists, because 1 + d has no inverse (GB/T 32918.1, 6.1).
        let plus_one = *secret.to_nonzero_scalar() + sm2::Scalar::ONE;
        if bool::from(plus_one.is_zero()) {
            return Err(bad);
        }
        sm2::dsa::SigningKey::new(SM2_DEFAULT_ID, &secret)
            .map(Self)
            .map_err(|_| bad)
    }

    /// Draws secrets until one is a valid scalar.
    pub(crate) fn generate_secret(rng: &mut (impl CryptoRng + ?Sized)) -> SecretBytes<32> {
        loop {
            let secret = SecretBytes::generate(rng);
            if Self::new(&secret).is_ok() {
                return secret;
            }
        }
    }

    /// Signs a message; `r ‖ s`, 32 bytes each, big-endian.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        let signature = sm2::dsa::signature::Signer::try_sign(&self.0, message);
        // INVARIANT: fails only where r, s or r + k is 0 mod n (2^-255 for a hash), or for d = n − 1, refused by `new`.
        signature.expect("an SM2 signature exists").to_bytes().into()
    }

    /// The public key as an uncompressed point: `04 ‖ x ‖ y`.
    pub fn public_key(&self) -> [u8; 65] {
        encode_point(self.0.verifying_key().as_affine())
    }

    /// The public key, ready to verify.
    pub fn verifier(&self) -> Sm2Verifier {
        Sm2Verifier(self.0.verifying_key().clone())
    }

    pub(crate) fn expose(&self) -> SecretBytes<32> {
        SecretBytes::new(self.0.to_bytes().into())
    }
}

/// An SM2 public key, parsed once, with the default user id.
#[derive(Clone, Debug)]
pub struct Sm2Verifier(sm2::dsa::VerifyingKey);

impl Sm2Verifier {
    /// Parses an uncompressed point.
    ///
    /// # Errors
    /// [`BadKey`] when it is none of the curve.
    pub fn new(public_key: &[u8; 65]) -> Result<Self, BadKey> {
        sm2::dsa::VerifyingKey::from_sec1_bytes(SM2_DEFAULT_ID, public_key)
            .map(Self)
            .map_err(|_| BadKey("SM2 public"))
    }

    /// Whether the signature `r ‖ s` is valid.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        sm2::dsa::Signature::from_slice(signature)
            .is_ok_and(|signature| self.0.verify(message, &signature).is_ok())
    }

    /// The public key as an uncompressed point.
    pub fn public_key(&self) -> [u8; 65] {
        encode_point(self.0.as_affine())
    }
}

/// `04 ‖ x ‖ y` of a point that is not the identity.
pub(crate) fn encode_point(point: &sm2::AffinePoint) -> [u8; 65] {
    use sm2::elliptic_curve::sec1::ToSec1Point;
    let mut out = [0; 65];
    // INVARIANT: an uncompressed point has 65 bytes, save the identity, which is no public key.
    out.copy_from_slice(point.to_sec1_point(false).as_bytes());
    out
}

impl fmt::Debug for Ed25519Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Ed25519Signer(redacted)")
    }
}

impl fmt::Debug for Sm2Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sm2Signer(redacted)")
    }
}
