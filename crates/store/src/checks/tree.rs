//! The whole tree: every leaf, every cached tile, the published checkpoint.

use ledger::{Frontier, Hash, tile::FULL_WIDTH};

use super::Check;
use crate::{
    Store, StoreError,
    committer::LOG,
    engine::{Row, Sql},
    entries::int,
    seen::PAGE,
    tiles::{concat, root},
};

const WIDTH: usize = FULL_WIDTH as usize;

/// Tiles of one level, in their order, a few at a time.
const TILES: Sql = Sql::both(
    "SELECT tile_index, root, hashes FROM tile WHERE log_id = $1 AND level = $2 AND tile_index >= $3 \
     AND tile_index < $4 ORDER BY tile_index",
);
const STRAY: Sql = Sql::both(
    "SELECT tile_index FROM tile WHERE log_id = $1 AND level = $2 AND (tile_index < 0 OR tile_index >= $3) LIMIT 1",
);
const LEVELS: Sql =
    Sql::both("SELECT level FROM tile WHERE log_id = $1 AND (level < 0 OR level >= $2) LIMIT 1");

/// Rows of a log that does not exist.
const OTHER_LOGS: [(&str, Sql); 5] = [
    (
        "entry",
        Sql::both("SELECT log_id FROM entry WHERE log_id < $1 OR log_id > $2 LIMIT 1"),
    ),
    (
        "leaf",
        Sql::both("SELECT log_id FROM leaf WHERE log_id < $1 OR log_id > $2 LIMIT 1"),
    ),
    (
        "log_head",
        Sql::both("SELECT log_id FROM log_head WHERE log_id < $1 OR log_id > $2 LIMIT 1"),
    ),
    (
        "published",
        Sql::both("SELECT log_id FROM published WHERE log_id < $1 OR log_id > $2 LIMIT 1"),
    ),
    (
        "tile",
        Sql::both("SELECT log_id FROM tile WHERE log_id < $1 OR log_id > $2 LIMIT 1"),
    ),
];

/// Complete tiles of one level, compared with the cache at once.
const AT_ONCE: usize = 16;

