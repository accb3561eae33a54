//! What bodies are wrapped in: gRPC's lengths, gzip, deflate.

use std::io::{self, Read};

use flate2::read::{MultiGzDecoder, ZlibDecoder};

use super::transcript::Half;

/// A gRPC message begins with a flag and four bytes of length.
const PREFIX: usize = 5;

/// Fills `contents` from headers and body. The error is a sentence; what was readable is there all the same.
pub(super) fn unwrap(half: &mut Half) -> Result<(), String> {
    let header = |name: &str| half.header(name).unwrap_or_default().to_ascii_lowercase();
    let outcome = if header("content-type").starts_with("application/grpc") {
        messages(&half.body, &header("grpc-encoding"), half.ended)
    } else if half.body.is_empty() {
        (Vec::new(), Ok(()))
    } else {
        whole(&half.body, &header("content-encoding"), half.ended)
    };
    half.contents = outcome.0;
    outcome.1
}

/// Each message of a stream, uncompressed.
fn messages(mut body: &[u8], encoding: &str, ended: bool) -> (Vec<Vec<u8>>, Result<(), String>) {
    let mut found = Vec::new();
    while !body.is_empty() {
        let length = match body {
            [_, a, b, c, d, ..] => u32::from_be_bytes([*a, *b, *c, *d]) as usize,
            _ => usize::MAX,
        };
        let Some(message) = length.checked_add(PREFIX).and_then(|end| body.get(PREFIX..end)) else {
            let incomplete = format!("{} bytes of a gRPC message without its end", body.len());
            return (found, if ended { Err(incomplete) } else { Ok(()) });
        };
        let (content, outcome) = match body[0] {
            0 => (message.to_vec(), Ok(())),
            1 => inflate(message, encoding, true),
            flag => (Vec::new(), Err(format!("a gRPC message with the unknown flag {flag}"))),
        };
        found.push(content);
        if outcome.is_err() {
            return (found, outcome);
        }
        body = &body[PREFIX + length..];
    }
    (found, Ok(()))
}

/// A body with the codings of `Content-Encoding`, the last applied first taken off.
fn whole(body: &[u8], encodings: &str, ended: bool) -> (Vec<Vec<u8>>, Result<(), String>) {
    let mut content = body.to_vec();
    for encoding in encodings.split(',').rev().map(str::trim).filter(|name| !name.is_empty()) {
        let (inner, outcome) = inflate(&content, encoding, ended);
        content = inner;
        if outcome.is_err() {
            return (vec![content], outcome);
        }
    }
    (vec![content], Ok(()))
}

/// What could be inflated, and whether that was all. A body without its end may stop anywhere.
fn inflate(bytes: &[u8], encoding: &str, ended: bool) -> (Vec<u8>, Result<(), String>) {
    let mut content = Vec::new();
    let outcome: io::Result<usize> = match encoding {
        "" | "identity" => return (bytes.to_vec(), Ok(())),
        "gzip" | "x-gzip" => MultiGzDecoder::new(bytes).read_to_end(&mut content),
        "deflate" => ZlibDecoder::new(bytes).read_to_end(&mut content),
        unknown => return (content, Err(format!("the encoding {unknown}, which is not understood"))),
    };
    match outcome {
        Err(error) if ended => (content, Err(format!("broken {encoding}: {error}"))),
        _ => (content, Ok(())),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{GzEncoder, ZlibEncoder};

    use super::*;
    use crate::recording::Field;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn framed(flag: u8, bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&[flag], length.as_slice(), bytes].concat()
    }

    fn half(headers: &[(&str, &str)], body: Vec<u8>) -> Half {
        let headers = headers.iter().map(|(name, value)| Field::new(name.as_bytes(), value.as_bytes()));
        Half { headers: headers.collect(), body, ended: true, ..Half::default() }
    }

    #[test]
    fn unwrap_reads_plain_and_compressed_messages_of_one_stream() {
        let body = [framed(0, b"one"), framed(1, &gzip(b"two")), framed(0, b"")].concat();
        let grpc = [("content-type", "application/grpc+proto"), ("grpc-encoding", "gzip")];
        let mut stream = half(&grpc, body.clone());
        unwrap(&mut stream).unwrap();
        assert_eq!(stream.contents, [b"one".to_vec(), b"two".to_vec(), Vec::new()]);

        let mut cut = half(&grpc, body[..body.len() - 7].to_vec());
        assert!(unwrap(&mut cut).unwrap_err().contains("without its end"));
        cut.ended = false;
        unwrap(&mut cut).unwrap();
        assert_eq!(cut.contents[0], b"one");
    }

    #[test]
    fn unwrap_takes_content_encodings_off_in_their_order() {
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
        deflated.write_all(b"a body").unwrap();
        let body = gzip(&deflated.finish().unwrap());
        let mut twice = half(&[("content-encoding", "deflate, GZIP")], body.clone());
        unwrap(&mut twice).unwrap();
        assert_eq!(twice.contents, [b"a body".to_vec()]);
    }

    #[test]
    fn unwrap_says_what_it_does_not_understand() {
        let grpc = ("content-type", "application/grpc");
        let table = [
            (half(&[("content-encoding", "zstd")], b"x".to_vec()), "encoding zstd"),
            (half(&[("content-encoding", "gzip")], b"not gzip".to_vec()), "broken gzip"),
            (half(&[grpc, ("grpc-encoding", "snappy")], framed(1, b"x")), "encoding snappy"),
            (half(&[grpc], framed(9, b"x")), "unknown flag 9"),
        ];
        for (mut half, expected) in table {
            let sentence = unwrap(&mut half).unwrap_err();
            assert!(sentence.contains(expected), "{sentence}");
        }
    }
}
