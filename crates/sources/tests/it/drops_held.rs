//! Drops that are held back, corrected, read by another mapping, or that a disk does not give: what answers meanwhile.

use std::{fs, os::unix::fs::symlink, path::Path, process::Command, time::Duration};

use domain::outcome::Outcome;
use encoding_rs::GB18030;
use sources::{DropEvent, Problem, Quarantine, SourceFile, Sources};
use tokio::time::{Instant, timeout};

use crate::{
    drops::{
        Bed, HEADER, TODAY, YESTERDAY, about, brand, gbk, line, only, problem, refresh, refused, serving,
    },
    world::number,
};

const SOURCE: &str = "test-drops";

fn one(brand: &str) -> Vec<u8> {
    gbk(&[line("京A12345", brand, 1)])
}

/// So many rows, the first of which is the one that is asked about.
fn many(brand: &str, rows: usize) -> Vec<u8> {
    let row = |n: usize| match n {
        0 => line("京A12345", brand, 1),
        _ => line(&format!("京B{n:05}"), brand, 2),
    };
    gbk(&(0..rows).map(row).collect::<Vec<_>>())
}

fn quarantined(event: &DropEvent) -> Quarantine {
    match event {
        DropEvent::Quarantined(quarantine) => quarantine.clone(),
        other => panic!("{other:?}"),
    }
}

/// Raises what the file says about the mapping of one field.
fn remapped(text: String) -> String {
    text.replace("brand = \"/品牌\"", "brand = \"/备注\"")
}

fn make_pipe(path: &Path) {
    let made = Command::new("mkfifo").arg(path).status().unwrap();
    assert!(made.success());
}

#[tokio::test]
async fn a_column_that_is_not_mapped_is_not_kept() {
    let bed = Bed::new();
    let remark = "注".repeat(600);
    let rows: Vec<_> = (0..200)
        .map(|_| line("京A12345", "新", 1).replace(",无", &format!(",{remark}")))
        .collect();
    bed.drop(TODAY, &gbk(&rows));
    assert_eq!(serving(&refresh(&bed.sources().0)), 200);
    let kept: usize = bed.kept().iter().map(|(_, bytes)| bytes.len()).sum();
    // What is mapped takes about 400 bytes of each row, the remark alone 1,800.
    assert!(kept < 200 * 900, "{kept} bytes");
}

#[tokio::test]
async fn a_shrunk_drop_waits_for_the_operator() {
    let bed = Bed::new();
    let (sources, _) = bed.sources();
    bed.drop(YESTERDAY, &many("旧", 10));
    assert_eq!(serving(&refresh(&sources)), 10);
    bed.drop(TODAY, &many("新", 7));
    let held = quarantined(only(&refresh(&sources)));
    assert_eq!(
        (held.rows, held.before, held.problem()),
        (7, 10, Problem::DropShrunk)
    );
    assert_eq!(brand(&sources).await, "旧");
    assert_eq!(bed.kept().len(), 2, "nothing of it stays");
    assert!(refresh(&sources).is_empty(), "told once");
    let state = &sources.drop_states()[0];
    assert_eq!(
        (state.waiting.as_ref(), state.serving.as_ref().unwrap().1),
        (Some(&held), 10)
    );
    assert!(!sources.accept_drop(SOURCE, "00") && !sources.accept_drop("other", &held.digest));
    assert!(sources.drop_waits(SOURCE, &held.digest));
    // Another content under the same name is not what was accepted.
    assert!(sources.accept_drop(SOURCE, &held.digest) && !sources.drop_waits(SOURCE, &held.digest));
    bed.drop(TODAY, &many("新", 6));
    let other = quarantined(only(&refresh(&sources)));
    assert_ne!(other.digest, held.digest);
    assert!(sources.accept_drop(SOURCE, &other.digest));
    assert_eq!(serving(&refresh(&sources)), 6);
    assert_eq!(brand(&sources).await, "新");
    assert_eq!(sources.drop_states()[0].waiting, None);
}

#[tokio::test]
async fn a_corrected_drop_of_the_same_date_is_taken_and_the_first_one_never_again() {
    let bed = Bed::new();
    let (sources, _) = bed.sources();
    bed.drop(TODAY, &one("错"));
    assert_eq!(serving(&refresh(&sources)), 1);
    bed.drop(TODAY, &one("对"));
    assert_eq!(serving(&refresh(&sources)), 1);
    assert_eq!(brand(&sources).await, "对");
    assert_eq!(bed.kept().len(), 2, "the first one and its key are gone");
    bed.drop(TODAY, &one("错"));
    assert_eq!(refused(&refresh(&sources)), Problem::DropSuperseded);
    let (again, _) = bed.sources();
    assert_eq!(
        refused(&refresh(&again)),
        Problem::DropSuperseded,
        "after a start, too"
    );
    assert_eq!(brand(&again).await, "对");
    bed.drop(TODAY, &one("更对"));
    assert_eq!(serving(&refresh(&again)), 1);
    assert_eq!(brand(&again).await, "更对");
}

