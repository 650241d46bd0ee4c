//! TLS towards sources: by whom their certificates must be signed, the one of ours that they may ask for, and in what
//! words a handshake fails.

use std::{error::Error, path::Path, sync::Arc};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, RootCertStore,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};
use serde::Deserialize;
use toml::Spanned;

use crate::{
    dial::{Realm, cause},
    file::{SourceError, SourceFile},
    report::Problem,
    secret,
};

/// The table `[tls]` of a file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawTls {
    /// A PEM file of the authority that signed the source's certificate; without it the public ones.
    #[serde(default)]
    ca: Option<Spanned<String>>,
    /// A PEM file of our own certificate, and of those between it and its authority.
    #[serde(default)]
    certificate: Option<Spanned<String>>,
    /// Where its secret key is: `env:NAME`, `file:PATH`.
    #[serde(default)]
    key: Option<Spanned<String>>,
}

/// What a file says about TLS, ready for connections.
pub(crate) fn config(
    file: &SourceFile,
    source: &str,
    realm: Realm,
    raw: Option<&RawTls>,
) -> Result<ClientConfig, SourceError> {
    let roots = Arc::new(roots(file, raw.and_then(|raw| raw.ca.as_ref()))?);
    let (certificate, key) = match raw.map(|raw| (&raw.certificate, &raw.key)) {
        None | Some((None, None)) => {
            return anonymous(&roots)
                .map_err(|e| file.wrong_as_a_whole(format!("TLS cannot be set up: {e}")));
        }
        Some((Some(certificate), Some(key))) => (certificate, key),
        Some((Some(one), None) | (None, Some(one))) => {
            return Err(file.wrong(&one.span(), "certificate and key go together"));
        }
    };
    let chain = certificates(file, "certificate", certificate)?;
    let secret = secret::text(file, "key", key, source, realm)?;
    let wrong = |what: &str| file.wrong(&key.span(), format!("key: {what}"));
    let key =
        PrivateKeyDer::from_pem_slice(secret.as_bytes()).map_err(|_| wrong("not a secret key in PEM"))?;
    builder(&roots)
        .and_then(|builder| builder.with_client_auth_cert(chain, key))
        .map_err(|_| wrong("not the key of the certificate, or of a kind that is not spoken"))
}

/// Those whose signature counts: of the authority that the file names, or of the public ones.
pub(crate) fn roots(file: &SourceFile, ca: Option<&Spanned<String>>) -> Result<RootCertStore, SourceError> {
    let Some(ca) = ca else {
        return Ok(public_roots());
    };
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file, "ca", ca)? {
        let added = roots.add(certificate);
        added.map_err(|_| file.wrong(&ca.span(), "ca: a certificate that cannot be used"))?;
    }
    Ok(roots)
}

/// The public authorities.
pub(crate) fn public_roots() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    roots
}

/// A client that shows no certificate of its own.
pub(crate) fn anonymous(roots: &Arc<RootCertStore>) -> Result<ClientConfig, rustls::Error> {
    Ok(builder(roots)?.with_no_client_auth())
}

type Builder = rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert>;

fn builder(roots: &Arc<RootCertStore>) -> Result<Builder, rustls::Error> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(Arc::clone(roots)))
}

/// The certificates of the PEM file that a source's file names; at least one.
fn certificates(
    file: &SourceFile,
    name: &str,
    path: &Spanned<String>,
) -> Result<Vec<CertificateDer<'static>>, SourceError> {
    certificates_in(Path::new(path.get_ref())).ok_or_else(|| {
        file.wrong(
            &path.span(),
            format!("{name}: not a readable file of PEM certificates"),
        )
    })
}

/// The certificates of a PEM file; nothing where it cannot be read or holds none.
pub(crate) fn certificates_in(path: &Path) -> Option<Vec<CertificateDer<'static>>> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    read.ok().filter(|certificates| !certificates.is_empty())
}

/// What was wrong with a certificate, where that is why there is no connection.
pub(crate) fn refused(error: &(dyn Error + 'static)) -> Option<Problem> {
    match cause::<rustls::Error>(error)? {
        rustls::Error::InvalidCertificate(wrong) => Some(match wrong {
            CertificateError::Expired
            | CertificateError::ExpiredContext { .. }
            | CertificateError::NotValidYet
            | CertificateError::NotValidYetContext { .. } => Problem::CertificateExpired,
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
                Problem::CertificateOfOther
            }
            _ => Problem::CertificateRefused,
        }),
        rustls::Error::NoCertificatesPresented => Some(Problem::CertificateRefused),
        // What a server says to a certificate of ours, or to none.
        rustls::Error::AlertReceived(
            AlertDescription::CertificateRequired
            | AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied,
        ) => Some(Problem::OwnCertificateRefused),
        _ => None,
    }
}
