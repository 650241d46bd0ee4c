//! Forms: only from our own pages, bounded, and precise about what was typed wrong.

use std::sync::Arc;

use super::browser::{Browser, hidden};
use crate::{
    bed::Bed,
    cast::{chen, li},
};

on_both!(
    a_form_without_its_token_does_nothing,
    what_was_typed_wrong_is_told_precisely,
    what_is_odd_about_a_vin_is_told_in_words,
    hostile_forms_are_refused,
    cookies_are_guarded,
);

/// Every form of the portal, but those with a file.
const FORMS: [&str; 16] = [
    "/preferences",
    "/sign-in",
    "/sign-in/code",
    "/sign-out",
    "/prove",
    "/strengthen",
    "/strengthen/portrait",
    "/mine",
    "/turn",
    "/look-up/vehicle",
    "/look-up/marriage",
    "/report/vehicle",
    "/look-ups/0190/hide",
    "/look-ups/0190/image",
    "/account/erase",
    "/vin",
];
/// The forms with a file.
const PARTS: [&str; 2] = ["/strengthen/portrait/upload", "/reviews"];

/// The addresses of the router that take a form.
fn posts() -> Vec<&'static str> {
    let routes = include_str!("../../../src/router.rs").split(".route(").skip(1);
    let posts = routes.filter(|route| route.contains("post("));
    posts.map(|route| route.split('"').nth(1).unwrap()).collect()
}

#[test]
fn every_form_of_the_router_is_known() {
    let same = |route: &str, form: &str| {
        let (route, form): (Vec<_>, Vec<_>) = (route.split('/').collect(), form.split('/').collect());
        let part = |(r, f): (&&str, &&str)| r == f || r.starts_with('{');
        route.len() == form.len() && route.iter().zip(&form).all(part)
    };
    let all = || FORMS.iter().chain(&PARTS);
    let posts = posts();
    assert!(posts.len() > 10, "the router was not read: {posts:?}");
    for route in &posts {
        assert!(all().any(|form| same(route, form)), "{route} stands in no list");
    }
    for form in all() {
        assert!(posts.iter().any(|route| same(route, form)), "{form} is no form");
    }
}

async fn a_form_without_its_token_does_nothing(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut mine = Browser::with_session(&app, &app.at_l3(chen()).await);
    let others = Browser::with_session(&app, &app.at_l3(li()).await).token().await;
    let nobodys = Browser::new(&app).token().await;
    let own = mine.token().await;
    let flipped = own.replace(['0', '1', '2', '3'], "4");
    for form in FORMS {
        for token in ["", "00", &others, &nobodys, &flipped, &own.to_uppercase()] {
            let values = [
                ("form_token", token),
                ("confirm", "yes"),
                ("once", "1"),
                ("next", "/"),
            ];
            let reply = mine.post_bare(form, &values).await;
            assert_eq!(reply.status, 403, "{form}: {}", reply.text);
            assert!(reply.text.contains("FORM_EXPIRED"), "{form}");
        }
    }
    for form in PARTS {
        for token in ["", "00", &others, &nobodys, &flipped] {
            let values = [
                ("form_token", token),
                ("once", "1"),
                ("consent", "yes"),
                ("look_up", "01a2026f-80bf-7498-9d57-5ed2d779d19f"),
                ("text", "请核对"),
            ];
            let reply = mine.post_parts(form, &values).await;
            assert_eq!(reply.status, 403, "{form}: {}", reply.text);
            assert!(reply.text.contains("FORM_EXPIRED"), "{form}");
        }
    }
    mine.get("/account").await.expect(200);
    assert_eq!(mine.token().await, own, "the session is still the same");
}

