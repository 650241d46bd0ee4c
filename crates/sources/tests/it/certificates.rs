//! Certificates for tests, of authorities that we make: whoever is spoken to over TLS has one.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU8},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{Ed25519Signer, SecretBytes};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, PKCS_ED25519, PublicKeyData,
    SerialNumber, SignatureAlgorithm, SigningKey,
};
use tempfile::TempDir;
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};

/// PKCS #8 (RFC 8410, section 7) before the seed of an Ed25519 key.
const PKCS8: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];

/// A key pair whose seed is one byte again and again.
pub(crate) struct Key {
    seed: u8,
    public: [u8; 32],
}

impl Key {
    pub(crate) fn new(seed: u8) -> Self {
        let public = Ed25519Signer::new(&SecretBytes::new([seed; 32])).public_key();
        Key { seed, public }
    }

    /// The secret key, as a PEM file holds it.
    pub(crate) fn der(&self) -> Vec<u8> {
        [PKCS8.as_slice(), &[self.seed; 32]].concat()
    }
}

impl PublicKeyData for Key {
    fn der_bytes(&self) -> &[u8] {
        &self.public
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ED25519
    }
}

impl SigningKey for Key {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        let signer = Ed25519Signer::new(&SecretBytes::new([self.seed; 32]));
        Ok(signer.sign(message).to_vec())
    }
}

/// An authority that signs certificates.
pub(crate) struct Ca(Issuer<'static, Key>, CertificateDer<'static>);

impl Ca {
    pub(crate) fn new(seed: u8) -> Self {
        let mut params = params("authority.example");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Authority {seed}"));
        let certificate = params.self_signed(&Key::new(seed)).unwrap();
        Ca(Issuer::new(params, Key::new(seed)), certificate.der().clone())
    }

    pub(crate) fn sign(&self, params: &CertificateParams, key: &Key) -> CertificateDer<'static> {
        params.signed_by(key, &self.0).unwrap().der().clone()
    }
}

pub(crate) fn params(name: &str) -> CertificateParams {
    static SERIAL: AtomicU8 = AtomicU8::new(1);
    let serial = SERIAL.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let mut params = CertificateParams::new([name.to_owned()]).unwrap();
    params.serial_number = Some(SerialNumber::from_slice(&[serial]));
    params.key_identifier_method = KeyIdMethod::PreSpecified(vec![serial; 20]);
    params
}

pub(crate) fn pem(label: &str, der: &[u8]) -> String {
    format!(
        "-----BEGIN {label}-----\n{}\n-----END {label}-----\n",
        STANDARD.encode(der)
    )
}

/// A folder with the files that a source's file names.
pub(crate) struct Files(TempDir);

impl Files {
    pub(crate) fn new() -> Self {
        Files(TempDir::new().unwrap())
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The file of an authority.
    pub(crate) fn authority(&self, ca: &Ca) -> PathBuf {
        self.write("ca.pem", &pem("CERTIFICATE", &ca.1))
    }

    /// The lines of `[tls]`, and perhaps a certificate of ours.
    pub(crate) fn table(&self, ca: &Ca, own: Option<(&CertificateDer<'static>, &Key)>) -> String {
        let ca = self.authority(ca);
        let mut table = format!("\n[tls]\nca = \"{}\"\n", ca.display());
        if let Some((certificate, key)) = own {
            let certificate = self.write("us.pem", &pem("CERTIFICATE", certificate));
            let key = self.write("test-traffic.tls.pem", &pem("PRIVATE KEY", &key.der()));
            table += &format!(
                "certificate = \"{}\"\nkey = \"file:{}\"\n",
                certificate.display(),
                key.display()
            );
        }
        table
    }
}

pub(crate) fn server_config(
    chain: Vec<CertificateDer<'static>>,
    key: &Key,
    clients: Option<&Ca>,
) -> Arc<ServerConfig> {
    let provider = Arc::new(default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .unwrap();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(ca) => {
            let mut roots = RootCertStore::empty();
            roots.add(ca.1.clone()).unwrap();
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().unwrap())
        }
    };
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.der()));
    Arc::new(builder.with_single_cert(chain, key).unwrap())
}
