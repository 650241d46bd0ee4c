//! What is in my name (我名下): asked by one tap, without typing.

use std::sync::Arc;

use askama::Template;
use axum::extract::State;
use domain::{
    kind::Kind,
    lookup::RawLookup,
    words::{Level, Mode},
};

use super::{
    Answer, Form, Holder, Page, Shared,
    answer::PartView,
    html,
    kinds::{self, KindCard},
    look_up::{once, repetition},
    notices::{Block, NoticeView, notice},
    turn::{self, Asked},
    values,
};
use crate::{
    actions::{look_up::Answered, my_records},
    app::App,
    error::Error,
    turns::Pass,
};

/// What will be asked, and the button.
#[derive(Template)]
#[template(path = "mine.html")]
pub(super) struct MineView {
    pub(super) p: Page,
    pub(super) notices: Vec<NoticeView>,
    /// What can be listed.
    pub(super) listed: Vec<KindCard>,
    /// What needs no key, and is looked up on its own page.
    pub(super) others: Vec<KindCard>,
    /// Repeats the same answers when the form is sent again.
    pub(super) once: String,
}

/// What is in one's name.
#[derive(Template)]
#[template(path = "mine_list.html")]
pub(super) struct MineList {
    pub(super) p: Page,
    pub(super) groups: Vec<Group>,
    pub(super) others: Vec<KindCard>,
    pub(super) once: String,
}

/// What one kind has.
pub(super) struct Group {
    pub(super) kind: KindCard,
    /// What its source answered, or why not.
    pub(super) part: PartView,
    pub(super) things: Vec<Thing>,
    /// What is to be read before one of them is looked up.
    pub(super) notices: Vec<NoticeView>,
}

/// One thing in one's name.
pub(super) struct Thing {
    /// The key as people read it.
    pub(super) name: String,
    /// The rest of the key.
    pub(super) detail: String,
    /// The key for the next question: name and value.
    pub(super) key: Vec<(String, String)>,
}

/// The notice and the button.
pub(crate) async fn show(State(app): Shared, holder: Holder) -> Answer {
    holder.needs(level(&app))?;
    let page = holder.page;
    let listable = app.kinds.listable();
    let notice =
        |k: &Arc<domain::kind::LoadedKind>| notice(&app, &page, k, &kinds::purpose(&app, &k.kind)?.code);
    let notices = listable
        .iter()
        .map(|k| notice(k))
        .collect::<Result<Vec<_>, Error>>()?;
    let listed = listable.iter().map(|k| kinds::card(&app, &page, k)).collect();
    html(&MineView {
        notices,
        listed,
        others: others(&app, &page),
        once: once(&app),
        p: page,
    })
}

/// The list.
pub(crate) async fn list(State(app): Shared, holder: Holder, form: Form) -> Answer {
    holder.needs(level(&app))?;
    turn::ask(&app, holder, Asked::Mine, form).await
}

/// It, when it is their turn; all kinds have one turn together.
pub(super) async fn answer(app: &Arc<App>, holder: Holder, form: &Form, pass: Pass) -> Answer {
    let purpose = match app.kinds.listable().first() {
        Some(kind) => kinds::purpose(app, &kind.kind)?.code.clone(),
        None => return Err(Error::NotFound.into()),
    };
    let wanted = sources::Wanted::default();
    let raw = RawLookup {
        purpose,
        ..RawLookup::default()
    };
    // Every kind that can be listed, and so none by name.
    let repeat = repetition(&holder, ("", Mode::List), &raw, wanted, form.get("once"))?;
    let (requester, arrived) = (holder.requester, holder.arrived);
    let page = holder.page.at("/mine".to_owned());
    let (shared, lang) = (Arc::clone(app), page.lang);
    let task = tokio::spawn(async move {
        let _in_work = pass;
        let at = (lang, arrived);
        my_records::my_records(&shared, &requester, &raw.purpose, wanted, Some(repeat), at).await
    });
    let found = task.await.map_err(Error::from)?;
    let groups = found
        .iter()
        .map(|(kind, result)| group(app, &page, kind, result))
        .collect::<Result<_, _>>()?;
    html(&MineList {
        groups,
        others: others(app, &page),
        once: once(app),
        p: page,
    })
}

/// The level that listing needs.
fn level(app: &App) -> Level {
    app.kinds
        .listable()
        .iter()
        .map(|k| k.kind.level)
        .max()
        .unwrap_or(Level::L2)
}

/// Kinds that are about the person alone: they need no key, so that there is nothing to list.
fn others(app: &App, page: &Page) -> Vec<KindCard> {
    let all = app.kinds.in_order();
    let keyless = all.iter().filter(|k| k.kind.key.is_empty());
    keyless.map(|k| kinds::card(app, page, k)).collect()
}

fn group(app: &App, page: &Page, kind: &str, result: &Result<Answered, Error>) -> Result<Group, Error> {
    let loaded = kinds::get(app, kind)?;
    let purpose = &kinds::purpose(app, &loaded.kind)?.code;
    let parts = loaded.kind.parts.iter().filter_map(|id| app.kinds.get(id));
    let notices = std::iter::once(loaded)
        .chain(parts)
        .map(|k| notice(app, page, k, purpose));
    let rows = result.as_ref().map(|a| a.rows.as_slice()).unwrap_or_default();
    Ok(Group {
        kind: kinds::card(app, page, loaded),
        part: PartView::of(app, page, kind, result),
        notices: notices.collect::<Result<_, _>>()?,
        things: rows.iter().map(|row| thing(page, &loaded.kind, row)).collect(),
    })
}

fn thing(page: &Page, kind: &Kind, row: &std::collections::BTreeMap<String, serde_json::Value>) -> Thing {
    let part = |k: &domain::kind::KeyPart| {
        let value = row.get(&k.id)?;
        let plain = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        Some((
            format!("key.{}", k.id),
            plain,
            values::text(page, &k.of_type, value, false),
        ))
    };
    let parts: Vec<_> = kind.key.iter().filter_map(part).collect();
    let mut words = parts.iter().map(|(_, _, word)| word.as_str());
    Thing {
        name: words.next().unwrap_or_default().to_owned(),
        detail: words.collect::<Vec<_>>().join(" · "),
        key: parts
            .iter()
            .map(|(name, value, _)| (name.clone(), value.clone()))
            .collect(),
    }
}
