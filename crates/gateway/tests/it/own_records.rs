//! docs/own-records.md, followed as a newcomer would, on a file as it describes one.

use std::path::Path;

use encoding_rs::GBK;
use gateway::commands::source::{
    check::{CheckArgs, check},
    draft::{DraftArgs, make},
};
use serde_json::Value;

use crate::{
    guide::{Follower, lines_of, run},
    source_check::{asking, world},
};

const GUIDE: &str = include_str!("../../../../docs/own-records.md");

/// The guide's rows, and as many more as make a thousand, in GBK.
fn csv() -> Vec<u8> {
    let mut text = lines_of(GUIDE, "csv").join("\n") + "\n";
    let rows = text.lines().count() - 1;
    for i in rows..1000 {
        let day = jiff::civil::date(1970, 1, 1)
            .checked_add(jiff::Span::new().days(i as i64))
            .unwrap();
        let number = domain::identifiers::IdNumber::compose("110201", day, 12).unwrap();
        text += &format!(
            "测试某,{},2026/5/{},{i},C{},12.50,\n",
            number.expose(),
            i % 28 + 1,
            i % 2 + 1
        );
    }
    GBK.encode(&text).0.into_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("hours.csv"), csv()).unwrap();
    let mut follower = Follower::new(folder, &[]);
    for line in lines_of(GUIDE, "sh") {
        follower.follow(&line).await;
        let out = &follower.printed;
        assert!(!out.contains("WRONG") && !out.contains("FAILED"), "{line}: {out}");
    }
    assert_eq!(follower.counted, [1, 3, 4, 3], "what the guide has");
    let said = &follower.said;
    assert!(said.contains("1000 rows as of"), "{said}");
    assert!(said.contains("林示例, phone 17910000000"), "{said}");
    let last = follower.reply.take().unwrap().json;
    assert_eq!(last["outcome"], "found", "{last}");
    let shown: Vec<&str> = last["record"]
        .as_object()
        .unwrap()
        .values()
        .filter_map(|f| f["value"].as_str())
        .collect();
    assert!(
        shown.contains(&"2026-03-05") && shown.contains(&"林示例"),
        "{last}"
    );
    assert_eq!(
        last["record"]["id_number"],
        Value::Null,
        "a number is never disclosed"
    );
    drop(follower);
    tomorrow(folder);
}

/// What is put there tomorrow, today, and asked about a further person as the guide adds one.
fn tomorrow(folder: &Path) {
    let checked = lines_of(GUIDE, "sh")
        .into_iter()
        .find(|line| line.starts_with("mingcha source check"))
        .unwrap();
    let tests = folder.join("rehearsal/tests.toml");
    let more = std::fs::read_to_string(&tests).unwrap() + "\n" + &lines_of(GUIDE, "toml").join("\n");
    std::fs::write(&tests, more).unwrap();
    let told = run(&checked, folder);
    assert!(told.contains("1000 rows as of"), "{told}");
    assert!(
        told.contains("ok    case 2 (driving-hours read): found"),
        "the guide's further person: {told}"
    );
}

/// The guide and the program have the same words for what a case may expect.
#[test]
fn the_guide_names_every_outcome() {
    for outcome in domain::outcome::Outcome::ALL {
        assert!(GUIDE.contains(&format!("`{outcome}`")), "{outcome}");
    }
}

/// Checks what was drafted into this folder; whether it is sound, and what is told.
pub(crate) async fn checked(into: &Path) -> (bool, String) {
    let args = CheckArgs {
        kinds: Some(into.join("kinds")),
        ..asking(into.join("sources/own.toml"), into.join("tests.toml"))
    };
    let mut out = String::new();
    let sound = check(&args, &world(), &mut out).await.unwrap();
    (sound, out)
}

