//! The statements of one transaction, or of one reader, on either engine.

use std::sync::{Mutex, OnceLock};

use deadpool_postgres::ClientWrapper;
use rusqlite::Connection;

use super::sqlite::{Changes, apart, locked, statement as sqlite};
use super::{DbError, Engine, Insert, Row, Sql, Value, postgres::statement as postgres};

/// The greatest number of rows one statement may return; more is [`DbError::TooMany`]. Whoever has to
/// read more does so in pages.
pub const MAX_ROWS: usize = 65_536;

/// A transaction (or a reader) while it lasts.
///
/// On SQLite every future of its methods is ready at once, so a body that awaits nothing else never
/// waits. Once a statement has failed, the transaction can no longer commit, on either engine: its body
/// ends in that first error even if it returns a value.
pub struct Tx<'a> {
    on: On<'a>,
    changes: Changes,
    failed: OnceLock<DbError>,
}

enum On<'a> {
    Sqlite(&'a Mutex<Connection>),
    Postgres(&'a ClientWrapper),
}

impl<'a> Tx<'a> {
    pub(super) fn sqlite(connection: &'a Mutex<Connection>, changes: Changes) -> Self {
        Self {
            on: On::Sqlite(connection),
            changes,
            failed: OnceLock::new(),
        }
    }

    pub(super) fn postgres(client: &'a ClientWrapper) -> Self {
        Self {
            on: On::Postgres(client),
            changes: Changes::Anything,
            failed: OnceLock::new(),
        }
    }

    /// Which engine runs it.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.on {
            On::Sqlite(_) => Engine::Sqlite,
            On::Postgres(_) => Engine::Postgres,
        }
    }

    /// All rows of a statement, at most [`MAX_ROWS`].
    pub async fn query(&self, sql: &Sql, params: &[Value]) -> Result<Vec<Row>, DbError> {
        self.note(match self.on {
            On::Sqlite(connection) => sqlite::query(&locked(connection), sql.sqlite, params),
            On::Postgres(client) => postgres::query(client, sql.postgres, params).await,
        })
    }

    /// The row of a statement that returns one or none.
    pub async fn query_opt(&self, sql: &Sql, params: &[Value]) -> Result<Option<Row>, DbError> {
        at_most_one(self.query(sql, params).await?, self.text(sql))
    }

    /// The row of a statement that returns exactly one; none is [`DbError::NotFound`].
    pub async fn query_one(&self, sql: &Sql, params: &[Value]) -> Result<Row, DbError> {
        self.query_opt(sql, params)
            .await?
            .ok_or(DbError::NotFound { sql: self.text(sql) })
    }

    /// Runs a statement and returns how many rows it touched.
    pub async fn execute(&self, sql: &Sql, params: &[Value]) -> Result<u64, DbError> {
        self.may_change(sql.sqlite)?;
        self.note(match self.on {
            On::Sqlite(connection) => sqlite::execute(&locked(connection), sql.sqlite, params),
            On::Postgres(client) => postgres::execute(client, sql.postgres, params).await,
        })
    }

    /// Inserts many rows into one table and returns how many it inserted or updated: a cached statement
    /// in a loop on SQLite, one statement over arrays on PostgreSQL. With `ON CONFLICT ... DO UPDATE`
    /// no two of the rows may have the same key, which PostgreSQL refuses within one statement.
    pub async fn insert_many(&self, insert: &Insert, rows: &[Vec<Value>]) -> Result<u64, DbError> {
        if rows.is_empty() {
            return Ok(0);
        }
        if cfg!(debug_assertions) {
            self.may_change(&insert.one_row())?;
        }
        self.note(match self.on {
            On::Sqlite(connection) => sqlite::insert_many(&locked(connection), insert, rows),
            On::Postgres(client) => postgres::insert_many(client, insert, rows).await,
        })
    }

    /// Runs one statement for each set of parameters and returns each one's rows, in that order: a loop
    /// on SQLite, pipelined on PostgreSQL, so that it costs about one round trip.
    pub async fn query_many(&self, sql: &Sql, params: &[Vec<Value>]) -> Result<Vec<Vec<Row>>, DbError> {
        self.note(match self.on {
            On::Sqlite(connection) => sqlite::query_many(&locked(connection), sql.sqlite, params),
            On::Postgres(client) => postgres::query_many(client, sql.postgres, params).await,
        })
    }

    /// Runs one statement for each set of parameters and returns how many rows each one touched.
    pub async fn execute_many(&self, sql: &Sql, params: &[Vec<Value>]) -> Result<Vec<u64>, DbError> {
        self.may_change(sql.sqlite)?;
        self.note(match self.on {
            On::Sqlite(connection) => sqlite::execute_many(&locked(connection), sql.sqlite, params),
            On::Postgres(client) => postgres::execute_many(client, sql.postgres, params).await,
        })
    }

    /// Runs several statements without parameters, for migrations.
    pub(super) async fn batch(&self, text: &'static str) -> Result<(), DbError> {
        self.note(match self.on {
            On::Sqlite(connection) => sqlite::batch(&locked(connection), text),
            On::Postgres(client) => postgres::batch(client, text).await,
        })
    }

    /// With debug assertions: whether this statement changes nothing but what the transaction said that it would.
    fn may_change(&self, sql: &str) -> Result<(), DbError> {
        if cfg!(debug_assertions) && self.changes == Changes::Log {
            return self.note(apart::must_change_log_alone(sql));
        }
        Ok(())
    }

    /// The body's result, unless a statement failed and the body went on regardless.
    pub(super) fn outcome<T>(self, result: Result<T, DbError>) -> Result<T, DbError> {
        match (result, self.failed.into_inner()) {
            (Ok(_), Some(error)) => Err(error),
            (result, _) => result,
        }
    }

    /// Remembers the first failure of a statement, after which PostgreSQL can only roll back; SQLite
    /// could go on, and must not, so that both do the same.
    fn note<T>(&self, result: Result<T, DbError>) -> Result<T, DbError> {
        if let Err(error) = &result {
            self.failed.get_or_init(|| error.clone());
        }
        result
    }

    fn text(&self, sql: &Sql) -> &'static str {
        match self.on {
            On::Sqlite(_) => sql.sqlite,
            On::Postgres(_) => sql.postgres,
        }
    }
}

/// The only row, or none.
pub(super) fn at_most_one(mut rows: Vec<Row>, sql: &'static str) -> Result<Option<Row>, DbError> {
    if rows.len() > 1 {
        return Err(DbError::TooMany { sql, limit: 1 });
    }
    Ok(rows.pop())
}
