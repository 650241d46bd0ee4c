//! Closing an account whose phone is somebody else's now. The person stays, and may bind another account.

use std::sync::Arc;

use domain::{
    ids::{AccountId, SubjectId},
    time::Timestamp,
};

use crate::{
    Effect, Store, StoreError,
    engine::{DbError, Row, Sql, Tx, Value},
    erasure::by_deployment,
    journal::{Effected, Line},
};

/// What the entry of a closing says that it is about.
pub const PHONE_PASSED_ON: &str = "phone-passed-on";

/// Closings that are asked for at once.
const PAGE: i64 = 200;

const SHUT: Sql = Sql::both("UPDATE account SET state = 'closed' WHERE account_id = $1 AND state = 'active'");

impl Store {
    /// Closes a person's account whose phone is somebody else's now, in the transaction of the returned effect, to be
    /// sealed as a CHANGE about [`PHONE_PASSED_ON`] of that person's chain: the phone leads nowhere, and all sessions
    /// end. The person stays, and may bind another account, which takes over what this one has looked up.
    #[must_use]
    pub fn close_account(&self, account: AccountId, subject: SubjectId) -> Effect {
        const THEIRS: Sql =
            Sql::both("SELECT account_id FROM account WHERE account_id = $1 AND subject_id = $2");
        Effect::new(move |tx, time| {
            Box::pin(async move {
                let theirs = [account.bytes().into(), subject.bytes().into()];
                if tx.query_opt(&THEIRS, &theirs).await?.is_none() {
                    return Ok(false);
                }
                shut(tx, account, time).await
            })
        })
    }

    /// Destroys the key of what a closed account kept, after its closing is sealed. It can be repeated.
    ///
    /// # Errors
    /// The journal or the databases; [`Store::finish_closings`] then finishes the closing.
    pub async fn destroy_account_key(
        &self,
        account: AccountId,
        subject: SubjectId,
    ) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let effect = Effected::AccountClosed { account, subject };
        self.inner.write_journal(vec![Line { at: now.0, effect }]).await?;
        self.destroy_account_keys(&[account], now).await
    }

    /// Finishes closings that were cut off between the seal and the destruction of the key; how many.
    ///
    /// # Errors
    /// The databases or the journal; what was finished stays so.
    pub async fn finish_closings(&self) -> Result<u64, StoreError> {
        const CLOSING: Sql = Sql::both(
            "SELECT account_id, subject_id FROM account WHERE state = 'closed' AND length(profile) > 0 \
             ORDER BY account_id LIMIT $1",
        );
        let mut finished = 0;
        loop {
            let rows = self.read_all(&CLOSING, vec![PAGE.into()]).await?;
            for row in &rows {
                let (account, subject) = ids(row)?;
                self.destroy_account_key(account, subject).await?;
                finished += 1;
            }
            if rows.is_empty() {
                return Ok(finished);
            }
        }
    }

    /// Finishes the closing of this person's account, if one was cut off: the account that follows it forgets its row,
    /// and with the row that its key is still there.
    pub(crate) async fn finish_closing_of(&self, subject: SubjectId) -> Result<(), StoreError> {
        const CLOSING: Sql = Sql::both(
            "SELECT a.account_id, a.subject_id FROM subject s JOIN account a ON a.account_id = s.account_id \
             WHERE s.subject_id = $1 AND a.state = 'closed' AND length(a.profile) > 0",
        );
        let Some(row) = self.read_opt(&CLOSING, vec![subject.bytes().into()]).await? else {
            return Ok(());
        };
        let (account, subject) = ids(&row)?;
        self.destroy_account_key(account, subject).await
    }

    /// Closes again what an older copy of the databases has opened. The restored chain does not say so any more, so it
    /// is sealed again, as the deployment's act. What the phone leads to by now stays.
    pub(crate) async fn close_again(&self, closed: &[(AccountId, Timestamp)]) -> Result<(), StoreError> {
        const OPEN: Sql = Sql::both(
            "SELECT a.subject_id, s.subject_id FROM account a \
             LEFT JOIN subject s ON s.subject_id = a.subject_id AND s.state = 'active' \
             WHERE a.account_id = $1 AND a.state = 'active'",
        );
        for (account, at) in closed.iter().copied() {
            let Some(row) = self.read_opt(&OPEN, vec![account.bytes().into()]).await? else {
                continue;
            };
            let proven = row.opt_id(0, "account.subject_id")?.is_some();
            let owner = match row.opt_id(1, "account.subject_id")? {
                Some(person) => Some(SubjectId::from_bytes(person)),
                // The copy is from before the name was proven.
                None => (!proven).then(|| account.chain()),
            };
            if let Some(owner) = owner {
                let effect = Effect::new(move |tx, time| Box::pin(shut(tx, account, time)));
                // If another node has done it meanwhile, it was done.
                drop(self.seal(by_deployment(owner, PHONE_PASSED_ON, effect)).await?);
            } else {
                // The person was erased, which says enough.
                let done = self.inner.db.write(move |tx| Box::pin(shut(tx, account, at)));
                done.await?;
            }
        }
        let accounts: Vec<AccountId> = closed.iter().map(|(account, _)| *account).collect();
        self.destroy_account_keys(&accounts, self.inner.clock.now()).await
    }

    /// A closed account keeps its sealed profile until the key of it is destroyed: what remains says what is unfinished.
    async fn destroy_account_keys(&self, accounts: &[AccountId], now: Timestamp) -> Result<(), StoreError> {
        const EMPTY: Sql =
            Sql::both("UPDATE account SET profile = $1 WHERE account_id = $2 AND state = 'closed'");
        let keys = accounts.iter().map(|account| (account.chain(), "profile"));
        self.inner.keys.destroy(keys.collect(), now).await?;
        let row = |account: &AccountId| vec![Value::from(&[][..]), account.bytes().into()];
        let rows: Arc<Vec<Vec<Value>>> = Arc::new(accounts.iter().map(row).collect());
        let done = self.inner.db.write(move |tx| {
            let rows = Arc::clone(&rows);
            Box::pin(async move { tx.execute_many(&EMPTY, &rows).await })
        });
        done.await?;
        Ok(())
    }
}

/// The account is closed, whatever led to it is gone, and its sessions end; not where it was closed before. The phone's
/// row in the directory goes only where it is this account's: the next account may have it by now. An account that
/// no person names has nobody to be followed by, and its row goes.
async fn shut(tx: &Tx<'_>, account: AccountId, time: Timestamp) -> Result<bool, DbError> {
    const PHONE: Sql = Sql::both("DELETE FROM directory WHERE owner_id = $1");
    const SESSIONS: Sql = Sql::both(
        "UPDATE session SET ended_us = $1, profile = NULL WHERE account_id = $2 AND ended_us IS NULL",
    );
    const NOBODYS: Sql = Sql::both(
        "DELETE FROM account WHERE account_id = $1 AND NOT EXISTS (SELECT 1 FROM subject s \
         WHERE s.subject_id = account.subject_id AND s.account_id = account.account_id)",
    );
    let id = [Value::from(account.bytes())];
    if tx.execute(&SHUT, &id).await? == 0 {
        return Ok(false);
    }
    tx.execute(&PHONE, &id).await?;
    tx.execute(&SESSIONS, &[time.0.into(), id[0].clone()]).await?;
    tx.execute(&NOBODYS, &id).await?;
    Ok(true)
}

fn ids(row: &Row) -> Result<(AccountId, SubjectId), StoreError> {
    let account = AccountId::from_bytes(row.id(0, "account.account_id")?);
    Ok((account, SubjectId::from_bytes(row.id(1, "account.subject_id")?)))
}
