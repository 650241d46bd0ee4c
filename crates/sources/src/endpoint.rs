//! An HTTPS interface of the deployment's that is no record holder, such as the sender of SMS: it is dialled, believed
//! and read as a source is.

use std::{path::Path, sync::Arc};

use bytes::Bytes;
use http::{HeaderMap, Uri};
use rustls::RootCertStore;

use crate::{
    client::{Client, Content, Outgoing},
    dial::Realm,
    report::Problem,
    tls,
};

/// How many connections are kept for what is sent next; a burst opens more.
const KEPT_CONNECTIONS: usize = 8;

/// One address to which JSON is posted.
pub struct Endpoint {
    client: Client,
    uri: Uri,
    max_body: usize,
}

impl Endpoint {
    /// Checks the address, which is one of another machine and spoken to over TLS alone, and reads the PEM file of the
    /// authority that signed its certificate; without one the public ones count. An answer has at most `max_body`
    /// bytes. No connection is opened yet.
    ///
    /// # Errors
    /// What is wrong, behind the word `endpoint` or `ca`.
    pub fn new(
        address: &str,
        ca: Option<&Path>,
        realm: Realm,
        max_body: usize,
    ) -> Result<Self, &'static str> {
        let uri = check(address, realm)?;
        let roots = Arc::new(roots(ca)?);
        let tls = tls::anonymous(&roots).map_err(|_| "ca: TLS cannot be set up")?;
        Ok(Endpoint {
            client: Client::new(realm, tls, KEPT_CONNECTIONS, 0),
            uri,
            max_body,
        })
    }

    /// Posts a JSON document, once, and gives the body of an answer with a status of success, whatever its type of
    /// content. The deadline is the caller's: whoever drops the future closes the connection.
    ///
    /// # Errors
    /// Why there is no such answer.
    pub async fn post(&self, headers: HeaderMap, body: Bytes) -> Result<Bytes, Problem> {
        let mut outgoing = Outgoing::new(&self.uri, Content::Json, body);
        outgoing.headers = headers;
        let answer = self.client.hand_over(&outgoing, self.max_body).await;
        answer.map_err(|failure| failure.problem)
    }
}

fn check(address: &str, realm: Realm) -> Result<Uri, &'static str> {
    let uri: Uri = address.parse().map_err(|_| "endpoint: not an address")?;
    if uri.scheme_str() != Some("https") {
        return Err("endpoint: must begin with https://");
    }
    let host = uri.host().filter(|host| !host.is_empty());
    let host = host.ok_or("endpoint: the host is missing")?;
    if uri.authority().is_some_and(|a| a.as_str().contains('@')) {
        return Err("endpoint: a name and a password belong into headers, by env:NAME");
    }
    // A name is judged by where it leads, when it is dialled.
    let literal = host.trim_matches(['[', ']']).parse().ok();
    if literal.is_some_and(|address| !realm.permits(address)) {
        return Err(match realm {
            Realm::Demo => "endpoint: the demo speaks only to this machine, such as 127.0.0.1",
            Realm::Production => "endpoint: this address is not one of another machine",
        });
    }
    Ok(uri)
}

fn roots(ca: Option<&Path>) -> Result<RootCertStore, &'static str> {
    let Some(ca) = ca else {
        return Ok(tls::public_roots());
    };
    let certificates = tls::certificates_in(ca).ok_or("ca: not a readable file of PEM certificates")?;
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots
            .add(certificate)
            .map_err(|_| "ca: a certificate that cannot be used")?;
    }
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_of_another_machine_and_over_tls() {
        for address in [
            "https://sms.provider.example/send",
            "https://sms.provider.example",
            "https://sms.provider.example:8443/?app=7",
            // Within the deployer's own network.
            "https://10.1.2.3/send",
            "https://192.168.0.9:8443/",
            "https://[fd12::1]/send",
        ] {
            assert!(check(address, Realm::Production).is_ok(), "{address}");
        }
        for (address, why) in [
            ("http://sms.provider.example/send", "https://"),
            ("sms.provider.example", "https://"),
            ("https://user:word@sms.provider.example/", "headers"),
            ("https://127.0.0.1/send", "another machine"),
            ("https://[::1]:8443/send", "another machine"),
            ("https://[::ffff:127.0.0.1]/send", "another machine"),
            ("https://169.254.169.254/latest", "another machine"),
            ("https://a b/", "not an address"),
            ("", "not an address"),
        ] {
            let told = check(address, Realm::Production).expect_err(address);
            assert!(
                told.starts_with("endpoint: ") && told.contains(why),
                "{address}: {told}"
            );
        }
        assert!(check("https://127.0.0.1/send", Realm::Demo).is_ok());
        assert!(check("https://203.0.113.7/send", Realm::Demo).is_err());
    }

    #[test]
    fn an_authority_that_cannot_be_read_is_told() {
        let missing = Path::new("/nowhere/ca.pem");
        let made = Endpoint::new("https://a.example/", Some(missing), Realm::Production, 1);
        assert!(made.err().is_some_and(|told| told.starts_with("ca: ")));
        assert!(Endpoint::new("https://a.example/", None, Realm::Production, 1).is_ok());
    }
}
