//! A gateway's end: keys, a session per authority, and requests by their members.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    Router,
    body::Body,
    http::{Request, StatusCode, response::Parts},
};
use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{
    Suite,
    session::{Exchange, Initiator, InitiatorSession},
};
use domain::time::{Clock, ManualClock, Timestamp};
use http_body_util::BodyExt;
use rand_chacha::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use sandbox::{Authority, Keys, Persona, Sandbox, persona};
use serde_json::{Value, json};
use tower::ServiceExt;

/// Noon in China on the day of all these tests, a Sunday.
pub(crate) fn noon() -> Timestamp {
    Timestamp::parse_rfc3339("2026-11-22T12:00:00+08:00").unwrap()
}

pub(crate) struct Gateway {
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) keys: Keys,
    router: Router,
    sessions: BTreeMap<Authority, InitiatorSession>,
    random: ChaCha20Rng,
}

/// Somebody by slug.
pub(crate) fn who(id: &str) -> &'static Persona {
    persona(id).unwrap_or_else(|| panic!("no persona {id}"))
}

/// The members that every request has, about a persona.
pub(crate) fn about(id: &str) -> Value {
    json!({ "qqlsh": "01930000-0000-7000-8000-000000000001", "xm": who(id).name, "sfzmhm": who(id).id_number })
}

/// The same with a plate.
pub(crate) fn with_plate(id: &str, plate: &str, class: &str) -> Value {
    with(about(id), json!({ "hphm": plate, "hpzl": class }))
}

/// The same with the handle of an evidence image.
pub(crate) fn with_handle(id: &str, handle: &str) -> Value {
    with(about(id), json!({ "zjbh": handle }))
}

/// One object over another; null takes a member away.
pub(crate) fn with(mut request: Value, more: Value) -> Value {
    for (member, value) in more.as_object().unwrap() {
        match value {
            Value::Null => request.as_object_mut().unwrap().remove(member),
            value => request
                .as_object_mut()
                .unwrap()
                .insert(member.clone(), value.clone()),
        };
    }
    request
}

impl Gateway {
    pub(crate) fn new() -> Self {
        Self::with_suite(Suite::Intl, |sandbox| sandbox)
    }

    pub(crate) fn with_suite(suite: Suite, adapt: impl FnOnce(Sandbox) -> Sandbox) -> Self {
        let mut random = ChaCha20Rng::from_seed([7; 32]);
        // The sandbox takes its keys, and this end keeps a copy by drawing them from the same seed.
        let keys = || Keys::generate(suite, &mut ChaCha20Rng::from_seed([8; 32])).unwrap();
        let clock = Arc::new(ManualClock::new(noon()));
        let mut seed = [0; 32];
        random.fill_bytes(&mut seed);
        let sandbox = Sandbox::new(
            keys(),
            Arc::clone(&clock) as Arc<dyn Clock>,
            ChaCha20Rng::from_seed(seed),
        );
        let sandbox = Arc::new(adapt(sandbox));
        let router = sandbox.router();
        Gateway {
            sandbox,
            clock,
            keys: keys(),
            router,
            sessions: BTreeMap::new(),
            random,
        }
    }

    /// Posts bytes; returns status and body. A body that breaks off is `None`.
    pub(crate) async fn post(&self, path: &str, body: Vec<u8>) -> (StatusCode, Option<Vec<u8>>) {
        let (head, body) = self.post_with(path, &[], body).await;
        (head.status, body)
    }

    /// The same with headers, and those of the reply.
    pub(crate) async fn post_with(
        &self,
        path: &str,
        headers: &[(&str, &str)],
        body: Vec<u8>,
    ) -> (Parts, Option<Vec<u8>>) {
        let mut request = Request::post(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Body::from(body)).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (head, body) = response.into_parts();
        let body = body.collect().await.ok().map(|body| body.to_bytes().to_vec());
        (head, body)
    }

    /// Asks an authority that signs; the body, once its signature was checked.
    pub(crate) async fn ask_signed(&mut self, path: &str, body: &[u8]) -> Option<Vec<u8>> {
        let (authority, within) = split(path);
        let nonce = format!("{:032x}", self.random.next_u64());
        let headers = [
            ("content-type", "application/json"),
            ("x-api-key", self.keys.api_key().expose()),
            ("x-nonce", nonce.as_str()),
        ];
        let path = format!("/{}/v1/{within}", authority.slug());
        let (head, body) = self.post_with(&path, &headers, body.to_vec()).await;
        assert_eq!(head.status, StatusCode::OK, "{path}");
        let body = body?;
        let text = |name: &str| Some(head.headers.get(name)?.to_str().unwrap().to_owned());
        let signature = STANDARD.decode(text("x-signature")?).unwrap();
        let digest = self.keys.suite().hash(&[&body]);
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        let time = text("x-time")?;
        assert_eq!(time, (self.clock.now().0 / 1000).to_string());
        let lines = format!("{time}\n{nonce}\n{digest}");
        let signature = signature.as_slice().try_into().unwrap();
        assert!(self.keys.peer(authority).verify(lines.as_bytes(), signature));
        Some(body)
    }

