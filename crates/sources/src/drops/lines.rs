//! Rows of a drop in either layout, told with their lines.

use serde_json::Value as Json;

use super::{csv::Csv, raw::Layout, read::Content};
use crate::{file::Charset, json, report::Problem, sql};

/// One row and where it stands.
pub(super) struct Line {
    pub(super) line: u64,
    pub(super) row: Result<Json, Problem>,
}

/// Why a file is not read any further.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stop {
    /// At a line.
    At(u64, Problem),
    /// Somewhere.
    Whole(Problem),
    /// The process is about to end.
    Ended,
}

/// A drop that is being read.
pub(super) enum Lines {
    Csv(Box<Csv>),
    Json(JsonLines),
}

/// JSON objects, one a line.
pub(super) struct JsonLines {
    charset: Charset,
    row_bytes: usize,
    input: Vec<u8>,
    from: usize,
    until: usize,
    line: u64,
}

/// Text in the charset of the file. Where its last bytes are the file's, too, and the beginning of a letter, the file
/// was cut off.
pub(super) fn decode(bytes: &[u8], charset: Charset, is_at_end: bool) -> Result<String, Problem> {
    sql::decode(bytes, charset).map_err(|_| {
        if is_at_end && sql::is_begun(bytes, charset) {
            Problem::DropCutOff
        } else {
            Problem::CharsetWrong
        }
    })
}

impl Lines {
    pub(super) fn open(
        content: &mut Content<'_>,
        layout: Layout,
        charset: Charset,
        row_bytes: usize,
    ) -> Result<Self, Stop> {
        Ok(match layout {
            Layout::Csv(delimiter) => {
                Lines::Csv(Box::new(Csv::open(content, delimiter, charset, row_bytes)?))
            }
            Layout::JsonLines => Lines::Json(JsonLines {
                charset,
                row_bytes,
                input: vec![0; 1 << 16],
                from: 0,
                until: 0,
                line: 0,
            }),
        })
    }

    /// The next row; `None` at the end.
    pub(super) fn next(&mut self, content: &mut Content<'_>) -> Result<Option<Line>, Stop> {
        match self {
            Lines::Csv(csv) => csv.next(content),
            Lines::Json(lines) => lines.next(content),
        }
    }

    /// The names of the columns, where the layout has a header.
    pub(super) fn header(&self) -> Option<&[String]> {
        match self {
            Lines::Csv(csv) => Some(csv.header()),
            Lines::Json(_) => None,
        }
    }
}

impl JsonLines {
    fn next(&mut self, content: &mut Content<'_>) -> Result<Option<Line>, Stop> {
        loop {
            let Some(bytes) = self.line(content)? else {
                return Ok(None);
            };
            self.line += 1;
            // Only the end of the file ends a line with nothing left to read.
            let text = decode(&bytes, self.charset, self.until == 0)
                .map_err(|problem| Stop::At(self.line, problem))?;
            let text = text.trim_start_matches('\u{feff}').trim();
            if text.is_empty() {
                continue;
            }
            let row = json::parse(text.as_bytes());
            let row = row.and_then(|row| {
                if row.is_object() {
                    Ok(row)
                } else {
                    Err(Problem::NotJson)
                }
            });
            return Ok(Some(Line { line: self.line, row }));
        }
    }

    /// The bytes of a line without its end. No byte of a letter in GBK is a line's end.
    fn line(&mut self, content: &mut Content<'_>) -> Result<Option<Vec<u8>>, Stop> {
        let mut line = Vec::new();
        loop {
            if self.from == self.until {
                self.from = 0;
                self.until = content.piece(&mut self.input)?;
                if self.until == 0 {
                    return Ok((!line.is_empty()).then_some(line));
                }
            }
            let rest = &self.input[self.from..self.until];
            let end = rest.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(&rest[..end.unwrap_or(rest.len())]);
            if line.len() > self.row_bytes {
                return Err(Stop::At(self.line + 1, Problem::RowTooLong));
            }
            self.from += end.map_or(rest.len(), |end| end + 1);
            if end.is_some() {
                return Ok(Some(line));
            }
        }
    }
}
