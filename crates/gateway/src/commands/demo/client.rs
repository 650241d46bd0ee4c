//! A client of the real HTTP API, as an integrator would write one.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{Method, Request, header};
use http_body_util::{BodyExt, Full};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;

use crate::error::StartError;

pub(super) struct ApiClient {
    http: Client<HttpConnector, Full<Bytes>>,
    address: SocketAddr,
    token: Option<String>,
}

pub(super) struct Reply {
    pub(super) status: u16,
    /// The text as it came: a receipt is verified over exactly these bytes.
    pub(super) text: String,
    pub(super) json: Value,
}

impl ApiClient {
    pub(super) fn new(address: SocketAddr) -> Self {
        ApiClient {
            http: Client::builder(TokioExecutor::new()).build_http(),
            address,
            token: None,
        }
    }

    pub(super) fn set_token(&mut self, token: &str) {
        self.token = Some(token.to_owned());
    }

    pub(super) async fn get(&self, path: &str) -> Result<Reply, StartError> {
        self.send(Method::GET, path, Bytes::new()).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Reply, StartError> {
        self.send(Method::POST, path, Bytes::from(body.to_string())).await
    }

    async fn send(&self, method: Method, path: &str, body: Bytes) -> Result<Reply, StartError> {
        let failed = |e: &dyn std::fmt::Display| StartError(format!("{path}: {e}"));
        let mut request = Request::builder()
            .method(method)
            .uri(format!("http://{}{path}", self.address))
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Full::new(body)).map_err(|e| failed(&e))?;
        let response = self.http.request(request).await.map_err(|e| failed(&e))?;
        let status = response.status().as_u16();
        let bytes = response
            .into_body()
            .collect()
            .await
            .map_err(|e| failed(&e))?
            .to_bytes();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let json = serde_json::from_str(&text).unwrap_or(Value::Null);
        Ok(Reply { status, text, json })
    }
}
