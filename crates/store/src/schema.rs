//! The migrations of both databases: the data, and the wrapped keys that are kept apart from it.

use crate::engine::Migration;

/// Migrations of the data, oldest first. Forward only: a landed file is never edited.
pub(crate) const DATA: &[Migration] = &[
    Migration {
        version: 1,
        name: "first",
        sqlite: include_str!("../migrations/0001_first.sqlite.sql"),
        postgres: include_str!("../migrations/0001_first.postgres.sql"),
    },
    Migration {
        version: 2,
        name: "reviews",
        sqlite: include_str!("../migrations/0002_reviews.sqlite.sql"),
        postgres: include_str!("../migrations/0002_reviews.postgres.sql"),
    },
    Migration {
        version: 3,
        name: "closings",
        sqlite: include_str!("../migrations/0003_closings.sqlite.sql"),
        postgres: include_str!("../migrations/0003_closings.postgres.sql"),
    },
];

/// Migrations of the wrapped keys.
pub(crate) const KEYS: &[Migration] = &[Migration {
    version: 1,
    name: "keys",
    sqlite: include_str!("../migrations/keys_0001.sqlite.sql"),
    postgres: include_str!("../migrations/keys_0001.postgres.sql"),
}];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_engines_have_the_same_schema_but_for_how_rows_lie() {
        for migration in DATA.iter().chain(KEYS) {
            assert_eq!(
                migration
                    .sqlite
                    .replace("BLOB", "BYTEA")
                    .replace(" WITHOUT ROWID", ""),
                migration.postgres,
                "{}",
                migration.name
            );
        }
    }
}
