//! Agreement on a secret from two ephemeral keys: SM2's curve, or X25519.
//!
//! On SM2's curve this is plain Diffie-Hellman, whose x-coordinate goes through HKDF; the key exchange of GB/T
//! 32918.3 mixes static keys in instead of signing, and is another protocol.

use rand_core::CryptoRng;
use sm2::elliptic_curve::point::AffineCoordinates;

use super::SessionError;
use crate::secret::SecretBytes;
use crate::signer::encode_point;
use crate::suite::Suite;

/// The secret half of an ephemeral key; used once, wiped after.
pub(super) enum Ephemeral {
    Gm(sm2::SecretKey),
    Intl(x25519_dalek::EphemeralSecret),
}

impl Ephemeral {
    pub(super) fn generate(suite: Suite, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        match suite {
            // About one of 2³² random numbers is not below the group's order; it is drawn again.
            Suite::Gm => loop {
                let drawn = SecretBytes::<32>::generate(rng);
                if let Ok(secret) = sm2::SecretKey::from_slice(drawn.expose()) {
                    return Self::Gm(secret);
                }
            },
            Suite::Intl => Self::Intl(x25519_dalek::EphemeralSecret::random_from_rng(rng)),
        }
    }

    pub(super) fn suite(&self) -> Suite {
        match self {
            Self::Gm(_) => Suite::Gm,
            Self::Intl(_) => Suite::Intl,
        }
    }

    /// The public half: an uncompressed point of 65 bytes, or 32 bytes.
    pub(super) fn public_key(&self) -> Vec<u8> {
        match self {
            Self::Gm(secret) => encode_point(secret.public_key().as_affine()).to_vec(),
            Self::Intl(secret) => x25519_dalek::PublicKey::from(secret).to_bytes().to_vec(),
        }
    }

    /// The shared secret; to be put through HKDF.
    pub(super) fn agree(self, other: &[u8]) -> Result<SecretBytes<32>, SessionError> {
        let bad = SessionError::BadEphemeralKey;
        match self {
            Self::Gm(secret) => {
                let other: &[u8; 65] = other.try_into().map_err(|_| bad)?;
                // Checks that the point is on the curve; the group has prime order, so no small subgroup exists.
                let other = sm2::PublicKey::from_sec1_bytes(other).map_err(|_| bad)?;
                let scalar = secret.to_nonzero_scalar();
                let shared = (other.to_projective() * *scalar).to_affine();
                Ok(SecretBytes::new(shared.x().into()))
            }
            Self::Intl(secret) => {
                let other: [u8; 32] = other.try_into().map_err(|_| bad)?;
                let shared = secret.diffie_hellman(&other.into());
                // A point of small order would make the secret known to everybody.
                if shared.was_contributory() {
                    Ok(SecretBytes::new(shared.to_bytes()))
                } else {
                    Err(bad)
                }
            }
        }
    }
}
