//! `mingcha keys rotate` by the program itself: who orders it is sealed, as of an order about a source.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
    sync::Arc,
};

use domain::{
    ids::DEPLOYMENT,
    time::{ManualClock, Timestamp},
};
use gateway::{
    config::Config,
    messenger::{Messenger, Outbox},
    start::{self, World},
};
use store::Random;

use crate::app::CONFIG;

/// Nothing is sent: it is asked for by every start of a deployment.
const MESSENGER: &str = r#"
[messenger]
endpoint = "https://sms.provider.example/send"
body = { to = "{phone}", text = "{text}" }
success_at = "/Code"
success_is = "OK"
"#;

/// What overrides a configuration in this environment is not meant for this one.
const OVERRIDES: [&str; 6] = [
    "MINGCHA_LISTEN",
    "MINGCHA_METRICS_LISTEN",
    "MINGCHA_PUBLIC_URL",
    "MINGCHA_DATA_FOLDER",
    "MINGCHA_DATABASE",
    "MINGCHA_KEYS",
];

/// A deployment that does not run: its configuration file and its folders.
struct Deployment {
    folder: tempfile::TempDir,
    config: String,
}

impl Deployment {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        fs::create_dir(at("sources")).unwrap();
        let config = CONFIG
            .replace(
                "data_folder = \"unused\"",
                &format!("data_folder = {:?}", at("data")),
            )
            .replace(
                "sources_folder = \"unused\"",
                &format!("sources_folder = {:?}", at("sources")),
            )
            .replace("file:unused", &format!("file:{}", at("root-keys.json")));
        let config = config + MESSENGER;
        fs::write(at("config.toml"), &config).unwrap();
        Deployment { folder, config }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn keys(&self) -> String {
        fs::read_to_string(self.at("root-keys.json")).unwrap()
    }

    fn run(&self, words: &[&str]) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
        for name in OVERRIDES {
            command.env_remove(name);
        }
        command.args(words).arg("--config").arg(self.at("config.toml"));
        command.output().unwrap()
    }

    #[track_caller]
    fn done(&self, words: &[&str]) {
        let ended = self.run(words);
        let why = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{words:?}: {why}");
    }

    /// What the deployment's own chain says last: what happened, and who did it in which role.
    async fn last_change(&self) -> (String, String, Vec<u8>) {
        let world = World {
            clock: Arc::new(ManualClock::new(Timestamp(1_900_000_000_000_000))),
            random: Arc::new(Random::new([7; 32])),
        };
        let config = Config::parse(&self.config, std::iter::empty()).unwrap();
        let root = start::root_keys(&config.keys, "production", None, &world).unwrap();
        let messenger = Messenger::Outbox(Outbox::default());
        let app = start::look(config, root, &[], messenger, &world).await.unwrap();
        let entries = app.store.entries(DEPLOYMENT, None, 1).await.unwrap();
        let entry = entries.into_iter().next().unwrap();
        let by = entry.chain.requester;
        (entry.shared.about.unwrap(), by.role, by.id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rotation_is_sealed_under_its_operators_name() {
    let deployment = Deployment::new();
    deployment.done(&["migrate"]);
    let before = deployment.keys();
    for by in [
        &["--by", "王"][..],
        &["--by", "wang and others"],
        &["--by", ""],
        &[],
    ] {
        let ended = deployment.run(&[&["keys", "rotate"][..], by].concat());
        let why = String::from_utf8_lossy(&ended.stderr);
        assert!(!ended.status.success() && why.contains("--by"), "{by:?}: {why}");
    }
    assert_eq!(deployment.keys(), before, "nobody is named, and nothing is done");
    deployment.done(&["keys", "rotate", "--by", "wang"]);
    assert_ne!(deployment.keys(), before);
    let sealed = (
        "root key 2 wraps from now on".to_owned(),
        "operator".to_owned(),
        b"wang".to_vec(),
    );
    assert_eq!(deployment.last_change().await, sealed);
}
