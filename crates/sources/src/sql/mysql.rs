//! A front-end database on MySQL or MariaDB.

mod door;
mod relay;

use std::{
    io::ErrorKind,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::outcome::Outcome;
use mysql_async::{
    Column, Conn, DriverError, Error, IoError, Opts, Row, Value, consts::ColumnType, prelude::Queryable,
};
use serde_json::{Map, Value as Json};

use super::{Bounds, MAX_ROWS, address::Target, text};
use crate::{
    file::Charset,
    report::{Failure, Problem},
};
use relay::Relay;

/// The character set of a column that is not text, or whose text the server does not convert.
const BINARY: u16 = 63;
/// How long a connection that is given up may take to say so.
const FAREWELL: Duration = Duration::from_secs(1);
/// A packet may be so long, however short an answer must be: an error has its length too.
const MIN_PACKET: usize = 64 << 10;
/// A packet of one byte more says by its length that it is continued in the next.
const MAX_PACKET: usize = (1 << 24) - 2;

/// Connections to one database.
pub(super) struct Mysql {
    target: Target<Opts>,
    bounds: Bounds,
    idle: Mutex<Vec<Connection>>,
}

/// A connection, and the relay through which it goes.
pub(super) struct Connection {
    pub(super) client: Conn,
    relay: Relay,
}

impl Connection {
    /// What an error of the client's amounts to; where the relay cut the connection, the relay knows better.
    pub(super) fn explain(&self, error: &Error) -> Failure {
        self.relay.word().instead_of(explain(error))
    }

    /// Says goodbye, and waits until that has been passed on.
    pub(super) async fn close(self) {
        let Connection { client, mut relay } = self;
        // That it may not say goodbye changes nothing.
        drop(client.disconnect().await);
        relay.ended().await;
    }
}

/// A connection in use. Dropped in the middle of an answer it is closed, and nobody waits for the rest.
struct Lease(Option<Connection>);

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            tokio::spawn(tokio::time::timeout(FAREWELL, connection.close()));
        }
    }
}

