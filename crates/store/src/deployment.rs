//! Whose database it is: realm, suite, origin and log key, written once and compared at every start.

use crypto::RootKeys;
use domain::{ids::DEPLOYMENT, time::Timestamp};
use ledger::{Frontier, Hash};

use crate::{
    StoreError,
    committer::LOG,
    engine::{Db, DbError, Insert, Sql, Tx},
    subjects::{OWNER, new_owner},
};

/// Whether the database has a deployment already.
pub(crate) async fn is_settled(db: &Db) -> Result<bool, StoreError> {
    const ANY: Sql = Sql::both("SELECT realm FROM deployment WHERE only_row = 1");
    Ok(db.query_opt(&ANY, &[]).await?.is_some())
}

/// The deployment's row: written once, compared ever after.
/// How many entries the log has, and the time of the newest.
pub(crate) async fn settle_deployment(
    db: &Db,
    root: &RootKeys,
    origin: &str,
    now: Timestamp,
) -> Result<(i64, Timestamp), StoreError> {
    const READ: Sql = Sql::both(
        "SELECT d.realm, d.suite, d.origin, d.log_key, h.time_us, h.size FROM deployment d, log_head h \
         WHERE d.only_row = 1 AND h.log_id = $1",
    );
    let ours = Deployment {
        realm: root.realm().to_owned(),
        suite: root.suite().name().to_owned(),
        origin: origin.to_owned(),
        log_key: root.log_ed25519().public_key().to_vec(),
    };
    if db.query_opt(&READ, &[LOG.into()]).await?.is_none() {
        let deployment = ours.clone();
        let created = db.write(move |tx| {
            let ours = deployment.clone();
            Box::pin(async move { create_deployment(tx, &ours, now).await })
        });
        created.await.map_err(|error| match error {
            DbError::Unique { .. } => {
                StoreError::Log("the database has a log and does not say whose; restore from a backup".into())
            }
            other => other.into(),
        })?;
    }
    // Another node may have been faster: what stands there counts.
    let row = db.query_opt(&READ, &[LOG.into()]).await?;
    let row = row.ok_or_else(|| StoreError::Log("it has no head; restore from a backup".into()))?;
    let theirs = Deployment {
        realm: row.text(0, "deployment.realm")?.to_owned(),
        suite: row.text(1, "deployment.suite")?.to_owned(),
        origin: row.text(2, "deployment.origin")?.to_owned(),
        log_key: row.blob(3, "deployment.log_key")?.to_vec(),
    };
    theirs.must_be(&ours)?;
    Ok((
        row.int(5, "log_head.size")?,
        Timestamp(row.int(4, "log_head.time_us")?),
    ))
}

async fn create_deployment(tx: &Tx<'_>, ours: &Deployment, now: Timestamp) -> Result<(), DbError> {
    const ROW: Insert = Insert {
        table: "deployment",
        columns: &["only_row", "realm", "suite", "origin", "log_key", "created_us"],
        tail: "ON CONFLICT DO NOTHING",
    };
    const HEAD: Insert = Insert {
        table: "log_head",
        columns: &["log_id", "size", "root", "frontier", "time_us"],
        // A log without a deployment is a database that has lost a row, and nobody's who comes first.
        tail: "",
    };
    let row = vec![
        1.into(),
        ours.realm.as_str().into(),
        ours.suite.as_str().into(),
        ours.origin.as_str().into(),
        ours.log_key.as_slice().into(),
        now.0.into(),
    ];
    if tx.insert_many(&ROW, &[row]).await? == 0 {
        return Ok(());
    }
    let empty = Frontier::new();
    let head = vec![
        LOG.into(),
        0.into(),
        Hash::EMPTY_TREE.0.into(),
        empty.to_bytes().into(),
        now.0.into(),
    ];
    tx.insert_many(&HEAD, &[head]).await?;
    tx.insert_many(&OWNER, &[new_owner(DEPLOYMENT, now)]).await?;
    Ok(())
}

#[derive(Clone, PartialEq, Eq)]
struct Deployment {
    realm: String,
    suite: String,
    origin: String,
    log_key: Vec<u8>,
}

impl Deployment {
    fn must_be(&self, ours: &Deployment) -> Result<(), StoreError> {
        let differs = |what: &str, theirs: &str, ours: &str| {
            Err(StoreError::Refused(format!(
                "this database was made with {what} \"{theirs}\", the program runs with \"{ours}\"; that never changes"
            )))
        };
        if self.realm != ours.realm {
            return differs("realm", &self.realm, &ours.realm);
        }
        if self.suite != ours.suite {
            return differs("suite", &self.suite, &ours.suite);
        }
        if self.origin != ours.origin {
            return differs("log origin", &self.origin, &ours.origin);
        }
        if self.log_key != ours.log_key {
            return Err(StoreError::Refused(
                "the key file is not the one that this database was made with: its log key differs".into(),
            ));
        }
        Ok(())
    }
}
