//! The only writer of the log, and of all that must be atomic with it.
//!
//! Whoever has something to seal hands it in and waits. One task gathers all that is waiting, commits it in one
//! transaction (so that all share one fsync; there is no timer to linger on), reads the leaves back, signs the
//! head, and only then answers. What it cannot know for certain it does not answer: it stops the process.

mod answer;
mod batch;
mod conditions;
mod known;
mod openings;
mod places;
mod rows;
mod uncertain;

use std::{fmt, sync::Arc};

use domain::{
    ids::{AccountId, SubjectId},
    requester::Standing,
    time::Timestamp,
};
use futures_util::future::BoxFuture;
use known::Known;
use ledger::{BatchTree, Chain, Commitment, Proof, Receipt, Salt, Shared};
use tokio::sync::{mpsc, oneshot};

use crate::{
    StoreError,
    engine::{DbError, Tx},
    inner::Inner,
    journal::Effected,
    lookups::{EndLookup, NewLookup},
};

pub(crate) use batch::parse_head;
pub(crate) use openings::{Opened, Place, open_entry};
pub(crate) use places::Places;

/// The one log of today. It stands in every key from the first day, so that a subject's shard can have its own.
pub(crate) const LOG: i64 = 0;
/// How many entries share a transaction at most: 256 entries are about 200 kB to sync.
const MAX_BATCH: usize = 256;
/// How often those who are ready to run go first: what is written once for a batch is written for more of them. Where
/// nobody is ready it makes no difference.
const YIELDS: usize = 4;
/// How many may wait before the next one is told that there is no place.
const QUEUE: usize = 4096;

type Run =
    dyn for<'t> Fn(&'t Tx<'t>, Timestamp) -> BoxFuture<'t, Result<bool, DbError>> + Send + Sync + 'static;

/// A change of rows that is atomic with its entry. It runs inside the committer's transaction, possibly again
/// after a collision, and says whether its condition held; if not, it must have changed nothing. It never lets a
/// constraint fail (`ON CONFLICT DO NOTHING`, then look).
#[derive(Clone)]
pub struct Effect {
    run: Arc<Run>,
    lasting: Vec<Effected>,
}

impl Effect {
    /// An effect that runs these statements; it is told the time of its entry.
    pub fn new(
        run: impl for<'t> Fn(&'t Tx<'t>, Timestamp) -> BoxFuture<'t, Result<bool, DbError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        Effect {
            run: Arc::new(run),
            lasting: vec![],
        }
    }

    /// Happens only where this condition holds, which must change nothing.
    pub(crate) fn only_if(
        self,
        condition: impl for<'t> Fn(&'t Tx<'t>, Timestamp) -> BoxFuture<'t, Result<bool, DbError>>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        let Effect { run, lasting } = self;
        let (run, condition): (_, Arc<Run>) = (run, Arc::new(condition));
        let both = Effect::new(move |tx, time| {
            let (run, condition) = (Arc::clone(&run), Arc::clone(&condition));
            Box::pin(async move { Ok(condition(tx, time).await? && run(tx, time).await?) })
        });
        Effect { lasting, ..both }
    }

    /// Goes to the effects journal too, before anybody is told that it happened.
    pub(crate) fn lasting(mut self, effected: Effected) -> Self {
        self.lasting.push(effected);
        self
    }
}

/// What happens together with an entry.
#[derive(Clone)]
pub enum Act {
    /// A look-up's row is born `intended`.
    Begin(NewLookup),
    /// A look-up's row is born `refused`.
    Refuse(NewLookup),
    /// An intended look-up ends. Released only while its session lives; otherwise the entry becomes a REFUSAL.
    End(EndLookup),
    /// Other rows change.
    Change(Effect),
}

impl Act {
    /// Who asked, where a look-up begins or ends.
    fn requester(&self) -> Option<AccountId> {
        match self {
            Act::Begin(new) | Act::Refuse(new) => Some(new.requester),
            Act::End(end) => Some(end.requester),
            Act::Change(_) => None,
        }
    }

    /// How the requester was found, where a look-up begins or ends.
    fn standing(&self) -> Option<Standing> {
        match self {
            Act::Begin(new) | Act::Refuse(new) => new.standing,
            Act::End(end) => end.standing,
            Act::Change(_) => None,
        }
    }
}

/// One entry to be sealed. The committer fills in time, sequence number and link.
#[derive(Clone)]
pub struct Seal {
    /// Whose chain it joins.
    pub owner: SubjectId,
    /// The opening for requester and subject; its time is set by the committer.
    pub shared: Shared,
    /// The opening for subject and auditor; owner, number and link are set by the committer.
    pub chain: Chain,
    /// What happens with it.
    pub act: Act,
}

/// What became of a [`Seal`].
#[must_use = "whether and how it was sealed decides what may be answered"]
#[derive(Debug)]
pub enum Outcome {
    /// Durable, as it was handed in.
    Sealed(Sealed),
    /// Durable, but as a REFUSAL: the session or the subject ended before.
    Refused(Sealed),
    /// Nothing was written: the condition did not hold (late, repeated, already done).
    Nothing,
}

