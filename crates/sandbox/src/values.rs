//! Every value that the registers hold of a persona: what a rig searches for in all that was ever written.

use crate::{
    persona::{Party, Persona, Vehicle},
    register::marriages,
};

impl Persona {
    /// Name, numbers, phone and every text and number of their records, without those that are codes or dates.
    #[must_use]
    pub fn values(&self) -> Vec<String> {
        let mut values = vec![self.name.clone(), self.id_number.clone()];
        values.extend(self.former_names.iter().map(|former| former.name.clone()));
        values.extend(self.former_id_numbers.iter().cloned());
        values.extend(self.phone.clone());
        if let Some(licence) = &self.licence {
            values.extend(licence.number.clone());
            values.push(licence.file_number.clone());
        }
        self.vehicles
            .iter()
            .for_each(|vehicle| push_vehicle(&mut values, vehicle));
        let is_party = |party: &Party| matches!(party, Party::Persona(id) if *id == self.id);
        for marriage in marriages()
            .iter()
            .filter(|marriage| marriage.parties.iter().any(is_party))
        {
            values.push(marriage.office.clone());
            values.push(marriage.certificate.clone());
            values.extend(marriage.ended_certificate.clone());
        }
        values
    }
}

fn push_vehicle(values: &mut Vec<String>, vehicle: &Vehicle) {
    let Vehicle {
        plate,
        vin,
        engine,
        brand,
        model,
        violations,
        policies,
        repairs,
        ..
    } = vehicle;
    values.extend([plate, vin, brand, model].map(String::clone));
    values.extend(engine.clone());
    for violation in violations {
        values.extend([&violation.place, &violation.act, &violation.authority].map(String::clone));
        values.extend(
            violation
                .decision
                .clone()
                .into_iter()
                .chain(violation.image.clone()),
        );
    }
    for policy in policies {
        values.extend([&policy.insurer, &policy.number].map(String::clone));
    }
    for repair in repairs {
        values.extend([repair.shop.clone(), repair.work.clone()]);
    }
}
