//! Somebody with all rights over the database changes it. Whatever they change is found: at the next start, or by
//! doctor, which says where.

use std::fs;

use futures_util::future::join_all;
use store::{
    Store, StoreError,
    engine::{Db, Row, Sql, Value},
};

use crate::{acts::*, world::*};

/// A log with complete tiles, a published checkpoint and entries since; look-ups that ended in every way; a person, and
/// one who was erased.
async fn fill(world: &World) -> Proven {
    let store = world.open().await;
    let (person, gone) = (prove(&store, 1).await, prove(&store, 2).await);
    look_up(&store, person.subject, person.holder).await;
    let by = person.holder;
    let failing = new_lookup(&store, by);
    let lookup = failing.lookup;
    sealed(store.seal(begin(person.subject, failing)).await);
    sealed(store.seal(end(person.subject, by, lookup, false)).await);
    sealed(store.seal(refuse(person.subject, new_lookup(&store, by))).await);
    let erase = store.erase(gone.subject, gone.account);
    sealed(
        store
            .seal(change(gone.subject, store::PERSON_ERASED, erase))
            .await,
    );
    store.destroy_keys(gone.subject, gone.account).await.unwrap();
    let chain = person.account.chain();
    for count in [257, 4] {
        join_all((0..count).map(|_| store.seal(note(chain, "note"))))
            .await
            .into_iter()
            .for_each(|one| drop(sealed(one)));
        world.clock.advance_seconds(1);
    }
    store.publish_checkpoint().await.unwrap();
    sealed(store.seal(begin(person.subject, new_lookup(&store, by))).await);
    check(&store).await;
    close(store).await;
    // Else the start would heal what is done to the person who was erased.
    fs::remove_file(world.folder.path().join("effects.journal")).unwrap();
    person
}

/// What is found: the start's refusal, or doctor's words.
async fn found(world: &World) -> Vec<String> {
    match world.try_open().await {
        Err(error) => vec![error.to_string()],
        Ok(store) => {
            let problems = problems(&store).await;
            close(store).await;
            problems
        }
    }
}

