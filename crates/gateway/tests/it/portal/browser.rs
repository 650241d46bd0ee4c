//! A browser of few words: it keeps cookies, fills in forms, and follows where it is led.

use std::collections::BTreeMap;

use axum::body::Body;
use http::{Method, Request, header};
use sandbox::Persona;

use crate::{api::late::body_after, app::TestApp, reply::Reply};

const FORM: &str = "application/x-www-form-urlencoded";
const PARTS: &str = "multipart/form-data; boundary=part";

/// Somebody in front of the portal.
pub(crate) struct Browser<'a> {
    app: &'a TestApp,
    pub(crate) cookies: BTreeMap<String, String>,
}

/// The value of the hidden field of that name, in the last form that has it.
#[track_caller]
pub(crate) fn hidden(html: &str, name: &str) -> String {
    let marked = format!("name=\"{name}\" value=\"");
    let (_, rest) = html
        .rsplit_once(&marked)
        .unwrap_or_else(|| panic!("no {name} in {html}"));
    rest.split('"').next().unwrap().to_owned()
}

/// The values as a form sends them.
fn encoded(values: &[(&str, &str)]) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .extend_pairs(values)
        .finish()
}

impl<'a> Browser<'a> {
    /// Somebody new.
    pub(crate) fn new(app: &'a TestApp) -> Self {
        Browser {
            app,
            cookies: BTreeMap::new(),
        }
    }

    /// Somebody with a session.
    pub(crate) fn with_session(app: &'a TestApp, token: &str) -> Self {
        let cookies = BTreeMap::from([("mingcha-session".to_owned(), token.to_owned())]);
        Browser { app, cookies }
    }

    pub(crate) async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path, (FORM, Body::empty())).await
    }

    /// Sends the values as a form with a file does.
    pub(crate) async fn post_parts(&mut self, path: &str, values: &[(&str, &str)]) -> Reply {
        let part = |(name, value): &(&str, &str)| {
            format!("--part\r\ncontent-disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
        };
        let body = values.iter().map(part).collect::<String>() + "--part--\r\n";
        self.send(Method::POST, path, (PARTS, body.into())).await
    }

    /// Sends the values as they are.
    pub(crate) async fn post_bare(&mut self, path: &str, values: &[(&str, &str)]) -> Reply {
        self.send(Method::POST, path, (FORM, encoded(values).into()))
            .await
    }

    /// Sends the values with the token that a page of this browser carries.
    pub(crate) async fn post(&mut self, path: &str, values: &[(&str, &str)]) -> Reply {
        let token = self.token().await;
        let mut values = values.to_vec();
        values.push(("form_token", &token));
        self.post_bare(path, &values).await
    }

    /// The same, in a body that comes when something is done.
    pub(crate) async fn post_after(
        &mut self,
        work: impl Future<Output = ()> + Send + 'static,
        path: &str,
        values: &[(&str, &str)],
    ) -> Reply {
        let token = self.token().await;
        let mut values = values.to_vec();
        values.push(("form_token", &token));
        let body = body_after(work, encoded(&values));
        self.send(Method::POST, path, (FORM, body)).await
    }

    /// The token of this browser's forms.
    pub(crate) async fn token(&mut self) -> String {
        let page = self.get("/help").await.expect(200);
        hidden(&page.text, "form_token")
    }

    /// Where a reply leads.
    #[track_caller]
    pub(crate) fn led_to(reply: &Reply) -> &str {
        assert_eq!(reply.status, 303, "{}", reply.text);
        reply.headers["location"].to_str().unwrap()
    }

    /// Signs in by phone and code, through the pages.
    pub(crate) async fn sign_in(&mut self, persona: &Persona) {
        let phone = persona.phone.as_deref().unwrap();
        self.app.clock.advance_seconds(31);
        let sent = self
            .post("/sign-in", &[("phone", phone), ("next", "/mine")])
            .await;
        assert_eq!(Self::led_to(&sent), "/sign-in/code?next=%2Fmine");
        let code = self.app.newest_code(phone);
        let done = self
            .post("/sign-in/code", &[("code", &code), ("next", "/mine")])
            .await;
        assert_eq!(Self::led_to(&done), "/mine");
    }

    /// Proves a real name, through the page.
    pub(crate) async fn prove(&mut self, persona: &Persona) -> Reply {
        let values = [("name", persona.name.as_str()), ("id_number", &persona.id_number)];
        self.post("/prove", &values).await
    }

    async fn send(&mut self, method: Method, path: &str, (of_type, body): (&str, Body)) -> Reply {
        let cookies: Vec<_> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, of_type)
            .header(header::COOKIE, cookies.join("; "));
        let reply = self.app.send(request.body(body).unwrap()).await;
        for set in reply.headers.get_all(header::SET_COOKIE) {
            let set = set.to_str().unwrap();
            let (name, value) = set.split(';').next().unwrap().split_once('=').unwrap();
            match set.contains("Max-Age=0") {
                true => self.cookies.remove(name),
                false => self.cookies.insert(name.to_owned(), value.to_owned()),
            };
        }
        reply
    }
}
