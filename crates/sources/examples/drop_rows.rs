//! How long a drop of n rows takes and how much memory: it writes one, reads it, asks for rows of it, and ends with one
//! line of JSON on standard output. It fails where that took more memory than an import may, however many rows.
//!
//! `cargo run --release -p sources --example drop_rows -- 10000000`

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a measurement reports to a terminal, and stops when its folder cannot be written"
)]

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{BufWriter, Write},
    path::Path,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use crypto::{Suite, session::Identity, suite::Hasher};
use domain::{
    identifiers::{IdNumber, PersonName},
    ids::LookupId,
    kind::{Catalogue, KindFolder, Value},
    lookup::Person,
    outcome::Outcome,
    time::{ManualClock, Timestamp},
    words::Mode,
};
use jiff::civil::date;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sources::{DropEvent, Question, Realm, SourceFile, Sources, Wanted};
use tokio::time::Instant;

const MAPPING: &str = include_str!("../../sandbox/sources/insurance-drop.toml");
const HEADER: &str = "号牌号码,号牌种类代码,所有人证件号,被保险人,被保险人证件号,交强险终止日期,险种,保险公司,保单号,\
                      起保日期,终保日期";
const SOURCE: &str = "sandbox-insurance";
const NAME: &str = "policies-20261122.csv";
/// 2026-11-22T02:25:04Z.
const NOW: Timestamp = Timestamp(1_795_314_304_000_000);
/// How many rows are asked for.
const ASKED: u64 = 10_000;
/// The most memory that an import may take, in megabytes: a row at a time, what waits to be written, and SQLite's pages,
/// three times over.
const MAY_TAKE_MB: u64 = 256;

fn main() -> ExitCode {
    let rows = std::env::args().nth(1).map(|n| n.parse());
    let rows: u64 = rows.unwrap_or(Ok(1_000_000)).expect("how many rows, as a number");
    let folder = tempfile::tempdir().unwrap();
    let bytes = write(folder.path(), rows);
    let sources = sources(folder.path());
    let started = Instant::now();
    let news = sources.refresh(SOURCE, &|progress| {
        if progress.rows % 100_000 == 0 && progress.rows > 0 {
            eprint!(
                "\r{:?} {} % {} rows ",
                progress.stage,
                progress.percent(),
                progress.rows
            );
        }
    });
    let seconds = started.elapsed().as_secs_f64();
    eprintln!();
    assert!(matches!(news[0].event, DropEvent::Serving { .. }), "{news:?}");
    let peak_mb = peak_rss_mb();
    let store: u64 = fs::read_dir(folder.path().join("store"))
        .unwrap()
        .map(|entry| entry.unwrap().metadata().unwrap().len())
        .sum();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    let mut times = runtime.block_on(ask(&sources, rows));
    times.sort_unstable();
    let at = |share: usize| times[times.len() * share / 100].as_micros();
    println!(
        "{{\"bench\":\"drop\",\"rows\":{rows},\"file_mb\":{},\"shelf_mb\":{},\"seconds\":{seconds:.1},\
         \"rows_per_second\":{:.0},\"peak_rss_mb\":{peak_mb},\"find_p50_us\":{},\"find_p99_us\":{}}}",
        bytes >> 20,
        store >> 20,
        rows as f64 / seconds,
        at(50),
        at(99),
    );
    if peak_mb > MAY_TAKE_MB {
        eprintln!(
            "the import took {peak_mb} MB of memory, and {MAY_TAKE_MB} MB are the most that it may take"
        );
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}

fn signer() -> Identity {
    Identity::generate("holder", Suite::Gm, &mut ChaCha20Rng::from_seed([1; 32])).unwrap()
}

/// An invented person: a division that was closed before the birth.
fn number(n: u64) -> IdNumber {
    let day = date(1990, 1, 1) + jiff::Span::new().days(i64::try_from(n / 999 % 10_000).unwrap());
    IdNumber::compose("110104", day, u16::try_from(n % 999 + 1).unwrap()).unwrap()
}

fn plate(n: u64) -> String {
    let letter = |n: u64| char::from(b"ABCDEFGHJKLMNPQRSTUVWXYZ"[usize::try_from(n % 24).unwrap()]);
    let provinces = [
        "京", "津", "冀", "晋", "辽", "吉", "黑", "沪", "苏", "浙", "皖", "闽", "赣", "鲁",
    ];
    let province = provinces[usize::try_from(n / 2_400_000 % 14).unwrap()];
    format!("{province}{}{:05}", letter(n / 100_000), n % 100_000)
}

/// Writes a drop of so many rows, with checksum and signature; how many bytes it has.
fn write(folder: &Path, rows: u64) -> u64 {
    fs::create_dir(folder.join("in")).unwrap();
    let path = folder.join("in").join(NAME);
    let mut file = BufWriter::new(File::create(&path).unwrap());
    let mut hasher = Hasher::new(Suite::Gm);
    let mut put = |text: &str| {
        let bytes = encoding_rs::GB18030.encode(text).0;
        hasher.update(&bytes);
        file.write_all(&bytes).unwrap();
    };
    put(&format!("{HEADER}\n"));
    for n in 0..rows {
        let (plate, number) = (plate(n), number(n));
        let number = number.expose();
        put(&format!(
            "{plate},02,{number},某某某,{number},2027-05-31,交强险,某某财产保险股份有限公司,PDZA{n:018},20260601,20270531\n"
        ));
    }
    file.flush().unwrap();
    let digest: String = hasher.finish().iter().map(|b| format!("{b:02x}")).collect();
    let line = format!("{digest}  {NAME}\n");
    let signature = signer().sign(line.as_bytes());
    let signature = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, signature);
    fs::write(folder.join("in").join(format!("{NAME}.sm3.sig")), signature).unwrap();
    fs::write(folder.join("in").join(format!("{NAME}.sm3")), line).unwrap();
    path.metadata().unwrap().len()
}

