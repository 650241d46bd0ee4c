//! Identifiers of people and vehicles: each is parsed once, by one constructor, into a type that is right by
//! construction.
//!
//! What they share:
//! - `parse` normalises width, case and separators, and returns [`Parsed`] with what is odd but lawful as
//!   [`Warning`]s, or one precise [`IdentifierError`]. A look-alike (O for 0) is suggested, never changed.
//! - `expose` is the only way to read the text. `Debug` redacts, there is no `Display` and no serde, so that a
//!   number cannot be written anywhere by mistake. The text is overwritten on drop.
//! - A well-formed identifier need not exist: only the authority knows that.

mod area;
mod certificate_number;
pub mod countries;
pub mod divisions;
mod error;
mod id_number;
mod inspect;
mod licence_file_number;
mod makers;
mod person_name;
mod phone;
mod plate;
mod plate_authority;
mod plate_class;
mod private;
mod text;
mod vin;
mod warning;

pub use area::Area;
pub use certificate_number::{CertificateKind, CertificateNumber};
pub use error::IdentifierError;
pub use id_number::{IdDocument, IdNumber, Sex};
pub use inspect::{Finding, InspectType, Inspection, inspect};
pub use licence_file_number::LicenceFileNumber;
pub use makers::Maker;
pub use person_name::{NameComparison, PersonName, SourceEncoding};
pub use phone::Phone;
pub use plate::{Plate, PlateKind};
pub use plate_class::{PlateClass, PlateColour};
pub use text::is_invisible;
pub use vin::{CheckDigit, Region, Vin};
pub use warning::Warning;

/// A value that was parsed, with what is odd about it but no reason to refuse it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    /// The value.
    pub value: T,
    /// What is odd about it, in the order of discovery; bounded by the number of variants of [`Warning`].
    pub warnings: Vec<Warning>,
}

impl<T> Parsed<T> {
    /// A value about which nothing is odd.
    fn clean(value: T) -> Self {
        Parsed {
            value,
            warnings: Vec::new(),
        }
    }
}
