//! A file that is wrong is refused at start, with its line and what to write instead.

use std::sync::Arc;

use domain::{
    time::ManualClock,
    words::{Freshness, Mode},
};
use sources::{Realm, SourceError, SourceFile, Sources};

use crate::world::{CARRIER, IMAGES, NOW, REGISTER, TRAFFIC, file, kinds, sources};

fn load(files: &[SourceFile], realm: Realm) -> Result<Sources, SourceError> {
    Sources::new(files, kinds(), realm, Arc::new(ManualClock::new(NOW)), [0; 32])
}

/// Replaces the first `from` by `to` in the traffic file and expects an error at the line where `to` then stands.
fn refused(from: &str, to: &str, words: &str) {
    refused_in(TRAFFIC, Realm::Demo, from, to, words);
}

fn refused_in(text: &str, realm: Realm, from: &str, to: &str, words: &str) {
    let first = line_of(text, from);
    let last = first + to.matches('\n').count();
    let line = error_of(text, realm, from, to, words).line;
    assert!(
        line.is_none_or(|line| (first..=last).contains(&line)),
        "{to}: line {line:?}, expected {first}"
    );
}

/// Takes `what` away and expects an error at the `[[serves]]` in which it stood.
fn lacking(text: &str, what: &str, words: &str) {
    let before = &text[..text.find(what).unwrap()];
    let header = 1 + before[..before.rfind("[[serves]]").unwrap()]
        .matches('\n')
        .count();
    assert_eq!(
        error_of(text, Realm::Demo, what, "", words).line,
        Some(header),
        "{what}"
    );
}

/// Takes `what` away; the file as a whole is what lacks it.
fn lacking_as_a_whole(what: &str, words: &str) {
    error_of(TRAFFIC, Realm::Demo, what, "", words);
}

fn line_of(text: &str, what: &str) -> usize {
    1 + text[..text.find(what).unwrap_or_else(|| panic!("no {what} in the file"))]
        .matches('\n')
        .count()
}

pub(crate) fn error_of(text: &str, realm: Realm, from: &str, to: &str, words: &str) -> SourceError {
    let changed = file("traffic.toml", &text.replacen(from, to, 1), 1);
    let error = load(&[changed], realm)
        .err()
        .unwrap_or_else(|| panic!("{to} was accepted"));
    let shown = error.to_string();
    assert!(
        shown.starts_with("traffic.toml:") && error.problem.contains(words),
        "{to}: {shown}"
    );
    error
}

#[test]
fn unknown_and_missing_keys_are_refused() {
    refused("version = 7", "version = 7\nspeed = 3", "unknown field `speed`");
    refused(
        "at = \"/code\"",
        "at = \"/code\"\nelse = 1",
        "unknown field `else`",
    );
    refused(
        "fuel = { at = \"/d/rl\",",
        "fuel = { at = \"/d/rl\", colour = 1,",
        "unknown field `colour`",
    );
    lacking_as_a_whole("version = 7", "missing field `version`");
    refused(
        "protocol = \"http\"",
        "protocol = \"ftp\"",
        "unknown variant `ftp`",
    );
    refused(
        "version = 7",
        "version = 7\ncharset = \"big5\"",
        "unknown variant `big5`",
    );
    refused(
        "format = \"yyyyMMdd\"",
        "format = \"ddMMyyyy\"",
        "unknown variant",
    );
    refused("brand = \"/d/pp\"", "brand = 3", "JSON pointer");
    refused("version = 7", "version = = 7", "");
}

#[test]
fn values_out_of_bounds_are_refused() {
    refused("id = \"test-traffic\"", "id = \"Test Traffic\"", "lower-case");
    refused("deadline_ms = 400", "deadline_ms = 0", "1 to 60000");
    refused("concurrency = 4", "concurrency = 99999", "1 to 4096");
    refused("max_body = 65536", "max_body = 99999999", "1 to 16777216");
    refused("deadline_ms = 400", "deadline_ms = 400\nretries = 9", "at most 3");
    refused(
        "expires = 2036-12-31",
        "expires = 2036-12-31T00:00:00Z",
        "a date such as",
    );
    refused("en = \"Test traffic\"", "en = \" \"", "zh and en");
}

