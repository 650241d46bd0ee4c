//! What strace wrote, as far as it matters: who was written to, and what was synced.

use std::{collections::BTreeMap, fs, path::Path};

use super::DATABASE_LOG;

/// What a call means for the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sort {
    /// A client's question of a look-up arrived.
    Asked,
    /// Something was written to the database's log.
    Written,
    /// The database's log was synced.
    Synced,
    /// Something was sent to a source.
    SourceCalled,
    /// A source's reply arrived.
    SourceReplied,
    /// Something was sent to a client.
    Answered,
}

/// One call: which lines of the trace it begins and ends in.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) sort: Sort,
    pub(super) begin: usize,
    pub(super) end: usize,
    pub(super) text: String,
}

/// The number of the traced process: that of its first thread, which stands in the first line.
///
/// # Errors
/// Nothing was traced.
pub(super) fn traced_process(output: &Path) -> Result<u32, String> {
    let text = fs::read(output).map_err(|e| format!("{}: {e}", output.display()))?;
    let text = String::from_utf8_lossy(&text);
    let first = text.split(' ').next().and_then(|number| number.parse().ok());
    first.ok_or_else(|| "strace wrote nothing: this machine does not let it trace (ptrace)".to_owned())
}

/// The calls that matter. `port` is the one on which clients are served.
pub(super) fn parse(trace: &str, port: u16) -> Vec<Call> {
    let mut unfinished: BTreeMap<&str, (usize, String)> = BTreeMap::new();
    let mut calls = vec![];
    for (number, line) in trace.lines().enumerate() {
        let Some((thread, rest)) = line.split_once(' ') else {
            continue;
        };
        let rest = rest.trim_start();
        if let Some(begun) = rest.strip_suffix("<unfinished ...>") {
            unfinished.insert(thread, (number, begun.trim_end().to_owned()));
            continue;
        }
        let (begin, text) = match rest.split_once(" resumed>").filter(|_| rest.starts_with("<... ")) {
            Some((_, end)) => match unfinished.remove(thread) {
                Some((begin, begun)) => (begin, format!("{begun}{end}")),
                None => continue,
            },
            None => (number, rest.to_owned()),
        };
        if let Some(sort) = sort(&text, port) {
            calls.push(Call {
                sort,
                begin,
                end: number,
                text: text.chars().take(160).collect(),
            });
        }
    }
    calls.sort_by_key(|call| match call.sort {
        // What arrives counts from its end on, what is sent from its beginning.
        Sort::Asked | Sort::SourceReplied | Sort::Synced => call.end,
        Sort::Written | Sort::SourceCalled | Sort::Answered => call.begin,
    });
    calls
}

/// `pwrite64(25</path/file>, ...) = 32`, `sendto(43<TCP:[127.0.0.1:41111->127.0.0.1:55122]>, "...", ...) = 169`.
fn sort(text: &str, port: u16) -> Option<Sort> {
    let (name, arguments) = text.split_once('(')?;
    let (_, annotated) = arguments.split_once('<')?;
    let result = text.rsplit_once(" = ").map_or("", |(_, result)| result);
    let failed = result.starts_with('-') || result.is_empty();
    let sends = ["write", "writev", "pwrite64", "pwritev", "sendto", "sendmsg"].contains(&name);
    if annotated
        .split_once('>')
        .is_some_and(|(path, _)| path.ends_with(DATABASE_LOG))
    {
        return match name {
            "fsync" | "fdatasync" => (!failed).then_some(Sort::Synced),
            _ => sends.then_some(Sort::Written),
        };
    }
    let (ends, data) = annotated.strip_prefix("TCP:[")?.split_once("]>")?;
    let (own, _) = ends.split_once("->")?;
    let serves_clients = own.ends_with(&format!(":{port}"));
    let begins = |word: &str| data.contains(&format!("\"{word}"));
    match (serves_clients, sends) {
        (true, true) => Some(Sort::Answered),
        (true, false) => (!failed && begins("POST /v1/lookups")).then_some(Sort::Asked),
        // The simulated authorities are in the same process; theirs is the end that does not say POST.
        (false, true) => begins("POST ").then_some(Sort::SourceCalled),
        (false, false) => (!failed && begins("HTTP/1.1 ")).then_some(Sort::SourceReplied),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_told_apart() {
        let trace = r#"7 read(3</etc/hosts>, "POST ", 32) = 5
7 recvfrom(9<TCP:[127.0.0.1:80->127.0.0.1:5]>, "POST /v1/lookups HTTP/1.1\r\n"..., 16) = 16
8 pwrite64(4</x/mingcha.sqlite-wal>, "\0"..., 32, 0) = 32
8 fdatasync(4</x/mingcha.sqlite-wal> <unfinished ...>
9 sendto(6<TCP:[127.0.0.1:6->127.0.0.1:7]>, "POST /traffic HTTP/1.1\r\n"..., 9, 0, NULL, 0) = 9
8 <... fdatasync resumed>)              = 0
9 sendto(8<TCP:[127.0.0.1:7->127.0.0.1:6]>, "HTTP/1.1 200 OK\r\n"..., 9, 0, NULL, 0) = 9
9 recvfrom(6<TCP:[127.0.0.1:6->127.0.0.1:7]>, 0x7f, 24, 0, NULL, NULL) = -1 EAGAIN (x)
9 recvfrom(6<TCP:[127.0.0.1:6->127.0.0.1:7]>, "HTTP/1.1 200 OK\r\n"..., 24, 0, NULL, NULL) = 24
8 fsync(4</x/mingcha.sqlite-wal>)       = -1 EIO (Input/output error)
9 writev(9<TCP:[127.0.0.1:80->127.0.0.1:5]>, [{iov_base="HTTP/1.1 200 OK\r\n"..., iov_len=9}], 1) = 9
"#;
        let sorts: Vec<Sort> = parse(trace, 80).iter().map(|call| call.sort).collect();
        use Sort::{Answered, Asked, SourceCalled, SourceReplied, Synced, Written};
        // The source is called while the sync is still under way.
        assert_eq!(
            sorts,
            [Asked, Written, SourceCalled, Synced, SourceReplied, Answered]
        );
    }
}
