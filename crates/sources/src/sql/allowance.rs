//! How much a database may say to one question, counted below the client, which would hold a message of any length.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What is around the values besides: names of columns, lengths, notices. 501 rows of 64 columns are 130 kB of lengths.
const AROUND: u64 = 1 << 20;

/// The bytes that may still come; shared by a stream and whoever asks over it.
#[derive(Clone)]
pub(super) struct Allowance {
    left: Arc<AtomicU64>,
    each: u64,
}

impl Allowance {
    /// For answers whose values are at most so many bytes. Twice as many may come, for the client reads ahead of
    /// whoever counts values.
    pub(super) fn new(max_body: usize) -> Self {
        let each = (max_body as u64).saturating_mul(2).saturating_add(AROUND);
        Allowance {
            left: Arc::new(AtomicU64::new(each)),
            each,
        }
    }

    /// A new question begins.
    pub(super) fn renew(&self) {
        self.left.store(self.each, Ordering::Relaxed);
    }

    /// More came than is allowed.
    pub(super) fn is_spent(&self) -> bool {
        self.left.load(Ordering::Relaxed) == 0
    }

    fn take(&self, bytes: usize) -> io::Result<()> {
        let left = self.left.load(Ordering::Relaxed).saturating_sub(bytes as u64);
        self.left.store(left, Ordering::Relaxed);
        if left == 0 {
            return Err(io::Error::other("more than is allowed"));
        }
        Ok(())
    }
}

/// A stream that fails once more has come than is allowed.
pub(super) struct Allowed {
    stream: TcpStream,
    allowance: Allowance,
}

impl Allowed {
    pub(super) fn new(stream: TcpStream, allowance: Allowance) -> Self {
        Allowed { stream, allowance }
    }
}

impl AsyncRead for Allowed {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        into: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = into.filled().len();
        match Pin::new(&mut self.stream).poll_read(cx, into) {
            Poll::Ready(Ok(())) => Poll::Ready(self.allowance.take(into.filled().len() - before)),
            other => other,
        }
    }
}

impl AsyncWrite for Allowed {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
