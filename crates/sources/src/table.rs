//! What the rows of a table amount to: the answer of a source that is no conversation but a table.

use domain::{outcome::Outcome, words::Mode};
use serde_json::{Map, Value as Json};

use crate::{
    outcomes::Outcomes,
    pointer::Pointer,
    report::{Failure, Problem},
};

/// Under which name all rows stand in the answer, for a list or for a record of several rows.
pub(crate) const ROWS: &str = "rows";

/// Where the rows of a list stand.
pub(crate) fn rows() -> Pointer {
    Pointer::member(ROWS)
}

/// Makes one answer of rows. In mode `read` more than one row is ambiguous, unless the route says that several make
/// a record: then the record has the columns in which all rows agree, and all rows under `/rows`.
pub(crate) fn answer(
    mode: Mode,
    several: bool,
    outcomes: Option<&Outcomes>,
    mut rows: Vec<Json>,
) -> Result<(Outcome, Json), Failure> {
    let answered = match mode {
        _ if rows.is_empty() => return Ok((Outcome::NotFound, Json::Null)),
        Mode::Match => Outcome::Match,
        _ => Outcome::Found,
    };
    if mode == Mode::List {
        return Ok((
            answered,
            Json::Object(Map::from_iter([(ROWS.to_owned(), Json::Array(rows))])),
        ));
    }
    if rows.len() > 1 && !several {
        return Ok((Outcome::Ambiguous, Json::Null));
    }
    let mut record = if several {
        agreed(&rows)
    } else {
        rows.swap_remove(0)
    };
    let outcome = outcomes.map_or(Ok(answered), |outcomes| outcomes.read(&record))?;
    if several {
        let members = record
            .as_object_mut()
            .ok_or(Failure::bad_answer(Problem::BadRows))?;
        members.insert(ROWS.to_owned(), Json::Array(rows));
    }
    Ok((outcome, record))
}

/// The columns in which all rows agree. One in which they do not belongs to no record of them all: an owner that
/// stands in one row only does not own the rest.
fn agreed(rows: &[Json]) -> Json {
    let Some((Json::Object(first), rest)) = rows.split_first() else {
        return Json::Null;
    };
    let agree = |name: &String, value: &Json| rest.iter().all(|row| row.get(name) == Some(value));
    let kept = first.iter().filter(|(name, value)| agree(name, value));
    Json::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn rows_amount_to_one_answer() {
        let (a, b) = (json!({"x": 1, "y": 2}), json!({"x": 1, "y": 3}));
        let check = |mode, several, rows: &[&Json], expected: (Outcome, Json)| {
            let rows = rows.iter().map(|row| (*row).clone()).collect();
            assert_eq!(
                answer(mode, several, None, rows),
                Ok(expected),
                "{mode} {several}"
            );
        };
        check(Mode::Read, false, &[], (Outcome::NotFound, Json::Null));
        check(Mode::Read, false, &[&a], (Outcome::Found, a.clone()));
        check(Mode::Read, false, &[&a, &b], (Outcome::Ambiguous, Json::Null));
        let both = json!({"x": 1, "rows": [a, b]});
        check(Mode::Read, true, &[&a, &b], (Outcome::Found, both));
        check(Mode::List, false, &[&a], (Outcome::Found, json!({"rows": [a]})));
        check(Mode::Match, false, &[&a], (Outcome::Match, a.clone()));
        check(Mode::Match, false, &[&a, &b], (Outcome::Ambiguous, Json::Null));
    }
}
