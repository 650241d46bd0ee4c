//! Why a text is not the identifier it is said to be.

/// Why a text was refused. Says what is wrong with the text and where, and never repeats it.
///
/// A `position` counts the characters of the text as it was typed, from 1, so that a form can point at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdentifierError {
    /// Nothing is left once spaces and separators are taken away.
    #[error("nothing was entered")]
    Empty,
    /// Longer than any identifier; it was not read further.
    #[error("longer than {limit} characters")]
    TooLong {
        /// The most characters that are read.
        limit: usize,
    },
    /// The number of characters, separators not counted, is wrong.
    #[error("expected {expected} characters, found {found}")]
    WrongLength {
        /// What lengths are right, in words.
        expected: &'static str,
        /// How many characters there are, separators not counted.
        found: usize,
    },
    /// A character that cannot stand at this place.
    #[error("character {position} cannot stand there{}", suggest(*.suggestion))]
    Character {
        /// Which character, from 1.
        position: usize,
        /// What may have been meant, where one look-alike is possible.
        suggestion: Option<char>,
    },
    /// A control, bidirectional or invisible character.
    #[error("character {position} is invisible or a control character; type the text again")]
    Invisible {
        /// Which character, from 1.
        position: usize,
    },
    /// A placeholder that nobody holds, such as one digit throughout.
    #[error("this is a placeholder, not a real number")]
    Sentinel,
    /// The address code was never assigned.
    #[error("the first six digits are no division code that was ever in use")]
    UnknownDivision,
    /// The birth date is not a day of the calendar.
    #[error("the birth date in the number is not a day of the calendar")]
    BirthInvalid,
    /// The birth date lies after today.
    #[error("the birth date in the number lies in the future")]
    BirthInFuture,
    /// The birth date lies further back than anybody who can hold such a number was born.
    #[error("the birth date in the number lies before the year {floor}")]
    BirthTooEarly {
        /// The first year that is accepted.
        floor: i16,
    },
    /// A sequence number outside 0–999 was to be composed.
    #[error("the sequence number is not within 0 to 999")]
    SequenceTooLarge,
    /// The last character does not fit the others (ISO 7064 MOD 11-2).
    #[error("the check character at the end does not fit; compare the number with the document")]
    CheckCharacter,
    /// The ninth character of a VIN of a Chinese maker does not fit the others (GB 16735).
    #[error("the check digit, character 9, should be {expected}; compare the VIN with the document")]
    CheckDigit {
        /// The digit that the other characters demand: 0–9 or X.
        expected: char,
    },
    /// A plate starts with something that is no province.
    #[error("a plate starts with the character of its province, or with the letters of an armed force")]
    UnknownProvince,
    /// Six serial characters that are no new-energy plate.
    #[error(
        "character {position} does not fit a new-energy plate (six characters after the authority letter)"
    )]
    NewEnergyPattern {
        /// Which character, from 1.
        position: usize,
    },
    /// A plate that ends in 港 or 澳 and does not start with 粤Z.
    #[error("a plate that ends in 港 or 澳 starts with 粤Z")]
    SuffixPattern,
    /// A plate and a class that no vehicle has together. [`Plate::fits`](super::Plate::fits) tells which fit.
    #[error("a plate of this form is never of that class")]
    PlateClassMismatch,
    /// A plate class code that GA/T 16.7 does not know.
    #[error("no such plate class; expected a code such as 01, 02 or 52")]
    UnknownPlateClass,
    /// The text has none of the known shapes.
    #[error("expected {expected}")]
    Shape {
        /// What was expected, in words.
        expected: &'static str,
    },
    /// The year in the number lies after this year, or before there was such a number.
    #[error("the year in the number is impossible")]
    YearImpossible,
    /// A telephone number of another country or region.
    #[error("not a number of mainland China (+86)")]
    NotMainland,
    /// A telephone number that is no mobile number.
    #[error("not a mobile number; it has 11 digits and starts with 13 to 19")]
    NotMobile,
}

impl IdentifierError {
    /// The stable code by which forms, messages and clients know this error.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty => "EMPTY",
            Self::TooLong { .. } => "TOO_LONG",
            Self::WrongLength { .. } => "WRONG_LENGTH",
            Self::Character { .. } => "CHARACTER",
            Self::Invisible { .. } => "INVISIBLE_CHARACTER",
            Self::Sentinel => "SENTINEL",
            Self::UnknownDivision => "UNKNOWN_DIVISION",
            Self::BirthInvalid => "BIRTH_INVALID",
            Self::BirthInFuture => "BIRTH_IN_FUTURE",
            Self::BirthTooEarly { .. } => "BIRTH_TOO_EARLY",
            Self::SequenceTooLarge => "SEQUENCE_TOO_LARGE",
            Self::CheckCharacter => "CHECK_CHARACTER",
            Self::CheckDigit { .. } => "CHECK_DIGIT",
            Self::UnknownProvince => "UNKNOWN_PROVINCE",
            Self::NewEnergyPattern { .. } => "NEW_ENERGY_PATTERN",
            Self::SuffixPattern => "SUFFIX_PATTERN",
            Self::PlateClassMismatch => "PLATE_CLASS_MISMATCH",
            Self::UnknownPlateClass => "UNKNOWN_PLATE_CLASS",
            Self::Shape { .. } => "SHAPE",
            Self::YearImpossible => "YEAR_IMPOSSIBLE",
            Self::NotMainland => "NOT_MAINLAND",
            Self::NotMobile => "NOT_MOBILE",
        }
    }

    /// Which character of the typed text is meant, from 1, where it is one.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        match self {
            Self::Character { position, .. }
            | Self::Invisible { position }
            | Self::NewEnergyPattern { position } => Some(*position),
            _ => None,
        }
    }

    /// What may have been meant at [`position`](Self::position), where a look-alike is known.
    #[must_use]
    pub fn suggestion(&self) -> Option<char> {
        match self {
            Self::Character { suggestion, .. } => *suggestion,
            _ => None,
        }
    }
}

fn suggest(suggestion: Option<char>) -> String {
    suggestion
        .map(|meant| format!("; {meant} may be meant"))
        .unwrap_or_default()
}
