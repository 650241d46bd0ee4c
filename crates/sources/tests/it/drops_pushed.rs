//! What a record holder pushes before its next file: shown at once, once, in its order, and gone with the next file.

use std::{collections::BTreeMap, fs};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::webhook::{SharedSecret, SignedParts, sign};
use domain::{outcome::Outcome, time::Timestamp};
use proptest::prelude::*;
use serde_json::{Value as Json, json};
use sources::{DropEvent, NotTaken, Problem, PushedChange, Realm, SourceFile, Sources};

use crate::{
    drops::{Bed, TODAY, YESTERDAY, about, brand, gbk, line, problem, refresh, serving, signer},
    world::{NOW, TRAFFIC, file, kinds, list_question, number},
};

const SOURCE: &str = "test-drops";
const SECRET: &str = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
/// An hour before [`NOW`], after the beginning of its day.
const LATELY: &str = "2026-11-22 09:25:04";

const CHANGES: &str = r#"
[changes]
KEY
record = "/data/jl"
sequence = "/data/xh"
as_of = "/time"
rows = "/data/hang"
"#;

fn pushing(text: String) -> String {
    format!(
        "{text}{}",
        CHANGES.replace("KEY", &format!("secret = \"literal:{SECRET}\""))
    )
}

fn row(plate: &str, brand: &str, owner: u16) -> Json {
    json!({
        "号牌号码": plate, "号牌种类": "小型汽车", "品牌": brand, "燃料": "电", "登记日期": "20200229", "座位": "5",
        "税额": "300.5", "状态": "正常", "维修": "[]", "证件号": number(owner).expose(), "备注": "不必知道",
    })
}

/// A message about the car that is asked about.
fn message(sequence: i64, as_of: &str, rows: Json) -> String {
    message_about("京A12345", sequence, as_of, rows)
}

fn message_about(plate: &str, sequence: i64, as_of: &str, rows: Json) -> String {
    let record = json!({ "号牌号码": plate, "号牌种类": "小型汽车" });
    json!({ "type": "car.changed", "time": as_of, "data": { "jl": record, "xh": sequence, "hang": rows } })
        .to_string()
}

/// Pushes a body under an id, sent now.
async fn push(sources: &Sources, id: &str, body: &str) -> Result<(), NotTaken> {
    push_at(sources, id, NOW, body).await
}

async fn push_at(sources: &Sources, id: &str, now: Timestamp, body: &str) -> Result<(), NotTaken> {
    let timestamp = (now.0 / 1_000_000).to_string();
    let parts = SignedParts {
        id,
        timestamp: &timestamp,
        body: body.as_bytes(),
    };
    let signature = SharedSecret::parse(SECRET).unwrap().sign(parts);
    let pushed = PushedChange {
        id,
        timestamp: &timestamp,
        signature: &signature,
        body: body.as_bytes(),
    };
    sources.take_change(SOURCE, pushed).await
}

fn started(bed: &Bed) -> Sources {
    bed.sources_with(pushing).0
}

/// A drop of today with the car that is asked about, and one of somebody else.
fn served(bed: &Bed) -> Sources {
    bed.drop(
        TODAY,
        &gbk(&[line("京A12345", "文件", 1), line("京C12345", "他", 2)]),
    );
    let sources = started(bed);
    assert_eq!(serving(&refresh(&sources)), 2);
    sources
}

/// A drop with two cars of the same brand.
fn both(brand: &str) -> Vec<u8> {
    gbk(&[line("京A12345", brand, 1), line("京B12345", brand, 1)])
}

async fn as_of(sources: &Sources) -> String {
    let answer = sources.ask(about("京A12345")).await;
    answer.provenance.unwrap().as_of.unwrap().rfc3339()
}

async fn listed(sources: &Sources) -> Vec<String> {
    let rows = sources.ask(list_question()).await.rows;
    rows.iter().map(|row| row["plate"].text().into_owned()).collect()
}

