//! What can be looked up, for what purposes, from whom: public, about nobody.

use axum::{Json, extract::State};
use domain::{
    kind::{FieldType, LoadedKind},
    words::Bilingual,
};
use serde::Serialize;
use utoipa::ToSchema;

use super::{Path, Problem, Shared, lookups::TextBody, problem::ProblemBody};
use crate::{app::Lang, error::Error};

/// A record kind.
#[derive(Serialize, ToSchema)]
pub struct KindBody {
    id: String,
    version: u32,
    name: TextBody,
    about: TextBody,
    modes: Vec<&'static str>,
    level: &'static str,
    purposes: Vec<String>,
    freshness: &'static str,
    key: Vec<PartBody>,
    fields: Vec<PartBody>,
    claims: Vec<PartBody>,
    predicates: Vec<PredicateBody>,
    parts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<TextBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<TextBody>,
}

/// A field, key part or claim.
#[derive(Serialize, ToSchema)]
pub struct PartBody {
    id: String,
    name: TextBody,
    #[serde(rename = "type")]
    of_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    codes: Vec<CodeBody>,
}

/// One code of a code list.
#[derive(Serialize, ToSchema)]
pub struct CodeBody {
    code: String,
    name: TextBody,
}

/// A named rule.
#[derive(Serialize, ToSchema)]
pub struct PredicateBody {
    id: String,
    name: TextBody,
}

pub(super) fn text(b: &Bilingual) -> TextBody {
    TextBody {
        zh: b.zh.clone(),
        en: b.en.clone(),
    }
}

fn part(id: &str, name: &Bilingual, of_type: &FieldType, classification: Option<&'static str>) -> PartBody {
    let codes = match of_type {
        FieldType::Code { codes } => codes
            .iter()
            .map(|(code, name)| CodeBody {
                code: code.clone(),
                name: text(name),
            })
            .collect(),
        _ => vec![],
    };
    PartBody {
        id: id.to_owned(),
        name: text(name),
        of_type: of_type.word(),
        classification,
        codes,
    }
}

impl KindBody {
    fn of(loaded: &LoadedKind) -> Self {
        let k = &loaded.kind;
        KindBody {
            id: k.id.clone(),
            version: k.version,
            name: text(&k.name),
            about: text(&k.about),
            modes: k.modes.iter().map(|m| m.code()).collect(),
            level: k.level.code(),
            purposes: k.purposes.clone(),
            freshness: k.freshness.code(),
            key: k
                .key
                .iter()
                .map(|p| part(&p.id, &p.name, &p.of_type, None))
                .collect(),
            fields: k
                .disclosable()
                .map(|f| part(&f.id, &f.name, &f.of_type, Some(f.classification.code())))
                .collect(),
            claims: k
                .claims
                .iter()
                .map(|c| part(&c.id, &c.name, &c.of_type, None))
                .collect(),
            predicates: k
                .predicates
                .iter()
                .map(|p| PredicateBody {
                    id: p.id.clone(),
                    name: text(&p.name),
                })
                .collect(),
            parts: k.parts.clone(),
            statement: k.statement.as_ref().map(text),
            mark: k.mark.as_ref().map(text),
        }
    }
}

/// All record kinds, in the order in which people see them.
#[utoipa::path(get, path = "/v1/kinds", responses((status = 200, body = Vec<KindBody>)), tag = "catalogue")]
pub async fn kinds(State(app): Shared) -> Json<Vec<KindBody>> {
    Json(
        app.kinds
            .in_order()
            .into_iter()
            .map(|k| KindBody::of(k))
            .collect(),
    )
}

/// The exact notice of a kind for a purpose.
#[derive(Serialize, ToSchema)]
pub struct NoticeBody {
    text: String,
    /// SHA-256 of the text, hexadecimal: what is sealed with each look-up.
    hash: String,
}

/// The notice that is shown before a look-up, in Chinese.
#[utoipa::path(get, path = "/v1/kinds/{kind}/notices/{purpose}", params(("kind" = String, Path), ("purpose" = String, Path)), responses((status = 200, body = NoticeBody), (status = 404, body = ProblemBody)), tag = "catalogue")]
pub async fn notice(
    State(app): Shared,
    Path((kind, purpose)): Path<(String, String)>,
) -> Result<Json<NoticeBody>, Problem> {
    let loaded = app
        .kinds
        .get(&kind)
        .filter(|k| k.kind.purposes.contains(&purpose))
        .ok_or(Error::NotFound)?;
    let shown = app.notice(loaded, &purpose, Lang::Zh).ok_or(Error::NotFound)?;
    Ok(Json(NoticeBody {
        text: shown.text.clone(),
        hash: crate::app::hex(&shown.hash),
    }))
}