#[tokio::test]
async fn what_decides_no_row_lets_the_rows_answer_on() {
    let bed = Bed::new();
    bed.drop(TODAY, &one("新"));
    refresh(&bed.sources().0);
    let (again, _) = bed.sources();
    assert_eq!(
        brand(&again).await,
        "新",
        "found at the first question, without a look"
    );
    let (raised, _) = bed.sources_with(|text| text.replace("version = 3", "version = 4\nprice = 5"));
    assert_eq!(brand(&raised).await, "新");
    assert!(refresh(&raised).is_empty());
}

#[tokio::test]
async fn another_mapping_reads_the_drop_again_and_keeps_the_old_one_until_then() {
    let bed = Bed::new();
    bed.drop(TODAY, &one("新"));
    refresh(&bed.sources().0);
    let before = bed.kept();
    fs::rename(bed.path("in"), bed.path("away")).unwrap();
    fs::create_dir(bed.path("in")).unwrap();
    let (changed, _) = bed.sources_with(remapped);
    assert!(matches!(only(&refresh(&changed)), DropEvent::Remapped { .. }));
    let answer = changed.ask(about("京A12345")).await;
    assert_eq!(
        (answer.outcome, problem(&answer)),
        (Outcome::Maintenance, Some(Problem::MappingChanged))
    );
    assert!(refresh(&changed).is_empty(), "told once");
    assert_eq!(bed.kept(), before, "whoever takes the mapping back has it");
    assert_eq!(brand(&bed.sources().0).await, "新");
    fs::remove_dir(bed.path("in")).unwrap();
    fs::rename(bed.path("away"), bed.path("in")).unwrap();
    assert_eq!(serving(&refresh(&changed)), 1);
    assert_eq!(brand(&changed).await, "无");
    assert_eq!(bed.kept().len(), 2, "and then the old one is gone");
}

fn json_bed() -> Bed {
    Bed::with("jsonl", "gb18030")
}

fn json_lines(members: &str, rows: usize) -> Vec<u8> {
    let row = format!(
        "{{\"号牌号码\":\"京A12345\",\"号牌种类\":\"小型汽车\",\"燃料\":\"电\",\"登记日期\":20200229,\"座位\":5,\
         \"状态\":\"正常\",\"维修\":[],\"证件号\":\"{}\"{members}}}",
        number(1).expose()
    );
    GB18030.encode(&vec![row; rows].join("\n")).0.into_owned()
}

fn json_sources(bed: &Bed) -> Sources {
    // The mark that the fixture lacks: optional, and therefore missed by nobody.
    let optional = |text: String| text.replace("layout = \"csv\"", "layout = \"json-lines\"");
    bed.sources_with(optional).0
}

#[tokio::test]
async fn a_member_that_no_row_has_any_more_holds_a_drop_back() {
    let bed = json_bed();
    let sources = json_sources(&bed);
    let both = ",\"品牌\":\"红旗\",\"税额\":1";
    bed.drop("cars-20261120.jsonl", &json_lines(both, 2));
    assert_eq!(serving(&refresh(&sources)), 2);
    bed.drop(
        "cars-20261121.jsonl",
        &json_lines(",\"品牌\":\"红旗\",\"税金\":1", 2),
    );
    let held = quarantined(only(&refresh(&sources)));
    assert_eq!(
        (held.lacking.as_slice(), held.problem()),
        (&["/税额".to_owned()][..], Problem::DropColumnGone)
    );
    assert!(sources.accept_drop(SOURCE, &held.digest));
    assert_eq!(serving(&refresh(&sources)), 2);
    // From now on it is known to be missing.
    bed.drop("cars-20261122.jsonl", &json_lines(",\"品牌\":\"东风\"", 2));
    assert_eq!(serving(&refresh(&sources)), 2);
}