#[tokio::test]
async fn a_change_is_shown_at_once_and_a_repeat_or_an_older_one_changes_nothing() {
    let bed = Bed::new();
    let sources = served(&bed);
    assert_eq!(
        (brand(&sources).await.as_str(), as_of(&sources).await.as_str()),
        ("文件", "2026-11-21T16:00:00Z")
    );
    let first = message(7, LATELY, json!([row("京A12345", "新", 1)]));
    assert_eq!(push(&sources, "a", &first).await, Ok(()));
    assert_eq!(
        (brand(&sources).await.as_str(), as_of(&sources).await.as_str()),
        ("新", "2026-11-22T01:25:04Z")
    );
    // The same message, its id with another content, an older and an equal number: all are acknowledged.
    let other = |sequence| message(sequence, LATELY, json!([row("京A12345", "错", 1)]));
    for (id, body) in [("a", first), ("a", other(9)), ("b", other(6)), ("c", other(7))] {
        assert_eq!(push(&sources, id, &body).await, Ok(()), "{id}");
        assert_eq!(brand(&sources).await, "新", "{id}");
    }
    let again = started(&bed);
    assert_eq!(brand(&again).await, "新", "after a start, too");
    assert_eq!(push(&again, "d", &other(7)).await, Ok(()));
    assert_eq!(brand(&again).await, "新");
    let later = message(8, LATELY, json!([row("京A12345", "更新", 1)]));
    assert_eq!(push(&again, "e", &later).await, Ok(()));
    assert_eq!(brand(&again).await, "更新");
    assert_eq!(
        again.ask(about("京C12345")).await.outcome,
        Outcome::NotFound,
        "of others nothing changed"
    );
}

#[tokio::test]
async fn whose_it_is_counts_for_what_is_pushed_too() {
    let bed = Bed::new();
    let sources = served(&bed);
    assert_eq!(listed(&sources).await, ["京A12345"]);
    let sold = message(1, LATELY, json!([row("京A12345", "新", 2)]));
    assert_eq!(push(&sources, "a", &sold).await, Ok(()));
    let answer = sources.ask(about("京A12345")).await;
    assert_eq!(
        (answer.outcome, problem(&answer)),
        (Outcome::NotFound, Some(Problem::WrongSubject))
    );
    assert!(listed(&sources).await.is_empty());
    let bought = message_about("京B12345", 1, LATELY, json!([row("京B12345", "新", 1)]));
    assert_eq!(push(&sources, "b", &bought).await, Ok(()));
    assert_eq!(listed(&sources).await, ["京B12345"]);
}

#[tokio::test]
async fn what_is_void_is_not_shown_and_what_is_gone_is_not_found() {
    let bed = Bed::new();
    let sources = served(&bed);
    assert_eq!(push(&sources, "a", &message(1, LATELY, Json::Null)).await, Ok(()));
    let answer = sources.ask(about("京A12345")).await;
    assert_eq!(
        (answer.outcome, problem(&answer)),
        (Outcome::Maintenance, Some(Problem::RecordChanged))
    );
    let list = sources.ask(list_question()).await;
    assert_eq!(
        list.outcome,
        Outcome::Maintenance,
        "a list without it would be wrong"
    );
    assert_eq!(push(&sources, "b", &message(2, LATELY, json!([]))).await, Ok(()));
    assert_eq!(sources.ask(about("京A12345")).await.outcome, Outcome::NotFound);
    assert_eq!(sources.ask(list_question()).await.outcome, Outcome::NotFound);
}

