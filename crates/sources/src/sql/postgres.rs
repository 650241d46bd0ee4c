//! A front-end database on PostgreSQL.

use std::{
    error::Error as _,
    fmt,
    sync::{Mutex, PoisonError},
};

use bytes::BytesMut;
use domain::outcome::Outcome;
use futures_util::{StreamExt, TryStreamExt, pin_mut};
use serde_json::{Map, Value as Json};
use tokio::task::AbortHandle;
use tokio_postgres::{
    Client, Config, Error, NoTls, Row, Statement,
    config::SslMode,
    error::SqlState,
    types::{Format, FromSql, IsNull, ToSql, Type, to_sql_checked},
};

use super::{Bounds, MAX_ROWS, address::Target, allowance::Allowance, text};
use crate::{
    file::Charset,
    report::{Failure, Problem},
    tls,
};

/// How many columns a statement may give.
const MAX_COLUMNS: usize = 64;
/// How many characters of one column are read: the server cuts it there, and it counts as too large.
const MAX_COLUMN: usize = 256 << 10;

/// Connections to one database.
pub(super) struct Postgres {
    target: Target<Box<Config>>,
    bounds: Bounds,
    idle: Mutex<Vec<Connection>>,
}

/// One connection with the statements that were prepared on it.
pub(super) struct Connection {
    pub(super) client: Client,
    /// The server keeps no encoding, so that nothing was converted.
    raw: bool,
    prepared: Vec<Prepared>,
    /// What the server may still say to this question.
    allowance: Allowance,
    task: AbortHandle,
}

/// A statement whose columns are all given as text.
struct Prepared {
    source: String,
    statement: Statement,
    columns: Vec<(String, Type)>,
}

/// Dropped in the middle of an answer, a connection ends at once rather than when the server is done.
impl Drop for Connection {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Postgres {
    pub(super) fn new(mut target: Target<Box<Config>>, bounds: Bounds) -> Self {
        let mode = if target.roots.is_some() {
            SslMode::Require
        } else {
            SslMode::Disable
        };
        target.config.ssl_mode(mode).application_name("mingcha");
        Postgres {
            target,
            bounds,
            idle: Mutex::new(Vec::new()),
        }
    }

    /// Runs a statement. A kept connection that the server has closed meanwhile is replaced once: a question that
    /// only reads may be put twice.
    pub(super) async fn rows(
        &self,
        statement: &str,
        parameters: &[Option<String>],
    ) -> Result<Vec<Json>, Failure> {
        let kept = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        if let Some(mut connection) = kept.filter(|kept| !kept.client.is_closed()) {
            match self.ask_bounded(&mut connection, statement, parameters).await {
                Err(failure) if failure.problem == Problem::ConnectionBroken => {}
                answered => return self.keep(connection, answered),
            }
        }
        let mut connection = self.connect().await?;
        let answered = self.ask_bounded(&mut connection, statement, parameters).await;
        self.keep(connection, answered)
    }

