//! Simulated authorities to rehearse with: the population register, traffic management, civil affairs, a carrier,
//! the insurers' and the repair shops' platforms. They speak to the gateway over the same protocol as a real
//! source, are stricter than reality and never laxer, and everybody in them is invented.
//!
//! [`Sandbox::router`] gives the routes; who binds them listens on loopback. [`source_files`] gives the files by
//! which a gateway finds them. docs/sandbox.md describes the wire, the personas and the switches for integrators.

mod answers;
mod authority;
mod crowd;
mod day;
mod guests;
mod insurance_drop;
mod journal;
mod keys;
mod outline;
mod persona;
mod picture;
mod png;
mod register;
mod repair_tables;
mod reviews;
mod router;
mod sandbox;
mod sessions;
mod signed;
mod source_files;
mod switches;
mod values;
mod wire;

pub use authority::Authority;
pub use crowd::crowd_member;
pub use day::{Day, Moment};
pub use guests::guests;
pub use insurance_drop::{DropFolders, InsuranceMessage, Renewal, insurance_drop_source};
pub use journal::JournalEntry;
pub use keys::{GATEWAY_NAME, Keys};
pub use outline::outline;
pub use persona::{
    FormerName, Licence, Marriage, MarriageState, Outsider, Party, Persona, Policy, Repair, Vehicle,
    Violation,
};
pub use picture::{blurred_portrait_of, portrait_of, similarity};
pub use register::{marriages, persona, personas};
pub use repair_tables::{repair_tables, repair_tables_source};
pub use sandbox::Sandbox;
pub use source_files::source_files;
pub use switches::{Fault, Switch, SwitchError};
