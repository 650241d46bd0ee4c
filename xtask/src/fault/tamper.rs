//! The rig `tamper`: whatever is changed in a receipt, `mingcha verify` finds it; and the log is what independent
//! verifiers say a log is.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use clap::Args;
use ledger::{Proof, Receipt, Shared, leaf};
use serde_json::{Value, json};
use signed_note::{StandardVerifier, VerifierList};

use super::{Verdict, tell};
use crate::{
    http::Client,
    people::{self, Person},
    program::{self, Build, Setup},
    scratch::Scratch,
};

/// How it is run.
#[derive(Args)]
pub(crate) struct Options {
    /// How many bits are flipped, evenly spread over the receipt; 0 flips every one
    #[arg(long, default_value_t = 0)]
    flips: usize,
    /// How many look-ups the log has before the receipt is taken
    #[arg(long, default_value_t = 40)]
    lookups: usize,
    /// Use optimised builds
    #[arg(long)]
    release: bool,
}

impl Options {
    /// As it runs among the tests.
    pub(super) fn small() -> Self {
        Options {
            flips: 200,
            lookups: 40,
            release: false,
        }
    }
}

/// Runs it.
///
/// # Errors
/// The program does not build, start or answer.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    let plain = program::build(Build::Plain, options.release)?;
    let scratch = Scratch::new("tamper")?;
    let setup = Setup::new(&plain, scratch.path())?;
    let mut demo = setup.start()?;
    let receipts = receipts(&setup, options.lookups)?;
    demo.stop_and_wait()?;
    // The checkpoint is published at the end, so that it covers everything.
    demo = setup.start()?;
    let keys = setup.log_keys()?;
    let mut exceptions = by_others(&setup, &keys, &receipts)?;
    demo.stop_and_wait()?;
    let receipt = receipts.last().ok_or("no look-up was answered with a receipt")?;
    if !verifies(&plain, None, receipt.as_bytes(), &keys)? {
        return Err("the receipt does not verify before it is changed".to_owned());
    }
    let bits = chosen_bits(receipt.len(), options.flips);
    eprintln!("flipping {} of {} bits", bits.len(), receipt.len() * 8);
    exceptions.extend(flips(&plain, None, receipt, &keys, &bits)?);
    tell(&exceptions);
    let planted = program::build(Build::Planted, options.release)?;
    eprintln!("again, with a verifier that does not check signatures");
    let missed = flips(&planted, Some("verify-lax"), receipt, &keys, &bits)?;
    Ok(Verdict {
        rig: "tamper",
        n: bits.len() as u64,
        exceptions: exceptions.len() as u64,
        planted_caught: !missed.is_empty(),
        more: vec![("receipts_checked_by_others", Value::from(receipts.len()))],
    })
}

/// Receipts of look-ups, exactly as they came.
fn receipts(setup: &Setup<'_>, count: usize) -> Result<Vec<String>, String> {
    let people = people::people()?;
    let person: &Person = people
        .iter()
        .find(|p| !p.canary && !p.plates.is_empty())
        .ok_or("nobody has a vehicle")?;
    let mut client = Client::new(setup.address);
    people::sign_in(&mut client, person)?;
    let (plate, class) = &person.plates[0];
    let question = json!({
        "kind": "vehicle", "mode": "read", "subject": "self", "purpose": "own-information",
        "key": { "plate": plate, "plate_class": class },
    });
    let mut receipts = vec![];
    for _ in 0..count.max(1) {
        let reply = client.post("/v1/lookups", &question)?;
        let text = reply.text();
        receipts.push(
            receipt_in(&text)
                .ok_or_else(|| format!("no receipt in the answer: {text}"))?
                .to_owned(),
        );
    }
    Ok(receipts)
}

/// The receipt within an answer: the last member, byte by byte as it came.
pub(super) fn receipt_in(answer: &str) -> Option<&str> {
    let (_, after) = answer.split_once("\"receipt\":")?;
    after.strip_suffix('}')
}

/// Lets `signed_note` and `tlog_tiles` check the checkpoint, every tile on the way, and every receipt's place.
fn by_others(setup: &Setup<'_>, keys: &[String], receipts: &[String]) -> Result<Vec<String>, String> {
    let reader = Tiles(Mutex::new(Client::new(setup.address)));
    let note = reader.get("checkpoint")?;
    let note =
        signed_note::Note::from_bytes(&note).map_err(|e| format!("the checkpoint is no note: {e:?}"))?;
    let key = keys.first().ok_or("the demo printed no key")?;
    let verifier = StandardVerifier::new(key).map_err(|e| format!("the key is not understood: {e:?}"))?;
    let verified = note.verify(&VerifierList::new(vec![Box::new(verifier)]));
    verified.map_err(|e| format!("the checkpoint's signature: {e:?}"))?;
    let head =
        tlog_tiles::Checkpoint::from_bytes(note.text()).map_err(|e| format!("the checkpoint: {e:?}"))?;
    let hashes = tlog_tiles::TileHashReader::new(head.size(), *head.hash(), &reader);
    let mut exceptions = vec![];
    for (n, receipt) in receipts.iter().enumerate() {
        if let Err(error) = one_by_others(&head, &hashes, receipt) {
            exceptions.push(format!("receipt {n}: {error}"));
        }
    }
    Ok(exceptions)
}

