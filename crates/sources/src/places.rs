//! The places of a row that a mapping reads: what else stands in the row is outside the agreement and is not kept.

use std::collections::BTreeMap;

use serde_json::Value as Json;

use crate::{json, pointer::Pointer};

/// One place with those below it.
#[derive(Debug, Default)]
pub(crate) struct Places {
    /// All that stands here is read.
    whole: bool,
    members: BTreeMap<String, Places>,
    /// What is read of each element of the list that stands here.
    elements: Option<Box<Places>>,
    /// Something stood here in some row, if only null.
    seen: bool,
}

impl Places {
    /// The place at the end of a pointer, from here.
    pub(crate) fn at(&mut self, pointer: &Pointer) -> &mut Places {
        pointer.names().fold(self, |place, name| {
            place.members.entry(name.to_owned()).or_default()
        })
    }

    /// All that stands here is read.
    pub(crate) fn read_whole(&mut self) {
        self.whole = true;
    }

    /// The place of each element of the list that stands here.
    pub(crate) fn elements(&mut self) -> &mut Places {
        self.elements.get_or_insert_default()
    }

    /// Cuts a row down to what is read, and remembers what was there.
    pub(crate) fn cut(&mut self, value: Json) -> Json {
        self.seen = true;
        if self.whole {
            return value;
        }
        match value {
            Json::Object(mut members) => {
                members.retain(|name, _| self.members.contains_key(name));
                for (name, value) in &mut members {
                    if let Some(place) = self.members.get_mut(name) {
                        *value = place.cut(value.take());
                    }
                }
                Json::Object(members)
            }
            Json::Array(elements) => {
                let cut = |(at, element)| self.cut_element(at, element);
                Json::Array(elements.into_iter().enumerate().map(cut).collect())
            }
            // A table has no arrays: a list may be written as text.
            Json::String(text) if self.elements.is_some() => match json::parse(text.as_bytes()) {
                Ok(list @ Json::Array(_)) => Json::String(self.cut(list).to_string()),
                _ => Json::String(text),
            },
            // Where an object or a list is read, a single value is not.
            _ => Json::Null,
        }
    }

    fn cut_element(&mut self, at: usize, element: Json) -> Json {
        match (&mut self.elements, self.members.get_mut(&at.to_string())) {
            // Read both as one of many and by itself: two mappings, of which neither may lose anything.
            (Some(_), Some(_)) => element,
            (Some(place), None) => place.cut(element),
            (None, Some(place)) => place.cut(element),
            (None, None) => Json::Null,
        }
    }

    /// The places at which nothing stood in any row, as pointers; `*` is any element of a list. What lies below such
    /// a place is not told, nor what lies in lists that were all empty.
    pub(crate) fn lacking(&self) -> Vec<String> {
        let mut lacking = Vec::new();
        self.lacking_below("", &mut lacking);
        lacking
    }

    fn lacking_below(&self, at: &str, lacking: &mut Vec<String>) {
        for (name, place) in &self.members {
            let at = format!("{at}/{}", name.replace('~', "~0").replace('/', "~1"));
            if place.seen {
                place.lacking_below(&at, lacking);
            } else {
                lacking.push(at);
            }
        }
        if let Some(place) = self.elements.as_ref().filter(|place| place.seen) {
            place.lacking_below(&format!("{at}/*"), lacking);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn pointer(text: &str) -> Pointer {
        Pointer::parse(text).unwrap()
    }

    fn places() -> Places {
        let mut places = Places::default();
        for text in ["/a", "/b/c", "/n/1"] {
            places.at(&pointer(text)).read_whole();
        }
        let elements = places.at(&pointer("/l")).elements();
        elements.at(&pointer("/x")).read_whole();
        elements.at(&pointer("/y")).read_whole();
        places
    }

    #[test]
    fn only_what_is_read_stays() {
        let mut places = places();
        let row = json!({"a": {"all": [1]}, "b": {"c": 2, "d": 3}, "n": [4, 5, 6], "l": [{"x": 7, "z": 8}], "o": 9});
        let cut = json!({"a": {"all": [1]}, "b": {"c": 2}, "n": [null, 5, null], "l": [{"x": 7}]});
        assert_eq!(places.cut(row), cut);
        assert_eq!(places.lacking(), ["/l/*/y"]);
        let row = json!({"l": "[{\"y\":1,\"z\":2}]", "b": "text"});
        assert_eq!(places.cut(row), json!({"l": "[{\"y\":1}]", "b": null}));
        assert!(places.lacking().is_empty());
    }

    #[test]
    fn what_no_row_has_is_told() {
        let mut places = places();
        places.cut(json!({"a": null, "l": []}));
        assert_eq!(places.lacking(), ["/b", "/n"]);
    }
}
