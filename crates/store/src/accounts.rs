//! Accounts: who signs in, found by phone.

use crypto::envelope;
use domain::{
    identifiers::Phone,
    ids::{AccountId, SubjectId},
    words::Level,
};
use zeroize::Zeroize;

use crate::{
    Effect, Store, StoreError,
    engine::{Insert, Sql},
    subject_keys::KEY_VERSION,
    subjects::{DIRECTORY, FIND},
};

/// The directory of phones.
pub(crate) const PHONE: &str = "phone";

/// An account.
#[derive(Debug, Clone)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// The person it was proven to be.
    pub subject: Option<SubjectId>,
    /// The greatest level it has reached.
    pub level: Level,
    /// Its phone.
    pub phone: Phone,
}

impl Store {
    /// A phone's digest: the only form in which a phone is a key.
    #[must_use]
    pub fn phone_digest(&self, phone: &Phone) -> [u8; 32] {
        self.inner.root.directory().digest(PHONE, phone.expose())
    }

    /// The digest of the range that a phone is of: its first seven digits, which a carrier is given as one.
    #[must_use]
    pub fn range_digest(&self, phone: &Phone) -> [u8; 32] {
        self.inner.root.directory().digest("phone-range", phone.range())
    }

    /// The account of a phone.
    ///
    /// # Errors
    /// The database.
    pub async fn account_by_phone(&self, phone: &Phone) -> Result<Option<AccountId>, StoreError> {
        let digest = self.phone_digest(phone);
        let row = self.read_opt(&FIND, vec![PHONE.into(), digest.into()]).await?;
        row.map(|r| Ok(AccountId::from_bytes(r.id(0, "directory.owner_id")?)))
            .transpose()
    }

    /// An account that may sign in; none where it was closed.
    ///
    /// # Errors
    /// The database, or a profile that does not open.
    pub async fn account(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        const READ: Sql = Sql::both(
            "SELECT subject_id, level, profile FROM account WHERE account_id = $1 AND state = 'active'",
        );
        let Some(row) = self.read_opt(&READ, vec![id.bytes().into()]).await? else {
            return Ok(None);
        };
        let keys = self.keys_for(id.chain(), &["profile"]).await?;
        let key = keys.get("profile").ok_or(StoreError::Erased)?;
        let broken = |what: String| StoreError::Sealed(format!("profile of {id}: {what}"));
        let mut plain = envelope::open_row(key, &self.account_context(id), row.blob(2, "account.profile")?)
            .map_err(|e| broken(e.to_string()))?;
        let phone = std::str::from_utf8(&plain)
            .ok()
            .and_then(|p| Phone::parse(p).ok());
        plain.zeroize();
        Ok(Some(Account {
            id,
            subject: row.opt_id(0, "account.subject_id")?.map(SubjectId::from_bytes),
            level: Level::from_code(row.text(1, "account.level")?)
                .ok_or_else(|| row.corrupt("account.level"))?,
            phone: phone
                .ok_or_else(|| broken("its phone does not parse".into()))?
                .value,
        }))
    }

    /// Creates an account for a phone that has none, in the transaction of the returned effect.
    ///
    /// # Errors
    /// The account's key or chain cannot be made.
    pub async fn create_account(&self, phone: &Phone) -> Result<(AccountId, Effect), StoreError> {
        const ACCOUNT: Insert = Insert {
            table: "account",
            columns: &["account_id", "state", "level", "profile", "created_us"],
            tail: "",
        };
        let id = self.inner.random.id(self.inner.clock.now(), AccountId::new);
        self.ensure_chain(id.chain()).await?;
        let keys = self.keys_for(id.chain(), &["profile"]).await?;
        let key = keys.get("profile").ok_or(StoreError::Erased)?;
        let context = self.account_context(id);
        let profile = self
            .inner
            .random
            .with(|rng| envelope::seal_row(key, &context, phone.expose().as_bytes(), rng));
        let (digest, key_id) = (self.phone_digest(phone), self.inner.root.directory().id());
        let effect = Effect::new(move |tx, time| {
            let profile = profile.clone();
            Box::pin(async move {
                let entry = vec![
                    PHONE.into(),
                    digest.into(),
                    key_id.into(),
                    id.bytes().into(),
                    time.0.into(),
                ];
                if tx.insert_many(&DIRECTORY, &[entry]).await? == 0 {
                    return Ok(false);
                }
                let row = vec![
                    id.bytes().into(),
                    "active".into(),
                    Level::L1.code().into(),
                    profile.into(),
                    time.0.into(),
                ];
                tx.insert_many(&ACCOUNT, &[row]).await?;
                Ok(true)
            })
        });
        Ok((id, effect))
    }

    fn account_context(&self, id: AccountId) -> envelope::Context<'_> {
        envelope::Context {
            realm: self.inner.root.realm(),
            table: "account",
            column: "profile",
            subject: id.bytes(),
            row: &[],
            revision: 0,
            key_version: KEY_VERSION,
        }
    }
}
