//! `mingcha source check`: each mistake that was made on purpose is found, at its line, with what to write instead.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering},
    },
};

use domain::time::{Clock, ManualClock, Timestamp};
use gateway::{
    commands::source::check::{CheckArgs, check},
    start::World,
};
use sandbox::{DropFolders, Fault, Keys, Sandbox, Switch};
use store::Random;
use tokio::net::TcpListener;

use crate::cast::chen;

/// A sound file of a real source.
pub(crate) const SOUND: &str = r#"id = "city-police"
version = 1
name = { zh = "市公安局", en = "City police" }
protocol = "http"
endpoint = "https://records.city.example/v1"
freshness = "daily"

[agreement]
number = "A-1"
expires = 2027-12-31
licence = "L-1"
licence_expires = 2027-12-31
fields = { vehicle-maintenance = ["last_odometer_km", "visits"], identity = [] }

[[serves]]
kind = "vehicle-maintenance"
mode = "read"
path = "/repairs"
request = { hphm = "key.plate", hpzl = "key.plate_class", xm = "subject.name", sfz = "subject.id_number" }
outcome = { at = "/code", codes = { "0" = "found", "1" = "not_found" } }
answer = { as_of = "/time" }
[serves.fields]
last_odometer_km = "/data/lc"
visits.at = "/data/wx"
visits.items.date = { at = "/rq", format = "yyyyMMdd" }
visits.items.odometer_km = "/lc"
visits.items.shop = "/qy"
visits.items.work = "/xm"

[[serves]]
kind = "identity"
mode = "match"
path = "/identity"
request = { xm = "subject.name", sfz = "subject.id_number" }
outcome = { at = "/code", codes = { "0" = "match", "1" = "not_found", "2" = "mismatch" } }
"#;

/// What is written wrong, what it becomes, and words of what is told.
const MISTAKES: &[(&str, &str, &str)] = &[
    (
        "kind = \"vehicle-maintenance\"",
        "kind = \"vehicle-repairs\"",
        "there is no kind vehicle-repairs; known are",
    ),
    (
        "last_odometer_km = \"/data/lc\"",
        "odometer = \"/data/lc\"\nlast_odometer_km = \"/data/lc\"",
        "there is no field odometer here; known are",
    ),
    ("\"/data/lc\"", "\"data/lc\"", "no JSON pointer; it begins with /"),
    (
        "\"1\" = \"not_found\" } }\nanswer",
        "\"1\" = \"nothing\" } }\nanswer",
        "unknown variant `nothing`, expected one of",
    ),
    (
        "https://records",
        "http://records",
        "without [envelope] a real source is spoken to only by https",
    ),
    (
        "expires = 2027-12-31",
        "expires = 2026-11-21",
        "expired on 2026-11-21",
    ),
    (
        "licence_expires = 2027-12-31",
        "licence_expires = 2025-01-01",
        "licence L-1 ALARM expired",
    ),
    (
        ", sfz = \"subject.id_number\" }\noutcome = { at = \"/code\", codes = { \"0\" = \"found\"",
        " }\noutcome = { at = \"/code\", codes = { \"0\" = \"found\"",
        "the request must carry \"subject.id_number\"",
    ),
    (
        "hpzl = \"key.plate_class\", ",
        "",
        "the request must carry \"key.plate_class\"",
    ),
    (
        "format = \"yyyyMMdd\"",
        "format = \"yuan\"",
        "does not fit the type date: take another",
    ),
    (
        "fields = { vehicle-maintenance = [\"last_odometer_km\", ",
        "fields = { vehicle-maintenance = [",
        "last_odometer_km is outside the agreement: take it out",
    ),
    ("fields = {", "# fields = {", "fields = { kind"),
    (
        "freshness = \"daily\"",
        "freshness = \"hourly\"",
        "unknown variant `hourly`, expected one of",
    ),
    (
        "freshness = \"daily\"",
        "freshness = \"daily\"\nregions = [\"深圳\"]",
        "is no region: write the first 2, 4 or 6 digits",
    ),
    (
        "visits.items.date = { at = \"/rq\", format = \"yyyyMMdd\" }\n",
        "",
        "date is required and not mapped",
    ),
    ("version = 1", "versoin = 1", "unknown field `versoin`"),
];

pub(crate) fn world() -> World {
    // Checks beside each other in one process need folders of their own.
    static WORLDS: AtomicU8 = AtomicU8::new(0);
    let now = Timestamp::parse_rfc3339("2026-11-22T04:00:00Z").unwrap();
    World {
        clock: Arc::new(ManualClock::new(now)) as Arc<dyn Clock>,
        random: Arc::new(Random::new([WORLDS.fetch_add(1, Ordering::Relaxed); 32])),
    }
}

/// The words of a check that asks the endpoints about the cases of this file.
pub(crate) fn asking(file: PathBuf, tests: PathBuf) -> CheckArgs {
    CheckArgs {
        files: vec![file],
        ask: Some(tests),
        submit: false,
        kinds: None,
        demo: true,
    }
}

