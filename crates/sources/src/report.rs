//! What the operator is told about a source that misbehaved: codes and places of the configuration, never content.

use domain::outcome::Outcome;

use crate::field::Misread;

/// For the operator only: which source, what was wrong, and at which field of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The source's id.
    pub source: String,
    /// What was wrong.
    pub problem: Problem,
    /// The id of the field of the kind, where one is meant.
    pub field: Option<String>,
}

/// What was wrong with a source's behaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// The agreement with the record holder has expired.
    AgreementExpired,
    /// An operator paused the source.
    Paused,
    /// All places towards the source stayed taken.
    NoPlace,
    /// The source failed often and is left alone for a while.
    BreakerOpen,
    /// The name does not resolve, or no connection could be made.
    NotConnected,
    /// The address is one that this realm must not speak to.
    AddressRefused,
    /// The source's certificate has expired, or is not valid yet.
    CertificateExpired,
    /// The source's certificate names another host.
    CertificateOfOther,
    /// The source's certificate is signed by nobody whom we believe, or is no sound one.
    CertificateRefused,
    /// The source asks for a certificate of ours, or refuses the one that it got.
    OwnCertificateRefused,
    /// The source, or who gives its tokens, does not take our credentials.
    CredentialsRefused,
    /// What gives a source's tokens answered with none.
    TokenMalformed,
    /// The connection broke before the answer was complete.
    ConnectionBroken,
    /// The source's deadline passed.
    DeadlinePassed,
    /// The look-up's time was over before the source had half of its own: not its fault.
    OwnTimeOver,
    /// The source answered with a redirect, which is never followed.
    Redirected,
    /// The source answered with an HTTP status other than 200.
    BadStatus,
    /// What came is not HTTP, or its headers are too large.
    NotHttp,
    /// The content type or encoding is not the agreed one.
    BadContentType,
    /// The body is longer than the configuration allows.
    BodyTooLarge,
    /// The body is not UTF-8.
    NotUtf8,
    /// The body is not JSON.
    NotJson,
    /// An object of the body has a key twice.
    RepeatedKey,
    /// The body nests too deep.
    TooDeep,
    /// The body holds too many values.
    TooManyValues,
    /// The outcome's code is missing.
    NoOutcome,
    /// The outcome's code is not in the mapping.
    UnknownOutcome,
    /// A field that the kind requires is missing.
    FieldMissing,
    /// Rows that make one record together differ in a field that the kind requires once.
    RowsDiffer,
    /// A field is not of its type, or its code is not in the mapping.
    FieldMalformed,
    /// The instant as of which the data stood is missing or malformed.
    AsOfMalformed,
    /// The instant as of which the data stood lies in the future.
    AsOfInFuture,
    /// The rows of a list are missing or too many, or what came is no answer of a database.
    BadRows,
    /// Asking the source, or reading what it said, ended in a panic of ours.
    Unforeseen,
    /// The database refused the statement: a table or column is not there, or may not be read.
    StatementRefused,
    /// No drop was good so far, so that there is nothing to answer from.
    NoDrop,
    /// A drop's checksum is missing, names another file, or does not fit its content.
    ChecksumWrong,
    /// The signature of a drop's checksum is missing or not the signer's.
    SignatureWrong,
    /// A drop's date is longer ago than is allowed.
    DropOutdated,
    /// A drop came that is older than the one that answers, or that this one has replaced.
    DropSuperseded,
    /// No good drop came for longer than is allowed.
    DropOverdue,
    /// A drop cannot be read: not there, cut off, or not packed as its name says.
    DropUnreadable,
    /// The rows of a drop cannot be written, or the ones before not destroyed.
    DropNotStored,
    /// A drop has no row that can be read.
    DropEmpty,
    /// Rows of a drop cannot be read.
    DropRowMalformed,
    /// A drop's header lacks a column that is mapped, or names one twice.
    HeaderMalformed,
    /// The folder of the drops is not there or cannot be listed.
    NoDropFolder,
    /// A drop has over a fifth fewer rows than the one before; it waits for an operator's word.
    DropShrunk,
    /// No row of a drop has anything at a place that is mapped; it waits for an operator's word.
    DropColumnGone,
    /// The record holder pushed that a record changed, and not what it is now.
    RecordChanged,
    /// What the record holder pushed does not fit the mapping.
    ChangeMalformed,
    /// More was pushed since the last drop than is kept.
    TooManyChanges,
    /// What was read before was read by another mapping.
    MappingChanged,
    /// Text of a drop or a database is not in the charset that the source's file names.
    CharsetWrong,
    /// A drop ends in the middle of a letter.
    DropCutOff,
    /// A row of a drop has more or fewer cells than its header.
    RowRagged,
    /// A row of a drop is longer than the configuration allows.
    RowTooLong,
    /// A drop is longer than the configuration allows.
    DropTooLarge,
    /// The record is about somebody else than the subject; it was dropped.
    WrongSubject,
    /// The record carries another key than the one asked about.
    OtherRecord,
    /// Dates of the record do not follow from each other as the kind says.
    Contradiction,
    /// The handshake of message encryption failed.
    HandshakeFailed,
    /// The source lost the session, and lost the next one as well.
    SessionLost,
    /// The reply does not open: changed, repeated, or an answer to another request.
    NotAuthentic,
    /// The reply carries no signature, or not in the agreed headers.
    ReplyUnsigned,
    /// The reply's signature is not the source's, or is over another body, time or request.
    ReplySignatureWrong,
    /// The reply was signed at a time that is not now.
    ReplyTimeOff,
    /// The bytes of an image are missing or not base64.
    ImageMissing,
    /// An image has more bytes or more pixels than are taken.
    ImageTooLarge,
    /// An image is neither PNG nor JPEG by its head, or its head says no size.
    NotAnImage,
    /// An image is not the one whose digest was released; it was dropped.
    OtherImage,
    /// A review's number is missing or malformed; the answer was dropped.
    ReviewNumberMissing,
    /// A review's number is that of another review; the answer was dropped.
    OtherReview,
}

