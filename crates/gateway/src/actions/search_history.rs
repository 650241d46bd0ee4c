//! Searches my look-ups, and exports them: in pages, with a bound on what one request reads.

use domain::{ids::LookupId, requester::Requester};
use jiff::civil::Date;
use ledger::{EntryType, Shared as Opening};
use store::{LookupPage, LookupView};

use super::view_history;
use crate::{app::App, error::Error};

/// How many look-ups are read at once.
const READ: u16 = 100;
/// How many one search reads at most, to find those that fit: as many entries are decrypted.
const SEARCHED: usize = 500;
/// How many an export has at most; the next one goes on from there.
const EXPORTED: usize = 5000;

/// What became of a look-up, in four words, for lists and filters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Something was told.
    Answered,
    /// There is no record, or none is held there.
    Nothing,
    /// It was not permitted.
    Refused,
    /// It could not be done; it tells nothing about anybody.
    Failed,
}

impl Class {
    /// All four.
    pub const ALL: [Class; 4] = [Class::Answered, Class::Nothing, Class::Refused, Class::Failed];

    /// Of an entry that ends a look-up.
    #[must_use]
    pub fn of(opening: &Opening) -> Self {
        match (opening.entry_type, opening.outcome.as_deref()) {
            (EntryType::Refusal, _) => Class::Refused,
            (EntryType::Release, Some("found" | "match" | "mismatch" | "yes" | "no")) => Class::Answered,
            (EntryType::Release, _) => Class::Nothing,
            _ => Class::Failed,
        }
    }

    /// The word in addresses and in the names of messages.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Class::Answered => "answered",
            Class::Nothing => "nothing",
            Class::Refused => "refused",
            Class::Failed => "failed",
        }
    }

    /// The class of that word.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Class::ALL.into_iter().find(|class| class.word() == word)
    }
}

/// What to search for. Nothing in it is about a person.
#[derive(Debug, Default, Clone)]
pub struct Search {
    /// The record kind's id.
    pub kind: Option<String>,
    /// What became of it.
    pub class: Option<Class>,
    /// Not before this day in China.
    pub from: Option<Date>,
    /// Not after this day in China.
    pub to: Option<Date>,
    /// Those put out of sight too.
    pub with_hidden: bool,
    /// Only what is older.
    pub before: Option<LookupId>,
}

/// Those that fit, newest first, and before which to go on where there may be more. A page may be shorter than it could
/// be: what one request reads is bounded.
#[derive(Debug)]
pub struct Found {
    /// The look-ups.
    pub views: Vec<LookupView>,
    /// Where the next page begins.
    pub next: Option<LookupId>,
}

/// The requester's look-ups that fit, at most so many.
///
/// # Errors
/// As [`view_history::lookups`].
pub async fn find(app: &App, requester: &Requester, search: &Search, most: usize) -> Result<Found, Error> {
    read(app, requester, search, (most, SEARCHED)).await
}

/// All of the requester's look-ups, those out of sight too, older than one.
///
/// # Errors
/// As [`view_history::lookups`].
pub async fn export(app: &App, requester: &Requester, before: Option<LookupId>) -> Result<Found, Error> {
    let all = Search {
        with_hidden: true,
        before,
        ..Search::default()
    };
    read(app, requester, &all, (EXPORTED, EXPORTED)).await
}

async fn read(
    app: &App,
    requester: &Requester,
    search: &Search,
    (most, reads): (usize, usize),
) -> Result<Found, Error> {
    let (mut found, mut before) = (vec![], search.before);
    for _ in 0..reads / usize::from(READ) {
        let page = LookupPage {
            before,
            with_hidden: search.with_hidden,
            limit: READ,
        };
        let views = view_history::lookups(app, requester, page).await?;
        let full = views.len() == usize::from(READ);
        let read = views.len();
        for (at, view) in views.into_iter().enumerate() {
            before = Some(view.lookup);
            if search.fits(&view) {
                found.push(view);
            }
            if found.len() == most {
                let more = full || at + 1 < read;
                let next = before.filter(|_| more);
                return Ok(Found { views: found, next });
            }
        }
        if !full {
            before = None;
            break;
        }
    }
    let (views, next) = (found, before);
    Ok(Found { views, next })
}

impl Search {
    fn fits(&self, view: &LookupView) -> bool {
        let opening = &view.entry.shared;
        let day = view.time.date_in_china();
        self.kind
            .as_ref()
            .is_none_or(|kind| opening.kind.as_ref() == Some(kind))
            && self.class.is_none_or(|class| Class::of(opening) == class)
            && self.from.is_none_or(|from| day >= from)
            && self.to.is_none_or(|to| day <= to)
    }
}
