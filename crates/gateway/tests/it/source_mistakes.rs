//! `mingcha source check --ask` on databases and drops: each mistake that was made on purpose is told, with how to
//! mend it. Those of files and of endpoints over http are in [`crate::source_check`].

use std::{collections::BTreeSet, fs, path::Path};

use gateway::commands::source::check::check;
use sandbox::Keys;

use crate::{
    cast::chen,
    front::{BOTH, Server},
    source_check::{Insurers, asking, case, world},
};

/// Checks a source with a case about a persona's vehicle; whether it is sound, and what is told.
async fn checked(folder: &Path, text: &str, kind: &str) -> (bool, String) {
    let (file, tests) = (folder.join("source.toml"), folder.join("tests"));
    fs::write(&file, text).unwrap();
    fs::write(&tests, case(kind)).unwrap();
    let args = asking(file, tests);
    let mut out = String::new();
    let sound = check(&args, &world(), &mut out).await.unwrap();
    assert!(
        !out.contains(&chen().id_number) && !out.contains(&chen().name),
        "nothing personal: {out}"
    );
    (sound, out)
}

/// What is written wrong, what it becomes, and words of what either server has told.
const OF_SQL: &[(&str, &str, &[&str])] = &[
    (
        "SELECT wxrq, lc",
        "SELECT wxrq, licheng",
        &["licheng", "does not exist. the database", "Unknown column"],
    ),
    (
        ".wxjl",
        ".weixiu",
        &["weixiu", "are table and columns named right"],
    ),
    ("FROM", "FRM", &["the database says", "syntax"]),
    (
        "wxxm, gxsj,",
        "wxxm, gxsj, wxrq,",
        &["it gives two columns wxrq: name one of them anew"],
    ),
    (
        "\"/zjlc\"",
        "\"/ZJLC\"",
        &["last_odometer_km is mapped to the column ZJLC, and the statement gives"],
    ),
    (
        "{ as_of = \"/gxsj\" }",
        "{ as_of = \"/sj\" }",
        &["as_of is mapped to the column sj"],
    ),
];

#[tokio::test]
async fn each_mistake_in_a_statement_is_told() {
    let mut tried = BTreeSet::new();
    for server in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let (_, text) = server.filled("mingcha_mistakes", world().clock.now()).await;
        let told = async |text: &str| checked(folder.path(), text, "vehicle-maintenance").await;
        let (sound, out) = told(&text).await;
        assert!(
            sound && out.contains("the database takes the statement"),
            "{server:?}: {out}"
        );
        for (from, to, words) in OF_SQL.iter().filter(|mistake| text.contains(mistake.0)) {
            tried.insert(*to);
            let (sound, out) = told(&text.replace(from, to)).await;
            assert!(
                !sound && words.iter().any(|words| out.contains(words)),
                "{server:?} {to}: {out}"
            );
            assert!(
                out.contains("WRONG sandbox-repair: vehicle-maintenance read: "),
                "{to}: {out}"
            );
        }
        let named = server
            .url()
            .rsplit_once('/')
            .map(|(host, _)| format!("{host}/no_such_database"))
            .unwrap();
        let (sound, out) = told(&text.replace(&server.url(), &named)).await;
        assert!(!sound && out.contains("not_connected"), "{server:?}: {out}");
        let (before, after) = server
            .url()
            .rsplit_once(':')
            .map(|(before, after)| (before.to_owned(), after.to_owned()))
            .unwrap();
        let name = after.split_once('/').unwrap().1;
        let shut = text.replace(&server.url(), &format!("{before}:1/{name}"));
        assert_ne!(shut, text, "{server:?}");
        let (sound, out) = told(&shut).await;
        assert!(
            !sound && out.contains("not_connected. is the host right"),
            "{server:?}: {out}"
        );
    }
    let lost: Vec<_> = OF_SQL
        .iter()
        .filter(|mistake| !tried.contains(mistake.1))
        .collect();
    assert!(lost.is_empty(), "tried on neither server: {lost:?}");
}

