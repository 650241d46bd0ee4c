//! The cast is whole: enough people, every case that the documentation promises, and no record contradicts another.
#![expect(clippy::unwrap_used, reason = "helpers of tests, which may panic")]

use std::collections::{BTreeMap, BTreeSet};

use domain::identifiers::{IdDocument, IdNumber, Sex};
use jiff::civil::{Date, date};
use sandbox::{MarriageState, Party, Persona, marriages, persona, personas};

const TODAY: Date = date(2026, 11, 22);

fn number(who: &Persona) -> IdNumber {
    IdNumber::parse(&who.id_number, TODAY).unwrap().value
}

#[test]
fn there_are_enough_people_each_told_apart() {
    assert!(personas().len() >= 60, "{}", personas().len());
    let ids: BTreeSet<&str> = personas().iter().map(|who| who.id.as_str()).collect();
    assert_eq!(ids.len(), personas().len());
    for who in personas() {
        assert!(
            who.id.chars().all(|c| c.is_ascii_lowercase() || c == '-'),
            "{}",
            who.id
        );
        assert!(who.about.is_complete(), "{}", who.id);
        assert_eq!(
            persona(&who.id).map(|found| &found.id_number),
            Some(&who.id_number)
        );
        assert!(!format!("{who:?}").contains(&who.name));
    }
}

#[test]
fn families_fit_together() {
    let mut parents: BTreeMap<&str, Vec<&Persona>> = BTreeMap::new();
    for parent in personas() {
        for child in &parent.children {
            let child = persona(child).unwrap_or_else(|| panic!("{}: no persona {child}", parent.id));
            let years = number(child).birth().unwrap().year() - number(parent).birth().unwrap().year();
            assert!((18..50).contains(&years), "{} and {}", parent.id, child.id);
            parents.entry(&child.id).or_default().push(parent);
        }
    }
    let generations: Vec<&str> = parents
        .keys()
        .copied()
        .filter(|child| {
            parents[child]
                .iter()
                .any(|parent| parents.contains_key(parent.id.as_str()))
        })
        .collect();
    assert!(!generations.is_empty(), "three generations of one family");
    for (child, both) in parents {
        let married = |m: &&sandbox::Marriage| {
            both.iter()
                .all(|p| m.parties.iter().any(|party| is(party, &p.id)))
        };
        assert!(
            both.len() == 2 && marriages().iter().find(married).is_some(),
            "{child} has two parents, married"
        );
    }
}

fn is(party: &Party, id: &str) -> bool {
    matches!(party, Party::Persona(of) if of == id)
}

#[test]
fn marriages_are_lawful_and_of_every_sort() {
    for marriage in marriages() {
        let identities = marriage
            .parties
            .each_ref()
            .map(|party| party.identity().expect("a known persona"));
        let registered = marriage.registered.on(TODAY);
        for ((name, text), (sex, age)) in identities.into_iter().zip([(Sex::Male, 22), (Sex::Female, 20)]) {
            let number = IdNumber::parse(text, TODAY).unwrap().value;
            assert_eq!(number.sex(), Some(sex), "{name}");
            // Marriage law asked for 20 and 18 before 1981.
            let required = if registered < date(1981, 1, 1) {
                age - 2
            } else {
                age
            };
            assert!(number.age_on(registered).unwrap() >= required, "{name}");
        }
        let ends = marriage.ended.map(|day| day.on(TODAY));
        assert_eq!(ends.is_some(), marriage.state != MarriageState::Married);
        assert!(ends.is_none_or(|end| end > registered && end < TODAY));
        assert_eq!(
            marriage.ended_certificate.is_some(),
            marriage.state == MarriageState::Divorced
        );
    }
    for (at, one) in marriages().iter().enumerate() {
        for other in &marriages()[at + 1..] {
            let shared = one.parties.iter().filter_map(Party::identity).any(|(_, number)| {
                other
                    .parties
                    .iter()
                    .filter_map(Party::identity)
                    .any(|(_, theirs)| theirs == number)
            });
            let (from, until) = (other.registered.on(TODAY), one.ended.map(|day| day.on(TODAY)));
            assert!(
                !shared || until.is_some_and(|end| end < from),
                "nobody is married twice at a time, oldest first"
            );
        }
    }
    for state in [
        MarriageState::Married,
        MarriageState::Divorced,
        MarriageState::Void,
        MarriageState::Annulled,
    ] {
        assert!(
            marriages().iter().any(|marriage| marriage.state == state),
            "{state:?}"
        );
    }
    assert!(
        marriages()
            .iter()
            .any(|marriage| marriage.divorce_applied.is_some())
    );
}

