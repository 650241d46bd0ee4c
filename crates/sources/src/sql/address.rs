//! Where a database is: its URL, by reference, and whether the way there is encrypted.

use std::{net::IpAddr, sync::Arc};

use domain::outcome::Outcome;
use rustls::RootCertStore;
use tokio_postgres::config::Host;

use super::{
    RawSql,
    allowance::{Allowance, Allowed},
    tls::Handshake,
};
use crate::{
    dial::{self, AddressRefused, Realm},
    file::{SourceError, SourceFile},
    report::{Failure, Problem},
    secret, tls,
};

/// One of the two engines, and how to reach it.
pub(super) enum Address {
    Postgres(Target<Box<tokio_postgres::Config>>),
    Mysql(Target<mysql_async::Opts>),
}

/// A server: whom to dial, with what, and by whose certificates.
pub(super) struct Target<C> {
    pub(super) realm: Realm,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) config: C,
    /// By whom the server's certificate must be signed. Without it the connection is in the clear, which only this
    /// machine's own address may be.
    pub(super) roots: Option<Arc<RootCertStore>>,
}

impl Address {
    /// Resolves the reference and reads the URL. Errors never show it: it holds a password.
    pub(super) fn compile(
        file: &SourceFile,
        source: &str,
        raw: &RawSql,
        realm: Realm,
    ) -> Result<Self, SourceError> {
        let wrong = |problem: &str| file.wrong(&raw.database.span(), problem);
        let url =
            secret::resolve("database", raw.database.get_ref(), source, realm).map_err(|p| wrong(&p))?;
        let url = url.trim();
        if url.contains(['?', '#']) {
            return Err(wrong(
                "database: a URL without options; what matters stands in this file",
            ));
        }
        let target = |host: String, port: u16| {
            let is_here = host
                .parse()
                .map_or(host == "localhost", |ip: IpAddr| ip.is_loopback());
            if realm == Realm::Demo && !is_here {
                return Err(wrong(
                    "database: the demo speaks only to this machine, such as 127.0.0.1",
                ));
            }
            let roots = if !is_here || raw.ca.is_some() {
                Some(Arc::new(tls::roots(file, raw.ca.as_ref())?))
            } else {
                None
            };
            Ok(Target {
                realm,
                host,
                port,
                config: (),
                roots,
            })
        };
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            let config: tokio_postgres::Config = url
                .parse()
                .map_err(|_| wrong("database: not a URL of PostgreSQL"))?;
            let [Host::Tcp(host)] = config.get_hosts() else {
                return Err(wrong("database: the URL names one host"));
            };
            let port = config.get_ports().first().copied().unwrap_or(5432);
            return Ok(Address::Postgres(
                target(host.clone(), port)?.with(Box::new(config)),
            ));
        }
        if url.starts_with("mysql://") {
            let opts = mysql_async::Opts::from_url(url).map_err(|_| wrong("database: not a URL of MySQL"))?;
            let (host, port) = (opts.ip_or_hostname().to_owned(), opts.tcp_port());
            return Ok(Address::Mysql(target(host, port)?.with(opts)));
        }
        Err(wrong(
            "database: expected postgres://user:password@host:port/name or mysql://…",
        ))
    }
}

impl Target<()> {
    fn with<C>(self, config: C) -> Target<C> {
        let Target {
            realm,
            host,
            port,
            roots,
            ..
        } = self;
        Target {
            realm,
            host,
            port,
            config,
            roots,
        }
    }
}

impl<C> Target<C> {
    /// Opens a connection over which no more comes than is allowed.
    pub(super) async fn dial(&self, allowance: Allowance) -> Result<Allowed, Failure> {
        let dialled = dial::dial_database(self.realm, &self.host, self.port).await;
        let stream = dialled.map_err(|e| {
            let refused = e.get_ref().is_some_and(|inner| inner.is::<AddressRefused>());
            let problem = if refused {
                Problem::AddressRefused
            } else {
                Problem::NotConnected
            };
            Failure::new(Outcome::Broken, problem)
        })?;
        Ok(Allowed::new(stream, allowance))
    }

    /// The handshake that encrypts a connection, where it is to be encrypted.
    pub(super) fn handshake(&self) -> Result<Option<Handshake>, Failure> {
        let handshake = self.roots.as_ref().map(|roots| Handshake::new(roots, &self.host));
        handshake
            .transpose()
            .map_err(|_| Failure::new(Outcome::Broken, Problem::NotConnected))
    }
}