/// Drafts a file and checks what came of it; the words of both.
async fn drafted(content: &[u8]) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let (file, into) = (folder.path().join("own.csv"), folder.path().join("r"));
    std::fs::write(&file, content).unwrap();
    let args = DraftArgs {
        file,
        kind: "own".into(),
        name: None,
        into: into.clone(),
    };
    let said = match make(&args, &world()) {
        Ok(said) => said,
        Err(error) => return (error.to_string(), String::new()),
    };
    assert!(make(&args, &world()).is_err(), "nothing is written over");
    let (sound, out) = checked(&into).await;
    assert!(sound, "{said}\n{out}");
    let texts =
        ["kinds/own/kind.toml", "sources/own.toml"].map(|f| std::fs::read_to_string(into.join(f)).unwrap());
    (said, texts.concat())
}

const ROWS: &str = "姓名;证件号;金额/元;日期;\"状态 \"\"a\"\"\"\n\
    林示例;110201198806140125;12.5;2026年1月2日;好\n何样本;120204198703020279;3;2026年1月13日;坏\n";

#[tokio::test]
async fn columns_are_taken_for_what_they_hold() {
    let (said, texts) = drafted(ROWS.as_bytes()).await;
    assert!(said.contains("2 rows in utf-8, cells between ';'"), "{said}");
    assert!(
        said.contains("金额/元 → column_3: money") && texts.contains("\"/金额~1元\""),
        "{said}{texts}"
    );
    assert!(
        said.contains("日期 → column_4: date written yyyy年M月d日"),
        "{said}"
    );
    assert!(texts.contains(r#"column_5 = "/状态 \"a\"""#), "{texts}");
    let lessons = "会 员 名\t身份证\t上课时间\n林示例\t110201198806140125\t2026-01-31 08:00:00\n";
    let (said, _) = drafted(lessons.as_bytes()).await;
    assert!(
        said.contains("上课时间 → column_3: date_time written china-datetime"),
        "{said}"
    );
    assert!(said.contains("会 员 名 → name: person_name"), "{said}");
    // In a long file a few words that come again and again are codes, and one bad row is left out.
    let mut long = String::from("name,sfz,state\n");
    for i in 0..200_u16 {
        let number =
            domain::identifiers::IdNumber::compose("110201", jiff::civil::date(1990, 1, 1), i + 1).unwrap();
        let number = if i == 7 {
            "110201199001010001"
        } else {
            number.expose()
        };
        long += &format!("林示例,{number},{}\n", if i % 2 == 0 { "好" } else { "坏" });
    }
    let (said, texts) = drafted(long.as_bytes()).await;
    assert!(
        said.contains("state → state: code: 坏, 好") && texts.contains("max_bad_rows = 1"),
        "{said}{texts}"
    );
    assert!(said.contains("line 9, sfz: field_malformed"), "{said}");
    assert!(!said.contains("110201"), "nothing personal: {said}");
}

#[tokio::test]
async fn several_rows_of_a_person_make_a_list() {
    let more = format!("{ROWS}林示例;110201198806140125;7;2026年3月4日;好\n");
    let (said, texts) = drafted(more.as_bytes()).await;
    assert!(said.contains("they make one record, with a list"), "{said}");
    assert!(
        texts.contains("several = true") && texts.contains("records.items.column_3"),
        "{texts}"
    );
    assert!(
        !texts.contains("records.items.name"),
        "names stand outside lists: {texts}"
    );
}

#[tokio::test]
async fn what_cannot_be_drafted_says_why() {
    let refused = async |content: &[u8], words: &str| {
        let (said, texts) = drafted(content).await;
        assert!(said.contains(words) && texts.is_empty(), "{said}");
    };
    refused("a,b\n1,2\n".as_bytes(), "no column holds identity numbers").await;
    refused(b"a,b\n", "drop_empty").await;
    refused(b"", "header_malformed").await;
    refused(b"a,a\n1,2\n", "own.csv:1: header_malformed").await;
    refused(b"a,b\n1,\xff\xff\n", "charset_wrong").await;
}
