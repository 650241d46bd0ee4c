//! The bytes of a drop on their way to rows: hashed as they lie, unpacked, and bounded.

use std::{
    fs::File,
    io::{self, BufReader, Read},
    path::Path,
};

use crypto::suite::{Hasher, Suite};
use flate2::read::MultiGzDecoder;

use super::{lines::Stop, plain};
use crate::report::Problem;

/// How much is unpacked at a time.
const PIECE: usize = 1 << 16;

/// What a file may cost.
pub(super) struct Bound<'a> {
    /// Bytes once unpacked.
    pub(super) bytes: u64,
    /// Is told how many bytes of the file were read, again and again; false where that is to end.
    pub(super) goes_on: &'a dyn Fn(u64) -> bool,
}

/// Counts and hashes what passes.
struct Hashed<'a> {
    file: File,
    hasher: Hasher,
    /// Bytes so far.
    count: u64,
    goes_on: &'a dyn Fn(u64) -> bool,
    is_ended: bool,
}

/// Whether to go on is asked here, below the unpacking: what is unpacked may be endless, and may be nothing.
impl Read for Hashed<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.count > 0 && !(self.goes_on)(self.count) {
            self.is_ended = true;
            return Err(io::Error::other("the process is about to end"));
        }
        let length = self.file.read(into)?;
        self.hasher.update(&into[..length]);
        self.count += length as u64;
        Ok(length)
    }
}

/// The content of a drop.
pub(super) struct Content<'a> {
    bytes: Bytes<'a>,
    /// How many more may be unpacked.
    left: u64,
}

enum Bytes<'a> {
    Plain(BufReader<Hashed<'a>>),
    Packed(Box<MultiGzDecoder<BufReader<Hashed<'a>>>>),
}

impl<'a> Content<'a> {
    pub(super) fn open(path: &Path, packed: bool, checksum: Suite, bound: Bound<'a>) -> io::Result<Self> {
        let hashed = Hashed {
            file: plain::open(path)?,
            hasher: Hasher::new(checksum),
            count: 0,
            goes_on: bound.goes_on,
            is_ended: false,
        };
        let buffered = BufReader::with_capacity(PIECE, hashed);
        let bytes = if packed {
            Bytes::Packed(Box::new(MultiGzDecoder::new(buffered)))
        } else {
            Bytes::Plain(buffered)
        };
        Ok(Content {
            bytes,
            left: bound.bytes,
        })
    }

    fn hashed(&self) -> &Hashed<'a> {
        match &self.bytes {
            Bytes::Plain(file) => file.get_ref(),
            Bytes::Packed(file) => file.get_ref().get_ref(),
        }
    }

    /// How many bytes of the file were read.
    pub(super) fn count(&self) -> u64 {
        self.hashed().count
    }

    /// The next bytes, none at the end. Whoever reads them may look for a row for as long as there are some: it is
    /// here that even what holds no row comes to an end.
    pub(super) fn piece(&mut self, into: &mut [u8]) -> Result<usize, Stop> {
        let read = match &mut self.bytes {
            Bytes::Plain(file) => file.read(into),
            Bytes::Packed(file) => file.read(into),
        };
        let length = read.map_err(|_| unread(self.hashed()))?;
        let left = self.left.checked_sub(length as u64);
        self.left = left.ok_or(Stop::Whole(Problem::DropTooLarge))?;
        Ok(length)
    }

    /// The hash of the whole file; what was not read of it yet, is read now.
    pub(super) fn finish(self) -> Result<[u8; 32], Stop> {
        let mut hashed = match self.bytes {
            Bytes::Plain(file) => file.into_inner(),
            Bytes::Packed(file) => file.into_inner().into_inner(),
        };
        io::copy(&mut hashed, &mut io::sink()).map_err(|_| unread(&hashed))?;
        Ok(hashed.hasher.finish())
    }
}

fn unread(hashed: &Hashed<'_>) -> Stop {
    if hashed.is_ended {
        Stop::Ended
    } else {
        Stop::Whole(Problem::DropUnreadable)
    }
}
