//! What a command prints: a line on standard output, which whoever reads it may close early.

use std::{
    fmt::Arguments,
    io::{self, ErrorKind, Write},
};

/// Prints a line as `println!` does, but tells when it cannot be written instead of ending in a panic.
macro_rules! say {
    ($($text:tt)*) => {
        $crate::commands::say::line(std::io::stdout().lock(), format_args!($($text)*))
    };
}

/// Writes a line. A reader who went away has read enough, as `head` has: the command does the rest of its work, and
/// ends as if it had been read.
///
/// # Errors
/// The line cannot be written otherwise, such as to a file on a full disk.
pub(crate) fn line(mut output: impl Write, text: Arguments<'_>) -> io::Result<()> {
    match writeln!(output, "{text}") {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes nothing, for one reason.
    struct Closed(ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_went_away_is_no_error_and_a_full_disk_is() {
        assert!(line(Closed(ErrorKind::BrokenPipe), format_args!("one")).is_ok());
        let full = line(Closed(ErrorKind::StorageFull), format_args!("one"));
        assert_eq!(full.map_err(|e| e.kind()), Err(ErrorKind::StorageFull));
        let mut text = vec![];
        assert!(line(&mut text, format_args!("{} and {}", 1, 2)).is_ok());
        assert_eq!(text, b"1 and 2\n");
    }
}
