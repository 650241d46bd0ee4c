//! What whoever runs a source, or wrote its file, does about each trouble: for the check before it goes live.

use crate::report::Problem;

impl Problem {
    /// What to mend, in a sentence.
    #[must_use]
    #[expect(clippy::too_many_lines, reason = "a table: one sentence for each problem")]
    pub fn remedy(self) -> &'static str {
        match self {
            Problem::AgreementExpired => "renew the paper, and write its new day into the file",
            Problem::Paused => "resume it: mingcha source resume ID --by NAME",
            Problem::NoPlace => "all places were taken: raise `concurrency`, if the source bears it",
            Problem::BreakerOpen => "ten of its last twenty questions failed: mend what failed before",
            Problem::NotConnected => {
                "is the host right, does it resolve, is the port open, does it speak TLS where the address says https?"
            }
            Problem::AddressRefused => {
                "the name leads to an address of this machine or network; in production only other machines are asked"
            }
            Problem::CertificateExpired => {
                "its certificate has expired or is not valid yet: the source must renew it; is the clock here right?"
            }
            Problem::CertificateOfOther => {
                "its certificate names another host: write the name that it bears into the address"
            }
            Problem::CertificateRefused => {
                "nobody known signed its certificate: name its authority as `ca` of [tls]; a public source must send the certificates between, too"
            }
            Problem::OwnCertificateRefused => {
                "the source wants a certificate of ours, or does not know this one: give `certificate` and `key` in [tls], and let it be entered there"
            }
            Problem::CredentialsRefused => {
                "our credentials are not taken: are the names, the secret and, for an HMAC, the headers and the clock those that both sides agreed?"
            }
            Problem::TokenMalformed => {
                "the token endpoint must answer with access_token, token_type Bearer and expires_in in seconds, as JSON"
            }
            Problem::ConnectionBroken => "the source closed before its reply was complete",
            Problem::DeadlinePassed => {
                "the source must answer within `deadline_ms`, and within what is left of the look-up's three seconds"
            }
            Problem::OwnTimeOver => {
                "the look-up's three seconds were over before this source had half of its `deadline_ms`: mend the one asked before it or, where none was, take on fewer questions at once (`limits.lookups_in_work`), for time in line is part of them"
            }
            Problem::Redirected => "no redirect is followed: write the final address",
            Problem::BadStatus => {
                "the source must answer 200 with the outcome in the body; 401 means that it wants credentials: see [auth]"
            }
            Problem::NotHttp => "not HTTP: is it the right port, and https?",
            Problem::BadContentType => "the reply must be application/json, and not compressed",
            Problem::BodyTooLarge => "raise `max_body`, or let the source send less",
            Problem::NotUtf8 | Problem::NotJson => {
                "the reply must be JSON in UTF-8, whatever the register's own charset is"
            }
            Problem::RepeatedKey => "an object has one key twice: send it once",
            Problem::TooDeep | Problem::TooManyValues => "the reply holds too much to be one record",
            Problem::NoOutcome => {
                "nothing stands at `outcome.at`: is the pointer right, and is the code a text, number or yes/no?"
            }
            Problem::UnknownOutcome => {
                "the code at `outcome.at` is not in `outcome.codes`: add it with what it means"
            }
            Problem::FieldMissing => {
                "a field that the kind requires is not there: is its pointer right, and does the source send it?"
            }
            Problem::RowsDiffer => {
                "the rows of one person differ in this field, which stands outside the list: move it into the list, take it out, or mend the rows"
            }
            Problem::FieldMalformed => {
                "a field is not of its type: does it need a `format`, or is one of its codes not in `codes`?"
            }
            Problem::AsOfMalformed => {
                "`answer.as_of` must point at RFC 3339, or China's time as 2026-11-22 10:25:04 or 20261122102504"
            }
            Problem::AsOfInFuture => {
                "the time as of which the data stood lies ahead: are both clocks right, and is it China's time?"
            }
            Problem::BadRows => {
                "`answer.rows` must point at a list of at most 500 rows; a database must answer as databases do"
            }
            Problem::Unforeseen => {
                "asking it ended in a fault of this program: tell whoever maintains it what the source is and what it answers"
            }
            Problem::StatementRefused => {
                "the database refused the statement: are table and columns named right, and may its user read them?"
            }
            Problem::NoDrop => "no good file has come yet: put one into the folder, with its checksum",
            Problem::ChecksumWrong => {
                "the checksum file must name this file and fit its content: write it last, after the file is whole"
            }
            Problem::SignatureWrong => {
                "the signature must be over the checksum file, by the key in the source's file"
            }
            Problem::DropOutdated => {
                "the date in its name is longer ago than `max_age_days` allows (without one 3 for daily, 10 for weekly): put a newer file there"
            }
            Problem::DropSuperseded => {
                "a file that is older than the one that answers, or was replaced by it: put the newest one there"
            }
            Problem::DropOverdue => "no good file has come for too long: ask the record holder to send it",
            Problem::DropUnreadable => {
                "the file is cut off, not there any more, or not packed as its name says: send it again"
            }
            Problem::DropNotStored => {
                "the rows cannot be written: is the disk full, is the folder the server's own?"
            }
            Problem::DropEmpty => {
                "the file has no row that can be read: is it the right file, in the right charset?"
            }
            Problem::DropRowMalformed => {
                "rows of the file do not fit the mapping: the lines that follow here name line and column; mend `fields` or the file"
            }
            Problem::HeaderMalformed => {
                "the header lacks a column that the mapping names, or has one twice or without a name: compare them letter by letter, and is the `delimiter` right?"
            }
            Problem::NoDropFolder => {
                "the folder `drops.folder` cannot be listed: is it there, and may this user read it?"
            }
            Problem::DropShrunk => {
                "over a fifth fewer rows than the one before: if that is meant, mingcha source accept ID FILE --by NAME"
            }
            Problem::DropColumnGone => {
                "no row has anything at a mapped place: compare the names letter by letter, take the place out of the mapping, or mingcha source accept ID FILE --by NAME"
            }
            Problem::RecordChanged => {
                "the record holder said that the record changed, and not how: the next file will have it"
            }
            Problem::ChangeMalformed => {
                "what was pushed must have its record, sequence, time and rows where [changes] says, as the file has them"
            }
            Problem::TooManyChanges => "more was pushed than is kept: ask for a new file",
            Problem::MappingChanged => {
                "the mapping changed: the newest file is read again, and must still lie in the folder"
            }
            Problem::CharsetWrong => {
                "the text is not in the `charset` of the source's file: write the one it is in: utf-8, gb18030 or gbk"
            }
            Problem::DropCutOff => {
                "the last bytes are the beginning of a letter: the file looks cut off; send it again, whole"
            }
            Problem::RowRagged => {
                "the row has more or fewer cells than the header: a cell with a delimiter in it stands in quotes"
            }
            Problem::RowTooLong => "a quote that is never closed? Otherwise raise `max_row_bytes`",
            Problem::DropTooLarge => "raise `max_bytes`, or let the record holder send less",
            Problem::WrongSubject => {
                "the record is somebody else's: the source must compare name and number with the record before it answers"
            }
            Problem::OtherRecord => {
                "the record carries another key than the one asked for: is each part of the key sent in the right member?"
            }
            Problem::Contradiction => {
                "a cycle must start on the anniversary of the day from which it counts and end on the day before the next: are the dates those of one record?"
            }
            Problem::HandshakeFailed => {
                "the handshake failed: are both names and keys of [envelope] those that both sides agreed, and the clocks right?"
            }
            Problem::SessionLost => {
                "the source lost its session twice in a row: it must keep it for an hour, in every process of its own"
            }
            Problem::NotAuthentic => {
                "the reply does not open: it must answer this request, in this session, unchanged"
            }
            Problem::ReplyUnsigned => {
                "the reply must carry its time and its signature in base64, once each, in the headers that [signature] names"
            }
            Problem::ReplySignatureWrong => {
                "the signature does not fit: it is over the time, the nonce of this request and the hash of the body as it is sent, by the key in the file"
            }
            Problem::ReplyTimeOff => {
                "the reply's time must be the source's present, in milliseconds since 1970, at most 60 s off: are both clocks right?"
            }
            Problem::ImageMissing => "`answer.bytes` must point at the picture in base64",
            Problem::ImageTooLarge | Problem::NotAnImage => "PNG or JPEG, at most 1 MiB and 20 megapixels",
            Problem::ReviewNumberMissing => {
                "`answer.number` must point at the number of the review: letters, digits and hyphens, at most 64"
            }
            Problem::OtherReview => {
                "the state is that of another review: send back the number that was asked about"
            }
            Problem::OtherImage => "it is not the one whose digest the record gave",
        }
    }
}
