//! Switches a bucket's versioning on, as its owner would: a signed request of its own, so that no code under test helps.

use std::fmt::Write as _;

use chrono::Utc;
use mintmark_devstack::s3::S3Bucket;
use ring::{digest, hmac};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

const REGION: &str = "us-east-1";

fn hex(bytes: impl AsRef<[u8]>) -> String {
    bytes.as_ref().iter().fold(String::new(), |mut out, byte| {
        write!(out, "{byte:02x}").unwrap();
        out
    })
}

fn hmac(key: impl AsRef<[u8]>, text: &str) -> hmac::Tag {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key.as_ref()), text.as_bytes())
}

/// `Enabled` or `Suspended`.
pub async fn set(bucket: &S3Bucket, status: &str) {
    let [(_, endpoint), (_, key_id), (_, secret)] = bucket.variables();
    let host = endpoint.strip_prefix("http://").unwrap().to_owned();
    let body = format!(
        "<VersioningConfiguration xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Status>{status}</Status></VersioningConfiguration>"
    );
    let now = Utc::now();
    let (day, time) = (now.format("%Y%m%d").to_string(), now.format("%Y%m%dT%H%M%SZ").to_string());
    let payload = hex(digest::digest(&digest::SHA256, body.as_bytes()));
    let path = format!("/{}", bucket.name());
    let canonical = format!(
        "PUT\n{path}\nversioning=\nhost:{host}\nx-amz-content-sha256:{payload}\nx-amz-date:{time}\n\nhost;x-amz-content-sha256;x-amz-date\n{payload}"
    );
    let scope = format!("{day}/{REGION}/s3/aws4_request");
    let hashed = hex(digest::digest(&digest::SHA256, canonical.as_bytes()));
    let statement = format!("AWS4-HMAC-SHA256\n{time}\n{scope}\n{hashed}");
    let key = hmac(format!("AWS4{secret}"), &day);
    let key = ["s3", "aws4_request"].iter().fold(hmac(key, REGION), |key, word| hmac(key, word));
    let signature = hex(hmac(key, &statement));
    let authorization = format!(
        "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={signature}"
    );
    let request = format!(
        "PUT {path}?versioning= HTTP/1.1\r\nHost: {host}\r\nx-amz-content-sha256: {payload}\r\nx-amz-date: {time}\r\nAuthorization: {authorization}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(&host).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
