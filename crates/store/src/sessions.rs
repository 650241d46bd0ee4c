//! Sessions: a token, stored hashed, that stands for an account at a level for a while.

use std::sync::Arc;

use domain::{
    ids::{AccountId, SessionId, SubjectId},
    requester::Standing,
    time::Timestamp,
    words::Level,
};

use crate::{
    Effect, Store, StoreError,
    committer::LOG,
    engine::{DbError, Insert, Row, Sql, Value},
    inner::blocking,
    journal::Effected,
    subjects::SealedPerson,
};

/// No session lives longer than a day, whatever is asked for.
pub const MAX_SESSION_SECONDS: i64 = 24 * 3600;

/// A session to be started.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its id.
    pub id: SessionId,
    /// Hash of its token.
    pub token_digest: [u8; 32],
    /// Who signed in.
    pub account: AccountId,
    /// At which level.
    pub level: Level,
    /// How many seconds it lives, at most [`MAX_SESSION_SECONDS`].
    pub seconds: i64,
    /// The session that it replaces: the id changes with every change of privilege.
    pub replaces: Option<SessionId>,
}

/// A session that lives.
#[derive(Debug, Clone, Copy)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// Who signed in.
    pub account: AccountId,
    /// The person that the account was proven to be.
    pub subject: Option<SubjectId>,
    /// At which level.
    pub level: Level,
    /// Until when it lives.
    pub expires: Timestamp,
    /// The same for the committer, where it is known that this is the account's person, and active: it need not read what
    /// was read just before.
    pub standing: Option<Standing>,
}

const INSERT: Insert = Insert {
    table: "session",
    columns: &[
        "token_number",
        "token_digest",
        "session_id",
        "account_id",
        "level",
        "created_us",
        "expires_us",
        "subject_id",
        "profile",
    ],
    tail: "ON CONFLICT DO NOTHING",
};
const LIVES: Sql = Sql::both(
    "SELECT session_id FROM session \
     WHERE session_id = $1 AND account_id = $2 AND ended_us IS NULL AND expires_us > $3",
);
/// An account, with the profile of the person that it was proven to be.
const ACCOUNT: Sql = Sql::both(
    "SELECT a.subject_id, p.profile FROM account a \
     LEFT JOIN subject p ON p.subject_id = a.subject_id AND p.account_id = a.account_id AND p.state = 'active' \
     WHERE a.account_id = $1 AND a.state = 'active'",
);
const END: Sql =
    Sql::both("UPDATE session SET ended_us = $1, profile = NULL WHERE session_id = $2 AND ended_us IS NULL");
const RAISE: Sql = Sql::both("UPDATE account SET level = $1 WHERE account_id = $2 AND level < $3");

impl Effect {
    /// Happens only while this session of the account lives: whoever was signed out between question and seal changes
    /// nothing any more.
    #[must_use]
    pub fn while_lives(self, session: SessionId, account: AccountId) -> Self {
        self.only_if(move |tx, time| {
            let of = [session.bytes().into(), account.bytes().into(), time.0.into()];
            Box::pin(async move { Ok(tx.query_opt(&LIVES, &of).await?.is_some()) })
        })
    }
}

impl Store {
    /// Whether this session of the account still lives, for what is answered without a seal.
    ///
    /// # Errors
    /// The database.
    pub async fn session_lives(&self, session: SessionId, account: AccountId) -> Result<bool, StoreError> {
        let now = self.inner.now();
        let of = vec![session.bytes().into(), account.bytes().into(), now.0.into()];
        Ok(self.read_opt(&LIVES, of).await?.is_some())
    }

