//! Bugs planted on purpose, so that the rigs which must find them can be tested. Compiled with the feature `planted`
//! alone; the variable `MINGCHA_PLANTED` names the bug that acts.

/// The named bug acts in this process. `leaks` names all whose names begin with `leak-`.
#[must_use]
pub fn acts(bug: &str) -> bool {
    let all = |named: &str| named == "leaks" && bug.starts_with("leak-");
    std::env::var("MINGCHA_PLANTED").is_ok_and(|named| named == bug || all(&named))
}
