//! The one form of a receipt: a fixed JSON text with four gaps, written and read by hand.
//!
//! So there are no unknown members, no other order, no other escapes to think about.

use super::{MAX_RECEIPT_BYTES, ReceiptError};
use crate::leaf::{Commitment, Salt};
use crate::text;
use std::fmt;

/// What stands before each of the gaps, and after the last.
const BEFORE_SHARED: &str = r#"{"format":"mingcha-receipt-v1","shared":""#;
const BEFORE_SALT: &str = r#"","shared_salt":""#;
const BEFORE_CHAIN: &str = r#"","chain_commitment":""#;
const BEFORE_PROOF: &str = r#"","proof":""#;
const END: &str = r#""}"#;

/// A receipt that nobody has verified yet.
#[derive(Clone)]
pub struct Receipt {
    /// The shared opening's bytes, verbatim.
    pub shared: Vec<u8>,
    /// The salt of the shared opening's commitment.
    pub shared_salt: Salt,
    /// The commitment to the chain opening, which stays hidden.
    pub chain: Commitment,
    /// The tlog-proof, verbatim.
    pub proof: String,
}

impl fmt::Debug for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Receipt(redacted)")
    }
}

impl Receipt {
    /// Writes the receipt in its only form.
    pub fn to_json(&self) -> String {
        let length = self.shared.len() / 3 * 4 + self.proof.len() + self.proof.len() / 32 + 256;
        let mut json = String::with_capacity(length);
        json.push_str(BEFORE_SHARED);
        text::push_base64url(&self.shared, &mut json);
        json.push_str(BEFORE_SALT);
        text::push_base64url(self.shared_salt.expose(), &mut json);
        json.push_str(BEFORE_CHAIN);
        text::push_base64url(&self.chain.0, &mut json);
        json.push_str(BEFORE_PROOF);
        let mut rest = self.proof.as_str();
        // A tlog-proof has no other control character than the newline.
        while let Some(at) = rest.find(['\n', '"', '\\']) {
            json.push_str(&rest[..at]);
            json.push_str(match rest.as_bytes()[at] {
                b'\n' => "\\n",
                b'"' => "\\\"",
                _ => "\\\\",
            });
            rest = &rest[at + 1..];
        }
        json.push_str(rest);
        json.push_str(END);
        json
    }

    /// Reads a receipt. What is read is written again to the same bytes; anything else is refused.
    pub fn parse(bytes: &[u8]) -> Result<Receipt, ReceiptError> {
        if bytes.len() > MAX_RECEIPT_BYTES {
            return Err(ReceiptError::TooLong);
        }
        let json = std::str::from_utf8(bytes).map_err(|error| ReceiptError::NotCanonical {
            at: error.valid_up_to(),
        })?;
        let mut gaps = Gaps { json, at: 0 };
        let shared = gaps.next(BEFORE_SHARED, decoded)?;
        let shared_salt = gaps.next(BEFORE_SALT, decoded_hash).map(Salt::new)?;
        let chain = gaps.next(BEFORE_CHAIN, decoded_hash).map(Commitment)?;
        let proof = gaps.next(BEFORE_PROOF, unescaped)?;
        gaps.end()?;
        Ok(Receipt {
            shared,
            shared_salt,
            chain,
            proof,
        })
    }
}

/// Walks over the fixed parts of a receipt.
struct Gaps<'a> {
    json: &'a str,
    at: usize,
}

impl<'a> Gaps<'a> {
    fn next<T>(&mut self, before: &str, read: impl FnOnce(&'a str) -> Option<T>) -> Result<T, ReceiptError> {
        self.fixed(before)?;
        let rest = &self.json[self.at..];
        let gap = &rest[..string_length(rest)];
        let value = read(gap).ok_or(ReceiptError::NotCanonical { at: self.at })?;
        self.at += gap.len();
        Ok(value)
    }

    fn end(&mut self) -> Result<(), ReceiptError> {
        self.fixed(END)?;
        if self.at == self.json.len() {
            Ok(())
        } else {
            Err(ReceiptError::NotCanonical { at: self.at })
        }
    }

    fn fixed(&mut self, part: &str) -> Result<(), ReceiptError> {
        if !self.json[self.at..].starts_with(part) {
            return Err(ReceiptError::NotCanonical { at: self.at });
        }
        self.at += part.len();
        Ok(())
    }
}

/// Where the JSON string that begins here ends: at the first quotation mark without a backslash before it.
fn string_length(json: &str) -> usize {
    let mut escaped = false;
    let end = json.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    end.unwrap_or(json.len())
}

fn decoded(gap: &str) -> Option<Vec<u8>> {
    text::decode_base64url(gap)
}

fn decoded_hash(gap: &str) -> Option<[u8; 32]> {
    decoded(gap)?.try_into().ok()
}

/// Undoes the three escapes a proof can need; refuses others, and what should have been escaped.
fn unescaped(gap: &str) -> Option<String> {
    let mut text = String::with_capacity(gap.len());
    let mut chars = gap.chars();
    while let Some(c) = chars.next() {
        text.push(match c {
            '\\' => match chars.next()? {
                'n' => '\n',
                '"' => '"',
                '\\' => '\\',
                _ => return None,
            },
            control if control < ' ' => return None,
            other => other,
        });
    }
    Some(text)
}
