//! A file of one's own in which something is wrong: what the draft and the check say of it, so that a newcomer finds the
//! line, the column and what to do. How all goes well is in [`crate::own_records`].

use std::{fs, net::TcpListener, process::Command};

use crypto::Suite;
use encoding_rs::GBK;
use gateway::commands::source::draft::{DraftArgs, make};

use crate::{guide::demo, own_records::checked, source_check::world};

/// A draft in a folder of its own.
struct Own {
    folder: tempfile::TempDir,
    /// What the draft said.
    said: String,
}

impl Own {
    fn draft(content: &[u8]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("own.csv");
        fs::write(&file, content).unwrap();
        let args = DraftArgs {
            file,
            kind: "own".into(),
            name: None,
            into: folder.path().join("r"),
        };
        let said = make(&args, &world()).unwrap_or_else(|error| error.to_string());
        Own { folder, said }
    }

    fn text(&self, file: &str) -> String {
        fs::read_to_string(self.folder.path().join("r").join(file)).unwrap()
    }

    fn edit(&self, file: &str, from: &str, to: &str) {
        let text = self.text(file);
        assert!(text.contains(from), "{text}");
        fs::write(self.folder.path().join("r").join(file), text.replace(from, to)).unwrap();
    }

    /// Puts a file there as a record holder does.
    fn put(&self, day: &str, content: &[u8]) {
        let (folder, name) = (self.folder.path().join("r/drops"), format!("own-{day}.csv"));
        let digest: String = Suite::Intl
            .hash(&[content])
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        fs::write(folder.join(&name), content).unwrap();
        fs::write(
            folder.join(format!("{name}.sha256")),
            format!("{digest}  {name}\n"),
        )
        .unwrap();
    }

    async fn check(&self) -> (bool, String) {
        checked(&self.folder.path().join("r")).await
    }

    /// What is told of today's file.
    async fn told(&self, content: &[u8]) -> String {
        self.put("20261122", content);
        let (sound, out) = self.check().await;
        assert!(!sound, "{out}");
        out
    }
}

/// The number of the n-th invented person.
fn number(n: usize) -> String {
    let born = jiff::civil::date(1970, 1, 1)
        .checked_add(jiff::Span::new().days(i64::try_from(n).unwrap()))
        .unwrap();
    domain::identifiers::IdNumber::compose("110201", born, 12)
        .unwrap()
        .expose()
        .to_owned()
}

const HEADER: &str = "姓名,证件号,日期,说明";

/// The n-th row; its last cell is unlike every other's.
fn row(n: usize) -> String {
    format!("测试某,{},2026/5/{},\"第{n}\"", number(n), n % 28 + 1)
}

/// So many rows, those of `changed` by their physical lines as they are given there.
fn file(rows: usize, end: &str, changed: &[(usize, &str)]) -> String {
    let line = |at: usize| {
        let change = changed.iter().find(|(line, _)| *line == at);
        change.map_or_else(|| row(at), |(_, text)| (*text).to_owned())
    };
    let lines = std::iter::once(HEADER.to_owned()).chain((2..=rows + 1).map(line));
    lines.map(|line| line + end).collect()
}

#[tokio::test]
async fn a_bad_row_is_told_at_its_physical_line() {
    let bad_date = row(501).replace("2026/5/", "2026-13-");
    let ragged = row(78).replace(",2026", "2026");
    for end in ["\r\n", "\n"] {
        let own = Own::draft(file(600, end, &[]).as_bytes());
        // The free words are not asked for, so that they may run over lines.
        own.edit("sources/own.toml", "column_4 = \"/说明\"\n", "");
        own.edit(
            "kinds/own/kind.toml",
            "id = \"column_4\"\n",
            "id = \"column_4\"\noptional = true\n",
        );
        let out = own.told(file(600, end, &[(501, &bad_date)]).as_bytes()).await;
        assert!(
            out.contains("line 501, column_3 (日期): field_malformed"),
            "{end:?} {out}"
        );
        let out = own.told(file(600, end, &[(78, &ragged)]).as_bytes()).await;
        assert!(out.contains("line 78, row: row_ragged"), "{end:?} {out}");
        // A cell of three lines before it, and a line that is empty: the row begins where an editor shows it.
        let long = row(40).replace("第", &format!("第{end}{end}"));
        let shifted = file(
            600,
            end,
            &[
                (40, &long),
                (41, ""),
                (499, &bad_date.replace("第", &format!("第{end}"))),
            ],
        );
        let out = own.told(shifted.as_bytes()).await;
        assert!(
            out.contains("line 501, column_3 (日期): field_malformed"),
            "{end:?} {out}"
        );
        let mut bytes = file(600, end, &[]).into_bytes();
        let at = find(&bytes, "第91\"");
        bytes[at] = 0xff;
        let out = own.told(&bytes).await;
        assert!(out.contains("line 91, row: charset_wrong"), "{end:?} {out}");
        let drafted = Own::draft(file(600, end, &[(501, &bad_date)]).as_bytes());
        assert!(
            drafted.said.contains("line 501, 日期: field_malformed"),
            "{}",
            drafted.said
        );
    }
}