/// A table, its key, and its other columns.
type Table = (&'static str, &'static [&'static str], &'static [&'static str]);

const TABLES: &[Table] = &[
    ("leaf", &["log_id", "leaf_index"], &["leaf"]),
    ("tile", &["log_id", "level", "tile_index"], &["root", "hashes"]),
    (
        "log_head",
        &["log_id"],
        &["size", "root", "frontier", "time_us", "placed"],
    ),
    ("published", &["log_id"], &["size", "frontier", "checkpoint"]),
    (
        "subject",
        &["subject_id"],
        &["log_id", "state", "account_id", "profile"],
    ),
    (
        "entry",
        &["log_id", "leaf_index"],
        &[
            "subject_id",
            "seq",
            "time_us",
            "lookup_id",
            "key_class",
            "shared",
            "chain",
        ],
    ),
    (
        "chain_place",
        &["subject_id", "seq"],
        &["leaf_index", "intent_leaf", "leaf_hash"],
    ),
    (
        "lookup",
        &["subject_id", "lookup_id"],
        &["state", "intent_seq", "intent_leaf", "outcome_seq"],
    ),
    ("account", &["account_id"], &["subject_id", "profile"]),
    ("deployment", &[], &["realm", "suite", "origin", "log_key"]),
];

/// The value in a column, whatever it is.
fn value(row: &Row, at: usize) -> Value {
    if let Ok(number) = row.opt_int(at, "a.b") {
        return number.into();
    }
    match row.opt_text(at, "a.b") {
        Ok(text) => text.into(),
        Err(_) => row.opt_blob(at, "a.b").unwrap().into(),
    }
}

/// One bit of it is another; or it is a word that the column also allows.
fn flipped(column: &str, value: &Value, bit: usize) -> Value {
    match (column, value) {
        ("state", Value::Text(state)) => match state.as_str() {
            "active" => "erased",
            "erased" => "active",
            "released" => "intended",
            _ => "released",
        }
        .into(),
        ("realm", _) => "demo".into(),
        // High, so that no other row has that key.
        (_, Value::Int(number)) => (number ^ (1 << (20 + bit % 3))).into(),
        (_, Value::Text(text)) => {
            let mut bytes = text.clone().into_bytes();
            let at = bit % bytes.len();
            bytes[at] ^= 1;
            String::from_utf8(bytes).unwrap().into()
        }
        (_, Value::Blob(bytes)) => {
            let mut bytes = bytes.clone();
            let at = bit % (bytes.len() * 8);
            bytes[at / 8] ^= 1 << (at % 8);
            bytes.into_vec().into()
        }
        ("account_id" | "lookup_id" | "subject_id", Value::Null) => [9; 16].into(),
        ("profile", Value::Null) => vec![9; 60].into(),
        (_, Value::Null) => 1.into(),
    }
}

async fn rows(db: &Db, (table, key, others): &Table) -> Vec<Vec<Value>> {
    let columns = [*key, *others].concat().join(", ");
    let order = if key.is_empty() {
        "1".into()
    } else {
        key.join(", ")
    };
    let sql = format!("SELECT {columns} FROM {table} ORDER BY {order}");
    let rows = db.query(&Sql::both(String::leak(sql)), &[]).await.unwrap();
    let count = key.len() + others.len();
    rows.iter()
        .map(|row| (0..count).map(|at| value(row, at)).collect())
        .collect()
}

async fn update(db: &Db, (table, key, _): &Table, column: &str, new: &Value, old_key: &[Value]) {
    let place: Vec<String> = key
        .iter()
        .zip(2..)
        .map(|(name, at)| format!("{name} = ${at}"))
        .collect();
    let place = if key.is_empty() {
        String::new()
    } else {
        format!(" WHERE {}", place.join(" AND "))
    };
    let sql = format!("UPDATE {table} SET {column} = $1{place}");
    assert_eq!(
        run(db, &sql, &[std::slice::from_ref(new), old_key].concat()).await,
        1,
        "{sql}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn every_changed_column_is_found() {
    each_world(|world| async move {
        fill(&world).await;
        let db = world.data().await;
        let mut tried = 0;
        for table in TABLES {
            let rows = rows(&db, table).await;
            let mut places = vec![0, rows.len() / 2, rows.len() - 1];
            places.dedup();
            let columns = [table.1, table.2].concat();
            for (at, column) in columns.iter().enumerate() {
                for (round, place) in places.iter().enumerate() {
                    let row = &rows[*place];
                    let new = flipped(column, &row[at], 7919 * (round + 3) + at);
                    let mut key = row[..table.1.len()].to_vec();
                    update(&db, table, column, &new, &key).await;
                    let found = found(&world).await;
                    assert!(!found.is_empty(), "{}.{column} of row {place}", table.0);
                    if at < key.len() {
                        key[at] = new;
                    }
                    update(&db, table, column, &row[at], &key).await;
                    tried += 1;
                }
            }
        }
        assert!(tried > 80, "{tried}");
        assert_eq!(found(&world).await, [""; 0], "all was put back");
    })
    .await;
}

/// Rows that are missing, twice there, or in each other's place.
#[tokio::test(flavor = "multi_thread")]
async fn rows_that_are_gone_added_or_swapped_are_found() {
    each_world(|world| async move {
        let person = fill(&world).await;
        let db = world.data().await;
        let chain: Value = person.account.chain().bytes().into();
        let wild = [
            ("DELETE FROM leaf WHERE leaf_index = 100", vec![]),
            ("DELETE FROM entry WHERE subject_id = $1 AND seq = 40", vec![chain.clone()]),
            ("DELETE FROM entry WHERE subject_id = $1 AND seq > 200", vec![chain.clone()]),
            ("DELETE FROM entry WHERE subject_id = $1", vec![chain.clone()]),
            ("DELETE FROM subject WHERE subject_id = $1", vec![chain.clone()]),
            ("DELETE FROM log_head", vec![]),
            ("DELETE FROM deployment", vec![]),
            ("DELETE FROM account", vec![]),
            ("INSERT INTO leaf SELECT log_id, leaf_index + 1000, leaf FROM leaf WHERE leaf_index = 5", vec![]),
            ("INSERT INTO tile SELECT log_id, level, tile_index + 50, root, hashes FROM tile WHERE tile_index = 0", vec![]),
            ("INSERT INTO tile SELECT log_id, level + 3, tile_index, root, hashes FROM tile WHERE tile_index = 0", vec![]),
            (
                "INSERT INTO entry SELECT log_id, leaf_index + 5000, subject_id, seq, time_us, lookup_id, key_class, shared, \
                 chain FROM entry WHERE subject_id = $1 AND seq = 40",
                vec![chain.clone()],
            ),
            ("DELETE FROM chain_place WHERE subject_id = $1 AND seq = 40", vec![chain.clone()]),
            ("DELETE FROM chain_place WHERE subject_id = $1 AND seq > 200", vec![chain.clone()]),
            (
                "INSERT INTO chain_place (subject_id, seq, leaf_index) SELECT subject_id, seq + 5000, leaf_index FROM chain_place \
                 WHERE subject_id = $1 AND seq = 40",
                vec![chain.clone()],
            ),
            // Each leaf is in the place of the one opposite.
            ("UPDATE leaf SET leaf = (SELECT o.leaf FROM leaf o WHERE o.leaf_index = 200 - leaf.leaf_index) WHERE leaf_index IN (50, 150)", vec![]),
            ("UPDATE entry SET shared = (SELECT o.shared FROM entry o WHERE o.subject_id = $1 AND o.seq = 41) WHERE subject_id = $2 AND seq = 40", vec![chain.clone(), chain.clone()]),
            ("UPDATE entry SET shared = chain WHERE subject_id = $1 AND seq = 40", vec![chain.clone()]),
            ("UPDATE subject SET profile = (SELECT o.profile FROM account o LIMIT 1) WHERE account_id IS NOT NULL", vec![]),
        ];
        let folder = world.folder.path().to_owned();
        for (sql, params) in wild {
            let head = fs::read(folder.join("log.head")).unwrap();
            let before = Snapshot::take(&db).await;
            assert_ne!(run(&db, sql, &params).await, 0, "{sql}");
            assert!(!found(&world).await.is_empty(), "{sql}");
            before.put_back(&db).await;
            fs::write(folder.join("log.head"), head).unwrap();
        }
        assert_eq!(found(&world).await, [""; 0], "all was put back");
    })
    .await;
}

/// All rows of the tables that are tampered with.
struct Snapshot(Vec<(&'static Table, Vec<Vec<Value>>)>);

impl Snapshot {
    const ALL: &'static [Table] = &[
        ("leaf", &["log_id", "leaf_index"], &["leaf"]),
        ("tile", &["log_id", "level", "tile_index"], &["root", "hashes"]),
        (
            "log_head",
            &["log_id"],
            &["size", "root", "frontier", "time_us", "placed"],
        ),
        (
            "deployment",
            &["only_row"],
            &["realm", "suite", "origin", "log_key", "created_us"],
        ),
        (
            "subject",
            &["subject_id"],
            &["log_id", "state", "account_id", "profile", "created_us"],
        ),
        (
            "entry",
            &["log_id", "leaf_index"],
            &[
                "subject_id",
                "seq",
                "time_us",
                "lookup_id",
                "key_class",
                "shared",
                "chain",
            ],
        ),
        (
            "chain_place",
            &["subject_id", "seq"],
            &["leaf_index", "intent_leaf", "leaf_hash"],
        ),
        (
            "account",
            &["account_id"],
            &["state", "subject_id", "level", "profile", "created_us"],
        ),
    ];

    async fn take(db: &Db) -> Self {
        let mut all = vec![];
        for table in Self::ALL {
            all.push((table, rows(db, table).await));
        }
        Snapshot(all)
    }

    async fn put_back(self, db: &Db) {
        for ((table, key, others), rows) in self.0 {
            let columns = String::leak([*key, *others].concat().join(", "));
            let columns: &'static [&'static str] = Vec::leak(columns.split(", ").collect());
            let insert = store::engine::Insert {
                table,
                columns,
                tail: "",
            };
            run(db, &format!("DELETE FROM {table}"), &[]).await;
            let rows = std::sync::Arc::new(rows);
            db.write(move |tx| {
                let rows = std::sync::Arc::clone(&rows);
                Box::pin(async move { tx.insert_many(&insert, &rows).await })
            })
            .await
            .unwrap();
        }
    }
}

/// The end of the log is cut off in every table, and nothing in the database contradicts it: the head outside does.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_cut_back_to_what_was_published_is_refused() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let chain = by.account.chain();
        store.publish_checkpoint().await.unwrap();
        let db = world.data().await;
        let before = Snapshot::take(&db).await;
        sealed(store.seal(note(chain, "to be hidden")).await);
        before.put_back(&db).await;
        // The running process notices as soon as it looks, and stops rather than sign another log.
        let published = store.publish_checkpoint().await;
        assert!(matches!(published, Err(StoreError::Log(_))), "{published:?}");
        assert!(store.stopped().await.contains("another log"));
        let answer = store.seal(note(chain, "after")).await;
        assert!(answer.is_err(), "{answer:?}");
        close(store).await;
        let text = world.try_open().await.map(drop).unwrap_err().to_string();
        assert!(text.contains("older state"), "{text}");
    })
    .await;
}

/// The same, and the process seals before it looks, as after a fail-over that lost what was committed: it does not
/// fork the log.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_went_back_is_not_continued() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let chain = by.account.chain();
        let db = world.data().await;
        let before = Snapshot::take(&db).await;
        join_all((0..5).map(|_| store.seal(note(chain, "lost"))))
            .await
            .into_iter()
            .for_each(|one| drop(sealed(one)));
        before.put_back(&db).await;
        let answers = join_all((0..3).map(|_| store.seal(note(chain, "forks")))).await;
        for answer in answers {
            assert!(matches!(answer, Err(StoreError::Stopping)), "{answer:?}");
        }
        assert!(store.stopped().await.contains("not in the database any more"));
        assert_eq!(
            number_of(&db, "SELECT count(*) FROM leaf").await,
            2,
            "nothing was written"
        );
    })
    .await;
}

