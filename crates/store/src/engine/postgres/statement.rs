//! Single statements on a PostgreSQL connection.

use std::error::Error as StdError;
use std::pin::pin;

use bytes::BytesMut;
use deadpool_postgres::ClientWrapper;
use futures_util::TryStreamExt;
use futures_util::future::try_join_all;
use tokio_postgres::Statement;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type, to_sql_checked};

use crate::engine::tx::MAX_ROWS;
use crate::engine::{DbError, Insert, Row, Value};

/// Statements on their way at once on one connection.
const PIPELINE: usize = 256;

/// Rows sent by one statement.
const CHUNK: usize = 4096;

/// All rows of a statement.
pub(crate) async fn query(
    client: &ClientWrapper,
    sql: &'static str,
    params: &[Value],
) -> Result<Vec<Row>, DbError> {
    let statement = prepared(client, sql).await?;
    fetch(client, &statement, sql, params).await
}

/// Runs a statement and returns how many rows it touched.
pub(crate) async fn execute(
    client: &ClientWrapper,
    sql: &'static str,
    params: &[Value],
) -> Result<u64, DbError> {
    let statement = prepared(client, sql).await?;
    touch(client, &statement, sql, params).await
}

/// One statement for each set of parameters, sent without waiting for the one before.
pub(crate) async fn query_many(
    client: &ClientWrapper,
    sql: &'static str,
    params: &[Vec<Value>],
) -> Result<Vec<Vec<Row>>, DbError> {
    let statement = prepared(client, sql).await?;
    let mut answers = Vec::with_capacity(params.len());
    for chunk in params.chunks(PIPELINE) {
        answers.extend(try_join_all(chunk.iter().map(|one| fetch(client, &statement, sql, one))).await?);
    }
    Ok(answers)
}

/// Like [`query_many`], for statements without rows.
pub(crate) async fn execute_many(
    client: &ClientWrapper,
    sql: &'static str,
    params: &[Vec<Value>],
) -> Result<Vec<u64>, DbError> {
    let statement = prepared(client, sql).await?;
    let mut answers = Vec::with_capacity(params.len());
    for chunk in params.chunks(PIPELINE) {
        answers.extend(try_join_all(chunk.iter().map(|one| touch(client, &statement, sql, one))).await?);
    }
    Ok(answers)
}

/// One statement over one array per column: any number of rows by the same prepared statement.
pub(crate) async fn insert_many(
    client: &ClientWrapper,
    insert: &Insert,
    rows: &[Vec<Value>],
) -> Result<u64, DbError> {
    let one_row = insert.one_row();
    if rows.iter().any(|row| row.len() != insert.columns.len()) {
        return Err(wrong_count(&one_row));
    }
    // The statement for one row is prepared for the types of its columns.
    let single = prepared(client, &one_row).await?;
    if let [row] = rows {
        return touch(client, &single, &one_row, row).await;
    }
    let types: Vec<&str> = single.params().iter().map(Type::name).collect();
    let sql = insert.all_rows(&types);
    let statement = prepared(client, &sql).await?;
    let mut touched = 0;
    for chunk in rows.chunks(CHUNK) {
        let columns: Vec<Vec<&Value>> = (0..insert.columns.len())
            .map(|at| chunk.iter().map(|row| &row[at]).collect())
            .collect();
        touched += client
            .execute_raw(&statement, &columns)
            .await
            .map_err(|error| failed(&error, &sql))?;
    }
    Ok(touched)
}

/// Several statements without parameters.
pub(crate) async fn batch(client: &ClientWrapper, text: &str) -> Result<(), DbError> {
    client
        .batch_execute(text)
        .await
        .map_err(|error| match error.as_db_error() {
            // A script has no parameters, so the message can only speak of its text.
            Some(refused) if !is_known(refused.code()) => {
                DbError::statement(format!("{}: {}", refused.code().code(), refused.message()), text)
            }
            _ => failed(&error, text),
        })
}

async fn prepared(client: &ClientWrapper, sql: &str) -> Result<Statement, DbError> {
    client
        .prepare_cached(sql)
        .await
        .map_err(|error| match error.as_db_error() {
            // Nothing is bound yet, so the message can only speak of the statement's text.
            Some(refused) if !is_known(refused.code()) => {
                DbError::statement(format!("{}: {}", refused.code().code(), refused.message()), sql)
            }
            _ => failed(&error, sql),
        })
}