/// Writes the files and checks them.
async fn checked(folder: &Path, files: &[(&str, &str)]) -> (bool, String) {
    let mut args = CheckArgs {
        files: vec![],
        ask: None,
        submit: false,
        kinds: None,
        demo: false,
    };
    for (name, text) in files {
        fs::write(folder.join(name), text).unwrap();
        args.files.push(folder.join(name));
    }
    let mut out = String::new();
    let sound = check(&args, &world(), &mut out).await.unwrap();
    (sound, out)
}

#[tokio::test]
async fn each_mistake_is_found_with_its_line_and_what_to_write() {
    let folder = tempfile::tempdir().unwrap();
    let (sound, out) = checked(folder.path(), &[("a.toml", SOUND)]).await;
    assert!(sound, "{out}");
    for (from, to, words) in MISTAKES {
        assert!(SOUND.contains(from), "{from}");
        let wrong = SOUND.replacen(from, to, 1);
        let (sound, out) = checked(folder.path(), &[("a.toml", &wrong)]).await;
        assert!(
            !sound && out.contains("WRONG") && out.contains(words),
            "{to}: {out}"
        );
        assert!(out.contains("a.toml:"), "{to}: {out}");
    }
    let route = &SOUND[SOUND.rfind("[[serves]]").unwrap()..];
    let (sound, out) = checked(folder.path(), &[("a.toml", &format!("{SOUND}{route}"))]).await;
    assert!(
        !sound && out.contains("served twice in mode match by two base routes"),
        "{out}"
    );
    let (sound, out) = checked(folder.path(), &[("a.toml", SOUND), ("b.toml", SOUND)]).await;
    assert!(
        !sound && out.contains("there is a source city-police already"),
        "{out}"
    );
    let soon = SOUND.replacen("expires = 2027-12-31", "expires = 2026-12-15", 1);
    let (sound, out) = checked(folder.path(), &[("a.toml", &soon)]).await;
    assert!(sound && out.contains("ends in 23 days"), "{out}");
}

/// A simulated authority, its source file, and a test file about one of its personas.
pub(crate) struct Endpoint {
    pub(crate) folder: tempfile::TempDir,
    sandbox: Arc<Sandbox>,
    world: World,
}

impl Endpoint {
    pub(crate) async fn start() -> Self {
        let (folder, world) = (tempfile::tempdir().unwrap(), world());
        #[expect(clippy::disallowed_methods, reason = "the test plays the authorities")]
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = world
            .random
            .with(|rng| Keys::generate(crypto::Suite::Intl, rng))
            .unwrap();
        for (name, text) in sandbox::source_files(&url, &keys) {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let sandbox = Arc::new(Sandbox::new(keys, Arc::clone(&world.clock), world.random.fork()));
        let routes = sandbox.router();
        tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        Endpoint {
            folder,
            sandbox,
            world,
        }
    }

    async fn ask(&self, source: &str, cases: &str) -> (bool, String) {
        self.try_all(source, cases, false).await
    }

    /// Asks about the cases and, with `submit`, hands in a review.
    pub(crate) async fn try_all(&self, source: &str, cases: &str, submit: bool) -> (bool, String) {
        let tests = self.folder.path().join("tests");
        let person = format!("name = {:?}\nid_number = {:?}", chen().name, chen().id_number);
        fs::write(&tests, cases.replace("PERSON", &person)).unwrap();
        let args = CheckArgs {
            submit,
            ..asking(self.folder.path().join(source), tests)
        };
        let mut out = String::new();
        let sound = check(&args, &self.world, &mut out).await.unwrap_or_else(|wrong| {
            out.push_str(&wrong.to_string());
            false
        });
        assert!(
            !out.contains(&chen().id_number) && !out.contains(&chen().name),
            "nothing personal: {out}"
        );
        (sound, out)
    }

    /// The licence of the test subject while the source does this.
    async fn spoilt(&self, switch: Switch) -> String {
        self.sandbox.clear_switches();
        self.sandbox
            .switch(Switch {
                path: Some("traffic/licence/query".into()),
                ..switch
            })
            .unwrap();
        let (sound, out) = self.ask("sandbox-traffic.toml", LICENCE).await;
        assert!(!sound, "{out}");
        out
    }
}

pub(crate) const LICENCE: &str =
    "[[cases]]\nkind = \"driving-licence\"\nmode = \"read\"\nPERSON\nexpect = \"found\"\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_is_tried_before_it_goes_live() {
    let endpoint = Endpoint::start().await;
    let (sound, out) = endpoint.ask("sandbox-traffic.toml", LICENCE).await;
    assert!(
        sound && out.contains("case 1 (driving-licence read): found"),
        "{out}"
    );
    assert!(
        out.contains("an invented person gets not_found") && out.contains("no case tries it"),
        "{out}"
    );
    for untried in [
        "sandbox-traffic: traffic-violations: gives pictures ([[images]]), not tried: no case found a record with one",
        "sandbox-traffic: driving-licence: takes reviews and says how far they are ([[submits]]), not tried: --submit hands one in",
    ] {
        assert!(out.contains(untried), "{untried}: {out}");
    }
    let matched = "[[cases]]\nkind = \"identity\"\nmode = \"match\"\nPERSON\nclaims = { phone = \"PHONE\" }\nexpect = \"match\"\n";
    let matched = matched.replace("PHONE", chen().phone.as_deref().unwrap());
    let (sound, out) = endpoint.ask("sandbox-carrier.toml", &matched).await;
    assert!(sound, "{out}");

