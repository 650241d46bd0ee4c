//! Tries the statements of a source without asking about anybody: the database prepares each, and says what it would
//! give. What it says against one is told in its own words, which know of no value: none has been sent.

use domain::{kind::FieldType, words::Mode};
use mysql_async::prelude::Queryable;
use tokio::time::timeout;

use super::{Engine, SqlWay, mysql::Mysql, postgres::Postgres};
use crate::{
    ask::unharmed,
    report::{Failure, Problem},
    request::Scope,
    route::Route,
    sources::Sources,
    transport::Way,
};

/// What came of trying one statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trial {
    /// The source's id.
    pub source: String,
    /// The kind.
    pub kind: String,
    /// The mode.
    pub mode: Mode,
    /// What is wrong with it, and how to mend it; nothing where it is sound.
    pub faults: Vec<String>,
}

/// What a statement takes and gives.
pub(super) struct Described {
    /// The names of its columns.
    pub(super) columns: Vec<String>,
    /// The places, counted from nought, in which the database expects a number.
    pub(super) numbers: Vec<usize>,
}

/// Why the database does not take it.
pub(super) enum Refusal {
    /// It said so.
    Told(String),
    /// It was not reached, or not understood.
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Refusal::Failed(failure)
    }
}

impl Sources {
    /// Lets the databases of all sources prepare every statement.
    pub async fn try_statements(&self) -> Vec<Trial> {
        let mut trials = Vec::new();
        for source in self.all() {
            for route in source.routes.iter() {
                let Way::Sql(way) = &route.way else { continue };
                let described = timeout(source.deadline, unharmed(way.describe())).await;
                let described = described.unwrap_or_else(|_| {
                    let failure = Failure::new(domain::outcome::Outcome::TimedOut, Problem::DeadlinePassed);
                    Err(Refusal::Failed(failure))
                });
                trials.push(Trial {
                    source: source.info.id.clone(),
                    kind: route.kind.clone(),
                    mode: route.mode,
                    faults: faults(route, way, described),
                });
            }
        }
        trials
    }
}

fn faults(route: &Route, way: &SqlWay, described: Result<Described, Refusal>) -> Vec<String> {
    let described = match described {
        Ok(described) => described,
        Err(Refusal::Told(words)) => {
            return vec![format!(
                "the database says: {words}. {}",
                Problem::StatementRefused.remedy()
            )];
        }
        Err(Refusal::Failed(failure)) => {
            return vec![format!(
                "{}. {}",
                failure.problem.code(),
                failure.problem.remedy()
            )];
        }
    };
    let columns = &described.columns;
    let mut faults = Vec::new();
    if let Some(twice) = columns
        .iter()
        .enumerate()
        .find(|(at, name)| columns[..*at].contains(name))
    {
        faults.push(format!(
            "it gives two columns {}: name one of them anew with AS",
            twice.1
        ));
    }
    for (field, column) in route
        .columns()
        .filter(|(_, column)| !columns.iter().any(|name| name == column))
    {
        faults.push(format!(
            "{field} is mapped to the column {column}, and the statement gives {columns:?}"
        ));
    }
    for place in described.numbers {
        if let Some(Some(word)) = way.texts.get(place) {
            faults.push(format!(
                "the database would read {{{word}}} as a number, which it is not: compare with the column as text, \
                 such as column::text = {{{word}}}"
            ));
        }
    }
    faults
}

/// For each place of a statement its word, where what stands there is text.
pub(super) fn texts(scope: &Scope<'_>, words: &[String]) -> Vec<Option<String>> {
    let Scope::Record { kind, .. } = scope else {
        return Vec::new();
    };
    let keys = kind
        .key
        .iter()
        .map(|key| (format!("key.{}", key.id), &key.of_type));
    let claims = kind
        .claims
        .iter()
        .map(|claim| (format!("claims.{}", claim.id), &claim.of_type));
    let is_number = |of_type: &FieldType| matches!(of_type, FieldType::Integer | FieldType::Money);
    let numbers = keys.chain(claims).filter(|(_, of_type)| is_number(of_type));
    let numbers: Vec<String> = numbers.map(|(word, _)| word).collect();
    words
        .iter()
        .map(|word| (!numbers.contains(word)).then(|| word.clone()))
        .collect()
}

impl SqlWay {
    async fn describe(&self) -> Result<Described, Refusal> {
        match &*self.engine {
            Engine::Postgres(postgres) => postgres.describe(&self.statement).await,
            Engine::Mysql(mysql) => mysql.describe(&self.statement).await,
        }
    }
}

impl Postgres {
    async fn describe(&self, statement: &str) -> Result<Described, Refusal> {
        use tokio_postgres::types::Type;
        let connection = self.connect().await.map_err(Refusal::Failed)?;
        let known = connection
            .client
            .prepare(statement)
            .await
            .map_err(|e| match e.as_db_error() {
                Some(said) => Refusal::Told(said.message().to_owned()),
                None => Refusal::Failed(super::postgres::explain(&e)),
            })?;
        let is_number = |of_type: &Type| {
            [
                Type::INT2,
                Type::INT4,
                Type::INT8,
                Type::NUMERIC,
                Type::FLOAT4,
                Type::FLOAT8,
            ]
            .contains(of_type)
        };
        let params = known.params().iter().enumerate();
        Ok(Described {
            columns: known.columns().iter().map(|c| c.name().to_owned()).collect(),
            numbers: params
                .filter(|(_, of_type)| is_number(of_type))
                .map(|(at, _)| at)
                .collect(),
        })
    }
}

impl Mysql {
    /// It compares a number with a text as numbers and tells nothing of a place's type.
    async fn describe(&self, statement: &str) -> Result<Described, Refusal> {
        let mut connection = self.connect().await.map_err(Refusal::Failed)?;
        let known = connection.client.prep(statement).await;
        let known = known.map_err(|e| match &e {
            mysql_async::Error::Server(said) => Refusal::Told(said.message.clone()),
            _ => Refusal::Failed(connection.explain(&e)),
        });
        let columns = known.map(|known| {
            known
                .columns()
                .iter()
                .map(|c| c.name_str().into_owned())
                .collect()
        });
        connection.close().await;
        Ok(Described {
            columns: columns?,
            numbers: Vec::new(),
        })
    }
}