#[tokio::test]
async fn the_next_file_takes_over_what_is_newer_and_forgets_the_rest() {
    let bed = Bed::new();
    bed.drop(YESTERDAY, &both("昨"));
    let sources = started(&bed);
    assert_eq!(serving(&refresh(&sources)), 2);
    let before = bed.kept();
    // One of yesterday's noon, which today's file has, and one of this morning, which it has not.
    let yesterdays = |sequence, hour: &str, brand| {
        let at = format!("2026-11-21 {hour}:00:00");
        message_about("京B12345", sequence, &at, json!([row("京B12345", brand, 1)]))
    };
    let this_mornings = |sequence, brand| message(sequence, LATELY, json!([row("京A12345", brand, 1)]));
    for (id, body) in [("a", yesterdays(5, "12", "午")), ("b", this_mornings(5, "晨"))] {
        assert_eq!(push(&sources, id, &body).await, Ok(()), "{id}");
    }
    bed.drop(TODAY, &both("今"));
    assert_eq!(serving(&refresh(&sources)), 2);
    let other = |sources: Sources| async move {
        let answer = sources.ask(about("京B12345")).await;
        (answer.record.unwrap().0["brand"].text().into_owned(), sources)
    };
    assert_eq!(brand(&sources).await, "晨");
    let (shown, sources) = other(sources).await;
    assert_eq!(shown, "今");
    // What comes late of before the file changes nothing, whatever its number.
    for (id, body) in [("c", yesterdays(9, "13", "迟")), ("d", this_mornings(4, "旧"))] {
        assert_eq!(push(&sources, id, &body).await, Ok(()), "{id}");
    }
    assert_eq!(brand(&sources).await, "晨");
    let (shown, sources) = other(started(&bed)).await;
    assert_eq!(
        (shown.as_str(), brand(&sources).await.as_str()),
        ("今", "晨"),
        "after a start, too"
    );
    assert!(
        before
            .iter()
            .all(|(name, _)| !bed.path("keys").join(name).exists() && !bed.path("store").join(name).exists())
    );
}

#[tokio::test]
async fn nothing_that_was_pushed_lies_in_the_clear() {
    let bed = Bed::new();
    let sources = served(&bed);
    assert_eq!(
        push(
            &sources,
            "a",
            &message(1, LATELY, json!([row("京A12345", "新新新新", 1)]))
        )
        .await,
        Ok(())
    );
    let kept = bed.kept();
    let changes = &kept
        .iter()
        .find(|(name, _)| name.ends_with(".changes"))
        .unwrap()
        .1;
    // Sealed, what is mapped of the row takes about 300 bytes.
    assert!(changes.len() > 4096);
    for (name, bytes) in &kept {
        for needle in ["新新新新", "京A12345", "不必知道", number(1).expose(), "品牌"] {
            let found = bytes
                .windows(needle.len())
                .any(|window| window == needle.as_bytes());
            assert!(!found, "{name}: {needle}");
        }
    }
}

#[tokio::test]
async fn another_mapping_does_not_show_what_was_pushed_for_the_old_one() {
    let bed = Bed::new();
    let sources = served(&bed);
    assert_eq!(
        push(
            &sources,
            "a",
            &message(1, LATELY, json!([row("京A12345", "新", 1)]))
        )
        .await,
        Ok(())
    );
    let remapped = |text: String| pushing(text).replace("brand = \"/品牌\"", "brand = \"/备注\"");
    let (changed, _) = bed.sources_with(remapped);
    let news = refresh(&changed);
    assert!(
        matches!(news[0].event, DropEvent::Remapped { .. })
            && matches!(news[1].event, DropEvent::Serving { .. })
    );
    let answer = changed.ask(about("京A12345")).await;
    assert_eq!(
        (answer.outcome, problem(&answer)),
        (Outcome::Maintenance, Some(Problem::RecordChanged))
    );
}

