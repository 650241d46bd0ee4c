//! A front-end database on both engines: what is there, what is not, and what a bad one can do.

use domain::{kind::Value, outcome::Outcome, words::Mode};
use mysql_async::prelude::Queryable;
use sources::{Answer, Problem, Question, SourceFile, Sources};
use tokio_postgres::NoTls;

use crate::world::{car_question, kinds, list_question, number, sources, text};

pub(crate) const FRONT: &str = include_str!("data/front.toml");

/// A database of the tests. Nothing is skipped where it is not named.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Engine {
    Postgres,
    MariaDb,
}

pub(crate) const BOTH: [Engine; 2] = [Engine::Postgres, Engine::MariaDb];

impl Engine {
    pub(crate) fn url(self) -> String {
        let variable = match self {
            Engine::Postgres => "MINGCHA_TEST_POSTGRES",
            Engine::MariaDb => "MINGCHA_TEST_MARIADB",
        };
        std::env::var(variable)
            .unwrap_or_else(|_| panic!("{variable} must name a database that tests may write to"))
    }

    pub(crate) async fn run(self, statements: &[String]) {
        self.run_on(&self.url(), statements).await;
    }

    async fn run_on(self, url: &str, statements: &[String]) {
        match self {
            Engine::Postgres => {
                let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
                let task = tokio::spawn(connection);
                for statement in statements {
                    client.batch_execute(statement).await.unwrap();
                }
                drop(client);
                task.await.unwrap().unwrap();
            }
            Engine::MariaDb => {
                let opts = mysql_async::Opts::from_url(url).unwrap();
                let mut connection = mysql_async::Conn::new(opts).await.unwrap();
                for statement in statements {
                    connection.query_drop(statement).await.unwrap();
                }
                connection.disconnect().await.unwrap();
            }
        }
    }

    /// A table of cars under a name of its own; on MariaDB its text is kept in GBK.
    pub(crate) async fn table(self, name: &str, rows: &[String]) {
        let (json, instant, tail) = match self {
            Engine::Postgres => ("json", "timestamp", ""),
            Engine::MariaDb => ("text", "datetime", " CHARACTER SET gbk"),
        };
        let make = format!(
            "CREATE TABLE {name}_car (hphm varchar(20), hpzl char(2), clsbdh varchar(20), pp varchar(40), rl int, \
             djrq date, jysj {instant} NULL, zw int, se decimal(10, 2), zt varchar(8), wx {json}, syr varchar(18), \
             gyr varchar(18), gxsj {instant} NULL, bz varchar(8)){tail}"
        );
        let mut statements = vec![format!("DROP TABLE IF EXISTS {name}_car"), make];
        statements.extend(
            rows.iter()
                .map(|row| format!("INSERT INTO {name}_car VALUES ({row})")),
        );
        self.run(&statements).await;
    }
}

pub(crate) fn row(plate: &str, owner: u16, note: &str) -> String {
    format!(
        "'{plate}', '02', NULL, '红旗某牌', 2, '2020-02-29', '2026-01-31 08:00:00', 5, 300.50, 'AG', \
         '[{{\"dd\": \"某地\", \"sj\": \"20260301120000\"}}]', '{}', NULL, '2026-11-21 02:00:00', '{note}'",
        number(owner).expose()
    )
}

pub(crate) fn files(table: &str, url: &str, change: impl Fn(String) -> String) -> Vec<SourceFile> {
    let text = FRONT.replace("TABLE", table).replace("URL", url);
    vec![SourceFile {
        name: "front.toml".into(),
        text: change(text),
    }]
}

fn front(engine: Engine, table: &str) -> Sources {
    sources(&files(table, &engine.url(), |text| text))
}

pub(crate) fn about(plate: &str) -> Question {
    let mut question = car_question();
    question.key.insert("plate".into(), text(plate));
    question
}

fn problem(answer: &Answer) -> Option<Problem> {
    answer.report.as_ref().map(|report| report.problem)
}

#[tokio::test]
async fn a_row_is_a_record() {
    for engine in BOTH {
        engine.table("found", &[row("京A12345", 1, "")]).await;
        let answer = front(engine, "found").ask(about("京A12345")).await;
        assert_eq!(
            (answer.outcome, problem(&answer)),
            (Outcome::Found, None),
            "{engine:?}"
        );
        let record = answer.record.unwrap().0;
        let value = |id: &str| record.get(id).map(Value::text).unwrap_or_default();
        assert_eq!(value("brand"), "红旗某牌", "{engine:?}");
        assert_eq!((value("fuel"), value("seats")), ("electric".into(), "5".into()));
        assert_eq!(
            (value("tax"), value("registered_on")),
            ("30050".into(), "2020-02-29".into())
        );
        assert_eq!(value("inspected_at"), "2026-01-31T00:00:00Z");
        assert!(value("visits").contains("某地") && value("states").contains("sealed"));
        assert!(
            !record.contains_key("vin") && !record.contains_key("co_owner"),
            "NULL is absent"
        );
        let as_of = answer.provenance.unwrap().as_of.unwrap();
        assert_eq!(as_of.rfc3339(), "2026-11-20T18:00:00Z", "{engine:?}");
    }
}

