//! The one place where a connection to a source, or to whoever sends SMS, is opened, after the address actually
//! used was checked.
//!
//! A name that resolves to an inner address is how a connector is turned against its own host (SSRF). The check
//! stands between resolution and connection, so that a second answer of the name server cannot pass by it.

use std::{
    error::Error,
    future::Future,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    pin::Pin,
    task::{Context, Poll},
};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::{TcpStream, lookup_host};

/// To whom a deployment may speak; it follows from the realm of its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Realm {
    /// Only to the simulated authorities on this machine.
    Demo,
    /// To record holders, and to who sends SMS: neither to this machine nor to its link.
    Production,
}

/// The name resolved only to addresses that this realm must not speak to.
#[derive(Debug, thiserror::Error)]
#[error("the address is not one that this realm may speak to")]
pub(crate) struct AddressRefused;

impl Realm {
    /// Whether this address may be spoken to.
    #[must_use]
    pub fn permits(self, address: IpAddr) -> bool {
        let address = inner(address);
        match self {
            Realm::Demo => address.is_loopback(),
            Realm::Production => !is_inward(address),
        }
    }
}

/// An IPv4 address that travels inside an IPv6 one is judged as what it is: mapped (`::ffff:0:0/96`), compatible
/// (`::/96`), translated (`::ffff:0:0:0/96`, `64:ff9b::/96`) and 6to4 (`2002::/16`).
fn inner(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    if v6 == Ipv6Addr::LOCALHOST || v6 == Ipv6Addr::UNSPECIFIED {
        return address;
    }
    let last = |s: [u16; 8]| {
        let [a, b] = s[6].to_be_bytes();
        let [c, d] = s[7].to_be_bytes();
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match v6.segments() {
        s @ ([0, 0, 0, 0, 0, 0 | 0xffff, ..]
        | [0, 0, 0, 0, 0xffff, 0, ..]
        | [0x64, 0xff9b, 0, 0, 0, 0, ..]) => last(s),
        [0x2002, high, low, ..] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        _ => address,
    }
}

fn is_inward(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            // 100.100.100.200 is where a large cloud keeps the credentials of its machines.
            let metadata = v4 == Ipv4Addr::new(100, 100, 100, 200);
            let this_network = v4.octets()[0] == 0;
            // 240.0.0.0/4 (RFC 1112, section 4), broadcast among them.
            let reserved = v4.octets()[0] >= 240;
            v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || reserved
                || this_network
                || metadata
        }
        IpAddr::V6(v6) => {
            // fec0::/10, given up by RFC 3879.
            let site_local = v6.segments()[0] & 0xffc0 == 0xfec0;
            // 64:ff9b:1::/48 (RFC 8215) stands for IPv4 addresses in whatever way this network chose.
            let translated_here = v6.segments()[..3] == [0x64, 0xff9b, 1];
            let metadata = v6.segments() == [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254];
            v6.is_loopback()
                || v6.is_unspecified()
                || v6.is_multicast()
                || v6.is_unicast_link_local()
                || site_local
                || translated_here
                || metadata
        }
    }
}

/// Opens a connection over HTTP.
async fn dial(realm: Realm, host: &str, port: u16) -> io::Result<TcpStream> {
    connect(host, port, |address| realm.permits(address)).await
}

/// Opens a connection to a database. Its address is a secret of the operator's and not a file's, so that it may be
/// on this machine too: the local end of a tunnel, or a copy that is kept here.
pub(crate) async fn dial_database(realm: Realm, host: &str, port: u16) -> io::Result<TcpStream> {
    connect(host, port, |address| may_be_database(realm, address)).await
}

fn may_be_database(realm: Realm, address: IpAddr) -> bool {
    inner(address).is_loopback() || realm.permits(address)
}

async fn resolve(host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let literal = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    match literal {
        Ok(address) => Ok(vec![SocketAddr::new(address, port)]),
        Err(_) => Ok(lookup_host((host, port)).await?.collect()),
    }
}

/// Every address that is permitted is tried in the order of the name server.
async fn connect(host: &str, port: u16, permits: impl Fn(IpAddr) -> bool) -> io::Result<TcpStream> {
    let addresses = resolve(host, port).await?;
    let mut failure = io::Error::new(io::ErrorKind::PermissionDenied, AddressRefused);
    for address in addresses.into_iter().filter(|a| permits(a.ip())) {
        #[expect(clippy::disallowed_methods, reason = "this is the one function that dials")]
        match TcpStream::connect(address).await {
            Ok(stream) => {
                stream.set_nodelay(true)?;
                return Ok(stream);
            }
            Err(e) => failure = e,
        }
    }
    Err(failure)
}

/// The error of a type that stands behind another one. An `io::Error` holds its own apart from its chain.
pub(crate) fn cause<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// [`dial`] in the form in which the HTTP client calls it.
#[derive(Debug, Clone)]
pub(crate) struct Dialler {
    pub(crate) realm: Realm,
}

impl tower_service::Service<Uri> for Dialler {
    type Response = TokioIo<TcpStream>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Self::Response>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let realm = self.realm;
        Box::pin(async move {
            let host = uri.host().ok_or(io::ErrorKind::InvalidInput)?;
            let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") {
                443
            } else {
                80
            });
            dial(realm, host, port).await.map(TokioIo::new)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn production_never_turns_inward() {
        let inward = [
            "127.0.0.1",
            "127.9.9.9",
            "0.0.0.0",
            "0.1.2.3",
            "169.254.169.254",
            "224.0.0.1",
            "255.255.255.255",
            "240.0.0.1",
            "::ffff:0:127.0.0.1",
            "::ffff:0:a9fe:a9fe",
            "64:ff9b:1::7f00:1",
            "64:ff9b:1:7f00:0:100::",
            "fec0::1",
            "feff::1",
            "100.100.100.200",
            "::1",
            "::",
            "fe80::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:169.254.169.254",
            "::7f00:1",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::1",
            "fd00:ec2::254",
        ];
        for text in inward {
            assert!(!Realm::Production.permits(text.parse().unwrap()), "{text}");
        }
        for text in [
            "10.1.2.3",
            "192.168.0.9",
            "203.0.113.7",
            "fd12::1",
            "2001:db8::1",
            "::ffff:203.0.113.7",
            "::ffff:0:203.0.113.7",
            "64:ff9b::203.0.113.7",
        ] {
            assert!(Realm::Production.permits(text.parse().unwrap()), "{text}");
            assert!(!Realm::Demo.permits(text.parse().unwrap()), "{text}");
        }
        for text in ["127.0.0.1", "::1", "::ffff:127.0.0.1"] {
            assert!(Realm::Demo.permits(text.parse().unwrap()), "{text}");
        }
    }

    #[tokio::test]
    async fn a_refused_address_is_not_dialled() {
        let refused = |e: io::Error| e.get_ref().is_some_and(|inner| inner.is::<AddressRefused>());
        for host in ["127.0.0.1", "[::1]", "localhost"] {
            assert!(
                dial(Realm::Production, host, 1).await.is_err_and(refused),
                "{host}"
            );
        }
        assert!(dial(Realm::Demo, "203.0.113.7", 1).await.is_err_and(refused));
    }
}
