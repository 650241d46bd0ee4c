//! What `mingcha log export` wrote, read as an outsider does: by our own reader of entries, and by `tlog_tiles`.

use std::{collections::BTreeSet, fs, path::Path};

use ledger::{
    Frontier, Hash,
    tile::{self, Content},
};

use crate::log;

/// The checkpoint of the log below a folder, once it is shown that its signature is by the key that was told, that no
/// file is missing and none is too many, that the entries give the root that was signed, and that the tiles prove each
/// of them. `said` is what the command told.
///
/// # Errors
/// Whatever is not so.
pub(super) fn whole(folder: &Path, said: &str) -> Result<String, String> {
    let at = folder.join("checkpoint");
    let note = fs::read_to_string(&at).map_err(|e| format!("{}: {e}", at.display()))?;
    let key = said.split_whitespace().last().ok_or("no key was told")?;
    let keys = log::trusted(&[key.to_owned()])?;
    let opened = keys.open_checkpoint(&note, log::signature);
    let (checkpoint, _) = opened.map_err(|e| format!("the checkpoint: {e}"))?;
    let (size, root) = (checkpoint.size(), *checkpoint.root());
    let tiles = tile::new_tiles(0, size).chain(tile::new_bundles(0, size));
    let mut expected: BTreeSet<String> = tiles.map(|tile| tile.path()).collect();
    expected.insert("checkpoint".to_owned());
    let there = files(folder)?;
    if size == 0 || there != expected {
        return Err(format!(
            "{size} entries, for which {there:?} is there in place of {expected:?}"
        ));
    }
    let told = format!("{size} entries in {} files;", there.len());
    if !said.starts_with(&told) {
        return Err(format!("{said:?} does not begin with {told:?}"));
    }
    by_entries(folder, size, root).and_then(|leaves| by_tiles(folder, &leaves, root))?;
    Ok(note)
}

/// The hash of each entry, which together give the root.
fn by_entries(folder: &Path, size: u64, root: Hash) -> Result<Vec<Hash>, String> {
    let (mut leaves, mut frontier) = (vec![], Frontier::new());
    for bundle in tile::new_bundles(0, size) {
        let bytes = fs::read(folder.join(bundle.path())).map_err(|e| format!("{bundle}: {e}"))?;
        let entries = tile::parse_bundle(&bytes).map_err(|e| format!("{bundle}: {e}"))?;
        leaves.extend(entries.into_iter().map(Hash::of_leaf));
    }
    leaves.iter().for_each(|leaf| frontier.append(*leaf));
    if frontier.size() == size && frontier.root() == root {
        Ok(leaves)
    } else {
        Err(format!(
            "{} entries do not give the root that was signed over {size}",
            leaves.len()
        ))
    }
}

/// The lowest tiles hold the entries' hashes; and all of them show each entry in its place, by a verifier that is not
/// ours.
fn by_tiles(folder: &Path, leaves: &[Hash], root: Hash) -> Result<(), String> {
    let size = leaves.len() as u64;
    let lowest = tile::new_tiles(0, size).filter(|tile| tile.content() == Content::Hashes { level: 0 });
    for (tile, hashes) in lowest.zip(leaves.chunks(tile::FULL_WIDTH.into())) {
        let bytes = fs::read(folder.join(tile.path())).map_err(|e| format!("{tile}: {e}"))?;
        if bytes != hashes.iter().flat_map(|hash| hash.0).collect::<Vec<u8>>() {
            return Err(format!("{tile} has other hashes than the entries"));
        }
    }
    let (reader, root) = (Tiles(folder), tlog_tiles::Hash(root.0));
    let hashes = tlog_tiles::TileHashReader::new(size, root, &reader);
    for (index, leaf) in (0..size).zip(leaves) {
        let proof = tlog_tiles::prove_record(size, index, &hashes);
        let proof = proof.map_err(|e| format!("the tiles do not prove entry {index}: {e:?}"))?;
        tlog_tiles::check_record(&proof, size, root, index, tlog_tiles::Hash(leaf.0))
            .map_err(|e| format!("entry {index} is not what the tiles have there: {e:?}"))?;
    }
    Ok(())
}

/// Their reader over a folder. Their paths name the height, ours do not.
struct Tiles<'a>(&'a Path);

impl tlog_tiles::TileReader for Tiles<'_> {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let read = |tile: &tlog_tiles::Tile| {
            let path = tile.path().replace("tile/8/", "tile/");
            // What cannot be read is empty, and an empty tile fails their check.
            fs::read(self.0.join(path)).unwrap_or_default()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// The paths of all files below a folder.
fn files(folder: &Path) -> Result<BTreeSet<String>, String> {
    let told = |e: std::io::Error| format!("{}: {e}", folder.display());
    let (mut files, mut folders) = (BTreeSet::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).map_err(told)? {
            let path = entry.map_err(told)?.path();
            if path.is_dir() {
                folders.push(path);
            } else if let Ok(name) = path.strip_prefix(folder) {
                files.insert(name.display().to_string());
            }
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use ledger::{HashReader, tile::encode_bundle};

    use super::*;

    /// The tree of these leaves, as far as one tile needs it.
    struct Leaves<'a>(&'a [Hash]);

    impl HashReader for Leaves<'_> {
        type Error = Infallible;

        fn subtree(&mut self, level: u8, index: u64) -> Result<Hash, Infallible> {
            assert_eq!(level, 0, "the leaves alone");
            Ok(self.0[usize::try_from(index).unwrap()])
        }
    }

    /// A log of five entries as files, without a checkpoint; its leaves and its root.
    fn export(folder: &Path) -> (Vec<Hash>, Hash) {
        let entries: Vec<[u8; 33]> = (1..=5).map(|n| [n; 33]).collect();
        let leaves: Vec<Hash> = entries.iter().map(|entry| Hash::of_leaf(entry)).collect();
        let mut frontier = Frontier::new();
        leaves.iter().for_each(|leaf| frontier.append(*leaf));
        let put = |path: String, bytes: Vec<u8>| {
            let path = folder.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        };
        for tile in tile::new_tiles(0, 5) {
            put(tile.path(), tile.read(&mut Leaves(&leaves)).unwrap());
        }
        for bundle in tile::new_bundles(0, 5) {
            put(
                bundle.path(),
                encode_bundle(entries.iter().map(|e| &e[..])).unwrap(),
            );
        }
        (leaves, frontier.root())
    }

    #[test]
    fn entries_and_tiles_of_a_log_are_believed_and_changed_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (leaves, root) = export(folder.path());
        assert_eq!(by_entries(folder.path(), 5, root).as_ref(), Ok(&leaves));
        assert_eq!(by_tiles(folder.path(), &leaves, root), Ok(()));
        let names = files(folder.path()).unwrap();
        assert_eq!(
            names.iter().map(String::as_str).collect::<Vec<_>>(),
            ["tile/0/000.p/5", "tile/entries/000.p/5"]
        );
        for name in names {
            let path = folder.path().join(&name);
            let bytes = fs::read(&path).unwrap();
            let mut changed = bytes.clone();
            *changed.last_mut().unwrap() ^= 1;
            for wrong in [&changed[..], &[]] {
                fs::write(&path, wrong).unwrap();
                let told = by_entries(folder.path(), 5, root)
                    .and_then(|leaves| by_tiles(folder.path(), &leaves, root));
                assert!(told.is_err(), "{name}");
            }
            fs::write(&path, bytes).unwrap();
        }
        assert!(by_tiles(folder.path(), &leaves[..4], root).is_err());
    }
}
