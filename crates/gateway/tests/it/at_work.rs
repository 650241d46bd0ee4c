//! What runs by itself runs in the program as it is started: an order that is given to `mingcha serve` and to
//! `mingcha demo` at work is followed.

use std::{
    fs,
    io::{BufRead, BufReader, Read},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use tokio::time::Instant;

use crate::{deployment::Deployment, source_check::SOUND};

/// How long a line is waited for: a start makes keys, and other cases have the machine too.
const PATIENCE: Duration = Duration::from_secs(60);
/// What is traced when an order was followed.
const FOLLOWED: &str = "an operator's order was followed";

/// The program at work: the lines that it prints and traces. It ends with the test.
struct AtWork {
    child: Child,
    lines: Receiver<String>,
}

impl AtWork {
    fn start(mut command: Command) -> Self {
        command
            .env("MINGCHA_TRACE", "info")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (says, lines) = channel();
        listen(child.stdout.take().unwrap(), says.clone());
        listen(child.stderr.take().unwrap(), says);
        AtWork { child, lines }
    }

    /// Waits for a line with these words.
    #[track_caller]
    fn says(&self, words: &[&str]) {
        let until = Instant::now() + PATIENCE;
        let mut said = vec![];
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) if words.iter().all(|word| line.contains(*word)) => return,
                Ok(line) => said.push(line),
                Err(_) => panic!("no line with {words:?} among {said:#?}"),
            }
        }
    }
}

impl Drop for AtWork {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Passes on each line of a stream, on a thread of its own.
fn listen(stream: impl Read + Send + 'static, says: Sender<String>) {
    thread::spawn(move || {
        let lines = BufReader::new(stream).lines().map_while(Result::ok);
        // Whoever waited for one may have gone; the program is not held up.
        lines.for_each(|line| drop(says.send(line)));
    });
}

#[test]
fn a_server_does_what_is_due() {
    let deployment = Deployment::new();
    let police = SOUND.replace("2027-12-31", "2099-12-31");
    fs::write(deployment.at("sources/city-police.toml"), police).unwrap();
    let server = AtWork::start(deployment.command(&["serve"]));
    server.says(&["\"serving\""]);
    // Not at the start, which takes up what was ordered before, but when the job is due again.
    deployment.done(&["source", "pause", "city-police", "--by", "wang"]);
    server.says(&[FOLLOWED, "city-police"]);
}

#[test]
fn a_demo_does_what_is_due() {
    let folder = tempfile::tempdir().unwrap();
    let mingcha = |words: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
        command.args(words.split_whitespace()).current_dir(folder.path());
        command
    };
    let demo = AtWork::start(mingcha("demo --listen 127.0.0.1:0 --data keep"));
    demo.says(&["Ctrl-C"]);
    let ordered = mingcha("source pause sandbox-repair --by wang --data keep").output();
    assert!(ordered.unwrap().status.success());
    demo.says(&[FOLLOWED, "sandbox-repair"]);
}
