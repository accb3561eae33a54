//! Somebody whose every request carries headers that must not travel on.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use mintmark_tests::recording::Secrets;
use reqwest::{Client, Method, RequestBuilder, Response};
use serde_json::{Value, json};

const PATIENCE: Duration = Duration::from_secs(30);

const PHONE: &str = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1";

/// What people, browsers, proxies and attackers send along. `X-Request-Id` and `traceparent` are apart: they are meant to be
/// passed on to logs and traces, and of `traceparent` the ids alone go to the directory.
const HEADERS: [&str; 13] = [
    "cookie",
    "proxy-authorization",
    "x-upstream-token",
    "x-forwarded-for",
    "x-forwarded-user",
    "forwarded",
    "user-agent",
    "referer",
    "origin",
    "baggage",
    "x-canary",
    "x-canary-bin",
    "grpc-metadata-canary",
];

/// A client of one server.
pub struct Traveller {
    client: Client,
    trace: String,
    mark: String,
    orders: AtomicU32,
}

impl Traveller {
    pub fn new() -> Self {
        // The first call wins; a further one changes nothing.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let client = Client::builder().no_proxy().build().unwrap();
        let random = || format!("{:016x}", RandomState::new().build_hasher().finish());
        let trace = format!("{}{}", random(), random());
        Self { client, trace, mark: random(), orders: AtomicU32::new(0) }
    }

    /// What each header of ours carries, besides what makes it look like one.
    pub fn secrets(&self, secrets: &mut Secrets) {
        for name in HEADERS.into_iter().chain(["tracestate", "idempotency-key", "x-api-key"]) {
            secrets.add(&format!("the header {name}"), self.value(name).as_bytes());
        }
    }

    /// The id that a request gives itself.
    pub fn request_id(&self) -> String {
        self.value("x-request-id")
    }

    /// The trace that all our requests belong to.
    pub fn trace_id(&self) -> &str {
        &self.trace
    }

    /// A request with a bearer and everything else that we send along.
    pub async fn send(&self, bearer: &str, method: &str, url: &str, body: Option<&Value>) -> Response {
        let request = self.request(method, url).header("x-request-id", self.request_id());
        let request = if bearer.is_empty() { request } else { request.bearer_auth(bearer) };
        let request = if let Some(body) = body { request.json(body) } else { request };
        request.send().await.unwrap()
    }

    /// A request without a bearer, but with a key that is none, and with the control token wherever it does not belong.
    pub async fn stray(&self, control_token: &str, method: &str, url: &str) -> Response {
        let request = self
            .request(method, &format!("{url}?token={control_token}"))
            .header("x-api-key", self.value("x-api-key"))
            .header("x-request-id", control_token)
            .header("x-stray", format!("Bearer {control_token}"));
        request.send().await.unwrap()
    }

    fn request(&self, method: &str, url: &str) -> RequestBuilder {
        let mut request = self.client.request(method.parse::<Method>().unwrap(), url);
        for name in HEADERS {
            let value = self.value(name);
            // With the agent of a phone, so that it counts as a person's scan.
            let value = if name == "user-agent" { format!("{PHONE} {value}") } else { value };
            request = request.header(name, value);
        }
        let order = self.orders.fetch_add(1, Ordering::Relaxed);
        request
            .header("idempotency-key", format!("{}-{order}", self.value("idempotency-key")))
            .header("accept", "application/json")
            .header("traceparent", format!("00-{}-00f067aa0ba902b7-01", self.trace))
            .header("tracestate", format!("canary={}", self.value("tracestate")))
    }

    /// A call that must be answered with this status; its JSON.
    pub async fn call(&self, bearer: &str, call: &str, body: Value, status: u16) -> Value {
        let (method, url) = call.split_once(' ').unwrap();
        let response = self.send(bearer, method, url, (!body.is_null()).then_some(&body)).await;
        let got = response.status().as_u16();
        let bytes = response.bytes().await.unwrap();
        let answer: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        assert_eq!(got, status, "{call}: {answer:#}");
        answer
    }

    /// Asks again and again until the answer is as it should be.
    pub async fn until(&self, bearer: &str, url: &str, good: impl Fn(&Value) -> bool) -> Value {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.call(bearer, &format!("GET {url}"), json!(null), 200).await;
            if good(&answer) {
                return answer;
            }
            assert!(Instant::now() < deadline, "{url} stays {answer:#}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Asks again and again until there is an answer: what it is about is not there yet, or not yet so far.
    pub async fn until_ok(&self, bearer: &str, url: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let status = self.send(bearer, "GET", url, None).await.status().as_u16();
            if status == 200 {
                return;
            }
            assert!(status < 500 && Instant::now() < deadline, "{url}: {status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// One value for each header, which nothing else has.
    fn value(&self, header: &str) -> String {
        let address = |part: usize| self.mark.get(part * 4..part * 4 + 4).unwrap_or_default();
        match header {
            "x-forwarded-for" => {
                format!("2001:db8:1:2:{}:{}:{}:{}", address(0), address(1), address(2), address(3))
            }
            // The list of crawlers knows the words that are usual here.
            "user-agent" => format!("Visitor/{}", self.mark),
            _ => format!("{header}-{}", self.mark),
        }
    }
}
