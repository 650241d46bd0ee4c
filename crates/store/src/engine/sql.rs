//! Statement texts: one text for both engines wherever possible.

use std::{cell::RefCell, collections::BTreeMap, sync::Arc};

/// A statement, one text per engine.
///
/// Placeholders are `$1`, `$2`, ..., and appear first in that order: SQLite numbers them by their first
/// appearance, PostgreSQL by their number. Sums are cast (`CAST(sum(x) AS BIGINT)`), because PostgreSQL
/// makes them `NUMERIC`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sql {
    /// The text for SQLite.
    pub sqlite: &'static str,
    /// The text for PostgreSQL.
    pub postgres: &'static str,
}

impl Sql {
    /// One text for both engines.
    #[must_use]
    pub const fn both(text: &'static str) -> Self {
        Self {
            sqlite: text,
            postgres: text,
        }
    }

    /// A text for each engine, where they cannot share one.
    #[must_use]
    pub const fn each(sqlite: &'static str, postgres: &'static str) -> Self {
        Self { sqlite, postgres }
    }
}

thread_local! {
    /// Texts that were put together once: the program has few, and the writer needs six for each batch.
    static ONE_ROW: RefCell<BTreeMap<Insert, Arc<str>>> = const { RefCell::new(BTreeMap::new()) };
}

/// Rows to insert into one table, for [`Tx::insert_many`](super::Tx::insert_many).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Insert {
    /// The table.
    pub table: &'static str,
    /// The columns, in the order of each row's values.
    pub columns: &'static [&'static str],
    /// What follows the values, such as `ON CONFLICT DO NOTHING`; it has no placeholders.
    pub tail: &'static str,
}

impl Insert {
    /// `INSERT INTO t (a, b) VALUES ($1, $2) tail`: one row, on either engine.
    pub(crate) fn one_row(&self) -> Arc<str> {
        ONE_ROW.with_borrow_mut(|texts| Arc::clone(texts.entry(*self).or_insert_with(|| self.text().into())))
    }

    fn text(&self) -> String {
        let places: Vec<String> = (1..=self.columns.len()).map(|n| format!("${n}")).collect();
        format!("{} VALUES ({}) {}", self.head(), places.join(", "), self.tail)
    }

    /// `INSERT INTO t (a, b) SELECT * FROM unnest($1::bigint[], $2::bytea[]) tail`: any number of rows
    /// by one statement of PostgreSQL. `types` are the columns' types, in their order.
    pub(crate) fn all_rows(&self, types: &[&str]) -> String {
        let places: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(at, name)| format!("${}::{name}[]", at + 1))
            .collect();
        format!(
            "{} SELECT * FROM unnest({}) {}",
            self.head(),
            places.join(", "),
            self.tail
        )
    }

    fn head(&self) -> String {
        format!("INSERT INTO {} ({})", self.table, self.columns.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_insert_is_written_for_one_row_and_for_many() {
        let insert = Insert {
            table: "t",
            columns: &["a", "b"],
            tail: "ON CONFLICT DO NOTHING",
        };
        assert_eq!(
            &*insert.one_row(),
            "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING"
        );
        assert_eq!(
            insert.all_rows(&["int8", "bytea"]),
            "INSERT INTO t (a, b) SELECT * FROM unnest($1::int8[], $2::bytea[]) ON CONFLICT DO NOTHING"
        );
    }
}
