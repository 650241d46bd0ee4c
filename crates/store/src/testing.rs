//! Databases for tests, of this crate and of those above it: every case runs on both engines.
//!
//! PostgreSQL is named by `MINGCHA_TEST_POSTGRES`. Where it is missing, the case fails and says so,
//! after it ran on SQLite; it is never skipped.
#![expect(clippy::panic, reason = "a test without its database must fail, loudly")]

use std::{
    io::Write,
    panic::{AssertUnwindSafe, resume_unwind},
};

use futures_util::FutureExt;
use tempfile::TempDir;
use tokio_postgres::NoTls;

use crate::engine::{Db, DbConfig};

/// The variable that names the PostgreSQL database for tests.
pub const VARIABLE: &str = "MINGCHA_TEST_POSTGRES";

/// The variable that names a file in which each case that passed is written down; without it nothing is.
pub const CASES: &str = "MINGCHA_TEST_CASES";

/// Writes down that the case of this test passed on this engine, so that a run can tell how many did on each.
///
/// # Panics
/// Where the file that [`CASES`] names cannot be written.
pub fn passed(engine: &str) {
    let Some(file) = std::env::var_os(CASES) else {
        return;
    };
    let thread = std::thread::current();
    let line = format!("{engine} {}\n", thread.name().unwrap_or_default());
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(&file);
    // One write of one short line: what runs at the same time does not mix with it.
    let written = opened.and_then(|mut file| file.write_all(line.as_bytes()));
    written.unwrap_or_else(|error| panic!("{CASES}: {}: {error}", file.display()));
}

/// A new SQLite database in a folder that goes away with the first value.
pub async fn sqlite() -> (TempDir, DbConfig) {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary folder: {error}"));
    let path = folder.path().join("mingcha.sqlite");
    (folder, DbConfig::Sqlite { path, readers: 4 })
}

/// A schema of its own in the PostgreSQL database for tests.
pub struct PgSchema {
    /// How to open it.
    pub config: DbConfig,
    /// Its name.
    pub name: String,
    url: String,
}

/// A new schema in the database that [`VARIABLE`] names. The caller [removes](PgSchema::remove) it.
///
/// # Panics
/// Where the variable is missing or its database cannot be reached.
pub async fn postgres() -> PgSchema {
    let Ok(url) = std::env::var(VARIABLE) else {
        panic!(
            "{VARIABLE} is not set, and every case must also pass on PostgreSQL. Name a database that may \
             be written to, for example {VARIABLE}=postgres://postgres@127.0.0.1:5432/test"
        );
    };
    // The server makes the name, so that runs at the same time do not meet.
    let fresh = "SELECT 'test_' || floor(extract(epoch FROM now()))::bigint || '_' \
                 || replace(gen_random_uuid()::text, '-', '')";
    let client = connect(&url).await;
    sweep(&client).await;
    let row = client
        .query_one(fresh, &[])
        .await
        .unwrap_or_else(|error| panic!("{VARIABLE}: {error}"));
    let name: String = row.get(0);
    let create = format!("CREATE SCHEMA {name}");
    client
        .batch_execute(&create)
        .await
        .unwrap_or_else(|error| panic!("{VARIABLE}: {error}"));
    PgSchema {
        config: DbConfig::Postgres {
            url: url.clone(),
            schema: Some(name.clone()),
            pool: 8,
        },
        name,
        url,
    }
}

impl PgSchema {
    /// Removes the schema and all that is in it.
    pub async fn remove(self) {
        let remove = format!("SET lock_timeout = '10s'; DROP SCHEMA {} CASCADE", self.name);
        let done = connect(&self.url).await.batch_execute(&remove).await;
        done.unwrap_or_else(|error| panic!("the schema {} cannot be removed: {error}", self.name));
    }
}

/// Removes schemas that runs which were killed have left behind, an hour ago or longer.
async fn sweep(client: &tokio_postgres::Client) {
    let old = "SELECT nspname::text FROM pg_namespace WHERE nspname ~ '^test_[0-9]{10}_'
               AND substr(nspname, 6, 10)::bigint < extract(epoch FROM now()) - 3600 LIMIT 20";
    for row in client.query(old, &[]).await.unwrap_or_default() {
        let name: String = row.get(0);
        // Another run may be removing the same one, which is as well.
        let removed = client
            .batch_execute(&format!("DROP SCHEMA IF EXISTS {name} CASCADE"))
            .await;
        drop(removed);
    }
}

async fn connect(url: &str) -> tokio_postgres::Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls)
        .await
        .unwrap_or_else(|error| panic!("{VARIABLE}: {error}"));
    tokio::spawn(connection);
    client
}

/// Runs a case with a new database on SQLite, then with one on PostgreSQL.
pub async fn each_config<F, R>(case: F)
where
    F: Fn(DbConfig) -> R,
    R: Future<Output = ()>,
{
    let (folder, config) = sqlite().await;
    case(config).await;
    drop(folder);
    passed("sqlite");
    let schema = postgres().await;
    let done = AssertUnwindSafe(case(schema.config.clone())).catch_unwind().await;
    schema.remove().await;
    done.unwrap_or_else(|panic| resume_unwind(panic));
    passed("postgres");
}

/// Like [`each_config`], with the database open and empty.
pub async fn each_engine<F, R>(case: F)
where
    F: Fn(Db) -> R,
    R: Future<Output = ()>,
{
    each_config(|config| {
        let case = &case;
        async move {
            let opened = Db::open(&config).await;
            case(opened.unwrap_or_else(|error| panic!("{config:?}: {error}"))).await;
        }
    })
    .await;
}
