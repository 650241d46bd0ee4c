//! Signed notes: a text and the signature lines below it (C2SP signed-note, section "Format").
//!
//! Parsing says nothing about whether a signature is good; [`crate::trust`] does that.

use crate::key::{KeyId, VerifierKey, is_key_name};
use crate::text;
use thiserror::Error;

/// The longest note that is read, in bytes. Sixteen signatures must be accepted, of up to 5 kB each.
pub const MAX_NOTE_BYTES: usize = 256 * 1024;

/// The greatest number of signature lines that are read.
pub const MAX_SIGNATURES: usize = 64;

/// An em dash and a space begin each signature line.
const LINE_START: &str = "— ";

/// Why something is not a signed note.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum NoteError {
    /// Longer than [`MAX_NOTE_BYTES`], or with more lines than [`MAX_SIGNATURES`].
    #[error("the note is longer than {MAX_NOTE_BYTES} bytes or has more than {MAX_SIGNATURES} signatures")]
    TooLong,
    /// The text is empty, does not end with a newline, or has a control character.
    #[error("the note's text is empty, does not end with a newline, or has a control character")]
    Text,
    /// No blank line, or no signature line after it.
    #[error("the note has no signature line after a blank line")]
    Unsigned,
    /// A signature line is not of the form em dash, name, base64 of key id and signature.
    #[error("a signature line of the note is malformed")]
    SignatureLine,
}

/// A text with signatures that nobody has verified yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Note {
    text: String,
    signatures: Vec<NoteSignature>,
}

/// One signature line.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NoteSignature {
    name: String,
    id: KeyId,
    signature: Vec<u8>,
}

impl NoteSignature {
    /// Whether the line claims to be made by this key.
    pub fn is_by(&self, key: &VerifierKey) -> bool {
        self.id == key.id() && self.name == key.name()
    }

    /// The name of the key the line claims.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The id of the key the line claims.
    pub fn id(&self) -> KeyId {
        self.id
    }

    /// The signature, in the encoding of its type.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    fn parse(line: &str) -> Option<NoteSignature> {
        let (name, encoded) = line.strip_prefix(LINE_START)?.split_once(' ')?;
        let bytes = text::decode_base64(encoded)?;
        let (id, signature) = bytes.split_first_chunk()?;
        let complete = is_key_name(name) && !signature.is_empty();
        complete.then(|| NoteSignature {
            name: name.to_owned(),
            id: KeyId(*id),
            signature: signature.to_vec(),
        })
    }
}

impl Note {
    /// A note without signatures; it needs one to be written.
    pub fn new(text: String) -> Result<Note, NoteError> {
        if text.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        if !text.ends_with('\n') || has_control_character(&text) {
            return Err(NoteError::Text);
        }
        Ok(Note {
            text,
            signatures: Vec::new(),
        })
    }

    /// Signs the text with a log's key: `sign` is given the text and returns the signature.
    ///
    /// A witness signs another message: see [`crate::cosignature`] and [`Note::add_signature`].
    pub fn sign(&mut self, key: &VerifierKey, sign: impl FnOnce(&[u8]) -> Vec<u8>) {
        let signature = sign(self.text.as_bytes());
        self.add_signature(key, signature);
    }

    /// Appends a line with a signature that `key` made.
    pub fn add_signature(&mut self, key: &VerifierKey, signature: Vec<u8>) {
        self.signatures.push(NoteSignature {
            name: key.name().to_owned(),
            id: key.id(),
            signature,
        });
    }

    /// The text that was signed, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, in their order.
    pub fn signatures(&self) -> &[NoteSignature] {
        &self.signatures
    }

    /// Writes the text, a blank line, and one line for each signature.
    pub fn to_text(&self) -> String {
        let mut note = String::with_capacity(self.text.len() + 1 + 256 * self.signatures.len());
        note.push_str(&self.text);
        note.push('\n');
        for line in &self.signatures {
            let encoded = text::encode_base64(&[&line.id.0, line.signature.as_slice()].concat());
            note.extend([LINE_START, &line.name, " ", &encoded, "\n"]);
        }
        note
    }

    /// Reads a note. What is read is written again to the same bytes.
    pub fn parse(note: &str) -> Result<Note, NoteError> {
        if note.len() > MAX_NOTE_BYTES {
            return Err(NoteError::TooLong);
        }
        if has_control_character(note) {
            return Err(NoteError::Text);
        }
        // The text may have blank lines itself: the last one separates.
        let blank = note.rfind("\n\n").ok_or(NoteError::Unsigned)?;
        let (text, lines) = (&note[..=blank], &note[blank + 2..]);
        if lines.is_empty() {
            return Err(NoteError::Unsigned);
        }
        let lines = lines.strip_suffix('\n').ok_or(NoteError::SignatureLine)?;
        if lines.split('\n').count() > MAX_SIGNATURES {
            return Err(NoteError::TooLong);
        }
        let signatures = lines
            .split('\n')
            .map(NoteSignature::parse)
            .collect::<Option<Vec<_>>>();
        Ok(Note {
            text: text.to_owned(),
            signatures: signatures.ok_or(NoteError::SignatureLine)?,
        })
    }
}

/// A note has no ASCII control character (below U+0020) other than newline.
fn has_control_character(text: &str) -> bool {
    text.bytes().any(|byte| byte < b' ' && byte != b'\n')
}
