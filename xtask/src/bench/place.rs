//! The folder of one run, on the disk on which cargo builds; it is removed at the end.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::run;

/// The folder.
pub(crate) struct Place(PathBuf);

impl Place {
    /// A new folder.
    ///
    /// # Errors
    /// It cannot be made.
    pub(crate) fn new() -> Result<Self, String> {
        let folder = run::target()
            .join("bench")
            .join(format!("run-{}", std::process::id()));
        fs::create_dir_all(&folder).map_err(|e| format!("{}: {e}", folder.display()))?;
        Ok(Place(folder))
    }

    /// Where it is.
    pub(crate) fn folder(&self) -> &Path {
        &self.0
    }

    /// A name in it.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The tokens of the people of a database.
    pub(crate) fn tokens(&self, database: &str) -> PathBuf {
        self.at(&format!("{database}.tokens"))
    }

    /// Copies a database that nobody has open, with its tokens.
    ///
    /// # Errors
    /// It cannot be copied.
    pub(crate) fn copy(&self, from: &str, to: &str) -> Result<(), String> {
        let failed = |e: std::io::Error| format!("{from} cannot be copied: {e}");
        copy_folder(&self.at(from), &self.at(to)).map_err(failed)?;
        fs::copy(self.tokens(from), self.tokens(to)).map_err(failed)?;
        Ok(())
    }
}

/// With the folders in it: that of a source's files is one.
fn copy_folder(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy_folder(&from, &to)?;
        } else {
            fs::copy(from, to)?;
        }
    }
    Ok(())
}

impl Drop for Place {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}
