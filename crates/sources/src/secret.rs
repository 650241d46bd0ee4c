//! Where a source's own key comes from: a reference in its file, resolved once at start.
//!
//! A reference resolves only under the source's own name, so that a file that came in from outside cannot ask
//! for another source's key, or for any other secret of the process.

use std::path::Path;

use crypto::{
    AgreedKey,
    session::{Identity, Peer},
};
use toml::Spanned;
use zeroize::Zeroizing;

use crate::{
    dial::Realm,
    file::{Digest, RawEnvelope, SourceError, SourceFile},
};

/// Keys are shorter by far; a larger file is not one.
const MAX_KEY_FILE: u64 = 4096;
/// The shortest secret of an HMAC, in characters: 64 bits where it is written in hexadecimal.
const MIN_SECRET: usize = 16;

/// Reads both parties of the envelope.
pub(crate) fn parties(
    file: &SourceFile,
    source: &str,
    realm: Realm,
    raw: &RawEnvelope,
) -> Result<(Identity, Peer), SourceError> {
    let suite = *raw.suite.get_ref();
    let own_span = raw.own_key.span();
    let secret = resolve("own_key", raw.own_key.get_ref(), source, realm)
        .map_err(|problem| file.wrong(&own_span, problem))?;
    let secret = Zeroizing::new(typed(&secret, suite, "secret"));
    let identity = Identity::from_base64(raw.own_name.get_ref(), &secret)
        .map_err(|e| file.wrong(&own_span, format!("own_key: {e}")))?;
    let peer = Peer::from_base64(
        raw.peer_name.get_ref(),
        &typed(raw.peer_key.get_ref(), suite, "public"),
    )
    .map_err(|e| file.wrong(&raw.peer_key.span(), format!("peer_key: {e}")))?;
    if identity.suite() != suite || peer.suite() != suite {
        return Err(file.wrong(&raw.suite.span(), format!("the keys are not of suite {suite}")));
    }
    Ok((identity, peer))
}

/// A bare base64 is taken as of the envelope's suite.
fn typed(key: &str, suite: crypto::Suite, half: &str) -> String {
    let key = key.trim();
    if key.contains(':') {
        key.to_owned()
    } else {
        format!("{suite}-{half}:{key}")
    }
}

/// The secret that a file refers to under `name`, without the end of its line.
pub(crate) fn text(
    file: &SourceFile,
    name: &str,
    reference: &Spanned<String>,
    source: &str,
    realm: Realm,
) -> Result<Zeroizing<String>, SourceError> {
    let secret = resolve(name, reference.get_ref(), source, realm);
    let secret = secret.map_err(|problem| file.wrong(&reference.span(), problem))?;
    Ok(Zeroizing::new(secret.trim().to_owned()))
}

/// The key of an HMAC: the bytes of the secret's text.
pub(crate) fn agreed_key(
    file: &SourceFile,
    reference: &Spanned<String>,
    digest: Digest,
    source: &str,
    realm: Realm,
) -> Result<AgreedKey, SourceError> {
    let secret = text(file, "secret", reference, source, realm)?;
    if secret.len() < MIN_SECRET {
        let problem = format!("secret: at least {MIN_SECRET} characters, so that nobody finds it by trying");
        return Err(file.wrong(&reference.span(), problem));
    }
    Ok(AgreedKey::new(digest.suite(), secret.as_bytes()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Resolves what a file says under `name`: `env:NAME`, `file:PATH`, and in the demo the secret itself.
pub(crate) fn resolve(
    name: &str,
    reference: &str,
    source: &str,
    realm: Realm,
) -> Result<Zeroizing<String>, String> {
    match reference.split_once(':') {
        Some(("env", variable)) => from_environment(name, variable, source),
        Some(("file", path)) => from_file(name, path, source),
        Some(("base64" | "literal", secret)) if realm == Realm::Demo => Ok(Zeroizing::new(secret.to_owned())),
        Some(("base64" | "literal", _)) => Err(format!(
            "{name}: a secret in the file itself is for the demo; use env: or file:"
        )),
        _ => Err(format!(
            "{name}: expected env:NAME, file:PATH or, in the demo, base64:… or literal:…"
        )),
    }
}

fn from_environment(key: &str, name: &str, source: &str) -> Result<Zeroizing<String>, String> {
    let prefix = format!("MINGCHA_SOURCE_{}_", source.to_uppercase().replace('-', "_"));
    if !name.starts_with(&prefix) {
        return Err(format!(
            "{key}: this source may read only variables whose names begin with {prefix}"
        ));
    }
    std::env::var(name)
        .map(Zeroizing::new)
        .map_err(|_| format!("{key}: the variable {name} is not set"))
}

fn from_file(key: &str, path: &str, source: &str) -> Result<Zeroizing<String>, String> {
    let name = Path::new(path)
        .file_name()
        .and_then(|n| n.to_str())
        .unwrap_or_default();
    if !name
        .strip_prefix(source)
        .is_some_and(|rest| rest.starts_with('.'))
    {
        return Err(format!(
            "{key}: this source may read only files named {source}.… (such as {source}.key)"
        ));
    }
    let unreadable = |e: std::io::Error| format!("{key}: {path} cannot be read: {}", e.kind());
    let metadata = std::fs::symlink_metadata(path).map_err(unreadable)?;
    if !metadata.is_file() || metadata.len() > MAX_KEY_FILE {
        return Err(format!(
            "{key}: {path} must be a plain file of at most {MAX_KEY_FILE} bytes"
        ));
    }
    std::fs::read_to_string(path)
        .map(Zeroizing::new)
        .map_err(unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_resolves_only_under_the_sources_own_name() {
        let problem =
            |reference: &str, realm| resolve("own_key", reference, "city-police", realm).unwrap_err();
        assert!(problem("env:HOME", Realm::Demo).contains("MINGCHA_SOURCE_CITY_POLICE_"));
        assert!(problem("env:MINGCHA_SOURCE_CITY_POLICE_KEY", Realm::Demo).contains("not set"));
        for path in [
            "/etc/passwd",
            "/keys/other.key",
            "/keys/city-police-2.key",
            "/keys/..",
            "",
        ] {
            assert!(
                problem(&format!("file:{path}"), Realm::Demo).contains("city-police."),
                "{path}"
            );
        }
        assert!(problem("file:/nowhere/city-police.key", Realm::Demo).contains("cannot be read"));
        assert!(problem("base64:AAAA", Realm::Production).contains("demo"));
        assert!(problem("AAAA", Realm::Demo).contains("expected"));
        assert_eq!(
            resolve("own_key", "base64:AAAA", "city-police", Realm::Demo)
                .unwrap()
                .as_str(),
            "AAAA"
        );
    }
}
