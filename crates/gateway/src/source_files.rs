//! What the data folder keeps about sources: who is paused and by whom, what was measured, what their drops are at,
//! and which an operator accepted; a demo's folder also their files.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, ErrorKind, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use sources::DropState;

/// The last word of an operator about one source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// It is not asked.
    pub paused: bool,
    /// The operator who said so.
    pub by: String,
}

/// The last word about each source that an operator ever paused.
pub type Orders = BTreeMap<String, Order>;

/// An operator's word that a drop which waits is meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acceptance {
    /// The drop's name.
    pub file: String,
    /// Its checksum: this content is meant and no other.
    pub digest: String,
    /// The operator who said so.
    pub by: String,
}

/// The last word about a drop of each source.
pub type Acceptances = BTreeMap<String, Acceptance>;

/// Where the acceptances lie.
#[must_use]
pub fn acceptances_file(folder: &Path) -> PathBuf {
    folder.join("drops-accepted.toml")
}

/// Where it stands what the drops are at.
#[must_use]
pub fn drops_file(folder: &Path) -> PathBuf {
    folder.join("drops.json")
}

/// Reads the acceptances; none where there is no file.
///
/// # Errors
/// The file cannot be read, or is not what [`write_acceptances`] writes.
pub fn read_acceptances(folder: &Path) -> io::Result<Acceptances> {
    let path = acceptances_file(folder);
    let text = read(&path)?.unwrap_or_default();
    toml::from_str(&text).map_err(|e| io::Error::other(format!("{}: {}", path.display(), e.message())))
}

/// Writes the acceptances in the place of those before.
///
/// # Errors
/// The folder cannot be written.
pub fn write_acceptances(folder: &Path, acceptances: &Acceptances) -> io::Result<()> {
    let text = toml::to_string(acceptances).map_err(io::Error::other)?;
    replace(&acceptances_file(folder), &text)
}

/// What the drops of each source were at when the server last said so; none where it never did.
///
/// # Errors
/// The file cannot be read, or is not what [`write_drop_states`] writes.
pub fn read_drop_states(folder: &Path) -> io::Result<Vec<DropState>> {
    let text = read(&drops_file(folder))?;
    text.map_or_else(
        || Ok(vec![]),
        |text| serde_json::from_str(&text).map_err(io::Error::other),
    )
}

/// Writes what the drops are at.
///
/// # Errors
/// The folder cannot be written.
pub fn write_drop_states(folder: &Path, states: &[DropState]) -> io::Result<()> {
    let text = serde_json::to_string(states).map_err(io::Error::other)?;
    replace(&drops_file(folder), &text)
}

/// Where the orders lie.
#[must_use]
pub fn orders_file(folder: &Path) -> PathBuf {
    folder.join("sources-paused.toml")
}

/// Where the measures lie.
#[must_use]
pub fn measures_file(folder: &Path) -> PathBuf {
    folder.join("sources-measured.json")
}

/// Where a demo keeps the files of its sources. They are written anew at each start, so the name is no one's but its own.
#[must_use]
pub fn demo_sources(folder: &Path) -> PathBuf {
    folder.join("demo-sources")
}

/// Lets one process at a time change the orders, until what is returned is dropped.
///
/// # Errors
/// The folder cannot be written.
pub fn lock_orders(folder: &Path) -> io::Result<File> {
    let file = File::create(folder.join("sources-paused.lock"))?;
    file.lock()?;
    Ok(file)
}

/// Reads the orders; none where there is no file.
///
/// # Errors
/// The file cannot be read, or is not what [`write_orders`] writes.
pub fn read_orders(folder: &Path) -> io::Result<Orders> {
    let path = orders_file(folder);
    let Some(text) = read(&path)? else {
        return Ok(Orders::new());
    };
    toml::from_str(&text).map_err(|e| io::Error::other(format!("{}: {}", path.display(), e.message())))
}

/// Writes the orders in the place of those before.
///
/// # Errors
/// The folder cannot be written.
pub fn write_orders(folder: &Path, orders: &Orders) -> io::Result<()> {
    let text = toml::to_string(orders).map_err(io::Error::other)?;
    replace(&orders_file(folder), &text)
}

/// A file's text; `None` where there is no such file.
///
/// # Errors
/// It cannot be read.
pub fn read(path: &Path) -> io::Result<Option<String>> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// Puts a whole file in the place of another, so that a reader never sees half of one.
///
/// # Errors
/// The folder cannot be written.
pub fn replace(path: &Path, text: &str) -> io::Result<()> {
    let new = path.with_extension("new");
    let mut file = File::create(&new)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(new, path)
}

#[cfg(test)]
mod tests {
    use std::{sync::Barrier, thread};

    use super::*;

    #[test]
    fn orders_that_are_given_at_once_are_all_kept() {
        let folder = tempfile::tempdir().unwrap();
        let (path, barrier) = (folder.path(), Barrier::new(8));
        thread::scope(|scope| {
            for id in 0..8 {
                let barrier = &barrier;
                scope.spawn(move || {
                    barrier.wait();
                    let _lock = lock_orders(path).unwrap();
                    let mut orders = read_orders(path).unwrap();
                    let by = "op".to_owned();
                    orders.insert(format!("source-{id}"), Order { paused: true, by });
                    write_orders(path, &orders).unwrap();
                });
            }
        });
        assert_eq!(read_orders(path).unwrap().len(), 8);
    }
}
