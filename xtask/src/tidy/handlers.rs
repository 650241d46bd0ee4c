//! A handler takes at most four extractors: what needs more does more than extract, call and wrap.

use std::collections::BTreeSet;

use super::{Problem, Tree, tree::File};

/// The one page of all routes.
const PAGE: &str = "crates/gateway/src/router.rs";
/// Where handlers stand: those of the pages, which the router names from here, and those of the API.
const FOLDERS: [(&str, &str); 2] = [
    ("portal::", "crates/gateway/src/portal"),
    ("", "crates/gateway/src/api"),
];
/// What a handler is named in.
const NAMED_IN: [&str; 6] = ["get(", "post(", "put(", "delete(", "patch(", "routes!("];
/// Extractors of one handler.
const MOST: usize = 4;

/// Handlers with too many extractors, and those that are named in the router and not found.
pub(super) fn extractors(tree: &Tree) -> Vec<Problem> {
    let Some(page) = tree.file(PAGE) else {
        return vec![Problem::in_file(PAGE, "is missing")];
    };
    let named = named(&page.text);
    if named.is_empty() {
        return vec![Problem::in_file(PAGE, "names no handler that is understood here")];
    }
    named.into_iter().filter_map(|path| problem(tree, path)).collect()
}

/// The handlers that the router names, each once, such as `portal::home::show`. A closure is none.
fn named(router: &str) -> BTreeSet<&str> {
    let is_path = |text: &&str| {
        let is_of_one = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "_:".contains(c);
        text.contains("::") && text.chars().all(is_of_one)
    };
    let lists = NAMED_IN.iter().flat_map(|opener| {
        let places = router.match_indices(opener);
        // `budget(` ends as `get(` does.
        let is_word = |c: char| c.is_alphanumeric() || c == '_';
        let places = places.filter(move |(at, _)| !router[..*at].ends_with(is_word));
        places.filter_map(move |(at, opener)| router[at + opener.len()..].split(')').next())
    });
    lists
        .flat_map(|list| list.split(',').map(str::trim))
        .filter(is_path)
        .collect()
}

fn problem(tree: &Tree, path: &str) -> Option<Problem> {
    let (rest, folder) = FOLDERS
        .iter()
        .find_map(|(prefix, folder)| Some((path.strip_prefix(prefix)?, folder)))?;
    let found = rest.rsplit_once("::").and_then(|(module, name)| {
        let file = tree.file(&format!("{folder}/{}.rs", module.replace("::", "/")))?;
        Some((file, parameters(file, name)?))
    });
    match found {
        None => Some(Problem::in_file(
            PAGE,
            format!("names {path}, which is not found in {folder}"),
        )),
        Some((file, (line, count))) if count > MOST => {
            let what = format!("{path} has {count} extractors; {MOST} is the most");
            Some(Problem::at(&file.path, line, what))
        }
        Some(_) => None,
    }
}

/// The line of a function and how many parameters it has.
fn parameters(file: &File, name: &str) -> Option<(usize, usize)> {
    let (before, after) = file.text.split_once(&format!("fn {name}("))?;
    let (mut depth, mut count, mut is_open) = (0_usize, 0, false);
    for c in after.chars() {
        match c {
            ')' if depth == 0 => break,
            ',' if depth == 0 => is_open = false,
            '(' | '<' | '[' | '{' => depth += 1,
            ')' | '>' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        // A parameter begins with the first letter after a comma; the last comma has none behind it.
        if !is_open && c != ',' && !c.is_whitespace() {
            (is_open, count) = (true, count + 1);
        }
    }
    Some((before.lines().count().max(1), count))
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: &str = "pub(crate) async fn show(\n    State(app): Shared,\n    \
                        Path((a, b)): Path<(String, String)>,\n    Form(f): Form<One, 2>,\n    holder: Holder,\n) -> Answer {}\n";

    fn told(router: &str, home: &str) -> Vec<(usize, String)> {
        let tree = Tree::of(&[
            (PAGE, router),
            ("crates/gateway/src/portal/home.rs", home),
            (
                "crates/gateway/src/api/log.rs",
                "pub async fn tile() {}\npub async fn more(a: A, b: B, c: C, d: D, e: E) {}\n",
            ),
        ]);
        extractors(&tree).into_iter().map(|p| (p.line, p.what)).collect()
    }

    #[test]
    fn a_fifth_extractor_is_told() {
        let router =
            ".route(\"/\", get(portal::home::show).post(portal::home::show))\n.routes(routes!(log::tile))";
        assert!(told(router, HOME).is_empty());
        let five = HOME.replace("    holder", "    Query(q): Query<Q>,\n    holder");
        let what = |path: &str| format!("{path} has 5 extractors; 4 is the most");
        assert_eq!(told(router, &five), [(1, what("portal::home::show"))]);
        let of_the_api = told("routes!(log::tile, log::more)", HOME);
        assert_eq!(of_the_api, [(2, what("log::more"))]);
    }

    #[test]
    fn what_is_not_found_is_told() {
        let gone = told(
            "get(portal::home::gone), get(portal::none::show), post(log::tile)",
            HOME,
        );
        assert_eq!(gone.len(), 2, "{gone:?}");
        for nothing in [
            "get(async move || Json(served))",
            "budget(log::tile)",
            "any(log::tile)",
        ] {
            assert_eq!(told(nothing, HOME).len(), 1, "{nothing}");
        }
    }
}
