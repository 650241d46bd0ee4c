//! What a source offers besides answers, tried with the test subject: a picture that their record names and, where that
//! was asked for, one review. Nothing of either is printed.

use std::collections::BTreeSet;

use domain::{
    ids::ReviewId,
    kind::{Row, Value},
    lookup::Person,
    review::may_follow,
};
use sources::{
    Answer, ImageQuestion, NoReply, Problem, Question, Report, ReviewQuestion, ReviewReply, ReviewStatus,
    Sources,
};
use tokio::time::Instant;

use super::ask::DEADLINE;
use crate::{actions::pursue_reviews::DEADLINE as REVIEW_DEADLINE, start::World};

/// What the review of a check says, so that nobody works on it.
const TEXT: &str = "测试：上线前的联调，请勿处理。Test before going live: please do nothing about it.";

/// What was tried so far.
pub(super) struct Offers<'a> {
    sources: &'a Sources,
    world: &'a World,
    /// A review is handed in.
    submit: bool,
    /// By source and kind: of which records a picture was asked for, and a review handed in.
    pictures: BTreeSet<(String, String)>,
    reviews: BTreeSet<(String, String)>,
}

impl<'a> Offers<'a> {
    pub(super) fn new(sources: &'a Sources, world: &'a World, submit: bool) -> Self {
        Offers {
            sources,
            world,
            submit,
            pictures: BTreeSet::new(),
            reviews: BTreeSet::new(),
        }
    }

    /// Tries what follows from one answer; whether all is well.
    pub(super) async fn try_after(
        &mut self,
        (question, answer): (&Question, &Answer),
        stranger: Person,
        at: &str,
        out: &mut String,
    ) -> bool {
        let Some(source) = answer.provenance.as_ref().map(|p| p.source.clone()) else {
            return true;
        };
        let place = (source, question.kind.kind.id.clone());
        let mut sound = true;
        let picture = answer.record.as_ref().and_then(|record| picture_of(&record.0));
        if let Some((digest, handle)) = picture
            && self.gives_pictures(&place)
            && self.pictures.insert(place.clone())
        {
            let (source, kind) = place.clone();
            let asked = ImageQuestion {
                lookup: question.lookup,
                source,
                kind,
                person: question.person.clone(),
                handle,
                digest,
                deadline: Instant::now() + DEADLINE,
            };
            sound &= self.try_picture(asked, stranger, at, out).await;
        }
        let takes_reviews = self.sources.review_terms(&place.0, &place.1).is_some();
        if self.submit && takes_reviews && may_follow(answer.outcome) && !self.reviews.contains(&place) {
            let alike = self.sources.reviewed_alike(&place.0, &place.1);
            let alike = alike.iter().map(|kind| (place.0.clone(), kind.clone()));
            self.reviews.extend(alike);
            sound &= self.try_review(question, place, at, out).await;
        }
        sound
    }

    fn gives_pictures(&self, (source, kind): &(String, String)) -> bool {
        let lines = self.sources.coverage();
        lines
            .iter()
            .any(|line| line.images && line.source == *source && line.kind == *kind)
    }

    /// The test subject gets the picture, and an invented person does not.
    async fn try_picture(&self, asked: ImageQuestion, stranger: Person, at: &str, out: &mut String) -> bool {
        match self.sources.image(&asked).await {
            Ok(image) => out.push_str(&format!("ok    {at}: a picture, {}\n", image.media_type.name())),
            Err(no) => return wrong(at, "the picture", no.outcome.code(), no.report.as_ref(), out),
        }
        let strangers = ImageQuestion {
            person: stranger,
            deadline: Instant::now() + DEADLINE,
            ..asked
        };
        match self.sources.image(&strangers).await {
            Ok(_) => {
                let remedy = Problem::WrongSubject.remedy();
                out.push_str(&format!(
                    "WRONG {at}: an invented person got the picture too. {remedy}\n"
                ));
                false
            }
            Err(no) if no.outcome.is_failure() => {
                let what = "the picture, asked for by an invented person";
                wrong(at, what, no.outcome.code(), no.report.as_ref(), out)
            }
            Err(_) => true,
        }
    }