#[tokio::test]
async fn no_row_and_somebody_elses_look_the_same() {
    for engine in BOTH {
        let rows = [row("京A12345", 2, ""), row("京B12345", 2, "loose")];
        engine.table("others", &rows).await;
        let sources = front(engine, "others");
        let mut answers = vec![];
        for plate in ["京A12345", "京B12345", "京C12345"] {
            answers.push(sources.ask(about(plate)).await);
        }
        assert_eq!(problem(&answers[1]), Some(Problem::WrongSubject), "{engine:?}");
        answers[1].report = None;
        assert!(
            answers.iter().all(|a| *a == answers[0]),
            "{engine:?}: {answers:?}"
        );
        assert_eq!(answers[0].outcome, Outcome::NotFound);
    }
}

#[tokio::test]
async fn several_rows_are_ambiguous_unless_all_are_somebody_elses() {
    for engine in BOTH {
        let rows = [
            row("京A12345", 1, ""),
            row("京A12345", 1, ""),
            row("京B12345", 2, "loose"),
            row("京B12345", 3, "loose"),
        ];
        engine.table("twice", &rows).await;
        let sources = front(engine, "twice");
        assert_eq!(
            sources.ask(about("京A12345")).await.outcome,
            Outcome::Ambiguous,
            "{engine:?}"
        );
        let others = sources.ask(about("京B12345")).await;
        assert_eq!(others.outcome, Outcome::NotFound, "{engine:?}");
        assert_eq!(problem(&others), Some(Problem::WrongSubject));
    }
}

#[tokio::test]
async fn a_list_gives_the_subjects_rows() {
    for engine in BOTH {
        let rows = [
            row("京A12345", 1, ""),
            row("京B12345", 2, ""),
            row("京C12345", 1, ""),
        ];
        engine.table("list", &rows).await;
        let answer = front(engine, "list").ask(list_question()).await;
        let plates: Vec<_> = answer.rows.iter().map(|r| r["plate"].text()).collect();
        assert_eq!(plates, ["京A12345", "京C12345"], "{engine:?}");
        engine.table("list", &vec![row("京A12345", 1, ""); 501]).await;
        let answer = front(engine, "list").ask(list_question()).await;
        assert_eq!(
            (answer.outcome, problem(&answer)),
            (Outcome::BadAnswer, Some(Problem::BadRows))
        );
        engine.table("list", &[]).await;
        assert_eq!(
            front(engine, "list").ask(list_question()).await.outcome,
            Outcome::NotFound
        );
    }
}

#[tokio::test]
async fn rows_come_in_the_order_of_the_statement() {
    for engine in BOTH {
        let rows = ["京A12345", "京C12345", "京B12345"].map(|plate| row(plate, 1, ""));
        engine.table("ordered", &rows).await;
        for (order, expected) in [
            ("ORDER BY hphm", ["京A12345", "京B12345", "京C12345"]),
            ("ORDER BY hphm DESC", ["京C12345", "京B12345", "京A12345"]),
        ] {
            let files = files("ordered", &engine.url(), |t| t.replace("ORDER BY hphm", order));
            let answer = sources(&files).ask(list_question()).await;
            let plates: Vec<_> = answer.rows.iter().map(|r| r["plate"].text()).collect();
            assert_eq!(plates, expected, "{engine:?} {order}");
        }
    }
}

#[tokio::test]
async fn a_value_is_never_part_of_the_statement() {
    for engine in BOTH {
        engine.table("quoted", &[row("京A12345", 1, "")]).await;
        let sources = front(engine, "quoted");
        for plate in ["' OR '1'='1", "京A12345' --", "x'); DROP TABLE quoted_car; --"] {
            assert_eq!(
                sources.ask(about(plate)).await.outcome,
                Outcome::NotFound,
                "{engine:?} {plate}"
            );
        }
        assert_eq!(
            sources.ask(about("京A12345")).await.outcome,
            Outcome::Found,
            "{engine:?}"
        );
    }
}

