//! Reads files of rules and refuses what a reader or an auditor could not rely on.

use std::{collections::BTreeMap, fmt, str::FromStr};

use cedar_policy::{
    AuthorizationError, Effect, ParseErrors, PolicyId, PolicySet, ResourceConstraint, Schema, ValidationMode,
    Validator,
};
use domain::kind::Catalogue;
use miette::Diagnostic as _;
use thiserror::Error;

/// The longest file of rules, in bytes. The base rules have about 4,000.
const MAX_FILE: usize = 64 * 1024;

/// How many rules all files may hold together; every question that is new walks through all of them.
const MAX_RULES: usize = 512;

/// One file of rules.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RuleFile {
    /// Its name, as errors repeat it.
    pub name: String,
    /// Its text, in Cedar.
    pub text: String,
}

impl RuleFile {
    /// Both given.
    #[must_use]
    pub fn new(name: &str, text: &str) -> Self {
        RuleFile {
            name: name.to_owned(),
            text: text.to_owned(),
        }
    }
}

/// One rule in force.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rule {
    /// Its `@id`; before it stands the kind's id or the operator's file and a colon, unless it is a base rule.
    pub name: String,
    /// It forbids; otherwise it permits.
    pub forbids: bool,
    /// Its `@reason`, for people.
    pub reason: String,
    file: String,
}

/// Why a set of rules cannot be used.
#[derive(Debug, Error, Clone, PartialEq, Eq)]
pub struct PolicyError {
    /// The file.
    pub file: String,
    /// The rule by `@id`, or by its place in the file where it has none.
    pub rule: Option<String>,
    /// What is wrong and what to write instead.
    pub problem: String,
}

impl PolicyError {
    pub(crate) fn new(file: &str, rule: Option<&str>, problem: impl Into<String>) -> Self {
        PolicyError {
            file: file.to_owned(),
            rule: rule.map(str::to_owned),
            problem: problem.into(),
        }
    }
}

impl fmt::Display for PolicyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.rule {
            Some(rule) => write!(f, "{}: rule {rule}: {}", self.file, self.problem),
            None => write!(f, "{}: {}", self.file, self.problem),
        }
    }
}

/// Who wrote a file, and therefore what its rules may do.
#[derive(Clone, Copy)]
enum Author<'a> {
    Base,
    Kind(&'a str),
    Operator,
}

/// All rules as one validated set, and their list by name.
pub(crate) fn read(
    schema: &Schema,
    base: &[RuleFile],
    kinds: &Catalogue,
    operator: &[RuleFile],
) -> Result<(PolicySet, Vec<Rule>), PolicyError> {
    let mut set = PolicySet::new();
    let mut listed = BTreeMap::new();
    for file in base {
        read_file(Author::Base, file, kinds, &mut set, &mut listed)?;
    }
    for loaded in kinds.in_order() {
        if let Some(text) = &loaded.rules {
            let id = &loaded.kind.id;
            let file = RuleFile::new(&format!("{id}/rules.cedar"), text);
            read_file(Author::Kind(id), &file, kinds, &mut set, &mut listed)?;
        }
    }
    for file in operator {
        read_file(Author::Operator, file, kinds, &mut set, &mut listed)?;
    }
    validate(schema, &set, &listed)?;
    Ok((set, listed.into_values().collect()))
}

fn read_file(
    author: Author<'_>,
    file: &RuleFile,
    kinds: &Catalogue,
    set: &mut PolicySet,
    listed: &mut BTreeMap<String, Rule>,
) -> Result<(), PolicyError> {
    let wrong = |problem: String| PolicyError::new(&file.name, None, problem);
    if file.text.len() > MAX_FILE {
        return Err(wrong(format!(
            "{} bytes, at most {MAX_FILE} are allowed",
            file.text.len()
        )));
    }
    let parsed = PolicySet::from_str(&file.text).map_err(|e| wrong(syntax(&file.text, &e)))?;
    if parsed.num_of_templates() > 0 {
        return Err(wrong(
            "a slot such as ?principal has nothing to fill it; name the entity".into(),
        ));
    }
    let mut policies: Vec<_> = parsed.policies().collect();
    policies.sort_by_key(|p| place(p.id()));
    for policy in policies {
        let rule = check(author, file, kinds, policy)?;
        let renamed = policy.new_id(PolicyId::new(&rule.name));
        let named = |problem: &str| PolicyError::new(&file.name, Some(id(&rule.name)), problem);
        set.add(renamed)
            .map_err(|_| named("another rule has this @id; choose one of its own"))?;
        if set.num_of_policies() > MAX_RULES {
            return Err(named(&format!(
                "at most {MAX_RULES} rules are allowed in all files together"
            )));
        }
        listed.insert(rule.name.clone(), rule);
    }
    Ok(())
}

