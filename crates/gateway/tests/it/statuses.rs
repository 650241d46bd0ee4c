//! Every answer under `/v1` has a status that the API's document lists for its operation. Whatever a case is about, an
//! answer that the document does not tell of fails it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use http::Method;

/// The statuses of each operation: by the parts of its path, and by its method.
type Document = BTreeMap<Vec<String>, BTreeMap<String, BTreeSet<u16>>>;

static DOCUMENT: LazyLock<Document> = LazyLock::new(|| {
    let document = serde_json::to_value(gateway::router::document()).unwrap();
    let mut read = Document::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            let told = operation["responses"].as_object().unwrap().keys();
            let told = told.map(|status| status.parse::<u16>().unwrap()).collect();
            let parts = path.split('/').map(str::to_owned).collect();
            let operations: &mut BTreeMap<_, _> = read.entry(parts).or_default();
            operations.insert(method.to_uppercase(), told);
        }
    }
    read
});

/// Fails where the document does not tell of this status.
pub(crate) fn must_be_told(method: &Method, path: &str, status: u16) {
    if path.starts_with("/v1/") {
        let told = told_of(method, path);
        assert!(
            told.contains(&status),
            "{method} {path} answered {status}, and the API's document tells of {told:?} alone"
        );
    }
}

/// What the document tells of: of what is no operation, that there is nothing.
fn told_of(method: &Method, path: &str) -> BTreeSet<u16> {
    let asked: Vec<&str> = path.split('/').collect();
    let fits = |(parts, _): &(&Vec<String>, _)| {
        let fits = |(part, asked): (&String, &&str)| part == asked || (is_place(part) && !asked.is_empty());
        parts.len() == asked.len() && parts.iter().zip(&asked).all(fits)
    };
    // As the router has it: a part with a name of its own goes before a place for any, so that `export` is no id.
    let named = |(parts, _): &(&Vec<String>, _)| parts.iter().map(|p| !is_place(p)).collect::<Vec<_>>();
    // Whoever asks for the headers alone is answered like whoever reads.
    let method = if *method == Method::HEAD {
        "GET"
    } else {
        method.as_str()
    };
    let operations = DOCUMENT.iter().filter(fits).max_by_key(named);
    let told = operations.and_then(|(_, methods)| methods.get(method));
    told.cloned().unwrap_or_else(|| BTreeSet::from([404]))
}

/// Stands for any text in a path.
fn is_place(part: &str) -> bool {
    part.starts_with('{')
}

#[test]
fn operations_are_found_as_the_router_finds_them() {
    let tells = |method: Method, path: &str, status: u16| told_of(&method, path).contains(&status);
    assert!(tells(Method::GET, "/v1/lookups/export", 200) && !tells(Method::GET, "/v1/lookups/export", 404));
    assert!(tells(Method::GET, "/v1/lookups/any", 404));
    assert!(tells(Method::GET, "/v1/lookups/turns/any", 202));
    assert!(tells(Method::PUT, "/v1/lookups/any/hidden", 204));
    assert!(tells(Method::HEAD, "/v1/account", 401));
    for (method, path) in [
        (Method::GET, "/v1/nothing"),
        (Method::GET, "/v1/lookups/"),
        (Method::GET, "/v1/lookups/any/other"),
        (Method::PATCH, "/v1/account"),
        (Method::DELETE, "/v1/lookups/export"),
    ] {
        assert_eq!(told_of(&method, path), BTreeSet::from([404]), "{method} {path}");
    }
}

#[test]
#[should_panic(expected = "GET /v1/account answered 418")]
fn an_answer_that_is_not_told_of_fails() {
    must_be_told(&Method::GET, "/elsewhere", 418);
    must_be_told(&Method::GET, "/v1/account", 200);
    must_be_told(&Method::GET, "/v1/account", 418);
}
