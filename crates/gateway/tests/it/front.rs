//! The repair shops' front-end database on a real server, under a name of its own for each test.

use domain::time::Timestamp;
use mysql_async::prelude::Queryable;
use tokio_postgres::NoTls;

/// A server of the tests. Nothing is skipped where it is not named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Server {
    Postgres,
    MariaDb,
}

pub(crate) const BOTH: [Server; 2] = [Server::Postgres, Server::MariaDb];

impl Server {
    pub(crate) fn url(self) -> String {
        let variable = match self {
            Server::Postgres => "MINGCHA_TEST_POSTGRES",
            Server::MariaDb => "MINGCHA_TEST_MARIADB",
        };
        std::env::var(variable)
            .unwrap_or_else(|_| panic!("{variable} must name a database that tests may write to"))
    }

    /// Fills a schema of this name from the personas; the source that asks there, by its file's name and text.
    pub(crate) async fn filled(self, schema: &str, now: Timestamp) -> (String, String) {
        let statements = sandbox::repair_tables(now).replace("mingcha_sandbox", schema);
        match self {
            Server::Postgres => {
                let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
                let task = tokio::spawn(connection);
                client.batch_execute(&statements).await.unwrap();
                drop(client);
                task.await.unwrap().unwrap();
            }
            Server::MariaDb => self.fill_mariadb(schema, &statements).await,
        }
        let (name, text) = sandbox::repair_tables_source(&self.url());
        (name, text.replace("mingcha_sandbox", schema))
    }

    /// The same rows; what differs is how the table is made, whose text is kept in GBK.
    async fn fill_mariadb(self, schema: &str, statements: &str) {
        let opts = mysql_async::Opts::from_url(&self.url()).unwrap();
        let mut connection = mysql_async::Conn::new(opts).await.unwrap();
        let make = [
            format!("DROP DATABASE IF EXISTS {schema}"),
            format!("CREATE DATABASE {schema} CHARACTER SET gbk"),
            format!(
                "CREATE TABLE {schema}.wxjl (hphm varchar(16), hpzl char(2), sfzmhm char(18), wxrq date, lc int, \
                 wxqy varchar(80), wxxm varchar(400), gxsj datetime)"
            ),
        ];
        let rows = statements
            .lines()
            .filter(|line| line.starts_with("INSERT"))
            .map(str::to_owned);
        for statement in make.into_iter().chain(rows) {
            connection
                .query_drop(statement.trim_end_matches(';'))
                .await
                .unwrap();
        }
        connection.disconnect().await.unwrap();
    }
}
