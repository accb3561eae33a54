//! What passed between two services, as exchanges of requests and answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::secrets::Secrets;
use super::{http1, http2};

/// Everything that one recorder saw.
pub struct Transcript {
    /// Between whom.
    pub pair: String,
    /// Requests and their answers, connection by connection.
    pub exchanges: Vec<Exchange>,
    /// What could not be read, and therefore not searched but as bytes. A proof wants none.
    pub problems: Vec<String>,
    raw: Vec<(&'static str, Vec<u8>)>,
}

/// One request with its answer, which is empty while there is none.
#[derive(Debug, Default)]
pub struct Exchange {
    /// What was asked.
    pub request: Half,
    /// What was answered.
    pub response: Half,
}

/// One message of HTTP. The first line's parts are fields as in HTTP/2: `:method`, `:path`, `:status`.
#[derive(Debug, Default)]
pub struct Half {
    /// In their order.
    pub headers: Vec<Field>,
    /// What came behind the body.
    pub trailers: Vec<Field>,
    /// Put together from frames or chunks, still compressed if it was.
    pub body: Vec<u8>,
    /// The messages of gRPC, or the one body, uncompressed.
    pub contents: Vec<Vec<u8>>,
    /// Whether its end was seen.
    pub ended: bool,
}

/// A header or trailer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Lower case, as HTTP/2 has it.
    pub name: String,
    /// Any bytes.
    pub value: Vec<u8>,
}

/// A secret where it must not be. It names the secret and never shows it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// Between whom.
    pub pair: String,
    /// Which secret.
    pub secret: String,
    /// How it was written.
    pub spelling: &'static str,
    /// In what part of what.
    pub place: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} ({}) in the {}", self.pair, self.secret, self.spelling, self.place)
    }
}

impl Field {
    pub(super) fn new(name: &[u8], value: &[u8]) -> Self {
        Self { name: String::from_utf8_lossy(name).to_ascii_lowercase(), value: value.to_vec() }
    }

    /// The value as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.value).into_owned()
    }
}

impl Half {
    /// The first value of a header.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        self.headers.iter().find(|field| field.name == name).map(Field::text)
    }
}

impl Exchange {
    /// `:path` of the request; for gRPC the method called.
    #[must_use]
    pub fn path(&self) -> String {
        self.request.header(":path").unwrap_or_default()
    }
}

impl Transcript {
    pub(super) fn new(pair: &str) -> Self {
        Self { pair: pair.to_owned(), exchanges: Vec::new(), problems: Vec::new(), raw: Vec::new() }
    }

    /// Adds one connection.
    pub(super) fn read(&mut self, to_server: Vec<u8>, to_client: Vec<u8>) {
        let (exchanges, problems) = if http2::speaks(&to_server) {
            http2::read(&to_server, &to_client)
        } else {
            http1::read(&to_server, &to_client)
        };
        self.exchanges.extend(exchanges);
        self.problems.extend(problems.into_iter().map(|problem| format!("{}: {problem}", self.pair)));
        self.raw.push(("bytes of the requests", to_server));
        self.raw.push(("bytes of the answers", to_client));
    }

    /// Every place in which a secret stands, each once.
    #[must_use]
    pub fn find(&self, secrets: &Secrets) -> BTreeSet<Finding> {
        let mut found = BTreeSet::new();
        let mut look = |place: &str, bytes: &[u8]| {
            for hit in secrets.find(bytes) {
                found.insert(Finding {
                    pair: self.pair.clone(),
                    secret: hit.secret.to_owned(),
                    spelling: hit.spelling,
                    place: place.to_owned(),
                });
            }
        };
        for (place, bytes) in &self.raw {
            look(place, bytes);
        }
        for exchange in &self.exchanges {
            let path = exchange.path();
            for (side, half) in [("request", &exchange.request), ("answer", &exchange.response)] {
                for (kind, fields) in [("header", &half.headers), ("trailer", &half.trailers)] {
                    for field in fields {
                        look(&format!("{side} {path}, name of a {kind}"), field.name.as_bytes());
                        look(&format!("{side} {path}, {kind} {}", field.name), &field.value);
                    }
                }
                look(&format!("{side} {path}, body"), &half.body);
                for content in &half.contents {
                    look(&format!("{side} {path}, contents"), content);
                }
            }
        }
        found
    }

    /// How many messages went to each path: of gRPC each one of a stream counts, of HTTP the request.
    #[must_use]
    pub fn messages(&self) -> BTreeMap<String, usize> {
        let mut counted = BTreeMap::new();
        for exchange in &self.exchanges {
            let count = exchange.request.contents.len().max(1);
            *counted.entry(exchange.path()).or_default() += count;
        }
        counted
    }

    /// The names of all headers and trailers that requests carried.
    #[must_use]
    pub fn request_fields(&self) -> BTreeSet<&str> {
        self.exchanges
            .iter()
            .flat_map(|exchange| exchange.request.headers.iter().chain(&exchange.request.trailers))
            .map(|field| field.name.as_str())
            .collect()
    }
}
