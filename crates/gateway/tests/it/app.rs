//! An application under test: sandbox, gateway and a client, with a clock and a seed of our own.

use std::{path::Path, sync::Arc};

use axum::{Router, body::Body};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use crypto::{RootKeys, Suite};
use domain::time::{Clock, ManualClock, Timestamp};
use gateway::{
    app::{App, Lang},
    config::Config,
    messenger::{Messenger, Outbox},
    router::router,
    start::{self, World},
};
use http::{Method, Request, header};
use sandbox::{DropFolders, Persona, Sandbox, Switch};
use serde_json::{Value, json};
use sources::SourceFile;
use store::Random;
use tokio::{net::TcpListener, task::JoinHandle};
use tower::ServiceExt;

use crate::{bed::Bed, reply::Reply, statuses::must_be_told};

/// A Sunday at noon in China.
const START: &str = "2026-11-22T04:00:00Z";

/// A configuration in which tests are not in the way of bounds.
pub(crate) const CONFIG: &str = r#"
name = "test.mingcha.invalid"
listen = "127.0.0.1:0"
metrics_listen = "127.0.0.1:0"
public_url = "http://127.0.0.1"
data_folder = "unused"
keys = "file:unused"
sources_folder = "unused"

[operator]
name = { zh = "明查测试", en = "Mingcha test" }
contact = { zh = "无人接听", en = "nobody answers" }

[[purposes]]
code = "own-information"
name = { zh = "查看自己的信息", en = "to see your own information" }
bases = ["contract"]
pia = "TEST-PIA-1"

[[purposes]]
code = "account-proofing"
name = { zh = "证明账户属于本人", en = "to prove that the account is yours" }
bases = ["contract"]
pia = "TEST-PIA-2"

[limits]
lookups_per_minute = 100000
views_per_minute = 100000
others_per_day = 100000
codes_per_phone_per_day = 1000
codes_per_range_per_hour = 100000
proofs_per_account_per_day = 1000
proofs_per_person_per_day = 1000
"#;

type EditSources = Box<dyn Fn(&mut Vec<SourceFile>) + Send>;

/// What is to be started.
pub(crate) struct Builder {
    bed: Arc<Bed>,
    suite: Suite,
    config: String,
    clock: Arc<ManualClock>,
    edit_sources: EditSources,
    drops: bool,
    realm: &'static str,
}

/// An application, the authorities behind it, and a client in front of it.
pub(crate) struct TestApp {
    pub(crate) app: Arc<App>,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) clock: Arc<ManualClock>,
    bed: Arc<Bed>,
    router: Router,
    authorities: JoinHandle<()>,
}

impl Builder {
    pub(crate) fn new(bed: Arc<Bed>) -> Self {
        let clock = Arc::new(ManualClock::new(TestApp::begins()));
        Builder {
            bed,
            suite: Suite::Intl,
            config: CONFIG.to_owned(),
            clock,
            edit_sources: Box::new(|_| {}),
            drops: false,
            realm: "demo",
        }
    }

    /// In the realm of real people, where no played authority may be asked: it has no sources.
    pub(crate) fn in_production(mut self) -> Self {
        self.realm = "production";
        self.sources(Vec::clear)
    }

    pub(crate) fn suite(mut self, suite: Suite) -> Self {
        self.suite = suite;
        self
    }

    pub(crate) fn clock(mut self, clock: &Arc<ManualClock>) -> Self {
        self.clock = Arc::clone(clock);
        self
    }

    /// Replaces a part of the configuration, which must be there.
    pub(crate) fn replacing(mut self, part: &str, by: &str) -> Self {
        assert!(self.config.contains(part), "{part}");
        self.config = self.config.replace(part, by);
        self
    }

    /// Adds kinds from a folder.
    pub(crate) fn kinds(mut self, folder: &Path) -> Self {
        self.config = format!(
            "kinds_folder = {:?}\n{}",
            folder.display().to_string(),
            self.config
        );
        self
    }

    /// Adds the rules of a folder, which forbid more.
    pub(crate) fn policies(mut self, folder: &Path) -> Self {
        self.config = format!(
            "policies_folder = {:?}\n{}",
            folder.display().to_string(),
            self.config
        );
        self
    }

    /// Changes the files of the sources.
    pub(crate) fn sources(mut self, edit: impl Fn(&mut Vec<SourceFile>) + Send + 'static) -> Self {
        self.edit_sources = Box::new(edit);
        self
    }

    /// Lets the insurers drop files into `drops/in` of the bed's folder, instead of answering over HTTP.
    pub(crate) fn drops(mut self) -> Self {
        self.drops = true;
        self
    }

