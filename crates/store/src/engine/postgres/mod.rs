//! PostgreSQL: a pool of connections, each checked before its first use.
//!
//! Connections are not encrypted yet, so hosts other than this machine are refused: use a Unix socket,
//! loopback, or a local end of an encrypted tunnel.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use deadpool_postgres::{
    ClientWrapper, Hook, HookError, Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Runtime,
};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join};
use tokio::sync::RwLock;
use tokio_postgres::config::Host;
use tokio_postgres::{Config, NoTls, SimpleQueryMessage};

use super::{DbError, Row, Sql, Tx, Value};

pub(crate) mod statement;

/// To reach the server, or to get a connection out of the pool.
const CONNECT: Duration = Duration::from_secs(5);

/// How long data may stay unacknowledged by the server's machine before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(10);

/// For a COMMIT, which may wait for a standby. After it the outcome is uncertain.
const COMMIT: Duration = Duration::from_secs(60);

/// How often a transaction is tried in all.
const TRIES: u32 = 10;

/// After so many collisions a transaction waits until it is the only one of this process.
const ALONE: u32 = 3;

/// The session of every connection. Whatever is not begun as a transaction that writes is read-only.
/// Statements are stopped after 15 seconds, and transactions that do nothing after 30.
const SESSION: &str = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY;
    SET synchronous_commit = on; SET client_encoding = 'UTF8'; SET standard_conforming_strings = on;
    SET statement_timeout = '15s'; SET idle_in_transaction_session_timeout = '30s'";

/// What must hold on every connection; after a fail-over it may be another server than before.
const CHECKS: &str = "SELECT current_setting('server_version_num')::int >= 130000,
    current_setting('server_encoding') = 'UTF8', current_setting('synchronous_commit') = 'on',
    current_setting('fsync') = 'on', NOT pg_is_in_recovery(), current_schema() IS NOT NULL";

/// What to say about each of the checks.
const FAULTS: [&str; 6] = [
    "PostgreSQL 13 or newer is needed",
    "the database's encoding must be UTF8",
    "synchronous_commit must be on",
    "fsync must be on, or nothing that is committed is safe",
    "this server is a standby; connect to the primary",
    "the schema does not exist; create it first",
];

/// A write transaction, as strict as SQLite's only writer.
const BEGIN_WRITE: &str = "BEGIN ISOLATION LEVEL SERIALIZABLE READ WRITE";

/// A transaction for migrations, which wait for each other at a lock: each statement sees what the
/// other process has done meanwhile. They may take longer than other statements.
const BEGIN_MIGRATION: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE;
    SET LOCAL statement_timeout = 0; SELECT pg_advisory_xact_lock(hashtextextended(current_schema(), 1835626355))";

/// A reader that sees one moment.
const BEGIN_SNAPSHOT: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// A time-out during the wait for a standby would make an unreplicated COMMIT look like any other.
const END: &str = "SET LOCAL statement_timeout = 0; COMMIT";

/// An open PostgreSQL database.
pub(super) struct Postgres {
    pool: Pool,
    /// Shared by transactions, held alone by one that collided too often.
    turn: RwLock<()>,
}

impl Postgres {
    /// Opens the pool and checks the server with a first connection.
    pub(super) async fn open(url: &str, schema: Option<&str>, size: usize) -> Result<Self, DbError> {
        let config = parse(url)?;
        let session: Arc<str> = session(schema)?.into();
        let fast = ManagerConfig {
            recycling_method: RecyclingMethod::Fast,
        };
        let prepare = Hook::async_fn(move |client: &mut ClientWrapper, _| {
            let session = Arc::clone(&session);
            Box::pin(async move { prepare(client, &session).await.map_err(HookError::message) })
        });
        let pool = Pool::builder(Manager::from_config(config, NoTls, fast))
            .max_size(size.max(1))
            .runtime(Runtime::Tokio1)
            .wait_timeout(Some(CONNECT))
            .create_timeout(Some(CONNECT))
            .post_create(prepare)
            .build()
            .map_err(|_| DbError::Open("the pool cannot be made".to_owned()))?;
        drop(pool.get().await.map_err(|error| DbError::Open(refusal(&error)))?);
        Ok(Self {
            pool,
            turn: RwLock::new(()),
        })
    }

