//! The written policy: Cedar behind one function. Nothing outside this crate knows Cedar.
//!
//! The base rules stand in `/policies`, are embedded, and are validated against a strict schema when the policy is
//! made; record kinds and the operator may add rules that forbid, never one that permits. [`Policy::decide`] is a
//! pure function of its [`Question`], so an answer is kept and used again.

mod request;
mod rules;

use std::{
    num::NonZeroUsize,
    sync::{Mutex, MutexGuard, PoisonError},
};

use cedar_policy::{Authorizer, Entities, PolicySet, Schema};
use domain::{
    decision::{Decision, Question},
    kind::Catalogue,
};
use lru::LruCache;
use sha2::{Digest, Sha256};

pub use rules::{PolicyError, Rule, RuleFile};

/// Stands in a [`Decision::Forbid`] when no rule forbids and none permits.
pub const NOTHING_PERMITS: &str = "(nothing-permits)";

/// Stands in a [`Decision::Forbid`] when the rules could not be evaluated: whatever goes wrong is a refusal.
pub const DIAGNOSTIC: &str = "(diagnostic)";

/// How many answers are kept. Eight kinds asked in their lawful ways are a few hundred questions; at about 300
/// bytes each this is 5 MB at most.
// INVARIANT: not zero, or it does not compile.
const KEPT_ANSWERS: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// The words of the rules, see `/policies/schema.cedarschema`.
const SCHEMA: &str = include_str!("../../../policies/schema.cedarschema");

/// The base rules, as embedded.
#[must_use]
pub fn base_rules() -> Vec<RuleFile> {
    [
        ("floors.cedar", include_str!("../../../policies/floors.cedar")),
        ("permits.cedar", include_str!("../../../policies/permits.cedar")),
    ]
    .map(|(name, text)| RuleFile::new(name, text))
    .to_vec()
}

/// All rules of a deployment, parsed and validated once, and the answers that they gave.
pub struct Policy {
    schema: Schema,
    rules: PolicySet,
    listed: Vec<Rule>,
    kinds: Entities,
    authorizer: Authorizer,
    words: request::Words,
    answers: Mutex<LruCache<Question, Decision>>,
    version: [u8; 32],
}

impl Policy {
    /// The base rules, each kind's `rules.cedar` and the operator's files.
    ///
    /// # Errors
    /// Names the file and the rule that does not parse or validate, permits where it may only forbid, lacks `@id`
    /// or `@reason`, or speaks of a kind that does not exist (a kind's own rules: of another kind).
    pub fn new(kinds: &Catalogue, operator: &[RuleFile]) -> Result<Policy, PolicyError> {
        Self::with_base(&base_rules(), kinds, operator)
    }

    /// As [`Policy::new`], on other base rules than the embedded ones. It is for rigs that plant a bug in the
    /// rules and must see it found; the program never calls it.
    ///
    /// # Errors
    /// As [`Policy::new`].
    pub fn with_base(
        base: &[RuleFile],
        kinds: &Catalogue,
        operator: &[RuleFile],
    ) -> Result<Policy, PolicyError> {
        let (schema, _) = Schema::from_cedarschema_str(SCHEMA)
            .map_err(|e| PolicyError::new("schema.cedarschema", None, e.to_string()))?;
        let words = request::Words::new()?;
        let (rules, listed) = rules::read(&schema, base, kinds, operator)?;
        Ok(Policy {
            kinds: words.kinds(kinds, &schema)?,
            schema,
            rules,
            listed,
            authorizer: Authorizer::new(),
            words,
            answers: Mutex::new(LruCache::new(KEPT_ANSWERS)),
            version: version(base, kinds, operator),
        })
    }

    /// SHA-256 over the schema, every file of rules by origin and name, and the digest of all kinds. It is sealed
    /// with each decision: the same version and question give the same answer.
    #[must_use]
    pub fn version(&self) -> [u8; 32] {
        self.version
    }

    /// Every rule in force, by name.
    #[must_use]
    pub fn rules(&self) -> &[Rule] {
        &self.listed
    }

    /// Answers the question. A refusal names, in order, every rule that forbids; or [`NOTHING_PERMITS`]; or
    /// [`DIAGNOSTIC`] and the rules that failed.
    #[must_use]
    pub fn decide(&self, question: &Question) -> Decision {
        if let Some(kept) = self.answers().get(question) {
            return kept.clone();
        }
        // Without the lock, so that nobody waits; whoever asks the same meanwhile gets the same answer.
        let decision = self.evaluate(question);
        self.answers().put(question.clone(), decision.clone());
        decision
    }

    fn answers(&self) -> MutexGuard<'_, LruCache<Question, Decision>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers without looking at what is kept; about 50 µs.
    fn evaluate(&self, question: &Question) -> Decision {
        let Some(request) = self.words.request(question, &self.schema) else {
            return Decision::Forbid(vec![DIAGNOSTIC.to_owned()]);
        };
        let response = self.authorizer.is_authorized(&request, &self.rules, &self.kinds);
        let diagnostics = response.diagnostics();
        // A rule that fails is skipped by Cedar, be it one that forbids: so a failure must refuse by itself.
        let mut failed: Vec<String> = diagnostics.errors().map(rules::failed_rule).collect();
        if !failed.is_empty() {
            failed.sort();
            failed.insert(0, DIAGNOSTIC.to_owned());
            return Decision::Forbid(failed);
        }
        if response.decision() == cedar_policy::Decision::Allow {
            return Decision::Permit;
        }
        let mut names: Vec<String> = diagnostics.reason().map(ToString::to_string).collect();
        names.sort();
        if names.is_empty() {
            names.push(NOTHING_PERMITS.to_owned());
        }
        Decision::Forbid(names)
    }
}

/// Lengths stand before the parts, so that no text can pass for the end of one and the start of another. The
/// kinds' own rules are in the catalogue's digest.
fn version(base: &[RuleFile], kinds: &Catalogue, operator: &[RuleFile]) -> [u8; 32] {
    let mut hash = Sha256::new();
    let mut put = |bytes: &[u8]| {
        hash.update(u64::try_from(bytes.len()).unwrap_or(u64::MAX).to_be_bytes());
        hash.update(bytes);
    };
    put(b"mingcha-policy-v1");
    put(SCHEMA.as_bytes());
    for (origin, files) in [("base", base), ("operator", operator)] {
        let mut files: Vec<_> = files.iter().collect();
        files.sort();
        for file in files {
            put(origin.as_bytes());
            put(file.name.as_bytes());
            put(file.text.as_bytes());
        }
    }
    put(&kinds.digest());
    hash.finalize().into()
}
