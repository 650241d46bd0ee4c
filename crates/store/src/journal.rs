//! The effects journal: what must not come back when an older copy of the database is put in place.
//!
//! Ended sessions, erased persons and closed accounts are appended as lines of JSON to a file outside the database and
//! synced before they are acknowledged. At start the file is applied to the database once more. It holds opaque ids
//! only. Each node has its own: whoever restores a copy gives every node its journal back.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead, BufReader, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use domain::{
    ids::{AccountId, SessionId, SubjectId},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use crate::{StoreError, head_file::file_error, sessions::MAX_SESSION_SECONDS};

/// How long an erasure matters: copies of keys are kept at most 30 days.
const KEPT_SECONDS: i64 = 31 * 24 * 3600;

/// One effect that must survive a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Effected {
    /// A session ended before its time.
    SessionEnded {
        /// Which.
        session: SessionId,
    },
    /// A person was erased, with the account.
    Erased {
        /// Who.
        subject: SubjectId,
        /// The account.
        account: AccountId,
    },
    /// An account was closed, whose phone is somebody else's now.
    AccountClosed {
        /// Which.
        account: AccountId,
        /// Whose it was.
        subject: SubjectId,
    },
}

/// One line of the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Line {
    /// When it happened, in UTC microseconds.
    pub(crate) at: i64,
    /// What.
    pub(crate) effect: Effected,
}

impl Line {
    /// Could a copy of the database that anybody may still restore undo it?
    fn matters(&self, now: Timestamp) -> bool {
        let seconds = match self.effect {
            // A session that is older has expired; the second day is for clocks that were wrong.
            Effected::SessionEnded { .. } => MAX_SESSION_SECONDS + 24 * 3600,
            Effected::Erased { .. } => KEPT_SECONDS,
            // What opens it again is a copy of the data, of whatever age.
            Effected::AccountClosed { .. } => return true,
        };
        self.at >= now.plus_seconds(-seconds).0
    }
}

pub(crate) struct Journal {
    path: PathBuf,
    file: Mutex<Open>,
    broken: AtomicBool,
}

struct Open {
    file: File,
    /// Where the last whole line ends.
    length: u64,
}

impl Journal {
    /// Opens the journal, drops the lines that no longer matter, and returns the others to be applied again.
    pub(crate) fn open(path: &Path, now: Timestamp) -> Result<(Self, Vec<Line>), StoreError> {
        let kept = read(path, now)?;
        let journal = Journal {
            path: path.to_owned(),
            file: Mutex::new(rewrite(path, &kept)?),
            broken: AtomicBool::new(false),
        };
        Ok((journal, kept))
    }

    /// Appends lines; durable when this returns. After a failed sync it is broken for good: a sync that is tried
    /// again can succeed although what it should have written is lost.
    pub(crate) fn write(&self, lines: &[Line]) -> Result<(), StoreError> {
        let wrong = |e| file_error(&self.path, &e);
        let bytes = encode(lines).map_err(wrong)?;
        let mut open = self.open_file();
        if self.is_broken() {
            return Err(StoreError::Stopping);
        }
        if let Err(error) = open.file.write_all(&bytes) {
            // Half a line must not stand in front of the next one.
            let cut = open.file.set_len(open.length);
            self.broken.store(cut.is_err(), Ordering::Release);
            return Err(wrong(error));
        }
        if let Err(error) = open.file.sync_data() {
            self.broken.store(true, Ordering::Release);
            return Err(wrong(error));
        }
        open.length += bytes.len() as u64;
        Ok(())
    }

    /// Nothing can be written any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.broken.load(Ordering::Acquire)
    }

    /// Drops the lines that no longer matter, so that the file stays small while the program runs.
    pub(crate) fn compact(&self, now: Timestamp) -> Result<(), StoreError> {
        let mut open = self.open_file();
        if !self.is_broken() {
            *open = rewrite(&self.path, &read(&self.path, now)?)?;
        }
        Ok(())
    }

    fn open_file(&self) -> MutexGuard<'_, Open> {
        self.file.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn encode(lines: &[Line]) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![];
    for line in lines {
        serde_json::to_writer(&mut bytes, line)?;
        bytes.push(b'\n');
    }
    Ok(bytes)
}

