//! How long the engine's operations take, in microseconds, on SQLite and on PostgreSQL.
//!
//! `MINGCHA_TEST_POSTGRES=... cargo run --release -p store --example engine_speed [N]`
//!
//! The body of the write is that of a look-up in size: six statements, among them one that reads. It is
//! timed within one transaction (what the statements cost), as transactions of its own one after the
//! other (what BEGIN, COMMIT and the sync cost), and as many transactions at once (what sharing saves).
#![expect(clippy::disallowed_methods, reason = "it measures")]
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::time::Instant;

use futures_util::future::join_all;
use store::engine::{Db, DbError, Insert, Sql, Tx, Value};
use store::testing::{postgres, sqlite};

const TABLES: Sql = Sql::each(
    "CREATE TABLE item (id BLOB NOT NULL PRIMARY KEY, n INTEGER NOT NULL, body BLOB NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE item (id BYTEA NOT NULL PRIMARY KEY, n BIGINT NOT NULL, body BYTEA NOT NULL)",
);
const READ: Sql = Sql::both("SELECT n, body FROM item WHERE id = $1");
const ADD: Sql = Sql::both("INSERT INTO item (id, n, body) VALUES ($1, $2, $3)");
const CHANGE: Sql = Sql::both("UPDATE item SET n = n + 1 WHERE id = $1");
const ITEMS: Insert = Insert {
    table: "item",
    columns: &["id", "n", "body"],
    tail: "",
};

/// An id that only this number has, spread over the index as random ones are.
fn id(number: u64) -> [u8; 16] {
    let spread = u128::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    spread.to_be_bytes()
}

fn row(number: u64) -> Vec<Value> {
    vec![id(number).into(), 0_i64.into(), vec![7; 200].into()]
}

/// Four new rows, one read, one change.
async fn six(tx: &Tx<'_>, number: u64) -> Result<(), DbError> {
    tx.query_one(&READ, &[id(0).into()]).await?;
    for part in 0..4 {
        tx.execute(&ADD, &row(number * 4 + part)).await?;
    }
    tx.execute(&CHANGE, &[id(number * 4).into()]).await?;
    Ok(())
}

fn tell(engine: &str, what: &str, since: Instant, times: u64) {
    let each = since.elapsed().as_secs_f64() * 1e6 / times as f64;
    println!("{engine:9} {what:44} {each:10.2} µs");
}

async fn measure(name: &str, db: Db, times: u64) -> Result<(), DbError> {
    db.write(|tx| Box::pin(async move { tx.execute(&TABLES, &[]).await }))
        .await?;
    let rows: Vec<Vec<Value>> = (0..40_000).map(row).collect();
    let started = Instant::now();
    db.write(move |tx| {
        let rows = rows.clone();
        Box::pin(async move { tx.insert_many(&ITEMS, &rows).await })
    })
    .await?;
    tell(name, "insert_many, a row of 40,000", started, 40_000);

    let started = Instant::now();
    for number in 0..times {
        db.query_opt(&READ, &[id(number % 40_000).into()]).await?;
    }
    tell(name, "Db::query_opt by primary key", started, times);

    let started = Instant::now();
    db.read(move |tx| {
        Box::pin(async move {
            for number in 0..times {
                tx.query_one(&READ, &[id(number % 40_000).into()]).await?;
            }
            Ok(())
        })
    })
    .await?;
    tell(name, "Tx::query_one by primary key", started, times);

    let started = Instant::now();
    db.write(move |tx| {
        Box::pin(async move {
            for number in 0..times {
                six(tx, 1_000_000 + number).await?;
            }
            Ok(())
        })
    })
    .await?;
    tell(name, "six statements, many in one transaction", started, times);

    let few = times.min(500);
    let mut each = Vec::new();
    for number in 0..few {
        let started = Instant::now();
        db.write(move |tx| Box::pin(six(tx, 2_000_000 + number))).await?;
        each.push(started.elapsed().as_secs_f64() * 1e6);
    }
    each.sort_by(f64::total_cmp);
    for (what, at) in [("p50", each.len() / 2), ("p99", each.len() * 99 / 100)] {
        let time = each.get(at).copied().unwrap_or_default();
        println!(
            "{name:9} {:44} {time:10.2} µs",
            format!("six statements, a transaction each, {what}")
        );
    }

    let started = Instant::now();
    let workers = (0..64).map(|worker| {
        let db = db.clone();
        tokio::spawn(async move {
            for number in 0..few / 8 {
                db.write(move |tx| Box::pin(six(tx, 3_000_000 + worker * few + number)))
                    .await?;
            }
            Ok::<_, DbError>(())
        })
    });
    for done in join_all(workers).await {
        done.map_err(|_| DbError::Panicked)??;
    }
    tell(name, "the same, 64 callers at once", started, 64 * (few / 8));
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), DbError> {
    let times = std::env::args()
        .nth(1)
        .and_then(|text| text.parse().ok())
        .unwrap_or(5_000);
    let (_folder, config) = sqlite().await;
    measure("sqlite", Db::open(&config).await?, times).await?;
    let schema = postgres().await;
    let measured = measure("postgres", Db::open(&schema.config).await?, times).await;
    schema.remove().await;
    measured
}
