//! All invented people with what the registers hold of them, read once and indexed by what one asks with.

use std::{borrow::Cow, collections::BTreeMap, sync::LazyLock};

use serde::Deserialize;

use crate::{
    crowd::Crowd,
    persona::{Marriage, Outsider, Party, Persona, Vehicle},
};

/// In the order in which they are shown.
const FILES: [&str; 8] = [
    include_str!("../personas/01-families.toml"),
    include_str!("../personas/02-couples.toml"),
    include_str!("../personas/03-names.toml"),
    include_str!("../personas/04-documents.toml"),
    include_str!("../personas/05-drivers.toml"),
    include_str!("../personas/06-vehicles.toml"),
    include_str!("../personas/07-nothing.toml"),
    include_str!("../personas/08-canaries.toml"),
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    persona: Vec<Persona>,
    #[serde(default)]
    marriages: Vec<Marriage>,
}

struct Cast {
    personas: Vec<Persona>,
    marriages: Vec<Marriage>,
}

static CAST: LazyLock<Cast> = LazyLock::new(|| {
    let mut cast = Cast {
        personas: Vec::new(),
        marriages: Vec::new(),
    };
    for text in FILES {
        // INVARIANT: the files are part of the program, and the tests read them.
        let file: File = toml::from_str(text).expect("the personas' files are sound");
        cast.personas.extend(file.persona);
        cast.marriages.extend(file.marriages);
    }
    cast
});

/// Every persona, in the order in which they are shown.
#[must_use]
pub fn personas() -> &'static [Persona] {
    &CAST.personas
}

/// Every registration of a marriage.
#[must_use]
pub fn marriages() -> &'static [Marriage] {
    &CAST.marriages
}

/// The persona with this slug.
#[must_use]
pub fn persona(id: &str) -> Option<&'static Persona> {
    static BY_ID: LazyLock<BTreeMap<&str, &Persona>> =
        LazyLock::new(|| personas().iter().map(|p| (p.id.as_str(), p)).collect());
    BY_ID.get(id).copied()
}

impl Party {
    /// Name and number of this party; nothing only if a persona's id were wrong, which a test excludes.
    #[must_use]
    pub fn identity(&self) -> Option<(&str, &str)> {
        match self {
            Party::Persona(id) => persona(id).map(|p| (p.name.as_str(), p.id_number.as_str())),
            Party::Other(Outsider { name, id_number }) => Some((name, id_number)),
        }
    }
}

/// One vehicle with the person in whose name it is.
#[derive(Clone)]
pub(crate) struct Owned {
    pub(crate) owner: Cow<'static, Persona>,
    at: usize,
}

impl Owned {
    /// Every persona's vehicles. The crowd's have no violations, for which alone all are gone through.
    pub(crate) fn all() -> impl Iterator<Item = Owned> {
        personas().iter().flat_map(|owner| {
            (0..owner.vehicles.len()).map(move |at| Owned {
                owner: Cow::Borrowed(owner),
                at,
            })
        })
    }

    pub(crate) fn vehicle(&self) -> &Vehicle {
        &self.owner.vehicles[self.at]
    }
}

/// What the authorities search: the personas by every key, and behind them guests and crowd.
pub(crate) struct Register {
    by_number: BTreeMap<&'static str, &'static Persona>,
    by_phone: BTreeMap<&'static str, &'static Persona>,
    by_plate: BTreeMap<(&'static str, &'static str), (&'static Persona, usize)>,
    shared: BTreeMap<&'static str, Vec<(&'static Persona, usize)>>,
    marriages: BTreeMap<&'static str, Vec<&'static Marriage>>,
    pub(crate) crowd: Crowd,
    pub(crate) guests: Vec<Persona>,
}

impl Register {
    pub(crate) fn new() -> Self {
        let mut register = Register {
            by_number: BTreeMap::new(),
            by_phone: BTreeMap::new(),
            by_plate: BTreeMap::new(),
            shared: BTreeMap::new(),
            marriages: BTreeMap::new(),
            crowd: Crowd::default(),
            guests: Vec::new(),
        };
        for who in personas() {
            register.by_number.insert(&who.id_number, who);
            if let Some(phone) = &who.phone {
                let holder = who.phone_in_name_of.as_deref().and_then(persona).unwrap_or(who);
                register.by_phone.insert(phone, holder);
            }
            for (at, vehicle) in who.vehicles.iter().enumerate() {
                register
                    .by_plate
                    .insert((&vehicle.plate, &vehicle.class), (who, at));
                if let Some(other) = vehicle.co_owner.as_deref().and_then(persona) {
                    register
                        .shared
                        .entry(&other.id_number)
                        .or_default()
                        .push((who, at));
                }
            }
        }
        for marriage in marriages() {
            for (_, number) in marriage.parties.iter().filter_map(Party::identity) {
                register.marriages.entry(number).or_default().push(marriage);
            }
        }
        register
    }

    /// The holder of a number.
    pub(crate) fn person(&self, number: &str) -> Option<Cow<'static, Persona>> {
        match self.by_number.get(number) {
            Some(who) => Some(Cow::Borrowed(*who)),
            None => {
                let crowd = || self.crowd.by_number(number);
                self.guest(|guest| guest.id_number == number)
                    .or_else(crowd)
                    .map(Cow::Owned)
            }
        }
    }

    /// The person in whose name a carrier has a phone.
    pub(crate) fn phone_holder(&self, phone: &str) -> Option<Cow<'static, Persona>> {
        match self.by_phone.get(phone) {
            Some(who) => Some(Cow::Borrowed(*who)),
            None => {
                let crowd = || self.crowd.by_phone(phone);
                self.guest(|guest| guest.phone.as_deref() == Some(phone))
                    .or_else(crowd)
                    .map(Cow::Owned)
            }
        }
    }

    fn guest(&self, is_meant: impl Fn(&&Persona) -> bool) -> Option<Persona> {
        self.guests.iter().find(is_meant).cloned()
    }

    /// The vehicle that bears a plate of a class now.
    pub(crate) fn vehicle(&self, plate: &str, class: &str) -> Option<Owned> {
        match self.by_plate.get(&(plate, class)) {
            Some((who, at)) => Some(Owned {
                owner: Cow::Borrowed(*who),
                at: *at,
            }),
            None => self.crowd.by_plate(plate, class).map(|who| Owned {
                owner: Cow::Owned(who),
                at: 0,
            }),
        }
    }

    /// All vehicles of which somebody is owner or co-owner.
    pub(crate) fn vehicles_of(&self, who: Cow<'static, Persona>) -> Vec<Owned> {
        let shared = self.shared.get(who.id_number.as_str()).into_iter().flatten();
        let own = (0..who.vehicles.len()).map(|at| Owned {
            owner: who.clone(),
            at,
        });
        own.chain(shared.map(|(owner, at)| Owned {
            owner: Cow::Borrowed(*owner),
            at: *at,
        }))
        .collect()
    }

    /// The registrations in which somebody is a party.
    pub(crate) fn marriages_of(&self, number: &str) -> &[&'static Marriage] {
        self.marriages.get(number).map_or(&[], Vec::as_slice)
    }
}
