//! Health and reflection, which need no token.

use futures::StreamExt;
use mintmark_rpc::GrpcEdge;
use mintmark_service::Context;
use mintmark_service::config::AppEnv;
use tonic::{Code, Request};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_reflection::pb::v1::ServerReflectionRequest;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;

use crate::edge::{Edge, local};
use crate::eventually;

async fn health(edge: &Edge, service: &str) -> ServingStatus {
    let request = HealthCheckRequest { service: service.to_owned() };
    HealthClient::new(edge.channel()).check(request).await.unwrap().into_inner().status()
}

#[tokio::test]
async fn health_follows_the_gates_without_a_token() {
    let context = Context::for_tests("directory");
    let database = context.health.gate("postgres");
    let edge = Edge::start_with(context, |edge| edge).await;
    let services = ["", "mintmark.directory.v1.DirectoryService"];
    for service in services {
        assert_eq!(health(&edge, service).await, ServingStatus::NotServing, "the database is not there yet");
    }
    database.set(true);
    for service in services {
        eventually("SERVING", async || health(&edge, service).await == ServingStatus::Serving).await;
    }
    database.set(false);
    eventually("NOT_SERVING", async || health(&edge, "").await == ServingStatus::NotServing).await;
    let unknown = HealthCheckRequest { service: "other".to_owned() };
    assert_eq!(HealthClient::new(edge.channel()).check(unknown).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn health_watcher_hears_of_the_end_and_does_not_hold_it_up() {
    let mut edge = Edge::start().await;
    eventually("SERVING", async || health(&edge, "").await == ServingStatus::Serving).await;
    let mut watch =
        HealthClient::new(edge.channel()).watch(HealthCheckRequest::default()).await.unwrap().into_inner();
    let status = |message: HealthCheckResponse| message.status();
    assert_eq!(watch.next().await.unwrap().map(status).unwrap(), ServingStatus::Serving);
    edge.context.shutdown.trigger();
    assert_eq!(watch.next().await.unwrap().map(status).unwrap(), ServingStatus::NotServing);
    assert_eq!(watch.next().await.unwrap().unwrap_err().code(), Code::Unavailable);
    drop(watch);
    let half = edge.context.shutdown_grace / 2;
    tokio::time::timeout(half, &mut edge.served).await.unwrap().unwrap().unwrap();
}

async fn reflected(edge: &Edge, question: MessageRequest) -> Result<MessageResponse, tonic::Status> {
    let request = ServerReflectionRequest { host: String::new(), message_request: Some(question) };
    let requests = Request::new(tokio_stream::once(request));
    let mut answers =
        ServerReflectionClient::new(edge.channel()).server_reflection_info(requests).await?.into_inner();
    Ok(answers.next().await.unwrap()?.message_response.unwrap())
}

async fn services(edge: &Edge) -> Result<Vec<String>, tonic::Status> {
    match reflected(edge, MessageRequest::ListServices(String::new())).await? {
        MessageResponse::ListServicesResponse(list) => {
            Ok(list.service.into_iter().map(|service| service.name).collect())
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn reflection_lists_the_services_except_in_production() {
    let edge = Edge::start().await;
    let listed = services(&edge).await.unwrap();
    assert!(listed.iter().any(|name| name == "mintmark.directory.v1.DirectoryService"), "{listed:?}");
    assert!(listed.iter().any(|name| name == "grpc.health.v1.Health"), "{listed:?}");
    assert_eq!(listed.len(), 3, "no service of another edge: {listed:?}");

    let mut context = Context::for_tests("directory");
    context.app_env = AppEnv::Production;
    let edge = Edge::start_with(context, |edge| edge).await;
    assert_eq!(services(&edge).await.unwrap_err().code(), Code::Unimplemented);
}

#[tokio::test]
async fn reflection_knows_what_refusals_carry() {
    let edge = Edge::start().await;
    for symbol in ["google.rpc.ErrorInfo", "google.rpc.RetryInfo"] {
        let answer = reflected(&edge, MessageRequest::FileContainingSymbol(symbol.to_owned())).await.unwrap();
        assert!(matches!(answer, MessageResponse::FileDescriptorResponse(_)), "{symbol}: {answer:?}");
    }
}

#[tokio::test]
async fn edge_without_services_answers_health_and_nothing_else() {
    let context = Context::for_tests("control-plane");
    let running = GrpcEdge::health_only("control-plane").bind(local(0), &context).await.unwrap();
    let addr = running.addr;
    let served = tokio::spawn(running.serve());
    let channel = mintmark_rpc::connect_lazy(&format!("http://{addr}"), &context.home).unwrap();
    HealthClient::new(channel.clone()).check(HealthCheckRequest::default()).await.unwrap();
    let mut directory =
        mintmark_wire::directory::v1::directory_service_client::DirectoryServiceClient::new(channel);
    let status = directory.put_product(crate::edge::put_message("x")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    context.shutdown.trigger();
    served.await.unwrap().unwrap();
}
