//! Asking: from a question to one of the closed set of outcomes, whatever the source does.

use std::{panic::AssertUnwindSafe, pin::pin, sync::Mutex, time::Duration};

use bytes::Bytes;
use domain::{
    identifiers::{Plate, PlateClass},
    kind::{FieldType, Value},
    lookup::Person,
    outcome::Outcome,
    record::{Authenticity, Provenance},
    time::Clock,
    words::{AskedFreshness, Mode},
};
use futures_util::{
    FutureExt,
    future::{Either, join_all, select},
};
use rand_chacha::ChaCha20Rng;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{
    gate::Place,
    http::Http,
    measure::Came,
    question::{Answer, Question},
    region::Whereabouts,
    report::{Failure, Problem, Report},
    route::{Reading, Route},
    routing::{Candidate, Candidates, Order},
    source::Source,
    sources::Sources,
    target::Target,
    transport::{Transport, Way},
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

/// So long is enough for any source to be blamed: half of the three seconds that a look-up has.
const FAIR: Duration = Duration::from_millis(1500);

impl Sources {
    /// Asks whoever holds such records, within the deadline. It neither errs nor panics: what goes wrong is one of
    /// the outcomes, and a record about anyone else than the subject is `not_found`.
    pub async fn ask(&self, question: Question) -> Answer {
        if holds_nothing_registered(&question) {
            return Answer::bare(Outcome::NotCovered);
        }
        let kind = question.kind.kind.id.as_str();
        let mut answer = match self.candidates(kind, question.mode) {
            Some(base) if question.mode == Mode::Match => self.ask_all(base, &question).await,
            Some(candidates) => {
                let order = self.order(candidates, &question);
                match self.whom_beside(&question) {
                    others if others.is_empty() => self.ask_in_turn(&order, &question).await,
                    // In memory of its own, which most questions do not need.
                    others => Box::pin(self.ask_with_others(&order, others, &question)).await,
                }
            }
            None => Answer::bare(Outcome::NotCovered),
        };
        if answer.outcome == Outcome::NotCovered {
            answer.not_live = self.is_not_live(&question);
            // Who is covered here, if not live, need not go to another entry.
            if !answer.not_live {
                answer.elsewhere = self.elsewhere(kind, Whereabouts::of(&question));
            }
        }
        answer
    }

    /// Whether something is covered by sources that are not live, and only such were asked for that are.
    fn is_not_live(&self, question: &Question) -> bool {
        if question.wanted.freshness != AskedFreshness::Realtime {
            return false;
        }
        let kind = question.kind.kind.id.as_str();
        let claims = question.claims.keys();
        let of_claims = claims.filter_map(|claim| self.candidates_for(kind, claim));
        let mut all = self.candidates(kind, question.mode).into_iter().chain(of_claims);
        let covers = |candidates: &Candidates, freshness| {
            let order = candidates.order(freshness, || Whereabouts::of(question), |_| true);
            !order.turns.is_empty()
        };
        all.any(|c| covers(c, AskedFreshness::Any) && !covers(c, AskedFreshness::Realtime))
    }

    pub(crate) fn order<'a>(&'a self, candidates: &'a Candidates, question: &Question) -> Order<'a> {
        // Called only where there is a choice.
        let is_well = |candidate: &Candidate| {
            let source = self.at(candidate.place).0;
            source.stopped(self.clock.now().date_in_china()).is_none() && !source.gate.is_shut()
        };
        candidates.order(question.wanted.freshness, || Whereabouts::of(question), is_well)
    }

    /// Asks for a match: the base, and for each claim that the base does not compare whoever does, all at once. The
    /// worst answer counts; where all match, the base's.
    async fn ask_all(&self, base: &Candidates, question: &Question) -> Answer {
        let kind = question.kind.kind.id.as_str();
        let mut orders = vec![];
        let mut compared: &[String] = &[];
        // A plan without a base is one of single files, which are looked at and not served.
        if !base.all().is_empty() {
            let mut order = self.order(base, question);
            let Some(first) = order.turns.first() else {
                return Answer::bare(Outcome::NotCovered);
            };
            compared = &self.at(first.place).1.claims;
            // Who stands in for the base compares the same claims.
            order
                .turns
                .retain(|turn| self.at(turn.place).1.claims == compared);
            orders.push(order);
        }
        for claim in question.claims.keys().filter(|claim| !compared.contains(claim)) {
            let order = self.candidates_for(kind, claim).map(|c| self.order(c, question));
            let Some(order) = order.filter(|order| !order.turns.is_empty()) else {
                return Answer::bare(Outcome::NotCovered);
            };
            if !orders.contains(&order) {
                orders.push(order);
            }
        }
        let answers = join_all(orders.iter().map(|order| self.ask_in_turn(order, question))).await;
        let rank = |a: &Answer| WORST_FIRST.iter().position(|o| *o == a.outcome).unwrap_or(0);
        answers
            .into_iter()
            .min_by_key(rank)
            .unwrap_or_else(|| Answer::bare(Outcome::NotCovered))
    }

    /// Asks one source after the other until one can answer, within the deadline that all share. What came first
    /// stands where none can: the reason of a failure, else that nobody covers it.
    pub(crate) async fn ask_in_turn(&self, order: &Order<'_>, question: &Question) -> Answer {
        let mut failed: Option<Answer> = None;
        for (n, turn) in order.turns.iter().enumerate() {
            let (source, route) = self.at(turn.place);
            let deadline = if n + 1 < order.turns.len() {
                in_reserve(question.deadline)
            } else {
                question.deadline
            };
            let mut answer = self.ask_one(source, route, question, deadline).await;
            answer.staler = order.is_staler(turn);
            let leaves_open = answer.outcome.is_failure() && answer.outcome != Outcome::FaceBelowThreshold;
            if !leaves_open && answer.outcome != Outcome::NotCovered {
                return answer;
            }
            match &failed {
                Some(before) if before.outcome.is_failure() || !leaves_open => {}
                _ => failed = Some(answer),
            }
        }
        failed.unwrap_or_else(|| Answer::bare(Outcome::NotCovered))
    }

    pub(crate) async fn ask_one(
        &self,
        source: &Source,
        route: &Route,
        question: &Question,
        deadline: Instant,
    ) -> Answer {
        let started = Instant::now();
        let read = unharmed(self.read_one(source, route, question, deadline)).await;
        let was_asked = match &read {
            Ok(_) => true,
            Err(Unasked::Bare(_)) => false,
            Err(Unasked::Failed(failure)) => failure.problem != Problem::OwnTimeOver,
        };
        let as_of = read.as_ref().ok().and_then(|reading| reading.as_of);
        let answer = match read {
            Ok(reading) => answered(source, reading),
            Err(Unasked::Bare(outcome)) => Answer::bare(outcome),
            Err(Unasked::Failed(failure)) => Answer::failed(&source.info.id, failure),
        };
        if was_asked {
            let came = match answer.outcome {
                // A yes and a no alike: nobody may read from what is measured which of them came.
                Outcome::Found | Outcome::Match | Outcome::Mismatch => Came::Data(as_of),
                Outcome::FaceBelowThreshold => Came::Word,
                outcome if outcome.is_release() => Came::Word,
                _ => Came::Nothing,
            };
            source.measure(&route.kind, self.clock.now(), came);
        }
        observe(source, route, question, &answer, started);
        answer
    }

    async fn read_one(
        &self,
        source: &Source,
        route: &Route,
        question: &Question,
        deadline: Instant,
    ) -> Result<Reading, Unasked> {
        match &route.way {
            Way::Http(way) => {
                let http = over_http(source)?;
                let body = way.template.render(question).map(Bytes::from);
                let exchange =
                    body.map(|body| {
                        move |deadline| {
                            let body = body.clone();
                            async move {
                                way.read(&http.exchange(self.world(), &way.target, body, deadline).await?)
                            }
                        }
                    });
                let asked = self.admit(source, &question.person, deadline, source.hedge, exchange);
                let (outcome, answer) = asked.await?;
                let mut reading = route.read(question, (outcome, &answer), self.clock.now())?;
                reading.signed = http.is_signed();
                Ok(reading)
            }
            Way::Sql(way) => {
                let parameters = way.fill(question);
                let exchange = parameters.as_ref().map(|parameters| |_| way.rows(parameters));
                let asked = self.admit(source, &question.person, deadline, source.hedge, exchange);
                Ok(route.read_table(question, asked.await?, self.clock.now())?)
            }
            Way::Drop(way) => {
                let exchange = way
                    .wanted(question)
                    .map(|wanted| move |_| way.rows(wanted.clone()));
                let asked = self.admit(source, &question.person, deadline, None, exchange);
                let found = asked.await?;
                let mut reading = route.read_table(question, found.rows, self.clock.now())?;
                reading.signed = found.signed;
                if reading.outcome == Outcome::Found {
                    reading.as_of = reading.as_of.or(Some(found.as_of));
                }
                Ok(reading)
            }
        }
    }

    /// Sends a body about somebody over HTTP, once, and returns the plain reply.
    pub(crate) async fn send(
        &self,
        source: &Source,
        target: &Target,
        person: &Person,
        body: Option<Vec<u8>>,
        deadline: Instant,
    ) -> Result<Bytes, Unasked> {
        let http = over_http(source)?;
        let exchange = body
            .map(Bytes::from)
            .map(|body| move |deadline| http.exchange(self.world(), target, body.clone(), deadline));
        self.admit(source, person, deadline, None, exchange).await
    }

    /// Lets a question about somebody through to its source: while the agreement holds, within the deadline, and
    /// through the gate; after `hedge` a second time. Without an exchange there is something that cannot be said
    /// to it.
    async fn admit<T, F: Future<Output = Result<T, Failure>>>(
        &self,
        source: &Source,
        person: &Person,
        deadline: Instant,
        hedge: Option<Duration>,
        exchange: Option<impl Fn(Instant) -> F>,
    ) -> Result<T, Unasked> {
        let started = Instant::now();
        let today = self.clock.now().date_in_china();
        if let Some(problem) = source.stopped(today) {
            return Err(Failure::new(Outcome::Maintenance, problem).into());
        }
        if !person.name.is_encodable(source.encoding) {
            return Err(Unasked::Bare(Outcome::CannotCompare));
        }
        let exchange = exchange.ok_or(Unasked::Bare(Outcome::CannotCompare))?;
        let deadline = deadline.min(started + source.deadline);
        if deadline <= started {
            return Err(Failure::new(Outcome::TimedOut, Problem::OwnTimeOver).into());
        }
        let ask = async |place: Place<'_>| {
            let given = deadline.saturating_duration_since(Instant::now());
            // In memory of its own: what waits for it has several kilobytes less to carry from hand to hand.
            let reply = timeout_at(deadline, Box::pin(unharmed(exchange(deadline)))).await;
            let late = |_| Err(Failure::new(Outcome::TimedOut, too_late(source.deadline, given)));
            let reply = reply.unwrap_or_else(late);
            place.leave(reply.as_ref().err());
            reply
        };
        let first = ask(source.gate.enter(deadline).await?);
        let reply = match hedge {
            None => first.await,
            Some(after) => hedged(first, after, || source.gate.try_enter().map(&ask)).await,
        };
        Ok(reply?)
    }

    fn world(&self) -> (&dyn Clock, &Mutex<ChaCha20Rng>) {
        (&*self.clock, &self.random)
    }
}

