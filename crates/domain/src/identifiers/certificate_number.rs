//! Numbers of marriage and divorce certificates, of the present format and of the free ones before it.

use jiff::civil::Date;
use zeroize::Zeroizing;

use super::divisions::{self, Division};
use super::private::{Private, mask, private_text};
use super::text::{Folded, digit_alike, fold};
use super::{IdentifierError, Parsed, Warning};

/// The first year for which numbers of this format are known.
const FORMAT_SINCE: i16 = 2004;

/// The year in which marriages began to be registered under the first Marriage Law.
const REGISTER_SINCE: i16 = 1950;

/// The last year that is read; a slip of the finger beyond it needs no clock to be seen.
const LAST_YEAR: i16 = 2099;

/// Which certificate bears the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CertificateKind {
    /// J: marriage.
    Marriage,
    /// L: divorce.
    Divorce,
    /// BJ: marriage, issued again.
    MarriageReissued,
    /// BL: divorce, issued again.
    DivorceReissued,
    /// A format of before about 2004 to 2010, which each office chose.
    Legacy,
}

impl CertificateKind {
    /// The stable code of the kind.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Marriage => "marriage",
            Self::Divorce => "divorce",
            Self::MarriageReissued => "marriage-reissued",
            Self::DivorceReissued => "divorce-reissued",
            Self::Legacy => "legacy",
        }
    }
}

/// The number of a marriage or divorce certificate, such as `J110101-2010-000001`, with its hyphens.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct CertificateNumber {
    text: Private,
}

private_text!(CertificateNumber);

impl CertificateNumber {
    /// Reads a number as it is typed, with or without its hyphens. Needs no clock; see [`Self::is_future`].
    ///
    /// # Errors
    /// What starts like a number of the present format must fit it; anything else is taken for an older format
    /// where it has digits and only the characters that those had.
    pub fn parse(raw: &str) -> Result<Parsed<Self>, IdentifierError> {
        let folded = fold(raw)?;
        let letters = match folded.characters.as_slice() {
            ['B', 'J' | 'L', next, ..] if starts_like_a_code(*next) => 2,
            ['J' | 'L', next, ..] if starts_like_a_code(*next) => 1,
            _ => return legacy(&folded),
        };
        standard(&folded, letters)
    }

    /// Which certificate it is.
    #[must_use]
    pub fn kind(&self) -> CertificateKind {
        match (self.letters(), self.expose().as_bytes()) {
            (Some(2), [_, b'J', ..]) => CertificateKind::MarriageReissued,
            (Some(2), _) => CertificateKind::DivorceReissued,
            (Some(_), [b'J', ..]) => CertificateKind::Marriage,
            (Some(_), _) => CertificateKind::Divorce,
            (None, _) => CertificateKind::Legacy,
        }
    }

    /// The division of the office, as of the year of issue, where the table has it.
    #[must_use]
    pub fn division(&self) -> Option<&'static Division> {
        divisions::at(self.office()?.parse().ok()?, self.year()?)
    }

    /// The six digits of the office.
    #[must_use]
    pub fn office(&self) -> Option<&str> {
        let letters = self.letters()?;
        self.expose().get(letters..letters + 6)
    }

    /// The year of issue.
    #[must_use]
    pub fn year(&self) -> Option<i16> {
        let letters = self.letters()?;
        self.expose().get(letters + 7..letters + 11)?.parse().ok()
    }

    /// Whether the year of issue has not come on `today`, so that there is no such certificate yet.
    #[must_use]
    pub fn is_future(&self, today: Date) -> bool {
        self.year().is_some_and(|year| year > today.year())
    }

    /// The six digits of the serial within the year.
    #[must_use]
    pub fn serial(&self) -> Option<&str> {
        let letters = self.letters()?;
        self.expose().get(letters + 12..)
    }

    /// The first seven and the last two characters, the rest as `*`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(self.expose(), 7, 2)
    }

    /// How many letters stand before the office of a number of the present format. Older numbers are kept without
    /// hyphens, so that a hyphen at its place tells the present format.
    fn letters(&self) -> Option<usize> {
        let bytes = self.expose().as_bytes();
        [1, 2]
            .into_iter()
            .find(|letters| bytes.get(letters + 6) == Some(&b'-'))
    }
}

/// Whether a character that follows the letters starts the office's code, or was meant to.
fn starts_like_a_code(character: char) -> bool {
    character.is_ascii_digit() || digit_alike(character).is_some()
}

fn standard(folded: &Folded, letters: usize) -> Result<Parsed<CertificateNumber>, IdentifierError> {
    let characters = folded.characters.as_slice();
    folded.demand_digits(letters..characters.len())?;
    let digits = &characters[letters..];
    if digits.len() != 16 {
        return Err(IdentifierError::WrongLength {
            expected: "16 digits after the letters: 6 of the office, 4 of the year, 6 of the serial",
            found: digits.len(),
        });
    }
    let mut hyphenated = Zeroizing::new(Vec::with_capacity(20));
    hyphenated.extend_from_slice(&characters[..letters + 6]);
    hyphenated.push('-');
    hyphenated.extend_from_slice(&digits[6..10]);
    hyphenated.push('-');
    hyphenated.extend_from_slice(&digits[10..]);
    let value = CertificateNumber {
        text: Private::of(&hyphenated),
    };
    let year = value
        .year()
        .filter(|year| (REGISTER_SINCE..=LAST_YEAR).contains(year));
    let year = year.ok_or(IdentifierError::YearImpossible)?;
    let mut warnings = Vec::new();
    if value.division().is_none() {
        warnings.push(Warning::UnknownDivision);
    }
    if year < FORMAT_SINCE {
        warnings.push(Warning::YearBeforeFormat);
    }
    if digits[10..].iter().all(|c| *c == '0') {
        warnings.push(Warning::UnusualSerial);
    }
    Ok(Parsed { value, warnings })
}

/// Numbers such as (2003)沪浦结字第0012号: Chinese characters, letters, digits and brackets.
fn legacy(folded: &Folded) -> Result<Parsed<CertificateNumber>, IdentifierError> {
    let characters = folded.characters.as_slice();
    let allowed = |c: &char| {
        c.is_ascii_alphanumeric()
            || matches!(c, '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '〇')
            || matches!(c, '(' | ')' | '[' | ']' | '〔' | '〕' | '【' | '】' | '/' | '#')
    };
    if let Some(at) = characters.iter().position(|c| !allowed(c)) {
        return Err(folded.misplaced(at));
    }
    let digits = characters.iter().filter(|c| c.is_ascii_digit()).count();
    // Sixteen digits and nothing else are a number of the present format whose letter was forgotten.
    let letter_forgotten = digits == 16 && characters.len() == 16;
    if !(4..=40).contains(&characters.len()) || digits == 0 || letter_forgotten {
        return Err(IdentifierError::Shape {
            expected: "a number such as J, six digits of the office, the year and six digits, or an older one",
        });
    }
    Ok(Parsed {
        value: CertificateNumber {
            text: Private::of(characters),
        },
        warnings: vec![Warning::LegacyCertificate],
    })
}
