//! The questions: of the gateway one look-up of a person's own vehicle; of the proxy the very message that the gateway
//! would send upstream for it, sealed for the sandbox, because the proxy passes on what it gets.

use std::{error::Error, fs, net::SocketAddr, path::Path};

use bytes::Bytes;
use crypto::session::{Exchange, Identity, Initiator, InitiatorSession, Peer};
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;
use sandbox::{Persona, crowd_member};
use serde_json::{Value, json};

use crate::worker;

/// What can go wrong: all of it ends the run.
pub(crate) type Problem = Box<dyn Error + Send + Sync>;

/// A stride without common divisor with any round number of people: neighbours in time are strangers.
const STRIDE: u64 = 7_919;

/// Makes the questions.
pub(crate) enum Asker {
    /// Of the gateway: a token for each person.
    Gateway {
        tokens: Vec<String>,
        fields: Vec<String>,
    },
    /// Of the proxy, in a session with the sandbox behind it.
    Proxy {
        session: Box<InitiatorSession>,
        people: u64,
    },
}

/// What is needed to judge the answer.
pub(crate) enum Ticket {
    Gateway,
    Proxy(Exchange),
}

impl Asker {
    pub(crate) fn gateway(sessions: &Path, fields: Vec<String>) -> Result<Self, Problem> {
        let tokens: Vec<String> = fs::read_to_string(sessions)?.lines().map(str::to_owned).collect();
        if tokens.is_empty() {
            return Err(format!("{} has no sessions", sessions.display()).into());
        }
        Ok(Asker::Gateway { tokens, fields })
    }

    /// Shakes hands with the sandbox through the proxy.
    pub(crate) async fn proxy(sources: &Path, people: u64, address: SocketAddr) -> Result<Self, Problem> {
        let file: toml::Table = fs::read_to_string(sources.join("sandbox-traffic.toml"))?.parse()?;
        let text = |name: &str| {
            let found = file["envelope"].get(name).and_then(toml::Value::as_str);
            found.ok_or_else(|| format!("the source file has no envelope.{name}"))
        };
        let secret = text("own_key")?;
        let own = Identity::from_base64(
            text("own_name")?,
            secret.strip_prefix("base64:").unwrap_or(secret),
        )?;
        let peer = Peer::from_base64(text("peer_name")?, text("peer_key")?)?;
        // The upstream is the sandbox: nothing secret depends on this generator.
        let mut rng = ChaCha20Rng::seed_from_u64(u64::from(std::process::id()));
        let (initiator, hello) = Initiator::start(&own, &peer, now_us(), &mut rng)?;
        let mut sender = worker::connect(address).await?;
        let hello = post("/traffic/v1/session", hello.into())?;
        let welcome = sender
            .send_request(hello)
            .await?
            .into_body()
            .collect()
            .await?
            .to_bytes();
        Ok(Asker::Proxy {
            session: Box::new(initiator.finish(&welcome, now_us())?),
            people,
        })
    }

    /// The n-th question.
    pub(crate) fn request(&self, n: u64) -> Result<(Request<Full<Bytes>>, Ticket), Problem> {
        match self {
            Asker::Gateway { tokens, fields } => {
                let member = n.wrapping_mul(STRIDE) % tokens.len() as u64;
                let token = &tokens[usize::try_from(member)?];
                let mut request = post("/v1/lookups", look_up(&person(member)?, fields).into())?;
                request
                    .headers_mut()
                    .insert(header::AUTHORIZATION, format!("Bearer {token}").try_into()?);
                Ok((request, Ticket::Gateway))
            }
            Asker::Proxy { session, people } => {
                let body = query(n, &person(n.wrapping_mul(STRIDE) % people)?);
                let id = u128::from(n).to_be_bytes();
                let sealed = session.seal_request(id, "/vehicle/query", now_us(), body.as_bytes())?;
                Ok((
                    post("/traffic/v1/vehicle/query", sealed.bytes.into())?,
                    Ticket::Proxy(sealed.exchange),
                ))
            }
        }
    }

    /// Whether this is the record that was asked for. What fields it has is for the tests of the gateway to say.
    pub(crate) fn is_right(&self, ticket: &Ticket, body: &Bytes) -> bool {
        let contains = |body: &[u8], text: &str| body.windows(text.len()).any(|part| part == text.as_bytes());
        match (self, ticket) {
            (Asker::Proxy { session, .. }, Ticket::Proxy(exchange)) => session
                .open_reply(exchange, body, now_us())
                .is_ok_and(|plain| contains(&plain, r#""code":"0""#)),
            _ => contains(body, r#""outcome":"found""#),
        }
    }
}

fn person(i: u64) -> Result<Persona, Problem> {
    crowd_member(i).ok_or_else(|| "the crowd has no such member".into())
}

fn look_up(person: &Persona, fields: &[String]) -> String {
    let vehicle = &person.vehicles[0];
    let mut question = json!({
        "kind": "vehicle", "mode": "read", "subject": "self", "purpose": "own-information",
        "key": { "plate": vehicle.plate, "plate_class": vehicle.class },
    });
    if !fields.is_empty() {
        question["fields"] = Value::from(fields);
    }
    question.to_string()
}

/// The request of the sandbox's interface; its number only has to look like a look-up's.
fn query(n: u64, person: &Persona) -> String {
    let vehicle = &person.vehicles[0];
    let serial = uuid::Uuid::from_u128(u128::from(n)).hyphenated().to_string();
    json!({
        "qqlsh": serial, "xm": person.name, "sfzmhm": person.id_number,
        "hphm": vehicle.plate, "hpzl": vehicle.class,
    })
    .to_string()
}

fn post(path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, http::Error> {
    let content_type = if path.starts_with("/v1") {
        "application/json"
    } else {
        "application/octet-stream"
    };
    Request::builder()
        .method(Method::POST)
        .uri(path)
        .header(header::HOST, "127.0.0.1")
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::new(body))
}

#[expect(clippy::disallowed_methods, reason = "messages to the sandbox carry the time")]
fn now_us() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |d| i64::try_from(d.as_micros()).unwrap_or(i64::MAX))
}
