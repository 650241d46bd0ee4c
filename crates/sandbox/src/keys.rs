//! The static keys of message encryption, drawn at start: none is in the repository.

use std::collections::BTreeMap;

use crypto::{
    Suite,
    session::{Identity, KeyTextError, Peer},
};
use rand_core::CryptoRng;

use crate::authority::Authority;

/// The gateway's name in handshakes with the sandbox.
pub const GATEWAY_NAME: &str = "mingcha-demo";

/// The keys of both ends: one of the gateway, and one of each authority. For the demo and for tests only, because
/// here one party knows all secrets.
pub struct Keys {
    suite: Suite,
    gateway: Identity,
    authorities: BTreeMap<Authority, Identity>,
}

impl Keys {
    /// Draws new keys.
    ///
    /// # Errors
    /// None in practice: the names are of lawful length.
    pub fn generate(suite: Suite, rng: &mut (impl CryptoRng + ?Sized)) -> Result<Self, KeyTextError> {
        let gateway = Identity::generate(GATEWAY_NAME, suite, rng)?;
        let mut authorities = BTreeMap::new();
        for authority in Authority::ALL {
            authorities.insert(
                authority,
                Identity::generate(&Self::name_of(authority), suite, rng)?,
            );
        }
        Ok(Keys {
            suite,
            gateway,
            authorities,
        })
    }

    /// The suite of all keys.
    #[must_use]
    pub fn suite(&self) -> Suite {
        self.suite
    }

    /// The gateway's end, for whoever speaks to the sandbox without a source file.
    #[must_use]
    pub fn gateway(&self) -> &Identity {
        &self.gateway
    }

    /// The public half of an authority, for the same.
    #[must_use]
    pub fn peer(&self, authority: Authority) -> Peer {
        self.identity(authority).peer()
    }

    /// The name of an authority in handshakes.
    #[must_use]
    pub fn name_of(authority: Authority) -> String {
        format!("sandbox-{}", authority.slug())
    }

    pub(crate) fn identity(&self, authority: Authority) -> &Identity {
        &self.authorities[&authority]
    }
}
