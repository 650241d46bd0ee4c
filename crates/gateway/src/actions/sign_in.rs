//! Signs in with a phone and its code, creating the account at the first time. A phone alone is L1: it opens no
//! page with records.

use crypto::SecretText;
use domain::{
    identifiers::Phone,
    ids::{AccountId, SessionId},
    words::Level,
};
use ledger::opening;
use store::{CoolDown, NewSession};

use super::seal_change::seal_change;
use crate::{app::App, error::Error};

/// How long a session lives: a working day.
pub const SESSION_SECONDS: i64 = 8 * 3600;
/// Wrong codes of a phone within an hour before it has to cool down.
const COOL_DOWN: CoolDown = CoolDown {
    failures: 10,
    seconds: 3600,
};

/// A session that has just begun; its token is told once.
#[derive(Debug)]
pub struct SignedIn {
    /// The session.
    pub session: SessionId,
    /// Who signed in.
    pub account: AccountId,
    /// At which level.
    pub level: Level,
    /// The token; only its hash is kept.
    pub token: SecretText,
}

/// Signs in. Every failure counts, whatever becomes of the request.
///
/// # Errors
/// `CODE_WRONG` for a wrong, used, outdated or missing code and while the phone cools down, all alike.
pub async fn sign_in(app: &App, phone: &Phone, typed: &str) -> Result<SignedIn, Error> {
    let wrong = || Error::bad("CODE_WRONG", "code", "the eight digits of the newest message");
    let digest = app.store.phone_digest(phone);
    let typed: String = typed.chars().filter(|c| !c.is_whitespace()).take(16).collect();
    let root = std::sync::Arc::clone(app.store.root_keys());
    let right = app
        .store
        .try_code(digest, COOL_DOWN, move |stored| {
            root.codes().matches("sign-in", &typed, stored)
        })
        .await?;
    if !right {
        return Err(wrong());
    }
    let account = match app.store.account_by_phone(phone).await? {
        Some(account) => account,
        None => register(app, phone).await?,
    };
    start(app, account, Level::L1, None, "signed-in").await
}

/// Starts a session at a level, in place of the one that is given: its id changes with every change of privilege.
///
/// # Errors
/// The old session ended meanwhile, or nothing can be sealed now.
pub async fn start(
    app: &App,
    account: AccountId,
    level: Level,
    replaces: Option<SessionId>,
    about: &str,
) -> Result<SignedIn, Error> {
    let store = &app.store;
    let token = store.random().with(crypto::code::generate_token);
    let session = store.random().id(app.now(), SessionId::new);
    let effect = store.start_session(NewSession {
        id: session,
        token_digest: store.root_keys().codes().digest("session", token.expose()),
        account,
        level,
        seconds: SESSION_SECONDS,
        replaces,
    });
    let by = holder(account, level);
    if !seal_change(app, account.chain(), by, about, effect).await? {
        return Err(Error::NotSignedIn);
    }
    Ok(SignedIn {
        session,
        account,
        level,
        token,
    })
}

/// Creates the account of a phone; the one that it has where somebody was a moment faster.
///
/// # Errors
/// Nothing can be sealed now.
pub(super) async fn register(app: &App, phone: &Phone) -> Result<AccountId, Error> {
    let (account, effect) = app.store.create_account(phone).await?;
    if seal_change(
        app,
        account.chain(),
        holder(account, Level::L1),
        "account-created",
        effect,
    )
    .await?
    {
        return Ok(account);
    }
    // Somebody with the same phone and code was a moment faster: that account it is.
    app.store.account_by_phone(phone).await?.ok_or(Error::Unavailable)
}

/// The holder of an account, as openings name them.
#[must_use]
pub fn holder(account: AccountId, level: Level) -> opening::Requester {
    opening::Requester {
        role: "person".to_owned(),
        id: account.bytes().to_vec(),
        level: level as u8 + 1,
    }
}
