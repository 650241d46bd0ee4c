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
    Migration {
        version: 4,
        name: "states",
        sqlite: include_str!("../migrations/0004_states.sqlite.sql"),
        postgres: include_str!("../migrations/0004_states.postgres.sql"),
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

    /// A list of more than two in a check, say, costs as much as the row itself.
    #[test]
    fn sqlite_makes_no_table_of_its_own_to_write_a_look_up() {
        let connection = rusqlite::Connection::open_in_memory().unwrap();
        for migration in DATA {
            connection.execute_batch(migration.sqlite).unwrap();
        }
        let writes = "INSERT INTO lookup (subject_id, lookup_id, state, requester_id, session_id, node_id, \
             created_us, deadline_us) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
        let ends = "UPDATE lookup SET state = $1 WHERE subject_id = $2 AND lookup_id = $3";
        for sql in [writes, ends] {
            let mut statement = connection.prepare(&format!("EXPLAIN {sql}")).unwrap();
            // What is explained does not run, so that nothing need be bound.
            let (mut rows, mut steps) = (statement.raw_query(), vec![]);
            while let Some(row) = rows.next().unwrap() {
                steps.push(row.get::<_, String>("opcode").unwrap());
            }
            assert!(steps.iter().any(|step| step == "IdxInsert"), "{sql}");
            assert!(!steps.iter().any(|step| step == "OpenEphemeral"), "{sql}");
        }
    }
}
