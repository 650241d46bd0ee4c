//! What the tests and the examples of this crate share: the shipped kinds, all questions there are, the naive model
//! of the permissions, the comparison of both, and bugs to plant.

pub(crate) mod compare;
pub(crate) mod naive;
pub(crate) mod planted;

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
};

use domain::{
    decision::Question,
    kind::{Catalogue, KindFolder},
    purpose::ACCOUNT_PROOFING,
    requester::{Relation, Role},
    words::{Classification, Describes, LegalBasis, Level, Mode},
};

/// The record kinds that the program brings, read from `/kinds`.
pub(crate) fn shipped_kinds() -> Catalogue {
    let kinds = Catalogue::new(&shipped_folders()).unwrap();
    assert!(!kinds.in_order().is_empty(), "no record kinds were found");
    kinds
}

/// The folders of the record kinds that the program brings.
pub(crate) fn shipped_folders() -> Vec<KindFolder> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kinds");
    let mut folders = Vec::new();
    for entry in std::fs::read_dir(root).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let mut files = BTreeMap::new();
        read_files(&path, "", &mut files);
        folders.push(KindFolder {
            name,
            files,
            loaded: false,
        });
    }
    folders
}

fn read_files(folder: &Path, prefix: &str, files: &mut BTreeMap<String, String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{prefix}{}", path.file_name().unwrap().to_str().unwrap());
        if path.is_dir() {
            read_files(&path, &format!("{name}/"), files);
        } else {
            files.insert(name, std::fs::read_to_string(&path).unwrap());
        }
    }
}

/// Every kind, and one that does not exist, with every purpose that any kind names, and one that none does. The
/// pairs that go together come first: among them a planted bug is found soonest.
pub(crate) fn kinds_and_purposes(kinds: &Catalogue) -> Vec<(Arc<str>, Arc<str>)> {
    let kinds_in_order = kinds.in_order();
    let mut names: Vec<Arc<str>> = kinds_in_order.iter().map(|k| k.kind.id.as_str().into()).collect();
    names.push("no-such-kind".into());
    let purposes = kinds_in_order
        .iter()
        .flat_map(|k| &k.kind.purposes)
        .map(|p| p.as_str().into());
    let purposes: BTreeSet<Arc<str>> = purposes
        .chain([ACCOUNT_PROOFING.into(), "no-such-purpose".into()])
        .collect();
    let mut pairs = Vec::new();
    for kind in &names {
        pairs.extend(
            purposes
                .iter()
                .map(|purpose| (Arc::clone(kind), Arc::clone(purpose))),
        );
    }
    let together = |kind: &str, purpose: &str| {
        kinds
            .get(kind)
            .is_some_and(|k| k.kind.purposes.iter().any(|p| p == purpose))
    };
    pairs.sort_by_key(|(kind, purpose)| !together(kind, purpose));
    pairs
}

/// Calls `ask` with every question about this kind and purpose, until it answers `false`.
pub(crate) fn every_question(kind: &Arc<str>, purpose: &Arc<str>, ask: &mut dyn FnMut(&Question) -> bool) {
    // One list of bits per dimension would be shorter; nested loops show that nothing is left out.
    for &role in Role::ALL {
        for &relation in Relation::ALL {
            for &level in Level::ALL {
                for &needed in Level::ALL {
                    for &mode in Mode::ALL {
                        for &basis in LegalBasis::ALL {
                            for (classification, describes, reveal) in field_sorts() {
                                let (kind, purpose) = (Arc::clone(kind), Arc::clone(purpose));
                                let question = Question {
                                    role,
                                    relation,
                                    level,
                                    needed,
                                    kind,
                                    mode,
                                    classification,
                                    describes,
                                    reveal,
                                    purpose,
                                    basis,
                                };
                                if !ask(&question) {
                                    return;
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// All that a field can be to the policy: 3 classifications, of whom, with or without its mask.
pub(crate) fn field_sorts() -> Vec<(Classification, Describes, bool)> {
    let mut sorts = Vec::new();
    for &classification in Classification::ALL {
        for &describes in Describes::ALL {
            for reveal in [false, true] {
                sorts.push((classification, describes, reveal));
            }
        }
    }
    sorts
}