/// Another log, consistent in itself, is put under a running process: it signs nothing of it.
#[tokio::test(flavor = "multi_thread")]
async fn another_log_is_never_signed() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let chain = by.account.chain();
        sealed(store.seal(note(chain, "note")).await);
        let db = world.data().await;
        // The same leaves but one, with the head that they give.
        run(
            &db,
            "UPDATE leaf SET leaf = (SELECT o.leaf FROM leaf o WHERE o.leaf_index = 0) WHERE leaf_index = 1",
            &[],
        )
        .await;
        let leaves = rows(&db, &("leaf", &["leaf_index"], &["leaf"])).await;
        let mut forged = ledger::Frontier::new();
        for leaf in leaves {
            let Value::Blob(leaf) = &leaf[1] else {
                panic!("a leaf")
            };
            forged.append(ledger::Hash::of_leaf(leaf));
        }
        let head = [forged.root().0.into(), forged.to_bytes().into()];
        run(&db, "UPDATE log_head SET root = $1, frontier = $2", &head).await;
        let (before, seen) = (
            store.published().await.unwrap(),
            store.seal(note(chain, "note")).await,
        );
        assert!(matches!(seen, Err(StoreError::Stopping)), "{seen:?}");
        assert!(store.publish_checkpoint().await.is_err());
        assert_eq!(store.published().await.unwrap(), before);
        close(store).await;
        let text = world.try_open().await.map(drop).unwrap_err().to_string();
        assert!(text.contains("differs from the head kept outside"), "{text}");
    })
    .await;
}

