//! The closed set of what a source can answer, and what each means for a look-up.

use crate::words::vocabulary;

vocabulary! {
    /// What became of a question to a source. Every one has a plain sentence and a next step on the pages.
    Outcome {
        /// The record is there.
        Found = "found",
        /// The claimed values are those of the record.
        Match = "match",
        /// At least one claimed value differs.
        Mismatch = "mismatch",
        /// A predicate's answer: the rule holds.
        Yes = "yes",
        /// A predicate's answer: the rule does not hold.
        No = "no",
        /// No such record of this person. A record of somebody else is told in the same words.
        NotFound = "not_found",
        /// The source does not hold this sort or region.
        NotCovered = "not_covered",
        /// Known to exist but not filed at the source yet.
        NotFiledYet = "not_filed_yet",
        /// The person's document has expired.
        DocumentExpired = "document_expired",
        /// The portrait is less than 85 % similar.
        FaceBelowThreshold = "face_below_threshold",
        /// Several records fit.
        Ambiguous = "ambiguous",
        /// The source cannot compare, as when it cannot encode the name.
        CannotCompare = "cannot_compare",
        /// The source is closed for maintenance.
        Maintenance = "maintenance",
        /// The source, or our bound on it, has no place left.
        Overloaded = "overloaded",
        /// The connection could not be made or broke.
        Broken = "broken",
        /// No answer within the deadline.
        TimedOut = "timed_out",
        /// The answer made no sense or failed its checks.
        BadAnswer = "bad_answer",
        /// The process stopped between asking and answering; closed by the job.
        CutOff = "cut_off",
    }
}

impl Outcome {
    /// A disclosure, sealed as RELEASE: also "no record" tells something about the subject.
    #[must_use]
    pub fn is_release(self) -> bool {
        !self.is_failure()
    }

    /// Sealed as FAILURE: it tells nothing about the subject. A face below the threshold fails, yet uses up a try.
    #[must_use]
    pub fn is_failure(self) -> bool {
        matches!(
            self,
            Outcome::FaceBelowThreshold
                | Outcome::Maintenance
                | Outcome::Overloaded
                | Outcome::Broken
                | Outcome::TimedOut
                | Outcome::BadAnswer
                | Outcome::CutOff
        )
    }
}
