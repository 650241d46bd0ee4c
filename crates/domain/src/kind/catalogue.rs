//! All record kinds of a deployment, and the digest that is sealed as part of the policy version.

use std::{collections::BTreeMap, sync::Arc};

use sha2::{Digest, Sha256};
use thiserror::Error;

use super::{Kind, KindError, Notice};
use crate::words::Mode;

/// The files of one kind's folder.
#[derive(Debug, Clone, Default)]
pub struct KindFolder {
    /// The folder's name, which is the kind's id.
    pub name: String,
    /// File name (with `examples/` before an example) → text.
    pub files: BTreeMap<String, String>,
    /// It came from a directory of the deployment, not from the program.
    pub loaded: bool,
}

/// Why a set of kinds cannot be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub enum CatalogueError {
    /// A folder is wrong.
    #[error(transparent)]
    Kind(#[from] KindError),
    /// A loaded kind takes the id of one that the program brings, or two have the same id.
    #[error("kind {0} stands twice: a loaded kind needs an id of its own")]
    Twice(String),
    /// A report names a part that does not exist.
    #[error("kind {kind}: its part {part} does not exist")]
    MissingPart {
        /// The kind that names the part.
        kind: String,
        /// The part that is missing.
        part: String,
    },
    /// A part is found by another key, so that a report could not ask for it.
    #[error("kind {kind}: its part {part} has another key, so one report cannot join them")]
    PartKey {
        /// The kind that names the part.
        kind: String,
        /// The part with another key.
        part: String,
    },
    /// Two kinds keep evidence for different times. Its keys are by year, not by kind, so that the shorter promise
    /// would be broken.
    #[error(
        "kind {kind}: evidence_years is {years}, but {other_years} in kind {other}: evidence is kept by the year, so \
         every kind of a deployment says the same"
    )]
    EvidenceYears {
        /// The kind that differs.
        kind: String,
        /// Its years.
        years: u32,
        /// A kind before it.
        other: String,
        /// That kind's years.
        other_years: u32,
    },
}

/// A kind with everything that its folder brings.
#[derive(Debug, Clone)]
pub struct LoadedKind {
    /// What `kind.toml` says.
    pub kind: Kind,
    /// The ids of all fields that may be disclosed: what is asked for where a question names none.
    pub disclosable: Arc<[String]>,
    /// The notices in both languages.
    pub notice: Notice,
    /// `rules.cedar`, which may only forbid; checked by the crate that knows Cedar.
    pub rules: Option<String>,
    /// `examples/*.toml` by name.
    pub examples: BTreeMap<String, String>,
}

/// All kinds, by id.
#[derive(Debug, Clone)]
pub struct Catalogue {
    kinds: BTreeMap<String, Arc<LoadedKind>>,
    digest: [u8; 32],
}

impl Catalogue {
    /// Reads and checks all folders.
    ///
    /// # Errors
    /// The first folder that is wrong, an id that stands twice, a part that is missing or has another key, or kinds
    /// that keep evidence for different times.
    pub fn new(folders: &[KindFolder]) -> Result<Self, CatalogueError> {
        let mut kinds = BTreeMap::new();
        for folder in folders {
            let loaded = read_folder(folder)?;
            if kinds.insert(folder.name.clone(), Arc::new(loaded)).is_some() {
                return Err(CatalogueError::Twice(folder.name.clone()));
            }
        }
        kinds
            .values()
            .try_for_each(|entry| check_parts(&kinds, &entry.kind))?;
        check_evidence_years(folders, &kinds)?;
        Ok(Catalogue {
            kinds,
            digest: digest(folders),
        })
    }

    /// The kind of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<LoadedKind>> {
        self.kinds.get(id)
    }

    /// All kinds in the order in which people see them.
    #[must_use]
    pub fn in_order(&self) -> Vec<&Arc<LoadedKind>> {
        let mut all: Vec<_> = self.kinds.values().collect();
        all.sort_by(|a, b| (a.kind.order, &a.kind.id).cmp(&(b.kind.order, &b.kind.id)));
        all
    }

    /// The kinds that can list what is in one's name.
    #[must_use]
    pub fn listable(&self) -> Vec<&Arc<LoadedKind>> {
        self.in_order()
            .into_iter()
            .filter(|k| k.kind.modes.contains(&Mode::List))
            .collect()
    }

    /// SHA-256 over every file of every folder, by name.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }
}

/// All keep evidence equally long; the one that comes later, such as a loaded one after the embedded, is named.
fn check_evidence_years(
    folders: &[KindFolder],
    kinds: &BTreeMap<String, Arc<LoadedKind>>,
) -> Result<(), CatalogueError> {
    let mut years = folders
        .iter()
        .filter_map(|folder| kinds.get(&folder.name))
        .map(|entry| (&entry.kind.id, entry.kind.retention.evidence_years));
    let Some((other, other_years)) = years.next() else {
        return Ok(());
    };
    match years.find(|(_, years)| *years != other_years) {
        Some((kind, years)) => Err(CatalogueError::EvidenceYears {
            kind: kind.clone(),
            years,
            other: other.clone(),
            other_years,
        }),
        None => Ok(()),
    }
}

fn check_parts(kinds: &BTreeMap<String, Arc<LoadedKind>>, kind: &Kind) -> Result<(), CatalogueError> {
    for part in &kind.parts {
        let (kind_id, part_id) = (kind.id.clone(), part.clone());
        match kinds.get(part) {
            None => {
                return Err(CatalogueError::MissingPart {
                    kind: kind_id,
                    part: part_id,
                });
            }
            Some(entry) if entry.kind.key != kind.key => {
                return Err(CatalogueError::PartKey {
                    kind: kind_id,
                    part: part_id,
                });
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn read_folder(folder: &KindFolder) -> Result<LoadedKind, KindError> {
    let at = |name: &str| format!("{}/{name}", folder.name);
    let text = |name: &str| {
        folder
            .files
            .get(name)
            .ok_or_else(|| KindError::new(&at(name), "this file is missing"))
    };
    let kind = Kind::parse(&at("kind.toml"), text("kind.toml")?)?;
    if kind.id != folder.name {
        return Err(KindError::new(
            &at("kind.toml"),
            format!("id must be the folder's name, {}", folder.name),
        ));
    }
    let notice = Notice {
        zh: Notice::check(&at("notice.zh.md"), text("notice.zh.md")?)?,
        en: Notice::check(&at("notice.en.md"), text("notice.en.md")?)?,
    };
    let mut examples = BTreeMap::new();
    for (name, text) in &folder.files {
        match name.as_str() {
            "kind.toml" | "notice.zh.md" | "notice.en.md" | "rules.cedar" => {}
            n if n.starts_with("examples/") && n.ends_with(".toml") => {
                examples.insert(n.to_owned(), text.clone());
            }
            other => return Err(KindError::new(&at(other), "a kind has no such file")),
        }
    }
    Ok(LoadedKind {
        disclosable: kind.disclosable().map(|f| f.id.clone()).collect(),
        kind,
        notice,
        rules: folder.files.get("rules.cedar").cloned(),
        examples,
    })
}

fn digest(folders: &[KindFolder]) -> [u8; 32] {
    let mut names: Vec<_> = folders.iter().collect();
    names.sort_by(|a, b| a.name.cmp(&b.name));
    let mut hash = Sha256::new();
    let mut put = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    for folder in names {
        for (name, text) in &folder.files {
            put(folder.name.as_bytes());
            put(name.as_bytes());
            put(text.as_bytes());
        }
    }
    hash.finalize().into()
}
