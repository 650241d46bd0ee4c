//! The bytes of an image whose digest and handle were released with a record.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use crypto::Suite;
use domain::{
    ids::LookupId,
    kind::{Catalogue, FieldType, Kind},
    lookup::Person,
    outcome::Outcome,
    words::Mode,
};
use serde_json::Value as Json;
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout_at},
};
use toml::Spanned;

use crate::{
    ask::{Unasked, unharmed},
    file::{RawImages, SourceError, SourceFile},
    http::Http,
    json,
    media_type::{MediaType, read_head},
    outcomes::Outcomes,
    pointer::Pointer,
    report::{Failure, Problem, Report},
    request::{Scope, Template},
    route::Route,
    source::Source,
    sources::Sources,
    target::Target,
};

/// The largest image that is taken, in bytes.
const MAX_BYTES: usize = 1 << 20;
/// The largest reply that carries an image: its base64, and 64 KiB for the rest of the message.
const MAX_BODY: usize = MAX_BYTES.div_ceil(3) * 4 + (64 << 10);
/// How many images are taken from one source at once: each is in memory several times until it is checked.
const AT_ONCE: usize = 8;
/// How long a question waits for one of those places.
const WAIT: Duration = Duration::from_millis(500);

/// A question for the bytes of one image. The look-up that gave its handle must be released (invariant 1).
#[derive(Clone)]
pub struct ImageQuestion {
    /// That look-up.
    pub lookup: LookupId,
    /// The source that gave the handle; no other is asked.
    pub source: String,
    /// The kind of that record.
    pub kind: String,
    /// About whom the record is.
    pub person: Person,
    /// The source's name for the image.
    pub handle: String,
    /// SHA-256 of its bytes, hexadecimal, as it was released.
    pub digest: String,
    /// When nobody waits any longer.
    pub deadline: Instant,
}

impl fmt::Debug for ImageQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageQuestion({}, {}, redacted)", self.lookup, self.kind)
    }
}

/// An image as the source sent it: the one that was released, of a bounded size, and not decoded.
#[derive(Clone, PartialEq, Eq)]
pub struct ImageBytes {
    /// Its bytes.
    pub bytes: Bytes,
    /// What they are.
    pub media_type: MediaType,
}

impl fmt::Debug for ImageBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ImageBytes({}, redacted)", self.media_type.name())
    }
}

/// Why there is no image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NoImage {
    /// `not_covered` where that source streams no images of the kind.
    pub outcome: Outcome,
    /// For the operator only; the requester is never told.
    pub report: Option<Report>,
}

/// One compiled `[[images]]`.
pub(crate) struct ImageRoute {
    kinds: Vec<String>,
    target: Target,
    template: Template,
    outcomes: Outcomes,
    bytes: Pointer,
    places: Semaphore,
}

impl ImageRoute {
    /// Checks the route against the kinds and against what else the file serves.
    pub(crate) fn compile(
        file: &SourceFile,
        http: &Http,
        kinds: &Catalogue,
        served: &[Route],
        images: &Spanned<RawImages>,
    ) -> Result<Self, SourceError> {
        let (line, raw) = (&images.span(), images.get_ref());
        let ids = raw.kinds.get_ref();
        if ids.is_empty() {
            return Err(file.wrong(&raw.kinds.span(), "kinds: whose images?"));
        }
        for id in ids {
            let wrong = |problem: &str| file.wrong(&id.span(), format!("kinds: {} {problem}", id.get_ref()));
            let kind = kinds.get(id.get_ref()).ok_or_else(|| wrong("is no kind"))?;
            if !has_image(&kind.kind) {
                return Err(wrong("has no image"));
            }
            let is_served = |route: &Route| route.kind == *id.get_ref() && route.mode == Mode::Read;
            if !served.iter().any(is_served) {
                return Err(wrong(
                    "is not served by this source in mode read, which gives the handles",
                ));
            }
        }
        Ok(ImageRoute {
            kinds: ids.iter().map(|id| id.get_ref().clone()).collect(),
            target: http.target(file, &raw.path, MAX_BODY)?,
            template: http.template(file, line, &Scope::Image, &raw.request)?,
            // An image is read; nothing is compared.
            outcomes: Outcomes::compile(file, line, Mode::Read, &raw.outcome)?,
            bytes: Pointer::compile(file, &raw.answer.bytes)?,
            places: Semaphore::new(AT_ONCE),
        })
    }

    /// Whether it streams the images of this kind.
    pub(crate) fn is_for(&self, kind: &str) -> bool {
        self.kinds.iter().any(|id| id == kind)
    }

