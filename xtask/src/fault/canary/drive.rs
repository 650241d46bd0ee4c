//! Everything that can be done, done by the canaries, to them, and wrongly with their values.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use super::walk::{self, Form, Walker};
use crate::{
    http::{Client, Reply},
    people::{self, Person},
    program::Setup,
};

/// What was said meanwhile.
#[derive(Default)]
pub(super) struct Driven {
    pub(super) requests: u64,
    pub(super) pages: u64,
    /// Bodies of answers that are no success.
    pub(super) problems: String,
    /// Where pages linked and led to, one a line.
    pub(super) addresses: String,
    pub(super) metrics: Vec<u8>,
}

const PURPOSE: &str = "own-information";
/// Faults that the simulated authorities can be switched to.
const FAULTS: [&str; 6] = [
    "close",
    "garbage",
    "not_json",
    "wrong_person",
    "missing_field",
    "wrong_type",
];
/// Forms that end what is needed; they are sent last.
const LAST: [&str; 2] = ["/sign-out", "/account/erase"];

/// Does it. At the end the canaries are erased, unless what is kept of them meanwhile is to be searched.
///
/// # Errors
/// Something that must work does not.
pub(super) fn drive(setup: &Setup<'_>, people: &[Person], erased: bool) -> Result<Driven, String> {
    let mut driven = Driven::default();
    let canaries: Vec<&Person> = people.iter().filter(|p| p.canary).collect();
    let stranger = people
        .iter()
        .find(|p| !p.canary && !p.plates.is_empty())
        .ok_or("there is no stranger")?;
    if canaries.len() < 2 {
        return Err("there are too few canaries".to_owned());
    }
    for canary in &canaries {
        by_portal(setup, canary, &mut driven).map_err(|e| format!("the portal, {}: {e}", canary.id))?;
    }
    let mut client = Client::new(setup.address);
    people::sign_in(&mut client, stranger)?;
    about_others(&mut client, &canaries, &mut driven)?;
    for canary in &canaries {
        by_api(setup, canary, &mut driven, erased).map_err(|e| format!("the API, {}: {e}", canary.id))?;
    }
    driven.metrics = Client::new(setup.metrics).get("/metrics")?.body;
    Ok(driven)
}

impl Driven {
    fn note(&mut self, reply: &Reply) -> Value {
        self.requests += 1;
        if reply.status >= 400 {
            self.problems.push_str(&reply.text());
            self.problems.push('\n');
        }
        reply.json()
    }

    fn post(&mut self, client: &mut Client, path: &str, body: &Value) -> Result<Value, String> {
        let reply = client.post(path, body)?;
        Ok(self.note(&reply))
    }

    fn get(&mut self, client: &mut Client, path: &str) -> Result<Value, String> {
        let reply = client.get(path)?;
        Ok(self.note(&reply))
    }
}

fn by_api(setup: &Setup<'_>, canary: &Person, driven: &mut Driven, erased: bool) -> Result<(), String> {
    let mut client = Client::new(setup.address);
    people::sign_in(&mut client, canary)?;
    people::strengthen(&mut client, canary)?;
    driven.post(&mut client, "/v1/my-records", &json!({ "purpose": PURPOSE }))?;
    let kinds = driven.get(&mut client, "/v1/kinds")?;
    everything(&mut client, canary, &kinds, driven)?;
    if let Some(authorities) = setup.authorities() {
        with_faults(&mut client, &mut Client::new(authorities), canary, driven)?;
    } else {
        return Err("the demo does not print where its authorities are".to_owned());
    }
    wrongly(&mut client, canary, driven)?;
    for path in ["/v1/lookups", "/v1/access-log", "/v1/account", "/v1/coverage"] {
        driven.get(&mut client, path)?;
    }
    if !erased {
        return Ok(());
    }
    let reply = client.send("DELETE", "/v1/account", "", b"")?;
    driven.note(&reply);
    if reply.status == 204 {
        Ok(())
    } else {
        Err(format!("the person is not erased: {}", reply.text()))
    }
}

/// Every kind, in every mode, as a report, and with what is masked on tap.
fn everything(
    client: &mut Client,
    canary: &Person,
    kinds: &Value,
    driven: &mut Driven,
) -> Result<(), String> {
    let mut answered = 0;
    for kind in kinds.as_array().into_iter().flatten() {
        for mode in kind["modes"].as_array().into_iter().flatten() {
            let question = question(kind, mode, canary);
            let reply = driven.post(client, "/v1/lookups", &question)?;
            answered += usize::from(reply["outcome"].is_string());
            if let Some(id) = reply["lookup_id"].as_str() {
                driven.get(client, &format!("/v1/receipts/{id}"))?;
                driven.get(client, &format!("/v1/lookups/{id}"))?;
            }
            let fields = kind["fields"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|f| f["id"].clone());
            let mut revealing = question.clone();
            revealing["reveal"] = fields.collect();
            driven.post(client, "/v1/lookups", &revealing)?;
            driven.post(client, "/v1/reports", &question)?;
        }
    }
    if answered < 8 {
        Err(format!("only {answered} look-ups were answered"))
    } else {
        Ok(())
    }
}