    /// A transaction that is tried again when it collides with another.
    pub(super) async fn write<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync,
        T: Send,
    {
        for tried in 0..TRIES {
            let result = if tried < ALONE {
                let _turn = self.turn.read().await;
                self.transaction(BEGIN_WRITE, &work).await
            } else {
                let _turn = self.turn.write().await;
                self.transaction(BEGIN_WRITE, &work).await
            };
            match result {
                Err(DbError::Contention) => {
                    tokio::time::sleep(Duration::from_millis(1 << tried.min(7))).await;
                }
                result => return result,
            }
        }
        Err(DbError::Contention)
    }

    /// A transaction behind the lock of migrations.
    pub(super) async fn migrate<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync,
        T: Send,
    {
        self.transaction(BEGIN_MIGRATION, &work).await
    }

    /// Runs a body on a connection; in one snapshot if `snapshot`.
    pub(super) async fn read<T, F>(&self, snapshot: bool, work: F) -> Result<T, DbError>
    where
        F: for<'t> FnOnce(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send,
        T: Send,
    {
        let mut lease = self.lease().await?;
        // Outside a transaction there is nothing to undo when the caller goes away.
        lease.clean = !snapshot;
        if snapshot {
            statement::batch(lease.client(), BEGIN_SNAPSHOT).await?;
        }
        let tx = Tx::postgres(lease.client());
        let body = AssertUnwindSafe(async { work(&tx).await }).catch_unwind();
        let result = body.await.unwrap_or(Err(DbError::Panicked));
        if snapshot {
            lease.clean = lease.client().batch_execute("ROLLBACK").await.is_ok();
        }
        result
    }

    /// The rows of one statement.
    pub(super) async fn query(&self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, DbError> {
        let mut lease = self.lease().await?;
        lease.clean = true;
        statement::query(lease.client(), sql.postgres, params).await
    }

    async fn transaction<T, F>(&self, begin: &str, work: &F) -> Result<T, DbError>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync,
        T: Send,
    {
        let mut lease = self.lease().await?;
        let tx = Tx::postgres(lease.client());
        let body = AssertUnwindSafe(async { work(&tx).await }).catch_unwind();
        // BEGIN and the first statement travel together. If BEGIN failed, the statement would meet a
        // session that is read-only.
        let (begun, result) = join(statement::batch(lease.client(), begin), body).await;
        let result = begun.and(tx.outcome(result.unwrap_or(Err(DbError::Panicked))));
        if result.is_ok() {
            let committed = commit(lease.client()).await;
            lease.clean = !matches!(committed, Err(DbError::Uncertain(_)));
            committed?;
        } else {
            lease.clean = lease.client().batch_execute("ROLLBACK").await.is_ok();
        }
        result
    }

    async fn lease(&self) -> Result<Lease, DbError> {
        let object = self
            .pool
            .get()
            .await
            .map_err(|error| DbError::Unavailable(refusal(&error)))?;
        Ok(Lease {
            object: Some(object),
            clean: false,
        })
    }
}

/// Makes a schema that is missing. Where it is there, the user needs no right to make any.
pub(super) async fn create_schema(url: &str, schema: &str) -> Result<(), DbError> {
    const IS_THERE: &str = "SELECT 1 FROM pg_namespace WHERE nspname = $1";
    checked(schema)?;
    let open = |error: tokio_postgres::Error| DbError::Open(cause(&error));
    let (client, connection) = parse(url)?.connect(NoTls).await.map_err(open)?;
    let connection = tokio::spawn(connection);
    let is_there = async || {
        client
            .query_opt(IS_THERE, &[&schema])
            .await
            .map(|row| row.is_some())
    };
    let mut made = Ok(());
    if !is_there().await.map_err(open)? {
        made = client
            .batch_execute(&format!("CREATE SCHEMA IF NOT EXISTS \"{schema}\""))
            .await;
        // Of two that make it at once one may be refused, and finds it there.
        if made.is_err() && is_there().await.map_err(open)? {
            made = Ok(());
        }
    }
    drop(client);
    // The connection ends with its client; nothing is left to be known of it.
    drop(connection.await);
    made.map_err(|error| DbError::Open(format!("the schema {schema} cannot be made: {}", cause(&error))))
}

/// A connection out of the pool. It goes back only when it is known to be outside any transaction;
/// otherwise, when the caller went away in the middle, say, it is closed and the server rolls back.
struct Lease {
    object: Option<Object>,
    clean: bool,
}

impl Lease {
    fn client(&self) -> &ClientWrapper {
        self.object.as_ref().expect("taken when dropped only") // INVARIANT: only `drop` takes it.
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(object) = self.object.take().filter(|_| !self.clean) {
            drop(Object::take(object));
        }
    }
}

/// Commits. Only an answer that says so in so many words means that nothing was committed; silence, a
/// shutdown, and whatever else the server may say leave it open.
async fn commit(client: &ClientWrapper) -> Result<(), DbError> {
    let Ok(answer) = tokio::time::timeout(COMMIT, client.batch_execute(END)).await else {
        return Err(DbError::Uncertain(
            "PostgreSQL did not answer COMMIT in time".to_owned(),
        ));
    };
    answer.map_err(|error| match error.code().map(|code| code.code()) {
        Some("40001" | "40P01") => DbError::Contention,
        Some(code) if code.starts_with("23") => statement::failed(&error, "COMMIT"),
        Some(code) => DbError::Uncertain(format!("PostgreSQL reports {code} at COMMIT")),
        None => DbError::Uncertain("the connection to PostgreSQL was lost at COMMIT".to_owned()),
    })
}

/// The connection's settings; refuses hosts that are not this machine.
fn parse(url: &str) -> Result<Config, DbError> {
    // The URL may hold a password, and the driver's message a part of the URL.
    let mut config: Config = url.parse().map_err(|_| {
        DbError::Open("the PostgreSQL URL is malformed (postgres://user@host/database)".to_owned())
    })?;
    let far = config.get_hosts().iter().any(|host| match host {
        Host::Tcp(name) => {
            name != "localhost" && !name.parse().is_ok_and(|ip: std::net::IpAddr| ip.is_loopback())
        }
        #[cfg(unix)]
        Host::Unix(_) => false,
    });
    if far || config.get_hostaddrs().iter().any(|ip| !ip.is_loopback()) {
        return Err(DbError::Open(
            "connections to PostgreSQL are not encrypted yet, so it must be on this machine: use a Unix \
             socket, 127.0.0.1, or the local end of an encrypted tunnel"
                .to_owned(),
        ));
    }
    config
        .connect_timeout(CONNECT)
        .tcp_user_timeout(SILENCE)
        .keepalives_idle(SILENCE);
    if config.get_application_name().is_none() {
        config.application_name("mingcha");
    }
    Ok(config)
}

/// What is said to every new connection.
fn session(schema: Option<&str>) -> Result<String, DbError> {
    let Some(schema) = schema else {
        return Ok(SESSION.to_owned());
    };
    checked(schema)?;
    Ok(format!("{SESSION}; SET search_path TO \"{schema}\""))
}

/// The name of a schema becomes part of a statement, so it has letters that mean nothing else.
fn checked(schema: &str) -> Result<(), DbError> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    if schema.is_empty() || schema.len() > 63 || !schema.chars().all(plain) {
        return Err(DbError::Open(
            "a schema's name has 1 to 63 of a-z, 0-9 and _".to_owned(),
        ));
    }
    Ok(())
}

