//! Where a source is asked, and how large its reply may be.

use http::Uri;
use toml::Spanned;

use crate::file::{SourceError, SourceFile};

/// One path of one source.
pub(crate) struct Target {
    /// Below the endpoint; message encryption authenticates it with every message.
    pub(crate) path: String,
    /// The whole address.
    pub(crate) uri: Uri,
    /// How many bytes the body of a reply may have, sealed or plain.
    pub(crate) max_body: usize,
}

impl Target {
    /// Checks a path as it is written in a file.
    pub(crate) fn compile(
        file: &SourceFile,
        endpoint: &str,
        path: &Spanned<String>,
        max_body: usize,
    ) -> Result<Self, SourceError> {
        let text = path.get_ref();
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.');
        let sound = text.len() > 1 && text.len() <= crypto::session::MAX_KIND && text.starts_with('/');
        if !sound || !text.chars().all(plain) || text == "/session" {
            let problem = "path must be / followed by letters, digits, - _ . and /, 64 bytes at most; /session is taken";
            return Err(file.wrong(&path.span(), problem));
        }
        let uri = format!("{endpoint}{text}").parse();
        let uri = uri.map_err(|_| file.wrong(&path.span(), "endpoint and path are no address"))?;
        Ok(Target {
            path: text.clone(),
            uri,
            max_body,
        })
    }
}
