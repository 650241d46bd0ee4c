//! What people do in these cases: they sign up, are proven, look up; and the seals that this takes.

use std::{collections::BTreeMap, time::Duration};

use domain::{
    identifiers::{IdNumber, PersonName, Phone},
    ids::{AccountId, LookupId, SessionId, SubjectId},
    lookup::Person,
    requester::Standing,
    time::Timestamp,
    words::Level,
};
use ledger::{Chain, EntryType, Hash, Shared, opening};
use store::{Act, Effect, EndLookup, NewLookup, NewSession, Outcome, Seal, Sealed, Store, StoreError};
use tokio::task::JoinHandle;

use crate::world::START;

/// An account with a session, signed in by this phone.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Holder {
    pub(crate) account: AccountId,
    pub(crate) session: SessionId,
    /// How they were found; nothing until it is read by [`found`].
    pub(crate) standing: Option<Standing>,
}

/// The same, found anew: who asks is looked up by a token first.
pub(crate) async fn found(store: &Store, by: Holder) -> Holder {
    let session = store.session(token_of(by.session)).await.unwrap();
    Holder {
        standing: session.and_then(|session| session.standing),
        ..by
    }
}

pub(crate) fn phone(number: u32) -> Phone {
    Phone::parse(&format!("139{number:08}")).unwrap().value
}

/// An invented number whose division was retired before the birth, so that it is nobody's.
pub(crate) fn id_number(serial: u32) -> IdNumber {
    let body = format!("110104{:04}0101{:03}", 1950 + serial / 1000, serial % 1000);
    let weights = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    let sum: u32 = body
        .bytes()
        .zip(weights)
        .map(|(digit, weight)| u32::from(digit - b'0') * weight)
        .sum();
    let last = char::from(b"10X98765432"[(sum % 11) as usize]);
    IdNumber::parse(&format!("{body}{last}"), START.date_in_china())
        .unwrap()
        .value
}

/// Somebody whose real name is proven.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Proven {
    pub(crate) subject: SubjectId,
    pub(crate) account: AccountId,
    pub(crate) holder: Holder,
}

/// Signs up with a phone and proves to be the person with the number of the same serial.
pub(crate) async fn prove(store: &Store, number: u32) -> Proven {
    let holder = sign_up(store, number).await;
    let person = person(number);
    let subject = store.mention_subject(&person.id_number).await.unwrap();
    let effect = store
        .bind_account(holder.account, subject, &person)
        .await
        .unwrap();
    sealed(store.seal(change(subject, "name-proven", effect)).await);
    Proven {
        subject,
        account: holder.account,
        holder,
    }
}

/// An invented person.
pub(crate) fn person(number: u32) -> Person {
    Person {
        name: PersonName::parse("测试甲").unwrap().value,
        id_number: id_number(number),
    }
}

/// Creates an account and signs it in.
pub(crate) async fn sign_up(store: &Store, number: u32) -> Holder {
    let (account, effect) = store.create_account(&phone(number)).await.unwrap();
    sealed(
        store
            .seal(change(account.chain(), "account-created", effect))
            .await,
    );
    sign_in(store, account, Level::L1, None).await
}

pub(crate) async fn sign_in(
    store: &Store,
    account: AccountId,
    level: Level,
    replaces: Option<SessionId>,
) -> Holder {
    let new = new_session(store, account, level, replaces);
    let session = new.id;
    sealed(
        store
            .seal(change(account.chain(), "signed-in", store.start_session(new)))
            .await,
    );
    Holder {
        account,
        session,
        standing: None,
    }
}

/// Ends a session, as its holder does who signs out.
pub(crate) async fn sign_out(store: &Store, by: Holder) {
    let seal = change(by.account.chain(), "signed-out", store.end_session(by.session));
    drop(store.seal(seal).await.unwrap());
}

pub(crate) fn new_session(
    store: &Store,
    account: AccountId,
    level: Level,
    replaces: Option<SessionId>,
) -> NewSession {
    let id = store.random().id(store.clock().now(), SessionId::new);
    NewSession {
        id,
        token_digest: token_of(id),
        account,
        level,
        seconds: 8 * 3600,
        replaces,
    }
}

/// What stands for the hash of a session's token here.
pub(crate) fn token_of(session: SessionId) -> [u8; 32] {
    let mut digest = [7; 32];
    digest[..16].copy_from_slice(&session.bytes());
    digest
}

pub(crate) fn change(owner: SubjectId, about: &str, effect: Effect) -> Seal {
    let mut shared = Shared::new(EntryType::Change, 0, owner.bytes().to_vec());
    shared.about = Some(about.to_owned());
    Seal {
        owner,
        shared,
        chain: chain(),
        act: Act::Change(effect),
    }
}

/// A change that only leaves its entry.
pub(crate) fn note(owner: SubjectId, about: &str) -> Seal {
    change(owner, about, Effect::new(|_, _| Box::pin(async { Ok(true) })))
}

