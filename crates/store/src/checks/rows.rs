//! Rows that refer to each other: look-ups to their entries, persons, accounts and sessions to each other.

use domain::ids::{AccountId, DEPLOYMENT, SubjectId};

use super::Check;
use crate::{
    Store, StoreError,
    committer::LOG,
    engine::{DbError, Row, Sql, Value},
    sessions::number_of,
};

/// Rows read at once.
const PAGE: i64 = 1000;

const LOOKUPS: Sql = Sql::both(
    "SELECT l.lookup_id, l.subject_id, l.state, l.intent_seq, l.outcome_seq, i.lookup_id, o.lookup_id, l.intent_leaf \
     FROM lookup l \
     LEFT JOIN entry i ON i.log_id = $1 AND i.leaf_index = l.intent_leaf \
     AND i.subject_id = l.subject_id AND i.seq = l.intent_seq \
     LEFT JOIN chain_place p ON p.subject_id = l.subject_id AND p.seq = l.outcome_seq \
     LEFT JOIN entry o ON o.log_id = $1 AND o.leaf_index = p.leaf_index \
     WHERE (l.lookup_id, l.subject_id) > ($2, $3) ORDER BY l.lookup_id, l.subject_id LIMIT $4",
);
const SUBJECTS: Sql = Sql::both(
    "SELECT s.subject_id, s.state, s.account_id, a.subject_id, CASE WHEN s.profile IS NULL THEN 0 ELSE 1 END FROM subject s \
     LEFT JOIN account a ON a.account_id = s.account_id \
     WHERE s.subject_id > $1 ORDER BY s.subject_id LIMIT $2",
);
const CHAIN: Sql = Sql::both("SELECT subject_id FROM subject WHERE subject_id = $1");
const DIRECTORY: Sql = Sql::both(
    "SELECT d.kind, d.digest, s.subject_id FROM directory d LEFT JOIN subject s ON s.subject_id = d.owner_id \
     WHERE (d.kind, d.digest) > ($1, $2) ORDER BY d.kind, d.digest LIMIT $3",
);
const ACCOUNTS: Sql = Sql::both(
    "SELECT a.account_id, a.subject_id, s.account_id FROM account a \
     LEFT JOIN subject s ON s.subject_id = a.subject_id \
     WHERE a.account_id > $1 ORDER BY a.account_id LIMIT $2",
);

const SESSIONS: Sql = Sql::both(
    "SELECT s.token_number, s.token_digest, s.subject_id, a.account_id, a.subject_id, \
     CASE WHEN s.profile IS NOT DISTINCT FROM p.profile THEN 1 ELSE 0 END, s.ended_us, \
     CASE WHEN s.profile IS NULL THEN 0 ELSE 1 END FROM session s \
     LEFT JOIN account a ON a.account_id = s.account_id AND a.state = 'active' \
     LEFT JOIN subject p ON p.subject_id = s.subject_id AND p.account_id = s.account_id AND p.state = 'active' \
     WHERE s.token_number >= $1 ORDER BY s.token_number LIMIT $2",
);

impl Store {
    /// Every look-up's row refers to entries of that look-up, as many as its state demands.
    pub(super) async fn check_lookups(&self) -> Result<Check, StoreError> {
        let mut check = Check::of("look-ups");
        let (mut lookup, mut subject) = (Value::from([].as_slice()), Value::from([].as_slice()));
        loop {
            let all_placed = self.all_placed().await?;
            let rows = self
                .read_all(&LOOKUPS, vec![LOG.into(), lookup, subject, PAGE.into()])
                .await?;
            drop(all_placed);
            let Some(last) = rows.last() else { return Ok(check) };
            lookup = last.blob(0, "lookup.lookup_id")?.into();
            subject = last.blob(1, "lookup.subject_id")?.into();
            for row in &rows {
                check.count += 1;
                if !refers(row).unwrap_or(false) {
                    check.tell(row.corrupt("lookup.state").to_string());
                }
            }
        }
    }

    /// A person and an account name each other or neither the other, and both profiles open.
    pub(super) async fn check_people(&self) -> Result<Check, StoreError> {
        let mut check = Check::of("persons and accounts");
        let mut after = Value::from([].as_slice());
        loop {
            let rows = self.read_all(&SUBJECTS, vec![after, PAGE.into()]).await?;
            let Some(last) = rows.last() else { break };
            after = last.blob(0, "subject.subject_id")?.into();
            for row in rows {
                check.count += 1;
                check.or_tell(self.check_person(&row).await);
            }
        }
        let mut after = Value::from([].as_slice());
        loop {
            let rows = self.read_all(&ACCOUNTS, vec![after, PAGE.into()]).await?;
            let Some(last) = rows.last() else { return Ok(check) };
            after = last.blob(0, "account.account_id")?.into();
            for row in rows {
                check.count += 1;
                check.or_tell(self.check_account(&row).await);
            }
        }
    }

