//! The log as outsiders read it: tiles, bundles and checkpoints, verified by implementations that are not ours.

use std::cell::RefCell;

use futures_util::future::join_all;
use ledger::{Checkpoint, Note, Tile, tile::parse_bundle};
use signed_note::{StandardVerifier, VerifierList};
use store::{Store, engine::Insert};
use tlog_tiles::{HashReader, TileReader};

use crate::{acts::*, world::*};

/// Their reader over the tiles that the store served; each path once, because they are read in an async case.
struct Served(
    RefCell<std::collections::BTreeMap<String, Vec<u8>>>,
    RefCell<Option<Tile>>,
);

impl TileReader for Served {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let mut all = vec![];
        for tile in tiles {
            let ours = Tile::parse_path(&tile.path().replace("tile/8/", "tile/")).unwrap();
            match self.0.borrow().get(&ours.path()) {
                Some(bytes) => all.push(bytes.clone()),
                None => {
                    self.1.replace(Some(ours));
                    return Err(tlog_tiles::Error::InvalidInput("not served yet".into()));
                }
            }
        }
        Ok(all)
    }

    fn save_tiles(&self, _: &[tlog_tiles::Tile], _: &[Vec<u8>]) {}
}

/// Runs their computation, serving each tile that it turns out to need.
async fn with_served<T>(store: &Store, run: impl Fn(&Served) -> Option<T>) -> T {
    let served = Served(RefCell::default(), RefCell::default());
    loop {
        if let Some(result) = run(&served) {
            return result;
        }
        let missing = served
            .1
            .take()
            .unwrap_or_else(|| panic!("their verifier refuses what was served"));
        let bytes = store
            .tile(&missing)
            .await
            .unwrap()
            .unwrap_or_else(|| panic!("{} is not served", missing.path()));
        served.0.borrow_mut().insert(missing.path(), bytes);
    }
}

/// The published checkpoint, opened by their verifier of notes.
async fn published(store: &Store) -> (u64, tlog_tiles::Hash) {
    let (size, text) = store.published().await.unwrap().unwrap();
    let note = signed_note::Note::from_bytes(text.as_bytes()).unwrap();
    let key = StandardVerifier::new(&store.log_keys().ed25519.to_string()).unwrap();
    let (signed, _) = note.verify(&VerifierList::new(vec![Box::new(key)])).unwrap();
    assert_eq!(signed.len(), 1);
    let note = Note::parse(&text).unwrap();
    let checkpoint = Checkpoint::parse(note.text()).unwrap();
    assert_eq!((checkpoint.size(), checkpoint.origin()), (size, store.origin()));
    (size, tlog_tiles::Hash(checkpoint.root().0))
}

/// What outsiders do: every entry they ask for is in the bundle, and its hash in the tiles below the signed root.
async fn outsiders_agree(store: &Store, indexes: &[u64]) {
    let (size, root) = published(store).await;
    for index in indexes.iter().copied() {
        let width = if index / 256 == size / 256 {
            size % 256
        } else {
            256
        };
        let bundle = Tile::new(ledger::tile::Content::Entries, index / 256, width as u16).unwrap();
        let bundle = store.tile(&bundle).await.unwrap().unwrap();
        let leaf = parse_bundle(&bundle).unwrap()[(index % 256) as usize];
        let theirs = tlog_tiles::record_hash(leaf);
        let (hash, proof) = with_served(store, |served| {
            // It checks every tile against the signed root before it gives a hash away.
            let reader = tlog_tiles::TileHashReader::new(size, root, served);
            let stored = tlog_tiles::stored_hash_index(0, index);
            let hash = reader.read_hashes(&[stored]).ok()?.remove(0);
            Some((hash, tlog_tiles::prove_record(size, index, &reader).ok()?))
        })
        .await;
        assert!(hash == theirs, "entry {index} of {size}");
        tlog_tiles::check_record(&proof, size, root, index, theirs).unwrap();
    }
}

/// Lets the log grow by leaves of no entry, faster than entries are sealed; doctor would tell.
async fn grow(world: &World, store: &Store, to: u64) {
    const LEAF: Insert = Insert {
        table: "leaf",
        columns: &["log_id", "leaf_index", "leaf"],
        tail: "",
    };
    let db = world.data().await;
    let from = store.log_size().await.unwrap();
    let mut frontier = stored_frontier(&db).await;
    for page in (from..to).collect::<Vec<_>>().chunks(4096) {
        let mut rows = vec![];
        for index in page {
            let mut leaf = [1; ledger::leaf::LEAF_BYTES];
            leaf[1..9].copy_from_slice(&index.to_be_bytes());
            frontier.append(ledger::Hash::of_leaf(&leaf));
            rows.push(vec![0.into(), (*index as i64).into(), leaf.into()]);
        }
        let rows = std::sync::Arc::new(rows);
        db.write(move |tx| {
            let rows = std::sync::Arc::clone(&rows);
            Box::pin(async move { tx.insert_many(&LEAF, &rows).await })
        })
        .await
        .unwrap();
    }
    let head = [
        (to as i64).into(),
        frontier.root().0.into(),
        frontier.to_bytes().into(),
    ];
    run(
        &db,
        "UPDATE log_head SET size = $1, root = $2, frontier = $3",
        &head,
    )
    .await;
}

