//! What is embedded in the program: the record kinds. Adding a folder adds a kind, without a line here.

use std::{collections::BTreeMap, path::Path};

use domain::kind::KindFolder;
use include_dir::{Dir, include_dir};

static KINDS: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/../../kinds");

/// The folders of the embedded kinds.
#[must_use]
pub fn kinds() -> Vec<KindFolder> {
    KINDS
        .dirs()
        .map(|dir| {
            let mut files = BTreeMap::new();
            let examples = dir.dirs().flat_map(Dir::files);
            for file in dir.files().chain(examples) {
                let name = file.path().strip_prefix(dir.path()).unwrap_or(file.path());
                if let (Some(name), Some(text)) = (name.to_str(), file.contents_utf8()) {
                    files.insert(name.to_owned(), text.to_owned());
                }
            }
            KindFolder {
                name: dir.path().display().to_string(),
                files,
                loaded: false,
            }
        })
        .collect()
}

/// The folders of further kinds in a directory of the deployment.
///
/// # Errors
/// A folder or file that cannot be read as UTF-8.
pub fn kinds_in(directory: &Path) -> std::io::Result<Vec<KindFolder>> {
    let mut folders = vec![];
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_dir() {
            folders.push(kind_folder(&path)?);
        }
    }
    folders.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(folders)
}

/// One folder of a kind.
///
/// # Errors
/// A file that cannot be read as UTF-8.
pub fn kind_folder(path: &Path) -> std::io::Result<KindFolder> {
    let mut files = BTreeMap::new();
    let mut read = |folder: &Path, prefix: &str| -> std::io::Result<()> {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|n| n.to_str())) {
                files.insert(format!("{prefix}{name}"), std::fs::read_to_string(&path)?);
            }
        }
        Ok(())
    };
    read(path, "")?;
    if path.join("examples").is_dir() {
        read(&path.join("examples"), "examples/")?;
    }
    let name = path
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default()
        .to_owned();
    Ok(KindFolder {
        name,
        files,
        loaded: true,
    })
}
