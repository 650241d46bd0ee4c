//! The table `[drops]` of a source's file, and what it means.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, RwLock, atomic::AtomicBool},
};

use crypto::{Suite, session::Peer};
use domain::words::Freshness;
use serde::Deserialize;
use tokio::sync::Semaphore;
use toml::Spanned;

use super::{DropBounds, Drops, name::Pattern, shelf, shelf_files::ShelfFiles};
use crate::{
    dial::Realm,
    file::{Charset, Digest, Raw, SourceError, SourceFile},
};

/// Unpacked bytes of a drop, where the file says nothing: ten million rows of 800 bytes.
pub(super) const MAX_BYTES: u64 = 8 << 30;
/// Bytes of a row, where the file says nothing.
pub(super) const MAX_ROW_BYTES: usize = 64 << 10;
/// Reads of one source at once. One takes tens of microseconds; on a disk that hangs it holds a thread, and no source
/// holds more than these.
const READS: usize = 8;

/// The table `[drops]`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawDrops {
    folder: Spanned<PathBuf>,
    name: Spanned<String>,
    layout: RawLayout,
    #[serde(default)]
    delimiter: Option<Spanned<String>>,
    checksum: Digest,
    #[serde(default)]
    signer: Option<Spanned<String>>,
    store: Spanned<PathBuf>,
    keys: Spanned<PathBuf>,
    #[serde(default)]
    suite: Option<Suite>,
    #[serde(default)]
    max_age_days: Option<u16>,
    #[serde(default)]
    max_bytes: Option<u64>,
    #[serde(default)]
    max_row_bytes: Option<Spanned<usize>>,
    #[serde(default)]
    max_bad_rows: u64,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum RawLayout {
    Csv,
    JsonLines,
}

/// How a drop is written.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Layout {
    /// A header, then rows; with this delimiter.
    Csv(u8),
    /// One JSON object a line.
    JsonLines,
}

impl Drops {
    /// Checks the table.
    pub(crate) fn compile(file: &SourceFile, raw: &Raw, realm: Realm) -> Result<Self, SourceError> {
        let spanned = raw.drops.as_ref();
        let spanned = spanned.ok_or_else(|| file.wrong_as_a_whole("drops: the table [drops] is missing"))?;
        let drops = spanned.get_ref();
        if raw.has_http() || raw.sql.is_some() {
            return Err(file.wrong_as_a_whole(
                "endpoint, content, [tls], [auth], [signature], [envelope] and [sql] are of other protocols",
            ));
        }
        for path in [&drops.folder, &drops.store, &drops.keys] {
            if !path.get_ref().is_absolute() {
                return Err(file.wrong(&path.span(), "a path that begins with /"));
            }
        }
        let (store, keys) = (drops.store.get_ref(), drops.keys.get_ref());
        if store == keys || drops.folder.get_ref() == store {
            return Err(file.wrong(
                &drops.store.span(),
                "folder, store and keys are three folders: keys lie apart",
            ));
        }
        let age = match raw.freshness {
            Freshness::Daily => 3,
            Freshness::Weekly => 10,
            Freshness::Realtime => return Err(file.wrong_as_a_whole("freshness: a drop is daily or weekly")),
        };
        if drops.signer.is_none() && realm == Realm::Production {
            return Err(file.wrong(&spanned.span(), "signer: a real record holder signs its drops"));
        }
        let row_bytes = drops
            .max_row_bytes
            .as_ref()
            .map_or(MAX_ROW_BYTES, |max| *max.get_ref());
        if !(64..=1 << 20).contains(&row_bytes) {
            return Err(file.wrong_as_a_whole("max_row_bytes: expected 64 to 1048576"));
        }
        Ok(Drops {
            id: raw.id.get_ref().clone(),
            mapping: mapping(file)?,
            folder: drops.folder.get_ref().clone(),
            pattern: Pattern::parse(drops.name.get_ref()).map_err(|p| file.wrong(&drops.name.span(), p))?,
            layout: drops.layout(file, raw.charset)?,
            charset: raw.charset,
            checksum: drops.checksum.suite(),
            signer: drops.signer(file)?,
            bounds: DropBounds {
                age_days: drops.max_age_days.map_or(age, i64::from),
                bytes: drops.max_bytes.unwrap_or(MAX_BYTES),
                row_bytes,
                bad_rows: drops.max_bad_rows,
            },
            files: drops.files(raw.id.get_ref(), realm, (store, keys)),
            serving: RwLock::default(),
            looking: Mutex::default(),
            quarantine: Mutex::default(),
            reading: Mutex::default(),
            changing: Mutex::default(),
            pushing: Arc::new(Semaphore::new(1)),
            reads: Arc::new(Semaphore::new(READS)),
            overdue: AtomicBool::default(),
            stop: AtomicBool::default(),
        })
    }
}

/// A hash of all that decides how a row is read and found. What else changes in the file (a price, a region, its
/// version) lets the rows answer on.
fn mapping(file: &SourceFile) -> Result<shelf::Digest, SourceError> {
    let wrong = |problem: &dyn ToString| file.wrong_as_a_whole(problem.to_string());
    let table: toml::Table = file.text.parse().map_err(|e| wrong(&e))?;
    let drops = |name| table.get("drops").and_then(|drops| drops.get(name));
    let parts = [
        table.get("serves"),
        table.get("charset"),
        drops("layout"),
        drops("delimiter"),
    ];
    // A table is written in the order of its keys, so that no blank and no comment counts.
    let text = serde_json::to_vec(&parts).map_err(|e| wrong(&e))?;
    Ok(Suite::Gm.hash(&[&text]))
}

impl RawDrops {
    /// In GBK and GB18030 the second byte of a letter may be `|`, so that only these delimiters are safe.
    fn layout(&self, file: &SourceFile, charset: Charset) -> Result<Layout, SourceError> {
        match (self.layout, &self.delimiter) {
            (RawLayout::JsonLines, None) => Ok(Layout::JsonLines),
            (RawLayout::JsonLines, Some(text)) => Err(file.wrong(&text.span(), "delimiter: JSON has none")),
            (RawLayout::Csv, None) => Ok(Layout::Csv(b',')),
            (RawLayout::Csv, Some(text)) => match text.get_ref().as_bytes() {
                [byte @ (b',' | b';' | b'\t')] => Ok(Layout::Csv(*byte)),
                [b'|'] if charset == Charset::Utf8 => Ok(Layout::Csv(b'|')),
                _ => Err(file.wrong(&text.span(), "delimiter: , ; or a tab, in UTF-8 also |")),
            },
        }
    }

    fn signer(&self, file: &SourceFile) -> Result<Option<Peer>, SourceError> {
        let parse = |key: &Spanned<String>| {
            let wrong = |e| file.wrong(&key.span(), format!("signer: {e}"));
            Peer::from_base64("signer", key.get_ref()).map_err(wrong)
        };
        self.signer.as_ref().map(parse).transpose()
    }

    fn files(&self, id: &str, realm: Realm, (store, keys): (&Path, &Path)) -> ShelfFiles {
        ShelfFiles {
            id: id.to_owned(),
            realm: if realm == Realm::Demo {
                "demo"
            } else {
                "production"
            },
            suite: self.suite.unwrap_or(Suite::Gm),
            store: store.to_owned(),
            keys: keys.to_owned(),
        }
    }
}
