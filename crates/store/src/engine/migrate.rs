//! Migrations: small, forward only, in one transaction, safe when two processes start at once.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::{Db, DbError, Engine, Row, Sql, Tx};

/// One step of the schema. Steps are numbered upwards and never change once they have shipped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Migration {
    /// Its number; each step's is greater than the one before.
    pub version: u32,
    /// Its name, for people.
    pub name: &'static str,
    /// The statements for SQLite.
    pub sqlite: &'static str,
    /// The statements for PostgreSQL.
    pub postgres: &'static str,
}

const TABLE: Sql = Sql::both(
    "CREATE TABLE IF NOT EXISTS schema_migration (
        version BIGINT NOT NULL PRIMARY KEY,
        name TEXT NOT NULL,
        digest BYTEA NOT NULL,
        applied_us BIGINT NOT NULL
    )",
);

const APPLIED: Sql = Sql::both("SELECT version, name, digest FROM schema_migration ORDER BY version");

const RECORD: Sql =
    Sql::both("INSERT INTO schema_migration (version, name, digest, applied_us) VALUES ($1, $2, $3, $4)");

impl Db {
    /// Brings the schema up to date and returns how many migrations this call applied. `now_us` is
    /// recorded with them (UTC microseconds).
    ///
    /// All that is missing is applied in one transaction, or nothing. Refused with
    /// [`DbError::Migration`]: a database with migrations that this program does not know (it is newer),
    /// and one whose migrations had another text.
    pub async fn migrate(&self, migrations: &[Migration], now_us: i64) -> Result<u32, DbError> {
        if let Some(pair) = migrations
            .windows(2)
            .find(|pair| pair[0].version >= pair[1].version)
        {
            return Err(DbError::Migration(format!("{} is not in order", pair[1].version)));
        }
        let migrations: Arc<[Migration]> = migrations.into();
        self.write_migrations(move |tx| {
            let migrations = Arc::clone(&migrations);
            Box::pin(async move { apply(tx, &migrations, now_us).await })
        })
        .await
    }
}

async fn apply(tx: &Tx<'_>, migrations: &[Migration], now_us: i64) -> Result<u32, DbError> {
    tx.execute(&TABLE, &[]).await?;
    let applied = tx.query(&APPLIED, &[]).await?;
    let mut known = migrations.iter();
    for row in &applied {
        check(row, known.next(), tx.engine())?;
    }
    let mut count = 0;
    for migration in known {
        tx.batch(text(migration, tx.engine())).await?;
        let digest = digest(migration, tx.engine());
        let row = [
            migration.version.into(),
            migration.name.into(),
            digest.into(),
            now_us.into(),
        ];
        tx.execute(&RECORD, &row).await?;
        count += 1;
    }
    Ok(count)
}

/// Is this row of the database the migration that the program has in the same place?
fn check(row: &Row, known: Option<&Migration>, engine: Engine) -> Result<(), DbError> {
    let version = row.int(0, "schema_migration.version")?;
    let Some(known) = known else {
        return Err(DbError::Migration(format!(
            "the database has migration {version}, which this program does not know; run a newer program"
        )));
    };
    if version != i64::from(known.version) {
        return Err(DbError::Migration(format!(
            "the database has migration {version} where this program has {}; they do not belong together",
            known.version
        )));
    }
    let same = row.text(1, "schema_migration.name")? == known.name
        && row.hash(2, "schema_migration.digest")? == digest(known, engine);
    if same {
        return Ok(());
    }
    Err(DbError::Migration(format!(
        "migration {version} ({}) was applied with another text; a migration that has shipped must not change",
        known.name
    )))
}

fn text(migration: &Migration, engine: Engine) -> &'static str {
    match engine {
        Engine::Sqlite => migration.sqlite,
        Engine::Postgres => migration.postgres,
    }
}

fn digest(migration: &Migration, engine: Engine) -> [u8; 32] {
    Sha256::digest(text(migration, engine)).into()
}
