//! What every page knows: language, elder mode, who is signed in, the token of its forms.

use std::{ops::Deref, sync::Arc};

use askama::Template;
use axum::{
    extract::FromRequestParts,
    http::{StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use domain::{
    requester::Requester,
    words::{Bilingual, Level},
};
use tokio::time::Instant;

use super::{Answer, Failed, dates, messages};
use crate::{
    app::{App, Lang},
    error::Error,
};

/// What templates read. Clones share it.
#[derive(Debug, Clone)]
pub(crate) struct Page(Arc<Context>);

/// The content of a [`Page`].
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The language.
    pub(crate) lang: Lang,
    /// Large, and fewer words.
    pub(crate) elder: bool,
    /// Everybody is invented.
    pub(crate) demo: bool,
    /// The level of who is signed in.
    pub(crate) level: Option<Level>,
    /// Where this page is, to come back to it.
    pub(crate) path: String,
    /// The token by which a form shows that it came from here.
    pub(crate) form_token: String,
    /// Who runs it.
    pub(crate) operator: Arc<crate::config::Operator>,
}

impl Deref for Page {
    type Target = Context;

    fn deref(&self) -> &Context {
        &self.0
    }
}

impl Page {
    /// A page of this context.
    #[must_use]
    pub(crate) fn new(context: Context) -> Self {
        Page(Arc::new(context))
    }

    /// The same page at another address: that of the question, where its answer comes under another.
    #[must_use]
    pub(crate) fn at(&self, path: String) -> Self {
        let context = Context::clone(&self.0);
        Page::new(Context { path, ..context })
    }

    /// The message of that key.
    pub(crate) fn t(&self, key: &str) -> String {
        messages::say(self.lang, key, &[])
    }

    /// The message of that key with a value named `value`.
    pub(crate) fn with(&self, key: &str, value: impl AsRef<str>) -> String {
        messages::say(self.lang, key, &[("value", value.as_ref())])
    }

    /// The message of that key with several values.
    pub(crate) fn fill(&self, key: &str, values: &[(&str, &str)]) -> String {
        messages::say(self.lang, key, values)
    }

    /// The text in the page's language.
    pub(crate) fn of<'a>(&self, text: &'a Bilingual) -> &'a str {
        self.lang.of(text)
    }

    /// The language for `lang=""`.
    pub(crate) fn lang_tag(&self) -> &'static str {
        match self.lang {
            Lang::Zh => "zh-CN",
            Lang::En => "en",
        }
    }

    /// The page is in English.
    pub(crate) fn is_english(&self) -> bool {
        self.lang == Lang::En
    }

    /// Somebody is signed in.
    pub(crate) fn signed_in(&self) -> bool {
        self.level.is_some()
    }

    /// The level's name in words.
    pub(crate) fn level_name(&self, level: &Level) -> String {
        self.t(&format!("level-{level}"))
    }

    /// An instant as people read it.
    pub(crate) fn time(&self, time: domain::time::Timestamp) -> String {
        dates::time(self.lang, time)
    }

    /// The message of a family, such as `outcome`, for a code.
    pub(crate) fn word(&self, family: &str, code: impl AsRef<str>) -> String {
        self.t(&format!("{family}-{}", code.as_ref()))
    }

    /// Who is signed in has proven their real name.
    pub(crate) fn is_proven(&self) -> bool {
        self.level >= Some(Level::L2)
    }

    /// Who runs it.
    pub(crate) fn operator_name(&self) -> &str {
        self.of(&self.operator.name)
    }

    /// How to reach who runs it.
    pub(crate) fn operator_contact(&self) -> &str {
        self.of(&self.operator.contact)
    }

    /// `aria-current` for a link of the navigation.
    pub(crate) fn is_at(&self, path: &str) -> bool {
        self.path.split(['?', '#']).next() == Some(path)
    }

    /// The digest of the static files, so that a new version is fetched at once.
    pub(crate) fn version(&self) -> &'static str {
        super::files::version()
    }
}

/// Renders a view.
pub(crate) fn html(view: &impl Template) -> Answer {
    html_with(StatusCode::OK, view)
}

/// Renders a view under another status than 200.
pub(crate) fn html_with(status: StatusCode, view: &impl Template) -> Answer {
    let text = view
        .render()
        .map_err(|e| Error::Internal(format!("a template: {e}")))?;
    Ok((status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], text).into_response())
}

/// Goes on to another page, by GET.
pub(crate) fn go(path: &str) -> Response {
    (StatusCode::SEE_OTHER, [(header::LOCATION, path.to_owned())]).into_response()
}

/// Who looks at a page, signed in or not. Put into the request by [`super::dress`].
#[derive(Debug, Clone)]
pub(crate) struct Guest {
    /// What the page knows.
    pub(crate) page: Page,
    /// Who is signed in.
    pub(crate) requester: Option<Requester>,
    /// The cookie's value to which forms are bound.
    pub(crate) binding: Arc<str>,
    /// When the request arrived.
    pub(crate) arrived: Instant,
}

/// Who is signed in and looks at a page.
#[derive(Debug, Clone)]
pub(crate) struct Holder {
    /// What the page knows.
    pub(crate) page: Page,
    /// Who.
    pub(crate) requester: Requester,
    /// When the request arrived.
    pub(crate) arrived: Instant,
}

impl FromRequestParts<Arc<App>> for Guest {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<App>) -> Result<Self, Failed> {
        let guest = parts.extensions.get::<Guest>().cloned();
        guest.ok_or_else(|| Error::Internal("a page stands outside the portal's layer".into()).into())
    }
}

impl FromRequestParts<Arc<App>> for Holder {
    type Rejection = Failed;

    async fn from_request_parts(parts: &mut Parts, app: &Arc<App>) -> Result<Self, Failed> {
        let guest = Guest::from_request_parts(parts, app).await?;
        let requester = guest.requester.ok_or(Error::NotSignedIn)?;
        Ok(Holder {
            page: guest.page,
            requester,
            arrived: guest.arrived,
        })
    }
}

impl Holder {
    /// Goes on only at that level; otherwise the page that says how to get there.
    ///
    /// # Errors
    /// The level is lower.
    pub(crate) fn needs(&self, level: Level) -> Result<(), Failed> {
        if self.requester.level < level {
            Err(Failed::StepUp(level))
        } else {
            Ok(())
        }
    }

    /// What concerns the account: a phone alone does for one that is nobody's yet, not for a person's.
    ///
    /// # Errors
    /// The account is a person's, and this session has not proven it.
    pub(crate) fn needs_name_if_proven(&self) -> Result<(), Failed> {
        self.needs(match self.requester.subject {
            Some(_) => Level::L2,
            None => Level::L1,
        })
    }
}
