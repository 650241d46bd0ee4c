//! Reads a CSV file that nobody has described yet and guesses what its columns hold: the first draft of a mapping.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
};

use crypto::Suite;
use domain::kind::FieldType;
use jiff::civil::Date;
use serde_json::Value as Json;

use super::{
    RowError,
    csv::Csv,
    lines::{Line, Stop},
    raw::{MAX_BYTES, MAX_ROW_BYTES},
    read::{Bound, Content},
};
use crate::{file::Charset, format::Format, report::Problem};

/// A column is of a type if at most one cell in so many is not.
const ONE_WRONG_IN: u64 = 50;
/// A column with at most so many different values may be one of codes.
const MAX_CODES: usize = 12;
/// Codes stand so often on the average; otherwise the column is text.
const TIMES_EACH: u64 = 10;
/// And each of them so often: tomorrow's file may bring another word as rare as one that stands once today.
const LEAST_TIMES: u64 = 3;
/// The longest name of a code, in characters.
const MAX_CODE: usize = 10;
/// What is called so has words that people choose freely, however few there are today.
const FREE: [&str; 20] = [
    "名", "备注", "说明", "描述", "地址", "住址", "意见", "原因", "内容", "品种", "品牌", "色", "name",
    "remark", "note", "comment", "address", "breed", "colo", "brand",
];
/// Numbers of people that are remembered to see whether one comes twice.
const MAX_REMEMBERED: usize = 100_000;
/// Lines that are told.
const MAX_TOLD: usize = 20;

/// What a file seems to hold. It has personal data, and does not print itself.
pub struct Draft {
    /// `utf-8`, or `gb18030`, which contains GBK.
    pub charset: &'static str,
    /// Between the cells.
    pub delimiter: char,
    /// How many rows there are.
    pub rows: u64,
    /// Its columns, in order.
    pub columns: Vec<DraftColumn>,
    /// The column that tells whose a row is: the first of identity numbers.
    pub owner: Option<usize>,
    /// Somebody stands in several rows.
    pub is_repeated: bool,
    /// How many rows are not as guessed.
    pub wrong: u64,
    /// The first of them.
    pub told: Vec<RowError>,
    /// A row that is as guessed, cell by cell.
    pub sample: Vec<String>,
}

/// What one column seems to hold.
pub struct DraftColumn {
    /// As in the header.
    pub name: String,
    /// The type's word in `kind.toml`.
    pub of_type: &'static str,
    /// The format's word in a source's file, where one is needed.
    pub format: Option<&'static str>,
    /// What it is one of, where `of_type` is `code`.
    pub codes: Vec<String>,
    /// Some cells are empty.
    pub is_optional: bool,
    /// Rows of one person differ in it. It is looked at only where it cannot stand in a list: a name, a phone.
    pub is_unlike: bool,
}

/// A column, and what its cells are judged by where it is neither text nor a code.
type Chosen = (DraftColumn, Option<&'static Candidate>);

/// A type that a column may have, with the words of which one must be in its name.
struct Candidate {
    of_type: FieldType,
    format: Option<(Format, &'static str)>,
    hints: &'static [&'static str],
}

const fn plain(of_type: FieldType) -> Candidate {
    hinted(of_type, &[])
}

const fn hinted(of_type: FieldType, hints: &'static [&'static str]) -> Candidate {
    Candidate {
        of_type,
        format: None,
        hints,
    }
}

const fn written(of_type: FieldType, format: Format, word: &'static str) -> Candidate {
    Candidate {
        of_type,
        format: Some((format, word)),
        hints: &[],
    }
}

/// The narrowest first.
static CANDIDATES: [Candidate; 12] = [
    plain(FieldType::IdNumber),
    plain(FieldType::Phone),
    plain(FieldType::Plate),
    // An instant reads as a date, too, and would lose its time.
    written(FieldType::DateTime, Format::ChinaDateTime, "china-datetime"),
    written(FieldType::DateTime, Format::CompactDateTime, "yyyyMMddHHmmss"),
    plain(FieldType::DateTime),
    plain(FieldType::Date),
    written(FieldType::Date, Format::SlashedDate, "yyyy/M/d"),
    written(FieldType::Date, Format::ChineseDate, "yyyy年M月d日"),
    hinted(
        FieldType::Money,
        &["元", "金额", "费", "价", "余额", "amount", "price"],
    ),
    plain(FieldType::Integer),
    hinted(
        FieldType::PersonName,
        &["姓名", "名字", "员名", "人名", "学员", "持卡人", "户主", "name"],
    ),
];

