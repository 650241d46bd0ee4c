//! `mingcha demo --once`: a persona signs in, proves who they are, and looks up one record of each kind through the
//! real HTTP API; each receipt is verified offline. Anything that is off makes the command fail.

use std::{io, net::SocketAddr, process::ExitCode, sync::Arc};

use domain::{
    kind::LoadedKind,
    outcome::Outcome as Answer,
    words::{Level, Mode},
};
use ledger::{TrustedKeys, receipt};
use sandbox::Persona;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};
use tokio::time::Instant;

use super::client::ApiClient;
use crate::{
    app::App,
    commands::{Outcome, verify},
    error::StartError,
    messenger::Messenger,
};

const PURPOSE: &str = "own-information";

/// One line of the table.
struct Line {
    kind: String,
    outcome: String,
    disclosed: usize,
    withheld: usize,
    source: Option<String>,
    as_of: Option<String>,
    millis: u128,
    verified: Result<String, String>,
}

/// The receipt of an answer, exactly as it came.
#[derive(Deserialize)]
struct WithReceipt<'a> {
    #[serde(borrow)]
    receipt: Option<&'a RawValue>,
}

pub(super) async fn run(app: &Arc<App>, address: SocketAddr) -> Outcome {
    let persona = persona()?;
    let mut client = ApiClient::new(address);
    sign_in(app, &mut client, persona).await?;
    let things = client
        .post("/v1/my-records", &json!({ "purpose": PURPOSE }))
        .await?;
    let mut lines = vec![];
    for kind in app.kinds.in_order() {
        lines.push(look_up(app, &client, kind, &things.json).await?);
    }
    print(app, persona, &lines)?;
    Ok(ended(&lines))
}

/// How the command ends: well, if there is something to show and none of it is off.
fn ended(lines: &[Line]) -> ExitCode {
    if !lines.is_empty() && lines.iter().all(Line::is_sound) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Somebody with a vehicle, a licence and a marriage, who holds their own phone: something of every kind.
fn persona() -> Result<&'static Persona, StartError> {
    let married = |p: &Persona| {
        sandbox::marriages().iter().any(|m| {
            m.parties
                .iter()
                .any(|party| party.identity().is_some_and(|(_, number)| number == p.id_number))
        })
    };
    let has_all = |p: &&Persona| {
        let insured = p
            .vehicles
            .iter()
            .any(|v| !v.policies.is_empty() && !v.repairs.is_empty());
        let holds_phone = p.phone.is_some() && p.phone_in_name_of.is_none();
        insured && p.licence.is_some() && holds_phone && p.always.is_empty() && !p.canary && married(p)
    };
    sandbox::personas()
        .iter()
        .find(has_all)
        .ok_or_else(|| StartError("no persona has a record of every kind".into()))
}

async fn sign_in(app: &App, client: &mut ApiClient, persona: &Persona) -> Result<(), StartError> {
    let phone = persona.phone.as_deref().unwrap_or_default();
    let sent = client
        .post("/v1/account/codes", &json!({ "phone": phone }))
        .await?;
    expect(sent.status == 202, "a code is sent", &sent.json)?;
    let Messenger::Outbox(outbox) = &app.messenger else {
        return Err(StartError("the demo has no outbox".into()));
    };
    let code = outbox
        .messages()
        .into_iter()
        .filter(|m| m.phone == phone)
        .find_map(|m| m.code)
        .unwrap_or_default();
    let session = client
        .post("/v1/account/sessions", &json!({ "phone": phone, "code": code }))
        .await?;
    take_token(client, &session.json)?;
    let person = json!({ "name": persona.name, "id_number": persona.id_number });
    let proof = client.post("/v1/account/proof", &person).await?;
    expect(
        proof.json["result"] == "PROVEN",
        "the real name is proven",
        &proof.json,
    )?;
    take_token(client, &proof.json["session"])?;
    let needs_strong = app.kinds.in_order().iter().any(|k| k.kind.level == Level::L3);
    if needs_strong {
        let picture =
            base64::Engine::encode(&base64::prelude::BASE64_STANDARD, sandbox::portrait_of(persona));
        let consent = client.get("/v1/account/portrait/consent").await?;
        let body = json!({ "portrait": picture, "consent": consent.json["hash"] });
        let strong = client.post("/v1/account/portrait", &body).await?;
        expect(
            strong.json["result"] == "PROVEN",
            "the portrait is compared",
            &strong.json,
        )?;
        take_token(client, &strong.json["session"])?;
    }
    Ok(())
}

fn take_token(client: &mut ApiClient, session: &Value) -> Result<(), StartError> {
    let token = session["token"].as_str();
    client.set_token(token.ok_or_else(|| StartError(format!("no session was given: {session}")))?);
    Ok(())
}

fn expect(holds: bool, what: &str, answer: &Value) -> Result<(), StartError> {
    if holds {
        Ok(())
    } else {
        Err(StartError(format!("expected that {what}, but got {answer}")))
    }
}

