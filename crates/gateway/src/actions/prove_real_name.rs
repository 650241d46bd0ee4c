//! Proves a real name: name and number at the register, and the phone at its carrier, both asked, one result.
//!
//! It is itself a sealed `identity` look-up on the chain of the person who is claimed, so that they see every try.

use domain::{
    identifiers::{IdNumber, Phone},
    ids::{AccountId, SubjectId},
    lookup::{Person, RawLookup, SubjectRef},
    outcome::Outcome,
    purpose::ACCOUNT_PROOFING,
    requester::Requester,
    words::{Level, Mode},
};
use jiff::{ToSpan, civil::Date};
use ledger::opening;
use serde_json::json;
use store::{Account, PHONE_PASSED_ON};
use tokio::time::Instant;

use super::{
    look_up::{self, Answered, Ask, DAY_SECONDS, settle},
    seal_change::{deployment, requester_of, seal_change},
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

/// What shows that the person holds the name that is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// The carrier's word that the phone is theirs: L2.
    Phone,
    /// Somebody at a counter who looked at them and their document: L3. Until operators have accounts this exists in the
    /// demo realm only; there nobody is real, and the counter is a button.
    Counter,
}

/// Below this age a guardian consents for a child (PIPL 31).
const AGE_OF_CONSENT: i32 = 14;

/// Proves that the requester is this person. Every way of not being proven takes the same time in steps of the floor.
///
/// # Errors
/// `UNDER_FOURTEEN` by the number alone, too often, or nothing can be sealed now.
pub async fn prove_real_name(
    app: &App,
    requester: &Requester,
    person: &Person,
    way: Way,
    (lang, arrived): (Lang, Instant),
) -> Result<Proof, Error> {
    let begun = Instant::now();
    if way == Way::Counter && app.store.realm() != "demo" {
        return Err(Error::NotFound);
    }
    if is_child(&person.id_number, app.now().date_in_china()) {
        return Err(Error::bad(
            "UNDER_FOURTEEN",
            "id_number",
            "of somebody of fourteen or more",
        ));
    }
    let proof = prove(app, requester, person, way, (lang, arrived)).await?;
    if matches!(proof, Proof::NotProven(_)) {
        settle(begun).await;
    }
    Ok(proof)
}

/// An age is reached on the day after the birthday, as the law counts it. Where a number tells no birth, nobody is taken
/// for a child.
fn is_child(number: &IdNumber, today: Date) -> bool {
    let birthday = number
        .birth()
        .and_then(|birth| birth.checked_add(AGE_OF_CONSENT.years()).ok());
    birthday.is_some_and(|fourteenth| today <= fourteenth)
}

async fn prove(
    app: &App,
    requester: &Requester,
    person: &Person,
    way: Way,
    at: (Lang, Instant),
) -> Result<Proof, Error> {
    let account = app
        .store
        .account(requester.account)
        .await?
        .ok_or(Error::NotSignedIn)?;
    let Some(subject) = count(app, &account, person).await? else {
        return Ok(Proof::NotProven(None));
    };
    let another = account.subject.is_some_and(|known| known != subject);
    if another && (requester.level >= Level::L2 || way == Way::Counter) {
        // Who has proven a name is that person; nobody is asked about a second one.
        return Ok(Proof::NotProven(None));
    }
    let phone = (way == Way::Phone).then_some(&account.phone);
    let answered = match compare(app, requester, person, phone, at).await? {
        Some(answered) => Box::new(answered),
        None => return Ok(Proof::NotProven(None)),
    };
    match answered.outcome {
        Outcome::Match => {}
        outcome if outcome.is_failure() => return Ok(Proof::Failed(answered)),
        _ => return Ok(Proof::NotProven(Some(answered))),
    }
    let holder = match account.subject {
        // Proven before, on another device: the same person again.
        Some(known) if known == subject => Some(account.id),
        Some(before) => pass_on(app, &account, before, (subject, person)).await?,
        None => bind(app, requester_of(requester), account.id, (subject, person)).await?,
    };
    let Some(holder) = holder else {
        return Ok(Proof::NotProven(Some(answered)));
    };
    // Who signs in often proves often: only what fails is a try too many.
    app.store
        .forgive_attempt(TRIES_OF_ACCOUNT, &requester.account.bytes())
        .await?;
    let (level, about) = match way {
        Way::Phone => (Level::L2, "raised-to-L2"),
        Way::Counter => (Level::L3, "raised-to-L3-in-person"),
    };
    // With an account that was closed its sessions ended.
    let replaces = (holder == requester.account).then_some(requester.session);
    let session = sign_in::start(app, holder, level, replaces, about).await?;
    Ok(Proof::Proven(Box::new(session), answered))
}

