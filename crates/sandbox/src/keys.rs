//! The static keys of message encryption and of signatures, and an API key, drawn at start: none is in the repository.

use std::collections::BTreeMap;

use crypto::{
    SecretText, Suite,
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
    api_key: SecretText,
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
        let mut api_key = [0; 16];
        rng.fill_bytes(&mut api_key);
        Ok(Keys {
            suite,
            gateway,
            authorities,
            api_key: SecretText::new(format!("{:032x}", u128::from_be_bytes(api_key))),
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

    /// The gateway's key at an authority that is asked in the clear.
    #[must_use]
    pub fn api_key(&self) -> &SecretText {
        &self.api_key
    }

    pub(crate) fn identity(&self, authority: Authority) -> &Identity {
        &self.authorities[&authority]
    }
}