#[test]
fn mappings_that_do_not_fit_the_kind_are_refused() {
    refused("kind = \"car\"", "kind = \"boat\"", "there is no kind boat");
    refused("mode = \"read\"", "mode = \"match\"", "has no mode match");
    refused("mode = \"read\"", "mode = \"predicate\"", "write mode = \"read\"");
    refused("path = \"/car\"", "path = \"car?x=1\"", "path must be");
    refused("path = \"/car\"", "path = \"/session\"", "/session is taken");
    lacking(TRAFFIC, "brand = \"/d/pp\"", "brand is required and not mapped");
    refused(
        "brand = \"/d/pp\"",
        "brand = \"/d/pp\"\nwheels = \"/d/w\"",
        "there is no field wheels",
    );
    refused("brand = \"/d/pp\"", "brand = \"d/pp\"", "no JSON pointer");
    refused("\"C\" = \"electric\"", "\"C\" = \"steam\"", "no code \"steam\"");
    refused(
        "format = \"yyyyMMdd\"",
        "format = \"yuan\"",
        "does not fit the type date",
    );
    refused(
        "seats = \"/d/zw\"",
        "seats = { at = \"/d/zw\", split = \",\" }",
        "fits only a list",
    );
    refused("{ place = \"/dd\",", "{ plaice = \"/dd\",", "");
    refused(
        "\"0\" = \"found\"",
        "\"0\" = \"match\"",
        "cannot answer match in mode read",
    );
    refused("\"0\" = \"found\"", "\"0\" = \"yes\"", "cannot answer yes");
    refused("\"0\" = \"found\"", "\"0\" = \"fine\"", "unknown variant `fine`");
    lacking(TRAFFIC, "owner = \"/syr\"", "each row must show whose it is");
    lacking(TRAFFIC, "rows = \"/list\"", "belongs to mode list");
}

#[test]
fn requests_that_leave_something_out_are_refused() {
    lacking(TRAFFIC, "xm = \"subject.name\"", "subject.name");
    lacking(TRAFFIC, "sfz = \"subject.id_number\"", "subject.id_number");
    lacking(TRAFFIC, "hpzl = \"key.plate_class\"", "key.plate_class");
    refused(
        "hphm = \"key.plate\"",
        "hphm = \"key.vin\"",
        "there is no key vin",
    );
    refused(
        "lsh = \"lookup.id\"",
        "lsh = \"claims.phone\"",
        "there is no claim phone",
    );
    refused("lsh = \"lookup.id\"", "lsh = \"portrait\"", "expected key");
    refused("lsh = \"lookup.id\"", "lsh = \"purpose\"", "expected key");
    let carrier = |from, to, words| refused_in(CARRIER, Realm::Demo, from, to, words);
    lacking(CARRIER, "sjh = \"claims.phone\"", "claims.phone");
    carrier("claims = [\"phone\"]", "claims = [\"fax\"]", "fax is no claim");
    let claimless = CARRIER.replace("claims = [\"phone\"]", "base = false");
    lacking(&claimless, "sjh = \"claims.phone\"", "must name the claims");
}

#[test]
fn images_that_do_not_fit_are_refused() {
    let text = format!("{TRAFFIC}{IMAGES}");
    let refused = |from: &str, to: &str, words| refused_in(&text, Realm::Demo, from, to, words);
    let kinds = "kinds = [\"car\"]";
    refused(kinds, "kinds = []", "whose images");
    refused(kinds, "kinds = [\"boat\"]", "boat is no kind");
    refused(kinds, "kinds = [\"person\"]", "person has no image");
    refused(kinds, "kind = \"car\"", "unknown field `kind`");
    refused("path = \"/photo\"", "path = \"photo\"", "path must be");
    refused("path = \"/photo\"", "path = \"/session\"", "/session is taken");
    refused("bytes = \"/d/tp\"", "bytes = \"d/tp\"", "no JSON pointer");
    refused("bytes = \"/d/tp\"", "at = \"/d/tp\"", "unknown field `at`");
    let handle = "bh = \"image.handle\"";
    refused(handle, "bh = \"key.plate\"", "there is no key plate");
    refused(handle, "bh = \"claims.phone\"", "there is no claim phone");
    refused(handle, "bh = \"portrait\"", "expected image.handle");
    refused(handle, "bh = \"image.digest\"", "expected image.handle");
    let codes = "codes = { \"0\" = \"found\", \"1\" = \"not_found\", \"2\" = \"maintenance\" }";
    refused(codes, &codes.replace("\"found", "\"match"), "cannot answer match");
    let header = line_of(&text, "[[images]]");
    for (without, words) in [
        ("bh = \"image.handle\"", "image.handle"),
        ("xm = \"subject.name\"", "subject.name"),
        ("sfz = \"subject.id_number\"", "subject.id_number"),
        ("\"0\" = \"found\", ", "no code means found"),
    ] {
        let changed = format!("{TRAFFIC}{}", IMAGES.replacen(without, "", 1));
        let error = load(&[file("traffic.toml", &changed, 1)], Realm::Demo)
            .err()
            .unwrap();
        assert_eq!(error.line, Some(header), "{without}");
        assert!(error.problem.contains(words), "{without}: {error}");
    }
    let twice = format!("{text}{IMAGES}");
    let error = load(&[file("traffic.toml", &twice, 1)], Realm::Demo)
        .err()
        .unwrap();
    assert!(
        error.problem.contains("images of car are served twice"),
        "{error}"
    );
    // A source that gives no handles has no images to give.
    let listed = text.replacen("mode = \"read\"", "mode = \"list\"", 1);
    let alone = format!("{}{IMAGES}", &listed[..listed.find("[[serves]]").unwrap()]);
    let list = &TRAFFIC[TRAFFIC.rfind("[[serves]]").unwrap()..];
    let error = load(&[file("traffic.toml", &format!("{alone}{list}"), 1)], Realm::Demo)
        .err()
        .unwrap();
    assert!(
        error
            .problem
            .contains("is not served by this source in mode read"),
        "{error}"
    );
    // A record's request has no image to name.
    refused_in(
        TRAFFIC,
        Realm::Demo,
        "lsh = \"lookup.id\"",
        "lsh = \"image.handle\"",
        "expected key",
    );
}

