//! Subjects: whom records concern. Found by number, created at the first valid mention, told apart from accounts.

use crypto::envelope;
use domain::{
    identifiers::{IdNumber, PersonName},
    ids::{AccountId, SubjectId},
    lookup::Person,
    requester::Standing,
    time::Timestamp,
};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use crate::{
    Effect, Store, StoreError,
    committer::LOG,
    engine::{Insert, Sql, Value},
    subject_keys::KEY_VERSION,
};

pub(crate) const OWNER: Insert = Insert {
    table: "subject",
    columns: &["subject_id", "log_id", "state", "created_us"],
    tail: "ON CONFLICT DO NOTHING",
};
/// The row of a new chain.
pub(crate) fn new_owner(owner: SubjectId, now: Timestamp) -> Vec<Value> {
    vec![owner.bytes().into(), LOG.into(), "active".into(), now.0.into()]
}

pub(crate) const DIRECTORY: Insert = Insert {
    table: "directory",
    columns: &["kind", "digest", "key_id", "owner_id", "created_us"],
    tail: "ON CONFLICT DO NOTHING",
};
pub(crate) const FIND: Sql = Sql::both("SELECT owner_id FROM directory WHERE kind = $1 AND digest = $2");

/// The directory of ID numbers.
pub(crate) const ID_NUMBER: &str = "id-number";

/// What is known of a subject.
#[derive(Debug, Clone)]
pub struct Subject {
    /// Its id.
    pub id: SubjectId,
    /// It has not been erased.
    pub active: bool,
    /// The account of that person, once their real name was proven.
    pub account: Option<AccountId>,
    /// Name and number, once proven.
    pub person: Option<Person>,
}

/// A proven person as the database has them, encrypted.
#[derive(Debug, Clone)]
pub struct SealedPerson {
    /// The person.
    pub subject: SubjectId,
    /// Their account.
    pub account: AccountId,
    pub(crate) profile: Vec<u8>,
    /// That of the session that had them; it is true once the profile opens.
    pub(crate) standing: Option<Standing>,
}

/// A person whose profile has opened: they are that account's.
#[derive(Debug, Clone)]
pub struct OpenedPerson {
    /// Name and number.
    pub person: Person,
    /// Where their session had them: what the committer need not read again.
    pub standing: Option<Standing>,
}

/// What stands encrypted in `subject.profile`, and in the sessions of the person's account.
#[derive(Serialize, Deserialize, Zeroize)]
#[zeroize(drop)]
#[serde(deny_unknown_fields)]
struct Profile {
    name: String,
    id_number: String,
}

impl Store {
    /// The subject with this number, made at its first mention. The caller bounds how many a requester may mention.
    ///
    /// # Errors
    /// The database.
    pub async fn mention_subject(&self, number: &IdNumber) -> Result<SubjectId, StoreError> {
        let digest = self.inner.root.directory().digest(ID_NUMBER, number.expose());
        if let Some(row) = self
            .read_opt(&FIND, vec![ID_NUMBER.into(), digest.into()])
            .await?
        {
            return Ok(SubjectId::from_bytes(row.id(0, "directory.owner_id")?));
        }
        let now = self.inner.clock.now();
        let id = self.inner.random.id(now, SubjectId::new);
        let key_id = self.inner.root.directory().id();
        let written = self.inner.db.write(move |tx| {
            Box::pin(async move {
                let row = vec![
                    ID_NUMBER.into(),
                    digest.into(),
                    key_id.into(),
                    id.bytes().into(),
                    now.0.into(),
                ];
                // Two mentions at once: the first one's row stands, and both read it back.
                if tx.insert_many(&DIRECTORY, &[row]).await? == 1 {
                    tx.insert_many(&OWNER, &[new_owner(id, now)]).await?;
                }
                tx.query_one(&FIND, &[ID_NUMBER.into(), digest.into()]).await
            })
        });
        Ok(SubjectId::from_bytes(written.await?.id(0, "directory.owner_id")?))
    }

    /// Makes sure that this owner has a chain; an account's is made before its first entry.
    ///
    /// # Errors
    /// The database.
    pub async fn ensure_chain(&self, owner: SubjectId) -> Result<(), StoreError> {
        let now = self.inner.clock.now();
        let written = self.inner.db.write(move |tx| {
            Box::pin(async move { tx.insert_many(&OWNER, &[new_owner(owner, now)]).await.map(|_| ()) })
        });
        Ok(written.await?)
    }

