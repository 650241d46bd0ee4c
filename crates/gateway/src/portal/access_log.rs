//! Who looked at me (谁看过我): every entry about me, refused ones included; and what happened to my account.

use std::collections::BTreeSet;

use askama::Template;
use axum::extract::{Query, State};
use ledger::EntryType;
use serde::Deserialize;
use store::EntryView;

use super::{
    Answer, Holder, Page, Shared, html,
    sentences::{EntryLine, entry},
};
use crate::actions::view_history::{self, Mine, PAGE};

/// Which entries.
#[derive(Deserialize)]
pub(crate) struct Which {
    /// Older than the entry of this number.
    before: Option<u64>,
    /// `account` for the account's own chain.
    #[serde(default)]
    of: String,
}

/// A page of entries.
#[derive(Template)]
#[template(path = "access_log.html")]
pub(super) struct AccessLogView {
    pub(super) p: Page,
    pub(super) entries: Vec<EntryLine>,
    /// The account's own chain is shown.
    pub(super) of_account: bool,
    /// The real name is proven, so that there is a chain of the person.
    pub(super) proven: bool,
    /// The address of older entries.
    pub(super) older: Option<String>,
}

/// The entries, newest first.
pub(crate) async fn show(State(app): Shared, holder: Holder, Query(which): Query<Which>) -> Answer {
    let requester = holder.requester;
    let of_account = which.of == "account" || requester.subject.is_none();
    let of = if of_account { Mine::Account } else { Mine::Person };
    let entries = view_history::access_log(&app, &requester, of, which.before).await?;
    let full = entries.len() == usize::from(PAGE);
    let older = entries.last().filter(|_| full).map(|last| {
        let of = if of_account { "of=account&" } else { "" };
        format!("/access-log?{of}before={}", last.seq)
    });
    let me = requester.account.bytes();
    let lines = without_begun(&entries)
        .map(|e| entry(&app, &holder.page, e, &me))
        .collect();
    html(&AccessLogView {
        entries: lines,
        of_account,
        proven: requester.subject.is_some(),
        older,
        p: holder.page,
    })
}

/// A look-up that has ended is told once, by its end; its beginning has the same words.
fn without_begun(entries: &[EntryView]) -> impl Iterator<Item = &EntryView> {
    let is_begun = |e: &EntryView| e.shared.entry_type == EntryType::Intent;
    let ended: BTreeSet<_> = entries
        .iter()
        .filter(|e| !is_begun(e))
        .filter_map(|e| e.lookup)
        .collect();
    entries
        .iter()
        .filter(move |e| !(is_begun(e) && e.lookup.is_some_and(|id| ended.contains(&id))))
}