/// The parser names rules `policy0`, `policy1`, ... in the order of the file.
fn place(id: &PolicyId) -> usize {
    let id: &str = id.as_ref();
    id.trim_start_matches("policy").parse().unwrap_or(usize::MAX)
}

fn check(
    author: Author<'_>,
    file: &RuleFile,
    kinds: &Catalogue,
    policy: &cedar_policy::Policy,
) -> Result<Rule, PolicyError> {
    let place = format!("number {}", place(policy.id()).saturating_add(1));
    let id = policy
        .annotation("id")
        .filter(|id| is_rule_id(id))
        .ok_or_else(|| {
            let problem = "needs an @id(\"...\") of lower-case words joined by hyphens";
            PolicyError::new(&file.name, Some(&place), problem)
        })?;
    let wrong = |problem: String| PolicyError::new(&file.name, Some(id), problem);
    let reason = policy
        .annotation("reason")
        .map(str::trim)
        .filter(|r| !r.is_empty());
    let reason = reason.ok_or_else(|| wrong("needs a @reason(\"...\") that people can read".into()))?;
    if let Some((name, _)) = policy
        .annotations()
        .find(|(name, _)| !matches!(*name, "id" | "reason"))
    {
        return Err(wrong(format!(
            "@{name} means nothing here; a rule has @id and @reason"
        )));
    }
    if !matches!(author, Author::Base) && policy.effect() == Effect::Permit {
        return Err(wrong(
            "permits; a kind's or an operator's rule may only forbid".into(),
        ));
    }
    for entity in policy.entity_literals() {
        let kind: &str = entity.id().as_ref();
        if entity.type_name().to_string() == "Kind" && kinds.get(kind).is_none() {
            return Err(wrong(format!("there is no record kind \"{kind}\"")));
        }
    }
    let name = match author {
        Author::Base => id.to_owned(),
        Author::Operator => format!("{}:{id}", file.name),
        Author::Kind(kind) => {
            let ours = matches!(policy.resource_constraint(),
                ResourceConstraint::Eq(uid) if AsRef::<str>::as_ref(uid.id()) == kind);
            if !ours {
                return Err(wrong(format!(
                    "a kind's rule speaks of itself: resource == Kind::\"{kind}\""
                )));
            }
            format!("{kind}:{id}")
        }
    };
    let forbids = policy.effect() == Effect::Forbid;
    Ok(Rule {
        name,
        forbids,
        reason: reason.to_owned(),
        file: file.name.clone(),
    })
}

/// Warnings refuse too: a rule that can never apply, or that mixes look-alike letters, is not what its author
/// thinks it is.
fn validate(schema: &Schema, set: &PolicySet, listed: &BTreeMap<String, Rule>) -> Result<(), PolicyError> {
    let result = Validator::new(schema.clone()).validate(set, ValidationMode::Strict);
    // The validator gives them in no order; whoever repairs them one by one needs one.
    let mut errors: Vec<_> = result
        .validation_errors()
        .map(|e| (e.policy_id().to_string(), e.to_string()))
        .collect();
    let mut warnings: Vec<_> = result
        .validation_warnings()
        .map(|w| (w.policy_id().to_string(), w.to_string()))
        .collect();
    errors.sort();
    warnings.sort();
    let Some((name, problem)) = errors.into_iter().chain(warnings).next() else {
        return Ok(());
    };
    let file = listed.get(&name).map_or("", |rule| &rule.file);
    let prefix = format!("for policy `{name}`");
    let problem = problem
        .strip_prefix(&prefix)
        .unwrap_or(&problem)
        .trim_start_matches([',', ':', ' ']);
    Err(PolicyError::new(file, Some(id(&name)), problem))
}

/// Cedar's message, after the line it is about where that is known.
fn syntax(text: &str, errors: &ParseErrors) -> String {
    let offset = errors
        .labels()
        .and_then(|mut labels| labels.next())
        .map(|label| label.offset());
    match offset.and_then(|offset| text.get(..offset)) {
        Some(before) => format!("line {}: {errors}", before.matches('\n').count() + 1),
        None => errors.to_string(),
    }
}

/// The `@id` within a rule's name; it holds no colon.
fn id(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn is_rule_id(id: &str) -> bool {
    let word = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    id.len() <= 64 && id.starts_with(|c: char| c.is_ascii_lowercase()) && id.split('-').all(word)
}

/// The name of the rule that could not be evaluated; the message may repeat values and is dropped.
pub(crate) fn failed_rule(error: &AuthorizationError) -> String {
    match error {
        AuthorizationError::PolicyEvaluationError(e) => e.policy_id().to_string(),
    }
}