impl Problem {
    /// The stable word for traces and metrics.
    #[expect(clippy::too_many_lines, reason = "a table: one word for each problem")]
    #[must_use]
    pub fn code(self) -> &'static str {
        match self {
            Problem::AgreementExpired => "agreement_expired",
            Problem::Paused => "paused",
            Problem::NoPlace => "no_place",
            Problem::BreakerOpen => "breaker_open",
            Problem::NotConnected => "not_connected",
            Problem::AddressRefused => "address_refused",
            Problem::CertificateExpired => "certificate_expired",
            Problem::CertificateOfOther => "certificate_of_other",
            Problem::CertificateRefused => "certificate_refused",
            Problem::OwnCertificateRefused => "own_certificate_refused",
            Problem::CredentialsRefused => "credentials_refused",
            Problem::TokenMalformed => "token_malformed",
            Problem::ConnectionBroken => "connection_broken",
            Problem::DeadlinePassed => "deadline_passed",
            Problem::OwnTimeOver => "own_time_over",
            Problem::Redirected => "redirected",
            Problem::BadStatus => "bad_status",
            Problem::NotHttp => "not_http",
            Problem::BadContentType => "bad_content_type",
            Problem::BodyTooLarge => "body_too_large",
            Problem::NotUtf8 => "not_utf8",
            Problem::NotJson => "not_json",
            Problem::RepeatedKey => "repeated_key",
            Problem::TooDeep => "too_deep",
            Problem::TooManyValues => "too_many_values",
            Problem::NoOutcome => "no_outcome",
            Problem::UnknownOutcome => "unknown_outcome",
            Problem::FieldMissing => "field_missing",
            Problem::RowsDiffer => "rows_differ",
            Problem::FieldMalformed => "field_malformed",
            Problem::AsOfMalformed => "as_of_malformed",
            Problem::AsOfInFuture => "as_of_in_future",
            Problem::BadRows => "bad_rows",
            Problem::Unforeseen => "unforeseen",
            Problem::StatementRefused => "statement_refused",
            Problem::NoDrop => "no_drop",
            Problem::ChecksumWrong => "checksum_wrong",
            Problem::SignatureWrong => "signature_wrong",
            Problem::DropOutdated => "drop_outdated",
            Problem::DropSuperseded => "drop_superseded",
            Problem::DropOverdue => "drop_overdue",
            Problem::DropUnreadable => "drop_unreadable",
            Problem::DropNotStored => "drop_not_stored",
            Problem::DropEmpty => "drop_empty",
            Problem::DropRowMalformed => "drop_row_malformed",
            Problem::HeaderMalformed => "header_malformed",
            Problem::NoDropFolder => "no_drop_folder",
            Problem::DropShrunk => "drop_shrunk",
            Problem::DropColumnGone => "drop_column_gone",
            Problem::RecordChanged => "record_changed",
            Problem::ChangeMalformed => "change_malformed",
            Problem::TooManyChanges => "too_many_changes",
            Problem::MappingChanged => "mapping_changed",
            Problem::CharsetWrong => "charset_wrong",
            Problem::DropCutOff => "drop_cut_off",
            Problem::RowRagged => "row_ragged",
            Problem::RowTooLong => "row_too_long",
            Problem::DropTooLarge => "drop_too_large",
            Problem::WrongSubject => "wrong_subject",
            Problem::OtherRecord => "other_record",
            Problem::Contradiction => "contradiction",
            Problem::HandshakeFailed => "handshake_failed",
            Problem::SessionLost => "session_lost",
            Problem::NotAuthentic => "not_authentic",
            Problem::ReplyUnsigned => "reply_unsigned",
            Problem::ReplySignatureWrong => "reply_signature_wrong",
            Problem::ReplyTimeOff => "reply_time_off",
            Problem::ImageMissing => "image_missing",
            Problem::ImageTooLarge => "image_too_large",
            Problem::NotAnImage => "not_an_image",
            Problem::OtherImage => "other_image",
            Problem::ReviewNumberMissing => "review_number_missing",
            Problem::OtherReview => "other_review",
        }
    }
}

