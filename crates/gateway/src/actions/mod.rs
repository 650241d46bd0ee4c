//! All that the system can do, one file per verb. API, portal, jobs and commands are thin and call these.

pub mod accept_drops;
pub mod close_overdue;
pub mod decide;
pub mod erase_person;
pub mod look_up;
pub mod my_records;
pub mod open_review;
pub mod pause_sources;
pub mod prove_real_name;
pub mod pursue_reviews;
pub mod report;
pub mod seal_change;
pub mod search_history;
pub mod send_code;
pub mod sign_in;
pub mod sign_out;
pub mod strengthen;
pub mod take_change;
mod tell_news;
pub mod view_history;
pub mod view_image;
pub mod view_reviews;
pub mod watch_papers;
pub mod watch_sources;

use domain::{decision::Reason, requester::Requester, words::Level};

use crate::{app::App, error::Error};

/// Asks once more before something leaves that no seal holds back: between a request's head and its body lies as long as
/// whoever sends it likes.
async fn still_signed_in(app: &App, requester: &Requester) -> Result<(), Error> {
    match app
        .store
        .session_lives(requester.session, requester.account)
        .await?
    {
        true => Ok(()),
        false => Err(Error::NotSignedIn),
    }
}

/// Counts what an account is shown of its own, which reads and opens up to a page of entries each time.
fn count_view(app: &App, requester: &Requester) -> Result<(), Error> {
    let per_minute = app.config.limits.views_per_minute;
    let counted = app.views.count(requester.account, per_minute, app.now());
    counted.map_err(|retry_after| Error::TooMany { retry_after })
}

/// A proven real name, in this session.
///
/// # Errors
/// The level is too low.
pub fn demand_proven(requester: &Requester) -> Result<(), Error> {
    match requester.level < Level::L2 {
        true => Err(Error::Refused {
            reason: Reason::LevelTooLow,
            at: "level".to_owned(),
            lookup: None,
        }),
        false => Ok(()),
    }
}
