//! A deployment in a folder of its own: its configuration file, what that names, and the program run on it.

use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

use tempfile::TempDir;

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

/// A deployment that was never started.
pub(crate) struct Deployment {
    folder: TempDir,
    /// What its configuration file says.
    pub(crate) config: String,
}

impl Deployment {
    pub(crate) fn new() -> Self {
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

    /// A place in its folder.
    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The program with these words, and by its configuration alone.
    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mingcha"));
        for name in OVERRIDES {
            command.env_remove(name);
        }
        command.args(words).arg("--config").arg(self.at("config.toml"));
        command
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, words: &[&str]) -> Output {
        self.command(words).output().unwrap()
    }

    /// What it prints, where it succeeds.
    #[track_caller]
    pub(crate) fn done(&self, words: &[&str]) -> String {
        let ended = self.run(words);
        let why = String::from_utf8_lossy(&ended.stderr);
        assert!(ended.status.success(), "{words:?}: {why}");
        String::from_utf8(ended.stdout).unwrap()
    }
}