#[test]
fn one_source_has_one_way_to_answer_a_question() {
    let error = |files: &[SourceFile]| load(files, Realm::Demo).err().unwrap().problem;
    let traffic = file("traffic.toml", TRAFFIC, 1);
    let twin = file("twin.toml", &TRAFFIC.replace("test-traffic", "twin"), 1);
    assert!(error(&[traffic.clone(), traffic.clone()]).contains("already"));
    assert!(
        load(&[traffic.clone(), twin], Realm::Demo).is_ok(),
        "two sources may hold one kind"
    );
    let (head, routes) = TRAFFIC.split_once("[[serves]]").unwrap();
    let doubled = file(
        "t.toml",
        &format!("{head}[[serves]]{routes}[[serves]]{routes}"),
        1,
    );
    assert!(error(&[doubled]).contains("served twice in mode read"));
    let carrier = file("carrier.toml", CARRIER, 1);
    assert!(error(std::slice::from_ref(&carrier)).contains("needs a base route"));
    let rival = file("rival.toml", &CARRIER.replace("test-carrier", "rival"), 1);
    assert!(load(&[file("r.toml", REGISTER, 1), carrier, rival], Realm::Demo).is_ok());
    let (_, route) = CARRIER.split_once("[[serves]]").unwrap();
    let doubled = file("c.toml", &format!("{CARRIER}[[serves]]{route}"), 1);
    assert!(error(&[file("r.toml", REGISTER, 1), doubled]).contains("for the claim phone"));
    let (_, base) = REGISTER.split_once("[[serves]]").unwrap();
    let base = base.split("[[serves]]").next().unwrap();
    let bases = file("r.toml", &format!("{REGISTER}[[serves]]{base}"), 1);
    assert!(error(&[bases]).contains("two base routes"));
}

#[test]
fn each_realm_keeps_to_its_own_addresses() {
    let endpoint = "http://127.0.0.1:PORT/traffic";
    let demo = |to: &str| refused(endpoint, to, "endpoint");
    for to in [
        "http://203.0.113.7",
        "https://traffic.example",
        "http://[fe80::1]/x",
        "http://127.0.0.1/",
        "ftp://127.0.0.1",
        "http://u:p@127.0.0.1",
        "/traffic",
        "http://127.0.0.1?x",
        "",
    ] {
        demo(to);
    }
    let production = |to: &str, words| refused_in(TRAFFIC, Realm::Production, endpoint, to, words);
    production("http://traffic.example", "only by https");
    production("https://127.0.0.1", "another machine");
    production("https://[::1]", "another machine");
    production("https://[::ffff:169.254.169.254]", "another machine");
    let real = TRAFFIC.replace(endpoint, "https://traffic.example/v1");
    assert!(load(&[file("traffic.toml", &real, 1)], Realm::Production).is_ok());
}

#[test]
fn a_real_source_keeps_to_its_agreement() {
    let real = TRAFFIC.replace("http://127.0.0.1:PORT/traffic", "https://traffic.example/v1");
    let refused = |from: &str, to: &str, words| {
        error_of(&real, Realm::Production, from, to, words);
    };
    let agreement = &real[real.find("[agreement]").unwrap()..real.find("[[serves]]").unwrap()];
    refused(agreement, "", "only under an agreement");
    refused("licence = \"L-1\"", "", "licence, the number of the paper");
    refused(
        "licence_expires = 2036-06-30",
        "",
        "licence_expires, the last day",
    );
    refused("number = \"T-1\"", "number = \" \"", "number is missing");
    let fields = &agreement[agreement.find("[agreement.fields]").unwrap()..];
    refused(fields, "", "fields = { kind");
    // The demo may go without, but what an agreement says holds there too.
    let fields = &TRAFFIC[TRAFFIC.find("[agreement.fields]").unwrap()..TRAFFIC.find("[[serves]]").unwrap()];
    let other = TRAFFIC.replacen(fields, "[agreement.fields]\nperson = []\n", 1);
    let kind = "kind = \"car\"";
    refused_in(&other, Realm::Demo, kind, kind, "does not name the kind car");
    let unmapped = TRAFFIC.replacen("\"vin\", ", "", 1);
    refused_in(
        &unmapped,
        Realm::Demo,
        "vin = \"/d",
        "vin = \"/d",
        "vin is outside the agreement",
    );
    let claims =
        format!("{CARRIER}[agreement]\nnumber = \"C\"\nexpires = 2036-12-31\nfields = {{ person = [] }}");
    refused_in(
        &claims,
        Realm::Demo,
        "[\"phone\"]",
        "[\"phone\"]",
        "phone is outside the agreement",
    );
}