fn kinds() -> Catalogue {
    let text = |text: &str| text.to_owned();
    let kind = |name: &str, kind: &str, zh: &str, en: &str| KindFolder {
        name: text(name),
        files: BTreeMap::from([
            (text("kind.toml"), text(kind)),
            (text("notice.zh.md"), text(zh)),
            (text("notice.en.md"), text(en)),
        ]),
        loaded: false,
    };
    let folder = kind(
        "vehicle-insurance",
        include_str!("../../../kinds/vehicle-insurance/kind.toml"),
        include_str!("../../../kinds/vehicle-insurance/notice.zh.md"),
        include_str!("../../../kinds/vehicle-insurance/notice.en.md"),
    );
    Catalogue::new(&[folder]).unwrap()
}

fn sources(folder: &Path) -> Sources {
    let path = |name: &str| folder.join(name).display().to_string();
    let text = MAPPING
        .replace("{folder}", &path("in"))
        .replace("{store}", &path("store"))
        .replace("{keys}", &path("keys"))
        .replace("{suite}", "gm")
        .replace("{checksum}", "sm3")
        .replace("{signer}", &signer().peer().to_base64());
    let file = SourceFile {
        name: "insurance-drop.toml".into(),
        text,
    };
    let clock = Arc::new(ManualClock::new(NOW));
    Sources::new(&[file], &kinds(), Realm::Demo, clock, [2; 32]).unwrap()
}

/// Asks for rows spread over the drop, one after the other; how long each took.
async fn ask(sources: &Sources, rows: u64) -> Vec<Duration> {
    let kinds = kinds();
    let kind = kinds.get("vehicle-insurance").unwrap();
    let mut times = Vec::new();
    for n in (0..ASKED).map(|n| n.wrapping_mul(7_919_777) % rows) {
        let question = Question {
            lookup: LookupId::from_bytes([9; 16]),
            fields: Arc::clone(&kind.disclosable),
            kind: Arc::clone(kind),
            mode: Mode::Read,
            person: Person {
                name: PersonName::parse("某某某").unwrap().value,
                id_number: number(n),
            },
            key: BTreeMap::from([
                ("plate".to_owned(), Value::Text(plate(n))),
                ("plate_class".to_owned(), Value::Text("02".to_owned())),
            ]),
            claims: BTreeMap::new(),
            portrait: None,
            wanted: Wanted::default(),
            arrived: NOW,
            deadline: Instant::now() + Duration::from_secs(3),
        };
        let started = Instant::now();
        let answer = sources.ask(question).await;
        times.push(started.elapsed());
        assert_eq!(answer.outcome, Outcome::Found, "{:?}", answer.report);
    }
    times
}

/// The most memory that the process ever had, in megabytes.
fn peak_rss_mb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))
        .unwrap();
    line.split_whitespace().next().unwrap().parse::<u64>().unwrap() / 1024
}
