//! Single statements on a SQLite connection.

use rusqlite::types::{ToSqlOutput, ValueRef};
use rusqlite::{CachedStatement, Connection, ToSql, ffi};

use super::plan;
use crate::engine::tx::MAX_ROWS;
use crate::engine::{DbError, Insert, Row, Value};

/// All rows of a statement.
pub(crate) fn query(
    connection: &Connection,
    sql: &'static str,
    params: &[Value],
) -> Result<Vec<Row>, DbError> {
    rows(&mut prepared(connection, sql)?, sql, params)
}

/// The rows of a statement for each set of parameters.
pub(crate) fn query_many(
    connection: &Connection,
    sql: &'static str,
    params: &[Vec<Value>],
) -> Result<Vec<Vec<Row>>, DbError> {
    let mut statement = prepared(connection, sql)?;
    params.iter().map(|one| rows(&mut statement, sql, one)).collect()
}

fn rows(
    statement: &mut CachedStatement<'_>,
    sql: &'static str,
    params: &[Value],
) -> Result<Vec<Row>, DbError> {
    bind(statement, sql, params)?;
    let columns = statement.column_count();
    let mut cursor = statement.raw_query();
    let mut rows = Vec::new();
    while let Some(row) = cursor.next().map_err(|error| failed(&error, sql))? {
        if rows.len() == MAX_ROWS {
            return Err(DbError::TooMany { sql, limit: MAX_ROWS });
        }
        let mut cells = Vec::with_capacity(columns);
        for at in 0..columns {
            cells.push(cell(row.get_ref(at).map_err(|error| failed(&error, sql))?, sql)?);
        }
        rows.push(Row::new(cells, rows.len()));
    }
    Ok(rows)
}

/// Runs a statement and returns how many rows it touched. Rows that it returns are passed over.
pub(crate) fn execute(connection: &Connection, sql: &str, params: &[Value]) -> Result<u64, DbError> {
    let mut statement = prepared(connection, sql)?;
    run(connection, &mut statement, sql, params)
}

/// Runs a statement for each set of parameters and returns how many rows each run touched.
pub(crate) fn execute_many(
    connection: &Connection,
    sql: &str,
    params: &[Vec<Value>],
) -> Result<Vec<u64>, DbError> {
    let mut statement = prepared(connection, sql)?;
    params
        .iter()
        .map(|one| run(connection, &mut statement, sql, one))
        .collect()
}

/// One prepared statement, run for each row.
pub(crate) fn insert_many(
    connection: &Connection,
    insert: &Insert,
    rows: &[Vec<Value>],
) -> Result<u64, DbError> {
    let sql = insert.one_row();
    let mut statement = prepared(connection, &sql)?;
    let mut touched = 0;
    for row in rows {
        touched += run(connection, &mut statement, &sql, row)?;
    }
    Ok(touched)
}

/// Several statements without parameters.
pub(crate) fn batch(connection: &Connection, text: &str) -> Result<(), DbError> {
    connection
        .execute_batch(text)
        .map_err(|error| unbound(&error, text))
}

fn prepared<'c>(connection: &'c Connection, sql: &str) -> Result<CachedStatement<'c>, DbError> {
    if cfg!(debug_assertions) {
        plan::must_search(connection, sql)?;
    }
    connection
        .prepare_cached(sql)
        .map_err(|error| unbound(&error, sql))
}

/// An error where no value is bound: SQLite's message can only speak of the statement's text.
fn unbound(error: &rusqlite::Error, sql: &str) -> DbError {
    match error {
        rusqlite::Error::SqlInputError { msg, .. } => DbError::statement(msg, sql),
        rusqlite::Error::SqliteFailure(code, Some(message)) if code.extended_code == ffi::SQLITE_ERROR => {
            DbError::statement(message, sql)
        }
        _ => failed(error, sql),
    }
}

fn run(
    connection: &Connection,
    statement: &mut CachedStatement<'_>,
    sql: &str,
    params: &[Value],
) -> Result<u64, DbError> {
    bind(statement, sql, params)?;
    let before = connection.total_changes();
    let mut cursor = statement.raw_query();
    while cursor.next().map_err(|error| failed(&error, sql))?.is_some() {}
    drop(cursor);
    // A statement that changes nothing leaves `changes()` of the one before it.
    Ok(if connection.total_changes() == before {
        0
    } else {
        connection.changes()
    })
}

