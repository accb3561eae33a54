//! HTTP/1.1, read after the fact: requests and answers of one connection in their order.

use super::coding;
use super::transcript::{Exchange, Field, Half};

/// More than any message of ours has.
const MOST_HEADERS: usize = 128;

/// The exchanges of one connection, and what could not be read of it.
pub(super) fn read(to_server: &[u8], to_client: &[u8]) -> (Vec<Exchange>, Vec<String>) {
    let mut problems = Vec::new();
    let (requests, problem) = messages(to_server, |_| Framing::Stated);
    problems.extend(problem.map(|what| format!("the requests {what}")));
    let methods: Vec<String> =
        requests.iter().map(|request| request.header(":method").unwrap_or_default()).collect();
    let (responses, problem) = messages(to_client, |finals| {
        // An answer to HEAD says how long the body would be.
        if methods.get(finals).is_some_and(|method| method == "HEAD") {
            Framing::None
        } else {
            Framing::ToTheEnd
        }
    });
    problems.extend(problem.map(|what| format!("the answers {what}")));

    let mut responses = responses.into_iter();
    let mut exchanges: Vec<Exchange> = requests
        .into_iter()
        .map(|request| Exchange { request, response: responses.next().unwrap_or_default() })
        .collect();
    exchanges.extend(responses.map(|response| Exchange { response, request: Half::default() }));
    for half in exchanges.iter_mut().flat_map(|exchange| [&mut exchange.request, &mut exchange.response]) {
        problems.extend(coding::unwrap(half).err());
    }
    (exchanges, problems)
}

/// What a message without a stated length has for a body.
#[derive(Clone, Copy, PartialEq)]
enum Framing {
    /// None: requests say how long they are.
    Stated,
    /// None whatever it states.
    None,
    /// All that comes until the connection ends.
    ToTheEnd,
}

/// Messages one behind another; `framing` is asked with the number of final messages before.
fn messages(mut bytes: &[u8], framing: impl Fn(usize) -> Framing) -> (Vec<Half>, Option<String>) {
    let mut found = Vec::new();
    while !bytes.is_empty() {
        let (mut half, length) = match head(bytes) {
            Ok(Some(head)) => head,
            // The rest is on its way.
            Ok(None) => return (found, None),
            Err(error) => return (found, Some(format!("are not HTTP: {error}"))),
        };
        let status = half.header(":status");
        if status.as_ref().is_some_and(|status| status.starts_with('1')) {
            // An interim answer: its bytes are searched as they are.
            bytes = &bytes[length..];
            continue;
        }
        let framing = match status.as_deref() {
            Some("204" | "304") => Framing::None,
            _ => framing(found.len()),
        };
        match body(&mut half, &bytes[length..], framing) {
            Ok(rest) => bytes = rest,
            Err(problem) => {
                found.push(half);
                return (found, Some(problem));
            }
        }
        found.push(half);
    }
    (found, None)
}

/// A message's first line and headers, and how many bytes they took; `None` when they are not all there.
fn head(bytes: &[u8]) -> Result<Option<(Half, usize)>, httparse::Error> {
    let mut space = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let (length, first) = if bytes.starts_with(b"HTTP/") {
        let mut response = httparse::Response::new(&mut space);
        let parsed = response.parse(bytes)?;
        (parsed, vec![(":status", response.code.unwrap_or_default().to_string())])
    } else {
        let mut request = httparse::Request::new(&mut space);
        let parsed = request.parse(bytes)?;
        let (method, path) = (request.method.unwrap_or_default(), request.path.unwrap_or_default());
        (parsed, vec![(":method", method.to_owned()), (":path", path.to_owned())])
    };
    let httparse::Status::Complete(length) = length else { return Ok(None) };
    let first = first.iter().map(|(name, value)| Field::new(name.as_bytes(), value.as_bytes()));
    let fields = space.iter().take_while(|header| !header.name.is_empty());
    let headers =
        first.chain(fields.map(|header| Field::new(header.name.as_bytes(), header.value))).collect();
    Ok(Some((Half { headers, ..Half::default() }, length)))
}