    fn keep(
        &self,
        connection: Connection,
        answered: Result<Vec<Json>, Failure>,
    ) -> Result<Vec<Json>, Failure> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        // A connection in the middle of an answer that was too large is not worth reading to its end.
        let whole = answered
            .as_ref()
            .map_or_else(|f| f.problem == Problem::StatementRefused, |_| true);
        if whole && idle.len() < self.bounds.idle {
            idle.push(connection);
        }
        answered
    }

    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let allowance = Allowance::new(self.bounds.max_body);
        let connected = self.connect_bounded(allowance.clone()).await;
        connected.map_err(|failure| bounded(&allowance, failure))
    }

    async fn connect_bounded(&self, allowance: Allowance) -> Result<Connection, Failure> {
        let target = &self.target;
        let stream = target.dial(allowance.clone()).await?;
        let (client, task, encoding);
        if let Some(handshake) = target.handshake()? {
            let (made, connection) = target
                .config
                .connect_raw(stream, handshake)
                .await
                .map_err(|e| unconnected(&e))?;
            encoding = connection.parameter("server_encoding").map(str::to_owned);
            (client, task) = (made, tokio::spawn(async move { drop(connection.await) }));
        } else {
            let (made, connection) = target
                .config
                .connect_raw(stream, NoTls)
                .await
                .map_err(|e| unconnected(&e))?;
            encoding = connection.parameter("server_encoding").map(str::to_owned);
            (client, task) = (made, tokio::spawn(async move { drop(connection.await) }));
        }
        let raw = encoding.as_deref() == Some("SQL_ASCII");
        let connection = Connection {
            client,
            raw,
            prepared: Vec::new(),
            allowance,
            task: task.abort_handle(),
        };
        let session = format!(
            "SET default_transaction_read_only = on; SET statement_timeout = {}; \
             SET TimeZone = 'Asia/Shanghai'; SET DateStyle = 'ISO, YMD'{}",
            self.bounds.statement.as_millis(),
            // Else the server would judge what we send by another encoding than the one its rows are in.
            if raw {
                "; SET client_encoding = 'SQL_ASCII'"
            } else {
                ""
            },
        );
        connection
            .client
            .batch_execute(&session)
            .await
            .map_err(|e| explain(&e))?;
        Ok(connection)
    }

    async fn ask_bounded(
        &self,
        connection: &mut Connection,
        statement: &str,
        parameters: &[Option<String>],
    ) -> Result<Vec<Json>, Failure> {
        let allowance = connection.allowance.clone();
        allowance.renew();
        let answered = self.ask(connection, statement, parameters).await;
        answered.map_err(|failure| bounded(&allowance, failure))
    }

    async fn ask(
        &self,
        connection: &mut Connection,
        statement: &str,
        parameters: &[Option<String>],
    ) -> Result<Vec<Json>, Failure> {
        let at = match connection.prepared.iter().position(|p| p.source == statement) {
            Some(at) => at,
            None => {
                connection
                    .prepared
                    .push(prepare(&connection.client, statement).await?);
                connection.prepared.len() - 1
            }
        };
        let charset = if connection.raw {
            self.bounds.charset
        } else {
            Charset::Utf8
        };
        let prepared = &connection.prepared[at];
        let places = prepared.statement.params().len();
        let values = parameters
            .iter()
            .take(places)
            .map(|p| Place::new(p.as_deref(), charset));
        let values = values
            .collect::<Option<Vec<_>>>()
            .ok_or(Failure::new(Outcome::CannotCompare, Problem::NotUtf8))?;
        let stream = connection
            .client
            .query_raw(&prepared.statement, values)
            .await
            .map_err(|e| explain(&e))?;
        let stream = stream.map_err(|e| explain(&e));
        pin_mut!(stream);
        let (mut rows, mut size) = (Vec::new(), 0);
        while let Some(row) = stream.next().await {
            rows.push(read(&row?, prepared, charset, &mut size)?);
            if rows.len() > MAX_ROWS {
                return Err(Failure::bad_answer(Problem::BadRows));
            }
            if size > self.bounds.max_body {
                return Err(Failure::bad_answer(Problem::BodyTooLarge));
            }
        }
        Ok(rows)
    }
}

/// A connection that ended because too much came over it says no more than that it is broken.
fn bounded(allowance: &Allowance, failure: Failure) -> Failure {
    if allowance.is_spent() {
        Failure::bad_answer(Problem::BodyTooLarge)
    } else {
        failure
    }
}

/// Prepares the statement twice: once to learn its columns, and once so that the server gives each as bounded text.
async fn prepare(client: &Client, statement: &str) -> Result<Prepared, Failure> {
    let refused = || Failure::bad_answer(Problem::StatementRefused);
    let known = client.prepare(statement).await.map_err(|e| explain(&e))?;
    let columns: Vec<_> = known
        .columns()
        .iter()
        .map(|c| (c.name().to_owned(), c.type_().clone()))
        .collect();
    if columns.is_empty() || columns.len() > MAX_COLUMNS {
        return Err(refused());
    }
    let cut = MAX_COLUMN + 1;
    let one = |(name, _): &(String, Type)| format!("left(r.\"{}\"::text, {cut})", name.replace('"', "\"\""));
    let list = columns.iter().map(one).collect::<Vec<_>>().join(", ");
    let bounded = format!("SELECT {list} FROM ({statement}\n) AS r LIMIT {}", MAX_ROWS + 1);
    let statement_types: Vec<Type> = known.params().to_vec();
    let prepared = client
        .prepare_typed(&bounded, &statement_types)
        .await
        .map_err(|e| explain(&e))?;
    Ok(Prepared {
        source: statement.to_owned(),
        statement: prepared,
        columns,
    })
}