/// Asks the register about name and number, and the carrier where a phone is claimed; nothing where it is not permitted.
async fn compare(
    app: &App,
    requester: &Requester,
    person: &Person,
    phone: Option<&Phone>,
    (lang, arrived): (Lang, Instant),
) -> Result<Option<Answered>, Error> {
    let claims = phone.map(|phone| ("phone".to_owned(), json!(phone.expose())));
    let raw = RawLookup {
        purpose: ACCOUNT_PROOFING.to_owned(),
        claims: claims.into_iter().collect(),
        ..RawLookup::default()
    };
    let question = Ask {
        kind: IDENTITY.to_owned(),
        mode: Mode::Match,
        subject: SubjectRef::Person(person.clone()),
        raw,
        wanted: sources::Wanted::default(),
        own: None,
        portrait: None,
        repeat: None,
        proofing: true,
        lang,
        arrived,
    };
    match look_up::look_up(app, requester, question).await {
        Ok(answered) => Ok(Some(answered)),
        Err(Error::NotPermitted { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Makes the account this person's; nothing where either has another.
async fn bind(
    app: &App,
    by: opening::Requester,
    account: AccountId,
    (subject, person): (SubjectId, &Person),
) -> Result<Option<AccountId>, Error> {
    let effect = app.store.bind_account(account, subject, person).await?;
    let bound = seal_change(app, subject, by, "real-name-proven", effect).await?;
    Ok(bound.then_some(account))
}

/// The carrier has given the phone of somebody's account to this person: the account is closed, and the phone begins a
/// new one with a chain of its own. Sealed on the chains of both. Whoever had it proves again with another phone.
async fn pass_on(
    app: &App,
    account: &Account,
    before: SubjectId,
    (subject, person): (SubjectId, &Person),
) -> Result<Option<AccountId>, Error> {
    let own = app.store.subject(subject).await?.and_then(|s| s.account);
    if let Some(own) = own
        && app.store.account(own).await?.is_some()
    {
        // One account per person: who has one signs in with its phone.
        return Ok(None);
    }
    let effect = app.store.close_account(account.id, before);
    if !seal_change(app, before, deployment(), PHONE_PASSED_ON, effect).await? {
        return Ok(None);
    }
    app.store.destroy_account_key(account.id, before).await?;
    let fresh = sign_in::register(app, &account.phone).await?;
    bind(app, sign_in::holder(fresh, Level::L1), fresh, (subject, person)).await
}

/// Counts a try, by whom and about whom; nobody where this person was tried too often. Whether others tried is
/// nobody's business: it looks like any failed proof. Who was proven to be this person before is not locked out by
/// strangers who claim to be.
async fn count(app: &App, account: &Account, person: &Person) -> Result<Option<SubjectId>, Error> {
    let limits = &app.config.limits;
    // Counted before the person is mentioned: it bounds how many people one account can bring into being.
    let own = app
        .store
        .count_attempt(TRIES_OF_ACCOUNT, &account.id.bytes(), DAY_SECONDS)
        .await?;
    if own.count > i64::from(limits.proofs_per_account_per_day) {
        return Err(Error::too_many(own.until, app.now()));
    }
    let subject = app.store.mention_subject(&person.id_number).await?;
    if account.subject == Some(subject) {
        return Ok(Some(subject));
    }
    let tried = app
        .store
        .count_attempt("proof-person", &subject.bytes(), DAY_SECONDS)
        .await?;
    Ok(Some(subject).filter(|_| tried.count <= i64::from(limits.proofs_per_person_per_day)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_fourteen_on_the_day_after_the_birthday() {
        let check = |birth: &str, today: &str, expected: bool| {
            let number = IdNumber::compose("652321", birth.parse().unwrap(), 29).unwrap();
            assert_eq!(
                is_child(&number, today.parse().unwrap()),
                expected,
                "{birth} {today}"
            );
        };
        check("2012-06-15", "2026-06-14", true);
        check("2012-06-15", "2026-06-15", true);
        check("2012-06-15", "2026-06-16", false);
        // Without a 29th the birthday is the last of February.
        check("2012-02-29", "2026-02-28", true);
        check("2012-02-29", "2026-03-01", false);
        check("1952-04-04", "2026-06-15", false);
    }
}
