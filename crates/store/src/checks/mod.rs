//! Checks: the tail of the log at every start, and everything for `doctor`.

mod chains;
mod rows;
mod tail;
mod tree;

use domain::time::Timestamp;

use crate::{Store, StoreError, committer::LOG, engine::Sql};

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub what: String,
    /// How many things.
    pub count: u64,
    /// What is wrong with them; empty when nothing is.
    pub problems: Vec<String>,
}

/// How many problems of one kind are told; a thousand say no more than ten.
const TOLD: usize = 10;

impl Check {
    fn of(what: &str) -> Self {
        Check {
            what: what.to_owned(),
            count: 0,
            problems: vec![],
        }
    }

    fn tell(&mut self, problem: String) {
        if self.problems.len() < TOLD {
            self.problems.push(problem);
        }
    }

    /// What was found, or what kept from looking: a row that cannot be read is told like any other problem.
    fn or_tell<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                self.tell(error.to_string());
                None
            }
        }
    }
}

impl Store {
    /// Checks everything: every leaf and cached tile, the published checkpoint, every chain, every opening whose key
    /// still exists, every look-up's row, that persons, accounts and sessions name each other, and directories. For
    /// `doctor`; it may run while others write. `progress` is told how many of how many leaves are done.
    ///
    /// # Errors
    /// The database cannot be read; what is wrong with its content is told in the result, not as an error.
    pub async fn check_all(&self, progress: impl FnMut(u64, u64)) -> Result<Vec<Check>, StoreError> {
        const HEAD: Sql = Sql::both("SELECT size, time_us FROM log_head WHERE log_id = $1");
        // Before the leaves are walked over, so that it is never beyond them.
        let head = self.read_opt(&HEAD, vec![LOG.into()]).await?;
        let head = head.map_or(Ok((0, 0)), |row| {
            Ok::<_, StoreError>((row.int(0, "log_head.size")?, row.int(1, "log_head.time_us")?))
        })?;
        let size = u64::try_from(head.0).unwrap_or(0);
        let (mut checks, walked) = self.check_tree(progress).await?;
        checks.push(self.check_chains(size.min(walked), Timestamp(head.1)).await?);
        checks.push(self.check_lookups().await?);
        checks.push(self.check_people().await?);
        checks.push(self.check_sessions().await?);
        checks.push(self.check_directory().await?);
        Ok(checks)
    }
}
