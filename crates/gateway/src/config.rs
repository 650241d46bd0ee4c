//! The configuration: one TOML file, environment overrides, unknown keys refused, secrets by reference.
//!
//! `MINGCHA_` and the key in capitals overrides one key of the top level, as in `MINGCHA_LISTEN=127.0.0.1:8080`.
//! Every key is described in `docs/operations.md`, which a test compares with this file.

use std::{collections::BTreeMap, net::SocketAddr, path::PathBuf};

use domain::{purpose::Purpose, words::Bilingual};
use serde::Deserialize;

/// A deployment's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The name under which the log is known, such as `records.city.example`. It never changes.
    pub name: String,
    /// Where citizens and clients connect. TLS ends in a proxy in front.
    pub listen: SocketAddr,
    /// Where metrics are read; on a listener of its own, never public.
    pub metrics_listen: SocketAddr,
    /// How the public reaches it, such as `https://records.city.example`; it stands in printed receipts.
    pub public_url: String,
    /// The folder of the embedded database, the head file and the effects journal.
    pub data_folder: PathBuf,
    /// `sqlite`, or `env:NAME` of a variable that holds a PostgreSQL URL.
    #[serde(default = "sqlite")]
    pub database: String,
    /// The root keys: `file:PATH`, or `env:NAME` of a variable that holds the key file's JSON.
    pub keys: String,
    /// Who runs it.
    pub operator: Operator,
    /// The register of purposes.
    pub purposes: Vec<Purpose>,
    /// The folder of `*.toml` that describe the sources.
    pub sources_folder: PathBuf,
    /// A folder of further record kinds.
    #[serde(default)]
    pub kinds_folder: Option<PathBuf>,
    /// A folder of `*.cedar` that forbid more.
    #[serde(default)]
    pub policies_folder: Option<PathBuf>,
    /// How SMS are sent.
    pub messenger: Option<MessengerConfig>,
    /// Where people go for what no source here covers, region by region.
    #[serde(default)]
    pub own_entries: Vec<OwnEntry>,
    /// Bounds on what one account, one person and everybody may ask.
    #[serde(default)]
    pub limits: Limits,
}

fn sqlite() -> String {
    "sqlite".to_owned()
}

/// Who runs the deployment, as the notices and pages say it (PIPL 17).
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Operator {
    /// Its full name.
    pub name: Bilingual,
    /// How to reach it about personal information.
    pub contact: Bilingual,
}

/// A region's own entry, for what is not covered here.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OwnEntry {
    /// The region's name.
    pub region: Bilingual,
    /// Which entry it is and how to get there, in a few words: an official site, an app, a counter.
    pub entry: Bilingual,
    /// For which record kinds; for all where none is named.
    #[serde(default)]
    pub kinds: Vec<String>,
}

impl OwnEntry {
    /// Whether it is for records of this kind.
    #[must_use]
    pub fn is_for(&self, kind: &str) -> bool {
        self.kinds.is_empty() || self.kinds.iter().any(|k| k == kind)
    }
}

/// An HTTP interface that sends an SMS: a JSON body made of members, and where its answer says that it worked.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MessengerConfig {
    /// Where to post, over `https`: on another machine, which may be one of the deployer's own network.
    pub endpoint: String,
    /// A PEM file of the authority that signed its certificate; without it the public ones.
    #[serde(default)]
    pub ca: Option<PathBuf>,
    /// Headers by name; a value may be `env:NAME`.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Members of the body; `{phone}`, `{code}` and `{text}` are filled in.
    pub body: BTreeMap<String, String>,
    /// A JSON pointer into the answer, such as `/Code`.
    pub success_at: String,
    /// What stands there when it worked, such as `OK`.
    pub success_is: String,
}

