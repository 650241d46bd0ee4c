//! What can be looked up, for what purposes, from whom: public, about nobody.

use axum::{Json, extract::State};
use domain::{
    kind::{Claim, FieldType, LoadedKind},
    words::Bilingual,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{Asking, Path, Problem, Query, Shared, lookups::TextBody, problem::ProblemBody};
use crate::{app::Lang, error::Error, notices::ShownNotice};

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
    key: Vec<KindPartBody>,
    fields: Vec<KindPartBody>,
    claims: Vec<KindPartBody>,
    predicates: Vec<PredicateBody>,
    parts: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    statement: Option<TextBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mark: Option<TextBody>,
}

/// A field, key part or claim.
#[derive(Serialize, ToSchema)]
pub struct KindPartBody {
    id: String,
    name: TextBody,
    #[serde(rename = "type")]
    of_type: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    classification: Option<&'static str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    codes: Vec<CodeBody>,
    /// Of a claim: the purposes for which it may be made. Absent where it may be made for each of the kind's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    purposes: Vec<String>,
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

fn part(
    id: &str,
    name: &Bilingual,
    of_type: &FieldType,
    classification: Option<&'static str>,
) -> KindPartBody {
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
    KindPartBody {
        id: id.to_owned(),
        name: text(name),
        of_type: of_type.word(),
        classification,
        codes,
        purposes: vec![],
    }
}

fn claim(claim: &Claim) -> KindPartBody {
    KindPartBody {
        purposes: claim.purposes.clone(),
        ..part(&claim.id, &claim.name, &claim.of_type, None)
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
            claims: k.claims.iter().map(claim).collect(),
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

/// An exact text that is shown before something is asked.
#[derive(Serialize, ToSchema)]
pub struct NoticeBody {
    text: String,
    /// `zh` or `en`.
    lang: &'static str,
    /// SHA-256 of the text, hexadecimal: what is sealed.
    hash: String,
}

impl NoticeBody {
    pub(super) fn of(shown: &ShownNotice, lang: Lang) -> Self {
        NoticeBody {
            text: shown.text.clone(),
            lang: lang.code(),
            hash: shown.hash_text(),
        }
    }
}

/// In which language.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct LangQuery {
    /// `zh` or `en`; by the header `accept-language` where absent.
    #[serde(default)]
    #[param(value_type = Option<String>)]
    lang: Option<Lang>,
}

impl LangQuery {
    pub(super) fn or_accepted(&self, asking: &Asking) -> Lang {
        self.lang.unwrap_or(asking.lang)
    }
}

/// The notice that is shown before a look-up. Its hash is sealed with each look-up that is asked under the same
/// `accept-language`.
#[utoipa::path(get, path = "/v1/kinds/{kind}/notices/{purpose}", params(("kind" = String, Path), ("purpose" = String, Path), LangQuery), responses((status = 200, body = NoticeBody), (status = 404, body = ProblemBody)), tag = "catalogue")]
pub async fn notice(
    State(app): Shared,
    asking: Asking,
    Query(query): Query<LangQuery>,
    Path((kind, purpose)): Path<(String, String)>,
) -> Result<Json<NoticeBody>, Problem> {
    let loaded = app
        .kinds
        .get(&kind)
        .filter(|k| k.kind.purposes.contains(&purpose))
        .ok_or(Error::NotFound)?;
    let lang = query.or_accepted(&asking);
    let shown = app.notice(loaded, &purpose, lang).ok_or(Error::NotFound)?;
    Ok(Json(NoticeBody::of(shown, lang)))
}
