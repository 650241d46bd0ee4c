//! One look-up, from question to answer: ask (authenticate, parse, decide, seal the intent) and release (fetch,
//! minimise, seal the outcome, answer). Nothing is asked and nothing is answered that is not sealed before.

mod answered;
mod minimise;
mod openings;
mod refusals;

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use domain::{
    decision::Reason,
    identifiers::Area,
    ids::{LookupId, SubjectId},
    lookup::{LookupRequest, Person, RawLookup, RequestProblem, SubjectRef},
    outcome::Outcome,
    purpose::ACCOUNT_PROOFING,
    requester::{Relation, Requester, Standing},
    time::Timestamp,
    words::{AskedFreshness, Mode},
};
use ledger::{EntryType, Shared};
use sources::AskedBeside;
use store::{Act, EndLookup, NewLookup, Seal, SealedPerson, StoreError};
use tokio::time::Instant;

pub use answered::{Answered, AnsweredElsewhere, AnsweredField, AnsweredOther, AnsweredSource, WrittenSalt};
use minimise::{minimise, not_compared};
pub(super) use openings::wanted_of;
use openings::{chain_of, commit_fields, commit_rows, say_beside, say_provenance, shared_of, withheld};
pub use refusals::REFUSAL_FLOOR;
pub(super) use refusals::settle;
use refusals::{not_permitted, seal_refusal};

use super::{
    decide::{self, Refusal},
    guards::still_signed_in,
};
use crate::{
    app::{App, Lang, hex},
    error::Error,
};

/// From arrival to answer.
pub const DEADLINE: Duration = Duration::from_secs(3);
/// Questions about others and proofs are counted by the day.
pub const DAY_SECONDS: i64 = 24 * 3600;

/// A question as it arrived.
#[derive(Debug, Clone)]
pub struct Ask {
    /// The kind's id.
    pub kind: String,
    /// The mode.
    pub mode: Mode,
    /// About whom.
    pub subject: SubjectRef,
    /// The parts.
    pub raw: RawLookup,
    /// Of which region, and how fresh.
    pub wanted: sources::Wanted,
    /// The requester's own person, where whoever authenticated them has read it.
    pub own: Option<SealedPerson>,
    /// The bytes of a claimed picture; they are compared by the source and kept nowhere.
    pub portrait: Option<Bytes>,
    /// The requester's idempotency key, and a hash of the whole request.
    pub repeat: Option<([u8; 32], [u8; 32])>,
    /// Asked by the act of proving who one is. Nobody can ask so by themselves: a yes or no about somebody's name
    /// and number, given to whoever asks, is an oracle.
    pub proofing: bool,
    /// The language in which the notice was shown.
    pub lang: Lang,
    /// When it arrived.
    pub arrived: Instant,
}

/// A look-up whose intent is sealed and which may now be fetched.
#[must_use = "an intent that nobody ends is closed as a failure"]
pub struct Intent {
    lookup: LookupId,
    owner: SubjectId,
    person: Person,
    relation: Relation,
    request: LookupRequest,
    requester: Requester,
    portrait: Option<Bytes>,
    wanted: sources::Wanted,
    /// What both of its entries say.
    shared: Shared,
    /// Under an idempotency key.
    repeats: bool,
    arrived: Instant,
}

/// How far `ask` came.
pub enum Asked {
    /// Sealed: go on to `release`.
    Intended(Box<Intent>),
    /// The same question was asked before under the same idempotency key: the same answer.
    Repeated(Box<Answered>),
}

/// What is asked of whoever answers, from its words; none is the usual wish.
///
/// # Errors
/// No such word, or no such region.
pub fn wanted(freshness: Option<&str>, region: Option<&str>) -> Result<sources::Wanted, Error> {
    let freshness = match freshness {
        None => AskedFreshness::Any,
        Some(word) => AskedFreshness::from_code(word)
            .ok_or_else(|| Error::bad("BAD_VALUE", "freshness", "realtime or any"))?,
    };
    let bad = || {
        Error::bad(
            "BAD_VALUE",
            "region",
            "2, 4 or 6 leading digits of a division code",
        )
    };
    let region = match region {
        None => None,
        Some(digits) => Some(Area::parse(digits).ok_or_else(bad)?),
    };
    Ok(sources::Wanted { freshness, region })
}