    /// What is known of a subject; `None` where there is none.
    ///
    /// # Errors
    /// The database, or a profile that does not open.
    pub async fn subject(&self, id: SubjectId) -> Result<Option<Subject>, StoreError> {
        const READ: Sql = Sql::both("SELECT state, account_id, profile FROM subject WHERE subject_id = $1");
        let Some(row) = self.read_opt(&READ, vec![id.bytes().into()]).await? else {
            return Ok(None);
        };
        let person = match row.opt_blob(2, "subject.profile")? {
            Some(sealed) => {
                let sealed = SealedPerson {
                    subject: id,
                    account: AccountId::from_bytes(row.id(1, "subject.account_id")?),
                    profile: sealed.to_vec(),
                    standing: None,
                };
                Some(self.open_person(&sealed).await?.person)
            }
            None => None,
        };
        Ok(Some(Subject {
            id,
            active: row.text(0, "subject.state")? == "active",
            account: row.opt_id(1, "subject.account_id")?.map(AccountId::from_bytes),
            person,
        }))
    }

    /// Encrypts a proven person's name and number for `subject.profile` and the account's sessions, for this account
    /// alone.
    ///
    /// # Errors
    /// The subject's key cannot be made.
    async fn seal_profile(
        &self,
        id: SubjectId,
        account: AccountId,
        person: &Person,
    ) -> Result<Vec<u8>, StoreError> {
        let keys = self.keys_for(id, &["profile"]).await?;
        let key = keys.get("profile").ok_or(StoreError::Erased)?;
        let profile = Profile {
            name: person.name.expose().to_owned(),
            id_number: person.id_number.expose().to_owned(),
        };
        let mut plain = serde_json::to_vec(&profile).map_err(|e| StoreError::Sealed(e.to_string()))?;
        let sealed = self
            .inner
            .random
            .with(|rng| envelope::seal_row(key, &self.profile_context(id, &account.bytes()), &plain, rng));
        plain.zeroize();
        Ok(sealed)
    }

    /// Decrypts a proven person's name and number.
    ///
    /// # Errors
    /// [`StoreError::Erased`] where the person was erased since it was read; the databases, or a profile that does not
    /// open.
    pub async fn open_person(&self, sealed: &SealedPerson) -> Result<OpenedPerson, StoreError> {
        let id = sealed.subject;
        let broken = |what: &str| StoreError::Sealed(format!("profile of {id}: {what}"));
        // None is made: who they are is what the session says, and that may be anything.
        let keys = self.inner.keys.having(id, &["profile"]).await?;
        let Some(key) = keys.get("profile") else {
            let destroyed = self.inner.keys.destroyed(id).await?.contains("profile");
            return Err(if destroyed {
                StoreError::Erased
            } else {
                broken("its key is missing")
            });
        };
        let account = sealed.account.bytes();
        let mut plain = envelope::open_row(key, &self.profile_context(id, &account), &sealed.profile)
            .map_err(|e| broken(&e.to_string()))?;
        let profile: Result<Profile, _> = serde_json::from_slice(&plain);
        plain.zeroize();
        let profile = profile.map_err(|_| broken("is not what was written"))?;
        let today = self.inner.clock.now().date_in_china();
        let person = Person {
            name: PersonName::parse(&profile.name)
                .map_err(|_| broken("its name does not parse"))?
                .value,
            id_number: IdNumber::parse(&profile.id_number, today)
                .map_err(|_| broken("its number does not parse"))?
                .value,
        };
        Ok(OpenedPerson {
            person,
            standing: sealed.standing,
        })
    }

    /// The account is part of the place: a profile does not open beside another account's id.
    fn profile_context<'a>(&'a self, id: SubjectId, account: &'a [u8; 16]) -> envelope::Context<'a> {
        envelope::Context {
            realm: self.inner.root.realm(),
            table: "subject",
            column: "profile",
            subject: id.bytes(),
            row: account,
            revision: 0,
            key_version: KEY_VERSION,
        }
    }

    /// The name under which a requester knows a subject in openings: nobody else's name for them is the same.
    #[must_use]
    pub fn pairwise(&self, requester: AccountId, subject: SubjectId) -> Vec<u8> {
        let both = format!("{requester}:{subject}");
        self.inner.root.directory().digest("pairwise", &both)[..16].to_vec()
    }

