//! Mobile numbers of mainland China.

use super::private::{Private, mask, private_text};
use super::text::fold;
use super::{IdentifierError, Parsed};

/// A mobile number of mainland China: eleven digits, without the country code.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Phone {
    text: Private,
}

private_text!(Phone);

impl Phone {
    /// Reads a number as it is typed; `+86`, `0086` and `86` before it are taken away, brackets too.
    ///
    /// # Errors
    /// Numbers of elsewhere, land lines, and what has not eleven digits.
    pub fn parse(raw: &str) -> Result<Parsed<Self>, IdentifierError> {
        let mut folded = fold(raw)?;
        let brackets = |c: &char| matches!(c, '(' | ')');
        let start = folded.characters.iter().take_while(|c| brackets(c)).count();
        let international = folded.characters.get(start) == Some(&'+');
        let first = if international { start + 1 } else { 0 };
        if let Some(at) = (first..folded.characters.len())
            .find(|at| !folded.characters[*at].is_ascii_digit() && !brackets(&folded.characters[*at]))
        {
            return Err(folded.misplaced(at));
        }
        folded.characters.retain(char::is_ascii_digit);
        let digits = folded.characters.as_slice();
        let national = match digits {
            ['0', '0', '8', '6', rest @ ..] => rest,
            ['8', '6', rest @ ..] if international || rest.len() == 11 => rest,
            ['0', '0', ..] => return Err(IdentifierError::NotMainland),
            _ if international => return Err(IdentifierError::NotMainland),
            all => all,
        };
        match national {
            ['1', '3'..='9', ..] if national.len() == 11 => Ok(Parsed::clean(Phone {
                text: Private::of(national),
            })),
            ['1', '3'..='9', ..] => Err(IdentifierError::WrongLength {
                expected: "11",
                found: national.len(),
            }),
            _ => Err(IdentifierError::NotMobile),
        }
    }

    /// The number with its country code, as carriers want it: `+86` and eleven digits.
    #[must_use]
    pub fn international(&self) -> zeroize::Zeroizing<String> {
        zeroize::Zeroizing::new(format!("+86{}", self.expose()))
    }

    /// The first seven digits: the range of ten thousand numbers that a carrier is given as one.
    #[must_use]
    pub fn range(&self) -> &str {
        // INVARIANT: eleven ASCII digits.
        self.expose().get(..7).unwrap_or_default()
    }

    /// The first three and the last four digits, as is usual on receipts.
    #[must_use]
    pub fn masked(&self) -> String {
        mask(self.expose(), 3, 4)
    }
}
