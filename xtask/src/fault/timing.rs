//! The rig `timing`: how long a refusal takes does not tell whether it hides somebody. People who are known here and
//! people whom nobody ever named are asked about in turn, and the times of both are compared by rank.

use std::thread;

use clap::Args;
use serde_json::{Value, json};

use super::{Verdict, tell};
use crate::{
    http::Client,
    people::{self, Person},
    program::{self, Build, Setup},
    random::Dice,
    run::Stopwatch,
    scratch::Scratch,
};

/// How it is run.
#[derive(Args)]
pub(crate) struct Options {
    /// How many questions are asked about people who are known, and as many about others
    #[arg(long, default_value_t = 2000)]
    questions: usize,
    /// For the order of the questions
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Use optimised builds
    #[arg(long)]
    release: bool,
}

impl Options {
    /// As it runs among the tests.
    pub(super) fn small() -> Self {
        Options {
            questions: 100,
            seed: 1,
            release: false,
        }
    }
}

/// How many questions about others the demo lets an account ask in a day.
const OF_A_DAY: usize = 1000;
/// Who asks, at once: the work of some then shows in the time of others, as it does in use.
const ASKERS: usize = 4;
/// The area under the curve is one half where times tell nothing. So far from it may it be: who guesses by the time is
/// then right in 101 of 200 cases …
const MAY_BE: f64 = 0.005;
/// … beyond what chance does: four standard errors, once in 16,000 runs.
const ERRORS: f64 = 4.0;

/// Runs it.
///
/// # Errors
/// The program does not build, start or answer.
pub(super) fn run(options: &Options) -> Result<Verdict, String> {
    let plain = measure(&program::build(Build::Plain, options.release)?, None, options)?;
    tell(&plain.exceptions);
    eprintln!("again, where a refusal leaves as soon as it is sealed");
    let planted = program::build(Build::Planted, options.release)?;
    let caught = measure(&planted, Some("hurried-refusal"), options)?;
    Ok(Verdict {
        rig: "timing",
        n: plain.questions,
        exceptions: plain.exceptions.len() as u64,
        planted_caught: !caught.exceptions.is_empty(),
        more: vec![
            ("auc", rounded(plain.auc)),
            ("auc_may_differ", rounded(plain.may_differ)),
            ("auc_planted", rounded(caught.auc)),
        ],
    })
}

fn rounded(figure: f64) -> Value {
    Value::from((figure * 10_000.0).round() / 10_000.0)
}

/// What the times told.
struct Told {
    questions: u64,
    auc: f64,
    may_differ: f64,
    exceptions: Vec<String>,
}

fn measure(program: &std::path::Path, bug: Option<&'static str>, options: &Options) -> Result<Told, String> {
    let scratch = Scratch::new("timing")?;
    let setup = Setup::new(program, scratch.path())?.with_bug(bug);
    let demo = setup.start()?;
    let people: Vec<Person> = people::people()?
        .into_iter()
        .filter(|p| !p.canary && !p.plates.is_empty())
        .take(2 * ASKERS)
        .collect();
    let (askers, known) = people
        .split_at_checked(ASKERS)
        .ok_or("there are too few people")?;
    for person in known {
        people::sign_in(&mut Client::new(setup.address), person)?;
    }
    let each = options.questions.div_ceil(ASKERS);
    if 2 * each > OF_A_DAY {
        return Err(format!(
            "at most {} questions, which the demo answers in a day",
            ASKERS * OF_A_DAY / 2
        ));
    }
    let answers: Vec<Result<Vec<Answer>, String>> = thread::scope(|scope| {
        let running: Vec<_> = askers
            .iter()
            .enumerate()
            .map(|(at, asker)| {
                let (setup, dice) = (&setup, Dice::new(options.seed + at as u64));
                scope.spawn(move || ask(setup, asker, known, (each, at), dice))
            })
            .collect();
        running
            .into_iter()
            .map(|r| r.join().unwrap_or_else(|_| Err("an asker panicked".to_owned())))
            .collect()
    });
    demo.stop_and_wait()?;
    let answers: Vec<Answer> = answers.into_iter().collect::<Result<Vec<_>, _>>()?.concat();
    Ok(judge(&answers))
}

/// How one question was answered.
#[derive(Clone)]
struct Answer {
    known: bool,
    seconds: f64,
    /// Status, and how long the body was.
    form: (u16, usize),
}

/// Asks about both kinds of people, in an order of chance.
fn ask(
    setup: &Setup<'_>,
    asker: &Person,
    known: &[Person],
    (each, at): (usize, usize),
    mut dice: Dice,
) -> Result<Vec<Answer>, String> {
    let mut client = Client::new(setup.address);
    people::sign_in(&mut client, asker)?;
    let mut answers = Vec::with_capacity(2 * each);
    for nth in 0..each {
        // One of each kind, in an order of chance: what changes with time meets both alike.
        let first = dice.below(2) == 0;
        for is_known in [first, !first] {
            let whom = &known[nth % known.len()];
            let number = match is_known {
                true => whom.id_number.clone(),
                false => nobodys(&whom.id_number, at * each + nth).ok_or("a number has another form")?,
            };
            let question = json!({
                "kind": "driving-licence", "mode": "read", "purpose": "own-information",
                "subject": { "name": whom.name, "id_number": number },
            });
            let watch = Stopwatch::start();
            let reply = client.post("/v1/lookups", &question)?;
            answers.push(Answer {
                known: is_known,
                seconds: watch.elapsed().as_secs_f64(),
                form: (reply.status, reply.body.len()),
            });
        }
    }
    Ok(answers)
}

