//! Tells a person by SMS that a request of theirs has moved on: that it has, and nothing else.
//!
//! It follows a sealed step, and only whoever sealed the step sends it, so that no step is told twice, whatever is
//! restarted or repeated. A message that is lost (the process ends in between, the sender of SMS is away) is not sent
//! later: the page has the step, and one message too few is better than two.

use domain::ids::AccountId;

use super::look_up::DAY_SECONDS;
use crate::{
    app::{App, Lang},
    error::Error,
};

/// Messages to one phone within a day: ten requests may be opened, and two steps of each are told.
const PER_PHONE: i64 = 20;

/// Tells the account's holder. What keeps the message from being sent is traced, and holds up nobody.
pub(super) async fn tell_news(app: &App, to: AccountId, lang: Lang) {
    if let Err(error) = tell(app, to, lang).await {
        tracing::warn!(
            code = error.code(),
            "nobody was told that their request has moved on"
        );
    }
}

async fn tell(app: &App, to: AccountId, lang: Lang) -> Result<(), Error> {
    let store = &app.store;
    let Some(account) = store.account(to).await? else {
        return Ok(());
    };
    let digest = store.phone_digest(&account.phone);
    let by_phone = store.count_attempt("news-phone", &digest, DAY_SECONDS).await?;
    if by_phone.count > PER_PHONE {
        return Err(Error::too_many(by_phone.until, app.now()));
    }
    // Counted apart from codes, so that news never keep anybody from signing in.
    let all = store.count_attempt("news-all", b"", DAY_SECONDS).await?;
    if all.count > i64::from(app.config.limits.codes_per_day) {
        return Err(Error::too_many(all.until, app.now()));
    }
    let operator = lang.of(&app.config.operator.name);
    let sent = app
        .messenger
        .send_news(&account.phone, operator, lang, app.now())
        .await;
    sent.map_err(|error| {
        tracing::warn!(%error, "a message was not sent");
        Error::Unavailable
    })
}
