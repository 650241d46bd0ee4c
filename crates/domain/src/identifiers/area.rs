//! An area: a province, city or county by the leading digits of its division code.

use super::divisions;

/// Two digits of a division code are a province, four a city, six a county.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Area {
    /// All six digits, zeros where the area is larger.
    code: u32,
    /// What two codes must be divided by to be compared: 10,000 for a province, 100 for a city, 1 for a county.
    span: u32,
}

impl Area {
    /// The area of a whole code; zeros at its end stand for all that lies below.
    #[must_use]
    pub fn of_code(code: u32) -> Self {
        let span = match code {
            _ if code.is_multiple_of(10_000) => 10_000,
            _ if code.is_multiple_of(100) => 100,
            _ => 1,
        };
        Area { code, span }
    }

    /// Reads two, four or six digits that were ever in use as a code.
    #[must_use]
    pub fn parse(digits: &str) -> Option<Self> {
        if !matches!(digits.len(), 2 | 4 | 6) || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        let code = format!("{digits:0<6}").parse().ok()?;
        (!divisions::of(code).is_empty()).then(|| Area::of_code(code))
    }

    /// Whether one lies within the other, or both are the same.
    #[must_use]
    pub fn meets(self, other: Area) -> bool {
        let span = self.span.max(other.span);
        self.code / span == other.code / span
    }

    /// How narrow it is: 2 for a province, 4 for a city, 6 for a county.
    #[must_use]
    pub fn digits(self) -> u8 {
        match self.span {
            10_000 => 2,
            100 => 4,
            _ => 6,
        }
    }

    /// The six digits.
    #[must_use]
    pub fn code(self) -> u32 {
        self.code
    }

    /// The name, with what is above it, as it is today.
    #[must_use]
    pub fn name(self) -> Option<String> {
        divisions::full_name(self.code, i16::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::identifiers::{Plate, PlateKind};

    fn area(digits: &str) -> Area {
        Area::parse(digits).unwrap()
    }

    #[test]
    fn an_area_meets_what_is_in_it_and_what_it_is_in() {
        assert!(area("44").meets(area("440305")) && area("440305").meets(area("44")));
        assert!(area("440300").meets(area("440305")) && !area("4401").meets(area("440305")));
        assert_eq!(area("440000"), area("44"));
        assert_eq!(area("4403").name().as_deref(), Some("广东省深圳市"));
        for wrong in ["", "4", "99", "4499", "44030", "44030５", "ab", "4403051"] {
            assert_eq!(Area::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_plate_tells_its_area() {
        let of = |text: &str| Plate::parse(text).unwrap().value.area();
        assert_eq!(of("粤B12345"), Some(area("4403")));
        assert_eq!(of("京A12345"), Some(area("11")));
        assert_eq!(
            of("吉B12345"),
            Some(area("2202")),
            "the city, not the province of that name"
        );
        assert_eq!(
            of("豫U12345"),
            Some(area("419001")),
            "a city directly below its province"
        );
        assert_eq!(
            of("鲁O12345"),
            Some(area("37")),
            "of no city: the province's own offices"
        );
        let army = Plate::parse("VA12345").unwrap().value;
        assert_eq!((army.kind(), army.area()), (PlateKind::Army, None));
    }
}
