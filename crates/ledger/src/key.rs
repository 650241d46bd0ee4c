//! Verifier keys: who may sign a note, and how a signature line names its key (C2SP signed-note, sections
//! "Signatures" and "Signature types").

use crate::hash::sha256;
use crate::text;
use std::fmt;
use thiserror::Error;

/// Four bytes that, together with the key's name, tell which key made a signature. No strong hash.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct KeyId(pub [u8; 4]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", u32::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What a key signs, and by which algorithm.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum SignatureType {
    /// `0x01`: Ed25519 (RFC 8032) over the note's text. A log's own signature.
    Ed25519,
    /// `0x04`: Ed25519 over a time and the note's text. A witness's cosignature.
    CosignatureV1,
    /// `0xff`, followed by `mingcha-sm2-v1`: SM2 (GB/T 32918.2) with SM3 and the default user id over the
    /// note's text, the signature 64 bytes `r ‖ s`. A log's second signature, with the suite `gm`.
    Sm2,
}

impl SignatureType {
    const ALL: [SignatureType; 3] = [
        SignatureType::Ed25519,
        SignatureType::CosignatureV1,
        SignatureType::Sm2,
    ];

    /// The identifier, which stands before the public key in key ids and verifier keys. signed-note
    /// recommends that `0xff` be followed by a longer name that is unlikely to collide.
    fn identifier(self) -> &'static [u8] {
        match self {
            SignatureType::Ed25519 => &[0x01],
            SignatureType::CosignatureV1 => &[0x04],
            SignatureType::Sm2 => b"\xffmingcha-sm2-v1",
        }
    }

    /// Ed25519 keys are 32 bytes (RFC 8032); SM2 keys an uncompressed point, `0x04 ‖ x ‖ y`.
    fn accepts(self, public_key: &[u8]) -> bool {
        match self {
            SignatureType::Ed25519 | SignatureType::CosignatureV1 => public_key.len() == 32,
            SignatureType::Sm2 => public_key.len() == 65 && public_key[0] == 0x04,
        }
    }
}

/// Why something is not a verifier key.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum KeyError {
    /// Not of the form name, `+`, eight lower-case hex digits, `+`, base64.
    #[error("a verifier key has the form <name>+<8 hex digits>+<base64>")]
    Malformed,
    /// Empty, or with a space, a plus or a control character.
    #[error("the key's name is empty, or has a space, a plus or a control character")]
    Name,
    /// Neither Ed25519, cosignature/v1 nor mingcha-sm2-v1.
    #[error("the key is of an unknown signature type")]
    UnknownType,
    /// Not as long as the signature type demands.
    #[error("the public key does not have the form of its signature type")]
    PublicKey,
    /// The hex digits do not belong to this name and key: probably a typing error.
    #[error("the verifier key's hex digits do not match its name and key; was it copied whole?")]
    Id,
}

/// A public key with its name: whose signatures are recognised.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifierKey {
    name: String,
    signature_type: SignatureType,
    public_key: Vec<u8>,
    id: KeyId,
}

impl VerifierKey {
    /// Names a public key. A log's key has the log's origin as its name. Whether the bytes are a point on
    /// the curve is left to the function that verifies.
    pub fn new(
        name: &str,
        signature_type: SignatureType,
        public_key: &[u8],
    ) -> Result<VerifierKey, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Name);
        }
        if !signature_type.accepts(public_key) {
            return Err(KeyError::PublicKey);
        }
        let hash = sha256(&[name.as_bytes(), b"\n", signature_type.identifier(), public_key]);
        let [a, b, c, d, ..] = hash.0;
        let id = KeyId([a, b, c, d]);
        Ok(VerifierKey {
            name: name.to_owned(),
            signature_type,
            public_key: public_key.to_vec(),
            id,
        })
    }

    /// Reads `<name>+<hex key id>+<base64(type ‖ public key)>`, as written by the `Display` of this type.
    pub fn parse(vkey: &str) -> Result<VerifierKey, KeyError> {
        let (name, rest) = vkey.split_once('+').ok_or(KeyError::Malformed)?;
        let (id, encoded) = rest.split_once('+').ok_or(KeyError::Malformed)?;
        let bytes = text::decode_base64(encoded).ok_or(KeyError::Malformed)?;
        let (signature_type, public_key) = SignatureType::ALL
            .iter()
            .find_map(|known| Some((*known, bytes.strip_prefix(known.identifier())?)))
            .ok_or(KeyError::UnknownType)?;
        let key = VerifierKey::new(name, signature_type, public_key)?;
        if key.id.to_string() == id {
            Ok(key)
        } else {
            Err(KeyError::Id)
        }
    }

    /// The key's name: a log's origin, or what a witness calls itself.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What the key signs, and by which algorithm.
    pub fn signature_type(&self) -> SignatureType {
        self.signature_type
    }

    /// The public key as its signature type encodes it.
    pub fn public_key(&self) -> &[u8] {
        &self.public_key
    }

    /// The key's id: `SHA-256(name ‖ 0x0A ‖ type ‖ public key)`, the first four bytes.
    pub fn id(&self) -> KeyId {
        self.id
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let encoded = text::encode_base64(&[self.signature_type.identifier(), &self.public_key].concat());
        write!(f, "{}+{}+{encoded}", self.name, self.id)
    }
}

/// signed-note: "Key names MUST be non-empty and MUST NOT contain any Unicode spaces or plus (U+002B)
/// characters", and a note has no control characters.
pub(crate) fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c < ' ' || c == '+')
}
