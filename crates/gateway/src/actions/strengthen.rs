//! Raises a session to L3: by a portrait compared at the register, with a consent of its own, or in person.
//!
//! The picture is compared by the register and kept nowhere. Similarity says nothing about whether a living person
//! sits before the camera, and nothing here claims so.

use std::collections::BTreeMap;

use bytes::Bytes;
use domain::{
    lookup::{RawLookup, SubjectRef},
    outcome::Outcome,
    purpose::ACCOUNT_PROOFING,
    requester::Requester,
    words::{LegalBasis, Level, Mode},
};
use ledger::cbor::Value;
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    look_up::{self, Answered, Ask, DAY_SECONDS},
    prove_real_name::IDENTITY,
    seal_change::{change_of, no_effect, requester_of, seal_described},
    sign_in::{self, SignedIn},
};
use crate::{
    app::{App, Lang, hex},
    error::Error,
    notices::ShownNotice,
};

/// The largest picture that is taken: a phone's portrait in good quality.
pub const MAX_PORTRAIT: usize = 500 * 1024;
/// What is taken as one, in words.
pub const PORTRAIT_WANTED: &str = "a JPEG or PNG of at most 500 kB";
/// Pictures that one account may try within a day.
const PORTRAITS_PER_DAY: i64 = 5;

/// What became of it.
#[derive(Debug)]
pub enum Strengthened {
    /// The session is L3 now, under a new token.
    Yes(Box<SignedIn>, Box<Answered>),
    /// Not similar enough, not the person, or the register did not answer: the outcome says which.
    No(Box<Answered>),
}

/// The person's separate consent (PIPL 29).
#[derive(Debug)]
pub struct Consent {
    /// The hash of the text that they agreed to, as it was shown; anything else where they did not agree.
    pub text: String,
    /// Where it was shown.
    pub shown: Shown,
}

/// How a text was shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// On the portal's page.
    Page,
    /// On the portal's page in elder mode.
    ElderPage,
    /// By a client of the API, which gave back the hash of the text.
    ByClient,
}

impl Shown {
    /// The word that is sealed.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Shown::Page => "page",
            Shown::ElderPage => "elder-page",
            Shown::ByClient => "client",
        }
    }
}

/// What the entry of a consent to compare a portrait is about.
const CONSENTED: &str = "portrait-consented";

/// The text that was agreed to, and its language; a text that is no longer shown was not.
///
/// # Errors
/// `CONSENT_NEEDED`.
pub fn agreed<'a>(app: &'a App, hash: &str) -> Result<(&'a ShownNotice, Lang), Error> {
    let shown = Lang::ALL.map(|lang| (app.portrait_consent(lang), lang));
    let agreed = shown.into_iter().find(|(text, _)| text.hash_text() == hash);
    agreed.ok_or_else(|| {
        Error::bad(
            "CONSENT_NEEDED",
            "consent",
            "the hash of the consent that the person agreed to",
        )
    })
}

/// Compares a portrait at the register. That the person agreed to this separately is sealed before it is asked.
///
/// # Errors
/// No consent, no picture, too large or too often, or nothing can be sealed now.
pub async fn by_portrait(
    app: &App,
    requester: &Requester,
    portrait: Bytes,
    consent: Consent,
    (lang, arrived): (Lang, Instant),
) -> Result<Strengthened, Error> {
    agreed(app, &consent.text)?;
    if !is_portrait(&portrait) {
        return Err(Error::bad("PICTURE_UNUSABLE", "portrait", PORTRAIT_WANTED));
    }
    if requester.level < Level::L2 {
        return Err(Error::bad("PROVE_NAME_FIRST", "level", "a proven real name"));
    }
    let tried = app
        .store
        .count_attempt("portrait", &requester.account.bytes(), DAY_SECONDS)
        .await?;
    if tried.count > PORTRAITS_PER_DAY {
        return Err(Error::too_many(tried.until, app.now()));
    }
    seal_consent(app, requester, &consent).await?;
    let mut raw = RawLookup {
        purpose: ACCOUNT_PROOFING.to_owned(),
        ..RawLookup::default()
    };
    let digest = hex(&Sha256::digest(&portrait));
    raw.claims
        .insert("portrait".into(), json!({ "digest": digest, "handle": "inline" }));
    let question = Ask {
        kind: IDENTITY.to_owned(),
        mode: Mode::Match,
        subject: SubjectRef::Own,
        raw,
        wanted: sources::Wanted::default(),
        own: None,
        portrait: Some(portrait),
        repeat: None,
        proofing: true,
        lang,
        arrived,
    };
    let answered = Box::new(look_up::look_up(app, requester, question).await?);
    if answered.outcome != Outcome::Match {
        return Ok(Strengthened::No(answered));
    }
    let session = sign_in::start(
        app,
        requester.account,
        Level::L3,
        Some(requester.session),
        "raised-to-L3",
    )
    .await?;
    Ok(Strengthened::Yes(Box::new(session), answered))
}

/// Seals which text the person agreed to, in which language, and how it was shown to them.
async fn seal_consent(app: &App, requester: &Requester, consent: &Consent) -> Result<(), Error> {
    let (text, lang) = agreed(app, &consent.text)?;
    let owner = requester.subject.ok_or(Error::NotSignedIn)?;
    let mut shared = change_of(owner, CONSENTED);
    shared.purpose = Some(ACCOUNT_PROOFING.to_owned());
    shared.basis = Some(LegalBasis::Consent.code().to_owned());
    shared.kind = Some(IDENTITY.to_owned());
    shared.fields = ["portrait".to_owned()].into();
    shared.notice = Some(text.hash.to_vec());
    let word = |word: &str| Value::Text(word.to_owned());
    let detail = BTreeMap::from([
        ("lang".to_owned(), word(lang.code())),
        ("shown".to_owned(), word(consent.shown.code())),
    ]);
    // Who has signed out meanwhile has consented to nothing.
    let effect = no_effect().while_lives(requester.session, requester.account);
    match seal_described(app, owner, requester_of(requester), (shared, detail), effect).await? {
        true => Ok(()),
        false => Err(Error::NotSignedIn),
    }
}

/// Raises the session in person, at a counter. Until operators have accounts this exists in the demo realm only;
/// there nobody is real, and the counter is a button.
///
/// # Errors
/// Any other realm, no proven name, or nothing can be sealed now.
pub async fn in_person(app: &App, requester: &Requester) -> Result<SignedIn, Error> {
    if app.store.realm() != "demo" {
        return Err(Error::NotFound);
    }
    if requester.level < Level::L2 {
        return Err(Error::bad("PROVE_NAME_FIRST", "level", "a proven real name"));
    }
    sign_in::start(
        app,
        requester.account,
        Level::L3,
        Some(requester.session),
        "raised-to-L3-in-person",
    )
    .await
}

/// JPEG or PNG by its first bytes, and not too large; the register decides what it can read of it.
#[must_use]
pub fn is_portrait(bytes: &[u8]) -> bool {
    let is_picture = bytes.starts_with(&[0xff, 0xd8, 0xff]) || bytes.starts_with(b"\x89PNG\r\n\x1a\n");
    is_picture && bytes.len() <= MAX_PORTRAIT
}