fn find(bytes: &[u8], text: &str) -> usize {
    bytes
        .windows(text.len())
        .position(|window| window == text.as_bytes())
        .unwrap()
}

#[tokio::test]
async fn lines_of_json_are_counted_too() {
    let own = Own::draft(file(600, "\n", &[]).as_bytes());
    own.edit(
        "sources/own.toml",
        "layout = \"csv\"\ndelimiter = \",\"\n",
        "layout = \"json-lines\"\n",
    );
    let object = |n: usize, date: &str| {
        format!(
            "{{\"姓名\": \"测试某\", \"证件号\": \"{}\", \"日期\": \"{date}\", \"说明\": \"第{n}\"}}\n",
            number(n)
        )
    };
    let mut text: String = (1..=77).map(|n| object(n, "2026/5/1")).collect();
    text += "\r\n";
    text += &object(79, "2026-13-1");
    let out = own.told(text.as_bytes()).await;
    assert!(out.contains("line 79, column_3 (日期): field_malformed"), "{out}");
}

/// Two rows for each of so many people, whom `phone` gives a phone in either.
fn pairs(people: usize, phone: impl Fn(usize, usize) -> String) -> String {
    let mut text = String::from("姓名,证件号,电话,日期,说明\n");
    for n in 0..people {
        for time in 0..2 {
            text += &format!(
                "测试某,{},{},2026/5/{},第{n}{time}\n",
                number(n),
                phone(n, time),
                n % 28 + 1
            );
        }
    }
    text
}

fn phone(n: usize) -> String {
    format!("1791000{n:04}")
}

#[tokio::test]
async fn a_cell_of_a_list_is_told_by_its_column() {
    let good = pairs(300, |n, _| phone(n));
    let own = Own::draft(good.as_bytes());
    let mut lines: Vec<String> = good.lines().map(str::to_owned).collect();
    lines[500] = lines[500].replace("2026/5/", "2026-13-");
    let out = own.told(lines.join("\n").as_bytes()).await;
    assert!(
        out.contains("line 501, records/column_4 (日期): field_malformed"),
        "{out}"
    );
    let out = own.told(good.replacen("日期", "日 期", 1).as_bytes()).await;
    assert!(
        out.contains("line 1, records/column_4 (日期): header_malformed"),
        "{out}"
    );
}

#[tokio::test]
async fn rows_that_are_left_out_are_named() {
    let own = Own::draft(file(30, "\n", &[]).as_bytes());
    own.edit("sources/own.toml", "max_bad_rows = 0", "max_bad_rows = 1");
    let bad = row(9).replace("2026/5/", "x");
    own.put("20261122", file(30, "\n", &[(9, &bad)]).as_bytes());
    let (sound, out) = own.check().await;
    assert!(
        sound && out.contains("line 9, column_3 (日期): field_malformed"),
        "{out}"
    );
}

/// A number that is none among the first rows is a slip, and who stands in several rows is seen all the same.
#[test]
fn a_slip_among_the_first_rows_hides_no_repetition() {
    let good = pairs(300, |n, _| phone(n));
    let own = Own::draft(good.replacen(&number(0), "110201197001010000", 1).as_bytes());
    assert!(
        own.said.contains("they make one record, with a list"),
        "{}",
        own.said
    );
}

