//! A front-end database on MySQL or MariaDB.

use std::{
    io::ErrorKind,
    net::IpAddr,
    path::PathBuf,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use domain::outcome::Outcome;
use mysql_async::{
    Column, Conn, DriverError, Error, IoError, Opts, OptsBuilder, Row, SslOpts, Value, consts::ColumnType,
    prelude::Queryable,
};
use serde_json::{Map, Value as Json};

use super::{Bounds, MAX_ROWS, address::Target, text};
use crate::{
    dial,
    file::Charset,
    report::{Failure, Problem},
    tls,
};

/// The character set of a column that is not text, or whose text the server does not convert.
const BINARY: u16 = 63;
/// How long a connection that is given up may take to say so.
const FAREWELL: Duration = Duration::from_secs(1);

/// Connections to one database.
pub(super) struct Mysql {
    target: Target<Opts>,
    bounds: Bounds,
    idle: Mutex<Vec<Conn>>,
}

/// A connection in use. Dropped in the middle of an answer it is closed, and nobody waits for the rest.
struct Lease(Option<Conn>);

impl Drop for Lease {
    fn drop(&mut self) {
        if let Some(connection) = self.0.take() {
            tokio::spawn(tokio::time::timeout(FAREWELL, connection.disconnect()));
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
        if let Some(kept) = kept {
            match self.ask(kept, statement, parameters).await {
                Err(failure) if failure.problem == Problem::ConnectionBroken => {}
                answered => return answered,
            }
        }
        let fresh = self.connect().await?;
        self.ask(fresh, statement, parameters).await
    }

    pub(super) async fn connect(&self) -> Result<Conn, Failure> {
        let target = &self.target;
        let broken = |problem| Failure::new(Outcome::Broken, problem);
        let addresses = dial::addresses(target.realm, &target.host, target.port).await;
        let addresses: Vec<IpAddr> = addresses.map_err(|_| broken(Problem::NotConnected))?;
        if addresses.is_empty() {
            return Err(broken(Problem::AddressRefused));
        }
        let tls = target.tls.as_ref().map(|tls| {
            let named = tls
                .ca
                .iter()
                .map(|path| PathBuf::from(path).into())
                .collect::<Vec<_>>();
            SslOpts::default()
                .with_disable_built_in_roots(!named.is_empty())
                .with_root_certs(named)
        });
        let opts = OptsBuilder::default()
            .ip_or_hostname(target.host.clone())
            .tcp_port(target.port)
            .resolved_ips(Some(addresses))
            .user(target.config.user())
            .pass(target.config.pass())
            .db_name(target.config.db_name())
            .ssl_opts(tls)
            .prefer_socket(false)
            .tcp_nodelay(true)
            .max_allowed_packet(Some(self.bounds.max_body.max(64 << 10)));
        let mut lease = Lease(Some(Conn::new(opts).await.map_err(|e| unconnected(&e))?));
        if let Some(connection) = &mut lease.0 {
            self.prepare(connection).await?;
        }
        lease.0.take().ok_or(broken(Problem::NotConnected))
    }

    /// Makes the session read-only, in China's time, and bounds its statements, by rows and by time: MariaDB in
    /// seconds, MySQL in milliseconds, each by a variable that the other does not know (error 1193). A statement that
    /// stood inside another would lose its order.
    async fn prepare(&self, connection: &mut Conn) -> Result<(), Failure> {
        let refused = |e: Error| explain(&e);
        connection
            .query_drop("SET SESSION TRANSACTION READ ONLY")
            .await
            .map_err(refused)?;
        connection
            .query_drop("SET time_zone = '+08:00'")
            .await
            .map_err(refused)?;
        let rows = format!("SET sql_select_limit = {}", MAX_ROWS + 1);
        connection.query_drop(rows).await.map_err(refused)?;
        let millis = self.bounds.statement.as_millis();
        let (seconds, rest) = (millis / 1000, millis % 1000);
        let of_mariadb = format!("SET SESSION max_statement_time = {seconds}.{rest:03}");
        match connection.query_drop(of_mariadb).await {
            Err(Error::Server(e)) if e.code == 1193 => {
                let of_mysql = format!("SET SESSION max_execution_time = {millis}");
                connection.query_drop(of_mysql).await.map_err(refused)
            }
            set => set.map_err(refused),
        }
    }

    async fn ask(
        &self,
        connection: Conn,
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
        let mut result = match connection.exec_iter(statement, values).await {
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
pub(super) fn explain(error: &Error) -> Failure {
    if let Some(problem) = tls::refused(error) {
        return Failure::new(Outcome::Broken, problem);
    }
    let Error::Server(server) = error else {
        return match error {
            // The packet codec's own errors: larger than agreed, or out of order.
            Error::Io(IoError::Io(e)) if e.kind() == ErrorKind::Other => {
                Failure::bad_answer(Problem::BodyTooLarge)
            }
            Error::Io(_) | Error::Driver(DriverError::ConnectionClosed) => {
                Failure::new(Outcome::Broken, Problem::ConnectionBroken)
            }
            // It has no TLS, and is asked for its certificate.
            Error::Driver(DriverError::NoClientSslFlagFromServer) => {
                Failure::new(Outcome::Broken, Problem::NotConnected)
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