/// Fills the body and gives what follows the message.
fn body<'a>(half: &mut Half, bytes: &'a [u8], framing: Framing) -> Result<&'a [u8], String> {
    let chunked = half
        .header("transfer-encoding")
        .is_some_and(|coding| coding.to_ascii_lowercase().contains("chunked"));
    let stated = half.header("content-length");
    let taken = match (framing, stated) {
        (Framing::None, _) => 0,
        _ if chunked => return chunks(half, bytes),
        (_, Some(length)) => length.parse().map_err(|_| "state a length that is no number".to_owned())?,
        (Framing::Stated, None) => 0,
        (Framing::ToTheEnd, None) => bytes.len(),
    };
    half.ended = taken <= bytes.len();
    let (body, rest) = bytes.split_at(taken.min(bytes.len()));
    half.body = body.to_vec();
    Ok(rest)
}

/// A chunked body with its trailers.
fn chunks<'a>(half: &mut Half, mut bytes: &'a [u8]) -> Result<&'a [u8], String> {
    loop {
        let (start, size) = match httparse::parse_chunk_size(bytes) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return Ok(b""),
            Err(_) => return Err("have a chunk without a size".to_owned()),
        };
        bytes = &bytes[start..];
        if size == 0 {
            return trailers(half, bytes);
        }
        let size = usize::try_from(size).map_err(|_| "have an endless chunk".to_owned())?;
        half.body.extend_from_slice(&bytes[..size.min(bytes.len())]);
        let Some(rest) = size.checked_add(2).and_then(|end| bytes.get(end..)) else { return Ok(b"") };
        bytes = rest;
    }
}

fn trailers<'a>(half: &mut Half, bytes: &'a [u8]) -> Result<&'a [u8], String> {
    let mut space = [httparse::EMPTY_HEADER; MOST_HEADERS];
    match httparse::parse_headers(bytes, &mut space) {
        Ok(httparse::Status::Complete((length, fields))) => {
            half.trailers.extend(fields.iter().map(|field| Field::new(field.name.as_bytes(), field.value)));
            half.ended = true;
            Ok(&bytes[length..])
        }
        Ok(httparse::Status::Partial) => Ok(b""),
        Err(_) => Err("have trailers that are no headers".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bodies(exchanges: &[Exchange]) -> Vec<(String, String)> {
        let text = |half: &Half| String::from_utf8_lossy(&half.body).into_owned();
        exchanges.iter().map(|exchange| (text(&exchange.request), text(&exchange.response))).collect()
    }

    #[test]
    fn read_tells_the_messages_of_one_connection_apart() {
        let requests = b"PUT /a HTTP/1.1\r\nHost: s3\r\nTransfer-Encoding: chunked\r\n\r\n\
            5\r\nsword\r\n4;ext=1\r\nfish\r\n0\r\nX-Sum: 9\r\n\r\n\
            HEAD /b HTTP/1.1\r\nhost: s3\r\n\r\n\
            POST /c HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc\
            GET /d HTTP/1.1\r\n\r\n\
            GET /e HTTP/1.1\r\n";
        let answers = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n\
            HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n\
            HTTP/1.1 204 No Content\r\n\r\n\
            HTTP/1.1 200 OK\r\n\r\nuntil the end";
        let (exchanges, problems) = read(requests, answers);
        assert_eq!(problems, Vec::<String>::new());
        let expected = [("swordfish", ""), ("", ""), ("abc", ""), ("", "until the end")];
        assert_eq!(bodies(&exchanges), expected.map(|(a, b)| (a.to_owned(), b.to_owned())));
        let paths: Vec<String> = exchanges.iter().map(Exchange::path).collect();
        assert_eq!(paths, ["/a", "/b", "/c", "/d"], "the fifth is not all there");
        assert_eq!(exchanges[0].request.trailers, [Field::new(b"x-sum", b"9")]);
        assert!(exchanges[0].request.ended);
    }

    #[test]
    fn read_keeps_what_is_there_of_a_body_that_is_on_its_way() {
        for request in [
            "PUT / HTTP/1.1\r\nContent-Length: 99\r\n\r\nswordfish",
            "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n63\r\nswordfish",
        ] {
            let (exchanges, problems) = read(request.as_bytes(), b"");
            assert_eq!(problems, Vec::<String>::new());
            assert_eq!(bodies(&exchanges), [("swordfish".to_owned(), String::new())]);
            assert!(!exchanges[0].request.ended);
        }
    }

    #[test]
    fn read_of_what_is_malformed_names_it() {
        let table = [
            ("\u{16}\u{3}\u{1}", "not HTTP"),
            ("PUT / HTTP/1.1\r\nContent-Length: many\r\n\r\n", "no number"),
            ("PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "without a size"),
        ];
        for (bytes, expected) in table {
            let (_, problems) = read(bytes.as_bytes(), b"");
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
        }
    }
}
