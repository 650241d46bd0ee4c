//! docs/own-records.md, followed as a newcomer would: its commands are run in their order, by the program itself, on a
//! file as it describes one.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use bytes::Bytes;
use encoding_rs::GBK;
use gateway::commands::source::{
    check::{CheckArgs, check},
    draft::{DraftArgs, make},
};
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

use crate::source_check::{asking, world};

const GUIDE: &str = include_str!("../../../../docs/own-records.md");
const LISTENS: &str = "127.0.0.1:8700";

/// The lines of the guide's blocks in a language.
fn lines_of(language: &str) -> Vec<&'static str> {
    let opening = format!("```{language}\n");
    let blocks = GUIDE.split(opening.as_str()).skip(1);
    blocks
        .flat_map(|block| block.split("```").next().unwrap().lines())
        .collect()
}

/// The guide's rows, and as many more as make a thousand, in GBK.
fn csv() -> Vec<u8> {
    let mut text = lines_of("csv").join("\n") + "\n";
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

/// Ends with the test.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// `mingcha …`, as the guide has it.
fn command(line: &str, folder: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
    command.args(line.split_whitespace().skip(1)).current_dir(folder);
    command
}

fn run(line: &str, folder: &Path) -> String {
    let ended = command(line, folder).output().unwrap();
    let out = String::from_utf8(ended.stdout).unwrap() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{line}: {out}");
    out
}

/// The demo, what it said, and where it listens.
pub(crate) fn demo(line: &str, folder: &Path) -> (Running, String, String) {
    let mut command = command(line, folder);
    command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap())
        .lines()
        .map_while(Result::ok);
    let running = Running(child);
    let mut said = String::new();
    for line in lines.by_ref() {
        said += &format!("{line}\n");
        if line.contains("Ctrl-C") {
            break;
        }
    }
    let portal = said.lines().find_map(|line| line.trim().strip_prefix("Portal"));
    let address = portal
        .unwrap_or_else(|| panic!("{said}"))
        .trim()
        .trim_start_matches("http://");
    let address = address.trim_end_matches('/').to_owned();
    (running, said, address)
}

async fn send(request: Request<Full<Bytes>>) -> String {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.unwrap();
    let bytes = answer.into_body().collect().await.unwrap().to_bytes();
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What `curl ADDRESS -H 'NAME: VALUE' … -d 'BODY'` would do.
async fn curl(line: &str, address: &str) -> Value {
    let words: Vec<&str> = line.split('\'').collect();
    let url = words[0]
        .split_whitespace()
        .nth(1)
        .unwrap()
        .replace(LISTENS, address);
    let mut request = Request::post(url);
    for header in words.windows(2).filter(|w| w[0].ends_with("-H ")) {
        let (name, value) = header[1].split_once(": ").unwrap();
        request = request.header(name, value);
    }
    let body = words.windows(2).find(|w| w[0].ends_with("-d ")).unwrap()[1];
    let answer = send(request.body(Full::from(body.to_owned())).unwrap()).await;
    serde_json::from_str(&answer).unwrap_or(Value::String(answer))
}

/// The eight digits, in two fours, of the page of messages.
async fn code(address: &str) -> String {
    let page = send(
        Request::get(format!("http://{address}/demo/outbox"))
            .body(Full::default())
            .unwrap(),
    )
    .await;
    let is_code = |text: &&str| {
        text.len() == 9 && text.as_bytes()[4] == b' ' && text.bytes().filter(u8::is_ascii_digit).count() == 8
    };
    page.split(['<', '>'])
        .map(str::trim)
        .find(is_code)
        .unwrap_or_else(|| panic!("{page}"))
        .replace(' ', "")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_guide_is_true() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    std::fs::write(folder.join("hours.csv"), csv()).unwrap();
    let (mut running, mut address, mut code_sent, mut token, mut last) =
        (None, String::new(), String::new(), String::new(), Value::Null);
    let mut counted = [0; 4];
    for line in lines_of("sh") {
        let word = line.split_whitespace().next().unwrap_or_default();
        match word {
            // Whoever runs the test has built the program.
            "cargo" | "alias" => {}
            "mingcha" if line.contains(" demo ") => {
                counted[0] += 1;
                let (child, said, listens) = demo(line, folder);
                assert!(said.contains("1000 rows as of"), "{said}");
                assert!(said.contains("林示例, phone 17910000000"), "{said}");
                (running, address) = (Some(child), listens);
            }
            "mingcha" => {
                counted[1] += 1;
                let out = run(line, folder);
                assert!(!out.contains("WRONG") && !out.contains("FAILED"), "{line}: {out}");
            }
            "curl" => {
                counted[2] += 1;
                let line = line.replace("CODE", &code_sent).replace("TOKEN", &token);
                last = curl(&line, &address).await;
                let given = ["/token", "/session/token"]
                    .iter()
                    .find_map(|at| last.pointer(at)?.as_str());
                token = given.unwrap_or(&token).to_owned();
                if line.contains("/v1/account/codes") {
                    code_sent = code(&address).await;
                }
            }
            _ => {
                counted[3] += 1;
                let ended = Command::new("sh")
                    .args(["-ec", line])
                    .current_dir(folder)
                    .status()
                    .unwrap();
                assert!(ended.success(), "{line}");
            }
        }
    }
    assert_eq!(counted, [1, 3, 4, 3], "what the guide has");
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
    drop(running);
    tomorrow(folder);
}

/// What is put there tomorrow, today, and asked about a further person as the guide adds one.
fn tomorrow(folder: &Path) {
    let checked = lines_of("sh")
        .into_iter()
        .find(|line| line.starts_with("mingcha source check"))
        .unwrap();
    let tests = folder.join("rehearsal/tests.toml");
    let more = std::fs::read_to_string(&tests).unwrap() + "\n" + &lines_of("toml").join("\n");
    std::fs::write(&tests, more).unwrap();
    let told = run(checked, folder);
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
