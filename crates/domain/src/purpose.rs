//! The register of purposes: why something may be looked up, on what legal basis, after which impact assessment.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::words::{Bilingual, LegalBasis};

/// The purpose of proving a real name: the one question that is open before anything is proven.
pub const ACCOUNT_PROOFING: &str = "account-proofing";

/// One purpose of the deployment's register.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Purpose {
    /// Its stable code, such as `own-information`.
    pub code: String,
    /// What it is called.
    pub name: Bilingual,
    /// The bases that may be claimed for it; the first is taken when none is named.
    pub bases: Vec<LegalBasis>,
    /// The impact assessment on file (PIPL 55), by the deployer's own number. Without it nothing is looked up.
    #[serde(default)]
    pub pia: Option<String>,
    /// Kind → fields that serve this purpose; a kind that is not named here serves with all its fields.
    #[serde(default)]
    pub fields: BTreeMap<String, Vec<String>>,
}

/// All purposes of a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PurposeRegister(BTreeMap<String, Purpose>);

impl PurposeRegister {
    /// A register of these purposes.
    ///
    /// # Errors
    /// Names the purpose that stands twice, has no basis or lacks words.
    pub fn new(purposes: Vec<Purpose>) -> Result<Self, String> {
        let mut register = BTreeMap::new();
        for purpose in purposes {
            if purpose.bases.is_empty() || !purpose.name.is_complete() {
                return Err(format!(
                    "purpose {}: needs a legal basis and words in zh and en",
                    purpose.code
                ));
            }
            if let Some(twice) = register.insert(purpose.code.clone(), purpose) {
                return Err(format!("purpose {} stands twice", twice.code));
            }
        }
        Ok(PurposeRegister(register))
    }

    /// The purpose of that code.
    #[must_use]
    pub fn get(&self, code: &str) -> Option<&Purpose> {
        self.0.get(code)
    }

    /// All, by code.
    pub fn iter(&self) -> impl Iterator<Item = &Purpose> {
        self.0.values()
    }
}

impl Purpose {
    /// An impact assessment is on file.
    #[must_use]
    pub fn is_assessed(&self) -> bool {
        self.pia.as_deref().is_some_and(|p| !p.trim().is_empty())
    }

    /// The field serves this purpose.
    #[must_use]
    pub fn serves(&self, kind: &str, field: &str) -> bool {
        self.fields
            .get(kind)
            .is_none_or(|allowed| allowed.iter().any(|f| f == field))
    }
}
