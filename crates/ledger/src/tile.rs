//! Tiles: how the log is served as files that never change (C2SP tlog-tiles, sections "Merkle Tree",
//! "Partial Tiles" and "Log entries").
//!
//! A tile holds up to 256 hashes of one level; a level counts eight levels of the tree. A partial tile is
//! named by its width, so that each file is immutable.

use crate::hash::{HASH_BYTES, Hash};
use crate::text;
use crate::tree::HashReader;
use std::fmt;
use thiserror::Error;

/// How many hashes or entries a full tile has.
pub const FULL_WIDTH: u16 = 256;

/// How many levels of the tree one tile spans.
const TILE_HEIGHT: u8 = 8;

/// The highest level on which a tree with a 64-bit size has tiles. Paths may name levels up to 63, but
/// nothing can be there.
const MAX_LEVEL: u8 = 7;

/// What a tile holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Content {
    /// Hashes; level 0 has those of the leaves, level *n* the roots of the full tiles of level *n* - 1.
    Hashes {
        /// From 0 to 7: a tree with a 64-bit size has no higher ones.
        level: u8,
    },
    /// The data of the leaves themselves, each with its length as u16 before it: an entry bundle.
    Entries,
}

impl Content {
    fn level(self) -> u8 {
        match self {
            Content::Hashes { level } => level,
            Content::Entries => 0,
        }
    }
}

/// The coordinates of a tile.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Tile {
    content: Content,
    index: u64,
    width: u16,
}

/// A text is not the canonical path of a tile.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
#[error("not the path of a tile; expected tile/<level or entries>/<index>[.p/<width>]")]
pub struct BadTilePath;

/// Bytes are not a tile or an entry bundle.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Error)]
pub enum BadTile {
    /// A tile of hashes has another length than its width demands, or the hash lies beyond it.
    #[error("the tile does not have the length its width demands")]
    Length,
    /// An entry bundle ends within an entry, or an entry is longer than 65,535 bytes.
    #[error("the entry bundle is cut off, or has an entry above 65535 bytes")]
    Entries,
}

impl Tile {
    /// The tile with these coordinates; `None` if no tree with a 64-bit size can have it.
    pub fn new(content: Content, index: u64, width: u16) -> Option<Tile> {
        let level = content.level();
        let leaves_bits = (u32::from(level) + 1) * u32::from(TILE_HEIGHT);
        let max_index = u64::MAX.checked_shr(leaves_bits).unwrap_or(0);
        let fits = level <= MAX_LEVEL && index <= max_index && (1..=FULL_WIDTH).contains(&width);
        fits.then_some(Tile {
            content,
            index,
            width,
        })
    }

    /// What the tile holds.
    pub fn content(&self) -> Content {
        self.content
    }

    /// Which tile of its level it is, from the left, counted from zero.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has, 1 to 256.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// Whether it will never be replaced by a wider one.
    pub fn is_full(&self) -> bool {
        self.width == FULL_WIDTH
    }

    /// Whether the log of a tree of `size` leaves has this tile, at this width or wider.
    pub fn exists_in(&self, size: u64) -> bool {
        u64::from(self.width) <= width_at(self.content, self.index, size)
    }

    /// The path below the log's prefix, for example `tile/0/x001/x234/067.p/8`.
    pub fn path(&self) -> String {
        self.to_string()
    }

    /// Reads a path. Any text that [`Tile::path`] would not write is refused.
    pub fn parse_path(path: &str) -> Result<Tile, BadTilePath> {
        let tile = parse_loosely(path).ok_or(BadTilePath)?;
        // Written again and compared: this refuses a leading x000, a width of 256 and whatever else has
        // two spellings.
        if tile.path() == path {
            Ok(tile)
        } else {
            Err(BadTilePath)
        }
    }

    /// The bytes of a tile of hashes. An entry bundle is made by [`encode_bundle`] instead; asked for one,
    /// this gives the tile of level 0 that goes with it.
    pub fn read<R: HashReader>(&self, reader: &mut R) -> Result<Vec<u8>, R::Error> {
        let mut bytes = Vec::with_capacity(usize::from(self.width) * HASH_BYTES);
        let first = self.index * u64::from(FULL_WIDTH);
        for index in first..first + u64::from(self.width) {
            bytes.extend_from_slice(&reader.subtree(self.content.level() * TILE_HEIGHT, index)?.0);
        }
        Ok(bytes)
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.content {
            Content::Hashes { level } => write!(f, "tile/{level}/")?,
            Content::Entries => f.write_str("tile/entries/")?,
        }
        // 1,000^6 is the greatest power below 2^64.
        let mut divisor = 1_000_u64.pow(6);
        while divisor > 1 {
            if self.index >= divisor {
                write!(f, "x{:03}/", self.index / divisor % 1_000)?;
            }
            divisor /= 1_000;
        }
        write!(f, "{:03}", self.index % 1_000)?;
        if self.is_full() {
            Ok(())
        } else {
            write!(f, ".p/{}", self.width)
        }
    }
}

