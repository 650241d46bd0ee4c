//! Names of people: kept as written, folded for comparison only.
//!
//! A name is never normalised by NFC or NFKC: both replace compatibility ideographs, which are other characters
//! on the holder's card. What a source cannot encode yields "cannot compare", never a mismatch.

use std::borrow::Cow;

use zeroize::{Zeroize, Zeroizing};

use super::private::{Private, private_text};
use super::text::{bound, is_invisible, is_middle_dot, narrow};
use super::{IdentifierError, Parsed, Warning};

/// What comparing two names yields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NameComparison {
    /// The same name.
    Same,
    /// Another name.
    Different,
    /// They differ only as far as a character set may be to blame; nobody may be refused for it.
    CannotCompare,
}

/// The character set in which a source keeps names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceEncoding {
    /// GBK: some 21,000 ideographs, so that rare names are lost.
    Gbk,
    /// GB 18030 or Unicode: every character can be written.
    Complete,
}

/// A name as its holder's document shows it; Latin names stand in the order of the document.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PersonName {
    text: Private,
}

private_text!(PersonName);

impl PersonName {
    /// Reads a name of at most 64 characters. Spaces around it go; all else stays as it is.
    ///
    /// # Errors
    /// Control, bidirectional or invisible characters, digits, signs that no name has, or no letter at all.
    pub fn parse(raw: &str) -> Result<Parsed<Self>, IdentifierError> {
        bound(raw)?;
        let leading = raw.chars().take_while(|c| c.is_whitespace()).count();
        let characters: Zeroizing<Vec<char>> = Zeroizing::new(raw.trim().chars().collect());
        if characters.is_empty() {
            return Err(IdentifierError::Empty);
        }
        for (at, character) in characters.iter().enumerate() {
            let position = leading + at + 1;
            if is_invisible(*character) {
                return Err(IdentifierError::Invisible { position });
            }
            let follows_letter = at > 0 && is_letter(characters[at - 1]);
            let is_fit =
                is_letter(*character) || is_joint(*character) || (follows_letter && is_mark(*character));
            if !is_fit {
                return Err(IdentifierError::Character {
                    position,
                    suggestion: None,
                });
            }
        }
        if !characters.iter().any(|c| is_letter(*c)) {
            return Err(IdentifierError::Shape {
                expected: "a name with letters or Chinese characters",
            });
        }
        let mut parsed = Parsed::clean(PersonName {
            text: Private::of(&characters),
        });
        if characters.iter().any(|c| is_private_use(*c)) {
            parsed.warnings.push(Warning::PrivateUseCharacter);
        }
        Ok(parsed)
    }

    /// Compares two names without regard to the kind of middle dot, the width and case of Latin letters, and
    /// spaces between Chinese characters.
    #[must_use]
    pub fn compare(&self, other: &PersonName) -> NameComparison {
        let (mine, theirs) = (self.folded(), other.folded());
        let doubtful = |text: &str| text.chars().any(|c| is_private_use(c) || is_accent(c));
        if mine == theirs {
            NameComparison::Same
        } else if doubtful(&mine) || doubtful(&theirs) {
            NameComparison::CannotCompare
        } else {
            NameComparison::Different
        }
    }

    /// Compares this name with what a source sent for it, in the source's character set. An answer that is no
    /// name, such as one with a question mark or a box for a lost character, cannot be compared.
    #[must_use]
    pub fn compare_with_source(&self, answer: &str, encoding: SourceEncoding) -> NameComparison {
        let Ok(answer) = PersonName::parse(answer) else {
            return NameComparison::CannotCompare;
        };
        match self.compare(&answer.value) {
            NameComparison::Different if !self.is_encodable(encoding) => NameComparison::CannotCompare,
            outcome => outcome,
        }
    }

    /// Whether a source with that character set can write the name.
    #[must_use]
    pub fn is_encodable(&self, encoding: SourceEncoding) -> bool {
        match encoding {
            SourceEncoding::Complete => true,
            SourceEncoding::Gbk => {
                let folded = self.folded();
                let (bytes, _, lost) = encoding_rs::GBK.encode(&folded);
                if let Cow::Owned(mut bytes) = bytes {
                    bytes.zeroize();
                }
                !lost
            }
        }
    }

    /// The first character and at most two `*`, so that the length of the name is not told.
    #[must_use]
    pub fn masked(&self) -> String {
        let mut characters = self.expose().chars();
        match (characters.next(), characters.count()) {
            (Some(first), rest @ 1..) => format!("{first}{}", "*".repeat(rest.min(2))),
            _ => "*".to_owned(),
        }
    }

    /// The form that is compared and nothing else: never stored, never shown.
    fn folded(&self) -> Zeroizing<String> {
        // Lower case can be longer than upper case, at most threefold, so that the string never grows.
        let mut folded = Zeroizing::new(String::with_capacity(self.expose().len() * 3));
        let mut space = false;
        for character in self.expose().chars() {
            match narrow(character) {
                c if c.is_whitespace() => space = true,
                c if is_selector(c) => {}
                c => {
                    let c = if c == '.' || is_middle_dot(c) { '\u{b7}' } else { c };
                    let between = |c: char| c.is_alphabetic() && c < '\u{2e80}';
                    if space && between(c) && folded.chars().next_back().is_some_and(between) {
                        folded.push(' ');
                    }
                    space = false;
                    folded.extend(c.to_lowercase());
                }
            }
        }
        folded
    }
}

/// Letters of any script, ideographs of all planes, and the characters of private use that old systems hold.
fn is_letter(character: char) -> bool {
    character.is_alphabetic()
        || character == '〇'
        || matches!(character, '\u{20000}'..='\u{3fffd}')
        || is_private_use(character)
}

/// What joins the parts of a name.
fn is_joint(character: char) -> bool {
    is_middle_dot(character) || matches!(narrow(character), ' ' | '-' | '\'' | '’' | '.' | ',')
}

fn is_mark(character: char) -> bool {
    is_accent(character) || is_selector(character)
}

fn is_accent(character: char) -> bool {
    matches!(character, '\u{300}'..='\u{36f}')
}

/// Variation selectors choose a glyph of one character.
fn is_selector(character: char) -> bool {
    matches!(character, '\u{fe00}'..='\u{fe0f}' | '\u{e0100}'..='\u{e01ef}')
}

fn is_private_use(character: char) -> bool {
    matches!(character, '\u{e000}'..='\u{f8ff}' | '\u{f0000}'..='\u{10ffff}')
}