impl Store {
    /// Hashes every leaf, and compares what that gives with head, published checkpoint and cached tiles. Tells how
    /// many leaves there are, too.
    pub(super) async fn check_tree(
        &self,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<(Vec<Check>, u64), StoreError> {
        let (mut leaves, mut published) = (Check::of("leaves"), Check::of("published checkpoints"));
        let mut tiles = Check::of("cached tiles");
        let outside = published.or_tell(self.published_frontier().await).flatten();
        published.count = u64::from(outside.is_some());
        let Some(head) = leaves.or_tell(self.inner.stored_head().await) else {
            return Ok((vec![leaves, tiles, published], 0));
        };
        leaves.count = head.size();
        let outside_size = outside.as_ref().map_or(0, Frontier::size);
        let mut walk = Walk::default();
        while walk.frontier.size() < head.size() {
            let from = walk.frontier.size();
            // A page ends where the published tree does, to be compared there.
            let stop = if from < outside_size {
                outside_size
            } else {
                head.size()
            };
            let to = (from + PAGE).min(stop).min(head.size());
            let Some(page) = leaves.or_tell(self.inner.leaves(from, to).await) else {
                return Ok((vec![leaves, tiles, published], from));
            };
            for leaf in page {
                walk.push(Hash::of_leaf(&leaf));
            }
            self.compare_tiles(&mut walk, AT_ONCE, &mut tiles).await?;
            if outside
                .as_ref()
                .is_some_and(|outside| outside.size() == to && *outside != walk.frontier)
            {
                published.tell("the leaves do not give the published checkpoint".into());
            }
            progress(to, head.size());
        }
        self.compare_tiles(&mut walk, 0, &mut tiles).await?;
        self.check_strays(&walk, &mut tiles).await?;
        if outside_size > head.size() {
            published.tell("it is of a greater log than the head".into());
        }
        if walk.frontier != head {
            leaves.tell("the leaves do not give the head".into());
        }
        if self
            .has_leaf_beyond(self.inner.stored_head().await?.size())
            .await?
        {
            leaves.tell("there are leaves or entries beyond the head".into());
        }
        for (table, others) in &OTHER_LOGS {
            if self
                .inner
                .db
                .query_opt(others, &[LOG.into(), LOG.into()])
                .await?
                .is_some()
            {
                leaves.tell(format!(
                    "the table {table} has a row of a log that does not exist"
                ));
            }
        }
        Ok((vec![leaves, tiles, published], walk.frontier.size()))
    }

    /// Compares the complete tiles that have gathered, on levels where there are more than `at_least`.
    async fn compare_tiles(
        &self,
        walk: &mut Walk,
        at_least: usize,
        check: &mut Check,
    ) -> Result<(), StoreError> {
        for (level, gathered) in walk.levels.iter_mut().enumerate() {
            if gathered.complete.len() <= at_least {
                continue;
            }
            let from = gathered.next;
            let to = from + gathered.complete.len() as u64;
            let range = [
                LOG.into(),
                int(level as u64).into(),
                int(from).into(),
                int(to).into(),
            ];
            for row in self.inner.db.query(&TILES, &range).await? {
                check.count += 1;
                if !gathered.is_right(&row)? {
                    let index = row.int(0, "tile.tile_index")?;
                    check.tell(format!(
                        "tile {index} of level {level} is wrong: empty the table tile"
                    ));
                }
            }
            gathered.next = to;
            gathered.complete.clear();
        }
        Ok(())
    }

    /// Tiles that a log of this size cannot have yet.
    async fn check_strays(&self, walk: &Walk, check: &mut Check) -> Result<(), StoreError> {
        let levels = walk.levels.len();
        let mut stray = self
            .inner
            .db
            .query_opt(&LEVELS, &[LOG.into(), int(levels as u64).into()])
            .await?;
        for (level, gathered) in walk.levels.iter().enumerate() {
            let place = [LOG.into(), int(level as u64).into(), int(gathered.next).into()];
            stray = stray.or(self.inner.db.query_opt(&STRAY, &place).await?);
        }
        if stray.is_some() {
            check.tell("there are tiles beyond the log: empty the table tile".into());
        }
        Ok(())
    }
}

/// The leaves walked over so far: the tree, and the tiles that they have completed.
#[derive(Default)]
struct Walk {
    frontier: Frontier,
    levels: Vec<Gathered>,
}

/// Tiles of one level.
#[derive(Default)]
struct Gathered {
    /// The hashes of the tile that is not complete.
    open: Vec<Hash>,
    /// The number of the first of the complete ones.
    next: u64,
    complete: Vec<Vec<Hash>>,
}

impl Walk {
    fn push(&mut self, leaf: Hash) {
        self.frontier.append(leaf);
        let mut hash = leaf;
        for level in 0.. {
            if self.levels.len() == level {
                self.levels.push(Gathered::default());
            }
            let gathered = &mut self.levels[level];
            gathered.open.push(hash);
            if gathered.open.len() < WIDTH {
                return;
            }
            let tile = std::mem::take(&mut gathered.open);
            let Ok(root) = root(&concat(&tile)) else { return };
            gathered.complete.push(tile);
            hash = root;
        }
    }
}

impl Gathered {
    fn is_right(&self, row: &Row) -> Result<bool, StoreError> {
        let place = u64::try_from(row.int(0, "tile.tile_index")?).ok();
        let place = place.and_then(|index| usize::try_from(index.checked_sub(self.next)?).ok());
        let Some(tile) = place.and_then(|place| self.complete.get(place)) else {
            return Ok(false);
        };
        let right = concat(tile);
        Ok(row.blob(2, "tile.hashes")? == right && row.blob(1, "tile.root")? == root(&right)?.0)
    }
}
