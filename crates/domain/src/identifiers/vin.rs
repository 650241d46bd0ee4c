//! Vehicle identification numbers (GB 16735-2019, ISO 3779) and the frame numbers of vehicles without one.

use super::makers::{self, Maker};
use super::private::{Private, mask, private_text};
use super::text::{Folded, fold};
use super::{IdentifierError, Parsed, Warning};

/// The weights of the 17 places; the check digit itself weighs nothing.
const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];

/// Year codes from 1980 on; they repeat every 30 years. I, O, Q, U, Z and 0 are none.
const YEAR_CODES: &[u8; 30] = b"ABCDEFGHJKLMNPRSTVWXY123456789";

/// Where on earth the maker is, by the first character.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Region {
    /// A–H.
    Africa,
    /// J–R but for L.
    Asia,
    /// L.
    China,
    /// S–Z.
    Europe,
    /// 1–5.
    NorthAmerica,
    /// 6 and 7.
    Oceania,
    /// 8, 9 and 0.
    SouthAmerica,
}

impl Region {
    /// The stable code of the region.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Africa => "africa",
            Self::Asia => "asia",
            Self::China => "china",
            Self::Europe => "europe",
            Self::NorthAmerica => "north-america",
            Self::Oceania => "oceania",
            Self::SouthAmerica => "south-america",
        }
    }
}

/// What the ninth character says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckDigit {
    /// Whether it fits the others.
    pub valid: bool,
    /// Whether the maker's region demands that it does: China, the United States and Canada.
    pub applies: bool,
}

/// A VIN of 17 characters, or the legacy frame number of an old or re-stamped vehicle.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Vin {
    text: Private,
}

private_text!(Vin);

impl Vin {
    /// Reads a VIN as it is typed.
    ///
    /// A check digit that does not fit is an error for VINs that start with L and a warning for others. A text of
    /// 5 to 20 characters that is no VIN is taken for a legacy frame number, with a warning, unless it starts like
    /// the VIN of a known Chinese maker.
    ///
    /// # Errors
    /// The first thing that is wrong, from the left, the check digit last.
    pub fn parse(raw: &str) -> Result<Parsed<Self>, IdentifierError> {
        let folded = fold(raw)?;
        if folded.characters.len() == 17 {
            standard(&folded)
        } else {
            legacy(&folded)
        }
    }

    /// Builds a VIN from the eight characters before the check digit and the eight after it.
    ///
    /// # Errors
    /// As [`Vin::parse`].
    pub fn compose(before: &str, after: &str) -> Result<Self, IdentifierError> {
        let mut characters: Vec<char> = before.chars().chain(['0']).chain(after.chars()).collect();
        if before.chars().count() != 8 || characters.len() != 17 {
            return Err(IdentifierError::Shape {
                expected: "eight characters before the check digit and eight after",
            });
        }
        characters[8] = check_digit(&characters);
        Ok(Self::parse(&characters.iter().collect::<String>())?.value)
    }

    /// Whether this is no VIN of 17 characters but an old vehicle's frame number.
    #[must_use]
    pub fn is_legacy(&self) -> bool {
        self.expose().len() != 17
    }

    /// Whether this is a placeholder, such as seventeen ones: well-formed, but a look-up must refuse it.
    #[must_use]
    pub fn is_sentinel(&self) -> bool {
        let bytes = self.expose().as_bytes();
        bytes.windows(2).all(|pair| pair[0] == pair[1])
    }

    /// The world maker identifier, characters 1–3; `None` for a legacy frame number.
    #[must_use]
    pub fn wmi(&self) -> Option<&str> {
        self.part(0..3)
    }

    /// The description of the vehicle, characters 4–9.
    #[must_use]
    pub fn vds(&self) -> Option<&str> {
        self.part(3..9)
    }

    /// The characters that tell one vehicle from another, 10–17.
    #[must_use]
    pub fn vis(&self) -> Option<&str> {
        self.part(9..17)
    }

