//! Whether a drop is what the record holder sent: checksum and signature, before anything reads into it.

use std::{io::Read, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::suite::Hasher;

use super::{Drops, plain};
use crate::report::Problem;

/// A checksum's file holds one line.
const MAX_CHECKSUM_FILE: u64 = 1024;

impl Drops {
    /// What stands behind a drop's name for its checksum.
    pub(super) fn checksum_name(&self, name: &str) -> String {
        let ending = match self.checksum {
            crypto::Suite::Gm => "sm3",
            crypto::Suite::Intl => "sha256",
        };
        format!("{name}.{ending}")
    }

    /// The checksum that the drop must have, from its file, whose signature is checked first. The line names the
    /// drop, so that a good checksum of another day is none of today's.
    pub(super) fn expected(&self, name: &str) -> Result<[u8; 32], Problem> {
        let path = self.folder.join(self.checksum_name(name));
        let line = read_small(&path).ok_or(Problem::ChecksumWrong)?;
        if let Some(signer) = &self.signer {
            let signature = read_small(&self.folder.join(format!("{}.sig", self.checksum_name(name))));
            let signature = signature.ok_or(Problem::SignatureWrong)?;
            let text = std::str::from_utf8(&signature).map_err(|_| Problem::SignatureWrong)?;
            let bytes = STANDARD
                .decode(text.trim())
                .map_err(|_| Problem::SignatureWrong)?;
            let bytes = bytes.as_slice().try_into().map_err(|_| Problem::SignatureWrong)?;
            if !signer.verify(&line, bytes) {
                return Err(Problem::SignatureWrong);
            }
        }
        let text = std::str::from_utf8(&line).map_err(|_| Problem::ChecksumWrong)?;
        let (digest, named) = text
            .trim()
            .split_once(char::is_whitespace)
            .ok_or(Problem::ChecksumWrong)?;
        // `sha256sum` writes two spaces, or a star for binary files.
        if named.trim_start().trim_start_matches('*') != name {
            return Err(Problem::ChecksumWrong);
        }
        from_hex(digest).ok_or(Problem::ChecksumWrong)
    }

    /// The hash of a file, told piece by piece how far it is; `None` where that says to stop.
    pub(super) fn hash(
        &self,
        path: &Path,
        mut read: impl FnMut(u64) -> bool,
    ) -> std::io::Result<Option<[u8; 32]>> {
        let (mut file, mut hasher) = (plain::open(path)?, Hasher::new(self.checksum));
        let (mut piece, mut all) = (vec![0; 1 << 16], 0);
        loop {
            match file.read(&mut piece)? {
                0 => return Ok(Some(hasher.finish())),
                length => {
                    hasher.update(&piece[..length]);
                    all += length as u64;
                }
            }
            if !read(all) {
                return Ok(None);
            }
        }
    }
}

fn read_small(path: &Path) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    let file = plain::open(path).ok()?;
    file.take(MAX_CHECKSUM_FILE + 1).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 <= MAX_CHECKSUM_FILE).then_some(bytes)
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    // A number may have a sign, and these are none.
    if text.len() != 64 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    for (byte, at) in digest.iter_mut().zip((0..64).step_by(2)) {
        *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
    }
    Some(digest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_hexadecimal_digits_alone() {
        for digits in ["0a", "0A"] {
            assert_eq!(from_hex(&digits.repeat(32)), Some([10; 32]), "{digits}");
        }
        for wrong in ["+a", " a", "0g", "é", ""] {
            assert_eq!(from_hex(&wrong.repeat(32)), None, "{wrong}");
        }
    }
}
