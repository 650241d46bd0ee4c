//! What is in my name (我名下): one sealed look-up for each kind that can list, all at once.

use domain::{
    lookup::{RawLookup, SubjectRef},
    requester::Requester,
    words::Mode,
};
use futures_util::future::join_all;
use sources::Wanted;
use tokio::time::Instant;

use super::look_up::{self, Answered, Ask};
use crate::{
    app::{App, Lang},
    error::Error,
};

/// The keys of everything in the requester's name, kind by kind; a kind that fails does not hide the others. What is
/// wanted of whoever answers is wanted of every kind.
pub async fn my_records(
    app: &App,
    requester: &Requester,
    purpose: &str,
    wanted: Wanted,
    (lang, arrived): (Lang, Instant),
) -> Vec<(String, Result<Answered, Error>)> {
    let kinds = app.kinds.listable().into_iter().map(|k| k.kind.id.clone());
    let each = kinds.map(|kind| async move {
        let question = Ask {
            kind: kind.clone(),
            mode: Mode::List,
            subject: SubjectRef::Own,
            raw: RawLookup {
                purpose: purpose.to_owned(),
                ..RawLookup::default()
            },
            wanted,
            own: None,
            portrait: None,
            repeat: None,
            proofing: false,
            lang,
            arrived,
        };
        (kind, look_up::look_up(app, requester, question).await)
    });
    join_all(each).await
}
