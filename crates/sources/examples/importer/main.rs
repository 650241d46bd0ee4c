//! What the fault rig `disk` lets fail: the import of a drop, in a process of its own, and a look at what it left.
//!
//! `importer prepare|import|check FOLDER ROWS`; the last line on standard output is JSON, and counts rows by the drop
//! from which they are answered.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a rig's program reports to the rig, and stops where it cannot go on"
)]

#[path = "../../tests/it/world.rs"]
#[expect(dead_code, reason = "the tests use more of it")]
mod world;

use std::{fs, path::Path, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{Suite, session::Identity};
use domain::time::ManualClock;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use serde_json::{Value, json};
use sources::{Question, Realm, SourceFile, Sources};

use crate::world::{NOW, car_question, kinds, number, text};

const DROPS: &str = include_str!("../../tests/it/data/drops.toml");
const HEADER: &str = "号牌号码,号牌种类,品牌,燃料,登记日期,座位,税额,状态,维修,证件号,备注";

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let words: Vec<String> = std::env::args().collect();
    let (folder, rows) = (Path::new(&words[2]), words[3].parse().unwrap());
    let line = match words[1].as_str() {
        "prepare" => prepare(folder, rows),
        "import" => {
            let sources = sources(folder, 2);
            refresh(&sources);
            answered(&sources, rows).await
        }
        _ => check(folder, rows).await,
    };
    println!("{line}");
}

/// Yesterday's drop answers, and today's lies there.
fn prepare(folder: &Path, rows: usize) -> Value {
    fs::create_dir(folder.join("in")).unwrap();
    put(folder, "20261121", "old", rows);
    refresh(&sources(folder, 1));
    put(folder, "20261122", "new", rows);
    json!({})
}

/// What answers after a start, and after the look that follows; and how many files are left.
async fn check(folder: &Path, rows: usize) -> Value {
    let sources = sources(folder, 3);
    let before = answered(&sources, rows).await;
    refresh(&sources);
    let after = answered(&sources, rows).await;
    let files = ["store", "keys"].map(|f| fs::read_dir(folder.join(f)).unwrap().count());
    json!({ "before": before, "after": after, "files": files[0] + files[1] })
}

/// A seed for each process: no two may draw the same keys.
fn sources(folder: &Path, seed: u8) -> Sources {
    let text = DROPS
        .replace("FOLDER", &folder.display().to_string())
        .replace("ENDING", "csv")
        .replace("CHARSET", "utf-8")
        .replace("SIGNER", &signer().peer().to_base64());
    let name = "drops.toml".to_owned();
    let clock = Arc::new(ManualClock::new(NOW));
    Sources::new(
        &[SourceFile { name, text }],
        kinds(),
        Realm::Demo,
        clock,
        [seed; 32],
    )
    .unwrap()
}

fn refresh(sources: &Sources) {
    drop(sources.refresh("test-drops", &|_| {}));
}

fn signer() -> Identity {
    Identity::generate("holder", Suite::Gm, &mut ChaCha20Rng::from_seed([1; 32])).unwrap()
}

fn plate(n: usize) -> String {
    format!("京A{:05}", 10_000 + n)
}

/// Drops a file of that day, each row of this make, with checksum and signature.
fn put(folder: &Path, day: &str, make: &str, rows: usize) {
    let mut content = format!("{HEADER}\n");
    for n in 0..rows {
        let (plate, owner) = (plate(n), number(1));
        content.push_str(&format!(
            "{plate},小型汽车,{make},电,20200229,5,300.5,正常,[],{},无\n",
            owner.expose()
        ));
    }
    let name = format!("cars-{day}.csv");
    let digest = Suite::Gm.hash(&[content.as_bytes()]);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("{digest}  {name}\n");
    let put = |name: String, bytes: &[u8]| fs::write(folder.join("in").join(name), bytes).unwrap();
    let signature = STANDARD.encode(signer().sign(line.as_bytes()));
    put(name.clone(), content.as_bytes());
    put(format!("{name}.sm3.sig"), signature.as_bytes());
    put(format!("{name}.sm3"), line.as_bytes());
}

/// How many rows are answered from the old drop, from the new one, and not at all.
async fn answered(sources: &Sources, rows: usize) -> Value {
    let (mut old, mut new, mut none) = (0, 0, 0);
    for n in 0..rows {
        let mut key = car_question().key;
        key.insert("plate".into(), text(&plate(n)));
        let answer = sources
            .ask(Question {
                key,
                ..car_question()
            })
            .await;
        match answer
            .record
            .map(|record| record.0["brand"].text().into_owned())
            .as_deref()
        {
            Some("old") => old += 1,
            Some("new") => new += 1,
            _ => none += 1,
        }
    }
    json!({ "old": old, "new": new, "none": none })
}
