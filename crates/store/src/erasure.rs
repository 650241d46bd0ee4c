//! Erasure: at once what no law keeps, the rest when its retention ends. The log still verifies.
//!
//! Whoever comes again after an erasure is a new subject with a new account: nothing leads from them to the chain of
//! before, which stays as evidence, restricted, until its retention ends.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use domain::{
    ids::{AccountId, SubjectId},
    time::Timestamp,
};
use ledger::{Chain, EntryType, Hash, Shared, opening};

use crate::{
    Act, Effect, Seal, Store, StoreError,
    engine::{DbError, Sql, Tx, Value},
    journal::{Effected, Line},
    reviews,
};

/// What the entry of an erasure says that it is about; `doctor` compares it with the person's row.
pub const PERSON_ERASED: &str = "person-erased";

/// The classes whose keys die at once.
const AT_ONCE: [&str; 2] = ["profile", "record"];
/// Erasures finished by one transaction.
const PAGE: i64 = 200;

const ERASED: Sql = Sql::both(
    "UPDATE subject SET state = 'erased', account_id = NULL WHERE subject_id = $1 AND state = 'erasing'",
);

impl Store {
    /// What erases a person and their account, to be sealed as a CHANGE about [`PERSON_ERASED`] of that person's chain:
    /// profile, kept answers, reviews, sessions and directory rows go; evidence stays, restricted, until its retention
    /// ends. An account of nobody proven is erased on its own chain.
    #[must_use]
    pub fn erase(&self, subject: SubjectId, account: AccountId) -> Effect {
        // Until the keys are destroyed the row remembers whose they are.
        const PERSON: Sql = Sql::both(
            "UPDATE subject SET state = 'erasing', profile = NULL \
             WHERE account_id = $1 AND subject_id = $2 AND state = 'active'",
        );
        const NOBODY_PROVEN: Sql = Sql::both(
            "UPDATE subject SET state = 'erasing', account_id = $1 WHERE subject_id = $2 AND state = 'active' \
             AND EXISTS (SELECT 1 FROM account WHERE account_id = $1 AND subject_id IS NULL)",
        );
        Effect::new(move |tx, _| {
            Box::pin(async move {
                let theirs = [account.bytes().into(), subject.bytes().into()];
                let erasing = match subject == account.chain() {
                    true => &NOBODY_PROVEN,
                    false => &PERSON,
                };
                if tx.execute(erasing, &theirs).await? == 0 {
                    return Ok(false);
                }
                remove_rows(tx, subject, account).await?;
                Ok(true)
            })
        })
    }

    /// Destroys the keys of what no law keeps, after the erasure is sealed. It can be repeated.
    ///
    /// # Errors
    /// The journal or the key database; [`Store::finish_erasures`] then finishes the erasure.
    pub async fn destroy_keys(&self, subject: SubjectId, account: AccountId) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let effect = Effected::Erased { subject, account };
        self.inner.write_journal(vec![Line { at: now.0, effect }]).await?;
        self.destroy_keys_of(&[(subject, account)], now).await
    }

    /// Finishes erasures that were cut off between the seal and the destruction of the keys; how many.
    ///
    /// # Errors
    /// The databases or the journal; what was finished stays so.
    pub async fn finish_erasures(&self) -> Result<u64, StoreError> {
        const ERASING: Sql = Sql::both(
            "SELECT subject_id, account_id FROM subject WHERE state = 'erasing' ORDER BY subject_id LIMIT $1",
        );
        let mut finished = 0;
        loop {
            let rows = self.read_all(&ERASING, vec![PAGE.into()]).await?;
            for row in &rows {
                let subject = SubjectId::from_bytes(row.id(0, "subject.subject_id")?);
                let account = AccountId::from_bytes(row.id(1, "subject.account_id")?);
                self.destroy_keys(subject, account).await?;
                finished += 1;
            }
            if rows.is_empty() {
                return Ok(finished);
            }
        }
    }

    /// Erases again whom an older copy of the databases has brought back. The restored chain does not say so any
    /// more, so it is sealed again, as the deployment's act.
    pub(crate) async fn erase_again(
        &self,
        mut erased: Vec<(SubjectId, AccountId)>,
    ) -> Result<(), StoreError> {
        const ANOTHER: Sql =
            Sql::both("SELECT account_id FROM subject WHERE subject_id = $1 AND account_id <> $2");
        for n in 0..erased.len() {
            let (subject, account) = erased[n];
            let both = vec![subject.bytes().into(), account.bytes().into()];
            if let Some(row) = self.read_opt(&ANOTHER, both).await? {
                // An account of before, that was closed before the person was erased.
                erased.push((subject, AccountId::from_bytes(row.id(0, "subject.account_id")?)));
            }
        }
        let all: Arc<[(SubjectId, AccountId)]> = erased.as_slice().into();
        let done = self.inner.db.write(move |tx| {
            let all = Arc::clone(&all);
            Box::pin(async move {
                for (subject, account) in all.iter() {
                    remove_rows(tx, *subject, *account).await?;
                }
                Ok(())
            })
        });
        done.await?;
        for (subject, _) in &erased {
            if self.subject_is_active(*subject).await? {
                // Nobody seals yet: the start is not over. If it was done meanwhile, it was done.
                drop(self.seal(again(*subject)).await?);
            }
        }
        self.destroy_keys_of(&erased, self.inner.clock.now()).await
    }

    async fn subject_is_active(&self, subject: SubjectId) -> Result<bool, StoreError> {
        const ACTIVE: Sql =
            Sql::both("SELECT subject_id FROM subject WHERE subject_id = $1 AND state = 'active'");
        let row = self.read_opt(&ACTIVE, vec![subject.bytes().into()]).await?;
        Ok(row.is_some())
    }

    async fn destroy_keys_of(
        &self,
        erased: &[(SubjectId, AccountId)],
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let owners: BTreeSet<SubjectId> = erased
            .iter()
            .flat_map(|(subject, account)| [*subject, account.chain()])
            .collect();
        let keys = owners
            .into_iter()
            .flat_map(|owner| AT_ONCE.map(|class| (owner, class)))
            .collect();
        self.inner.keys.destroy(keys, now).await?;
        let subjects: Vec<Vec<Value>> = erased.iter().map(|(s, _)| vec![s.bytes().into()]).collect();
        let subjects = Arc::new(subjects);
        let done = self.inner.db.write(move |tx| {
            let subjects = Arc::clone(&subjects);
            Box::pin(async move { tx.execute_many(&ERASED, &subjects).await })
        });
        done.await?;
        Ok(())
    }

    /// Lets go of keys in memory that are too old to be used; of how many people.
    #[must_use]
    pub fn forget_keys(&self) -> u64 {
        self.inner.keys.forget_old()
    }

    /// Destroys the evidence keys of years whose retention is over; how many subjects and years.
    ///
    /// # Errors
    /// The key database; what was destroyed stays so.
    pub async fn destroy_outdated_evidence(&self, years_kept: u32) -> Result<u64, StoreError> {
        let now = self.inner.clock.now();
        // Evidence of year Y is kept for whole years after the end of Y.
        let oldest = i64::from(now.date_in_china().year()) - i64::from(years_kept);
        self.inner.keys.destroy_evidence_before(oldest, now).await
    }
}

