//! The protocol `file`: a record holder drops a file daily or weekly, and questions are answered from the newest
//! one that was found good as a whole.
//!
//! A drop is `NAME`, its checksum `NAME.sm3` or `NAME.sha256`, and where a signer is named the checksum's signature
//! `….sig`. It is checked, every row is read with the mapping of every route, and then it takes the place of the one
//! before in one step ([`shelf`]). Whatever goes wrong on the way leaves the old one serving.

mod check;
mod csv;
mod import;
mod lines;
mod name;
mod news;
mod raw;
mod read;
mod refresh;
mod shelf;
mod shelf_files;
mod way;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError, RwLock, atomic::AtomicBool},
};

use crypto::{Suite, session::Peer};

pub use news::{DropEvent, DropNews, DropProgress, RowError, Stage};
pub(crate) use raw::RawDrops;
pub(crate) use way::DropWay;

use crate::file::Charset;
use name::Pattern;
use raw::Layout;
use shelf::Shelf;
use shelf_files::ShelfFiles;

/// The drops of one source.
pub(crate) struct Drops {
    /// The source's id, in the names of its files.
    id: String,
    /// The version of the mapping: rows that were found by another one are not searched.
    version: u32,
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
}

/// What was seen before, so that it is told once and not read again each minute.
#[derive(Default)]
struct Looked {
    /// Refused drops, by name, with the sizes and times of their files.
    refused: BTreeMap<String, name::Stamp>,
    /// Drops whose date was refused, which may be right tomorrow.
    dated: BTreeSet<String>,
    /// Names that were there; `None` before the first look.
    seen: Option<BTreeSet<String>>,
}

impl Drops {
    /// The rows that answer at this moment; what lies on the shelf from before is found at the first question.
    pub(crate) fn shelf(&self) -> Option<Arc<Shelf>> {
        if let Serving::Shelf(shelf) = &*self.serving.read().unwrap_or_else(PoisonError::into_inner) {
            return Some(Arc::clone(shelf));
        }
        let mut serving = self.serving.write().unwrap_or_else(PoisonError::into_inner);
        if matches!(*serving, Serving::Unknown) {
            *serving = match self.files.newest(self.version) {
                Some(shelf) => Serving::Shelf(Arc::new(shelf)),
                None => Serving::Nothing,
            };
        }
        match &*serving {
            Serving::Shelf(shelf) => Some(Arc::clone(shelf)),
            _ => None,
        }
    }

    /// Ends an import that is under way; nothing of it stays.
    pub(crate) fn stop(&self) {
        self.stop.store(true, std::sync::atomic::Ordering::Relaxed);
    }
}
