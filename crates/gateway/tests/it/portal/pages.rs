//! Who may see which page, and what every page promises.

use std::sync::Arc;

use super::browser::Browser;
use crate::{app::TestApp, bed::Bed, cast::chen, reply::Reply};

on_both!(
    every_page_is_for_whom_it_is,
    pages_keep_nothing_and_run_nothing_foreign,
    a_kind_added_as_a_folder_has_a_page,
    pages_are_in_the_language_that_is_asked_for,
    the_page_of_the_api_opens,
);

/// For everybody.
const PUBLIC: [&str; 10] = [
    "/",
    "/sign-in",
    "/verify",
    "/coverage",
    "/genuine",
    "/vin",
    "/help",
    "/privacy",
    "/account/erased",
    "/demo",
];
/// For whoever is signed in.
const SIGNED_IN: [&str; 5] = ["/prove", "/account", "/access-log", "/account/erase", "/reviews"];
/// From L2 on.
const PROVEN: [&str; 6] = [
    "/mine",
    "/strengthen",
    "/strengthen/portrait",
    "/look-up/vehicle",
    "/look-up/identity",
    "/report/vehicle",
];
/// At L3.
const STRONG: [&str; 1] = ["/look-up/marriage"];

/// A page that says what is needed first.
fn is_step_up(reply: &Reply) -> bool {
    reply.status == 403 && reply.text.contains("还差一步")
}

async fn every_page_is_for_whom_it_is(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut guest = Browser::new(&app);
    for path in PUBLIC {
        guest.get(path).await.expect(200);
    }
    for path in SIGNED_IN
        .iter()
        .chain(&PROVEN)
        .chain(&STRONG)
        .chain(&["/look-ups"])
    {
        let reply = guest.get(path).await;
        let next: String = url::form_urlencoded::byte_serialize(path.as_bytes()).collect();
        assert_eq!(Browser::led_to(&reply), format!("/sign-in?next={next}"));
    }
    let mut l1 = Browser::with_session(&app, &app.sign_in(chen()).await);
    for path in SIGNED_IN.iter().chain(&["/look-ups"]) {
        l1.get(path).await.expect(200);
    }
    for path in PROVEN.iter().chain(&STRONG) {
        assert!(is_step_up(&l1.get(path).await), "{path}");
    }
    let mut l2 = Browser::with_session(&app, &app.at_l2(chen()).await);
    for path in PROVEN {
        l2.get(path).await.expect(200);
    }
    // The account is a person's now: the phone alone does not erase it.
    l1 = Browser::with_session(&app, &app.sign_in(chen()).await);
    assert!(is_step_up(&l1.get("/account/erase").await));
    l2.get("/account/erase").await.expect(200);
    for path in STRONG {
        assert!(is_step_up(&l2.get(path).await), "{path}");
    }
    // A phone alone, once a name is proven, opens no history either.
    let mut again = Browser::with_session(&app, &app.sign_in(chen()).await);
    for path in [
        "/look-ups",
        "/look-ups/export.json",
        "/access-log",
        "/access-log?of=account",
    ] {
        assert!(is_step_up(&again.get(path).await), "{path}");
    }
    assert!(
        !again.get("/").await.text.contains("陈"),
        "not even a masked name"
    );
    let mut l3 = Browser::with_session(&app, &app.at_l3(chen()).await);
    for path in STRONG {
        l3.get(path).await.expect(200);
    }
}

async fn pages_keep_nothing_and_run_nothing_foreign(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut l2 = Browser::with_session(&app, &app.at_l2(chen()).await);
    let more = [
        "/look-ups",
        "/no-such-page",
        "/look-up/no-such-kind",
        "/look-ups/not-an-id",
        "/report/identity",
    ];
    for path in PUBLIC
        .iter()
        .chain(&SIGNED_IN)
        .chain(&PROVEN)
        .chain(&STRONG)
        .chain(&more)
    {
        let reply = l2.get(path).await;
        if reply.status == 303 {
            continue;
        }
        let header = |name: &str| reply.headers[name].to_str().unwrap();
        assert!(
            header("content-security-policy").starts_with("default-src 'none'"),
            "{path}"
        );
        assert!(!header("content-security-policy").contains("unsafe"), "{path}");
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("content-type"), "text/html; charset=utf-8", "{path}");
        for forbidden in [
            "<style",
            " style=",
            "<script>",
            " onclick=",
            "http://www",
            "https://www",
        ] {
            assert!(!reply.text.contains(forbidden), "{path}: {forbidden}");
        }
        assert!(
            reply.text.contains("演示系统"),
            "{path}: the demo says that it is one"
        );
    }
    for file in ["portal.css", "portal.js", "verify.js", "icon.svg"] {
        let reply = l2.get(&format!("/static/{file}")).await.expect(200);
        assert!(
            reply.headers["cache-control"]
                .to_str()
                .unwrap()
                .contains("immutable"),
            "{file}"
        );
    }
    l2.get("/static/../Cargo.toml").await.expect(404);
    // Machines get problems, people get pages.
    l2.get("/v1/nothing").await.expect_problem(404, "NOT_FOUND");
}

