//! Every way in, read from the services themselves: a route or RPC that is added is listed without a line changed here.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use futures::StreamExt;
use mintmark_ratelimit::grpc::EnvoyRpc;
use mintmark_web::{Access, Route};
use prost::Message;
use prost_types::FileDescriptorProto;
use tonic::{Code, Request};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use super::{Shop, Stage, kept_channel};

/// A row of a service's route table.
#[derive(Clone, Debug)]
pub struct Door {
    /// `control-plane`, `resolver-scan`, `preflight-gateway` or `console`.
    pub service: &'static str,
    /// `GET`.
    pub method: String,
    /// `/v1/brands/{brandId}`.
    pub template: String,
    /// What the edge asks for.
    pub access: Access,
}

impl Door {
    /// `GET /v1/brands/{brandId}`.
    pub fn name(&self) -> String {
        format!("{} {}", self.method, self.template)
    }

    /// The path with the things of a shop in the place of each parameter.
    ///
    /// # Panics
    /// On a parameter that nobody has said anything about: add it here and to [`Shop`].
    pub fn path(&self, shop: &Shop) -> String {
        let fill = |segment: &str| match segment {
            "{tenantId}" => shop.tenant.clone(),
            "{userId}" => shop.spare_user.clone(),
            "{membershipId}" => shop.spare_membership.clone(),
            "{brandId}" => shop.brand.clone(),
            "{productId}" => shop.product.clone(),
            "{batchId}" => shop.batch.clone(),
            "{exportId}" => shop.export.clone(),
            "{keyId}" => shop.spare_key.clone(),
            // No job has failed.
            "{eventId}" => "job_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
            "{disputeId}" => shop.dispute.clone(),
            "{evidenceId}" => shop.evidence.clone(),
            "{operationId}" => shop.operation.clone(),
            // No log has such an entry.
            "{entryId}" => "0198f6c0-0000-7000-8000-000000000000".to_owned(),
            "{serial}" => "1".to_owned(),
            // What these lead to is public, or proven by the URL: any value does.
            "{file}" => "index.html".to_owned(),
            "{path}" => format!("exports/{}/{}/index.json", shop.tenant, shop.export),
            "{gtin}" => "09506000134352".to_owned(),
            "{code}" => "P5EFA11P6MBB22HP81V1".to_owned(),
            "{name}" | "{jobId}" => "none".to_owned(),
            "{policy}" => "digital-print".to_owned(),
            "{schema}" => "report".to_owned(),
            other if other.starts_with('{') => {
                panic!("{}: say in tests/attack/stage/doors.rs what {other} is", self.name())
            }
            other => other.to_owned(),
        };
        self.template.split('/').map(fill).collect::<Vec<_>>().join("/")
    }
}

/// Every HTTP route of every service.
pub fn every_route() -> Vec<Door> {
    let mut doors = Vec::new();
    for (service, routes) in [
        ("control-plane", mintmark_control_plane::http::routes()),
        ("resolver-scan", mintmark_resolver::http::routes()),
        ("preflight-gateway", mintmark_preflight_gateway::http::routes()),
        ("console", mintmark_console::http::routes()),
    ] {
        doors.extend(routes.iter().map(|route| door(service, route)));
    }
    // The one row that the edge of `crates/web` adds by itself, where a service has a document.
    doors.extend(["control-plane", "preflight-gateway"].map(|service| Door {
        service,
        method: "GET".to_owned(),
        template: "/openapi.json".to_owned(),
        access: Access::Public,
    }));
    doors
}

fn door(service: &'static str, route: &Route) -> Door {
    Door {
        service,
        method: route.method().to_string(),
        template: route.template().to_owned(),
        access: route.access(),
    }
}

/// A method of a service as reflection describes it.
#[derive(Clone, Debug)]
pub struct RpcDoor {
    /// Whose edge serves it, as [`Stage::grpc_edges`] names it.
    pub service: &'static str,
    /// Where.
    pub addr: SocketAddr,
    /// `/mintmark.directory.v1.DirectoryService/Publish`.
    pub path: String,
}

/// The methods that answer without a token: health and reflection.
pub fn open_rpcs() -> BTreeSet<&'static str> {
    BTreeSet::from([
        "/grpc.health.v1.Health/Check",
        "/grpc.health.v1.Health/Watch",
        "/grpc.health.v1.Health/List",
        "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo",
        "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo",
    ])
}

/// The methods that take a credential of their own and no token.
pub fn own_rpcs() -> BTreeSet<&'static str> {
    BTreeSet::from([EnvoyRpc::PATH])
}

/// Every RPC of every service, asked of the running ones by reflection.
pub async fn every_rpc(stage: &Stage) -> Vec<RpcDoor> {
    let mut doors = Vec::new();
    for (service, addr) in stage.grpc_edges() {
        let listed = match ask(addr, MessageRequest::ListServices(String::new())).await {
            MessageResponse::ListServicesResponse(list) => list.service,
            other => panic!("{service}: {other:?}"),
        };
        assert!(!listed.is_empty(), "{service}: reflection lists nothing");
        for name in listed.into_iter().map(|listed| listed.name) {
            if !is_served(addr, &name).await {
                continue;
            }
            let methods = methods(addr, &name).await;
            let path = |method: String| RpcDoor { service, addr, path: format!("/{name}/{method}") };
            doors.extend(methods.into_iter().map(path));
        }
    }
    doors
}

/// Reflection describes all of `proto/`; health knows what this edge serves, and itself needs no token.
async fn is_served(addr: SocketAddr, service: &str) -> bool {
    if service.starts_with("grpc.") {
        return true;
    }
    let request = HealthCheckRequest { service: service.to_owned() };
    match HealthClient::new(kept_channel(addr)).check(request).await {
        Ok(_) => true,
        Err(status) if status.code() == Code::NotFound => false,
        Err(status) => panic!("{service} at {addr}: {status:?}"),
    }
}

async fn methods(addr: SocketAddr, service: &str) -> Vec<String> {
    let files = match ask(addr, MessageRequest::FileContainingSymbol(service.to_owned())).await {
        MessageResponse::FileDescriptorResponse(files) => files.file_descriptor_proto,
        other => panic!("{service}: {other:?}"),
    };
    let mut methods = Vec::new();
    for file in files {
        let file = FileDescriptorProto::decode(file.as_slice()).unwrap();
        for described in &file.service {
            if format!("{}.{}", file.package(), described.name()) == service {
                methods.extend(described.method.iter().map(|method| method.name().to_owned()));
            }
        }
    }
    assert!(!methods.is_empty(), "{service} is listed and has no methods");
    methods
}

async fn ask(addr: SocketAddr, question: MessageRequest) -> MessageResponse {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let requests = Request::new(tokio_stream::once(request));
    let mut answers = ServerReflectionClient::new(kept_channel(addr))
        .server_reflection_info(requests)
        .await
        .unwrap()
        .into_inner();
    answers.next().await.unwrap().unwrap().message_response.unwrap()
}
