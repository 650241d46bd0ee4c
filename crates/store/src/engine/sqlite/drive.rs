//! Runs a body to its end on this thread, because on SQLite nothing it may await ever waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::future::BoxFuture;

use crate::engine::DbError;

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Polls the body until it is ready. A body that waits and was not woken meanwhile awaits something
/// other than its own statements, which would block the thread: [`DbError::Waits`].
pub(super) fn drive<T>(mut body: BoxFuture<'_, Result<T, DbError>>) -> Result<T, DbError> {
    let woken = Arc::new(Woken(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    loop {
        if let Poll::Ready(result) = body.as_mut().poll(&mut context) {
            return result;
        }
        // Combinators over many futures wake themselves between rounds; anything else waits.
        if !woken.0.swap(false, Ordering::AcqRel) {
            return Err(DbError::Waits);
        }
    }
}
