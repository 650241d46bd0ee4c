//! The engine below the store: SQLite and PostgreSQL behind one set of types, with SQL as constants.
//!
//! A body of a transaction is written once and runs on either engine:
//!
//! ```
//! # use store::engine::{Db, DbError, Sql};
//! const USE: Sql = Sql::both("UPDATE permit SET uses = uses - 1 WHERE id = $1 AND uses > 0");
//!
//! async fn use_once(db: &Db, id: [u8; 16]) -> Result<bool, DbError> {
//!     db.write(move |tx| Box::pin(async move { Ok(tx.execute(&USE, &[id.into()]).await? == 1) })).await
//! }
//! ```
//!
//! What both engines promise: a transaction that [`Db::write`] has answered is durable, is as if it had
//! run alone, and runs to its end even if the caller goes away. Bodies await nothing but their own
//! statements, start no transaction of their own, and may run more than once. Whatever one engine
//! refuses the other refuses too: writing in a reader, going on after a failed statement, text with NUL.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

pub use futures_util::future::BoxFuture;

mod error;
mod migrate;
mod postgres;
mod sql;
mod sqlite;
mod tx;
mod value;

pub use error::DbError;
pub use migrate::Migration;
pub use sql::{Insert, Sql};
pub use tx::{MAX_ROWS, Tx};
pub use value::{Row, Value};

use postgres::Postgres;
use sqlite::{Changes, Sqlite};

/// Which database a [`Db`] speaks to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite, inside this process.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

/// Where the database is.
#[derive(Clone, PartialEq, Eq)]
pub enum DbConfig {
    /// A file of this machine; its folder must exist.
    Sqlite {
        /// The file.
        path: PathBuf,
        /// Connections for readers, as many as there are threads that read at once; and as many again for who reads
        /// people alone.
        readers: usize,
    },
    /// A server, on this machine or at the local end of an encrypted tunnel.
    Postgres {
        /// `postgres://user:password@host:port/database`.
        url: String,
        /// The schema in which the tables are, if not the user's default; it must exist.
        schema: Option<String>,
        /// The greatest number of connections.
        pool: usize,
    },
}

/// Leaves the URL out, which may hold a password.
impl fmt::Debug for DbConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite { path, readers } => f
                .debug_struct("Sqlite")
                .field("path", path)
                .field("readers", readers)
                .finish(),
            Self::Postgres { schema, pool, .. } => f
                .debug_struct("Postgres")
                .field("schema", schema)
                .field("pool", pool)
                .finish_non_exhaustive(),
        }
    }
}

/// An open database; clones share it.
#[derive(Clone)]
pub struct Db {
    on: On,
}

#[derive(Clone)]
enum On {
    Sqlite(Arc<Sqlite>),
    Postgres(Arc<Postgres>),
}

impl Db {
    /// Opens the database and checks that it keeps what it commits. SQLite's file is made if missing.
    pub async fn open(config: &DbConfig) -> Result<Self, DbError> {
        let on = match config {
            DbConfig::Sqlite { path, readers } => On::Sqlite(Arc::new(Sqlite::open(path, *readers)?)),
            DbConfig::Postgres { url, schema, pool } => {
                On::Postgres(Arc::new(Postgres::open(url, schema.as_deref(), *pool).await?))
            }
        };
        Ok(Self { on })
    }

    /// Like [`Db::open`], but a schema that is named and missing is made too.
    pub async fn open_or_create(config: &DbConfig) -> Result<Self, DbError> {
        if let DbConfig::Postgres {
            url,
            schema: Some(schema),
            ..
        } = config
        {
            postgres::create_schema(url, schema).await?;
        }
        Self::open(config).await
    }

