//! Cosignatures: a witness states at what time a checkpoint was the largest it had seen of that log (C2SP
//! tlog-cosignature, sections "Format" and "Ed25519 signed message").

/// How many bytes an Ed25519 signature has.
const SIGNATURE_BYTES: usize = 64;

/// What a witness puts into its signature line: a time and an Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cosignature {
    time: u64,
    signature: [u8; SIGNATURE_BYTES],
}

impl Cosignature {
    /// A signature over [`message`] made at `time`, in seconds since 1970-01-01 UTC. `None` above 2^63 - 1.
    pub fn new(time: u64, signature: [u8; SIGNATURE_BYTES]) -> Option<Cosignature> {
        (time <= i64::MAX as u64).then_some(Cosignature { time, signature })
    }

    /// Reads the eight bytes of the time, big-endian, and the 64 of the signature.
    pub fn parse(bytes: &[u8]) -> Option<Cosignature> {
        let (time, signature) = bytes.split_first_chunk()?;
        Cosignature::new(u64::from_be_bytes(*time), signature.try_into().ok()?)
    }

    /// Writes what [`Cosignature::parse`] reads.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.time.to_be_bytes().as_slice(), &self.signature].concat()
    }

    /// When the witness signed, in seconds since 1970-01-01 UTC.
    pub fn time(&self) -> u64 {
        self.time
    }

    /// The Ed25519 signature over [`message`].
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }
}

/// What a witness signs: a header, the time, and the whole text of the checkpoint.
pub fn message(time: u64, checkpoint_text: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{checkpoint_text}")
}