/// Looks up: asks, fetches, releases.
///
/// # Errors
/// Wrong input, a refusal (sealed), or nothing can be sealed now.
pub async fn look_up(app: &App, requester: &Requester, question: Ask) -> Result<Answered, Error> {
    match ask(app, requester, question).await? {
        Asked::Intended(intent) => release(app, intent).await,
        Asked::Repeated(answered) => Ok(*answered),
    }
}

/// Steps 1 to 4: parse, decide, seal the intent. The requester is authenticated already.
///
/// # Errors
/// Wrong input leaves no entry; a refusal is sealed on the chain of the person asked about.
pub async fn ask(app: &App, requester: &Requester, question: Ask) -> Result<Asked, Error> {
    let begun = Instant::now();
    let per_minute = app.config.limits.lookups_per_minute;
    app.limiter
        .count(requester.account, per_minute, app.now())
        .map_err(|retry_after| Error::TooMany { retry_after })?;
    let kind = app
        .kinds
        .get(&question.kind)
        .ok_or_else(|| Error::bad("UNKNOWN_KIND", "kind", "the id of a kind"))?;
    let today = app.now().date_in_china();
    let parsed = LookupRequest::parse(
        kind,
        question.mode,
        question.subject.clone(),
        &question.raw,
        &app.register,
        today,
    );
    let (request, refusal) = match parsed {
        Ok(request) if (request.purpose == ACCOUNT_PROOFING) != question.proofing => (
            Some(request),
            Some((Refusal::by(Reason::PurposeNotRegistered), "purpose".to_owned())),
        ),
        Ok(request) => {
            let refusal = decide::visible(&request, requester.level).err();
            (Some(request), refusal.map(|r| (r, "level".to_owned())))
        }
        Err(RequestProblem::Refused { reason, at }) => (None, Some((Refusal::by(reason), at))),
        Err(problem) => return Err(problem.into()),
    };
    let concerns_other = matches!(question.subject, SubjectRef::Person(_));
    let about = whom(app, requester, &question).await?;
    let requester = &about.known(requester);
    if let Some((refusal, at)) = refusal {
        let reason = refusal.reason;
        let lookup = seal_refusal(app, requester, &question, request.as_ref(), &about, refusal).await?;
        if concerns_other {
            settle(begun).await;
        }
        return Err(Error::Refused {
            reason,
            at,
            lookup: Some(lookup),
        });
    }
    let request =
        request.ok_or_else(|| Error::Internal("a question was neither parsed nor refused".into()))?;
    if let Some(answered) = repeated(app, &question, begun, &request, about.owner).await? {
        still_signed_in(app, requester).await?;
        return Ok(Asked::Repeated(Box::new(answered)));
    }
    if let Err(refusal) = decide::hidden(app, &request, requester, about.relation, about.active) {
        let lookup = seal_refusal(app, requester, &question, Some(&request), &about, refusal).await?;
        settle(begun).await;
        return Err(not_permitted(&question, lookup));
    }
    let person = about
        .person
        .ok_or_else(|| Error::Internal("a permitted question is about nobody".into()))?;
    seal_intent(
        app,
        requester,
        question,
        request,
        (about.owner, person, about.relation),
    )
    .await
}

/// Whose chain the look-up belongs to, and what the requester is to them.
struct About {
    owner: SubjectId,
    relation: Relation,
    person: Option<Person>,
    active: bool,
    /// What the requester is known to be since their own person has opened.
    standing: Option<Standing>,
}

impl About {
    /// The requester with what is known of them by now.
    fn known(&self, requester: &Requester) -> Requester {
        Requester {
            standing: self.standing.or(requester.standing),
            ..*requester
        }
    }
}

