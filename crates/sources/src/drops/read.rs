//! The bytes of a drop on their way to rows: hashed as they lie, unpacked, and bounded.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use crypto::suite::{Hasher, Suite};
use flate2::read::MultiGzDecoder;

use super::plain;

/// How much is unpacked at a time.
const PIECE: usize = 1 << 16;

/// Counts and hashes what passes.
pub(super) struct Hashed {
    file: File,
    hasher: Hasher,
    /// Bytes so far.
    pub(super) count: u64,
}

impl Read for Hashed {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let length = self.file.read(into)?;
        self.hasher.update(&into[..length]);
        self.count += length as u64;
        Ok(length)
    }
}

/// The content of a drop.
pub(super) enum Content {
    Plain(BufReader<Hashed>),
    Packed(Box<MultiGzDecoder<BufReader<Hashed>>>),
}

impl Content {
    pub(super) fn open(path: &Path, packed: bool, checksum: Suite) -> io::Result<Self> {
        let hashed = Hashed {
            file: plain::open(path)?,
            hasher: Hasher::new(checksum),
            count: 0,
        };
        let buffered = BufReader::with_capacity(PIECE, hashed);
        Ok(if packed {
            Content::Packed(Box::new(MultiGzDecoder::new(buffered)))
        } else {
            Content::Plain(buffered)
        })
    }

    /// How many bytes of the file were read.
    pub(super) fn count(&self) -> u64 {
        match self {
            Content::Plain(file) => file.get_ref().count,
            Content::Packed(file) => file.get_ref().get_ref().count,
        }
    }

    /// The hash of the whole file; what was not read of it yet, is read now.
    pub(super) fn finish(self) -> io::Result<[u8; 32]> {
        let mut hashed = match self {
            Content::Plain(file) => file.into_inner(),
            Content::Packed(file) => file.into_inner().into_inner(),
        };
        io::copy(&mut hashed, &mut io::sink())?;
        Ok(hashed.hasher.finish())
    }
}

impl Read for Content {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Content::Plain(file) => file.read(into),
            Content::Packed(file) => file.read(into),
        }
    }
}
