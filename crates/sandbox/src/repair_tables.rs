//! The repair shops' platform as a front-end database: the tables, filled from the personas.

use domain::time::Timestamp;

use crate::{
    answers::repair::known_visits,
    authority::Authority,
    keys::Keys,
    persona::Persona,
    register::{Owned, persona},
};

const TABLE: &str = "DROP SCHEMA IF EXISTS mingcha_sandbox CASCADE;
CREATE SCHEMA mingcha_sandbox;
CREATE TABLE mingcha_sandbox.wxjl (
    hphm text NOT NULL, hpzl char(2) NOT NULL, sfzmhm char(18) NOT NULL,
    wxrq date NOT NULL, lc integer NOT NULL, wxqy text NOT NULL, wxxm text NOT NULL, gxsj timestamp NOT NULL
);
CREATE INDEX ON mingcha_sandbox.wxjl (hphm, hpzl);
";

/// The file by which a gateway finds the database; it takes the place of the platform's file of the same name.
#[must_use]
pub fn repair_tables_source(database: &str) -> (String, String) {
    let text = include_str!("../sources/repair-tables.toml").replace("{database}", database);
    (format!("{}.toml", Keys::name_of(Authority::Repair)), text)
}

/// The statements that make the schema `mingcha_sandbox` anew and fill it, for PostgreSQL.
#[must_use]
pub fn repair_tables(now: Timestamp) -> String {
    let mut statements = TABLE.to_owned();
    for owned in Owned::all() {
        fill(&owned, &owned.owner, now, &mut statements);
        if let Some(other) = owned.vehicle().co_owner.as_deref().and_then(persona) {
            fill(&owned, other, now, &mut statements);
        }
    }
    statements
}

fn fill(owned: &Owned, owner: &Persona, now: Timestamp, statements: &mut String) {
    let (vehicle, today) = (owned.vehicle(), now.date_in_china());
    let as_of = Authority::Repair.as_of(now);
    for visit in known_visits(vehicle, now) {
        let cells = [
            vehicle.plate.clone(),
            vehicle.class.clone(),
            owner.id_number.clone(),
            visit.on.on(today).to_string(),
            visit.km.to_string(),
            visit.shop.clone(),
            visit.work.clone(),
            as_of.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        ];
        let cells = cells
            .map(|cell| format!("'{}'", cell.replace('\'', "''")))
            .join(", ");
        statements.push_str("INSERT INTO mingcha_sandbox.wxjl VALUES (");
        statements.push_str(&cells);
        statements.push_str(");\n");
    }
}