fn question(kind: &Value, mode: &Value, person: &Person) -> Value {
    let mut question = json!({ "kind": kind["id"], "mode": mode, "subject": "self", "purpose": PURPOSE });
    let (plate, class) = person.plates.first().cloned().unwrap_or_default();
    for part in kind["key"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|_| mode != "list")
    {
        let value = if part["type"] == "plate" { &plate } else { &class };
        question["key"][part["id"].as_str().unwrap_or_default()] = Value::from(value.as_str());
    }
    if mode == "predicate" {
        let ids = kind["predicates"]
            .as_array()
            .into_iter()
            .flatten()
            .take(1)
            .map(|p| p["id"].clone());
        question["predicates"] = ids.collect();
    }
    if mode == "match" {
        question["claims"] = json!({ "phone": person.phone });
    }
    question
}

/// The authorities misbehave in every way while they are asked about the canary.
fn with_faults(
    client: &mut Client,
    authorities: &mut Client,
    canary: &Person,
    driven: &mut Driven,
) -> Result<(), String> {
    let (plate, class) = canary.plates.first().cloned().unwrap_or_default();
    let vehicle = json!({
        "kind": "vehicle", "mode": "read", "subject": "self", "purpose": PURPOSE,
        "key": { "plate": plate, "plate_class": class },
    });
    let licence = json!({ "kind": "driving-licence", "mode": "read", "subject": "self", "purpose": PURPOSE });
    let mut switched = 0;
    for fault in FAULTS {
        let set = authorities.post("/_switch", &json!({ "persona": canary.id, "fault": fault }))?;
        switched += usize::from(set.status == 200);
        driven.post(client, "/v1/lookups", &vehicle)?;
        driven.post(client, "/v1/lookups", &licence)?;
        authorities.send("DELETE", "/_switch", "", b"")?;
    }
    if switched < FAULTS.len() {
        Err(format!("only {switched} faults could be switched on"))
    } else {
        Ok(())
    }
}

/// The canaries' values where they do not belong.
fn wrongly(client: &mut Client, canary: &Person, driven: &mut Driven) -> Result<(), String> {
    let (plate, _) = canary.plates.first().cloned().unwrap_or_default();
    for value in [&canary.name, &canary.id_number, &canary.phone, &plate] {
        for body in [
            json!({ "kind": value, "mode": "read", "purpose": PURPOSE }),
            json!({ "kind": "vehicle", "mode": value, "purpose": value }),
            json!({ "kind": "vehicle", "mode": "read", "purpose": PURPOSE, "key": { value: value } }),
            json!({ "kind": "vehicle", "mode": "read", "purpose": PURPOSE, "key": { "plate": format!("{value}x") } }),
            json!({ "kind": "vehicle", "mode": "read", "purpose": PURPOSE, "fields": [value], "reveal": [value] }),
            json!({ "kind": "vehicle", "mode": "read", "purpose": PURPOSE, "subject": value }),
            json!({ "kind": "vehicle", "mode": "read", "purpose": PURPOSE, "subject": { "name": value, "id_number": value } }),
            json!({ value: value }),
            json!([value]),
        ] {
            driven.post(client, "/v1/lookups", &body)?;
        }
        driven.post(
            client,
            "/v1/account/codes",
            &json!({ "phone": format!("{value}0") }),
        )?;
        driven.post(
            client,
            "/v1/account/sessions",
            &json!({ "phone": canary.phone, "code": value }),
        )?;
        driven.post(
            client,
            "/v1/account/proof",
            &json!({ "name": format!("{value}1"), "id_number": value }),
        )?;
        driven.post(
            client,
            "/v1/account/portrait",
            &json!({ "portrait": value, "consent": value }),
        )?;
        let broken = format!("{{\"kind\": \"vehicle\", \"key\": {{\"plate\": \"{value}\"");
        for text in [broken.as_str(), value] {
            let reply = client.send(
                "POST",
                "/v1/lookups",
                "content-type: application/json\r\n",
                text.as_bytes(),
            )?;
            driven.note(&reply);
        }
        let ascii: String = value.bytes().map(|b| format!("%{b:02X}")).collect();
        for path in [
            "/v1/receipts/",
            "/v1/lookups/",
            "/v1/",
            "/look-up/",
            "/",
            "/log/0/tile/",
            "/v1/access-log?before=",
        ] {
            driven.get(client, &format!("{path}{ascii}"))?;
        }
        let headers = format!("content-type: application/json\r\nidempotency-key: {value}\r\n");
        let reply = client.send("POST", "/v1/lookups", &headers, b"{}")?;
        driven.note(&reply);
    }
    let token = client.token.replace(canary.id_number.clone());
    driven.get(client, "/v1/account")?;
    client.token = token;
    Ok(())
}

