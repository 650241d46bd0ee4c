//! The insurers' platform as a record holder that drops a file each day: CSV in GB18030, with checksum and signature.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{
    Suite,
    webhook::{self, SignedParts},
};
use domain::time::Timestamp;
use encoding_rs::GB18030;
use serde_json::{Value, json};

use crate::{
    answers::insurance::{compulsory, known_policies},
    authority::Authority,
    keys::Keys,
    persona::Policy,
    register::{Owned, persona},
};

const HEADER: &str = "号牌号码,号牌种类代码,所有人证件号,被保险人,被保险人证件号,交强险终止日期,险种,保险公司,保单号,\
                      起保日期,终保日期";

/// Where the drops lie, and where the gateway keeps what it reads from them.
pub struct DropFolders<'a> {
    /// Where the platform writes.
    pub drops: &'a Path,
    /// Where the gateway keeps rows.
    pub store: &'a Path,
    /// Where it keeps their keys.
    pub keys: &'a Path,
}

/// The file by which a gateway finds the drops; it takes the place of the platform's file of the same name.
#[must_use]
pub fn insurance_drop_source(folders: &DropFolders<'_>, keys: &Keys) -> (String, String) {
    let path = |path: &Path| path.display().to_string().replace('\\', "/");
    let text = include_str!("../sources/insurance-drop.toml")
        .replace("{folder}", &path(folders.drops))
        .replace("{store}", &path(folders.store))
        .replace("{keys}", &path(folders.keys))
        .replace("{suite}", keys.suite().name())
        .replace("{checksum}", checksum_name(keys.suite()))
        .replace("{signer}", &keys.peer(Authority::Insurance).to_base64());
    (format!("{}.toml", Keys::name_of(Authority::Insurance)), text)
}

/// Writes today's file, if it is not there yet: the content, the signature, and the checksum last.
pub(crate) fn write_insurance_drop(folder: &Path, keys: &Keys, now: Timestamp) -> io::Result<PathBuf> {
    fs::create_dir_all(folder)?;
    let name = format!("policies-{}.csv", now.date_in_china().strftime("%Y%m%d"));
    let path = folder.join(&name);
    let checksum = folder.join(format!("{name}.{}", checksum_name(keys.suite())));
    if checksum.exists() {
        return Ok(path);
    }
    let content = content(now);
    let digest = keys.suite().hash(&[&content]);
    let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    let line = format!("{digest}  {name}\n");
    let signature = keys.identity(Authority::Insurance).sign(line.as_bytes());
    fs::write(&path, content)?;
    fs::write(checksum.with_added_extension("sig"), STANDARD.encode(signature))?;
    fs::write(checksum, line)?;
    Ok(path)
}

fn checksum_name(suite: Suite) -> &'static str {
    match suite {
        Suite::Gm => "sm3",
        Suite::Intl => "sha256",
    }
}

/// A row for each policy of each persona's vehicle, as of yesterday's end.
fn content(now: Timestamp) -> Vec<u8> {
    let mut text = format!("{HEADER}\r\n");
    for owned in Owned::all() {
        let known = known_policies(owned.vehicle(), now);
        for policy in &known {
            text.push_str(
                &cells(&owned, &known, policy, now)
                    .map(|cell| quoted(&cell))
                    .join(","),
            );
            text.push_str("\r\n");
        }
    }
    GB18030.encode(&text).0.into_owned()
}

/// The cells of one policy, in the order of the header.
fn cells(owned: &Owned, known: &[&Policy], policy: &Policy, now: Timestamp) -> [String; 11] {
    let today = now.date_in_china();
    let compulsory = compulsory(known, today);
    let named = compulsory.map(|policy| {
        policy
            .insured
            .as_deref()
            .and_then(persona)
            .unwrap_or(&owned.owner)
    });
    let kind = if policy.kind == "1" {
        "交强险"
    } else {
        "商业险"
    };
    let dense = |day: jiff::civil::Date| day.strftime("%Y%m%d").to_string();
    [
        owned.vehicle().plate.clone(),
        owned.vehicle().class.clone(),
        owned.owner.id_number.clone(),
        named.map(|insured| insured.name.clone()).unwrap_or_default(),
        named.map(|insured| insured.id_number.clone()).unwrap_or_default(),
        compulsory
            .map(|policy| policy.until.on(today).to_string())
            .unwrap_or_default(),
        kind.to_owned(),
        policy.insurer.clone(),
        policy.number.clone(),
        dense(policy.from.on(today)),
        dense(policy.until.on(today)),
    ]
}

/// A compulsory policy that was taken out with another insurer since the last file.
#[derive(Debug, Clone, Copy)]
pub struct Renewal<'a> {
    /// The persona who owns the vehicle: their first one.
    pub persona: &'a str,
    /// The insurer.
    pub insurer: &'a str,
    /// The policy's number.
    pub policy_number: &'a str,
    /// Rises with each change of this vehicle.
    pub sequence: u64,
}

/// A message as the insurers' platform sends it: three headers and a body, as Standard Webhooks has them.
#[derive(Debug, Clone)]
pub struct InsuranceMessage {
    /// `webhook-id`.
    pub id: String,
    /// `webhook-timestamp`.
    pub timestamp: String,
    /// `webhook-signature`, by the platform's own key.
    pub signature: String,
    /// The body.
    pub body: String,
}

/// What the platform pushes when a policy was renewed: all rows of the vehicle as its next file will have them. `None`
/// where the persona has no insured vehicle.
pub(crate) fn renewal_message(keys: &Keys, renewal: Renewal<'_>, now: Timestamp) -> Option<InsuranceMessage> {
    let mut owned = Owned::all().filter(|owned| owned.owner.id == renewal.persona);
    let owned = owned.find(|owned| !known_policies(owned.vehicle(), now).is_empty())?;
    let known = known_policies(owned.vehicle(), now);
    let renewed = compulsory(&known, now.date_in_china())?;
    let row = |policy: &&Policy| {
        let mut cells = cells(&owned, &known, policy, now);
        if policy.number == renewed.number {
            cells[7] = renewal.insurer.to_owned();
            cells[8] = renewal.policy_number.to_owned();
        }
        let members = HEADER.split(',').map(str::to_owned).zip(cells.map(Value::String));
        Value::Object(members.collect())
    };
    let body = json!({
        "type": "policy.changed",
        "timestamp": now.rfc3339(),
        "data": {
            "record": { "号牌号码": owned.vehicle().plate, "号牌种类代码": owned.vehicle().class },
            "sequence": renewal.sequence,
            "rows": known.iter().map(row).collect::<Vec<_>>(),
        },
    });
    let body = body.to_string();
    let id = format!("msg-{}-{}", renewal.persona, renewal.sequence);
    let timestamp = (now.0 / 1_000_000).to_string();
    let parts = SignedParts {
        id: &id,
        timestamp: &timestamp,
        body: body.as_bytes(),
    };
    let signature = webhook::sign(keys.identity(Authority::Insurance), parts);
    Some(InsuranceMessage {
        id,
        timestamp,
        signature,
        body,
    })
}

fn quoted(cell: &str) -> String {
    if cell.contains([',', '"', '\r', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell.to_owned()
    }
}
