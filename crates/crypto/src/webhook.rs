//! Signatures of pushed messages, by Standard Webhooks: over `id.timestamp.body`, as `v1,BASE64` with a shared secret
//! (HMAC-SHA-256) or `v1a,BASE64` with Ed25519. Where SM2 is agreed instead, the same bytes are signed with SM2 (r ‖ s,
//! default user id) and written as `v1sm2,BASE64`; that name is ours.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    session::{Identity, KeyTextError, Peer},
    suite::Suite,
};

/// How many signatures a message may carry, of all schemes.
const MAX_SIGNATURES: usize = 8;
/// How many of them may be of a sender's own key, each of which costs another hash of the body: a sender that changes
/// its key signs with both.
const MAX_OF_SIGNER: usize = 2;
/// Bytes of a shared secret, as the standard has it.
const SECRET_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// What tells whether a message came from who was agreed.
pub enum WebhookKey {
    /// Both sides have it.
    Shared(SharedSecret),
    /// The sender's public key.
    Signer(Box<Peer>),
}

/// A secret that both sides have.
pub struct SharedSecret(Zeroizing<Vec<u8>>);

/// What is signed.
#[derive(Debug, Clone, Copy)]
pub struct SignedParts<'a> {
    /// The header `webhook-id`.
    pub id: &'a str,
    /// The header `webhook-timestamp`: seconds since 1970, as it was written.
    pub timestamp: &'a str,
    /// The body, byte for byte.
    pub body: &'a [u8],
}

impl SharedSecret {
    /// Reads `whsec_` and base64 of 24 to 64 bytes; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(STANDARD.decode(text.trim().strip_prefix("whsec_")?).ok()?);
        SECRET_BYTES.contains(&bytes.len()).then_some(Self(bytes))
    }

    /// The header `webhook-signature` of a message.
    pub fn sign(&self, parts: SignedParts<'_>) -> String {
        format!("v1,{}", STANDARD.encode(self.mac(parts).finalize().into_bytes()))
    }

    fn mac(&self, parts: SignedParts<'_>) -> Hmac<Sha256> {
        // INVARIANT: HMAC takes a key of any length.
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("any length");
        for part in [
            parts.id.as_bytes(),
            b".",
            parts.timestamp.as_bytes(),
            b".",
            parts.body,
        ] {
            mac.update(part);
        }
        mac
    }
}

impl WebhookKey {
    /// Reads the sender's public key: `gm-public:…` for SM2, `intl-public:…` for Ed25519.
    ///
    /// # Errors
    /// [`KeyTextError`] when it is none.
    pub fn signer(text: &str) -> Result<Self, KeyTextError> {
        Peer::from_base64("signer", text).map(|peer| WebhookKey::Signer(Box::new(peer)))
    }

    /// Whether any of the signatures in the header `webhook-signature` is the sender's. A shared secret is compared in
    /// constant time. The body is hashed only where there is a signature of the right scheme and length, and with a
    /// shared secret once.
    #[must_use]
    pub fn verify(&self, parts: SignedParts<'_>, signatures: &str) -> bool {
        let signatures = signatures.split(' ').take(MAX_SIGNATURES);
        match self {
            WebhookKey::Shared(secret) => {
                let signed: Vec<[u8; 32]> = of_scheme("v1", signatures).collect();
                let Some(mac) = (!signed.is_empty()).then(|| secret.mac(parts)) else {
                    return false;
                };
                signed.iter().any(|tag| mac.clone().verify_slice(tag).is_ok())
            }
            WebhookKey::Signer(peer) => {
                let signed: Vec<[u8; 64]> = of_scheme(scheme(peer.suite()), signatures)
                    .take(MAX_OF_SIGNER)
                    .collect();
                let Some(bytes) = (!signed.is_empty()).then(|| joined(parts)) else {
                    return false;
                };
                signed.iter().any(|signature| peer.verify(&bytes, signature))
            }
        }
    }
}

