//! What is left at a front-end database when a question to it was cut off.

use std::time::Duration;

use domain::outcome::Outcome;
use mysql_async::prelude::Queryable;
use tokio::time::{Instant, sleep};
use tokio_postgres::NoTls;

use crate::{
    front::{BOTH, Engine, about, files, row},
    world::sources,
};

/// How long the statement would run if nobody stopped it.
const SECONDS: u32 = 20;
/// How long after the cut-off the database may still be busy with it.
const SOON: Duration = Duration::from_millis(1500);

impl Engine {
    /// How many statements that name this table run at the moment.
    async fn running(self, table: &str) -> i64 {
        match self {
            Engine::Postgres => {
                let (client, connection) = tokio_postgres::connect(&self.url(), NoTls).await.unwrap();
                let task = tokio::spawn(connection);
                let statement = format!(
                    "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%{table}_car%' \
                     AND pid <> pg_backend_pid()"
                );
                let count = client.query_one(&statement, &[]).await.unwrap().get(0);
                drop(client);
                task.await.unwrap().unwrap();
                count
            }
            Engine::MariaDb => {
                let opts = mysql_async::Opts::from_url(&self.url()).unwrap();
                let mut connection = mysql_async::Conn::new(opts).await.unwrap();
                let statement = format!(
                    "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE '%{table}_car%' \
                     AND ID <> CONNECTION_ID()"
                );
                let count = connection.query_first(statement).await.unwrap().unwrap();
                connection.disconnect().await.unwrap();
                count
            }
        }
    }

    /// Waits until so many run; whether that came in time.
    async fn comes_to(self, table: &str, count: i64, within: Duration) -> bool {
        let begun = Instant::now();
        while self.running(table).await != count {
            if begun.elapsed() > within {
                return false;
            }
            sleep(Duration::from_millis(20)).await;
        }
        true
    }
}

/// Who has given up closes the connection; the database would not notice before it has something to say, and be busy
/// for nobody. It is told beforehand how long a statement may run.
#[tokio::test]
async fn what_was_cut_off_does_not_run_on_at_the_database() {
    for engine in BOTH {
        engine.table("left", &[row("京A12345", 1, "")]).await;
        let sleeps = match engine {
            Engine::Postgres => format!("CASE WHEN pg_sleep({SECONDS}) IS NULL THEN 'x' END"),
            Engine::MariaDb => format!("CASE WHEN SLEEP({SECONDS}) THEN 'x' END"),
        };
        let slow = files("left", &engine.url(), |text| {
            text.replace(
                "SELECT hphm, hpzl, clsbdh,",
                &format!("SELECT {sleeps} AS hphm, hpzl, clsbdh,"),
            )
        });
        let sources = sources(&slow);
        let (answer, ran) = tokio::join!(
            sources.ask(about("京A12345")),
            engine.comes_to("left", 1, Duration::from_secs(1))
        );
        assert_eq!(answer.outcome, Outcome::TimedOut, "{engine:?}");
        assert!(ran, "{engine:?}: it never ran");
        let ends = engine.comes_to("left", 0, SOON).await;
        assert!(ends, "{engine:?}: it runs on");
    }
}
