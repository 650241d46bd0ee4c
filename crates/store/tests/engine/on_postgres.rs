//! What only PostgreSQL can do wrong.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use store::engine::{Db, DbConfig, DbError, Sql, Value};
use store::testing::{PgSchema, postgres};

use crate::wire::{Cut, wire};
use crate::{ADD, THING, count, id, run};

async fn refusal(config: &DbConfig) -> String {
    match Db::open(config).await.map(drop) {
        Err(DbError::Open(text)) => text,
        other => panic!("{config:?}: {other:?}"),
    }
}

fn with(schema: &PgSchema, other_url: Option<&str>, other_schema: Option<&str>, pool: usize) -> DbConfig {
    let DbConfig::Postgres { url, schema, .. } = schema.config.clone() else {
        panic!("not PostgreSQL")
    };
    DbConfig::Postgres {
        url: other_url.map_or(url, str::to_owned),
        schema: other_schema.map(str::to_owned).or(schema),
        pool,
    }
}

#[tokio::test]
async fn what_cannot_be_used_is_refused_with_the_reason() {
    let schema = postgres().await;
    for (url, reason) in [
        (
            "postgres://mingcha:canary@db.example.com/mingcha",
            "not encrypted",
        ),
        ("postgres://mingcha:canary@192.0.2.1/mingcha", "not encrypted"),
        (
            "postgres://mingcha:canary@localhost,192.0.2.1/mingcha",
            "not encrypted",
        ),
        (
            "host=localhost hostaddr=192.0.2.1 password=canary",
            "not encrypted",
        ),
        ("postgres://mingcha:canary@127.0.0.1:1/mingcha", "refused"),
        ("postgres://127.0.0.1:canary/x", "malformed"),
    ] {
        let config = with(&schema, Some(url), None, 2);
        let text = refusal(&config).await;
        assert!(text.contains(reason), "{url}: {text}");
        assert!(
            !format!("{text} {config:?}").contains("canary"),
            "{text} {config:?}"
        );
    }
    assert!(
        refusal(&with(&schema, None, Some("no_such_schema"), 2))
            .await
            .contains("create it first")
    );
    assert!(
        refusal(&with(&schema, None, Some("a\"; DROP"), 2))
            .await
            .contains("a-z")
    );
    schema.remove().await;
}

/// The server kills the connection within COMMIT: nobody can tell what became of the transaction.
#[tokio::test]
async fn a_connection_lost_at_commit_is_uncertain() {
    let schema = postgres().await;
    let db = Db::open(&schema.config).await.unwrap();
    run(&db, THING).await;
    for sql in [
        "CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS
         $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$",
        "CREATE CONSTRAINT TRIGGER dies AFTER INSERT ON thing DEFERRABLE INITIALLY DEFERRED
         FOR EACH ROW WHEN (NEW.number = 13) EXECUTE FUNCTION die()",
    ] {
        run(&db, Sql::both(sql)).await;
    }
    let add = |number: u32| {
        let db = db.clone();
        async move {
            let row = [id(number).into(), number.into(), Value::Null, Value::Null];
            db.write(move |tx| {
                let row = row.clone();
                Box::pin(async move { tx.execute(&ADD, &row).await })
            })
            .await
        }
    };
    assert_eq!(add(1).await, Ok(1));
    let lost = add(13).await;
    assert!(matches!(lost, Err(DbError::Uncertain(_))), "{lost:?}");
    assert_eq!(add(2).await, Ok(1), "other connections go on");
    assert_eq!(count(&db).await, 2);
    drop(db);
    schema.remove().await;
}

/// Only a name that is asked for is made, and making it again at the same time is no error.
#[tokio::test]
async fn a_missing_schema_is_made_where_that_is_asked_for() {
    let schema = postgres().await;
    let name = format!("{}_b", schema.name);
    let config = with(&schema, None, Some(&name), 1);
    assert!(refusal(&config).await.contains("create it first"));
    let both = tokio::join!(Db::open_or_create(&config), Db::open_or_create(&config));
    both.0.unwrap();
    run(&both.1.unwrap(), THING).await;
    let owner = Db::open(&schema.config).await.unwrap();
    run(
        &owner,
        Sql::both(String::leak(format!("DROP SCHEMA {name} CASCADE"))),
    )
    .await;
    drop(owner);
    schema.remove().await;
}

