//! The look-up that is repeated after a review's answer is the same question, of the same region and as fresh; and who
//! has to ask again is told so.

use std::sync::Arc;

use domain::{
    identifiers::IdNumber,
    ids::{ReviewId, SubjectId},
    review::{ReviewResult, ReviewState},
};
use gateway::{
    actions::{
        pause_sources::pause_sources,
        pursue_reviews::pursue_reviews,
        seal_change::{deployment, seal_change},
        view_reviews::{self, ReviewContent},
    },
    api::request::requester_of_token,
    app::Lang,
    error::Error,
    source_files::{Order, read_orders, write_orders},
};
use sandbox::Persona;
use serde_json::{Value, json};
use sources::SourceFile;
use store::{ReviewAdvance, ReviewPart};
use tokio::time::Instant;

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, with},
    portal::browser::Browser,
    reply::Reply,
};

on_both!(
    the_region_and_freshness_of_the_question_stay,
    who_compared_values_is_told_to_ask_again,
    what_needs_l3_is_shown_at_l3_alone,
    who_signed_out_meanwhile_is_shown_no_kept_answer,
);

const LICENCE: &str = "driving-licence";

/// The traffic authority of where the person's number hints at, of another province, and that one's daily copy.
fn of_two_regions(files: &mut Vec<SourceFile>) {
    let first = files
        .iter_mut()
        .find(|f| f.text.contains("id = \"sandbox-traffic\""))
        .unwrap();
    // The province that the file sends elsewhere is covered here.
    let base = first.text.replacen("region = \"14\"", "region = \"31\"", 1);
    let of = |id: &str, region: &str, freshness: &str| {
        let head = format!("regions = [\"{region}\"]\nfreshness = \"{freshness}\"");
        base.replacen("id = \"sandbox-traffic\"", &format!("id = \"{id}\""), 1)
            .replacen("freshness = \"realtime\"", &head, 1)
    };
    first.text = of("sandbox-traffic", &chen().id_number[..2], "realtime");
    for (id, freshness) in [("second", "realtime"), ("second-daily", "daily")] {
        let (name, text) = (format!("{id}.toml"), of(id, "44", freshness));
        files.push(SourceFile { name, text });
    }
}

async fn open(app: &TestApp, token: &str, lookup: &str) -> String {
    let review = json!({ "lookup_id": lookup, "text": "不对。", "pictures": [] });
    let opened = app.post(token, "/v1/reviews", &review).await.expect(200);
    opened.text_at("/review_id").to_owned()
}

async fn show(app: &TestApp, token: &str, id: &str) -> Reply {
    app.get(token, &format!("/v1/reviews/{id}")).await.expect(200)
}

async fn pause(app: &TestApp, source: &str, paused: bool) {
    let mut orders = read_orders(&app.app.folder).unwrap();
    let by = "wang".to_owned();
    orders.insert(source.into(), Order { paused, by });
    write_orders(&app.app.folder, &orders).unwrap();
    assert_eq!(pause_sources(&app.app).await.unwrap(), 1);
}

/// Who gave a review's repeated answer.
fn source_of(review: &Reply) -> &Value {
    let record = &review.json["lookup"]["record"];
    &record["licence_number"]["source"]
}

async fn the_region_and_freshness_of_the_question_stay(bed: Arc<Bed>) {
    let app = bed.app().sources(of_two_regions).start().await;
    let token = app.at_l2(chen()).await;
    let plain = app.look_up(&token, &about_me(LICENCE)).await;
    let plain = plain.expect_outcome("found");
    assert_eq!(
        plain.json["record"]["licence_number"]["source"], "sandbox-traffic",
        "what is asked where nothing is named"
    );
    let elsewhere = with(about_me(LICENCE), "region", "4403");
    let asked = app.look_up(&token, &elsewhere).await.expect_outcome("found");
    let live = with(elsewhere, "freshness", "realtime");
    let asked_live = app.look_up(&token, &live).await.expect_outcome("found");
    let mut opened = vec![];
    for lookup in [plain.lookup_id(), asked.lookup_id(), asked_live.lookup_id()] {
        opened.push(open(&app, &token, lookup).await);
    }
    app.clock.advance_seconds(61);
    assert_eq!(pursue_reviews(&app.app).await.unwrap(), 3);
    // The live one is away: its copy stands in where any freshness was taken, and nobody where it was not.
    pause(&app, "second", true).await;
    let repeated = show(&app, &token, &opened[0]).await;
    assert_eq!(source_of(&repeated), "sandbox-traffic");
    let repeated = show(&app, &token, &opened[1]).await;
    assert_eq!(source_of(&repeated), "second-daily", "{}", repeated.text);
    let not_yet = show(&app, &token, &opened[2]).await;
    assert_eq!(not_yet.text_at("/state"), "answered", "{}", not_yet.text);
    pause(&app, "second", false).await;
    app.clock.advance_seconds(61);
    let repeated = show(&app, &token, &opened[2]).await;
    assert_eq!(source_of(&repeated), "second", "{}", repeated.text);
    assert_eq!(repeated.text_at("/state"), "closed");
}

