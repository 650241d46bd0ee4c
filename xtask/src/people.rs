//! The invented people, as the sandbox's files have them, and how one of them signs in.

use std::{fs, thread::sleep, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};
use toml::Table;

use crate::{
    http::{Client, Reply},
    run,
};

/// Where they are.
pub(crate) const FOLDER: &str = "crates/sandbox/personas";

/// The longest that is waited for the next code, in seconds.
const MOST_PATIENT: u64 = 60;

/// One of them.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) id_number: String,
    pub(crate) phone: String,
    pub(crate) canary: bool,
    /// Plate and class of each vehicle.
    pub(crate) plates: Vec<(String, String)>,
    pub(crate) has_licence: bool,
}

/// Everybody who can prove who they are: with a phone in their own name, and no fault switched on for them.
///
/// # Errors
/// The files cannot be read.
pub(crate) fn people() -> Result<Vec<Person>, String> {
    let folder = run::root().join(FOLDER);
    let told = |e: std::io::Error| format!("{}: {e}", folder.display());
    let mut files: Vec<_> = fs::read_dir(&folder)
        .map_err(told)?
        .flatten()
        .map(|f| f.path())
        .collect();
    files.sort();
    let mut people = vec![];
    for file in files {
        let text = fs::read_to_string(&file).map_err(told)?;
        let table: Table = text.parse().map_err(|e| format!("{}: {e}", file.display()))?;
        let listed = table
            .get("persona")
            .and_then(|p| p.as_array())
            .cloned()
            .unwrap_or_default();
        people.extend(listed.iter().filter_map(|p| person(p.as_table()?)));
    }
    if people.is_empty() {
        Err(format!("nobody is in {}", folder.display()))
    } else {
        Ok(people)
    }
}

fn person(table: &Table) -> Option<Person> {
    let text = |table: &Table, key: &str| Some(table.get(key)?.as_str()?.to_owned());
    if table.contains_key("phone_in_name_of") || table.contains_key("always") {
        return None;
    }
    let vehicles = table
        .get("vehicles")
        .and_then(|v| v.as_array())
        .into_iter()
        .flatten();
    Some(Person {
        id: text(table, "id")?,
        name: text(table, "name")?,
        id_number: text(table, "id_number")?,
        phone: text(table, "phone")?,
        canary: table
            .get("canary")
            .and_then(toml::Value::as_bool)
            .unwrap_or_default(),
        plates: vehicles
            .filter_map(|v| Some((text(v.as_table()?, "plate")?, text(v.as_table()?, "class")?)))
            .collect(),
        has_licence: table.contains_key("licence"),
    })
}

/// Signs in by phone and code, and proves the real name; the client holds the session then.
///
/// # Errors
/// Some step was not answered as it should be.
pub(crate) fn sign_in(client: &mut Client, person: &Person) -> Result<(), String> {
    let mut sent = client.post("/v1/account/codes", &json!({ "phone": person.phone }))?;
    if let (429, Some(seconds)) = (
        sent.status,
        sent.header("retry-after").and_then(|s| s.parse::<u64>().ok()),
    ) {
        // There is a pause between two codes to one phone.
        sleep(Duration::from_secs(MOST_PATIENT.min(seconds + 1)));
        sent = client.post("/v1/account/codes", &json!({ "phone": person.phone }))?;
    }
    expect(&sent, 202, "a code is sent")?;
    let code = code_for(client, &person.phone)?;
    let session = client.post(
        "/v1/account/sessions",
        &json!({ "phone": person.phone, "code": code }),
    )?;
    take_token(client, &session.json(), "the code is right")?;
    let who = json!({ "name": person.name, "id_number": person.id_number });
    let proof = client.post("/v1/account/proof", &who)?;
    take_token(client, &proof.json()["session"], "the name is proven")
}

/// Raises the session to L3 by the portrait that the demo draws.
///
/// # Errors
/// As [`sign_in`].
pub(crate) fn strengthen(client: &mut Client, person: &Person) -> Result<(), String> {
    let picture = client.get(&format!("/demo/portraits/{}.png", person.id))?;
    expect(&picture, 200, "a portrait is drawn")?;
    let consent = client.get("/v1/account/portrait/consent")?.json();
    let body = json!({ "portrait": BASE64_STANDARD.encode(&picture.body), "consent": consent["hash"] });
    let proof = client.post("/v1/account/portrait", &body)?;
    take_token(client, &proof.json()["session"], "the portrait is similar")
}

fn take_token(client: &mut Client, session: &Value, what: &str) -> Result<(), String> {
    let token = session["token"]
        .as_str()
        .ok_or_else(|| format!("expected that {what}; got {session}"))?;
    client.token = Some(token.to_owned());
    Ok(())
}

fn expect(reply: &Reply, status: u16, what: &str) -> Result<(), String> {
    if reply.status == status {
        Ok(())
    } else {
        Err(format!("expected that {what}; got {}", reply.status))
    }
}

/// The newest code on the demo's outbox page for a phone: four digits, a space, four digits.
///
/// # Errors
/// There is none.
pub(crate) fn code_for(client: &mut Client, phone: &str) -> Result<String, String> {
    let page = client.get("/demo/outbox")?.text();
    // Newest first; each message is an item of a list, and some carry no code.
    let mut messages = page.split("<li").filter(|item| item.contains(phone));
    messages
        .find_map(find_code)
        .ok_or_else(|| format!("the outbox has no code for {phone}"))
}

fn find_code(text: &str) -> Option<String> {
    let bytes = text.as_bytes();
    let digits = |part: &[u8]| part.iter().all(u8::is_ascii_digit);
    let is_code = |w: &&[u8]| digits(&w[..4]) && w[4] == b' ' && digits(&w[5..]);
    let found = bytes.windows(9).find(is_code)?;
    Some(
        found
            .iter()
            .filter(|b| **b != b' ')
            .map(|b| char::from(*b))
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_found_in_a_page() {
        assert_eq!(find_code("12345 <b>0123 4567</b>"), Some("01234567".to_owned()));
        assert_eq!(find_code("17900100001 · 2026"), None);
    }

    #[test]
    fn there_are_people_and_canaries() {
        let people = people().unwrap();
        assert!(
            people
                .iter()
                .filter(|p| !p.plates.is_empty() && !p.canary)
                .count()
                >= 8
        );
        assert!(people.iter().any(|p| p.canary && p.has_licence));
    }
}
