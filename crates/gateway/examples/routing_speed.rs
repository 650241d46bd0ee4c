//! What choosing among sources costs: the CPU time of a question to one source of the whole country, and to eight of
//! which each knows some regions, and how many microseconds more that is. For `cargo xtask bench`, which sets it in
//! proportion to a whole look-up.
//!
//! All sources are paused, so that a question ends with the choice and nothing is sent. It is the dearest choice, too:
//! each of the eight is looked at, because none is well.
#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a measurement for developers: it prints one figure, or ends at once"
)]

use std::{collections::BTreeMap, fs, sync::Arc, time::Duration};

use domain::{
    identifiers::{IdNumber, PersonName},
    ids::LookupId,
    kind::{Catalogue, Value},
    lookup::Person,
    time::{ManualClock, Timestamp},
    words::Mode,
};
use jiff::civil::date;
use sources::{Question, Realm, SourceFile, Sources, Wanted};
use tokio::time::Instant;

/// How often both are measured; the median of the differences counts.
const ROUNDS: usize = 25;
/// Questions in one measurement.
const QUESTIONS: u32 = 20_000;
/// 2026-11-22T04:00:00Z.
const NOW: Timestamp = Timestamp(1_795_320_000_000_000);
/// What each of the eight covers; the question's plate is 粤B.
const REGIONS: [&str; 8] = [
    "\"11\", \"京A\"",
    "\"31\", \"沪A\"",
    "\"32\", \"苏A\"",
    "\"33\", \"浙A\"",
    "\"4401\", \"粤A\"",
    "\"51\", \"川A\"",
    "\"42\", \"鄂A\"",
    "\"4403\", \"粤B\"",
];

fn main() {
    let kinds = gateway::start::kinds(None).expect("the embedded kinds are sound");
    let one = paused(&kinds, &[""]);
    let eight = paused(&kinds, &REGIONS);
    let question = question(&kinds);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let runtime = runtime.expect("a runtime starts");
    let mut more: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let [of_one, of_eight] = [&one, &eight].map(|sources| runtime.block_on(time(sources, &question)));
            of_eight - of_one
        })
        .collect();
    more.sort_by(f64::total_cmp);
    println!("{:.4}", more[ROUNDS / 2].max(0.0));
}

/// Microseconds of CPU of one question.
async fn time(sources: &Sources, question: &Question) -> f64 {
    let begun = on_cpu();
    for _ in 0..QUESTIONS {
        let answer = sources.ask(question.clone()).await;
        assert!(answer.outcome.is_failure(), "nobody was asked");
    }
    (on_cpu() - begun) / 1000.0 / f64::from(QUESTIONS)
}

/// Nanoseconds that this thread has been on a CPU.
fn on_cpu() -> f64 {
    let told = fs::read_to_string("/proc/thread-self/schedstat").expect("Linux tells the time on the CPU");
    let first = told
        .split_whitespace()
        .next()
        .and_then(|nanoseconds| nanoseconds.parse().ok());
    first.expect("its first figure is that time")
}

fn paused(kinds: &Catalogue, regions: &[&str]) -> Sources {
    let file = |(n, regions): (usize, &&str)| SourceFile {
        name: format!("source-{n}.toml"),
        text: format!(
            "id = \"source-{n}\"\nversion = 1\nname = {{ zh = \"测\", en = \"measured\" }}\nprotocol = \"http\"\n\
             endpoint = \"http://127.0.0.1:1\"\nfreshness = \"daily\"\nregions = [{regions}]\n\
             [[serves]]\nkind = \"vehicle-maintenance\"\nmode = \"read\"\npath = \"/repairs\"\n\
             request = {{ p = \"key.plate\", c = \"key.plate_class\", n = \"subject.name\", i = \"subject.id_number\" }}\n\
             outcome = {{ at = \"/code\", codes = {{ \"0\" = \"found\", \"1\" = \"not_found\" }} }}\n\
             [serves.fields]\nlast_odometer_km = \"/km\"\nvisits.at = \"/visits\"\nvisits.items.date = \"/date\"\n\
             visits.items.odometer_km = \"/km\"\nvisits.items.shop = \"/shop\"\nvisits.items.work = \"/work\"\n"
        ),
    };
    let files: Vec<_> = regions.iter().enumerate().map(file).collect();
    let clock = Arc::new(ManualClock::new(NOW));
    let sources = Sources::new(&files, kinds, Realm::Demo, clock, [1; 32]).expect("the files are sound");
    let ids: Vec<_> = sources.infos().map(|info| info.id.clone()).collect();
    assert!(ids.iter().all(|id| sources.pause(id, true)), "each is paused");
    sources
}

fn question(kinds: &Catalogue) -> Question {
    let kind = Arc::clone(kinds.get("vehicle-maintenance").expect("it is embedded"));
    Question {
        lookup: LookupId::from_bytes([9; 16]),
        fields: Arc::clone(&kind.disclosable),
        kind,
        mode: Mode::Read,
        person: Person {
            name: PersonName::parse("测试甲").expect("a name").value,
            id_number: IdNumber::compose("110104", date(2015, 1, 1), 1).expect("a number"),
        },
        key: BTreeMap::from([
            ("plate".to_owned(), Value::Text("粤B12345".into())),
            ("plate_class".to_owned(), Value::Text("02".into())),
        ]),
        claims: BTreeMap::new(),
        portrait: None,
        wanted: Wanted::default(),
        arrived: NOW,
        deadline: Instant::now() + Duration::from_secs(3600),
    }
}
