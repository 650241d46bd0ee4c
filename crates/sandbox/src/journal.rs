//! What was asked, written down before it is answered: a rig compares it with the gateway's log.

use std::{
    collections::VecDeque,
    fs::{File, OpenOptions},
    io::{self, Write},
    path::Path,
    sync::{Mutex, PoisonError},
};

use domain::time::Timestamp;
use serde::Serialize;

/// How many entries are kept in memory; about 20 MB. The file keeps all.
const MAX_ENTRIES: usize = 100_000;

/// One request that arrived, authentic and fresh. It holds ids of the gateway's and no personal data.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct JournalEntry {
    /// The look-up's id as the request gives it; empty where the request is malformed.
    pub lookup: String,
    /// The id of the message, in hexadecimal.
    pub message: String,
    /// When it arrived, RFC 3339.
    pub at: String,
    /// Authority and path, such as `traffic/vehicle/query`.
    pub path: String,
}

#[derive(Default)]
pub(crate) struct Journal {
    entries: Mutex<VecDeque<JournalEntry>>,
    file: Option<Mutex<File>>,
}

impl Journal {
    /// A journal that also appends each entry as a line of JSON to a file. A line is given to the system at once,
    /// so that it survives a killed process; it is not synced.
    pub(crate) fn with_file(path: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(path)?;
        Ok(Journal {
            file: Some(Mutex::new(file)),
            ..Journal::default()
        })
    }

    /// Writes an entry down.
    ///
    /// # Errors
    /// The file could not be written. Then nothing may be answered.
    pub(crate) fn record(
        &self,
        lookup: &str,
        message: [u8; 16],
        now: Timestamp,
        path: &str,
    ) -> io::Result<()> {
        let entry = JournalEntry {
            lookup: lookup.to_owned(),
            message: format!("{:032x}", u128::from_be_bytes(message)),
            at: now.rfc3339(),
            path: path.to_owned(),
        };
        if let Some(file) = &self.file {
            let mut line = serde_json::to_vec(&entry)?;
            line.push(b'\n');
            file.lock()
                .unwrap_or_else(PoisonError::into_inner)
                .write_all(&line)?;
        }
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == MAX_ENTRIES {
            entries.pop_front();
        }
        entries.push_back(entry);
        Ok(())
    }

    pub(crate) fn entries(&self) -> Vec<JournalEntry> {
        self.entries
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }
}
