//! Encryption of data at rest: one row's value, bound to the place where it stands.
//!
//! Layout [format]: version `1` (1 byte) ‖ suite (1) ‖ key version (4, big-endian) ‖ nonce (12) ‖ ciphertext ‖
//! tag (16). The associated data is [`Context::associated_data`]: a value copied into another row, column, table,
//! subject or realm, or an older revision put back, does not open.

use rand_core::CryptoRng;

use crate::aead::{self, DataKey, NONCE_LEN, TAG_LEN};
use crate::suite::Suite;

/// Version of the layout.
const VERSION: u8 = 1;
/// Bytes before the ciphertext.
const HEADER_LEN: usize = 6 + NONCE_LEN;
/// By how many bytes an envelope is longer than its plaintext.
pub const OVERHEAD: usize = HEADER_LEN + TAG_LEN;
/// The label at the start of all associated data of this layout.
const LABEL: &[u8] = b"mingcha-envelope-v1";

/// The place of a value. All of it is authenticated, none of it is stored in the envelope but the key version.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// `demo` or `production`.
    pub realm: &'a str,
    /// Table of the value.
    pub table: &'a str,
    /// Column of the value.
    pub column: &'a str,
    /// Subject whom the row is about (and whose key this is).
    pub subject: [u8; 16],
    /// The rest of the row's primary key, in the table's own canonical bytes.
    pub row: &'a [u8],
    /// How often the row was written; 0 where rows never change.
    pub revision: u64,
    /// Which version of the subject's key of this class.
    pub key_version: u32,
}

impl Context<'_> {
    /// Canonical associated data: label ‖ suite ‖ subject ‖ revision ‖ key version, then realm, table, column and
    /// row, each after its length in four bytes. Integers are big-endian. [format]
    pub fn associated_data(&self, suite: Suite) -> Vec<u8> {
        let texts = [
            self.realm.as_bytes(),
            self.table.as_bytes(),
            self.column.as_bytes(),
            self.row,
        ];
        let fixed = LABEL.len() + 1 + 16 + 8 + 4;
        let mut out = Vec::with_capacity(fixed + texts.iter().map(|text| 4 + text.len()).sum::<usize>());
        out.extend_from_slice(LABEL);
        out.push(suite.byte());
        out.extend_from_slice(&self.subject);
        out.extend_from_slice(&self.revision.to_be_bytes());
        out.extend_from_slice(&self.key_version.to_be_bytes());
        for text in texts {
            // A name or key of 4 GiB cannot be a row's; saturating keeps the length prefix unambiguous for all others.
            out.extend_from_slice(&u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            out.extend_from_slice(text);
        }
        out
    }
}

/// Why an envelope does not open. Nothing of its content is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Fewer bytes than the shortest envelope has.
    #[error("an envelope has at least {OVERHEAD} bytes, this has {0}")]
    TooShort(usize),
    /// A layout that this program does not know.
    #[error("envelope version {0} is not known to this program; the known one is 1")]
    UnknownVersion(u8),
    /// A suite that this program does not know.
    #[error("envelope suite {0} is not known to this program")]
    UnknownSuite(u8),
    /// Sealed by the cipher of the other suite than the key at hand.
    #[error("the envelope was sealed with suite {sealed}, the key is of suite {key}")]
    WrongSuite {
        /// Suite named in the envelope.
        sealed: Suite,
        /// Suite of the key.
        key: Suite,
    },
    /// Sealed under another version of the subject's key than the context names.
    #[error("the envelope was sealed with key version {sealed}, not {asked}")]
    WrongKeyVersion {
        /// Version named in the envelope.
        sealed: u32,
        /// Version in the context.
        asked: u32,
    },
    /// The tag does not fit.
    #[error(
        "the envelope does not open: it was changed, or it belongs to another row, or the key is not its key"
    )]
    NotAuthentic,
}

/// Encrypts a row's value under its subject's key, with a nonce from the generator.
pub fn seal_row(
    key: &DataKey,
    context: &Context<'_>,
    plaintext: &[u8],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Vec<u8> {
    seal_row_of(key, context, &[plaintext], rng)
}

/// As [`seal_row`], of a plaintext in parts, which need not be put together before.
pub fn seal_row_of(
    key: &DataKey,
    context: &Context<'_>,
    plaintext: &[&[u8]],
    rng: &mut (impl CryptoRng + ?Sized),
) -> Vec<u8> {
    let mut nonce = [0; NONCE_LEN];
    rng.fill_bytes(&mut nonce);
    let len: usize = plaintext.iter().map(|part| part.len()).sum();
    let mut out = Vec::with_capacity(OVERHEAD + len);
    out.extend_from_slice(&[VERSION, key.suite().byte()]);
    out.extend_from_slice(&context.key_version.to_be_bytes());
    out.extend_from_slice(&nonce);
    aead::seal_onto(
        key,
        &nonce,
        &context.associated_data(key.suite()),
        plaintext,
        &mut out,
    );
    out
}

/// Decrypts a row's value.
///
/// # Errors
/// [`EnvelopeError`] when the envelope is not one, or was not sealed under this key at this place.
pub fn open_row(key: &DataKey, context: &Context<'_>, envelope: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let header = Header::read(envelope)?;
    if header.suite != key.suite() {
        return Err(EnvelopeError::WrongSuite {
            sealed: header.suite,
            key: key.suite(),
        });
    }
    if header.key_version != context.key_version {
        return Err(EnvelopeError::WrongKeyVersion {
            sealed: header.key_version,
            asked: context.key_version,
        });
    }
    aead::open(
        key,
        &header.nonce,
        &context.associated_data(key.suite()),
        &envelope[HEADER_LEN..],
    )
    .map_err(|_| EnvelopeError::NotAuthentic)
}

/// Which version of the subject's key an envelope names, so that the right key can be fetched before opening.
///
/// # Errors
/// [`EnvelopeError`] when the bytes are not an envelope of a known version and suite.
pub fn key_version(envelope: &[u8]) -> Result<u32, EnvelopeError> {
    Header::read(envelope).map(|header| header.key_version)
}

/// The part of an envelope that is readable without a key.
struct Header {
    suite: Suite,
    key_version: u32,
    nonce: [u8; NONCE_LEN],
}

impl Header {
    fn read(envelope: &[u8]) -> Result<Self, EnvelopeError> {
        let too_short = EnvelopeError::TooShort(envelope.len());
        if envelope.len() < OVERHEAD {
            return Err(too_short);
        }
        let ([version, suite], rest) = envelope.split_first_chunk().ok_or(too_short)?;
        let (key_version, rest) = rest.split_first_chunk().ok_or(too_short)?;
        let nonce = rest.first_chunk().ok_or(too_short)?;
        if *version != VERSION {
            return Err(EnvelopeError::UnknownVersion(*version));
        }
        Ok(Self {
            suite: Suite::from_byte(*suite).map_err(|_| EnvelopeError::UnknownSuite(*suite))?,
            key_version: u32::from_be_bytes(*key_version),
            nonce: *nonce,
        })
    }
}
