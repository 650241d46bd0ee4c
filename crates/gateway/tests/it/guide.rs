//! Follows a guide as a newcomer would: its commands are run in their order, by the program itself, what came of one
//! stands in the next, and what the guide shows of an answer is held against the answer.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;

use crate::reply::Reply;

/// Where the guides say that the demo listens.
const LISTENS: &str = "127.0.0.1:8700";
/// What stands in a guide for something that is another one each time.
const ANYTHING: &str = "…";

/// The blocks of a guide, each with its language.
pub(crate) fn blocks(guide: &'static str) -> Vec<(&'static str, &'static str)> {
    let inside = guide.split("```").skip(1).step_by(2);
    inside.filter_map(|block| block.split_once('\n')).collect()
}

/// The lines of all blocks in a language.
pub(crate) fn lines_of(guide: &'static str, language: &str) -> Vec<String> {
    let blocks = blocks(guide).into_iter().filter(|block| block.0 == language);
    blocks.flat_map(|(_, block)| lines(block)).collect()
}

/// The lines of a block; one that ends with a backslash, or within quotes, goes on in the next.
pub(crate) fn lines(block: &str) -> Vec<String> {
    let mut lines: Vec<String> = vec![];
    for line in block.replace("\\\n", " ").lines() {
        match lines.last_mut() {
            Some(open) if open.matches('\'').count() % 2 == 1 => *open += &format!("\n{line}"),
            _ => lines.push(line.to_owned()),
        }
    }
    lines
}

/// Ends with the test.
pub(crate) struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The demo, what it said, and where it listens.
pub(crate) fn demo(line: &str, folder: &Path) -> (Running, String, String) {
    demo_with(line, folder, &[])
}

fn demo_with(line: &str, folder: &Path, further: &[&str]) -> (Running, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
    command
        .args(line.split_whitespace().skip(1))
        .args(["--listen", "127.0.0.1:0"])
        .args(further)
        .current_dir(folder)
        .stdout(Stdio::piped());
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
    let address = named(&said, "Portal").trim_start_matches("http://");
    let address = address.trim_end_matches('/').to_owned();
    (running, said, address)
}

/// What the demo says under this name.
#[track_caller]
fn named<'a>(said: &'a str, name: &str) -> &'a str {
    let line = said.lines().find_map(|line| line.trim().strip_prefix(name));
    line.unwrap_or_else(|| panic!("no {name} in {said}")).trim()
}

/// Runs a line in a shell that finds the program; what it printed.
#[track_caller]
pub(crate) fn run(line: &str, folder: &Path) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_mingcha"));
    let mut path = program.parent().unwrap().as_os_str().to_owned();
    path.push(":");
    path.push(std::env::var_os("PATH").unwrap_or_default());
    let mut shell = Command::new("sh");
    shell.args(["-ec", line]).env("PATH", path).current_dir(folder);
    let ended = shell.output().unwrap();
    let out = String::from_utf8(ended.stdout).unwrap() + &String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{line}: {out}");
    out
}

async fn send(request: Request<Full<Bytes>>) -> Reply {
    let client = Client::builder(TokioExecutor::new()).build_http();
    let answer = client.request(request).await.unwrap();
    Reply::of(answer.map(Body::new)).await
}

