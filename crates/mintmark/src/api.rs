//! A small client of the control plane's HTTP API: JSON in, JSON out, problems as sentences.

use std::time::Duration;

use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::failure::Failure;

/// The control plane at one address, with one credential.
pub struct Control {
    http: reqwest::Client,
    base: String,
    token: String,
}

/// An answer: its status and its JSON.
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// The body; `null` when there was none.
    pub body: Value,
    headers: HeaderMap,
}

impl Control {
    /// A client for `base` (no trailing slash) that presents `token` as a bearer.
    pub fn new(base: &str, token: &str) -> Result<Self, Failure> {
        Ok(Self { http: client()?, base: base.to_owned(), token: token.to_owned() })
    }

    /// GET that must succeed.
    pub async fn get(&self, path: &str) -> Result<Value, Failure> {
        self.call(Method::GET, path, None, None).await?.success(path)
    }

    /// GET whose answer is looked at, whatever it is.
    pub async fn look(&self, path: &str) -> Result<Answer, Failure> {
        self.call(Method::GET, path, None, None).await
    }

    /// POST that must succeed.
    pub async fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body), None).await?.success(path)
    }

    /// PUT that must succeed.
    pub async fn put(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::PUT, path, Some(body), None).await?.success(path)
    }

    /// PUT of a file that must succeed.
    pub async fn put_file(&self, path: &str, content_type: &str, file: &'static [u8]) -> Result<(), Failure> {
        let request = self.http.put(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = request.header("content-type", content_type).body(file);
        let response = request.send().await.map_err(|error| away(&self.base, &error))?;
        Answer::read(&self.base, response).await?.success(path).map(drop)
    }

    /// POST of a file with an `Idempotency-Key` that must succeed.
    pub async fn post_file(
        &self,
        path: &str,
        key: &str,
        content_type: &str,
        file: &'static [u8],
    ) -> Result<Value, Failure> {
        let request = self.http.post(format!("{}{path}", self.base)).bearer_auth(&self.token);
        let request = request.header("Idempotency-Key", key).header("content-type", content_type).body(file);
        let response = request.send().await.map_err(|error| away(&self.base, &error))?;
        Answer::read(&self.base, response).await?.success(path)
    }

    /// GET of a file that must succeed; `path` may be a URL that needs no credential.
    pub async fn file(&self, path: &str) -> Result<Vec<u8>, Failure> {
        let request = match path.strip_prefix('/') {
            Some(_) => self.http.get(format!("{}{path}", self.base)).bearer_auth(&self.token),
            None => self.http.get(path),
        };
        let response = request.send().await.map_err(|error| away(&self.base, &error))?;
        let status = response.status();
        let bytes = response.bytes().await.map_err(|error| away(&self.base, &error))?;
        if status.is_success() {
            return Ok(bytes.to_vec());
        }
        Err(Failure::new(format!("{path} answered {}: {}", status.as_u16(), String::from_utf8_lossy(&bytes))))
    }

    /// POST with an `Idempotency-Key` that must succeed.
    pub async fn post_once(&self, path: &str, key: &str, body: &Value) -> Result<Value, Failure> {
        self.call(Method::POST, path, Some(body), Some(key)).await?.success(path)
    }

    /// POST where "it exists already" is as good as success; `None` then.
    pub async fn ensure(&self, path: &str, body: &Value) -> Result<Option<Value>, Failure> {
        let answer = self.call(Method::POST, path, Some(body), None).await?;
        if answer.status == StatusCode::CONFLICT {
            return Ok(None);
        }
        answer.success(path).map(Some)
    }

    /// Every item of a list, page by page.
    pub async fn list(&self, path: &str) -> Result<Vec<Value>, Failure> {
        let mut items = Vec::new();
        let mut cursor: Option<String> = None;
        loop {
            let separator = if path.contains('?') { '&' } else { '?' };
            let page = match &cursor {
                Some(cursor) => format!("{path}{separator}limit=200&cursor={cursor}"),
                None => format!("{path}{separator}limit=200"),
            };
            let body = self.get(&page).await?;
            items.extend(body["items"].as_array().cloned().unwrap_or_default());
            match body["nextCursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return Ok(items),
            }
        }
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        key: Option<&str>,
    ) -> Result<Answer, Failure> {
        let mut request = self.http.request(method, format!("{}{path}", self.base)).bearer_auth(&self.token);
        if let Some(key) = key {
            request = request.header("Idempotency-Key", key);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await.map_err(|error| away(&self.base, &error))?;
        Answer::read(&self.base, response).await
    }
}

impl Answer {
    async fn read(base: &str, response: reqwest::Response) -> Result<Self, Failure> {
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.map_err(|error| away(base, &error))?;
        Ok(Self { status, headers, body: serde_json::from_slice(&bytes).unwrap_or(Value::Null) })
    }

    /// A header; empty when there is none.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    fn success(self, path: &str) -> Result<Value, Failure> {
        if self.status.is_success() {
            return Ok(self.body);
        }
        let detail = self.body["detail"].as_str().unwrap_or("no further detail");
        let code = self.body["code"].as_str().unwrap_or("no code");
        Err(Failure::new(format!("{path} answered {}: {detail} ({code})", self.status.as_u16())))
    }
}

/// An HTTP client that never follows redirects: the demonstration looks at them.
pub fn client() -> Result<reqwest::Client, Failure> {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(Duration::from_secs(5))
        .timeout(Duration::from_secs(60))
        .build()
        .map_err(|error| Failure::new(format!("could not make an HTTP client: {error}")))
}

/// The sentence for a server that does not answer.
pub fn away(base: &str, error: &reqwest::Error) -> Failure {
    if error.is_connect() {
        Failure::new(format!(
            "nothing answers at {base}: start the platform with `make run` in another terminal"
        ))
    } else {
        Failure::new(format!("the call to {base} failed: {error}"))
    }
}

/// A string member that must be there.
pub fn text<'a>(body: &'a Value, member: &str) -> Result<&'a str, Failure> {
    body[member].as_str().ok_or_else(|| Failure::new(format!("the answer has no '{member}'")))
}
