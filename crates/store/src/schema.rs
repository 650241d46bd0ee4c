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
    Migration {
        version: 5,
        name: "sessions",
        sqlite: include_str!("../migrations/0005_sessions.sqlite.sql"),
        postgres: include_str!("../migrations/0005_sessions.postgres.sql"),
    },
    Migration {
        version: 6,
        name: "pairs",
        sqlite: include_str!("../migrations/0006_pairs.sqlite.sql"),
        postgres: include_str!("../migrations/0006_pairs.postgres.sql"),
    },
    Migration {
        version: 7,
        name: "hashes",
        sqlite: include_str!("../migrations/0007_hashes.sqlite.sql"),
        postgres: include_str!("../migrations/0007_hashes.postgres.sql"),
    },
    Migration {
        version: 8,
        name: "behind",
        sqlite: include_str!("../migrations/0008_behind.sqlite.sql"),
        postgres: include_str!("../migrations/0008_behind.postgres.sql"),
    },
    Migration {
        version: 9,
        name: "profiles",
        sqlite: include_str!("../migrations/0009_profiles.sqlite.sql"),
        postgres: include_str!("../migrations/0009_profiles.postgres.sql"),
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
    use std::collections::BTreeSet;

    use rusqlite::{Connection, Row, params_from_iter, types::Value};

    use super::*;
    use crate::sessions::number_of;

    /// Steps by which SQLite makes a table anew, because it cannot change it. What comes of it is compared in
    /// `tests/store/schema.rs`.
    const MADE_ANEW: [&str; 2] = ["states", "profiles"];

    #[test]
    fn both_engines_have_the_same_schema_but_for_how_rows_lie() {
        for migration in DATA.iter().chain(KEYS) {
            if MADE_ANEW.contains(&migration.name) {
                continue;
            }
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

    /// What the table of look-ups holds, column by column, and its indexes.
    fn look_ups(connection: &Connection) -> (Vec<Vec<Value>>, Vec<(String, String)>) {
        let mut statement = connection
            .prepare("SELECT * FROM lookup ORDER BY lookup_id")
            .unwrap();
        let columns = statement.column_count();
        let row = |row: &Row<'_>| (0..columns).map(|at| row.get(at)).collect();
        let rows = statement
            .query_map([], row)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let indexes =
            "SELECT name, sql FROM sqlite_schema WHERE type = 'index' AND tbl_name = 'lookup' ORDER BY 1";
        let mut statement = connection.prepare(indexes).unwrap();
        let index = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?));
        let indexes = statement
            .query_map([], index)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        (rows, indexes)
    }

    fn migrate(connection: &Connection, steps: &[Migration]) {
        let mut texts = steps.iter().map(|step| step.sqlite);
        texts.try_for_each(|text| connection.execute_batch(text)).unwrap();
    }

    #[test]
    fn sessions_of_before_name_the_person_of_their_account_and_end_without_one() {
        let connection = Connection::open_in_memory().unwrap();
        let (before, rest) = DATA.split_at(4);
        migrate(&connection, before);
        let rows = "INSERT INTO subject VALUES (x'aa', 0, 'active', x'01', x'abcd', 0), (x'bb', 0, 'active', x'03', x'ef', 0); \
                    INSERT INTO account VALUES (x'01', 'active', x'aa', 'L2', x'', 0), (x'02', 'active', NULL, 'L1', x'', 0), \
                    (x'03', 'closed', x'bb', 'L2', x'', 0); \
                    INSERT INTO session VALUES (x'11', x'21', x'01', 'L2', 5, 9, NULL), (x'12', x'22', x'02', 'L1', 5, 9, NULL), \
                    (x'13', x'23', x'03', 'L1', 5, 9, NULL), (x'14', x'24', x'04', 'L1', 5, 9, NULL), \
                    (x'15', x'25', x'03', 'L1', 5, 9, 7);";
        connection.execute_batch(rows).unwrap();
        // Digests of before, the numbers of some of which are negative.
        for n in 0x11..0x16_u8 {
            let digest: Vec<u8> = (0..32)
                .map(|at| n.wrapping_mul(101).wrapping_add(u8::wrapping_mul(at, 67)))
                .collect();
            let whole = "UPDATE session SET token_digest = ? WHERE token_digest = ?";
            connection.execute(whole, (digest, vec![n])).unwrap();
        }
        migrate(&connection, rest);
        let mut statement = connection
            .prepare("SELECT token_number, token_digest FROM session")
            .unwrap();
        let numbers: Vec<(i64, [u8; 32])> = statement
            .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))
            .unwrap()
            .map(Result::unwrap)
            .collect();
        assert!(
            numbers
                .iter()
                .all(|(number, digest)| *number == number_of(digest)),
            "{numbers:?}"
        );
        let signs: BTreeSet<i64> = numbers.iter().map(|(number, _)| number.signum()).collect();
        assert_eq!(signs, BTreeSet::from([-1, 1]));
        let mut statement = connection
            .prepare("SELECT hex(subject_id), ended_us, hex(profile) FROM session ORDER BY session_id")
            .unwrap();
        let session = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, row.get(2)?));
        let found: Vec<(String, Option<i64>, String)> = statement
            .query_map([], session)
            .unwrap()
            .map(Result::unwrap)
            .collect();
        let expected = [
            ("AA", None, "ABCD"),
            ("", None, ""),
            ("BB", Some(5), ""),
            ("", Some(5), ""),
            ("BB", Some(7), ""),
        ];
        let told = |(person, ended, profile): (&str, _, &str)| (person.to_owned(), ended, profile.to_owned());
        assert_eq!(found, expected.map(told));
    }

    #[test]
    fn look_ups_of_before_the_table_was_made_anew_are_in_it() {
        let connection = Connection::open_in_memory().unwrap();
        let (before, rest) = DATA.split_at(3);
        migrate(&connection, before);
        for (n, state) in ["held", "intended", "released", "refused", "failed"]
            .iter()
            .enumerate()
        {
            // Each column has a value of its own, but for those that every other row lacks.
            let mut values: Vec<Value> = (0..16)
                .map(|column| Value::Integer(100 * n as i64 + column))
                .collect();
            values[2] = Value::Text((*state).to_owned());
            if n % 2 == 0 {
                values[8..15].fill(Value::Null);
            }
            let insert = "INSERT INTO lookup VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
            connection.execute(insert, params_from_iter(values)).unwrap();
        }
        let held = look_ups(&connection);
        assert_eq!((held.0.len(), held.1.len()), (5, 5));
        migrate(&connection, rest);
        assert_eq!(look_ups(&connection), held);
        let unknown = connection
            .execute("UPDATE lookup SET state = 'lost'", [])
            .unwrap_err();
        assert_eq!(unknown.to_string(), "CHECK constraint failed: lookup_state");
    }
}
