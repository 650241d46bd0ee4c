//! Daily files behind the portal: what an operator accepts, and what the record holder pushes before its next file.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use axum::body::Body;
use crypto::Suite;
use domain::ids::DEPLOYMENT;
use gateway::{
    actions::{accept_drops::accept_drops, look_up::REFUSAL_FLOOR},
    source_files::{Acceptance, Acceptances, read_drop_states, write_acceptances, write_drop_states},
};
use http::{Method, Request};
use sandbox::{InsuranceMessage, Renewal};
use serde_json::Value;
use sources::{DropEvent, SourceFile};
use tokio::time::Instant;

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{chen, my_vehicle},
    reply::Reply,
    told::told,
};

on_both!(
    what_the_insurers_push_is_shown_at_once,
    a_drop_that_is_held_back_is_accepted_by_an_operator_and_sealed,
    how_old_the_file_is_that_answers_is_measured,
);

const SOURCE: &str = "sandbox-insurance";

/// A push, and how long its answer took.
async fn timed(app: &TestApp, source: &str, message: &InsuranceMessage) -> (Reply, Duration) {
    let sent = Instant::now();
    let reply = pushed(app, source, message).await;
    (reply, sent.elapsed())
}

async fn pushed(app: &TestApp, source: &str, message: &InsuranceMessage) -> Reply {
    let request = Request::builder()
        .method(Method::POST)
        .uri(format!("/v1/sources/{source}/changes"))
        .header("webhook-id", &message.id)
        .header("webhook-timestamp", &message.timestamp)
        .header("webhook-signature", &message.signature)
        .body(Body::from(message.body.clone()));
    app.send(request.unwrap()).await
}

fn renewal(app: &TestApp, insurer: &str, sequence: u64) -> InsuranceMessage {
    let renewal = Renewal {
        persona: "chen-weidong",
        insurer,
        policy_number: "RENEWED-1",
        sequence,
    };
    app.sandbox.renew_policy(renewal).unwrap()
}

/// The insurers of a found record, and as of when.
fn shown(reply: Reply) -> (Vec<String>, String) {
    let record = &reply.expect_outcome("found").json["record"]["policies"];
    let policies = record["value"].as_array().unwrap().iter();
    let insurers = policies.map(|p| {
        p["insurer"]
            .as_str()
            .or(p["insurer"]["value"].as_str())
            .unwrap()
            .to_owned()
    });
    (insurers.collect(), record["as_of"].as_str().unwrap().to_owned())
}

async fn what_the_insurers_push_is_shown_at_once(bed: Arc<Bed>) {
    let app = bed.app().drops().start().await;
    app.sandbox
        .drop_insurance(&bed.folder().join("drops/in"))
        .unwrap();
    assert!(matches!(
        app.app.sources.refresh(SOURCE, &|_| {})[0].event,
        DropEvent::Serving { .. }
    ));
    let token = app.at_l2(chen()).await;
    let question = my_vehicle("vehicle-insurance", &chen().vehicles[0]);
    let (before, file_as_of) = shown(app.look_up_as(&token, "once", &question).await);
    assert_eq!(file_as_of, "2026-11-21T16:00:00Z");

    let message = renewal(&app, "新安示例财险", 2);
    pushed(&app, SOURCE, &message).await.expect(204);
    let (after, as_of) = shown(app.look_up(&token, &question).await);
    assert!(
        after.contains(&"新安示例财险".to_owned()) && after.len() == before.len(),
        "{after:?}"
    );
    assert!(as_of.as_str() > "2026-11-22T04:00:00Z", "its own date: {as_of}");

    // A repeat, and one that was overtaken on its way.
    pushed(&app, SOURCE, &message).await.expect(204);
    pushed(&app, SOURCE, &renewal(&app, "迟到示例财险", 1))
        .await
        .expect(204);
    assert_eq!(shown(app.look_up(&token, &question).await).0, after);
    // What is repeated under its key is what was said then.
    assert_eq!(shown(app.look_up_as(&token, "once", &question).await).0, before);

    let mut refusals = vec![
        timed(&app, "sandbox-traffic", &message).await,
        timed(&app, "nobody", &message).await,
    ];
    let other = InsuranceMessage {
        body: message.body.replace("新安", "旧安"),
        ..message.clone()
    };
    refusals.push(timed(&app, SOURCE, &other).await);
    let unsigned = InsuranceMessage {
        signature: String::new(),
        ..message.clone()
    };
    refusals.push(timed(&app, SOURCE, &unsigned).await);
    app.clock.advance_seconds(301);
    refusals.push(timed(&app, SOURCE, &message).await);
    for (refusal, took) in &refusals {
        assert_eq!(
            (refusal.status, &refusal.bytes, &refusal.headers),
            (403, &refusals[0].0.bytes, &refusals[0].0.headers)
        );
        assert!(*took >= REFUSAL_FLOOR, "{took:?} tells which sources there are");
    }
    let malformed = InsuranceMessage {
        ..renewal(&app, "", 3)
    };
    pushed(&app, SOURCE, &malformed)
        .await
        .expect_problem(400, "BAD_CHANGE");

    // The next file is newer, and knows nothing of it: what it says counts.
    app.clock.advance_seconds(24 * 3600);
    app.sandbox
        .drop_insurance(&bed.folder().join("drops/in"))
        .unwrap();
    assert!(matches!(
        app.app.sources.refresh(SOURCE, &|_| {})[0].event,
        DropEvent::Serving { .. }
    ));
    let token = app.at_l2(chen()).await;
    assert_eq!(
        shown(app.look_up(&token, &question).await),
        (before, "2026-11-22T16:00:00Z".to_owned())
    );
}

