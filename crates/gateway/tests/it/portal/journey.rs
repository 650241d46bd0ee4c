//! What a person does: sign in, prove, look up, keep the receipt, see who looked, leave for good.

use std::{collections::BTreeSet, sync::Arc};

use qrcode::{Color, QrCode};

use super::browser::{Browser, hidden};
use crate::{
    bed::Bed,
    cast::{chen, gulbahar, li, persona},
    reply::verify_receipt,
};

on_both!(
    from_the_phone_to_the_receipt,
    somebody_elses_plate_is_like_nobodys,
    the_same_form_gives_the_same_answer,
    pressed_twice_what_is_mine_is_listed_once,
    a_failed_proof_tells_nothing_and_is_seen,
    erasing_ends_everything,
);

/// The look-up's id that an answer's page leads to.
fn look_up_id(html: &str) -> String {
    let (_, rest) = html.split_once("/look-ups/").unwrap();
    rest[..36].to_owned()
}

/// The dark modules of the code on a receipt's page, column and row, without the quiet zone of four around it.
fn dark(html: &str) -> BTreeSet<(usize, usize)> {
    let (_, code) = html.split_once("class=\"qr\"").unwrap();
    let (_, path) = code.split_once("<path d=\"M").unwrap();
    let modules = path.split('"').next().unwrap().split('M');
    let module = |text: &str| {
        let at = text.strip_suffix("h1v1h-1z").unwrap();
        let (column, row) = at.split_once(' ').unwrap();
        (
            column.parse::<usize>().unwrap() - 4,
            row.parse::<usize>().unwrap() - 4,
        )
    };
    modules.map(module).collect()
}

/// The dark modules of the code that says this.
fn dark_of(text: &str) -> BTreeSet<(usize, usize)> {
    let code = QrCode::new(text).unwrap();
    let all = code.to_colors().into_iter().enumerate();
    let dark = all.filter(|(_, color)| *color == Color::Dark);
    dark.map(|(i, _)| (i % code.width(), i / code.width())).collect()
}

fn key(plate: &str) -> [(&str, &str); 3] {
    [("once", "1"), ("key.plate", plate), ("key.plate_class", "02")]
}

async fn from_the_phone_to_the_receipt(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut browser = Browser::new(&app);
    browser.sign_in(chen()).await;
    browser.prove(chen()).await.expect(303);
    let mine = browser.post("/mine", &[("once", "1")]).await.expect(200);
    assert!(mine.text.contains("晋N·35T08"), "{}", mine.text);
    let answer = browser
        .post("/look-up/vehicle", &key("晋N35T08"))
        .await
        .expect(200);
    for shown in [
        "LSVSBX2BXJ2000102",
        "小型汽车",
        "交通管理（模拟）",
        "数据时间",
        "号牌会重新发放",
    ] {
        assert!(answer.text.contains(shown), "{shown}");
    }
    assert!(
        !answer.text.contains(&chen().id_number),
        "what only proves whose it is stays inside"
    );
    let id = look_up_id(&answer.text);
    let receipt = browser
        .get(&format!("/look-ups/{id}/receipt.json"))
        .await
        .expect(200);
    let verified = verify_receipt(&app.app, &receipt.text);
    assert_eq!(verified.shared.kind.as_deref(), Some("vehicle"));
    let page = browser.get(&format!("/look-ups/{id}/receipt")).await.expect(200);
    let leaf = gateway::app::hex(&verified.leaf_hash.0);
    assert!(page.text.contains(&leaf));
    let named = format!("http://127.0.0.1/look-ups/{id}#{leaf}");
    assert_eq!(
        dark(&page.text),
        dark_of(&named),
        "the code says where and which, and no more"
    );
    assert!(
        !page.text.contains("LSVSBX2BXJ2000102"),
        "a receipt's page carries no result"
    );
    let list = browser.get("/look-ups").await.expect(200);
    assert!(list.text.contains(&id));
    let log = browser.get("/access-log").await.expect(200);
    assert!(log.text.contains("看了机动车登记") && log.text.contains("晋N·35T08"));
    assert!(!log.text.contains("变更："), "every change has a sentence");
    let account = browser.get("/access-log?of=account").await.expect(200);
    assert!(account.text.contains("登录") && !account.text.contains("变更："));
    let all = browser.get("/look-ups/export.json").await.expect(200);
    assert!(
        all.json["look_ups"]
            .as_array()
            .unwrap()
            .iter()
            .any(|l| l["lookup_id"] == id.as_str())
    );
    // Nobody else's.
    let mut wife = Browser::with_session(&app, &app.at_l2(li()).await);
    for path in ["", "/receipt", "/receipt.json"] {
        wife.get(&format!("/look-ups/{id}{path}")).await.expect(404);
    }
    wife.post(&format!("/look-ups/{id}/hide"), &[("hidden", "1")])
        .await
        .expect(404);
}