fn over_http(source: &Source) -> Result<&Http, Unasked> {
    match &source.transport {
        Transport::Http(http) => Ok(http),
        _ => Err(Failure::bad_answer(Problem::NotHttp).into()),
    }
}

/// What a source sends may bring about a panic of ours: then that source gave a bad answer, and who is asked beside it
/// is not harmed. What the panic says is dropped, for it may hold what was sent.
pub(crate) fn unharmed<T, E: From<Failure>>(
    asking: impl Future<Output = Result<T, E>>,
) -> impl Future<Output = Result<T, E>> {
    // Nothing half done outlives the question: what it holds is dropped, and what is shared stands behind locks that
    // are taken over from whoever panicked. No `async fn`, which would hold what is asked twice.
    let done = AssertUnwindSafe(asking).catch_unwind();
    done.map(|done| done.unwrap_or_else(|_| Err(Failure::bad_answer(Problem::Unforeseen).into())))
}

/// Whose fault a timeout is. A source is blamed only where it had at least half of its own time: as the second in
/// turn it may get what another one left over. Not all of it, for where another stands in reserve it never gets that.
fn too_late(own: Duration, given: Duration) -> Problem {
    if given >= (own / 2).min(FAIR) {
        Problem::DeadlinePassed
    } else {
        Problem::OwnTimeOver
    }
}