#[tokio::test]
async fn what_stalls_is_cut_off_and_what_follows_is_answered() {
    for engine in BOTH {
        engine.table("slow", &[row("京A12345", 1, "")]).await;
        let sleep = match engine {
            Engine::Postgres => "CASE WHEN pg_sleep(20) IS NULL THEN 'x' END",
            Engine::MariaDb => "CASE WHEN SLEEP(20) THEN 'x' END",
        };
        let url = engine.url();
        let slow = files("slow", &url, |t| {
            t.replace(
                "SELECT hphm, hpzl, clsbdh,",
                &format!("SELECT {sleep} AS hphm, hpzl, clsbdh,"),
            )
        });
        let sources = sources(&slow);
        let begun = tokio::time::Instant::now();
        let answer = sources.ask(about("京A12345")).await;
        assert_eq!(answer.outcome, Outcome::TimedOut, "{engine:?}");
        assert!(
            begun.elapsed().as_millis() < 1900,
            "{engine:?} {:?}",
            begun.elapsed()
        );
        assert_eq!(
            sources.ask(list_question()).await.outcome,
            Outcome::Found,
            "{engine:?}"
        );
    }
}

#[tokio::test]
async fn what_is_not_there_or_refuses_is_told_apart() {
    for engine in BOTH {
        engine.table("broken", &[row("京A12345", 1, "")]).await;
        let ask = async |url: &str, from: &str, to: &str| {
            let sources = sources(&files("broken", url, |t| t.replace(from, to)));
            let answer = sources.ask(about("京A12345")).await;
            (answer.outcome, problem(&answer).unwrap())
        };
        let url = engine.url();
        let refused = (Outcome::BadAnswer, Problem::StatementRefused);
        assert_eq!(
            ask(&url, "clsbdh,", "no_such_column,").await,
            refused,
            "{engine:?}"
        );
        assert_eq!(
            ask(&url, "SELECT hphm, hpzl, clsbdh", "SELECT hphm, hpzl, pp, clsbdh")
                .await
                .0,
            Outcome::BadAnswer
        );
        let lost = ask(&url, "syr, gyr, gxsj\nFROM", "syr, gyr, NULL AS gxsj\nFROM").await;
        assert_eq!(lost, (Outcome::BadAnswer, Problem::AsOfMalformed), "{engine:?}");
        let scheme = url.split("://").next().unwrap();
        let gone = format!("{scheme}://root@127.0.0.1:1/test");
        let broken = ask(&gone, "", "").await;
        assert_eq!(broken.0, Outcome::Broken, "{engine:?}");
    }
}

#[tokio::test]
async fn a_long_answer_is_not_taken() {
    for engine in BOTH {
        engine.table("long", &[row("京A12345", 1, "")]).await;
        let long = files("long", &engine.url(), |t| {
            t.replace(" pp,", " repeat('x', 70000) AS pp,")
        });
        let answer = sources(&long).ask(about("京A12345")).await;
        assert_eq!(answer.outcome, Outcome::BadAnswer, "{engine:?}");
        assert!(
            matches!(problem(&answer), Some(Problem::BodyTooLarge | Problem::BadRows)),
            "{engine:?}"
        );
    }
}

/// A statement may call what writes; the session does not let it.
#[tokio::test]
async fn nothing_can_be_written() {
    for engine in BOTH {
        engine.table("written", &[row("京A12345", 1, "")]).await;
        let function = match engine {
            Engine::Postgres => vec![
                "CREATE OR REPLACE FUNCTION written_now() RETURNS text LANGUAGE plpgsql AS \
                 $$ BEGIN DELETE FROM written_car; RETURN '京A12345'; END $$"
                    .to_owned(),
            ],
            Engine::MariaDb => vec![
                "DROP FUNCTION IF EXISTS written_now".to_owned(),
                "CREATE FUNCTION written_now() RETURNS varchar(20) CHARACTER SET utf8mb4 MODIFIES SQL DATA \
                 BEGIN DELETE FROM written_car; RETURN '京A12345'; END"
                    .to_owned(),
            ],
        };
        engine.run(&function).await;
        let writes = files("written", &engine.url(), |t| {
            t.replace(
                "SELECT hphm, hpzl, clsbdh,",
                "SELECT written_now() AS hphm, hpzl, clsbdh,",
            )
        });
        let answer = sources(&writes).ask(about("京A12345")).await;
        assert_eq!(
            (answer.outcome, problem(&answer)),
            (Outcome::BadAnswer, Some(Problem::StatementRefused)),
            "{engine:?}"
        );
        assert_eq!(
            front(engine, "written").ask(about("京A12345")).await.outcome,
            Outcome::Found,
            "{engine:?}"
        );
    }
}

