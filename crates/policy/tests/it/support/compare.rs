//! Policy against model, over every question there is.

use std::{
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use domain::{
    decision::{Decision, Question},
    kind::Catalogue,
};
use policy::Policy;

use super::{every_question, kinds_and_purposes, naive};

/// What came of a comparison.
#[derive(Debug, Default)]
pub(crate) struct Comparison {
    /// How many questions were asked.
    pub(crate) asked: u64,
    /// How many were answered otherwise than the model says.
    pub(crate) exceptions: u64,
    /// The first of them: question, model's answer, policy's answer.
    pub(crate) first: Option<(Question, Decision, Decision)>,
}

/// Asks the policy every question there is. With `stop_at_first` it stops soon after the first exception, which is
/// enough to know that a planted bug is found.
pub(crate) fn compare(policy: &Policy, kinds: &Catalogue, stop_at_first: bool) -> Comparison {
    for loaded in kinds.in_order() {
        let known = naive::KINDS_WITH_RULES.contains(&loaded.kind.id.as_str());
        assert_eq!(
            loaded.rules.is_some(),
            known,
            "{}: write its rules into the model too",
            loaded.kind.id
        );
    }
    let pairs = kinds_and_purposes(kinds);
    let threads = thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let stop = AtomicBool::new(false);
    let compare_share = |first: usize| {
        let mut share = Comparison::default();
        for (kind, purpose) in pairs.iter().skip(first).step_by(threads) {
            every_question(kind, purpose, &mut |question| {
                let (model, answer) = (naive::expected(question, kinds), policy.decide(question));
                share.asked += 1;
                if model != answer {
                    share.exceptions += 1;
                    share.first.get_or_insert((question.clone(), model, answer));
                    stop.store(stop_at_first, Ordering::Relaxed);
                }
                !stop.load(Ordering::Relaxed)
            });
        }
        share
    };
    let compare_share = &compare_share;
    thread::scope(|scope| {
        let shares: Vec<_> = (0..threads)
            .map(|i| scope.spawn(move || compare_share(i)))
            .collect();
        let mut all = Comparison::default();
        for share in shares {
            let share = share.join().unwrap();
            all.asked += share.asked;
            all.exceptions += share.exceptions;
            all.first = all.first.or(share.first);
        }
        all
    })
}