    /// Hands in a review, hands the same one in again, and asks how far it is.
    async fn try_review(
        &self,
        question: &Question,
        (source, kind): (String, String),
        at: &str,
        out: &mut String,
    ) -> bool {
        let number = self.world.random.id(self.world.clock.now(), ReviewId::new);
        let mut review = ReviewQuestion {
            lookup: question.lookup,
            source,
            kind,
            person: question.person.clone(),
            number: number.to_string(),
            source_number: None,
            text: TEXT.to_owned(),
            images: vec![],
            deadline: Instant::now() + REVIEW_DEADLINE,
        };
        let refused = |what: &str, no: &NoReply, out: &mut String| {
            wrong(at, what, no.outcome.code(), no.report.as_ref(), out)
        };
        let taken_as = match self.sources.submit(&review).await {
            Ok(ReviewReply::Accepted(number)) => number,
            Ok(ReviewReply::Refused) => {
                out.push_str(&format!(
                    "note  {at}: the review is refused, so that it was not asked how far it is\n"
                ));
                return true;
            }
            Err(no) => return refused("the review", &no, out),
        };
        review.deadline = Instant::now() + REVIEW_DEADLINE;
        match self.sources.submit(&review).await {
            Ok(reply) if reply == ReviewReply::Accepted(taken_as.clone()) => {}
            Ok(_) => {
                out.push_str(&format!(
                    "WRONG {at}: the review, handed in again under its number, is answered otherwise: the source must \
                     know it by `review.number` and answer as the first time, or one review becomes two\n"
                ));
                return false;
            }
            Err(no) => return refused("the review, handed in again", &no, out),
        }
        review.source_number = Some(taken_as);
        review.deadline = Instant::now() + REVIEW_DEADLINE;
        match self.sources.review_status(&review).await {
            Ok(status) => {
                let state = match status {
                    ReviewStatus::Pending => "pending",
                    ReviewStatus::Corrected(_) => "corrected",
                    ReviewStatus::Upheld(_) => "upheld",
                };
                out.push_str(&format!("ok    {at}: a review, taken once, and {state}\n"));
                true
            }
            Err(no) => refused("how far the review is", &no, out),
        }
    }

    /// Names what was not tried, so that somebody tries it.
    pub(super) fn note_untried(&self, out: &mut String) {
        let mut untried = BTreeSet::new();
        for line in self.sources.coverage() {
            let at = format!("{}: {}", line.source, line.kind);
            let place = (line.source, line.kind);
            if line.images && !self.pictures.contains(&place) {
                untried.insert(format!(
                    "{at}: gives pictures ([[images]]), not tried: no case found a record with one"
                ));
            }
            if line.reviewed_within.is_some() && !self.reviews.contains(&place) {
                let how = if self.submit {
                    "no case had an answer that a review can follow"
                } else {
                    "--submit hands one in for the test subject"
                };
                untried.insert(format!(
                    "{at}: takes reviews and says how far they are ([[submits]]), not tried: {how}"
                ));
            }
        }
        let pushed = self
            .sources
            .infos()
            .filter(|info| self.sources.takes_changes(&info.id));
        untried.extend(pushed.map(|info| {
            format!(
                "{}: takes pushed changes ([changes]), not tried: the record holder pushes them",
                info.id
            )
        }));
        for text in untried {
            out.push_str(&format!("note  {text}\n"));
        }
    }
}

/// Digest and handle of the first picture that a record names, in a field of its own or in a row of a list.
fn picture_of(record: &Row) -> Option<(String, String)> {
    record.values().find_map(|value| match value {
        Value::Image { digest, handle } => Some((digest.clone(), handle.clone())),
        Value::List(rows) => rows.iter().find_map(picture_of),
        _ => None,
    })
}

/// Writes what came instead, and how to mend it.
fn wrong(at: &str, what: &str, outcome: &str, report: Option<&Report>, out: &mut String) -> bool {
    let why = report.map(|report| format!(": {}. {}", report.problem.code(), report.problem.remedy()));
    out.push_str(&format!(
        "WRONG {at}: {what}: {outcome}{}\n",
        why.unwrap_or_default()
    ));
    false
}
