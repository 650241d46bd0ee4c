//! The protocols: how a source is reached, and how each of its routes is asked there. Whatever the way, one answer
//! comes back, which [`crate::route::Route`] reads.

use std::{ops::Range, sync::Arc, time::Duration};

use domain::words::Mode;

use crate::{
    dial::Realm,
    drops::{DropWay, Drops},
    file::{Protocol, Raw, RawServes, SourceError, SourceFile},
    http::{Http, HttpWay},
    outcomes::Outcomes,
    request::Scope,
    sql::{Sql, SqlWay},
};

/// How one source is reached.
pub(crate) enum Transport {
    /// A body by POST.
    Http(Box<Http>),
    /// A front-end database.
    Sql(Sql),
    /// Files that are dropped.
    Drops(Arc<Drops>),
}

/// How one route is asked.
pub(crate) enum Way {
    /// A path and the body of a request.
    Http(HttpWay),
    /// A statement.
    Sql(SqlWay),
    /// What finds its rows.
    Drop(DropWay),
}

impl Transport {
    /// Checks what a file says about its protocol. `bounds` are questions at once and bytes of an answer.
    pub(crate) fn compile(
        file: &SourceFile,
        raw: &Raw,
        realm: Realm,
        bounds: (usize, usize),
        deadline: Duration,
    ) -> Result<Self, SourceError> {
        match raw.protocol {
            Protocol::Http => {
                Http::compile(file, raw, realm, bounds).map(|http| Transport::Http(Box::new(http)))
            }
            Protocol::Sql => Sql::compile(file, raw, realm, bounds, deadline).map(Transport::Sql),
            Protocol::File => Drops::compile(file, raw, realm).map(|drops| Transport::Drops(Arc::new(drops))),
        }
    }

    /// Checks how a route is asked.
    pub(crate) fn way(
        &self,
        file: &SourceFile,
        line: &Range<usize>,
        scope: &Scope<'_>,
        mode: Mode,
        raw: &RawServes,
    ) -> Result<Way, SourceError> {
        match self {
            Transport::Http(http) => http.way(file, line, scope, mode, raw).map(Way::Http),
            Transport::Sql(sql) => sql.way(file, line, scope, mode, raw).map(Way::Sql),
            Transport::Drops(drops) => DropWay::compile(drops, file, line, scope, mode, raw).map(Way::Drop),
        }
    }
}

impl Way {
    /// What the codes of a table's rows mean, where they carry one.
    pub(crate) fn outcomes(&self) -> Option<&Outcomes> {
        match self {
            Way::Http(_) => None,
            Way::Sql(way) => way.outcomes(),
            Way::Drop(way) => way.outcomes(),
        }
    }
}