impl Candidate {
    fn fits(&self, cell: &str, today: Date) -> bool {
        let raw = Json::String(cell.to_owned());
        match &self.format {
            Some((format, _)) => format.read(&raw, &self.of_type).is_some(),
            // What begins with a nought is a number of something, and no amount of it.
            None if self.of_type == FieldType::Integer => {
                cell.parse::<i64>().is_ok_and(|number| number.to_string() == cell)
            }
            None => self.of_type.read_on(&raw, today).is_ok(),
        }
    }

    fn is_hinted(&self, name: &str) -> bool {
        self.hints.is_empty() || has_any(name, self.hints)
    }
}

/// Whether the name of a column has one of these words in it.
fn has_any(name: &str, words: &[&str]) -> bool {
    let name = name.to_lowercase().replace(' ', "");
    words.iter().any(|word| name.contains(word))
}

/// What was counted of one column.
#[derive(Default)]
struct Count {
    filled: u64,
    empty: u64,
    misfits: [u64; CANDIDATES.len()],
    /// Value → how often; cleared for good once there are too many.
    values: Option<BTreeMap<String, u64>>,
}

/// Guesses what a file holds. `today` is the day in China, which no birthday may pass.
///
/// # Errors
/// The file cannot be read as CSV in UTF-8, GBK or GB18030; the line is told.
pub fn draft(path: &Path, today: Date) -> Result<Draft, RowError> {
    let in_charset = |charset, word| {
        let delimiter = delimiter(path)?;
        read(path, charset, delimiter, today).map(|draft| Draft {
            charset: word,
            ..draft
        })
    };
    match in_charset(Charset::Utf8, "utf-8") {
        Err(Stop::At(_, Problem::CharsetWrong)) => in_charset(Charset::Gb18030, "gb18030"),
        read => read,
    }
    .map_err(|stop| {
        let (line, problem) = match stop {
            Stop::At(line, problem) => (line, problem),
            Stop::Whole(problem) => (1, problem),
            // Nobody ends it but by ending the process.
            Stop::Ended => (1, Problem::DropUnreadable),
        };
        RowError {
            line,
            field: None,
            column: None,
            problem,
        }
    })
}

fn open(path: &Path, charset: Charset, delimiter: u8) -> Result<(Content<'static>, Csv), Stop> {
    let mut content = bytes(path)?;
    let csv = Csv::open(&mut content, delimiter, charset, MAX_ROW_BYTES)?;
    Ok((content, csv))
}

fn bytes(path: &Path) -> Result<Content<'static>, Stop> {
    let bound = Bound {
        bytes: MAX_BYTES,
        goes_on: &|_| true,
    };
    let content = Content::open(path, is_packed(path), Suite::Intl, bound);
    content.map_err(|_| Stop::Whole(Problem::DropUnreadable))
}

/// The one that stands most often in the first line. In GBK no second byte of a letter is one of them.
fn delimiter(path: &Path) -> Result<u8, Stop> {
    let mut content = bytes(path)?;
    let (mut first, mut length) = (vec![0; MAX_ROW_BYTES], 0);
    while !first[..length].contains(&b'\n') {
        // It is none where the file ends, or where there is no more place.
        match content.piece(&mut first[length..])? {
            0 => break,
            read => length += read,
        }
    }
    let is_in_line = |byte: &&u8| **byte != b'\n';
    let times = |delimiter: &u8| {
        let line = first[..length].iter().take_while(is_in_line);
        line.filter(|byte| *byte == delimiter).count()
    };
    // Of equals the last counts, which is the most usual one.
    Ok(b"\t;,".iter().copied().max_by_key(times).unwrap_or(b','))
}

