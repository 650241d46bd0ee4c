//! Which keys a verifier trusts, and what their signatures under a checkpoint are worth.

use crate::checkpoint::{Checkpoint, CheckpointError};
use crate::cosignature::{self, Cosignature};
use crate::key::{SignatureType, VerifierKey};
use crate::note::{Note, NoteError};
use std::fmt;
use thiserror::Error;

/// The keys a verifier was given beforehand. One taken from a receipt proves nothing.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys {
    logs: Vec<VerifierKey>,
    witnesses: Vec<VerifierKey>,
    required_witnesses: usize,
}

/// What the signatures exclude.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Standing {
    /// The operator alone signed. That does not exclude that it shows another log to somebody else.
    OperatorSigned,
    /// Witnesses saw the same log too: `seen` of the `trusted` ones.
    Witnessed {
        /// How many trusted witnesses cosigned; at least one.
        seen: usize,
        /// How many witnesses are trusted.
        trusted: usize,
    },
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Standing::OperatorSigned => f.write_str("OPERATOR-SIGNED"),
            Standing::Witnessed { seen, trusted } => write!(f, "WITNESSED {seen}/{trusted}"),
        }
    }
}

/// Why a set of keys cannot be trusted as it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum TrustError {
    /// A witness has the same public key as a log or another witness, and so adds nothing to it.
    #[error("a witness's key is the same as another key that is trusted")]
    NotIndependent,
    /// More witnesses are required than are trusted.
    #[error("more witnesses are required than are trusted")]
    TooManyRequired,
}

/// Why a signed checkpoint is not believed.
#[derive(Clone, PartialEq, Eq, Debug, Error)]
pub enum UntrustedCheckpoint {
    /// It is no signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The note's text is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No trusted key of this log signed it. It may be good; with these keys nobody can tell.
    #[error("none of the given keys is that of the log `{origin}` which signed this checkpoint")]
    KeyUnknown {
        /// The log's origin as the checkpoint claims it.
        origin: String,
    },
    /// A key of this signature type is trusted for the log, and no such signature is there.
    #[error("the checkpoint lacks the signature by which a given key would confirm it ({0:?})")]
    SignatureMissing(SignatureType),
    /// A signature that claims a trusted key is not by that key over this text.
    #[error("the signature by `{name}` is false: the checkpoint was changed, or never signed")]
    SignatureFalse {
        /// The key's name.
        name: String,
    },
    /// A trusted key has two lines.
    #[error("the key `{name}` has two signature lines")]
    SignatureRepeated {
        /// The key's name.
        name: String,
    },
    /// Fewer trusted witnesses cosigned than are required.
    #[error("{seen} of the {required} required witnesses cosigned")]
    WitnessesMissing {
        /// How many trusted witnesses cosigned.
        seen: usize,
        /// How many must.
        required: usize,
    },
}

impl TrustedKeys {
    /// Trusts these keys: a key of type cosignature/v1 is a witness's, any other is a log's.
    pub fn new(keys: impl IntoIterator<Item = VerifierKey>) -> Result<TrustedKeys, TrustError> {
        let mut trusted = TrustedKeys::default();
        for key in keys {
            let group = match key.signature_type() {
                SignatureType::CosignatureV1 => &mut trusted.witnesses,
                SignatureType::Ed25519 | SignatureType::Sm2 => &mut trusted.logs,
            };
            if !group.contains(&key) {
                group.push(key);
            }
        }
        for (position, witness) in trusted.witnesses.iter().enumerate() {
            let mut others = trusted.logs.iter().chain(&trusted.witnesses[..position]);
            if others.any(|other| other.public_key() == witness.public_key()) {
                return Err(TrustError::NotIndependent);
            }
        }
        Ok(trusted)
    }

    /// Refuses whatever fewer than `count` of the trusted witnesses cosigned. Without this, a cosignature
    /// that somebody cut off is not noticed, but only lowers the [`Standing`].
    pub fn requiring_witnesses(mut self, count: usize) -> Result<TrustedKeys, TrustError> {
        if count > self.witnesses.len() {
            return Err(TrustError::TooManyRequired);
        }
        self.required_witnesses = count;
        Ok(self)
    }

    /// Opens a signed checkpoint. `verify` tells whether the signature is by that key over that message,
    /// each encoded as [`SignatureType`] tells.
    ///
    /// Lines by unknown keys are ignored, as signed-note demands. Of each signature type that is trusted
    /// for the checkpoint's log, one key at least must have signed: so an SM2 key, once given, cannot be
    /// circumvented by cutting off its line, and yet keys can be rotated.
    pub fn open_checkpoint(
        &self,
        note: &str,
        verify: impl Fn(&VerifierKey, &[u8], &[u8]) -> bool,
    ) -> Result<(Checkpoint, Standing), UntrustedCheckpoint> {
        let note = Note::parse(note)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        let log_keys: Vec<_> = self
            .logs
            .iter()
            .filter(|key| key.name() == checkpoint.origin())
            .collect();
        let mut signed_types = Vec::new();
        for &key in &log_keys {
            if verify_line(&note, key, &verify)? {
                signed_types.push(key.signature_type());
            }
        }
        if signed_types.is_empty() {
            return Err(UntrustedCheckpoint::KeyUnknown {
                origin: checkpoint.origin().to_owned(),
            });
        }
        if let Some(key) = log_keys
            .iter()
            .find(|key| !signed_types.contains(&key.signature_type()))
        {
            return Err(UntrustedCheckpoint::SignatureMissing(key.signature_type()));
        }
        let standing = self.count_witnesses(&note, &verify)?;
        Ok((checkpoint, standing))
    }

    fn count_witnesses(
        &self,
        note: &Note,
        verify: &impl Fn(&VerifierKey, &[u8], &[u8]) -> bool,
    ) -> Result<Standing, UntrustedCheckpoint> {
        let mut seen = 0;
        for key in &self.witnesses {
            seen += usize::from(verify_line(note, key, verify)?);
        }
        if seen < self.required_witnesses {
            return Err(UntrustedCheckpoint::WitnessesMissing {
                seen,
                required: self.required_witnesses,
            });
        }
        let trusted = self.witnesses.len();
        Ok(if seen == 0 {
            Standing::OperatorSigned
        } else {
            Standing::Witnessed { seen, trusted }
        })
    }
}

/// Whether the note has a line by `key`. A line that claims the key and is false condemns the whole note.
fn verify_line(
    note: &Note,
    key: &VerifierKey,
    verify: &impl Fn(&VerifierKey, &[u8], &[u8]) -> bool,
) -> Result<bool, UntrustedCheckpoint> {
    let mut lines = note.signatures().iter().filter(|line| line.is_by(key));
    let Some(line) = lines.next() else {
        return Ok(false);
    };
    let name = || key.name().to_owned();
    if lines.next().is_some() {
        return Err(UntrustedCheckpoint::SignatureRepeated { name: name() });
    }
    let is_true = match key.signature_type() {
        SignatureType::Ed25519 | SignatureType::Sm2 => verify(key, note.text().as_bytes(), line.signature()),
        SignatureType::CosignatureV1 => Cosignature::parse(line.signature()).is_some_and(|cosignature| {
            let message = cosignature::message(cosignature.time(), note.text());
            verify(key, message.as_bytes(), cosignature.signature())
        }),
    };
    if is_true {
        Ok(true)
    } else {
        Err(UntrustedCheckpoint::SignatureFalse { name: name() })
    }
}