    let fault = |fault, member: Option<&str>| Switch {
        fault: Some(fault),
        member: member.map(str::to_owned),
        ..Switch::default()
    };
    let out = endpoint.spoilt(fault(Fault::MissingField, Some("dabh"))).await;
    assert!(
        out.contains("field_missing file_number. a field that the kind requires is not there"),
        "{out}"
    );
    let out = endpoint.spoilt(fault(Fault::WrongPerson, None)).await;
    assert!(
        out.contains("must compare name and number with the record"),
        "{out}"
    );
    let out = endpoint.spoilt(fault(Fault::Close, None)).await;
    assert!(out.contains("broken, expected found: connection_broken"), "{out}");
    let out = endpoint.spoilt(fault(Fault::NotJson, None)).await;
    assert!(out.contains("the reply must be JSON in UTF-8"), "{out}");
}

/// The insurers, whose daily file lies in the folder `in`, with the source's file that says so.
pub(crate) struct Insurers {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) world: World,
    pub(crate) text: String,
    pub(crate) sandbox: Sandbox,
}

impl Insurers {
    pub(crate) fn new() -> Self {
        let (folder, world) = (tempfile::tempdir().unwrap(), world());
        let keys = world
            .random
            .with(|rng| Keys::generate(crypto::Suite::Gm, rng))
            .unwrap();
        let [drops, store, shelf_keys] = ["in", "store", "keys"].map(|name| folder.path().join(name));
        let folders = DropFolders {
            drops: &drops,
            store: &store,
            keys: &shelf_keys,
        };
        let (_, text) = sandbox::insurance_drop_source(&folders, &keys);
        let sandbox = Sandbox::new(keys, Arc::clone(&world.clock), world.random.fork());
        Insurers {
            folder,
            world,
            text,
            sandbox,
        }
    }
}

/// A case about a persona's vehicle.
pub(crate) fn case(kind: &str) -> String {
    let vehicle = &chen().vehicles[0];
    format!(
        "[[cases]]\nkind = \"{kind}\"\nmode = \"read\"\nname = {:?}\nid_number = {:?}\n\
         key = {{ plate = {:?}, plate_class = {:?} }}\nexpect = \"found\"\n",
        chen().name,
        chen().id_number,
        vehicle.plate,
        vehicle.class,
    )
}

/// A daily file of the insurers is read before its cases are asked, and nothing of it stays.
#[tokio::test]
async fn a_drop_is_read_for_the_check_and_forgotten() {
    let Insurers {
        folder,
        world,
        text,
        sandbox,
    } = Insurers::new();
    let [drops, store, shelf_keys] = ["in", "store", "keys"].map(|name| folder.path().join(name));
    fs::create_dir(&drops).unwrap();
    let (file, tests) = (folder.path().join("source.toml"), folder.path().join("tests"));
    fs::write(&file, text).unwrap();
    fs::write(&tests, case("vehicle-insurance")).unwrap();
    let args = asking(file, tests);
    let mut out = String::new();
    assert!(!check(&args, &world, &mut out).await.unwrap());
    assert!(out.contains("no file whose name fits"), "{out}");

    sandbox.drop_insurance(&drops).unwrap();
    out.clear();
    assert!(check(&args, &world, &mut out).await.unwrap(), "{out}");
    assert!(out.contains("rows as of 2026-11-22"), "{out}");
    assert!(out.contains("an invented person gets not_found"), "{out}");
    let pushed =
        "note  sandbox-insurance: takes pushed changes ([changes]), not tried: the record holder pushes them";
    assert!(out.contains(pushed), "{out}");
    assert!(!out.contains(&chen().id_number), "nothing personal: {out}");
    assert!(
        !store.exists() && !shelf_keys.exists(),
        "the server's own folders"
    );

    let file = drops.join("policies-20261122.csv");
    let short = fs::read(&file).unwrap()[..400].to_vec();
    fs::write(&file, short).unwrap();
    out.clear();
    assert!(!check(&args, &world, &mut out).await.unwrap());
    assert!(
        out.contains("checksum_wrong. the checksum file must name"),
        "{out}"
    );
}