    /// Every row of a directory leads to somebody who has a chain, and the deployment has one.
    pub(super) async fn check_directory(&self) -> Result<Check, StoreError> {
        let mut check = Check::of("rows of directories");
        if self
            .read_opt(&CHAIN, vec![DEPLOYMENT.bytes().into()])
            .await?
            .is_none()
        {
            check.tell("the deployment has no chain".into());
        }
        let (mut kind, mut digest) = (Value::from(""), Value::from([].as_slice()));
        loop {
            let rows = self.read_all(&DIRECTORY, vec![kind, digest, PAGE.into()]).await?;
            let Some(last) = rows.last() else { return Ok(check) };
            kind = last.text(0, "directory.kind")?.into();
            digest = last.blob(1, "directory.digest")?.into();
            for row in &rows {
                check.count += 1;
                if row.opt_id(2, "subject.subject_id").ok().flatten().is_none() {
                    check.tell(row.corrupt("directory.owner_id").to_string());
                }
            }
        }
    }

    /// A session is found by its number. One that has not ended is of an active account, names its person and has their
    /// profile; one that has ended has none.
    pub(super) async fn check_sessions(&self) -> Result<Check, StoreError> {
        let mut check = Check::of("sessions");
        let mut from = Some(i64::MIN);
        while let Some(first) = from {
            let rows = self.read_all(&SESSIONS, vec![first.into(), PAGE.into()]).await?;
            let Some(last) = rows.last() else { break };
            from = last.int(0, "session.token_number")?.checked_add(1);
            for row in &rows {
                check.count += 1;
                if let Err(column) = sound_session(row) {
                    check.tell(row.corrupt(column).to_string());
                }
            }
        }
        Ok(check)
    }

    async fn check_person(&self, row: &Row) -> Result<(), StoreError> {
        let id = row.id(0, "subject.subject_id")?;
        let (account, theirs) = (
            row.opt_id(2, "subject.account_id")?,
            row.opt_id(3, "account.subject_id")?,
        );
        let profile = row.flag(4, "subject.profile")?;
        let agrees = match row.text(1, "subject.state")? {
            "active" => profile == account.is_some() && (account.is_none() || theirs == Some(id)),
            "erasing" => !profile && account.is_some() && theirs.is_none(),
            _ => !profile && account.is_none(),
        };
        if !agrees {
            return Err(row.corrupt("subject.account_id").into());
        }
        if profile {
            self.subject(SubjectId::from_bytes(id)).await?;
        }
        Ok(())
    }

    async fn check_account(&self, row: &Row) -> Result<(), StoreError> {
        let id = row.id(0, "account.account_id")?;
        let named = row.opt_id(1, "account.subject_id")?.is_some();
        if named && row.opt_id(2, "subject.account_id")? != Some(id) {
            return Err(row.corrupt("account.subject_id").into());
        }
        self.account(AccountId::from_bytes(id)).await.map(|_| ())
    }
}

/// The column of a session in which something is wrong.
fn sound_session(row: &Row) -> Result<(), &'static str> {
    let number = row.int(0, "session.token_number").ok();
    let digest = row.hash(1, "session.token_digest").ok();
    if digest.is_none_or(|digest| number != Some(number_of(&digest))) {
        return Err("session.token_number");
    }
    let ended = row
        .opt_int(6, "session.ended_us")
        .map_err(|_| "session.ended_us")?;
    if ended.is_some() {
        return match row.flag(7, "session.profile") {
            Ok(false) => Ok(()),
            _ => Err("session.profile"),
        };
    }
    let id = |at, name| row.opt_id(at, name).map_err(|_| "session.subject_id");
    let theirs = id(4, "account.subject_id")?;
    if id(3, "account.account_id")?.is_none() || id(2, "session.subject_id")? != theirs {
        return Err("session.subject_id");
    }
    match row.flag(5, "session.profile") {
        Ok(true) => Ok(()),
        _ => Err("session.profile"),
    }
}

/// The entries that a look-up's row names are there and are that look-up's.
fn refers(row: &Row) -> Result<bool, DbError> {
    let lookup = row.id(0, "lookup.lookup_id")?;
    let (intent, outcome) = (
        row.opt_int(3, "lookup.intent_seq")?,
        row.opt_int(4, "lookup.outcome_seq")?,
    );
    let is_there = |seq: Option<i64>, entry: Option<[u8; 16]>| seq.is_none() || entry == Some(lookup);
    let entries = is_there(intent, row.opt_id(5, "entry.lookup_id")?)
        && is_there(outcome, row.opt_id(6, "entry.lookup_id")?);
    let placed = intent.is_some() == row.opt_int(7, "lookup.intent_leaf")?.is_some();
    Ok(entries
        && placed
        && match row.text(2, "lookup.state")? {
            "intended" => intent.is_some() && outcome.is_none(),
            "released" | "failed" => intent.is_some() && outcome.is_some(),
            "refused" => outcome.is_some(),
            _ => false,
        })
}