fn chain() -> Chain {
    let requester = opening::Requester {
        role: "person".into(),
        id: vec![1],
        level: 1,
    };
    Chain {
        owner: [0; 16],
        sequence: 0,
        previous: Hash::ZERO,
        reasons: vec![],
        requester,
        detail: BTreeMap::new(),
    }
}

fn shared_of(kind: EntryType, subject: SubjectId, lookup: LookupId) -> Shared {
    let mut shared = Shared::new(kind, 0, subject.bytes().to_vec());
    shared.lookup = Some(lookup.bytes());
    shared.purpose = Some("own-information".into());
    shared.kind = Some("vehicle".into());
    shared
}

pub(crate) fn new_lookup(store: &Store, by: Holder) -> NewLookup {
    let now = store.clock().now();
    NewLookup {
        lookup: store.random().id(now, LookupId::new),
        requester: by.account,
        session: by.session,
        standing: by.standing,
        deadline: now.plus_seconds(3),
        repeat_key: None,
        request_hash: None,
    }
}

pub(crate) fn look_up_id(store: &Store) -> LookupId {
    store.random().id(store.clock().now(), LookupId::new)
}

pub(crate) fn begin(subject: SubjectId, new: NewLookup) -> Seal {
    let mut shared = shared_of(EntryType::Intent, subject, new.lookup);
    shared.node = Some("node".into());
    shared.deadline = Some(new.deadline.0);
    Seal {
        owner: subject,
        shared,
        chain: chain(),
        act: Act::Begin(new),
    }
}

pub(crate) fn refuse(subject: SubjectId, new: NewLookup) -> Seal {
    let mut shared = shared_of(EntryType::Refusal, subject, new.lookup);
    shared.reason = Some("NOT_PERMITTED".into());
    Seal {
        owner: subject,
        shared,
        chain: chain(),
        act: Act::Refuse(new),
    }
}

pub(crate) fn end(subject: SubjectId, by: Holder, lookup: LookupId, release: bool) -> Seal {
    let mut shared = shared_of(
        if release {
            EntryType::Release
        } else {
            EntryType::Failure
        },
        subject,
        lookup,
    );
    shared.outcome = Some(if release { "found" } else { "timed_out" }.into());
    if release {
        shared.source = Some("traffic".into());
        let salt = ledger::Salt::new([5; 32]);
        shared
            .disclosed
            .insert("vin".into(), opening::field_commitment("vin", "x", &salt));
    }
    let end = EndLookup {
        lookup,
        requester: by.account,
        session: by.session,
        standing: by.standing,
        release,
        answer: None,
    };
    Seal {
        owner: subject,
        shared,
        chain: chain(),
        act: Act::End(end),
    }
}

/// A release whose answer is kept.
pub(crate) fn end_with(
    subject: SubjectId,
    by: Holder,
    lookup: LookupId,
    answer: (Vec<u8>, Timestamp),
) -> Seal {
    let mut seal = end(subject, by, lookup, true);
    if let Act::End(end) = &mut seal.act {
        end.answer = Some(answer);
    }
    seal
}

/// As it was handed in, or the case fails.
pub(crate) fn sealed(outcome: Result<Outcome, StoreError>) -> Sealed {
    match outcome {
        Ok(Outcome::Sealed(sealed)) => sealed,
        other => panic!("not sealed: {other:?}"),
    }
}

pub(crate) fn refused(outcome: Result<Outcome, StoreError>) -> Sealed {
    match outcome {
        Ok(Outcome::Refused(sealed)) => sealed,
        other => panic!("not refused: {other:?}"),
    }
}

pub(crate) fn nothing(outcome: Result<Outcome, StoreError>) {
    assert!(
        matches!(outcome, Ok(Outcome::Nothing)),
        "something was written: {outcome:?}"
    );
}

/// One whole look-up about a subject; its id and the end's entry.
pub(crate) async fn look_up(store: &Store, subject: SubjectId, by: Holder) -> (LookupId, Sealed) {
    let new = new_lookup(store, by);
    let lookup = new.lookup;
    sealed(store.seal(begin(subject, new)).await);
    (lookup, sealed(store.seal(end(subject, by, lookup, true)).await))
}

/// The committer is busy for a moment, so that what is handed in meanwhile, in this order, becomes one batch.
pub(crate) async fn busy(store: &Store, owner: SubjectId) -> JoinHandle<Result<Outcome, StoreError>> {
    let store = store.clone();
    let (begun, wait) = tokio::sync::oneshot::channel();
    let begun = std::sync::Mutex::new(Some(begun));
    let slow = Effect::new(move |_, _| {
        if let Some(begun) = begun.lock().unwrap().take() {
            begun.send(()).unwrap();
        }
        // The thread itself waits: a body may await nothing but its statements.
        std::thread::sleep(Duration::from_millis(100));
        Box::pin(async { Ok(true) })
    });
    let busy = tokio::spawn(async move { store.seal(change(owner, "slow", slow)).await });
    wait.await.unwrap();
    busy
}