#[test]
fn licences_are_of_every_state_and_points_add_up() {
    let licences = || {
        personas()
            .iter()
            .filter_map(|who| who.licence.as_ref().map(|licence| (who, licence)))
    };
    let states: BTreeSet<&str> = licences()
        .flat_map(|(_, licence)| licence.states.split(','))
        .collect();
    assert_eq!(
        states,
        "A B C D E F G H I J K L M N P R S T".split(' ').collect(),
        "every state of the list"
    );
    assert!(
        licences().any(|(_, licence)| licence.states.matches(',').count() >= 2),
        "several at once"
    );
    for points in [0, 3, 9, 11, 12] {
        assert!(
            licences().any(|(_, licence)| licence.points == points),
            "{points} points"
        );
    }
    assert!(licences().any(|(_, licence)| licence.trainee_until.is_some_and(|day| day.on(TODAY) > TODAY)));
    assert!(licences().any(|(_, licence)| licence.valid_until.is_none()));
    let leap = |(_, licence): &(_, &sandbox::Licence)| {
        let issued = licence.first_issued.on(TODAY);
        (issued.month(), issued.day()) == (2, 29)
    };
    assert!(licences().any(|licence| leap(&licence)));
    assert!(licences().any(|(who, _)| number(who).document() == IdDocument::Foreigner));
    for (who, licence) in licences() {
        let issued = licence.first_issued.on(TODAY);
        assert!(number(who).age_on(issued).unwrap() >= 18, "{}", who.id);
        assert!(issued <= licence.valid_from.on(TODAY), "{}", who.id);
        assert!(
            licence
                .valid_until
                .is_none_or(|day| day.on(TODAY) > licence.valid_from.on(TODAY)),
            "{}",
            who.id
        );
        let driven = personas()
            .iter()
            .flat_map(|p| &p.vehicles)
            .flat_map(|vehicle| &vehicle.violations);
        let handled: u32 = driven
            .filter(|v| v.handled && v.driver.as_deref() == Some(who.id.as_str()))
            .map(|violation| violation.points)
            .sum();
        assert!(
            handled <= licence.points.max(handled.min(12)),
            "{}: {handled} points",
            who.id
        );
        let pending = licence.states.split(',').any(|state| state == "H");
        assert!(
            pending || who.points_pending() == 0 || licence.points == 12,
            "{}: H for what is pending",
            who.id
        );
    }
}

#[test]
fn vehicles_are_of_every_sort() {
    let all = || {
        personas()
            .iter()
            .flat_map(|who| who.vehicles.iter().map(move |vehicle| (who, vehicle)))
    };
    for class in ["01", "02", "07", "08", "15", "51", "52"] {
        assert!(all().any(|(_, vehicle)| vehicle.class == class), "class {class}");
    }
    for fuel in ["A", "B", "C", "O", "P", "Y"] {
        assert!(all().any(|(_, vehicle)| vehicle.fuel == fuel), "fuel {fuel}");
    }
    let twins = all()
        .filter(|(who, v)| all().any(|(o, w)| o.id != who.id && w.plate == v.plate && w.class != v.class));
    assert_eq!(twins.count(), 2, "one plate in two classes, of two owners");
    assert!(
        all().any(|(_, vehicle)| vehicle.owned_since.is_some()),
        "a plate that was given out again"
    );
    assert!(
        all().any(|(_, vehicle)| !vehicle.vin.starts_with('L') && vehicle.vin.len() == 17),
        "an import"
    );
}

#[test]
fn vehicles_do_not_contradict_themselves() {
    let all = personas()
        .iter()
        .flat_map(|who| who.vehicles.iter().map(move |vehicle| (who, vehicle)));
    for (who, vehicle) in all {
        let other = vehicle
            .co_owner
            .as_deref()
            .map(|id| persona(id).expect("a known co-owner"));
        assert!(other.is_none_or(|other| other.id != who.id));
        let registered = vehicle.registered.on(TODAY);
        assert!(
            registered < TODAY
                && vehicle
                    .scrap_deadline
                    .is_none_or(|day| day.on(TODAY) > registered)
        );
        let unhandled = vehicle.violations.iter().any(|violation| !violation.handled);
        let says_so = vehicle.states.split(',').any(|state| state == "G");
        assert!(
            says_so || !unhandled,
            "{}: G for what is not dealt with",
            vehicle.plate
        );
        let overdue = vehicle.states.split(',').any(|state| state == "Q");
        assert_eq!(
            overdue,
            vehicle.inspection_until.on(TODAY) < TODAY,
            "{}: Q for inspection overdue",
            vehicle.plate
        );
        for violation in &vehicle.violations {
            assert!(
                violation.handled == violation.decision.is_some(),
                "{}: decided once handled",
                vehicle.plate
            );
            assert!(
                violation.handled || !violation.paid,
                "{}: nothing is paid before",
                vehicle.plate
            );
            assert!(
                [0, 1, 3, 6, 9, 12].contains(&violation.points),
                "{}: points of the rule",
                vehicle.plate
            );
            assert!(violation.driver.as_deref().is_none_or(|id| persona(id).is_some()));
        }
        for policy in &vehicle.policies {
            assert!(
                ["1", "2"].contains(&policy.kind.as_str()) && policy.from.on(TODAY) < policy.until.on(TODAY)
            );
            assert!(policy.insured.as_deref().is_none_or(|id| persona(id).is_some()));
        }
    }
}