async fn whom(app: &App, requester: &Requester, question: &Ask) -> Result<About, Error> {
    let own = async || -> Result<About, Error> {
        let Some(subject) = requester.subject else {
            return Ok(About {
                owner: requester.account.chain(),
                relation: Relation::Own,
                person: None,
                active: true,
                standing: None,
            });
        };
        if let Some(own) = question.own.as_ref().filter(|own| own.subject == subject) {
            // Who was erased since is told that they are not signed in, and nothing is sealed.
            let opened = app.store.open_person(own).await?;
            return Ok(About {
                owner: subject,
                relation: Relation::Own,
                person: Some(opened.person),
                // Who was erased meanwhile is refused by the seal.
                active: true,
                standing: opened.standing,
            });
        }
        let found = app.store.subject(subject).await?;
        let found = found.filter(|found| found.account == Some(requester.account));
        let (active, person) = found.map_or((false, None), |s| (s.active, s.person));
        Ok(About {
            owner: subject,
            relation: Relation::Own,
            active: active && person.is_some(),
            person,
            standing: None,
        })
    };
    let SubjectRef::Person(person) = &question.subject else {
        return own().await;
    };
    // Counted for every question about somebody else, known here or not, so that the bound tells nothing.
    // A proof was counted by whoever asked for it.
    if !question.proofing {
        let counted = app
            .store
            .count_attempt("others", &requester.account.bytes(), DAY_SECONDS)
            .await?;
        if counted.count > i64::from(app.config.limits.others_per_day) {
            return Err(Error::too_many(counted.until, app.now()));
        }
    }
    let subject = app.store.mention_subject(&person.id_number).await?;
    if !question.proofing && requester.subject == Some(subject) {
        return own().await;
    }
    let active = app.store.subject(subject).await?.is_some_and(|s| s.active);
    let relation = if question.proofing {
        Relation::Claimed
    } else {
        Relation::Other
    };
    Ok(About {
        owner: subject,
        relation,
        person: Some(person.clone()),
        active,
        standing: None,
    })
}

/// What became of the same question under the same idempotency key: answered, failed or refused alike.
async fn repeated(
    app: &App,
    question: &Ask,
    begun: Instant,
    request: &LookupRequest,
    owner: SubjectId,
) -> Result<Option<Answered>, Error> {
    let Some((key, hash)) = question.repeat else {
        return Ok(None);
    };
    let Some(before) = app.store.repetition(owner, key, hash).await? else {
        return Ok(None);
    };
    if !before.same_request {
        return Err(Error::Conflict("IDEMPOTENCY_KEY_REUSED"));
    }
    if before.state == "intended" {
        return Err(Error::Conflict("LOOKUP_UNDER_WAY"));
    }
    if before.state == "refused" {
        settle(begun).await;
        return Err(Error::NotPermitted {
            lookup: before.lookup,
        });
    }
    let seq = before.outcome_seq.ok_or(Error::Conflict("ANSWER_NOT_KEPT"))?;
    let mut answered: Answered = match before.answer {
        Some(answer) => serde_json::from_slice(&answer)
            .map_err(|_| Error::Internal("a kept answer does not parse".into()))?,
        None if before.state == "failed" => failed_before(app, request, before.lookup, owner, seq).await?,
        None => return Err(Error::Conflict("ANSWER_NOT_KEPT")),
    };
    answered.receipt = app.store.receipt(owner, seq).await?;
    Ok(Some(answered))
}

/// A failure disclosed nothing, so that its entry tells all of it.
async fn failed_before(
    app: &App,
    request: &LookupRequest,
    lookup: LookupId,
    owner: SubjectId,
    seq: u64,
) -> Result<Answered, Error> {
    let entry = app.store.entry(owner, seq).await?;
    let outcome = entry.and_then(|e| Outcome::from_code(e.shared.outcome.as_deref()?));
    Ok(Answered {
        lookup,
        kind: request.kind.kind.id.clone(),
        outcome: outcome.ok_or_else(|| Error::Internal("a failure has no outcome".into()))?,
        withheld: withheld(request, &[]),
        fields: vec![],
        rows: vec![],
        rows_salt: None,
        source: None,
        not_compared: vec![],
        elsewhere: None,
        not_live: false,
        time: 0,
        receipt: None,
    })
}