    /// Binds a proven person to an account, if neither has one yet, in the transaction of the returned effect. Where the
    /// person's account of before was closed, the new one takes its place and its look-ups. It is sealed on the person's own
    /// chain, which it reads.
    ///
    /// # Errors
    /// The subject's key cannot be made.
    pub async fn bind_account(
        &self,
        account: AccountId,
        subject: SubjectId,
        person: &Person,
    ) -> Result<Effect, StoreError> {
        const BIND: Sql = Sql::both(
            "UPDATE subject SET account_id = $1, profile = $2 \
             WHERE subject_id = $3 AND state = 'active' AND (account_id IS NULL OR account_id = $4)",
        );
        const CLOSED: Sql = Sql::both(
            "SELECT a.account_id FROM subject s JOIN account a ON a.account_id = s.account_id \
             WHERE s.subject_id = $1 AND a.state = 'closed' AND length(a.profile) = 0",
        );
        const OWN: Sql = Sql::both(
            "UPDATE lookup SET requester_id = $1 WHERE requester_id = $2 AND subject_id = $3 AND lookup_id IN \
             (SELECT e.lookup_id FROM chain_place p CROSS JOIN entry e \
             WHERE e.log_id = $4 AND e.leaf_index = p.leaf_index AND p.subject_id = $5)",
        );
        const ABOUT_OTHERS: Sql = Sql::both(
            "UPDATE lookup SET requester_id = $1 WHERE requester_id = $2 AND lookup_id IN \
             (SELECT lookup_id FROM requester_lookup WHERE requester_id = $3)",
        );
        const TAKE_OVER: Sql =
            Sql::both("UPDATE requester_lookup SET requester_id = $1 WHERE requester_id = $2");
        const ON_THE_WAY: Sql = Sql::both("UPDATE outbox SET requester_id = $1 WHERE requester_id = $2");
        const FORGET: Sql = Sql::both("DELETE FROM account WHERE account_id = $1");
        const LEVEL: Sql = Sql::both(
            "UPDATE account SET subject_id = $1, level = 'L2' WHERE account_id = $2 AND subject_id IS NULL",
        );
        const SESSIONS: Sql = Sql::both(
            "UPDATE session SET subject_id = $1, profile = $2 WHERE account_id = $3 AND ended_us IS NULL",
        );
        const FREE: Sql = Sql::both(
            "SELECT account_id FROM account WHERE account_id = $1 AND subject_id IS NULL AND state = 'active'",
        );
        self.finish_closing_of(subject).await?;
        let profile = self.seal_profile(subject, account, person).await?;
        Ok(Effect::new(move |tx, _| {
            let profile = profile.clone();
            Box::pin(async move {
                if tx.query_opt(&FREE, &[account.bytes().into()]).await?.is_none() {
                    return Ok(false);
                }
                let (new, person) = (Value::from(account.bytes()), Value::from(subject.bytes()));
                let closed = tx.query_opt(&CLOSED, std::slice::from_ref(&person)).await?;
                let closed = closed.map(|row| row.id(0, "account.account_id")).transpose()?;
                let profile = Value::from(profile);
                let bind = [new.clone(), profile.clone(), person.clone(), closed.into()];
                if tx.execute(&BIND, &bind).await? == 0 {
                    return Ok(false);
                }
                if let Some(closed) = closed {
                    let old = Value::from(closed);
                    let own = [
                        new.clone(),
                        old.clone(),
                        person.clone(),
                        LOG.into(),
                        person.clone(),
                    ];
                    tx.execute(&OWN, &own).await?;
                    tx.execute(&ABOUT_OTHERS, &[new.clone(), old.clone(), old.clone()])
                        .await?;
                    tx.execute(&TAKE_OVER, &[new.clone(), old.clone()]).await?;
                    tx.execute(&ON_THE_WAY, &[new.clone(), old]).await?;
                    tx.execute(&FORGET, &[closed.into()]).await?;
                }
                tx.execute(&LEVEL, &[person.clone(), new.clone()]).await?;
                tx.execute(&SESSIONS, &[person, profile, new]).await?;
                Ok(true)
            })
        }))
    }
}