async fn stored_frontier(db: &store::engine::Db) -> ledger::Frontier {
    let sql = store::engine::Sql::both("SELECT frontier FROM log_head");
    let row = db.query_opt(&sql, &[]).await.unwrap().unwrap();
    ledger::Frontier::parse(row.blob(0, "log_head.frontier").unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn outsiders_verify_logs_of_every_awkward_size() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let chain = by.account.chain();
        for size in [2, 3, 255, 256, 257, 511, 512, 513, 700] {
            while store.log_size().await.unwrap() < size {
                let some = (store.log_size().await.unwrap()..size).take(256);
                join_all(some.map(|_| store.seal(note(chain, "note"))))
                    .await
                    .into_iter()
                    .for_each(|one| drop(sealed(one)));
            }
            store.publish_checkpoint().await.unwrap();
            outsiders_agree(&store, &[0, 1, size / 2, size - 1]).await;
            // Receipts of old entries against the newest head.
            for seq in [0, size / 2, size - 1] {
                let receipt = store.receipt(chain, seq).await.unwrap().unwrap();
                let verified = verify(&store, &receipt).unwrap();
                assert_eq!((verified.size, verified.index), (size, seq));
            }
        }
        let tiles = number_of(&world.data().await, "SELECT count(*) FROM tile WHERE level = 0").await;
        assert_eq!(tiles, 2);
        check(&store).await;
        // What is not published is not served.
        sealed(store.seal(note(chain, "note")).await);
        let partial = Tile::parse_path("tile/0/002.p/189").unwrap();
        assert!(store.tile(&partial).await.unwrap().is_none());
        assert!(
            store
                .tile(&Tile::parse_path("tile/0/002.p/188").unwrap())
                .await
                .unwrap()
                .is_some()
        );
    })
    .await;
}

/// A log beyond 256² entries: tiles of three levels, before and after the cache is emptied, and after a restart.
#[tokio::test(flavor = "multi_thread")]
async fn a_great_log_is_served_and_proven() {
    each_world(|world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let chain = by.account.chain();
        let db = world.data().await;
        for size in [65_535, 65_536, 65_537, 65_536 + 300] {
            grow(&world, &store, size).await;
            store.publish_checkpoint().await.unwrap();
            outsiders_agree(&store, &[0, 255, 256, 65_534, size - 1]).await;
            let receipt = store.receipt(chain, 0).await.unwrap().unwrap();
            assert_eq!(verify(&store, &receipt).unwrap().size, size);
        }
        let count = |level| format!("SELECT count(*) FROM tile WHERE level = {level}");
        for (level, tiles) in [(0, 257), (1, 1), (2, 0)] {
            assert_eq!(number_of(&db, &count(level)).await, tiles, "level {level}");
        }
        run(&db, "DELETE FROM tile", &[]).await;
        let receipt = store.receipt(chain, 1).await.unwrap().unwrap();
        verify(&store, &receipt).unwrap();
        outsiders_agree(&store, &[65_535]).await;
        close(store).await;
        let store = world.open().await;
        let entry = sealed(store.seal(note(chain, "after")).await);
        assert_eq!(entry.leaf_index, 65_836);
        verify(&store, &entry.receipt()).unwrap();
        verify(&store, &store.receipt(chain, 2).await.unwrap().unwrap()).unwrap();
        assert_eq!(number_of(&db, &count(0)).await, 257, "the cache is filled again");
        let problems = problems(&store).await;
        assert!(
            problems
                .iter()
                .all(|problem| problem.contains("no entry of any chain")),
            "{problems:?}"
        );
    })
    .await;
}

/// With suite `gm` the checkpoint has two lines, and a receipt is refused without either.
#[tokio::test(flavor = "multi_thread")]
async fn the_second_signature_counts() {
    each_world_of(crypto::Suite::Gm, |world| async move {
        let store = world.open().await;
        let by = sign_up(&store, 1).await;
        let sealed = sealed(store.seal(note(by.account.chain(), "note")).await);
        verify(&store, &sealed.receipt()).unwrap();
        let key = store.log_keys().sm2.clone().unwrap();
        let mut cut = sealed.receipt();
        let whole = sealed.receipt();
        let mut lines: Vec<&str> = whole.proof.lines().collect();
        assert!(lines.last().unwrap().contains(key.name()));
        lines.pop();
        cut.proof = lines.join("\n") + "\n";
        assert!(verify(&store, &cut).is_err());
        store.publish_checkpoint().await.unwrap();
        published(&store).await;
    })
    .await;
}
