//! Handing in a review of a record (档案复核), and asking how far it is. Both can be repeated at will: the review's
//! number is the same each time, and a source that has it already says so in the words of the first time.

mod route;

use std::fmt;

use bytes::Bytes;
use domain::{
    ids::LookupId,
    lookup::Person,
    outcome::Outcome,
    review::{Progress, Submission},
};
use tokio::time::Instant;

pub(crate) use route::{RawSubmits, SubmitRoute};

use crate::{
    ask::{Unasked, unharmed},
    report::{Failure, Report},
    source::Source,
    sources::Sources,
};

/// A review on its way to a source. That it is handed in must be sealed before (invariant 1).
#[derive(Clone)]
pub struct ReviewQuestion {
    /// The look-up whose answer is disputed.
    pub lookup: LookupId,
    /// The source that gave the answer; no other is asked.
    pub source: String,
    /// The kind of the record.
    pub kind: String,
    /// Whose record it is.
    pub person: Person,
    /// Our number, by which the source knows a repetition.
    pub number: String,
    /// The number that the source gave, once it did.
    pub source_number: Option<String>,
    /// What is wrong, in the person's words; empty where only the progress is asked for.
    pub text: String,
    /// Pictures, as PNG.
    pub images: Vec<Bytes>,
    /// When nobody waits any longer.
    pub deadline: Instant,
}

impl fmt::Debug for ReviewQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReviewQuestion({}, {}, redacted)", self.lookup, self.kind)
    }
}

/// What a source said to a review that was handed in.
#[derive(Clone, PartialEq, Eq)]
pub enum ReviewReply {
    /// Taken, under this number of the source's.
    Accepted(String),
    /// Not taken.
    Refused,
}

/// How far a review is.
#[derive(Clone, PartialEq, Eq)]
pub enum ReviewStatus {
    /// Not decided.
    Pending,
    /// The record is mended; what the source says to it.
    Corrected(Option<String>),
    /// The record stays as it is; what the source says to it.
    Upheld(Option<String>),
}

impl fmt::Debug for ReviewReply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReviewReply::Accepted(_) => "Accepted(redacted)",
            ReviewReply::Refused => "Refused",
        })
    }
}

impl fmt::Debug for ReviewStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ReviewStatus::Pending => "Pending",
            ReviewStatus::Corrected(_) => "Corrected(redacted)",
            ReviewStatus::Upheld(_) => "Upheld(redacted)",
        })
    }
}

/// There is no reply, and the same may be asked again later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoReply {
    /// What became of the request; `not_covered` where the source takes no reviews of the kind.
    pub outcome: Outcome,
    /// For the operator only.
    pub report: Option<Report>,
}

/// On what terms a source takes reviews.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReviewTerms {
    /// Working days within which it answers.
    pub working_days: u32,
    /// How often it is asked how far it is, in minutes.
    pub poll_minutes: u32,
}

impl Sources {
    /// On what terms a source takes reviews of its records of a kind; `None` where it takes none.
    #[must_use]
    pub fn review_terms(&self, source: &str, kind: &str) -> Option<ReviewTerms> {
        self.submit_route(source, kind).map(|(_, route)| route.terms)
    }

    /// The kinds whose reviews a source takes in the same way as those of this one, which is among them; none where it
    /// takes none.
    #[must_use]
    pub fn reviewed_alike(&self, source: &str, kind: &str) -> &[String] {
        self.submit_route(source, kind)
            .map_or(&[], |(_, route)| route.kinds())
    }

    /// Hands in a review. It neither panics nor says more than the source did.
    ///
    /// # Errors
    /// The source took nothing or nobody knows whether it did: the same may be handed in again.
    pub async fn submit(&self, review: &ReviewQuestion) -> Result<ReviewReply, NoReply> {
        let (source, route) = self
            .submit_route(&review.source, &review.kind)
            .ok_or(NOT_COVERED)?;
        let reply = async {
            let body = route.template.render_review(review);
            let sent = self.send(source, &route.target, &review.person, body, review.deadline);
            route.read(&sent.await?)
        };
        let reply = unharmed(reply).await.map_err(|unasked| no_reply(source, unasked));
        let word = match &reply {
            Ok(ReviewReply::Accepted(_)) => Submission::Accepted.code(),
            Ok(ReviewReply::Refused) => Submission::Refused.code(),
            Err(no) => no.outcome.code(),
        };
        observe(review, word, reply.as_ref().err());
        reply
    }

    /// Asks how far a review is; it must have the source's number.
    ///
    /// # Errors
    /// The source did not say: the same may be asked again.
    pub async fn review_status(&self, review: &ReviewQuestion) -> Result<ReviewStatus, NoReply> {
        let (source, route) = self
            .submit_route(&review.source, &review.kind)
            .ok_or(NOT_COVERED)?;
        let status = async {
            let body = route.status.template.render_review(review);
            let sent = self.send(
                source,
                &route.status.target,
                &review.person,
                body,
                review.deadline,
            );
            route.status.read(review, &sent.await?)
        };
        let status = unharmed(status)
            .await
            .map_err(|unasked| no_reply(source, unasked));
        let word = match &status {
            Ok(ReviewStatus::Pending) => Progress::Pending.code(),
            Ok(ReviewStatus::Corrected(_)) => Progress::Corrected.code(),
            Ok(ReviewStatus::Upheld(_)) => Progress::Upheld.code(),
            Err(no) => no.outcome.code(),
        };
        observe(review, word, status.as_ref().err());
        status
    }
}

const NOT_COVERED: NoReply = NoReply {
    outcome: Outcome::NotCovered,
    report: None,
};

fn no_reply(source: &Source, unasked: Unasked) -> NoReply {
    match unasked {
        Unasked::Bare(outcome) => NoReply {
            outcome,
            report: None,
        },
        Unasked::Failed(Failure {
            outcome,
            problem,
            field,
            ..
        }) => NoReply {
            outcome,
            report: Some(Report {
                source: source.info.id.clone(),
                problem,
                field,
            }),
        },
    }
}

/// Counts and traces: ids of ours and codes, nothing of what was written.
fn observe(review: &ReviewQuestion, outcome: &'static str, no: Option<&NoReply>) {
    let (source, kind, lookup) = (review.source.clone(), &review.kind, review.lookup);
    metrics::counter!("mingcha_source_reviews_total", "source" => source.clone(), "outcome" => outcome)
        .increment(1);
    match no.and_then(|no| no.report.as_ref()) {
        Some(report) => {
            let problem = report.problem.code();
            metrics::counter!("mingcha_source_problems_total", "source" => source.clone(), "problem" => problem)
                .increment(1);
            tracing::warn!(%lookup, source, kind, outcome, problem, "review");
        }
        None => tracing::debug!(%lookup, source, kind, outcome, "review"),
    }
}