/// Bounds. Each has a default that a deployment rarely changes.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Look-ups of one account within a minute.
    pub lookups_per_minute: u32,
    /// Pages of their own history and reviews that one account is shown within a minute, by whichever way: each reads
    /// and opens up to a hundred entries. A search reads up to five of them, an export up to fifty.
    pub views_per_minute: u32,
    /// Questions of one account about somebody else within a day.
    pub others_per_day: u32,
    /// Codes sent to one phone within a day.
    pub codes_per_phone_per_day: u32,
    /// Codes sent to phones of one range, the same first seven digits, within an hour.
    pub codes_per_range_per_hour: u32,
    /// Codes sent to everybody within an hour: a burst of made-up phones closes the hour, not the day.
    pub codes_per_hour: u32,
    /// Codes sent to everybody within a day: the bound on what SMS may cost.
    pub codes_per_day: u32,
    /// Real-name proofs of one account that may fail within a day.
    pub proofs_per_account_per_day: u32,
    /// Real-name proofs that may be tried about one person within a day, by whomever. A low bound lets a few
    /// strangers keep the person from proving for a day; a high one fills the person's view with tries.
    pub proofs_per_person_per_day: u32,
    /// Questions in work at once; whoever comes then waits for their turn. By default 256 for each core, at most half
    /// of `connections`.
    pub lookups_in_work: Option<usize>,
    /// Connections served at once. Below the system's limit of open files, which is often 1,024.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            lookups_per_minute: 60,
            views_per_minute: 300,
            others_per_day: 20,
            codes_per_phone_per_day: 10,
            codes_per_range_per_hour: 100,
            codes_per_hour: 5_000,
            codes_per_day: 50_000,
            proofs_per_account_per_day: 5,
            proofs_per_person_per_day: 50,
            lookups_in_work: None,
            connections: 800,
        }
    }
}

/// Questions in work for each core, by default: as many as one commit of the log seals. A core does more than a
/// thousand in a second, so that they take it some 200 ms; and one source that hangs holds at most a few dozen.
const IN_WORK_FOR_EACH_CORE: usize = 256;

impl Limits {
    /// How many questions are in work at once.
    #[must_use]
    pub fn in_work(&self) -> usize {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let most = (self.connections / 2).max(1);
        self.lookups_in_work
            .unwrap_or_else(|| (IN_WORK_FOR_EACH_CORE * cores).min(most))
            .max(1)
    }

    /// How many stand in line with an open connection; the rest of the connections is for who is told, and for pages.
    #[must_use]
    pub fn standing(&self) -> usize {
        (self.connections / 4).max(1)
    }
}

impl Config {
    /// Reads the file's text, with overrides from the environment.
    ///
    /// # Errors
    /// Names the key and, where known, the line.
    pub fn parse(text: &str, environment: impl Iterator<Item = (String, String)>) -> Result<Self, String> {
        let wrong = |e: toml::de::Error| format!("configuration: {e}");
        let mut table: toml::Table = text.parse().map_err(wrong)?;
        let mut overridden = false;
        for (name, value) in environment {
            if let Some(key) = name.strip_prefix("MINGCHA_") {
                let key = key.to_ascii_lowercase();
                if OVERRIDABLE.contains(&key.as_str()) {
                    table.insert(key, toml::Value::String(value));
                    overridden = true;
                }
            }
        }
        // Read from text where nothing is overridden, so that errors name lines.
        let config: Config = match overridden {
            true => table.try_into().map_err(wrong)?,
            false => toml::from_str(text).map_err(wrong)?,
        };
        config.check()?;
        Ok(config)
    }

    fn check(&self) -> Result<(), String> {
        if !self.operator.name.is_complete() || !self.operator.contact.is_complete() {
            return Err("configuration: operator.name and operator.contact need words in zh and en".into());
        }
        let complete = |e: &OwnEntry| e.region.is_complete() && e.entry.is_complete();
        if !self.own_entries.iter().all(complete) {
            return Err("configuration: own_entries: region and entry need words in zh and en".into());
        }
        if self.database != "sqlite" && !self.database.starts_with("env:") {
            return Err(
                "configuration: database is \"sqlite\" or \"env:NAME\"; a URL would be a secret in a file"
                    .into(),
            );
        }
        Ok(())
    }
}

/// Keys of the top level that the environment may override.
const OVERRIDABLE: [&str; 6] = [
    "listen",
    "metrics_listen",
    "public_url",
    "data_folder",
    "database",
    "keys",
];
