//! Evidence images: the bytes under the release that disclosed their digest, for the person alone, and not for long.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use crypto::Suite;
use domain::{ids::LookupId, outcome::Outcome};
use gateway::{actions::view_image::view_image, api::request::requester_of_token, error::Error};
use sandbox::{Fault, Persona, Switch};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep, timeout};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, gulbahar, li, my_vehicle, persona},
    reply::{Reply, text_at},
};

on_both!(
    the_image_is_the_one_that_was_released,
    by_the_gm_suite,
    nobody_else_gets_it,
    not_without_the_level_and_not_for_long,
    what_the_source_sends_instead_is_not_shown,
    who_signed_out_meanwhile_is_shown_none,
);

const PATH: &str = "traffic/evidence/query";

/// A look-up, and the images that it gave handles of.
struct Given {
    lookup: String,
    images: Vec<Value>,
}

impl Given {
    async fn by(app: &TestApp, token: &str, question: &Value) -> Self {
        let answer = app.look_up(token, question).await.expect_outcome("found");
        let rows = answer.json["record"]["violations"]["value"].as_array().unwrap();
        let images = rows.iter().filter_map(|row| row.get("evidence").cloned());
        Given {
            lookup: answer.lookup_id().to_owned(),
            images: images.collect(),
        }
    }

    /// The images of Chen's own car.
    async fn of_chens_car(app: &TestApp, token: &str) -> Self {
        Given::by(app, token, &my_vehicle("vehicle-violations", &chen().vehicles[0])).await
    }

    fn first(&self) -> &str {
        text_at(&self.images[0], "/handle")
    }
}

async fn view(app: &TestApp, token: &str, lookup: &str, handle: &str) -> Reply {
    let which = json!({ "lookup_id": lookup, "handle": handle });
    app.post(token, "/v1/images", &which).await
}

/// How often the authority was asked for an image.
fn streamed(app: &TestApp) -> usize {
    app.sandbox.journal().iter().filter(|e| e.path == PATH).count()
}

async fn the_image_is_the_one_that_was_released(bed: Arc<Bed>) {
    each_image(bed.app().start().await).await;
}

async fn by_the_gm_suite(bed: Arc<Bed>) {
    each_image(bed.app().suite(Suite::Gm).start().await).await;
}

async fn each_image(app: TestApp) {
    let car = my_vehicle("vehicle-violations", &chen().vehicles[0]);
    let driven = about_me("traffic-violations");
    let cases: [(&Persona, &Value, usize); 4] = [
        (chen(), &car, 3),
        (li(), &car, 3),
        (chen(), &driven, 1),
        (persona("chen-siyuan"), &driven, 1),
    ];
    for (who, question, count) in cases {
        let token = app.at_l2(who).await;
        let given = Given::by(&app, &token, question).await;
        assert_eq!(given.images.len(), count, "{}", who.id);
        let (entries, asked) = (app.entries().await, app.asked(&given.lookup));
        for image in &given.images {
            let reply = view(&app, &token, &given.lookup, text_at(image, "/handle")).await;
            assert_eq!(reply.status, 200, "{}", reply.text);
            let digest: String = Sha256::digest(&reply.bytes)
                .iter()
                .map(|b| format!("{b:02x}"))
                .collect();
            assert_eq!(image["digest"], digest, "{}", who.id);
            for (header, value) in [
                ("content-type", "image/png"),
                ("content-disposition", "inline; filename=evidence.png"),
                ("content-security-policy", "sandbox; default-src 'none'"),
                ("x-content-type-options", "nosniff"),
                ("cache-control", "no-store"),
            ] {
                assert_eq!(reply.headers[header], value);
            }
        }
        assert_eq!(
            app.asked(&given.lookup),
            asked + count,
            "under the id of the look-up"
        );
        assert_eq!(app.entries().await, entries, "the release stands for them");
    }
}

/// What every image that somebody may not have looks like: 404, and nothing of it varies but the trace's id.
fn nothing(reply: Reply) -> String {
    let reply = reply.expect_problem(404, "NOT_FOUND");
    reply.text.replace(reply.text_at("/trace_id"), "ID")
}

