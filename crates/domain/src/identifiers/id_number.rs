//! Identity numbers: citizens (GB 11643, 18 and 15 digits), residence permits of Hong Kong, Macao and Taiwan
//! residents, and the permanent residence cards of foreigners, old and new.

use jiff::civil::Date;

use super::area::Area;
use super::countries::{self, Country};
use super::divisions::{self, Division};
use super::private::{Private, mask, private_text};
use super::text::{Folded, fold, is_uniform};
use super::{IdentifierError, Parsed, Warning};

/// Nobody born before this year can hold a number. The standard's own example was born in 1880.
const BIRTH_FLOOR: i16 = 1800;

/// The document that bears the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IdDocument {
    /// 居民身份证.
    Citizen,
    /// 港澳居民居住证 of a Hong Kong resident (810000, since 2018-09-01).
    ResidencePermitHongKong,
    /// 港澳居民居住证 of a Macao resident (820000, since 2018-09-01).
    ResidencePermitMacao,
    /// 台湾居民居住证 (830000, since 2018-09-01).
    ResidencePermitTaiwan,
    /// 外国人永久居留身份证 since 2023-12-01: 18 characters that start with 9.
    Foreigner,
    /// 外国人永久居留身份证 of the version before: three letters and twelve digits.
    ForeignerOld,
}

impl IdDocument {
    /// The stable code of the document.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Citizen => "citizen",
            Self::ResidencePermitHongKong => "residence-permit-hk",
            Self::ResidencePermitMacao => "residence-permit-mo",
            Self::ResidencePermitTaiwan => "residence-permit-tw",
            Self::Foreigner => "foreigner",
            Self::ForeignerOld => "foreigner-old",
        }
    }
}

/// Sex as the seventeenth digit says it: odd is male.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sex {
    /// 女.
    Female,
    /// 男.
    Male,
}

/// An identity number in its present form: a 15-digit number of a citizen is raised to 18.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct IdNumber {
    text: Private,
}

private_text!(IdNumber);

impl IdNumber {
    /// Reads a number as it is typed or as a source sends it.
    ///
    /// `today` is the day in China; a birth after it is refused.
    ///
    /// # Errors
    /// The first thing that is wrong, from the left: characters, placeholder, division, birth, check character.
    pub fn parse(raw: &str, today: Date) -> Result<Parsed<Self>, IdentifierError> {
        let folded = fold(raw)?;
        match folded.characters.len() {
            // A card of three letters has more than one: O and I alone are a citizen's digit, mistyped.
            15 if matches!(folded.characters[0], 'O' | 'I') && folded.demand_digits(1..15).is_ok() => {
                Err(folded.misplaced(0))
            }
            15 if folded.characters[0].is_ascii_alphabetic() => foreigner_old(&folded),
            15 => fifteen(&folded, today),
            18 => eighteen(&folded, today),
            found => Err(IdentifierError::WrongLength {
                expected: "18 or 15",
                found,
            }),
        }
    }

    /// Builds the number of an invented person: the check character is computed.
    ///
    /// `division` is a division code, or for a foreigner 9, two digits of the region and three of the country.
    ///
    /// # Errors
    /// Unknown division, a birth before 1800 or a sequence above 999. A future birth is not noticed.
    pub fn compose(division: &str, birth: Date, sequence: u16) -> Result<Self, IdentifierError> {
        if sequence > 999 {
            return Err(IdentifierError::SequenceTooLarge);
        }
        let raw = format!(
            "{division}{:04}{:02}{:02}{sequence:03}",
            birth.year(),
            birth.month(),
            birth.day()
        );
        let body = fold(&raw)?;
        if body.characters.len() != 17 {
            return Err(IdentifierError::WrongLength {
                expected: "6 (the division)",
                found: division.chars().count(),
            });
        }
        body.demand_digits(0..17)?;
        let number = with_check_character(&body.characters);
        Ok(IdNumber::parse(number.expose(), birth)?.value)
    }

    /// Which document bears the number.
    #[must_use]
    pub fn document(&self) -> IdDocument {
        match self.expose().as_bytes() {
            [b'A'..=b'Z', ..] => IdDocument::ForeignerOld,
            [b'9', ..] => IdDocument::Foreigner,
            [b'8', b'1', ..] => IdDocument::ResidencePermitHongKong,
            [b'8', b'2', ..] => IdDocument::ResidencePermitMacao,
            [b'8', b'3', ..] => IdDocument::ResidencePermitTaiwan,
            _ => IdDocument::Citizen,
        }
    }

