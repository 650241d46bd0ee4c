//! The texts of a draft: TOML of kind, source, examples and tests.

use std::{collections::BTreeSet, path::Path};

use sources::{Draft, DraftColumn};

/// Somebody invented, and somebody else, for the examples.
const ONE: &str = "name = \"林示例\"\nid_number = \"110201198806140125\"";
const ONES_NUMBER: &str = "110201198806140125";
const OTHERS_NUMBER: &str = "132102199109250450";

/// What the draft is called and where it stands.
pub(super) struct Words<'a> {
    pub(super) id: &'a str,
    pub(super) name: &'a str,
    pub(super) into: &'a Path,
    pub(super) packed: bool,
}

impl Words<'_> {
    /// What follows the date in the name of a drop.
    pub(super) fn ending(&self) -> &'static str {
        if self.packed { ".csv.gz" } else { ".csv" }
    }
}

/// What becomes of a column.
pub(super) struct Part<'a> {
    column: &'a DraftColumn,
    /// The field's id.
    pub(super) id: String,
    /// It tells whose the row is, or somebody else's number: never disclosed.
    is_internal: bool,
    /// It stands in the list of a person's rows.
    is_item: bool,
    /// Why it is left out: it cannot be in a list, and may differ from row to row.
    pub(super) left_out: Option<&'static str>,
}

/// What becomes of each column: one field each, or an item of a list where a person has several rows.
pub(super) fn parts<'a>(draft: &'a Draft, owner: usize) -> Vec<Part<'a>> {
    let mut taken = BTreeSet::from(["records".to_owned()]);
    let part = |(at, column): (usize, &'a DraftColumn)| {
        let names_somebody = matches!(column.of_type, "id_number" | "person_name" | "phone");
        let left_out = match column.of_type {
            _ if !draft.is_repeated || at == owner => None,
            "id_number" => Some("a list holds no numbers of people"),
            _ if column.is_unlike => {
                Some("it differs within a person, and a list holds no names and phones of people")
            }
            _ => None,
        };
        Part {
            column,
            id: id(column, at, &mut taken),
            is_internal: column.of_type == "id_number",
            is_item: draft.is_repeated && !names_somebody,
            left_out,
        }
    };
    draft.columns.iter().enumerate().map(part).collect()
}

/// Words of the header where it is Latin; otherwise the type, or the column's place.
fn id(column: &DraftColumn, at: usize, taken: &mut BTreeSet<String>) -> String {
    let lower = column.name.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    let is_latin = column.name.is_ascii() && lower.starts_with(|c: char| c.is_ascii_lowercase());
    let id = match column.of_type {
        _ if is_latin => words.join("_").chars().take(40).collect(),
        "person_name" => "name".to_owned(),
        "id_number" | "phone" | "plate" => column.of_type.to_owned(),
        _ => format!("column_{}", at + 1),
    };
    let id = if taken.contains(&id) {
        format!("column_{}", at + 1)
    } else {
        id
    };
    taken.insert(id.clone());
    id
}