    /// The serial: the last three digits for a small maker, else the last six characters.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        if self.is_small_maker() {
            self.part(14..17)
        } else {
            self.part(11..17)
        }
    }

    /// Whether the maker builds so few vehicles that characters 12–14 complete its identifier (third character 9).
    #[must_use]
    pub fn is_small_maker(&self) -> bool {
        self.part(2..3) == Some("9")
    }

    /// The maker, where the table has it.
    #[must_use]
    pub fn maker(&self) -> Option<&'static Maker> {
        makers::find(self.wmi()?)
    }

    /// The region of the maker.
    #[must_use]
    pub fn region(&self) -> Option<Region> {
        Some(match *self.wmi()?.as_bytes().first()? {
            b'L' => Region::China,
            b'A'..=b'H' => Region::Africa,
            b'J'..=b'R' => Region::Asia,
            b'S'..=b'Z' => Region::Europe,
            b'1'..=b'5' => Region::NorthAmerica,
            b'6' | b'7' => Region::Oceania,
            _ => Region::SouthAmerica,
        })
    }

    /// The two years that the tenth character can mean, thirty years apart; in China the maker chooses whether it
    /// is the model year or the year of building. `None` where the character is no year code.
    #[must_use]
    pub fn possible_years(&self) -> Option<[i16; 2]> {
        let code = *self.part(9..10)?.as_bytes().first()?;
        let at = YEAR_CODES.iter().position(|year| *year == code)?;
        let first = 1980 + i16::try_from(at).ok()?;
        Some([first, first + 30])
    }

    /// What the check digit says; `None` for a legacy frame number.
    #[must_use]
    pub fn check_digit(&self) -> Option<CheckDigit> {
        let found = *self.part(8..9)?.as_bytes().first()?;
        let characters: Vec<char> = self.expose().chars().collect();
        Some(CheckDigit {
            valid: check_digit(&characters) == char::from(found),
            applies: must_fit(characters[0]),
        })
    }

    /// The first three and the last two characters, the rest as `*`: the last six serve as proof elsewhere.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(self.expose(), 3, 2)
    }

    fn part(&self, range: std::ops::Range<usize>) -> Option<&str> {
        if self.is_legacy() {
            None
        } else {
            self.expose().get(range)
        }
    }
}

fn standard(folded: &Folded) -> Result<Parsed<Vin>, IdentifierError> {
    let characters = folded.characters.as_slice();
    if let Some(at) = characters.iter().position(|c| value_of(*c).is_none()) {
        return Err(match characters[at] {
            'Q' => IdentifierError::Character {
                position: folded.position(at),
                suggestion: Some('0'),
            },
            _ => folded.misplaced(at),
        });
    }
    let value = Vin {
        text: Private::of(characters),
    };
    let mut warnings = Vec::new();
    let expected = check_digit(characters);
    if characters[8] != expected {
        if characters[0] == 'L' {
            return Err(IdentifierError::CheckDigit { expected });
        }
        let applies = must_fit(characters[0]);
        warnings.push(Warning::CheckDigit { applies });
    }
    if value.possible_years().is_none() {
        warnings.push(Warning::YearCode);
    }
    // Small makers number their vehicles with three digits, all others with at least four.
    let digits_from = if value.is_small_maker() { 14 } else { 13 };
    if !characters[digits_from..].iter().all(char::is_ascii_digit) {
        warnings.push(Warning::UnusualSerial);
    }
    if value.is_sentinel() {
        warnings.push(Warning::Sentinel);
    }
    Ok(Parsed { value, warnings })
}

fn legacy(folded: &Folded) -> Result<Parsed<Vin>, IdentifierError> {
    let characters = folded.characters.as_slice();
    let found = characters.len();
    let start: String = characters.iter().take(3).collect();
    let mistyped = start.starts_with('L') && makers::exact(&start).is_some();
    if !(5..=20).contains(&found) || (mistyped && found >= 12) {
        return Err(IdentifierError::WrongLength {
            expected: "17 (5 to 20 for the frame number of an old vehicle)",
            found,
        });
    }
    if let Some(at) = characters.iter().position(|c| !c.is_ascii_alphanumeric()) {
        return Err(folded.misplaced(at));
    }
    if folded.is_uniform() {
        return Err(IdentifierError::Sentinel);
    }
    if !characters.iter().any(char::is_ascii_digit) {
        return Err(IdentifierError::Shape {
            expected: "a VIN, or a frame number with digits",
        });
    }
    Ok(Parsed {
        value: Vin {
            text: Private::of(characters),
        },
        warnings: vec![Warning::LegacyFrameNumber],
    })
}

/// Whether the region of a VIN that starts so demands that the check digit fits.
fn must_fit(first: char) -> bool {
    matches!(first, 'L' | '1' | '2' | '4' | '5')
}

/// The value of a character in the check digit; `None` for what no VIN contains.
fn value_of(character: char) -> Option<u32> {
    Some(match character {
        '0'..='9' => u32::from(character) - u32::from('0'),
        'A'..='H' => u32::from(character) - u32::from('A') + 1,
        'J'..='N' => u32::from(character) - u32::from('J') + 1,
        'P' => 7,
        'R' => 9,
        'S'..='Z' => u32::from(character) - u32::from('S') + 2,
        _ => return None,
    })
}

/// The check digit that 17 characters should have at the ninth place.
fn check_digit(characters: &[char]) -> char {
    let sum: u32 = characters
        .iter()
        .zip(WEIGHTS)
        .map(|(c, weight)| value_of(*c).unwrap_or(0) * weight)
        .sum();
    match sum % 11 {
        10 => 'X',
        value => char::from_digit(value, 10).unwrap_or('X'),
    }
}