/// A source whose record holder drops files.
pub(crate) const SHOPS: &str = r#"
id = "shops"
version = 1
name = { zh = "测试修理厂", en = "Test shops" }
protocol = "file"
freshness = "daily"

[drops]
folder = "FOLDER/in"
name = "visits-{yyyyMMdd}.csv"
layout = "csv"
checksum = "sha256"
store = "FOLDER/store"
keys = "FOLDER/keys"

[[serves]]
kind = "vehicle-maintenance"
mode = "read"
several = true
find = { plate = "/plate", plate_class = "/class", subject = "/owner" }
[serves.fields]
last_odometer_km = "/km"
visits.at = "/rows"
visits.items = { date = "/date", odometer_km = "/km", shop = "/shop", work = "/work" }
"#;

/// Drops a file with so many rows, and its checksum.
pub(crate) fn drop_visits(folder: &Path, name: &str, rows: usize) {
    let mut text = "plate,class,owner,km,date,shop,work\n".to_owned();
    for n in 0..rows {
        text.push_str(&format!(
            "京A1234{n},02,{},5,2026-01-01,甲店,换油\n",
            chen().id_number
        ));
    }
    let digest = gateway::app::hex(&Suite::Intl.hash(&[text.as_bytes()]));
    fs::create_dir_all(folder).unwrap();
    fs::write(folder.join(name), text).unwrap();
    fs::write(
        folder.join(format!("{name}.sha256")),
        format!("{digest}  {name}\n"),
    )
    .unwrap();
}

/// An application that is given files by the shops, and where their folders are.
pub(crate) async fn with_shops(bed: &Arc<Bed>) -> (TestApp, PathBuf) {
    let folder = bed.folder().join("shops");
    let text = SHOPS.replace("FOLDER", &folder.display().to_string());
    let shops = move |files: &mut Vec<SourceFile>| {
        files.push(SourceFile {
            name: "shops.toml".into(),
            text: text.clone(),
        });
    };
    (bed.app().sources(shops).start().await, folder)
}

async fn how_old_the_file_is_that_answers_is_measured(bed: Arc<Bed>) {
    const GAUGE: &str = "mingcha_source_drop_age_seconds{source=\"shops\"}";
    let (app, folder) = with_shops(&bed).await;
    let look = || told(|| app.app.sources.refresh("shops", &|_| {})).1;
    assert!(!look().metrics.contains("drop_age"), "no file answers");
    drop_visits(&folder.join("in"), "visits-20261121.csv", 5);
    // It is true as of the beginning of its day, 36 hours ago.
    let age = look().gauge(GAUGE);
    assert!((129_600.0..129_660.0).contains(&age), "{age}");
    app.clock.advance_seconds(3600);
    let older = look().gauge(GAUGE);
    assert!((age + 3600.0..age + 3601.0).contains(&older), "{older}");
}

async fn a_drop_that_is_held_back_is_accepted_by_an_operator_and_sealed(bed: Arc<Bed>) {
    let (app, folder) = with_shops(&bed).await;
    let look = || app.app.sources.refresh("shops", &|_| {}).remove(0).event;
    drop_visits(&folder.join("in"), "visits-20261121.csv", 5);
    assert!(matches!(look(), DropEvent::Serving { rows: 5, .. }));
    drop_visits(&folder.join("in"), "visits-20261122.csv", 3);
    let DropEvent::Quarantined(held) = look() else {
        panic!("it shrank")
    };
    // What `mingcha source list` and `accept` read.
    write_drop_states(&app.app.folder, &app.app.sources.drop_states()).unwrap();
    let states = read_drop_states(&app.app.folder).unwrap();
    let state = states.iter().find(|state| state.source == "shops").unwrap();
    assert_eq!(
        (state.waiting.as_ref(), state.serving.as_ref().unwrap().1),
        (Some(&held), 5)
    );

    assert_eq!(accept_drops(&app.app).await.unwrap(), 0);
    let accept = |digest: &str| {
        let acceptance = Acceptance {
            file: held.file.clone(),
            digest: digest.to_owned(),
            by: "wang".to_owned(),
        };
        write_acceptances(
            &app.app.folder,
            &Acceptances::from([("shops".to_owned(), acceptance)]),
        )
        .unwrap();
    };
    accept(&"0".repeat(64));
    assert_eq!(
        accept_drops(&app.app).await.unwrap(),
        0,
        "another content is not meant"
    );
    accept(&held.digest);
    assert_eq!(accept_drops(&app.app).await.unwrap(), 1);
    assert_eq!(accept_drops(&app.app).await.unwrap(), 0, "it is followed once");
    let entry = app
        .app
        .store
        .entries(DEPLOYMENT, None, 1)
        .await
        .unwrap()
        .remove(0);
    let about = format!("drop-accepted shops visits-20261122.csv {}", held.digest);
    assert_eq!(
        (entry.shared.about.unwrap(), entry.chain.requester.id),
        (about, b"wang".to_vec())
    );
    assert!(matches!(look(), DropEvent::Serving { rows: 3, .. }));
    assert_eq!(accept_drops(&app.app).await.unwrap(), 0);
    let _: Value = serde_json::from_str(
        &fs::read_to_string(gateway::source_files::drops_file(&app.app.folder)).unwrap(),
    )
    .unwrap();
}