fn read(row: &Row, prepared: &Prepared, charset: Charset, size: &mut usize) -> Result<Json, Failure> {
    let mut members = Map::new();
    for (at, (name, of_type)) in prepared.columns.iter().enumerate() {
        let bytes: Option<Bytes<'_>> = row
            .try_get(at)
            .map_err(|_| Failure::bad_answer(Problem::BadRows))?;
        let Some(Bytes(bytes)) = bytes else { continue };
        *size += bytes.len();
        let written = text::decode(bytes, charset)?;
        if written.len() > MAX_COLUMN {
            return Err(Failure::bad_answer(Problem::BodyTooLarge));
        }
        let value = match *of_type {
            Type::JSON | Type::JSONB => text::document(&written)?,
            Type::INT2 | Type::INT4 | Type::INT8 => written.parse::<i64>().map_or(Json::Null, Json::from),
            Type::BOOL => Json::Bool(written == "true"),
            Type::TIMESTAMP | Type::TIMESTAMPTZ => Json::String(text::instant(&written)),
            _ => Json::String(written),
        };
        members.insert(name.clone(), value);
    }
    Ok(Json::Object(members))
}

/// A column's bytes, of whatever type.
struct Bytes<'a>(&'a [u8]);

impl<'a> FromSql<'a> for Bytes<'a> {
    fn from_sql(_: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Bytes(raw))
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// A value that the server reads as text, of whatever type its place is.
struct Place(Option<Vec<u8>>);

/// The client writes parameters into its traces.
impl fmt::Debug for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("redacted")
    }
}

impl Place {
    fn new(text: Option<&str>, charset: Charset) -> Option<Self> {
        match text {
            None => Some(Place(None)),
            Some(text) => text::encode(text, charset).map(Some).map(Place),
        }
    }
}

impl ToSql for Place {
    fn to_sql(
        &self,
        _: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match &self.0 {
            None => Ok(IsNull::Yes),
            Some(bytes) => {
                out.extend_from_slice(bytes);
                Ok(IsNull::No)
            }
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    fn encode_format(&self, _: &Type) -> Format {
        Format::Text
    }

    to_sql_checked!();
}

fn unconnected(error: &Error) -> Failure {
    match error.code() {
        Some(_) => explain(error),
        None => Failure::new(
            Outcome::Broken,
            tls::refused(error).unwrap_or(Problem::NotConnected),
        ),
    }
}

/// What an error amounts to: by its code, for its text may hold values.
pub(super) fn explain(error: &Error) -> Failure {
    let Some(code) = error.code() else {
        let broken = error.is_closed() || error.source().is_some_and(|e| e.is::<std::io::Error>());
        let problem = if broken {
            Problem::ConnectionBroken
        } else {
            Problem::BadRows
        };
        let outcome = if broken {
            Outcome::Broken
        } else {
            Outcome::BadAnswer
        };
        return Failure::new(outcome, problem);
    };
    if *code == SqlState::QUERY_CANCELED {
        return Failure::new(Outcome::TimedOut, Problem::DeadlinePassed);
    }
    tracing::warn!(code = told(code), "a front-end database refused");
    refused(code)
}

/// A code as it may be traced: the server chooses it, and only what is made like one is told.
fn told(code: &SqlState) -> &str {
    let code = code.code();
    if code.len() == 5 && code.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        code
    } else {
        "malformed"
    }
}

/// What a code amounts to, by its class: the first two characters (SQL:2011, section 24.1).
fn refused(code: &SqlState) -> Failure {
    match code.code().get(..2) {
        Some("53") => Failure::new(Outcome::Overloaded, Problem::NoPlace),
        Some("57") if *code == SqlState::CANNOT_CONNECT_NOW => {
            Failure::new(Outcome::Maintenance, Problem::NotConnected)
        }
        Some("57" | "08") => Failure::new(Outcome::Broken, Problem::ConnectionBroken),
        Some("28" | "3D") => Failure::new(Outcome::Broken, Problem::NotConnected),
        _ => Failure::bad_answer(Problem::StatementRefused),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_servers_choice_and_is_told_only_where_it_is_one() {
        let refusal = |code: &str| refused(&SqlState::from_code(code)).problem;
        assert_eq!(refusal("53300"), Problem::NoPlace);
        assert_eq!(refusal("28P01"), Problem::NotConnected);
        assert_eq!(told(&SqlState::from_code("XX000")), "XX000");
        let long = "5".repeat(1 << 20);
        // The second byte of 京 is in the middle of it.
        for code in [
            "",
            "5",
            "京",
            "5京",
            "4260",
            "426011",
            "42\n60",
            "42 01",
            "京A",
            long.as_str(),
        ] {
            assert_ne!(refusal(code), Problem::NoPlace, "{}", code.len());
            assert_eq!(told(&SqlState::from_code(code)), "malformed", "{}", code.len());
        }
    }
}
