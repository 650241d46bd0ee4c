//! Message encryption towards one source: one session that all questions share, renewed before it ends.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use crypto::session::{Identity, Initiator, InitiatorSession, Peer, SessionError};
use http::Uri;

use crate::{
    client::{Content, Outgoing, Reply},
    http::World,
    report::{Failure, Problem},
    shared::Shared,
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
    session: Shared<InitiatorSession>,
}

impl Envelope {
    /// No session is made before the first question.
    pub(crate) fn new(identity: Identity, peer: Peer, handshake: Uri) -> Self {
        Envelope {
            identity,
            peer,
            handshake,
            session: Shared::new(),
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
            let sealed = session.seal_request(world.fresh_id(), &target.path, world.clock.now().0, body);
            let sealed = match sealed {
                Ok(sealed) => sealed,
                Err(SessionError::TooLong | SessionError::BadKind) => {
                    return Err(Failure::bad_answer(Problem::NotAuthentic));
                }
                Err(_) => {
                    self.session.forget(&session);
                    continue;
                }
            };
            let message = Outgoing::new(&target.uri, Content::Message, Bytes::from(sealed.bytes));
            match world.post(message, target.max_body).await? {
                Reply::Unknown => self.session.forget(&session),
                Reply::Body(_, reply) => {
                    let opened = session.open_reply(&sealed.exchange, &reply, world.clock.now().0);
                    return opened.map_err(|_| Failure::bad_answer(Problem::NotAuthentic));
                }
            }
        }
        Err(Failure::new(Outcome::Broken, Problem::SessionLost))
    }

    async fn session(&self, world: &World<'_>) -> Result<Arc<InitiatorSession>, Failure> {
        let now = world.clock.now().0;
        let is_good = |session: &InitiatorSession| session.expires_us().saturating_sub(now) > RENEW_BEFORE_US;
        self.session
            .get(world.deadline, is_good, self.shake_hands(world))
            .await
    }

    async fn shake_hands(&self, world: &World<'_>) -> Result<InitiatorSession, Failure> {
        let failed = |_| Failure::bad_answer(Problem::HandshakeFailed);
        let (initiator, hello) = {
            let mut random = world.random.lock().unwrap_or_else(PoisonError::into_inner);
            Initiator::start(&self.identity, &self.peer, world.clock.now().0, &mut *random).map_err(failed)?
        };
        let message = Outgoing::new(&self.handshake, Content::Message, Bytes::from(hello));
        match world.post(message, MAX_WELCOME).await? {
            Reply::Body(_, welcome) => initiator.finish(&welcome, world.clock.now().0).map_err(failed),
            Reply::Unknown => Err(Failure::bad_answer(Problem::HandshakeFailed)),
        }
    }
}
