//! The cast in lines of text, for `demo` to print.

use std::fmt::Write;

use crate::{persona::Persona, register::personas};

/// One line for each persona but the canaries: slug, name, number, phone, what they are good for.
#[must_use]
pub fn outline() -> String {
    let mut text = String::new();
    for who in personas().iter().filter(|who| !who.canary) {
        let Persona {
            id,
            name,
            id_number,
            phone,
            about,
            ..
        } = who;
        let phone = phone.as_deref().unwrap_or("-");
        // Writing to a string cannot fail.
        if writeln!(
            text,
            "{id}\t{name}\t{id_number}\t{phone}\t{} / {}",
            about.zh, about.en
        )
        .is_err()
        {
            break;
        }
    }
    text
}
