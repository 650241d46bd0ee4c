//! What we write, read by implementations of C2SP that are not ours: `signed_note` and `tlog_tiles`.

use crate::sample::*;
use ledger::tree::{append_batch, consistency_proof, inclusion_proof, tree_root};
use ledger::{Checkpoint, Frontier, Hash, HashReader, Note, Proof, Tile, TrustedKeys, VerifierKey};
use signed_note::{StandardVerifier, VerifierList};
use tlog_tiles::{RecordProof, TileReader};

fn theirs(hash: Hash) -> tlog_tiles::Hash {
    tlog_tiles::Hash(hash.0)
}

/// Their reader over our tree.
struct Hashes(u64);

impl tlog_tiles::HashReader for Hashes {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<tlog_tiles::Hash>, tlog_tiles::Error> {
        let mut tree = MemoryTree::new(leaf_hashes(self.0));
        let place = |index: &u64| tlog_tiles::split_stored_hash_index(*index);
        Ok(indexes
            .iter()
            .map(place)
            .map(|(level, n)| theirs(tree.subtree(level, n).unwrap()))
            .collect())
    }
}

#[test]
fn their_verifier_accepts_our_proofs_and_ours_theirs() {
    for size in (1..=130).chain([255, 256, 257, 300]) {
        let leaves = leaf_hashes(size);
        let mut tree = MemoryTree::new(leaves.clone());
        let root = tree_root(size, &mut tree).unwrap();
        assert!(tlog_tiles::tree_hash(size, &Hashes(size)).unwrap() == theirs(root));
        for index in (0..size).step_by(7).chain([size - 1]) {
            let proof = inclusion_proof(index, size, &mut tree).unwrap();
            let proof: RecordProof = proof.into_iter().map(theirs).collect();
            let leaf = theirs(leaves[index as usize]);
            tlog_tiles::check_record(&proof, size, theirs(root), index, leaf).unwrap();
            assert!(proof == tlog_tiles::prove_record(size, index, &Hashes(size)).unwrap());
        }
        for old in (1..=size).step_by(5) {
            let proof = consistency_proof(old, size, &mut tree).unwrap();
            let proof: Vec<_> = proof.into_iter().map(theirs).collect();
            let old_root = theirs(tree_root(old, &mut tree).unwrap());
            tlog_tiles::check_tree(&proof, size, theirs(root), old, old_root).unwrap();
        }
    }
}

/// Serves our tiles by our paths; theirs differ by naming the height.
struct Tiles(u64);

impl TileReader for Tiles {
    fn height(&self) -> u8 {
        8
    }

    fn read_tiles(&self, tiles: &[tlog_tiles::Tile]) -> Result<Vec<Vec<u8>>, tlog_tiles::Error> {
        let mut tree = MemoryTree::new(leaf_hashes(self.0));
        let read = |tile: &tlog_tiles::Tile| {
            let ours = Tile::parse_path(&tile.path().replace("tile/8/", "tile/")).unwrap();
            assert!(ours.exists_in(self.0), "{ours}");
            ours.read(&mut tree).unwrap()
        };
        Ok(tiles.iter().map(read).collect())
    }

    fn save_tiles(&self, _tiles: &[tlog_tiles::Tile], _data: &[Vec<u8>]) {}
}

#[test]
fn their_reader_verifies_our_tiles() {
    for size in [1, 255, 256, 257, 1_000, 66_000] {
        let leaves = leaf_hashes(size);
        let root = tree_root(size, &mut MemoryTree::new(leaves.clone())).unwrap();
        let tiles = Tiles(size);
        // It fetches the tiles and checks them against the head before it gives a hash away.
        let reader = tlog_tiles::TileHashReader::new(size, theirs(root), &tiles);
        for index in [0, size / 3, size - 1] {
            let proof = tlog_tiles::prove_record(size, index, &reader).unwrap();
            let leaf = theirs(leaves[index as usize]);
            tlog_tiles::check_record(&proof, size, theirs(root), index, leaf).unwrap();
        }
        let ours: Vec<_> = ledger::tile::new_tiles(0, size).map(|tile| tile.path()).collect();
        let paths = tlog_tiles::Tile::new_tiles(8, 0, size);
        let theirs: Vec<_> = paths
            .iter()
            .map(|tile| tile.path().replace("tile/8/", "tile/"))
            .collect();
        assert_eq!(ours, theirs);
    }
}

