//! The files of the project as text.

use std::{fs, path::Path};

/// What is no part of it. `.git` is a file where the tree is one of several of a repository.
const LEFT_OUT: [&str; 3] = ["target", "node_modules", ".git"];
/// What is larger is data, which these checks do not read: 512 kB.
const MAX_BYTES: u64 = 512 * 1024;

/// One file.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    /// Its text; empty where it is not text.
    pub(crate) text: String,
}

impl File {
    /// Its lines, numbered as an editor does.
    pub(crate) fn lines(&self) -> impl Iterator<Item = (usize, &str)> {
        self.text.lines().enumerate().map(|(n, line)| (n + 1, line))
    }

    /// Whether it ends so.
    pub(crate) fn is(&self, extension: &str) -> bool {
        Path::new(&self.path).extension().is_some_and(|e| e == extension)
    }

    /// A lock file: written by a tool, with its hosts.
    pub(crate) fn is_lock(&self) -> bool {
        self.path.ends_with("Cargo.lock") || self.path.ends_with("package-lock.json")
    }
}

/// All files, in the order of their paths.
pub(crate) struct Tree {
    pub(crate) files: Vec<File>,
}

impl Tree {
    /// Reads them.
    ///
    /// # Errors
    /// A folder or file that cannot be read.
    pub(crate) fn read(root: &Path) -> Result<Self, String> {
        let mut files = vec![];
        walk(root, "", &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Tree { files })
    }

    /// The file at this path.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files
            .binary_search_by(|f| f.path.as_str().cmp(path))
            .ok()
            .map(|at| &self.files[at])
    }

    /// Whether there is a file or a folder at this path.
    pub(crate) fn has(&self, path: &str) -> bool {
        let folder = format!("{}/", path.trim_end_matches('/'));
        self.file(path).is_some() || self.files.iter().any(|f| f.path.starts_with(&folder))
    }

    /// Files with this extension.
    pub(crate) fn with<'t>(&'t self, extension: &'t str) -> impl Iterator<Item = &'t File> {
        self.files.iter().filter(move |f| f.is(extension))
    }

    /// The names of the folders right below one, such as `crates`.
    pub(crate) fn folders(&self, parent: &str) -> Vec<String> {
        let prefix = format!("{parent}/");
        let below = self
            .files
            .iter()
            .filter_map(|f| f.path.strip_prefix(&prefix)?.split_once('/'));
        let mut names: Vec<String> = below.map(|(name, _)| name.to_owned()).collect();
        names.dedup();
        names
    }

    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        let mut files: Vec<File> = files.iter().map(file).collect();
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Tree { files }
    }
}

fn walk(folder: &Path, prefix: &str, files: &mut Vec<File>) -> Result<(), String> {
    let told = |e: std::io::Error| format!("{}: {e}", folder.display());
    for entry in fs::read_dir(folder).map_err(told)? {
        let entry = entry.map_err(told)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("{prefix}{name}");
        let kind = entry.file_type().map_err(told)?;
        if LEFT_OUT.contains(&name.as_str()) {
            continue;
        }
        if kind.is_dir() {
            walk(&entry.path(), &format!("{path}/"), files)?;
        } else if kind.is_file() {
            let small = entry.metadata().map_err(told)?.len() <= MAX_BYTES;
            let bytes = if small {
                fs::read(entry.path()).map_err(told)?
            } else {
                vec![]
            };
            files.push(File {
                path,
                text: String::from_utf8(bytes).unwrap_or_default(),
            });
        }
    }
    Ok(())
}
