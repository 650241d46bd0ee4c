//! A reverse proxy that checks nothing: what the benchmark compares the gateway with (`cargo xtask bench`).
//!
//! It is as bare as axum and hyper make it: every request goes on to the one upstream over kept connections, every
//! answer comes back as it is. `bare_proxy http://127.0.0.1:8701` prints its own address and serves until killed.

#![expect(
    clippy::print_stdout,
    reason = "the benchmark reads the address from standard output"
)]

use std::error::Error;

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::{StatusCode, Uri, uri::PathAndQuery},
    response::{IntoResponse, Response},
    serve::ListenerExt,
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::net::TcpListener;

#[derive(Clone)]
struct Proxy {
    client: Client<HttpConnector, Body>,
    upstream: String,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let upstream = std::env::args()
        .nth(1)
        .ok_or("usage: bare_proxy http://HOST:PORT")?;
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    let proxy = Proxy {
        client: Client::builder(TokioExecutor::new()).build(connector),
        upstream,
    };
    #[expect(clippy::disallowed_methods, reason = "a measurement has no configuration")]
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    println!("http://{}", listener.local_addr()?);
    let listener = listener.tap_io(|stream| drop(stream.set_nodelay(true)));
    axum::serve(listener, Router::new().fallback(forward).with_state(proxy)).await?;
    Ok(())
}

async fn forward(State(proxy): State<Proxy>, mut request: Request) -> Response {
    let path = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    let Ok(uri) = Uri::try_from(format!("{}{path}", proxy.upstream)) else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    *request.uri_mut() = uri;
    match proxy.client.request(request).await {
        Ok(response) => response.map(Body::new).into_response(),
        Err(_) => StatusCode::BAD_GATEWAY.into_response(),
    }
}
