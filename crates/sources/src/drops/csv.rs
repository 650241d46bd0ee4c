//! Rows of a CSV file (RFC 4180), each of bounded length, with the names of the header.

use std::io::Read;

use csv_core::{ReadRecordResult, Reader, ReaderBuilder};
use serde_json::{Map, Value as Json};

use super::lines::{Line, Stop};
use crate::{file::Charset, report::Problem, sql};

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
    /// Bytes that were unpacked so far.
    bytes: u64,
}

impl Csv {
    /// Reads the header.
    pub(super) fn open(
        content: &mut impl Read,
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
            bytes: 0,
        };
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

    /// Bytes that were unpacked so far.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next row.
    pub(super) fn next(&mut self, content: &mut impl Read) -> Result<Option<Line>, Stop> {
        let line = self.reader.line();
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

    fn cells(&mut self, content: &mut impl Read) -> Result<Option<Vec<String>>, Stop> {
        let (mut written, mut cells) = (0, 0);
        loop {
            if self.from == self.until {
                self.from = 0;
                self.until = content
                    .read(&mut self.input)
                    .map_err(|_| Stop::Whole(Problem::DropUnreadable))?;
                self.bytes += self.until as u64;
            }
            let (result, read, wrote, ended) = self.reader.read_record(
                &self.input[self.from..self.until],
                &mut self.output[written..],
                &mut self.ends[cells..],
            );
            self.from += read;
            written += wrote;
            cells += ended;
            match result {
                ReadRecordResult::InputEmpty => {}
                // One long row: a quote that is never closed swallows the rest of the file.
                ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => {
                    return Err(Stop::At(self.reader.line(), Problem::RowTooLong));
                }
                ReadRecordResult::Record => return self.decode(cells).map(Some),
                ReadRecordResult::End => return Ok(None),
            }
        }
    }

    fn decode(&self, cells: usize) -> Result<Vec<String>, Stop> {
        let mut start = 0;
        let mut decoded = Vec::with_capacity(cells);
        for end in &self.ends[..cells] {
            let cell = sql::decode(&self.output[start..*end], self.charset);
            decoded.push(cell.map_err(|_| Stop::At(self.reader.line(), Problem::CharsetWrong))?);
            start = *end;
        }
        Ok(decoded)
    }
}
