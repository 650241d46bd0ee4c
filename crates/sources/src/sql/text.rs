//! Text of a column, turned into the JSON that a mapping reads.

use encoding_rs::{DecoderResult, GB18030};
use serde_json::Value as Json;

use crate::{
    file::Charset,
    json,
    report::{Failure, Problem},
};

/// Decodes bytes that nobody converted: in the charset that the file names.
pub(crate) fn decode(bytes: &[u8], charset: Charset) -> Result<String, Failure> {
    let text = match charset {
        Charset::Utf8 => std::str::from_utf8(bytes).ok().map(str::to_owned),
        // GB18030 contains GBK.
        Charset::Gb18030 | Charset::Gbk => GB18030
            .decode_without_bom_handling_and_without_replacement(bytes)
            .map(Into::into),
    };
    text.ok_or(Failure::bad_answer(Problem::CharsetWrong))
}

/// Whether bytes are text but for a letter at their end that is only begun.
pub(crate) fn is_begun(bytes: &[u8], charset: Charset) -> bool {
    match charset {
        Charset::Utf8 => std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none()),
        Charset::Gb18030 | Charset::Gbk => {
            let mut decoder = GB18030.new_decoder_without_bom_handling();
            let mut text = String::with_capacity(bytes.len() * 3 + 16);
            let (result, _) = decoder.decode_to_string_without_replacement(bytes, &mut text, false);
            result == DecoderResult::InputEmpty
        }
    }
}

/// Encodes a parameter for a server that does not convert; `None` where the charset lacks a character.
pub(super) fn encode(text: &str, charset: Charset) -> Option<Vec<u8>> {
    match charset {
        Charset::Utf8 => Some(text.as_bytes().to_vec()),
        Charset::Gb18030 | Charset::Gbk => {
            let (bytes, _, lacking) = GB18030.encode(text);
            (!lacking).then(|| bytes.into_owned())
        }
    }
}

/// A column that holds JSON, under the same rules as a reply.
pub(super) fn document(text: &str) -> Result<Json, Failure> {
    json::parse(text.as_bytes()).map_err(Failure::bad_answer)
}

/// An instant of a database, `2026-11-22 10:25:04.123+08`, without what no mapping reads: the session is in China's
/// time, and no register keeps fractions of a second.
pub(super) fn instant(text: &str) -> String {
    text.get(..19).unwrap_or(text).to_owned()
}
