//! 号牌种类: the classes of plates (GA/T 16.7). A vehicle is known by its plate *and* its class.

use super::IdentifierError;
use super::text::{bound, narrow};

/// The colour of a plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlateColour {
    /// 蓝.
    Blue,
    /// 黄.
    Yellow,
    /// 渐变绿.
    GradientGreen,
    /// 黄绿双拼.
    YellowGreen,
    /// 白.
    White,
    /// 黑.
    Black,
}

impl PlateColour {
    /// The stable code of the colour.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Blue => "blue",
            Self::Yellow => "yellow",
            Self::GradientGreen => "gradient-green",
            Self::YellowGreen => "yellow-green",
            Self::White => "white",
            Self::Black => "black",
        }
    }
}

/// A class of plates, by the number of its code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PlateClass(u8);

/// Code, Chinese name, English name, colour where one is usual.
type Row = (u8, &'static str, &'static str, Option<PlateColour>);

const CLASSES: [Row; 27] = [
    (1, "大型汽车", "large vehicle", Some(PlateColour::Yellow)),
    (2, "小型汽车", "small vehicle", Some(PlateColour::Blue)),
    (3, "使馆汽车", "embassy vehicle", Some(PlateColour::Black)),
    (4, "领馆汽车", "consulate vehicle", Some(PlateColour::Black)),
    (
        5,
        "境外汽车",
        "vehicle from outside the mainland",
        Some(PlateColour::Black),
    ),
    (6, "外籍汽车", "foreign-owned vehicle", Some(PlateColour::Black)),
    (7, "两、三轮摩托车", "motorcycle", Some(PlateColour::Yellow)),
    (8, "轻便摩托车", "light motorcycle", Some(PlateColour::Blue)),
    (9, "使馆摩托车", "embassy motorcycle", Some(PlateColour::Black)),
    (10, "领馆摩托车", "consulate motorcycle", Some(PlateColour::Black)),
    (
        11,
        "境外摩托车",
        "motorcycle from outside the mainland",
        Some(PlateColour::Black),
    ),
    (
        12,
        "外籍摩托车",
        "foreign-owned motorcycle",
        Some(PlateColour::Black),
    ),
    (13, "低速车", "low-speed vehicle", Some(PlateColour::Yellow)),
    (14, "拖拉机", "tractor", None),
    (15, "挂车", "trailer", Some(PlateColour::Yellow)),
    (
        16,
        "教练汽车",
        "driving-school vehicle",
        Some(PlateColour::Yellow),
    ),
    (
        17,
        "教练摩托车",
        "driving-school motorcycle",
        Some(PlateColour::Yellow),
    ),
    (18, "试验汽车", "test vehicle", None),
    (19, "试验摩托车", "test motorcycle", None),
    (20, "临时入境汽车", "temporary entry vehicle", None),
    (21, "临时入境摩托车", "temporary entry motorcycle", None),
    (22, "临时行驶车", "temporary plate", None),
    (23, "警用汽车", "police vehicle", Some(PlateColour::White)),
    (24, "警用摩托车", "police motorcycle", Some(PlateColour::White)),
    (25, "原农机", "former agricultural machine", None),
    (
        51,
        "大型新能源汽车",
        "large new-energy vehicle",
        Some(PlateColour::YellowGreen),
    ),
    (
        52,
        "小型新能源汽车",
        "small new-energy vehicle",
        Some(PlateColour::GradientGreen),
    ),
];

impl PlateClass {
    /// Reads a code such as `02`; full-width digits and a missing leading zero are accepted.
    ///
    /// # Errors
    /// Anything that is no code of the table.
    pub fn parse(raw: &str) -> Result<Self, IdentifierError> {
        bound(raw)?;
        let text: String = raw.trim().chars().map(narrow).collect();
        let is_code = matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit());
        let code = if is_code { text.parse().ok() } else { None };
        code.and_then(Self::from_number)
            .ok_or(IdentifierError::UnknownPlateClass)
    }

    /// The class with this number, such as 2 for `02`.
    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        CLASSES
            .iter()
            .any(|row| row.0 == number)
            .then_some(PlateClass(number))
    }

    /// Every class, in the order of the codes.
    pub fn all() -> impl Iterator<Item = PlateClass> {
        CLASSES.iter().map(|row| PlateClass(row.0))
    }

    /// The two digits of the code.
    #[must_use]
    pub fn code(self) -> String {
        format!("{:02}", self.0)
    }

    /// The Chinese name.
    #[must_use]
    pub fn zh(self) -> &'static str {
        self.row().1
    }

    /// The English name.
    #[must_use]
    pub fn en(self) -> &'static str {
        self.row().2
    }

    /// The colour of its plates, where one is usual.
    #[must_use]
    pub fn colour(self) -> Option<PlateColour> {
        self.row().3
    }

    /// Whether the register of the public security organs holds it; tractors are with agriculture.
    #[must_use]
    pub fn covered(self) -> bool {
        !matches!(self.0, 14 | 25)
    }

    fn row(self) -> Row {
        // A class is only made from a row, so the search cannot fail; the first row stands in for the type's sake.
        CLASSES
            .iter()
            .find(|row| row.0 == self.0)
            .copied()
            .unwrap_or(CLASSES[0])
    }
}