/// The erasure of somebody who was erased before.
fn again(subject: SubjectId) -> Seal {
    const AGAIN: Sql = Sql::both(
        "UPDATE subject SET state = 'erasing', profile = NULL WHERE subject_id = $1 AND state = 'active'",
    );
    let effect = Effect::new(move |tx, _| {
        Box::pin(async move { Ok(tx.execute(&AGAIN, &[subject.bytes().into()]).await? == 1) })
    });
    by_deployment(subject, PERSON_ERASED, effect)
}

/// A change that the deployment makes by itself, at a start.
pub(crate) fn by_deployment(owner: SubjectId, about: &str, effect: Effect) -> Seal {
    let mut shared = Shared::new(EntryType::Change, 0, owner.bytes().to_vec());
    shared.about = Some(about.to_owned());
    Seal {
        owner,
        shared,
        chain: Chain {
            owner: owner.bytes(),
            sequence: 0,
            previous: Hash::ZERO,
            reasons: vec![],
            requester: opening::Requester {
                role: "deployment".to_owned(),
                id: vec![],
                level: 0,
            },
            detail: BTreeMap::new(),
        },
        act: Act::Change(effect),
    }
}

/// Removes what leads to a person, and what is kept for them.
async fn remove_rows(tx: &Tx<'_>, subject: SubjectId, account: AccountId) -> Result<(), DbError> {
    const ANSWERS: Sql = Sql::both(
        "UPDATE lookup SET answer = NULL, answer_until_us = NULL WHERE subject_id = $1 AND answer IS NOT NULL",
    );
    const KEYS: Sql = Sql::both(
        "UPDATE lookup SET repeat_key = NULL, request_hash = NULL WHERE subject_id = $1 AND repeat_key IS NOT NULL",
    );
    const ACCOUNT: Sql = Sql::both("DELETE FROM account WHERE account_id = $1");
    const SESSIONS: Sql = Sql::both("DELETE FROM session WHERE account_id = $1");
    const DIRECTORY: Sql = Sql::both("DELETE FROM directory WHERE owner_id = $1");
    const VIEWS: Sql = Sql::both("DELETE FROM requester_lookup WHERE requester_id = $1");
    let (s, a) = (subject.bytes(), account.bytes());
    tx.execute(&ANSWERS, &[s.into()]).await?;
    tx.execute(&KEYS, &[s.into()]).await?;
    tx.execute(&ACCOUNT, &[a.into()]).await?;
    tx.execute(&SESSIONS, &[a.into()]).await?;
    tx.execute(&DIRECTORY, &[s.into()]).await?;
    tx.execute(&DIRECTORY, &[a.into()]).await?;
    tx.execute(&VIEWS, &[a.into()]).await?;
    reviews::remove_all(tx, subject).await
}