#[tokio::test]
async fn whoever_else_sends_gets_one_refusal() {
    let bed = Bed::new();
    let sources = served(&bed);
    let body = message(1, LATELY, json!([row("京A12345", "伪", 1)]));
    let timestamp = (NOW.0 / 1_000_000).to_string();
    let sign = |id: &str, timestamp: &str| {
        let parts = SignedParts {
            id,
            timestamp,
            body: body.as_bytes(),
        };
        SharedSecret::parse(SECRET).unwrap().sign(parts)
    };
    let (early, late) = (
        (NOW.0 / 1_000_000 - 301).to_string(),
        (NOW.0 / 1_000_000 + 301).to_string(),
    );
    let long = "x".repeat(129);
    let forged = STANDARD.encode([7; 32]);
    let cases: [(&str, &str, &str, String); 9] = [
        ("other", "a", &timestamp, sign("a", &timestamp)),
        (SOURCE, "a", &timestamp, format!("v1,{forged}")),
        (SOURCE, "a", &timestamp, String::new()),
        (SOURCE, "b", &timestamp, sign("a", &timestamp)),
        (SOURCE, "a", &early, sign("a", &early)),
        (SOURCE, "a", &late, sign("a", &late)),
        (SOURCE, "a", "soon", sign("a", "soon")),
        (SOURCE, "", &timestamp, sign("", &timestamp)),
        (SOURCE, &long, &timestamp, sign(&long, &timestamp)),
    ];
    for (source, id, timestamp, signature) in &cases {
        let pushed = PushedChange {
            id,
            timestamp,
            signature,
            body: body.as_bytes(),
        };
        assert_eq!(
            sources.take_change(source, pushed).await,
            Err(NotTaken::Refused),
            "{source} {id} {timestamp}"
        );
    }
    assert_eq!(brand(&sources).await, "文件");
    // Nobody may push to a source that says nothing about it, and nothing is kept where no file answers.
    assert_eq!(push(&bed.sources().0, "a", &body).await, Err(NotTaken::Refused));
    assert_eq!(
        push(&started(&Bed::new()), "a", &body).await,
        Err(NotTaken::Unavailable)
    );
}

#[tokio::test]
async fn what_does_not_fit_is_malformed_and_changes_nothing() {
    let bed = Bed::new();
    let sources = served(&bed);
    let good = row("京A12345", "新", 1);
    let without = |column: &str| {
        let mut row = good.clone();
        row.as_object_mut().unwrap().remove(column);
        row
    };
    let cases = [
        ("not JSON", "{".to_owned()),
        ("no number", message(-1, LATELY, json!([good]))),
        ("no time", message(1, "today", json!([good]))),
        ("a time ahead", message(1, "2026-11-22 10:40:00", json!([good]))),
        ("rows that are none", message(1, LATELY, json!({}))),
        (
            "another record's row",
            message(1, LATELY, json!([row("京B12345", "新", 1)])),
        ),
        (
            "a field that is missing",
            message(1, LATELY, json!([without("座位")])),
        ),
        (
            "an owner that is missing",
            message(1, LATELY, json!([without("证件号")])),
        ),
        (
            "a code that is unknown",
            message(1, LATELY, json!([row("京A12345", "新", 1)])).replace("小型汽车", "飞机"),
        ),
        (
            "too many rows",
            message(1, LATELY, json!(vec![good.clone(); 501])),
        ),
        (
            "no record",
            "{\"time\":\"2026-11-22 09:25:04\",\"data\":{\"xh\":1}}".to_owned(),
        ),
    ];
    for (case, body) in cases {
        assert_eq!(
            push(&sources, case.split(' ').next().unwrap(), &body).await,
            Err(NotTaken::Malformed),
            "{case}"
        );
        assert_eq!(brand(&sources).await, "文件", "{case}");
    }
    // The ids of what was not taken are free.
    assert_eq!(
        push(&sources, "not", &message(1, LATELY, json!([good]))).await,
        Ok(())
    );
    assert_eq!(brand(&sources).await, "新");
}

