//! Bugs planted on purpose, so that the rigs which must find them can be tested. Compiled with the feature `planted`
//! alone; the variable `MINGCHA_PLANTED` names the bug that acts.

/// The named bug acts in this process.
#[must_use]
pub fn acts(bug: &str) -> bool {
    std::env::var("MINGCHA_PLANTED").is_ok_and(|named| named == bug)
}