#[tokio::test]
async fn pipes_and_links_hold_nobody_up() {
    for (case, expected) in [
        ("pipe for a checksum", Problem::ChecksumWrong),
        ("pipe for a drop", Problem::DropUnreadable),
        ("link to a drop", Problem::DropUnreadable),
        ("link to a checksum", Problem::ChecksumWrong),
        ("folder for a drop", Problem::DropUnreadable),
    ] {
        let bed = Bed::new();
        let (sources, _) = bed.sources();
        bed.drop(TODAY, &one("新"));
        let name = if case.contains("checksum") {
            format!("{TODAY}.sm3")
        } else {
            TODAY.to_owned()
        };
        let path = bed.path("in").join(name);
        fs::rename(&path, bed.path("elsewhere")).unwrap();
        match case.split_once(' ').unwrap().0 {
            "pipe" => make_pipe(&path),
            "link" => symlink(bed.path("elsewhere"), &path).unwrap(),
            _ => fs::create_dir(&path).unwrap(),
        }
        let looking = tokio::task::spawn_blocking(move || refresh(&sources));
        let news = timeout(Duration::from_secs(10), looking).await;
        assert_eq!(refused(&news.expect(case).unwrap()), expected, "{case}");
    }
}

#[tokio::test]
async fn the_newest_of_ten_thousand_files_is_found() {
    let bed = Bed::new();
    let today = jiff::civil::date(2026, 11, 22);
    for days in 1..10_200 {
        let date = today - jiff::Span::new().days(days);
        fs::write(
            bed.path("in")
                .join(format!("cars-{}.csv", date.strftime("%Y%m%d"))),
            "",
        )
        .unwrap();
    }
    bed.drop(TODAY, &one("新"));
    let (sources, _) = bed.sources();
    assert_eq!(serving(&refresh(&sources)), 1);
    assert!(refresh(&sources).is_empty(), "and none of the archive is told");
}

/// A disk that does not answer takes a bounded number of threads, and nobody else waits for them.
#[test]
fn a_disk_that_hangs_takes_few_threads() {
    const THREADS: usize = 24;
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    let runtime = runtime
        .worker_threads(2)
        .max_blocking_threads(THREADS)
        .enable_all()
        .build()
        .unwrap();
    let bed = Bed::new();
    bed.drop(TODAY, &one("新"));
    refresh(&bed.sources().0);
    let rows = bed.path("store").join(
        &bed.kept()
            .iter()
            .find(|(name, _)| name.ends_with(".rows"))
            .unwrap()
            .0,
    );
    fs::remove_file(&rows).unwrap();
    make_pipe(&rows);
    let sources = std::sync::Arc::new(bed.sources().0);
    let (outcomes, other) = runtime.block_on(async {
        let asked = (0..2 * THREADS).map(|_| {
            let sources = std::sync::Arc::clone(&sources);
            tokio::spawn(async move {
                let deadline = Instant::now() + Duration::from_millis(300);
                let question = sources::Question {
                    deadline,
                    ..about("京A12345")
                };
                sources.ask(question).await.outcome
            })
        });
        let mut outcomes = vec![];
        for asked in asked.collect::<Vec<_>>() {
            outcomes.push(asked.await.unwrap());
        }
        let other = tokio::task::spawn_blocking(|| 7);
        (outcomes, timeout(Duration::from_secs(2), other).await)
    });
    // The threads hang on; they end with the process.
    runtime.shutdown_background();
    let failed = |outcome: &Outcome| matches!(outcome, Outcome::TimedOut | Outcome::Broken);
    assert!(outcomes.iter().all(failed), "{outcomes:?}");
    assert_eq!(other.expect("a thread is left").unwrap(), 7);
}

#[test]
fn one_source_that_hangs_delays_no_other() {
    let (slow, well) = (Bed::new(), Bed::new());
    slow.drop(TODAY, &many("慢", 2000));
    well.drop(TODAY, &one("快"));
    let other = |text: String| text.replace("id = \"test-drops\"", "id = \"other-drops\"");
    let files: [SourceFile; 2] = [slow.file(|text| text), well.file(other)];
    let clock = std::sync::Arc::new(domain::time::ManualClock::new(crate::world::NOW));
    let sources = Sources::alone(
        &files,
        crate::world::kinds(),
        sources::Realm::Demo,
        clock,
        [1; 32],
    )
    .unwrap();
    let ids: Vec<_> = sources.drop_sources().collect();
    assert_eq!(ids, [SOURCE, "other-drops"]);
    // While the first is being read, the second is looked at, read and done.
    let looked = std::cell::Cell::new(false);
    sources.refresh(SOURCE, &|progress| {
        if progress.stage == sources::Stage::Reading && !looked.replace(true) {
            assert_eq!(serving(&sources.refresh("other-drops", &|_| {})), 1);
            let states = sources.drop_states();
            assert!(
                states[0].reading.as_ref().is_some_and(|reading| reading.rows > 0),
                "{states:?}"
            );
        }
    });
    assert!(looked.get());
    assert!(HEADER.contains("备注"));
}