    pub(crate) async fn shake_hands(&mut self, authority: Authority) {
        let peer = self.keys.peer(authority);
        let now = self.clock.now().0;
        let (initiator, hello) = Initiator::start(self.keys.gateway(), &peer, now, &mut self.random).unwrap();
        let (status, welcome) = self
            .post(&format!("/{}/v1/session", authority.slug()), hello)
            .await;
        assert_eq!(status, StatusCode::OK);
        let session = initiator.finish(&welcome.unwrap(), now).unwrap();
        self.sessions.insert(authority, session);
    }

    /// Seals a request in the authority's session.
    pub(crate) async fn seal(
        &mut self,
        authority: Authority,
        kind: &str,
        body: &[u8],
    ) -> (Exchange, Vec<u8>) {
        if !self.sessions.contains_key(&authority) {
            self.shake_hands(authority).await;
        }
        let mut id = [0; 16];
        self.random.fill_bytes(&mut id);
        let sealed = self.sessions[&authority]
            .seal_request(id, kind, self.clock.now().0, body)
            .unwrap();
        (sealed.exchange, sealed.bytes)
    }

    pub(crate) fn open(&self, authority: Authority, exchange: &Exchange, reply: &[u8]) -> Option<Vec<u8>> {
        self.sessions[&authority]
            .open_reply(exchange, reply, self.clock.now().0)
            .ok()
    }

    /// Asks and returns what was sealed in the answer; `None` where it cannot be opened.
    pub(crate) async fn ask_raw(&mut self, path: &str, body: &[u8]) -> Option<Vec<u8>> {
        let (authority, within) = split(path);
        if authority.signs() {
            return self.ask_signed(path, body).await;
        }
        let (exchange, message) = self.seal(authority, &format!("/{within}"), body).await;
        let (status, reply) = self
            .post(&format!("/{}/v1/{within}", authority.slug()), message)
            .await;
        assert_eq!(status, StatusCode::OK, "{path}");
        self.open(authority, &exchange, &reply?)
    }

    pub(crate) async fn ask(&mut self, path: &str, request: &Value) -> Value {
        let plain = self
            .ask_raw(path, request.to_string().as_bytes())
            .await
            .expect("an authentic answer");
        serde_json::from_slice(&plain).expect("JSON")
    }

    /// The code of the answer.
    pub(crate) async fn code(&mut self, path: &str, request: &Value) -> String {
        self.ask(path, request).await["code"].as_str().unwrap().to_owned()
    }

    /// The data of an answer that has some.
    pub(crate) async fn data(&mut self, path: &str, request: &Value) -> Value {
        let answer = self.ask(path, request).await;
        assert_eq!(answer["code"], "0", "{path}: {}", answer["message"]);
        answer["data"].clone()
    }
}

/// The authority of a path such as `traffic/vehicle/query`, and the rest.
pub(crate) fn split(path: &str) -> (Authority, &str) {
    let (slug, within) = path.split_once('/').unwrap();
    (
        Authority::ALL
            .into_iter()
            .find(|authority| authority.slug() == slug)
            .unwrap(),
        within,
    )
}

/// Every path with a request that finds something.
pub(crate) fn every_path() -> Vec<(&'static str, Value)> {
    let car = with_plate("chen-weidong", "晋N35T08", "02");
    let portrait = sandbox::portrait_of(who("chen-weidong"));
    let portrait = STANDARD.encode(portrait);
    let phone = who("chen-weidong").phone.clone();
    vec![
        ("traffic/vehicle/query", car.clone()),
        ("traffic/vehicle/list", about("chen-weidong")),
        ("traffic/vehicle/violations", car.clone()),
        ("traffic/vehicle/insurance", car.clone()),
        ("traffic/licence/query", about("chen-weidong")),
        ("traffic/driver/violations", about("chen-weidong")),
        (
            "traffic/evidence/query",
            with_handle("chen-weidong", "SBX-ZJ-000101"),
        ),
        ("population/identity/match", about("chen-weidong")),
        (
            "population/identity/portrait",
            with(about("chen-weidong"), json!({ "zp": portrait })),
        ),
        (
            "carrier/holder/match",
            with(about("chen-weidong"), json!({ "sjhm": phone })),
        ),
        ("civil-affairs/marriage/query", about("chen-weidong")),
        ("insurance/policy/query", car.clone()),
        ("repair/record/query", car),
    ]
}