    /// Which database this is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.on {
            On::Sqlite(_) => Engine::Sqlite,
            On::Postgres(_) => Engine::Postgres,
        }
    }

    /// One durable transaction, serializable on both engines. `work` may run again after a collision,
    /// so it must be repeatable; an error of its own, of a statement, or a panic rolls everything back.
    ///
    /// # Errors
    /// [`DbError::Uncertain`] when the outcome of COMMIT is unknown: the caller stops the process or
    /// finds out. After any other error nothing was committed.
    pub async fn write<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write_part(Changes::Anything, work).await
    }

    /// The same, which changes nothing but the log: whoever reads by [`Db::query_people`] is not disturbed, and would go on
    /// reading what was before if it changed anything else. With debug assertions such a statement is refused.
    ///
    /// # Errors
    /// As of [`Db::write`].
    pub async fn write_log<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync + 'static,
        T: Send + 'static,
    {
        self.write_part(Changes::Log, work).await
    }

    async fn write_part<T, F>(&self, changes: Changes, work: F) -> Result<T, DbError>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync + 'static,
        T: Send + 'static,
    {
        match &self.on {
            On::Sqlite(sqlite) => sqlite.writer.write(changes, work).await,
            On::Postgres(postgres) => {
                let postgres = Arc::clone(postgres);
                detached(async move { postgres.write(work).await }).await
            }
        }
    }

    /// Leaves nothing of what was deleted in the database's own files, as far as it is in our hands: SQLite
    /// overwrites deleted rows, and here its log is emptied. PostgreSQL keeps dead rows until its next
    /// vacuum and its log until that is recycled, like a backup.
    pub async fn scrub(&self) -> Result<(), DbError> {
        match &self.on {
            On::Sqlite(sqlite) => sqlite.scrub().await,
            On::Postgres(_) => Ok(()),
        }
    }

    /// Reads by several statements, which may see different moments (on PostgreSQL they do). On SQLite
    /// the body runs on this thread, without waiting (a read takes microseconds); what reads much does
    /// so on a thread for blocking work.
    pub async fn read<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: for<'t> FnOnce(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + 'static,
        T: Send + 'static,
    {
        match &self.on {
            On::Sqlite(sqlite) => sqlite.read(work),
            On::Postgres(postgres) => postgres.read(false, work).await,
        }
    }

    /// Like [`Db::read`], but all statements see the same moment.
    pub async fn read_snapshot<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: for<'t> FnOnce(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + 'static,
        T: Send + 'static,
    {
        match &self.on {
            On::Sqlite(sqlite) => sqlite.read(work),
            On::Postgres(postgres) => postgres.read(true, work).await,
        }
    }

    /// Reads by one statement.
    pub async fn query(&self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, DbError> {
        match &self.on {
            On::Sqlite(sqlite) => sqlite.query(sql, params),
            On::Postgres(postgres) => postgres.query(sql, params).await,
        }
    }

    /// Reads by one statement about people, their accounts, sessions and keys, and nothing of the log but how far it has
    /// grown. On SQLite it is as of the last change of any of these by this process, and misses what another process has
    /// changed in the last quarter of a second.
    ///
    /// # Errors
    /// As of [`Db::query`].
    pub async fn query_people(&self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, DbError> {
        match &self.on {
            On::Sqlite(sqlite) => sqlite.query_people(sql, params),
            On::Postgres(postgres) => postgres.query(sql, params).await,
        }
    }

    /// Reads the row of one statement that returns one or none.
    pub async fn query_opt(&self, sql: &Sql, params: &[Value]) -> Result<Option<Row>, DbError> {
        let text = match self.on {
            On::Sqlite(_) => sql.sqlite,
            On::Postgres(_) => sql.postgres,
        };
        tx::at_most_one(self.query(sql, params).await?, text)
    }

    /// A transaction that waits for those of other processes, for migrations only.
    async fn write_migrations<T, F>(&self, work: F) -> Result<T, DbError>
    where
        F: for<'t> Fn(&'t Tx<'t>) -> BoxFuture<'t, Result<T, DbError>> + Send + Sync + 'static,
        T: Send + 'static,
    {
        match &self.on {
            On::Sqlite(sqlite) => sqlite.writer.write(Changes::Anything, work).await,
            On::Postgres(postgres) => {
                let postgres = Arc::clone(postgres);
                detached(async move { postgres.migrate(work).await }).await
            }
        }
    }
}

/// Runs a transaction on a task of its own, so that it ends even if the caller goes away.
async fn detached<T: Send + 'static>(
    transaction: impl Future<Output = Result<T, DbError>> + Send + 'static,
) -> Result<T, DbError> {
    tokio::spawn(transaction).await.unwrap_or_else(|error| {
        // The bodies' panics are caught within, so only the end of the runtime is left, and COMMIT may
        // have been on its way.
        let _: tokio::task::JoinError = error;
        Err(DbError::Uncertain(
            "the program ended during the transaction".to_owned(),
        ))
    })
}
