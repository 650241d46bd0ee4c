//! The notice of a kind: the exact text that is shown before a look-up (PIPL 17 and 30), its slots filled.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use super::KindError;

/// What PIPL 17 and 30 want told, in the order in which people read it. Each stands in the text as `{{name}}`.
pub const SLOTS: [&str; 9] = [
    "operator",
    "contact",
    "purpose",
    "means",
    "types",
    "retention",
    "rights",
    "necessity",
    "effect",
];

/// The texts of a kind's notice in both languages, with slots.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Simplified Chinese.
    pub zh: String,
    /// English.
    pub en: String,
}

/// What fills the slots: by slot name, one language.
pub type NoticeSlots = BTreeMap<String, String>;

impl Notice {
    /// Every slot that the law wants is in the text, and no other.
    pub(super) fn check(file: &str, text: &str) -> Result<String, KindError> {
        if text.len() > 20_000 {
            return Err(KindError::new(file, "a notice has at most 20,000 bytes"));
        }
        for slot in SLOTS {
            if !text.contains(&format!("{{{{{slot}}}}}")) {
                return Err(KindError::new(
                    file,
                    format!("the slot {{{{{slot}}}}} is missing (PIPL 17, 30)"),
                ));
            }
        }
        for opened in text.split("{{").skip(1) {
            let name = opened.split("}}").next().unwrap_or_default();
            if !SLOTS.contains(&name) {
                return Err(KindError::new(file, format!("there is no slot named \"{name}\"")));
            }
        }
        Ok(text.to_owned())
    }

    /// The text with its slots filled, and the SHA-256 that is sealed with the look-up.
    ///
    /// # Errors
    /// The name of the first slot that is empty: a notice that leaves something out is never shown.
    pub fn fill(text: &str, slots: &NoticeSlots) -> Result<(String, [u8; 32]), String> {
        let mut filled = text.to_owned();
        for slot in SLOTS {
            let value = slots.get(slot).map(|v| v.trim()).filter(|v| !v.is_empty());
            let value = value.ok_or_else(|| slot.to_owned())?;
            filled = filled.replace(&format!("{{{{{slot}}}}}"), value);
        }
        let hash = Sha256::digest(filled.as_bytes()).into();
        Ok((filled, hash))
    }
}
