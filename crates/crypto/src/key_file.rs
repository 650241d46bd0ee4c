//! The key file: how a deployment's keys lie on disk, or in one environment variable. [format]
//!
//! One JSON object: `format`, `realm`, `suite`; lists `roots`, `directory`, `codes`, `cookies` of
//! `{version, created_us, key}`, versions ascending, the last in use; `log_ed25519`, and with suite `gm`
//! `log_sm2`. Every key is 32 random bytes in base64.
//!
//! The secrets that must survive a rotation of the root (log, directory, codes, cookies) are random by
//! themselves, not derived from a root. They are not wrapped under a root either: the roots stand in the same
//! file, so wrapping would only look like protection. What protects the file is its mode, 0600, and that it is
//! kept apart from the data and from the data's backups.
//!
//! A file is written whole under a name of its own and synced before it takes its place, and the folder is
//! synced after: whoever crashes leaves the old file or the new one. Writers exclude each other by a lock on the
//! folder, because of two rotations at once one would lose its root, and with it all that it wrapped.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rand_core::CryptoRng;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::code::CodeKey;
use crate::directory::DirectoryKey;
use crate::key_ring::{RootKeys, Roots};
use crate::mac::MacKey;
use crate::secret::SecretBytes;
use crate::signer::{Ed25519Signer, Sm2Signer};
use crate::suite::Suite;

/// The value of `format`.
const FORMAT: &str = "mingcha-keys-v1";
/// Longest key file that is read, in bytes; some three thousand rotations.
const MAX_LEN: u64 = 512 * 1024;

