//! The one HTTP client of the operator's commands: timeouts, the authority of the context, problems as sentences, and
//! attempts that repeat only what may be repeated.

mod path;
mod problem;
mod stream;

use std::path::Path;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Certificate, Method, StatusCode};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use crate::exit::Exit;
use crate::failure::{Failure, describe_io};
use crate::reach::Paging;

pub use path::{path, query};
pub use problem::refused;

const CONNECT_WITHIN: Duration = Duration::from_secs(5);
/// An answer, whole. Waiting for work is done by asking again, never by one long request.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);
/// Until a download begins; whoever reads it watches its pieces.
const SILENCE: Duration = Duration::from_secs(30);
/// Waits before the second, third and fourth attempt.
const PAUSES: [Duration; 3] =
    [Duration::from_millis(200), Duration::from_millis(700), Duration::from_secs(2)];
/// A `Retry-After` beyond this is told to the person instead of being waited for.
const PATIENCE: Duration = Duration::from_secs(5);
/// The most that a page of any list holds.
const PAGE: u64 = 200;

/// A connection to one service with at most one credential.
pub struct Client {
    http: reqwest::Client,
    base: String,
    credential: Option<SecretString>,
    holder: &'static str,
}

/// A list, as far as it was asked for.
pub struct Listed {
    /// The things.
    pub items: Vec<Value>,
    /// Where to go on, when there is more.
    pub next: Option<String>,
}

impl Listed {
    /// The list as JSON: `items` and `nextCursor`.
    pub fn document(&self) -> Value {
        json!({ "items": self.items, "nextCursor": self.next })
    }
}

/// A request's body.
enum Payload<'a> {
    None,
    Json(&'a Value),
    File(&'a str, Vec<u8>),
}

/// What may be done when an attempt did not come through.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Repeat {
    /// Doing it twice is as good as once.
    Freely,
    /// Only when it certainly was not received.
    Unsent,
    Never,
}

/// Makes the HTTP connections, trusting `authority` besides the system's where one is given.
pub fn http(authority: Option<&Path>) -> Result<reqwest::Client, Failure> {
    let mut builder = reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_WITHIN)
        .user_agent(concat!("mintmark/", env!("CARGO_PKG_VERSION")));
    if let Some(file) = authority {
        let unusable =
            |why: String| Failure::usage(format!("the CA file {} cannot be used: {why}", file.display()));
        let pem = std::fs::read(file).map_err(|error| unusable(describe_io(&error)))?;
        let certificates = Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))?;
        if certificates.is_empty() {
            return Err(unusable("it holds no certificate in PEM".to_owned()));
        }
        builder = builder.tls_certs_merge(certificates);
    }
    builder.build().map_err(|error| Failure::local(format!("could not make an HTTP client: {error}")))
}

/// A key for a creation that its own repetitions share.
pub fn creation_key() -> Result<String, Failure> {
    let mut bytes = [0_u8; 16];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Failure::local("the system's random generator gave nothing"))?;
    Ok(bytes.iter().fold("mintmark-".to_owned(), |text, byte| format!("{text}{byte:02x}")))
}

impl Client {
    /// A client of the service at `base`. `holder` names the credential for people: `session`, `control token`.
    pub fn new(
        http: reqwest::Client,
        base: &str,
        holder: &'static str,
        credential: Option<SecretString>,
    ) -> Self {
        Self { http, base: base.trim_end_matches('/').to_owned(), credential, holder }
    }

