//! How one source takes reviews: a compiled `[[submits]]`.

use std::{collections::BTreeMap, ops::Range};

use domain::{
    identifiers::is_invisible,
    outcome::Outcome,
    review::{Progress, Submission},
};
use serde::Deserialize;
use serde_json::Value as Json;
use toml::Spanned;

use super::{ReviewQuestion, ReviewReply, ReviewStatus, ReviewTerms};
use crate::{
    ask::Unasked,
    field::as_code,
    file::{SourceError, SourceFile},
    http::Http,
    json,
    pointer::Pointer,
    report::{Failure, Problem},
    request::{Scope, Template},
    route::Route,
    target::Target,
};

/// How large a reply may be: a number, a code and a few sentences.
const MAX_BODY: usize = 64 << 10;
/// The longest number of a source's, in bytes.
const MAX_NUMBER: usize = 64;
/// The longest text of a source's that is kept, in characters; the rest is left out.
const MAX_ANSWER: usize = 2000;

/// One `[[submits]]` as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSubmits {
    kinds: Spanned<Vec<Spanned<String>>>,
    path: Spanned<String>,
    working_days: Spanned<u32>,
    #[serde(default)]
    poll_minutes: Option<Spanned<u32>>,
    request: BTreeMap<String, Spanned<String>>,
    outcome: RawCodes<Submission>,
    answer: RawTaken,
    status: RawStatus,
}

/// Where a code stands, and what each means.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawCodes<T> {
    at: Spanned<String>,
    codes: BTreeMap<String, T>,
}

/// What stands beside the code of a review that was taken.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTaken {
    number: Spanned<String>,
}

/// How far it is.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawStatus {
    path: Spanned<String>,
    request: BTreeMap<String, Spanned<String>>,
    outcome: RawCodes<Progress>,
    answer: RawAnswered,
}

/// What stands beside the code of progress.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAnswered {
    number: Spanned<String>,
    #[serde(default)]
    text: Option<Spanned<String>>,
}

/// A code's place and meaning, checked.
struct Codes<T> {
    at: Pointer,
    codes: BTreeMap<String, T>,
}

impl<T: Copy> Codes<T> {
    fn compile(file: &SourceFile, raw: &RawCodes<T>) -> Result<Self, SourceError> {
        let at = Pointer::compile(file, &raw.at)?;
        let codes = raw.codes.clone();
        Ok(Codes { at, codes })
    }

    fn read(&self, answer: &Json) -> Result<T, Failure> {
        let code = self.at.find(answer).and_then(as_code);
        let code = code.ok_or(Failure::bad_answer(Problem::NoOutcome))?;
        let meaning = self.codes.get(code.as_ref()).copied();
        meaning.ok_or(Failure::bad_answer(Problem::UnknownOutcome))
    }
}

/// One compiled `[[submits]]`.
pub(crate) struct SubmitRoute {
    kinds: Vec<String>,
    pub(crate) terms: ReviewTerms,
    pub(crate) target: Target,
    pub(crate) template: Template,
    outcomes: Codes<Submission>,
    number: Pointer,
    pub(crate) status: StatusRoute,
}

/// How far a review is.
pub(crate) struct StatusRoute {
    pub(crate) target: Target,
    pub(crate) template: Template,
    outcomes: Codes<Progress>,
    number: Pointer,
    text: Option<Pointer>,
}

impl SubmitRoute {
    /// Checks all `[[submits]]` of a file against what else it serves.
    pub(crate) fn compile_all(
        file: &SourceFile,
        http: &Http,
        served: &[Route],
        all: &[Spanned<RawSubmits>],
    ) -> Result<Vec<Self>, SourceError> {
        let mut routes: Vec<SubmitRoute> = Vec::new();
        for submits in all {
            let route = SubmitRoute::compile(file, http, served, submits)?;
            if let Some(id) = route.kinds.iter().find(|id| routes.iter().any(|r| r.is_for(id))) {
                return Err(file.wrong(&submits.span(), format!("reviews of {id} are taken twice")));
            }
            routes.push(route);
        }
        Ok(routes)
    }

    fn compile(
        file: &SourceFile,
        http: &Http,
        served: &[Route],
        submits: &Spanned<RawSubmits>,
    ) -> Result<Self, SourceError> {
        let (line, raw) = (&submits.span(), submits.get_ref());
        let ids = raw.kinds.get_ref();
        if ids.is_empty() {
            return Err(file.wrong(&raw.kinds.span(), "kinds: reviews of whose records?"));
        }
        for id in ids {
            if !served.iter().any(|route| route.kind == *id.get_ref()) {
                let problem = format!("kinds: {} is not served by this source", id.get_ref());
                return Err(file.wrong(&id.span(), problem));
            }
        }
        let outcomes = Codes::compile(file, &raw.outcome)?;
        if !outcomes.codes.values().any(|word| *word == Submission::Accepted) {
            return Err(file.wrong(line, "outcome.codes: no code means accepted"));
        }
        Ok(SubmitRoute {
            kinds: ids.iter().map(|id| id.get_ref().clone()).collect(),
            terms: terms(file, raw)?,
            target: http.target(file, &raw.path, MAX_BODY)?,
            template: http.template(file, line, &Scope::Review, &raw.request)?,
            outcomes,
            number: Pointer::compile(file, &raw.answer.number)?,
            status: StatusRoute::compile(file, http, line, &raw.status)?,
        })
    }

