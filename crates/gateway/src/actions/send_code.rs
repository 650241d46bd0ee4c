//! Sends a one-time code to a phone. The answer is the same whether an account exists or not.

use domain::identifiers::Phone;

use super::look_up::DAY_SECONDS;
use crate::{
    app::{App, Lang},
    error::Error,
};

/// How long a code lives.
pub const CODE_SECONDS: i64 = 300;
/// How often one code may be tried.
pub const TRIES: u8 = 5;
/// Between two codes to the same phone.
const PAUSE_SECONDS: i64 = 30;

/// Sends a code, within the bounds per phone and for everybody.
///
/// # Errors
/// Too often, or the message could not be handed over.
pub async fn send_code(app: &App, phone: &Phone, lang: Lang) -> Result<(), Error> {
    let (store, limits) = (&app.store, &app.config.limits);
    let digest = store.phone_digest(phone);
    let too_many = |until| Err(Error::too_many(until, app.now()));
    let pause = store.count_attempt("code-pause", &digest, PAUSE_SECONDS).await?;
    if pause.count > 1 {
        return too_many(pause.until);
    }
    let by_phone = store.count_attempt("code-phone", &digest, DAY_SECONDS).await?;
    if by_phone.count > i64::from(limits.codes_per_phone_per_day) {
        return too_many(by_phone.until);
    }
    let all = store.count_attempt("code-all", b"", DAY_SECONDS).await?;
    if all.count > i64::from(limits.codes_per_day) {
        tracing::error!("the day's bound on codes is reached: nobody can sign in until it ends");
        return too_many(all.until);
    }
    let code = store.random().with(crypto::code::generate_code);
    let hashed = store.root_keys().codes().digest("sign-in", code.expose());
    store
        .put_code(digest, hashed, TRIES, app.now().plus_seconds(CODE_SECONDS))
        .await?;
    let operator = lang.of(&app.config.operator.name);
    app.messenger
        .send_code(phone, code.expose(), operator, lang, app.now())
        .await
        .map_err(|error| {
            tracing::error!(%error, "a code was not sent");
            Error::Unavailable
        })
}
