//! What every parser does first: bound the length, fold width and case, drop separators, refuse what is
//! invisible. Positions of the typed text are kept for the error messages.

use zeroize::Zeroizing;

use super::IdentifierError;

/// The most characters that are read of any identifier, separators included.
pub(super) const LIMIT: usize = 64;

/// A folded text. Every character knows which one of the typed text it was.
pub(super) struct Folded {
    pub(super) characters: Zeroizing<Vec<char>>,
    /// None is above [`LIMIT`], so that a byte holds it.
    positions: [u8; LIMIT],
}

impl Folded {
    /// Where the character at `index` of the folded text stands in the typed one, from 1.
    pub(super) fn position(&self, index: usize) -> usize {
        match self.positions.get(index) {
            Some(0) | None => index + 1,
            Some(at) => usize::from(*at),
        }
    }

    /// The error for a character that cannot stand at `index`, with the digit it may have been meant as.
    pub(super) fn misplaced(&self, index: usize) -> IdentifierError {
        let suggestion = self.characters.get(index).and_then(|c| digit_alike(*c));
        IdentifierError::Character {
            position: self.position(index),
            suggestion,
        }
    }

    /// Refuses a text in which one of the characters in `range` is no digit.
    pub(super) fn demand_digits(&self, range: std::ops::Range<usize>) -> Result<(), IdentifierError> {
        match range
            .into_iter()
            .find(|at| !self.characters.get(*at).is_some_and(char::is_ascii_digit))
        {
            Some(at) => Err(self.misplaced(at)),
            None => Ok(()),
        }
    }

    /// Whether all characters are the same one.
    pub(super) fn is_uniform(&self) -> bool {
        is_uniform(&self.characters)
    }
}

/// Whether all characters are the same one.
pub(super) fn is_uniform(characters: &[char]) -> bool {
    characters.windows(2).all(|pair| pair[0] == pair[1])
}

/// Refuses a text of more than [`LIMIT`] characters without reading all of it.
pub(super) fn bound(raw: &str) -> Result<(), IdentifierError> {
    if raw.chars().nth(LIMIT).is_some() {
        Err(IdentifierError::TooLong { limit: LIMIT })
    } else {
        Ok(())
    }
}

/// Folds a text: full-width to ASCII, lower case to upper, separators away.
pub(super) fn fold(raw: &str) -> Result<Folded, IdentifierError> {
    bound(raw)?;
    let mut folded = Folded {
        characters: Zeroizing::new(Vec::with_capacity(raw.len().min(LIMIT))),
        positions: [0; LIMIT],
    };
    let leading = raw.chars().take_while(|c| c.is_whitespace()).count();
    for (at, typed) in raw.trim().chars().enumerate() {
        let position = leading + at + 1;
        if is_invisible(typed) {
            return Err(IdentifierError::Invisible { position });
        }
        let character = narrow(typed).to_ascii_uppercase();
        if is_separator(character) {
            continue;
        }
        folded.positions[folded.characters.len()] = u8::try_from(position).unwrap_or(u8::MAX);
        folded.characters.push(character);
    }
    if folded.characters.is_empty() {
        Err(IdentifierError::Empty)
    } else {
        Ok(folded)
    }
}

/// The ASCII form of a full-width character; others stay as they are.
pub(super) fn narrow(character: char) -> char {
    match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        '\u{3000}' | '\u{a0}' => ' ',
        other => other,
    }
}

/// Middle dots as they are typed in names and plates: `·` `•` `・` `‧` `．` and their kin.
pub(super) fn is_middle_dot(character: char) -> bool {
    matches!(
        character,
        '\u{b7}' | '\u{2022}' | '\u{30fb}' | '\u{2027}' | '\u{ff0e}' | '\u{ff65}' | '\u{22c5}' | '\u{2219}'
    )
}

/// Control characters, marks of direction, joiners, tags, and what stands for bytes that were no text: what nobody sees
/// can make a text read as something that it is not. A line end is a control character too.
#[must_use]
pub fn is_invisible(character: char) -> bool {
    character.is_control()
        || matches!(character,
            '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}'
            | '\u{fff0}'..='\u{ffff}' | '\u{e0000}'..='\u{e007f}')
}

/// The digit that a letter is easily mistaken for.
pub(super) fn digit_alike(character: char) -> Option<char> {
    match character {
        'O' => Some('0'),
        'I' => Some('1'),
        _ => None,
    }
}

fn is_separator(character: char) -> bool {
    is_middle_dot(character) || matches!(character, ' ' | '-' | '.' | '\u{2010}'..='\u{2015}' | '\u{2212}')
}
