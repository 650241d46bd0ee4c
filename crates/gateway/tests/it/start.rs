//! What a start refuses, and says why; what it takes up again.

use std::sync::Arc;

use crypto::Suite;
use domain::ids::DEPLOYMENT;
use gateway::{
    app::hex,
    config::Config,
    messenger::{Messenger, Outbox},
    start::{self, World},
};
use store::{Random, StoreConfig};

use crate::{
    app::{CONFIG, TestApp},
    bed::Bed,
    cast::{about_me, chen},
};

on_both!(
    a_database_stays_what_it_was_made_as,
    a_restart_takes_up_where_it_was,
    a_start_seals_the_policy_and_the_purposes,
    what_is_wrong_is_told_before_anybody_is_served,
);

/// Starts on the bed's databases and tells why it does not.
async fn refusal(
    bed: &Bed,
    databases: &StoreConfig,
    config: &str,
    realm: &str,
    suite: Suite,
    keys: &str,
) -> String {
    let clock = Arc::new(domain::time::ManualClock::new(domain::time::Timestamp(
        1_800_000_000_000_000,
    )));
    let world = World {
        clock,
        random: Arc::new(Random::new([bed.next_seed(); 32])),
    };
    let reference = format!("file:{}", bed.folder().join(keys).display());
    let root = match start::root_keys(&reference, realm, Some(suite), &world) {
        Ok(root) => root,
        Err(error) => return error.to_string(),
    };
    let config = match Config::parse(config, std::iter::empty()) {
        Ok(config) => config,
        Err(error) => return error,
    };
    let messenger = Messenger::Outbox(Outbox::default());
    match start::start_on(databases, config, root, &[], messenger, &world).await {
        Ok(_) => "it started".to_owned(),
        Err(error) => error.to_string(),
    }
}

async fn a_database_stays_what_it_was_made_as(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    app.at_l2(chen()).await;
    let clock = Arc::clone(&app.clock);
    app.stop().await;
    let same = bed.databases();
    let other_name = StoreConfig {
        name: "elsewhere.invalid".into(),
        ..same.clone()
    };
    for (databases, realm, suite, keys, why) in [
        (same, "production", Suite::Intl, "production.json", "realm"),
        (same, "demo", Suite::Gm, "gm.json", "suite"),
        (same, "demo", Suite::Intl, "other.json", "log key"),
        (&other_name, "demo", Suite::Intl, "root-keys.json", "origin"),
        (same, "production", Suite::Intl, "root-keys.json", "realm"),
    ] {
        let refusal = refusal(&bed, databases, CONFIG, realm, suite, keys).await;
        assert!(refusal.contains(why), "{keys} {why}: {refusal}");
    }
    let app = bed.app().clock(&clock).start().await;
    app.at_l2(chen()).await;
}

