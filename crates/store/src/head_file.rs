//! The last head of the log, kept outside the database: a database put back to an older state is noticed.
//!
//! Two slots are written in turn, so that one that is cut off by a crash leaves the other. A slot is
//! size (8 bytes, big-endian) ‖ root (32) ‖ SHA-256 of both (32).

use std::{
    fs::{File, OpenOptions},
    io,
    os::unix::fs::{FileExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

use ledger::Hash;
use sha2::{Digest, Sha256};

use crate::StoreError;

const SLOT: usize = 72;

pub(crate) struct HeadFile {
    handle: Handle,
    next_slot: u64,
}

/// The open file, to be synced without holding up whoever writes it.
#[derive(Clone)]
pub(crate) struct Handle {
    file: Arc<File>,
    path: PathBuf,
}

impl HeadFile {
    /// Opens the file and tells the greatest head in it. Only of a new log may the file be missing: it is made. Whoever
    /// lost it and is sure of the database makes an empty one.
    pub(crate) fn open(path: &Path, new_log: bool) -> Result<(Self, Option<(u64, Hash)>), StoreError> {
        if !new_log && !path.exists() {
            return Err(StoreError::File {
                file: path.display().to_string(),
                problem: "is missing, though the log has entries: nothing tells whether the database was put back to an \
                          older state; see the operations manual, \"a database behind its head\""
                    .to_owned(),
            });
        }
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(new_log)
            .truncate(false)
            .mode(0o600)
            .open(path)
            .map_err(|e| file_error(path, &e))?;
        let handle = Handle {
            file: Arc::new(file),
            path: path.to_owned(),
        };
        if handle.is_blank()? {
            handle.make_room()?;
            return Ok((HeadFile { handle, next_slot: 0 }, None));
        }
        let heads: Vec<Option<(u64, Hash)>> = (0..2).map(|slot| read_slot(&handle.file, slot)).collect();
        let Some(newest) = heads.iter().flatten().max_by_key(|(size, _)| *size).copied() else {
            return Err(StoreError::File {
                file: path.display().to_string(),
                problem:
                    "is damaged. It tells whether the database was put back to an older state; only who is \
                          sure that it was not may remove the file"
                        .to_owned(),
            });
        };
        // The slot that does not hold the newest head is written next.
        let next_slot = u64::from(heads[0] == Some(newest));
        Ok((HeadFile { handle, next_slot }, Some(newest)))
    }

    /// Writes the head; without waiting for the disk, for the file may lag behind the database and must only
    /// never be ahead of it.
    pub(crate) fn write(&mut self, size: u64, root: Hash) -> Result<(), StoreError> {
        let mut slot = Vec::with_capacity(SLOT);
        slot.extend_from_slice(&size.to_be_bytes());
        slot.extend_from_slice(&root.0);
        let sum = Sha256::digest(&slot);
        slot.extend_from_slice(&sum);
        self.handle.write(&slot, self.next_slot)?;
        self.next_slot = 1 - self.next_slot;
        Ok(())
    }

    pub(crate) fn handle(&self) -> Handle {
        self.handle.clone()
    }
}

impl Handle {
    /// Waits until the disk has what was written.
    pub(crate) fn sync(&self) -> Result<(), StoreError> {
        self.file.sync_data().map_err(|e| file_error(&self.path, &e))
    }

    fn write(&self, slot: &[u8], number: u64) -> Result<(), StoreError> {
        self.file
            .write_all_at(slot, number * SLOT as u64)
            .map_err(|e| file_error(&self.path, &e))
    }

    /// New, or made and never written.
    fn is_blank(&self) -> Result<bool, StoreError> {
        let mut bytes = vec![0; 2 * SLOT];
        let length = self
            .file
            .read_at(&mut bytes, 0)
            .map_err(|e| file_error(&self.path, &e))?;
        Ok(bytes[..length].iter().all(|byte| *byte == 0))
    }

    /// Takes its place on the disk now, so that a full disk does not stop what is written later.
    fn make_room(&self) -> Result<(), StoreError> {
        let zeros = [0; SLOT];
        self.write(&zeros, 0)?;
        self.write(&zeros, 1)?;
        self.sync()
    }
}

fn read_slot(file: &File, slot: u64) -> Option<(u64, Hash)> {
    let mut bytes = [0; SLOT];
    file.read_exact_at(&mut bytes, slot * SLOT as u64).ok()?;
    let (content, sum) = bytes.split_at(SLOT - 32);
    if Sha256::digest(content).as_slice() != sum {
        return None;
    }
    let (size, root) = content.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*size), Hash(root.try_into().ok()?)))
}

pub(crate) fn file_error(path: &Path, error: &io::Error) -> StoreError {
    StoreError::File {
        file: path.display().to_string(),
        problem: error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_whole_slot_counts() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        let (mut file, none) = HeadFile::open(&path, true).unwrap();
        assert_eq!(none, None);
        file.write(1, Hash([1; 32])).unwrap();
        file.write(2, Hash([2; 32])).unwrap();
        file.write(3, Hash([3; 32])).unwrap();
        let (mut again, head) = HeadFile::open(&path, true).unwrap();
        assert_eq!(head, Some((3, Hash([3; 32]))));
        again.write(4, Hash([4; 32])).unwrap();
        // The write of 4 is cut off: 3 is still known.
        let slot = if read_slot(&again.handle.file, 0).unwrap().0 == 4 {
            0
        } else {
            SLOT as u64
        };
        again.handle.file.write_all_at(&[0xff], slot + 9).unwrap();
        assert_eq!(HeadFile::open(&path, true).unwrap().1, Some((3, Hash([3; 32]))));
        again
            .handle
            .file
            .write_all_at(&[0xff], (SLOT as u64 - slot.min(SLOT as u64)) + 9)
            .unwrap();
        let damaged = HeadFile::open(&path, true).map(|_| ()).unwrap_err().to_string();
        assert!(damaged.contains("is damaged"), "{damaged}");
    }

    #[test]
    fn a_log_with_entries_has_a_file_or_an_empty_one_made_by_hand() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        for _ in 0..2 {
            let missing = HeadFile::open(&path, false).map(|_| ()).unwrap_err().to_string();
            assert!(
                missing.contains("is missing, though the log has entries"),
                "{missing}"
            );
            assert!(!path.exists());
        }
        std::fs::write(&path, b"").unwrap();
        assert_eq!(HeadFile::open(&path, false).unwrap().1, None);
    }

    #[test]
    fn a_file_that_was_made_and_never_written_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("head");
        assert_eq!(HeadFile::open(&path, true).unwrap().1, None);
        assert_eq!(std::fs::metadata(&path).unwrap().len(), 2 * SLOT as u64);
        assert_eq!(HeadFile::open(&path, true).unwrap().1, None);
    }
}