/// Puts a file of these lines in place, durably, and keeps it open at its end.
fn rewrite(path: &Path, lines: &[Line]) -> Result<Open, StoreError> {
    let fresh = path.with_extension("new");
    let put = || -> std::io::Result<Open> {
        let bytes = encode(lines)?;
        let mut options = OpenOptions::new();
        // In append mode, so that a line goes to the end even after half a line was cut off.
        options.create(true).append(true).mode(0o600);
        let mut file = options.open(&fresh)?;
        file.set_len(0)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        fs::rename(&fresh, path)?;
        if let Some(folder) = path.parent() {
            File::open(folder)?.sync_all()?;
        }
        Ok(Open {
            file,
            length: bytes.len() as u64,
        })
    };
    put().map_err(|e| file_error(path, &e))
}

/// The lines that still matter.
fn read(path: &Path, now: Timestamp) -> Result<Vec<Line>, StoreError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(vec![]),
        Err(e) => return Err(file_error(path, &e)),
    };
    let mut kept = vec![];
    let mut bad: Option<(usize, serde_json::Error)> = None;
    for (n, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(|e| file_error(path, &e))?;
        // The last line may be cut off: its effect was not acknowledged. Any other was changed by hand.
        if let Some((n, error)) = bad {
            return Err(StoreError::File {
                file: path.display().to_string(),
                problem: format!("line {}: {error}; the journal was changed by hand", n + 1),
            });
        }
        match serde_json::from_str::<Line>(&line) {
            Ok(line) if line.matters(now) => kept.push(line),
            Ok(_) => {}
            Err(error) => bad = Some((n, error)),
        }
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_800_000_000_000_000);
    const DAY: i64 = 24 * 3600;

    fn ended(days_ago: i64, n: u8) -> Line {
        Line {
            at: NOW.plus_seconds(-days_ago * DAY).0,
            effect: Effected::SessionEnded {
                session: SessionId::from_bytes([n; 16]),
            },
        }
    }

    fn erased(days_ago: i64) -> Line {
        Line {
            at: NOW.plus_seconds(-days_ago * DAY).0,
            effect: Effected::Erased {
                subject: SubjectId::from_bytes([1; 16]),
                account: AccountId::from_bytes([2; 16]),
            },
        }
    }

    fn closed(days_ago: i64) -> Line {
        Line {
            at: NOW.plus_seconds(-days_ago * DAY).0,
            effect: Effected::AccountClosed {
                account: AccountId::from_bytes([3; 16]),
                subject: SubjectId::from_bytes([1; 16]),
            },
        }
    }

    #[test]
    fn effects_come_back_until_they_no_longer_matter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("effects.journal");
        let (journal, none) = Journal::open(&path, NOW).unwrap();
        assert!(none.is_empty());
        journal.write(&[ended(0, 1), ended(3, 2)]).unwrap();
        journal
            .write(&[erased(30), erased(32), closed(32), closed(30)])
            .unwrap();
        let mut torn = OpenOptions::new().append(true).open(&path).unwrap();
        torn.write_all(b"{\"at\":1,\"eff").unwrap();
        let (journal, kept) = Journal::open(&path, NOW).unwrap();
        assert_eq!(kept, [ended(0, 1), erased(30), closed(32), closed(30)]);
        journal.write(&[ended(0, 3)]).unwrap();
        journal.compact(NOW).unwrap();
        journal.write(&[ended(0, 4)]).unwrap();
        let (journal, kept) = Journal::open(&path, NOW).unwrap();
        let expected = [
            ended(0, 1),
            erased(30),
            closed(32),
            closed(30),
            ended(0, 3),
            ended(0, 4),
        ];
        assert_eq!(kept, expected);
        journal.compact(NOW.plus_seconds(40 * DAY)).unwrap();
        let lines = fs::read_to_string(&path).unwrap();
        assert_eq!(
            (lines.lines().count(), lines.matches("account-closed").count()),
            (2, 2)
        );
        fs::write(&path, "nonsense\n{}\n").unwrap();
        assert!(Journal::open(&path, NOW).is_err());
    }
}