#[tokio::test]
async fn rows_that_make_one_record_are_no_note() {
    let own = Own::draft(pairs(300, |n, _| phone(n)).as_bytes());
    let (sound, out) = own.check().await;
    assert!(sound && !out.contains("ambiguous"), "{out}");
    let single = Own::draft(file(30, "\n", &[]).as_bytes());
    single.put("20261122", file(30, "\n", &[(9, &row(8))]).as_bytes());
    let (sound, out) = single.check().await;
    assert!(sound && out.contains("1 keys have several rows"), "{out}");
}

#[tokio::test]
async fn rows_of_a_person_that_differ_say_in_which_field() {
    let own = Own::draft(pairs(300, |n, _| phone(n)).as_bytes());
    let out = own
        .told(pairs(300, |n, time| phone(n + 300 * time)).as_bytes())
        .await;
    assert!(
        out.contains(
            "bad_answer, expected found: rows_differ phone. the rows of one person differ in this field"
        ),
        "{out}"
    );
    // What cannot stand in a list and differs is left out of the draft, which says so.
    let own = Own::draft(pairs(300, |n, time| phone(n + if n == 7 { time } else { 0 })).as_bytes());
    assert!(
        own.said
            .contains("电话 → phone: phone, left out: it differs within a person"),
        "{}",
        own.said
    );
    let (sound, out) = own.check().await;
    assert!(sound && !out.contains("phone"), "{out}");
}

#[tokio::test]
async fn words_that_people_write_are_text() {
    let names = ["旺财", "来福", "小黑", "豆豆", "球球", "毛毛"];
    let mut text = String::from("主人姓名,身份证号,犬名,品种,毛色,状态,类别,备注\n");
    for n in 0..600 {
        let category = if n == 5 {
            "罕见"
        } else {
            ["大型", "小型"][n % 2]
        };
        text += &format!(
            "测试某,{},{},{},{},{},{category},{}\n",
            number(n),
            names[n % 6],
            ["柯基犬", "金毛犬", "贵宾犬"][n % 3],
            ["黑", "白", "黄"][n % 3],
            ["已登记", "已注销"][usize::from(n % 9 == 0)],
            ["", "已接种疫苗", "曾经走失"][n % 3],
        );
    }
    let own = Own::draft(text.as_bytes());
    for column in ["犬名", "品种", "毛色", "备注", "类别"] {
        let line = own
            .said
            .lines()
            .find(|line| line.trim_start().starts_with(column))
            .unwrap();
        assert!(line.contains(": text"), "{line}");
    }
    assert!(
        own.said.contains("状态 → column_6: code: 已注销, 已登记"),
        "{}",
        own.said
    );
    assert!(
        own.said.contains("Closed lists: 状态 (column_6)."),
        "{}",
        own.said
    );
    assert!(
        own.said.contains("Any other word there refuses the whole file"),
        "{}",
        own.said
    );
    let longer = text.replace("旺财", "新名").replace("柯基犬", "新品种");
    own.put("20261122", longer.as_bytes());
    let (sound, out) = own.check().await;
    assert!(sound, "{out}");
    let out = own.told(text.replace("已注销", "已迁出").as_bytes()).await;
    assert!(out.contains("column_6 (状态): field_malformed"), "{out}");
    // As the guide says: text in both files, and the file is taken.
    let codes = own.text("sources/own.toml");
    let line = codes
        .lines()
        .find(|line| line.starts_with("column_6 = "))
        .unwrap();
    own.edit("sources/own.toml", line, "column_6 = \"/状态\"");
    let kind = own.text("kinds/own/kind.toml");
    let start = kind.find("[fields.type.code.codes]").unwrap();
    let end = start + kind[start..].find("\n\n").unwrap();
    own.edit("kinds/own/kind.toml", &kind[start..end], "type = \"text\"");
    let (sound, out) = own.check().await;
    assert!(sound, "{out}");
    let checked = run(&own, &["kind", "check", "r/kinds/own"]);
    assert!(checked.0, "{}", checked.1);
}

