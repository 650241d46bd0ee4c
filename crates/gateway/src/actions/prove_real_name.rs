//! Proves a real name: name and number at the register, and the phone at its carrier, both asked, one result.
//!
//! It is itself a sealed `identity` look-up on the chain of the person who is claimed, so that they see every try.

use domain::{
    ids::SubjectId,
    lookup::{Person, RawLookup, SubjectRef},
    outcome::Outcome,
    purpose::ACCOUNT_PROOFING,
    requester::Requester,
    words::{Level, Mode},
};
use serde_json::json;
use tokio::time::Instant;

use super::{
    look_up::{self, Answered, Ask, DAY_SECONDS, settle},
    seal_change::{requester_of, seal_change},
    sign_in::{self, SignedIn},
};
use crate::{
    app::{App, Lang},
    error::Error,
};

/// The kind by which people are proven.
pub const IDENTITY: &str = "identity";

/// What became of a proof.
#[derive(Debug)]
pub enum Proof {
    /// Proven and held: the session is L2 now, under a new token.
    Proven(Box<SignedIn>, Box<Answered>),
    /// Not proven. There are several reasons and one answer.
    NotProven(Option<Box<Answered>>),
    /// The register or the carrier did not answer; it tells nothing about anybody.
    Failed(Box<Answered>),
}

/// The counter of tries by one account.
const TRIES_OF_ACCOUNT: &str = "proof-account";

/// Proves that the requester is this person. Every way of not being proven takes the same time in steps of the floor.
///
/// # Errors
/// Too often, or nothing can be sealed now.
pub async fn prove_real_name(
    app: &App,
    requester: &Requester,
    person: &Person,
    lang: Lang,
    arrived: Instant,
) -> Result<Proof, Error> {
    let proof = prove(app, requester, person, lang, arrived).await?;
    if matches!(proof, Proof::NotProven(_)) {
        settle(arrived).await;
    }
    Ok(proof)
}

async fn prove(
    app: &App,
    requester: &Requester,
    person: &Person,
    lang: Lang,
    arrived: Instant,
) -> Result<Proof, Error> {
    let account = app
        .store
        .account(requester.account)
        .await?
        .ok_or(Error::NotSignedIn)?;
    let subject = count(app, requester, person).await?;
    let Some(subject) = subject.filter(|s| account.subject.is_none_or(|known| known == *s)) else {
        // An account is one person's for good; nobody is asked about a second one.
        return Ok(Proof::NotProven(None));
    };
    let mut raw = RawLookup {
        purpose: ACCOUNT_PROOFING.to_owned(),
        ..RawLookup::default()
    };
    raw.claims.insert("phone".into(), json!(account.phone.expose()));
    let question = Ask {
        kind: IDENTITY.to_owned(),
        mode: Mode::Match,
        subject: SubjectRef::Person(person.clone()),
        raw,
        wanted: sources::Wanted::default(),
        portrait: None,
        repeat: None,
        proofing: true,
        lang,
        arrived,
    };
    let answered = match look_up::look_up(app, requester, question).await {
        Ok(answered) => Box::new(answered),
        Err(Error::NotPermitted { .. }) => return Ok(Proof::NotProven(None)),
        Err(error) => return Err(error),
    };
    match answered.outcome {
        Outcome::Match => {}
        outcome if outcome.is_failure() => return Ok(Proof::Failed(answered)),
        _ => return Ok(Proof::NotProven(Some(answered))),
    }
    let bound = match account.subject {
        // Proven before, on another device: the same person again.
        Some(_) => true,
        None => {
            let effect = app.store.bind_account(requester.account, subject, person).await?;
            seal_change(app, subject, requester_of(requester), "real-name-proven", effect).await?
        }
    };
    if !bound {
        return Ok(Proof::NotProven(Some(answered)));
    }
    // Who signs in often proves often: only what fails is a try too many.
    app.store
        .forgive_attempt(TRIES_OF_ACCOUNT, &requester.account.bytes())
        .await?;
    let session = sign_in::start(
        app,
        requester.account,
        Level::L2,
        Some(requester.session),
        "raised-to-L2",
    )
    .await?;
    Ok(Proof::Proven(Box::new(session), answered))
}

/// Counts a try, by whom and about whom; nobody where this person was tried too often. Whether others tried is
/// nobody's business: it looks like any failed proof.
async fn count(app: &App, requester: &Requester, person: &Person) -> Result<Option<SubjectId>, Error> {
    let limits = &app.config.limits;
    // Counted before the person is mentioned: it bounds how many people one account can bring into being.
    let own = app
        .store
        .count_attempt(TRIES_OF_ACCOUNT, &requester.account.bytes(), DAY_SECONDS)
        .await?;
    if own.count > i64::from(limits.proofs_per_account_per_day) {
        return Err(Error::too_many(own.until, app.now()));
    }
    let subject = app.store.mention_subject(&person.id_number).await?;
    let tried = app
        .store
        .count_attempt("proof-person", &subject.bytes(), DAY_SECONDS)
        .await?;
    Ok(Some(subject).filter(|_| tried.count <= i64::from(limits.proofs_per_person_per_day)))
}