async fn seal_intent(
    app: &App,
    requester: &Requester,
    question: Ask,
    request: LookupRequest,
    (owner, person, relation): (SubjectId, Person, Relation),
) -> Result<Asked, Error> {
    let lookup = app.store.random().id(app.now(), LookupId::new);
    let notice = app
        .notice(&request.kind, &request.purpose, question.lang)
        .ok_or_else(|| Error::Internal("a kind serves a purpose without a notice".into()))?
        .hash;
    let row = new_lookup(app, requester, &question, lookup);
    let mut both = shared_of(app, requester, owner, lookup, &request);
    both.notice = Some(notice.to_vec());
    let mut shared = both.clone();
    shared.node = Some(hex(&app.store.node()));
    shared.deadline = Some(row.deadline.0);
    let seal = Seal {
        owner,
        shared,
        chain: chain_of(requester, vec![], Some(&request), question.wanted),
        act: Act::Begin(row),
    };
    match app.store.seal(seal).await? {
        store::Outcome::Sealed(_) => Ok(Asked::Intended(Box::new(Intent {
            lookup,
            owner,
            person,
            relation,
            request,
            requester: *requester,
            portrait: question.portrait,
            wanted: question.wanted,
            shared: both,
            repeats: question.repeat.is_some(),
            arrived: question.arrived,
        }))),
        store::Outcome::Refused(_) => Err(Error::NotPermitted { lookup }),
        store::Outcome::Nothing => Err(Error::Conflict("LOOKUP_UNDER_WAY")),
    }
}

/// Steps 5 to 8: fetch, minimise, seal the outcome, answer.
///
/// # Errors
/// The session ended meanwhile (sealed as a refusal), or the outcome cannot be sealed: then nothing is answered.
pub async fn release(app: &App, intent: Box<Intent>) -> Result<Answered, Error> {
    let request = &intent.request;
    let mut answer = app
        .sources
        .ask(sources::Question {
            lookup: intent.lookup,
            kind: Arc::clone(&request.kind),
            mode: request.mode,
            person: intent.person.clone(),
            key: request.key.clone(),
            fields: Arc::clone(&request.fields),
            claims: request.claims.clone(),
            portrait: intent.portrait.clone(),
            wanted: intent.wanted,
            arrived: app.now(),
            deadline: intent.arrived + DEADLINE,
        })
        .await;
    let said = answer.outcome;
    let (outcome, disclosed, rows) = minimise(&intent, &mut answer);
    // Of a proof that failed, which of register and carrier did not agree is for the person and the auditor alone:
    // told to whoever asked, it would say whether a name belongs to a number.
    let hides = intent.relation == Relation::Claimed && outcome != Outcome::Match;
    let (provenance, hidden) = if hides {
        (None, answer.provenance)
    } else {
        (answer.provenance, None)
    };
    // Where to look instead is told with "not covered" alone: of a proof it would say what the sources said.
    let elsewhere = answer.elsewhere.filter(|_| outcome == Outcome::NotCovered);
    let mut shared = intent.shared.clone();
    shared.entry_type = if outcome.is_release() {
        EntryType::Release
    } else {
        EntryType::Failure
    };
    shared.outcome = Some(outcome.code().to_owned());
    if let Some(provenance) = &provenance {
        say_provenance(&mut shared, provenance);
    }
    let fields = commit_fields(app, &mut shared, disclosed);
    let (rows, rows_salt) = commit_rows(app, &mut shared, rows);
    let answered = Answered {
        lookup: intent.lookup,
        kind: request.kind.kind.id.clone(),
        outcome,
        withheld: withheld(request, &fields),
        fields,
        rows,
        rows_salt,
        source: provenance.map(|p| AnsweredSource {
            staler: answer.staler,
            ..AnsweredSource::from(p)
        }),
        not_compared: not_compared(&answer.beside),
        elsewhere: elsewhere.map(AnsweredElsewhere::from),
        not_live: answer.not_live && outcome == Outcome::NotCovered,
        time: 0,
        receipt: None,
    };
    let said = Said {
        outcome: said,
        source: hidden.map(|p| p.source),
        beside: answer.beside,
    };
    seal_outcome(app, &intent, shared, answered, said).await
}

