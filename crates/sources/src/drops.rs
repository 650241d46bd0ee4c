//! The protocol `file`: a record holder drops a file daily or weekly, and questions are answered from the newest
//! one that was found good as a whole.
//!
//! A drop is `NAME`, its checksum `NAME.sm3` or `NAME.sha256`, and where a signer is named the checksum's signature
//! `….sig`. It is checked, every row is read with the mapping of every route, and then it takes the place of the one
//! before in one step ([`shelf`]). Whatever goes wrong on the way leaves the old one serving.

mod changes;
mod check;
mod csv;
mod draft;
mod import;
mod lines;
mod name;
mod news;
mod overlay;
mod plain;
mod pushed;
mod quarantine;
mod raw;
mod read;
mod refresh;
mod shelf;
mod shelf_files;
mod way;
mod ways;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, atomic::AtomicBool},
};

use crypto::{Suite, session::Peer};
use tokio::sync::Semaphore;

pub(crate) use changes::{Changes, RawChanges};
pub use changes::{NotTaken, PushedChange};
pub use draft::{Draft, DraftColumn, draft};
pub use news::{DropEvent, DropNews, DropProgress, DropState, Quarantine, Reading, RowError, Stage};
pub(crate) use raw::RawDrops;
pub(crate) use way::DropWay;

use crate::file::Charset;
use name::Pattern;
use quarantine::Waiting;
use raw::Layout;
use refresh::Candidate;
use shelf::{Digest, Shelf};
use shelf_files::ShelfFiles;

/// The drops of one source.
pub(crate) struct Drops {
    /// The source's id, in the names of its files.
    id: String,
    /// Of the mapping: rows that were read by another one are not searched.
    mapping: Digest,
    folder: PathBuf,
    pattern: Pattern,
    layout: Layout,
    charset: Charset,
    checksum: Suite,
    signer: Option<Peer>,
    bounds: DropBounds,
    files: ShelfFiles,
    serving: RwLock<Serving>,
    /// Held by the one who looks for new drops.
    looking: Mutex<Looked>,
    quarantine: Mutex<Waiting>,
    reading: Mutex<Option<Reading>>,
    /// Held while a change is taken, and while a drop takes the place of the one before.
    changing: Mutex<()>,
    /// One change at a time waits for the disk.
    pushing: Arc<Semaphore>,
    /// A place for each thread that reads; whoever does not come back keeps theirs.
    reads: Arc<Semaphore>,
    overdue: AtomicBool,
    stop: AtomicBool,
}

/// What a drop may be at most.
#[derive(Clone, Copy)]
struct DropBounds {
    /// Days after its date.
    age_days: i64,
    /// Bytes once unpacked.
    bytes: u64,
    /// Bytes of one row.
    row_bytes: usize,
    /// Rows that are left out because they cannot be read.
    bad_rows: u64,
}

/// What answers are given from.
#[derive(Default)]
enum Serving {
    /// Nobody has looked yet.
    #[default]
    Unknown,
    /// There is none.
    Nothing,
    /// The rows of one drop.
    Shelf(Arc<Shelf>),
    /// Rows that were read by another mapping: they are kept until others take their place, in case it comes back.
    Outdated(Arc<Shelf>),
}

/// What was seen before, so that it is told once and not read again each minute.
#[derive(Default)]
struct Looked {
    /// Refused drops, with the sizes and times of their files.
    refused: BTreeMap<Candidate, name::Stamp>,
    /// Drops whose date was refused, which may be right tomorrow.
    dated: BTreeSet<Candidate>,
    /// What was there; `None` before the first look.
    seen: Option<BTreeSet<Candidate>>,
    /// The folder could not be listed.
    no_folder: bool,
    /// It was told that what is there was read by another mapping.
    remapped: bool,
}

impl Drops {
    /// The rows that answer at this moment; what lies on the shelf from before is found at the first question.
    pub(crate) fn shelf(&self) -> Option<Arc<Shelf>> {
        self.find_kept();
        match &*self.serving() {
            Serving::Shelf(shelf) => Some(Arc::clone(shelf)),
            _ => None,
        }
    }

    /// The newest rows that are there, whether they answer or not.
    fn kept(&self) -> Option<Arc<Shelf>> {
        self.find_kept();
        match &*self.serving() {
            Serving::Shelf(shelf) | Serving::Outdated(shelf) => Some(Arc::clone(shelf)),
            _ => None,
        }
    }

    /// Finds what lies on the shelf from before, once. The disk may be slow: nobody is locked out meanwhile.
    fn find_kept(&self) {
        if !matches!(*self.serving(), Serving::Unknown) {
            return;
        }
        let found = match self.files.newest().map(|shelf| shelf.map(Arc::new)) {
            Ok(Some(shelf)) if *shelf.mapping() == self.mapping => Serving::Shelf(shelf),
            Ok(Some(shelf)) => Serving::Outdated(shelf),
            Ok(None) => Serving::Nothing,
            // The disk does not say: whoever asks next asks it again.
            Err(_) => return,
        };
        let mut serving = self.serving.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*serving, Serving::Unknown) {
            *serving = found;
        }
    }

    /// Whether it is known what lies on the shelf: else nothing may be destroyed, and nothing put in its place.
    fn is_known(&self) -> bool {
        !matches!(*self.serving(), Serving::Unknown)
    }

    fn changing(&self) -> MutexGuard<'_, ()> {
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serving(&self) -> RwLockReadGuard<'_, Serving> {
        self.serving.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends an import that is under way; nothing of it stays.
    pub(crate) fn stop(&self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}
