//! The body of a request, built from a template that was checked at start.

use std::{collections::BTreeMap, ops::Range};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::{
    ids::LookupId,
    kind::{FieldType, Kind, Value},
    lookup::Person,
    review::MAX_PICTURES,
    words::Mode,
};
use toml::Spanned;
use url::form_urlencoded::byte_serialize;

use crate::{
    file::{Encoding, SourceError, SourceFile},
    image::ImageQuestion,
    question::Question,
    submit::ReviewQuestion,
};

/// The longest picture that is sent, in bytes.
pub(crate) const MAX_PORTRAIT: usize = 4 << 20;

/// Members in order, each with what stands before its value, such as `"hphm":` or `hphm=`.
pub(crate) struct Template {
    encoding: Encoding,
    members: Vec<(Vec<u8>, Part)>,
}

/// What a member's value is taken from.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Key(String),
    SubjectName,
    SubjectNumber,
    Claim(String),
    LookupId,
    Literal(String),
    /// The picture that is claimed by this id.
    Portrait(String),
    /// By what name the source streams an image.
    ImageHandle,
    ReviewNumber,
    ReviewText,
    /// The number that the source gave.
    ReviewSourceNumber,
    /// The picture at this place, from zero.
    ReviewImage(usize),
}

/// What the members are filled with.
struct Filling<'a> {
    lookup: LookupId,
    person: &'a Person,
    /// Where a record is asked for.
    record: Option<&'a Question>,
    /// Where an image is asked for.
    handle: Option<&'a str>,
    /// Where a review is handed in or asked about.
    review: Option<&'a ReviewQuestion>,
}

impl Template {
    /// Reads the expressions and checks that nothing is missing: every request names the subject, the whole key
    /// where there is one, every claim that the route is for, and an image's handle.
    pub(crate) fn compile(
        file: &SourceFile,
        line: &Range<usize>,
        scope: &Scope<'_>,
        encoding: Encoding,
        raw: &BTreeMap<String, Spanned<String>>,
    ) -> Result<Self, SourceError> {
        let mut members = Vec::new();
        for (name, expression) in raw {
            let wrong = |problem| file.wrong(&expression.span(), format!("request member {name}: {problem}"));
            let part = Part::parse(expression.get_ref(), scope).map_err(wrong)?;
            members.push((encoding.lead(name), part));
        }
        let needed = scope.needed();
        match needed
            .iter()
            .find(|(part, _)| !members.iter().any(|(_, p)| p == part))
        {
            Some((_, words)) => Err(file.wrong(line, format!("the request must carry {words}"))),
            None => Ok(Template { encoding, members }),
        }
    }

    /// The body; `None` where the question lacks something that the route needs.
    pub(crate) fn render(&self, question: &Question) -> Option<Vec<u8>> {
        let portrait = question.portrait.as_ref().map_or(0, |p| p.len() * 4 / 3);
        let filling = Filling {
            lookup: question.lookup,
            person: &question.person,
            record: Some(question),
            handle: None,
            review: None,
        };
        self.fill(&filling, portrait)
    }

    /// The body of a question for an image.
    pub(crate) fn render_image(&self, question: &ImageQuestion) -> Option<Vec<u8>> {
        let filling = Filling {
            lookup: question.lookup,
            person: &question.person,
            record: None,
            handle: Some(&question.handle),
            review: None,
        };
        self.fill(&filling, 0)
    }

    /// The body that hands in a review or asks about one.
    pub(crate) fn render_review(&self, review: &ReviewQuestion) -> Option<Vec<u8>> {
        let filling = Filling {
            lookup: review.lookup,
            person: &review.person,
            record: None,
            handle: None,
            review: Some(review),
        };
        let pictures: usize = review.images.iter().map(|image| image.len() * 4 / 3 + 4).sum();
        self.fill(&filling, pictures)
    }

    fn fill(&self, filling: &Filling<'_>, extra: usize) -> Option<Vec<u8>> {
        let (before, between, after): (&[u8], u8, &[u8]) = match self.encoding {
            Encoding::Json => (b"{", b',', b"}"),
            Encoding::Form => (b"", b'&', b""),
        };
        let mut body = Vec::with_capacity(256 + extra);
        body.extend_from_slice(before);
        for (lead, part) in self.members.iter().filter(|(_, part)| part.applies(filling)) {
            if body.len() > before.len() {
                body.push(between);
            }
            body.extend_from_slice(lead);
            part.write(filling, self.encoding, &mut body)?;
        }
        body.extend_from_slice(after);
        Some(body)
    }
}

/// What stands in the places of a statement, in their order.
pub(crate) struct Parameters(Vec<Part>);

