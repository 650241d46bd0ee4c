//! Waiting for one's turn: a calm page that goes on by itself. What was typed is kept in memory until then, for this
//! session alone, and goes with the place.

use std::sync::Arc;

use askama::Template;
use axum::{
    extract::State,
    http::{HeaderValue, header},
};

use super::{Answer, Form, Holder, Page, Shared, html, kinds, look_up, mine, page::go, prove, report};
use crate::{
    app::App,
    error::Error,
    turns::{self, Pass, Told},
};

/// The most that is kept of a form, names and values together; the longest of ours has a tenth of it. At most a few
/// thousand wait, which is some 20 MB.
const MAX_KEPT: usize = 8 * 1024;

/// What somebody asked who has to wait.
#[derive(Debug, Clone)]
pub(super) enum Asked {
    /// A record of this kind.
    LookUp(String),
    /// A report of this kind and its parts.
    Report(String),
    /// What is in their name.
    Mine,
    /// That their real name is proven.
    Proof,
}

/// A question that waits, with what was typed; the form wipes its values when it goes, here or at whoever takes it.
#[derive(Debug)]
pub(crate) struct Kept {
    asked: Asked,
    form: Form,
}

/// Where one stands in line.
#[derive(Template)]
#[template(path = "turn.html")]
pub(super) struct TurnView {
    pub(super) p: Page,
    /// What will be looked up, in words.
    pub(super) what: String,
    /// How many are before them.
    pub(super) before: usize,
    pub(super) seconds: String,
}

/// Asks now or, where many ask, when it is their turn.
pub(super) async fn ask(app: &Arc<App>, holder: Holder, asked: Asked, form: Form) -> Answer {
    match turns::enter(app, &holder.requester, None).await {
        Ok(pass) => go_on(app, holder, Kept { asked, form }, pass).await,
        Err(Error::Waiting(told)) if form.size() <= MAX_KEPT => {
            app.turns.keep(told.turn, Kept { asked, form });
            Ok(go("/turn"))
        }
        Err(Error::Waiting(told)) => {
            app.turns.leave(&holder.requester);
            Err(Error::Overloaded {
                retry_after: told.seconds,
            }
            .into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Where one stands; when it is their turn, the answer.
pub(crate) async fn show(State(app): Shared, holder: Holder) -> Answer {
    let waiting = app.turns.of(&holder.requester, |kept| kept.asked.clone());
    // One that waits for another answer than a page has nothing kept here.
    let Some((turn, Some(asked))) = waiting else {
        return Err(Error::NotWaiting.into());
    };
    match turns::enter(&app, &holder.requester, Some(turn)).await {
        Ok(mut pass) => {
            let kept = pass.take_kept().ok_or(Error::NotWaiting)?;
            go_on(&app, holder, kept, pass).await
        }
        Err(Error::Waiting(told)) if told.turn == turn => page(&app, holder.page, &asked, told),
        Err(Error::Waiting(_)) => {
            // It has just lapsed, and what was typed with it: an empty place is of no use.
            app.turns.leave(&holder.requester);
            Err(Error::NotWaiting.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Gives the place up.
pub(crate) async fn leave(State(app): Shared, holder: Holder, _: Form) -> Answer {
    app.turns.leave(&holder.requester);
    Ok(go("/"))
}

fn page(app: &App, p: Page, asked: &Asked, told: Told) -> Answer {
    let what = match asked {
        Asked::LookUp(kind) => kinds::name(app, &p, kind),
        Asked::Report(kind) => p.with("report-of", kinds::name(app, &p, kind)),
        Asked::Mine => p.t("nav-mine"),
        Asked::Proof => p.t("prove-title"),
    };
    let view = TurnView {
        what,
        before: told.place.saturating_sub(1),
        seconds: told.seconds.to_string(),
        p,
    };
    let mut response = html(&view)?;
    // A page that loads itself again by this header needs no script.
    let again = HeaderValue::from(told.come_after.unsigned_abs());
    response.headers_mut().insert(header::REFRESH, again);
    Ok(response)
}

/// It is their turn.
async fn go_on(app: &Arc<App>, mut holder: Holder, mut kept: Kept, pass: Pass) -> Answer {
    holder.arrived = pass.since(holder.arrived);
    let form = std::mem::take(&mut kept.form);
    match &kept.asked {
        Asked::LookUp(kind) => look_up::answer(app, holder, kind, &form, pass).await,
        Asked::Report(kind) => report::answer(app, holder, kind, &form, pass).await,
        Asked::Mine => mine::answer(app, holder, &form, pass).await,
        Asked::Proof => prove::answer(app, holder, &form, pass).await,
    }
}
