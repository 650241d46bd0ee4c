//! No source hears of a review before its ACT is durable.

use std::sync::Arc;

use serde_json::json;
use store::engine::{Db, Engine, Sql};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
};

on_both!(no_source_hears_of_a_review_that_is_not_sealed);

const SQLITE: Sql = Sql::both(
    "CREATE TRIGGER planted AFTER INSERT ON entry FOR EACH ROW BEGIN SELECT RAISE(ABORT, 'planted'); END",
);
const FUNCTION: Sql = Sql::both(
    "CREATE FUNCTION planted() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'planted'; END $$",
);
const POSTGRES: Sql =
    Sql::both("CREATE TRIGGER planted AFTER INSERT ON entry FOR EACH ROW EXECUTE FUNCTION planted()");
const REMOVE: Sql = Sql::each("DROP TRIGGER planted", "DROP TRIGGER planted ON entry");

async fn run(db: &Db, sql: &'static Sql) {
    let run = db.write(move |tx| Box::pin(async move { tx.execute(sql, &[]).await.map(drop) }));
    run.await.unwrap();
}

/// From now on the database takes no entry of the log.
async fn refuse_entries(db: &Db) {
    match db.engine() {
        Engine::Sqlite => run(db, &SQLITE).await,
        Engine::Postgres => {
            run(db, &FUNCTION).await;
            run(db, &POSTGRES).await;
        }
    }
}

/// How often the authority heard of a review.
fn heard(app: &TestApp) -> usize {
    let journal = app.sandbox.journal();
    journal
        .iter()
        .filter(|e| e.path.starts_with("traffic/review/"))
        .count()
}

async fn no_source_hears_of_a_review_that_is_not_sealed(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let answer = app.look_up(&token, &about_me("driving-licence")).await;
    let review = json!({ "lookup_id": answer.lookup_id(), "text": "不对。", "pictures": [] });
    let entries = app.entries().await;
    let db = Db::open(&bed.databases().data).await.unwrap();
    refuse_entries(&db).await;
    let refused = app.post(&token, "/v1/reviews", &review).await;
    assert!(refused.status >= 500, "{}", refused.text);
    // Nor does the job find one.
    app.clock.advance_seconds(60);
    let pursued = gateway::actions::pursue_reviews::pursue_reviews(&app.app).await;
    assert_eq!((pursued.unwrap(), heard(&app)), (0, 0));
    assert_eq!(app.get(&token, "/v1/reviews").await.expect(200).json, json!([]));
    assert_eq!(app.entries().await, entries);
    run(&db, &REMOVE).await;
    let opened = app.post(&token, "/v1/reviews", &review).await.expect(200);
    assert_eq!((opened.text_at("/state"), heard(&app)), ("received", 1));
}
