//! Words in both languages, and the small closed vocabularies that code, API and pages share.

use serde::{Deserialize, Serialize};

/// A text in both languages of the portal. Neither may be empty.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Bilingual {
    /// Simplified Chinese: the language that is shown first.
    pub zh: String,
    /// English.
    pub en: String,
}

impl Bilingual {
    /// Both texts given.
    #[must_use]
    pub fn new(zh: &str, en: &str) -> Self {
        Bilingual {
            zh: zh.to_owned(),
            en: en.to_owned(),
        }
    }

    /// Neither language is blank.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        !self.zh.trim().is_empty() && !self.en.trim().is_empty()
    }
}

/// Declares an enum whose every variant has one stable word, read and written everywhere alike.
macro_rules! vocabulary {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant,)+ }

        impl $name {
            /// Every value, in the order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant,)+];

            /// The stable word.
            #[must_use]
            pub fn code(self) -> &'static str {
                match self { $($name::$variant => $word,)+ }
            }

            /// From the stable word; anything else is `None`.
            #[must_use]
            pub fn from_code(code: &str) -> Option<Self> {
                match code { $($word => Some($name::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.code())
            }
        }
    };
}
pub(crate) use vocabulary;

vocabulary! {
    /// How sure we are who is asking.
    Level {
        /// Holds the phone.
        L1 = "L1",
        /// Real name proven, and held: the carrier confirms that the phone is theirs.
        L2 = "L2",
        /// Strong: portrait compared at the register, or in person.
        L3 = "L3",
    }
}

vocabulary! {
    /// What kind of answer is asked for.
    Mode {
        /// Fields of the record.
        Read = "read",
        /// Claimed values, answered by an outcome and nothing else.
        Match = "match",
        /// A named rule, answered by yes or no.
        Predicate = "predicate",
        /// The keys of all records of this kind that are in one's own name.
        List = "list",
    }
}

vocabulary! {
    /// The legal bases of PIPL article 13, paragraph 1, items 1 to 7.
    LegalBasis {
        /// 13(1): consent.
        Consent = "consent",
        /// 13(2): a contract with the person, or human resources under law.
        Contract = "contract",
        /// 13(3): a statutory duty or power.
        StatutoryDuty = "statutory-duty",
        /// 13(4): a public-health emergency, or life and property in danger.
        Emergency = "emergency",
        /// 13(5): news and supervision by public opinion.
        News = "news",
        /// 13(6): information already lawfully public.
        PublicInformation = "public-information",
        /// 13(7): other circumstances that a law names.
        OtherLaw = "other-law",
    }
}

vocabulary! {
    /// What a source promises about the age of its data.
    Freshness {
        /// As the register stands now.
        Realtime = "realtime",
        /// As of the day before (T+1).
        Daily = "daily",
        /// As of the last weekly delivery.
        Weekly = "weekly",
    }
}

vocabulary! {
    /// How fresh an answer the requester asks for.
    #[derive(Default)]
    AskedFreshness {
        /// Only as the register stands now; nothing staler is taken instead.
        Realtime = "realtime",
        /// The freshest that can be had, labelled with its age.
        #[default]
        Any = "any",
    }
}

vocabulary! {
    /// How carefully a field must be handled.
    Classification {
        /// Not about a person by itself, such as a vehicle's brand.
        General = "general",
        /// Personal information (PIPL 4).
        Personal = "personal",
        /// Sensitive personal information (PIPL 28).
        Sensitive = "sensitive",
    }
}

vocabulary! {
    /// Whom a field tells something about.
    Describes {
        /// The subject, or the subject's thing.
        Subject = "subject",
        /// Somebody else, such as a spouse: masked.
        ThirdPerson = "third-person",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for basis in LegalBasis::ALL {
            assert_eq!(LegalBasis::from_code(basis.code()), Some(*basis));
        }
        assert_eq!(Mode::from_code("READ"), None);
        assert!(Level::L1 < Level::L3);
    }
}