/// The words of a line; single quotes keep together what is between them.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for (at, part) in line.split('\'').enumerate() {
        for (nth, piece) in part.split(' ').enumerate() {
            match words.last_mut() {
                Some(word) if nth == 0 => word.push_str(piece),
                Some(quoted) if at % 2 == 1 => *quoted += &format!(" {piece}"),
                _ => words.push(piece.to_owned()),
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// What `curl ADDRESS -X METHOD -H 'NAME: VALUE' … -d 'BODY' -o FILE` would send, and where it would put the answer.
fn asked(line: &str, address: &str) -> (Request<Full<Bytes>>, Option<String>) {
    let (mut url, mut method, mut body, mut file) = (String::new(), None, None, None);
    let mut request = Request::builder();
    let mut words = words(line).into_iter().skip(1);
    while let Some(word) = words.next() {
        match word.as_str() {
            "-X" => method = words.next(),
            "-d" => body = words.next(),
            "-o" => file = words.next(),
            "-H" => {
                let header = words.next().unwrap();
                let (name, value) = header.split_once(": ").unwrap();
                request = request.header(name, value);
            }
            _ => url = word.replace(LISTENS, address),
        }
    }
    let usual = if body.is_some() { "POST" } else { "GET" };
    let request = request.method(method.as_deref().unwrap_or(usual)).uri(url);
    (request.body(Full::from(body.unwrap_or_default())).unwrap(), file)
}

/// The eight digits, in two fours, of the newest message on the demo's page.
async fn code(address: &str) -> String {
    let (request, _) = asked(&format!("curl http://{address}/demo/outbox"), address);
    let page = send(request).await.text;
    let is_code = |text: &&str| {
        text.len() == 9 && text.as_bytes()[4] == b' ' && text.bytes().filter(u8::is_ascii_digit).count() == 8
    };
    page.split(['<', '>'])
        .map(str::trim)
        .find(is_code)
        .unwrap_or_else(|| panic!("{page}"))
        .replace(' ', "")
}

/// Whoever follows a guide.
pub(crate) struct Follower {
    folder: PathBuf,
    /// What the demo is told besides what the guide has.
    further: &'static [&'static str],
    demo: Option<Running>,
    /// What the demo said, and where it listens.
    pub(crate) said: String,
    address: String,
    /// Words of the guide that stand for what came of an earlier command.
    known: BTreeMap<&'static str, String>,
    /// What was answered last.
    pub(crate) reply: Option<Reply>,
    /// What a command printed last.
    pub(crate) printed: String,
    /// How many starts of the demo, other commands of the program, requests, and other commands there were.
    pub(crate) counted: [usize; 4],
}

impl Follower {
    pub(crate) fn new(folder: &Path, further: &'static [&'static str]) -> Self {
        Follower {
            folder: folder.to_owned(),
            further,
            demo: None,
            said: String::new(),
            address: String::new(),
            known: BTreeMap::new(),
            reply: None,
            printed: String::new(),
            counted: [0; 4],
        }
    }

    /// Somebody else at the same demo.
    pub(crate) fn beside(&self) -> Self {
        Follower {
            said: self.said.clone(),
            address: self.address.clone(),
            ..Follower::new(&self.folder, self.further)
        }
    }

    /// Where the authorities behind the demo listen.
    pub(crate) fn authorities(&self) -> &str {
        named(&self.said, "Authorities")
    }

    /// Does what a line says.
    pub(crate) async fn follow(&mut self, line: &str) {
        let line = self.filled(line);
        let line = line.trim();
        // Where it is built, before it has its short name.
        let line = line.strip_prefix("target/release/").unwrap_or(line);
        match line.split_whitespace().next().unwrap_or_default() {
            // Whoever runs the test has built the program.
            "cargo" | "alias" => {}
            "mingcha" if line.starts_with("mingcha demo") => {
                self.counted[0] += 1;
                // The one before ends first.
                drop(self.demo.take());
                let (demo, said, address) = demo_with(line, &self.folder, self.further);
                self.learn_keys(&said);
                (self.demo, self.said, self.address) = (Some(demo), said, address);
            }
            "curl" => {
                self.counted[2] += 1;
                let reply = self.ask(line).await;
                self.learn(line, &reply).await;
                self.reply = Some(reply);
            }
            word => {
                self.counted[if word == "mingcha" { 1 } else { 3 }] += 1;
                self.printed = run(line, &self.folder);
            }
        }
    }

    /// Sends what `curl` would. Whoever comes again with a turn waits before as long as they were told, and comes as often
    /// as they are told to.
    async fn ask(&self, line: &str) -> Reply {
        let comes_again = line.contains("mingcha-turn:");
        let mut told = self.reply.clone().filter(|_| comes_again);
        for _ in 0..10 {
            if let Some(told) = &told {
                let seconds = told.headers["retry-after"].to_str().unwrap().parse().unwrap();
                tokio::time::sleep(Duration::from_secs(seconds)).await;
            }
            let (request, file) = asked(line, &self.address);
            let reply = send(request).await;
            if !comes_again || reply.status != 202 {
                if let Some(file) = file {
                    std::fs::write(self.folder.join(file), &reply.bytes).unwrap();
                }
                return reply;
            }
            told = Some(reply);
        }
        panic!("{line}: told to wait ten times");
    }

    /// The keys of the log, which the demo prints.
    fn learn_keys(&mut self, said: &str) {
        let (_, keys) = said.split_once("Log keys").unwrap();
        let keys = keys.lines().map(str::trim).take_while(|key| !key.is_empty());
        let named = ["LOG_KEY", "OTHER_KEY"].into_iter().zip(keys.map(str::to_owned));
        self.known.extend(named);
    }

    /// What stands in later commands.
    async fn learn(&mut self, line: &str, reply: &Reply) {
        let told = |at: &str| reply.json.pointer(at).and_then(Value::as_str).map(str::to_owned);
        let token = told("/token").or_else(|| told("/session/token"));
        let named = [("TOKEN", token), ("TURN", told("/turn"))];
        self.known
            .extend(named.into_iter().filter_map(|(name, value)| Some((name, value?))));
        if let Some(lookup) = told("/lookup_id") {
            // The guide means the first one.
            self.known.entry("LOOKUP_ID").or_insert(lookup);
        }
        if line.contains("/v1/account/codes") {
            self.known.insert("CODE", code(&self.address).await);
        }
    }

    /// The text with what is known in the place of the words that stand for it.
    fn filled(&self, text: &str) -> String {
        let known = self.known.iter();
        known.fold(text.to_owned(), |text, (name, value)| text.replace(*name, value))
    }

    /// What the guide shows of an answer came: status, headers, and of the JSON each member that it names.
    #[track_caller]
    pub(crate) fn came(&self, block: &str) {
        let reply = self.reply.as_ref().unwrap();
        let told = format!(
            "the guide shows\n{block}\nand this came:\n{} {}",
            reply.status, reply.text
        );
        let (head, body) = block.split_once("\n\n").unwrap_or((block, ""));
        let mut head = head.trim().lines();
        let status = head.next().and_then(|line| line.split(' ').nth(1));
        assert_eq!(status, Some(reply.status.to_string().as_str()), "{told}");
        for header in head {
            let (name, shown) = header.split_once(": ").unwrap();
            let value = reply.headers.get(name).map(|value| value.to_str().unwrap());
            let value = value.unwrap_or_else(|| panic!("no {name}: {told}"));
            assert!(shown == ANYTHING || self.filled(shown) == value, "{name}: {told}");
        }
        if !body.trim().is_empty() {
            let shown: Value = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {block}"));
            assert!(self.is_in(&shown, &reply.json), "{told}");
        }
    }

    /// An object that is shown without a member has none; of one that is shown with some, others are left out.
    fn is_in(&self, shown: &Value, came: &Value) -> bool {
        match (shown, came) {
            (Value::String(shown), _) if shown == ANYTHING => true,
            (Value::String(shown), Value::String(came)) => self.filled(shown) == *came,
            (Value::Object(shown), Value::Object(came)) if !shown.is_empty() => shown
                .iter()
                .all(|(name, shown)| came.get(name).is_some_and(|came| self.is_in(shown, came))),
            (Value::Array(shown), Value::Array(came)) if !shown.is_empty() => shown
                .iter()
                .all(|shown| came.iter().any(|came| self.is_in(shown, came))),
            _ => shown == came,
        }
    }
}