/// Waits for the first exchange; where it is silent for so long, a second one runs beside it, if there is a place.
/// The first good answer counts, and the other exchange is given up, with its place and its connection.
async fn hedged<T, F: Future<Output = Result<T, Failure>>>(
    first: impl Future<Output = Result<T, Failure>>,
    after: Duration,
    second: impl FnOnce() -> Option<F>,
) -> Result<T, Failure> {
    let mut first = pin!(first);
    if let Ok(reply) = timeout(after, first.as_mut()).await {
        return reply;
    }
    let Some(second) = second() else {
        return first.await;
    };
    match select(first, pin!(second)).await {
        Either::Left((Ok(reply), _)) | Either::Right((Ok(reply), _)) => Ok(reply),
        Either::Left((Err(failure), second)) => second.await.map_err(|_| failure),
        Either::Right((Err(_), first)) => first.await,
    }
}

/// Until when one source is waited for where another stands in reserve: a third of the time is left to that one.
fn in_reserve(deadline: Instant) -> Instant {
    let now = Instant::now();
    now + deadline.saturating_duration_since(now) * 2 / 3
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

/// A plate of an army, the armed police or a tractor, or of a tractor's class, is in no register of public security: to
/// ask would spend a question on an answer that is known.
fn holds_nothing_registered(question: &Question) -> bool {
    let kind = &question.kind.kind;
    let keys = kind.key.iter().map(|k| (&k.of_type, question.key.get(&k.id)));
    let claims = kind
        .claims
        .iter()
        .map(|c| (&c.of_type, question.claims.get(&c.id)));
    keys.chain(claims).any(|part| match part {
        (FieldType::Plate, Some(Value::Text(text))) => Plate::parse(text).is_ok_and(|p| !p.value.covered()),
        (FieldType::PlateClass, Some(Value::Text(text))) => {
            PlateClass::parse(text).is_ok_and(|c| !c.covered())
        }
        _ => false,
    })
}

fn answered(source: &Source, reading: Reading) -> Answer {
    let info = &source.info;
    let provenance = reading.outcome.is_release().then(|| Provenance {
        source: info.id.clone(),
        // How old a no is, is measured, and belongs to no record.
        as_of: reading.as_of.filter(|_| reading.outcome != Outcome::Mismatch),
        freshness: info.freshness,
        authenticity: if reading.signed {
            Authenticity::Signed
        } else {
            Authenticity::Session
        },
        mapping_version: info.version,
    });
    let report = reading.dropped.map(|(problem, field)| Report {
        source: info.id.clone(),
        problem,
        field,
    });
    Answer {
        outcome: reading.outcome,
        record: reading.record,
        rows: reading.rows,
        provenance,
        staler: false,
        elsewhere: None,
        not_live: false,
        report,
        beside: Vec::new(),
    }
}

/// Counts, measures and traces: ids of ours and codes, nothing of the question and nothing of the answer.
pub(crate) fn observe(
    source: &Source,
    route: &Route,
    question: &Question,
    answer: &Answer,
    started: Instant,
) {
    let id = &source.info.id;
    let (outcome, ms) = (answer.outcome.code(), started.elapsed().as_secs_f64() * 1000.0);
    route.meters.count(id, &route.kind, answer.outcome, ms);
    let lookup = question.lookup;
    match &answer.report {
        Some(report) => {
            let (problem, field) = (report.problem.code(), report.field.as_deref());
            metrics::counter!("mingcha_source_problems_total", "source" => id.clone(), "problem" => problem)
                .increment(1);
            tracing::warn!(%lookup, source = %id, kind = %route.kind, outcome, problem, field, ms, "source");
        }
        None => tracing::debug!(%lookup, source = %id, kind = %route.kind, outcome, ms, "source"),
    }
}
