//! Sends a one-time code to a phone. The answer is the same whether an account exists or not.

use domain::identifiers::Phone;
use store::{Bound, Bounded};

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

/// An hour, the window of the bounds that a burst fills.
const HOUR_SECONDS: i64 = 3600;
/// The counters of what is sent to everybody.
const HOUR: &str = "code-all-hour";
const DAY: &str = "code-all";

/// Sends a code, within the bounds per phone, per range of numbers, and for everybody.
///
/// # Errors
/// Too often, or the message could not be handed over.
pub async fn send_code(app: &App, phone: &Phone, lang: Lang) -> Result<(), Error> {
    let store = &app.store;
    let digest = store.phone_digest(phone);
    count(app, phone, &digest).await?;
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

/// Counts a code for all of its bounds, those for everybody first: what is beyond them costs two reads and leaves no
/// row. Anybody may ask for codes to made-up phones; a full hour ends in an hour, and the day outlasts many of them.
async fn count(app: &App, phone: &Phone, digest: &[u8; 32]) -> Result<(), Error> {
    let limits = &app.config.limits;
    let range = app.store.range_digest(phone);
    let bound = |bucket, about, seconds, most: u32| Bound {
        bucket,
        about,
        seconds,
        most: most.into(),
    };
    let bounds = [
        bound(HOUR, b"", HOUR_SECONDS, limits.codes_per_hour),
        bound(DAY, b"", DAY_SECONDS, limits.codes_per_day),
        bound(
            "code-range",
            &range,
            HOUR_SECONDS,
            limits.codes_per_range_per_hour,
        ),
        bound("code-phone", digest, DAY_SECONDS, limits.codes_per_phone_per_day),
        bound("code-pause", digest, PAUSE_SECONDS, 1),
    ];
    match app.store.count_within(&bounds).await? {
        Bounded::Counted(Some(HOUR | DAY)) => {
            tracing::error!("a bound on codes for everybody is reached: nobody can sign in until it ends");
            Ok(())
        }
        Bounded::Counted(_) => Ok(()),
        Bounded::Full { bucket, until } => {
            metrics::counter!("mingcha_codes_refused_total", "bound" => bucket).increment(1);
            Err(Error::too_many(until, app.now()))
        }
    }
}
