//! The page on which people learn to know our messages shows what is truly sent.

use std::sync::Arc;

use domain::identifiers::Phone;
use gateway::{app::Lang, messenger::Messenger};

use super::browser::Browser;
use crate::{app::TestApp, bed::Bed};

on_both!(the_page_shows_each_message_as_it_is_sent);

/// What is sent to a phone in this language, news first.
async fn sent(app: &TestApp, lang: Lang) -> Vec<String> {
    let messenger = &app.app.messenger;
    let phone = Phone::parse("17900100077").unwrap().value;
    let operator = lang.of(&app.app.config.operator.name);
    let now = app.app.now();
    let code = messenger.send_code(&phone, "12345678", operator, lang, now);
    code.await.unwrap();
    let news = messenger.send_news(&phone, operator, lang, now);
    news.await.unwrap();
    let Messenger::Outbox(outbox) = messenger else {
        panic!("there is an outbox")
    };
    let newest = outbox.messages().into_iter().take(2);
    newest.map(|message| message.text).collect()
}

async fn the_page_shows_each_message_as_it_is_sent(bed: Arc<Bed>) {
    let app = bed.app().start().await;
    let mut browser = Browser::new(&app);
    for (lang, of_news) in [(Lang::Zh, "我的求助"), (Lang::En, "My requests")] {
        browser.cookies.insert("mingcha-lang".into(), lang.code().into());
        let page = browser.get("/genuine").await.expect(200).text;
        let shown: Vec<_> = page
            .split("<blockquote><p>")
            .skip(1)
            .map(|rest| rest.split("</p>").next().unwrap().replace("&#34;", "\""))
            .collect();
        let [news, code] = sent(&app, lang).await.try_into().unwrap();
        assert!(
            news.contains(of_news) && code.contains("1234 5678"),
            "{news} {code}"
        );
        assert_eq!(shown, [code, news], "{page}");
    }
}
