//! The rule of the schema by which a subject's rows can be sharded: each key that must be unique contains the subject.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
};

use store::engine::{Db, Engine, Row, Sql};

use crate::world::each_world;

const SUBJECT: &str = "subject_id";

/// Tables that name a subject and have a key without it. Another one is a decision, and one that is no longer an exception
/// is told too.
const EXCEPTIONS: [&str; 5] = [
    // An account owns a chain of its own, by its own id; whose person it is, is known later.
    "account",
    // Lies in the order of the log, so that a seal appends to it: docs/decisions/0015-one-page-a-look-up.md.
    "entry",
    // Waits to be projected, and is gone after that.
    "outbox",
    // A projection of the outbox, read by whoever asked.
    "requester_lookup",
    // Found by its token, and begun before it is known whose it is: docs/decisions/0038-a-session-names-its-person.md.
    "session",
];

/// A table, by the names of its columns and by those of each key that must be unique.
struct Table {
    name: String,
    columns: BTreeSet<String>,
    unique: Vec<BTreeSet<String>>,
}

async fn rows(db: &Db, sql: String) -> Vec<Row> {
    db.query(&Sql::both(String::leak(sql)), &[]).await.unwrap()
}

fn text(row: &Row, at: usize) -> String {
    row.text(at, "schema.name").unwrap().to_owned()
}

/// The texts of one column, each once.
async fn texts(db: &Db, at: usize, sql: String) -> BTreeSet<String> {
    rows(db, sql).await.iter().map(|row| text(row, at)).collect()
}

/// The tables as the database itself describes them, whatever migration made them so.
async fn tables(db: &Db) -> Vec<Table> {
    match db.engine() {
        Engine::Sqlite => of_sqlite(db).await,
        Engine::Postgres => of_postgres(db).await,
    }
}

async fn of_sqlite(db: &Db) -> Vec<Table> {
    let mut tables = vec![];
    for name in texts(db, 1, "PRAGMA table_list".to_owned()).await {
        let columns = rows(db, format!("PRAGMA table_info({name})")).await;
        let is_key = |row: &&Row| row.int(5, "schema.pk").unwrap() > 0;
        let key = columns.iter().filter(is_key).map(|row| text(row, 1)).collect();
        let mut unique = vec![key];
        for index in rows(db, format!("PRAGMA index_list({name})")).await {
            if index.flag(2, "schema.unique").unwrap() {
                let index = text(&index, 1);
                unique.push(texts(db, 2, format!("PRAGMA index_info({index})")).await);
            }
        }
        let columns = columns.iter().map(|row| text(row, 1)).collect();
        tables.push(Table {
            name,
            columns,
            unique,
        });
    }
    // SQLite's own tables are no tables of ours.
    tables.retain(|table| !table.name.starts_with("sqlite_"));
    tables
}

async fn of_postgres(db: &Db) -> Vec<Table> {
    let ours = "JOIN pg_namespace n ON n.oid = c.relnamespace AND n.nspname = current_schema()";
    let mut tables = vec![];
    for name in texts(
        db,
        0,
        format!("SELECT c.relname::text FROM pg_class c {ours} WHERE c.relkind = 'r'"),
    )
    .await
    {
        let columns = format!(
            "SELECT a.attname::text FROM pg_class c {ours} JOIN pg_attribute a ON a.attrelid = c.oid \
             WHERE c.relname = '{name}' AND a.attnum > 0 AND NOT a.attisdropped"
        );
        let indexes = format!(
            "SELECT i.relname::text FROM pg_class c {ours} JOIN pg_index x ON x.indrelid = c.oid \
             JOIN pg_class i ON i.oid = x.indexrelid WHERE c.relname = '{name}' AND x.indisunique"
        );
        let mut unique = vec![];
        for index in texts(db, 0, indexes).await {
            // An index has the names of the columns that it is over, in attributes of its own.
            let over = format!(
                "SELECT a.attname::text FROM pg_class c {ours} JOIN pg_attribute a ON a.attrelid = c.oid \
                 WHERE c.relname = '{index}'"
            );
            unique.push(texts(db, 0, over).await);
        }
        let columns = texts(db, 0, columns).await;
        tables.push(Table {
            name,
            columns,
            unique,
        });
    }
    tables
}

#[tokio::test(flavor = "multi_thread")]
async fn each_key_of_a_subjects_table_contains_the_subject() {
    each_world(|world| async move {
        let store = world.open().await;
        let (mut sharded, mut exceptions) = (BTreeSet::new(), BTreeSet::new());
        for config in [&world.config.data, &world.config.keys] {
            let db = Db::open(config).await.unwrap();
            for table in tables(&db).await {
                let keyed = table.unique.iter().any(|key| !key.is_empty());
                assert!(keyed, "{} has no primary key", table.name);
                if table.columns.contains(SUBJECT) {
                    let contains = table.unique.iter().all(|key| key.contains(SUBJECT));
                    let family = if contains { &mut sharded } else { &mut exceptions };
                    family.insert(table.name);
                }
            }
        }
        assert_eq!(exceptions, BTreeSet::from(EXCEPTIONS.map(str::to_owned)));
        // Of data and keys: so much was truly read.
        for table in ["subject", "chain_place", "lookup", "review", "wrapped_key"] {
            assert!(sharded.contains(table), "{table} in {sharded:?}");
        }
        drop(store);
    })
    .await;
}

/// Both engines have the same tables with the same columns, by whatever steps they came to them.
#[tokio::test(flavor = "multi_thread")]
async fn both_engines_have_the_same_columns() {
    type Columns = BTreeMap<String, BTreeSet<String>>;
    let all: Arc<Mutex<Vec<Columns>>> = Arc::default();
    each_world(|world| {
        let all = Arc::clone(&all);
        async move {
            let store = world.open().await;
            let mut columns = Columns::new();
            for config in [&world.config.data, &world.config.keys] {
                let tables = tables(&Db::open(config).await.unwrap()).await;
                columns.extend(tables.into_iter().map(|table| (table.name, table.columns)));
            }
            assert!(columns["session"].contains("profile"), "so much was truly read");
            all.lock().unwrap().push(columns);
            drop(store);
        }
    })
    .await;
    let all = all.lock().unwrap();
    assert!(all.windows(2).all(|two| two[0] == two[1]), "{all:?}");
}