    /// The kinds whose images it streams.
    pub(crate) fn kinds(&self) -> &[String] {
        &self.kinds
    }

    async fn place(&self, deadline: Instant) -> Result<SemaphorePermit<'_>, Failure> {
        let until = deadline.min(Instant::now() + WAIT);
        let permit = timeout_at(until, self.places.acquire()).await;
        let full = Failure::new(Outcome::Overloaded, Problem::NoPlace);
        permit.ok().and_then(Result::ok).ok_or(full)
    }

    /// Reads a body. It is sound JSON, its code is known, and if an image is there, it is the one asked for.
    fn read(&self, question: &ImageQuestion, body: &[u8]) -> Result<ImageBytes, Unasked> {
        let answer = json::parse(body).map_err(Failure::bad_answer)?;
        match self.outcomes.read(&answer)? {
            Outcome::Found => Ok(self.read_image(question, &answer).map_err(Failure::bad_answer)?),
            outcome => Err(Unasked::Bare(outcome)),
        }
    }

    fn read_image(&self, question: &ImageQuestion, answer: &Json) -> Result<ImageBytes, Problem> {
        let text = self.bytes.find(answer).and_then(Json::as_str);
        let text = text
            .filter(|text| !text.is_empty())
            .ok_or(Problem::ImageMissing)?;
        let bytes = STANDARD.decode(text).map_err(|_| Problem::ImageMissing)?;
        if bytes.len() > MAX_BYTES {
            return Err(Problem::ImageTooLarge);
        }
        if !is_digest(&question.digest, &Suite::Intl.hash(&[&bytes])) {
            return Err(Problem::OtherImage);
        }
        let media_type = read_head(&bytes)?;
        let bytes = Bytes::from(bytes);
        Ok(ImageBytes { bytes, media_type })
    }
}

impl Sources {
    /// Asks the source that gave an image's handle for its bytes. It neither errs nor panics otherwise than by one
    /// of the outcomes; what is not the image that was released, or not fit to be shown, is `bad_answer`.
    ///
    /// # Errors
    /// What became of the question instead.
    pub async fn image(&self, question: &ImageQuestion) -> Result<ImageBytes, NoImage> {
        let found = self.image_route(&question.source, &question.kind);
        let bare = |outcome| NoImage {
            outcome,
            report: None,
        };
        let (source, route) = found.ok_or(bare(Outcome::NotCovered))?;
        let answer = unharmed(self.fetch_image(source, route, question)).await;
        let answer = answer.map_err(|unasked| match unasked {
            Unasked::Bare(outcome) => bare(outcome),
            Unasked::Failed(failure) => NoImage {
                outcome: failure.outcome,
                report: Some(Report {
                    source: source.info.id.clone(),
                    problem: failure.problem,
                    field: None,
                }),
            },
        });
        observe(question, &answer);
        answer
    }

    async fn fetch_image(
        &self,
        source: &Source,
        route: &ImageRoute,
        question: &ImageQuestion,
    ) -> Result<ImageBytes, Unasked> {
        let _place = route.place(question.deadline).await?;
        let body = route.template.render_image(question);
        let reply = self
            .send(source, &route.target, &question.person, body, question.deadline)
            .await?;
        route.read(question, &reply)
    }
}

fn has_image(kind: &Kind) -> bool {
    let is_image = |of_type: &FieldType| match of_type {
        FieldType::List { items, .. } => items.iter().any(|item| item.of_type == FieldType::Image),
        other => *other == FieldType::Image,
    };
    kind.disclosable().any(|field| is_image(&field.of_type))
}

fn is_digest(text: &str, digest: &[u8; 32]) -> bool {
    let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.eq_ignore_ascii_case(text)
}

/// Counts and traces: ids of ours and codes, nothing of the question and nothing of the image.
fn observe(question: &ImageQuestion, answer: &Result<ImageBytes, NoImage>) {
    let outcome = answer
        .as_ref()
        .map_or_else(|no| no.outcome, |_| Outcome::Found)
        .code();
    let (source, kind, lookup) = (question.source.clone(), &question.kind, question.lookup);
    metrics::counter!("mingcha_source_images_total", "source" => source.clone(), "outcome" => outcome)
        .increment(1);
    match answer.as_ref().err().and_then(|no| no.report.as_ref()) {
        Some(report) => {
            let problem = report.problem.code();
            metrics::counter!("mingcha_source_problems_total", "source" => source.clone(), "problem" => problem)
                .increment(1);
            tracing::warn!(%lookup, source, kind, outcome, problem, "image");
        }
        None => tracing::debug!(%lookup, source, kind, outcome, "image"),
    }
}
