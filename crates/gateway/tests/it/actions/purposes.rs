//! Nothing is looked up without a purpose that is registered and assessed, nor past what the operator forbids.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen, my_vehicle, with},
};

on_both!(
    a_purpose_that_is_not_assessed_permits_nothing,
    a_purpose_that_is_not_registered_is_told,
    a_purpose_opens_only_the_fields_that_serve_it,
    an_operator_may_forbid_more,
);

const ASSESSED: &str = "pia = \"TEST-PIA-1\"";

async fn a_purpose_that_is_not_assessed_permits_nothing(bed: Arc<Bed>) {
    let clock = {
        let app = bed.app().replacing(ASSESSED, "pia = \"  \"").start().await;
        let token = app.at_l3(chen()).await;
        for question in [about_me("marriage"), my_vehicle("vehicle", &chen().vehicles[0])] {
            let refused = app
                .look_up(&token, &question)
                .await
                .expect_problem(403, "NOT_PERMITTED");
            assert_eq!(app.asked(refused.lookup_id()), 0);
            let entry = app.entry_about(&token, refused.lookup_id()).await;
            assert_eq!(
                (&entry["type"], &entry["reasons"]),
                (&json!("REFUSAL"), &json!(["PIA_MISSING"]))
            );
        }
        let clock = Arc::clone(&app.clock);
        app.stop().await;
        clock
    };
    // The assessment is on file, and the deployment is started again.
    let app = bed.app().clock(&clock).start().await;
    let token = app.at_l3(chen()).await;
    app.look_up(&token, &about_me("marriage"))
        .await
        .expect_outcome("found");
    app.stop().await;
    // Without an assessment of proofing nobody can prove anything.
    let app = bed
        .app()
        .clock(&clock)
        .replacing("pia = \"TEST-PIA-2\"", "")
        .start()
        .await;
    let token = app.sign_in(chen()).await;
    assert_eq!(
        app.prove(&token, chen()).await.expect(200).json,
        json!({ "result": "NOT_PROVEN" })
    );
}

async fn refused_for_purpose(app: &TestApp, token: &str, question: &Value, at: &str) {
    let refused = app
        .look_up(token, question)
        .await
        .expect_problem(403, "PURPOSE_NOT_REGISTERED");
    assert_eq!(refused.text_at("/at"), at);
    assert_eq!(app.asked(refused.lookup_id()), 0);
    let entry = app.entry_about(token, refused.lookup_id()).await;
    assert_eq!(
        (&entry["type"], &entry["reasons"]),
        (&json!("REFUSAL"), &json!(["PURPOSE_NOT_REGISTERED"]))
    );
}

async fn a_purpose_that_is_not_registered_is_told(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let token = app.at_l3(chen()).await;
    for purpose in [
        "due-diligence",
        "",
        "own-information ",
        "OWN-INFORMATION",
        "*",
        "own-information\u{0}",
    ] {
        refused_for_purpose(
            &app,
            &token,
            &with(about_me("marriage"), "purpose", purpose),
            "purpose",
        )
        .await;
    }
    // Registered, and not of this kind; and of this kind, but not to be asked by hand: it would be an oracle.
    refused_for_purpose(
        &app,
        &token,
        &with(about_me("marriage"), "purpose", "account-proofing"),
        "purpose",
    )
    .await;
    let by_hand = with(
        with(about_me("identity"), "mode", "match"),
        "purpose",
        "account-proofing",
    );
    refused_for_purpose(&app, &token, &by_hand, "purpose").await;
    for basis in ["consent", "statutory-duty"] {
        refused_for_purpose(&app, &token, &with(about_me("marriage"), "basis", basis), "basis").await;
    }
    app.look_up(&token, &with(about_me("marriage"), "basis", "contract"))
        .await
        .expect_outcome("found");
    let unknown = app
        .look_up(&token, &with(about_me("marriage"), "basis", "because"))
        .await;
    assert_eq!(unknown.expect_problem(400, "BAD_VALUE").text_at("/at"), "basis");
}

async fn a_purpose_opens_only_the_fields_that_serve_it(bed: Arc<Bed>) {
    let narrow = "pia = \"TEST-PIA-1\"\nfields = { vehicle = [\"brand\", \"fuel\"] }";
    let app = bed.app().replacing(ASSESSED, narrow).start().await;
    let token = app.at_l2(chen()).await;
    let question = my_vehicle("vehicle", &chen().vehicles[0]);
    let answer = app.look_up(&token, &question).await.expect_outcome("found");
    assert_eq!(answer.disclosed(), ["brand", "fuel"]);
    let more = with(question.clone(), "fields", json!(["brand", "vin"]));
    refused_for_purpose(&app, &token, &more, "fields[1]").await;
    let rule = |id: &str| {
        with(
            with(question.clone(), "mode", "predicate"),
            "predicates",
            json!([id]),
        )
    };
    app.look_up(&token, &rule("fuel-electric"))
        .await
        .expect_outcome("found");
    refused_for_purpose(&app, &token, &rule("use-non-commercial"), "predicates[0]").await;
    app.look_up(&token, &about_me("driving-licence"))
        .await
        .expect_outcome("found");
}

async fn an_operator_may_forbid_more(bed: Arc<Bed>) {
    let folder = bed.folder().join("policies");
    std::fs::create_dir(&folder).unwrap();
    let rule = r#"@id("no-sensitive-today")
@reason("Sensitive fields are closed while the register is being moved.")
forbid (principal, action, resource)
when { context.classification == Classification::"sensitive" };
"#;
    std::fs::write(folder.join("today.cedar"), rule).unwrap();
    let app = bed.app().policies(&folder).start().await;
    let token = app.at_l3(chen()).await;
    let refused = app
        .look_up(&token, &about_me("marriage"))
        .await
        .expect_problem(403, "NOT_PERMITTED");
    assert_eq!(app.asked(refused.lookup_id()), 0);
    let reasons = app.entry_about(&token, refused.lookup_id()).await["reasons"].clone();
    assert_eq!(reasons[0], "POLICY_FORBIDS");
    assert!(
        reasons[1].as_str().unwrap().ends_with("no-sensitive-today"),
        "{reasons}"
    );
    app.look_up(&token, &my_vehicle("vehicle", &chen().vehicles[0]))
        .await
        .expect_outcome("found");
    // One field of many suffices to refuse the whole; without it the rest is permitted.
    app.look_up(&token, &about_me("driving-licence"))
        .await
        .expect_problem(403, "NOT_PERMITTED");
    let rest = with(about_me("driving-licence"), "fields", json!(["states"]));
    app.look_up(&token, &rest).await.expect_outcome("found");
}
