//! Pages for everybody: whether a message is genuine, help, the rules of privacy.

use askama::Template;
use axum::extract::State;

use super::{
    Answer, Guest, Page, Shared,
    coverage::{SourceLine, source_lines},
    html,
};
use crate::messenger;

/// The code of an SMS that is shown as an example.
const EXAMPLE_CODE: &str = "12345678";

/// How to tell whether a message is ours.
#[derive(Template)]
#[template(path = "genuine.html")]
pub(super) struct GenuineView {
    pub(super) p: Page,
    /// An SMS with a code, as it is sent.
    pub(super) code_sms: String,
    /// One about a request, where such are sent.
    pub(super) news_sms: Option<String>,
    pub(super) public_url: String,
    pub(super) keys: Vec<String>,
}

/// Rights, fraud, lawful ways.
#[derive(Template)]
#[template(path = "help.html")]
pub(super) struct HelpView {
    pub(super) p: Page,
}

/// What is collected, what is shared, for how long.
#[derive(Template)]
#[template(path = "privacy.html")]
pub(super) struct PrivacyView {
    pub(super) p: Page,
    pub(super) sources: Vec<SourceLine>,
    /// Kind, minutes of an answer, years of the evidence.
    pub(super) retention: Vec<(String, String, String)>,
}

impl PrivacyView {
    /// A paper, by its number and last day, in this message.
    fn paper(&self, key: &str, (number, expires): &(String, String)) -> String {
        self.p.fill(key, &[("number", number), ("expires", expires)])
    }
}

/// Is this message genuine?
pub(crate) async fn genuine(State(app): Shared, guest: Guest) -> Answer {
    let (operator, lang) = (guest.page.operator_name().to_owned(), guest.page.lang);
    html(&GenuineView {
        code_sms: messenger::code_text(EXAMPLE_CODE, &operator, lang),
        news_sms: app
            .messenger
            .sends_news()
            .then(|| messenger::news_text(&operator, lang)),
        public_url: app.config.public_url.clone(),
        keys: super::verify::keys(&app),
        p: guest.page,
    })
}

/// Help.
pub(crate) async fn help(guest: Guest) -> Answer {
    html(&HelpView { p: guest.page })
}

/// Privacy.
pub(crate) async fn privacy(State(app): Shared, guest: Guest) -> Answer {
    let page = guest.page;
    let kinds = app.kinds.in_order();
    let row = |k: &domain::kind::Kind| {
        let r = &k.retention;
        (
            page.of(&k.name).to_owned(),
            r.answer_minutes.to_string(),
            r.evidence_years.to_string(),
        )
    };
    let retention = kinds.iter().map(|k| row(&k.kind)).collect();
    html(&PrivacyView {
        sources: source_lines(&app, &page),
        retention,
        p: page,
    })
}