/// A word that names nothing would permit nothing, and look as if it did.
#[test]
fn what_is_named_is_there() {
    let demo = |from: &str, to: &str, words| refused_in(TRAFFIC, Realm::Demo, from, to, words);
    demo("car = [", "cart = [", "there is no kind cart; known are");
    demo(
        "\"vin\", ",
        "\"vin\", \"win\", ",
        "the kind car has no field or claim win",
    );
    let entry = "[[elsewhere]]\nregion = \"44\"\nname = { zh = \"入口\", en = \"Entry\" }\naddress = \"https://gd.example\"\n";
    let with_entry = format!("{TRAFFIC}\n{entry}kinds = [\"car\"]\n");
    refused_in(
        &with_entry,
        Realm::Demo,
        "kinds = [\"car\"]",
        "kinds = [\"car\", \"cart\"]",
        "there is no kind cart",
    );
    assert!(load(&[file("t.toml", &with_entry, 1)], Realm::Demo).is_ok());
}

#[test]
fn papers_are_told_in_the_order_of_their_end() {
    let sources = sources(&[file("t.toml", TRAFFIC, 1), file("r.toml", REGISTER, 1)]);
    let papers = sources.papers(NOW.date_in_china());
    let told: Vec<_> = papers
        .iter()
        .map(|p| (p.kind.code(), p.number.as_str(), p.alarm()))
        .collect();
    assert_eq!(told, [("licence", "L-1", None), ("agreement", "T-1", None)]);
    let later = sources.papers(jiff::civil::date(2036, 6, 24));
    assert_eq!((later[0].days_left, later[0].alarm()), (6, Some(7)));
}

#[test]
fn keys_are_checked_and_never_shown() {
    let envelope = |own: &str, peer: &str| {
        format!(
            "[envelope]\nsuite = \"gm\"\nown_name = \"a\"\nown_key = \"{own}\"\npeer_name = \"b\"\npeer_key = \"{peer}\"\n[[serves]]"
        )
    };
    refused(
        "[[serves]]",
        &envelope("base64:AAAA", "AAAA"),
        "32 bytes in base64",
    );
    refused(
        "[[serves]]",
        &envelope("base64:intl-public:AAAA", "AAAA"),
        "secret key begins with",
    );
    refused(
        "[[serves]]",
        &envelope("env:PATH", "AAAA"),
        "MINGCHA_SOURCE_TEST_TRAFFIC_",
    );
    refused(
        "[[serves]]",
        &envelope("file:/etc/shadow", "AAAA"),
        "test-traffic.",
    );
    let inline = envelope("base64:c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LTEyMzQ=", "AAAA");
    let changed = file("traffic.toml", &TRAFFIC.replacen("[[serves]]", &inline, 1), 1);
    let error = load(&[changed], Realm::Demo).err().unwrap().to_string();
    assert!(!error.contains("c2VjcmV0"), "{error}");
}

#[test]
fn coverage_and_names_are_told() {
    let all = [
        file("r.toml", REGISTER, 1),
        file("c.toml", CARRIER, 1),
        file("t.toml", TRAFFIC, 1),
    ];
    let sources = sources(&all);
    let lines: Vec<_> = sources
        .coverage()
        .into_iter()
        .map(|c| (c.kind, c.mode, c.source, c.claims.join(",")))
        .collect();
    let line =
        |kind: &str, mode, source: &str, claims: &str| (kind.into(), mode, source.into(), claims.into());
    let expected = [
        line("car", Mode::Read, "test-traffic", ""),
        line("car", Mode::List, "test-traffic", ""),
        line("person", Mode::Match, "test-carrier", "phone"),
        line("person", Mode::Match, "test-register", "valid_until"),
        line("person", Mode::Match, "test-register", "portrait"),
    ];
    assert_eq!(lines, expected);
    let info = sources.named("test-traffic").unwrap();
    assert_eq!(
        (info.name.en.as_str(), info.version, info.freshness),
        ("Test traffic", 7, Freshness::Realtime)
    );
    assert_eq!(info.agreement.as_ref().unwrap().expires.to_string(), "2036-12-31");
    assert!(sources.named("nobody").is_none());
}