async fn what_was_typed_wrong_is_told_precisely(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut guest = Browser::new(&app);
    for (phone, words) in [
        ("", "请填写"),
        ("12345", "手机号有 11 位"),
        ("1381234567", "手机号是 11 位，您填了 10 位"),
        ("02112345678", "不是手机号"),
    ] {
        let reply = guest.post("/sign-in", &[("phone", phone)]).await.expect(400);
        assert!(reply.text.contains(words), "{phone}");
        assert!(reply.text.contains("aria-invalid"), "{phone}");
    }
    let mut l2 = Browser::with_session(&app, &app.at_l2(chen()).await);
    for (plate, words) in [
        ("", "请填写"),
        ("晋N3OT08", "是不是“0”"),
        ("X12345", "省份"),
        ("晋N35T0", "新能源和应急车牌是 8 位，您填了 6 位"),
        ("京A1234港", "港澳车牌要以“粤Z”开头"),
        ("晋12345澳", "港澳车牌要以“粤Z”开头"),
        ("晋N35T08\u{202e}", "看不见"),
    ] {
        let values = [("once", "1"), ("key.plate", plate), ("key.plate_class", "02")];
        for path in ["/look-up/vehicle", "/report/vehicle"] {
            let reply = l2.post(path, &values).await.expect(400);
            assert!(reply.text.contains(words), "{plate}: {}", reply.text);
        }
    }
    let wrong_class = [
        ("once", "1"),
        ("key.plate", "晋N35T08"),
        ("key.plate_class", "99"),
    ];
    let reply = l2.post("/look-up/vehicle", &wrong_class).await.expect(400);
    assert!(reply.text.contains("没有这个号牌种类"));
    // The class that stands first is not a green plate's: which one is, is told before anything is sealed.
    let before = (app.entries().await, app.sandbox.journal().len());
    for (plate, words) in [
        ("京AD12345", "请改选：小型新能源汽车（绿牌）"),
        ("京A12345D", "请改选：大型新能源汽车（黄绿牌）"),
        ("京A1234挂", "请改选：挂车（黄牌）"),
    ] {
        let values = [("once", "1"), ("key.plate", plate), ("key.plate_class", "02")];
        for path in ["/look-up/vehicle", "/report/vehicle"] {
            let reply = l2.post(path, &values).await.expect(400);
            assert!(reply.text.contains(words), "{plate}: {}", reply.text);
        }
    }
    assert_eq!((app.entries().await, app.sandbox.journal().len()), before);
    let mut l1 = Browser::with_session(&app, &app.sign_in(li()).await);
    let values = [("name", "李美玲"), ("id_number", "142521197211230485")];
    let reply = l1.post("/prove", &values).await.expect(400);
    assert!(reply.text.contains("最后一位和前面对不上"));
    assert_eq!(hidden(&reply.text, "next"), "/");
}

async fn what_is_odd_about_a_vin_is_told_in_words(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut guest = Browser::new(&app);
    for (vin, words) in [
        ("WP0ZZZ99ZTS39A124", "最后几位里有字母"),
        ("WP0ZZZ99ZUS392124", "不是年份代码"),
        ("11111111111111111", "占位用的号码"),
        ("BJ2020-9412345", "请核对位数"),
        ("LSVAA49J13204737", "您填了 16 位"),
        // More than 17 are a frame number too: it is not said that they are fewer.
        ("BJ20209412345BJ20209", "不是 17 位"),
    ] {
        let reply = guest.post("/vin", &[("vin", vin)]).await;
        assert!(reply.text.contains(words), "{vin}: {}", reply.text);
        assert!(!reply.text.contains("warning-"), "a key is shown itself: {vin}");
    }
}