/// A source that takes reviews of a kind. No path of the played one does, so that nobody takes them in.
fn with_reviews(files: &mut [SourceFile], source: &str, kind: &str) {
    let (of, to) = ("id = \"sandbox-traffic\"", format!("id = \"{source}\""));
    let traffic = files.iter().find(|f| f.text.contains(of)).unwrap();
    let (_, submits) = traffic.text.split_once("[[submits]]").unwrap();
    let submits = submits.split("\n[envelope]").next().unwrap();
    let (_, after_kinds) = submits.split_once("]\n").unwrap();
    let submits = format!("[[submits]]\nkinds = [\"{kind}\"]\n{after_kinds}\n");
    let taker = files.iter_mut().find(|f| f.text.contains(&to)).unwrap();
    taker.text = taker
        .text
        .replacen("\n[envelope]", &format!("\n{submits}\n[envelope]"), 1);
}

/// The register has corrected its record: what the job writes when it hears so.
async fn corrected(app: &TestApp, who: &Persona, id: &str) {
    let number = IdNumber::parse(&who.id_number, app.app.now().date_in_china());
    let store = &app.app.store;
    let subject: SubjectId = store.mention_subject(&number.unwrap().value).await.unwrap();
    let review = ReviewId::parse(id).unwrap();
    let view = store.review(subject, review).await.unwrap().unwrap();
    let content: ReviewContent = serde_json::from_slice(&view.content).unwrap();
    let content = ReviewContent {
        result: Some(ReviewResult::Corrected),
        ..content
    };
    let (part, plain) = (
        ReviewPart::Content(view.revision + 1),
        serde_json::to_vec(&content).unwrap(),
    );
    let step = ReviewAdvance {
        review,
        from: view.state,
        revision: view.revision,
        to: ReviewState::Answered,
        content: store.encrypt_review(subject, review, part, &plain).await.unwrap(),
        next: None,
        due: None,
    };
    let effect = store.advance_review(subject, step);
    let answered = seal_change(&app.app, subject, deployment(), "review-answered", effect).await;
    assert!(answered.unwrap(), "the step was taken");
}

async fn who_compared_values_is_told_to_ask_again(bed: Arc<Bed>) {
    let app = bed
        .app()
        .sources(|files| with_reviews(files, "sandbox-population", "identity"))
        .start()
        .await;
    let token = app.at_l2(chen()).await;
    let compared = json!({
        "kind": "identity", "mode": "match", "subject": "self", "purpose": "own-information",
        "claims": { "valid_until": "2001-01-01" },
    });
    let answer = app.look_up(&token, &compared).await.expect_outcome("mismatch");
    let id = open(&app, &token, answer.lookup_id()).await;
    corrected(&app, chen(), &id).await;
    let told = show(&app, &token, &id).await;
    assert_eq!(
        (
            told.text_at("/state"),
            told.text_at("/result"),
            &told.json["repeated_lookup_id"]
        ),
        ("closed", "corrected", &Value::Null)
    );
    let mut browser = Browser::with_session(&app, &token);
    for (lang, told, not_told) in [
        ("zh", "请您自己再比对一次", "重新查了一次"),
        ("en", "Please compare it again yourself", "We looked it up again"),
    ] {
        browser.cookies.insert("mingcha-lang".into(), lang.into());
        let page = browser.get(&format!("/reviews/{id}")).await.expect(200).text;
        assert!(page.contains(told) && !page.contains(not_told), "{page}");
        assert!(page.contains("href=\"/look-up/identity\""), "{page}");
    }
}

async fn what_needs_l3_is_shown_at_l3_alone(bed: Arc<Bed>) {
    let app = bed
        .app()
        .sources(|files| with_reviews(files, "sandbox-civil-affairs", "marriage"))
        .start()
        .await;
    let strong = app.at_l3(chen()).await;
    let asked = app.look_up(&strong, &about_me("marriage")).await;
    let id = open(&app, &strong, asked.expect_outcome("found").lookup_id()).await;
    corrected(&app, chen(), &id).await;
    let weak = app.at_l2(chen()).await;
    let early = show(&app, &weak, &id).await;
    assert_eq!(
        (early.text_at("/state"), &early.json["lookup"]["record"]),
        ("answered", &Value::Null),
        "nothing is asked for a session that may not see it"
    );
    let shown = |review: &Reply| !review.json["lookup"]["record"].is_null();
    assert!(shown(&show(&app, &strong, &id).await), "repeated once");
    assert!(shown(&show(&app, &strong, &id).await), "while the answer is kept");
    let later = show(&app, &weak, &id).await;
    assert_eq!(later.text_at("/state"), "closed");
    assert!(!shown(&later), "{}", later.text);
}

/// The answer was sealed when the look-up was repeated; nothing is sealed when it is shown again.
async fn who_signed_out_meanwhile_is_shown_no_kept_answer(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let asked = app.look_up(&token, &about_me(LICENCE)).await;
    let id = open(&app, &token, asked.expect_outcome("found").lookup_id()).await;
    app.clock.advance_seconds(61);
    assert_eq!(pursue_reviews(&app.app).await.unwrap(), 1);
    assert_eq!(show(&app, &token, &id).await.text_at("/state"), "closed");
    // Who they are was read before the session ended.
    let requester = requester_of_token(&app.app, &token).await.unwrap();
    let review = ReviewId::parse(&id).unwrap();
    let again = || view_reviews::review(&app.app, &requester, review, (Lang::Zh, Instant::now()));
    let (_, kept) = again().await.unwrap();
    assert!(kept.is_some(), "while the session lives");
    app.delete(&token, "/v1/account/sessions").await.expect(204);
    let refused = again().await.map(drop);
    assert!(matches!(refused, Err(Error::NotSignedIn)), "{refused:?}");
}