/// Sets a new connection up and checks what must hold on it; the error says what to change.
async fn prepare(client: &ClientWrapper, session: &str) -> Result<(), String> {
    let said = |error: tokio_postgres::Error| cause(&error);
    client.batch_execute(session).await.map_err(said)?;
    let answer = client.simple_query(CHECKS).await.map_err(said)?;
    let row = answer.iter().find_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some(row),
        _ => None,
    });
    let row = row.ok_or_else(|| "the server does not answer".to_owned())?;
    let wrong = FAULTS
        .iter()
        .enumerate()
        .find(|(at, _)| row.get(*at) != Some("t"));
    wrong.map_or(Ok(()), |(_, fault)| Err((*fault).to_owned()))
}

/// Why there is no connection.
fn refusal(error: &PoolError) -> String {
    match error {
        PoolError::Timeout(_) => "no connection to PostgreSQL within five seconds".to_owned(),
        PoolError::Backend(error) | PoolError::PostCreateHook(HookError::Backend(error)) => cause(error),
        PoolError::PostCreateHook(HookError::Message(text)) => text.to_string(),
        _ => "the connection pool is closed".to_owned(),
    }
}

/// What happened while connecting. Before the first statement a message can only speak of server,
/// user and database.
fn cause(error: &tokio_postgres::Error) -> String {
    use std::error::Error;
    match (error.as_db_error(), error.source()) {
        (Some(refused), _) => refused.message().to_owned(),
        (None, Some(source)) => source.to_string(),
        (None, None) => "PostgreSQL cannot be reached".to_owned(),
    }
}
