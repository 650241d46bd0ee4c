//! The key ring: root keys wrap the keys of subjects, and the deployment's own secrets hang beside them.
//!
//! A root key encrypts nothing but other keys. Each subject has one [`DataKey`] per retention class; it is
//! stored wrapped, and destroying the wrapped key is what erasure is. Rotation adds a root: the newest wraps, the
//! older ones still unwrap, and [`RootKeys::rewrap`] moves a key over without touching the data under it.
//!
//! A wrapped key is an [`envelope`] [format] whose key version is the version of the root. Its
//! associated data is that of table `wrapped_key`, column = class, revision = version of the wrapped key, so that
//! a wrapped key moved to another subject, class or version does not open.
//!
//! The wrapping key of a root is HKDF(salt `mingcha-root-v1`, root, info `wrap`). Nonces are random, so one root
//! may wrap 2³² keys (SP 800-38D, 8.3); rotate before.

use std::collections::BTreeMap;
use std::fmt;

use rand_core::CryptoRng;

use crate::aead::DataKey;
use crate::code::CodeKey;
use crate::directory::DirectoryKey;
use crate::envelope::{self, Context, EnvelopeError};
use crate::mac::MacKey;
use crate::secret::SecretBytes;
use crate::signer::{Ed25519Signer, Sm2Signer};
use crate::suite::Suite;

/// The keys of a deployment, ready for use. How they are stored: [`key_file`](crate::key_file).
pub struct RootKeys {
    pub(crate) realm: String,
    pub(crate) suite: Suite,
    pub(crate) roots: Roots,
    pub(crate) directories: Vec<DirectoryKey>,
    pub(crate) codes: Vec<CodeKey>,
    pub(crate) cookies: MacKey,
    pub(crate) log_ed25519: Ed25519Signer,
    pub(crate) log_sm2: Option<Sm2Signer>,
}

/// The wrapping keys by version of their root; never empty.
pub(crate) struct Roots {
    newest: (u32, DataKey),
    older: BTreeMap<u32, DataKey>,
}

/// Whose key a wrapped key is.
#[derive(Clone, Copy, Debug)]
pub struct KeyContext<'a> {
    /// The subject.
    pub subject: [u8; 16],
    /// The retention class: `profile`, `record`, `evidence-2026`.
    pub class: &'a str,
    /// The version of the subject's key of that class, as in [`Context::key_version`].
    pub key_version: u32,
}

/// Why a wrapped key does not unwrap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Wrapped by a root that is not in this ring.
    #[error("wrapped under root key version {0}, which is not in the key file; was it rotated elsewhere?")]
    UnknownRoot(u32),
    /// It does not open.
    #[error("wrapped key: {0}")]
    Envelope(#[from] EnvelopeError),
    /// It opens, and what is inside is not a key of its suite.
    #[error("wrapped key: {0}")]
    Length(#[from] crate::aead::WrongKeyLength),
}

impl RootKeys {
    /// The realm these keys belong to: `demo` or `production`.
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// The suite of all keys in the ring.
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The version of the root that wraps.
    pub fn newest_root(&self) -> u32 {
        self.roots.newest.0
    }

    /// Wraps a subject's key under the newest root.
    pub fn wrap(
        &self,
        key: &DataKey,
        context: &KeyContext<'_>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Vec<u8> {
        let (version, root) = &self.roots.newest;
        envelope::seal_row(root, &self.place(context, *version), key.expose(), rng)
    }

    /// Unwraps a subject's key.
    ///
    /// # Errors
    /// [`KeyError`] when its root is not in the ring, or it is not the key of this subject, class and version.
    pub fn unwrap(&self, wrapped: &[u8], context: &KeyContext<'_>) -> Result<DataKey, KeyError> {
        let version = envelope::key_version(wrapped)?;
        let root = self.roots.get(version).ok_or(KeyError::UnknownRoot(version))?;
        let bytes = envelope::open_row(root, &self.place(context, version), wrapped)?;
        let bytes = zeroize::Zeroizing::new(bytes);
        Ok(DataKey::new(self.suite, &bytes)?)
    }

    /// Wraps a wrapped key under the newest root; `None` when it already is.
    ///
    /// # Errors
    /// As [`RootKeys::unwrap`].
    pub fn rewrap(
        &self,
        wrapped: &[u8],
        context: &KeyContext<'_>,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Option<Vec<u8>>, KeyError> {
        if envelope::key_version(wrapped)? == self.newest_root() {
            return Ok(None);
        }
        Ok(Some(self.wrap(&self.unwrap(wrapped, context)?, context, rng)))
    }

    /// The directory key that makes new digests.
    pub fn directory(&self) -> &DirectoryKey {
        // INVARIANT: the key file is refused without a directory key.
        self.directories.last().expect("a directory key")
    }

    /// The directory key of a stored digest.
    pub fn directory_by_id(&self, id: u32) -> Option<&DirectoryKey> {
        self.directories.iter().find(|key| key.id() == id)
    }

    /// The key that hashes new codes and tokens.
    pub fn codes(&self) -> &CodeKey {
        // INVARIANT: the key file is refused without a code key.
        self.codes.last().expect("a code key")
    }

    /// The code key of a stored digest.
    pub fn codes_by_id(&self, id: u32) -> Option<&CodeKey> {
        self.codes.iter().find(|key| key.id() == id)
    }

    /// The key for cookies and form tokens.
    pub fn cookies(&self) -> &MacKey {
        &self.cookies
    }

    /// The log's Ed25519 key, in both suites.
    pub fn log_ed25519(&self) -> &Ed25519Signer {
        &self.log_ed25519
    }

    /// The log's SM2 key, in suite `gm` only.
    pub fn log_sm2(&self) -> Option<&Sm2Signer> {
        self.log_sm2.as_ref()
    }

    fn place<'a>(&'a self, context: &KeyContext<'a>, root: u32) -> Context<'a> {
        Context {
            realm: &self.realm,
            table: "wrapped_key",
            column: context.class,
            subject: context.subject,
            row: &[],
            revision: u64::from(context.key_version),
            key_version: root,
        }
    }
}

impl Roots {
    /// Prepares wrapping keys; `None` when there is no root.
    pub(crate) fn new<'a>(
        suite: Suite,
        roots: impl Iterator<Item = (u32, &'a SecretBytes<32>)>,
    ) -> Option<Self> {
        let mut all: BTreeMap<u32, DataKey> = roots
            .map(|(version, root)| {
                (
                    version,
                    DataKey::derive(suite, b"mingcha-root-v1", root.expose(), &[b"wrap"]),
                )
            })
            .collect();
        all.pop_last().map(|newest| Self { newest, older: all })
    }

    fn get(&self, version: u32) -> Option<&DataKey> {
        if version == self.newest.0 {
            Some(&self.newest.1)
        } else {
            self.older.get(&version)
        }
    }
}

impl fmt::Debug for RootKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "RootKeys({}, {}, root {}, redacted)",
            self.realm,
            self.suite,
            self.newest_root()
        )
    }
}
