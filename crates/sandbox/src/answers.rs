//! What each path answers. Strict: a record is told only where name, number and key fit each other, and what does
//! not fit gets the same answer as what does not exist.

mod carrier;
mod civil_affairs;
pub(crate) mod insurance;
mod population;
pub(crate) mod repair;
mod reviews;
mod traffic;

use std::borrow::Cow;

use domain::{
    identifiers::{NameComparison, PersonName},
    time::Timestamp,
};
use jiff::civil::Date;
use serde_json::{Map, Value};

use crate::{
    persona::Persona,
    register::{Owned, Register, personas},
    reviews::{Plan, Reviews},
    wire::{self, Answered, Asked, Code, OfPerson, OfVehicle},
};

/// One thing that can be asked of one authority.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Path {
    VehicleQuery,
    VehicleList,
    VehicleViolations,
    VehicleInsurance,
    LicenceQuery,
    DriverViolations,
    EvidenceQuery,
    ReviewSubmit,
    ReviewQuery,
    IdentityMatch,
    IdentityPortrait,
    HolderMatch,
    MarriageQuery,
    PolicyQuery,
    RecordQuery,
}

/// What an answer depends on besides the request.
pub(crate) struct World<'a> {
    pub(crate) register: &'a Register,
    pub(crate) now: Timestamp,
    pub(crate) reviews: &'a Reviews,
    /// What becomes of a review that is handed in now.
    pub(crate) plan: Plan,
}

impl World<'_> {
    pub(crate) fn today(&self) -> Date {
        self.now.date_in_china()
    }

    /// The holder of the number, if the name is theirs.
    fn person(&self, asked: &Asked) -> Result<Cow<'static, Persona>, Code> {
        let who = self
            .register
            .person(asked.number.expose())
            .ok_or(Code::NotFound)?;
        if same_name(&asked.name, &who.name) {
            Ok(who)
        } else {
            Err(Code::NotFound)
        }
    }

    /// The person who asks, and the vehicle that bears this plate, whoever has it.
    fn person_and_vehicle(&self, body: &[u8]) -> Result<(Cow<'static, Persona>, Owned), Code> {
        let OfVehicle {
            qqlsh,
            xm,
            sfzmhm,
            hphm,
            hpzl,
        } = wire::read(body)?;
        let asked = wire::asked(&qqlsh, &xm, &sfzmhm, self.today())?;
        wire::plate(&hphm, &hpzl)?;
        let who = self.person(&asked)?;
        let owned = self.register.vehicle(&hphm, &hpzl).ok_or(Code::NotFound)?;
        Ok((who, owned))
    }

    /// The vehicle, if whoever asks is its owner or co-owner.
    fn own_vehicle(&self, body: &[u8]) -> Result<Owned, Code> {
        let (who, owned) = self.person_and_vehicle(body)?;
        if is_owner(&who, &owned) {
            Ok(owned)
        } else {
            Err(Code::NotFound)
        }
    }

    /// The person whom a request without a key is about.
    fn person_alone(&self, body: &[u8]) -> Result<Cow<'static, Persona>, Code> {
        let OfPerson { qqlsh, xm, sfzmhm } = wire::read(body)?;
        self.person(&wire::asked(&qqlsh, &xm, &sfzmhm, self.today())?)
    }
}

fn is_owner(who: &Persona, owned: &Owned) -> bool {
    owned.owner.id == who.id || owned.vehicle().co_owner.as_deref() == Some(who.id.as_str())
}

fn same_name(asked: &PersonName, held: &str) -> bool {
    // The same text is the usual case, and cheap.
    asked.expose() == held
        || PersonName::parse(held).is_ok_and(|held| asked.compare(&held.value) == NameComparison::Same)
}

impl Path {
    /// Every path.
    pub(crate) const ALL: [Path; 15] = [
        Path::VehicleQuery,
        Path::VehicleList,
        Path::VehicleViolations,
        Path::VehicleInsurance,
        Path::LicenceQuery,
        Path::DriverViolations,
        Path::EvidenceQuery,
        Path::ReviewSubmit,
        Path::ReviewQuery,
        Path::IdentityMatch,
        Path::IdentityPortrait,
        Path::HolderMatch,
        Path::MarriageQuery,
        Path::PolicyQuery,
        Path::RecordQuery,
    ];