impl Mysql {
    pub(super) fn new(target: Target<Opts>, bounds: Bounds) -> Self {
        Mysql {
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
        if let Some(kept) = kept.filter(|kept| !kept.relay.has_ended()) {
            match self.ask_bounded(kept, statement, parameters).await {
                Err(failure) if failure.problem == Problem::ConnectionBroken => {}
                answered => return answered,
            }
        }
        let fresh = self.connect().await?;
        self.ask_bounded(fresh, statement, parameters).await
    }

    pub(super) async fn connect(&self) -> Result<Connection, Failure> {
        let max_packet = self.bounds.max_body.clamp(MIN_PACKET, MAX_PACKET);
        let (relay, place) = Relay::open(&self.target, self.bounds.max_body, max_packet).await?;
        let config = &self.target.config;
        let opts = place
            .user(config.user())
            .pass(config.pass())
            .db_name(config.db_name())
            .max_allowed_packet(Some(max_packet));
        let word = relay.word();
        let client = Conn::new(opts).await;
        let client = client.map_err(|e| word.instead_of(unconnected(&e)))?;
        let mut lease = Lease(Some(Connection { client, relay }));
        if let Some(connection) = &mut lease.0 {
            let prepared = self.prepare(&mut connection.client).await;
            prepared.map_err(|failure| word.instead_of(failure))?;
        }
        let lost = Failure::new(Outcome::Broken, Problem::NotConnected);
        lease.0.take().ok_or(lost)
    }

    /// Makes the session read-only, in China's time, and bounds its statements, by rows and by time: MariaDB in
    /// seconds, MySQL in milliseconds, each by a variable that the other does not know (error 1193). A statement that
    /// stood inside another would lose its order.
    async fn prepare(&self, client: &mut Conn) -> Result<(), Failure> {
        let refused = |e: Error| explain(&e);
        client
            .query_drop("SET SESSION TRANSACTION READ ONLY")
            .await
            .map_err(refused)?;
        client
            .query_drop("SET time_zone = '+08:00'")
            .await
            .map_err(refused)?;
        let rows = format!("SET sql_select_limit = {}", MAX_ROWS + 1);
        client.query_drop(rows).await.map_err(refused)?;
        let millis = self.bounds.statement.as_millis();
        let (seconds, rest) = (millis / 1000, millis % 1000);
        let of_mariadb = format!("SET SESSION max_statement_time = {seconds}.{rest:03}");
        match client.query_drop(of_mariadb).await {
            Err(Error::Server(e)) if e.code == 1193 => {
                let of_mysql = format!("SET SESSION max_execution_time = {millis}");
                client.query_drop(of_mysql).await.map_err(refused)
            }
            set => set.map_err(refused),
        }
    }

    async fn ask_bounded(
        &self,
        connection: Connection,
        statement: &str,
        parameters: &[Option<String>],
    ) -> Result<Vec<Json>, Failure> {
        let word = connection.relay.word();
        word.renew();
        let answered = self.ask(connection, statement, parameters).await;
        answered.map_err(|failure| word.instead_of(failure))
    }

    async fn ask(
        &self,
        connection: Connection,
        statement: &str,
        parameters: &[Option<String>],
    ) -> Result<Vec<Json>, Failure> {
        let mut lease = Lease(Some(connection));
        let Some(connection) = &mut lease.0 else {
            return Err(Failure::new(Outcome::Broken, Problem::NotConnected));
        };
        let values: Vec<Value> = parameters
            .iter()
            .map(|p| p.clone().map_or(Value::NULL, Value::from))
            .collect();
        let mut result = match connection.client.exec_iter(statement, values).await {
            Ok(result) => result,
            Err(e) => return self.give_back(lease, Err(explain(&e))),
        };
        if has_one_twice(result.columns_ref()) {
            return Err(Failure::bad_answer(Problem::StatementRefused));
        }
        let (mut rows, mut size) = (Vec::new(), 0);
        while let Some(row) = result.next().await.map_err(|e| explain(&e))? {
            rows.push(read(&row, self.bounds.charset, &mut size)?);
            if rows.len() > MAX_ROWS {
                return Err(Failure::bad_answer(Problem::BadRows));
            }
            if size > self.bounds.max_body {
                return Err(Failure::bad_answer(Problem::BodyTooLarge));
            }
        }
        drop(result);
        self.give_back(lease, Ok(rows))
    }

    /// Keeps a connection whose answer was read to its end.
    fn give_back(
        &self,
        mut lease: Lease,
        answered: Result<Vec<Json>, Failure>,
    ) -> Result<Vec<Json>, Failure> {
        let whole = answered
            .as_ref()
            .map_or_else(|f| f.problem == Problem::StatementRefused, |_| true);
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if whole && idle.len() < self.bounds.idle {
            idle.extend(lease.0.take());
        }
        answered
    }
}

/// Two columns of one name would be one member of the answer.
fn has_one_twice(columns: &[Column]) -> bool {
    let names: Vec<_> = columns.iter().map(Column::name_ref).collect();
    names
        .iter()
        .enumerate()
        .any(|(at, name)| names[..at].contains(name))
}

fn read(row: &Row, charset: Charset, size: &mut usize) -> Result<Json, Failure> {
    let mut members = Map::new();
    for (at, column) in row.columns_ref().iter().enumerate() {
        let value = row.as_ref(at).unwrap_or(&Value::NULL);
        if let Some(value) = read_value(column, value, charset, size)? {
            members.insert(column.name_str().into_owned(), value);
        }
    }
    Ok(Json::Object(members))
}

/// A value; `None` for NULL, and for the zero date, by which old tables say the same.
fn read_value(
    column: &Column,
    value: &Value,
    charset: Charset,
    size: &mut usize,
) -> Result<Option<Json>, Failure> {
    *size += 16;
    Ok(Some(match *value {
        Value::NULL | Value::Date(0, 0, 0, ..) => return Ok(None),
        Value::Bytes(ref bytes) => {
            *size += bytes.len();
            let charset = if column.character_set() == BINARY {
                charset
            } else {
                Charset::Utf8
            };
            let written = text::decode(bytes, charset)?;
            if column.column_type() == ColumnType::MYSQL_TYPE_JSON {
                text::document(&written)?
            } else {
                Json::String(written)
            }
        }
        Value::Int(number) => Json::from(number),
        Value::UInt(number) => Json::from(number),
        Value::Float(number) => Json::String(number.to_string()),
        Value::Double(number) => Json::String(number.to_string()),
        Value::Date(year, month, day, ..) if column.column_type() == ColumnType::MYSQL_TYPE_DATE => {
            Json::String(format!("{year:04}-{month:02}-{day:02}"))
        }
        Value::Date(year, month, day, hour, minute, second, _) => Json::String(format!(
            "{year:04}-{month:02}-{day:02} {hour:02}:{minute:02}:{second:02}"
        )),
        Value::Time(..) => Json::String(value.as_sql(true).trim_matches('\'').to_owned()),
    }))
}

/// Where there never was a connection, none broke.
fn unconnected(error: &Error) -> Failure {
    match explain(error) {
        failure if failure.problem == Problem::ConnectionBroken && matches!(error, Error::Io(_)) => {
            Failure::new(Outcome::Broken, Problem::NotConnected)
        }
        failure => failure,
    }
}

/// What an error amounts to: by its code, for its text may hold values.
fn explain(error: &Error) -> Failure {
    let Error::Server(server) = error else {
        return match error {
            // The packet codec's own errors: larger than agreed, or out of order.
            Error::Io(IoError::Io(e)) if e.kind() == ErrorKind::Other => {
                Failure::bad_answer(Problem::BodyTooLarge)
            }
            Error::Io(_) | Error::Driver(DriverError::ConnectionClosed) => {
                Failure::new(Outcome::Broken, Problem::ConnectionBroken)
            }
            _ => Failure::bad_answer(Problem::BadRows),
        };
    };
    match server.code {
        // MariaDB's and MySQL's words for a statement that took too long.
        1969 | 3024 => return Failure::new(Outcome::TimedOut, Problem::DeadlinePassed),
        _ => tracing::warn!(code = server.code, "a front-end database refused"),
    }
    match server.code {
        1040 | 1203 | 1226 => Failure::new(Outcome::Overloaded, Problem::NoPlace),
        1044 | 1045 | 1049 | 1698 => Failure::new(Outcome::Broken, Problem::NotConnected),
        1053 | 1077 | 1317 | 1927 => Failure::new(Outcome::Broken, Problem::ConnectionBroken),
        _ => Failure::bad_answer(Problem::StatementRefused),
    }
}