/// The wire is cut at COMMIT: once before the server has heard it, once before its answer arrives.
#[tokio::test]
async fn a_wire_cut_at_commit_is_uncertain() {
    for heard in [false, true] {
        let schema = postgres().await;
        let cut = Arc::new(Cut {
            commits: AtomicUsize::new(2),
            heard,
        });
        let url = wire(Arc::clone(&cut)).await;
        let db = Db::open(&with(&schema, Some(&url), None, 1)).await.unwrap();
        run(&db, THING).await;
        let add = |number: u32| {
            let row = [id(number).into(), number.into(), Value::Null, Value::Null];
            db.write(move |tx| {
                let row = row.clone();
                Box::pin(async move { tx.execute(&ADD, &row).await })
            })
        };
        let lost = add(1).await;
        assert!(matches!(lost, Err(DbError::Uncertain(_))), "{lost:?}");
        assert_eq!(count(&db).await, i64::from(heard), "either may have happened");
        drop(db);
        schema.remove().await;
    }
}

/// A connection that dies before COMMIT has committed nothing, and the pool replaces it.
#[tokio::test]
async fn a_connection_lost_before_commit_is_certain() {
    let schema = postgres().await;
    let db = Db::open(&with(&schema, None, None, 1)).await.unwrap();
    run(&db, THING).await;
    const DIE: Sql = Sql::both("SELECT pg_terminate_backend(pg_backend_pid())");
    let lost = db
        .write(|tx| {
            Box::pin(async move {
                tx.execute(&ADD, &[id(1).into(), 1.into(), Value::Null, Value::Null])
                    .await?;
                tx.query(&DIE, &[]).await
            })
        })
        .await;
    assert!(matches!(lost, Err(DbError::Unavailable(_))), "{lost:?}");
    assert_eq!(count(&db).await, 0);
    drop(db);
    schema.remove().await;
}

/// However a collision is called, there is an end to trying again.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_always_collides_gives_up() {
    let schema = postgres().await;
    let db = Db::open(&schema.config).await.unwrap();
    const COLLIDE: Sql = Sql::both("DO $$ BEGIN RAISE serialization_failure; END $$");
    const DEADLOCK: Sql = Sql::both("DO $$ BEGIN RAISE deadlock_detected; END $$");
    for sql in [COLLIDE, DEADLOCK] {
        let runs = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&runs);
        let result = db
            .write(move |tx| {
                counted.fetch_add(1, Ordering::Relaxed);
                Box::pin(async move { tx.execute(&sql, &[]).await })
            })
            .await;
        assert_eq!(result, Err(DbError::Contention));
        assert_eq!(runs.load(Ordering::Relaxed), 10);
    }
    drop(db);
    schema.remove().await;
}

/// One connection serves transactions that fail, panic and are read from, and is the same all along.
#[tokio::test]
async fn a_connection_is_kept_through_errors() {
    let schema = postgres().await;
    let db = Db::open(&with(&schema, None, None, 1)).await.unwrap();
    run(&db, THING).await;
    const WHO: Sql = Sql::both("SELECT pg_backend_pid()");
    let who = |db: Db| async move {
        db.query_opt(&WHO, &[])
            .await
            .unwrap()
            .unwrap()
            .int(0, "pid")
            .unwrap()
    };
    let first = who(db.clone()).await;
    let row = || [id(1).into(), 1.into(), Value::Null, Value::Null];
    for _ in 0..2 {
        drop(
            db.write(move |tx| Box::pin(async move { tx.execute(&ADD, &row()).await }))
                .await,
        );
    }
    drop(
        db.read_snapshot(|tx| Box::pin(async move { tx.query(&Sql::both("SELECT 1/0"), &[]).await }))
            .await,
    );
    assert_eq!(who(db.clone()).await, first);
    assert_eq!(count(&db).await, 1);
    drop(db);
    schema.remove().await;
}