    /// Authority and path, as switches and personas name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Path::VehicleQuery => "traffic/vehicle/query",
            Path::VehicleList => "traffic/vehicle/list",
            Path::VehicleViolations => "traffic/vehicle/violations",
            Path::VehicleInsurance => "traffic/vehicle/insurance",
            Path::LicenceQuery => "traffic/licence/query",
            Path::DriverViolations => "traffic/driver/violations",
            Path::EvidenceQuery => "traffic/evidence/query",
            Path::ReviewSubmit => "traffic/review/submit",
            Path::ReviewQuery => "traffic/review/query",
            Path::IdentityMatch => "population/identity/match",
            Path::IdentityPortrait => "population/identity/portrait",
            Path::HolderMatch => "carrier/holder/match",
            Path::MarriageQuery => "civil-affairs/marriage/query",
            Path::PolicyQuery => "insurance/policy/query",
            Path::RecordQuery => "repair/record/query",
        }
    }

    /// Whether reviews of what it answers are taken: traffic management takes them of all its records.
    pub(crate) fn is_reviewed(self) -> bool {
        matches!(
            self,
            Path::VehicleQuery
                | Path::VehicleList
                | Path::VehicleViolations
                | Path::VehicleInsurance
                | Path::LicenceQuery
                | Path::DriverViolations
        )
    }

    /// The path with this name.
    pub(crate) fn of(name: &str) -> Option<Path> {
        Path::ALL.into_iter().find(|path| path.name() == name)
    }

    /// The honest answer.
    pub(crate) fn answer(self, world: &World<'_>, body: &[u8]) -> Answered {
        match self {
            Path::VehicleQuery => traffic::vehicle(world, body),
            Path::VehicleList => traffic::vehicle_list(world, body),
            Path::VehicleViolations => traffic::vehicle_violations(world, body),
            Path::VehicleInsurance => traffic::vehicle_insurance(world, body),
            Path::LicenceQuery => traffic::licence(world, body),
            Path::DriverViolations => traffic::driver_violations(world, body),
            Path::EvidenceQuery => traffic::evidence(world, body),
            Path::ReviewSubmit => reviews::submit(world, body),
            Path::ReviewQuery => reviews::status(world, body),
            Path::IdentityMatch => population::identity(world, body),
            Path::IdentityPortrait => population::portrait(world, body),
            Path::HolderMatch => carrier::holder(world, body),
            Path::MarriageQuery => civil_affairs::marriage(world, body),
            Path::PolicyQuery => insurance::policies(world, body),
            Path::RecordQuery => repair::visits(world, body),
        }
    }

    /// The record of somebody else than `number`: the first persona of whom there is one. A comparison lies by
    /// saying that all fits.
    pub(crate) fn somebody_elses(self, world: &World<'_>, number: &str) -> Answered {
        let others = || personas().iter().filter(|other| other.id_number != number);
        let answered = match self {
            Path::IdentityMatch | Path::IdentityPortrait | Path::HolderMatch => return Ok(Map::new()),
            Path::ReviewSubmit | Path::ReviewQuery => return Ok(somebody_elses_review()),
            Path::VehicleList | Path::LicenceQuery | Path::DriverViolations | Path::MarriageQuery => {
                others().find_map(|other| self.answer(world, &request(other, &[])).ok())
            }
            Path::EvidenceQuery => {
                let theirs = others().flat_map(|other| {
                    let violations = other.vehicles.iter().flat_map(|vehicle| &vehicle.violations);
                    violations.filter_map(move |violation| Some((other, violation.image.as_deref()?)))
                });
                theirs
                    .map(|(other, handle)| request(other, &[("zjbh", handle)]))
                    .find_map(|request| self.answer(world, &request).ok())
            }
            Path::VehicleQuery
            | Path::VehicleViolations
            | Path::VehicleInsurance
            | Path::PolicyQuery
            | Path::RecordQuery => {
                // Nothing that is shared with the person asked about, or it would not be somebody else's.
                let is_strange =
                    |at: &str| crate::register::persona(at).is_none_or(|p| p.id_number != number);
                let theirs =
                    others().flat_map(|other| other.vehicles.iter().map(move |vehicle| (other, vehicle)));
                theirs
                    .filter(|(_, vehicle)| vehicle.co_owner.as_deref().is_none_or(is_strange))
                    .filter(|(_, vehicle)| {
                        vehicle
                            .policies
                            .iter()
                            .all(|p| p.insured.as_deref().is_none_or(is_strange))
                    })
                    .find_map(|(other, vehicle)| {
                        let plate = [("hphm", vehicle.plate.as_str()), ("hpzl", vehicle.class.as_str())];
                        self.answer(world, &request(other, &plate)).ok()
                    })
            }
        };
        answered.ok_or(Code::NotFound)
    }
}

/// A review of nobody in particular, answered.
fn somebody_elses_review() -> Map<String, Value> {
    let mut data = Map::new();
    put(&mut data, "fhbh", Some("FH-0000-0000-0000"));
    put(&mut data, "slh", Some("SBX-00000000"));
    put(&mut data, "zt", Some("2"));
    put(&mut data, "clyj", Some("他人的复核（模拟）"));
    data
}

/// The request by which a persona asks about themselves.
fn request(who: &Persona, more: &[(&str, &str)]) -> Vec<u8> {
    let mut body = Map::new();
    body.insert("qqlsh".into(), uuid::Uuid::nil().to_string().into());
    body.insert("xm".into(), who.name.as_str().into());
    body.insert("sfzmhm".into(), who.id_number.as_str().into());
    for (member, value) in more {
        body.insert((*member).to_owned(), (*value).into());
    }
    Value::Object(body).to_string().into_bytes()
}

/// A member whose value is a text, or absent.
fn put(data: &mut Map<String, Value>, member: &str, value: Option<impl Into<Value>>) {
    if let Some(value) = value {
        data.insert(member.to_owned(), value.into());
    }
}
