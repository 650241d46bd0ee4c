//! The first page: what this is and what it refuses; for who is signed in, their own things.

use askama::Template;
use axum::extract::State;

use domain::words::Level;

use super::{
    Answer, Guest, Page, Shared, html,
    kinds::{self, KindCard},
};

/// The first page.
#[derive(Template)]
#[template(path = "home.html")]
pub(super) struct HomeView {
    pub(super) p: Page,
    /// The person's masked name, once proven.
    pub(super) name: Option<String>,
    pub(super) kinds: Vec<KindCard>,
}

/// The first page.
pub(crate) async fn show(State(app): Shared, guest: Guest) -> Answer {
    let name = match guest
        .requester
        .filter(|r| r.level >= Level::L2)
        .and_then(|r| r.subject)
    {
        Some(id) => app
            .store
            .subject(id)
            .await?
            .and_then(|s| s.person)
            .map(|p| p.name.masked()),
        None => None,
    };
    let name = name.map(|n| super::values::masked_text(&n));
    html(&HomeView {
        name,
        kinds: kinds::cards(&app, &guest.page),
        p: guest.page,
    })
}