/// The signatures of this scheme that have its length.
fn of_scheme<'a, const N: usize>(
    scheme: &'a str,
    signatures: impl Iterator<Item = &'a str>,
) -> impl Iterator<Item = [u8; N]> {
    signatures.filter_map(move |signature| {
        let encoded = signature.strip_prefix(scheme)?.strip_prefix(',')?;
        STANDARD.decode(encoded).ok()?.try_into().ok()
    })
}

/// The header `webhook-signature` of a message that is signed with a key of its sender alone.
pub fn sign(identity: &Identity, parts: SignedParts<'_>) -> String {
    let signature = identity.sign(&joined(parts));
    format!("{},{}", scheme(identity.suite()), STANDARD.encode(signature))
}

fn scheme(suite: Suite) -> &'static str {
    match suite {
        Suite::Gm => "v1sm2",
        Suite::Intl => "v1a",
    }
}

fn joined(parts: SignedParts<'_>) -> Vec<u8> {
    [
        parts.id.as_bytes(),
        b".",
        parts.timestamp.as_bytes(),
        b".",
        parts.body,
    ]
    .concat()
}

impl fmt::Debug for SharedSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SharedSecret(redacted)")
    }
}

impl fmt::Debug for WebhookKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            WebhookKey::Shared(_) => "WebhookKey(shared, redacted)",
            WebhookKey::Signer(_) => "WebhookKey(signer)",
        })
    }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    use super::*;

    const PARTS: SignedParts<'_> = SignedParts {
        id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
        timestamp: "1614265330",
        body: br#"{"test": 2432232314}"#,
    };

    /// The example that the standard's own libraries are tested with.
    #[test]
    fn the_standards_example_verifies() {
        let secret = || SharedSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let signature = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
        assert_eq!(secret().sign(PARTS), signature);
        let key = WebhookKey::Shared(secret());
        assert!(key.verify(PARTS, signature));
        assert!(key.verify(PARTS, &format!("v1,AAAA v1a,AAAA {signature}")));
        for other in [
            SignedParts {
                id: "msg_p5jXN8AQM9LWM0D4loKWxJel",
                ..PARTS
            },
            SignedParts {
                timestamp: "1614265331",
                ..PARTS
            },
            SignedParts { body: b"{}", ..PARTS },
        ] {
            assert!(!key.verify(other, signature));
        }
        for wrong in [
            "",
            "v1",
            "v1,",
            "v1,!",
            "v2,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
        ] {
            assert!(!key.verify(PARTS, wrong), "{wrong}");
        }
    }

    #[test]
    fn a_shared_secret_has_its_length() {
        for text in [
            "",
            "whsec_",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_AAAA",
            "whsec_!",
        ] {
            assert!(SharedSecret::parse(text).is_none(), "{text}");
        }
    }

    #[test]
    fn a_senders_own_key_verifies_under_its_scheme_alone() {
        for (suite, scheme) in [(Suite::Gm, "v1sm2,"), (Suite::Intl, "v1a,")] {
            let mut random = ChaCha20Rng::from_seed([1; 32]);
            let identity = Identity::generate("holder", suite, &mut random).unwrap();
            let key = WebhookKey::signer(&identity.peer().to_base64()).unwrap();
            let signature = sign(&identity, PARTS);
            assert!(signature.starts_with(scheme));
            assert!(key.verify(PARTS, &signature));
            assert!(!key.verify(PARTS, &signature.replace(scheme, "v1,")));
            assert!(!key.verify(SignedParts { id: "x", ..PARTS }, &signature));
            // Two of a sender that changes its key; a header full of them does not make the body be hashed so often.
            let other = format!("{scheme}{}", STANDARD.encode([7; 64]));
            assert!(key.verify(PARTS, &format!("v1,AAAA {other} {signature}")));
            assert!(!key.verify(PARTS, &format!("{other} {other} {signature}")));
        }
    }
}
