//! 档案编号: the file number of a driving licence. It stays the same where the number on an old licence does not.

use super::private::{Private, mask, private_text};
use super::text::fold;
use super::{IdentifierError, Parsed, Warning, divisions};

/// Twelve digits: four of the region that opened the file and eight of the serial.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LicenceFileNumber {
    text: Private,
}

private_text!(LicenceFileNumber);

impl LicenceFileNumber {
    /// Reads a file number as it is typed.
    ///
    /// # Errors
    /// Other than twelve digits, or one digit throughout.
    pub fn parse(raw: &str) -> Result<Parsed<Self>, IdentifierError> {
        let folded = fold(raw)?;
        folded.demand_digits(0..folded.characters.len())?;
        match folded.characters.len() {
            12 if folded.is_uniform() => return Err(IdentifierError::Sentinel),
            12 => {}
            found => {
                return Err(IdentifierError::WrongLength {
                    expected: "12",
                    found,
                });
            }
        }
        let mut parsed = Parsed::clean(LicenceFileNumber {
            text: Private::of(&folded.characters),
        });
        if parsed.value.province_name().is_none() {
            parsed.warnings.push(Warning::UnknownDivision);
        }
        Ok(parsed)
    }

    /// The province of the region, by the first two digits.
    #[must_use]
    pub fn province_name(&self) -> Option<&'static str> {
        name_of(&self.expose()[..2], 10_000)
    }

    /// The city of the region, by the first four digits.
    #[must_use]
    pub fn city_name(&self) -> Option<&'static str> {
        name_of(&self.expose()[..4], 100)
    }

    /// The eight digits of the serial.
    #[must_use]
    pub fn serial(&self) -> &str {
        &self.expose()[4..]
    }

    /// The first four and the last two digits, the rest as `*`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(self.expose(), 4, 2)
    }
}

fn name_of(digits: &str, unit: u32) -> Option<&'static str> {
    let code = digits.parse::<u32>().ok()? * unit;
    divisions::of(code).last().map(|row| row.name)
}