    /// The session of a token, if it lives; with its account it ends.
    ///
    /// A person is told only where session and person name the same account: the person's side is authenticated with
    /// the profile, so that a session whose person alone was changed is nobody's.
    ///
    /// # Errors
    /// The database, or a session that names a person who does not name its account.
    pub async fn session(&self, token_digest: [u8; 32]) -> Result<Option<SessionView>, StoreError> {
        const READ: Sql = Sql::both(
            "SELECT s.session_id, s.account_id, s.subject_id, s.level, s.expires_us, h.size, p.subject_id \
             FROM session s LEFT JOIN log_head h ON h.log_id = $1 \
             LEFT JOIN subject p ON p.subject_id = s.subject_id AND p.account_id = s.account_id AND p.state = 'active' \
             WHERE s.token_number = $2 AND s.token_digest = $3 AND s.ended_us IS NULL AND s.expires_us > $4",
        );
        let Some(row) = self.living(&READ, token_digest).await? else {
            return Ok(None);
        };
        if row.opt_id(2, "session.subject_id")? != row.opt_id(6, "subject.subject_id")? {
            return Err(row.corrupt("session.subject_id").into());
        }
        Ok(Some(view(&row)?))
    }

    /// The same by the session's row alone, with its person as it has them, still encrypted. That they are the person of
    /// the session's account is certain once they are opened, so that the session by itself has no standing.
    ///
    /// # Errors
    /// The database, or a session that names a person and does not have them.
    pub async fn session_and_person(
        &self,
        token_digest: [u8; 32],
    ) -> Result<Option<(SessionView, Option<SealedPerson>)>, StoreError> {
        const READ: Sql = Sql::both(
            "SELECT s.session_id, s.account_id, s.subject_id, s.level, s.expires_us, h.size, s.profile \
             FROM session s LEFT JOIN log_head h ON h.log_id = $1 \
             WHERE s.token_number = $2 AND s.token_digest = $3 AND s.ended_us IS NULL AND s.expires_us > $4",
        );
        let Some(row) = self.living(&READ, token_digest).await? else {
            return Ok(None);
        };
        let mut session = view(&row)?;
        let person = match (session.standing.take(), row.opt_blob(6, "session.profile")?) {
            (None, None) => None,
            (Some(standing), Some(profile)) => Some(SealedPerson {
                subject: standing.subject,
                account: session.account,
                profile: profile.to_vec(),
                standing: Some(standing),
            }),
            _ => return Err(row.corrupt("session.profile").into()),
        };
        Ok(Some((session, person)))
    }

    /// The row of a token's session that has not ended.
    async fn living(&self, read: &Sql, token_digest: [u8; 32]) -> Result<Option<Row>, StoreError> {
        let now = self.inner.now();
        let token = [
            LOG.into(),
            number_of(&token_digest).into(),
            token_digest.into(),
            now.0.into(),
        ];
        Ok(self.inner.db.query_people(read, &token).await?.into_iter().next())
    }

    /// Starts a session, and ends the one of the same account that it replaces, in the transaction of the returned
    /// effect. Its condition is that the account is active, the replaced one lives and the token is new.
    #[must_use]
    pub fn start_session(&self, new: NewSession) -> Effect {
        let replaces = new.replaces;
        let effect = Effect::new(move |tx, time| {
            let new = new.clone();
            Box::pin(async move {
                let account = Value::from(new.account.bytes());
                let Some(of) = tx.query_opt(&ACCOUNT, std::slice::from_ref(&account)).await? else {
                    return Ok(false);
                };
                if let Some(old) = new.replaces {
                    let old = [old.bytes().into(), account.clone(), time.0.into()];
                    if tx.query_opt(&LIVES, &old).await?.is_none() {
                        return Ok(false);
                    }
                }
                let row = vec![
                    number_of(&new.token_digest).into(),
                    new.token_digest.into(),
                    new.id.bytes().into(),
                    new.account.bytes().into(),
                    new.level.code().into(),
                    time.0.into(),
                    time.plus_seconds(new.seconds.min(MAX_SESSION_SECONDS)).0.into(),
                    of.opt_id(0, "account.subject_id")?.into(),
                    of.opt_blob(1, "subject.profile")?
                        .map_or(Value::Null, Value::from),
                ];
                if tx.insert_many(&INSERT, &[row]).await? == 0 {
                    return Ok(false);
                }
                if let Some(old) = new.replaces {
                    tx.execute(&END, &[time.0.into(), old.bytes().into()]).await?;
                }
                let level = new.level.code();
                tx.execute(&RAISE, &[level.into(), account, level.into()]).await?;
                Ok(true)
            })
        });
        match replaces {
            Some(session) => effect.lasting(Effected::SessionEnded { session }),
            None => effect,
        }
    }

