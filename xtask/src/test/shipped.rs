//! The program as it is shipped, built without the demo: what it must not have, what it refuses, and that the first
//! configuration of the operations manual starts it.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread::sleep,
    time::Duration,
};

use super::{commands, tally::Tally};
use crate::{
    http::Client,
    program::{self, Build, Setup},
    run,
    scratch::Scratch,
    tidy::Tree,
};

/// How long a start may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// What only the demo serves.
const DEMO_ROUTES: [&str; 3] = ["/demo", "/demo/outbox", "/demo/portraits/liu-zhiqiang.png"];
/// What stands only in a program that has the demo; it must be found there.
const OF_THE_DEMO: [&str; 2] = ["/demo/portraits/{file}", "Codes by SMS"];
/// The variable by which a planted bug is chosen. It stands only in a program that has them.
const PLANTED: &str = "MINGCHA_PLANTED";
/// What stands only in a program without seals.
const UNSEALED: &str = "built with bench-unsealed";

/// Runs it.
///
/// # Errors
/// Something does not build, or the demo does not start.
pub(super) fn run(tally: &mut Tally) -> Result<(), String> {
    let (plain, shipped) = (
        program::build(Build::Plain, false)?,
        program::build(Build::Shipped, false)?,
    );
    let scratch = Scratch::new("shipped")?;
    let place = Place::new(&shipped, scratch.path())?;
    tally.check("shipped: no commands of the demo", no_commands(&plain, &shipped));
    tally.check(
        "shipped: nothing of the demo is in it",
        nothing_inside(&plain, &shipped),
    );
    tally.check("shipped: no messenger, no start", place.without_a_messenger());
    tally.check(
        "shipped: no route of the demo",
        place.no_routes(&plain, &scratch.path().join("demo")),
    );
    tally.check(
        "shipped: a database of the demo is refused",
        place.not_the_demos(scratch.path()),
    );
    commands::deployment(&place, tally);
    commands::alone(&plain, tally)
}

fn no_commands(plain: &Path, shipped: &Path) -> Result<(), String> {
    for command in ["demo", "sandbox"] {
        let helps = |program: &Path| {
            let mut asked = Command::new(program);
            asked
                .args([command, "--help"])
                .stdout(Stdio::null())
                .stderr(Stdio::null());
            asked.status().map(|s| s.success()).map_err(|e| e.to_string())
        };
        if helps(shipped)? || !helps(plain)? {
            return Err(format!(
                "`{command}` belongs to builds with the demo, and only there"
            ));
        }
    }
    Ok(())
}

fn nothing_inside(plain: &Path, shipped: &Path) -> Result<(), String> {
    let read = |path: &Path| fs::read(path).map_err(|e| format!("{}: {e}", path.display()));
    let (plain, shipped) = (read(plain)?, read(shipped)?);
    let has = |program: &[u8], text: &str| program.windows(text.len()).any(|w| w == text.as_bytes());
    if let Some(text) = OF_THE_DEMO.iter().find(|text| !has(&plain, text)) {
        return Err(format!("{text:?} was looked for and is not even in the demo"));
    }
    // The other programs are not built here: their code must have the words.
    worded_as_sought(&Tree::read(&run::root())?)?;
    let mut absent = OF_THE_DEMO.iter().chain([&PLANTED, &UNSEALED]);
    match absent.find(|text| has(&shipped, text)) {
        Some(text) => Err(format!("{text:?} is in it")),
        None => Ok(()),
    }
}

