//! Tiles: paths, which ones a growing log has, and finding subtrees in them.

use crate::sample::{MemoryTree, leaf_hashes};
use ledger::tile::*;
use ledger::{Hash, HashReader, Tile};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

fn hashes(level: u8) -> Content {
    Content::Hashes { level }
}

#[test]
fn paths() {
    for (content, index, width, path) in [
        (hashes(0), 0, 256, "tile/0/000"),
        (hashes(0), 0, 1, "tile/0/000.p/1"),
        (hashes(0), 1_234_067, 8, "tile/0/x001/x234/067.p/8"),
        (hashes(3), 1_234_067, 256, "tile/3/x001/x234/067"),
        (hashes(0), 999, 255, "tile/0/999.p/255"),
        (hashes(0), 1_000, 256, "tile/0/x001/000"),
        (
            hashes(0),
            u64::MAX >> 8,
            256,
            "tile/0/x072/x057/x594/x037/x927/935",
        ),
        (Content::Entries, 273, 112, "tile/entries/273.p/112"),
        (Content::Entries, 1_000_000, 256, "tile/entries/x001/x000/000"),
    ] {
        let tile = Tile::new(content, index, width).unwrap();
        assert_eq!(tile.path(), path);
        assert_eq!(Tile::parse_path(path), Ok(tile));
    }
}

#[test]
fn other_spellings_are_refused() {
    for path in [
        "",
        "tile",
        "tile/",
        "tile/0",
        "tile/0/",
        "tile/0/0",
        "tile/0/00",
        "tile/0/0000",
        "/tile/0/000",
        "tile/00/000",
        "tile/+0/000",
        "tile/8/000",
        "tile/64/000",
        "tile/256/000",
        "tile/data/000",
        "tile/0/x000",
        "tile/0/x000/001",
        "tile/0/001/001",
        "tile/0/xx01",
        "tile/0/x01/001",
        "tile/0/000/",
        "tile/0//000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/65537",
        "tile/0/000.p/1/",
        "tile/0/000.p/1.p/1",
        "tile/0/000.P/1",
        "tile/0/00１",
        "tile/0/-01",
        "tile/0/000 ",
        "tile/entries/0",
        "tile/Entries/000",
        "tile/7/001",
        "tile/0/x072/x057/x594/x037/x927/936",
        "tile/0/x018/x446/x744/x073/x709/x551/616",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
    ] {
        assert_eq!(Tile::parse_path(path), Err(BadTilePath), "{path}");
    }
    assert_eq!(Tile::new(hashes(0), 0, 0), None);
    assert_eq!(Tile::new(hashes(0), 0, 257), None);
    assert_eq!(Tile::new(hashes(8), 0, 1), None);
    assert_eq!(Tile::new(hashes(255), 0, 1), None);
}