/// A durable entry.
#[derive(Clone)]
pub struct Sealed {
    /// Its number in the owner's chain.
    pub seq: u64,
    /// Its index in the log.
    pub leaf_index: u64,
    /// Its time: never before that of any earlier entry.
    pub time: Timestamp,
    pub(crate) shared: Vec<u8>,
    pub(crate) shared_salt: Salt,
    pub(crate) chain: Commitment,
    pub(crate) batch: Arc<SignedBatch>,
}

/// What proves all entries of a batch.
pub(crate) struct SignedBatch {
    pub(crate) tree: BatchTree,
    /// The head of that tree, signed, as text.
    pub(crate) checkpoint: String,
}

impl Sealed {
    /// What the requester can verify offline. It is put together only where it is asked for, as for no intent.
    #[must_use]
    pub fn receipt(&self) -> Receipt {
        let SignedBatch { tree, checkpoint } = &*self.batch;
        let position = usize::try_from(self.leaf_index - tree.first_leaf()).unwrap_or(usize::MAX);
        let proof = Proof {
            extra: None,
            index: self.leaf_index,
            // INVARIANT: it is one of the batch's leaves.
            hashes: tree.inclusion_proof(position).expect("a leaf of the batch"),
            checkpoint: checkpoint.clone(),
        };
        Receipt {
            shared: self.shared.clone(),
            shared_salt: self.shared_salt.clone(),
            chain: self.chain,
            proof: proof.to_text(),
        }
    }
}

/// Shows the numbers only: the rest is the requester's.
impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(entry {}, leaf {})", self.seq, self.leaf_index)
    }
}

struct Job {
    seal: Box<Seal>,
    done: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// The way into the committer.
#[derive(Clone)]
pub(crate) struct Committer(mpsc::Sender<Job>);

impl Committer {
    /// Starts the committing task.
    pub(crate) fn start(inner: Arc<Inner>) -> Self {
        let (sender, receiver) = mpsc::channel(QUEUE);
        tokio::spawn(run(inner, receiver));
        Committer(sender)
    }

    /// Seals one entry; returns after it is durable.
    ///
    /// # Errors
    /// [`StoreError::Overloaded`] when the queue is full, [`StoreError::Stopping`] when the log cannot be written.
    pub(crate) async fn seal(&self, seal: Box<Seal>) -> Result<Outcome, StoreError> {
        let (done, answer) = oneshot::channel();
        self.0.try_send(Job { seal, done }).map_err(|e| match e {
            mpsc::error::TrySendError::Full(_) => StoreError::Overloaded,
            mpsc::error::TrySendError::Closed(_) => StoreError::Stopping,
        })?;
        answer.await.map_err(|_| StoreError::Stopping)?
    }
}

async fn run(inner: Arc<Inner>, mut jobs: mpsc::Receiver<Job>) {
    let mut known = Known::default();
    let mut waiting = Vec::with_capacity(MAX_BATCH);
    while jobs.recv_many(&mut waiting, MAX_BATCH).await > 0 {
        come_along(&mut jobs, &mut waiting).await;
        let (seals, answers): (Vec<_>, Vec<_>) = waiting.drain(..).map(|j| (*j.seal, j.done)).unzip();
        let outcomes = commit_or_split(&inner, &mut known, seals).await;
        for (answer, outcome) in answers.into_iter().zip(outcomes) {
            // Whoever asked may have gone away; the entry stands regardless.
            drop(answer.send(outcome));
        }
        // Whoever still waits is told so, because the way in is gone.
        if inner.is_stopping() {
            break;
        }
    }
}

/// Lets whoever is ready to run hand in too: a sync is the dearest part of a commit, and costs the same for one entry
/// as for all. It waits for nobody who is not ready, and for no more than some hundred turns of those who are; where
/// nobody is, this takes no time.
async fn come_along(jobs: &mut mpsc::Receiver<Job>, waiting: &mut Vec<Job>) {
    for _ in 0..YIELDS {
        if waiting.len() >= MAX_BATCH {
            return;
        }
        tokio::task::yield_now().await;
        while waiting.len() < MAX_BATCH {
            match jobs.try_recv() {
                Ok(job) => waiting.push(job),
                Err(_) => break,
            }
        }
    }
}

/// Commits all at once; if that fails for a reason of one item, each by itself, so that it harms only itself.
async fn commit_or_split(
    inner: &Arc<Inner>,
    known: &mut Known,
    seals: Vec<Seal>,
) -> Vec<Result<Outcome, StoreError>> {
    if inner.is_stopping() {
        return seals.iter().map(|_| Err(StoreError::Stopping)).collect();
    }
    let seals = Arc::new(seals);
    match batch::commit(inner, known, Arc::clone(&seals)).await {
        Ok(outcomes) => outcomes.into_iter().map(Ok).collect(),
        Err(error) if error.concerns_all() || seals.len() == 1 || inner.is_stopping() => {
            let error = if inner.is_stopping() {
                StoreError::Stopping
            } else {
                error
            };
            seals.iter().map(|_| Err(error.clone())).collect()
        }
        Err(_) => {
            let mut outcomes = Vec::with_capacity(seals.len());
            for seal in seals.iter() {
                if inner.is_stopping() {
                    outcomes.push(Err(StoreError::Stopping));
                    continue;
                }
                let one = batch::commit(inner, known, Arc::new(vec![seal.clone()])).await;
                outcomes.push(one.and_then(|mut all| all.pop().ok_or(StoreError::Stopping)));
            }
            outcomes
        }
    }
}