/// A place that the database takes for a number refuses every number with an X at its end.
#[tokio::test]
async fn a_number_that_is_text_must_be_compared_as_text() {
    let folder = tempfile::tempdir().unwrap();
    let (_, text) = Server::Postgres
        .filled("mingcha_casts", world().clock.now())
        .await;
    let cast = text.replace("sfzmhm = {", "sfzmhm::bigint = {");
    let (sound, out) = checked(folder.path(), &cast, "vehicle-maintenance").await;
    assert!(
        !sound && out.contains("column::text = {subject.id_number}"),
        "{out}"
    );
    let cast = text.replace("lc, wxqy", "lc, {key.plate} AS hphm, wxqy");
    let (sound, out) = checked(folder.path(), &cast, "vehicle-maintenance").await;
    assert!(sound, "a text without a type is one: {out}");
}

/// The insurers' daily file with something wrong.
struct Dropped {
    folder: tempfile::TempDir,
    text: String,
}

impl Dropped {
    fn new() -> Self {
        let insurers = Insurers::new();
        let drops = insurers.folder.path().join("in");
        insurers.sandbox.drop_insurance(&drops).unwrap();
        Dropped {
            folder: insurers.folder,
            text: insurers.text,
        }
    }

    async fn told(&self, text: &str) -> (bool, String) {
        checked(self.folder.path(), text, "vehicle-insurance").await
    }
}

/// What is written wrong, what it becomes, and words of what is told.
const OF_DROPS: &[(&str, &str, &str)] = &[
    (
        "layout = \"csv\"",
        "layout = \"csv\"\ndelimiter = \";\"",
        "header_malformed. the header lacks a column",
    ),
    (
        "\"gb18030\"",
        "\"utf-8\"",
        "charset_wrong. the text is not in the `charset`",
    ),
    (
        "policies-{",
        "polices-{",
        "no file whose name fits `name`, with its checksum beside it",
    ),
    (
        "checksum = \"sm3\"",
        "checksum = \"sha256\"",
        "with its checksum beside it",
    ),
    (
        "\"/保单号\"",
        "\"/保单 号\"",
        "line 1, policies/policy_number (保单 号): header_malformed",
    ),
    (
        "\"商业险\" = ",
        "\"商业\" = ",
        "policies/kind (险种): field_malformed. a field is not of its type: does it need a `format`",
    ),
    (
        "\"/起保日期\", format = \"yyyyMMdd\"",
        "\"/起保日期\", format = \"yyyy/M/d\"",
        "policies/valid_from (起保日期): field_malformed",
    ),
    (
        "plate = \"/号牌号码\"",
        "plate = \"/保险公司\"",
        "plate (保险公司): field_malformed",
    ),
    (
        "plate_class = \"/号牌种类代码\"\n",
        "",
        "the field plate_class is required and not mapped",
    ),
    (
        "layout = \"csv\"",
        "layout = \"json-lines\"",
        "drop_row_malformed",
    ),
];

#[tokio::test]
async fn each_mistake_about_a_drop_is_told() {
    let dropped = Dropped::new();
    let (sound, out) = dropped.told(&dropped.text).await;
    assert!(sound, "{out}");
    let other = Keys::generate(crypto::Suite::Gm, &mut store::Random::new([9; 32]).fork()).unwrap();
    let signer = other.peer(sandbox::Authority::Insurance).to_base64();
    let line = dropped
        .text
        .lines()
        .find(|line| line.starts_with("signer"))
        .unwrap();
    for (from, to, words) in OF_DROPS {
        assert!(dropped.text.contains(from), "{from}");
        let (sound, out) = dropped.told(&dropped.text.replacen(from, to, 1)).await;
        assert!(
            !sound && out.contains("WRONG") && out.contains(words),
            "{to}: {out}"
        );
    }
    let unsigned = dropped.text.replace(line, &format!("signer = \"{signer}\""));
    let (sound, out) = dropped.told(&unsigned).await;
    assert!(
        !sound && out.contains("signature_wrong. the signature must be over the checksum file"),
        "{out}"
    );
    let drops = dropped.folder.path().join("in");
    fs::remove_file(drops.join("policies-20261122.csv.sm3")).unwrap();
    let (sound, out) = dropped.told(&dropped.text).await;
    assert!(
        !sound && out.contains("put one into the folder, with its checksum"),
        "{out}"
    );
    for file in ["policies-20261122.csv", "policies-20261122.csv.sm3.sig"] {
        fs::rename(drops.join(file), drops.join(file.replace("20261122", "20261101"))).unwrap();
    }
    fs::write(drops.join("policies-20261101.csv.sm3"), "").unwrap();
    let (sound, out) = dropped.told(&dropped.text).await;
    assert!(!sound && out.contains("drop_outdated"), "last month's: {out}");
}
