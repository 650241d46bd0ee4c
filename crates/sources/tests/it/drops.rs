//! Drops: what a good one gives, and what is left on disk. Bad ones are in [`crate::drops_bad`].

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{Suite, session::Identity};
use domain::{outcome::Outcome, record::Authenticity, time::ManualClock};
use encoding_rs::GB18030;
use flate2::{Compression, write::GzEncoder};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sources::{Answer, DropEvent, DropNews, Problem, Question, Realm, SourceFile, Sources, Stage};

use crate::world::{NOW, car_question, kinds, list_question, number, text};

pub(crate) const DROPS: &str = include_str!("data/drops.toml");
pub(crate) const HEADER: &str = "号牌号码,号牌种类,品牌,燃料,登记日期,座位,税额,状态,维修,证件号,备注";
pub(crate) const TODAY: &str = "cars-20261122.csv";
pub(crate) const YESTERDAY: &str = "cars-20261121.csv";

/// A record holder's folder, a deployment's folders, and a signer.
pub(crate) struct Bed {
    folder: tempfile::TempDir,
    pub(crate) signer: Identity,
    ending: &'static str,
    charset: &'static str,
}

impl Bed {
    pub(crate) fn new() -> Self {
        Bed::with("csv", "gbk")
    }

    pub(crate) fn with(ending: &'static str, charset: &'static str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("in")).unwrap();
        Bed {
            folder,
            signer: signer(1),
            ending,
            charset,
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn file(&self, change: impl Fn(String) -> String) -> SourceFile {
        let text = DROPS
            .replace("FOLDER", &self.folder.path().display().to_string())
            .replace("ENDING", self.ending)
            .replace("CHARSET", self.charset)
            .replace("SIGNER", &self.signer.peer().to_base64());
        SourceFile {
            name: "drops.toml".into(),
            text: change(text),
        }
    }

    pub(crate) fn sources(&self) -> (Sources, Arc<ManualClock>) {
        self.sources_with(|text| text)
    }

    pub(crate) fn sources_with(&self, change: impl Fn(String) -> String) -> (Sources, Arc<ManualClock>) {
        let clock = Arc::new(ManualClock::new(NOW));
        let files = [self.file(change)];
        let seed = fs::read_dir(self.path("in")).unwrap().count();
        let sources = Sources::new(
            &files,
            kinds(),
            Realm::Demo,
            clock.clone(),
            [u8::try_from(seed % 256).unwrap(); 32],
        );
        (sources.unwrap(), clock)
    }

    /// Puts a drop there as a careful record holder does: the checksum last.
    pub(crate) fn drop(&self, name: &str, content: &[u8]) {
        self.drop_as(name, content, name, &self.signer);
    }

    pub(crate) fn drop_as(&self, name: &str, content: &[u8], named: &str, signer: &Identity) {
        fs::write(self.path("in").join(name), content).unwrap();
        let digest: String = Suite::Gm
            .hash(&[content])
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let line = format!("{digest}  {named}\n");
        let signature = STANDARD.encode(signer.sign(line.as_bytes()));
        fs::write(self.path("in").join(format!("{name}.sm3.sig")), signature).unwrap();
        fs::write(self.path("in").join(format!("{name}.sm3")), line).unwrap();
    }

    /// All bytes that the deployment keeps.
    pub(crate) fn kept(&self) -> Vec<(String, Vec<u8>)> {
        let files = ["store", "keys"]
            .into_iter()
            .flat_map(|f| fs::read_dir(self.path(f)).into_iter().flatten());
        let mut kept: Vec<_> = files
            .map(|entry| entry.unwrap())
            .map(|e| (e.file_name().into_string().unwrap(), fs::read(e.path()).unwrap()))
            .collect();
        kept.sort();
        kept
    }
}

pub(crate) fn signer(seed: u8) -> Identity {
    Identity::generate("holder", Suite::Gm, &mut ChaCha20Rng::from_seed([seed; 32])).unwrap()
}

pub(crate) fn line(plate: &str, brand: &str, owner: u16) -> String {
    format!(
        "{plate},小型汽车,{brand},电,20200229,5,300.5,正常、查封,\"[{{\"\"dd\"\":\"\"某地\"\",\"\"sj\"\":\"\"20260301120000\"\"}}]\",{},无",
        number(owner).expose()
    )
}

pub(crate) fn gbk(lines: &[String]) -> Vec<u8> {
    let text = format!("{HEADER}\r\n{}\r\n", lines.join("\r\n"));
    GB18030.encode(&text).0.into_owned()
}

/// As the record holder packs it.
pub(crate) fn packed(content: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn refresh(sources: &Sources) -> Vec<DropNews> {
    sources.refresh("test-drops", &|_| {})
}

/// The one event of a refresh.
pub(crate) fn only(news: &[DropNews]) -> &DropEvent {
    let [only] = news else { panic!("{news:?}") };
    &only.event
}

pub(crate) fn refused(news: &[DropNews]) -> Problem {
    match only(news) {
        DropEvent::Refused { problem, .. } => *problem,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn serving(news: &[DropNews]) -> u64 {
    match only(news) {
        DropEvent::Serving { rows, .. } => *rows,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn about(plate: &str) -> Question {
    let mut question = car_question();
    question.key.insert("plate".into(), text(plate));
    question
}

pub(crate) async fn brand(sources: &Sources) -> String {
    let answer = sources.ask(about("京A12345")).await;
    answer.record.map_or_else(
        || answer.outcome.to_string(),
        |record| record.0["brand"].text().into_owned(),
    )
}

pub(crate) fn problem(answer: &Answer) -> Option<Problem> {
    answer.report.as_ref().map(|report| report.problem)
}

#[tokio::test]
async fn a_gbk_file_with_its_own_columns_answers() {
    for (ending, charset) in [("csv", "gbk"), ("csv.gz", "gb18030"), ("csv", "utf-8")] {
        let bed = Bed::with(ending, charset);
        let rows = [
            line("京A·12345", "红旗", 1),
            line("京B12345", "东风", 1),
            line("京C12345", "长安", 2),
        ];
        let mut content = gbk(&rows);
        if charset == "utf-8" {
            content = format!("\u{feff}{HEADER}\n{}", rows.join("\n")).into_bytes();
        }
        if ending == "csv.gz" {
            content = packed(&content);
        }
        let (sources, _) = bed.sources();
        let none = sources.ask(about("京A12345")).await;
        assert_eq!(
            (none.outcome, problem(&none)),
            (Outcome::Maintenance, Some(Problem::NoDrop))
        );
        bed.drop(&format!("cars-20261122.{ending}"), &content);
        assert_eq!(serving(&refresh(&sources)), 3);
        let answer = sources.ask(about("京A12345")).await;
        assert_eq!(
            (answer.outcome, problem(&answer)),
            (Outcome::Found, None),
            "{charset}"
        );
        let record = answer.record.unwrap().0;
        assert_eq!(
            (record["brand"].text(), record["tax"].text()),
            ("红旗".into(), "30050".into())
        );
        assert!(record["visits"].text().contains("某地") && record["states"].text().contains("sealed"));
        let provenance = answer.provenance.unwrap();
        assert_eq!(
            provenance.as_of.unwrap().rfc3339(),
            "2026-11-21T16:00:00Z",
            "the file's own date"
        );
        assert_eq!(provenance.authenticity, Authenticity::Signed);
        let plates: Vec<_> = sources
            .ask(list_question())
            .await
            .rows
            .iter()
            .map(|r| r["plate"].text().into_owned())
            .collect();
        assert_eq!(plates, ["京A12345", "京B12345"]);
        assert!(refresh(&sources).is_empty(), "what answers is not read again");
    }
}

#[tokio::test]
async fn no_row_and_somebody_elses_look_the_same() {
    let bed = Bed::new();
    bed.drop(TODAY, &gbk(&[line("京C12345", "长安", 2)]));
    let (sources, _) = bed.sources();
    refresh(&sources);
    let mut others = sources.ask(about("京C12345")).await;
    assert_eq!(problem(&others), Some(Problem::WrongSubject));
    others.report = None;
    assert_eq!(others, sources.ask(about("京Z12345")).await);
    assert_eq!(others.outcome, Outcome::NotFound);
}

#[tokio::test]
async fn duplicate_keys_are_told_and_ambiguous() {
    let bed = Bed::new();
    bed.drop(
        TODAY,
        &gbk(&[line("京A12345", "红旗", 1), line("京A12345", "东风", 1)]),
    );
    let (sources, _) = bed.sources();
    let news = refresh(&sources);
    assert!(
        matches!(
            only(&news),
            DropEvent::Serving {
                rows: 2,
                repeated: 1,
                ..
            }
        ),
        "{news:?}"
    );
    assert_eq!(brand(&sources).await, "ambiguous");
}

#[tokio::test]
async fn json_lines_answer_too() {
    let bed = Bed::with("jsonl", "gb18030");
    let row = |plate: &str, sound: bool| {
        format!(
            "{{\"号牌号码\":\"{plate}\",\"号牌种类\":\"小型汽车\",\"品牌\":\"红旗\",\"燃料\":\"电\",\"登记日期\":20200229,\
             \"座位\":{},\"税额\":300.5,\"状态\":\"正常\",\"维修\":[],\"证件号\":\"{}\"}}",
            if sound { "5" } else { "\"many\"" },
            number(1).expose()
        )
    };
    let layout = |text: String| text.replace("layout = \"csv\"", "layout = \"json-lines\"");
    let (sources, _) = bed.sources_with(layout);
    let content = format!("{}\n\n{}\n", row("京A12345", true), row("京B12345", false));
    bed.drop("cars-20261121.jsonl", &GB18030.encode(&content).0);
    let news = refresh(&sources);
    let DropEvent::Refused {
        problem: Problem::DropRowMalformed,
        rows,
    } = only(&news)
    else {
        panic!("{news:?}")
    };
    assert_eq!((rows[0].line, rows[0].field.as_deref()), (3, Some("seats")));
    bed.drop(
        "cars-20261122.jsonl",
        &GB18030.encode(&content.replace("\"many\"", "7")).0,
    );
    assert_eq!(serving(&refresh(&sources)), 2);
    assert_eq!(brand(&sources).await, "红旗");
}

#[tokio::test]
async fn dates_out_of_order_are_refused() {
    let bed = Bed::new();
    let (sources, clock) = bed.sources();
    let content = |brand: &str| gbk(&[line("京A12345", brand, 1)]);
    bed.drop("cars-20261022.csv", &content("月"));
    assert_eq!(
        refused(&refresh(&sources)),
        Problem::DropOutdated,
        "last month's, and nothing answers"
    );
    assert_eq!(brand(&sources).await, "maintenance");
    bed.drop(TODAY, &content("今"));
    assert_eq!(serving(&refresh(&sources)), 1);
    bed.drop("cars-20261023.csv", &content("月"));
    assert_eq!(
        refused(&refresh(&sources)),
        Problem::DropSuperseded,
        "last month's, behind today's"
    );
    bed.drop("cars-20261123.csv", &content("明"));
    assert_eq!(refused(&refresh(&sources)), Problem::AsOfInFuture);
    assert!(refresh(&sources).is_empty());
    assert_eq!(brand(&sources).await, "今");
    clock.advance_seconds(24 * 3600);
    assert_eq!(serving(&refresh(&sources)), 1, "tomorrow it is right");
    clock.advance_seconds(4 * 24 * 3600);
    assert!(matches!(only(&refresh(&sources)), DropEvent::Overdue { .. }));
    assert!(refresh(&sources).is_empty(), "told when it begins");
    assert_eq!(brand(&sources).await, "明", "and it goes on, with its date");
}

#[tokio::test]
async fn a_drop_without_its_checksum_is_still_being_written() {
    let bed = Bed::new();
    let (sources, _) = bed.sources();
    let content = gbk(&[line("京A12345", "新", 1)]);
    fs::write(bed.path("in").join(TODAY), &content[..50]).unwrap();
    assert!(refresh(&sources).is_empty());
    bed.drop(TODAY, &content);
    assert_eq!(serving(&refresh(&sources)), 1);
}

/// The old key is gone, and of no row anything lies there in the clear.
#[tokio::test]
async fn nothing_lies_in_the_clear_and_old_keys_are_gone() {
    let bed = Bed::new();
    let (sources, _) = bed.sources();
    bed.drop(YESTERDAY, &gbk(&[line("京A12345", "旧旧旧旧", 1)]));
    refresh(&sources);
    let first = bed.kept();
    assert_eq!(first.len(), 2, "rows and keys");
    let old_key = first
        .iter()
        .find(|(name, _)| name.ends_with(".key"))
        .unwrap()
        .1
        .clone();
    bed.drop(TODAY, &gbk(&[line("京A12345", "新新新新", 1)]));
    refresh(&sources);
    let kept = bed.kept();
    assert_eq!(kept.len(), 2);
    let needles: Vec<Vec<u8>> = ["京A12345", "新新新新", "旧旧旧旧", number(1).expose()]
        .iter()
        .flat_map(|s| [s.as_bytes().to_vec(), GB18030.encode(s).0.into_owned()])
        .chain([old_key[..16].to_vec(), old_key[32..48].to_vec()])
        .collect();
    for (name, bytes) in &kept {
        let found = needles
            .iter()
            .any(|needle| bytes.windows(needle.len()).any(|w| w == &needle[..]));
        assert!(!found, "{name}");
    }
    // The key lies apart, and without it the rows are nothing.
    let key = bed
        .path("keys")
        .join(&kept.iter().find(|(name, _)| name.ends_with(".key")).unwrap().0);
    fs::remove_file(key).unwrap();
    fs::remove_dir_all(bed.path("in")).unwrap();
    fs::create_dir(bed.path("in")).unwrap();
    assert_eq!(brand(&bed.sources().0).await, "maintenance");
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_answered_while_a_hundred_thousand_rows_are_swapped_in() {
    let bed = Bed::new();
    let (sources, _) = bed.sources();
    let sources = Arc::new(sources);
    let rows = |brand: &str| {
        let other = |n: u32| line(&format!("京B{n:05}"), brand, 2);
        let mut lines: Vec<_> = (0..99_999).map(other).collect();
        lines.insert(50_000, line("京A12345", brand, 1));
        gbk(&lines)
    };
    bed.drop(YESTERDAY, &gbk(&[line("京A12345", "旧", 1)]));
    refresh(&sources);
    bed.drop(TODAY, &rows("新"));
    let told = Arc::new(AtomicU64::new(0));
    let (looking, counting) = (Arc::clone(&sources), Arc::clone(&told));
    let look = tokio::task::spawn_blocking(move || {
        looking.refresh("test-drops", &|progress| {
            counting.fetch_max(progress.rows, Ordering::Relaxed);
        })
    });
    let mut answers = vec![];
    while !look.is_finished() {
        answers.push(brand(&sources).await);
    }
    assert_eq!(serving(&look.await.unwrap()), 100_000);
    assert_eq!(told.load(Ordering::Relaxed), 100_000);
    answers.push(brand(&sources).await);
    let first_new = answers.iter().position(|a| a == "新").unwrap();
    assert!(
        first_new > 0 && answers[..first_new].iter().all(|a| a == "旧"),
        "{answers:?}"
    );
    assert!(answers[first_new..].iter().all(|a| a == "新"));
}

#[tokio::test]
async fn an_import_stops_when_the_process_ends() {
    let bed = Bed::new();
    let (sources, _) = bed.sources();
    bed.drop(TODAY, &gbk(&vec![line("京A12345", "新", 1); 2_000]));
    let news = sources.refresh("test-drops", &|progress| {
        if progress.stage == Stage::Reading {
            sources.stop_refreshing();
        }
    });
    assert!(news.is_empty() && bed.kept().is_empty(), "{news:?}");
}

const CRASH: &str = "MINGCHA_TEST_DROP_CRASH";

/// Run by the test below, in a process of its own, which ends in the middle of an import without a word.
#[test]
fn a_process_that_crashes() {
    let Ok(told) = std::env::var(CRASH) else { return };
    let (stage, file) = told.split_once(' ').unwrap();
    let text = fs::read_to_string(file).unwrap();
    let files = [SourceFile {
        name: "drops.toml".into(),
        text,
    }];
    let clock = Arc::new(ManualClock::new(NOW));
    let sources = Sources::new(&files, kinds(), Realm::Demo, clock, [77; 32]).unwrap();
    sources.refresh("test-drops", &|progress| {
        let is_begun = progress.stage != Stage::Reading || progress.rows > 0;
        if is_begun && format!("{:?}", progress.stage) == stage {
            std::process::abort();
        }
    });
    panic!("{stage} was never reached");
}

#[tokio::test]
async fn a_crash_leaves_the_old_or_the_new_one() {
    for stage in [
        Stage::Checking,
        Stage::Reading,
        Stage::Indexing,
        Stage::Built,
        Stage::Swapped,
    ] {
        let bed = Bed::new();
        bed.drop(YESTERDAY, &gbk(&[line("京A12345", "旧", 1)]));
        refresh(&bed.sources().0);
        bed.drop(
            TODAY,
            &gbk(&[
                &[line("京A12345", "新", 1)][..],
                &vec![line("京B12345", "新", 1); 1_000],
            ]
            .concat()),
        );
        let file = bed.path("drops.toml");
        fs::write(&file, bed.file(|text| text).text).unwrap();
        let ended = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "drops::a_process_that_crashes"])
            .env(CRASH, format!("{stage:?} {}", file.display()))
            .output()
            .unwrap();
        assert!(!ended.status.success(), "{stage:?}");
        let shown = String::from_utf8_lossy(&ended.stderr).into_owned();
        assert!(!shown.contains("never reached"), "{shown}");
        let (sources, _) = bed.sources();
        let expected = if stage == Stage::Swapped { "新" } else { "旧" };
        assert_eq!(brand(&sources).await, expected, "{stage:?}");
        refresh(&sources);
        assert_eq!(brand(&sources).await, "新", "{stage:?}");
        assert_eq!(bed.kept().len(), 2, "{stage:?}: what the crash left is gone");
    }
}

#[test]
fn a_table_that_is_wrong_is_refused() {
    let bed = Bed::new();
    let load = |realm, from: &str, to: &str| {
        let files = [bed.file(|text| text.replacen(from, to, 1))];
        let sources = Sources::new(&files, kinds(), realm, Arc::new(ManualClock::new(NOW)), [0; 32]);
        sources.err().map(|e| e.to_string()).unwrap_or_default()
    };
    let check = |from: &str, to: &str, words: &str| {
        let error = load(Realm::Demo, from, to);
        assert!(error.contains(words), "{to}: {error}");
    };
    check("cars-{yyyyMMdd}", "cars", "name: a file name with one of");
    check(
        "freshness = \"daily\"",
        "freshness = \"realtime\"",
        "daily or weekly",
    );
    check(
        "layout = \"csv\"",
        "layout = \"csv\"\ndelimiter = \"|\"",
        "delimiter",
    );
    check("/store\"", "/keys\"", "keys lie apart");
    check("folder = \"/", "folder = \"", "begins with /");
    check("signer = \"gm-public:", "signer = \"gm-public:x", "signer");
    check("plate = \"/号牌号码\"", "", "plate is required");
    check("subject = \"/证件号\"", "", "subject is required");
    check(
        "mode = \"list\"",
        "mode = \"list\"\npath = \"/x\"",
        "other protocols",
    );
    let signer = format!("signer = \"{}\"", bed.signer.peer().to_base64());
    let unsigned = load(Realm::Production, &signer, "agreement = 1");
    assert!(!unsigned.is_empty());
    assert!(Path::new(&bed.path("in")).exists());
}