async fn fetch(
    client: &ClientWrapper,
    statement: &Statement,
    sql: &'static str,
    params: &[Value],
) -> Result<Vec<Row>, DbError> {
    counted(statement, sql, params)?;
    let stream = client
        .query_raw(statement, params)
        .await
        .map_err(|error| failed(&error, sql))?;
    let mut stream = pin!(stream);
    let mut rows = Vec::new();
    while let Some(row) = stream.try_next().await.map_err(|error| failed(&error, sql))? {
        if rows.len() == MAX_ROWS {
            return Err(DbError::TooMany { sql, limit: MAX_ROWS });
        }
        let cells = (0..row.len())
            .map(|at| {
                row.try_get::<_, Value>(at)
                    .map_err(|_| DbError::statement("a column is neither number, text nor bytes", sql))
            })
            .collect::<Result<_, _>>()?;
        rows.push(Row::new(cells, rows.len()));
    }
    Ok(rows)
}

async fn touch(
    client: &ClientWrapper,
    statement: &Statement,
    sql: &str,
    params: &[Value],
) -> Result<u64, DbError> {
    counted(statement, sql, params)?;
    client
        .execute_raw(statement, params)
        .await
        .map_err(|error| failed(&error, sql))
}

fn counted(statement: &Statement, sql: &str, params: &[Value]) -> Result<(), DbError> {
    if statement.params().len() == params.len() {
        Ok(())
    } else {
        Err(wrong_count(sql))
    }
}

fn wrong_count(sql: &str) -> DbError {
    DbError::statement("the number of parameters is not that of the placeholders", sql)
}

/// A value that does not fit the type its statement asks for.
#[derive(Debug, thiserror::Error)]
enum Unfit {
    #[error("a parameter of another type than the statement asks for")]
    Type,
    #[error("text must not contain NUL")]
    Nul,
}

impl ToSql for Value {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Box<dyn StdError + Sync + Send>> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(value), &Type::INT8) => value.to_sql(ty, out),
            (Self::Int(value), &Type::INT4) => {
                i32::try_from(*value).map_err(|_| Unfit::Type)?.to_sql(ty, out)
            }
            (Self::Int(value), &Type::INT2) => {
                i16::try_from(*value).map_err(|_| Unfit::Type)?.to_sql(ty, out)
            }
            (Self::Text(text), &Type::TEXT | &Type::VARCHAR | &Type::NAME) => {
                if text.contains('\0') {
                    return Err(Unfit::Nul.into());
                }
                text.as_str().to_sql(ty, out)
            }
            (Self::Blob(bytes), &Type::BYTEA) => bytes.as_slice().to_sql(ty, out),
            _ => Err(Unfit::Type.into()),
        }
    }

    /// Every type passes here and is judged with the value, so that the error can say what is wrong.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

impl<'a> FromSql<'a> for Value {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(match *ty {
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Int(i32::from_sql(ty, raw)?.into()),
            Type::INT2 => Self::Int(i16::from_sql(ty, raw)?.into()),
            Type::BOOL => Self::Int(bool::from_sql(ty, raw)?.into()),
            Type::BYTEA => Self::Blob(raw.into()),
            _ => Self::Text(String::from_sql(ty, raw)?),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Box<dyn StdError + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(
            *ty,
            Type::INT8
                | Type::INT4
                | Type::INT2
                | Type::BOOL
                | Type::BYTEA
                | Type::TEXT
                | Type::VARCHAR
                | Type::NAME
        )
    }
}

/// Codes that have an error of their own, whatever the statement.
fn is_known(code: &SqlState) -> bool {
    let class = code.code().get(..2).unwrap_or_default();
    matches!(class, "08" | "23" | "40" | "57") || matches!(code.code(), "53100" | "53300")
}

/// What the server reports. Its message, detail and hint may carry values and are never used.
pub(super) fn failed(error: &tokio_postgres::Error, sql: &str) -> DbError {
    let Some(refused) = error.as_db_error() else {
        let cause = error.source();
        if let Some(unfit) = cause.and_then(|cause| cause.downcast_ref::<Unfit>()) {
            return DbError::statement(unfit.to_string(), sql);
        }
        if error.is_closed() || cause.is_some_and(|cause| cause.is::<std::io::Error>()) {
            return DbError::Unavailable("the connection to PostgreSQL was lost".to_owned());
        }
        return DbError::statement("the driver refuses the statement", sql);
    };
    let code = refused.code();
    let name = |text: Option<&str>| text.unwrap_or_default().to_owned();
    match code.code() {
        "40001" | "40P01" => DbError::Contention,
        "23505" => DbError::Unique {
            table: name(refused.table()),
            constraint: name(refused.constraint()),
        },
        "53100" => DbError::Full,
        "57014" => DbError::Unavailable(format!("a statement took longer than allowed (57014): {sql}")),
        _ if code.code().starts_with("23") => DbError::Constraint {
            table: name(refused.table()),
            constraint: name(refused.constraint().or(refused.column())),
        },
        _ if is_known(code) => DbError::Unavailable(format!("PostgreSQL reports {}", code.code())),
        _ => DbError::statement(code.code(), sql),
    }
}
