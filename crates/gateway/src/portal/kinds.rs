//! Record kinds on pages: their names and groups, and the purpose for which one asks. None is known by name here.

use std::sync::Arc;

use domain::{
    kind::{Kind, LoadedKind},
    purpose::{ACCOUNT_PROOFING, Purpose},
    words::{Level, Mode},
};

use super::Page;
use crate::{app::App, error::Error};

/// A kind as a card.
#[derive(Debug, Clone)]
pub(super) struct KindCard {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) about: String,
    pub(super) level: Level,
    /// A report joins it with its parts.
    pub(super) parts: Vec<KindCard>,
}

/// All kinds that can be asked for, each part under the kind whose report joins it.
pub(super) fn cards(app: &App, page: &Page) -> Vec<KindCard> {
    let all = app.kinds.in_order();
    let is_part = |kind: &Kind| all.iter().any(|k| k.kind.parts.contains(&kind.id));
    let whole = all.iter().filter(|k| !is_part(&k.kind));
    whole.map(|k| card(app, page, k)).collect()
}

/// One kind as a card, with its parts.
pub(super) fn card(app: &App, page: &Page, kind: &LoadedKind) -> KindCard {
    let k = &kind.kind;
    let parts = k
        .parts
        .iter()
        .filter_map(|id| app.kinds.get(id))
        .map(|part| card(app, page, part))
        .collect();
    KindCard {
        id: k.id.clone(),
        name: page.of(&k.name).to_owned(),
        about: page.of(&k.about).to_owned(),
        level: purpose(app, k).map_or(k.level, |p| k.level_for(&p.code)),
        parts,
    }
}

/// The kind's name; a kind that is gone, in old entries, keeps its id.
pub(super) fn name(app: &App, page: &Page, id: &str) -> String {
    app.kinds
        .get(id)
        .map_or_else(|| id.to_owned(), |k| page.of(&k.kind.name).to_owned())
}

/// The kind of that id.
pub(super) fn get<'a>(app: &'a App, id: &str) -> Result<&'a Arc<LoadedKind>, Error> {
    app.kinds.get(id).ok_or(Error::NotFound)
}

/// The purpose for which people look up their own records of this kind: its first that the register has.
pub(super) fn purpose<'a>(app: &'a App, kind: &Kind) -> Result<&'a Purpose, Error> {
    let own = kind.purposes.iter().filter(|code| *code != ACCOUNT_PROOFING);
    own.filter_map(|code| app.register.get(code))
        .next()
        .ok_or(Error::NotFound)
}

/// The purpose's name; one that is gone, in old entries, keeps its code.
pub(super) fn purpose_name(app: &App, page: &Page, code: &str) -> String {
    app.register
        .get(code)
        .map_or_else(|| code.to_owned(), |p| page.of(&p.name).to_owned())
}

/// The source's name; one that is gone, in old entries, keeps its id.
pub(super) fn source_name(app: &App, page: &Page, id: &str) -> String {
    app.sources
        .named(id)
        .map_or_else(|| id.to_owned(), |s| page.of(&s.name).to_owned())
}

/// The mode of the plain question about this kind: its fields, or else a comparison.
pub(super) fn plain_mode(kind: &Kind) -> Mode {
    if kind.modes.contains(&Mode::Read) {
        Mode::Read
    } else {
        Mode::Match
    }
}

/// The name of a field, claim or predicate.
pub(super) fn field_name(app: &App, page: &Page, kind: &str, id: &str) -> String {
    let found = app.kinds.get(kind).and_then(|k| {
        let k = &k.kind;
        let field = k.field(id).map(|f| &f.name);
        field
            .or_else(|| k.claim(id).map(|c| &c.name))
            .or_else(|| k.predicate(id).map(|p| &p.name))
    });
    found.map_or_else(|| id.to_owned(), |name| page.of(name).to_owned())
}
