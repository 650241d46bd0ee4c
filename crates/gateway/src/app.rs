//! The application: everything that an action needs, given to it once.

use std::{path::PathBuf, sync::Arc};

use domain::{
    kind::{Catalogue, LoadedKind},
    purpose::PurposeRegister,
    time::{Clock, Timestamp},
    words::Bilingual,
};
use policy::Policy;
use serde::{Deserialize, Serialize};
use sources::Sources;
use store::Store;

use crate::{
    api::meters::Meters,
    config::Config,
    limits::Limiter,
    messenger::Messenger,
    notices::{Notices, ShownNotice},
    turns::Turns,
};

/// The application. Handlers and jobs share one.
pub struct App {
    /// The configuration.
    pub config: Config,
    /// The data folder.
    pub folder: PathBuf,
    /// Databases and log.
    pub store: Store,
    /// The written policy.
    pub policy: Policy,
    /// Its version, as it is sealed.
    pub(crate) policy_version: String,
    /// The record holders.
    pub sources: Sources,
    /// The record kinds.
    pub kinds: Catalogue,
    /// The register of purposes.
    pub register: PurposeRegister,
    /// What is shown before each look-up, filled once.
    pub(crate) notices: Notices,
    /// Who carries codes to phones.
    pub messenger: Messenger,
    /// Bounds on look-ups in memory.
    pub limiter: Limiter,
    /// How often each account is shown what is its own.
    pub views: Limiter,
    /// Whose turn it is, where many ask at once.
    pub turns: Arc<Turns>,
    /// What is counted of requests.
    pub(crate) meters: Meters,
    /// The instant at which the process began to serve.
    pub started: Timestamp,
    /// What the demo alone has: switches of the simulated authorities, personas, the outbox.
    #[cfg(feature = "demo")]
    pub demo: Option<crate::commands::demo::DemoWorld>,
}

impl App {
    /// The clock.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        self.store.clock()
    }

    /// Now.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.store.clock().now()
    }

    /// The policy's version in short, as it is sealed.
    #[must_use]
    pub fn policy_version(&self) -> String {
        self.policy_version.clone()
    }

    /// The notice of a kind for a purpose, in `zh` or `en`; none where the kind does not serve the purpose.
    #[must_use]
    pub fn notice(&self, kind: &LoadedKind, purpose: &str, lang: Lang) -> Option<&ShownNotice> {
        self.notices.get(kind, purpose, lang)
    }

    /// The separate consent to compare a portrait, as it is shown in that language.
    #[must_use]
    pub fn portrait_consent(&self, lang: Lang) -> &ShownNotice {
        self.notices.portrait_consent(lang)
    }
}

/// The language of a page or text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lang {
    /// Simplified Chinese: what is shown first.
    #[default]
    Zh,
    /// English.
    En,
}

impl Lang {
    /// Both.
    pub const ALL: [Lang; 2] = [Lang::Zh, Lang::En];

    /// `zh` or `en`: in the API, in cookies and in what is sealed.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Lang::Zh => "zh",
            Lang::En => "en",
        }
    }

    /// The text in this language.
    #[must_use]
    pub fn of(self, text: &Bilingual) -> &str {
        match self {
            Lang::Zh => &text.zh,
            Lang::En => &text.en,
        }
    }

    pub(crate) fn separator(self) -> &'static str {
        match self {
            Lang::Zh => "、",
            Lang::En => ", ",
        }
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| hex_digits(*byte)).collect();
    // They are ASCII.
    String::from_utf8(digits).unwrap_or_default()
}

/// The two digits of a byte in lower-case hexadecimal.
pub(crate) fn hex_digits(byte: u8) -> [u8; 2] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    [byte >> 4, byte & 15].map(|half| DIGITS[usize::from(half)])
}

/// Thirty-two bytes from lower-case hexadecimal.
#[must_use]
pub(crate) fn unhex(text: &str) -> Option<[u8; 32]> {
    let digit = |b: u8| char::from(b).to_digit(16).filter(|_| !b.is_ascii_uppercase());
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_has_one_form() {
        assert_eq!(unhex(&"0a".repeat(32)), Some([10; 32]));
        for bad in [
            "",
            "0A",
            &"0A".repeat(32),
            &"zz".repeat(32),
            &"+8".repeat(32),
            &"0a".repeat(33),
        ] {
            assert_eq!(unhex(bad), None, "{bad}");
        }
    }
}
