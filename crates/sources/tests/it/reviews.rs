//! Reviews handed in: what is sent, what is made of the reply, and what of a file is refused.

use std::time::Duration;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use domain::{ids::LookupId, outcome::Outcome};
use serde_json::{Value as Json, json};
use sources::{NoReply, Problem, ReviewQuestion, ReviewReply, ReviewStatus, Sources};
use tokio::time::Instant;

use crate::{
    files::error_of,
    server::{Act, Server, http, json},
    world::{REVIEWS, TRAFFIC, file, number, person, sources},
};

pub(crate) fn with_reviews(port: u16) -> Sources {
    sources(&[file("traffic.toml", &format!("{TRAFFIC}{REVIEWS}"), port)])
}

pub(crate) fn review() -> ReviewQuestion {
    ReviewQuestion {
        lookup: LookupId::from_bytes([9; 16]),
        source: "test-traffic".to_owned(),
        kind: "car".to_owned(),
        person: person(),
        number: "FH-0000-0000-0001".to_owned(),
        source_number: Some("SLH-7".to_owned()),
        text: "颜色\"不对\"".to_owned(),
        images: vec![Bytes::from_static(b"one")],
        deadline: Instant::now() + Duration::from_secs(5),
    }
}

async fn handed_in(act: Act) -> Result<ReviewReply, NoReply> {
    let server = Server::always(act).await;
    with_reviews(server.port()).submit(&review()).await
}

async fn status(act: Act) -> Result<ReviewStatus, NoReply> {
    let server = Server::always(act).await;
    with_reviews(server.port()).review_status(&review()).await
}

fn problem<T: std::fmt::Debug>(reply: Result<T, NoReply>) -> (Outcome, Option<Problem>) {
    let no = reply.unwrap_err();
    (no.outcome, no.report.map(|r| r.problem))
}

#[tokio::test]
async fn a_review_is_handed_in_as_the_file_says() {
    let server = Server::always(json(json!({ "code": 0, "d": { "slh": 4711 } }))).await;
    let sources = with_reviews(server.port());
    let reply = sources.submit(&review()).await.unwrap();
    assert_eq!(reply, ReviewReply::Accepted("4711".to_owned()));
    let heard = &server.requests()[0];
    assert_eq!(heard.path, "/traffic/review");
    let body: Json = serde_json::from_slice(&heard.body).unwrap();
    let expected = json!({
        "lsh": "09090909-0909-0909-0909-090909090909", "xm": "甲某", "sfz": number(1).expose(),
        "bh": "FH-0000-0000-0001", "nr": "颜色\"不对\"", "tp1": STANDARD.encode("one"),
    });
    assert_eq!(body, expected, "a picture that is not there is not sent");
    // Again: the same number.
    sources.submit(&review()).await.unwrap();
    assert_eq!(server.requests()[1].body, heard.body);
}

#[tokio::test]
async fn how_far_a_review_is_is_asked_by_the_sources_number() {
    let answer = json!({ "code": 0, "d": { "zt": "1", "bh": "FH-0000-0000-0001", "yj": " 已\u{7}补录 " } });
    let server = Server::always(json(answer)).await;
    let told = with_reviews(server.port())
        .review_status(&review())
        .await
        .unwrap();
    assert_eq!(told, ReviewStatus::Corrected(Some("已补录".to_owned())));
    let body: Json = serde_json::from_slice(&server.requests()[0].body).unwrap();
    assert_eq!(
        body,
        json!({ "xm": "甲某", "sfz": number(1).expose(), "slh": "SLH-7" })
    );
    let pending = json!({ "d": { "zt": 0, "bh": "FH-0000-0000-0001" } });
    assert_eq!(status(json(pending)).await.unwrap(), ReviewStatus::Pending);
    let upheld = json!({ "d": { "zt": 2, "bh": "FH-0000-0000-0001", "yj": "" } });
    assert_eq!(status(json(upheld)).await.unwrap(), ReviewStatus::Upheld(None));
}

