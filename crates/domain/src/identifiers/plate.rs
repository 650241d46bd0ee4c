//! Number plates (GA 36-2018). A plate alone names no vehicle: its class belongs to the key, and so does a date.

use super::area::Area;
use super::plate_authority::{area, city, is_province, province_name};
use super::private::{Private, mask, private_text};
use super::text::{Folded, fold};
use super::{IdentifierError, Parsed, PlateClass, PlateColour, Warning};

/// What the form of a plate says about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum PlateKind {
    /// Province, letter, five characters.
    Ordinary,
    /// Six characters of which the first is D A B C E (pure electric) or F G H J K (other).
    NewEnergySmall,
    /// Six characters of which the last is one of those letters.
    NewEnergyLarge,
    /// 挂.
    Trailer,
    /// 学.
    DrivingSchool,
    /// 警.
    Police,
    /// 粤Z…港.
    HongKong,
    /// 粤Z…澳.
    Macao,
    /// 领.
    Consulate,
    /// 使.
    Embassy,
    /// 应急: fire and forest fire brigades.
    Emergency,
    /// 试.
    Test,
    /// 超.
    Oversize,
    /// Armed forces.
    Army,
    /// WJ.
    ArmedPolice,
    /// Province, two digits, five characters: given out by agriculture.
    Tractor,
}

impl PlateKind {
    /// The stable code of the kind.
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Self::Ordinary => "ordinary",
            Self::NewEnergySmall => "new-energy-small",
            Self::NewEnergyLarge => "new-energy-large",
            Self::Trailer => "trailer",
            Self::DrivingSchool => "driving-school",
            Self::Police => "police",
            Self::HongKong => "hong-kong",
            Self::Macao => "macao",
            Self::Consulate => "consulate",
            Self::Embassy => "embassy",
            Self::Emergency => "emergency",
            Self::Test => "test",
            Self::Oversize => "oversize",
            Self::Army => "army",
            Self::ArmedPolice => "armed-police",
            Self::Tractor => "tractor",
        }
    }

    /// Whether the register of the public security organs holds such plates.
    #[must_use]
    pub fn covered(self) -> bool {
        !matches!(self, Self::Army | Self::ArmedPolice | Self::Tractor)
    }

    /// Numbers of the classes that such a plate can have; none where we know of no class.
    fn classes(self) -> &'static [u8] {
        match self {
            Self::Ordinary => &[1, 2, 5, 6, 7, 8, 11, 12, 13],
            Self::NewEnergySmall => &[52],
            Self::NewEnergyLarge => &[51],
            Self::Trailer => &[15],
            Self::DrivingSchool => &[16, 17],
            Self::Police => &[23, 24],
            Self::Consulate => &[4, 10],
            Self::Embassy => &[3, 9],
            Self::Test => &[18, 19, 22],
            Self::Oversize => &[22],
            Self::Tractor => &[14, 25],
            Self::HongKong | Self::Macao | Self::Emergency | Self::Army | Self::ArmedPolice => &[],
        }
    }
}

/// A plate, without spaces and dots, in capitals.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Plate {
    text: Private,
    kind: PlateKind,
}

private_text!(Plate);

impl Plate {
    /// Reads a plate as it is typed.
    ///
    /// # Errors
    /// The first thing that does not fit any form of plate.
    pub fn parse(raw: &str) -> Result<Parsed<Self>, IdentifierError> {
        let folded = fold(raw)?;
        let (kind, mut warnings) = recognise(&folded)?;
        let value = Plate {
            text: Private::of(&folded.characters),
            kind,
        };
        if !kind.covered() {
            warnings.push(Warning::NotCovered);
        } else if kind.classes().is_empty() {
            warnings.push(Warning::ClassUnknown);
        }
        Ok(Parsed { value, warnings })
    }
    /// What the form of the plate says.
    #[must_use]
    pub fn kind(&self) -> PlateKind {
        self.kind
    }

    /// Whether the register of the public security organs holds it. If not, a look-up answers "not covered",
    /// never "not found".
    #[must_use]
    pub fn covered(&self) -> bool {
        self.kind.covered()
    }

    /// The classes that a plate of this form can have; empty where none is known.
    pub fn possible_classes(&self) -> impl Iterator<Item = PlateClass> {
        self.kind
            .classes()
            .iter()
            .filter_map(|number| PlateClass::from_number(*number))
    }

    /// Whether the plate can be of that class. A plate whose classes are not known can be of any.
    #[must_use]
    pub fn can_be(&self, class: PlateClass) -> bool {
        self.kind.classes().is_empty() || self.possible_classes().any(|possible| possible == class)
    }

    /// Whether plate and class can name a vehicle together. What another register holds is not judged: it is to be
    /// answered as not covered, whatever else was chosen.
    #[must_use]
    pub fn fits(&self, class: PlateClass) -> bool {
        self.can_be(class) || !self.covered() || !class.covered()
    }