/// The examples of tlog-tiles, section "Partial Tiles".
#[test]
fn examples_of_the_specification() {
    let count = |size, level, full| {
        let of_level = new_tiles(0, size).filter(|tile| tile.content() == hashes(level));
        of_level.filter(|tile| tile.is_full() == full).collect::<Vec<_>>()
    };
    assert_eq!(count(70_000, 0, true).len(), 273);
    assert_eq!(count(70_000, 0, false), [Tile::new(hashes(0), 273, 112).unwrap()]);
    assert_eq!(count(70_000, 1, true), [Tile::new(hashes(1), 0, 256).unwrap()]);
    assert_eq!(count(70_000, 1, false), [Tile::new(hashes(1), 1, 17).unwrap()]);
    assert_eq!(count(70_000, 2, false), [Tile::new(hashes(2), 0, 1).unwrap()]);
    assert_eq!(new_tiles(0, 70_000).count(), 273 + 1 + 1 + 1 + 1);
    let small: Vec<_> = new_tiles(0, 256).map(|tile| tile.path()).collect();
    assert_eq!(small, ["tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(
        new_tiles(0, 0).count() + new_tiles(5, 5).count() + new_bundles(0, 0).count(),
        0
    );
}

/// A log that grows in steps, and writes only what is new at each, has at the end whatever it needs.
#[test]
fn growing_writes_every_tile_once() {
    let all: BTreeSet<Tile> = (0..=1_000_u64).flat_map(|size| new_tiles(0, size)).collect();
    let mut written = BTreeSet::new();
    for size in 1..=1_000 {
        for tile in new_tiles(size - 1, size) {
            assert!(tile.exists_in(size) && !tile.exists_in(size - 1));
            assert!(written.insert(tile), "{tile} was written twice");
        }
    }
    assert_eq!(written, all);
    let bundles: Vec<_> = new_bundles(250, 600).map(|tile| tile.path()).collect();
    assert_eq!(
        bundles,
        ["tile/entries/000", "tile/entries/001", "tile/entries/002.p/88"]
    );
}

#[test]
fn every_subtree_is_found_in_the_tiles() {
    let size = 66_500;
    let mut tree = MemoryTree::new(leaf_hashes(size));
    let tiles: BTreeMap<Tile, Vec<u8>> = new_tiles(0, size)
        .map(|tile| (tile, tile.read(&mut tree).unwrap()))
        .collect();
    assert!(
        tiles
            .iter()
            .all(|(tile, bytes)| bytes.len() == usize::from(tile.width()) * 32)
    );
    for level in 0..=16 {
        let complete = size >> level;
        let step = if complete > 4_096 { 97 } else { 1 };
        for index in (0..complete).step_by(step).chain([complete - 1]) {
            let place = Place::of(level, index, size).unwrap();
            let found = place.hash(&tiles[&place.tile]).unwrap();
            assert_eq!(found, tree.subtree(level, index).unwrap(), "{level} {index}");
        }
        assert_eq!(Place::of(level, complete, size), None);
    }
    for level in 17..=255 {
        assert_eq!(Place::of(level, 0, size), None);
    }
    for (tile, bytes) in &tiles {
        let height = if tile.content() == hashes(0) { 8 } else { 16 };
        let root = tile
            .is_full()
            .then(|| tree.subtree(height, tile.index()).unwrap());
        assert_eq!(root_of_full(bytes).ok(), root, "{tile}");
    }
}

#[test]
fn a_cut_tile_is_refused() {
    let place = Place::of(3, 1, 16).unwrap();
    assert_eq!(place.tile.path(), "tile/0/000.p/16");
    assert_eq!(place.hash(&[0; 15 * 32]), Err(BadTile::Length));
    assert_eq!(place.hash(&[0; 16 * 32 + 1]), Err(BadTile::Length));
    assert_eq!(place.hash(&[0; 257 * 32]), Err(BadTile::Length));
    assert!(place.hash(&[0; 256 * 32]).is_ok());
}

#[test]
fn entry_bundles() {
    let entries = [[1_u8; 33].as_slice(), &[], &[2; 33]];
    let bytes = encode_bundle(entries).unwrap();
    assert_eq!(bytes.len(), 35 + 2 + 35);
    assert_eq!(bytes[..3], [0, 33, 1]);
    assert_eq!(parse_bundle(&bytes).unwrap(), entries);
    assert_eq!(parse_bundle(&[]).unwrap(), Vec::<&[u8]>::new());
    assert_eq!(parse_bundle(&bytes[..bytes.len() - 1]), Err(BadTile::Entries));
    assert_eq!(parse_bundle(&[0]), Err(BadTile::Entries));
    assert_eq!(parse_bundle(&[0; 2 * 257]), Err(BadTile::Entries));
    assert_eq!(encode_bundle([vec![0; 65_536].as_slice()]), Err(BadTile::Entries));
    assert!(encode_bundle([vec![0; 65_535].as_slice()]).is_ok());
}

proptest! {
    #[test]
    fn a_path_that_is_read_is_the_path_that_is_written(path in "tile/(entries|[0-9]{1,2})/(x[0-9]{3}/){0,7}[0-9]{3}(\\.p/[0-9]{1,3})?") {
        if let Ok(tile) = Tile::parse_path(&path) {
            prop_assert_eq!(tile.path(), path);
        }
    }

    #[test]
    fn no_text_panics(path in any::<String>(), level in any::<u8>(), index in any::<u64>(), size in any::<u64>()) {
        prop_assert!(Tile::parse_path(&path).is_err());
        if let Some(place) = Place::of(level, index, size) {
            prop_assert!(place.tile.exists_in(size));
            prop_assert_eq!(place.hash(&[]), Err(BadTile::Length));
        }
    }

    #[test]
    fn vast_logs_have_few_new_tiles(size in any::<u64>()) {
        let step = size.saturating_add(1);
        prop_assert!(new_tiles(size, step).count() <= 8);
        for tile in new_tiles(size, step) {
            prop_assert!(tile.exists_in(step) && Tile::parse_path(&tile.path()) == Ok(tile));
        }
    }
}

#[test]
fn leaf_hashes_differ() {
    let leaves = leaf_hashes(1_000);
    assert_eq!(leaves.iter().collect::<BTreeSet<&Hash>>().len(), 1_000);
}
