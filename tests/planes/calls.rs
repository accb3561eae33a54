//! Calls of the directory with any token and any bytes, and what reflection says is there to be called.

use std::collections::{BTreeMap, BTreeSet};

use bytes::{Buf, BufMut, Bytes};
use futures::StreamExt;
use mintmark_auth::TokenSource;
use mintmark_ids::TenantId;
use prost::Message;
use prost_types::FileDescriptorProto;
use tokio::runtime::Handle;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::estate::Estate;

/// The one service of the directory role.
pub const DIRECTORY: &str = "mintmark.directory.v1.DirectoryService";

/// Audience, tenant and scopes of a token.
pub type Claims<'a> = (&'static str, &'a TenantId, &'a [&'static str]);

/// Somebody who holds the control plane's key and may ask for what it never asks for.
pub struct Caller {
    channel: Channel,
    tokens: TokenSource,
}

impl Caller {
    pub fn of(estate: &Estate) -> Self {
        Caller { channel: channel(&estate.directory_url()), tokens: estate.tokens() }
    }

    /// Sends one message to a method of the directory; the first message of the answer.
    pub async fn call(
        &self,
        method: &str,
        claims: Option<Claims<'_>>,
        message: Vec<u8>,
    ) -> Result<Bytes, Status> {
        self.call_path(&format!("/{DIRECTORY}/{method}"), claims, message).await
    }

    /// The same with a method of any service.
    pub async fn call_path(
        &self,
        path: &str,
        claims: Option<Claims<'_>>,
        message: Vec<u8>,
    ) -> Result<Bytes, Status> {
        let messages = tokio_stream::once(Bytes::from(message));
        let request = match claims {
            Some((audience, tenant, scopes)) => {
                let token = self.tokens.for_tenant(audience, tenant, scopes);
                mintmark_rpc::authorized(messages, &token, None)
            }
            None => Request::new(messages),
        };
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        client.ready().await.map_err(|error| Status::unavailable(error.to_string()))?;
        let mut answers = client.streaming(request, path.parse().unwrap(), Raw).await?.into_inner();
        Ok(answers.message().await?.unwrap_or_default())
    }
}

fn channel(url: &str) -> Channel {
    mintmark_rpc::connect_lazy(url, &Handle::current()).unwrap()
}

/// Every service that is named at this address but health and reflection, with its methods.
pub async fn services(url: &str) -> BTreeMap<String, BTreeSet<String>> {
    let MessageResponse::ListServicesResponse(list) =
        ask(url, MessageRequest::ListServices(String::new())).await
    else {
        panic!("reflection does not list services");
    };
    let mut services = BTreeMap::new();
    for listed in list.service.into_iter().map(|service| service.name) {
        if !listed.starts_with("grpc.health.") && !listed.starts_with("grpc.reflection.") {
            let methods = methods(url, &listed).await;
            assert!(!methods.is_empty(), "{listed} is named and has no methods");
            services.insert(listed, methods);
        }
    }
    services
}

async fn methods(url: &str, service: &str) -> BTreeSet<String> {
    let MessageResponse::FileDescriptorResponse(files) =
        ask(url, MessageRequest::FileContainingSymbol(service.to_owned())).await
    else {
        panic!("reflection does not describe {service}");
    };
    let files = files.file_descriptor_proto.iter();
    let files = files.map(|file| FileDescriptorProto::decode(file.as_slice()).unwrap());
    let described = files.flat_map(|file| {
        let package = file.package().to_owned();
        file.service.into_iter().map(move |service| (format!("{package}.{}", service.name()), service))
    });
    let methods = described.filter(|(name, _)| name == service).flat_map(|(_, service)| service.method);
    methods.map(|method| method.name().to_owned()).collect()
}

async fn ask(url: &str, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let mut client = ServerReflectionClient::new(channel(url));
    let mut answers =
        client.server_reflection_info(Request::new(tokio_stream::once(request))).await.unwrap().into_inner();
    answers.next().await.unwrap().unwrap().message_response.unwrap()
}

/// Messages as bytes.
#[derive(Clone, Copy)]
struct Raw;

impl Codec for Raw {
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

impl Encoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn encode(&mut self, message: Bytes, buffer: &mut EncodeBuf<'_>) -> Result<(), Status> {
        buffer.put(message);
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, buffer: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(buffer.copy_to_bytes(buffer.remaining())))
    }
}
