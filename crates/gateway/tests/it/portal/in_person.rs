//! Outside the demo nobody is proven in person yet. The pages, the separate consent and the API say so, that nobody need
//! show their face, what stays closed without it, and whom to ask.

use std::sync::Arc;

use domain::{identifiers::Phone, words::Level};
use gateway::{actions::sign_in, app::Lang};

use super::browser::Browser;
use crate::{
    app::TestApp,
    bed::Bed,
    cast::{about_me, chen},
};

on_both!(
    among_real_people_nobody_is_sent_to_a_counter,
    in_the_demo_the_counter_is_the_other_way,
);

/// A session at L2, where no register is there that could prove it.
async fn at_l2(app: &TestApp) -> String {
    app.sign_in(chen()).await;
    let phone = Phone::parse(chen().phone.as_deref().unwrap()).unwrap().value;
    let account = app.app.store.account_by_phone(&phone).await.unwrap().unwrap();
    let started = sign_in::start(&app.app, account, Level::L2, None, "raised-to-L2").await;
    started.unwrap().token.expose().to_owned()
}

/// The words for it in a language: that it is not offered, that no face need be shown, that somebody may be asked; whom
/// to ask; and the word that is not said, because there is no such place.
struct Words {
    not_yet: &'static str,
    no_face: &'static str,
    ask: &'static str,
    whom: &'static str,
    counter: &'static str,
}

fn words(lang: Lang) -> Words {
    match lang {
        Lang::Zh => Words {
            not_yet: "这里还不能当面核对",
            no_face: "露脸",
            ask: "想当面核对的，请联系",
            whom: "请联系运营方：无人接听",
            counter: "柜台",
        },
        Lang::En => Words {
            not_yet: "in person is not offered here yet",
            no_face: "show your face",
            ask: "If you want to be verified in person",
            whom: "ask the operator: nobody answers",
            counter: "counter",
        },
    }
}

/// All of it is said.
#[track_caller]
fn says_so(text: &str, words: &Words) {
    for word in [words.not_yet, words.no_face, words.ask] {
        assert!(text.contains(word), "{word}: {text}");
    }
}

async fn among_real_people_nobody_is_sent_to_a_counter(bed: Arc<Bed>) {
    let app = bed.app().in_production().start().await;
    let (l1, l2) = (app.sign_in(chen()).await, at_l2(&app).await);
    let strong = &app.app.kinds.get("marriage").unwrap().kind.name;
    for lang in Lang::ALL {
        let words = words(lang);
        let [mut phone_alone, mut proven] = [&l1, &l2].map(|token| {
            let mut browser = Browser::new(&app);
            // The demo alone goes without TLS.
            let cookies = [("session", token.as_str()), ("lang", lang.code())];
            let named = cookies.map(|(name, value)| (format!("__Host-mingcha-{name}"), value.to_owned()));
            browser.cookies.extend(named);
            browser
        });
        let page = proven.get("/strengthen").await.expect(200).text;
        says_so(&page, &words);
        assert!(page.contains(lang.of(strong)), "what stays closed: {page}");
        assert!(!page.contains("action=\"/strengthen\""), "no counter: {page}");
        for promise in ["两种方式选一种", "Either way is enough"] {
            assert!(!page.contains(promise), "{page}");
        }
        let page = proven.get("/strengthen/portrait").await.expect(200).text;
        says_so(&page, &words);
        assert!(!page.contains(words.counter), "{page}");
        let help = proven.get("/help").await.expect(200).text;
        assert!(!help.contains(words.counter), "{help}");
        // Who cannot be proven by their phone is told the same.
        let failed = phone_alone.prove(chen()).await.expect(200).text;
        for word in [words.not_yet, words.whom] {
            assert!(failed.contains(word), "{word}: {failed}");
        }
        assert!(!failed.contains(words.counter), "{failed}");
        let consent = format!("/v1/account/portrait/consent?lang={}", lang.code());
        let consent = app.get(&l2, &consent).await.expect(200);
        let text = consent.text_at("/text");
        says_so(text, &words);
        // The first is in the list's head, the second is whom to ask for proof in person.
        let contact = lang.of(&app.app.config.operator.contact);
        assert_eq!(text.matches(contact).count(), 2, "{text}");
        assert!(!text.contains("{{") && !text.contains(words.counter), "{text}");
        assert_eq!(
            consent.text_at("/hash"),
            app.app.portrait_consent(lang).hash_text()
        );
    }
    let refused = app.look_up(&l1, &about_me("marriage")).await;
    let refused = refused.expect_problem(403, "LEVEL_TOO_LOW");
    let way = refused.text_at("/lawful_way");
    assert!(
        way.contains("L3") && way.contains("/v1/account/portrait/consent"),
        "{way}"
    );
    assert!(!way.contains("in person"), "{way}");
}

async fn in_the_demo_the_counter_is_the_other_way(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut l2 = Browser::with_session(&app, &app.at_l2(chen()).await);
    let page = l2.get("/strengthen").await.expect(200).text;
    let offered = page.contains("action=\"/strengthen\"") && page.contains("两种方式选一种");
    assert!(offered && !page.contains("还不能当面核对"), "{page}");
    let consent = &app.app.portrait_consent(Lang::Zh).text;
    assert!(
        consent.contains("可以到柜台当面核对") && !consent.contains("{{"),
        "{consent}"
    );
}