fn bind(statement: &mut CachedStatement<'_>, sql: &str, params: &[Value]) -> Result<(), DbError> {
    if statement.parameter_count() != params.len() {
        return Err(DbError::statement(
            "the number of parameters is not that of the placeholders",
            sql,
        ));
    }
    for (at, value) in (1..).zip(params) {
        if cfg!(debug_assertions) && statement.parameter_name(at) != Some(format!("${at}").as_str()) {
            return Err(DbError::statement(
                "placeholders must first appear in the order $1, $2, ...",
                sql,
            ));
        }
        if matches!(value, Value::Text(text) if text.contains('\0')) {
            return Err(DbError::statement("text must not contain NUL", sql));
        }
        statement
            .raw_bind_parameter(at, value)
            .map_err(|error| failed(&error, sql))?;
    }
    Ok(())
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Int(value) => ValueRef::Integer(*value),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
            Self::Blob(bytes) => ValueRef::Blob(bytes),
        }))
    }
}

fn cell(value: ValueRef<'_>, sql: &'static str) -> Result<Value, DbError> {
    Ok(match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => Value::Int(number),
        // Text that is not UTF-8 is a corrupt row; as bytes it fails where the column's name is known.
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => Value::Text(text.to_owned()),
            Err(_) => Value::Blob(bytes.into()),
        },
        ValueRef::Blob(bytes) => Value::Blob(bytes.into()),
        ValueRef::Real(_) => {
            return Err(DbError::statement(
                "a column is neither number, text nor bytes",
                sql,
            ));
        }
    })
}

/// What SQLite reports while a statement runs. Messages are used only where they name a constraint.
pub(crate) fn failed(error: &rusqlite::Error, sql: &str) -> DbError {
    let rusqlite::Error::SqliteFailure(code, message) = error else {
        return DbError::statement("the driver refuses the statement", sql);
    };
    let message = message.as_deref().unwrap_or_default();
    match (code.extended_code, code.extended_code & 0xff) {
        (
            ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY | ffi::SQLITE_CONSTRAINT_ROWID,
            _,
        ) => {
            let (table, constraint) = constraint(message);
            DbError::Unique { table, constraint }
        }
        (_, ffi::SQLITE_CONSTRAINT) => {
            let (table, constraint) = constraint(message);
            DbError::Constraint { table, constraint }
        }
        (_, ffi::SQLITE_FULL) => DbError::Full,
        (_, ffi::SQLITE_BUSY | ffi::SQLITE_LOCKED) => DbError::Contention,
        (extended, ffi::SQLITE_IOERR | ffi::SQLITE_CANTOPEN | ffi::SQLITE_NOMEM | ffi::SQLITE_PROTOCOL) => {
            DbError::Unavailable(format!(
                "SQLite reports {extended}: {}",
                ffi::code_to_str(extended)
            ))
        }
        (extended, ffi::SQLITE_CORRUPT | ffi::SQLITE_NOTADB) => DbError::Open(format!(
            "the file is damaged (SQLite {extended}); restore it from a backup"
        )),
        (extended, _) => DbError::statement(format!("{extended}: {}", ffi::code_to_str(extended)), sql),
    }
}

/// Table and constraint out of `UNIQUE constraint failed: t.a, t.b`. Only names of the schema stand
/// behind the colon; what looks otherwise (a trigger's own text) is left out.
fn constraint(message: &str) -> (String, String) {
    let Some((kind, names)) = message.split_once(" constraint failed: ") else {
        return (
            String::new(),
            message
                .split(" constraint")
                .next()
                .map_or_else(String::new, kind_only),
        );
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ',' | ' ');
    if !names.chars().all(plain) {
        return (String::new(), kind_only(kind));
    }
    match names.split_once('.') {
        Some((table, _)) => (table.to_owned(), names.to_owned()),
        None => (String::new(), names.to_owned()),
    }
}

fn kind_only(kind: &str) -> String {
    let known = ["UNIQUE", "NOT NULL", "CHECK", "FOREIGN KEY"].contains(&kind);
    if known {
        kind.to_owned()
    } else {
        "trigger or type".to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_constraint_is_named_and_a_triggers_text_is_not() {
        let pair = |table: &str, name: &str| (table.to_owned(), name.to_owned());
        assert_eq!(
            constraint("UNIQUE constraint failed: a.b, a.c"),
            pair("a", "a.b, a.c")
        );
        assert_eq!(
            constraint("CHECK constraint failed: positive"),
            pair("", "positive")
        );
        assert_eq!(
            constraint("FOREIGN KEY constraint failed"),
            pair("", "FOREIGN KEY")
        );
        assert_eq!(
            constraint("row of 'somebody' is sealed"),
            pair("", "trigger or type")
        );
        assert_eq!(
            constraint("CHECK constraint failed: x = 'somebody'"),
            pair("", "CHECK")
        );
    }
}