/// A database that converts nothing (SQL_ASCII) holds GBK: what is asked and what comes are in its own charset.
#[tokio::test]
async fn a_database_without_an_encoding_speaks_its_own_charset() {
    let engine = Engine::Postgres;
    let url = engine.url();
    let ascii = format!("{}/mingcha_ascii", url.rsplit_once('/').unwrap().0);
    engine
        .run(&["DROP DATABASE IF EXISTS mingcha_ascii".into()])
        .await;
    let make =
        "CREATE DATABASE mingcha_ascii ENCODING 'SQL_ASCII' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0";
    engine.run(&[make.into()]).await;
    // 京 is BE A9, 红旗 is BA EC C6 EC.
    let row = row("京A12345", 1, "")
        .replace("'京A12345'", r"E'\xBE\xA9A12345'")
        .replace("'红旗某牌'", r"E'\xBA\xEC\xC6\xEC'")
        .replace("某地", "x");
    let make = "CREATE TABLE a_car (hphm text, hpzl text, clsbdh text, pp text, rl int, djrq date, jysj timestamp, \
                zw int, se numeric, zt text, wx json, syr text, gyr text, gxsj timestamp, bz text)";
    engine
        .run_on(
            &ascii,
            &[make.into(), format!("INSERT INTO a_car VALUES ({row})")],
        )
        .await;
    let answer = sources(&files("a", &ascii, |t| t)).ask(about("京A12345")).await;
    assert_eq!((answer.outcome, problem(&answer)), (Outcome::Found, None));
    assert_eq!(answer.record.unwrap().0["brand"].text(), "红旗");
}

#[tokio::test]
async fn connections_are_kept_and_replaced_when_the_server_closes_them() {
    for engine in BOTH {
        engine.table("kept", &[row("京A12345", 1, "")]).await;
        let make = match engine {
            Engine::Postgres => [
                "DO $$ BEGIN CREATE ROLE mingcha_kept LOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$",
                "GRANT SELECT ON kept_car TO mingcha_kept",
            ],
            Engine::MariaDb => [
                "CREATE USER IF NOT EXISTS mingcha_kept@'%'",
                "GRANT SELECT ON test.* TO mingcha_kept@'%'",
            ],
        };
        engine.run(&make.map(str::to_owned)).await;
        let url = engine.url();
        let (before, after) = url.split_once('@').unwrap();
        let scheme = before.split("://").next().unwrap();
        let own = format!("{scheme}://mingcha_kept@{after}");
        let sources = sources(&files("kept", &own, |t| t));
        assert_eq!(
            sources.ask(about("京A12345")).await.outcome,
            Outcome::Found,
            "{engine:?}"
        );
        let end = match engine {
            Engine::Postgres => {
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mingcha_kept'"
            }
            Engine::MariaDb => "KILL USER mingcha_kept",
        };
        engine.run(&[end.to_owned()]).await;
        assert_eq!(
            sources.ask(about("京A12345")).await.outcome,
            Outcome::Found,
            "{engine:?}"
        );
    }
}

#[test]
fn a_statement_that_is_not_one_is_refused_with_its_line() {
    let load = |from: &str, to: &str| {
        let text = FRONT
            .replace("URL", "postgres://a:hidden@127.0.0.1/x")
            .replacen(from, to, 1);
        let files = [SourceFile {
            name: "front.toml".into(),
            text,
        }];
        let clock = std::sync::Arc::new(domain::time::ManualClock::new(crate::world::NOW));
        let error = Sources::new(&files, kinds(), sources::Realm::Demo, clock, [0; 32]).err();
        error.unwrap_or_else(|| panic!("{to} was accepted")).to_string()
    };
    let check = |from: &str, to: &str, words: &str| {
        let error = load(from, to);
        assert!(
            error.contains(words) && !error.contains("hidden"),
            "{to}: {error}"
        );
    };
    check("= {key.plate} AND", "= 1 AND", "it must compare {key.plate}");
    check(
        "(syr = {subject.id_number} OR gyr = {subject.id_number} OR bz = 'loose')",
        "1 = 1",
        "subject.id_number",
    );
    check("{key.plate}", "{key.vin}", "there is no key vin");
    check("{key.plate}", "'{key.plate}'", "inside quotes");
    check("SELECT hphm", "UPDATE hphm", "one SELECT");
    check(
        "statement = \"SELECT hphm, hpzl, syr",
        "path = \"/x\"\nstatement = \"SELECT hphm, hpzl, syr",
        "other protocols",
    );
    check("literal:postgres", "literal:oracle", "expected postgres://");
    check(
        "literal:postgres://a:hidden@127.0.0.1",
        "literal:postgres://a:hidden@10.0.0.1",
        "speaks only to this machine",
    );
    check(
        "literal:postgres://a:hidden@127.0.0.1/x",
        "literal:postgres://a:hidden@127.0.0.1/x?sslmode=disable",
        "without options",
    );
    check(
        "literal:postgres://a:hidden@127.0.0.1/x",
        "env:HOME",
        "MINGCHA_SOURCE_TEST_FRONT_",
    );
    check("[sql]", "[sql]\nca = \"/nowhere.pem\"", "PEM");
    assert_eq!(Mode::Read.code(), "read");
}