/// A cached tile that is wrong leads to no receipt that does not verify, and emptying the cache heals it.
#[tokio::test(flavor = "multi_thread")]
async fn a_false_tile_is_told_and_proves_nothing() {
    each_world(|world| async move {
        let person = fill(&world).await;
        let chain = person.account.chain();
        let db = world.data().await;
        run(
            &db,
            "UPDATE tile SET hashes = $1 WHERE level = 0",
            &[vec![7; 8192].into()],
        )
        .await;
        let store = world.open().await;
        let refused = store.receipt(chain, 20).await;
        assert!(
            matches!(&refused, Err(StoreError::Log(text)) if text.contains("run doctor")),
            "{refused:?}"
        );
        let problems = problems(&store).await;
        assert!(
            problems
                .iter()
                .any(|problem| problem.contains("tile 0 of level 0")),
            "{problems:?}"
        );
        run(&db, "DELETE FROM tile", &[]).await;
        verify(&store, &store.receipt(chain, 20).await.unwrap().unwrap()).unwrap();
        check(&store).await;
    })
    .await;
}

/// A column that the program did not write is told by its name, and nothing panics.
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_is_told_by_name() {
    async fn told(store: &Store, table: &str) {
        let problems = problems(store).await;
        assert!(
            problems.iter().any(|problem| problem.contains(table)),
            "{table}: {problems:?}"
        );
    }
    each_world(|world| async move {
        let person = fill(&world).await;
        let store = world.open().await;
        let db = world.data().await;
        run(&db, "UPDATE log_head SET frontier = $1", &[vec![1; 7].into()]).await;
        told(&store, "log_head.frontier").await;
        let answer = store.seal(note(person.subject, "note")).await;
        assert!(matches!(answer, Err(StoreError::Db(_))), "{answer:?}");
        // A head of an immense log, as far as its row is concerned.
        let mut immense = (1_u64 << 61).to_be_bytes().to_vec();
        immense.extend_from_slice(&[3; 32]);
        let head = [(1_i64 << 61).into(), [3; 32].into(), immense.into()];
        run(
            &db,
            "UPDATE log_head SET size = $1, root = $2, frontier = $3",
            &head,
        )
        .await;
        told(&store, "leaves").await;
    })
    .await;
}

/// The committer knows from its own entries which look-ups are open; one that is not any more, without an entry that says
/// so, is not ended either.
#[tokio::test(flavor = "multi_thread")]
async fn a_look_up_that_somebody_else_ended_is_not_released() {
    each_world(|world| async move {
        let store = world.open().await;
        let person = prove(&store, 1).await;
        let by = person.holder;
        let new = new_lookup(&store, by);
        let lookup = new.lookup;
        sealed(store.seal(begin(person.subject, new)).await);
        let db = world.data().await;
        let fail = "UPDATE lookup SET state = 'failed' WHERE lookup_id = $1";
        assert_eq!(run(&db, fail, &[lookup.bytes().into()]).await, 1);
        let release = || store.seal(end(person.subject, by, lookup, true));
        assert!(release().await.is_err());
        nothing(release().await);
    })
    .await;
}