/// Why keys could not be loaded, made or rotated. No message shows a key.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The operating system refused.
    #[error("key file {path}: cannot {action}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried.
        action: &'static str,
        /// What the system said.
        source: io::Error,
    },
    /// Others than the owner may read or write it.
    #[error("key file {path} is open to others (mode {mode:04o}); run: chmod 600 {path}")]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A folder, a pipe, a device.
    #[error("key file {0} is not a regular file")]
    NotAFile(PathBuf),
    /// Longer than any key file.
    #[error("key file is longer than {MAX_LEN} bytes; it is not a key file")]
    TooLong,
    /// A file is already there, and keys are never overwritten.
    #[error("key file {0} exists; keys are never overwritten")]
    Exists(PathBuf),
    /// Another process is writing keys in the same folder.
    #[error("key file {0}: another process is changing keys in this folder; try again when it is done")]
    Busy(PathBuf),
    /// Not the JSON of a key file; the position only, because the text may be a key.
    #[error("keys are not valid JSON of a key file, at line {line}, column {column}")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// The JSON is well formed and says something impossible.
    #[error("keys: {0}")]
    Content(&'static str),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyFile {
    format: String,
    realm: String,
    suite: Suite,
    roots: Vec<Versioned>,
    directory: Vec<Versioned>,
    codes: Vec<Versioned>,
    cookies: Vec<Versioned>,
    log_ed25519: Encoded,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log_sm2: Option<Encoded>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Versioned {
    version: u32,
    created_us: i64,
    key: Encoded,
}

/// A key that is base64 in JSON.
#[derive(Clone)]
struct Encoded(SecretBytes<32>);

impl RootKeys {
    /// Makes new keys and writes them to a new file with mode 0600. `now_us` is UTC in microseconds.
    ///
    /// # Errors
    /// [`KeyFileError`] when a file is already there or cannot be written safely.
    pub fn create(
        path: &Path,
        realm: &str,
        suite: Suite,
        now_us: i64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, KeyFileError> {
        let folder = lock_folder(path)?;
        let keys = KeyFile::generate(realm, suite, now_us, rng);
        keys.check()?;
        let new = write_beside(path, &keys)?;
        // A hard link, unlike a rename, fails where a file already is.
        let linked = std::fs::hard_link(&new, path);
        let removed = std::fs::remove_file(&new);
        match linked {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(KeyFileError::Exists(path.to_owned()));
            }
            other => other.map_err(io_error(path, "put the new file in place"))?,
        }
        removed.map_err(io_error(&new, "remove the temporary name"))?;
        folder.sync_all().map_err(io_error(path, "sync its folder"))?;
        Self::load(path)
    }

    /// Reads a key file.
    ///
    /// # Errors
    /// [`KeyFileError`] when it is open to others or not a key file.
    pub fn load(path: &Path) -> Result<Self, KeyFileError> {
        KeyFile::read(path)?.prepare()
    }

    /// Reads the text of a key file, for deployments that keep it in an environment variable.
    ///
    /// # Errors
    /// [`KeyFileError`] when it is not the text of a key file.
    pub fn parse(text: &str) -> Result<Self, KeyFileError> {
        KeyFile::parse(text)?.prepare()
    }

    /// Adds a root key to a key file and returns the keys with it. The new root is durable before this returns;
    /// processes that loaded the file before must load it again before they meet a key wrapped under it.
    ///
    /// # Errors
    /// [`KeyFileError`] as for [`RootKeys::load`], or when the file cannot be replaced safely.
    pub fn rotate(
        path: &Path,
        now_us: i64,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, KeyFileError> {
        let folder = lock_folder(path)?;
        let mut keys = KeyFile::read(path)?;
        let last = keys.roots.last().map_or(0, |root| root.version);
        let version = last
            .checked_add(1)
            .ok_or(KeyFileError::Content("no root version is left"))?;
        keys.roots.push(Versioned {
            version,
            created_us: now_us,
            key: Encoded(SecretBytes::generate(rng)),
        });
        let new = write_beside(path, &keys)?;
        std::fs::rename(&new, path).map_err(io_error(path, "put the new file in place"))?;
        folder.sync_all().map_err(io_error(path, "sync its folder"))?;
        Self::load(path)
    }
}

impl KeyFile {
    fn generate(realm: &str, suite: Suite, now_us: i64, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut first = || {
            vec![Versioned {
                version: 1,
                created_us: now_us,
                key: Encoded(SecretBytes::generate(rng)),
            }]
        };
        let (roots, directory, codes, cookies) = (first(), first(), first(), first());
        Self {
            format: FORMAT.to_owned(),
            realm: realm.to_owned(),
            suite,
            roots,
            directory,
            codes,
            cookies,
            log_ed25519: Encoded(SecretBytes::generate(rng)),
            log_sm2: (suite == Suite::Gm).then(|| Encoded(Sm2Signer::generate_secret(rng))),
        }
    }

    fn read(path: &Path) -> Result<Self, KeyFileError> {
        let file = File::open(path).map_err(io_error(path, "open it"))?;
        let metadata = file.metadata().map_err(io_error(path, "look at it"))?;
        if !metadata.is_file() {
            return Err(KeyFileError::NotAFile(path.to_owned()));
        }
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyFileError::OpenToOthers {
                path: path.to_owned(),
                mode,
            });
        }
        // The buffer is as large as the file from the start: a growing one would leave copies behind.
        let capacity = usize::try_from(metadata.len().min(MAX_LEN)).unwrap_or(0) + 1;
        let mut text = Zeroizing::new(String::with_capacity(capacity));
        file.take(MAX_LEN + 1)
            .read_to_string(&mut text)
            .map_err(io_error(path, "read it"))?;
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self, KeyFileError> {
        if text.len() as u64 > MAX_LEN {
            return Err(KeyFileError::TooLong);
        }
        let keys: Self = serde_json::from_str(text).map_err(|error| KeyFileError::Syntax {
            line: error.line(),
            column: error.column(),
        })?;
        keys.check()?;
        Ok(keys)
    }

    fn check(&self) -> Result<(), KeyFileError> {
        let ascending = |keys: &[Versioned]| {
            !keys.is_empty() && keys[0].version > 0 && keys.is_sorted_by(|one, two| one.version < two.version)
        };
        let realm_ok =
            (1..=32).contains(&self.realm.len()) && self.realm.bytes().all(|b| b.is_ascii_lowercase());
        let problem = if self.format != FORMAT {
            "`format` is not \"mingcha-keys-v1\""
        } else if !realm_ok {
            "`realm` is 1 to 32 lower-case letters, such as \"demo\" or \"production\""
        } else if !ascending(&self.roots) {
            "`roots` is a list of at least one key, versions rising from 1"
        } else if !ascending(&self.directory) {
            "`directory` is a list of at least one key, versions rising from 1"
        } else if !ascending(&self.codes) {
            "`codes` is a list of at least one key, versions rising from 1"
        } else if !ascending(&self.cookies) {
            "`cookies` is a list of at least one key, versions rising from 1"
        } else if self.log_sm2.is_some() != (self.suite == Suite::Gm) {
            "`log_sm2` belongs to suite \"gm\", which needs it, and to no other"
        } else {
            return Ok(());
        };
        Err(KeyFileError::Content(problem))
    }

    fn prepare(self) -> Result<RootKeys, KeyFileError> {
        let suite = self.suite;
        let cookies = self
            .cookies
            .last()
            .ok_or(KeyFileError::Content("`cookies` is empty"))?;
        let roots = self.roots.iter().map(|root| (root.version, &root.key.0));
        let log_sm2 = self
            .log_sm2
            .as_ref()
            .map(|key| Sm2Signer::new(&key.0))
            .transpose();
        Ok(RootKeys {
            roots: Roots::new(suite, roots).ok_or(KeyFileError::Content("`roots` is empty"))?,
            directories: self
                .directory
                .iter()
                .map(|key| DirectoryKey::new(suite, key.version, &key.key.0))
                .collect(),
            codes: self
                .codes
                .iter()
                .map(|key| CodeKey::new(suite, key.version, &key.key.0))
                .collect(),
            cookies: MacKey::new(suite, cookies.version, &cookies.key.0),
            log_ed25519: Ed25519Signer::new(&self.log_ed25519.0),
            log_sm2: log_sm2.map_err(|_| KeyFileError::Content("`log_sm2` is not an SM2 secret key"))?,
            realm: self.realm,
            suite,
        })
    }

    /// The file's text. The buffer never grows: `Versioned` needs at most 160 bytes.
    fn text(&self) -> Result<Zeroizing<Vec<u8>>, serde_json::Error> {
        let entries = self.roots.len() + self.directory.len() + self.codes.len() + self.cookies.len();
        let mut text = Zeroizing::new(Vec::with_capacity(1024 + 160 * entries));
        serde_json::to_writer_pretty(&mut *text, self)?;
        text.push(b'\n');
        Ok(text)
    }
}

/// Takes the lock that writers of key files hold; it goes with the returned handle.
fn lock_folder(path: &Path) -> Result<File, KeyFileError> {
    let parent = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let folder = File::open(parent).map_err(io_error(path, "open its folder"))?;
    match folder.try_lock() {
        Ok(()) => Ok(folder),
        Err(TryLockError::WouldBlock) => Err(KeyFileError::Busy(path.to_owned())),
        Err(TryLockError::Error(error)) => Err(io_error(path, "lock its folder")(error)),
    }
}

/// Writes and syncs the keys under a temporary name in the same folder, and returns that name. The caller holds
/// the folder's lock, so what has that name already was left by a writer that died: a copy of live keys.
fn write_beside(path: &Path, keys: &KeyFile) -> Result<PathBuf, KeyFileError> {
    let text = keys
        .text()
        .map_err(|_| KeyFileError::Content("the keys do not serialise"))?;
    let mut name = std::ffi::OsString::from(".");
    name.push(
        path.file_name()
            .ok_or_else(|| KeyFileError::NotAFile(path.to_owned()))?,
    );
    name.push(".new");
    let new = path.with_file_name(name);
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(io_error(&new, "remove what a writer left")(error));
        }
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)
        .map_err(io_error(&new, "create it"))?;
    file.write_all(&text)
        .and_then(|()| file.sync_all())
        .map_err(io_error(&new, "write it"))?;
    Ok(new)
}

