//! Bodies that are not kept in memory: a file that is sent, and one range of what is fetched.

use std::time::Duration;

use indicatif::ProgressBar;
use reqwest::header::{CONTENT_LENGTH, CONTENT_TYPE, RANGE};
use reqwest::{Method, Response};
use serde_json::Value;

use super::{Answer, Client, PAUSES, read, refused};
use crate::exit::Exit;
use crate::failure::Failure;
use crate::transfer::Source;

/// The largest record on a slow line, as the platform itself has it; silence ends an upload much earlier.
const SENT_WITHIN: Duration = Duration::from_secs(6 * 60 * 60);

/// How long a file may stand still while it is sent, and until its answer comes.
const STANDSTILL: Duration = Duration::from_secs(120);

impl Client {
    /// POST of a file that is read while it is sent, under a key that the service keeps: while nothing answers it is sent
    /// again from its beginning, and stored once.
    pub async fn upload(
        &self,
        path: &str,
        content_type: &str,
        source: &Source,
        bar: &ProgressBar,
        key: &str,
    ) -> Result<Value, Failure> {
        let mut pauses = PAUSES.into_iter();
        loop {
            let request = self.request(Method::POST, path).timeout(SENT_WITHIN);
            let request = request.header("Idempotency-Key", key).header(CONTENT_TYPE, content_type);
            let request = request.header(CONTENT_LENGTH, source.bytes).body(source.body(bar).await?);
            let failure = match moving(request.send(), bar).await {
                Ok(Ok(response)) => match whole(response).await {
                    Ok(Answer { status, headers, body }) if status.is_success() => {
                        return read(path, &headers, &body);
                    }
                    Ok(Answer { status, headers, body }) => refused(status, &headers, &body, self.holder),
                    Err(error) => self.away(&error),
                },
                Ok(Err(error)) => self.away(&error),
                Err(stood_still) => stood_still,
            };
            match pauses.next() {
                Some(pause) if failure.exit() == Exit::Away => tokio::time::sleep(pause).await,
                _ => return Err(failure),
            }
        }
    }

    /// GET of one range, as `Range` writes it after `bytes=`; the body is still to come.
    pub async fn range(&self, path: &str, range: &str) -> Result<Response, Failure> {
        let request = self.request(Method::GET, path).header(RANGE, format!("bytes={range}"));
        let response = request.send().await.map_err(|error| self.away(&error))?;
        if response.status().is_success() {
            return Ok(response);
        }
        let Answer { status, headers, body } = whole(response).await.map_err(|error| self.away(&error))?;
        Err(refused(status, &headers, &body, self.holder))
    }
}

/// The answer, as long as the file moves: nothing else says how long a large one may take.
async fn moving<T>(sending: impl Future<Output = T>, bar: &ProgressBar) -> Result<T, Failure> {
    let mut sending = std::pin::pin!(sending);
    loop {
        let before = bar.position();
        tokio::select! {
            sent = &mut sending => return Ok(sent),
            () = tokio::time::sleep(STANDSTILL) => {}
        }
        if bar.position() == before {
            let words = format!("nothing moved for {} seconds", STANDSTILL.as_secs());
            return Err(Failure::new(words).ending(Exit::Away).coded("TRANSFER_BROKEN"));
        }
    }
}

async fn whole(response: Response) -> Result<Answer, reqwest::Error> {
    let (status, headers) = (response.status(), response.headers().clone());
    Ok(Answer { status, headers, body: response.bytes().await?.to_vec() })
}
