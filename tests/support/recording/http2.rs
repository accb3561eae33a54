//! HTTP/2 as RFC 9113 frames it, read after the fact: both directions of a connection, all its streams.

use std::collections::BTreeMap;

use loona_hpack::Decoder;

use super::coding;
use super::transcript::{Exchange, Field, Half};

/// What a client sends first.
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// Length, kind, flags, stream.
const FRAME_HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const PUSH_PROMISE: u8 = 5;
const CONTINUATION: u8 = 9;

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;

/// Whether a client's bytes begin a connection of HTTP/2.
pub(super) fn speaks(to_server: &[u8]) -> bool {
    to_server.starts_with(PREFACE)
}

/// The exchanges of one connection, and what could not be read of it.
pub(super) fn read(to_server: &[u8], to_client: &[u8]) -> (Vec<Exchange>, Vec<String>) {
    let mut problems = Vec::new();
    let requests = direction(to_server.get(PREFACE.len()..).unwrap_or_default(), &mut problems);
    let mut responses = direction(to_client, &mut problems);
    let mut exchanges: Vec<Exchange> = requests
        .into_iter()
        .map(|(stream, request)| Exchange {
            request,
            response: responses.remove(&stream).unwrap_or_default(),
        })
        .collect();
    exchanges.extend(responses.into_values().map(|response| Exchange { response, request: Half::default() }));
    for half in exchanges.iter_mut().flat_map(|exchange| [&mut exchange.request, &mut exchange.response]) {
        problems.extend(coding::unwrap(half).err());
    }
    (exchanges, problems)
}

struct Frame<'a> {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: &'a [u8],
}

impl<'a> Frame<'a> {
    /// The first frame and what follows; `None` when it is not all there yet.
    fn first(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let header = bytes.get(..FRAME_HEADER)?;
        let length = u32::from_be_bytes([0, header[0], header[1], header[2]]) as usize;
        let stream = u32::from_be_bytes([header[5], header[6], header[7], header[8]]) & 0x7fff_ffff;
        let (payload, rest) = bytes[FRAME_HEADER..].split_at_checked(length)?;
        Some((Self { kind: header[3], flags: header[4], stream, payload }, rest))
    }

    fn has(&self, flag: u8) -> bool {
        self.flags & flag != 0
    }

    /// The payload without its padding and without `skip` bytes before the content.
    fn content(&self, skip: usize) -> Option<&'a [u8]> {
        let (padding, content) = match (self.has(PADDED), self.payload.split_first()) {
            (true, Some((padding, content))) => (usize::from(*padding), content),
            (true, None) => return None,
            (false, _) => (0, self.payload),
        };
        content.get(skip..content.len().checked_sub(padding)?)
    }
}

/// A block of headers that may go on in further frames.
struct Block {
    stream: u32,
    bytes: Vec<u8>,
}

/// One direction: its table of headers lives as long as the connection.
struct Direction<'p> {
    decoder: Decoder<'static>,
    open: Option<Block>,
    halves: BTreeMap<u32, Half>,
    problems: &'p mut Vec<String>,
}

fn direction(mut bytes: &[u8], problems: &mut Vec<String>) -> BTreeMap<u32, Half> {
    let mut this = Direction { decoder: Decoder::new(), open: None, halves: BTreeMap::new(), problems };
    while let Some((frame, rest)) = Frame::first(bytes) {
        if this.frame(&frame).is_none() {
            this.problems
                .push(format!("stream {}: a frame of kind {} is malformed", frame.stream, frame.kind));
        }
        bytes = rest;
    }
    this.halves
}