/// A question that got no usable answer: what is told, and what the operator learns besides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    pub(crate) problem: Problem,
    pub(crate) field: Option<String>,
    /// Where that field stands in a table.
    pub(crate) column: Option<String>,
}

impl From<Misread> for Failure {
    fn from(misread: Misread) -> Self {
        Failure {
            outcome: Outcome::BadAnswer,
            problem: misread.problem,
            field: Some(misread.field),
            column: misread.column,
        }
    }
}

impl Failure {
    /// A failure that is about no field.
    pub(crate) fn new(outcome: Outcome, problem: Problem) -> Self {
        Failure {
            outcome,
            problem,
            field: None,
            column: None,
        }
    }

    /// The answer made no sense.
    pub(crate) fn bad_answer(problem: Problem) -> Self {
        Failure::new(Outcome::BadAnswer, problem)
    }

    /// One field of the answer made no sense.
    pub(crate) fn bad_field(problem: Problem, field: &str) -> Self {
        Failure {
            field: Some(field.to_owned()),
            ..Failure::new(Outcome::BadAnswer, problem)
        }
    }
}

#[cfg(test)]
mod tests {
    /// Whoever reads a code in a metric at night finds what to do about it.
    #[test]
    fn every_problem_stands_in_the_handbook() {
        let handbook = include_str!("../../../docs/operations.md");
        let this = include_str!("report.rs");
        let codes: Vec<_> = this
            .lines()
            .filter_map(|line| line.trim().strip_prefix("Problem::")?.split_once(" => \""))
            .map(|(_, code)| code.trim_end_matches("\","))
            .collect();
        assert!(codes.len() > 70, "{codes:?}");
        let rows: Vec<_> = handbook.lines().filter(|line| line.starts_with("| `")).collect();
        for code in codes {
            let named = format!("`{code}`");
            let cell = |row: &&str| row.split(" | ").next().is_some_and(|cell| cell.contains(&named));
            assert!(rows.iter().any(cell), "{code} is in no table");
        }
    }
}