/// Every kind that is found by a plate, asked by people with a car of their own and by one with none.
async fn somebody_elses_plate_is_like_nobodys(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let with_plate = |kind: &&Arc<domain::kind::LoadedKind>| {
        let plate = domain::kind::FieldType::Plate;
        kind.kind.key.iter().any(|part| part.of_type == plate)
    };
    let kinds: Vec<_> = app.app.kinds.in_order().into_iter().filter(with_plate).collect();
    assert_eq!(kinds.len(), 4, "the vehicle and its parts");
    for who in [gulbahar(), persona("mao-new-plate"), persona("liu-zhiqiang")] {
        let mut stranger = Browser::with_session(&app, &app.at_l2(who).await);
        for kind in &kinds {
            let id = &kind.kind.id;
            let mut answers = vec![];
            for plate in ["晋N35T08", "晋N00001"] {
                let once = format!("{id}-{plate}");
                let values = [
                    ("once", once.as_str()),
                    ("key.plate", plate),
                    ("key.plate_class", "02"),
                ];
                let path = format!("/look-up/{id}");
                let reply = stranger.post(&path, &values).await.expect(200);
                let lookup = look_up_id(&reply.text);
                assert!(
                    !reply.text.contains(plate),
                    "{id}: the page does not repeat what was asked"
                );
                let names: Vec<_> = reply.headers.keys().cloned().collect();
                answers.push((names, reply.text.replace(&lookup, "ID")));
            }
            assert_eq!(answers[0], answers[1], "{id}, asked by {}", who.id);
        }
    }
}

async fn the_same_form_gives_the_same_answer(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut browser = Browser::with_session(&app, &app.at_l2(chen()).await);
    let first = browser
        .post("/look-up/vehicle", &key("晋N35T08"))
        .await
        .expect(200);
    let again = browser
        .post("/look-up/vehicle", &key("晋N35T08"))
        .await
        .expect(200);
    assert_eq!(look_up_id(&first.text), look_up_id(&again.text));
    let other = browser
        .post("/look-up/vehicle", &key("晋N00001"))
        .await
        .expect(409);
    assert!(other.text.contains("IDEMPOTENCY_KEY_REUSED"));
}

async fn pressed_twice_what_is_mine_is_listed_once(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut browser = Browser::with_session(&app, &app.at_l2(chen()).await);
    let page = browser.get("/mine").await.expect(200);
    let once = hidden(&page.text, "once");
    let press = async |browser: &mut Browser<'_>, once: &str| {
        let list = browser.post("/mine", &[("once", once)]).await.expect(200);
        assert!(list.text.contains("晋N·35T08"), "{}", list.text);
        look_up_id(&list.text)
    };
    let first = press(&mut browser, &once).await;
    let entries = app.entries().await;
    assert_eq!(press(&mut browser, &once).await, first);
    assert_eq!(app.entries().await, entries, "nothing more was sealed");
    // The page that is opened anew asks anew.
    let page = browser.get("/mine").await.expect(200);
    let anew = press(&mut browser, &hidden(&page.text, "once")).await;
    assert_ne!(anew, first);
    browser.post("/mine", &[]).await.expect(403);
}

async fn a_failed_proof_tells_nothing_and_is_seen(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut thief = Browser::new(&app);
    thief.sign_in(gulbahar()).await;
    let failed = thief.prove(chen()).await.expect(200);
    assert!(failed.text.contains("没能证明是您本人"));
    let mut chens = Browser::with_session(&app, &app.at_l2(chen()).await);
    let log = chens.get("/access-log").await.expect(200);
    assert!(
        log.text.contains("用您的身份证号证明实名，没有通过"),
        "{}",
        log.text
    );
    assert!(log.text.contains("另一位使用者"));
}

async fn erasing_ends_everything(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut browser = Browser::with_session(&app, &app.at_l2(chen()).await);
    browser.post("/account/erase", &[]).await.expect(400);
    browser.get("/account").await.expect(200);
    let done = browser.post("/account/erase", &[("confirm", "yes")]).await;
    assert_eq!(Browser::led_to(&done), "/account/erased");
    assert!(!browser.cookies.contains_key("mingcha-session"));
    browser.get("/account/erased").await.expect(200);
    browser.get("/account").await.expect(303);
}
