//! After a known commit: the leaves are read back, the head is signed and kept, and only then anything is answered.

use std::{sync::Arc, time::Duration};

use super::{
    Act, Outcome, Seal, Sealed, SignedBatch,
    batch::{Made, Verdict, Written},
};
use crate::{StoreError, engine::DbError, inner::Inner, journal::Line, seen::Seen};

/// How often a database that is away is asked for what it has just committed, a second apart.
const TRIES: u32 = 60;

/// What became of each seal. Whatever fails here fails after the commit: nobody may be told that it did not happen,
/// so the process stops.
pub(super) async fn answer(
    inner: &Arc<Inner>,
    seals: &[Seal],
    written: Written,
) -> Result<Vec<Outcome>, StoreError> {
    if written.first_leaf.is_none() {
        return Ok(written.verdicts.iter().map(|_| Outcome::Nothing).collect());
    }
    match settle(inner, seals, &written).await {
        Ok(seen) => Ok(outcomes(written, &seen)),
        Err(error) => {
            inner.stop(&format!("what was sealed cannot be answered: {error}"));
            Err(StoreError::Stopping)
        }
    }
}

async fn settle(inner: &Arc<Inner>, seals: &[Seal], written: &Written) -> Result<Seen, StoreError> {
    inner.saw_time(written.time);
    let seen = read_back(inner, written).await?;
    inner.remember_head(seen.size(), seen.root())?;
    let mut lines = vec![];
    for (seal, verdict) in seals.iter().zip(&written.verdicts) {
        if let (Act::Change(effect), Verdict::Made(_)) = (&seal.act, verdict) {
            lines.extend(effect.lasting.iter().map(|effect| Line {
                at: written.time.0,
                effect: effect.clone(),
            }));
        }
    }
    inner.write_journal(lines).await?;
    Ok(seen)
}

/// A bit that flipped on the way to the disk must not be signed: what is stored is hashed once more, from the last
/// leaf that this process has seen, and must give the root that the transaction wrote.
async fn read_back(inner: &Inner, written: &Written) -> Result<Seen, StoreError> {
    let seen = inner.seen();
    // Another task may have looked at the database in between and be ahead already.
    let from = if seen.size() <= written.tree.size() {
        seen.frontier()
    } else {
        &written.before
    };
    let mut tries = 0;
    let frontier = loop {
        match inner.hash_on(from.clone(), written.tree.size()).await {
            Err(StoreError::Db(DbError::Unavailable(why))) if tries < TRIES => {
                tracing::warn!(why, "the database is away after a commit");
                tries += 1;
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            read => break read?,
        }
    };
    if frontier.root() != written.tree.root() {
        return Err(StoreError::Log(format!(
            "leaves {} to {} read back differently from what was written",
            from.size(),
            written.tree.size()
        )));
    }
    inner.saw(frontier)
}

fn outcomes(written: Written, seen: &Seen) -> Vec<Outcome> {
    let Written {
        verdicts, time, tree, ..
    } = written;
    let checkpoint = seen.checkpoint().to_owned();
    let batch = Arc::new(SignedBatch { tree, checkpoint });
    let outcome = |verdict| {
        let Verdict::Made(made) = verdict else {
            return Outcome::Nothing;
        };
        let Made {
            entry,
            seq,
            position,
            refused,
        } = *made;
        let sealed = Sealed {
            seq,
            leaf_index: batch.tree.first_leaf() + position as u64,
            time,
            shared: entry.shared_bytes,
            shared_salt: entry.shared_salt,
            chain: entry.chain_commitment,
            batch: Arc::clone(&batch),
        };
        if refused {
            Outcome::Refused(sealed)
        } else {
            Outcome::Sealed(sealed)
        }
    };
    verdicts.into_iter().map(outcome).collect()
}
