//! What is entered in the log changes some tables and leaves the others as they are. Whoever reads only the others need
//! not be disturbed by it: where people look up their own records the log grows every few milliseconds, and nothing else
//! changes for long.
//!
//! With debug assertions, as tests have them, a statement that mixes the two is refused.

use crate::engine::DbError;

/// The tables that a transaction of the log may change.
const LOG: [&str; 7] = [
    "log_head",
    "leaf",
    "entry",
    "chain_place",
    "lookup",
    "outbox",
    "tile",
];

/// One that both may name: whoever reads a person reads with it up to where the log had grown at that moment.
const SHARED: &str = "log_head";

/// Refuses a statement in a transaction of the log that changes anything else.
pub(in crate::engine) fn must_change_log_alone(sql: &str) -> Result<(), DbError> {
    let changes = ["INSERT INTO ", "UPDATE ", "DELETE FROM "];
    let changed = changes.iter().find_map(|verb| sql.strip_prefix(verb));
    let table = changed.and_then(|rest| rest.split(' ').next());
    // What begins otherwise may do anything.
    if sql.starts_with("SELECT ") || table.is_some_and(|table| LOG.contains(&table)) {
        return Ok(());
    }
    Err(DbError::statement("it may change more than the log", sql))
}

/// Refuses a statement about people that reads what a transaction of the log changes.
pub(super) fn must_read_people_alone(sql: &str) -> Result<(), DbError> {
    let mut words = sql.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    if words.any(|word| word != SHARED && LOG.contains(&word)) {
        return Err(DbError::statement("it reads the log", sql));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_and_people_are_kept_apart() {
        for of_the_log in [
            "INSERT INTO leaf (a) VALUES ($1)",
            "UPDATE lookup SET a = $1",
            "DELETE FROM outbox WHERE a = $1",
            "SELECT a FROM session",
        ] {
            assert!(must_change_log_alone(of_the_log).is_ok(), "{of_the_log}");
        }
        for of_people in [
            "INSERT INTO session (a) VALUES ($1)",
            "UPDATE account SET a = $1",
            "DELETE FROM wrapped_key WHERE a = $1",
            "INSERT OR IGNORE INTO session (a) VALUES ($1)",
            "WITH some AS (SELECT 1) DELETE FROM session",
        ] {
            assert!(must_change_log_alone(of_people).is_err(), "{of_people}");
        }
        let with_the_head = "SELECT p.state FROM subject p JOIN log_head h ON h.log_id = p.log_id";
        assert!(must_read_people_alone(with_the_head).is_ok());
        let with_an_entry = "SELECT p.state FROM subject p, entry WHERE entry.subject_id = p.subject_id";
        assert!(must_read_people_alone(with_an_entry).is_err());
    }
}