    /// The colours that a plate of this form can have, each once.
    #[must_use]
    pub fn possible_colours(&self) -> Vec<PlateColour> {
        let mut colours: Vec<PlateColour> = match self.kind {
            PlateKind::HongKong | PlateKind::Macao => vec![PlateColour::Black],
            _ => self.possible_classes().filter_map(PlateClass::colour).collect(),
        };
        colours.sort_unstable();
        colours.dedup();
        colours
    }

    /// The character of the province, such as 京; none on the plates of armed forces and embassies.
    #[must_use]
    pub fn province(&self) -> Option<char> {
        self.expose().chars().next().filter(|first| is_province(*first))
    }

    /// The name of that province.
    #[must_use]
    pub fn province_name(&self) -> Option<&'static str> {
        self.province().and_then(province_name)
    }

    /// The letter of the authority within the province, where the form has one.
    #[must_use]
    pub fn authority(&self) -> Option<char> {
        let has_none = matches!(self.kind, PlateKind::Emergency);
        let letter = self.expose().chars().nth(1).filter(char::is_ascii_uppercase);
        letter.filter(|_| !has_none && self.province().is_some())
    }

    /// The city of that authority, where the table has it.
    #[must_use]
    pub fn city(&self) -> Option<&'static str> {
        city(self.province()?, self.authority()?)
    }

    /// The area of that city, or of the province; none on the plates of armed forces and embassies.
    #[must_use]
    pub fn area(&self) -> Option<Area> {
        area(self.province()?, self.authority())
    }

    /// The area of all plates that begin like this: a province's character, perhaps an authority's letter after it.
    #[must_use]
    pub fn area_of_prefix(prefix: &str) -> Option<Area> {
        let mut characters = prefix.chars();
        let (province, letter) = (characters.next()?, characters.next());
        let known = letter.is_none_or(|letter| city(province, letter).is_some());
        area(province, letter).filter(|_| known && characters.next().is_none())
    }

    /// The first two and the last two characters, the rest as `*`.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(self.expose(), 2, 2)
    }
}

type Recognised = Result<(PlateKind, Vec<Warning>), IdentifierError>;

fn recognise(folded: &Folded) -> Recognised {
    match folded.characters.as_slice() {
        ['使', ..] => embassy(folded, 1),
        [.., '使'] => embassy(folded, 0),
        ['W', 'J', ..] => armed_police(folded),
        [first, .., '应', '急'] if is_province(*first) => emergency(folded),
        [first, .., last] if is_province(*first) => match suffix(*last) {
            Some(kind) => with_suffix(folded, kind),
            None => without_suffix(folded),
        },
        [first] if is_province(*first) => without_suffix(folded),
        _ => army(folded),
    }
}

/// Both ways in which the standard shows an embassy's plate: 使 first or last, and six digits.
fn embassy(folded: &Folded, digits_from: usize) -> Recognised {
    demand_length(folded, 7, "7 (使 and six digits)")?;
    folded.demand_digits(digits_from..digits_from + 6)?;
    Ok((PlateKind::Embassy, Vec::new()))
}

/// WJ, in most years the province, and four to seven characters. Its order is not public.
fn armed_police(folded: &Folded) -> Recognised {
    let rest = &folded.characters[2..];
    let serial = if rest.first().is_some_and(|c| is_province(*c)) {
        &rest[1..]
    } else {
        rest
    };
    if (4..=7).contains(&serial.len()) && serial.iter().all(char::is_ascii_alphanumeric) {
        Ok((PlateKind::ArmedPolice, Vec::new()))
    } else {
        Err(IdentifierError::Shape {
            expected: "WJ, the province and four to seven digits or letters",
        })
    }
}

/// Two letters and five digits, as in VA12345, or a service's character, a letter and five digits, as until 2013.
fn army(folded: &Folded) -> Recognised {
    const SERVICES: &str = "VKHBSLJNGC军海空北沈兰济南广成";
    match folded.characters.as_slice() {
        [service, letter, digits @ ..]
            if SERVICES.contains(*service)
                && letter.is_ascii_uppercase()
                && digits.len() == 5
                && digits.iter().all(char::is_ascii_digit) =>
        {
            Ok((PlateKind::Army, Vec::new()))
        }
        _ => Err(IdentifierError::UnknownProvince),
    }
}

/// The province, X for fire or S for forest fire, and four digits; the ministry's own are all digits.
fn emergency(folded: &Folded) -> Recognised {
    demand_length(folded, 8, "8, 应急 counted as two")?;
    let letter = folded.characters[1];
    if letter.is_ascii_digit() {
        folded.demand_digits(1..6)?;
    } else if matches!(letter, 'X' | 'S') {
        folded.demand_digits(2..6)?;
    } else {
        return Err(folded.misplaced(1));
    }
    Ok((PlateKind::Emergency, Vec::new()))
}