impl Direction<'_> {
    /// `None` when the frame is not well formed.
    fn frame(&mut self, frame: &Frame<'_>) -> Option<()> {
        if self.open.is_some() && frame.kind != CONTINUATION {
            return None;
        }
        match frame.kind {
            DATA => {
                let content = frame.content(0)?;
                self.half(frame.stream).body.extend_from_slice(content);
            }
            HEADERS => {
                let priority = if frame.has(PRIORITY) { 5 } else { 0 };
                let bytes = frame.content(priority)?.to_vec();
                self.open = Some(Block { stream: frame.stream, bytes });
            }
            PUSH_PROMISE => {
                // Nobody asks for these; reading them keeps the table right.
                self.problems.push("a PUSH_PROMISE, which nothing of ours sends".to_owned());
                let bytes = frame.content(4)?.to_vec();
                self.open = Some(Block { stream: frame.stream, bytes });
            }
            CONTINUATION => {
                let block = self.open.as_mut().filter(|block| block.stream == frame.stream)?;
                block.bytes.extend_from_slice(frame.payload);
            }
            _ => {}
        }
        if matches!(frame.kind, HEADERS | PUSH_PROMISE | CONTINUATION) && frame.has(END_HEADERS) {
            let block = self.open.take()?;
            self.fields(&block);
        }
        let ends = matches!(frame.kind, DATA | HEADERS) && frame.has(END_STREAM);
        if ends {
            self.half(frame.stream).ended = true;
        } else if frame.kind == RST_STREAM {
            // What was cut off is not malformed: it is the end of nothing.
            self.half(frame.stream).ended = false;
        }
        Some(())
    }

    fn fields(&mut self, block: &Block) {
        match self.decoder.decode(&block.bytes) {
            Ok(fields) => {
                let fields = fields.iter().map(|(name, value)| Field::new(name, value));
                let half = self.halves.entry(block.stream).or_default();
                // The second block of a stream is its trailers; an interim answer's is as good as one here.
                if half.headers.is_empty() {
                    half.headers.extend(fields);
                } else {
                    half.trailers.extend(fields);
                }
            }
            Err(error) => self
                .problems
                .push(format!("stream {}: headers that cannot be decoded: {error:?}", block.stream)),
        }
    }

    fn half(&mut self, stream: u32) -> &mut Half {
        self.halves.entry(stream).or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        let mut bytes = vec![length[1], length[2], length[3], kind, flags];
        bytes.extend_from_slice(&stream.to_be_bytes());
        bytes.extend_from_slice(payload);
        bytes
    }

    fn connection(frames: &[Vec<u8>]) -> Vec<u8> {
        [PREFACE, &frames.concat()].concat()
    }

    fn hex(text: &str) -> Vec<u8> {
        let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_hexdigit).collect();
        digits.chunks(2).map(|pair| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
    }

    fn named(half: &Half) -> Vec<(String, String)> {
        half.headers.iter().map(|field| (field.name.clone(), field.text())).collect()
    }

    /// The three requests of RFC 7541, C.4: Huffman-coded, with a table that grows.
    const RFC_7541: [&str; 3] = [
        "8286 8441 8cf1 e3c2 e5f2 3a6b a0ab 90f4 ff",
        "8286 84be 5886 a8eb 1064 9cbf",
        "8287 85bf 4088 25a8 49e9 5ba9 7d7f 8925 a849 e95b b8e8 b4bf",
    ];

    #[test]
    fn read_of_the_examples_of_rfc_7541_gives_their_headers() {
        let frames: Vec<_> = (1..)
            .step_by(2)
            .zip(RFC_7541)
            .map(|(stream, block)| frame(HEADERS, END_HEADERS | END_STREAM, stream, &hex(block)))
            .collect();
        let (exchanges, problems) = read(&connection(&frames), b"");
        assert_eq!(problems, Vec::<String>::new());
        let pairs = |list: &[(&str, &str)]| -> Vec<(String, String)> {
            list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
        };
        assert_eq!(
            named(&exchanges[1].request),
            pairs(&[
                (":method", "GET"),
                (":scheme", "http"),
                (":path", "/"),
                (":authority", "www.example.com"),
                ("cache-control", "no-cache")
            ])
        );
        assert_eq!(
            named(&exchanges[2].request),
            pairs(&[
                (":method", "GET"),
                (":scheme", "https"),
                (":path", "/index.html"),
                (":authority", "www.example.com"),
                ("custom-key", "custom-value")
            ])
        );
    }

    #[test]
    fn read_puts_continuations_padding_and_priority_away() {
        let block = hex(RFC_7541[0]);
        let (first, second) = block.split_at(7);
        let padded = [&[3, 0, 0, 0, 0, 16], first, &[0; 3]].concat();
        let frames = [
            frame(4, 0, 0, &[]),
            frame(HEADERS, PADDED | PRIORITY, 1, &padded),
            frame(CONTINUATION, 0, 1, &second[..2]),
            frame(CONTINUATION, END_HEADERS, 1, &second[2..]),
            frame(DATA, PADDED, 1, b"\x02half \0\0"),
            frame(DATA, END_STREAM, 1, b"and half"),
        ];
        let answer = [
            frame(HEADERS, END_HEADERS, 1, &[0x88]),
            frame(HEADERS, END_HEADERS | END_STREAM, 1, &hex("400b 6772 7063 2d73 7461 7475 7301 30")),
        ];
        let (exchanges, problems) = read(&connection(&frames), &answer.concat());
        assert_eq!(problems, Vec::<String>::new());
        let Exchange { request, response } = &exchanges[0];
        assert_eq!(request.header(":authority").as_deref(), Some("www.example.com"));
        assert_eq!((request.body.as_slice(), request.ended), (b"half and half".as_slice(), true));
        assert_eq!(response.header(":status").as_deref(), Some("200"));
        assert_eq!(response.trailers[0].name, "grpc-status");
    }

    #[test]
    fn read_of_what_is_malformed_names_it() {
        let table = [
            (frame(HEADERS, END_HEADERS, 1, &[0xff, 0xff, 0xff, 0xff, 0x0f]), "cannot be decoded"),
            (frame(DATA, PADDED, 1, &[9, 1]), "kind 0 is malformed"),
            (frame(CONTINUATION, END_HEADERS, 1, &[0x82]), "kind 9 is malformed"),
            ([frame(HEADERS, 0, 1, &[0x82]), frame(DATA, 0, 1, b"between")].concat(), "kind 0 is malformed"),
            (frame(PUSH_PROMISE, END_HEADERS, 1, &[0, 0, 0, 2, 0x82]), "PUSH_PROMISE"),
        ];
        for (bytes, expected) in table {
            let (_, problems) = read(&connection(&[bytes]), b"");
            assert!(problems.iter().any(|problem| problem.contains(expected)), "{expected}: {problems:?}");
        }
    }
}
