//! Message encryption towards one source: one session that all questions share, renewed before it ends.

use std::sync::{
    Arc, Mutex, PoisonError, RwLock,
    atomic::{AtomicU64, Ordering},
};

use bytes::Bytes;
use crypto::session::{Identity, Initiator, InitiatorSession, Peer, SessionError};
use domain::time::Clock;
use http::Uri;
use rand_chacha::ChaCha20Rng;
use rand_core::Rng;
use tokio::time::Instant;

use crate::{
    client::{Client, Content, Reply},
    report::{Failure, Problem},
    target::Target,
};
use domain::outcome::Outcome;

/// How long before its end a session is replaced: 60 s, so that no request is under way when it ends.
const RENEW_BEFORE_US: i64 = 60_000_000;
/// How many bytes the answer to a hello may have; it takes a few hundred.
const MAX_WELCOME: usize = 16 << 10;

/// The two parties, and the session they are in.
pub(crate) struct Envelope {
    identity: Identity,
    peer: Peer,
    handshake: Uri,
    current: RwLock<Option<Arc<InitiatorSession>>>,
    /// Held while a session is being made, so that many questions make one and not many; how that last failed.
    making: tokio::sync::Mutex<Option<Failure>>,
    /// How many times it failed: who waited meanwhile shares the failure, and does not try again in turn.
    failures: AtomicU64,
}

/// What an exchange needs of the world.
pub(crate) struct World<'a> {
    pub(crate) client: &'a Client,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) random: &'a Mutex<ChaCha20Rng>,
    pub(crate) deadline: Instant,
}

impl Envelope {
    /// No session is made before the first question.
    pub(crate) fn new(identity: Identity, peer: Peer, handshake: Uri) -> Self {
        let (current, making) = (RwLock::new(None), tokio::sync::Mutex::new(None));
        Envelope {
            identity,
            peer,
            handshake,
            current,
            making,
            failures: AtomicU64::new(0),
        }
    }

    /// Sends one request and opens its reply. The target's path is authenticated with both, so that a message cannot
    /// be moved to another. A session that the source lost is made anew once.
    pub(crate) async fn exchange(
        &self,
        world: &World<'_>,
        target: &Target,
        body: &[u8],
    ) -> Result<Vec<u8>, Failure> {
        for _ in 0..2 {
            let session = self.session(world).await?;
            let sealed = session.seal_request(request_id(world), &target.path, world.clock.now().0, body);
            let sealed = match sealed {
                Ok(sealed) => sealed,
                Err(SessionError::TooLong | SessionError::BadKind) => {
                    return Err(Failure::bad_answer(Problem::NotAuthentic));
                }
                Err(_) => {
                    self.forget(&session);
                    continue;
                }
            };
            match world
                .client
                .post(
                    &target.uri,
                    Content::Message,
                    Bytes::from(sealed.bytes),
                    target.max_body,
                )
                .await?
            {
                Reply::Unknown => self.forget(&session),
                Reply::Body(reply) => {
                    let opened = session.open_reply(&sealed.exchange, &reply, world.clock.now().0);
                    return opened.map_err(|_| Failure::bad_answer(Problem::NotAuthentic));
                }
            }
        }
        Err(Failure::new(Outcome::Broken, Problem::SessionLost))
    }

    async fn session(&self, world: &World<'_>) -> Result<Arc<InitiatorSession>, Failure> {
        if let Some(session) = self.usable(world) {
            return Ok(session);
        }
        let failures = self.failures.load(Ordering::Acquire);
        let mut last_failure = self.making.lock().await;
        if let Some(session) = self.usable(world) {
            return Ok(session);
        }
        if Instant::now() >= world.deadline {
            // Whoever waited until now must not draw a key for a session that nobody will use.
            return Err(Failure::new(Outcome::TimedOut, Problem::DeadlinePassed));
        }
        match &*last_failure {
            Some(failure) if self.failures.load(Ordering::Acquire) != failures => return Err(failure.clone()),
            _ => {}
        }
        let session = match self.shake_hands(world).await {
            Ok(session) => Arc::new(session),
            Err(failure) => {
                *last_failure = Some(failure.clone());
                self.failures.fetch_add(1, Ordering::Release);
                return Err(failure);
            }
        };
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&session));
        Ok(session)
    }

    async fn shake_hands(&self, world: &World<'_>) -> Result<InitiatorSession, Failure> {
        let failed = |_| Failure::bad_answer(Problem::HandshakeFailed);
        let (initiator, hello) = {
            let mut random = world.random.lock().unwrap_or_else(PoisonError::into_inner);
            Initiator::start(&self.identity, &self.peer, world.clock.now().0, &mut *random).map_err(failed)?
        };
        match world
            .client
            .post(&self.handshake, Content::Message, Bytes::from(hello), MAX_WELCOME)
            .await?
        {
            Reply::Body(welcome) => initiator.finish(&welcome, world.clock.now().0).map_err(failed),
            Reply::Unknown => Err(Failure::bad_answer(Problem::HandshakeFailed)),
        }
    }

    fn usable(&self, world: &World<'_>) -> Option<Arc<InitiatorSession>> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current
            .as_ref()
            .filter(|s| s.expires_us().saturating_sub(world.clock.now().0) > RENEW_BEFORE_US)
            .cloned()
    }

    /// Drops this session, unless another question already replaced it.
    fn forget(&self, lost: &Arc<InitiatorSession>) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        if current.as_ref().is_some_and(|session| Arc::ptr_eq(session, lost)) {
            *current = None;
        }
    }
}

/// A fresh id for each message: one look-up may send several.
fn request_id(world: &World<'_>) -> [u8; 16] {
    let mut id = [0; 16];
    world
        .random
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .fill_bytes(&mut id);
    id
}