fn one_by_others(
    head: &tlog_tiles::Checkpoint,
    hashes: &tlog_tiles::TileHashReader<'_>,
    receipt: &str,
) -> Result<(), String> {
    let receipt = Receipt::parse(receipt.as_bytes()).map_err(|e| e.to_string())?;
    let proof = Proof::parse(&receipt.proof).map_err(|e| e.to_string())?;
    let commitment = Shared::commitment(&receipt.shared, &receipt.shared_salt);
    let leaf = tlog_tiles::Hash(leaf::leaf_hash(head.origin(), &commitment, &receipt.chain).0);
    let found = tlog_tiles::prove_record(head.size(), proof.index, hashes).map_err(|e| format!("{e:?}"))?;
    tlog_tiles::check_record(&found, head.size(), *head.hash(), proof.index, leaf)
        .map_err(|e| format!("it is not where it says: {e:?}"))
}

/// Their reader over our tiles, by HTTP. Their paths name the height, ours do not.
struct Tiles(Mutex<Client>);

impl Tiles {
    fn get(&self, path: &str) -> Result<Vec<u8>, String> {
        let mut client = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = client.get(&format!("/log/0/{path}"))?;
        if reply.status == 200 {
            Ok(reply.body)
        } else {
            Err(format!("{path}: {}", reply.status))
        }
    }
}

impl tlog_tiles::TileReader for Tiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let path = tile.path().replace("tile/8/", "tile/");
            debug_assert!(ledger::Tile::parse_path(&path).is_ok());
            // What cannot be read is empty, and an empty tile fails their check.
            self.get(&path).unwrap_or_default()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

fn chosen_bits(bytes: usize, wanted: usize) -> Vec<usize> {
    let all = bytes * 8;
    let step = if wanted == 0 || wanted > all {
        1
    } else {
        all / wanted
    };
    (0..all).step_by(step.max(1)).collect()
}

/// Bits whose flip is not noticed.
fn flips(
    program: &Path,
    bug: Option<&str>,
    receipt: &str,
    keys: &[String],
    bits: &[usize],
) -> Result<Vec<String>, String> {
    let (next, unnoticed, failed) = (AtomicUsize::new(0), Mutex::new(vec![]), Mutex::new(None));
    let work = || {
        while let Some(bit) = bits.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut changed = receipt.as_bytes().to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            match verifies(program, bug, &changed, keys) {
                Ok(false) => {}
                Ok(true) => unnoticed
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push(format!(
                        "bit {} of byte {} is flipped and it verifies",
                        bit % 8,
                        bit / 8
                    )),
                Err(error) => *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error),
            }
        }
    };
    thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(work))));
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some(error) => Err(error),
        None => Ok(unnoticed.into_inner().unwrap_or_else(PoisonError::into_inner)),
    }
}

/// Whether `mingcha verify` accepts these bytes.
fn verifies(program: &Path, bug: Option<&str>, receipt: &[u8], keys: &[String]) -> Result<bool, String> {
    let mut command = Command::new(program);
    command
        .args(["verify", "-"])
        .args(keys.iter().flat_map(|key| ["--key", key]));
    command.env("MINGCHA_PLANTED", bug.unwrap_or_default());
    let spawned = command
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn();
    let mut child = spawned.map_err(|e| format!("{}: {e}", program.display()))?;
    if let Some(mut input) = child.stdin.take() {
        // A verifier that refuses early does not read to the end.
        drop(input.write_all(receipt));
    }
    let status = child.wait().map_err(|e| e.to_string())?;
    Ok(status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bit_is_chosen_or_as_many_as_wanted() {
        assert_eq!(chosen_bits(2, 0), (0..16).collect::<Vec<_>>());
        assert_eq!(chosen_bits(100, 8).len(), 8);
        assert_eq!(chosen_bits(1, 99).len(), 8);
    }

    #[test]
    fn the_receipt_is_taken_as_it_came() {
        assert_eq!(
            receipt_in(r#"{"lookup_id":"x","receipt":{"a":"}"}}"#),
            Some(r#"{"a":"}"}"#)
        );
        assert_eq!(receipt_in("{}"), None);
    }
}
