//! JSON pointers (RFC 6901), taken apart once at start.

use serde_json::Value;
use toml::Spanned;

use crate::file::{SourceError, SourceFile};

/// A place in a JSON document; the empty pointer is the whole of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pointer(Vec<Token>);

/// One step: the name of a member and, where it could be one, the index of an element.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Token {
    name: String,
    index: Option<usize>,
}

impl Pointer {
    /// Reads a pointer as it is written; `None` where it is none.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.is_empty() {
            return Some(Pointer(Vec::new()));
        }
        text.strip_prefix('/')?
            .split('/')
            .map(Token::parse)
            .collect::<Option<_>>()
            .map(Pointer)
    }

    /// The member of that name, which is no number.
    pub(crate) fn member(name: &str) -> Self {
        let name = name.to_owned();
        Pointer(vec![Token { name, index: None }])
    }

    /// The name of its first step.
    pub(crate) fn first(&self) -> Option<&str> {
        self.0.first().map(|token| token.name.as_str())
    }

    /// The names of its steps.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|token| token.name.as_str())
    }

    /// The same without its first step.
    pub(crate) fn after_first(&self) -> Self {
        Pointer(self.0.iter().skip(1).cloned().collect())
    }

    /// Reads a pointer of a file.
    pub(crate) fn compile(file: &SourceFile, text: &Spanned<String>) -> Result<Self, SourceError> {
        let problem = || format!("\"{}\" is no JSON pointer; it begins with /", text.get_ref());
        Pointer::parse(text.get_ref()).ok_or_else(|| file.wrong(&text.span(), problem()))
    }

    /// The value at this place.
    pub(crate) fn find<'a>(&self, document: &'a Value) -> Option<&'a Value> {
        self.0.iter().try_fold(document, |at, token| match at {
            Value::Object(members) => members.get(&token.name),
            Value::Array(elements) => elements.get(token.index?),
            _ => None,
        })
    }
}

impl Token {
    fn parse(text: &str) -> Option<Self> {
        let escapes_are_sound = text.split('~').skip(1).all(|after| after.starts_with(['0', '1']));
        let name = text.replace("~1", "/").replace("~0", "~");
        let is_index = name == "0" || (!name.starts_with('0') && name.bytes().all(|b| b.is_ascii_digit()));
        let index = if is_index { name.parse().ok() } else { None };
        escapes_are_sound.then_some(Token { name, index })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_are_found() {
        let document = json!({"foo": ["bar", "baz"], "": 0, "a/b": 1, "c%d": 2, " ": 7, "m~n": 8});
        for text in [
            "", "/foo", "/foo/0", "/", "/a~1b", "/c%d", "/ ", "/m~0n", "/foo/2", "/foo/00", "/foo/+1", "/x",
        ] {
            assert_eq!(
                Pointer::parse(text).unwrap().find(&document),
                document.pointer(text),
                "{text}"
            );
        }
        assert_eq!(Pointer::parse("foo"), None);
        assert_eq!(Pointer::parse("/a~2"), None);
        assert_eq!(Pointer::parse("/a~"), None);
    }

    proptest! {
        /// Against the one in `serde_json`, which takes a pointer apart anew each time.
        #[test]
        fn agrees_with_serde_json(text in "(/([ab01~/]|~0|~1){0,3}){0,3}") {
            let document = json!({"a": [{"b": 1}, [2, 3]], "b": {"~": {"0": 4}, "/": 5, "": {"": 6}}, "0": [7]});
            if let Some(pointer) = Pointer::parse(&text) {
                prop_assert_eq!(pointer.find(&document), document.pointer(&text));
            }
        }
    }
}
