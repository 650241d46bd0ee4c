//! Identifiers of ours: 16 bytes each, time-ordered (UUID version 7), meaningless to anybody else.

use uuid::Uuid;

use crate::time::Timestamp;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl $name {
            /// A new id from the time and ten random bytes (RFC 9562, version 7).
            #[must_use]
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.0.div_euclid(1000)).unwrap_or(0);
                $name(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }

            /// The sixteen bytes that are stored and sealed.
            #[must_use]
            pub fn bytes(self) -> [u8; 16] {
                *self.0.as_bytes()
            }

            /// From the stored sixteen bytes.
            #[must_use]
            pub fn from_bytes(bytes: [u8; 16]) -> Self {
                $name(Uuid::from_bytes(bytes))
            }

            /// From its hyphenated text; anything else is `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                if text.len() != 36 {
                    return None;
                }
                Uuid::try_parse(text).ok().map($name)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0.hyphenated())
            }
        }
    };
}

id!(
    /// The natural or legal person whom a record concerns; it owns a chain of entries. Not an account.
    SubjectId
);
id!(
    /// Somebody who signs in. It owns a chain too, for what concerns no subject.
    AccountId
);
id!(
    /// One question and what became of it.
    LookupId
);
id!(
    /// A signed-in device for a while.
    SessionId
);

id!(
    /// One record review.
    ReviewId
);

/// The chain of the deployment itself: configuration, starts, operators' acts that concern no subject.
pub const DEPLOYMENT: SubjectId = SubjectId(Uuid::from_bytes(*b"mingcha-deployed"));

impl AccountId {
    /// The chain that this account owns.
    #[must_use]
    pub fn chain(self) -> SubjectId {
        SubjectId(self.0)
    }
}