/// A stranger asks about the canaries, and claims to be one.
fn about_others(client: &mut Client, canaries: &[&Person], driven: &mut Driven) -> Result<(), String> {
    for canary in canaries {
        let who = json!({ "name": canary.name, "id_number": canary.id_number });
        let (plate, class) = canary.plates.first().cloned().unwrap_or_default();
        let key = json!({ "plate": plate, "plate_class": class });
        for subject in [&who, &json!("self")] {
            let question = json!({ "kind": "vehicle", "mode": "read", "subject": subject, "purpose": PURPOSE, "key": key });
            driven.post(client, "/v1/lookups", &question)?;
        }
        driven.post(client, "/v1/account/proof", &who)?;
    }
    Ok(())
}

/// Signs in by the forms, opens whatever is linked, and sends whatever form there is, rightly and wrongly.
fn by_portal(setup: &Setup<'_>, canary: &Person, driven: &mut Driven) -> Result<(), String> {
    let mut walker = Walker::new(Client::new(setup.address));
    let mut typed: BTreeMap<&str, String> = BTreeMap::new();
    typed.insert("phone", canary.phone.clone());
    typed.insert("name", canary.name.clone());
    typed.insert("id_number", canary.id_number.clone());
    if let Some((plate, class)) = canary.plates.first() {
        typed.insert("plate", plate.clone());
        typed.insert("plate_class", class.clone());
    }
    step(&mut walker, "/sign-in", "/sign-in", &typed)?;
    typed.insert("code", people::code_for(&mut walker.client, &canary.phone)?);
    step(&mut walker, "/sign-in/code", "/sign-in/code", &typed)?;
    let proven = step(&mut walker, "/prove", "/prove", &typed)?;
    if proven.status != 200 {
        return Err(format!("the name is not proven: {}", proven.status));
    }
    step(&mut walker, "/strengthen", "/strengthen", &typed)?;
    everywhere(&mut walker, &typed)?;
    driven.pages += walker.pages;
    driven
        .addresses
        .extend(walker.addresses.iter().map(|address| format!("{address}\n")));
    Ok(())
}

fn step(
    walker: &mut Walker,
    page: &str,
    action: &str,
    typed: &BTreeMap<&str, String>,
) -> Result<Reply, String> {
    let page_text = walker.open(page)?.text();
    let form = walk::forms(&page_text)
        .into_iter()
        .find(|form| form.action == action);
    let form = form.ok_or_else(|| format!("{page} has no form that goes to {action}"))?;
    walker.send(&form, typed)
}

fn everywhere(walker: &mut Walker, typed: &BTreeMap<&str, String>) -> Result<(), String> {
    let (mut seen, mut sent) = (BTreeSet::new(), BTreeSet::new());
    let mut next = vec!["/".to_owned()];
    let wrong: BTreeMap<&str, String> = typed
        .iter()
        .map(|(name, value)| (*name, format!("{value}错")))
        .collect();
    while let Some(path) = next.pop() {
        let is_page = !["/static", "/docs", "/demo/portraits"]
            .iter()
            .any(|other| path.starts_with(other));
        if !is_page || seen.len() > 400 || !seen.insert(path.clone()) {
            continue;
        }
        let page = walker.open(&path)?.text();
        next.extend(walk::links(&page));
        for form in walk::forms(&page) {
            // The same form stands on many pages, with other hidden values.
            let names: Vec<&str> = form.values.iter().map(|(name, _)| name.as_str()).collect();
            let is_new = sent.insert(format!("{} {names:?}", form.action));
            if is_new && !LAST.contains(&form.action.as_str()) {
                next.extend(send_both(walker, &form, typed, &wrong)?);
            }
        }
    }
    Ok(())
}

fn send_both(
    walker: &mut Walker,
    form: &Form,
    typed: &BTreeMap<&str, String>,
    wrong: &BTreeMap<&str, String>,
) -> Result<Vec<String>, String> {
    walker.send(form, wrong)?;
    let answer = walker.send(form, typed)?;
    Ok(walk::links(&answer.text()))
}