    pub(crate) async fn start(self) -> TestApp {
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let world = World {
            clock: Arc::clone(&clock),
            random: Arc::new(Random::new([self.bed.next_seed(); 32])),
        };
        #[expect(clippy::disallowed_methods, reason = "the test plays the authorities")]
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let keys = world
            .random
            .with(|rng| sandbox::Keys::generate(self.suite, rng))
            .unwrap();
        let files = sandbox::source_files(&url, &keys).into_iter();
        let mut files: Vec<_> = files.map(|(name, text)| SourceFile { name, text }).collect();
        if self.drops {
            let [drops, store, shelf_keys] =
                ["in", "store", "keys"].map(|name| self.bed.folder().join("drops").join(name));
            let folders = DropFolders {
                drops: &drops,
                store: &store,
                keys: &shelf_keys,
            };
            let (name, text) = sandbox::insurance_drop_source(&folders, &keys);
            files.retain(|file| file.name != name);
            files.push(SourceFile { name, text });
        }
        (self.edit_sources)(&mut files);
        let sandbox = Arc::new(Sandbox::new(keys, clock, world.random.fork()));
        let routes = sandbox.router();
        let authorities = tokio::spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let root = self.root_keys(&world);
        let config = Config::parse(&self.config, std::iter::empty()).unwrap();
        let messenger = Messenger::Outbox(Outbox::default());
        let app = start::start_on(self.bed.databases(), config, root, &files, messenger, &world).await;
        let app = Arc::new(app.unwrap());
        start::begin(&app).await.unwrap();
        self.bed.keep(&app);
        TestApp {
            router: router(Arc::clone(&app)),
            app,
            sandbox,
            clock: self.clock,
            authorities,
            bed: self.bed,
        }
    }

    /// The deployment's keys; those of an earlier start, if there was one.
    fn root_keys(&self, world: &World) -> Arc<RootKeys> {
        let reference = format!("file:{}", self.bed.folder().join("root-keys.json").display());
        start::root_keys(&reference, self.realm, Some(self.suite), world).unwrap()
    }
}

impl Drop for TestApp {
    fn drop(&mut self) {
        self.authorities.abort();
    }
}

impl TestApp {
    /// The time at which it starts.
    pub(crate) fn begins() -> Timestamp {
        Timestamp::parse_rfc3339(START).unwrap()
    }

    /// Sends a request. The clock moves on by 2 ms, so that no two ids are of the same instant. An answer of the API
    /// must be one that its document tells of.
    pub(crate) async fn send(&self, request: Request<Body>) -> Reply {
        self.clock.set(self.clock.now().plus_micros(2000));
        let (method, path) = (request.method().clone(), request.uri().path().to_owned());
        let reply = Reply::of(self.router.clone().oneshot(request).await.unwrap()).await;
        must_be_told(&method, &path, reply.status);
        reply
    }