/// A number of the same division and day as this one, with another sequence and the check digit of GB 11643-1999. The
/// personas' divisions were retired before their days of birth, so that it is nobody's.
fn nobodys(number: &str, nth: usize) -> Option<String> {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: &[u8; 11] = b"10X98765432";
    // The day moves too, where the sequence has been through.
    let day = 1 + nth / 1000 % 28;
    let first = format!("{}{day:02}{:03}", number.get(..12)?, nth % 1000);
    let digits: Option<Vec<u32>> = first.chars().map(|c| c.to_digit(10)).collect();
    let sum: u32 = digits?
        .iter()
        .zip(WEIGHTS)
        .map(|(digit, weight)| digit * weight)
        .sum();
    let check = char::from(*CHECKS.get(usize::try_from(sum % 11).ok()?)?);
    let other = format!("{first}{check}");
    // One of the persona's own would be known.
    if other == number {
        return nobodys(number, nth + 500_000);
    }
    Some(other)
}

fn judge(answers: &[Answer]) -> Told {
    let mut exceptions = vec![];
    let first = answers.first().map_or((0, 0), |answer| answer.form);
    if first.0 != 403 {
        exceptions.push(format!(
            "a question about somebody else was answered with {}",
            first.0
        ));
    }
    if let Some(other) = answers.iter().find(|answer| answer.form != first) {
        exceptions.push(format!("answers differ in form: {first:?}, {:?}", other.form));
    }
    let (auc, error) = area(answers);
    let may_differ = MAY_BE + ERRORS * error;
    if (auc - 0.5).abs() > may_differ || auc.is_nan() {
        exceptions.push(format!(
            "times tell who is known: the area under the curve is {auc:.3}, and may differ from one half by {may_differ:.3}"
        ));
    }
    Told {
        questions: answers.len() as u64,
        auc,
        may_differ,
        exceptions,
    }
}

/// How often an answer about somebody known takes longer than one about somebody unknown (Mann and Whitney's U, by its
/// greatest value), and the standard error where both take the same.
fn area(answers: &[Answer]) -> (f64, f64) {
    let mut sorted: Vec<&Answer> = answers.iter().collect();
    sorted.sort_by(|a, b| a.seconds.total_cmp(&b.seconds));
    let known = answers.iter().filter(|answer| answer.known).count() as f64;
    let unknown = answers.len() as f64 - known;
    let ranks: f64 = sorted
        .iter()
        .zip(1_u32..)
        .filter(|(answer, _)| answer.known)
        .map(|(_, rank)| f64::from(rank))
        .sum();
    let pairs = known * unknown;
    let auc = (ranks - known * (known + 1.0) / 2.0) / pairs;
    (auc, ((known + unknown + 1.0) / (12.0 * pairs)).sqrt())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn answers(known: impl Fn(u32) -> f64, unknown: impl Fn(u32) -> f64) -> Vec<Answer> {
        let answer = |known, seconds| Answer {
            known,
            seconds,
            form: (403, 300),
        };
        (0..500)
            .flat_map(|n| [answer(true, known(n)), answer(false, unknown(n))])
            .collect()
    }

    #[test]
    fn times_that_differ_are_found_and_alike_ones_are_not() {
        let spread = |n: u32| f64::from(n * 7919 % 1000);
        let alike = answers(spread, |n| spread(n + 1));
        assert!(judge(&alike).exceptions.is_empty());
        let later = answers(spread, |n| spread(n) + 300.0);
        let told = judge(&later);
        assert!(told.auc < 0.35, "{}", told.auc);
        assert_eq!(told.exceptions.len(), 1);
        let mut forms = alike;
        forms[7].form.1 += 1;
        assert_eq!(judge(&forms).exceptions.len(), 1);
        assert!(!judge(&[]).exceptions.is_empty());
    }

    #[test]
    fn numbers_of_nobody_are_valid_and_each_is_another() {
        let persons = people::people().unwrap();
        let own = &persons[0].id_number;
        let all: BTreeSet<String> = (0..3000).filter_map(|n| nobodys(own, n)).collect();
        assert_eq!(all.len(), 3000);
        assert!(!all.contains(own));
        // A valid number's own day and sequence give its own check digit.
        let [day, sequence] = [12..14, 14..17].map(|at| own[at].parse::<usize>().unwrap());
        let again = nobodys(&format!("{}000000", &own[..12]), (day - 1) * 1000 + sequence);
        assert_eq!(again.as_ref(), Some(own));
    }
}
