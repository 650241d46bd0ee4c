//! Reviews that the played authorities have taken, in memory: when each is answered, and what with.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use domain::time::Timestamp;

/// How many are kept; the next one is told that there is no place.
const MAX_REVIEWS: usize = 10_000;

/// One review.
#[derive(Clone)]
struct Review {
    /// The authority's number.
    taken_as: String,
    answered_at: Timestamp,
    upheld: bool,
}

/// How far a review is.
pub(crate) struct Told {
    /// The number of whoever handed it in.
    pub(crate) number: String,
    /// `1` not decided, `2` mended, `3` upheld.
    pub(crate) state: &'static str,
}

/// When an answer comes, and which.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) after_s: u32,
    pub(crate) upholds: bool,
}

/// All reviews, by the number of the person and of the review.
#[derive(Default)]
pub(crate) struct Reviews(Mutex<BTreeMap<(String, String), Review>>);

impl Reviews {
    /// Takes a review, or says again as what it was taken before; `None` where there is no place.
    pub(crate) fn take(&self, person: &str, number: &str, now: Timestamp, plan: Plan) -> Option<String> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (person.to_owned(), number.to_owned());
        if let Some(before) = all.get(&key) {
            return Some(before.taken_as.clone());
        }
        if all.len() == MAX_REVIEWS {
            return None;
        }
        let taken_as = format!("SBX-{:08}", all.len() + 1);
        let review = Review {
            taken_as: taken_as.clone(),
            answered_at: now.plus_seconds(plan.after_s.into()),
            upheld: plan.upholds,
        };
        all.insert(key, review);
        Some(taken_as)
    }

    /// How far the person's review with this number of the authority's is.
    pub(crate) fn find(&self, person: &str, taken_as: &str, now: Timestamp) -> Option<Told> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = all
            .iter()
            .find(|((who, _), r)| who == person && r.taken_as == taken_as);
        found.map(|((_, number), review)| Told {
            number: number.clone(),
            state: match review {
                _ if review.answered_at > now => "1",
                Review { upheld: true, .. } => "3",
                _ => "2",
            },
        })
    }

    /// Whether a review of this person's has led to a mended record.
    pub(crate) fn has_mended(&self, person: &str, now: Timestamp) -> bool {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mended =
            |((who, _), r): (&(String, String), &Review)| who == person && !r.upheld && r.answered_at <= now;
        all.iter().any(mended)
    }
}
