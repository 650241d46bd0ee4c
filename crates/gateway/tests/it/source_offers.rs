//! `mingcha source check --ask` on what a source offers besides answers: pictures, portraits, and with `--submit` a
//! review; each mistake that was made on purpose is told, with how to mend it.

use std::{
    fs,
    sync::atomic::{AtomicU32, Ordering},
};

use axum::{Json, Router, routing::post};
use gateway::{
    actions::strengthen::{MAX_PORTRAIT, PORTRAIT_WANTED},
    app::hex,
    commands::source::check::check,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    cast::chen,
    source_check::{Endpoint, LICENCE, asking, world},
};

const VIOLATIONS: &str =
    "[[cases]]\nkind = \"traffic-violations\"\nmode = \"read\"\nPERSON\nexpect = \"found\"\n";
const TRAFFIC: &str = "sandbox-traffic.toml";

/// What is written wrong, what it becomes, and words of what is told.
type Mistakes = [(&'static str, &'static str, &'static str)];

const OF_PICTURES: &Mistakes = &[
    (
        "{ bytes = \"/data/tp\" }",
        "{ bytes = \"/data/zp\" }",
        "the picture: bad_answer: image_missing. `answer.bytes` must point at the picture in base64",
    ),
    (
        "\"image.handle\" }\noutcome = { at = \"/code\", codes = { \"0\" = \"found\"",
        "\"image.handle\" }\noutcome = { at = \"/code\", codes = { \"00\" = \"found\"",
        "the picture: bad_answer: unknown_outcome. the code at `outcome.at` is not in `outcome.codes`",
    ),
    (
        "\"image.handle\" }\noutcome = { at = \"/code\", codes = { \"0\" = \"found\", \"1001\" = \"not_found\"",
        "\"image.handle\" }\noutcome = { at = \"/code\", codes = { \"0\" = \"found\", \"0404\" = \"not_found\"",
        "the picture, asked for by an invented person: bad_answer: unknown_outcome",
    ),
    (
        "path = \"/evidence/query\"",
        "path = \"/evidence\"",
        "the picture: ",
    ),
];

const OF_REVIEWS: &Mistakes = &[
    (
        "{ number = \"/data/slh\" }",
        "{ number = \"/data/fhbh\" }",
        "the review: bad_answer: review_number_missing. `answer.number` must point at the number of the review",
    ),
    (
        "\"0\" = \"accepted\"",
        "\"00\" = \"accepted\"",
        "the review: bad_answer: unknown_outcome. the code at `outcome.at` is not in `outcome.codes`",
    ),
    (
        "\"1\" = \"pending\"",
        "\"9\" = \"pending\"",
        "how far the review is: bad_answer: unknown_outcome",
    ),
    (
        "{ at = \"/data/zt\"",
        "{ at = \"/data/state\"",
        "how far the review is: bad_answer: no_outcome. nothing stands at `outcome.at`",
    ),
    (
        "number = \"/data/fhbh\"",
        "number = \"/data/slh\"",
        "how far the review is: bad_answer: other_review. the state is that of another review",
    ),
    (
        "number = \"/data/fhbh\"",
        "number = \"/data/bh\"",
        "how far the review is: bad_answer: review_number_missing",
    ),
];

impl Endpoint {
    /// Tells of each mistake in the file of traffic management.
    async fn tells_of(&self, mistakes: &Mistakes, cases: &str) {
        let file = self.folder.path().join(TRAFFIC);
        let sound = fs::read_to_string(&file).unwrap();
        for (from, to, words) in mistakes {
            assert_eq!(sound.matches(from).count(), 1, "{from}");
            fs::write(&file, sound.replace(from, to)).unwrap();
            let (sound, out) = self.try_all(TRAFFIC, cases, true).await;
            assert!(
                !sound && out.contains("WRONG case 1 (") && out.contains(words),
                "{to}: {out}"
            );
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_picture_that_a_record_names_is_fetched() {
    let endpoint = Endpoint::start().await;
    let (sound, out) = endpoint.try_all(TRAFFIC, VIOLATIONS, false).await;
    assert!(
        sound && out.contains("ok    case 1 (traffic-violations read): a picture, image/png"),
        "{out}"
    );
    assert!(!out.contains("traffic-violations: gives pictures"), "{out}");
    endpoint.tells_of(OF_PICTURES, VIOLATIONS).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_portrait_is_compared() {
    let endpoint = Endpoint::start().await;
    let folder = endpoint.folder.path();
    fs::write(folder.join("face.png"), sandbox::portrait_of(chen())).unwrap();
    fs::write(folder.join("blurred.png"), sandbox::blurred_portrait_of(chen())).unwrap();
    let cases = "[[cases]]\nkind = \"identity\"\nmode = \"match\"\nPERSON\nportrait = \"face.png\"\nexpect = \"match\"\n";
    let ask = async |cases: &str| endpoint.try_all("sandbox-population.toml", cases, false).await;
    let (sound, out) = ask(cases).await;
    assert!(
        sound && out.contains("ok    case 1 (identity match): match"),
        "{out}"
    );
    let (sound, out) = ask(&cases.replace("face", "blurred")).await;
    assert!(
        !sound && out.contains("face_below_threshold, expected match"),
        "{out}"
    );
    // What the gateway would not take of a person, a check does not send either.
    let large = [sandbox::portrait_of(chen()), vec![0; MAX_PORTRAIT]].concat();
    fs::write(folder.join("large.png"), large).unwrap();
    fs::write(folder.join("text.png"), "no picture").unwrap();
    for face in ["large", "text"] {
        let (sound, out) = ask(&cases.replace("face", face)).await;
        assert!(
            !sound && out.contains(PORTRAIT_WANTED) && !out.contains("ok    case 1"),
            "{out}"
        );
    }
    let (sound, out) = ask(&cases.replace("\"match\"\nPERSON", "\"read\"\nPERSON")).await;
    assert!(!sound && out.contains("only `mode = \"match\"`"), "{out}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_review_is_handed_in_where_that_is_asked_for() {
    let endpoint = Endpoint::start().await;
    let both = format!("{LICENCE}{VIOLATIONS}");
    let (sound, out) = endpoint.try_all(TRAFFIC, &both, true).await;
    assert!(
        sound && out.contains("ok    case 1 (driving-licence read): a review, taken once, and pending"),
        "{out}"
    );
    assert_eq!(
        out.matches("a review, ").count(),
        1,
        "one for all kinds that go the same way: {out}"
    );
    assert!(!out.contains("takes reviews"), "{out}");
    endpoint.tells_of(OF_REVIEWS, LICENCE).await;
}

/// A source that takes a repetition for a new review, or everybody for the subject of a picture.
const CARELESS: &str = r#"id = "careless"
version = 1
name = { zh = "粗心的来源", en = "A careless source" }
protocol = "http"
endpoint = "http://{address}"
freshness = "realtime"

[[serves]]
kind = "traffic-violations"
mode = "read"
path = "/record"
request = { xm = "subject.name", sfz = "subject.id_number" }
outcome = { at = "/code", codes = { "0" = "found" } }
[serves.fields]
driver_id_number = "/sfz"
points_confirmed = "/jf"
points_pending = "/jf"
unhandled_count = "/jf"
violations.at = "/jls"
violations.items.occurred_at = "/sj"
violations.items.place = "/dz"
violations.items.act = "/xw"
violations.items.code = "/dm"
violations.items.fine = "/je"
violations.items.points = "/jf"
violations.items.handled = { at = "/cl", codes = { "0" = "no" } }
violations.items.paid = { at = "/cl", codes = { "0" = "no" } }
violations.items.authority = "/jg"
violations.items.evidence = "/tp"

[[images]]
kinds = ["traffic-violations"]
path = "/picture"
request = { xm = "subject.name", sfz = "subject.id_number", bh = "image.handle" }
outcome = { at = "/code", codes = { "0" = "found" } }
answer = { bytes = "/tp" }

[[submits]]
kinds = ["traffic-violations"]
path = "/review"
working_days = 5
request = { xm = "subject.name", sfz = "subject.id_number", bh = "review.number", nr = "review.text" }
outcome = { at = "/code", codes = { "0" = "accepted" } }
answer = { number = "/slh" }
[submits.status]
path = "/review/state"
request = { xm = "subject.name", sfz = "subject.id_number", slh = "review.source_number" }
outcome = { at = "/zt", codes = { "0" = "pending", "1" = "corrected" } }
answer = { number = "/bh" }
"#;

#[tokio::test]
async fn a_careless_source_is_told_apart() {
    static TAKEN: AtomicU32 = AtomicU32::new(0);
    #[expect(clippy::disallowed_methods, reason = "the test plays the record holder")]
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let text = CARELESS.replace("{address}", &listener.local_addr().unwrap().to_string());
    let picture = sandbox::portrait_of(chen());
    let digest = hex(&crypto::Suite::Intl.hash(&[&picture]));
    let record = move |Json(asked): Json<Value>| async move {
        let row = json!({ "sj": "2026-11-01T08:00:00+08:00", "dz": "某路", "xw": "某事", "dm": "1", "je": 200, "jf": 1,
            "cl": "0", "jg": "某队", "tp": { "digest": digest, "handle": "H-1" } });
        Json(json!({ "code": "0", "sfz": asked["sfz"], "jf": 1, "jls": [row] }))
    };
    let shown = move || async move { Json(json!({ "code": "0", "tp": base64(&picture) })) };
    let taken = |Json(review): Json<Value>| async move {
        assert!(review["nr"].as_str().unwrap().contains("测试"), "{review}");
        Json(json!({ "code": "0", "slh": TAKEN.fetch_add(1, Ordering::Relaxed) }))
    };
    let routes = Router::new()
        .route("/record", post(record))
        .route("/picture", post(shown))
        .route("/review", post(taken));
    tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
    let folder = tempfile::tempdir().unwrap();
    let (file, tests) = (folder.path().join("careless.toml"), folder.path().join("tests"));
    fs::write(&file, text).unwrap();
    let person = format!("name = {:?}\nid_number = {:?}", chen().name, chen().id_number);
    fs::write(&tests, VIOLATIONS.replace("PERSON", &person)).unwrap();
    let mut args = asking(file, tests);
    let mut out = String::new();
    assert!(!check(&args, &world(), &mut out).await.unwrap());
    assert!(out.contains("an invented person got the picture too"), "{out}");
    assert_eq!(TAKEN.load(Ordering::Relaxed), 0, "nobody asked for a review");
    (args.submit, out) = (true, String::new());
    assert!(!check(&args, &world(), &mut out).await.unwrap());
    assert!(
        out.contains("the review, handed in again under its number, is answered otherwise"),
        "{out}"
    );
    assert_eq!(TAKEN.load(Ordering::Relaxed), 2);
}

fn base64(bytes: &[u8]) -> String {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.encode(bytes)
}