    /// A request with a JSON body.
    pub(crate) fn request(
        method: Method,
        path: &str,
        token: Option<&str>,
        body: impl Into<Body>,
    ) -> Request<Body> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        request.body(body.into()).unwrap()
    }

    pub(crate) async fn post(&self, token: &str, path: &str, body: &Value) -> Reply {
        self.send(Self::request(Method::POST, path, Some(token), body.to_string()))
            .await
    }

    pub(crate) async fn post_openly(&self, path: &str, body: &Value) -> Reply {
        self.send(Self::request(Method::POST, path, None, body.to_string()))
            .await
    }

    pub(crate) async fn put(&self, token: &str, path: &str, body: &Value) -> Reply {
        self.send(Self::request(Method::PUT, path, Some(token), body.to_string()))
            .await
    }

    pub(crate) async fn get(&self, token: &str, path: &str) -> Reply {
        self.send(Self::request(Method::GET, path, Some(token), Body::empty()))
            .await
    }

    pub(crate) async fn delete(&self, token: &str, path: &str) -> Reply {
        self.send(Self::request(Method::DELETE, path, Some(token), Body::empty()))
            .await
    }

    pub(crate) async fn look_up(&self, token: &str, question: &Value) -> Reply {
        self.post(token, "/v1/lookups", question).await
    }

    /// Asks under an idempotency key.
    pub(crate) async fn look_up_as(&self, token: &str, key: &str, question: &Value) -> Reply {
        let mut request = Self::request(Method::POST, "/v1/lookups", Some(token), question.to_string());
        request
            .headers_mut()
            .insert("idempotency-key", key.parse().unwrap());
        self.send(request).await
    }

    /// Sends a code to a phone, half a minute after any other, and returns it.
    pub(crate) async fn code(&self, phone: &str) -> String {
        self.clock.advance_seconds(31);
        self.post_openly("/v1/account/codes", &json!({ "phone": phone }))
            .await
            .expect(202);
        self.newest_code(phone)
    }

    /// What the newest message to a phone carries.
    pub(crate) fn newest_code(&self, phone: &str) -> String {
        let Messenger::Outbox(outbox) = &self.app.messenger else {
            panic!("there is an outbox")
        };
        outbox
            .messages()
            .into_iter()
            .filter(|m| m.phone == phone)
            .find_map(|m| m.code)
            .unwrap()
    }

    /// Tries a code.
    pub(crate) async fn redeem(&self, phone: &str, code: &str) -> Reply {
        self.post_openly("/v1/account/sessions", &json!({ "phone": phone, "code": code }))
            .await
    }

    /// Signs in by phone and code; the token of a session at L1.
    pub(crate) async fn sign_in(&self, persona: &Persona) -> String {
        let phone = persona.phone.as_deref().unwrap();
        let code = self.code(phone).await;
        let session = self.redeem(phone, &code).await.expect(200);
        assert_eq!(session.json["level"], "L1");
        session.text_at("/token").to_owned()
    }

    /// Claims to be a persona.
    pub(crate) async fn prove(&self, token: &str, persona: &Persona) -> Reply {
        let person = json!({ "name": persona.name, "id_number": persona.id_number });
        self.post(token, "/v1/account/proof", &person).await
    }

    /// Sends a persona's portrait.
    pub(crate) async fn strengthen(&self, token: &str, persona: &Persona) -> Reply {
        let picture = BASE64_STANDARD.encode(sandbox::portrait_of(persona));
        let body = json!({ "portrait": picture, "consent": self.consent() });
        self.post(token, "/v1/account/portrait", &body).await
    }

    /// The hash of the consent to compare a portrait, in Chinese.
    pub(crate) fn consent(&self) -> String {
        self.app.portrait_consent(Lang::Zh).hash_text()
    }

    /// Signs in and proves the name; the token of a session at L2.
    pub(crate) async fn at_l2(&self, persona: &Persona) -> String {
        let token = self.sign_in(persona).await;
        let proof = self.prove(&token, persona).await.expect(200);
        assert_eq!(proof.json["result"], "PROVEN", "{}: {}", persona.id, proof.text);
        proof.text_at("/session/token").to_owned()
    }

    /// Signs in, proves the name and sends the portrait; the token of a session at L3.
    pub(crate) async fn at_l3(&self, persona: &Persona) -> String {
        let token = self.at_l2(persona).await;
        let strong = self.strengthen(&token, persona).await.expect(200);
        assert_eq!(strong.json["result"], "PROVEN", "{}", strong.text);
        strong.text_at("/session/token").to_owned()
    }

    /// Who looked at me: the newest entries of one's own chain.
    pub(crate) async fn access_log(&self, token: &str) -> Vec<Value> {
        let log = self.get(token, "/v1/access-log").await.expect(200);
        log.json.as_array().unwrap().clone()
    }

    /// The newest entry about a look-up in one's own chain.
    pub(crate) async fn entry_about(&self, token: &str, lookup: &str) -> Value {
        let log = self.access_log(token).await;
        let entry = log.iter().find(|e| e["lookup_id"] == lookup);
        entry
            .unwrap_or_else(|| panic!("nothing about {lookup} in {log:?}"))
            .clone()
    }

    /// Stops it for good; its database is closed, and another can be started on it.
    pub(crate) async fn stop(self) {
        self.bed.forget();
        let watch = Arc::downgrade(&self.app);
        drop(self);
        while watch.upgrade().is_some() {
            tokio::task::yield_now().await;
        }
    }

    /// How often the authorities were asked for this look-up.
    pub(crate) fn asked(&self, lookup: &str) -> usize {
        self.sandbox
            .journal()
            .iter()
            .filter(|e| e.lookup == lookup)
            .count()
    }

    /// The minute that the clock shows, as the beginning of an instant's text.
    pub(crate) fn clock_minute(&self) -> String {
        self.clock.now().rfc3339()[..17].to_owned()
    }

    /// How many entries the log has.
    pub(crate) async fn entries(&self) -> u64 {
        self.app.store.log_size().await.unwrap()
    }

    /// Sets a switch of the authorities in place of all others.
    pub(crate) fn switch(&self, switch: Switch) {
        self.sandbox.clear_switches();
        self.sandbox.switch(switch).unwrap();
    }
}