    /// Ends a session for good, in the transaction of the returned effect: a release that is committed later finds it
    /// ended, on whatever node, and a restored backup does not bring it back. Its condition is that it lives.
    #[must_use]
    pub fn end_session(&self, session: SessionId) -> Effect {
        const END_LIVING: Sql = Sql::both(
            "UPDATE session SET ended_us = $1, profile = NULL \
             WHERE session_id = $2 AND ended_us IS NULL AND expires_us > $3",
        );
        let effect = Effect::new(move |tx, time| {
            let ending = [time.0.into(), session.bytes().into(), time.0.into()];
            Box::pin(async move { Ok(tx.execute(&END_LIVING, &ending).await? == 1) })
        });
        effect.lasting(Effected::SessionEnded { session })
    }

    /// Ends these sessions again, which the journal names, before anything is served.
    pub(crate) async fn end_sessions(&self, ended: Vec<(SessionId, Timestamp)>) -> Result<(), StoreError> {
        let end = |(session, at): (SessionId, Timestamp)| vec![at.0.into(), session.bytes().into()];
        let ends: Arc<Vec<Vec<Value>>> = Arc::new(ended.into_iter().map(end).collect());
        let done = self.inner.db.write(move |tx| {
            let ends = Arc::clone(&ends);
            Box::pin(async move { tx.execute_many(&END, &ends).await })
        });
        done.await?;
        Ok(())
    }

    /// Removes sessions that expired a day ago, from the effects journal too; how many.
    ///
    /// # Errors
    /// The database or the journal.
    pub async fn forget_sessions(&self) -> Result<u64, StoreError> {
        const FORGET: Sql = Sql::both(
            "DELETE FROM session WHERE token_number IN (SELECT token_number FROM session WHERE expires_us < $1 LIMIT $2)",
        );
        let now = self.inner.clock.now();
        let journal = Arc::clone(&self.inner.journal);
        blocking(move || journal.compact(now)).await?;
        self.forget(&FORGET, now.plus_seconds(-24 * 3600)).await
    }
}

/// By what a session is found: the first bytes of its token's digest, as a number. SQLite finds a row by its number in
/// half the pages that it needs for the digest (docs/decisions/0041-a-session-has-its-persons-profile.md).
pub(crate) fn number_of(token_digest: &[u8; 32]) -> i64 {
    let [a, b, c, d, e, f, g, h, ..] = *token_digest;
    i64::from_be_bytes([a, b, c, d, e, f, g, h])
}

/// What a session's row says, with how far the log had grown when it was read.
fn view(row: &Row) -> Result<SessionView, DbError> {
    let subject = row.opt_id(2, "session.subject_id")?.map(SubjectId::from_bytes);
    let expires = Timestamp(row.int(4, "session.expires_us")?);
    let log_size = row.number(5, "log_head.size")?;
    Ok(SessionView {
        id: SessionId::from_bytes(row.id(0, "session.session_id")?),
        account: AccountId::from_bytes(row.id(1, "session.account_id")?),
        subject,
        level: Level::from_code(row.text(3, "session.level")?).ok_or_else(|| row.corrupt("session.level"))?,
        expires,
        standing: subject.map(|subject| Standing {
            subject,
            expires,
            log_size,
        }),
    })
}
