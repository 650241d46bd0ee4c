//! Which files a shelf consists of, and how one takes the place of another.
//!
//! `STORE/ID.DATE.rows` holds the rows and `KEYS/ID.DATE.key` their keys. While it is built the rows' file is named
//! `.importing`; renaming it is the one step that makes a drop the one that answers. Whatever else lies there after
//! a crash, an unfinished file or the one before, is not the newest `.rows` with its key, and is destroyed.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use crypto::{DataKey, DirectoryKey, SecretBytes, Suite};
use domain::time::Timestamp;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

use super::{
    name::list,
    shelf::{Builder, Label, Shelf, ShelfKeys},
};

/// A key file: 32 bytes for the rows, of which SM4 takes 16, and 32 for the directory.
const KEY_BYTES: usize = 64;
/// How many files of the folders are looked at.
const MAX_FILES: usize = 100_000;

/// Where the shelves of one source lie.
pub(super) struct ShelfFiles {
    pub(super) id: String,
    pub(super) realm: &'static str,
    pub(super) suite: Suite,
    pub(super) store: PathBuf,
    pub(super) keys: PathBuf,
}

impl ShelfFiles {
    /// The newest shelf that is whole, has its key, and was built by this version of the mapping.
    pub(super) fn newest(&self, version: u32) -> Option<Shelf> {
        let mut dates = self.dates(&self.store, "rows");
        dates.sort_unstable_by(|a, b| b.cmp(a));
        dates
            .into_iter()
            .find_map(|as_of| self.open(as_of).filter(|shelf| shelf.version() == version))
    }

    fn open(&self, as_of: Timestamp) -> Option<Shelf> {
        let mut bytes = Zeroizing::new(Vec::new());
        let key = File::open(self.path(&self.keys, as_of, "key")).ok()?;
        key.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes).ok()?;
        let keys = self.read_keys(&bytes)?;
        Shelf::open(&self.path(&self.store, as_of, "rows"), self.label(as_of), keys)
    }

    /// Draws keys, writes them down, and begins a file of rows.
    pub(super) fn begin(&self, as_of: Timestamp, random: &mut ChaCha20Rng) -> io::Result<Builder> {
        for folder in [&self.store, &self.keys] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        self.discard(as_of)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random.fill_bytes(&mut *bytes);
        let path = self.path(&self.keys, as_of, "key");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&*bytes)?;
        file.sync_all()?;
        sync(&self.keys)?;
        let keys = self.read_keys(&*bytes).ok_or(io::ErrorKind::InvalidData)?;
        let path = self.path(&self.store, as_of, "importing");
        Builder::begin(path, self.label(as_of), keys, ChaCha20Rng::from_rng(random)).map_err(io::Error::other)
    }

    /// Makes a finished file the one that answers: all of it is on disk, then it gets its name.
    pub(super) fn publish(&self, builder: Builder) -> io::Result<Shelf> {
        let (path, label, keys) = builder.close().map_err(io::Error::other)?;
        File::open(&path)?.sync_all()?;
        let named = self.path(&self.store, label.as_of, "rows");
        fs::rename(&path, &named)?;
        sync(&self.store)?;
        Shelf::open(&named, label, keys).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    /// Destroys what is not `kept`: keys first, for without them the rows are nothing.
    pub(super) fn destroy_others(&self, kept: Option<Timestamp>) -> io::Result<()> {
        let mut dates = self.dates(&self.keys, "key");
        for kind in ["rows", "importing", "importing-journal"] {
            dates.extend(self.dates(&self.store, kind));
        }
        for as_of in dates.into_iter().filter(|as_of| Some(*as_of) != kept) {
            self.discard(as_of)?;
        }
        if let Some(as_of) = kept {
            remove(&self.path(&self.store, as_of, "importing"))?;
        }
        Ok(())
    }

    /// Destroys the files of one date.
    pub(super) fn discard(&self, as_of: Timestamp) -> io::Result<()> {
        let key = self.path(&self.keys, as_of, "key");
        match OpenOptions::new().write(true).open(&key) {
            Ok(mut file) => {
                file.write_all(&[0; KEY_BYTES])?;
                file.sync_all()?;
                remove(&key)?;
                sync(&self.keys)?;
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
        for kind in ["importing", "importing-journal", "rows"] {
            remove(&self.path(&self.store, as_of, kind))?;
        }
        Ok(())
    }

    fn dates(&self, folder: &Path, kind: &str) -> Vec<Timestamp> {
        let date = |name: &String| {
            let rest = name.strip_prefix(self.id.as_str())?.strip_prefix('.')?;
            let digits = rest.strip_suffix(kind)?.strip_suffix('.')?;
            digits.parse().ok().map(Timestamp)
        };
        list(folder, MAX_FILES)
            .unwrap_or_default()
            .iter()
            .filter_map(date)
            .collect()
    }

    fn path(&self, folder: &Path, as_of: Timestamp, kind: &str) -> PathBuf {
        folder.join(format!("{}.{}.{kind}", self.id, as_of.0))
    }

    fn label(&self, as_of: Timestamp) -> Label {
        Label {
            realm: self.realm,
            source: self.id.clone(),
            as_of,
        }
    }

    fn read_keys(&self, bytes: &[u8]) -> Option<ShelfKeys> {
        let (data, directory) = bytes.split_first_chunk::<32>()?;
        let directory = SecretBytes::new(directory.try_into().ok()?);
        Some(ShelfKeys {
            data: DataKey::new(self.suite, &data[..self.suite.key_len()]).ok()?,
            directory: DirectoryKey::new(self.suite, 0, &directory),
        })
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

/// A new or changed name is durable once its folder is.
fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}
