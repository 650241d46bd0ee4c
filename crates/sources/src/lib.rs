//! Clients of record holders: one file of data per source, one function to ask, one closed set of outcomes.
//!
//! [`Sources::new`] reads and checks `sources/*.toml`; [`Sources::ask`] asks, and always answers;
//! [`Sources::image`] fetches an image whose digest a record gave; [`Sources::submit`] hands in a review of a
//! record. What a bad source
//! can do ends here: its time by a deadline, its memory by bounds, its share of the process by a bulkhead and a
//! breaker, and a record about anyone else than the subject is dropped and reported (invariant 7). Whoever asks has
//! made the INTENT durable before (invariant 1). Nothing personal is in a URL, trace or metric (invariant 5).
//!
//! [`Endpoint`] is for whoever is no source and is spoken to all the same, such as the sender of SMS: one function
//! dials for all.

mod agreement;
mod ask;
mod auth;
mod beside;
mod breaker;
mod choices;
mod client;
mod dial;
mod drops;
mod endpoint;
mod envelope;
mod field;
mod file;
mod format;
mod gate;
mod http;
mod image;
mod json;
mod limit;
mod measure;
mod media_type;
mod meters;
mod outcomes;
mod places;
mod pointer;
mod question;
mod region;
mod remedy;
mod report;
mod request;
mod route;
mod routing;
mod secret;
mod shared;
mod signature;
mod source;
mod sources;
mod sql;
mod submit;
mod table;
mod target;
mod tls;
mod transport;

pub use agreement::{ALARM_DAYS, Agreement, Paper, PaperKind};
pub use choices::Choices;
pub use dial::Realm;
pub use drops::{
    Draft, DraftColumn, DropEvent, DropNews, DropProgress, DropState, NotTaken, PushedChange, Quarantine,
    Reading, RowError, Stage, draft,
};
pub use endpoint::Endpoint;
pub use file::{SourceError, SourceFile};
pub use image::{ImageBytes, ImageQuestion, NoImage};
pub use measure::{Age, Measured, Span, oldest};
pub use media_type::MediaType;
pub use question::{Answer, AskedBeside, Question, Wanted};
pub use region::{Elsewhere, Region};
pub use report::{Problem, Report};
pub use source::SourceInfo;
pub use sources::{Coverage, Sources};
pub use sql::Trial;
pub use submit::{NoReply, ReviewQuestion, ReviewReply, ReviewStatus, ReviewTerms};
