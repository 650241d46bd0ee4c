//! What is odd about an identifier but no reason to refuse it.

use std::fmt;

/// What is odd about an identifier that was accepted. Never repeats the identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Warning {
    /// A 15-digit number of GB 11643-1989, raised to 18; cards that show it lapsed on 2013-01-01.
    FifteenDigits,
    /// A foreigner's card of the version before 2023-12-01, valid until it expires.
    OldForeignerCard,
    /// The person was born before the division code existed: lawful for those who were coded later.
    BirthBeforeDivision {
        /// The first year of the code.
        first_year: i16,
    },
    /// The division code was withdrawn before the person was born.
    BirthAfterDivision {
        /// The last year of the code.
        last_year: i16,
    },
    /// The code is of a province or a city that has counties; a number usually names the county.
    DivisionNotCounty,
    /// The region or office code is not in the table; codes of development zones and retired offices may lack.
    UnknownDivision,
    /// The country code of a foreigner's card is not in ISO 3166.
    UnknownCountry,
    /// The authority letter of the plate is not in the table.
    UnknownAuthority,
    /// A serial that the standard's order would not give out, for instance one of more than two letters.
    UnusualSerial,
    /// The plate belongs to a register other than that of the public security organs: no answer is possible.
    NotCovered,
    /// The class of such a plate is not known from its text: ask for the paper.
    ClassUnknown,
    /// The check digit of an imported vehicle's VIN does not fit, which some makers do not use.
    CheckDigit {
        /// Whether the maker's region demands that it fits, as the United States and Canada do.
        applies: bool,
    },
    /// The tenth character of the VIN is no year code.
    YearCode,
    /// Not a VIN of 17 characters: the frame number of an old or a re-stamped vehicle.
    LegacyFrameNumber,
    /// A placeholder that passes all checks: well-formed, but nothing may be looked up by it.
    Sentinel,
    /// A certificate number from before the present format.
    LegacyCertificate,
    /// The year lies before the present format came into use.
    YearBeforeFormat,
    /// The name has a character of a private-use area, which sources show differently.
    PrivateUseCharacter,
}

impl Warning {
    /// Every code of a warning that [`Vin::parse`](super::Vin::parse) can give: a page about VINs has words for each.
    pub const CODES_OF_VINS: [&str; 5] = [
        "CHECK_DIGIT",
        "YEAR_CODE",
        "UNUSUAL_SERIAL",
        "SENTINEL",
        "LEGACY_FRAME_NUMBER",
    ];

    /// The stable code by which forms, messages and clients know this warning.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::FifteenDigits => "FIFTEEN_DIGITS",
            Self::OldForeignerCard => "OLD_FOREIGNER_CARD",
            Self::BirthBeforeDivision { .. } => "BIRTH_BEFORE_DIVISION",
            Self::BirthAfterDivision { .. } => "BIRTH_AFTER_DIVISION",
            Self::DivisionNotCounty => "DIVISION_NOT_COUNTY",
            Self::UnknownDivision => "UNKNOWN_DIVISION",
            Self::UnknownCountry => "UNKNOWN_COUNTRY",
            Self::UnknownAuthority => "UNKNOWN_AUTHORITY",
            Self::UnusualSerial => "UNUSUAL_SERIAL",
            Self::NotCovered => "NOT_COVERED",
            Self::ClassUnknown => "CLASS_UNKNOWN",
            Self::CheckDigit { .. } => "CHECK_DIGIT",
            Self::YearCode => "YEAR_CODE",
            Self::LegacyFrameNumber => "LEGACY_FRAME_NUMBER",
            Self::Sentinel => "SENTINEL",
            Self::LegacyCertificate => "LEGACY_CERTIFICATE",
            Self::YearBeforeFormat => "YEAR_BEFORE_FORMAT",
            Self::PrivateUseCharacter => "PRIVATE_USE_CHARACTER",
        }
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self {
            Self::FifteenDigits => "a 15-digit number; cards that show it lapsed on 2013-01-01",
            Self::OldForeignerCard => "a foreigner's card of the version before 2023-12-01",
            Self::BirthBeforeDivision { first_year } => {
                return write!(f, "born before the division code came into use in {first_year}");
            }
            Self::BirthAfterDivision { last_year } => {
                return write!(
                    f,
                    "born after the division code was withdrawn; its last year is {last_year}"
                );
            }
            Self::DivisionNotCounty => "the division is a province or a city, not a county",
            Self::UnknownDivision => "the region or office code is not in the table of division codes",
            Self::UnknownCountry => "the country code is not in ISO 3166",
            Self::UnknownAuthority => "the authority letter of the plate is not in the table",
            Self::UnusualSerial => "the serial is not one that the standard's order gives out",
            Self::NotCovered => "army, armed police and tractor plates are in another register",
            Self::ClassUnknown => "the plate class is not known from the text",
            Self::CheckDigit { applies: true } => {
                "the check digit does not fit, though makers of this region must use it; compare the VIN"
            }
            Self::CheckDigit { applies: false } => {
                "the check digit does not fit; some foreign makers do not use it"
            }
            Self::YearCode => "the tenth character is no year code",
            Self::LegacyFrameNumber => "not a VIN of 17 characters: the frame number of an old vehicle",
            Self::Sentinel => "a placeholder: well-formed, but no vehicle has it",
            Self::LegacyCertificate => "a certificate number from before the present format",
            Self::YearBeforeFormat => "the year lies before the present format came into use",
            Self::PrivateUseCharacter => "a character of a private-use area, which sources show differently",
        };
        f.write_str(text)
    }
}