impl Parameters {
    /// Reads the words of the places. A statement names the subject by number, and everything else that a request
    /// carries but the name: few databases keep it in a form that compares.
    pub(crate) fn compile(scope: &Scope<'_>, words: &[String]) -> Result<Self, String> {
        let parts = words.iter().map(|word| match Part::parse(word, scope)? {
            Part::Literal(_) | Part::Portrait(_) => Err(format!("{word} has no place in a statement")),
            part => Ok(part),
        });
        let parts = parts.collect::<Result<Vec<_>, _>>()?;
        let needed = scope.needed();
        let lacking = |(part, _): &&(Part, String)| *part != Part::SubjectName && !parts.contains(part);
        match needed.iter().find(lacking) {
            Some((_, words)) => Err(format!("it must compare {{{}}}", words.trim_matches('"'))),
            None => Ok(Parameters(parts)),
        }
    }

    /// The values as text; `None` where the question lacks one. A claim that is not made is NULL.
    pub(crate) fn fill(&self, question: &Question) -> Option<Vec<Option<String>>> {
        let fill = |part: &Part| match part {
            Part::Key(id) => Some(Some(question.key.get(id)?.text().into_owned())),
            Part::Claim(id) => Some(question.claims.get(id).map(|value| value.text().into_owned())),
            Part::SubjectName => Some(Some(question.person.name.expose().to_owned())),
            Part::SubjectNumber => Some(Some(question.person.id_number.expose().to_owned())),
            Part::LookupId => Some(Some(question.lookup.0.hyphenated().to_string())),
            Part::Literal(_) | Part::Portrait(_) | Part::ImageHandle => None,
            // A statement only asks: a review is handed in over http.
            Part::ReviewNumber | Part::ReviewText | Part::ReviewSourceNumber | Part::ReviewImage(_) => None,
        };
        self.0.iter().map(fill).collect()
    }
}

/// What a route is for.
pub(crate) enum Scope<'a> {
    /// A record of this kind.
    Record {
        kind: &'a Kind,
        mode: Mode,
        base: bool,
        claims: &'a [String],
    },
    /// The bytes of an image.
    Image,
    /// A review that is handed in.
    Review,
    /// How far a review is.
    ReviewStatus,
}

impl Scope<'_> {
    /// What the request must carry, with the words to write.
    fn needed(&self) -> Vec<(Part, String)> {
        let mut needed = vec![
            (Part::SubjectName, "\"subject.name\"".to_owned()),
            (Part::SubjectNumber, "\"subject.id_number\"".to_owned()),
        ];
        let Scope::Record {
            kind,
            mode,
            base,
            claims,
        } = self
        else {
            needed.extend(self.needed_beside_the_subject());
            return needed;
        };
        if *mode != Mode::List && *base {
            needed.extend(
                kind.key
                    .iter()
                    .map(|k| (Part::Key(k.id.clone()), format!("\"key.{}\"", k.id))),
            );
        }
        needed.extend(claims.iter().map(|id| {
            if self.is_image(id) {
                (Part::Portrait(id.clone()), "\"portrait\"".to_owned())
            } else {
                (Part::Claim(id.clone()), format!("\"claims.{id}\""))
            }
        }));
        needed
    }

    /// What a request that is for no record needs.
    fn needed_beside_the_subject(&self) -> Vec<(Part, String)> {
        let parts: &[(Part, &str)] = match self {
            Scope::Record { .. } => &[],
            Scope::Image => &[(Part::ImageHandle, "\"image.handle\"")],
            Scope::Review => &[
                (Part::ReviewNumber, "\"review.number\""),
                (Part::ReviewText, "\"review.text\""),
            ],
            Scope::ReviewStatus => &[(Part::ReviewSourceNumber, "\"review.source_number\"")],
        };
        parts
            .iter()
            .map(|(part, words)| (part.clone(), (*words).to_owned()))
            .collect()
    }

    /// What may stand in a request that is for no record.
    fn part(&self, text: &str) -> Result<Part, &'static str> {
        let image = text.strip_prefix("review.image.").and_then(|n| n.parse().ok());
        match (self, text, image) {
            (Scope::Image, "image.handle", _) => Ok(Part::ImageHandle),
            (Scope::Review | Scope::ReviewStatus, "review.number", _) => Ok(Part::ReviewNumber),
            (Scope::Review, "review.text", _) => Ok(Part::ReviewText),
            (Scope::Review, _, Some(place @ 1..=MAX_PICTURES)) => Ok(Part::ReviewImage(place - 1)),
            (Scope::ReviewStatus, "review.source_number", _) => Ok(Part::ReviewSourceNumber),
            (Scope::Record { .. }, ..) => Err(
                "expected key.…, subject.name, subject.id_number, claims.…, lookup.id, portrait \
                      (a claimed image) or literal:…",
            ),
            (Scope::Image, ..) => {
                Err("expected image.handle, subject.name, subject.id_number, lookup.id or literal:…")
            }
            (Scope::Review, ..) => Err(
                "expected review.number, review.text, review.image.1 to 3, subject.name, subject.id_number, lookup.id \
                      or literal:…",
            ),
            (Scope::ReviewStatus, ..) => Err(
                "expected review.source_number, review.number, subject.name, subject.id_number, lookup.id or literal:…",
            ),
        }
    }

    fn has_key(&self, id: &str) -> bool {
        match self {
            Scope::Record { kind, mode, .. } => *mode != Mode::List && kind.key.iter().any(|k| k.id == id),
            _ => false,
        }
    }

    fn claims(&self) -> &[String] {
        match self {
            Scope::Record { claims, .. } => claims,
            _ => &[],
        }
    }

    /// Whether a claim of this route is a picture.
    fn is_image(&self, claim: &str) -> bool {
        match self {
            Scope::Record { kind, .. } => kind.claim(claim).is_some_and(|c| c.of_type == FieldType::Image),
            _ => false,
        }
    }
}

