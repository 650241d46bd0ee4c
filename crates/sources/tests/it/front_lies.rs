//! What a lying MySQL says in place of an answer: numbers that its client would believe, and packets in which it would
//! look for what is not there. Unmended, the first ends the whole process.

use std::sync::atomic::Ordering;

use domain::outcome::Outcome;
use sources::Problem;

use crate::{
    front::{Engine, row},
    front_peer::{Lie, Peer},
    front_tls::{ask, url},
};

/// A column as it is described: its catalogue, its names, of which two are there, and its charset, length and type.
const COLUMN: &[u8] = b"\x03def\0\0\0\x01a\x01a\x0c\x21\0\0\0\0\0\xfd\0\0\0\0\0";
/// The end of columns or rows.
const END: &[u8] = b"\xfe\0\0\x02\0";
/// The same, and another answer follows.
const AND_MORE: &[u8] = b"\xfe\0\0\x0a\0";
/// A number of columns of which 32 bytes each are 128 TiB.
const TWO_TO_42: &[u8] = b"\xfe\0\0\0\0\0\x04\0\0";

const LIES: [(&str, &[&[u8]]); 7] = [
    ("2^42 columns", &[TWO_TO_42]),
    ("the same, and a byte more", &[b"\xfe\0\0\0\0\0\x04\0\0\0"]),
    (
        "the same in a second answer",
        &[b"\x01", COLUMN, END, AND_MORE, TWO_TO_42],
    ),
    ("2^24 - 1 columns", &[b"\xfd\xff\xff\xff"]),
    ("65,535 columns", &[b"\xfc\xff\xff"]),
    ("an answer of nothing", &[b""]),
    ("a row of nothing", &[b"\x01", COLUMN, b""]),
];

#[tokio::test]
async fn a_number_or_a_packet_that_no_honest_database_sends_is_a_bad_answer() {
    let engine = Engine::MariaDb;
    engine.table("lying", &[row("京A12345", 1, "")]).await;
    for (case, packets) in LIES {
        let peer = Peer::lying(engine, Lie::Saying(packets)).await;
        let told = ask("lying", &url(engine, "127.0.0.1", peer.port), |text| text).await;
        assert_eq!(told, (Outcome::BadAnswer, Some(Problem::BadRows)), "{case}");
    }
}

/// Half a gigabyte of columns, each as long as a packet may be said to be.
#[tokio::test]
async fn columns_without_end_are_not_held() {
    let engine = Engine::MariaDb;
    engine.table("columns", &[row("京A12345", 1, "")]).await;
    let peer = Peer::lying(engine, Lie::InColumns).await;
    let slowly = |text: String| text.replace("deadline_ms = 1500", "deadline_ms = 10000");
    let told = ask("columns", &url(engine, "127.0.0.1", peer.port), slowly).await;
    assert_eq!(told, (Outcome::BadAnswer, Some(Problem::BodyTooLarge)));
    let taken = peer.taken.load(Ordering::Relaxed);
    assert!(taken < 32 << 20, "{taken} bytes were taken");
}