/// A handle leads to one violation, and there is one whose driver owns no part of the vehicle.
#[test]
fn evidence_is_of_one_violation() {
    let mut handles = BTreeSet::new();
    let mut drivers = 0;
    for owner in personas() {
        for vehicle in &owner.vehicles {
            for violation in vehicle.violations.iter().filter(|v| v.image.is_some()) {
                assert!(
                    handles.insert(violation.image.as_deref()),
                    "{:?} twice",
                    violation.image
                );
                let owners = [Some(owner.id.as_str()), vehicle.co_owner.as_deref()];
                drivers +=
                    usize::from(violation.driver.is_some() && !owners.contains(&violation.driver.as_deref()));
            }
        }
    }
    assert!(handles.len() > 5 && drivers > 0, "{} {drivers}", handles.len());
}

#[test]
fn people_of_every_document_age_and_name_are_there() {
    let some = |what: &str, is: &dyn Fn(&Persona) -> bool| assert!(personas().iter().any(is), "{what}");
    for document in [
        IdDocument::ResidencePermitHongKong,
        IdDocument::ResidencePermitMacao,
        IdDocument::ResidencePermitTaiwan,
        IdDocument::Foreigner,
        IdDocument::ForeignerOld,
    ] {
        some(document.code(), &|who| number(who).document() == document);
    }
    let age = |who: &Persona| number(who).age_on(TODAY);
    some("over eighty", &|who| age(who).is_some_and(|age| age > 80));
    some("under fourteen", &|who| age(who).is_some_and(|age| age < 14));
    some("an expired document", &|who| {
        who.document_ends(TODAY).is_some_and(|end| end < TODAY)
    });
    some("a phone in another's name", &|who| who.phone_in_name_of.is_some());
    some("no phone", &|who| who.phone.is_none());
    some("a former name", &|who| !who.former_names.is_empty());
    some("two numbers", &|who| !who.former_id_numbers.is_empty());
    some("a middle dot", &|who| who.name.contains('·'));
    some("a Latin name", &|who| who.name.is_ascii());
    // Extensions B, E, G and I of Unicode's ideographs.
    for (from, to) in [
        (0x20000, 0x2a6df),
        (0x2b820, 0x2ceaf),
        (0x30000, 0x3134a),
        (0x2ebf0, 0x2ee5d),
    ] {
        some("a rare character", &|who| {
            who.name.chars().any(|c| (from..=to).contains(&u32::from(c)))
        });
    }
    some("nothing at all", &|who| {
        who.licence.is_none() && who.vehicles.is_empty() && age(who) > Some(18)
    });
    for who in personas() {
        assert!(
            who.phone_in_name_of
                .as_deref()
                .is_none_or(|id| persona(id).is_some()),
            "{}",
            who.id
        );
    }
}

#[test]
fn documents_end_when_the_law_says() {
    let ends = |id: &str, today: Date| {
        persona(id)
            .unwrap()
            .document_ends(today)
            .map(|day| day.to_string())
    };
    assert_eq!(ends("wang-xiulan", TODAY), None, "without limit from 46 on");
    assert_eq!(
        ends("zhao-xiaomin", TODAY).as_deref(),
        Some("2033-09-19"),
        "26 to 46"
    );
    assert_eq!(
        ends("chen-siyuan", TODAY).as_deref(),
        Some("2029-02-14"),
        "16 to 26"
    );
    assert_eq!(
        ends("chen-xiaoyu", TODAY).as_deref(),
        Some("2029-08-30"),
        "five years below 16"
    );
    assert_eq!(
        ends("chen-xiaoyu", date(2030, 8, 29)).as_deref(),
        Some("2030-08-30"),
        "never beyond 16"
    );
}
