//! Secrets in memory: wiped when dropped, compared in constant time, never printed.

use std::fmt;

use rand_core::CryptoRng;
use subtle::ConstantTimeEq;
use zeroize::{Zeroize, ZeroizeOnDrop};

/// `N` secret bytes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretBytes<const N: usize>([u8; N]);

impl<const N: usize> SecretBytes<N> {
    /// Takes the bytes. The caller's own copy, if it keeps one, is the caller's to wipe.
    pub fn new(bytes: [u8; N]) -> Self {
        Self(bytes)
    }

    /// Draws the bytes from a generator.
    pub fn generate(rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut secret = Self([0; N]);
        rng.fill_bytes(&mut secret.0);
        secret
    }

    /// The bytes themselves. The name is long so that a reviewer sees each place that asks for them.
    pub fn expose(&self) -> &[u8; N] {
        &self.0
    }

    /// For filling a secret in place, so that no copy of it stays on the stack.
    pub(crate) fn expose_mut(&mut self) -> &mut [u8; N] {
        &mut self.0
    }
}

impl<const N: usize> PartialEq for SecretBytes<N> {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl<const N: usize> Eq for SecretBytes<N> {}

impl<const N: usize> fmt::Debug for SecretBytes<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes<{N}>(redacted)")
    }
}

/// A secret that people or programs carry as text: a token, a one-time code, an encoded key.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct SecretText(String);

impl SecretText {
    /// Takes the text.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The text itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl PartialEq for SecretText {
    /// Constant time for texts of equal length; the length itself is no secret.
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for SecretText {}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretText(redacted)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(
            format!("{:?}", SecretBytes::new([7; 32])),
            "SecretBytes<32>(redacted)"
        );
        assert_eq!(
            format!("{:?}", SecretText::new("open sesame".into())),
            "SecretText(redacted)"
        );
    }

    #[test]
    fn equality_is_of_every_byte() {
        let one = SecretBytes::new([1; 32]);
        assert_eq!(one, one.clone());
        for position in 0..32 {
            let mut other = [1; 32];
            other[position] = 2;
            assert_ne!(one, SecretBytes::new(other));
        }
        assert_ne!(SecretText::new("a".into()), SecretText::new("ab".into()));
    }
}
