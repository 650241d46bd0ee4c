//! The catalogue of messages: all that the portal says, in Chinese and English, in Fluent's form.

use std::sync::LazyLock;

use fluent_bundle::{FluentArgs, FluentResource, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

use crate::app::Lang;

type Bundle = FluentBundle<FluentResource>;

/// The Chinese catalogue as it stands in the repository.
pub(crate) const ZH: &str = include_str!("../../messages/zh-CN.ftl");
/// The English catalogue as it stands in the repository.
pub(crate) const EN: &str = include_str!("../../messages/en.ftl");

static BUNDLES: LazyLock<[Bundle; 2]> = LazyLock::new(|| [bundle("zh-CN", ZH), bundle("en", EN)]);

fn bundle(lang: &str, text: &str) -> Bundle {
    let lang: LanguageIdentifier = lang.parse().unwrap_or_default();
    let mut bundle = Bundle::new_concurrent(vec![lang]);
    // The values are put between words of the same direction: marks of direction would only be copied along.
    bundle.set_use_isolating(false);
    // What is malformed is left out here and found by the tests, which read the same text.
    let resource = FluentResource::try_new(text.to_owned()).unwrap_or_else(|(sound, _)| sound);
    if bundle.add_resource(resource).is_err() {
        tracing::error!("a message stands twice in the catalogue");
    }
    bundle
}

/// The message of that key. A key that does not exist is shown itself; the tests see to it that this never happens.
#[must_use]
pub(crate) fn say(lang: Lang, key: &str, values: &[(&str, &str)]) -> String {
    let bundle = match lang {
        Lang::Zh => &BUNDLES[0],
        Lang::En => &BUNDLES[1],
    };
    let Some(pattern) = bundle.get_message(key).and_then(|m| m.value()) else {
        return key.to_owned();
    };
    let mut args = FluentArgs::new();
    for (name, value) in values {
        args.set(*name, *value);
    }
    bundle
        .format_pattern(pattern, Some(&args), &mut vec![])
        .into_owned()
}

/// The message of that key exists.
#[must_use]
pub(crate) fn exists(lang: Lang, key: &str) -> bool {
    match lang {
        Lang::Zh => BUNDLES[0].has_message(key),
        Lang::En => BUNDLES[1].has_message(key),
    }
}