/// Every file of the draft but the drop, by its path.
pub(super) fn files(
    words: &Words<'_>,
    draft: &Draft,
    owner: usize,
    parts: &[Part<'_>],
) -> Vec<(String, String)> {
    let parts: Vec<&Part<'_>> = parts.iter().filter(|part| part.left_out.is_none()).collect();
    let kind = |file: &str| format!("kinds/{}/{file}", words.id);
    let notice = |text: &str| text.replace("{name}", words.name);
    vec![
        (
            kind("kind.toml"),
            kind_text(words, &parts, &owner_id(draft, owner, &parts)),
        ),
        (kind("notice.zh.md"), notice(include_str!("notice.zh.md"))),
        (kind("notice.en.md"), notice(include_str!("notice.en.md"))),
        (kind("examples/found.toml"), found(&parts)),
        (kind("examples/somebody-elses.toml"), somebody_elses(&parts)),
        (kind("examples/level-one.toml"), level_one()),
        (
            format!("sources/{}.toml", words.id),
            source_text(words, draft, owner, &parts),
        ),
        ("tests.toml".to_owned(), tests_text(words, draft, owner)),
    ]
}

fn owner_id(draft: &Draft, owner: usize, parts: &[&Part<'_>]) -> String {
    let name = &draft.columns[owner].name;
    let part = parts.iter().find(|part| part.column.name == *name);
    part.map(|part| part.id.clone()).unwrap_or_default()
}

/// A text in quotes: TOML reads what JSON writes, and JSON never writes it over several lines, which a key may not be.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The same words in both languages, until somebody translates them.
fn bilingual(words: &str) -> String {
    format!("{{ zh = {0}, en = {0} }}", quoted(words))
}

/// Where a column stands, as a JSON pointer.
fn pointer(column: &DraftColumn) -> String {
    format!("/{}", column.name.replace('~', "~0").replace('/', "~1"))
}

fn kind_text(words: &Words<'_>, parts: &[&Part<'_>], owner: &str) -> String {
    let mut text = include_str!("kind.toml")
        .replace("{title}", &words.name.replace('\n', " "))
        .replace("{id}", words.id)
        .replace("{name}", &bilingual(words.name))
        .replace("{about_zh}", &quoted(&format!("您的{}。", words.name)))
        .replace("{about_en}", &quoted(&format!("Your record of {}.", words.name)))
        .replace("{owner}", owner);
    for part in parts.iter().filter(|part| !part.is_item) {
        let sensitivity = if part.is_internal { "sensitive" } else { "personal" };
        text.push_str(&format!(
            "\n[[fields]]\n{}classification = \"{sensitivity}\"\n",
            named(&part.id, part.column)
        ));
        if part.is_internal {
            text.push_str("internal = true  # compared, and never disclosed\n");
        }
        text.push_str(&typed("fields", part.column));
    }
    if parts.iter().any(|part| part.is_item) {
        text.push_str(
            "\n[[fields]]\nid = \"records\"\nname = { zh = \"记录\", en = \"Records\" }\nclassification = \"personal\"\n\
             [fields.type.list]\nmax_items = 100\n",
        );
        for part in parts.iter().filter(|part| part.is_item) {
            text.push_str(&format!(
                "[[fields.type.list.items]]\n{}",
                named(&part.id, part.column)
            ));
            text.push_str(&typed("fields.type.list.items", part.column));
        }
    }
    text
}

fn named(id: &str, column: &DraftColumn) -> String {
    let optional = if column.is_optional {
        "optional = true\n"
    } else {
        ""
    };
    format!("id = \"{id}\"\nname = {}\n{optional}", bilingual(&column.name))
}

/// The type stands last: that of a code is a table.
fn typed(list: &str, column: &DraftColumn) -> String {
    if column.codes.is_empty() {
        return format!("type = \"{}\"\n", column.of_type);
    }
    let mut text = format!("[{list}.type.code.codes]\n");
    for (at, code) in column.codes.iter().enumerate() {
        text.push_str(&format!("c{} = {}\n", at + 1, bilingual(code)));
    }
    text
}

fn source_text(words: &Words<'_>, draft: &Draft, owner: usize, parts: &[&Part<'_>]) -> String {
    let path = |folder: &str| quoted(&words.into.join(folder).display().to_string());
    let mut text = include_str!("source.toml")
        .replace("{id}", words.id)
        .replace("{name}", &bilingual(words.name))
        .replace("{charset}", draft.charset)
        .replace("{folder}", &path("drops"))
        .replace("{ending}", words.ending())
        .replace("{delimiter}", &quoted(&draft.delimiter.to_string()))
        .replace("{store}", &path("store"))
        .replace("{keys}", &path("store-keys"))
        .replace("{wrong}", &draft.wrong.to_string())
        .replace(
            "{several}",
            if draft.is_repeated {
                "several = true  # all rows of a person make one record\n"
            } else {
                ""
            },
        )
        .replace("{subject}", &quoted(&pointer(&draft.columns[owner])));
    for part in parts.iter().filter(|part| !part.is_item) {
        text.push_str(&format!("{} = {}\n", part.id, mapped(part.column)));
    }
    if parts.iter().any(|part| part.is_item) {
        text.push_str("records.at = \"/rows\"\n");
    }
    for part in parts.iter().filter(|part| part.is_item) {
        text.push_str(&format!("records.items.{} = {}\n", part.id, mapped(part.column)));
    }
    text
}

