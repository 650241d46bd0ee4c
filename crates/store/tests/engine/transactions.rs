//! Transactions: all or nothing, as if each had run alone, and to their end.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use store::engine::{Db, DbError, Sql, Value};
use store::testing::each_engine;

use crate::{ADD, COUNT, THING, count, id, run};

const COUNTER: Sql =
    Sql::both("CREATE TABLE counter (id BIGINT NOT NULL PRIMARY KEY, value BIGINT NOT NULL)");
const SEED: Sql = Sql::both("INSERT INTO counter (id, value) VALUES (1, 0), (2, 0)");
const READ: Sql = Sql::both("SELECT value FROM counter WHERE id = $1");
const STORE: Sql = Sql::both("UPDATE counter SET value = $1 WHERE id = $2");

fn thing(number: u32) -> Vec<Value> {
    vec![id(number).into(), number.into(), Value::Null, Value::Null]
}

async fn add(db: &Db, number: u32) -> Result<u64, DbError> {
    db.write(move |tx| Box::pin(async move { tx.execute(&ADD, &thing(number)).await }))
        .await
}

async fn counter(db: &Db, of: i64) -> i64 {
    db.query_opt(&READ, &[of.into()])
        .await
        .unwrap()
        .unwrap()
        .int(0, "counter.value")
        .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_rolls_everything_back() {
    each_engine(|db| async move {
        run(&db, THING).await;
        let own = db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute(&ADD, &thing(1)).await?;
                    Err::<(), _>(DbError::NotFound {
                        sql: "of the body's own",
                    })
                })
            })
            .await;
        assert_eq!(
            own,
            Err(DbError::NotFound {
                sql: "of the body's own"
            })
        );
        assert_eq!(count(&db).await, 0);
        assert_eq!(add(&db, 1).await, Ok(1), "the database works as before");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_statement_cannot_be_ignored() {
    each_engine(|db| async move {
        run(&db, THING).await;
        add(&db, 1).await.unwrap();
        let ignored = db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute(&ADD, &thing(2)).await?;
                    let taken = tx.execute(&ADD, &thing(1)).await;
                    Ok(taken.is_err())
                })
            })
            .await;
        assert!(matches!(ignored, Err(DbError::Unique { .. })), "{ignored:?}");
        assert_eq!(count(&db).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_a_body_is_an_error() {
    each_engine(|db| async move {
        run(&db, THING).await;
        let panicked = db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute(&ADD, &thing(1)).await?;
                    if tx.query(&COUNT, &[]).await?.len() == 1 {
                        panic!("on purpose");
                    }
                    Ok(())
                })
            })
            .await;
        assert_eq!(panicked, Err(DbError::Panicked));
        for snapshot in [false, true] {
            let panics = |tx: &store::engine::Tx<'_>| -> Result<(), DbError> { panic!("{:?}", tx.engine()) };
            let read = if snapshot {
                db.read_snapshot(move |tx| Box::pin(async move { panics(tx) }))
                    .await
            } else {
                db.read(move |tx| Box::pin(async move { panics(tx) })).await
            };
            assert_eq!(read, Err(DbError::Panicked));
        }
        assert_eq!(count(&db).await, 0);
        for number in 0..20 {
            assert_eq!(
                add(&db, number).await,
                Ok(1),
                "the writer and every reader still work"
            );
            assert_eq!(count(&db).await, i64::from(number) + 1);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_cannot_write() {
    each_engine(|db| async move {
        run(&db, THING).await;
        let plain = db
            .read(|tx| Box::pin(async move { tx.execute(&ADD, &thing(1)).await }))
            .await;
        let snapshot = db
            .read_snapshot(|tx| Box::pin(async move { tx.execute(&ADD, &thing(1)).await }))
            .await;
        let single = db.query(&ADD, &thing(1)).await;
        for error in [plain.unwrap_err(), snapshot.unwrap_err(), single.unwrap_err()] {
            assert!(matches!(error, DbError::Statement { .. }), "{error}");
        }
        assert_eq!(count(&db).await, 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_writers_lose_no_update() {
    each_engine(|db| async move {
        run(&db, COUNTER).await;
        run(&db, SEED).await;
        let runs = Arc::new(AtomicUsize::new(0));
        let writers = (0..100).map(|_| {
            let (db, runs) = (db.clone(), Arc::clone(&runs));
            tokio::spawn(async move {
                db.write(move |tx| {
                    runs.fetch_add(1, Ordering::Relaxed);
                    Box::pin(async move {
                        let value = tx.query_one(&READ, &[1.into()]).await?.int(0, "counter.value")?;
                        tx.execute(&STORE, &[(value + 1).into(), 1.into()]).await
                    })
                })
                .await
            })
        });
        for written in join_all(writers).await {
            assert_eq!(written.unwrap(), Ok(1));
        }
        assert_eq!(counter(&db, 1).await, 100);
        let runs = runs.load(Ordering::Relaxed);
        match db.engine() {
            store::engine::Engine::Sqlite => assert_eq!(runs, 100, "one after the other"),
            store::engine::Engine::Postgres => assert!(runs > 100, "collisions were tried again: {runs}"),
        }
    })
    .await;
}

/// Two transactions each read what the other writes: were both to see the old value, both counters
/// would be 1, which no order of the two can bring about.
#[tokio::test(flavor = "multi_thread")]
async fn transactions_are_as_if_alone() {
    each_engine(|db| async move {
        run(&db, COUNTER).await;
        for round in 0..50 {
            run(&db, Sql::both("DELETE FROM counter")).await;
            run(&db, SEED).await;
            let copy = |from: i64, to: i64| {
                let db = db.clone();
                tokio::spawn(async move {
                    db.write(move |tx| {
                        Box::pin(async move {
                            let value = tx
                                .query_one(&READ, &[from.into()])
                                .await?
                                .int(0, "counter.value")?;
                            tx.execute(&STORE, &[(value + 1).into(), to.into()]).await
                        })
                    })
                    .await
                })
            };
            let (one, two) = (copy(1, 2), copy(2, 1));
            assert_eq!((one.await.unwrap(), two.await.unwrap()), (Ok(1), Ok(1)));
            assert_eq!(counter(&db, 1).await + counter(&db, 2).await, 3, "round {round}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_transaction_among_many_harms_only_itself() {
    each_engine(|db| async move {
        run(&db, THING).await;
        add(&db, 1000).await.unwrap();
        let writers = (0..200).map(|number| {
            let db = db.clone();
            // Every seventh collides with the key that is there already.
            tokio::spawn(async move { add(&db, if number % 7 == 0 { 1000 } else { number }).await })
        });
        for (number, written) in (0..200).zip(join_all(writers).await) {
            let written = written.unwrap();
            assert_eq!(written.is_err(), number % 7 == 0, "{number}: {written:?}");
        }
        assert_eq!(count(&db).await, 1 + 171);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_sees_what_is_committed_and_nothing_else() {
    each_engine(|db| async move {
        run(&db, THING).await;
        let (written, seen) = mpsc::sync_channel(1);
        let (go_on, wait) = mpsc::sync_channel::<()>(1);
        let wait = Arc::new(Mutex::new(wait));
        let writer = db.clone();
        let writer = tokio::spawn(async move {
            writer
                .write(move |tx| {
                    let (written, wait) = (written.clone(), Arc::clone(&wait));
                    Box::pin(async move {
                        tx.execute(&ADD, &thing(1)).await?;
                        written.send(()).unwrap();
                        tokio::task::block_in_place(|| {
                            wait.lock()
                                .unwrap()
                                .recv_timeout(Duration::from_secs(10))
                                .unwrap();
                        });
                        Ok(())
                    })
                })
                .await
        });
        seen.recv_timeout(Duration::from_secs(10)).unwrap();
        assert_eq!(count(&db).await, 0, "not committed yet");
        go_on.send(()).unwrap();
        writer.await.unwrap().unwrap();
        assert_eq!(count(&db).await, 1);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_stays_as_it_is() {
    each_engine(|db| async move {
        run(&db, THING).await;
        let writer = db.clone();
        let runtime = tokio::runtime::Handle::current();
        let counts = db
            .read_snapshot(move |tx| {
                Box::pin(async move {
                    let before = tx.query_one(&COUNT, &[]).await?.int(0, "thing.count")?;
                    let other = std::thread::spawn(move || runtime.block_on(add(&writer, 1)));
                    tokio::task::block_in_place(|| other.join().unwrap())?;
                    let after = tx.query_one(&COUNT, &[]).await?.int(0, "thing.count")?;
                    Ok((before, after))
                })
            })
            .await;
        assert_eq!(counts, Ok((0, 0)));
        assert_eq!(count(&db).await, 1, "the reader after it sees the present again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_ends_even_if_its_caller_goes_away() {
    each_engine(|db| async move {
        run(&db, THING).await;
        for number in 0..10 {
            let mut write = Box::pin(add(&db, number));
            assert_eq!((&mut write).now_or_never(), None, "it has begun and waits");
            drop(write);
        }
        for _ in 0..500 {
            if count(&db).await == 10 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} of 10 were written", count(&db).await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readers_that_go_away_leave_nothing_behind() {
    each_engine(|db| async move {
        run(&db, THING).await;
        for round in 0..30 {
            let mut read = Box::pin(db.read_snapshot(|tx| {
                Box::pin(async move {
                    tx.query(&COUNT, &[]).await?;
                    tx.query(&COUNT, &[]).await
                })
            }));
            // Some go away before the snapshot begins, some within it, some after.
            drop(tokio::time::timeout(Duration::from_micros(100 * round), &mut read).await);
            drop(read);
            add(&db, u32::try_from(round).unwrap()).await.unwrap();
            assert_eq!(count(&db).await, i64::try_from(round).unwrap() + 1);
        }
    })
    .await;
}
