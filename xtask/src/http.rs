//! A small HTTP client for the rigs: one request at a time over one connection, and everything that came as it came.

use std::{
    fmt,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// How long an answer may take; the program's own deadline is 3 s.
const PATIENCE: Duration = Duration::from_secs(20);
/// The longest body that is read: 16 MB, far beyond any page or tile.
const MAX_BODY: u64 = 16 << 20;

/// A client of one address.
pub(crate) struct Client {
    address: SocketAddr,
    /// Sent as `Authorization: Bearer`.
    pub(crate) token: Option<String>,
    /// Sent as `Cookie`.
    pub(crate) cookies: Vec<(String, String)>,
    connection: Option<BufReader<TcpStream>>,
}

/// A whole answer. What was cut off is none.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// No whole answer came.
#[derive(Debug)]
pub(crate) struct NoAnswer(String);

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<std::io::Error> for NoAnswer {
    fn from(error: std::io::Error) -> Self {
        NoAnswer(error.to_string())
    }
}

impl From<NoAnswer> for String {
    fn from(error: NoAnswer) -> Self {
        error.0
    }
}

impl Reply {
    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body as JSON; null where it is none.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The first header of this name.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map(|(_, value)| value.as_str())
    }
}

impl Client {
    /// A client without a session.
    pub(crate) fn new(address: SocketAddr) -> Self {
        Client {
            address,
            token: None,
            cookies: vec![],
            connection: None,
        }
    }

    /// Asks for something.
    ///
    /// # Errors
    /// No whole answer came.
    pub(crate) fn get(&mut self, path: &str) -> Result<Reply, NoAnswer> {
        self.send("GET", path, "", b"")
    }

    /// Sends JSON.
    ///
    /// # Errors
    /// No whole answer came.
    pub(crate) fn post(&mut self, path: &str, body: &Value) -> Result<Reply, NoAnswer> {
        self.send(
            "POST",
            path,
            "content-type: application/json\r\n",
            body.to_string().as_bytes(),
        )
    }

    /// Sends a request with further header lines, each ended. A kept connection that was closed meanwhile is
    /// opened anew, once, and only where no byte of the answer came.
    ///
    /// # Errors
    /// No whole answer came.
    pub(crate) fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &str,
        body: &[u8],
    ) -> Result<Reply, NoAnswer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nhost: {}\r\n{headers}", self.address);
        if let Some(token) = &self.token {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        if !self.cookies.is_empty() {
            let pairs: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
            head.push_str(&format!("cookie: {}\r\n", pairs.join("; ")));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", body.len()));
        let whole = [head.as_bytes(), body].concat();
        let (reply, connection) = self.exchange(&whole)?;
        if reply.header("connection") != Some("close") {
            self.connection = Some(connection);
        }
        self.keep_cookies(&reply);
        Ok(reply)
    }

    fn exchange(&mut self, request: &[u8]) -> Result<(Reply, BufReader<TcpStream>), NoAnswer> {
        if let Some(mut kept) = self.connection.take() {
            let sent = kept.get_mut().write_all(request);
            if sent.is_ok() && kept.fill_buf().is_ok_and(|first| !first.is_empty()) {
                return Ok((read_reply(&mut kept)?, kept));
            }
        }
        let mut new = connect(self.address)?;
        new.get_mut().write_all(request)?;
        Ok((read_reply(&mut new)?, new))
    }

    fn keep_cookies(&mut self, reply: &Reply) {
        for (_, set) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let Some((name, value)) = set.split(';').next().and_then(|pair| pair.split_once('=')) else {
                continue;
            };
            self.cookies.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "a rig is a client, and reaches the program as any other does"
)]
fn connect(address: SocketAddr) -> Result<BufReader<TcpStream>, NoAnswer> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

fn read_reply(reader: &mut impl BufRead) -> Result<Reply, NoAnswer> {
    let bad = |what: &str| NoAnswer(format!("the answer is cut off or wrong: {what}"));
    let status_line = read_line(reader)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|s| s.parse().ok())
        .ok_or_else(|| bad("status"))?;
    let mut headers = vec![];
    loop {
        let line = read_line(reader)?;
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').ok_or_else(|| bad("header"))?;
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut reply = Reply {
        status,
        headers,
        body: vec![],
    };
    if reply.header("transfer-encoding") == Some("chunked") {
        reply.body = read_chunks(reader)?;
    } else if let Some(length) = reply.header("content-length") {
        let length: u64 = length.parse().map_err(|_| bad("length"))?;
        reply.body = read_bytes(reader, length)?;
    }
    Ok(reply)
}

fn read_line(reader: &mut impl BufRead) -> Result<String, NoAnswer> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line
        .strip_suffix("\r\n")
        .ok_or_else(|| NoAnswer("the connection was closed".to_owned()))?;
    Ok(line.to_owned())
}

fn read_bytes(reader: &mut impl BufRead, length: u64) -> Result<Vec<u8>, NoAnswer> {
    let mut body = vec![];
    let read = reader.take(length.min(MAX_BODY)).read_to_end(&mut body)?;
    if u64::try_from(read).is_ok_and(|read| read == length) {
        Ok(body)
    } else {
        Err(NoAnswer("the body is cut off or too long".to_owned()))
    }
}

fn read_chunks(reader: &mut impl BufRead) -> Result<Vec<u8>, NoAnswer> {
    let mut body = vec![];
    loop {
        let size = read_line(reader)?;
        let size = u64::from_str_radix(size.split(';').next().unwrap_or_default(), 16)
            .map_err(|_| NoAnswer("a chunk has no size".to_owned()))?;
        body.extend(read_bytes(reader, size)?);
        read_line(reader)?;
        if size == 0 {
            return Ok(body);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_answers_are_read_and_cut_off_ones_are_none() {
        let read = |text: &str| {
            read_reply(&mut text.as_bytes())
                .ok()
                .map(|r| (r.status, r.text()))
        };
        let whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(read(whole), Some((200, "hello".to_owned())));
        let chunked = "HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n";
        assert_eq!(read(chunked), Some((403, "hello".to_owned())));
        for text in [whole, chunked] {
            for end in 0..text.len() {
                assert_eq!(read(&text[..end]), None, "{end}");
            }
        }
    }
}
