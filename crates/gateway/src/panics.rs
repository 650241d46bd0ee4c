//! What is told of a panic: where it was, and none of its words, which may hold what somebody sent.

use std::{backtrace::Backtrace, io::Write, panic::PanicHookInfo};

/// Traces where a panic was, with `RUST_BACKTRACE` also the way to it; where errors are not traced, it is written to
/// `untraced`. That nobody reads that any more ends nothing.
pub fn tell(panic: &PanicHookInfo<'_>, untraced: &mut impl Write) {
    let at = panic.location().map_or_else(String::new, ToString::to_string);
    let way = Backtrace::capture();
    if tracing::enabled!(tracing::Level::ERROR) {
        tracing::error!(at, %way, "a panic");
    } else {
        drop(writeln!(untraced, "mingcha: a panic at {at}\n{way}"));
    }
}
