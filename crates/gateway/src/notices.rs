//! The notices that are shown before a look-up, one for each kind, purpose and language, and the separate consent to
//! compare a portrait, which says what there is without one. They are filled once, at start, where an empty slot stops
//! the program; what was shown is sealed by its hash.

use std::collections::BTreeMap;

use domain::{
    kind::{Catalogue, LoadedKind, Notice, NoticeSlots},
    purpose::{Purpose, PurposeRegister},
    words::Bilingual,
};
use sha2::{Digest, Sha256};
use sources::Realm;

use crate::{
    app::{Lang, hex},
    config::Operator,
};

/// The separate consent to compare a portrait (PIPL 29), with slots for who runs the deployment and for what there is
/// without a portrait. Its last paragraph is what the person agrees to.
const PORTRAIT_CONSENT: [(Lang, &str); 2] = [
    (Lang::Zh, include_str!("../messages/portrait-consent.zh.md")),
    (Lang::En, include_str!("../messages/portrait-consent.en.md")),
];

/// What the consent says of not agreeing. By section 10 of 人脸识别技术应用安全管理办法 a face must not be the only way where
/// another reaches the goal: where there is a counter, that is the other way; where there is none yet, it says so.
fn without_portrait(realm: Realm, lang: Lang) -> &'static str {
    match (realm, lang) {
        (Realm::Demo, Lang::Zh) => "可以到柜台当面核对，也可以什么都不做。别的查询照常用。",
        (Realm::Demo, Lang::En) => "You can come to a counter, or leave it. Everything else works as before.",
        (Realm::Production, Lang::Zh) => {
            "可以不同意，不用露脸。只是这里还不能当面核对，要加强核验才能查的记录暂时查不了，遮住的内容也不能点开；\
             别的查询照常用。想当面核对的，请联系：{{contact}}"
        }
        (Realm::Production, Lang::En) => {
            "You need not agree, nor show your face. But proof in person is not offered here yet: records that need the \
             stronger check stay closed for now, and masked items stay masked. Everything else works as before. If you \
             want to be verified in person, ask: {{contact}}"
        }
    }
}

/// A notice as it was shown: its text in one language, and the hash that is sealed.
#[derive(Debug, Clone)]
pub struct ShownNotice {
    /// The text, in Markdown of paragraphs and headings only.
    pub text: String,
    /// SHA-256 of the text.
    pub hash: [u8; 32],
}

impl ShownNotice {
    /// The hash as programs and forms carry it: lower-case hexadecimal.
    #[must_use]
    pub fn hash_text(&self) -> String {
        hex(&self.hash)
    }
}

/// All that is shown before something is asked.
pub(crate) struct Notices {
    /// By kind and then by purpose.
    of_kinds: BTreeMap<String, BTreeMap<String, InBoth>>,
    portrait_consent: InBoth,
}

struct InBoth {
    zh: ShownNotice,
    en: ShownNotice,
}

impl Notices {
    /// Fills the notice of every kind for every purpose that it serves, and the consent as it is true in this realm.
    ///
    /// # Errors
    /// Names the kind, purpose and slot that is empty.
    pub(crate) fn fill(
        kinds: &Catalogue,
        register: &PurposeRegister,
        operator: &Operator,
        realm: Realm,
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
        let [zh, en] = PORTRAIT_CONSENT.map(|(lang, text)| {
            let text = text.replace("{{without}}", without_portrait(realm, lang));
            consent(&text, operator, lang)
        });
        Ok(Notices {
            of_kinds: notices,
            portrait_consent: InBoth { zh, en },
        })
    }

    /// The notice, where the kind serves the purpose.
    pub(crate) fn get(&self, kind: &LoadedKind, purpose: &str, lang: Lang) -> Option<&ShownNotice> {
        Some(self.of_kinds.get(&kind.kind.id)?.get(purpose)?.of(lang))
    }

    /// The separate consent to compare a portrait.
    pub(crate) fn portrait_consent(&self, lang: Lang) -> &ShownNotice {
        self.portrait_consent.of(lang)
    }
}

impl InBoth {
    fn of(&self, lang: Lang) -> &ShownNotice {
        match lang {
            Lang::Zh => &self.zh,
            Lang::En => &self.en,
        }
    }
}

fn consent(text: &str, operator: &Operator, lang: Lang) -> ShownNotice {
    let text = text
        .replace("{{operator}}", lang.of(&operator.name))
        .replace("{{contact}}", lang.of(&operator.contact));
    let hash = Sha256::digest(&text).into();
    ShownNotice { text, hash }
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
    // What holds of every kind, where the kind says nothing of its own.
    let necessity = Bilingual::new(
        "不查询就无法告诉您结果",
        "without asking, we cannot tell you the result",
    );
    let effect = Bilingual::new("除了您自己，没有人会看到结果", "nobody but you sees the result");
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
        ("necessity", k.necessity.clone().unwrap_or(necessity)),
        ("effect", k.effect.clone().unwrap_or(effect)),
    ];
    let mut slots: NoticeSlots = words
        .iter()
        .map(|(slot, text)| ((*slot).to_owned(), say(text)))
        .collect();
    slots.insert("types".into(), types);
    slots.insert("purpose".into(), say(&purpose.name));
    slots
}
