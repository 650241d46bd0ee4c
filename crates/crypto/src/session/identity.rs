//! Who the two parties are: a name and a static key, secret for oneself, public for the other.
//!
//! As text [format]: `gm-secret:` or `intl-secret:`, `gm-public:` or `intl-public:`, then base64 of the key
//! (secret: 32 bytes; public: the 65 bytes of an uncompressed SM2 point, or 32 of Ed25519). The words keep a
//! secret from being handed over where a public key was asked.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use super::{MAX_NAME, SessionError};
use crate::secret::{SecretBytes, SecretText};
use crate::signer::{BadKey, Ed25519Signer, Ed25519Verifier, SIGNATURE_LEN, Sm2Signer, Sm2Verifier};
use crate::suite::Suite;

/// Oneself: the secret half.
pub struct Identity {
    name: String,
    secret: Secret,
}

enum Secret {
    Gm(Sm2Signer),
    Intl(Ed25519Signer),
}

/// The other party: the public half.
#[derive(Clone, Debug)]
pub struct Peer {
    name: String,
    public: Public,
}

#[derive(Clone, Debug)]
enum Public {
    Gm(Sm2Verifier),
    Intl(Ed25519Verifier),
}

/// A text that is not a static key. The text is not shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// The word before the colon is another one.
    #[error("a {0} key begins with \"gm-{0}:\" or \"intl-{0}:\"")]
    Prefix(&'static str),
    /// After the colon stands something else.
    #[error("after the colon stand {0} bytes in base64")]
    Base64(usize),
    /// The bytes are no key of the suite.
    #[error(transparent)]
    Key(#[from] BadKey),
    /// The party's name is empty or too long.
    #[error(transparent)]
    Name(#[from] SessionError),
}

impl Identity {
    /// Draws a new static key.
    ///
    /// # Errors
    /// [`SessionError::BadName`] for a name that is empty or too long.
    pub fn generate(
        name: &str,
        suite: Suite,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, KeyTextError> {
        let bytes = match suite {
            Suite::Gm => Sm2Signer::generate_secret(rng),
            Suite::Intl => SecretBytes::generate(rng),
        };
        Self::new(name, suite, &bytes)
    }

    fn new(name: &str, suite: Suite, bytes: &SecretBytes<32>) -> Result<Self, KeyTextError> {
        let secret = match suite {
            Suite::Gm => Secret::Gm(Sm2Signer::new(bytes)?),
            Suite::Intl => Secret::Intl(Ed25519Signer::new(bytes)),
        };
        Ok(Self {
            name: checked_name(name)?,
            secret,
        })
    }

    /// Reads a secret key from its text.
    ///
    /// # Errors
    /// [`KeyTextError`] when it is none.
    pub fn from_base64(name: &str, text: &str) -> Result<Self, KeyTextError> {
        let (suite, encoded) = split(text, "secret")?;
        let bytes = Zeroizing::new(STANDARD.decode(encoded).map_err(|_| KeyTextError::Base64(32))?);
        let bytes = bytes
            .as_slice()
            .try_into()
            .map_err(|_| KeyTextError::Base64(32))?;
        Self::new(name, suite, &SecretBytes::new(bytes))
    }

    /// The secret key as text.
    pub fn to_base64(&self) -> SecretText {
        let encoded = match &self.secret {
            Secret::Gm(signer) => Zeroizing::new(STANDARD.encode(signer.expose().expose())),
            Secret::Intl(signer) => Zeroizing::new(STANDARD.encode(signer.expose())),
        };
        SecretText::new(format!("{}-secret:{}", self.suite(), *encoded))
    }

    /// The public half, to be given to the other party.
    pub fn peer(&self) -> Peer {
        let public = match &self.secret {
            Secret::Gm(signer) => Public::Gm(signer.verifier()),
            Secret::Intl(signer) => Public::Intl(signer.verifier()),
        };
        Peer {
            name: self.name.clone(),
            public,
        }
    }

    /// The party's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The suite of its key.
    pub fn suite(&self) -> Suite {
        match self.secret {
            Secret::Gm(_) => Suite::Gm,
            Secret::Intl(_) => Suite::Intl,
        }
    }

    /// Signs a message of another protocol than this one, such as the checksum of a file. No message of the
    /// handshake can be such a one: those begin with their label.
    pub fn sign(&self, message: &[u8]) -> [u8; SIGNATURE_LEN] {
        match &self.secret {
            Secret::Gm(signer) => signer.sign(message),
            Secret::Intl(signer) => signer.sign(message),
        }
    }
}

impl Peer {
    /// Reads a public key from its text.
    ///
    /// # Errors
    /// [`KeyTextError`] when it is none.
    pub fn from_base64(name: &str, text: &str) -> Result<Self, KeyTextError> {
        let (suite, encoded) = split(text, "public")?;
        let bytes = STANDARD.decode(encoded).unwrap_or_default();
        let public = match suite {
            Suite::Gm => {
                let point = bytes
                    .as_slice()
                    .try_into()
                    .map_err(|_| KeyTextError::Base64(65))?;
                Public::Gm(Sm2Verifier::new(point)?)
            }
            Suite::Intl => {
                let point = bytes
                    .as_slice()
                    .try_into()
                    .map_err(|_| KeyTextError::Base64(32))?;
                Public::Intl(Ed25519Verifier::new(point)?)
            }
        };
        Ok(Self {
            name: checked_name(name)?,
            public,
        })
    }

    /// The public key as text.
    pub fn to_base64(&self) -> String {
        let encoded = match &self.public {
            Public::Gm(verifier) => STANDARD.encode(verifier.public_key()),
            Public::Intl(verifier) => STANDARD.encode(verifier.public_key()),
        };
        format!("{}-public:{encoded}", self.suite())
    }

    /// The party's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The suite of its key.
    pub fn suite(&self) -> Suite {
        match self.public {
            Public::Gm(_) => Suite::Gm,
            Public::Intl(_) => Suite::Intl,
        }
    }

    /// Whether the party signed a message.
    #[must_use]
    pub fn verify(&self, message: &[u8], signature: &[u8; SIGNATURE_LEN]) -> bool {
        match &self.public {
            Public::Gm(verifier) => verifier.verify(message, signature),
            Public::Intl(verifier) => verifier.verify(message, signature),
        }
    }
}

fn split<'a>(text: &'a str, half: &'static str) -> Result<(Suite, &'a str), KeyTextError> {
    let wrong = KeyTextError::Prefix(half);
    let (prefix, encoded) = text.trim().split_once(':').ok_or(wrong)?;
    let (suite, found) = prefix.split_once('-').ok_or(wrong)?;
    match suite.parse() {
        Ok(suite) if found == half => Ok((suite, encoded)),
        _ => Err(wrong),
    }
}

fn checked_name(name: &str) -> Result<String, SessionError> {
    if (1..=MAX_NAME).contains(&name.len()) {
        Ok(name.to_owned())
    } else {
        Err(SessionError::BadName)
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({}, {}, redacted)", self.name, self.suite())
    }
}
