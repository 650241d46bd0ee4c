//! Migrations: twice, at once, newer, altered, broken.

use store::engine::{Db, DbError, Migration, Sql};
use store::testing::each_config;

const fn step(version: u32, name: &'static str, text: &'static str) -> Migration {
    Migration {
        version,
        name,
        sqlite: text,
        postgres: text,
    }
}

const STEPS: [Migration; 3] = [
    step(
        1,
        "first",
        "CREATE TABLE a (x BIGINT); CREATE TABLE b (x BIGINT); INSERT INTO a VALUES (1)",
    ),
    step(2, "second", "ALTER TABLE a ADD COLUMN y BIGINT"),
    step(5, "third", "INSERT INTO b SELECT x FROM a"),
];
const NOW: i64 = 1_700_000_000_000_000;
const COPIED: Sql = Sql::both("SELECT count(*) FROM b");
const APPLIED: Sql = Sql::both("SELECT version, name, digest, applied_us FROM schema_migration ORDER BY 1");

async fn copied(db: &Db) -> i64 {
    db.query_opt(&COPIED, &[])
        .await
        .unwrap()
        .unwrap()
        .int(0, "b.count")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_step_is_applied_once() {
    each_config(|config| async move {
        let db = Db::open(&config).await.unwrap();
        assert_eq!(db.migrate(&STEPS[..2], NOW).await, Ok(2));
        assert_eq!(db.migrate(&STEPS, NOW + 1).await, Ok(1));
        assert_eq!(db.migrate(&STEPS, NOW + 2).await, Ok(0));
        assert_eq!(Db::open(&config).await.unwrap().migrate(&STEPS, NOW).await, Ok(0));
        assert_eq!(copied(&db).await, 1);
        let rows = db.query(&APPLIED, &[]).await.unwrap();
        let table: Vec<_> = rows
            .iter()
            .map(|row| {
                (
                    row.int(0, "m.version").unwrap(),
                    row.text(1, "m.name").unwrap(),
                    row.int(3, "m.applied_us").unwrap(),
                )
            })
            .collect();
        assert_eq!(
            table,
            [(1, "first", NOW), (2, "second", NOW), (5, "third", NOW + 1)]
        );
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn several_programs_may_start_at_once() {
    each_config(|config| async move {
        let starts = (0..6).map(|_| {
            let config = config.clone();
            tokio::spawn(async move { Db::open(&config).await?.migrate(&STEPS, NOW).await })
        });
        let mut applied = Vec::new();
        for start in futures_util::future::join_all(starts).await {
            applied.push(start.unwrap().unwrap());
        }
        applied.sort_unstable();
        assert_eq!(applied, [0, 0, 0, 0, 0, 3]);
        assert_eq!(copied(&Db::open(&config).await.unwrap()).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_of_another_program_is_refused() {
    let altered = step(2, "second", "ALTER TABLE a ADD COLUMN z BIGINT");
    let renamed = Migration {
        name: "another",
        ..STEPS[1]
    };
    let refused: [(&[Migration], &str); 5] = [
        (&STEPS[..2], "newer"),
        (&[], "newer"),
        (&[STEPS[0], altered, STEPS[2]], "another text"),
        (&[STEPS[0], renamed, STEPS[2]], "another text"),
        (
            &[STEPS[0], step(3, "second", ""), STEPS[2]],
            "do not belong together",
        ),
    ];
    each_config(|config| async move {
        let db = Db::open(&config).await.unwrap();
        db.migrate(&STEPS, NOW).await.unwrap();
        for (steps, reason) in refused {
            match db.migrate(steps, NOW).await {
                Err(DbError::Migration(text)) => assert!(text.contains(reason), "{text}"),
                other => panic!("{reason}: {other:?}"),
            }
        }
        let unordered = db.migrate(&[STEPS[1], STEPS[0]], NOW).await;
        assert!(matches!(unordered, Err(DbError::Migration(_))), "{unordered:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_step_leaves_nothing_behind() {
    each_config(|config| async move {
        let db = Db::open(&config).await.unwrap();
        let broken = [
            STEPS[0],
            step(
                2,
                "broken",
                "CREATE TABLE c (x BIGINT); INSERT INTO missing VALUES (1)",
            ),
        ];
        let error = db.migrate(&broken, NOW).await.unwrap_err();
        assert!(error.to_string().contains("missing"), "{error}");
        for table in [
            Sql::both("SELECT 1 FROM a"),
            Sql::both("SELECT 1 FROM c"),
            APPLIED,
        ] {
            assert!(db.query(&table, &[]).await.is_err(), "{table:?} must not exist");
        }
        assert_eq!(db.migrate(&STEPS, NOW).await, Ok(3));
    })
    .await;
}
