//! Entries of the log as plain sentences: who, when, what for, by what right, and what became of it.

use domain::{ids::LookupId, outcome::Outcome, purpose::ACCOUNT_PROOFING, time::Timestamp};
use ledger::{EntryType, Shared as Opening, cbor::Value};
use store::EntryView;

use super::{Page, kinds, messages, values};
use crate::{
    actions::search_history::Class,
    app::{App, hex},
};

/// One entry of a chain on a page.
#[derive(Debug)]
pub(super) struct EntryLine {
    /// Its number in the chain and its index in the log.
    pub(super) place: String,
    pub(super) time: String,
    /// What happened, in a sentence.
    pub(super) title: String,
    /// Who did it.
    pub(super) who: String,
    pub(super) by_me: bool,
    /// `answered`, `nothing`, `refused`, `failed`, `begun` or `changed`.
    pub(super) class: &'static str,
    /// More about it: label and text.
    pub(super) details: Vec<(String, String)>,
}

/// One entry for the person whose chain it stands in.
pub(super) fn entry(app: &App, page: &Page, view: &EntryView, me: &[u8]) -> EntryLine {
    let by_me = view.chain.requester.id == me;
    let who = match view.chain.requester.role.as_str() {
        "deployment" => page.t("who-deployment"),
        _ if by_me => page.t("who-me"),
        _ => page.with("who-other", short(&view.chain.requester.id)),
    };
    let (class, title) = title(app, page, &view.shared);
    EntryLine {
        place: page.fill(
            "entry-number",
            &[
                ("number", &view.seq.to_string()),
                ("index", &view.leaf_index.to_string()),
            ],
        ),
        time: page.time(view.time),
        title,
        who,
        by_me,
        class,
        details: details(app, page, view),
    }
}

fn title(app: &App, page: &Page, opening: &Opening) -> (&'static str, String) {
    let kind = opening
        .kind
        .as_deref()
        .map(|id| kinds::name(app, page, id))
        .unwrap_or_default();
    let class = Class::of(opening);
    match opening.entry_type {
        EntryType::Change | EntryType::Act => (
            "changed",
            change(page, opening.about.as_deref().unwrap_or_default()),
        ),
        EntryType::Intent => ("begun", page.with("entry-begun", kind)),
        // Somebody claimed to be this person: that is told in plain words, not as a record that was seen.
        EntryType::Release if opening.purpose.as_deref() == Some(ACCOUNT_PROOFING) => {
            let proven = opening.outcome.as_deref() == Some(Outcome::Match.code());
            (
                class.word(),
                page.t(if proven {
                    "entry-proven"
                } else {
                    "entry-not-proven"
                }),
            )
        }
        _ => (class.word(), page.with(&format!("entry-{}", class.word()), kind)),
    }
}

/// What was changed; something that this version has no sentence for is told by its code.
fn change(page: &Page, about: &str) -> String {
    let key = format!("change-{about}");
    if messages::exists(page.lang, &key) {
        page.t(&key)
    } else {
        page.with("change-other", about)
    }
}

/// A consent of its own: to which text, and how it was shown.
fn consented_text(page: &Page, view: &EntryView) -> Option<String> {
    let detail = |name| text_of(view.chain.detail.get(name));
    let (lang, shown) = (detail("lang")?, detail("shown")?);
    let text = [
        page.word("lang", lang),
        page.word("shown", shown),
        page.with("text-digest", hex(view.shared.notice.as_ref()?)),
    ];
    Some(text.join(page.lang.separator()))
}

fn details(app: &App, page: &Page, view: &EntryView) -> Vec<(String, String)> {
    let (opening, chain) = (&view.shared, &view.chain);
    let kind = opening.kind.as_deref().unwrap_or_default();
    let mut details = vec![];
    let separator = page.lang.separator();
    let mut say = |key: &str, text: Option<String>| {
        if let Some(text) = text.filter(|t| !t.is_empty()) {
            details.push((page.t(key), text));
        }
    };
    say("label-key", asked_key(app, page, kind, view));
    say(
        "label-purpose",
        opening
            .purpose
            .as_deref()
            .map(|code| kinds::purpose_name(app, page, code)),
    );
    say(
        "label-basis",
        opening
            .basis
            .as_deref()
            .map(|code| page.t(&format!("basis-{code}"))),
    );
    say("label-text", consented_text(page, view));
    let names = |ids: &mut dyn Iterator<Item = &str>| {
        let names: Vec<String> = ids.map(|id| field(app, page, kind, id)).collect();
        names.join(separator)
    };
    let told = opening.entry_type == EntryType::Release;
    say(
        "label-asked",
        (!told).then(|| names(&mut opening.fields.iter().map(String::as_str))),
    );
    say(
        "label-disclosed",
        told.then(|| names(&mut opening.disclosed.keys().map(|id| &**id))),
    );
    say(
        "label-outcome",
        opening
            .outcome
            .as_deref()
            .map(|code| page.t(&format!("outcome-{code}"))),
    );
    // Which of several sources did not agree is for the person alone.
    say(
        "label-said",
        text_of(chain.detail.get("said")).map(|code| page.word("outcome", code)),
    );
    say(
        "label-source",
        opening
            .source
            .as_deref()
            .map(|id| kinds::source_name(app, page, id)),
    );
    say("label-as-of", opening.as_of.map(|t| page.time(Timestamp(t))));
    let reasons = chain
        .reasons
        .iter()
        .map(|code| reason(page, code))
        .collect::<Vec<_>>();
    say("label-reasons", Some(reasons.join(" ")));
    say(
        "label-lookup",
        opening.lookup.map(|id| LookupId::from_bytes(id).to_string()),
    );
    details
}

/// A field's name, and another source's where it is not of the source that answered; the list of keys that mode `list`
/// tells has no field.
pub(super) fn field(app: &App, page: &Page, kind: &str, id: &str) -> String {
    match id.split_once('@') {
        Some((field, source)) => {
            let name = kinds::field_name(app, page, kind, field);
            let source = kinds::source_name(app, page, source);
            page.fill("field-of-source", &[("name", &name), ("source", &source)])
        }
        None if id == "rows" => page.t("field-rows"),
        None => kinds::field_name(app, page, kind, id),
    }
}

/// A text among the details of an entry.
fn text_of(detail: Option<&Value>) -> Option<&str> {
    match detail {
        Some(Value::Text(text)) => Some(text),
        _ => None,
    }
}

/// The key that was asked for, which only the person's own chain tells.
fn asked_key(app: &App, page: &Page, kind: &str, view: &EntryView) -> Option<String> {
    let loaded = app.kinds.get(kind)?;
    let part = |k: &domain::kind::KeyPart| {
        let text = text_of(view.chain.detail.get(&format!("key.{}", k.id)))?;
        Some(values::text(page, &k.of_type, &text.into(), false))
    };
    Some(
        loaded
            .kind
            .key
            .iter()
            .filter_map(part)
            .collect::<Vec<_>>()
            .join(" · "),
    )
}

/// Why something was refused; the name of a rule stands as it is.
fn reason(page: &Page, code: &str) -> String {
    let key = format!("reason-{code}");
    if messages::exists(page.lang, &key) {
        page.t(&key)
    } else {
        code.to_owned()
    }
}

/// Enough of an id to tell one unknown from another.
fn short(id: &[u8]) -> String {
    hex(id.get(id.len().saturating_sub(3)..).unwrap_or_default())
}