/// Whether planted bugs and the program without seals are worded in their code as they are looked for: whoever words
/// them otherwise would make the search find nothing, whatever is shipped.
fn worded_as_sought(tree: &Tree) -> Result<(), String> {
    let code = || {
        let sources = tree
            .with("rs")
            .filter(|file| file.path.starts_with("crates/") && file.path.contains("/src/"));
        sources.flat_map(|file| {
            let lines = file
                .lines()
                .map(|(_, line)| line)
                .filter(|line| !line.trim_start().starts_with("//"));
            lines.map(move |line| (file, line))
        })
    };
    if !code().any(|(_, line)| line.contains(UNSEALED)) {
        return Err(format!("{UNSEALED:?} is looked for, and no code says it"));
    }
    let chosen: Vec<(&str, &str)> = code()
        .filter_map(|(file, line)| {
            let (_, after) = line.split_once("env::var(\"")?;
            let name = after.split('"').next()?;
            file.text
                .contains("planted")
                .then_some((file.path.as_str(), name))
        })
        .collect();
    match chosen.iter().find(|(_, name)| *name != PLANTED) {
        Some((path, name)) => Err(format!("{path} asks for {name:?}, and {PLANTED:?} is looked for")),
        None if chosen.is_empty() => Err(format!(
            "{PLANTED:?} is looked for, and no planted bug asks for it"
        )),
        None => Ok(()),
    }
}

/// Where a deployment stands, as the manual's first configuration has it.
pub(super) struct Place<'a> {
    pub(super) program: &'a Path,
    pub(super) folder: &'a Path,
    config: String,
    address: SocketAddr,
}

impl<'a> Place<'a> {
    fn new(program: &'a Path, folder: &'a Path) -> Result<Self, String> {
        let manual = run::root().join("docs/operations.md");
        let text = fs::read_to_string(&manual).map_err(|e| format!("{}: {e}", manual.display()))?;
        let first = text.split("```toml\n").nth(1).and_then(|t| t.split("```").next());
        let first = first.ok_or("the operations manual has no first configuration")?;
        let (address, metrics) = (program::free_address()?, program::free_address()?);
        let at = |name: &str| folder.join(name).display().to_string();
        let config = first
            .replace("127.0.0.1:8700", &address.to_string())
            .replace("127.0.0.1:9700", &metrics.to_string())
            .replace("/var/lib/mingcha-keys", &at("keys"))
            .replace("/var/lib/mingcha", &at("data"))
            .replace("/etc/mingcha/sources", &at("sources"));
        for name in ["keys", "sources"] {
            fs::create_dir_all(folder.join(name)).map_err(|e| format!("{name}: {e}"))?;
        }
        Ok(Place {
            program,
            folder,
            config,
            address,
        })
    }

    /// Runs a command on the deployment to its end.
    pub(super) fn command(&self, words: &[&str], argument: Option<&Path>) -> Result<Output, String> {
        let path = self.write_config("config.toml", &self.config)?;
        let mut command = Command::new(self.program);
        command.args(words).args(argument).arg("--config").arg(path);
        commands::output(command.env("SMS_AUTHORIZATION", "Bearer none"))
    }

    /// The configuration of a deployment that was never started.
    pub(super) fn elsewhere(&self) -> Result<PathBuf, String> {
        let at = |name: &str| self.folder.join(name).display().to_string();
        let config = self.config.replace(&at("data"), &at("nowhere"));
        let config = config.replace(&at("keys/root-keys.json"), &at("nowhere/root-keys.json"));
        self.write_config("elsewhere.toml", &config)
    }

    fn write_config(&self, name: &str, config: &str) -> Result<PathBuf, String> {
        let path = self.folder.join(name);
        fs::write(&path, config).map_err(|e| format!("{}: {e}", path.display()))?;
        Ok(path)
    }

