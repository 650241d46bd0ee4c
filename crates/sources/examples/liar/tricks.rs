//! The tricks of the connection: what never arrives whole, and what says one thing by its head and another by its body.

use serde_json::json;

use crate::{
    server::{Act, http},
    somebody_else,
    world::car_answer,
};

/// A trick of the connection.
pub(crate) struct Trick {
    pub(crate) name: &'static str,
    pub(crate) act: fn() -> Act,
}

const JSON: &str = "content-type: application/json\r\n";

fn foreign() -> Vec<u8> {
    let mut record = car_answer();
    record["d"]["syr"] = json!(somebody_else(1));
    record.to_string().into_bytes()
}

fn head(length: usize) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{JSON}content-length: {length}\r\n\r\n").into_bytes()
}

fn chunked() -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\n{JSON}transfer-encoding: chunked\r\n\r\n").into_bytes()
}

fn status(line: &str, headers: &str) -> Act {
    Act::Raw(http(line, headers, &foreign()))
}

/// All of them: stalls, floods, half replies, and statuses that say one thing while the body says another.
pub(crate) const TRICKS: [Trick; 24] = [
    Trick {
        name: "hangs before the head",
        act: || Act::Hang,
    },
    Trick {
        name: "hangs within the head",
        act: || Act::Raw(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()),
    },
    Trick {
        name: "hangs before the body",
        act: || Act::Raw(head(100)),
    },
    Trick {
        name: "hangs within the body",
        act: || Act::Raw([head(900), foreign()[..100].to_vec()].concat()),
    },
    Trick {
        name: "drips its head",
        act: || Act::Drip(b"HTTP/1.1 200 OK\r\nx:".to_vec(), 20),
    },
    Trick {
        name: "drips its body",
        act: || Act::Drip(head(60_000), 20),
    },
    Trick {
        name: "never ends its chunks",
        act: || Act::Drip([chunked(), b"1\r\n".to_vec()].concat(), 50),
    },
    Trick {
        name: "sends 1xx for ever",
        act: || Act::Raw(b"HTTP/1.1 102 Processing\r\n\r\n".repeat(50)),
    },
    Trick {
        name: "floods",
        act: || Act::Flood([head(usize::MAX / 2), foreign()].concat()),
    },
    Trick {
        name: "floods without a length",
        act: || Act::Flood(format!("HTTP/1.1 200 OK\r\n{JSON}\r\n").into_bytes()),
    },
    Trick {
        name: "floods its head",
        act: || Act::Flood(b"HTTP/1.1 200 OK\r\nx: ".to_vec()),
    },
    Trick {
        name: "closes at once",
        act: || Act::RawThenClose(vec![]),
    },
    Trick {
        name: "closes within the head",
        act: || Act::RawThenClose(b"HTTP/1.1 20".to_vec()),
    },
    Trick {
        name: "closes within the body",
        act: || Act::RawThenClose([head(5000), foreign()].concat()),
    },
    Trick {
        name: "a length that is too short",
        act: || Act::Raw([head(40), foreign()].concat()),
    },
    Trick {
        name: "two lengths",
        act: || {
            status(
                "200 OK",
                "content-type: application/json\r\ncontent-length: 3\r\n",
            )
        },
    },
    Trick {
        name: "redirects inward",
        act: || status("302 Found", "location: http://127.0.0.1:1/\r\n"),
    },
    Trick {
        name: "redirects to metadata",
        act: || status("307 Moved", "location: http://169.254.169.254/\r\n"),
    },
    Trick {
        name: "500 with a record",
        act: || status("500 Oops", JSON),
    },
    Trick {
        name: "404 with a record",
        act: || status("404 Not Found", JSON),
    },
    Trick {
        name: "another type",
        act: || status("200 OK", "content-type: text/html\r\n"),
    },
    Trick {
        name: "zipped",
        act: || {
            status(
                "200 OK",
                "content-type: application/json\r\ncontent-encoding: gzip\r\n",
            )
        },
    },
    Trick {
        name: "not HTTP",
        act: || Act::RawThenClose(b"SSH-2.0-OpenSSH\r\n\r\n".to_vec()),
    },
    Trick {
        name: "two answers",
        act: || Act::Raw([http("200 OK", JSON, &foreign()), http("200 OK", JSON, &foreign())].concat()),
    },
];
