//! A body may come long after its head: what is done meanwhile, and what of the head is not read again.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::body::Body;
use domain::ids::SubjectId;
use futures_util::stream;
use gateway::{actions::look_up::DEADLINE, api::request::requester_of_token};
use http::Method;
use store::engine::{Db, Sql, Value};
use tokio::time::{advance, pause, resume};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
};

on_both!(who_was_read_with_the_head_is_not_read_again);

/// A body that comes when this is done. It is begun when the body is asked for, which is after the head was read.
pub(crate) fn body_after(work: impl Future<Output = ()> + Send + 'static, body: String) -> Body {
    let comes = async move {
        work.await;
        Ok::<_, Infallible>(body)
    };
    Body::from_stream(stream::once(comes))
}

/// The time that a look-up has passes, and a second more. Only where there is one thread alone can the runtime's clock
/// be moved.
pub(crate) async fn time_is_over() {
    pause();
    advance(DEADLINE + Duration::from_secs(1)).await;
    resume();
}

const PROFILE: Sql = Sql::both("SELECT profile FROM subject WHERE subject_id = $1");
const WRITE: Sql = Sql::both("UPDATE subject SET profile = $1 WHERE subject_id = $2");

async fn write(db: &Db, profile: Value, subject: SubjectId) {
    let written = db.write(move |tx| {
        let row = [profile.clone(), subject.bytes().into()];
        Box::pin(async move { tx.execute(&WRITE, &row).await.map(drop) })
    });
    written.await.unwrap();
}

/// What the session's statement read of the person is what is asked about. So the row may be spoilt as soon as the head
/// was read: whoever reads it a second time cannot open it.
async fn who_was_read_with_the_head_is_not_read_again(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let requester = requester_of_token(&app.app, &token).await.unwrap();
    let subject = requester.subject.unwrap();
    let db = Db::open(&bed.databases().data).await.unwrap();
    let row = db.query_opt(&PROFILE, &[subject.bytes().into()]).await.unwrap();
    let profile = Value::from(row.unwrap().blob(0, "subject.profile").unwrap());
    let spoil = {
        let db = db.clone();
        async move { write(&db, Value::from([0_u8; 64]), subject).await }
    };
    let body = body_after(spoil, about_me("driving-licence").to_string());
    let request = TestApp::request(Method::POST, "/v1/lookups", Some(&token), body);
    app.send(request).await.expect_outcome("found");
    let read_again = app.app.store.subject(subject).await;
    assert!(read_again.is_err(), "it was spoilt before the question came");
    write(&db, profile, subject).await;
    app.look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
}
