//! What can go wrong between the store and its database, told without a bound value or a row's content.

/// An error of the database layer.
///
/// No variant carries a bound parameter, a column's content or a server's `detail`: statements are
/// static text, and tables, columns, constraints and codes are names of ours or of the database's.
/// The one exception is [`DbError::Corrupt`], which names the damaged row by its opaque key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DbError {
    /// The database cannot be opened or is not fit to be used; the text says what to change.
    #[error("the database cannot be used: {0}")]
    Open(String),
    /// The database cannot be reached or did not answer; nothing of this transaction was committed.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// Nobody knows whether the transaction was committed. The caller stops the process, or finds out
    /// by what the transaction would have written; it never tries again blindly.
    #[error("it is not known whether the transaction was committed: {0}")]
    Uncertain(String),
    /// The storage is full; nothing of this transaction was committed. It may work again later.
    #[error("the database's storage is full")]
    Full,
    /// A row with this key exists already.
    #[error("table {table} has a row with this key already ({constraint})")]
    Unique {
        /// The table, by the same name on both engines.
        table: String,
        /// PostgreSQL: the constraint's name. SQLite: the columns as `table.a, table.b`.
        constraint: String,
    },
    /// Another constraint (foreign key, check, not null) refuses the row.
    #[error("a constraint of table {table} refuses the row ({constraint})")]
    Constraint {
        /// The table, or empty where the engine does not say.
        table: String,
        /// What the engine names: a constraint, a column, or only the kind.
        constraint: String,
    },
    /// A stored row is not what the program wrote.
    #[error("a corrupt row: {table}.{column} of {row}")]
    Corrupt {
        /// The table.
        table: &'static str,
        /// The column.
        column: &'static str,
        /// The row, by its opaque key or its place in the answer.
        row: String,
    },
    /// No row where exactly one must be.
    #[error("no row where one must be: {sql}")]
    NotFound {
        /// The statement.
        sql: &'static str,
    },
    /// More rows than the statement may return.
    #[error("more than {limit} rows: {sql}")]
    TooMany {
        /// The statement.
        sql: &'static str,
        /// The greatest number of rows allowed.
        limit: usize,
    },
    /// The engine refuses a statement, which is a fault of the program or of the schema.
    #[error("the database refuses a statement ({code}): {sql}")]
    Statement {
        /// SQLSTATE, SQLite's extended code, or a sentence about the statement's text.
        code: String,
        /// The statement.
        sql: String,
    },
    /// Transactions kept colliding; nothing was committed, and all retries are used up.
    #[error("the transaction collided with others too often; try again later")]
    Contention,
    /// The body of a transaction panicked; nothing was committed.
    #[error("the body of a transaction panicked")]
    Panicked,
    /// The body of a transaction waited for something other than its own statements.
    #[error("the body of a transaction waits for something other than its own statements")]
    Waits,
    /// The migrations and the database do not fit together.
    #[error("migration: {0}")]
    Migration(String),
}

impl DbError {
    /// A statement that the engine or the program's own checks refuse.
    pub(crate) fn statement(code: impl Into<String>, sql: impl Into<String>) -> Self {
        Self::Statement {
            code: code.into(),
            sql: sql.into(),
        }
    }
}
