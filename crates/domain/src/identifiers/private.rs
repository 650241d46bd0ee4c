//! The text inside every identifier: readable by one name, redacted in `Debug`, overwritten on drop.

use zeroize::{Zeroize, ZeroizeOnDrop};

/// A text that identifies somebody or something of somebody.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Zeroize, ZeroizeOnDrop)]
pub(super) struct Private(String);

impl Private {
    /// Takes the characters into a string that was allocated at its final size, so that no part of it stays
    /// behind in memory when it grows.
    pub(super) fn of(characters: &[char]) -> Self {
        let mut text = String::with_capacity(characters.iter().map(|c| c.len_utf8()).sum());
        text.extend(characters);
        Private(text)
    }

    /// The text.
    pub(super) fn expose(&self) -> &str {
        &self.0
    }
}

/// Redacts `Debug` of a type that holds a [`Private`], and gives it `expose`.
macro_rules! private_text {
    ($type:ident) => {
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($type), "(redacted)"))
            }
        }

        impl $type {
            /// The normalised text: the only way to read it. Whoever calls this answers for where it goes.
            #[must_use]
            pub fn expose(&self) -> &str {
                self.text.expose()
            }
        }
    };
}
pub(super) use private_text;

/// The text with all but the first `head` and the last `tail` characters replaced by `*`.
///
/// Where that would hide fewer than a third of the characters, all are hidden.
pub(super) fn mask(text: &str, head: usize, tail: usize) -> String {
    let length = text.chars().count();
    let all_hidden = length.saturating_sub(head + tail) * 3 < length;
    let shown = |at: usize| !all_hidden && (at < head || at + tail >= length);
    text.chars()
        .enumerate()
        .map(|(at, c)| if shown(at) { c } else { '*' })
        .collect()
}
