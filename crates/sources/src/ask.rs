//! Asking: from a question to one of the closed set of outcomes, whatever the source does.

use bytes::Bytes;
use domain::{
    identifiers::{Plate, Vin},
    kind::{FieldType, Value},
    lookup::Person,
    outcome::Outcome,
    record::{Authenticity, Provenance},
    words::Mode,
};
use futures_util::future::join_all;
use tokio::time::{Instant, timeout_at};

use crate::{
    client::{Content, Reply},
    envelope::World,
    question::{Answer, Question},
    report::{Failure, Problem, Report},
    route::{Reading, Route},
    source::Source,
    sources::Sources,
    target::Target,
};

/// From worst to best: what several routes' outcomes amount to is the first of these that any of them gave. A
/// failure comes first, because with it nothing is known; a match needs all to match.
const WORST_FIRST: [Outcome; 14] = [
    Outcome::BadAnswer,
    Outcome::Broken,
    Outcome::TimedOut,
    Outcome::Overloaded,
    Outcome::Maintenance,
    Outcome::FaceBelowThreshold,
    Outcome::Mismatch,
    Outcome::NotFound,
    Outcome::NotCovered,
    Outcome::CannotCompare,
    Outcome::Ambiguous,
    Outcome::DocumentExpired,
    Outcome::NotFiledYet,
    Outcome::Match,
];

impl Sources {
    /// Asks whoever holds such records, within the deadline. It neither errs nor panics: what goes wrong is one of
    /// the outcomes, and a record about anyone else than the subject is `not_found`.
    pub async fn ask(&self, question: Question) -> Answer {
        if holds_nothing_registered(&question) {
            return Answer::bare(Outcome::NotCovered);
        }
        let kind = question.kind.kind.id.as_str();
        if question.mode == Mode::Match {
            return match self.routes_to_match(kind, question.claims.keys()) {
                Some(routes) => self.ask_all(&routes, &question).await,
                None => Answer::bare(Outcome::NotCovered),
            };
        }
        match self.route(kind, question.mode) {
            Some((source, route)) => self.ask_one(source, route, &question).await,
            None => Answer::bare(Outcome::NotCovered),
        }
    }

    /// Asks every route of a match at once and keeps the worst answer; where all match, the base's.
    async fn ask_all(&self, routes: &[(&Source, &Route)], question: &Question) -> Answer {
        let answers = join_all(
            routes
                .iter()
                .map(|(source, route)| self.ask_one(source, route, question)),
        )
        .await;
        let rank = |a: &Answer| WORST_FIRST.iter().position(|o| *o == a.outcome).unwrap_or(0);
        answers
            .into_iter()
            .min_by_key(rank)
            .unwrap_or_else(|| Answer::bare(Outcome::NotCovered))
    }

    async fn ask_one(&self, source: &Source, route: &Route, question: &Question) -> Answer {
        let started = Instant::now();
        let answer = match self.read_one(source, route, question).await {
            Ok(reading) => answered(source, reading),
            Err(Unasked::Bare(outcome)) => Answer::bare(outcome),
            Err(Unasked::Failed(failure)) => Answer::failed(&source.info.id, failure),
        };
        observe(source, route, question, &answer, started);
        answer
    }

    async fn read_one(
        &self,
        source: &Source,
        route: &Route,
        question: &Question,
    ) -> Result<Reading, Unasked> {
        let body = route.template.render(question);
        let reply = self
            .send(source, &route.target, &question.person, body, question.deadline)
            .await?;
        Ok(route.read(question, &reply, self.clock.now())?)
    }

    /// Sends a body about somebody and returns the plain reply: while the agreement holds, within the deadline, and
    /// through the gate.
    pub(crate) async fn send(
        &self,
        source: &Source,
        target: &Target,
        person: &Person,
        body: Option<Vec<u8>>,
        deadline: Instant,
    ) -> Result<Bytes, Unasked> {
        let started = Instant::now();
        let today = self.clock.now().date_in_china();
        let agreement = source.info.agreement.as_ref();
        if agreement.is_some_and(|agreement| !agreement.holds(today)) {
            return Err(Failure::new(Outcome::Maintenance, Problem::AgreementExpired).into());
        }
        if !person.name.is_encodable(source.encoding) {
            return Err(Unasked::Bare(Outcome::CannotCompare));
        }
        let body = body.ok_or(Unasked::Bare(Outcome::CannotCompare))?;
        let deadline = deadline.min(started + source.deadline);
        let too_late = || Failure::new(Outcome::TimedOut, Problem::DeadlinePassed);
        if deadline <= started {
            return Err(too_late().into());
        }
        let place = source.gate.enter(deadline).await?;
        let reply = timeout_at(deadline, self.exchange(source, target, body, deadline)).await;
        let reply = reply.unwrap_or_else(|_| Err(too_late()));
        place.leave(reply.as_ref().err());
        Ok(reply?)
    }