#[tokio::test]
async fn a_senders_own_key_makes_it_signed() {
    let bed = Bed::new();
    let holder = signer(9);
    let key = format!("signer = \"{}\"", holder.peer().to_base64());
    bed.drop(TODAY, &gbk(&[line("京A12345", "文件", 1)]));
    let (sources, _) = bed.sources_with(|text| format!("{text}{}", CHANGES.replace("KEY", &key)));
    refresh(&sources);
    let body = message(1, LATELY, json!([row("京A12345", "新", 1)]));
    let timestamp = (NOW.0 / 1_000_000).to_string();
    let parts = SignedParts {
        id: "a",
        timestamp: &timestamp,
        body: body.as_bytes(),
    };
    let forged = sign(&signer(8), parts);
    let signature = sign(&holder, parts);
    let pushed = |signature| PushedChange {
        id: "a",
        timestamp: &timestamp,
        signature,
        body: body.as_bytes(),
    };
    assert_eq!(
        sources.take_change(SOURCE, pushed(&forged)).await,
        Err(NotTaken::Refused)
    );
    assert_eq!(sources.take_change(SOURCE, pushed(&signature)).await, Ok(()));
    assert_eq!(brand(&sources).await, "新");
    let provenance = sources.ask(about("京A12345")).await.provenance.unwrap();
    assert_eq!(provenance.authenticity, domain::record::Authenticity::Signed);
}

#[test]
fn a_table_that_is_wrong_is_refused() {
    let check = |files: &[SourceFile], words: &str| {
        let clock = std::sync::Arc::new(domain::time::ManualClock::new(NOW));
        let sources = Sources::alone(files, kinds(), Realm::Demo, clock, [0; 32]);
        let error = sources.err().map(|e| e.to_string()).unwrap_or_default();
        assert!(error.contains(words), "{words}: {error}");
    };
    let bed = Bed::new();
    let with = |from: &str, to: &str| [bed.file(|text| pushing(text).replacen(from, to, 1))];
    check(&with("literal:whsec_", "literal:"), "whsec_ and base64");
    check(
        &with("rows = \"/data", "signer = \"x\"\nrows = \"/data"),
        "either secret or signer",
    );
    check(
        &with("record = \"/data/jl\"", "record = \"data\""),
        "no JSON pointer",
    );
    check(&with("mode = \"read\"", "mode = \"list\""), "");
    let table = CHANGES.replace("KEY", &format!("secret = \"literal:{SECRET}\""));
    check(
        &[file("traffic.toml", &format!("{TRAFFIC}{table}"), 1)],
        "protocol = \"file\"",
    );
}

/// A record of the car's, by what was delivered: number, and what it says.
#[derive(Debug, Clone)]
struct Delivery {
    plate: usize,
    sequence: i64,
    /// Nothing, void, or a brand.
    says: Option<String>,
}

fn deliveries() -> impl Strategy<Value = Vec<Delivery>> {
    let one = (0..2_usize, 0..6_i64, proptest::option::of("[a-z]{3}"));
    let one = one.prop_map(|(plate, sequence, says)| Delivery {
        plate,
        sequence,
        says,
    });
    proptest::collection::vec(one, 1..12)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whatever comes in whatever order, repeated or not, with a new start and a further edition of the file in between:
    /// of each record stands what has the highest number, and of equal numbers what came first.
    #[test]
    fn the_highest_number_stands(deliveries in deliveries(), repeated in any::<u16>(), turn in 0..12_usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let plates = ["京A12345", "京B12345"];
        let bed = Bed::new();
        let rows = |brand: &str| gbk(&plates.map(|plate| line(plate, brand, 1)));
        bed.drop(TODAY, &rows("文件"));
        let mut sources = started(&bed);
        refresh(&sources);
        let mut expected: BTreeMap<usize, (i64, Option<String>)> = BTreeMap::new();
        for (n, delivery) in deliveries.iter().enumerate() {
            if n == turn {
                bed.drop(TODAY, &rows("更正"));
                assert_eq!(serving(&refresh(&sources)), 2);
                sources = started(&bed);
            }
            let plate = plates[delivery.plate];
            let rows = delivery.says.as_ref().map_or(Json::Null, |brand| json!([row(plate, brand, 1)]));
            let body = message_about(plate, delivery.sequence, LATELY, rows);
            let times = 1 + usize::from(repeated >> n & 1);
            for _ in 0..times {
                assert_eq!(runtime.block_on(push(&sources, &format!("m{n}"), &body)), Ok(()));
            }
            let known = expected.get(&delivery.plate).map_or(-1, |(sequence, _)| *sequence);
            if delivery.sequence > known {
                expected.insert(delivery.plate, (delivery.sequence, delivery.says.clone()));
            }
        }
        let file = if turn < deliveries.len() { "更正" } else { "文件" };
        for (n, plate) in plates.iter().enumerate() {
            let answer = runtime.block_on(sources.ask(about(plate)));
            let shown = answer.record.map(|record| record.0["brand"].text().into_owned());
            let expected = match expected.get(&n) {
                None => Some(file.to_owned()),
                Some((_, says)) => says.clone(),
            };
            prop_assert_eq!(shown, expected);
        }
    }
}

