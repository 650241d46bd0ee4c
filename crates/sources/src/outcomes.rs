//! The code by which a source says what came of a question, and what each code means.

use std::{collections::BTreeMap, ops::Range};

use domain::{outcome::Outcome, words::Mode};
use serde_json::Value as Json;

use crate::{
    field::as_code,
    file::{RawOutcome, SourceError, SourceFile},
    places::Places,
    pointer::Pointer,
    report::{Failure, Problem},
};

/// A compiled `outcome`.
pub(crate) struct Outcomes {
    at: Pointer,
    codes: BTreeMap<String, Outcome>,
}

impl Outcomes {
    /// Checks that every code means something that a source can say in this mode, and that one means success.
    pub(crate) fn compile(
        file: &SourceFile,
        line: &Range<usize>,
        mode: Mode,
        raw: &RawOutcome,
    ) -> Result<Self, SourceError> {
        let success = if mode == Mode::Match {
            Outcome::Match
        } else {
            Outcome::Found
        };
        let mut codes = BTreeMap::new();
        for (code, outcome) in &raw.codes {
            let fits = match outcome.get_ref() {
                Outcome::Yes | Outcome::No | Outcome::CutOff => false,
                Outcome::Found => mode != Mode::Match,
                Outcome::Match | Outcome::Mismatch | Outcome::FaceBelowThreshold => mode == Mode::Match,
                _ => true,
            };
            if !fits {
                let problem = format!("a source cannot answer {} in mode {mode}", outcome.get_ref());
                return Err(file.wrong(&outcome.span(), problem));
            }
            codes.insert(code.clone(), *outcome.get_ref());
        }
        if !codes.values().any(|outcome| *outcome == success) {
            return Err(file.wrong(line, format!("outcome.codes: no code means {success}")));
        }
        let at = Pointer::compile(file, &raw.at)?;
        Ok(Outcomes { at, codes })
    }

    /// Marks where the code stands.
    pub(crate) fn mark(&self, places: &mut Places) {
        places.at(&self.at).read_whole();
    }

    /// The column of a table in which the code stands.
    pub(crate) fn column(&self) -> Option<&str> {
        self.at.first()
    }

    /// What an answer says.
    pub(crate) fn read(&self, answer: &Json) -> Result<Outcome, Failure> {
        let code = self.at.find(answer).and_then(as_code);
        let code = code.ok_or(Failure::bad_answer(Problem::NoOutcome))?;
        let outcome = self.codes.get(code.as_ref()).copied();
        outcome.ok_or(Failure::bad_answer(Problem::UnknownOutcome))
    }
}