    /// Sends the body, in an envelope if the source has one, and returns the plain reply.
    async fn exchange(
        &self,
        source: &Source,
        target: &Target,
        body: Vec<u8>,
        deadline: Instant,
    ) -> Result<Bytes, Failure> {
        let world = World {
            client: &source.client,
            clock: &*self.clock,
            random: &self.random,
            deadline,
        };
        if let Some(envelope) = &source.envelope {
            return envelope.exchange(&world, target, &body).await.map(Bytes::from);
        }
        match source
            .client
            .post(&target.uri, Content::Json, Bytes::from(body), target.max_body)
            .await?
        {
            Reply::Body(reply) => Ok(reply),
            Reply::Unknown => Err(Failure::bad_answer(Problem::BadStatus)),
        }
    }
}

/// Why there is nothing to read.
pub(crate) enum Unasked {
    /// The source was not asked, and nothing is wrong with it.
    Bare(Outcome),
    /// Something is wrong with it.
    Failed(Failure),
}

impl From<Failure> for Unasked {
    fn from(failure: Failure) -> Self {
        Unasked::Failed(failure)
    }
}

/// A plate of an army, the armed police or a tractor is in no register of public security, and a placeholder VIN
/// is in none at all: to ask would spend a question on an answer that is known.
fn holds_nothing_registered(question: &Question) -> bool {
    let kind = &question.kind.kind;
    let keys = kind.key.iter().map(|k| (&k.of_type, question.key.get(&k.id)));
    let claims = kind
        .claims
        .iter()
        .map(|c| (&c.of_type, question.claims.get(&c.id)));
    keys.chain(claims).any(|part| match part {
        (FieldType::Plate, Some(Value::Text(text))) => Plate::parse(text).is_ok_and(|p| !p.value.covered()),
        (FieldType::Vin, Some(Value::Text(text))) => Vin::parse(text).is_ok_and(|v| v.value.is_sentinel()),
        _ => false,
    })
}

fn answered(source: &Source, reading: Reading) -> Answer {
    let info = &source.info;
    let provenance = reading.outcome.is_release().then(|| Provenance {
        source: info.id.clone(),
        as_of: reading.as_of,
        freshness: info.freshness,
        authenticity: Authenticity::Session,
        mapping_version: info.version,
    });
    let report = Report {
        source: info.id.clone(),
        problem: Problem::WrongSubject,
        field: None,
    };
    Answer {
        outcome: reading.outcome,
        record: reading.record,
        rows: reading.rows,
        provenance,
        report: reading.wrong_subject.then_some(report),
    }
}

/// Counts, measures and traces: ids of ours and codes, nothing of the question and nothing of the answer.
fn observe(source: &Source, route: &Route, question: &Question, answer: &Answer, started: Instant) {
    let (id, kind) = (source.info.id.clone(), route.kind.clone());
    let (outcome, elapsed) = (answer.outcome.code(), started.elapsed());
    let ms = elapsed.as_secs_f64() * 1000.0;
    metrics::histogram!("mingcha_source_milliseconds", "source" => id.clone(), "kind" => kind.clone())
        .record(ms);
    metrics::counter!("mingcha_source_answers_total", "source" => id.clone(), "kind" => kind, "outcome" => outcome)
        .increment(1);
    let lookup = question.lookup;
    match &answer.report {
        Some(report) => {
            let (problem, field) = (report.problem.code(), report.field.as_deref());
            metrics::counter!("mingcha_source_problems_total", "source" => id, "problem" => problem)
                .increment(1);
            tracing::warn!(%lookup, source = %source.info.id, kind = %route.kind, outcome, problem, field, ms, "source");
        }
        None => tracing::debug!(%lookup, source = %source.info.id, kind = %route.kind, outcome, ms, "source"),
    }
}
