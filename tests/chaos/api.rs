//! The control plane's API as a patient client sees it: two addresses, and whatever is away is asked again.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;

use crate::wait::until;

/// One attempt: a stopped process accepts a connection and never answers.
const ATTEMPT: Duration = Duration::from_secs(3);
/// Faults last seconds; whoever waits this long has found a defect.
const PATIENCE: Duration = Duration::from_secs(60);

/// Who asks.
#[derive(Clone, Copy)]
pub enum As {
    Operator,
    Person,
}

pub struct Api {
    pub client: Client,
    /// Both control planes.
    pub bases: [String; 2],
    pub operator: String,
    pub session: String,
}

impl Api {
    pub async fn get(&self, path: &str) -> Value {
        let (status, body) = self.insist(As::Person, Method::GET, path, None, None).await;
        assert_eq!(status, 200, "GET {path}: {body:#}");
        body
    }

    /// A POST that must succeed.
    pub async fn post(&self, who: As, path: &str, key: Option<&str>, body: &Value) -> Value {
        let (status, answer) = self.insist(who, Method::POST, path, key, Some(body)).await;
        assert!((200..300).contains(&status), "POST {path} {body}: {status} {answer:#}");
        answer
    }

    /// Asks either control plane until one decides: an answer that says "later" is asked again.
    pub async fn insist(
        &self,
        who: As,
        method: Method,
        path: &str,
        key: Option<&str>,
        body: Option<&Value>,
    ) -> (u16, Value) {
        let mut turn = 0;
        let mut last = String::new();
        let decided = until(PATIENCE, async || {
            turn += 1;
            let url = format!("{}{path}", self.bases[turn % 2]);
            let mut request =
                self.client.request(method.clone(), url).timeout(ATTEMPT).bearer_auth(match who {
                    As::Operator => &self.operator,
                    As::Person => &self.session,
                });
            if let Some(key) = key {
                request = request.header("Idempotency-Key", key);
            }
            if let Some(body) = body {
                request = request.json(body);
            }
            match answered(request).await {
                Ok((status, body)) if is_decided(status, &body) => Some((status, body)),
                Ok((status, body)) => {
                    last = format!("{status} {body}");
                    None
                }
                Err(error) => {
                    last = error.to_string();
                    None
                }
            }
        });
        let decided = decided.await;
        decided.unwrap_or_else(|| panic!("{method} {path} was not decided within a minute; last: {last}"))
    }

    /// The bytes behind a signed URL, through whichever control plane answers.
    pub async fn fetch(&self, url: &str) -> Vec<u8> {
        let path = &url[url.find("/objects/").unwrap()..];
        let mut turn = 0;
        let fetched = until(PATIENCE, async || {
            turn += 1;
            let url = format!("{}{path}", self.bases[turn % 2]);
            let answer = self.client.get(url).timeout(ATTEMPT).send().await.ok()?;
            if answer.status() != 200 {
                return None;
            }
            Some(answer.bytes().await.ok()?.to_vec())
        });
        fetched.await.unwrap_or_else(|| panic!("{path} cannot be fetched"))
    }
}

async fn answered(request: RequestBuilder) -> reqwest::Result<(u16, Value)> {
    let answer = request.send().await?;
    let status = answer.status().as_u16();
    let bytes = answer.bytes().await?;
    Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
}

/// A wrong clock makes an honest session look wrong: 401 is asked again too.
fn is_decided(status: u16, body: &Value) -> bool {
    status < 500 && ![401, 408, 429].contains(&status) && body["code"] != "IDEMPOTENCY_IN_PROGRESS"
}