async fn look_up(
    app: &App,
    client: &ApiClient,
    kind: &Arc<LoadedKind>,
    things: &Value,
) -> Result<Line, StartError> {
    let k = &kind.kind;
    let mode = if k.modes.contains(&Mode::Read) {
        Mode::Read
    } else {
        k.modes[0]
    };
    let mut question = json!({ "kind": k.id, "mode": mode.code(), "subject": "self", "purpose": PURPOSE });
    if !k.key.is_empty() {
        question["key"] = key_of(kind, things);
    }
    let begun = Instant::now();
    let reply = client.post("/v1/lookups", &question).await?;
    let millis = begun.elapsed().as_millis();
    let record = reply.json["record"].as_object();
    let told = |member: &str| reply.json[member].as_str().map(str::to_owned);
    let outcome = reply.json["outcome"]
        .as_str()
        .or_else(|| reply.json["code"].as_str());
    Ok(Line {
        kind: k.id.clone(),
        outcome: outcome.unwrap_or("no answer").to_owned(),
        disclosed: record.map_or(0, serde_json::Map::len),
        withheld: reply.json["withheld"].as_array().map_or(0, Vec::len),
        source: told("source"),
        as_of: told("as_of"),
        millis,
        verified: verified(app, &reply.text),
    })
}

/// The key of the first listed thing that has what this kind asks for.
fn key_of(kind: &LoadedKind, things: &Value) -> Value {
    let rows = things
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|part| part["lookup"]["rows"].as_array())
        .flatten();
    let has_all = |row: &&Value| kind.kind.key.iter().all(|k| row.get(&k.id).is_some());
    rows.clone().find(has_all).cloned().unwrap_or(Value::Null)
}

/// Verifies the receipt in an answer with nothing but its bytes and the log's public keys.
fn verified(app: &App, answer: &str) -> Result<String, String> {
    let parsed: WithReceipt<'_> = serde_json::from_str(answer).map_err(|e| e.to_string())?;
    let bytes = parsed.receipt.ok_or("no receipt")?.get().as_bytes();
    let keys = app.store.log_keys();
    let trusted = TrustedKeys::new(std::iter::once(keys.ed25519.clone()).chain(keys.sm2.clone()));
    let trusted = trusted.map_err(|e| e.to_string())?;
    match receipt::verify(bytes, &trusted, verify::signature) {
        Ok(verified) => Ok(verified.standing.to_string()),
        Err(error) => Err(error.code().to_owned()),
    }
}

impl Line {
    /// Answered, by a source that says who it is and how old its answer is, with a receipt that holds.
    fn is_sound(&self) -> bool {
        let answered = Answer::from_code(&self.outcome);
        matches!(answered, Some(Answer::Found | Answer::Match))
            && self.source.is_some()
            && self.as_of.is_some()
            && self.verified.is_ok()
    }
}

fn print(app: &App, persona: &Persona, lines: &[Line]) -> io::Result<()> {
    say!(
        "{} (invented) looked up one record of each kind. Log keys:\n{}\n",
        persona.name,
        super::log_keys(app, "\n")
    )?;
    say!(
        "{:<22} {:<10} {:>9} {:>8}  {:<24} {:<20} {:>5}  receipt",
        "kind",
        "outcome",
        "disclosed",
        "withheld",
        "source",
        "as of",
        "ms"
    )?;
    for line in lines {
        let receipt = match &line.verified {
            Ok(standing) => format!("verified, {standing}"),
            Err(why) => format!("NOT VERIFIED: {why}"),
        };
        say!(
            "{:<22} {:<10} {:>9} {:>8}  {:<24} {:<20} {:>5}  {receipt}",
            line.kind,
            line.outcome,
            line.disclosed,
            line.withheld,
            line.source.as_deref().unwrap_or("-"),
            line.as_of.as_deref().unwrap_or("-"),
            line.millis
        )?;
    }
    let off = lines.iter().filter(|l| !l.is_sound()).count();
    say!("\n{} rows, {off} off", lines.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line() -> Line {
        Line {
            kind: "vehicle".into(),
            outcome: "found".into(),
            disclosed: 3,
            withheld: 1,
            source: Some("sandbox-traffic".into()),
            as_of: Some("2026-11-22T04:00:00Z".into()),
            millis: 7,
            verified: Ok("OPERATOR-SIGNED".into()),
        }
    }

    #[test]
    fn a_line_is_sound_by_outcome_source_age_and_receipt_together() {
        assert!(line().is_sound());
        let answered = [Answer::Found, Answer::Match];
        for outcome in Answer::ALL {
            let line = Line {
                outcome: outcome.code().into(),
                ..line()
            };
            assert_eq!(line.is_sound(), answered.contains(outcome), "{outcome}");
        }
        type Change = fn(&mut Line);
        let off: [(&str, Change); 5] = [
            ("no outcome of ours", |line| line.outcome = "no answer".into()),
            ("refused", |line| line.outcome = "NOT_PERMITTED".into()),
            ("no source", |line| line.source = None),
            ("no age", |line| line.as_of = None),
            ("no receipt that holds", |line| {
                line.verified = Err("no receipt".into())
            }),
        ];
        for (case, change) in off {
            let mut line = line();
            change(&mut line);
            assert!(!line.is_sound(), "{case}");
        }
    }

    #[test]
    fn one_line_that_is_off_fails_the_command() {
        let off = || Line {
            as_of: None,
            ..line()
        };
        for (lines, code) in [
            (vec![line(), line()], ExitCode::SUCCESS),
            (vec![off(), line()], ExitCode::FAILURE),
            (vec![line(), off()], ExitCode::FAILURE),
            (vec![], ExitCode::FAILURE),
        ] {
            assert_eq!(ended(&lines), code, "{} lines", lines.len());
        }
    }
}
