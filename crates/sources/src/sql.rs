//! The protocol `sql`: a front-end database (前置库), read only, on PostgreSQL, MySQL or MariaDB.
//!
//! One parametrised statement per route; values travel beside it and never in it. The database runs it in a
//! read-only session with a statement timeout, and gives at most as many rows and bytes as were agreed.

mod address;
mod allowance;
mod mysql;
mod postgres;
mod statement;
mod text;
mod tls;
mod trial;

use std::{ops::Range, sync::Arc, time::Duration};

use domain::words::Mode;
use serde::Deserialize;
use serde_json::Value as Json;
use toml::Spanned;

use crate::{
    dial::Realm,
    file::{Charset, Raw, RawServes, SourceError, SourceFile},
    outcomes::Outcomes,
    question::Question,
    report::Failure,
    request::{Parameters, Scope},
};
use address::Address;
use mysql::Mysql;
use postgres::Postgres;
pub(crate) use text::{decode, is_begun};
pub use trial::Trial;

/// How many rows one answer may have; the same as a list, and far more than a record has.
const MAX_ROWS: usize = 500;

/// The table `[sql]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawSql {
    /// Where the URL is: `env:NAME`, `file:PATH`, or in the demo `literal:URL`.
    pub(crate) database: Spanned<String>,
    /// A PEM file of the authority that signed the server's certificate; without it the public ones.
    #[serde(default)]
    pub(crate) ca: Option<Spanned<String>>,
}

/// The way to one database.
pub(crate) struct Sql(Arc<Engine>);

enum Engine {
    Postgres(Postgres),
    Mysql(Mysql),
}

/// What an answer may cost, and how it is written.
#[derive(Clone, Copy)]
struct Bounds {
    /// Connections kept open, as many as there may be questions at once.
    idle: usize,
    /// Bytes of all rows together.
    max_body: usize,
    /// How long one statement may run.
    statement: Duration,
    /// In what the database keeps text where it does not say.
    charset: Charset,
}

/// How one route is asked of a database.
pub(crate) struct SqlWay {
    engine: Arc<Engine>,
    statement: String,
    parameters: Parameters,
    /// For each place its word, where text stands there.
    texts: Vec<Option<String>>,
    outcomes: Option<Outcomes>,
}

impl Sql {
    /// Finds out where the database is. No connection is opened yet.
    pub(crate) fn compile(
        file: &SourceFile,
        raw: &Raw,
        realm: Realm,
        (idle, max_body): (usize, usize),
        statement: Duration,
    ) -> Result<Self, SourceError> {
        let sql = raw
            .sql
            .as_ref()
            .ok_or_else(|| file.wrong_as_a_whole("sql: the table [sql] is missing"))?;
        if raw.has_http() || raw.drops.is_some() {
            return Err(file.wrong_as_a_whole(
                "endpoint, content, [tls], [auth], [signature], [envelope] and [drops] are of other protocols",
            ));
        }
        let address = Address::compile(file, raw.id.get_ref(), sql.get_ref(), realm)?;
        let charset = raw.charset;
        let bounds = Bounds {
            idle,
            max_body,
            statement,
            charset,
        };
        let engine = match address {
            Address::Postgres(target) => Engine::Postgres(Postgres::new(target, bounds)),
            Address::Mysql(target) => Engine::Mysql(Mysql::new(target, bounds)),
        };
        Ok(Sql(Arc::new(engine)))
    }

    /// Checks the statement of a route.
    pub(crate) fn way(
        &self,
        file: &SourceFile,
        line: &Range<usize>,
        scope: &Scope<'_>,
        mode: Mode,
        raw: &RawServes,
    ) -> Result<SqlWay, SourceError> {
        if raw.path.is_some() || !raw.request.is_empty() || !raw.find.is_empty() {
            return Err(file.wrong(line, "`path`, `request` and `find` are of other protocols"));
        }
        let text = raw
            .statement
            .as_ref()
            .ok_or_else(|| file.wrong(line, "a route of sql needs a `statement`"))?;
        let wrong = |problem: String| file.wrong(&text.span(), format!("statement: {problem}"));
        let (statement, words) = match &*self.0 {
            Engine::Postgres(_) => statement::numbered(text.get_ref()),
            Engine::Mysql(_) => statement::in_order(text.get_ref()),
        }
        .map_err(wrong)?;
        let outcome = raw.outcome.as_ref();
        Ok(SqlWay {
            engine: Arc::clone(&self.0),
            parameters: Parameters::compile(scope, &words).map_err(wrong)?,
            texts: trial::texts(scope, &words),
            statement,
            outcomes: outcome
                .map(|o| Outcomes::compile(file, line, mode, o))
                .transpose()?,
        })
    }
}

impl SqlWay {
    /// The codes of a row's own outcome.
    pub(crate) fn outcomes(&self) -> Option<&Outcomes> {
        self.outcomes.as_ref()
    }

    /// What stands in the statement's places; `None` where the question lacks it.
    pub(crate) fn fill(&self, question: &Question) -> Option<Vec<Option<String>>> {
        self.parameters.fill(question)
    }

    /// Runs the statement. Whoever drops the future closes the connection.
    pub(crate) async fn rows(&self, parameters: &[Option<String>]) -> Result<Vec<Json>, Failure> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.rows(&self.statement, parameters).await,
            Engine::Mysql(mysql) => mysql.rows(&self.statement, parameters).await,
        }
    }
}
