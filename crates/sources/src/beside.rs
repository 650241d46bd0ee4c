//! Asking others beside the source that answers: at once, within the same deadline, and without waiting for them for
//! long. What they say is checked like any answer, and compared by whoever gets it.

use std::{ops::Range, pin::pin, time::Duration};

use domain::{
    beside::Beside,
    kind::{FieldType, Kind},
    outcome::Outcome,
    words::Mode,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::time::{Instant, timeout_at};
use toml::Spanned;

use crate::{
    ask::observe,
    file::{RawServes, SourceError, SourceFile},
    question::{Answer, AskedBeside, Question},
    report::{Failure, Problem},
    routing::{Candidate, Order},
    sources::Sources,
};

/// How long an answer that is there waits for what is asked beside, in milliseconds: too short to be felt.
const WAIT_MS: u64 = 200;
/// The longest such wait that a file may ask for: it is added to what everybody waits who asks for that kind.
const MAX_WAIT_MS: u64 = 1_000;

/// How a route is asked beside others.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BesideRoute {
    /// The fields in which its value stands first.
    leads: Vec<String>,
    /// The fields that it holds and that can be shown.
    holds: Vec<String>,
    wait: Duration,
}

impl BesideRoute {
    /// Checks the part of a `[[serves]]` that is about standing beside; nothing where it does not.
    pub(crate) fn compile(
        file: &SourceFile,
        line: &Range<usize>,
        kind: &Kind,
        raw: &RawServes,
    ) -> Result<Option<Self>, SourceError> {
        if !raw.beside {
            let out_of_place = raw.leads.first().map(Spanned::span);
            let out_of_place = out_of_place.or(raw.wait_ms.as_ref().map(Spanned::span));
            return match out_of_place {
                Some(at) => Err(file.wrong(&at, "leads and wait_ms belong to a route with beside = true")),
                None => Ok(None),
            };
        }
        if *raw.mode.get_ref() != Mode::Read {
            return Err(file.wrong(
                &raw.mode.span(),
                "only in mode read is a source asked beside another",
            ));
        }
        let mapped = |id: &str| raw.fields.keys().find(|name| name.get_ref() == id);
        for field in &kind.fields {
            let is_compared = !matches!(field.of_type, FieldType::List { .. } | FieldType::Image);
            if let Some(name) = mapped(&field.id).filter(|_| !is_compared) {
                let problem = format!("{}: lists and images are not compared: take it out", field.id);
                return Err(file.wrong(&name.span(), problem));
            }
        }
        let owners = &kind.belongs_to.any_of;
        if !kind.belongs_to.asserted_by_source && !owners.iter().any(|id| mapped(id).is_some()) {
            let problem = format!("the answer must show whose record it is: map one of {owners:?}");
            return Err(file.wrong(line, problem));
        }
        let shown = kind.disclosable().filter(|field| mapped(&field.id).is_some());
        let holds: Vec<String> = shown.map(|field| field.id.clone()).collect();
        if let Some(id) = raw.leads.iter().find(|id| !holds.contains(id.get_ref())) {
            let problem = format!(
                "leads: {} is no field that it maps and that can be shown",
                id.get_ref()
            );
            return Err(file.wrong(&id.span(), problem));
        }
        let wait_ms = match &raw.wait_ms {
            Some(ms) if *ms.get_ref() > MAX_WAIT_MS => {
                return Err(file.wrong(&ms.span(), format!("wait_ms: at most {MAX_WAIT_MS}")));
            }
            Some(ms) => *ms.get_ref(),
            None => WAIT_MS,
        };
        Ok(Some(BesideRoute {
            leads: raw.leads.iter().map(|id| id.get_ref().clone()).collect(),
            holds,
            wait: Duration::from_millis(wait_ms),
        }))
    }

    /// What it holds and can be shown.
    pub(crate) fn holds(&self) -> &[String] {
        &self.holds
    }

    /// Something is asked for that it holds. Of a predicate the source is told no more than of a record.
    fn is_asked_for(&self, question: &Question) -> bool {
        let looked_at = |id: &String| question.kind.kind.predicates.iter().any(|p| p.field == *id);
        match question.mode {
            Mode::Read => self.holds.iter().any(|id| question.fields.contains(id)),
            Mode::Predicate => self.holds.iter().any(looked_at),
            Mode::Match | Mode::List => false,
        }
    }
}

impl Sources {
    /// Whoever is asked beside the one that answers; nobody where no file says so.
    pub(crate) fn whom_beside<'a>(&'a self, question: &Question) -> Vec<&'a Candidate> {
        let Some(candidates) = self.beside(question.kind.kind.id.as_str(), question.mode) else {
            return vec![];
        };
        let asked = |turn: &&Candidate| {
            let beside = self.at(turn.place).1.beside.as_ref();
            beside.is_some_and(|beside| beside.is_asked_for(question))
        };
        let turns = self.order(candidates, question).turns;
        turns.into_iter().filter(asked).collect()
    }

    /// Asks in turn, and at the same time whoever stands beside. They delay a record by their `wait_ms` at most, and
    /// any other answer not at all: there is nothing to compare it with.
    pub(crate) async fn ask_with_others(
        &self,
        order: &Order<'_>,
        others: Vec<&Candidate>,
        question: &Question,
    ) -> Answer {
        let started = Instant::now();
        let mut missing = others.clone();
        let ask = |candidate: Candidate| async move {
            let (source, route) = self.at(candidate.place);
            let answer = self.ask_one(source, route, question, question.deadline).await;
            (candidate.place, answer)
        };
        let mut asked: FuturesUnordered<_> = others.iter().map(|c| ask((*c).clone())).collect();
        let mut came = vec![];
        let mut leading = pin!(self.ask_in_turn(order, question));
        let mut answer = loop {
            tokio::select! {
                biased;
                answer = &mut leading => break answer,
                Some(one) = asked.next() => came.push(one),
            }
        };
        if answer.outcome != Outcome::Found {
            return answer;
        }
        let there = Instant::now();
        loop {
            missing.retain(|c| !came.iter().any(|(place, _)| *place == c.place));
            let waits = missing.iter().filter_map(|c| self.at(c.place).1.beside.as_ref());
            let Some(until) = waits.map(|beside| there + beside.wait).max() else {
                break;
            };
            match timeout_at(until.min(question.deadline), asked.next()).await {
                Ok(Some(one)) => came.push(one),
                Ok(None) | Err(_) => break,
            }
        }
        drop(asked);
        // The file's order, not that of who was quicker.
        for candidate in others {
            let (source, route) = self.at(candidate.place);
            let place = came.iter().position(|(place, _)| *place == candidate.place);
            let one = match place {
                Some(at) => came.swap_remove(at).1,
                // It had less than its own time, and is not blamed for it.
                None => {
                    let late = Failure::new(Outcome::TimedOut, Problem::OwnTimeOver);
                    let late = Answer::failed(&source.info.id, late);
                    observe(source, route, question, &late, started);
                    late
                }
            };
            let leads = route.beside.as_ref().map_or(&[][..], |beside| &beside.leads);
            answer.beside.push(asked_beside(&source.info.id, leads, one));
        }
        answer
    }
}

fn asked_beside(source: &str, leads: &[String], answer: Answer) -> AskedBeside {
    let said = answer.record.zip(answer.provenance);
    AskedBeside {
        source: source.to_owned(),
        outcome: answer.outcome,
        said: said.map(|(record, by)| Beside {
            by,
            record,
            leads: leads.to_vec(),
        }),
    }
}
