//! Requests as an attacker writes them: any header, any bytes.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{LazyLock, Mutex};
use std::time::Duration;

use bytes::{Buf, BufMut, Bytes};
use mintmark_rpc::Channel;
use reqwest::Method;
use reqwest::header::HeaderMap;
use serde_json::Value;
use tokio::runtime::Handle;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::metadata::MetadataMap;
use tonic::{Request, Status};

use super::{RpcDoor, Stage};

/// Longest wait for an answer.
const ANSWERED_WITHIN: Duration = Duration::from_secs(20);

/// What came back.
#[derive(Debug)]
pub struct Reply {
    pub status: u16,
    pub headers: HeaderMap,
    /// JSON, or the text as it is.
    pub body: Value,
}

impl Reply {
    /// The code of a problem document; empty when it is none.
    pub fn code(&self) -> &str {
        self.body["code"].as_str().unwrap_or_default()
    }
}

impl Stage {
    /// Sends a request to the edge `base` with exactly these headers and this body.
    pub async fn send(
        &self,
        method: &str,
        base: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: Option<&[u8]>,
    ) -> Reply {
        let method: Method = method.parse().unwrap();
        let mut request = self.http.request(method, format!("{base}{path}")).timeout(ANSWERED_WITHIN);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.body(body.to_vec());
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let bytes = response.bytes().await.unwrap();
        let body =
            serde_json::from_slice(&bytes).unwrap_or_else(|_| Value::from(String::from_utf8_lossy(&bytes)));
        Reply { status, headers, body }
    }

    /// Calls a method with this metadata and one message of these bytes, whether it streams or not; gives the first message
    /// that comes back (`None`: the call ended well without one).
    pub async fn call(
        &self,
        rpc: &RpcDoor,
        metadata: &MetadataMap,
        message: &[u8],
    ) -> Result<Option<Bytes>, Status> {
        self.call_over(kept_channel(rpc.addr), rpc, metadata, message).await
    }

    /// The same on a connection of the caller's.
    pub async fn call_over(
        &self,
        channel: Channel,
        rpc: &RpcDoor,
        metadata: &MetadataMap,
        message: &[u8],
    ) -> Result<Option<Bytes>, Status> {
        let mut client = tonic::client::Grpc::new(channel);
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let mut request = Request::new(tokio_stream::once(Bytes::copy_from_slice(message)));
        *request.metadata_mut() = metadata.clone();
        request.set_timeout(ANSWERED_WITHIN);
        let path = rpc.path.parse().unwrap();
        client.streaming(request, path, AsTheyAre).await?.into_inner().message().await
    }

    /// Metadata with `authorization: Bearer …`.
    pub fn bearer(token: &str) -> MetadataMap {
        let mut metadata = MetadataMap::new();
        metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
        metadata
    }
}

/// One connection an edge, for all callers: credentials belong to the call.
pub fn kept_channel(addr: SocketAddr) -> Channel {
    static OPEN: LazyLock<Mutex<HashMap<SocketAddr, Channel>>> = LazyLock::new(Mutex::default);
    let connect = || mintmark_rpc::connect_lazy(&format!("http://{addr}"), &Handle::current()).unwrap();
    OPEN.lock().unwrap().entry(addr).or_insert_with(connect).clone()
}

/// Messages as bytes.
#[derive(Clone, Copy)]
struct AsTheyAre;

impl Codec for AsTheyAre {
    type Encode = Bytes;
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        *self
    }

    fn decoder(&mut self) -> Self {
        *self
    }
}

impl Encoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for AsTheyAre {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