/// What the sources said and the requester is not told.
struct Said {
    outcome: Outcome,
    source: Option<String>,
    /// Who was asked beside, and what came of it.
    beside: Vec<AskedBeside>,
}

async fn seal_outcome(
    app: &App,
    intent: &Intent,
    shared: Shared,
    mut answered: Answered,
    said: Said,
) -> Result<Answered, Error> {
    let release = answered.outcome.is_release();
    // Where nobody can ask for the answer again, by an idempotency key or for the bytes of an image in it, it is kept
    // nowhere.
    let asked_again = intent.repeats || answered.holds_image(&intent.request.kind.kind);
    let answer = match release && asked_again {
        true => kept_answer(app, intent, &answered).await?,
        false => None,
    };
    let end = EndLookup {
        lookup: intent.lookup,
        requester: intent.requester.account,
        session: intent.requester.session,
        standing: intent.requester.standing,
        release,
        answer,
    };
    let mut chain = chain_of(&intent.requester, vec![], Some(&intent.request), intent.wanted);
    if said.outcome != answered.outcome {
        chain.detail.insert(
            "said".to_owned(),
            ledger::cbor::Value::Text(said.outcome.code().to_owned()),
        );
    }
    if let Some(source) = said.source {
        chain
            .detail
            .insert("source".to_owned(), ledger::cbor::Value::Text(source));
    }
    say_beside(&mut chain, said.beside);
    let seal = Seal {
        owner: intent.owner,
        shared,
        chain,
        act: Act::End(end),
    };
    #[cfg(feature = "planted")]
    if crate::planted::acts("answer-before-seal") {
        let store = app.store.clone();
        tokio::spawn(async move {
            // Long enough for a kill to come between the answer and its evidence.
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            store.seal(seal).await.map(drop)
        });
        return Ok(answered);
    }
    #[cfg(feature = "planted")]
    if crate::planted::acts("leak-trace") {
        tracing::info!(person = intent.person.name.expose(), "a look-up ended");
    }
    #[cfg(feature = "planted")]
    if crate::planted::acts("leak-metric") {
        let person = intent.person.id_number.expose().to_owned();
        metrics::counter!("mingcha_requests_total", "route" => person).increment(1);
    }
    match app.store.seal(seal).await? {
        store::Outcome::Sealed(sealed) => {
            answered.time = sealed.time.0;
            answered.receipt = Some(sealed.receipt());
            Ok(answered)
        }
        // The session or the person ended meanwhile, or the job closed it first: nothing is answered.
        store::Outcome::Refused(_) => Err(Error::NotPermitted {
            lookup: intent.lookup,
        }),
        store::Outcome::Nothing => Err(Error::Conflict("LOOKUP_CUT_OFF")),
    }
}

/// The answer, encrypted, and until when it is kept for a repeated request.
async fn kept_answer(
    app: &App,
    intent: &Intent,
    answered: &Answered,
) -> Result<Option<(Vec<u8>, Timestamp)>, Error> {
    let minutes = i64::from(intent.request.kind.kind.retention.answer_minutes);
    let plain = serde_json::to_vec(answered).map_err(|e| Error::Internal(e.to_string()))?;
    #[cfg(feature = "planted")]
    if crate::planted::acts("leak-row") {
        return Ok(Some((plain, app.now().plus_seconds(60 * minutes))));
    }
    match app
        .store
        .encrypt_answer(intent.owner, intent.lookup, &plain)
        .await
    {
        Ok(sealed) => Ok(Some((sealed, app.now().plus_seconds(60 * minutes)))),
        // The person was erased meanwhile: the seal becomes a refusal.
        Err(StoreError::Erased) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

fn new_lookup(app: &App, requester: &Requester, question: &Ask, lookup: LookupId) -> NewLookup {
    let millis = i64::try_from(DEADLINE.as_millis()).unwrap_or(3000);
    NewLookup {
        lookup,
        requester: requester.account,
        session: requester.session,
        standing: requester.standing,
        deadline: app.now().plus_micros(millis * 1000),
        repeat_key: question.repeat.map(|(key, _)| key),
        request_hash: question.repeat.map(|(_, hash)| hash),
    }
}
