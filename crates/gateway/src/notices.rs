//! The notices that are shown before a look-up, one for each kind, purpose and language. They are filled once, at
//! start, where an empty slot stops the program; a look-up seals the hash of the one that was shown.

use std::collections::BTreeMap;

use domain::{
    kind::{Catalogue, LoadedKind, Notice, NoticeSlots},
    purpose::{Purpose, PurposeRegister},
    words::Bilingual,
};

use crate::{app::Lang, config::Operator};

/// A notice as it was shown: its text in one language, and the hash that is sealed.
#[derive(Debug, Clone)]
pub struct ShownNotice {
    /// The text, in Markdown of paragraphs and headings only.
    pub text: String,
    /// SHA-256 of the text.
    pub hash: [u8; 32],
}

/// All notices, by kind and then by purpose.
pub(crate) struct Notices(BTreeMap<String, BTreeMap<String, InBoth>>);

struct InBoth {
    zh: ShownNotice,
    en: ShownNotice,
}

impl Notices {
    /// Fills the notice of every kind for every purpose that it serves.
    ///
    /// # Errors
    /// Names the kind, purpose and slot that is empty.
    pub(crate) fn fill(
        kinds: &Catalogue,
        register: &PurposeRegister,
        operator: &Operator,
    ) -> Result<Self, String> {
        let mut notices: BTreeMap<String, BTreeMap<String, InBoth>> = BTreeMap::new();
        for kind in kinds.in_order() {
            for purpose in register.iter().filter(|p| kind.kind.purposes.contains(&p.code)) {
                let shown = |lang| {
                    shown(kind, purpose, operator, lang).map_err(|slot| {
                        format!(
                            "the notice of {} for {} has nothing for {slot}",
                            kind.kind.id, purpose.code
                        )
                    })
                };
                let both = InBoth {
                    zh: shown(Lang::Zh)?,
                    en: shown(Lang::En)?,
                };
                notices
                    .entry(kind.kind.id.clone())
                    .or_default()
                    .insert(purpose.code.clone(), both);
            }
        }
        Ok(Notices(notices))
    }

    /// The notice, where the kind serves the purpose.
    pub(crate) fn get(&self, kind: &LoadedKind, purpose: &str, lang: Lang) -> Option<&ShownNotice> {
        let both = self.0.get(&kind.kind.id)?.get(purpose)?;
        Some(match lang {
            Lang::Zh => &both.zh,
            Lang::En => &both.en,
        })
    }
}

fn shown(
    kind: &LoadedKind,
    purpose: &Purpose,
    operator: &Operator,
    lang: Lang,
) -> Result<ShownNotice, String> {
    let template = match lang {
        Lang::Zh => &kind.notice.zh,
        Lang::En => &kind.notice.en,
    };
    let (text, hash) = Notice::fill(template, &slots(kind, purpose, operator, lang))?;
    Ok(ShownNotice { text, hash })
}

fn slots(kind: &LoadedKind, purpose: &Purpose, operator: &Operator, lang: Lang) -> NoticeSlots {
    let k = &kind.kind;
    let say = |b: &Bilingual| lang.of(b).to_owned();
    let fields: Vec<String> = k.disclosable().map(|f| say(&f.name)).collect();
    let types = if fields.is_empty() {
        say(&k.about)
    } else {
        fields.join(lang.separator())
    };
    let retention = Bilingual::new(
        &format!(
            "查询结果最多保存{}分钟，查询记录保存{}年",
            k.retention.answer_minutes, k.retention.evidence_years
        ),
        &format!(
            "the answer at most {} minutes, the record that you looked {} years",
            k.retention.answer_minutes, k.retention.evidence_years
        ),
    );
    let words = [
        ("operator", operator.name.clone()),
        ("contact", operator.contact.clone()),
        (
            "means",
            Bilingual::new(
                "向保管这些记录的机关加密查询，一次一查",
                "one encrypted question to the authority that keeps the record",
            ),
        ),
        ("retention", retention),
        (
            "rights",
            Bilingual::new(
                "查阅、复制、更正、删除、要求说明，也可以投诉",
                "to see, copy, correct and delete it, to have it explained, and to complain",
            ),
        ),
        (
            "necessity",
            Bilingual::new(
                "不查询就无法告诉您结果",
                "without asking, we cannot tell you the result",
            ),
        ),
        (
            "effect",
            Bilingual::new("除了您自己，没有人会看到结果", "nobody but you sees the result"),
        ),
    ];
    let mut slots: NoticeSlots = words
        .iter()
        .map(|(slot, text)| ((*slot).to_owned(), say(text)))
        .collect();
    slots.insert("types".into(), types);
    slots.insert("purpose".into(), say(&purpose.name));
    slots
}