async fn a_kind_added_as_a_folder_has_a_page(bed: Arc<Bed>) {
    let kinds = bed.folder().join("kinds");
    let from = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../kinds/vehicle");
    std::fs::create_dir_all(kinds.join("boat")).unwrap();
    for file in ["kind.toml", "notice.zh.md", "notice.en.md"] {
        let text = std::fs::read_to_string(from.join(file)).unwrap();
        let text = text
            .replace("id = \"vehicle\"\n", "id = \"boat\"\n")
            .replace("机动车登记", "船舶登记");
        std::fs::write(kinds.join("boat").join(file), text).unwrap();
    }
    let app = bed.app().kinds(&kinds).start().await;
    let mut l2 = Browser::with_session(&app, &app.at_l2(chen()).await);
    for path in ["/", "/look-up/boat", "/report/boat", "/coverage"] {
        assert!(l2.get(path).await.expect(200).text.contains("船舶登记"), "{path}");
    }
    let values = [
        ("once", "1"),
        ("key.plate", "晋N35T08"),
        ("key.plate_class", "02"),
    ];
    let answer = l2.post("/look-up/boat", &values).await.expect(200);
    assert!(answer.text.contains("不在查询范围内"), "no source serves it");
}

async fn pages_are_in_the_language_that_is_asked_for(bed: Arc<Bed>) {
    let app: TestApp = bed.app().start().await;
    let mut guest = Browser::new(&app);
    assert!(guest.get("/").await.text.contains("<html lang=\"zh-CN\">"));
    let set = guest
        .post("/preferences", &[("lang", "en"), ("next", "/coverage?x=1")])
        .await;
    assert_eq!(Browser::led_to(&set), "/coverage?x=1");
    assert!(guest.get("/").await.text.contains("<html lang=\"en\">"));
    guest
        .post(
            "/preferences",
            &[("elder", "1"), ("next", "https://evil.example/")],
        )
        .await
        .expect(303);
    assert!(
        guest
            .get("/")
            .await
            .text
            .contains("<html lang=\"en\" class=\"elder\">")
    );
    let wrong = guest
        .post(
            "/preferences",
            &[("lang", "xx"), ("elder", "2"), ("next", "//evil.example")],
        )
        .await;
    assert_eq!(Browser::led_to(&wrong), "/");
    assert!(
        guest
            .get("/")
            .await
            .text
            .contains("<html lang=\"en\" class=\"elder\">")
    );
}

/// What people are sent to who write a client: the page, all that it loads, and the description that it shows.
async fn the_page_of_the_api_opens(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut guest = Browser::new(&app);
    assert_eq!(Browser::led_to(&guest.get("/docs").await), "/docs/");
    let page = guest.get("/docs/").await.expect(200);
    assert!(page.text.contains("id=\"swagger-ui\""), "{}", page.text);
    let mut loaded = vec![];
    for marked in [" src=\"", " href=\""] {
        for rest in page.text.split(marked).skip(1) {
            let name = rest.split('"').next().unwrap();
            assert!(!name.contains("//"), "nothing comes from elsewhere: {name}");
            let name = name.trim_start_matches("./");
            let file = guest.get(&format!("/docs/{name}")).await.expect(200);
            assert!(!file.bytes.is_empty(), "{name}");
            loaded.push(name.to_owned());
        }
    }
    for needed in ["swagger-ui.css", "swagger-ui-bundle.js", "swagger-initializer.js"] {
        assert!(loaded.iter().any(|name| name == needed), "{needed}: {loaded:?}");
    }
    let starts = guest.get("/docs/swagger-initializer.js").await.expect(200);
    assert!(starts.text.contains("/openapi.json"), "{}", starts.text);
    let described = guest.get("/openapi.json").await.expect(200);
    assert!(described.json["paths"]["/v1/lookups"]["post"].is_object());
}
