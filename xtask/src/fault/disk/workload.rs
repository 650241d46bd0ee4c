//! The workload of the program: a start with an import, look-ups, the end; and what must be true after it.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    Found, faults,
    shim::{self, Fault, Shim},
};
use crate::{
    fault::crash::{Answer, DROPPED, Exception, Journals, Session},
    http::Client,
    people,
    program::{Demo, Setup},
    run::Stopwatch,
};

/// How the calls fail.
const WAYS: [Fault; 2] = [Fault::Broken, Fault::Full];
/// An intent is closed 5 s after its deadline of 3 s, by a job that works every 2 s.
const CLOSED_WITHIN: Duration = Duration::from_secs(15);
/// A program that cannot go on ends so soon.
const STOPS_WITHIN: Duration = Duration::from_secs(1);
/// What a sound disk lets the questions be answered with.
const EXPECTED: [&str; 5] = ["found", "found", "found", "NOT_PERMITTED", "found"];
/// Progress is told after so many faults.
const TOLD_EACH: usize = 20;

/// A folder in which somebody has signed in, and from which every round begins.
pub(super) struct Workload<'a> {
    program: &'a Path,
    bug: Option<&'static str>,
    shim: &'a Shim,
    folder: PathBuf,
    /// Who asks, and about whom they ask besides; both see what is sealed about them.
    people: Vec<Session>,
}

/// What the program did about the faults.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) starts_refused: u64,
    pub(super) stopped: u64,
    pub(super) answers: usize,
    /// By call and file: how often the start was refused, it stopped, and it went on.
    calls: BTreeMap<String, [u64; 3]>,
}

impl Seen {
    /// Tells what the program did about each sort of call.
    pub(super) fn tell(&self) {
        eprintln!("  start refused / stopped / went on");
        for (call, [refused, stopped, went_on]) in &self.calls {
            eprintln!("  {refused:5} {stopped:5} {went_on:5}  {call}");
        }
    }

    fn note(&mut self, call: &str, what: usize) {
        // Dates in names differ, and the files are the same.
        let call: String = call.chars().filter(|c| !c.is_ascii_digit()).collect();
        self.calls.entry(call).or_default()[what] += 1;
    }
}

impl<'a> Workload<'a> {
    /// Signs somebody in, and ends with nothing imported.
    ///
    /// # Errors
    /// The program does not start or answer.
    pub(super) fn new(
        program: &'a Path,
        bug: Option<&'static str>,
        shim: &'a Shim,
        folder: &Path,
    ) -> Result<Self, String> {
        let begun = folder.join("begun");
        let setup = Setup::new(program, &begun)?;
        let demo = setup.start()?;
        let mut people = people::people()?;
        people.retain(|p| !p.canary && !p.plates.is_empty() && p.has_licence);
        let mut signed_in = vec![];
        for person in people.into_iter().take(2) {
            let mut client = Client::new(setup.address);
            people::sign_in(&mut client, &person)?;
            let token = client.token.unwrap_or_default();
            signed_in.push(Session { person, token });
        }
        demo.stop_and_wait()?;
        for imported in ["drops/store", "drops/keys"] {
            let imported = setup.data().join(imported);
            fs::remove_dir_all(&imported).map_err(|e| format!("{}: {e}", imported.display()))?;
        }
        Ok(Workload {
            program,
            bug,
            shim,
            folder: folder.to_owned(),
            people: signed_in,
        })
    }

    /// Counts the calls, and lets them fail one after the other.
    ///
    /// # Errors
    /// The program does not start or answer on a sound disk.
    pub(super) fn measure(&self, sample: Option<usize>) -> Result<(Found, Seen), String> {
        let (mut found, mut seen) = (Found::default(), Seen::default());
        let sites = self.round(None, &mut found, &mut seen)?;
        if found.exceptions.is_empty() && seen.starts_refused + seen.stopped > 0 {
            return Err("the program does not live through a sound disk".to_owned());
        }
        found.sites = sites.len();
        eprintln!("  the workload makes {} calls", sites.len());
        let all = faults(sites.len(), &WAYS, sample);
        for (n, fault) in all.iter().enumerate() {
            // A run may make a call less than the one that was counted.
            found.faults += self.round(Some(*fault), &mut found, &mut seen)?.len() as u64;
            // A bug that is found is found.
            if self.bug.is_some() && found.grave > 0 {
                break;
            }
            if (n + 1) % TOLD_EACH == 0 || n + 1 == all.len() {
                eprintln!("  {} of {} faults, {} answers", n + 1, all.len(), seen.answers);
            }
        }
        Ok((found, seen))
    }

