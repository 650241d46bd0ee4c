//! `mingcha source list`, `pause`, `resume` and `accept` by the program itself, on a deployment's configuration file.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use crypto::Suite;
use gateway::source_files::{read_acceptances, read_orders, write_drop_states};
use sandbox::{Authority, Keys};
use sources::{DropState, Quarantine};
use store::Random;

use crate::{actions::drops::SHOPS, app::CONFIG, source_check::SOUND};

/// By what right the shops are asked, in a deployment that is real.
const AGREEMENT: &str = r#"
[agreement]
number = "A-2"
expires = 2099-12-31
licence = "L-2"
licence_expires = 2099-12-31
fields = { vehicle-maintenance = ["last_odometer_km", "visits"] }

[drops]
signer = "SIGNER"
"#;

/// A deployment that does not run: its configuration file and its folders.
struct Deployment {
    folder: tempfile::TempDir,
    config: PathBuf,
    data: PathBuf,
}

impl Deployment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (config, data, sources) = (at("config.toml"), at("data"), at("sources"));
        for folder in [&data, &sources, &at("shops/in")] {
            fs::create_dir_all(folder).unwrap();
        }
        let quoted = |path: &Path| format!("{:?}", path.display().to_string());
        let text = CONFIG
            .replace(
                "data_folder = \"unused\"",
                &format!("data_folder = {}", quoted(&data)),
            )
            .replace(
                "sources_folder = \"unused\"",
                &format!("sources_folder = {}", quoted(&sources)),
            );
        fs::write(&config, text).unwrap();
        let police = SOUND.replace("2027-12-31", "2099-12-31");
        fs::write(sources.join("city-police.toml"), police).unwrap();
        let keys = Random::new([5; 32]).with(|rng| Keys::generate(Suite::Intl, rng));
        let signer = keys.unwrap().peer(Authority::Insurance).to_base64();
        let shops = SHOPS
            .replace("\n[drops]\n", AGREEMENT)
            .replace("FOLDER", &at("shops").display().to_string())
            .replace("SIGNER", &signer);
        fs::write(sources.join("shops.toml"), shops).unwrap();
        Deployment { config, data, folder }
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
        // What overrides a configuration in this environment is not meant for this one.
        for name in ["MINGCHA_DATA_FOLDER", "MINGCHA_SOURCES_FOLDER"] {
            command.env_remove(name);
        }
        command
            .arg("source")
            .args(words)
            .arg("--config")
            .arg(&self.config);
        command.current_dir(self.folder.path()).output().unwrap()
    }

    /// What it prints, where it succeeds.
    #[track_caller]
    fn done(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        let why = String::from_utf8_lossy(&ended.stderr);
        let out = String::from_utf8(ended.stdout).unwrap();
        assert!(ended.status.success(), "{words:?}: {out}{why}");
        out
    }

    /// Why it fails.
    #[track_caller]
    fn failed(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        assert!(!ended.status.success(), "{words:?}");
        String::from_utf8(ended.stderr).unwrap()
    }
}

#[test]
fn a_source_is_paused_and_resumed_by_name() {
    let deployment = Deployment::new();
    let shown = deployment.done(&["list"]);
    for head in ["city-police  asked\n", "shops  asked\n"] {
        assert!(shown.contains(head), "{head}: {shown}");
    }
    for told in [
        "serves     identity match, vehicle-maintenance read\n",
        "agreement  A-1 until 2099-12-31\n",
        "agreement  A-2 until 2099-12-31\n",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    deployment.done(&["pause", "city-police", "--by", "wang"]);
    let shown = deployment.done(&["list"]);
    assert!(shown.contains("city-police  paused by wang\n"), "{shown}");
    assert!(shown.contains("shops  asked\n"), "{shown}");
    let said = deployment.done(&["resume", "city-police", "--by", "zhao"]);
    assert!(
        said.contains("to be asked again") && said.contains("zhao"),
        "{said}"
    );
    let orders = read_orders(&deployment.data).unwrap();
    let order = &orders["city-police"];
    assert_eq!((order.paused, order.by.as_str()), (false, "zhao"));
    assert!(deployment.done(&["list"]).contains("city-police  asked\n"));
    let said = deployment.done(&["resume", "city-police", "--by", "zhao"]);
    assert!(said.contains("nothing to do"), "{said}");
    let why = deployment.failed(&["resume", "city-court", "--by", "zhao"]);
    assert!(why.contains("there is no source city-court"), "{why}");
}

#[test]
fn what_is_held_back_is_listed_and_accepted_by_name() {
    let deployment = Deployment::new();
    let held = Quarantine {
        file: "visits-20261122.csv".into(),
        digest: "ab".repeat(32),
        rows: 3,
        before: 5,
        lacking: vec![],
    };
    let state = DropState {
        source: "shops".into(),
        serving: Some(("2026-11-21T16:00:00Z".into(), 5)),
        reading: None,
        waiting: Some(held.clone()),
    };
    write_drop_states(&deployment.data, &[state]).unwrap();
    let shown = deployment.done(&["list"]);
    for told in [
        "file       answers from 5 rows as of 2026-11-21T16:00:00Z\n",
        "file       ALARM visits-20261122.csv is held back: 3 rows after 5;",
    ] {
        assert!(shown.contains(told), "{told}: {shown}");
    }
    let accept = |source: &'static str, file: &'static str| ["accept", source, file, "--by", "wang"];
    for (source, file) in [
        ("shops", "visits-20261123.csv"),
        ("city-police", "visits-20261122.csv"),
    ] {
        let why = deployment.failed(&accept(source, file));
        assert!(why.contains(&format!("no drop {file} waits")), "{why}");
    }
    assert!(read_acceptances(&deployment.data).unwrap().is_empty());
    let said = deployment.done(&accept("shops", "visits-20261122.csv"));
    assert!(said.contains("with 3 rows is to be taken"), "{said}");
    let acceptances = read_acceptances(&deployment.data).unwrap();
    let accepted = &acceptances["shops"];
    assert_eq!(
        (&accepted.file, &accepted.digest, accepted.by.as_str()),
        (&held.file, &held.digest, "wang")
    );
}
