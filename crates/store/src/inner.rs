//! What the parts of the store share.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicI64, AtomicU64, Ordering},
};

use crypto::{
    RootKeys,
    signer::{Ed25519Verifier, Sm2Verifier},
};
use domain::time::{Clock, Timestamp};
use ledger::{Checkpoint, Hash, SignatureType, TrustedKeys, VerifierKey};
use tokio::sync::watch;

use crate::{
    StoreError,
    committer::Places,
    engine::Db,
    head_file::HeadFile,
    journal::{Journal, Line},
    random::Random,
    seen::Seen,
    subject_keys::KeyStore,
};

pub(crate) struct Inner {
    pub(crate) db: Db,
    pub(crate) keys: KeyStore,
    pub(crate) root: Arc<RootKeys>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<Random>,
    pub(crate) origin: String,
    pub(crate) node: [u8; 16],
    pub(crate) log_keys: LogKeys,
    pub(crate) head_file: Mutex<HeadFile>,
    pub(crate) journal: Arc<Journal>,
    pub(crate) seen: Mutex<Seen>,
    pub(crate) places: Places,
    /// The time of the newest entry that this process knows of, in UTC microseconds.
    pub(crate) latest: AtomicI64,
    /// Up to where this process knows the tiles to be cached; one task at a time goes on from there.
    pub(crate) tiled: AtomicU64,
    pub(crate) tiling: tokio::sync::Mutex<()>,
    pub(crate) stopping: watch::Sender<Option<String>>,
}

/// The public keys under which the log's checkpoints are verified.
#[derive(Debug, Clone)]
pub struct LogKeys {
    /// The log's own signature.
    pub ed25519: VerifierKey,
    /// The second signature of suite `gm`.
    pub sm2: Option<VerifierKey>,
}

impl LogKeys {
    pub(crate) fn new(origin: &str, root: &RootKeys) -> Result<Self, StoreError> {
        let key = |kind, bytes: &[u8]| {
            VerifierKey::new(origin, kind, bytes).map_err(|e| StoreError::Log(e.to_string()))
        };
        Ok(LogKeys {
            ed25519: key(SignatureType::Ed25519, &root.log_ed25519().public_key())?,
            sm2: match root.log_sm2() {
                Some(signer) => Some(key(SignatureType::Sm2, &signer.public_key())?),
                None => None,
            },
        })
    }

    /// Opens a checkpoint that these keys, all of them, have signed.
    pub(crate) fn open_checkpoint(&self, note: &str) -> Result<Checkpoint, StoreError> {
        let keys = [Some(self.ed25519.clone()), self.sm2.clone()];
        let trusted = TrustedKeys::new(keys.into_iter().flatten());
        let trusted = trusted.map_err(|e| StoreError::Log(e.to_string()))?;
        let opened = trusted.open_checkpoint(note, is_signed_by);
        let (checkpoint, _) =
            opened.map_err(|e| StoreError::Log(format!("its published checkpoint: {e}")))?;
        Ok(checkpoint)
    }
}

fn is_signed_by(key: &VerifierKey, message: &[u8], signature: &[u8]) -> bool {
    let Ok(signature) = signature.try_into() else {
        return false;
    };
    let (ed25519, sm2) = (key.public_key().try_into(), key.public_key().try_into());
    match key.signature_type() {
        SignatureType::Ed25519 => {
            let verifier = ed25519.ok().and_then(|key| Ed25519Verifier::new(key).ok());
            verifier.is_some_and(|verifier| verifier.verify(message, signature))
        }
        SignatureType::Sm2 => {
            let verifier = sm2.ok().and_then(|key| Sm2Verifier::new(key).ok());
            verifier.is_some_and(|verifier| verifier.verify(message, signature))
        }
        SignatureType::CosignatureV1 => false,
    }
}

impl Inner {
    /// Signs the head of a tree that is known to be committed.
    pub(crate) fn sign_checkpoint(&self, size: u64, root: Hash) -> Result<String, StoreError> {
        let wrong = |e: &dyn std::fmt::Display| StoreError::Log(e.to_string());
        let checkpoint = Checkpoint::new(&self.origin, size, root).map_err(|e| wrong(&e))?;
        let mut note = checkpoint.to_note().map_err(|e| wrong(&e))?;
        note.sign(&self.log_keys.ed25519, |text| {
            self.root.log_ed25519().sign(text).to_vec()
        });
        if let (Some(key), Some(signer)) = (&self.log_keys.sm2, self.root.log_sm2()) {
            note.sign(key, |text| signer.sign(text).to_vec());
        }
        Ok(note.to_text())
    }

    /// The time by which expiry is judged and entries are made: the clock's, but never before an entry's.
    pub(crate) fn now(&self) -> Timestamp {
        self.clock
            .now()
            .max(Timestamp(self.latest.load(Ordering::Relaxed)))
    }

    /// An entry has this time.
    pub(crate) fn saw_time(&self, time: Timestamp) {
        self.latest.fetch_max(time.0, Ordering::Relaxed);
    }

    /// Keeps the head outside the database too, so that a start behind it is noticed.
    pub(crate) fn remember_head(&self, size: u64, root: Hash) -> Result<(), StoreError> {
        self.head_file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .write(size, root)
    }

    /// Waits until the head file is on the disk; whoever writes it meanwhile does not wait.
    pub(crate) async fn sync_head_file(&self) -> Result<(), StoreError> {
        let handle = self
            .head_file
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .handle();
        blocking(move || handle.sync()).await
    }

    /// Appends to the effects journal; durable when this returns. After a failed sync the disk is not to be trusted.
    pub(crate) async fn write_journal(&self, lines: Vec<Line>) -> Result<(), StoreError> {
        if lines.is_empty() {
            return Ok(());
        }
        let journal = Arc::clone(&self.journal);
        let written = blocking(move || journal.write(&lines)).await;
        if self.journal.is_broken() {
            self.stop("the effects journal cannot be written");
        }
        written
    }

    /// From now on nothing is sealed: the program ends and says why.
    pub(crate) fn stop(&self, why: &str) {
        tracing::error!(why, "the store stops");
        self.stopping.send_replace(Some(why.to_owned()));
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.borrow().is_some()
    }
}

/// Runs what waits for a disk on a thread that may wait.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or(Err(StoreError::Stopping))
}
