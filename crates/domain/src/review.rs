//! Record review (档案复核): what a person asks the record holder to look at again, and what becomes of it.

use crate::{identifiers::is_invisible, ids::ReviewId, outcome::Outcome, words::vocabulary};

/// The longest text of a review, in characters.
pub const MAX_TEXT: usize = 1000;
/// How many pictures one may have.
pub const MAX_PICTURES: usize = 3;

vocabulary! {
    /// How far a review has come. It only goes forward.
    ReviewState {
        /// Sealed, and on its way to the source; sent again until the source takes it.
        Submitted = "submitted",
        /// The source has taken it and given it a number.
        Received = "received",
        /// The source has answered; the look-up is to be repeated.
        Answered = "answered",
        /// Nothing follows any more: the look-up was repeated, or the source refused it, or could not be reached.
        Closed = "closed",
    }
}

vocabulary! {
    /// What a source says to a review that is handed in.
    Submission {
        /// It is taken, or was taken before under the same number.
        Accepted = "accepted",
        /// It is not taken, and will not be.
        Refused = "refused",
        /// The source is closed for maintenance.
        Maintenance = "maintenance",
        /// The source has no place left.
        Overloaded = "overloaded",
    }
}

vocabulary! {
    /// What a source says when it is asked how far a review is.
    Progress {
        /// Not decided yet.
        Pending = "pending",
        /// The record was wrong and is mended.
        Corrected = "corrected",
        /// The record stays as it is.
        Upheld = "upheld",
        /// The source is closed for maintenance.
        Maintenance = "maintenance",
        /// The source has no place left.
        Overloaded = "overloaded",
    }
}

vocabulary! {
    /// How a review ended.
    ReviewResult {
        /// The source mended the record.
        Corrected = "corrected",
        /// The source says that the record is right.
        Upheld = "upheld",
        /// The source did not take it.
        Refused = "refused",
        /// The source could not be reached for too long.
        Undelivered = "undelivered",
        /// The source took it and never answered.
        Unanswered = "unanswered",
    }
}

/// Whether a review can follow from such an answer: the record that was found may be wrong, and the others say that
/// the register and the person do not agree. A failure says nothing about the record, and calls for another try.
#[must_use]
pub fn may_follow(outcome: Outcome) -> bool {
    matches!(
        outcome,
        Outcome::Found
            | Outcome::NotFound
            | Outcome::NotFiledYet
            | Outcome::DocumentExpired
            | Outcome::Ambiguous
            | Outcome::Mismatch
    )
}

/// A review's text as it is kept and sent: line ends made alike, what nobody sees left out, nothing around it; `None`
/// where nothing is left, it is longer than [`MAX_TEXT`], or holds control characters.
#[must_use]
pub fn text(typed: &str) -> Option<String> {
    let text = typed
        .replace("\r\n", "\n")
        .replace(['\r', '\u{2028}', '\u{2029}'], "\n");
    let control = |c: char| c.is_control() && c != '\n' && c != '\t';
    if text.contains(control) {
        return None;
    }
    let text: String = text
        .chars()
        .filter(|c| c.is_control() || !is_invisible(*c))
        .collect();
    let text = text.trim();
    let fits = !text.is_empty() && text.chars().count() <= MAX_TEXT;
    fits.then(|| text.to_owned())
}

/// A review's number for people and for the source: `FH` and twelve characters of the id, without look-alikes, so
/// that it can be read out. The same review always has the same number, by which a source knows a repetition.
#[must_use]
pub fn number(id: ReviewId) -> String {
    // Crockford's base 32: no I, L, O or U.
    const LETTERS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    // The last 62 bits of a UUID of version 7 are random (RFC 9562, 5.7); these are 60 of them.
    let bits = id.0.as_u128();
    let letter = |place: u32| char::from(LETTERS[(bits >> (5 * place)) as usize & 31]);
    let letters = (0..12).rev().map(letter);
    let mut number = String::from("FH");
    for (at, letter) in letters.enumerate() {
        if at % 4 == 0 {
            number.push('-');
        }
        number.push(letter);
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_bounded_and_clean() {
        assert_eq!(
            text("  一\r\n二\r三\u{2028}四 \n").as_deref(),
            Some("一\n二\n三\n四")
        );
        let full = "字".repeat(MAX_TEXT);
        assert_eq!(text(&full).as_deref(), Some(full.as_str()));
        for wrong in ["", " \n\t ", "a\0b", "a\u{1b}[31m", &"字".repeat(MAX_TEXT + 1)] {
            assert_eq!(text(wrong), None);
        }
        for unseen in "\u{ad}\u{61c}\u{200e}\u{202e}\u{2067}\u{e0041}".chars() {
            let seen = text(&format!("{unseen}记录{unseen}有误"));
            assert_eq!(seen.as_deref(), Some("记录有误"), "{unseen:?}");
            assert_eq!(text(&unseen.to_string()), None);
        }
    }

    #[test]
    fn a_number_can_be_read_out_and_is_always_the_same() {
        let id = ReviewId::parse("019abc00-0000-7000-8123-456789abcdef").unwrap();
        assert_eq!(number(id), "FH-28T5-CY4T-QKFF");
        let other = ReviewId::parse("019abc00-0000-7000-8123-456789abcdee").unwrap();
        assert_ne!(number(id), number(other));
    }

    #[test]
    fn a_failure_calls_for_another_try_and_not_for_a_review() {
        for outcome in Outcome::ALL {
            assert!(!(may_follow(*outcome) && outcome.is_failure()), "{outcome}");
        }
    }
}