#[tokio::test]
async fn whatever_else_comes_is_no_reply_and_can_be_tried_again() {
    use Outcome::{BadAnswer, Broken, Maintenance, Overloaded};
    assert_eq!(
        handed_in(json(json!({ "code": 1 }))).await,
        Ok(ReviewReply::Refused)
    );
    let bad = |problem| (BadAnswer, Some(problem));
    for (reply, expected) in [
        (json!({ "code": 2 }), (Maintenance, None)),
        (json!({ "code": 3 }), (Overloaded, None)),
        (json!({ "code": 7 }), bad(Problem::UnknownOutcome)),
        (json!({}), bad(Problem::NoOutcome)),
        (json!({ "code": 0 }), bad(Problem::ReviewNumberMissing)),
        (
            json!({ "code": 0, "d": { "slh": "" } }),
            bad(Problem::ReviewNumberMissing),
        ),
        (
            json!({ "code": 0, "d": { "slh": "<b>" } }),
            bad(Problem::ReviewNumberMissing),
        ),
        (
            json!({ "code": 0, "d": { "slh": "1".repeat(65) } }),
            bad(Problem::ReviewNumberMissing),
        ),
    ] {
        assert_eq!(problem(handed_in(json(&reply)).await), expected, "{reply}");
    }
    let gone = Act::RawThenClose(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\n{".to_vec());
    assert_eq!(problem(handed_in(gone).await).0, BadAnswer, "no content type");
    let broken = Act::RawThenClose(Vec::new());
    assert_eq!(problem(handed_in(broken).await).0, Broken);
    let long = http("200 OK", "content-type: application/json\r\n", &[b' '; 70_000]);
    assert_eq!(
        problem(handed_in(Act::Raw(long)).await),
        bad(Problem::BodyTooLarge)
    );
    for (reply, expected) in [
        (json!({ "d": { "zt": 9 } }), (Maintenance, None)),
        (json!({ "d": { "zt": 1 } }), bad(Problem::ReviewNumberMissing)),
        // Somebody else's review: nothing of it is told.
        (
            json!({ "d": { "zt": 1, "bh": "FH-0000-0000-0002", "yj": "甲" } }),
            bad(Problem::OtherReview),
        ),
        (
            json!({ "d": { "zt": 5, "bh": "FH-0000-0000-0001" } }),
            bad(Problem::UnknownOutcome),
        ),
    ] {
        assert_eq!(problem(status(json(&reply)).await), expected, "{reply}");
    }
}

#[tokio::test]
async fn only_what_takes_reviews_is_asked() {
    let server = Server::always(json(json!({ "code": 0, "d": { "slh": "1" } }))).await;
    let sources = with_reviews(server.port());
    let terms = sources.review_terms("test-traffic", "car").unwrap();
    assert_eq!((terms.working_days, terms.poll_minutes), (5, 30));
    assert!(sources.review_terms("test-traffic", "person").is_none());
    assert!(sources.review_terms("nobody", "car").is_none());
    let other = ReviewQuestion {
        kind: "person".to_owned(),
        ..review()
    };
    assert_eq!(problem(sources.submit(&other).await), (Outcome::NotCovered, None));
    assert!(server.requests().is_empty());
    assert_eq!(format!("{:?}", review()).matches("甲").count(), 0);
}

#[test]
fn a_file_that_is_wrong_is_refused_with_its_line() {
    let whole = format!("{TRAFFIC}{REVIEWS}");
    for (from, to, words) in [
        ("nr = \"review.text\"\n", "", "must carry \"review.text\""),
        ("bh = \"review.number\"\n", "", "must carry \"review.number\""),
        (
            "slh = \"review.source_number\"\n",
            "",
            "must carry \"review.source_number\"",
        ),
        (
            "tp2 = \"review.image.2\"",
            "tp2 = \"review.image.4\"",
            "review.image.1 to 3",
        ),
        (
            "tp2 = \"review.image.2\"",
            "tp2 = \"key.plate\"",
            "there is no key",
        ),
        ("working_days = 5", "working_days = 0", "expected 1 to 60"),
        ("poll_minutes = 30", "poll_minutes = 1441", "expected 1 to 1440"),
        (
            "kinds = [\"car\"]\npath = \"/review\"",
            "kinds = [\"person\"]\npath = \"/review\"",
            "is not served",
        ),
        (
            "kinds = [\"car\"]\npath = \"/review\"",
            "kinds = []\npath = \"/review\"",
            "of whose records",
        ),
        ("\"0\" = \"accepted\", ", "", "no code means accepted"),
        (
            "\"1\" = \"corrected\", \"2\" = \"upheld\", ",
            "",
            "corrected or upheld",
        ),
        ("\"0\" = \"accepted\"", "\"0\" = \"taken\"", "unknown variant"),
        ("number = \"/d/slh\"", "number = \"d\"", "no JSON pointer"),
        ("path = \"/review/status\"", "path = \"/session\"", "is taken"),
    ] {
        assert!(whole.contains(from), "{from}");
        let error = error_of(&whole, sources::Realm::Demo, from, to, words);
        assert!(error.line.is_some(), "{from}");
    }
    let twice = format!("{REVIEWS}{REVIEWS}");
    error_of(&whole, sources::Realm::Demo, REVIEWS, &twice, "taken twice");
}