async fn nobody_else_gets_it(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, other) = (app.at_l2(chen()).await, app.at_l2(gulbahar()).await);
    // His wife may have the same images, but by her own look-up.
    let wife = app.at_l2(li()).await;
    let given = Given::of_chens_car(&app, &token).await;
    let hers = Given::of_chens_car(&app, &wife).await;
    let licence = app
        .look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    let theirs = app
        .look_up(&other, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
    let none = app
        .look_up(&other, &my_vehicle("vehicle-violations", &chen().vehicles[0]))
        .await;
    let none = none.expect_outcome("not_found");
    let mut seen = BTreeSet::new();
    for (who, lookup, handle) in [
        (&other, given.lookup.as_str(), given.first()),
        (&wife, &given.lookup, given.first()),
        (&token, &hers.lookup, hers.first()),
        (&other, theirs.lookup_id(), given.first()),
        (&other, none.lookup_id(), given.first()),
        (&token, licence.lookup_id(), given.first()),
        (&token, "01930000-0000-7000-8000-000000000001", given.first()),
        // Of the same person, but not of this look-up.
        (&token, &given.lookup, "SBX-ZJ-000169"),
        (&token, &given.lookup, &given.first().to_lowercase()),
        (&token, &given.lookup, text_at(&given.images[0], "/digest")),
        (&token, &given.lookup, "%"),
        (&token, &given.lookup, "\u{0}"),
        (&token, &given.lookup, ""),
    ] {
        seen.insert(nothing(view(&app, who, lookup, handle).await));
    }
    assert_eq!(seen.len(), 1, "{seen:?}");
    assert_eq!(streamed(&app), 0, "the authority was not even asked");
    view(&app, &token, "1", given.first())
        .await
        .expect_problem(400, "BAD_RECEIPT_ID");
    for body in [
        json!({ "lookup_id": given.lookup }),
        json!({ "lookup_id": given.lookup, "handle": [given.first()] }),
        json!({ "lookup_id": given.lookup, "handle": given.first(), "subject": "self" }),
    ] {
        app.post(&token, "/v1/images", &body)
            .await
            .expect_problem(400, "BODY_NOT_JSON");
    }
    let openly = json!({ "lookup_id": given.lookup, "handle": given.first() });
    app.post_openly("/v1/images", &openly)
        .await
        .expect_problem(401, "NOT_SIGNED_IN");
    view(&app, &wife, &hers.lookup, hers.first()).await.expect(200);
}

async fn not_without_the_level_and_not_for_long(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let given = Given::of_chens_car(&app, &token).await;
    // The same person with the phone alone.
    let weak = app.sign_in(chen()).await;
    let seen = nothing(view(&app, &weak, &given.lookup, given.first()).await);
    view(&app, &token, &given.lookup, given.first()).await.expect(200);
    app.clock.advance_seconds(600);
    let late = nothing(view(&app, &token, &given.lookup, given.first()).await);
    assert_eq!(late, seen);
    let again = Given::of_chens_car(&app, &token).await;
    view(&app, &token, &again.lookup, again.first()).await.expect(200);
    app.delete(&token, "/v1/account/sessions").await.expect(204);
    view(&app, &token, &again.lookup, again.first())
        .await
        .expect_problem(401, "NOT_SIGNED_IN");
    // Who was erased and comes back starts anew.
    let before = app.at_l2(chen()).await;
    let given = Given::of_chens_car(&app, &before).await;
    app.delete(&before, "/v1/account").await.expect(204);
    let after = app.at_l2(chen()).await;
    assert_eq!(
        nothing(view(&app, &after, &given.lookup, given.first()).await),
        seen
    );
}

async fn what_the_source_sends_instead_is_not_shown(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l2(chen()).await;
    let given = Given::of_chens_car(&app, &token).await;
    let on_images = || Switch {
        path: Some(PATH.to_owned()),
        ..Switch::default()
    };
    for fault in [
        Fault::WrongPerson,
        Fault::MissingField,
        Fault::WrongType,
        Fault::NotJson,
        Fault::Garbage,
        Fault::Close,
    ] {
        app.switch(Switch {
            fault: Some(fault),
            ..on_images()
        });
        let reply = view(&app, &token, &given.lookup, given.first()).await;
        let reply = reply.expect_problem(503, "IMAGE_UNAVAILABLE");
        assert!(!reply.text.contains(given.first()), "{fault:?}");
    }
    for (outcome, status, code) in [
        (Outcome::Maintenance, 503, "IMAGE_UNAVAILABLE"),
        (Outcome::NotFound, 404, "NOT_FOUND"),
        (Outcome::NotCovered, 404, "NOT_FOUND"),
    ] {
        app.switch(Switch {
            outcome: Some(outcome),
            ..on_images()
        });
        let reply = view(&app, &token, &given.lookup, given.first()).await;
        reply.expect_problem(status, code);
    }
    app.sandbox.clear_switches();
    view(&app, &token, &given.lookup, given.first()).await.expect(200);
}

/// No seal holds an image back. So it is asked once more whether the session lives, when the bytes are there.
async fn who_signed_out_meanwhile_is_shown_none(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let (token, other) = (app.at_l2(chen()).await, app.at_l2(chen()).await);
    let given = Given::of_chens_car(&app, &token).await;
    // Who they are was read with the head of each request.
    let requester = requester_of_token(&app.app, &token).await.unwrap();
    let lookup = LookupId::parse(&given.lookup).unwrap();
    let show = || view_image(&app.app, &requester, lookup, given.first(), Instant::now());
    show().await.unwrap();
    app.delete(&token, "/v1/account/sessions").await.expect(204);
    let refused = show().await;
    assert!(matches!(refused, Err(Error::NotSignedIn)), "{refused:?}");
    // Another session of the same person ends while the authority sends it.
    app.switch(Switch {
        path: Some(PATH.to_owned()),
        delay_ms: 2000,
        ..Switch::default()
    });
    let before = streamed(&app);
    let (reply, ()) = tokio::join!(view(&app, &other, &given.lookup, given.first()), async {
        let asked = async {
            while streamed(&app) == before {
                sleep(Duration::from_millis(2)).await;
            }
        };
        timeout(Duration::from_secs(30), asked)
            .await
            .expect("it is asked");
        app.delete(&other, "/v1/account/sessions").await.expect(204);
    });
    reply.expect_problem(401, "NOT_SIGNED_IN");
}