/// Reads a path without minding spellings; the caller compares with the canonical one.
fn parse_loosely(path: &str) -> Option<Tile> {
    let (content, rest) = path.strip_prefix("tile/")?.split_once('/')?;
    let content = match content {
        "entries" => Content::Entries,
        level => Content::Hashes {
            level: text::decimal(level)?.try_into().ok()?,
        },
    };
    let (number, width) = match rest.split_once(".p/") {
        Some((number, width)) => (number, text::decimal(width)?.try_into().ok()?),
        None => (rest, FULL_WIDTH),
    };
    let mut index = 0_u64;
    for group in number.split('/') {
        let digits = group.strip_prefix('x').unwrap_or(group);
        if digits.len() != 3 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    Tile::new(content, index, width)
}

/// How wide that tile is in the log of a tree of `size` leaves; 0 where there is none. The partial one at
/// level *l* has `floor(size / 256^l) mod 256` hashes.
fn width_at(content: Content, index: u64, size: u64) -> u64 {
    let hashes = size
        .checked_shr(u32::from(content.level()) * u32::from(TILE_HEIGHT))
        .unwrap_or(0);
    let before = index.saturating_mul(u64::from(FULL_WIDTH));
    hashes.saturating_sub(before).min(u64::from(FULL_WIDTH))
}

/// The tiles of hashes that the log of `new_size` leaves has and that of `old_size` has not, level by level
/// from the leaves. From 0, all of them.
pub fn new_tiles(old_size: u64, new_size: u64) -> impl Iterator<Item = Tile> {
    (0..=MAX_LEVEL).flat_map(move |level| new_tiles_of(Content::Hashes { level }, old_size, new_size))
}

/// The entry bundles that the log of `new_size` leaves has and that of `old_size` has not.
pub fn new_bundles(old_size: u64, new_size: u64) -> impl Iterator<Item = Tile> {
    new_tiles_of(Content::Entries, old_size, new_size)
}

fn new_tiles_of(content: Content, old_size: u64, new_size: u64) -> impl Iterator<Item = Tile> {
    let shift = content.level() * TILE_HEIGHT;
    let full = u64::from(FULL_WIDTH);
    let (old, new) = (old_size >> shift, new_size >> shift);
    let indexes = if old < new {
        old / full..new.div_ceil(full)
    } else {
        0..0
    };
    indexes.filter_map(move |index| {
        Tile::new(
            content,
            index,
            width_at(content, index, new_size).try_into().ok()?,
        )
    })
}

/// Where the root of a complete subtree is found: fold `count` hashes of `tile` from `first`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Place {
    /// The tile, as wide as the log of the given size has it.
    pub tile: Tile,
    first: usize,
    count: usize,
}

impl Place {
    /// Where the root over the leaves `index * 2^level .. (index + 1) * 2^level` is found in the log of
    /// `size` leaves. `None` where that subtree is not complete.
    pub fn of(level: u8, index: u64, size: u64) -> Option<Place> {
        let complete = size.checked_shr(u32::from(level))?;
        if index >= complete {
            return None;
        }
        let content = Content::Hashes {
            level: level / TILE_HEIGHT,
        };
        let within = level % TILE_HEIGHT;
        // A subtree of a height between two tiles' is the fold of 2^within hashes of the lower one.
        let per_tile = u64::from(FULL_WIDTH) >> within;
        let tile_index = index / per_tile;
        let width = width_at(content, tile_index, size).try_into().ok()?;
        let tile = Tile::new(content, tile_index, width)?;
        let first = usize::try_from(index % per_tile).ok()? << within;
        Some(Place {
            tile,
            first,
            count: 1 << within,
        })
    }

    /// Folds the hashes of the tile's bytes. The tile may be wider than asked for, as tlog-tiles allows.
    pub fn hash(&self, tile_bytes: &[u8]) -> Result<Hash, BadTile> {
        let (hashes, stray) = tile_bytes.as_chunks::<HASH_BYTES>();
        if !stray.is_empty() || hashes.len() > usize::from(FULL_WIDTH) {
            return Err(BadTile::Length);
        }
        let hashes = hashes
            .get(self.first..self.first + self.count)
            .ok_or(BadTile::Length)?;
        Ok(perfect_root(hashes))
    }
}

/// The hash that stands for a full tile of hashes in the tile above it.
pub fn root_of_full(tile_bytes: &[u8]) -> Result<Hash, BadTile> {
    match tile_bytes.as_chunks::<HASH_BYTES>() {
        (hashes, []) if hashes.len() == usize::from(FULL_WIDTH) => Ok(perfect_root(hashes)),
        _ => Err(BadTile::Length),
    }
}

/// The root over a power of two of hashes.
fn perfect_root(hashes: &[[u8; HASH_BYTES]]) -> Hash {
    match hashes {
        [] => Hash::EMPTY_TREE,
        [hash] => Hash(*hash),
        more => {
            let (left, right) = more.split_at(more.len() / 2);
            Hash::of_node(&perfect_root(left), &perfect_root(right))
        }
    }
}

/// Writes an entry bundle: each entry with its length as a big-endian u16 before it.
pub fn encode_bundle<'a>(entries: impl IntoIterator<Item = &'a [u8]>) -> Result<Vec<u8>, BadTile> {
    let mut bytes = Vec::new();
    for entry in entries {
        let length = u16::try_from(entry.len()).map_err(|_| BadTile::Entries)?;
        bytes.extend_from_slice(&length.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Reads an entry bundle.
pub fn parse_bundle(bytes: &[u8]) -> Result<Vec<&[u8]>, BadTile> {
    let mut entries = Vec::new();
    let mut rest = bytes;
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk().ok_or(BadTile::Entries)?;
        let length = usize::from(u16::from_be_bytes(*length));
        let (entry, after) = after.split_at_checked(length).ok_or(BadTile::Entries)?;
        entries.push(entry);
        rest = after;
    }
    if entries.len() > usize::from(FULL_WIDTH) {
        Err(BadTile::Entries)
    } else {
        Ok(entries)
    }
}
