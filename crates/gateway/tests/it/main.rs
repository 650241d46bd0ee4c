//! Everything through the real router, on both databases, against the simulated authorities.
//!
//! A case is a function that takes a [`bed::Bed`]; `on_both!` makes two tests of it, in modules `sqlite` and
//! `postgres`. After each, the whole log is checked.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "helpers of tests stand outside of test functions"
)]

/// Makes a test of each case on each database.
macro_rules! on_both {
    ($($case:ident),+ $(,)?) => {
        mod sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::bed::run($crate::bed::Engine::Sqlite, super::$case).await;
            })+
        }
        mod postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $crate::bed::run($crate::bed::Engine::Postgres, super::$case).await;
            })+
        }
    };
}

/// Makes a test of a case on each database, with one thread alone: only there the runtime's clock can be moved.
macro_rules! on_one_thread {
    ($case:ident) => {
        mod on_one_thread {
            #[tokio::test]
            async fn sqlite() {
                $crate::bed::run($crate::bed::Engine::Sqlite, super::$case).await;
            }

            #[tokio::test]
            async fn postgres() {
                $crate::bed::run($crate::bed::Engine::Postgres, super::$case).await;
            }
        }
    };
}

mod actions;
mod api;
mod api_guide;
mod app;
mod at_work;
mod bed;
mod cast;
#[path = "../../../sources/tests/it/certificates.rs"]
#[expect(dead_code, reason = "the tests of sources use more of it")]
mod certificates;
mod delivered;
mod demo;
mod deployment;
mod doctor;
mod front;
mod guide;
mod jobs;
mod keys;
mod messenger;
mod own_mistakes;
mod own_records;
mod panics;
mod portal;
mod reply;
#[path = "../../../sources/tests/it/server.rs"]
#[expect(dead_code, reason = "the tests of sources use more of it")]
mod server;
mod source_check;
mod source_mistakes;
mod source_offers;
mod source_orders;
mod start;
mod statuses;
mod told;
