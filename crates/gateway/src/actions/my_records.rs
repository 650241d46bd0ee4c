//! What is in my name (我名下): one sealed look-up for each kind that can list, all at once.

use domain::{
    lookup::{RawLookup, SubjectRef},
    requester::Requester,
    words::Mode,
};
use futures_util::future::join_all;
use sources::Wanted;
use tokio::time::{Duration, Instant, sleep};

use super::{
    look_up::{self, Answered, Ask, DEADLINE},
    report::key_of_part,
};
use crate::{
    app::{App, Lang},
    error::Error,
};

/// How often it is looked whether what was under way has ended.
const AGAIN_AFTER: Duration = Duration::from_millis(200);
/// How long after its deadline an outcome may take to be sealed.
const SEALED_WITHIN: Duration = Duration::from_secs(1);

/// The keys of everything in the requester's name, kind by kind; a kind that fails does not hide the others. What is
/// wanted of whoever answers is wanted of every kind. `repeat` is the requester's idempotency key, and a hash of the
/// whole request.
pub async fn my_records(
    app: &App,
    requester: &Requester,
    purpose: &str,
    wanted: Wanted,
    repeat: Option<([u8; 32], [u8; 32])>,
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
            // No kind's id has a slash: under the same key a report is another question.
            repeat: repeat.map(|(key, hash)| (key_of_part(key, &format!("mine/{kind}")), hash)),
            proofing: false,
            lang,
            arrived,
        };
        (kind, once(app, requester, question).await)
    });
    join_all(each).await
}

/// Who asks twice at once is given the same answer twice: the second waits until the first one's is there.
async fn once(app: &App, requester: &Requester, question: Ask) -> Result<Answered, Error> {
    let answered = look_up::look_up(app, requester, question.clone()).await;
    let (Err(Error::Conflict("LOOKUP_UNDER_WAY")), Some((key, hash))) = (&answered, question.repeat) else {
        return answered;
    };
    let owner = requester.subject.unwrap_or_else(|| requester.account.chain());
    let until = question.arrived + DEADLINE + SEALED_WITHIN;
    while Instant::now() < until {
        sleep(AGAIN_AFTER).await;
        let first = app.store.repetition(owner, key, hash).await?;
        if first.is_none_or(|first| first.state != "intended") {
            return look_up::look_up(app, requester, question).await;
        }
    }
    answered
}
