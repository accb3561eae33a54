//! Requests as bytes on a connection: nothing here repairs what is sent.

use std::cell::RefCell;
use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::stage::Door;

/// Longest wait for an answer; the services themselves promise far less.
const ANSWERED_WITHIN: Duration = Duration::from_secs(40);
/// Headers that frame the request: others would not be requests of ours any more, but parts of several.
const FRAMING: [&str; 6] = ["content-length", "transfer-encoding", "connection", "expect", "upgrade", "host"];

thread_local! {
    static OPEN: RefCell<HashMap<SocketAddr, TcpStream>> = RefCell::default();
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub head: String,
    pub body: Vec<u8>,
}

impl Answer {
    /// Everything that was sent, as text.
    pub fn text(&self) -> String {
        format!("{}{}", self.head, String::from_utf8_lossy(&self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        let named = |line: &str| line.split_once(':').filter(|(n, _)| n.eq_ignore_ascii_case(name)).is_some();
        self.head
            .lines()
            .find(|line| named(line))
            .and_then(|line| line.split_once(':'))
            .map(|(_, v)| v.trim())
    }
}

/// A request out of fuzzed bytes: lines for the path's parameters, the query and one header; the rest is the body.
pub fn request(door: &Door, path: &str, bearer: Option<&str>, data: &[u8]) -> Vec<u8> {
    let mut lines = data.splitn(4, |byte| *byte == b'\n');
    let mut next = || lines.next().unwrap_or_default();
    let (parameter, query, header, body) = (next(), next(), next(), next());
    let mut request = format!("{} ", door.method).into_bytes();
    if parameter.is_empty() {
        request.extend_from_slice(path.as_bytes());
    } else {
        request.extend(filled(&door.template, parameter));
    }
    if !query.is_empty() {
        request.push(b'?');
        request.extend(escaped(query));
    }
    request.extend_from_slice(b" HTTP/1.1\r\nhost: fuzz.example\r\n");
    if let Some(bearer) = bearer {
        request.extend_from_slice(format!("authorization: Bearer {bearer}\r\n").as_bytes());
    }
    let header: Vec<u8> = header.iter().copied().filter(|byte| *byte != b'\r').collect();
    let name = header.split(|byte| *byte == b':').next().unwrap_or_default();
    let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
    if !name.is_empty() && !FRAMING.contains(&name.as_str()) && header.contains(&b':') {
        request.extend(header);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(format!("content-length: {}\r\n\r\n", body.len()).as_bytes());
    request.extend_from_slice(body);
    request
}

/// The template with the same bytes in the place of every parameter.
fn filled(template: &str, parameter: &[u8]) -> Vec<u8> {
    let mut path = Vec::new();
    for segment in template.split('/').skip(1) {
        path.push(b'/');
        if segment.starts_with('{') {
            path.extend(escaped(parameter));
        } else {
            path.extend(segment.as_bytes());
        }
    }
    path
}

/// What would end the request line is escaped; everything else goes as it is.
fn escaped(bytes: &[u8]) -> impl Iterator<Item = u8> {
    bytes.iter().flat_map(|byte| match byte {
        0..=32 | 127 | b'#' => format!("%{byte:02X}").into_bytes(),
        other => vec![*other],
    })
}

/// Sends the request, on a connection that is kept. `None`: the server would not read it and hung up.
pub fn exchange(addr: SocketAddr, request: &[u8]) -> Option<Answer> {
    let is_head = request.starts_with(b"HEAD ");
    for _ in 0..2 {
        let kept = OPEN.with_borrow_mut(|open| open.remove(&addr));
        let was_kept = kept.is_some();
        let mut stream = kept.unwrap_or_else(|| connect(addr));
        // A kept connection may have been closed meanwhile; then a fresh one must do.
        let answer = stream.write_all(request).ok().and_then(|()| read(&mut stream, is_head));
        if let Some(answer) = answer {
            let closes = answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
            if !closes && answer.status != 400 {
                OPEN.with_borrow_mut(|open| open.insert(addr, stream));
            }
            return Some(answer);
        }
        if !was_kept {
            return None;
        }
    }
    None
}

fn connect(addr: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(addr).unwrap_or_else(|error| panic!("{addr} is not served: {error}"));
    let set = stream.set_read_timeout(Some(ANSWERED_WITHIN)).and_then(|()| stream.set_nodelay(true));
    set.unwrap_or_else(|error| panic!("{error}"));
    stream
}

fn read(stream: &mut TcpStream, is_head: bool) -> Option<Answer> {
    let mut received = Vec::new();
    let end = loop {
        if let Some(at) = find(&received, b"\r\n\r\n") {
            break at + 4;
        }
        more(stream, &mut received)?;
    };
    let head = String::from_utf8_lossy(&received[..end]).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.unwrap_or_else(|| panic!("not an answer: {head}"));
    let mut answer = Answer { status, head, body: received.split_off(end) };
    if is_head || matches!(status, 204 | 304) {
        return Some(answer);
    }
    if let Some(length) = answer.header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        while answer.body.len() < length {
            more(stream, &mut answer.body)?;
        }
    } else if answer.header("transfer-encoding").is_some() {
        while !answer.body.ends_with(b"0\r\n\r\n") {
            more(stream, &mut answer.body)?;
        }
    }
    Some(answer)
}

/// `None` at the end of the connection.
fn more(stream: &mut TcpStream, received: &mut Vec<u8>) -> Option<()> {
    let mut buffer = [0; 16 * 1024];
    match stream.read(&mut buffer) {
        Ok(0) => None,
        Ok(count) => {
            received.extend_from_slice(&buffer[..count]);
            Some(())
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            panic!("no answer within {ANSWERED_WITHIN:?}")
        }
        Err(_) => None,
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}
