//! NOT FOR USE: look-ups without their seals, for the benchmark that measures what the seals cost.
//!
//! Nothing is written and the receipts prove nothing. No build that is shipped has the feature `bench-unsealed`.

use std::sync::{Arc, LazyLock};

use domain::time::Timestamp;
use ledger::{Commitment, Frontier, Hash, Salt, tree::append_batch};

use crate::{Act, Outcome, Seal, Sealed, committer::SignedBatch};

/// A batch of one leaf that stands in no log.
static BATCH: LazyLock<Arc<SignedBatch>> = LazyLock::new(|| {
    Arc::new(SignedBatch {
        tree: append_batch(&Frontier::new(), &[Hash::ZERO]),
        checkpoint: String::new(),
    })
});

/// The outcome of a seal that was never made, for the two seals of a look-up; nothing for any other.
pub(crate) fn unsealed(seal: &Seal) -> Option<Outcome> {
    if !matches!(seal.act, Act::Begin(_) | Act::End(_)) {
        return None;
    }
    Some(Outcome::Sealed(Sealed {
        seq: 0,
        leaf_index: 0,
        time: Timestamp(0),
        shared: vec![],
        shared_salt: Salt::new([0; 32]),
        chain: Commitment([0; 32]),
        batch: Arc::clone(&BATCH),
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use domain::ids::DEPLOYMENT;
    use ledger::{Chain, EntryType, Hash, Shared, opening};

    use super::*;
    use crate::Effect;

    #[test]
    fn only_look_ups_are_left_unsealed() {
        let change = Seal {
            owner: DEPLOYMENT,
            shared: Shared::new(EntryType::Change, 0, vec![1]),
            chain: Chain {
                owner: [0; 16],
                sequence: 0,
                previous: Hash::ZERO,
                reasons: vec![],
                requester: opening::Requester {
                    role: "deployment".into(),
                    id: vec![],
                    level: 0,
                },
                detail: BTreeMap::new(),
            },
            act: Act::Change(Effect::new(|_, _| Box::pin(async { Ok(true) }))),
        };
        assert!(unsealed(&change).is_none());
    }
}
