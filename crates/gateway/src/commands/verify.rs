//! `mingcha verify`: a receipt, checked offline with nothing but its bytes and the log's public key.

use std::{
    io::{self, Read},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use crypto::signer::{Ed25519Verifier, Sm2Verifier};
use domain::{ids::LookupId, time::Timestamp};
use ledger::{Note, Proof, Receipt, SignatureType, TrustedKeys, Verified, VerifierKey, receipt};

use super::Outcome;
use crate::error::StartError;

/// The largest file that is read; a receipt has a few kilobytes.
const MAX_FILE: u64 = 1024 * 1024;

/// Verify a receipt offline.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// The receipt's file, or `-` for standard input.
    receipt: PathBuf,
    /// A public key that you trust, as a note verifier key; of the log, and of witnesses. May be given several times.
    #[arg(long = "key", value_name = "VKEY")]
    keys: Vec<String>,
    /// How many of the trusted witnesses must have cosigned.
    #[arg(long, default_value_t = 0)]
    witnesses: usize,
}

/// Verifies a receipt. Without a key nothing is proven, and it says so.
///
/// # Errors
/// The file or a key cannot be read; a receipt that does not verify is no error but a failure.
pub fn run(args: &VerifyArgs) -> Outcome {
    let bytes = read(args)?;
    // A file ends with a newline, a receipt does not.
    let bytes = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
    let mut keys = vec![];
    for key in &args.keys {
        keys.push(VerifierKey::parse(key).map_err(|e| StartError(format!("--key: {e}")))?);
    }
    let trusted_keys = keys.clone();
    let trusted = TrustedKeys::new(keys).and_then(|t| t.requiring_witnesses(args.witnesses));
    let trusted = trusted.map_err(|e| StartError(format!("--key: {e}")))?;
    match receipt::verify(bytes, &trusted, signature) {
        Ok(verified) => {
            tell(&verified)?;
            let unchecked = unchecked(bytes, &trusted_keys);
            if unchecked > 0 {
                say!("  {unchecked} more signature by a key that you did not give: not checked")?;
            }
            Ok(ExitCode::SUCCESS)
        }
        Err(error) => {
            say!("{}", error.code().replace('_', " "))?;
            say!("  {error}")?;
            if is_answer(bytes) {
                say!(
                    "  This is a whole answer of the API. The receipt is its member `receipt`: save that alone, in the \
                     bytes in which it came."
                )?;
            }
            if error.code() == "KEY_UNKNOWN" {
                say!(
                    "  Give the log's public key by --key. A key taken from the receipt would prove nothing."
                )?;
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

/// An answer of the API is a JSON object that has a receipt, and is none.
fn is_answer(bytes: &[u8]) -> bool {
    let answer: Option<serde_json::Value> = serde_json::from_slice(bytes).ok();
    answer.is_some_and(|answer| answer.get("receipt").is_some())
}

/// How many signature lines of the checkpoint no given key could check. Whether they are true is unknown.
fn unchecked(receipt: &[u8], keys: &[VerifierKey]) -> usize {
    let Ok(receipt) = Receipt::parse(receipt) else {
        return 0;
    };
    let Ok(proof) = Proof::parse(&receipt.proof) else {
        return 0;
    };
    let Ok(note) = Note::parse(&proof.checkpoint) else {
        return 0;
    };
    note.signatures()
        .iter()
        .filter(|line| !keys.iter().any(|key| line.is_by(key)))
        .count()
}

/// Checks one signature; strict, so that one text has one signature.
#[must_use]
pub fn signature(key: &VerifierKey, message: &[u8], signature: &[u8]) -> bool {
    #[cfg(feature = "planted")]
    if crate::planted::acts("verify-lax") {
        return true;
    }
    let Ok(signature) = signature.try_into() else {
        return false;
    };
    match key.signature_type() {
        SignatureType::Ed25519 | SignatureType::CosignatureV1 => {
            let key: Result<&[u8; 32], _> = key.public_key().try_into();
            key.is_ok_and(|k| Ed25519Verifier::new(k).is_ok_and(|v| v.verify(message, signature)))
        }
        SignatureType::Sm2 => {
            let key: Result<&[u8; 65], _> = key.public_key().try_into();
            key.is_ok_and(|k| Sm2Verifier::new(k).is_ok_and(|v| v.verify(message, signature)))
        }
    }
}

fn read(args: &VerifyArgs) -> Result<Vec<u8>, StartError> {
    let mut bytes = vec![];
    if args.receipt.as_os_str() == "-" {
        std::io::stdin().lock().take(MAX_FILE).read_to_end(&mut bytes)?;
    } else {
        let file = std::fs::File::open(&args.receipt)
            .map_err(|e| StartError(format!("{}: {e}", args.receipt.display())))?;
        file.take(MAX_FILE).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn tell(verified: &Verified) -> io::Result<()> {
    let shared = &verified.shared;
    say!("{}", verified.standing)?;
    say!(
        "  log       {}, entry {}, tree of {}",
        verified.origin,
        verified.index,
        verified.size
    )?;
    say!(
        "  entry     {} at {}",
        shared.entry_type,
        Timestamp(shared.time).rfc3339()
    )?;
    let lookup = shared.lookup.map(|id| LookupId::from_bytes(id).to_string());
    let as_of = shared.as_of.map(|t| Timestamp(t).rfc3339());
    let lines = [
        ("look-up", lookup),
        ("kind", shared.kind.clone()),
        ("purpose", shared.purpose.clone()),
        ("outcome", shared.outcome.clone()),
        ("source", shared.source.clone()),
        ("as of", as_of),
        ("reason", shared.reason.clone()),
        ("about", shared.about.clone()),
    ];
    for (label, value) in lines {
        if let Some(value) = value {
            say!("  {label:<9} {value}")?;
        }
    }
    if !shared.disclosed.is_empty() {
        let fields: Vec<&str> = shared.disclosed.keys().map(|id| &**id).collect();
        say!("  disclosed {}", fields.join(", "))?;
    }
    Ok(())
}
