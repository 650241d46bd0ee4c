//! Whom the cases are about. Everybody is invented; see the sandbox.

use sandbox::{Persona, Vehicle};
use serde_json::{Value, json};

/// The persona with this slug.
#[track_caller]
pub(crate) fn persona(id: &str) -> &'static Persona {
    sandbox::persona(id).unwrap_or_else(|| panic!("there is no persona {id}"))
}

/// Somebody with a record of every kind, who holds their own phone.
pub(crate) fn chen() -> &'static Persona {
    persona("chen-weidong")
}

/// His wife: co-owner of one of his cars.
pub(crate) fn li() -> &'static Persona {
    persona("li-meiling")
}

/// Somebody with a vehicle, a licence and nothing to do with the Chens.
pub(crate) fn gulbahar() -> &'static Persona {
    persona("gulbahar")
}

/// All who can prove their name by their own phone.
pub(crate) fn provable() -> impl Iterator<Item = &'static Persona> {
    let asked = ["population/identity/match", "carrier/holder/match"];
    let today = "2026-11-22".parse().unwrap();
    sandbox::personas().iter().filter(move |p| {
        let holds = p.phone.is_some() && p.phone_in_name_of.is_none();
        let valid = p.document_ends(today).is_none_or(|end| end >= today);
        let name = domain::identifiers::PersonName::parse(&p.name).unwrap().value;
        let in_gbk = name.is_encodable(domain::identifiers::SourceEncoding::Gbk);
        holds && valid && in_gbk && asked.iter().all(|path| !p.always.contains_key(*path))
    })
}

/// How a vehicle is looked up.
pub(crate) fn key(vehicle: &Vehicle) -> Value {
    json!({ "plate": vehicle.plate, "plate_class": vehicle.class })
}

/// A persona as the subject of a question.
pub(crate) fn subject(persona: &Persona) -> Value {
    json!({ "name": persona.name, "id_number": persona.id_number })
}

/// A question about oneself, in mode `read`.
pub(crate) fn about_me(kind: &str) -> Value {
    json!({ "kind": kind, "mode": "read", "subject": "self", "purpose": "own-information" })
}

/// A question about a vehicle of one's own, in mode `read`.
pub(crate) fn my_vehicle(kind: &str, vehicle: &Vehicle) -> Value {
    with(about_me(kind), "key", key(vehicle))
}

/// The same question with another member.
pub(crate) fn with(mut question: Value, member: &str, value: impl Into<Value>) -> Value {
    question[member] = value.into();
    question
}