    /// The date of birth; `None` for an old foreigner's card, whose digits are not published well enough.
    #[must_use]
    pub fn birth(&self) -> Option<Date> {
        birth_of(self.digits(6..14)?)
    }

    /// The sex; `None` for an old foreigner's card. Never read from the check character.
    #[must_use]
    pub fn sex(&self) -> Option<Sex> {
        let digit = *self.digits(16..17)?.as_bytes().first()?;
        Some(if digit % 2 == 1 { Sex::Male } else { Sex::Female })
    }

    /// The division of the first coding as it was at birth: not where the person lives now. `None` for foreigners.
    #[must_use]
    pub fn division(&self) -> Option<&'static Division> {
        if self.is_foreigner() {
            return None;
        }
        divisions::at(self.digits(0..6)?.parse().ok()?, self.birth()?.year())
    }

    /// The name of that division with province and city before it, as of birth. `None` for foreigners.
    #[must_use]
    pub fn division_name(&self) -> Option<String> {
        divisions::full_name(self.division()?.code, self.birth()?.year())
    }

    /// The area of the first coding, or of issue on a foreigner's card: not where the person lives now.
    #[must_use]
    pub fn area(&self) -> Option<Area> {
        let (range, below) = if self.is_foreigner() {
            (1..3, 10_000)
        } else {
            (0..6, 1)
        };
        let digits: u32 = self.digits(range)?.parse().ok()?;
        Some(Area::of_code(digits * below))
    }

    /// The country of a foreigner's card, where ISO 3166 has it.
    #[must_use]
    pub fn country(&self) -> Option<&'static Country> {
        match self.document() {
            IdDocument::Foreigner => countries::find(self.expose().get(3..6)?),
            IdDocument::ForeignerOld => countries::find(self.expose().get(0..3)?),
            _ => None,
        }
    }

    /// Full years of life on a day; negative before birth. Born on 29 February, one ages on 1 March in common
    /// years. `None` where the number holds no birth date.
    #[must_use]
    pub fn age_on(&self, day: Date) -> Option<i16> {
        let birth = self.birth()?;
        let before_birthday = (day.month(), day.day()) < (birth.month(), birth.day());
        Some(day.year() - birth.year() - i16::from(before_birthday))
    }

    /// The first three characters and the last two, the rest as `*`: neither birth date nor sequence is shown.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(self.expose(), 3, 2)
    }

    fn is_foreigner(&self) -> bool {
        matches!(self.document(), IdDocument::Foreigner | IdDocument::ForeignerOld)
    }

    /// A part of an 18-character number; `None` for the old foreigner's card.
    fn digits(&self, range: std::ops::Range<usize>) -> Option<&str> {
        let text = self.expose();
        if text.len() == 18 { text.get(range) } else { None }
    }
}

/// Three letters of the country and twelve digits. How the twelve are made up is not published, so they are not
/// judged further.
fn foreigner_old(folded: &Folded) -> Result<Parsed<IdNumber>, IdentifierError> {
    if let Some(at) = (0..3).find(|at| !folded.characters[*at].is_ascii_alphabetic()) {
        return Err(folded.misplaced(at));
    }
    folded.demand_digits(3..15)?;
    if is_uniform(&folded.characters[3..]) {
        return Err(IdentifierError::Sentinel);
    }
    let value = IdNumber {
        text: Private::of(&folded.characters),
    };
    let mut warnings = vec![Warning::OldForeignerCard];
    if value.country().is_none() {
        warnings.push(Warning::UnknownCountry);
    }
    Ok(Parsed { value, warnings })
}

/// A number of GB 11643-1989: raised to 18 by the century and the check character.
fn fifteen(folded: &Folded, today: Date) -> Result<Parsed<IdNumber>, IdentifierError> {
    folded.demand_digits(0..15)?;
    let digits = &folded.characters;
    if is_uniform(digits) || digits[6..12].iter().all(|c| *c == '0') {
        return Err(IdentifierError::Sentinel);
    }
    // Sequences 996 to 999 were kept for those who were born before 1900.
    let before_1900 = digits[12] == '9' && digits[13] == '9' && digits[14] >= '6';
    let century = if before_1900 { ['1', '8'] } else { ['1', '9'] };
    let body = zeroize::Zeroizing::new([&digits[..6], &century, &digits[6..]].concat());
    let value = IdNumber {
        text: with_check_character(&body),
    };
    let mut warnings = vec![Warning::FifteenDigits];
    warnings.extend(judge(&value, today)?);
    Ok(Parsed { value, warnings })
}

