//! Which files a shelf consists of, and how one takes the place of another.
//!
//! `STORE/ID.DATE.rows` holds the rows and `KEYS/ID.DATE.key` their keys, after the first edition of a date
//! `ID.DATE.EDITION.rows` and so on. While it is built the rows' file is named
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
    name::each,
    shelf::{Builder, Label, Place, Shelf, ShelfKeys},
};

/// A key file: 32 bytes for the rows, of which SM4 takes 16, and 32 for the directory.
const KEY_BYTES: usize = 64;

/// What lies in the folder of rows, the rows last.
const FILES: [&str; 5] = [
    "importing",
    "importing-journal",
    "changes",
    "changes-journal",
    "rows",
];

/// Where the shelves of one source lie.
pub(super) struct ShelfFiles {
    pub(super) id: String,
    pub(super) realm: &'static str,
    pub(super) suite: Suite,
    pub(super) store: PathBuf,
    pub(super) keys: PathBuf,
}

impl ShelfFiles {
    /// The newest shelf that is whole and has its key, by whatever mapping it was built.
    ///
    /// # Errors
    /// The disk does not say what lies there, which is not the same as nothing: what cannot be read now is not lost.
    pub(super) fn newest(&self) -> io::Result<Option<Shelf>> {
        let mut places = self.places(&self.store, "rows")?;
        places.sort_unstable();
        for place in places.into_iter().rev() {
            if let Some(shelf) = self.open(place)? {
                return Ok(Some(shelf));
            }
        }
        Ok(None)
    }

    fn open(&self, place: Place) -> io::Result<Option<Shelf>> {
        let mut bytes = Zeroizing::new(Vec::new());
        let key = match File::open(self.path(&self.keys, place, "key")) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        key.take(KEY_BYTES as u64 + 1).read_to_end(&mut bytes)?;
        let Some(keys) = self.read_keys(&bytes) else {
            return Ok(None);
        };
        Shelf::open(&self.path(&self.store, place, "rows"), self.label(place), keys)
    }

    /// Draws keys, writes them down, and begins a file of rows: a further edition, where there is one of that date.
    pub(super) fn begin(&self, as_of: Timestamp, random: &mut ChaCha20Rng) -> io::Result<Builder> {
        for folder in [&self.store, &self.keys] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        }
        let editions = self.places(&self.store, "rows")?.into_iter();
        let editions = editions
            .filter(|place| place.as_of == as_of)
            .map(|place| place.edition);
        let edition = editions.max().map_or(0, |edition| edition.saturating_add(1));
        let place = Place { as_of, edition };
        self.discard(place)?;
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        random.fill_bytes(&mut *bytes);
        let path = self.path(&self.keys, place, "key");
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)?;
        file.write_all(&*bytes)?;
        file.sync_all()?;
        sync(&self.keys)?;
        let keys = self.read_keys(&*bytes).ok_or(io::ErrorKind::InvalidData)?;
        let path = self.path(&self.store, place, "importing");
        Builder::begin(path, self.label(place), keys, ChaCha20Rng::from_rng(random)).map_err(io::Error::other)
    }

    /// Makes a finished file the one that answers: all of it is on disk, then it gets its name.
    /// What is handed over to it before it is named is there from the first moment.
    pub(super) fn publish(
        &self,
        builder: Builder,
        hand_over: impl FnOnce(&Shelf) -> io::Result<()>,
    ) -> io::Result<Shelf> {
        let (path, label, keys) = builder.close().map_err(io::Error::other)?;
        File::open(&path)?.sync_all()?;
        let named = self.path(&self.store, label.place, "rows");
        let shelf = Shelf::open(&path, label, keys)?.ok_or(io::ErrorKind::InvalidData)?;
        hand_over(&shelf)?;
        sync(&self.store)?;
        fs::rename(&path, &named)?;
        sync(&self.store)?;
        Ok(shelf.named(named))
    }

    /// Destroys what is not `kept`: keys first, for without them the rows are nothing.
    pub(super) fn destroy_others(&self, kept: Option<Place>) -> io::Result<()> {
        let mut places = self.places(&self.keys, "key")?;
        for kind in FILES {
            places.extend(self.places(&self.store, kind)?);
        }
        for place in places.into_iter().filter(|place| Some(*place) != kept) {
            self.discard(place)?;
        }
        Ok(())
    }

    /// Destroys the files of one shelf.
    pub(super) fn discard(&self, place: Place) -> io::Result<()> {
        let key = self.path(&self.keys, place, "key");
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
        for kind in FILES {
            remove(&self.path(&self.store, place, kind))?;
        }
        Ok(())
    }

    fn places(&self, folder: &Path, kind: &str) -> io::Result<Vec<Place>> {
        let place = |name: &str| {
            let rest = name.strip_prefix(self.id.as_str())?.strip_prefix('.')?;
            let numbers = rest.strip_suffix(kind)?.strip_suffix('.')?;
            let (date, edition) = match numbers.split_once('.') {
                Some((date, edition)) => (date, edition.parse().ok()?),
                None => (numbers, 0),
            };
            let as_of = Timestamp(date.parse().ok()?);
            Some(Place { as_of, edition })
        };
        let mut places = Vec::new();
        match each(folder, |name| places.extend(place(&name))) {
            // It is made with the first drop.
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Vec::new()),
            listed => listed.map(|()| places),
        }
    }

    fn path(&self, folder: &Path, place: Place, kind: &str) -> PathBuf {
        let Place { as_of, edition } = place;
        folder.join(match edition {
            0 => format!("{}.{}.{kind}", self.id, as_of.0),
            _ => format!("{}.{}.{edition}.{kind}", self.id, as_of.0),
        })
    }

    fn label(&self, place: Place) -> Label {
        Label {
            realm: self.realm,
            source: self.id.clone(),
            place,
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
