//! What several acts ask of a requester before anything of theirs is read, or before it leaves.

use domain::{decision::Reason, ids::SubjectId, requester::Requester, words::Level};

use crate::{app::App, error::Error};

/// Asks once more before something leaves that no seal holds back: between a request's head and its body lies as long as
/// whoever sends it likes.
pub(super) async fn still_signed_in(app: &App, requester: &Requester) -> Result<(), Error> {
    match app
        .store
        .session_lives(requester.session, requester.account)
        .await?
    {
        true => Ok(()),
        false => Err(Error::NotSignedIn),
    }
}

/// Whose history and reviews are shown; `None` for who has proven no name yet. A phone alone opens none of a person who
/// is proven. What is shown is counted, as look-ups are: an export or a search reads page after page. What is refused is
/// not, or a phone alone could use up what its owner may see.
pub(super) fn may_view_own(app: &App, requester: &Requester) -> Result<Option<SubjectId>, Error> {
    if requester.subject.is_some() {
        demand_proven(requester)?;
    }
    let per_minute = app.config.limits.views_per_minute;
    let counted = app.views.count(requester.account, per_minute, app.now());
    counted.map_err(|retry_after| Error::TooMany { retry_after })?;
    Ok(requester.subject)
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