fn eighteen(folded: &Folded, today: Date) -> Result<Parsed<IdNumber>, IdentifierError> {
    folded.demand_digits(0..17)?;
    let digits = &folded.characters;
    if !matches!(digits[17], '0'..='9' | 'X') {
        return Err(folded.misplaced(17));
    }
    if folded.is_uniform() || digits[6..14].iter().all(|c| *c == '0') || is_counting(digits) {
        return Err(IdentifierError::Sentinel);
    }
    let value = IdNumber {
        text: Private::of(digits),
    };
    let warnings = judge(&value, today)?;
    if check_character(&digits[..17]) != digits[17] {
        return Err(IdentifierError::CheckCharacter);
    }
    Ok(Parsed { value, warnings })
}

/// Judges division and birth of a number of 18 characters.
fn judge(number: &IdNumber, today: Date) -> Result<Vec<Warning>, IdentifierError> {
    let mut warnings = Vec::new();
    let code: u32 = number
        .digits(0..6)
        .and_then(|code| code.parse().ok())
        .ok_or(IdentifierError::UnknownDivision)?;
    let rows = divisions::of(code);
    if number.is_foreigner() {
        // 9, then the region of issue, then the country; neither table is official, so they only warn.
        if divisions::of(code / 1000 % 100 * 10_000).is_empty() {
            warnings.push(Warning::UnknownDivision);
        }
        if number.country().is_none() {
            warnings.push(Warning::UnknownCountry);
        }
    } else if rows.is_empty() {
        return Err(IdentifierError::UnknownDivision);
    }
    let birth = number.birth().ok_or(IdentifierError::BirthInvalid)?;
    if birth > today {
        return Err(IdentifierError::BirthInFuture);
    }
    if birth.year() < BIRTH_FLOOR {
        return Err(IdentifierError::BirthTooEarly { floor: BIRTH_FLOOR });
    }
    if divisions::has_parts(code) {
        warnings.push(Warning::DivisionNotCounty);
    }
    warnings.extend(out_of_its_years(rows, birth.year()));
    Ok(warnings)
}

/// The warning for somebody born in a year in which the code meant nothing. Lawful: people were coded later than
/// they were born, and what the table calls a first year can be late.
fn out_of_its_years(rows: &[Division], year: i16) -> Option<Warning> {
    let nearest = divisions::at(rows.first()?.code, year).filter(|row| !row.covers(year))?;
    match (nearest.first_year, nearest.last_year) {
        (_, Some(last_year)) if last_year < year => Some(Warning::BirthAfterDivision { last_year }),
        (Some(first_year), _) => Some(Warning::BirthBeforeDivision { first_year }),
        _ => None,
    }
}

fn birth_of(digits: &str) -> Option<Date> {
    Date::new(
        digits.get(0..4)?.parse().ok()?,
        digits.get(4..6)?.parse().ok()?,
        digits.get(6..8)?.parse().ok()?,
    )
    .ok()
}

/// 123456789012345678 and the like: every digit is one more than the digit before.
fn is_counting(digits: &[char]) -> bool {
    digits
        .windows(2)
        .all(|pair| match (pair[0].to_digit(10), pair[1].to_digit(10)) {
            (Some(a), Some(b)) => (a + 1) % 10 == b,
            _ => false,
        })
}

/// Appends the check character to 17 digits.
fn with_check_character(body: &[char]) -> Private {
    let mut whole = zeroize::Zeroizing::new(Vec::with_capacity(18));
    whole.extend_from_slice(body);
    whole.push(check_character(body));
    Private::of(&whole)
}

/// The check character of ISO 7064 MOD 11-2 for 17 digits: the sum of aᵢ·2^(18−i) over all 18, where X counts 10, is
/// 1 modulo 11.
fn check_character(body: &[char]) -> char {
    let sum = body
        .iter()
        .fold(0, |sum, c| (sum + c.to_digit(10).unwrap_or(0)) * 2 % 11);
    match (12 - sum) % 11 {
        10 => 'X',
        value => char::from_digit(value, 10).unwrap_or('X'),
    }
}
