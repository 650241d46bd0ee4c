//! One process at a time owns a data folder: the head file and the effects journal are its own.

use std::{fs::File, path::Path};

use crate::error::StartError;

/// Held as long as the process uses the folder.
#[derive(Debug)]
pub struct FolderLock(File);

impl FolderLock {
    /// Takes the folder, making it if it is missing.
    ///
    /// # Errors
    /// Another process has it, or it cannot be written.
    pub fn take(folder: &Path) -> Result<Self, StartError> {
        std::fs::create_dir_all(folder)?;
        let file = File::create(folder.join("lock"))?;
        match file.try_lock() {
            Ok(()) => Ok(FolderLock(file)),
            Err(std::fs::TryLockError::WouldBlock) => Err(StartError(format!(
                "another mingcha uses {}; stop it first",
                folder.display()
            ))),
            Err(std::fs::TryLockError::Error(error)) => Err(error.into()),
        }
    }
}

impl Drop for FolderLock {
    fn drop(&mut self) {
        drop(self.0.unlock());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner() {
        let folder = tempfile::tempdir().unwrap();
        let first = FolderLock::take(folder.path()).unwrap();
        assert!(FolderLock::take(folder.path()).is_err());
        drop(first);
        assert!(FolderLock::take(folder.path()).is_ok());
    }
}
