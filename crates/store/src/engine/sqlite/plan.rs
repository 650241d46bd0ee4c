//! With debug assertions, as tests have them, no question that looks for something may read a table from end to end, and
//! no statement the whole log:
//! SQLite knows nothing of how large tables become, and where two ways look alike to it, it takes the one through the
//! whole log.

use std::{
    collections::BTreeSet,
    sync::{LazyLock, Mutex, PoisonError},
};

use rusqlite::Connection;

use crate::engine::DbError;

/// Tables of few rows, one for each 256 entries among them, and indexes of what is not done yet.
const FEW: [&str; 8] = [
    "autoindex_log_head",
    "autoindex_published",
    "autoindex_schema_migration",
    "autoindex_tile",
    "SCAN outbox",
    "subject_erasing",
    "lookup_open",
    "account_closing",
];

/// The texts whose plans were looked at.
static SEEN: LazyLock<Mutex<BTreeSet<String>>> = LazyLock::new(Mutex::default);

/// Looks at a statement's plan once.
pub(super) fn must_search(connection: &Connection, sql: &str) -> Result<(), DbError> {
    // Whoever asks for no row in particular wants them all, as checks and tests do.
    let wanted = |word: &str| {
        sql.split_once(word)
            .is_some_and(|(_, wanted)| wanted.contains('$'))
    };
    if !wanted("WHERE") && !wanted(" ON ") {
        return Ok(());
    }
    {
        let seen = SEEN.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.contains(sql) {
            return Ok(());
        }
    }
    let steps = steps(connection, sql).map_err(|error| DbError::statement(error.to_string(), sql))?;
    let is_made_here = |step: &str| {
        let made = steps
            .iter()
            .filter_map(|s| s.strip_prefix("CO-ROUTINE ").or(s.strip_prefix("MATERIALIZE ")));
        let scanned = step.strip_prefix("SCAN ");
        made.into_iter().any(|name| scanned == Some(name))
    };
    let scans_may_be = !sql.starts_with("SELECT");
    let is_wrong = |step: &&String| is_endless(step, scans_may_be) && !is_made_here(step);
    if let Some(step) = steps.iter().find(is_wrong) {
        return Err(DbError::statement(format!("it would {step}"), sql));
    }
    SEEN.lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(sql.to_owned());
    Ok(())
}

/// The steps of a plan, such as `SEARCH entry USING INDEX ... (log_id=? AND leaf_index=?)`.
fn steps(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let mut rows = statement.raw_query();
    let mut steps = vec![];
    while let Some(row) = rows.next()? {
        steps.push(row.get::<_, String>(3)?);
    }
    Ok(steps)
}

/// A step that takes longer with everything that was ever written: a scan, or a search by nothing but the number of the
/// log, of which there is one.
fn is_endless(step: &str, scans_may_be: bool) -> bool {
    let scans = step.starts_with("SCAN ") && !scans_may_be;
    let endless = scans || step.contains("(log_id=?)");
    endless && !FEW.iter().any(|few| step.contains(few))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_reads_a_whole_table_is_refused_and_what_searches_is_not() {
        let connection = Connection::open_in_memory().unwrap();
        let tables = "CREATE TABLE entry (log_id INTEGER, leaf_index INTEGER, subject_id BLOB, \
                      PRIMARY KEY (log_id, leaf_index)); \
                      CREATE TABLE chain_place (subject_id BLOB, seq INTEGER, leaf_index INTEGER, \
                      PRIMARY KEY (subject_id, seq));";
        connection.execute_batch(tables).unwrap();
        let look = |sql: &str| must_search(&connection, sql);
        for endless in [
            "SELECT log_id FROM entry WHERE subject_id = $1",
            "SELECT subject_id FROM entry WHERE log_id = $1",
            "UPDATE chain_place SET seq = 1 WHERE leaf_index IN (SELECT leaf_index FROM entry WHERE log_id = $1)",
            // This is what SQLite makes of a join that looks alike from both sides.
            "SELECT e.subject_id FROM entry e CROSS JOIN chain_place p \
             WHERE p.subject_id = $1 AND e.log_id = $2 AND e.leaf_index = p.leaf_index",
        ] {
            assert!(look(endless).is_err(), "{endless}");
        }
        let beside = "SELECT e.subject_id FROM chain_place p LEFT JOIN entry e ON e.log_id = $1 WHERE p.subject_id = $2";
        assert!(look(beside).is_err(), "a join to the left");
        for sound in [
            "SELECT subject_id FROM entry WHERE log_id = $1 AND leaf_index = $2",
            "SELECT e.subject_id FROM chain_place p CROSS JOIN entry e \
             WHERE p.subject_id = $1 AND e.log_id = $2 AND e.leaf_index = p.leaf_index",
            "SELECT e.subject_id FROM (SELECT leaf_index FROM chain_place WHERE subject_id = $1 LIMIT 2) p \
             CROSS JOIN entry e WHERE e.log_id = $2 AND e.leaf_index = p.leaf_index",
            "SELECT subject_id FROM entry",
            "INSERT INTO chain_place VALUES ($1, $2, $3)",
            "BEGIN",
        ] {
            assert!(look(sound).is_ok(), "{sound}");
        }
    }
}