async fn a_restart_takes_up_where_it_was(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, left) = (app.at_l2(chen()).await, app.at_l2(chen()).await);
    let answer = app
        .look_up_as(&token, "k", &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    app.delete(&left, "/v1/account/sessions").await.expect(204);
    let (clock, entries) = (Arc::clone(&app.clock), app.entries().await);
    app.stop().await;
    let app = bed.app().clock(&clock).start().await;
    assert_eq!(app.entries().await, entries + 1, "a start is sealed");
    app.get(&left, "/v1/account")
        .await
        .expect_problem(401, "NOT_SIGNED_IN");
    let again = app
        .look_up_as(&token, "k", &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    assert_eq!(again.lookup_id(), answer.lookup_id());
    let receipt = app
        .get(&token, &format!("/v1/receipts/{}", answer.lookup_id()))
        .await
        .expect(200);
    crate::reply::verify_receipt(&app.app, &receipt.text);
}

/// What the newest start sealed that it decides by.
async fn sealed(app: &TestApp) -> String {
    let newest = app.app.store.entries(DEPLOYMENT, None, 1).await.unwrap();
    newest[0].shared.about.clone().unwrap()
}

/// Nobody changes an assessment's number or a basis and leaves no trace of it.
async fn a_start_seals_the_policy_and_the_purposes(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (policy, purposes) = (app.app.policy_version(), app.app.register.version());
    let told = format!("started with policy {policy}, purposes {}", hex(&purposes[..16]));
    assert_eq!(sealed(&app).await, told);
    let clock = Arc::clone(&app.clock);
    app.stop().await;
    let another_number = bed
        .app()
        .clock(&clock)
        .replacing("TEST-PIA-1", "TEST-PIA-9")
        .start()
        .await;
    let changed = sealed(&another_number).await;
    assert_ne!(changed, told);
    assert!(
        changed.starts_with(&format!("started with policy {policy}, ")),
        "{changed}"
    );
    another_number.stop().await;
    // Both tables, the second one first.
    let tables = &CONFIG[CONFIG.find("[[purposes]]").unwrap()..CONFIG.find("[limits]").unwrap()];
    let (first, second) = tables.split_at(tables.rfind("[[purposes]]").unwrap());
    let same = bed
        .app()
        .clock(&clock)
        .replacing(tables, &format!("{second}{first}"))
        .start()
        .await;
    assert_eq!(sealed(&same).await, told);
}

async fn what_is_wrong_is_told_before_anybody_is_served(bed: Arc<Bed>) {
    for (part, by, why) in [
        ("name = \"test.mingcha.invalid\"", "names = \"x\"", "names"),
        ("listen = \"127.0.0.1:0\"", "listen = \"everywhere\"", "listen"),
        ("en = \"Mingcha test\"", "en = \"\"", "operator.name"),
        (
            "data_folder = \"unused\"",
            "data_folder = \"unused\"\ndatabase = \"postgres://u:hunter2@h/d\"",
            "database",
        ),
        (
            "code = \"account-proofing\"",
            "code = \"own-information\"",
            "twice",
        ),
        ("bases = [\"contract\"]", "bases = []", "legal basis"),
        ("bases = [\"contract\"]", "bases = [\"habit\"]", "habit"),
        ("[limits]", "[limits]\nper_second = 1", "at line 27"),
        (
            "data_folder = \"unused\"",
            "data_folder = \"unused\"\nkinds_folder = \"/nowhere/at/all\"",
            "No such file",
        ),
    ] {
        assert!(CONFIG.contains(part), "{part}");
        let config = CONFIG.replacen(part, by, 1);
        let refusal = refusal(
            &bed,
            bed.databases(),
            &config,
            "demo",
            Suite::Intl,
            "root-keys.json",
        )
        .await;
        assert!(refusal.contains(why), "{by}: {refusal}");
        assert!(
            !refusal.contains("hunter2"),
            "a secret is not repeated: {refusal}"
        );
    }
    let rules = bed.folder().join("rules");
    std::fs::create_dir(&rules).unwrap();
    for rule in [
        "permit (principal, action, resource);",
        "forbid (principal, action",
        "@id(\"x\") forbid (principal, action, resource) when { context.nothing == 1 };",
    ] {
        std::fs::write(rules.join("wrong.cedar"), rule).unwrap();
        let config = format!("policies_folder = {:?}\n{CONFIG}", rules.display().to_string());
        let refusal = refusal(
            &bed,
            bed.databases(),
            &config,
            "demo",
            Suite::Intl,
            "root-keys.json",
        )
        .await;
        assert!(refusal.contains("wrong.cedar"), "{rule}: {refusal}");
    }
    bed.app().start().await;
}

#[test]
fn the_environment_overrides_what_it_may() {
    let with = |name: &str, value: &str| {
        Config::parse(CONFIG, std::iter::once((name.to_owned(), value.to_owned()))).unwrap()
    };
    assert_eq!(with("MINGCHA_LISTEN", "127.0.0.1:9").listen.port(), 9);
    assert_eq!(with("MINGCHA_DATABASE", "env:URL").database, "env:URL");
    assert_eq!(
        with("MINGCHA_NAME", "stolen.invalid").name,
        "test.mingcha.invalid",
        "a log's name is no setting"
    );
    assert_eq!(with("LISTEN", "127.0.0.1:9").listen.port(), 0);
    assert_eq!(with("MINGCHA_TEST_POSTGRES", "x").database, "sqlite");
    let wrong = Config::parse(
        CONFIG,
        std::iter::once(("MINGCHA_LISTEN".to_owned(), "x".to_owned())),
    );
    assert!(wrong.is_err());
}