fn io_error(path: &Path, action: &'static str) -> impl FnOnce(io::Error) -> KeyFileError {
    let path = path.to_owned();
    move |source| KeyFileError::Io { path, action, source }
}

mod encoded {
    //! Base64 of a key in JSON, without a copy of it that nobody wipes.

    use std::fmt;

    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use serde::de::{Deserialize, Deserializer, Error, Visitor};
    use serde::ser::{Serialize, Serializer};
    use zeroize::Zeroize;

    use super::Encoded;
    use crate::secret::SecretBytes;

    /// Characters of 32 bytes in base64; the decoder wants room for the 33 bytes that as many could be.
    const TEXT_LEN: usize = 44;

    impl Serialize for Encoded {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut text = [0; TEXT_LEN];
            let result = match STANDARD.encode_slice(self.0.expose(), &mut text) {
                Ok(len) => serializer.serialize_str(std::str::from_utf8(&text[..len]).unwrap_or_default()),
                Err(error) => Err(serde::ser::Error::custom(error)),
            };
            text.zeroize();
            result
        }
    }

    impl<'de> Deserialize<'de> for Encoded {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            deserializer.deserialize_str(KeyVisitor)
        }
    }

    struct KeyVisitor;

    impl Visitor<'_> for KeyVisitor {
        type Value = Encoded;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("32 bytes in base64")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Encoded, E> {
            let mut room = SecretBytes::new([0; 33]);
            let decoded = STANDARD.decode_slice(text, room.expose_mut());
            if decoded != Ok(32) {
                return Err(E::custom("not 32 bytes in base64"));
            }
            let mut key = SecretBytes::new([0; 32]);
            key.expose_mut().copy_from_slice(&room.expose()[..32]);
            Ok(Encoded(key))
        }
    }
}