fn mapped(column: &DraftColumn) -> String {
    let at = quoted(&pointer(column));
    if let Some(format) = column.format {
        return format!("{{ at = {at}, format = \"{format}\" }}");
    }
    if column.codes.is_empty() {
        return at;
    }
    let code = |(at, code): (usize, &String)| format!("{} = \"c{}\"", quoted(code), at + 1);
    let codes: Vec<String> = column.codes.iter().enumerate().map(code).collect();
    format!("{{ at = {at}, codes = {{ {} }} }}", codes.join(", "))
}

fn tests_text(words: &Words<'_>, draft: &Draft, owner: usize) -> String {
    let cell = |at: usize| draft.sample.get(at).map_or("", String::as_str);
    let name = draft
        .columns
        .iter()
        .position(|column| column.of_type == "person_name");
    let name = name.map(cell).filter(|name| !name.is_empty());
    include_str!("tests.toml")
        .replace("{id}", words.id)
        // A file that names nobody compares no name.
        .replace("{name}", &quoted(name.unwrap_or("测试甲")))
        .replace("{number}", &quoted(cell(owner)))
}

/// The record of an example: every part with an invented value, as TOML.
fn record(parts: &[&Part<'_>], owner: &str) -> String {
    let mut text = disclosed(parts);
    for part in parts.iter().filter(|part| part.is_internal) {
        text.push_str(&format!("{} = \"{owner}\"\n", part.id));
    }
    text
}

fn disclosed(parts: &[&Part<'_>]) -> String {
    let mut text = String::new();
    for part in parts.iter().filter(|part| !part.is_internal && !part.is_item) {
        text.push_str(&format!("{} = {}\n", part.id, value(part.column)));
    }
    let items = parts.iter().filter(|part| part.is_item);
    let items: Vec<String> = items
        .map(|part| format!("{} = {}", part.id, value(part.column)))
        .collect();
    if !items.is_empty() {
        text.push_str(&format!("records = [{{ {} }}]\n", items.join(", ")));
    }
    text
}

fn value(column: &DraftColumn) -> &'static str {
    match column.of_type {
        "code" => "\"c1\"",
        "date" => "\"2026-01-31\"",
        "date_time" => "\"2026-01-31T08:00:00Z\"",
        "integer" => "12",
        "money" => "1250",
        "phone" => "\"17900000000\"",
        "plate" => "\"粤BD12345\"",
        "person_name" => "\"林示例\"",
        _ => "\"示例\"",
    }
}

fn withheld(parts: &[&Part<'_>], is_all: bool) -> String {
    let list = parts.iter().any(|part| part.is_item).then_some("records");
    let shown = parts
        .iter()
        .filter(|part| !part.is_item && (is_all || part.is_internal));
    let ids: Vec<String> = shown
        .map(|part| part.id.as_str())
        .chain(list.filter(|_| is_all))
        .map(quoted)
        .collect();
    ids.join(", ")
}

fn asked(says: &str, level: &str) -> String {
    format!(
        "# Everybody in it is invented.\nsays = \"{says}\"\n\n[person]\n{ONE}\n\n\
         [request]\nlevel = \"{level}\"\nmode = \"read\"\n\n"
    )
}

fn found(parts: &[&Part<'_>]) -> String {
    format!(
        "{}[answer]\noutcome = \"found\"\n\n[answer.record]\n{}\n[expect]\ndecision = \"permit\"\noutcome = \"found\"\n\
         withheld = [{}]\n\n[expect.disclosed]\n{}",
        asked("One's own record is seen whole, but for the number.", "L2"),
        record(parts, ONES_NUMBER),
        withheld(parts, false),
        disclosed(parts)
    )
}

fn somebody_elses(parts: &[&Part<'_>]) -> String {
    format!(
        "{}[answer]\noutcome = \"found\"\n\n[answer.record]\n{}\n[expect]\ndecision = \"permit\"\n\
         outcome = \"not_found\"\nwithheld = [{}]\n",
        asked("The source answers with somebody else's: no record.", "L2"),
        record(parts, OTHERS_NUMBER),
        withheld(parts, true)
    )
}

fn level_one() -> String {
    format!(
        "{}[expect]\ndecision = \"LEVEL_TOO_LOW\"\n",
        asked("Whoever has not proven their name sees nothing.", "L1")
    )
}
