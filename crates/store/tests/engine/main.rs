//! The engine, every case on SQLite and on PostgreSQL.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

mod migrations;
mod on_postgres;
mod on_sqlite;
mod statements;
mod transactions;
mod wire;

use store::engine::{Db, Sql};

/// A table of invented things, with every kind of column.
pub(crate) const THING: Sql = Sql::each(
    "CREATE TABLE thing (id BLOB NOT NULL PRIMARY KEY, number BIGINT, label TEXT UNIQUE, body BLOB)",
    "CREATE TABLE thing (id BYTEA NOT NULL PRIMARY KEY, number BIGINT, label TEXT UNIQUE, body BYTEA)",
);

pub(crate) const ADD: Sql = Sql::both("INSERT INTO thing (id, number, label, body) VALUES ($1, $2, $3, $4)");
pub(crate) const COUNT: Sql = Sql::both("SELECT count(*) FROM thing");

/// Runs one statement in a transaction of its own.
pub(crate) async fn run(db: &Db, sql: Sql) {
    db.write(move |tx| Box::pin(async move { tx.execute(&sql, &[]).await }))
        .await
        .unwrap();
}

/// How many things there are.
pub(crate) async fn count(db: &Db) -> i64 {
    db.query_opt(&COUNT, &[])
        .await
        .unwrap()
        .unwrap()
        .int(0, "thing.count")
        .unwrap()
}

/// An id that only this number has.
pub(crate) fn id(number: u32) -> [u8; 16] {
    let mut id = [0; 16];
    id[..4].copy_from_slice(&number.to_be_bytes());
    id
}
