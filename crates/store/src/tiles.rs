//! Tiles: complete ones are cached, in their order from the left; the others are made when they are asked for.
//!
//! With each cached tile stands its root, so that a tile above it, complete or not, costs one statement.

use std::{
    collections::BTreeMap,
    sync::{Arc, atomic::Ordering},
};

use ledger::{
    Hash, HashReader, Tile,
    tile::{Content, FULL_WIDTH, Place, root_of_full},
    tree::ProveError,
};

use crate::{
    StoreError,
    committer::LOG,
    engine::{Insert, Sql, Value},
    entries::int,
    inner::Inner,
};

/// How many hashes a complete tile has.
const WIDTH: u64 = FULL_WIDTH as u64;
/// Tiles made and written at once: 128 kB.
const AT_ONCE: u64 = 16;

const CACHED: Sql = Sql::both("SELECT hashes FROM tile WHERE log_id = $1 AND level = $2 AND tile_index = $3");
const ROOTS: Sql = Sql::both(
    "SELECT tile_index, root FROM tile WHERE log_id = $1 AND level = $2 AND tile_index >= $3 AND tile_index < $4",
);
const NEXT: Sql = Sql::both("SELECT max(tile_index) + 1 FROM tile WHERE log_id = $1 AND level = $2");
const CACHE: Insert = Insert {
    table: "tile",
    columns: &["log_id", "level", "tile_index", "root", "hashes"],
    tail: "ON CONFLICT DO NOTHING",
};

impl Inner {
    /// Caches the complete tiles of the tree of `size` leaves that are not cached yet.
    pub(crate) async fn fill_tiles(&self, size: u64) -> Result<(), StoreError> {
        if size / WIDTH <= self.tiled.load(Ordering::Acquire) / WIDTH {
            return Ok(());
        }
        let _turn = self.tiling.lock().await;
        let mut complete = size / WIDTH;
        for level in 0.. {
            if complete == 0 {
                break;
            }
            self.fill_level(level, complete).await?;
            complete /= WIDTH;
        }
        self.tiled.fetch_max(size, Ordering::Release);
        Ok(())
    }

    /// Goes on after the last cached tile of this level, up to `complete` tiles.
    async fn fill_level(&self, level: u8, complete: u64) -> Result<(), StoreError> {
        let row = self
            .db
            .query_opt(&NEXT, &[LOG.into(), i64::from(level).into()])
            .await?;
        let next = row.map_or(Ok(None), |row| row.opt_int(0, "tile.tile_index"))?;
        let mut next = u64::try_from(next.unwrap_or(0)).unwrap_or(0);
        while next < complete {
            let to = (next + AT_ONCE).min(complete);
            let nodes = self.nodes(level, next * WIDTH, to * WIDTH).await?;
            let mut rows = vec![];
            for (index, hashes) in (next..to).zip(nodes.chunks(FULL_WIDTH as usize)) {
                rows.push(tile_row(level, index, &concat(hashes))?);
            }
            self.cache(rows).await?;
            next = to;
        }
        Ok(())
    }

    async fn cache(&self, rows: Vec<Vec<Value>>) -> Result<(), StoreError> {
        let rows = Arc::new(rows);
        let cached = self.db.write_log(move |tx| {
            let rows = Arc::clone(&rows);
            Box::pin(async move { tx.insert_many(&CACHE, &rows).await })
        });
        cached.await?;
        Ok(())
    }

    /// The hashes of a tile: from the cache, or made from what is below.
    pub(crate) async fn hashes_of(&self, level: u8, index: u64, width: u16) -> Result<Vec<u8>, StoreError> {
        if width == FULL_WIDTH {
            let place = [LOG.into(), i64::from(level).into(), int(index).into()];
            if let Some(row) = self.db.query_opt(&CACHED, &place).await? {
                return Ok(row.blob(0, "tile.hashes")?.to_vec());
            }
        }
        let from = index * WIDTH;
        Ok(concat(&self.nodes(level, from, from + u64::from(width)).await?))
    }

    /// The hashes that tiles of this level hold, from number `from` to before `to`: of leaves, or roots of the
    /// complete tiles below.
    async fn nodes(&self, level: u8, from: u64, to: u64) -> Result<Vec<Hash>, StoreError> {
        let Some(below) = level.checked_sub(1) else {
            let leaves = self.leaves(from, to).await?;
            return Ok(leaves.iter().map(|leaf| Hash::of_leaf(leaf)).collect());
        };
        let range = [
            LOG.into(),
            i64::from(below).into(),
            int(from).into(),
            int(to).into(),
        ];
        let mut cached = BTreeMap::new();
        for row in self.db.query(&ROOTS, &range).await? {
            cached.insert(row.int(0, "tile.tile_index")?, Hash(row.hash(1, "tile.root")?));
        }
        let mut nodes = Vec::with_capacity(cached.len());
        for index in from..to {
            nodes.push(match cached.get(&int(index)) {
                Some(root) => *root,
                None => {
                    let tile = Box::pin(self.nodes(below, index * WIDTH, (index + 1) * WIDTH)).await?;
                    root(&concat(&tile))?
                }
            });
        }
        Ok(nodes)
    }

    /// Runs a computation over the tree, fetching the tiles that it turns out to need: a handful at most.
    pub(crate) async fn with_tiles<T>(
        &self,
        size: u64,
        compute: impl Fn(&mut Tiles) -> Result<T, ProveError<Missing>>,
    ) -> Result<T, StoreError> {
        let mut tiles = Tiles {
            size,
            fetched: BTreeMap::new(),
        };
        loop {
            let missing = match compute(&mut tiles) {
                Ok(result) => return Ok(result),
                Err(ProveError::OutOfRange) => return Err(StoreError::Log("there is no such entry".into())),
                Err(ProveError::Read(Missing(missing))) => missing,
            };
            let Some(tile) = missing else {
                return Err(StoreError::Log("a tile does not fit the tree; run doctor".into()));
            };
            if let Content::Hashes { level } = tile.content() {
                let bytes = self.hashes_of(level, tile.index(), tile.width()).await?;
                tiles.fetched.insert(tile, bytes);
            }
        }
    }
}

fn tile_row(level: u8, index: u64, hashes: &[u8]) -> Result<Vec<Value>, StoreError> {
    Ok(vec![
        LOG.into(),
        i64::from(level).into(),
        int(index).into(),
        root(hashes)?.0.into(),
        hashes.into(),
    ])
}

pub(crate) fn root(hashes: &[u8]) -> Result<Hash, StoreError> {
    root_of_full(hashes).map_err(|e| StoreError::Log(e.to_string()))
}

pub(crate) fn concat(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| hash.0).collect()
}

/// Which tile is missing; none where the tree itself has no such node.
pub(crate) struct Missing(Option<Tile>);

/// The tiles fetched so far.
pub(crate) struct Tiles {
    size: u64,
    fetched: BTreeMap<Tile, Vec<u8>>,
}

impl HashReader for Tiles {
    type Error = Missing;

    fn subtree(&mut self, level: u8, index: u64) -> Result<Hash, Missing> {
        let place = Place::of(level, index, self.size).ok_or(Missing(None))?;
        match self.fetched.get(&place.tile) {
            Some(bytes) => place.hash(bytes).map_err(|_| Missing(None)),
            None => Err(Missing(Some(place.tile))),
        }
    }
}
