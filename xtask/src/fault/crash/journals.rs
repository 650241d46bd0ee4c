//! The four journals, and what must hold between them.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, fs,
};

use ledger::{Checkpoint, Note, Proof, Receipt, TrustedKeys, receipt};
use serde_json::Value;

use super::clients::{Answer, Session};
use crate::{
    http::Client,
    log::{self, PublicLog},
    program::Setup,
};

/// The kind that is answered from a file which was dropped before, so that nobody is asked.
pub(in crate::fault) const DROPPED: &str = "vehicle-insurance";

/// What must not be.
#[derive(Debug)]
pub(in crate::fault) struct Exception {
    unsealed: bool,
    what: String,
}

impl Exception {
    /// About no single look-up.
    pub(in crate::fault) fn of_the_whole(what: String) -> Self {
        Exception {
            unsealed: false,
            what,
        }
    }

    /// An answer was given, and the person's view has nothing of it.
    pub(in crate::fault) fn is_unsealed(&self) -> bool {
        self.unsealed
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

/// One entry as the person sees it.
#[derive(Debug, Clone)]
struct Entry {
    number: u64,
    index: u64,
    sort: String,
    outcome: String,
    kind: String,
}

/// All four.
pub(in crate::fault) struct Journals {
    /// What clients were answered.
    pub(super) answers: Vec<Answer>,
    /// Look-ups of which the authorities were asked.
    pub(super) asked: BTreeSet<String>,
    log: PublicLog,
    keys: TrustedKeys,
    /// By look-up, in the order of the chain.
    seen: BTreeMap<String, Vec<Entry>>,
    /// The numbers of each chain, newest first.
    chains: Vec<Vec<u64>>,
}

impl Journals {
    /// Reads the three that are not in memory.
    ///
    /// # Errors
    /// One cannot be read.
    pub(in crate::fault) fn gather(
        setup: &Setup<'_>,
        sessions: Vec<Session>,
        answers: Vec<Answer>,
    ) -> Result<Self, String> {
        let keys = log::trusted(&setup.log_keys()?)?;
        let mut client = Client::new(setup.address);
        let log = PublicLog::read(&mut client, &keys)?;
        let (mut seen, mut chains) = (BTreeMap::new(), vec![]);
        for session in sessions {
            client.token = Some(session.token);
            chains.push(
                view(&mut client, &mut seen)
                    .map_err(|e| format!("the view of {}: {e}", session.person.id))?,
            );
        }
        Ok(Journals {
            answers,
            asked: asked(setup)?,
            log,
            keys,
            seen,
            chains,
        })
    }

    /// How many entries people see.
    pub(super) fn entries(&self) -> usize {
        self.chains.iter().map(Vec::len).sum()
    }

    /// No look-up is under way, or cut off and not yet closed, and the public log has all that was answered.
    pub(in crate::fault) fn are_settled(&self) -> bool {
        let closed = |entries: &Vec<Entry>| entries.iter().any(|e| e.sort != "INTENT");
        let answered = self.answers.iter().filter_map(|answer| answer.lookup.as_ref());
        let mut entries = answered.filter_map(|lookup| self.seen.get(lookup)).flatten();
        self.seen.values().all(closed) && entries.all(|entry| self.log.leaf(entry.index).is_some())
    }

    /// What does not hold.
    pub(in crate::fault) fn compare(&self) -> Vec<Exception> {
        let mut exceptions: Vec<Exception> = self
            .answers
            .iter()
            .filter_map(|a| self.answered(a).err())
            .collect();
        let mut whole: Vec<String> = self
            .asked
            .iter()
            .filter_map(|lookup| self.asked_for(lookup))
            .collect();
        whole.extend(
            self.seen
                .iter()
                .filter_map(|(lookup, entries)| self.entries_of(lookup, entries)),
        );
        whole.extend(self.chains.iter().filter_map(|numbers| gap(numbers)));
        exceptions.extend(whole.into_iter().map(Exception::of_the_whole));
        exceptions
    }

    /// What a client was answered is in the person's view, and its receipt in the log.
    fn answered(&self, answer: &Answer) -> Result<(), Exception> {
        let wrong = |unsealed, what: String| Exception { unsealed, what };
        if answer.status == 503 || answer.status == 429 {
            return Ok(());
        }
        let Some(lookup) = &answer.lookup else {
            return Err(wrong(
                false,
                format!("{} {} names no look-up", answer.status, answer.word),
            ));
        };
        let entries = self.seen.get(lookup).map_or(&[][..], Vec::as_slice);
        // A look-up that was answered and then closed as cut off has an entry, but not of what was answered.
        let is_evidence = |e: &&Entry| match answer.status {
            200 => e.sort != "INTENT" && e.outcome == answer.word,
            _ => e.sort == "REFUSAL",
        };
        let Some(entry) = entries.iter().find(is_evidence) else {
            let sealed: Vec<&str> = entries.iter().map(|e| e.sort.as_str()).collect();
            let what = format!(
                "{lookup} was answered with {}; sealed is only {}",
                answer.word,
                sealed.join(", ")
            );
            return Err(wrong(true, what));
        };
        if answer.status != 200 {
            return Ok(());
        }
        let receipt = answer
            .receipt
            .as_ref()
            .ok_or_else(|| wrong(false, format!("{lookup} has no receipt")))?;
        self.holds(receipt, entry)
            .map_err(|e| wrong(false, format!("the receipt of {lookup}: {e}")))
    }

    /// The receipt verifies, is of this entry, and the log did not fork since.
    fn holds(&self, text: &str, entry: &Entry) -> Result<(), String> {
        let verified =
            receipt::verify(text.as_bytes(), &self.keys, log::signature).map_err(|e| e.to_string())?;
        match self.log.leaf(verified.index) {
            None => return Err(format!("the public log ends before {}", verified.index)),
            Some(leaf) if verified.index != entry.index || leaf != verified.leaf_hash => {
                return Err(format!("the log has another entry at {}", verified.index));
            }
            Some(_) => {}
        }
        let parsed = Receipt::parse(text.as_bytes()).map_err(|e| e.to_string())?;
        let proof = Proof::parse(&parsed.proof).map_err(|e| e.to_string())?;
        // Its signatures were checked with the receipt.
        let note = Note::parse(&proof.checkpoint).map_err(|e| e.to_string())?;
        let head = Checkpoint::parse(note.text()).map_err(|e| e.to_string())?;
        if self.log.root_of(head.size()) == Some(*head.root()) {
            Ok(())
        } else {
            Err(format!(
                "the log's first {} entries have another root now",
                head.size()
            ))
        }
    }

    /// What the authorities were asked was sealed before.
    fn asked_for(&self, lookup: &str) -> Option<String> {
        let entries = self.seen.get(lookup).map_or(&[][..], Vec::as_slice);
        let intended = entries.iter().any(|e| e.sort == "INTENT");
        (!intended).then(|| format!("an authority was asked for {lookup} and nobody sees an intent"))
    }

    /// Each intent has one outcome after it; nothing was found without asking.
    fn entries_of(&self, lookup: &str, entries: &[Entry]) -> Option<String> {
        let of = |sort: &str| entries.iter().filter(|e| e.sort == sort).collect::<Vec<_>>();
        let intents = of("INTENT");
        let ends = [of("RELEASE"), of("REFUSAL"), of("FAILURE")].concat();
        if ends.len() != 1 || intents.len() > 1 {
            return Some(format!(
                "{lookup} has {} intents and {} outcomes",
                intents.len(),
                ends.len()
            ));
        }
        let end = ends[0];
        if end.sort != "REFUSAL" && !intents.iter().any(|intent| intent.number < end.number) {
            return Some(format!("{lookup} has an outcome and no intent before it"));
        }
        if end.outcome == "found" && end.kind != DROPPED && !self.asked.contains(lookup) {
            return Some(format!("{lookup} was found, and no authority was asked"));
        }
        None
    }
}

/// Reads a person's whole view; the numbers of its entries, newest first.
fn view(client: &mut Client, seen: &mut BTreeMap<String, Vec<Entry>>) -> Result<Vec<u64>, String> {
    let mut numbers: Vec<u64> = vec![];
    loop {
        let before = numbers.last().map(|n| format!("?before={n}")).unwrap_or_default();
        let reply = client.get(&format!("/v1/access-log{before}"))?;
        let page = reply.json();
        let lines = page
            .as_array()
            .ok_or_else(|| format!("{} {}", reply.status, reply.text()))?;
        if lines.is_empty() {
            return Ok(numbers);
        }
        for line in lines {
            let text = |key: &str| line[key].as_str().unwrap_or_default().to_owned();
            let number = |key: &str| {
                line[key]
                    .as_u64()
                    .ok_or_else(|| format!("an entry without {key}: {line}"))
            };
            numbers.push(number("number")?);
            if let Value::String(lookup) = &line["lookup_id"] {
                let entry = Entry {
                    number: number("number")?,
                    index: number("log_index")?,
                    sort: text("type"),
                    outcome: text("outcome"),
                    kind: text("kind"),
                };
                seen.entry(lookup.clone()).or_default().push(entry);
            }
        }
    }
}

/// The authorities' journal. A line that a kill cut off was not answered; the next one begins in the same line.
fn asked(setup: &Setup<'_>) -> Result<BTreeSet<String>, String> {
    let path = setup.journal();
    let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    let whole = |line: &str| {
        let from = line.rfind("{\"lookup\":")?;
        let entry: Value = serde_json::from_str(&line[from..]).ok()?;
        Some(entry["lookup"].as_str()?.to_owned())
    };
    Ok(text.lines().filter_map(whole).collect())
}

/// The numbers of a chain leave no gap.
fn gap(numbers: &[u64]) -> Option<String> {
    let broken = numbers.windows(2).find(|pair| pair[0] != pair[1] + 1)?;
    Some(format!("a chain goes from {} to {}", broken[1], broken[0]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gap_is_told() {
        assert_eq!(gap(&[4, 3, 2, 1]), None);
        assert!(gap(&[4, 3, 1]).is_some());
        assert_eq!(gap(&[]), None);
    }
}