fn is_packed(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "gz")
}

fn each_row(
    (mut content, mut csv): (Content<'_>, Csv),
    mut take: impl FnMut(u64, Result<Vec<String>, Problem>),
) -> Result<(), Stop> {
    while let Some(Line { line, row }) = csv.next(&mut content)? {
        let cells = |row: Json| {
            let cell = |name: &String| {
                row.get(name)
                    .and_then(Json::as_str)
                    .unwrap_or_default()
                    .to_owned()
            };
            csv.header().iter().map(cell).collect()
        };
        take(line, row.map(cells));
    }
    Ok(())
}

/// Counts in a first pass, and finds in a second what is not as guessed.
fn read(path: &Path, charset: Charset, delimiter: u8, today: Date) -> Result<Draft, Stop> {
    let opened = open(path, charset, delimiter)?;
    let header = opened.1.header().to_vec();
    let new = || Count {
        values: Some(BTreeMap::new()),
        ..Count::default()
    };
    let mut counts: Vec<Count> = header.iter().map(|_| new()).collect();
    let mut rows = 0;
    each_row(opened, |_, row| {
        rows += 1;
        for (count, cell) in counts.iter_mut().zip(row.unwrap_or_default()) {
            count.take(cell, today);
        }
    })?;
    if rows == 0 {
        return Err(Stop::Whole(Problem::DropEmpty));
    }
    let mut chosen: Vec<_> = header
        .iter()
        .zip(&counts)
        .map(|(name, count)| count.choose(name))
        .collect();
    let owner = chosen
        .iter()
        .position(|(column, _)| column.of_type == FieldType::IdNumber.word());
    if let Some(at) = owner {
        chosen[at].0.is_optional = false;
    }
    let mut draft = Draft {
        charset: "",
        delimiter: char::from(delimiter),
        rows,
        columns: Vec::new(),
        owner,
        is_repeated: owner.is_some_and(|at| counts[at].repeated().next().is_some()),
        wrong: 0,
        told: Vec::new(),
        sample: Vec::new(),
    };
    let mut people = People::new(owner, owner.map(|at| &counts[at]), &chosen);
    each_row(open(path, charset, delimiter)?, |line, row| {
        row.iter().for_each(|cells| people.compare(cells));
        draft.judge(line, row, &chosen, today)
    })?;
    draft.columns = chosen.into_iter().map(|(column, _)| column).collect();
    for at in people.unlike {
        draft.columns[at].is_unlike = true;
    }
    Ok(draft)
}

/// Who stands in several rows, and what their first row has where a list could not hold it.
struct People {
    owner: Option<usize>,
    first: BTreeMap<String, Option<Vec<String>>>,
    columns: Vec<usize>,
    unlike: BTreeSet<usize>,
}

impl People {
    fn new(owner: Option<usize>, count: Option<&Count>, chosen: &[Chosen]) -> Self {
        let outside = [FieldType::PersonName.word(), FieldType::Phone.word()];
        let columns = chosen.iter().enumerate();
        People {
            owner,
            first: count
                .into_iter()
                .flat_map(Count::repeated)
                .map(|number| (number.clone(), None))
                .collect(),
            columns: columns
                .filter(|(_, (column, _))| outside.contains(&column.of_type))
                .map(|(at, _)| at)
                .collect(),
            unlike: BTreeSet::new(),
        }
    }

    fn compare(&mut self, cells: &[String]) {
        let number = self.owner.and_then(|at| cells.get(at));
        let Some(first) = number.and_then(|number| self.first.get_mut(number)) else {
            return;
        };
        let here = self
            .columns
            .iter()
            .map(|at| cells.get(*at).cloned().unwrap_or_default());
        let here: Vec<String> = here.collect();
        let first = first.get_or_insert_with(|| here.clone());
        let pairs = self.columns.iter().zip(first.iter().zip(&here));
        self.unlike.extend(
            pairs
                .filter(|(_, (first, here))| first != here)
                .map(|(at, _)| *at),
        );
    }
}

impl Count {
    fn take(&mut self, cell: String, today: Date) {
        if cell.is_empty() {
            self.empty += 1;
            return;
        }
        self.filled += 1;
        for (misfits, candidate) in self.misfits.iter_mut().zip(&CANDIDATES) {
            // Once it cannot be chosen any more, it is not tried.
            if *misfits <= self.filled / ONE_WRONG_IN || self.filled < 2 * ONE_WRONG_IN {
                *misfits += u64::from(!candidate.fits(&cell, today));
            }
        }
        // Among the first cells one that is no number may be a slip.
        let may_be_numbers = self.fits(0) || self.filled < 2 * ONE_WRONG_IN;
        let most = if may_be_numbers { MAX_REMEMBERED } else { MAX_CODES };
        if let Some(values) = &mut self.values {
            *values.entry(cell).or_default() += 1;
            if values.len() > most {
                self.values = None;
            }
        }
    }

    fn fits(&self, at: usize) -> bool {
        self.filled > 0 && self.misfits[at] <= self.filled / ONE_WRONG_IN
    }

    /// What comes twice, as far as that is known.
    fn repeated(&self) -> impl Iterator<Item = &String> {
        let values = self.values.iter().flatten();
        values.filter(|(_, times)| **times > 1).map(|(value, _)| value)
    }

    /// The words of a closed list: few, short, and each of them often. Everything else is text, which takes whatever
    /// tomorrow's file brings.
    fn codes(&self, name: &str) -> Vec<String> {
        let Some(values) = self.values.as_ref().filter(|_| !has_any(name, &FREE)) else {
            return Vec::new();
        };
        let are_codes = values.len() <= MAX_CODES
            && self.filled >= TIMES_EACH * values.len() as u64
            && values.values().all(|times| *times >= LEAST_TIMES)
            && values.keys().all(|code| code.chars().count() <= MAX_CODE);
        if are_codes {
            values.keys().cloned().collect()
        } else {
            Vec::new()
        }
    }

    fn choose(&self, name: &str) -> Chosen {
        let candidates = CANDIDATES.iter().enumerate();
        let chosen = candidates
            .filter(|(at, candidate)| self.fits(*at) && candidate.is_hinted(name))
            .map(|(_, candidate)| candidate)
            .next();
        let codes = if chosen.is_none() {
            self.codes(name)
        } else {
            Vec::new()
        };
        let column = DraftColumn {
            name: name.to_owned(),
            of_type: match chosen {
                Some(candidate) => candidate.of_type.word(),
                None if codes.is_empty() => "text",
                None => "code",
            },
            format: chosen
                .and_then(|candidate| candidate.format.as_ref())
                .map(|(_, word)| *word),
            codes,
            is_optional: self.empty > 0,
            is_unlike: false,
        };
        (column, chosen)
    }
}

impl Draft {
    fn judge(&mut self, line: u64, row: Result<Vec<String>, Problem>, chosen: &[Chosen], today: Date) {
        let (column, problem) = match row {
            Err(problem) => (None, problem),
            Ok(cells) => {
                let pairs = cells.iter().zip(chosen);
                let mut wrong =
                    pairs.filter_map(|(cell, chosen)| Some((&chosen.0.name, trouble(cell, chosen, today)?)));
                match wrong.next() {
                    Some((name, problem)) => (Some(name.clone()), problem),
                    None => {
                        if self.sample.is_empty() {
                            self.sample = cells;
                        }
                        return;
                    }
                }
            }
        };
        self.wrong += 1;
        if self.told.len() < MAX_TOLD {
            self.told.push(RowError {
                line,
                field: None,
                column,
                problem,
            });
        }
    }
}

fn trouble(cell: &str, (column, candidate): &Chosen, today: Date) -> Option<Problem> {
    let fits = match candidate {
        _ if cell.is_empty() => return (!column.is_optional).then_some(Problem::FieldMissing),
        Some(candidate) => candidate.fits(cell, today),
        None if column.codes.is_empty() => FieldType::Text
            .read_on(&Json::String(cell.to_owned()), today)
            .is_ok(),
        None => column.codes.iter().any(|code| code == cell),
    };
    (!fits).then_some(Problem::FieldMalformed)
}
