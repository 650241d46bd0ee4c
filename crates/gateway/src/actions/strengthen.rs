//! Raises a session to L3: by a portrait compared at the register, with a consent of its own, or in person.
//!
//! The picture is compared by the register and kept nowhere. Similarity says nothing about whether a living person
//! sits before the camera, and nothing here claims so.

use bytes::Bytes;
use domain::{
    lookup::{RawLookup, SubjectRef},
    outcome::Outcome,
    purpose::ACCOUNT_PROOFING,
    requester::Requester,
    words::{Level, Mode},
};
use serde_json::json;
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use super::{
    look_up::{self, Answered, Ask, DAY_SECONDS},
    sign_in::{self, SignedIn},
};
use crate::{
    app::{App, Lang, hex},
    error::Error,
};

/// The largest picture that is taken: a phone's portrait in good quality.
pub const MAX_PORTRAIT: usize = 500 * 1024;
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

/// Compares a portrait at the register. `consent` says that the person agreed to this separately (PIPL 29).
///
/// # Errors
/// No consent, no picture, too large or too often, or nothing can be sealed now.
pub async fn by_portrait(
    app: &App,
    requester: &Requester,
    portrait: Bytes,
    consent: bool,
    lang: Lang,
    arrived: Instant,
) -> Result<Strengthened, Error> {
    if !consent {
        return Err(Error::bad(
            "CONSENT_NEEDED",
            "consent",
            "your separate consent to compare the picture",
        ));
    }
    if portrait.len() > MAX_PORTRAIT || !is_picture(&portrait) {
        return Err(Error::bad(
            "PICTURE_UNUSABLE",
            "portrait",
            "a JPEG or PNG of at most 500 kB",
        ));
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
    let mut raw = RawLookup {
        purpose: ACCOUNT_PROOFING.to_owned(),
        ..RawLookup::default()
    };
    let digest = hex(&Sha256::digest(&portrait));
    raw.claims
        .insert("portrait".into(), json!({ "digest": digest, "handle": "inline" }));
    let question = Ask {
        kind: "identity".to_owned(),
        mode: Mode::Match,
        subject: SubjectRef::Own,
        raw,
        wanted: sources::Wanted::default(),
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

/// JPEG or PNG by its first bytes; the register decides what it can read of it.
fn is_picture(bytes: &[u8]) -> bool {
    bytes.starts_with(&[0xff, 0xd8, 0xff]) || bytes.starts_with(b"\x89PNG\r\n\x1a\n")
}