async fn hostile_forms_are_refused(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut l2 = Browser::with_session(&app, &app.at_l2(chen()).await);
    let long = "x".repeat(5000);
    let many: Vec<_> = (0..200).map(|_| ("a", "b")).collect();
    let huge: Vec<_> = (0..100).map(|_| ("a", &long[..4000])).collect();
    for values in [&[("key.plate", long.as_str())][..], &many, &huge] {
        l2.post("/look-up/vehicle", values).await.expect(400);
    }
    // Not offered by the page, and by nobody's leave.
    for values in [
        vec![("once", "1"), ("mode", "list")],
        vec![
            ("once", "1"),
            ("mode", "nonsense"),
            ("key.vin", "LSVSBX2BXJ2000102"),
        ],
        vec![("once", "1"), ("mode", "predicate"), ("rule", "no-such-rule")],
        vec![("once", "1"), ("mode", "predicate")],
        vec![("once", ""), ("mode", "read")],
        vec![("once", "1"), ("reveal", "owner_id_number")],
    ] {
        let key = [("key.plate", "晋N35T08"), ("key.plate_class", "02")];
        let values: Vec<_> = values.into_iter().chain(key).collect();
        let reply = l2.post("/look-up/vehicle", &values).await;
        assert!(
            (400..500).contains(&reply.status) || reply.status == 200,
            "{}",
            reply.text
        );
        assert!(
            !reply.text.contains("owner_id_number"),
            "an internal field is never named"
        );
        assert!(!reply.text.contains(&chen().id_number));
    }
    hostile_files_are_refused(&mut l2).await;
    for path in [
        "/look-up/%ff",
        "/look-ups/%00",
        "/demo/portraits/..%2f..%2fx.png",
        "/look-ups?kind=%ff",
    ] {
        let reply = l2.get(path).await;
        assert!(reply.status < 500, "{path}: {}", reply.status);
    }
}

/// Forms with a file that are no forms, or whose file is none.
async fn hostile_files_are_refused(l2: &mut Browser<'_>) {
    let token = l2.token().await;
    let (long, nobodys) = ("x".repeat(600_000), "01a2026f-80bf-7498-9d57-5ed2d779d19f");
    for form in PARTS {
        // Not parts at all.
        let reply = l2.post_bare(form, &[("form_token", &token)]).await;
        assert!((400..500).contains(&reply.status), "{form}: {}", reply.status);
        for (name, value) in [
            ("portrait", ""),
            ("portrait", "\u{0}\u{202e}GIF89a"),
            ("portrait", &long),
            ("picture", &long),
            ("text", &long),
            ("look_up", "../../etc"),
            ("look_up", nobodys),
            // Cut at 64 bytes, the character would be cut in two.
            ("once", &format!("{}字", "1".repeat(63))),
            ("once", &"字".repeat(34)),
            ("\u{0}", "x"),
        ] {
            let values = [
                ("form_token", token.as_str()),
                ("once", "1"),
                ("consent", "yes"),
                (name, value),
            ];
            let reply = l2.post_parts(form, &values).await;
            assert!(
                (400..500).contains(&reply.status),
                "{form} {name}: {} {}",
                reply.status,
                reply.text
            );
        }
        let many: Vec<_> = [("form_token", token.as_str())]
            .into_iter()
            .chain((0..40).map(|_| ("a", "b")))
            .collect();
        let reply = l2.post_parts(form, &many).await;
        assert!((400..500).contains(&reply.status), "{form}: {}", reply.status);
    }
}

async fn cookies_are_guarded(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut browser = Browser::new(&app);
    let first = browser.get("/").await;
    let set = first.headers["set-cookie"].to_str().unwrap();
    assert!(
        set.contains("; HttpOnly; SameSite=Lax") && set.contains("; Path=/"),
        "{set}"
    );
    let before = browser.cookies.clone();
    browser.sign_in(chen()).await;
    assert!(
        !browser.cookies.contains_key("mingcha-phone"),
        "the phone does not stay in the browser"
    );
    assert_ne!(
        browser.cookies.get("mingcha-visitor"),
        before.get("mingcha-visitor")
    );
    let l1 = browser.cookies["mingcha-session"].clone();
    assert_eq!(Browser::led_to(&browser.prove(chen()).await), "/");
    let l2 = browser.cookies["mingcha-session"].clone();
    assert_ne!(l1, l2, "a session has a new token at each level");
    let mut stale = Browser::with_session(&app, &l1);
    assert_eq!(
        Browser::led_to(&stale.get("/account").await),
        "/sign-in?next=%2Faccount"
    );
    browser.post("/sign-out", &[]).await.expect(303);
    assert!(!browser.cookies.contains_key("mingcha-session"));
    let mut copied = Browser::with_session(&app, &l2);
    assert_eq!(
        Browser::led_to(&copied.get("/account").await),
        "/sign-in?next=%2Faccount"
    );
}
