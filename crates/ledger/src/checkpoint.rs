//! Checkpoints: a tree head as the text of a note (C2SP tlog-checkpoint, section "Note text").

use crate::hash::Hash;
use crate::key::is_key_name;
use crate::note::{Note, NoteError};
use crate::text;
use thiserror::Error;

/// Origins stay below this many bytes, so that later cosignature formats can carry them.
pub const MAX_ORIGIN_BYTES: usize = 255;

/// Why something is not the text of a checkpoint.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum CheckpointError {
    /// Empty, or not fit to be the name of the log's key as well.
    #[error("the origin is empty, longer than {MAX_ORIGIN_BYTES} bytes, or has a space, plus or newline")]
    Origin,
    /// The second line is no decimal number in its one form.
    #[error("the tree size is not a decimal number without leading zeros")]
    Size,
    /// The third line is not the base64 of 32 bytes.
    #[error("the root hash is not the base64 of 32 bytes")]
    Root,
    /// Fewer than three lines, a blank line, or no newline at the end.
    #[error("a checkpoint has at least three lines, none of them blank, each ended by a newline")]
    Lines,
}

/// A tree head of one log.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Checkpoint {
    origin: String,
    size: u64,
    root: Hash,
    extension_lines: Vec<String>,
}

impl Checkpoint {
    /// The head `root` of the tree with `size` leaves of the log `origin`.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Checkpoint, CheckpointError> {
        if !is_key_name(origin) || origin.len() > MAX_ORIGIN_BYTES {
            return Err(CheckpointError::Origin);
        }
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size,
            root,
            extension_lines: Vec::new(),
        })
    }

    /// Which log this is: a URL without its scheme, and the name of the log's keys.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// How many leaves the tree has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The tree's head.
    pub fn root(&self) -> &Hash {
        &self.root
    }

    /// Further lines, which other logs may write and ours never does.
    pub fn extension_lines(&self) -> &[String] {
        &self.extension_lines
    }

    /// The text to be signed: origin, size, root hash and extensions, each on a line.
    pub fn to_text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, self.root.to_base64());
        for line in &self.extension_lines {
            text.push_str(line);
            text.push('\n');
        }
        text
    }

    /// The text as a note that waits for its signatures.
    pub fn to_note(&self) -> Result<Note, NoteError> {
        Note::new(self.to_text())
    }

    /// Reads the text of a note. Any origin that is not empty is read, as the specification demands.
    pub fn parse(text: &str) -> Result<Checkpoint, CheckpointError> {
        let lines = text.strip_suffix('\n').ok_or(CheckpointError::Lines)?;
        let mut lines = lines.split('\n');
        let (Some(origin), Some(size), Some(root)) = (lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointError::Lines);
        };
        if origin.is_empty() {
            return Err(CheckpointError::Origin);
        }
        let size = text::decimal(size).ok_or(CheckpointError::Size)?;
        let root = Hash::from_base64(root).ok_or(CheckpointError::Root)?;
        let extension_lines: Vec<String> = lines.map(str::to_owned).collect();
        if extension_lines.iter().any(String::is_empty) {
            return Err(CheckpointError::Lines);
        }
        Ok(Checkpoint {
            origin: origin.to_owned(),
            size,
            root,
            extension_lines,
        })
    }
}
