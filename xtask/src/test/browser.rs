//! The portal in a real browser: the journey of a person, and what every page promises.

use super::tally::Tally;
use crate::browser;

/// Runs it.
///
/// # Errors
/// The packages cannot be fetched, or the demo does not start.
pub(crate) fn run(tally: &mut Tally) -> Result<(), String> {
    let (told, content) = browser::drive("portal.spec.mjs", &[])?;
    let count = |key: &str| told.as_ref().and_then(|t| t[key].as_u64()).unwrap_or_default();
    let (checked, failed) = (count("checked"), count("failed"));
    // What did not come to its end told no count; and nothing checked is nothing passed.
    let unknown = u64::from((!content || checked == 0) && failed == 0);
    tally.count("pages and journeys in a browser", checked, failed + unknown);
    Ok(())
}