    /// GET, tried again while nothing answers.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, Payload::None, None, Repeat::Freely).await
    }

    /// GET, tried once: for those who ask again anyway.
    pub async fn look(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, Payload::None, None, Repeat::Never).await
    }

    /// POST that makes something where the service keeps `Idempotency-Key`: it is repeated under the same key until an
    /// answer comes.
    pub async fn create_once(&self, path: &str, body: &Value, key: &str) -> Result<Value, Failure> {
        self.call(Method::POST, path, Payload::Json(body), Some(key), Repeat::Freely).await
    }

    /// POST that makes something where the service keeps no keys. One is sent all the same; nothing is repeated that
    /// may have arrived.
    pub async fn create(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        let key = creation_key()?;
        self.call(Method::POST, path, Payload::Json(body), Some(&key), Repeat::Unsent).await
    }

    /// POST that does something to what is there; without a body where there is none.
    pub async fn post(&self, path: &str, body: Option<&Value>) -> Result<Value, Failure> {
        let payload = body.map_or(Payload::None, Payload::Json);
        self.call(Method::POST, path, payload, None, Repeat::Unsent).await
    }

    /// PUT.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::PUT, path, Payload::Json(body), None, Repeat::Freely).await
    }

    /// PUT of a file.
    pub async fn put_file(&self, path: &str, content_type: &str, file: Vec<u8>) -> Result<Value, Failure> {
        self.call(Method::PUT, path, Payload::File(content_type, file), None, Repeat::Freely).await
    }

    /// PATCH.
    pub async fn patch(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::PATCH, path, Payload::Json(body), None, Repeat::Unsent).await
    }

    /// DELETE.
    pub async fn delete(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::DELETE, path, Payload::None, None, Repeat::Unsent).await
    }

    /// A list, page by page, as far as `paging` wants it.
    pub async fn list(&self, path: &str, paging: &Paging) -> Result<Listed, Failure> {
        let wanted = if paging.all { u64::MAX } else { paging.limit };
        let mut listed = Listed { items: Vec::new(), next: paging.cursor.clone() };
        loop {
            let left = wanted.saturating_sub(listed.items.len() as u64);
            let limit = left.min(PAGE).to_string();
            let page = query(path, &[("limit", Some(&limit)), ("cursor", listed.next.as_deref())]);
            let mut body = self.get(&page).await?;
            let Value::Array(items) = body["items"].take() else {
                return Err(unexpected(path, "no list"));
            };
            let none = items.is_empty();
            listed.items.extend(items);
            listed.next = body["nextCursor"].as_str().map(ToOwned::to_owned);
            if none || listed.next.is_none() || listed.items.len() as u64 >= wanted {
                return Ok(listed);
            }
        }
    }

    /// GET of a path of the service, or of a whole URL, which is shown no credential; from byte `from` on. The answer
    /// is a success and its body is still to come.
    pub async fn open(&self, path_or_url: &str, from: u64) -> Result<reqwest::Response, Failure> {
        let request = match path_or_url.strip_prefix('/') {
            Some(_) => self.request(Method::GET, path_or_url),
            None => self.http.get(path_or_url),
        };
        let request = if from > 0 { request.header("range", format!("bytes={from}-")) } else { request };
        let sent = tokio::time::timeout(SILENCE, request.send()).await;
        let response = sent.map_err(|_| self.silent())?.map_err(|error| self.away(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let (status, headers) = (response.status(), response.headers().clone());
        let body = response.bytes().await.unwrap_or_default();
        Err(refused(status, &headers, &body, self.holder))
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        payload: Payload<'_>,
        key: Option<&str>,
        repeat: Repeat,
    ) -> Result<Value, Failure> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let (failure, unsent) = match self.attempt(&method, path, &payload, key).await {
                Ok(Answer { status, headers, body }) if status.is_success() => {
                    return read(path, &headers, &body);
                }
                Ok(Answer { status, headers, body }) => {
                    (refused(status, &headers, &body, self.holder), false)
                }
                Err(error) => (self.away(&error), error.is_connect()),
            };
            let may = match repeat {
                Repeat::Freely => failure.exit() == Exit::Away,
                Repeat::Unsent => unsent && failure.exit() == Exit::Away,
                Repeat::Never => false,
            };
            let asked = failure.retry_after().unwrap_or_default();
            match pauses.next() {
                Some(pause) if may && asked <= PATIENCE => tokio::time::sleep(pause.max(asked)).await,
                _ => return Err(failure),
            }
        }
    }

    async fn attempt(
        &self,
        method: &Method,
        path: &str,
        payload: &Payload<'_>,
        key: Option<&str>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.request(method.clone(), path).timeout(ANSWER_WITHIN);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        request = match payload {
            Payload::None => request,
            Payload::Json(body) => request.json(body),
            Payload::File(content_type, file) => {
                request.header(CONTENT_TYPE, *content_type).body(file.clone())
            }
        };
        let response = request.send().await?;
        let (status, headers) = (response.status(), response.headers().clone());
        Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let Some(credential) = &self.credential else { return request };
        // What cannot stand in a header was refused when the credential was read.
        let Ok(mut value) = HeaderValue::try_from(format!("Bearer {}", credential.expose_secret())) else {
            return request;
        };
        value.set_sensitive(true);
        request.header(AUTHORIZATION, value)
    }

    fn silent(&self) -> Failure {
        self.unreachable(format!("{} did not answer in time", self.base))
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let because = cause(error);
        if error.is_timeout() {
            return self.silent();
        }
        if is_about_the_certificate(error) {
            let sentence = format!("{} shows a certificate that cannot be trusted ({because})", self.base);
            let hint = "Name the authority behind it: `mintmark context set NAME --ca-file FILE`.";
            return Failure::usage(sentence).coded("CERTIFICATE").hinting(hint);
        }
        self.unreachable(if error.is_connect() {
            format!("nothing answers at {} ({because})", self.base)
        } else {
            format!("the connection to {} broke ({because})", self.base)
        })
    }

    fn unreachable(&self, sentence: String) -> Failure {
        let hint =
            "Is it running, and is the address of the context right? `mintmark context show` prints it.";
        Failure::new(sentence).ending(Exit::Away).coded("UNREACHABLE").hinting(hint)
    }
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

fn read(path: &str, headers: &HeaderMap, body: &[u8]) -> Result<Value, Failure> {
    if body.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_slice(body).map_err(|_| {
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("of no type");
        unexpected(path, &format!("no JSON ({kind})"))
    })
}

/// An answer that is none of this platform.
fn unexpected(path: &str, what: &str) -> Failure {
    Failure::new(format!("the answer to {path} is {what}: is this the address of the platform?"))
        .ending(Exit::Away)
        .coded("UNEXPECTED_ANSWER")
}

/// Whether the connection failed because of the certificate, which no further attempt mends.
fn is_about_the_certificate(error: &reqwest::Error) -> bool {
    let mut next: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = next {
        if matches!(error.downcast_ref(), Some(rustls::Error::InvalidCertificate(_))) {
            return true;
        }
        // What an I/O error wraps, perhaps another one, is none of its sources.
        let wrapped = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        next = match wrapped {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    false
}

/// The innermost cause, which says the most: "connection refused", "invalid peer certificate".
fn cause(error: &reqwest::Error) -> String {
    let mut inner: &dyn std::error::Error = error;
    while let Some(next) = inner.source() {
        inner = next;
    }
    inner.to_string()
}
