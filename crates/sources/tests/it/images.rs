//! The bytes of an image: the one that was released, about this person, fit to be shown, or none.

use std::{sync::Arc, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::Suite;
use domain::{ids::LookupId, outcome::Outcome, time::ManualClock};
use serde_json::{Value as Json, json};
use sources::{ImageBytes, ImageQuestion, MediaType, NoImage, Problem, Sources};
use tokio::time::Instant;

use crate::{
    server::{Act, Server, http, json},
    world::{IMAGES, NOW, TRAFFIC, car_question, file, number, person, sources, sources_with},
};

const MIB: usize = 1 << 20;

/// The head of a PNG of this size and as many bytes as are wanted.
fn png(width: u32, height: u32, length: usize) -> Vec<u8> {
    let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
    bytes.extend(width.to_be_bytes());
    bytes.extend(height.to_be_bytes());
    bytes.resize(length, 7);
    bytes
}

/// A JPEG as a camera writes it, but for the picture.
fn jpeg(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = b"\xff\xd8\xff\xe0\0\x07JFIF\0\xff\xc0\0\x0b\x08".to_vec();
    bytes.extend(height.to_be_bytes());
    bytes.extend(width.to_be_bytes());
    bytes.extend(b"\x01\x01\x11\0\xff\xda\0\x08\x01\x01\0\0\x3f\0\x12\xff\xd9");
    bytes
}

/// A question for the image with these bytes.
pub(crate) fn image_question(released: &[u8]) -> ImageQuestion {
    ImageQuestion {
        lookup: LookupId::from_bytes([9; 16]),
        source: "test-traffic".to_owned(),
        kind: "car".to_owned(),
        person: person(),
        handle: "ZP-\"1\"".to_owned(),
        digest: Suite::Intl
            .hash(&[released])
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect(),
        deadline: Instant::now() + Duration::from_secs(5),
    }
}

fn answer(bytes: &[u8]) -> Json {
    json!({ "code": 0, "d": { "tp": STANDARD.encode(bytes) } })
}

fn with_images(text: &str, port: u16) -> Sources {
    sources(&[file("traffic.toml", &format!("{text}{IMAGES}"), port)])
}

async fn ask(act: Act, question: &ImageQuestion) -> Result<ImageBytes, NoImage> {
    let server = Server::always(act).await;
    with_images(TRAFFIC, server.port()).image(question).await
}

/// The outcome, and the problem where one is reported.
fn told(answer: Result<ImageBytes, NoImage>, case: &str) -> (Outcome, Option<Problem>) {
    let no = answer.err().unwrap_or_else(|| panic!("{case}: an image"));
    let report = no
        .report
        .inspect(|r| assert_eq!((r.source.as_str(), &r.field), ("test-traffic", &None), "{case}"));
    (no.outcome, report.map(|r| r.problem))
}

#[tokio::test]
async fn the_released_image_is_given_as_it_is() {
    for (bytes, media_type) in [
        (png(96, 120, 300), MediaType::Png),
        (jpeg(640, 480), MediaType::Jpeg),
        // Records of this source may have 64 KiB; an image has a bound of its own.
        (png(5000, 4000, MIB), MediaType::Png),
    ] {
        let server = Server::always(json(answer(&bytes))).await;
        let sources = with_images(TRAFFIC, server.port());
        let question = image_question(&bytes);
        let image = sources.image(&question).await.unwrap();
        assert_eq!((image.bytes.as_ref(), image.media_type), (&bytes[..], media_type));
        let upper = ImageQuestion {
            digest: question.digest.to_uppercase(),
            ..question
        };
        assert!(sources.image(&upper).await.is_ok());
        let heard = &server.requests()[0];
        assert_eq!(
            (heard.path.as_str(), heard.head.starts_with("POST ")),
            ("/traffic/photo", true)
        );
        let body: Json = serde_json::from_slice(&heard.body).unwrap();
        let expected = json!({
            "lsh": "09090909-0909-0909-0909-090909090909", "xm": "甲某", "sfz": number(1).expose(),
            "bh": "ZP-\"1\"", "ver": "2",
        });
        assert_eq!(body, expected);
    }
}

#[tokio::test]
async fn what_is_not_that_image_is_dropped() {
    let (html, bomb) = (b"<html><script>".to_vec(), png(50_000, 50_000, 300));
    let (released, huge) = (png(96, 120, 300), png(96, 120, MIB + 1));
    let cut = released[..299].to_vec();
    for (case, sent, released, problem) in [
        (
            "another image",
            &png(96, 120, 301),
            &released,
            Problem::OtherImage,
        ),
        ("the image cut short", &cut, &released, Problem::OtherImage),
        ("no image at all", &html, &html, Problem::NotAnImage),
        ("dimensions that lie", &bomb, &bomb, Problem::ImageTooLarge),
        ("a byte too many", &huge, &huge, Problem::ImageTooLarge),
    ] {
        let answer = ask(json(answer(sent)), &image_question(released)).await;
        assert_eq!(told(answer, case), (Outcome::BadAnswer, Some(problem)), "{case}");
    }
}

#[tokio::test]
async fn what_says_no_image_gives_none() {
    let text = |tp: Json| json!({ "code": 0, "d": { "tp": tp } });
    let bad = |problem| (Outcome::BadAnswer, Some(problem));
    for (case, reply, expected) in [
        ("an empty text", text(json!("")), bad(Problem::ImageMissing)),
        ("no base64", text(json!("a b")), bad(Problem::ImageMissing)),
        ("no text", text(json!([1])), bad(Problem::ImageMissing)),
        ("no member", json!({ "code": 0 }), bad(Problem::ImageMissing)),
        ("no code", json!({ "d": {} }), bad(Problem::NoOutcome)),
        (
            "an unknown code",
            json!({ "code": 7 }),
            bad(Problem::UnknownOutcome),
        ),
        ("codes", json!({ "code": [0, 1] }), bad(Problem::NoOutcome)),
        ("not theirs", json!({ "code": 1 }), (Outcome::NotFound, None)),
        ("closed", json!({ "code": 2 }), (Outcome::Maintenance, None)),
    ] {
        let answer = ask(json(reply), &image_question(b"")).await;
        assert_eq!(told(answer, case), expected, "{case}");
    }
}

#[tokio::test]
async fn an_endless_reply_ends() {
    let question = image_question(b"");
    let too_large = (Outcome::BadAnswer, Some(Problem::BodyTooLarge));
    let head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";
    let told_length = [head, &b"content-length: 1600000\r\n\r\n"[..]].concat();
    assert_eq!(
        told(ask(Act::Raw(told_length), &question).await, "told"),
        too_large
    );
    let flood = [head, &b"connection: close\r\n\r\n"[..]].concat();
    assert_eq!(told(ask(Act::Flood(flood), &question).await, "flood"), too_large);
    // The records of this source keep their own, smaller bound.
    let server = Server::always(json(answer(&[7; 100_000]))).await;
    let record = with_images(TRAFFIC, server.port()).ask(car_question()).await;
    assert_eq!(record.report.unwrap().problem, Problem::BodyTooLarge);
}

#[tokio::test]
async fn only_the_source_of_the_handle_is_asked() {
    let released = png(96, 120, 300);
    let server = Server::always(json(answer(&released))).await;
    let question = image_question(&released);
    let other_source = ImageQuestion {
        source: "nobody".into(),
        ..question.clone()
    };
    let other_kind = ImageQuestion {
        kind: "person".into(),
        ..question.clone()
    };
    let sources = with_images(TRAFFIC, server.port());
    for (case, question) in [("source", other_source), ("kind", other_kind)] {
        assert_eq!(
            told(sources.image(&question).await, case),
            (Outcome::NotCovered, None)
        );
    }
    let without = crate::world::sources(&[file("traffic.toml", TRAFFIC, server.port())]);
    assert_eq!(
        told(without.image(&question).await, "no images"),
        (Outcome::NotCovered, None)
    );
    let clock = Arc::new(ManualClock::new(NOW.plus_seconds(20 * 365 * 24 * 3600)));
    let text = format!("{TRAFFIC}{IMAGES}");
    let expired = sources_with(&[file("traffic.toml", &text, server.port())], clock);
    let expected = (Outcome::Maintenance, Some(Problem::AgreementExpired));
    assert_eq!(told(expired.image(&question).await, "expired"), expected);
    assert!(server.requests().is_empty());
}

#[tokio::test]
async fn a_source_that_stalls_or_breaks_is_left_alone() {
    let question = image_question(b"");
    let started = Instant::now();
    let late = ask(Act::Hang, &question).await;
    assert_eq!(
        told(late, "hangs"),
        (Outcome::TimedOut, Some(Problem::DeadlinePassed))
    );
    assert!(
        started.elapsed() < Duration::from_millis(500),
        "{:?}",
        started.elapsed()
    );
    let over = ImageQuestion {
        deadline: Instant::now(),
        ..question.clone()
    };
    let late = ask(json(answer(b"")), &over).await;
    assert!(matches!(
        told(late, "over").0,
        Outcome::TimedOut | Outcome::Overloaded
    ));

    let server = Server::always(Act::Raw(http("500 Oops", "", b""))).await;
    let sources = with_images(TRAFFIC, server.port());
    for _ in 0..10 {
        assert_eq!(
            told(sources.image(&question).await, "500"),
            (Outcome::Broken, Some(Problem::BadStatus))
        );
    }
    let open = (Outcome::Broken, Some(Problem::BreakerOpen));
    assert_eq!(told(sources.image(&question).await, "image"), open);
    let record = sources.ask(car_question()).await;
    assert_eq!(
        (record.outcome, record.report.map(|r| r.problem)),
        open,
        "one breaker for both"
    );
    assert_eq!(server.requests().len(), 10);
}

/// However many places the source has, few images are in memory at once.
#[tokio::test]
async fn few_images_are_taken_at_once() {
    let server = Server::always(Act::Hang).await;
    let wide = TRAFFIC
        .replace("concurrency = 4", "concurrency = 64")
        .replace("deadline_ms = 400", "deadline_ms = 3000");
    let sources = with_images(&wide, server.port());
    let question = image_question(b"");
    let ask = || async {
        let started = Instant::now();
        (told(sources.image(&question).await, "many"), started.elapsed())
    };
    let all = futures_util::future::join_all((0..20).map(|_| ask())).await;
    let full = (Outcome::Overloaded, Some(Problem::NoPlace));
    let (turned_away, others): (Vec<_>, Vec<_>) = all.into_iter().partition(|(told, _)| *told == full);
    assert_eq!(
        (turned_away.len(), others.len(), server.requests().len()),
        (12, 8, 8)
    );
    assert!(
        turned_away.iter().all(|(_, took)| *took < Duration::from_secs(1)),
        "{turned_away:?}"
    );
}
