//! The register of purposes: why something may be looked up, on what legal basis, after which impact assessment.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use sha2::{Digest, Sha256};

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

    /// SHA-256 over all that the register says, so that nobody changes a basis or an assessment's number unseen: it is
    /// sealed at each start. In which order purposes, kinds and fields were written makes no difference; the order of
    /// the bases does, for the first is taken where none is named. [format]
    #[must_use]
    pub fn version(&self) -> [u8; 32] {
        let mut parts = Parts(Sha256::new());
        parts.put("mingcha-purposes-v1");
        parts.all(self.iter(), |parts, purpose| {
            parts.put(&purpose.code);
            parts.put(&purpose.name.zh);
            parts.put(&purpose.name.en);
            parts.all(&purpose.bases, |parts, basis| parts.put(basis.code()));
            parts.all(&purpose.pia, |parts, number| parts.put(number));
            parts.all(&purpose.fields, |parts, (kind, fields)| {
                parts.put(kind);
                let fields: BTreeSet<&String> = fields.iter().collect();
                parts.all(fields, |parts, field| parts.put(field));
            });
        });
        parts.0.finalize().into()
    }
}

/// What is hashed, part by part. Lengths stand before texts and counts before lists, so that no text can pass for the
/// end of one and the start of another.
struct Parts(Sha256);

impl Parts {
    fn length(&mut self, length: usize) {
        self.0
            .update(u64::try_from(length).unwrap_or(u64::MAX).to_be_bytes());
    }

    fn put(&mut self, text: &str) {
        self.length(text.len());
        self.0.update(text);
    }

    fn all<T>(&mut self, items: impl IntoIterator<Item = T>, put: impl Fn(&mut Self, T)) {
        let items: Vec<T> = items.into_iter().collect();
        self.length(items.len());
        for item in items {
            put(self, item);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn purposes() -> Vec<Purpose> {
        let purpose = |code: &str, pia: &str| Purpose {
            code: code.to_owned(),
            name: Bilingual::new("查看", "to see"),
            bases: vec![LegalBasis::Contract, LegalBasis::Consent],
            pia: Some(pia.to_owned()),
            fields: BTreeMap::from([
                ("vehicle".to_owned(), vec!["brand".to_owned(), "fuel".to_owned()]),
                ("marriage".to_owned(), vec![]),
            ]),
        };
        vec![
            purpose("own-information", "PIA-1"),
            purpose("account-proofing", "PIA-2"),
        ]
    }

    fn version(purposes: Vec<Purpose>) -> [u8; 32] {
        PurposeRegister::new(purposes).unwrap().version()
    }

    #[test]
    fn whatever_a_register_says_is_in_its_version() {
        let changes: [fn(&mut Vec<Purpose>); 13] = [
            |p| p[0].pia = Some("PIA-3".into()),
            |p| p[1].pia = Some(String::new()),
            |p| p[1].pia = None,
            |p| p[0].bases.swap(0, 1),
            |p| p[0].bases.truncate(1),
            |p| p[0].bases = vec![LegalBasis::StatutoryDuty],
            |p| p[0].code = "other".into(),
            |p| p[0].name.zh = "看".into(),
            |p| p[0].name.en = "to look".into(),
            |p| drop(p[0].fields.remove("marriage")),
            |p| {
                p[0].fields
                    .entry("vehicle".into())
                    .or_default()
                    .push("vin".into())
            },
            // The same letters, divided otherwise.
            |p| {
                p[0].fields.insert("vehicle".into(), vec!["brandfuel".into()]);
            },
            |p| drop(p.pop()),
        ];
        let mut seen = BTreeSet::from([version(purposes())]);
        for (n, change) in changes.iter().enumerate() {
            let mut changed = purposes();
            change(&mut changed);
            assert!(seen.insert(version(changed)), "change {n} is not in it");
        }
    }

    #[test]
    fn the_order_of_tables_makes_no_difference() {
        let mut other = purposes();
        other.reverse();
        for fields in other.iter_mut().flat_map(|p| p.fields.values_mut()) {
            fields.reverse();
        }
        assert_eq!(version(other), version(purposes()));
    }

    #[test]
    fn a_version_stays_what_it_is() {
        let told: String = version(purposes()).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(
            told,
            "ed72ae670a54dab528e5dc70115dc71e95621a32d1be75c9e7e5380ff8748d2b"
        );
    }
}