impl Part {
    fn parse(text: &str, scope: &Scope<'_>) -> Result<Self, String> {
        if let Some(literal) = text.strip_prefix("literal:") {
            return Ok(Part::Literal(literal.to_owned()));
        }
        if let Some(id) = text.strip_prefix("key.") {
            return if scope.has_key(id) {
                Ok(Part::Key(id.to_owned()))
            } else {
                Err(format!("there is no key {id} here"))
            };
        }
        if let Some(id) = text.strip_prefix("claims.") {
            let known = scope.claims().iter().any(|c| c == id) && !scope.is_image(id);
            let missing = || format!("there is no claim {id} among this route's `claims`");
            return if known {
                Ok(Part::Claim(id.to_owned()))
            } else {
                Err(missing())
            };
        }
        let mut images = scope.claims().iter().filter(|c| scope.is_image(c));
        if let ("portrait", Some(id)) = (text, images.next()) {
            return Ok(Part::Portrait(id.clone()));
        }
        match text {
            "subject.name" => Ok(Part::SubjectName),
            "subject.id_number" => Ok(Part::SubjectNumber),
            "lookup.id" => Ok(Part::LookupId),
            _ => scope.part(text).map_err(str::to_owned),
        }
    }

    /// A claim that is not made and a picture that is not there are not sent.
    fn applies(&self, filling: &Filling<'_>) -> bool {
        match self {
            Part::Claim(id) | Part::Portrait(id) => filling
                .record
                .is_some_and(|question| question.claims.contains_key(id)),
            Part::ReviewImage(place) => filling.review.is_some_and(|r| r.images.len() > *place),
            _ => true,
        }
    }

    fn write(&self, filling: &Filling<'_>, encoding: Encoding, body: &mut Vec<u8>) -> Option<()> {
        let mut text = |text: &str| encoding.write_text(text, body);
        match self {
            Part::Key(id) => encoding.write_value(filling.record?.key.get(id)?, body),
            Part::Claim(id) => encoding.write_value(filling.record?.claims.get(id)?, body),
            Part::SubjectName => text(filling.person.name.expose()),
            Part::SubjectNumber => text(filling.person.id_number.expose()),
            Part::LookupId => text(filling.lookup.0.hyphenated().encode_lower(&mut [0; 36])),
            Part::Literal(literal) => text(literal),
            Part::Portrait(_) => {
                let portrait = filling.record?.portrait.as_ref();
                text(&STANDARD.encode(portrait.filter(|p| p.len() <= MAX_PORTRAIT)?))
            }
            Part::ImageHandle => text(filling.handle?),
            Part::ReviewNumber => text(&filling.review?.number),
            Part::ReviewText => text(&filling.review?.text),
            Part::ReviewSourceNumber => text(filling.review?.source_number.as_deref()?),
            Part::ReviewImage(place) => text(&STANDARD.encode(filling.review?.images.get(*place)?)),
        }
    }
}

impl Encoding {
    /// What stands before a member's value.
    fn lead(self, name: &str) -> Vec<u8> {
        match self {
            Encoding::Json => format!("{}:", serde_json::Value::from(name)).into_bytes(),
            Encoding::Form => {
                let mut lead: Vec<u8> = form(name).collect();
                lead.push(b'=');
                lead
            }
        }
    }

    fn write_text(self, text: &str, body: &mut Vec<u8>) -> Option<()> {
        match self {
            Encoding::Json => serde_json::to_writer(body, text).ok(),
            Encoding::Form => {
                body.extend(form(text));
                Some(())
            }
        }
    }

    fn write_value(self, value: &Value, body: &mut Vec<u8>) -> Option<()> {
        match (self, value) {
            (Encoding::Json, Value::Text(text)) => self.write_text(text, body),
            (Encoding::Json, other) => serde_json::to_writer(body, &other.clone().into_json()).ok(),
            (Encoding::Form, value) => self.write_text(&value.text(), body),
        }
    }
}

/// A name or value of a form, in UTF-8 (the URL standard, section 5.2).
fn form(text: &str) -> impl Iterator<Item = u8> {
    byte_serialize(text.as_bytes()).flat_map(|piece| piece.bytes())
}