    /// One run, and what must be true after it; the calls that were noted.
    fn round(
        &self,
        fault: Option<(usize, Fault)>,
        found: &mut Found,
        seen: &mut Seen,
    ) -> Result<Vec<String>, String> {
        let (folder, sites) = (self.folder.join("round"), self.folder.join("sites"));
        drop(fs::remove_file(&sites));
        let setup = self.begin(&folder)?;
        let data = setup.data();
        let variables = self
            .shim
            .variables(&data, &data.join("drops/insurance"), &sites, fault);
        let mut answers = vec![];
        let what = match setup.clone().with_variables(variables).start() {
            // It met the fault before it served anybody, and said so.
            Err(_) => 0,
            Ok(mut demo) => {
                answers = self.ask(&setup);
                if has_stopped(&mut demo, &answers) {
                    1
                } else {
                    demo.stop_and_wait()?;
                    2
                }
            }
        };
        seen.starts_refused += u64::from(what == 0);
        seen.stopped += u64::from(what == 1);
        seen.answers += answers.len();
        let noted = shim::noted(&sites, &data);
        if let (Some(_), Some(call)) = (fault, noted.first()) {
            seen.note(call, what);
        }
        let wrong = self.aftermath(&setup, answers)?;
        found.grave += wrong.iter().filter(|e| e.is_unsealed()).count() as u64;
        let place = match (fault, noted.first()) {
            (Some((at, way)), Some(call)) => format!("{} at call {at}, {call}", way.word()),
            _ => "no fault".to_owned(),
        };
        found
            .exceptions
            .extend(wrong.iter().map(|e| format!("{place}: {e}")));
        Ok(noted)
    }

    /// Where it keeps its folders.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// A folder as it was when everything began.
    pub(super) fn begin<'f>(&self, folder: &'f Path) -> Result<Setup<'f>, String>
    where
        'a: 'f,
    {
        drop(fs::remove_dir_all(folder));
        shim::copy(&self.folder.join("begun"), folder)?;
        Ok(Setup::new(self.program, folder)?.with_bug(self.bug))
    }

    /// Asks the questions, one after the other; every whole answer.
    pub(super) fn ask(&self, setup: &Setup<'_>) -> Vec<Answer> {
        let mut client = Client::new(setup.address);
        client.token = self.people.first().map(|own| own.token.clone());
        let mut answers = vec![];
        for question in questions(&self.people) {
            // Where nothing is answered, nothing has to be proven.
            if let Ok(reply) = client.post("/v1/lookups", &question) {
                answers.push(Answer::of(&reply));
            }
        }
        answers
    }

    /// What is not as it must be once the disk is sound again.
    pub(super) fn aftermath(
        &self,
        setup: &Setup<'_>,
        answers: Vec<Answer>,
    ) -> Result<Vec<Exception>, String> {
        let mut wrong = vec![];
        let (sound, said) = setup.check()?;
        if !sound {
            let what = format!("the check of the data fails: {}", said.trim());
            wrong.push(Exception::of_the_whole(what));
        }
        let mut demo = match setup.start() {
            Ok(demo) => demo,
            Err(why) => {
                let what = format!("it does not start on a sound disk: {why}");
                wrong.push(Exception::of_the_whole(what));
                return Ok(wrong);
            }
        };
        let journals = self.gathered(setup, answers)?;
        wrong.extend(journals.compare());
        let dropped = self.ask(setup);
        let outcomes: Vec<&str> = dropped.iter().map(|a| a.word.as_str()).collect();
        if outcomes != EXPECTED {
            let what = format!("on a sound disk the answers are {}", outcomes.join(", "));
            wrong.push(Exception::of_the_whole(what));
        }
        demo.kill();
        wrong.extend(left_over(&setup.data()).map(Exception::of_the_whole));
        Ok(wrong)
    }

    /// The journals, once nothing is under way any more.
    fn gathered(&self, setup: &Setup<'_>, answers: Vec<Answer>) -> Result<Journals, String> {
        let watch = Stopwatch::start();
        loop {
            let journals = Journals::gather(setup, self.people.clone(), answers.clone())?;
            if journals.are_settled() || watch.elapsed() > CLOSED_WITHIN {
                return Ok(journals);
            }
            sleep(Duration::from_millis(500));
        }
    }
}

/// Whether the program ended by itself; where something was not answered, it is given the time to.
fn has_stopped(demo: &mut Demo, answers: &[Answer]) -> bool {
    let all = answers.len() == EXPECTED.len() && answers.iter().all(|a| a.status != 503);
    let watch = Stopwatch::start();
    while !all && watch.elapsed() < STOPS_WITHIN && !demo.has_ended() {
        sleep(Duration::from_millis(10));
    }
    demo.has_ended()
}

/// One's own vehicle, what was dropped about it, one's licence, somebody else's vehicle, which is refused.
fn questions(people: &[Session]) -> Vec<Value> {
    let [own, other] = people else { return vec![] };
    let (plate, class) = &own.person.plates[0];
    let about =
        |kind: &str| json!({ "kind": kind, "mode": "read", "subject": "self", "purpose": "own-information" });
    let mut questions = ["vehicle", DROPPED, "driving-licence", "vehicle"].map(about);
    for at in [0, 1, 3] {
        questions[at]["key"] = json!({ "plate": plate, "plate_class": class });
    }
    let other = json!({ "name": other.person.name, "id_number": other.person.id_number });
    questions[3]["subject"] = other;
    [&questions[..], &questions[..1]].concat()
}

/// Files of an import that should be gone: there is one drop, with one file of rows and one of keys.
fn left_over(data: &Path) -> Option<String> {
    let names = |folder: &str| {
        let entries = fs::read_dir(data.join("drops").join(folder));
        let mut names: Vec<String> = entries
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    };
    let (rows, keys) = (names("store"), names("keys"));
    let whole = |names: &[String], end: &str| matches!(names, [only] if only.ends_with(end));
    let is_whole = whole(&rows, ".rows") && whole(&keys, ".key");
    (!is_whole).then(|| format!("an import left {} and {}", rows.join(", "), keys.join(", ")))
}
