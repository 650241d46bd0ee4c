//! Drops that are forged, malformed or too large: the one before goes on, and nothing of them stays.

use std::fs;

use encoding_rs::GB18030;
use sources::{DropEvent, Problem, Sources, Stage};

use crate::{
    drops::{
        Bed, HEADER, TODAY, YESTERDAY, brand, gbk, line, only, packed, refresh, refused, serving, signer,
    },
    world::number,
};

/// A way to drop something bad, and what is told of it.
type Bad = (&'static str, Problem, Box<dyn Fn(&Bed)>);

fn good() -> Vec<u8> {
    gbk(&[line("京A12345", "新", 1)])
}

/// Drops that are not what the record holder sent.
fn forged() -> Vec<Bad> {
    vec![
        (
            "half-written",
            Problem::ChecksumWrong,
            Box::new(|bed| {
                bed.drop(TODAY, &good());
                fs::write(bed.path("in").join(TODAY), &good()[..good().len() / 2]).unwrap();
            }),
        ),
        (
            "another day's checksum",
            Problem::ChecksumWrong,
            Box::new(|bed| bed.drop_as(TODAY, &good(), YESTERDAY, &bed.signer)),
        ),
        (
            "somebody else's signature",
            Problem::SignatureWrong,
            Box::new(|bed| bed.drop_as(TODAY, &good(), TODAY, &signer(2))),
        ),
    ]
}

/// Drops that the record holder sent, and that cannot be read.
fn malformed() -> Vec<Bad> {
    let plain = |case, problem, content: Vec<u8>| -> Bad {
        (case, problem, Box::new(move |bed| bed.drop(TODAY, &content)))
    };
    let with = |from: &str, to: &str| {
        let text = GB18030.decode(&good()).0.replace(from, to);
        GB18030.encode(&text).0.into_owned()
    };
    let many = vec![line("京A12345", "x", 1).replace(",5,", ",五,"); 300];
    let open_quote = format!(",\"{}", "长".repeat(3000));
    let row = Problem::DropRowMalformed;
    vec![
        plain("a malformed field", row, with(",5,", ",五,")),
        plain("many malformed fields", row, gbk(&many)),
        plain("a missing cell", row, with(",无", "")),
        plain("an unknown code", row, with("小型汽车", "飞机")),
        plain("no owner", row, with(number(1).expose(), "")),
        plain("a renamed column", Problem::HeaderMalformed, with("品牌", "厂牌")),
        plain("a column twice", Problem::HeaderMalformed, with("备注", "品牌")),
        plain("an open quote", Problem::RowTooLong, with(",无", &open_quote)),
        plain(
            "no rows",
            Problem::DropEmpty,
            GB18030.encode(HEADER).0.into_owned(),
        ),
        plain("nothing", Problem::HeaderMalformed, Vec::new()),
        plain(
            "not GBK",
            Problem::CharsetWrong,
            [&good()[..], b"\xff\xff\xff\n"].concat(),
        ),
    ]
}

/// Whatever is wrong with a drop, the one before goes on, it is told once, and a good one is taken afterwards.
#[tokio::test]
async fn a_bad_drop_leaves_the_old_one_serving() {
    for (case, expected, put) in forged().into_iter().chain(malformed()) {
        let bed = Bed::new();
        let (sources, _) = bed.sources();
        bed.drop(YESTERDAY, &gbk(&[line("京A12345", "旧", 1)]));
        assert_eq!(serving(&refresh(&sources)), 1);
        let before = bed.kept();
        put(&bed);
        let news = refresh(&sources);
        assert_eq!(refused(&news), expected, "{case}");
        let shown = format!("{news:?}");
        let values = ["京A", "五", "飞机", number(1).expose()].map(str::to_owned);
        assert!(!values.iter().any(|value| shown.contains(value)), "{shown}");
        assert!(
            matches!(only(&news), DropEvent::Refused { rows, .. } if rows.len() <= 20),
            "{case}"
        );
        assert_eq!(brand(&sources).await, "旧", "{case}");
        assert_eq!(bed.kept(), before, "{case}: nothing of it stays");
        assert!(refresh(&sources).is_empty(), "{case} is told once");
        bed.drop(TODAY, &good());
        assert_eq!(serving(&refresh(&sources)), 1, "{case}");
        assert_eq!(brand(&sources).await, "新", "{case}");
    }
}

#[tokio::test]
async fn packed_files_are_bounded_and_whole() {
    let good = gbk(&[line("京A12345", "新", 1)]);
    let zeros = packed(&[&good[..], &vec![b'0'; 5_000_000]].concat());
    // Rows, too, come to an end: three megabytes of them are more than the file allows.
    let many = packed(&gbk(&vec![line("京A12345", "新", 1); 20_000]));
    let cut = packed(&good);
    let cut = cut[..cut.len() - 9].to_vec();
    for (case, content, expected) in [
        ("one endless row", zeros, Problem::RowTooLong),
        ("endless rows", many, Problem::DropTooLarge),
        ("cut off", cut, Problem::DropUnreadable),
        ("not packed", good.clone(), Problem::DropUnreadable),
    ] {
        let bed = Bed::with("csv.gz", "gbk");
        let bound = |text: String| text.replace("max_bytes = 40000000", "max_bytes = 2000000");
        let (sources, _) = bed.sources_with(bound);
        bed.drop("cars-20261122.csv.gz", &content);
        assert_eq!(refused(&refresh(&sources)), expected, "{case}");
        assert!(bed.kept().is_empty(), "{case}");
    }
}

/// As a fault or an attacker packs them: four megabytes of blank lines are four kilobytes.
fn blank_lines(first: &[u8]) -> Vec<u8> {
    packed(&[first, &vec![b'\n'; 4_000_000]].concat())
}

fn blank(layout: &str, content: &[u8], most: &str) -> (Bed, Sources) {
    let bed = Bed::with("csv.gz", "gbk");
    let change = |text: String| {
        let text = text.replace("max_bytes = 40000000", &format!("max_bytes = {most}"));
        text.replace("layout = \"csv\"", &format!("layout = \"{layout}\""))
    };
    let (sources, _) = bed.sources_with(change);
    bed.drop("cars-20261122.csv.gz", content);
    (bed, sources)
}

/// What holds no row comes to an end like rows: before the header, behind it, and between objects.
#[test]
fn endless_blank_lines_are_bounded() {
    for (layout, first) in [
        ("csv", &b""[..]),
        ("csv", &gbk(&[])),
        ("csv", &good()),
        ("json-lines", b""),
    ] {
        let (bed, sources) = blank(layout, &blank_lines(first), "2000000");
        assert_eq!(refused(&refresh(&sources)), Problem::DropTooLarge, "{layout}");
        assert!(bed.kept().is_empty(), "{layout}");
    }
}

/// Nor does a process wait for them that is about to end: it looks at each piece of the file, and not at each row.
#[test]
fn blank_lines_do_not_keep_a_process_from_ending() {
    for layout in ["csv", "json-lines"] {
        // So many small members that the file itself has more than one piece.
        let content = blank_lines(b"").repeat(40);
        assert!(content.len() > 1 << 17);
        let (bed, sources) = blank(layout, &content, "400000000");
        let news = sources.refresh("test-drops", &|progress| {
            if progress.stage == Stage::Reading {
                sources.stop_refreshing();
            }
        });
        assert!(news.is_empty() && bed.kept().is_empty(), "{layout}: {news:?}");
    }
}

/// What is too long as it lies is not even hashed.
#[test]
fn a_file_that_is_too_long_is_refused_unread() {
    let bed = Bed::new();
    let (sources, _) = bed.sources_with(|text| text.replace("max_bytes = 40000000", "max_bytes = 2000"));
    bed.drop(TODAY, &gbk(&vec![line("京A12345", "新", 1); 100]));
    let news = sources.refresh("test-drops", &|progress| panic!("{:?}", progress.stage));
    assert_eq!(refused(&news), Problem::DropTooLarge);
}

#[tokio::test]
async fn a_folder_that_is_not_there_is_told_once_and_what_was_read_answers_on() {
    let bed = Bed::new();
    bed.drop(YESTERDAY, &good());
    let (sources, _) = bed.sources();
    assert_eq!(serving(&refresh(&sources)), 1);
    let (folder, away) = (bed.path("in"), bed.path("away"));
    for _ in 0..2 {
        fs::rename(&folder, &away).unwrap();
        assert_eq!(refused(&refresh(&sources)), Problem::NoDropFolder);
        assert!(refresh(&sources).is_empty(), "once");
        assert_eq!(brand(&sources).await, "新");
        fs::rename(&away, &folder).unwrap();
        assert!(refresh(&sources).is_empty());
    }
    bed.drop(TODAY, &gbk(&[line("京A12345", "更新", 1)]));
    assert_eq!(serving(&refresh(&sources)), 1);
    assert_eq!(brand(&sources).await, "更新");
}
