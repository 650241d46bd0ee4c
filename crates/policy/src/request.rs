//! A question in the words of the schema. It is built from values, never from text, so nothing can be misread.

use std::str::FromStr;

use cedar_policy::{
    Context, Entities, Entity, EntityId, EntityTypeName, EntityUid, Request, RestrictedExpression, Schema,
};
use domain::{
    decision::Question,
    kind::{Catalogue, Kind},
    words::Level,
};

use crate::PolicyError;

/// The entity types of the schema.
pub(crate) struct Words {
    action: EntityTypeName,
    basis: EntityTypeName,
    classification: EntityTypeName,
    describes: EntityTypeName,
    kind: EntityTypeName,
    mode: EntityTypeName,
    relation: EntityTypeName,
    role: EntityTypeName,
}

impl Words {
    /// # Errors
    /// Never, while the names below are Cedar identifiers.
    pub(crate) fn new() -> Result<Self, PolicyError> {
        let word = |name: &str| {
            EntityTypeName::from_str(name)
                .map_err(|e| PolicyError::new("schema.cedarschema", None, e.to_string()))
        };
        Ok(Words {
            action: word("Action")?,
            basis: word("Basis")?,
            classification: word("Classification")?,
            describes: word("Describes")?,
            kind: word("Kind")?,
            mode: word("Mode")?,
            relation: word("Relation")?,
            role: word("Role")?,
        })
    }

    /// The kinds as the rules see them: in the groups of their modes, tagged with their purposes' levels.
    pub(crate) fn kinds(&self, catalogue: &Catalogue, schema: &Schema) -> Result<Entities, PolicyError> {
        let mut entities = Vec::new();
        for loaded in catalogue.in_order() {
            let entity = self
                .kind(&loaded.kind)
                .map_err(|e| wrong_kind(&loaded.kind.id, e))?;
            entities.push(entity);
        }
        Entities::from_entities(entities, Some(schema)).map_err(|e| wrong_kind("all kinds", e.to_string()))
    }

    fn kind(&self, kind: &Kind) -> Result<Entity, String> {
        let modes = kind.modes.iter().map(|m| uid(&self.mode, m.code()));
        let tags = kind
            .purposes
            .iter()
            .map(|p| (p.clone(), number(kind.level_for(p))));
        Entity::new_with_tags(uid(&self.kind, &kind.id), [], modes, tags).map_err(|e| e.to_string())
    }

    /// The question as Cedar's request; `None` where a word is not in the schema.
    pub(crate) fn request(&self, question: &Question, schema: &Schema) -> Option<Request> {
        let word = |of: &EntityTypeName, code: &str| RestrictedExpression::new_entity_uid(uid(of, code));
        let context = Context::from_pairs([
            (
                "relation".to_owned(),
                word(&self.relation, question.relation.code()),
            ),
            ("level".to_owned(), number(question.level)),
            ("needed".to_owned(), number(question.needed)),
            (
                "classification".to_owned(),
                word(&self.classification, question.classification.code()),
            ),
            (
                "describes".to_owned(),
                word(&self.describes, question.describes.code()),
            ),
            (
                "reveal".to_owned(),
                RestrictedExpression::new_bool(question.reveal),
            ),
            (
                "purpose".to_owned(),
                RestrictedExpression::new_string(question.purpose.to_string()),
            ),
            ("basis".to_owned(), word(&self.basis, question.basis.code())),
        ]);
        Request::new(
            uid(&self.role, question.role.code()),
            uid(&self.action, question.mode.code()),
            uid(&self.kind, &question.kind),
            context.ok()?,
            Some(schema),
        )
        .ok()
    }
}

fn wrong_kind(id: &str, problem: String) -> PolicyError {
    PolicyError::new(&format!("{id}/kind.toml"), None, problem)
}

fn uid(of: &EntityTypeName, code: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(of.clone(), EntityId::new(code))
}

/// Levels are numbers in the rules, so that they can be compared.
fn number(level: Level) -> RestrictedExpression {
    RestrictedExpression::new_long(match level {
        Level::L1 => 1,
        Level::L2 => 2,
        Level::L3 => 3,
    })
}
