//! A statement as it is written in a file, with words in braces where values belong.

/// The statement in PostgreSQL's way, `$1` and so on, and the word of each place.
pub(super) fn numbered(text: &str) -> Result<(String, Vec<String>), String> {
    let mut words: Vec<String> = Vec::new();
    let statement = replace(text, |word| {
        let known = words.iter().position(|w| w == word);
        let place = known.unwrap_or_else(|| {
            words.push(word.to_owned());
            words.len() - 1
        });
        format!("${}", place + 1)
    })?;
    Ok((statement, words))
}

/// The statement in MySQL's way, a `?` for each place, and the word of each place.
pub(super) fn in_order(text: &str) -> Result<(String, Vec<String>), String> {
    let mut words: Vec<String> = Vec::new();
    let statement = replace(text, |word| {
        words.push(word.to_owned());
        "?".to_owned()
    })?;
    Ok((statement, words))
}

fn replace(text: &str, mut place: impl FnMut(&str) -> String) -> Result<String, String> {
    let first = text.split_whitespace().next().unwrap_or_default();
    if !["select", "with"].contains(&first.to_ascii_lowercase().as_str()) || text.contains(';') {
        return Err("one SELECT, without ; at its end".into());
    }
    if text.contains(['?', '$']) {
        return Err("a value's place is written as its word in braces, such as {key.plate}".into());
    }
    let mut statement = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let (word, after) = after.split_once('}').ok_or("a { is never closed")?;
        if before.matches('\'').count() % 2 == 1 {
            return Err(format!("{{{word}}} stands inside quotes; a value needs none"));
        }
        statement.push_str(before);
        statement.push_str(&place(word.trim()));
        rest = after;
    }
    statement.push_str(rest);
    Ok(statement)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_become_places() {
        let text =
            "SELECT a FROM t WHERE p = {key.plate} AND ({subject.id_number} IN (o, c)) AND q = { key.plate }";
        let (numbered, words) = numbered(text).unwrap();
        assert_eq!(
            numbered,
            "SELECT a FROM t WHERE p = $1 AND ($2 IN (o, c)) AND q = $1"
        );
        assert_eq!(words, ["key.plate", "subject.id_number"]);
        let (ordered, words) = in_order(text).unwrap();
        assert_eq!(ordered, "SELECT a FROM t WHERE p = ? AND (? IN (o, c)) AND q = ?");
        assert_eq!(words, ["key.plate", "subject.id_number", "key.plate"]);
    }

    #[test]
    fn what_is_no_single_select_is_refused() {
        for text in [
            "DELETE FROM t",
            "SELECT 1; DROP TABLE t",
            "SELECT a WHERE p = '{key.plate}'",
            "SELECT $1",
            "SELECT ?",
            "SELECT {key.plate",
            "",
        ] {
            assert!(numbered(text).is_err() && in_order(text).is_err(), "{text}");
        }
    }
}
