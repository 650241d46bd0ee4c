//! Test subjects of whoever rehearses with records of their own: the population register and the carrier know them,
//! nobody else does.

use std::collections::BTreeMap;

use domain::words::Bilingual;

use crate::persona::Persona;

/// How many guests a sandbox takes: a rehearsal tries a few people.
const MAX: usize = 100;
/// Phones from 179-1000-0000 on, which neither the personas nor the crowd use.
const FIRST_PHONE: usize = 10_000_000;

/// The guests with these names and numbers, each with a phone; a number that came before is no further guest.
#[must_use]
pub fn guests<'a>(people: impl IntoIterator<Item = (&'a str, &'a str)>) -> Vec<Persona> {
    let mut guests: Vec<Persona> = Vec::new();
    for (name, number) in people {
        if guests.len() < MAX && guests.iter().all(|guest| guest.id_number != number) {
            guests.push(guest(guests.len(), name, number));
        }
    }
    guests
}

fn guest(at: usize, name: &str, number: &str) -> Persona {
    Persona {
        id: format!("guest-{}", at + 1),
        about: Bilingual::new("您自己的测试对象", "A test subject of your own"),
        name: name.to_owned(),
        former_names: Vec::new(),
        id_number: number.to_owned(),
        former_id_numbers: Vec::new(),
        document_until: None,
        phone: Some(format!("179{:08}", FIRST_PHONE + at)),
        phone_in_name_of: None,
        children: Vec::new(),
        canary: false,
        always: BTreeMap::new(),
        licence: None,
        vehicles: Vec::new(),
    }
}