#[tokio::test]
async fn rows_whose_changes_cannot_be_read_do_not_answer() {
    // What lies beside the rows is part of them: where it cannot be read, the rows alone would be wrong.
    let bed = Bed::new();
    let sources = served(&bed);
    assert_eq!(
        push(
            &sources,
            "a",
            &message(1, LATELY, json!([row("京A12345", "新", 1)]))
        )
        .await,
        Ok(())
    );
    drop(sources);
    let changes = bed
        .kept()
        .into_iter()
        .find(|(name, _)| name.ends_with(".changes"))
        .unwrap()
        .0;
    fs::write(
        bed.path("store").join(changes),
        "no database, but longer than its header would be".repeat(4),
    )
    .unwrap();
    let again = started(&bed);
    assert_eq!(brand(&again).await, "maintenance");
    assert_eq!(serving(&refresh(&again)), 2, "the file is read again");
    assert_eq!(brand(&again).await, "文件");
}

/// A hundred thousand changes are what is kept beside one file; what comes then is refused so that its sender comes
/// again, and the operator reads why.
#[tokio::test]
async fn more_than_is_kept_is_not_taken_and_named() {
    let bed = Bed::new();
    let sources = served(&bed);
    let new = |sequence, brand| message(sequence, LATELY, json!([row("京A12345", brand, 1)]));
    assert_eq!(push(&sources, "a", &new(1, "新")).await, Ok(()));
    drop(sources);
    let kept = bed.kept().into_iter().map(|(name, _)| name);
    let changes = kept.into_iter().find(|name| name.ends_with(".changes")).unwrap();
    let changes = rusqlite::Connection::open(bed.path("store").join(changes)).unwrap();
    let fill = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) \
                INSERT INTO change SELECT CAST(i AS BLOB), sequence, as_of, sealed FROM n, change";
    assert_eq!(changes.execute(fill, []).unwrap(), 99_999);
    let again = started(&bed);
    let recorder = metrics_exporter_prometheus::PrometheusBuilder::new().build_recorder();
    let recording = metrics::set_default_local_recorder(&recorder);
    let other = message_about("京B67890", 1, LATELY, json!([row("京B67890", "新", 1)]));
    let refused = push(&again, "b", &other).await;
    drop(recording);
    assert_eq!(refused, Err(NotTaken::Unavailable));
    let counted = recorder.handle().render();
    assert!(counted.contains("problem=\"too_many_changes\""), "{counted}");
    // What was changed before may change again.
    assert_eq!(push(&again, "c", &new(2, "更新")).await, Ok(()));
    assert_eq!(brand(&again).await, "更新");
    changes
        .execute("DELETE FROM change WHERE token = CAST(7 AS BLOB)", [])
        .unwrap();
    drop(again);
    let again = started(&bed);
    assert_eq!(push(&again, "b", &other).await, Ok(()), "the same message again");
}