fn suffix(last: char) -> Option<PlateKind> {
    match last {
        '挂' => Some(PlateKind::Trailer),
        '学' => Some(PlateKind::DrivingSchool),
        '警' => Some(PlateKind::Police),
        '港' => Some(PlateKind::HongKong),
        '澳' => Some(PlateKind::Macao),
        '领' => Some(PlateKind::Consulate),
        '试' => Some(PlateKind::Test),
        '超' => Some(PlateKind::Oversize),
        _ => None,
    }
}

/// Province, letter, four characters and the suffix. A consulate may have five digits and no letter; only 粤Z
/// crosses the border to Hong Kong and Macao.
fn with_suffix(folded: &Folded, kind: PlateKind) -> Recognised {
    demand_length(folded, 7, "7 with the suffix")?;
    if kind == PlateKind::Consulate && folded.characters[1].is_ascii_digit() {
        folded.demand_digits(1..6)?;
        return Ok((kind, Vec::new()));
    }
    let crosses = matches!(kind, PlateKind::HongKong | PlateKind::Macao);
    if crosses && folded.characters[..2] != ['粤', 'Z'] {
        return Err(IdentifierError::SuffixPattern);
    }
    let mut warnings = demand_authority(folded)?;
    demand_serial(folded, 2..6)?;
    warnings.extend(many_letters(&folded.characters[2..6]));
    Ok((kind, warnings))
}

/// Ordinary plates, new-energy plates and the tractors of agriculture, which have digits for the authority.
fn without_suffix(folded: &Folded) -> Recognised {
    let characters = folded.characters.as_slice();
    match characters {
        [_, a, b, rest @ ..]
            if rest.len() == 5
                && a.is_ascii_digit()
                && b.is_ascii_digit()
                && rest.iter().all(char::is_ascii_alphanumeric) =>
        {
            Ok((PlateKind::Tractor, Vec::new()))
        }
        _ => {
            if !matches!(characters.len(), 7 | 8) {
                let expected = "7, or 8 on a new-energy plate";
                return Err(IdentifierError::WrongLength {
                    expected,
                    found: characters.len(),
                });
            }
            let mut warnings = demand_authority(folded)?;
            demand_serial(folded, 2..characters.len())?;
            if characters.len() == 8 {
                return Ok((new_energy(folded)?, warnings));
            }
            warnings.extend(many_letters(&characters[2..]));
            Ok((PlateKind::Ordinary, warnings))
        }
    }
}

/// Pure electric vehicles have D A B C E, other new-energy vehicles F G H J K: at the first place of a small
/// vehicle's plate, at the last of a large one's; all else are digits but for the small one's second place.
fn new_energy(folded: &Folded) -> Result<PlateKind, IdentifierError> {
    let serial = &folded.characters[2..8];
    let small = serial[0].is_ascii_uppercase();
    let fits = |at: usize| match at {
        0 if small => matches!(serial[at], 'A'..='H' | 'J' | 'K'),
        1 if small => true,
        5 if !small => matches!(serial[at], 'A'..='H' | 'J' | 'K'),
        _ => serial[at].is_ascii_digit(),
    };
    match (0..6).find(|at| !fits(*at)) {
        Some(at) => Err(IdentifierError::NewEnergyPattern {
            position: folded.position(2 + at),
        }),
        None if small => Ok(PlateKind::NewEnergySmall),
        None => Ok(PlateKind::NewEnergyLarge),
    }
}

fn demand_length(folded: &Folded, length: usize, expected: &'static str) -> Result<(), IdentifierError> {
    match folded.characters.len() {
        found if found == length => Ok(()),
        found => Err(IdentifierError::WrongLength { expected, found }),
    }
}

/// The second character is a letter; one that is not in the table only warns, since authorities come and go.
fn demand_authority(folded: &Folded) -> Result<Vec<Warning>, IdentifierError> {
    let (province, letter) = (folded.characters[0], folded.characters[1]);
    if letter.is_ascii_uppercase() && letter != 'I' {
        let known = city(province, letter).is_some();
        return Ok(if known {
            Vec::new()
        } else {
            vec![Warning::UnknownAuthority]
        });
    }
    // 鲁O exists, so that a zero there may have been meant as the letter.
    let suggestion = Some('O').filter(|o| letter == '0' && city(province, *o).is_some());
    Err(IdentifierError::Character {
        position: folded.position(1),
        suggestion,
    })
}

/// Digits and letters without I and O.
fn demand_serial(folded: &Folded, range: std::ops::Range<usize>) -> Result<(), IdentifierError> {
    let allowed = |c: char| c.is_ascii_digit() || (c.is_ascii_uppercase() && !matches!(c, 'I' | 'O'));
    match range.into_iter().find(|at| !allowed(folded.characters[*at])) {
        Some(at) => Err(folded.misplaced(at)),
        None => Ok(()),
    }
}

fn many_letters(serial: &[char]) -> Option<Warning> {
    let letters = serial.iter().filter(|c| c.is_ascii_uppercase()).count();
    (letters > 2).then_some(Warning::UnusualSerial)
}
