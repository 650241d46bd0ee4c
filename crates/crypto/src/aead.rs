//! Authenticated encryption: one key, one nonce, associated data, and a tag at the end.

use std::fmt;

use aes_gcm::aead::AeadInOut;
use aes_gcm::aead::consts::U12;
use aes_gcm::{Aes256Gcm, AesGcm, KeyInit};
use rand_core::CryptoRng;
use sm4::Sm4;

use crate::secret::SecretBytes;
use crate::suite::Suite;

/// Length of a nonce in bytes.
pub const NONCE_LEN: usize = 12;
/// Length of a tag in bytes.
pub const TAG_LEN: usize = 16;

/// SM4 in Galois/counter mode with a 96-bit nonce and a 128-bit tag, as RFC 8998 has it.
type Sm4Gcm = AesGcm<Sm4, U12>;

/// A key of either cipher with its schedule prepared, wiped when dropped.
pub struct DataKey(Cipher);

/// The schedules are boxed: they differ in size by a factor of five.
enum Cipher {
    Gm(SecretBytes<16>, Box<Sm4Gcm>),
    Intl(SecretBytes<32>, Box<Aes256Gcm>),
}

/// The ciphertext is not what was sealed under this key, nonce and associated data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sealed bytes do not open: they were changed, cut, or belong to another key or place")]
pub struct NotAuthentic;

/// Key bytes of a length that the suite does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a key of suite {suite} has {} bytes, these are {len}", suite.key_len())]
pub struct WrongKeyLength {
    suite: Suite,
    len: usize,
}

impl DataKey {
    /// Takes key bytes: 16 for `gm`, 32 for `intl`.
    ///
    /// # Errors
    /// [`WrongKeyLength`] otherwise.
    pub fn new(suite: Suite, bytes: &[u8]) -> Result<Self, WrongKeyLength> {
        let wrong = |_| WrongKeyLength {
            suite,
            len: bytes.len(),
        };
        Ok(match suite {
            Suite::Gm => Self::gm(SecretBytes::new(bytes.try_into().map_err(wrong)?)),
            Suite::Intl => Self::intl(SecretBytes::new(bytes.try_into().map_err(wrong)?)),
        })
    }

    /// Draws a new key.
    pub fn generate(suite: Suite, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        match suite {
            Suite::Gm => Self::gm(SecretBytes::generate(rng)),
            Suite::Intl => Self::intl(SecretBytes::generate(rng)),
        }
    }

    /// Derives a key by HKDF with the suite's hash.
    pub(crate) fn derive(suite: Suite, salt: &[u8], secret: &[u8], info: &[&[u8]]) -> Self {
        match suite {
            Suite::Gm => {
                let mut key = SecretBytes::new([0; 16]);
                suite.derive(salt, secret, info, key.expose_mut());
                Self::gm(key)
            }
            Suite::Intl => {
                let mut key = SecretBytes::new([0; 32]);
                suite.derive(salt, secret, info, key.expose_mut());
                Self::intl(key)
            }
        }
    }

    fn gm(key: SecretBytes<16>) -> Self {
        let cipher = Box::new(Sm4Gcm::new(key.expose().into()));
        Self(Cipher::Gm(key, cipher))
    }

    fn intl(key: SecretBytes<32>) -> Self {
        let cipher = Box::new(Aes256Gcm::new(key.expose().into()));
        Self(Cipher::Intl(key, cipher))
    }

    /// The suite whose cipher this key is for.
    pub fn suite(&self) -> Suite {
        match self.0 {
            Cipher::Gm(..) => Suite::Gm,
            Cipher::Intl(..) => Suite::Intl,
        }
    }

    /// The key bytes, to be wrapped under another key.
    pub(crate) fn expose(&self) -> &[u8] {
        match &self.0 {
            Cipher::Gm(key, _) => key.expose(),
            Cipher::Intl(key, _) => key.expose(),
        }
    }
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DataKey({}, redacted)", self.suite())
    }
}

/// Encrypts and returns `ciphertext ‖ tag`. A nonce must never repeat under one key.
pub fn seal(key: &DataKey, nonce: &[u8; NONCE_LEN], aad: &[u8], plaintext: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(plaintext.len() + TAG_LEN);
    seal_onto(key, nonce, aad, &[plaintext], &mut out);
    out
}

/// As [`seal`], but of a plaintext in parts, and appends to a header that is already in `out`.
pub(crate) fn seal_onto(
    key: &DataKey,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    plaintext: &[&[u8]],
    out: &mut Vec<u8>,
) {
    let start = out.len();
    out.reserve_exact(plaintext.iter().map(|part| part.len()).sum::<usize>() + TAG_LEN);
    for part in plaintext {
        out.extend_from_slice(part);
    }
    let buffer = (&mut out[start..]).into();
    let tag = match &key.0 {
        Cipher::Gm(_, cipher) => cipher.encrypt_inout_detached(nonce.into(), aad, buffer),
        Cipher::Intl(_, cipher) => cipher.encrypt_inout_detached(nonce.into(), aad, buffer),
    };
    // INVARIANT: GCM refuses only 64 GiB and more in one piece, which does not fit the bounds of any caller.
    out.extend_from_slice(&tag.expect("plaintext is below 64 GiB"));
}

/// Decrypts `ciphertext ‖ tag`.
///
/// # Errors
/// [`NotAuthentic`] when key, nonce, associated data or any bit differs from what was sealed.
pub fn open(
    key: &DataKey,
    nonce: &[u8; NONCE_LEN],
    aad: &[u8],
    sealed: &[u8],
) -> Result<Vec<u8>, NotAuthentic> {
    let (ciphertext, tag) = sealed.split_last_chunk::<TAG_LEN>().ok_or(NotAuthentic)?;
    let mut out = ciphertext.to_vec();
    let buffer = out.as_mut_slice().into();
    match &key.0 {
        Cipher::Gm(_, cipher) => cipher.decrypt_inout_detached(nonce.into(), aad, buffer, tag.into()),
        Cipher::Intl(_, cipher) => cipher.decrypt_inout_detached(nonce.into(), aad, buffer, tag.into()),
    }
    .map_err(|_| NotAuthentic)?;
    Ok(out)
}
