//! The sessions of one authority: bounded, and those that nobody has proven to use go first.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
};

use crypto::session::{self, Identity, Incoming, Peer, ResponderSession, SessionError};
use rand_core::CryptoRng;

/// How many sessions one authority keeps. A gateway uses one at a time; the rest is room for many gateways.
const MAX_SESSIONS: usize = 256;

#[derive(Default)]
pub(crate) struct Sessions(RwLock<BTreeMap<[u8; 16], Arc<ResponderSession>>>);

impl Sessions {
    /// Answers a hello with a welcome and keeps the session.
    pub(crate) fn accept(
        &self,
        own: &Identity,
        peer: &Peer,
        hello: &[u8],
        now_us: i64,
        rng: &mut (dyn CryptoRng + Send),
    ) -> Result<Vec<u8>, SessionError> {
        let (session, welcome) = session::accept(own, peer, hello, now_us, rng)?;
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, session| session.expires_us() > now_us);
        if kept.len() >= MAX_SESSIONS {
            let first = kept
                .values()
                .min_by_key(|session| (session.is_confirmed(), session.expires_us()));
            if let Some(id) = first.map(|session| session.id()) {
                kept.remove(&id);
            }
        }
        kept.insert(session.id(), Arc::new(session));
        Ok(welcome)
    }

    /// The session of a request; nothing where it is unknown or over.
    pub(crate) fn find(&self, request: &[u8], now_us: i64) -> Option<Arc<ResponderSession>> {
        let Ok(Incoming::Request { session }) = session::peek(request) else {
            return None;
        };
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        kept.get(&session)
            .filter(|session| session.expires_us() > now_us)
            .cloned()
    }
}
