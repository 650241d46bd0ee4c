//! Certificates: theirs, ours, and every one that must not be believed, over real handshakes.

use std::{
    path::PathBuf,
    sync::{Arc, atomic::AtomicU8},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use crypto::{Ed25519Signer, SecretBytes};
use domain::outcome::Outcome;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyIdMethod, PKCS_ED25519, PublicKeyData,
    SerialNumber, SignatureAlgorithm, SigningKey, date_time_ymd,
};
use sources::{Problem, SourceError, Sources};
use tempfile::TempDir;
use tokio_rustls::rustls::{
    RootCertStore, ServerConfig,
    crypto::ring::default_provider,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};

use crate::{
    server::{Server, json},
    world::{TRAFFIC, car_answer, car_question, file, kinds},
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

    fn der(&self) -> Vec<u8> {
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

    /// The lines of `[tls]`, and perhaps a certificate of ours.
    pub(crate) fn table(&self, ca: &Ca, own: Option<(&CertificateDer<'static>, &Key)>) -> String {
        let ca = self.write("ca.pem", &pem("CERTIFICATE", &ca.1));
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

fn https(table: &str) -> String {
    format!("{}{table}", TRAFFIC.replace("http://127", "https://127"))
}

fn sources(table: &str, port: u16) -> Result<Sources, SourceError> {
    let clock = Arc::new(domain::time::ManualClock::new(crate::world::NOW));
    let files = [file("traffic.toml", &https(table), port)];
    Sources::new(&files, kinds(), sources::Realm::Demo, clock, [7; 32])
}

/// What comes of a question over this server with this table.
async fn ask(config: Arc<ServerConfig>, table: &str) -> (Outcome, Option<Problem>) {
    let server = Server::start_tls(config, |_| json(car_answer())).await;
    let answer = sources(table, server.port()).unwrap().ask(car_question()).await;
    if answer.outcome != Outcome::Found {
        assert_eq!(server.requests().len(), 0, "nothing was sent to it");
    }
    (answer.outcome, answer.report.map(|report| report.problem))
}

#[tokio::test]
async fn a_certificate_is_believed_or_named_for_what_it_is() {
    let (ca, key, files) = (Ca::new(1), Key::new(2), Files::new());
    let table = files.table(&ca, None);
    let one = |params: &CertificateParams| server_config(vec![ca.sign(params, &key)], &key, None);

    assert_eq!(
        ask(one(&params("127.0.0.1")), &table).await,
        (Outcome::Found, None)
    );

    let refused = |problem| (Outcome::Broken, Some(problem));
    let mut expired = params("127.0.0.1");
    expired.not_before = date_time_ymd(2019, 1, 1);
    expired.not_after = date_time_ymd(2020, 1, 1);
    assert_eq!(
        ask(one(&expired), &table).await,
        refused(Problem::CertificateExpired)
    );

    let mut early = params("127.0.0.1");
    early.not_before = date_time_ymd(4000, 1, 1);
    assert_eq!(
        ask(one(&early), &table).await,
        refused(Problem::CertificateExpired)
    );

    for other in ["127.0.0.2", "police.example"] {
        assert_eq!(
            ask(one(&params(other)), &table).await,
            refused(Problem::CertificateOfOther)
        );
    }

    let own_word = params("127.0.0.1").self_signed(&key).unwrap().der().clone();
    let self_signed = server_config(vec![own_word], &key, None);
    assert_eq!(
        ask(self_signed, &table).await,
        refused(Problem::CertificateRefused)
    );

    // The same name, but another authority; and a private authority where only the public ones are believed.
    let impostor = Ca::new(3).sign(&params("127.0.0.1"), &key);
    let impostor = server_config(vec![impostor], &key, None);
    assert_eq!(ask(impostor, &table).await, refused(Problem::CertificateRefused));
    assert_eq!(
        ask(one(&params("127.0.0.1")), "").await,
        refused(Problem::CertificateRefused)
    );
}

#[tokio::test]
async fn a_source_that_wants_our_certificate_gets_it() {
    let (ca, key, files) = (Ca::new(1), Key::new(2), Files::new());
    let (clients, own) = (Ca::new(4), Key::new(5));
    let config = || {
        let certificate = ca.sign(&params("127.0.0.1"), &key);
        server_config(vec![certificate], &key, Some(&clients))
    };
    let ours = clients.sign(&params("gateway.example"), &own);
    assert_eq!(
        ask(config(), &files.table(&ca, Some((&ours, &own)))).await,
        (Outcome::Found, None)
    );

    let refused = (Outcome::Broken, Some(Problem::OwnCertificateRefused));
    assert_eq!(ask(config(), &files.table(&ca, None)).await, refused);
    let unknown = ca.sign(&params("gateway.example"), &own);
    assert_eq!(
        ask(config(), &files.table(&ca, Some((&unknown, &own)))).await,
        refused
    );
}

#[test]
fn what_the_table_says_must_be_there_and_fit() {
    let (ca, own, files) = (Ca::new(1), Key::new(5), Files::new());
    let certificate = ca.sign(&params("gateway.example"), &own);
    let whole = files.table(&ca, Some((&certificate, &own)));
    let wrong = |table: &str| {
        let error = sources(table, 1).err().expect("refused");
        assert!(error.line.is_some(), "{error}");
        error.problem
    };
    assert!(sources(&whole, 1).is_ok());

    let without = |line: &str| {
        let kept = whole.lines().filter(|l| !l.starts_with(line));
        kept.collect::<Vec<_>>().join("\n")
    };
    assert!(wrong(&without("key")).contains("go together"));
    assert!(wrong(&without("certificate")).contains("go together"));
    assert!(wrong(&whole.replace("ca.pem", "no.pem")).contains("ca: not a readable file"));
    assert!(wrong(&whole.replace("us.pem", "no.pem")).contains("certificate: not a readable file"));
    files.write("empty.pem", "");
    assert!(wrong(&whole.replace("ca.pem", "empty.pem")).contains("ca: not a readable file"));
    assert!(wrong(&whole.replace("test-traffic.tls.pem", "other.pem")).contains("test-traffic."));
    files.write("test-traffic.other.pem", &pem("PRIVATE KEY", &Key::new(6).der()));
    assert!(wrong(&whole.replace("traffic.tls.pem", "traffic.other.pem")).contains("not the key of"));
    files.write("test-traffic.other.pem", "no key");
    assert!(wrong(&whole.replace("traffic.tls.pem", "traffic.other.pem")).contains("not a secret key"));
    let clear = https(&whole).replace("https://127", "http://127");
    let clock = Arc::new(domain::time::ManualClock::new(crate::world::NOW));
    let files = [file("traffic.toml", &clear, 1)];
    let error = Sources::new(&files, kinds(), sources::Realm::Demo, clock, [7; 32]).err();
    assert!(error.expect("refused").problem.contains("not https"));
}
