//! Values, rows, single statements and many at once.

use store::engine::{Db, DbError, Insert, MAX_ROWS, Sql, Value};
use store::testing::each_engine;

use crate::{ADD, THING, count, id, run};

const ALL: Sql = Sql::both("SELECT id, number, label, body FROM thing ORDER BY id");
const BY_NUMBER: Sql = Sql::both("SELECT label FROM thing WHERE id > '' AND number = $1 ORDER BY id");
const INSERT: Insert = Insert {
    table: "thing",
    columns: &["id", "number", "label", "body"],
    tail: "ON CONFLICT (id) DO NOTHING",
};

async fn add(db: &Db, params: Vec<Value>) -> Result<u64, DbError> {
    db.write(move |tx| {
        let params = params.clone();
        Box::pin(async move { tx.execute(&ADD, &params).await })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn values_come_back_as_they_went_in() {
    each_engine(|db| async move {
        run(&db, THING).await;
        let rows: Vec<Vec<Value>> = vec![
            vec![id(1).into(), i64::MIN.into(), "".into(), Vec::new().into()],
            vec![
                id(2).into(),
                i64::MAX.into(),
                "京A·12345 \u{10ffff}'\"\\".into(),
                vec![0, 255].into(),
            ],
            vec![
                id(3).into(),
                Value::Null,
                None::<String>.into(),
                None::<Vec<u8>>.into(),
            ],
        ];
        for row in &rows {
            assert_eq!(add(&db, row.clone()).await, Ok(1));
        }
        let found = db.query(&ALL, &[]).await.unwrap();
        for (row, expected) in found.iter().zip(&rows) {
            let number = row.opt_int(1, "thing.number").unwrap();
            let label = row.opt_text(2, "thing.label").unwrap();
            let body = row.opt_blob(3, "thing.body").unwrap();
            let back: Vec<Value> = vec![
                row.id(0, "thing.id").unwrap().into(),
                number.into(),
                label.into(),
                body.into(),
            ];
            assert_eq!(&back, expected);
        }
        assert_eq!(found.len(), 3);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_of_another_type_is_corrupt_and_named() {
    each_engine(|db| async move {
        run(&db, THING).await;
        add(
            &db,
            vec![id(7).into(), 7.into(), "seven".into(), vec![1; 31].into()],
        )
        .await
        .unwrap();
        let row = db.query_opt(&ALL, &[]).await.unwrap().unwrap();
        let expected = DbError::Corrupt {
            table: "thing",
            column: "body",
            row: "id 00000007000000000000000000000000".to_owned(),
        };
        assert_eq!(row.hash(3, "thing.body"), Err(expected));
        assert!(matches!(
            row.int(2, "thing.label"),
            Err(DbError::Corrupt { column: "label", .. })
        ));
        assert!(matches!(
            row.text(1, "thing.number"),
            Err(DbError::Corrupt { column: "number", .. })
        ));
        assert!(matches!(
            row.flag(1, "thing.number"),
            Err(DbError::Corrupt { .. })
        ));
        assert!(matches!(row.id(4, "thing.other"), Err(DbError::Corrupt { .. })));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_rows_is_checked() {
    each_engine(|db| async move {
        run(&db, THING).await;
        for number in 0..2 {
            add(&db, vec![id(number).into(), 1.into(), Value::Null, Value::Null])
                .await
                .unwrap();
        }
        assert!(matches!(
            db.query_opt(&ALL, &[]).await,
            Err(DbError::TooMany { limit: 1, .. })
        ));
        assert_eq!(db.query_opt(&BY_NUMBER, &[9.into()]).await, Ok(None));
        let none = db
            .read(|tx| Box::pin(async move { tx.query_one(&BY_NUMBER, &[9.into()]).await }))
            .await;
        assert!(matches!(none, Err(DbError::NotFound { .. })), "{none:?}");

        const SERIES: Sql = Sql::both(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) SELECT i FROM n",
        );
        let limit = i64::try_from(MAX_ROWS).unwrap();
        assert_eq!(db.query(&SERIES, &[limit.into()]).await.unwrap().len(), MAX_ROWS);
        assert!(matches!(
            db.query(&SERIES, &[(limit + 1).into()]).await,
            Err(DbError::TooMany { .. })
        ));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_rows_are_inserted_at_once() {
    each_engine(|db| async move {
        run(&db, THING).await;
        let mut first = 0;
        for size in [0_u32, 1, 7, 300, 5000] {
            let rows: Vec<Vec<Value>> = (first..first + size)
                .map(|number| {
                    // Every third label and every fourth body is null.
                    let label = (number % 3 != 0).then(|| format!("label {number}"));
                    let body = (number % 4 != 0).then(|| number.to_be_bytes().to_vec());
                    vec![id(number).into(), number.into(), label.into(), body.into()]
                })
                .collect();
            let twice = rows.clone();
            let inserted = db
                .write(move |tx| {
                    let rows = rows.clone();
                    Box::pin(async move { tx.insert_many(&INSERT, &rows).await })
                })
                .await;
            assert_eq!(inserted, Ok(size.into()));
            let again = db
                .write(move |tx| {
                    let rows = twice.clone();
                    Box::pin(async move { tx.insert_many(&INSERT, &rows).await })
                })
                .await;
            assert_eq!(again, Ok(0), "the keys are taken");
            first += size;
        }
        assert_eq!(count(&db).await, i64::from(first));
        for (number, row) in (0..).zip(db.query(&ALL, &[]).await.unwrap()) {
            assert_eq!(row.int(1, "thing.number"), Ok(i64::from(number)));
            assert_eq!(row.opt_text(2, "thing.label").unwrap().is_some(), number % 3 != 0);
            assert_eq!(row.opt_blob(3, "thing.body").unwrap().is_some(), number % 4 != 0);
        }
        let short = db
            .write(|tx| Box::pin(async move { tx.insert_many(&INSERT, &[vec![id(1).into()]]).await }))
            .await;
        assert!(matches!(short, Err(DbError::Statement { .. })), "{short:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_statement_runs_for_many_parameters() {
    const RENAME: Sql = Sql::both("UPDATE thing SET label = $1 WHERE number = $2");
    each_engine(|db| async move {
        run(&db, THING).await;
        let (touched, labels) = db
            .write(|tx| {
                Box::pin(async move {
                    let rows: Vec<_> = (0..600_u32)
                        .map(|number| vec![id(number).into(), number.into(), Value::Null, Value::Null])
                        .collect();
                    tx.insert_many(&INSERT, &rows).await?;
                    // 700 names for 600 things: the last hundred touch nothing.
                    let names: Vec<_> = (0..700_u32)
                        .map(|n| vec![format!("name {n}").into(), n.into()])
                        .collect();
                    let touched = tx.execute_many(&RENAME, &names).await?;
                    let numbers: Vec<Vec<Value>> = (0..700_u32).rev().map(|n| vec![n.into()]).collect();
                    Ok((touched, tx.query_many(&BY_NUMBER, &numbers).await?))
                })
            })
            .await
            .unwrap();
        assert_eq!(touched.len(), 700);
        assert!(
            touched
                .iter()
                .enumerate()
                .all(|(at, rows)| *rows == u64::from(at < 600))
        );
        for (number, rows) in (0..700).rev().zip(&labels) {
            let label = rows
                .first()
                .map(|row| row.text(0, "thing.label").unwrap().to_owned());
            assert_eq!(label, (number < 600).then(|| format!("name {number}")));
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_and_constraints_are_told_apart() {
    const PART: Sql = Sql::each(
        "CREATE TABLE part (thing BLOB NOT NULL REFERENCES thing (id), size BIGINT CHECK (size > 0))",
        "CREATE TABLE part (thing BYTEA NOT NULL REFERENCES thing (id), size BIGINT CHECK (size > 0))",
    );
    const ADD_PART: Sql = Sql::both("INSERT INTO part (thing, size) VALUES ($1, $2)");
    each_engine(|db| async move {
        run(&db, THING).await;
        run(&db, PART).await;
        let one = vec![id(1).into(), 1.into(), "one".into(), Value::Null];
        add(&db, one.clone()).await.unwrap();
        let same_label = vec![id(2).into(), 1.into(), "one".into(), Value::Null];
        for taken in [one, same_label] {
            match add(&db, taken).await {
                Err(DbError::Unique { table, .. }) => assert_eq!(table, "thing"),
                other => panic!("{other:?}"),
            }
        }
        for (thing, size) in [(Some(id(9)), 1), (None, 1), (Some(id(1)), 0)] {
            let refused = db
                .write(move |tx| {
                    Box::pin(async move { tx.execute(&ADD_PART, &[thing.into(), size.into()]).await })
                })
                .await;
            assert!(matches!(refused, Err(DbError::Constraint { .. })), "{refused:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_parameters_are_refused() {
    each_engine(|db| async move {
        run(&db, THING).await;
        for params in [vec![], vec![1.into(), 2.into()]] {
            let refused = db.query(&BY_NUMBER, &params).await;
            assert!(matches!(refused, Err(DbError::Statement { .. })), "{refused:?}");
        }
        let nul = add(&db, vec![id(1).into(), 1.into(), "a\0b".into(), Value::Null]).await;
        assert!(
            matches!(nul, Err(DbError::Statement { ref code, .. }) if code.contains("NUL")),
            "{nul:?}"
        );
        let unknown = db.query(&Sql::both("SELECT missing FROM thing"), &[]).await;
        assert!(
            unknown.unwrap_err().to_string().contains("missing"),
            "the text's own fault is named"
        );
        let quoted = db.query(&Sql::both("SELECT \"missing\" FROM thing"), &[]).await;
        assert!(
            matches!(quoted, Err(DbError::Statement { .. })),
            "\"x\" is a column on both: {quoted:?}"
        );
        let fraction = db
            .query(&Sql::both("SELECT CAST(1.5 AS DOUBLE PRECISION)"), &[])
            .await;
        assert!(matches!(fraction, Err(DbError::Statement { .. })), "{fraction:?}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_error_tells_a_value() {
    const SECRET: &str = "zhangsan-canary";
    const CAST: Sql = Sql::each(
        "SELECT json_extract($1, '$')",
        "SELECT CAST(CAST($1 AS TEXT) AS BIGINT)",
    );
    each_engine(|db| async move {
        run(&db, THING).await;
        let row = vec![id(1).into(), 1.into(), SECRET.into(), SECRET.as_bytes().into()];
        add(&db, row.clone()).await.unwrap();
        let other = db.query_opt(&ALL, &[]).await.unwrap().unwrap();
        let errors = [
            add(&db, row.clone()).await.unwrap_err(),
            add(&db, vec![id(2).into(), 1.into(), SECRET.into(), Value::Null])
                .await
                .unwrap_err(),
            add(
                &db,
                vec![Value::Null, 1.into(), format!("{SECRET} 2").into(), Value::Null],
            )
            .await
            .unwrap_err(),
            add(
                &db,
                vec![id(3).into(), 1.into(), format!("{SECRET}\0").into(), Value::Null],
            )
            .await
            .unwrap_err(),
            db.query(&CAST, &[SECRET.into()]).await.unwrap_err(),
            other.int(2, "thing.label").unwrap_err(),
        ];
        for error in errors {
            let told = format!("{error} {error:?}");
            assert!(!told.contains(SECRET), "{told}");
        }
    })
    .await;
}
