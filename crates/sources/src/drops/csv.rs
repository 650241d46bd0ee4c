//! Rows of a CSV file (RFC 4180), each of bounded length, with the names of the header.

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde_json::{Map, Value as Json};

use super::{
    lines::{Line, Stop, decode},
    read::Content,
};
use crate::{file::Charset, report::Problem};

/// How many columns a file may have.
const MAX_COLUMNS: usize = 256;

/// A file that is being read.
pub(super) struct Csv {
    reader: Reader,
    header: Vec<String>,
    charset: Charset,
    input: Vec<u8>,
    /// What of `input` is not read yet.
    from: usize,
    until: usize,
    output: Vec<u8>,
    ends: Vec<usize>,
    /// The physical line of the next byte, and the byte before it.
    line: u64,
    last: u8,
}

impl Csv {
    /// Reads the header.
    pub(super) fn open(
        content: &mut Content<'_>,
        delimiter: u8,
        charset: Charset,
        row_bytes: usize,
    ) -> Result<Self, Stop> {
        let mut csv = Csv {
            reader: ReaderBuilder::new().delimiter(delimiter).build(),
            header: Vec::new(),
            charset,
            input: vec![0; 1 << 16],
            from: 0,
            until: 0,
            output: vec![0; row_bytes],
            ends: vec![0; MAX_COLUMNS],
            line: 1,
            last: 0,
        };
        csv.skip_empty_lines(content)?;
        let cells = csv.cells(content)?.ok_or(Stop::Whole(Problem::HeaderMalformed))?;
        let header = cells
            .into_iter()
            .map(|cell| cell.trim().trim_start_matches('\u{feff}').to_owned());
        csv.header = header.collect();
        let twice = csv
            .header
            .iter()
            .enumerate()
            .any(|(at, name)| csv.header[..at].contains(name));
        if twice || csv.header.iter().any(String::is_empty) {
            return Err(Stop::Whole(Problem::HeaderMalformed));
        }
        Ok(csv)
    }

    /// The names of the columns.
    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The next row, told with the physical line on which it begins.
    pub(super) fn next(&mut self, content: &mut Content<'_>) -> Result<Option<Line>, Stop> {
        self.skip_empty_lines(content)?;
        let line = self.line;
        let Some(cells) = self.cells(content)? else {
            return Ok(None);
        };
        if cells.len() != self.header.len() {
            return Ok(Some(Line {
                line,
                row: Err(Problem::RowRagged),
            }));
        }
        let members: Map<String, Json> = self
            .header
            .iter()
            .cloned()
            .zip(cells.into_iter().map(Json::String))
            .collect();
        Ok(Some(Line {
            line,
            row: Ok(Json::Object(members)),
        }))
    }

    /// Empty lines are no rows; nor is the second half of the end of a row that is behind.
    fn skip_empty_lines(&mut self, content: &mut Content<'_>) -> Result<(), Stop> {
        loop {
            self.fill(content)?;
            match self.input[self.from..self.until].first() {
                Some(b'\r' | b'\n') => self.pass(1),
                _ => return Ok(()),
            }
        }
    }

    /// Reads on where all that was read is behind.
    fn fill(&mut self, content: &mut Content<'_>) -> Result<(), Stop> {
        if self.from == self.until {
            self.from = 0;
            self.until = content.piece(&mut self.input)?;
        }
        Ok(())
    }

    /// Leaves bytes behind and counts their lines: `\r\n` ends one, as each alone does.
    fn pass(&mut self, length: usize) {
        for byte in &self.input[self.from..self.from + length] {
            let is_end = *byte == b'\r' || (*byte == b'\n' && self.last != b'\r');
            self.line += u64::from(is_end);
            self.last = *byte;
        }
        self.from += length;
    }

    fn cells(&mut self, content: &mut Content<'_>) -> Result<Option<Vec<String>>, Stop> {
        let begins = self.line;
        let (mut written, mut cells) = (0, 0);
        loop {
            self.fill(content)?;
            let (result, read, wrote, ended) = self.reader.read_record(
                &self.input[self.from..self.until],
                &mut self.output[written..],
                &mut self.ends[cells..],
            );
            self.pass(read);
            written += wrote;
            cells += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                // One long row: a quote that is never closed swallows the rest of the file.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(Stop::At(begins, Problem::RowTooLong));
                }
                ReadRecordResult::Record => {
                    let is_last = self.until == 0;
                    let decoded = self.decode(cells, is_last);
                    return decoded.map(Some).map_err(|problem| Stop::At(begins, problem));
                }
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    /// The cells of a row; `is_last` where nothing, not even the end of a line, stands behind it.
    fn decode(&self, cells: usize, is_last: bool) -> Result<Vec<String>, Problem> {
        let mut start = 0;
        let mut decoded = Vec::with_capacity(cells);
        for end in &self.ends[..cells] {
            let bytes = &self.output[start..*end];
            let is_at_end = is_last && decoded.len() + 1 == cells;
            decoded.push(decode(bytes, self.charset, is_at_end)?);
            start = *end;
        }
        Ok(decoded)
    }
}