#[tokio::test]
async fn a_file_that_ends_in_a_letter_looks_cut_off() {
    let text = file(30, "\n", &[]);
    let own = Own::draft(text.as_bytes());
    let cut = |bytes: &[u8], text: &[u8]| {
        let at = bytes
            .windows(text.len())
            .rposition(|window| window == text)
            .unwrap();
        bytes[..=at].to_vec()
    };
    let utf8 = cut(text.as_bytes(), "第".as_bytes());
    let out = own.told(&utf8).await;
    assert!(
        out.contains("line 31, row: drop_cut_off") && out.contains("looks cut off"),
        "{out}"
    );
    assert!(!out.contains("charset"), "{out}");
    assert!(Own::draft(&utf8).said.contains("looks cut off"));
    let gbk = GBK.encode(&text).0.into_owned();
    let second = Own::draft(&gbk);
    let out = second.told(&cut(&gbk, &GBK.encode("第").0)).await;
    assert!(out.contains("line 31, row: drop_cut_off"), "{out}");
    own.edit(
        "sources/own.toml",
        "layout = \"csv\"\ndelimiter = \",\"\n",
        "layout = \"json-lines\"\n",
    );
    let out = own
        .told("\n{\"说明\": \"第".as_bytes().split_last().unwrap().1)
        .await;
    assert!(out.contains("line 2, row: drop_cut_off"), "{out}");
}

#[tokio::test]
async fn an_old_file_is_told_its_age() {
    let own = Own::draft(file(30, "\n", &[]).as_bytes());
    let drops = own.folder.path().join("r/drops");
    for name in ["own-20261122.csv", "own-20261122.csv.sha256"] {
        fs::remove_file(drops.join(name)).unwrap();
    }
    own.put("20261101", file(30, "\n", &[]).as_bytes());
    let (sound, out) = own.check().await;
    assert!(
        !sound
            && out.contains("drop_outdated. the date in its name is longer ago than `max_age_days` allows"),
        "{out}"
    );
    assert!(!out.contains("the one that answers"), "{out}");
}

#[tokio::test]
async fn the_check_points_at_its_own_lines() {
    let own = Own::draft(file(30, "\n", &[]).as_bytes());
    let out = own
        .told(file(30, "\n", &[(9, &row(9).replace("2026/5/", "x"))]).as_bytes())
        .await;
    assert!(
        out.contains("the lines that follow here name line and column"),
        "{out}"
    );
    assert!(!out.contains("the traces name"), "{out}");
}

/// Runs the program in the draft's folder; whether it succeeded, and what it said.
fn run(own: &Own, words: &[&str]) -> (bool, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
    let ended = command
        .args(words)
        .current_dir(own.folder.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stdout).into_owned() + &String::from_utf8_lossy(&ended.stderr);
    (ended.status.success(), said)
}

#[test]
fn a_demo_keeps_in_a_folder_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (_running, said, _) = demo("mingcha demo --data keep", folder.path());
    assert!(
        said.contains("Portal") && folder.path().join("keep").is_dir(),
        "{said}"
    );
}

#[test]
fn a_port_that_is_taken_is_named() {
    let own = Own::draft(file(30, "\n", &[]).as_bytes());
    #[expect(clippy::disallowed_methods, reason = "the test takes the port away")]
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (line, option) in [
        ("demo --listen TAKEN", "--listen"),
        ("demo --listen 127.0.0.1:0 --metrics TAKEN", "--metrics"),
        ("sandbox --write-sources s --listen TAKEN", "--listen"),
    ] {
        let line = line.replace("TAKEN", &address);
        let words: Vec<&str> = line.split_whitespace().collect();
        let (success, said) = run(&own, &words);
        assert!(
            !success && said.contains(&address) && said.contains(option),
            "{said}"
        );
    }
}

#[test]
fn a_whole_answer_is_no_receipt() {
    let own = Own::draft(file(30, "\n", &[]).as_bytes());
    let answer = r#"{"lookup_id": "a", "outcome": "found", "receipt": {"version": 1}}"#;
    fs::write(own.folder.path().join("answer.json"), answer).unwrap();
    let (success, said) = run(&own, &["verify", "answer.json"]);
    assert!(!success && said.contains("its member `receipt`"), "{said}");
}