#[test]
fn their_note_and_checkpoint_readers_accept_ours() {
    let mut frontier = Frontier::new();
    leaf_hashes(9).into_iter().for_each(|leaf| frontier.append(leaf));
    let batch = append_batch(&frontier, &leaf_hashes(4));
    let checkpoint = Checkpoint::new(ORIGIN, batch.size(), batch.root()).unwrap();
    // With an SM2 line and a witness's, both of which they must ignore.
    let text = sign(&checkpoint, true, &[7]).to_text();
    let note = signed_note::Note::from_bytes(text.as_bytes()).unwrap();
    assert_eq!(note.to_bytes(), text.as_bytes());
    let verifier = StandardVerifier::new(&log_vkey().to_string()).unwrap();
    let (verified, unverified) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((verified.len(), unverified.len()), (1, 2));
    assert_eq!(verified[0].name(), ORIGIN);
    let theirs_read = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    assert_eq!((theirs_read.origin(), theirs_read.size()), (ORIGIN, 13));
    assert!(*theirs_read.hash() == theirs(batch.root()));
    for position in 0..4 {
        let proof = batch
            .inclusion_proof(position)
            .unwrap()
            .into_iter()
            .map(theirs)
            .collect();
        let leaf = theirs(leaf_hashes(4)[position]);
        tlog_tiles::check_record(&proof, 13, theirs(batch.root()), 9 + position as u64, leaf).unwrap();
    }
}

/// A whole receipt, taken apart by hand and verified by theirs alone but for the leaf.
#[test]
fn their_verifiers_accept_a_receipt() {
    let receipt = sample_receipt(5, 6, true, &[]);
    let proof = Proof::parse(&receipt.proof).unwrap();
    let note = signed_note::Note::from_bytes(proof.checkpoint.as_bytes()).unwrap();
    let verifier = StandardVerifier::new(&log_vkey().to_string()).unwrap();
    note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    let head = tlog_tiles::Checkpoint::from_bytes(note.text()).unwrap();
    let hashes = proof.hashes.iter().map(|hash| theirs(*hash)).collect();
    let (_, leaf) = sample_leaf();
    tlog_tiles::check_record(&hashes, head.size(), *head.hash(), proof.index, theirs(leaf)).unwrap();
}

#[test]
fn we_accept_their_notes_and_keys() {
    let seed = ed25519(9);
    // Their crate brings an older generation of Ed25519, so the key goes over as bytes.
    let vkey = VerifierKey::new(
        "theirs.example",
        ledger::SignatureType::Ed25519,
        seed.verifying_key().as_bytes(),
    )
    .unwrap()
    .to_string();
    let theirs_vkey = StandardVerifier::new(&vkey).unwrap();
    let key = VerifierKey::parse(&vkey).unwrap();
    assert_eq!(
        u32::from_be_bytes(key.id().0),
        signed_note::Verifier::key_id(&theirs_vkey)
    );
    let text = "theirs.example\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n";
    let signature = ed25519_dalek::Signer::sign(&seed, text.as_bytes())
        .to_bytes()
        .to_vec();
    let line = signed_note::Signature::new(
        "theirs.example".into(),
        signed_note::Verifier::key_id(&theirs_vkey),
        signature,
    );
    let note = signed_note::Note::new(text.as_bytes(), &[line.unwrap()])
        .unwrap()
        .to_bytes();
    let note = String::from_utf8(note).unwrap();
    assert_eq!(Note::parse(&note).unwrap().to_text(), note);
    let (checkpoint, _) = TrustedKeys::new([key])
        .unwrap()
        .open_checkpoint(&note, verify)
        .unwrap();
    assert_eq!((checkpoint.size(), *checkpoint.root()), (0, Hash::EMPTY_TREE));
}