    /// Whether it is for records of this kind.
    pub(crate) fn is_for(&self, kind: &str) -> bool {
        self.kinds.iter().any(|id| id == kind)
    }

    /// The kinds whose reviews go this way.
    pub(super) fn kinds(&self) -> &[String] {
        &self.kinds
    }

    /// Reads what was said to a review that was handed in.
    pub(super) fn read(&self, body: &[u8]) -> Result<ReviewReply, Unasked> {
        let answer = json::parse(body).map_err(Failure::bad_answer)?;
        match self.outcomes.read(&answer)? {
            Submission::Accepted => Ok(ReviewReply::Accepted(read_number(&self.number, &answer)?)),
            Submission::Refused => Ok(ReviewReply::Refused),
            Submission::Maintenance => Err(Unasked::Bare(Outcome::Maintenance)),
            Submission::Overloaded => Err(Unasked::Bare(Outcome::Overloaded)),
        }
    }
}

impl StatusRoute {
    fn compile(
        file: &SourceFile,
        http: &Http,
        line: &Range<usize>,
        raw: &RawStatus,
    ) -> Result<Self, SourceError> {
        let outcomes = Codes::compile(file, &raw.outcome)?;
        let ends = |word: &Progress| matches!(word, Progress::Corrected | Progress::Upheld);
        if !outcomes.codes.values().any(ends) {
            return Err(file.wrong(line, "status.outcome.codes: no code means corrected or upheld"));
        }
        let text = raw.answer.text.as_ref();
        Ok(StatusRoute {
            target: http.target(file, &raw.path, MAX_BODY)?,
            template: http.template(file, line, &Scope::ReviewStatus, &raw.request)?,
            outcomes,
            number: Pointer::compile(file, &raw.answer.number)?,
            text: text.map(|text| Pointer::compile(file, text)).transpose()?,
        })
    }

    /// Reads how far a review is. That it is this one comes first: what else the answer says may be about somebody
    /// else's.
    pub(super) fn read(&self, review: &ReviewQuestion, body: &[u8]) -> Result<ReviewStatus, Unasked> {
        let answer = json::parse(body).map_err(Failure::bad_answer)?;
        let progress = self.outcomes.read(&answer)?;
        match progress {
            Progress::Maintenance => return Err(Unasked::Bare(Outcome::Maintenance)),
            Progress::Overloaded => return Err(Unasked::Bare(Outcome::Overloaded)),
            Progress::Pending | Progress::Corrected | Progress::Upheld => {}
        }
        if read_number(&self.number, &answer)? != review.number {
            return Err(Failure::bad_answer(Problem::OtherReview).into());
        }
        let text = self
            .text
            .as_ref()
            .and_then(|at| at.find(&answer))
            .and_then(Json::as_str);
        let text = text.and_then(clean);
        Ok(match progress {
            Progress::Corrected => ReviewStatus::Corrected(text),
            Progress::Upheld => ReviewStatus::Upheld(text),
            _ => ReviewStatus::Pending,
        })
    }
}

fn terms(file: &SourceFile, raw: &RawSubmits) -> Result<ReviewTerms, SourceError> {
    let working_days = *raw.working_days.get_ref();
    if !(1..=60).contains(&working_days) {
        return Err(file.wrong(&raw.working_days.span(), "working_days: expected 1 to 60"));
    }
    let poll_minutes = raw.poll_minutes.as_ref().map_or(60, |minutes| *minutes.get_ref());
    match &raw.poll_minutes {
        Some(minutes) if !(1..=1440).contains(&poll_minutes) => {
            Err(file.wrong(&minutes.span(), "poll_minutes: expected 1 to 1440"))
        }
        _ => Ok(ReviewTerms {
            working_days,
            poll_minutes,
        }),
    }
}

fn read_number(at: &Pointer, answer: &Json) -> Result<String, Failure> {
    let sound = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let number = at.find(answer).and_then(as_code);
    let number = number.filter(|n| (1..=MAX_NUMBER).contains(&n.len()) && n.chars().all(sound));
    number
        .map(|n| n.into_owned())
        .ok_or(Failure::bad_answer(Problem::ReviewNumberMissing))
}

/// A source's words without what nobody sees, cut where they are too long; `None` where nothing is left.
fn clean(text: &str) -> Option<String> {
    let sound = |c: &char| *c == '\n' || !is_invisible(*c);
    let text: String = text.chars().filter(sound).take(MAX_ANSWER).collect();
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sources_words_are_what_is_seen_of_them() {
        let said = "\u{202e}已\u{ad}更\u{200b}正\u{61c}\n\u{2028}见\u{2066}附件\u{e0041}\0";
        assert_eq!(clean(said).as_deref(), Some("已更正\n见附件"));
        assert_eq!(clean(" \u{feff}\u{202c}\n"), None);
        assert_eq!(clean(&"字".repeat(MAX_ANSWER + 1)), Some("字".repeat(MAX_ANSWER)));
    }
}
