//! The pieces all C2SP texts share: base64 and decimal numbers, each in its one canonical form.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

/// Standard base64 with padding (RFC 4648, section 4), as in all C2SP texts.
pub(crate) fn encode_base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Appends standard base64 with padding.
pub(crate) fn push_base64(bytes: &[u8], text: &mut String) {
    STANDARD.encode_string(bytes, text);
}

/// Reads standard base64; refuses missing padding, line breaks and stray last bits.
pub(crate) fn decode_base64(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

/// Appends base64 for URLs without padding (RFC 4648, section 5), as in receipts.
pub(crate) fn push_base64url(bytes: &[u8], text: &mut String) {
    URL_SAFE_NO_PAD.encode_string(bytes, text);
}

/// Reads base64 for URLs; refuses padding and stray last bits.
pub(crate) fn decode_base64url(text: &str) -> Option<Vec<u8>> {
    URL_SAFE_NO_PAD.decode(text).ok()
}

/// Reads an ASCII decimal number without sign and without additional leading zeros.
pub(crate) fn decimal(text: &str) -> Option<u64> {
    let canonical = text.bytes().all(|byte| byte.is_ascii_digit()) && (text == "0" || !text.starts_with('0'));
    if canonical { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_decimal_number_has_one_form() {
        assert_eq!(decimal("0"), Some(0));
        assert_eq!(decimal("18446744073709551615"), Some(u64::MAX));
        for bad in [
            "",
            "00",
            "01",
            "+1",
            "-1",
            " 1",
            "1 ",
            "0x1",
            "１",
            "18446744073709551616",
        ] {
            assert_eq!(decimal(bad), None, "{bad}");
        }
    }

    #[test]
    fn stray_bits_and_padding_are_refused() {
        assert_eq!(decode_base64("AA=="), Some(vec![0]));
        assert_eq!(decode_base64url("AA"), Some(vec![0]));
        for bad in ["AB==", "AA", "AA=", "AA==\n", "A A=="] {
            assert_eq!(decode_base64(bad), None, "{bad}");
        }
        for bad in ["AB", "AA==", "A", "AA\n", "A+"] {
            assert_eq!(decode_base64url(bad), None, "{bad}");
        }
    }
}