    fn serve(&self, config: &str) -> Result<Child, String> {
        let path = self.write_config("config.toml", config)?;
        let mut command = Command::new(self.program);
        command.arg("serve").arg("--config").arg(&path);
        command
            .env("SMS_AUTHORIZATION", "Bearer none")
            .env("MINGCHA_TRACE", "error");
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped());
        command
            .spawn()
            .map_err(|e| format!("{}: {e}", self.program.display()))
    }

    /// Serving by this configuration ends at once, for this reason.
    fn refuses(&self, config: &str, why: &str) -> Result<(), String> {
        refuses(self.serve(config)?, why)
    }

    fn without_a_messenger(&self) -> Result<(), String> {
        let (without, _) = self
            .config
            .split_once("[messenger]")
            .ok_or("the first configuration has no messenger")?;
        self.refuses(without, "there is no messenger")
    }

    fn no_routes(&self, plain: &Path, folder: &Path) -> Result<(), String> {
        let statuses = |address: SocketAddr| -> Result<Vec<u16>, String> {
            let mut client = Client::new(address);
            let mut all = vec![];
            for path in DEMO_ROUTES {
                all.push(client.get(path).map_err(|e| e.to_string())?.status);
            }
            Ok(all)
        };
        let mut child = self.serve(&self.config)?;
        let shipped = ready(self.address, &mut child).and_then(|()| statuses(self.address));
        drop(child.kill());
        let ended = child.wait_with_output().map_err(|e| e.to_string())?;
        let shipped = shipped.map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&ended.stderr)))?;
        let setup = Setup::new(plain, folder)?;
        let demo = setup.start()?;
        let served = statuses(setup.address)?;
        demo.stop_and_wait()?;
        if shipped.iter().any(|status| *status != 404) || served.iter().any(|status| *status != 200) {
            return Err(format!(
                "{DEMO_ROUTES:?} gave {shipped:?} as shipped and {served:?} in the demo"
            ));
        }
        Ok(())
    }

    /// After the demo has run in the same folder, by its keys and by new ones.
    fn not_the_demos(&self, folder: &Path) -> Result<(), String> {
        let at = |name: &str| folder.join(name).display().to_string();
        let on_it = self.config.replace(
            &format!("data_folder = \"{}\"", at("data")),
            &format!("data_folder = \"{}\"", at("demo/data")),
        );
        let its_keys = on_it.replace(&at("keys/root-keys.json"), &at("demo/data/root-keys.json"));
        if on_it == self.config || its_keys == on_it {
            return Err("the first configuration names its folders otherwise".to_owned());
        }
        self.refuses(&its_keys, "of the realm \"demo\"")?;
        self.refuses(&on_it, "realm")
    }
}

/// A program that was started ends by itself, and says that it does so for this reason.
pub(super) fn refuses(mut child: Child, why: &str) -> Result<(), String> {
    let watch = run::Stopwatch::start();
    while child.try_wait().map_err(|e| e.to_string())?.is_none() {
        if watch.elapsed() > PATIENCE {
            drop(child.kill());
            drop(child.wait());
            return Err(format!("it serves, though it should refuse: {why}"));
        }
        sleep(Duration::from_millis(10));
    }
    let done = child.wait_with_output().map_err(|e| e.to_string())?;
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    if !done.status.success() && said.contains(why) {
        Ok(())
    } else {
        Err(format!("it ended with {} and said: {said}", done.status))
    }
}

fn ready(address: SocketAddr, child: &mut Child) -> Result<(), String> {
    let watch = run::Stopwatch::start();
    while watch.elapsed() < PATIENCE {
        if Client::new(address).get("/readyz").is_ok_and(|r| r.status == 200) {
            return Ok(());
        }
        if child.try_wait().map_err(|e| e.to_string())?.is_some() {
            break;
        }
        sleep(Duration::from_millis(10));
    }
    Err("it does not start by the manual's first configuration".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_that_no_code_has_are_told() {
        let sealed = "let text = \"without seals\";";
        let unsealed = format!("let text = \"NOT FOR USE: {UNSEALED}\";");
        let comment = format!("// {UNSEALED}");
        let asked = format!("#[cfg(feature = \"planted\")]\nstd::env::var(\"{PLANTED}\")");
        let other = "// planted\nstd::env::var(\"MINGCHA_BUG\")";
        let both = format!("{asked}\n{other}");
        for (planted, bench, fine) in [
            (asked.as_str(), unsealed.as_str(), true),
            (asked.as_str(), sealed, false),
            (asked.as_str(), comment.as_str(), false),
            ("// planted", unsealed.as_str(), false),
            (other, unsealed.as_str(), false),
            (both.as_str(), unsealed.as_str(), false),
        ] {
            let tree = Tree::of(&[("crates/a/src/a.rs", planted), ("crates/b/src/b.rs", bench)]);
            assert_eq!(worded_as_sought(&tree).is_ok(), fine, "{planted} and {bench}");
        }
    }

    #[test]
    fn the_code_is_worded_as_it_is_looked_for() {
        let tree = Tree::read(&run::root()).unwrap();
        assert_eq!(worded_as_sought(&tree), Ok(()));
    }
}
