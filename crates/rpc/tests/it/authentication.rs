use mintmark_auth::{audience, scope};
use mintmark_fault::Kind;
use mintmark_rpc::{authorized, fault_of};
use mintmark_wire::directory::v1::*;
use tonic::metadata::MetadataValue;
use tonic::{Code, Request};
use tonic_prost::ProstCodec;
use tonic_types::StatusExt;

use crate::edge::{Edge, put_message, stranger, tenant};

fn with_bearer(value: &str) -> Request<PutProductRequest> {
    let mut request = Request::new(put_message("x"));
    let value: MetadataValue<_> = format!("Bearer {value}").parse().unwrap();
    request.metadata_mut().insert("authorization", value);
    request
}

#[tokio::test]
async fn call_without_a_token_of_ours_is_unauthenticated() {
    let edge = Edge::start().await;
    let publish = [scope::DIRECTORY_PUBLISH];
    let control_token = format!("mmct_{}", "A".repeat(43));
    let mut two = edge.put("x");
    let second: MetadataValue<_> = "Bearer x".parse().unwrap();
    two.metadata_mut().append("authorization", second);
    let requests = [
        ("none", Request::new(put_message("x"))),
        ("garbage", with_bearer("garbage")),
        ("control token", with_bearer(&control_token)),
        (
            "other audience",
            authorized(
                put_message("x"),
                &edge.tokens.for_tenant(audience::EVIDENCE, &tenant(), &publish),
                None,
            ),
        ),
        (
            "unknown key",
            authorized(
                put_message("x"),
                &stranger().for_tenant(audience::RESOLVER, &tenant(), &publish),
                None,
            ),
        ),
        ("two tokens", two),
    ];
    for (what, request) in requests {
        let status = edge.client().put_product(request).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated, "{what}");
        let fault = fault_of(&status);
        assert_eq!(
            (fault.kind(), fault.code()),
            (Kind::Unauthenticated, "AUTHENTICATION_REQUIRED"),
            "{what}"
        );
        assert!(!format!("{status:?}").contains("jwt"), "the reason is for the log: {status:?}");
    }
    assert_eq!(edge.directory.calls(), 0);
}

#[tokio::test]
async fn call_without_the_scope_names_it() {
    let edge = Edge::start().await;
    let reader = edge.tokens.for_tenant(audience::RESOLVER, &tenant(), &[scope::DIRECTORY_READ]);
    let status = edge.client().put_product(authorized(put_message("x"), &reader, None)).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    let info = status.get_details_error_info().unwrap();
    assert_eq!((info.reason.as_str(), info.domain.as_str()), ("FORBIDDEN", "mintmark"));
    assert_eq!(info.metadata["requiredScope"], "directory:publish");
    assert_eq!(info.metadata["grantedScopes"], r#"["directory:read"]"#);

    let publication = authorized(GetPublicationRequest::default(), &reader, None);
    assert_eq!(edge.client().get_publication(publication).await.unwrap().into_inner().units, 10);
    assert_eq!(edge.directory.calls(), 1);
}

#[tokio::test]
async fn call_with_a_good_token_reaches_the_handler_without_it() {
    let edge = Edge::start().await;
    let answer = edge.client().put_product(edge.put("x")).await.unwrap().into_inner();
    assert_eq!(answer.version, 4);
    let seen = edge.directory.seen.lock().unwrap();
    assert_eq!(seen.tenants, ["acme"]);
    assert_eq!(seen.tokens, 0, "the token stays at the edge");
}

#[tokio::test]
async fn method_without_a_row_does_not_exist() {
    let edge = Edge::start().await;
    let anonymous = Request::new(AbortPublicationRequest::default());
    let status = edge.client().abort_publication(anonymous).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let known = authorized(AbortPublicationRequest::default(), &edge.publisher(), None);
    let status = edge.client().abort_publication(known).await.unwrap_err();
    assert_eq!(status.code(), Code::Unimplemented);
    assert_eq!(status.get_details_error_info().unwrap().reason, "UNIMPLEMENTED");
    assert_eq!(edge.directory.calls(), 0);
}

#[tokio::test]
async fn token_is_judged_before_the_message_is_read() {
    let edge = Edge::start().await;
    let malformed = || PublishRequest { batch_id: "not a product".to_owned(), ..Default::default() };
    let send = async |request: Request<PublishRequest>| {
        let mut grpc = tonic::client::Grpc::new(edge.channel());
        grpc.ready().await.unwrap();
        let path = "/mintmark.directory.v1.DirectoryService/PutProduct".parse().unwrap();
        let codec = ProstCodec::<PublishRequest, PutProductResponse>::default();
        grpc.unary(request, path, codec).await.unwrap_err()
    };
    assert_eq!(send(Request::new(malformed())).await.code(), Code::Unauthenticated);
    let status = send(authorized(malformed(), &edge.publisher(), None)).await;
    assert_eq!(status.code(), Code::InvalidArgument);
    assert_eq!(status.get_details_error_info().unwrap().reason, "MALFORMED_MESSAGE");
}

#[tokio::test]
async fn method_with_a_credential_of_its_own_takes_that_alone_and_it_opens_no_other() {
    const OWN: &str = "/mintmark.directory.v1.DirectoryService/AbortPublication";
    const ROW: &str = "/mintmark.directory.v1.DirectoryService/PutProduct";
    let known = |presented: &str| (presented == "its-own").then_some(1_u8);
    let context = mintmark_service::Context::for_tests("directory");
    // A path that has a row wants its scope, whatever else was said.
    let edge = Edge::start_with(context, |edge| edge.admit(OWN, known).admit(ROW, known)).await;
    let abort = |bearer: &str| {
        let mut request = Request::new(AbortPublicationRequest::default());
        let value: MetadataValue<_> = format!("Bearer {bearer}").parse().unwrap();
        request.metadata_mut().insert("authorization", value);
        request
    };
    let code = async |request| edge.client().abort_publication(request).await.err().map(|it| it.code());
    assert_eq!(code(Request::new(AbortPublicationRequest::default())).await, Some(Code::Unauthenticated));
    for bearer in ["", "its-own ", "ITS-OWN", edge.publisher().expose()] {
        assert_eq!(code(abort(bearer)).await, Some(Code::Unauthenticated), "{bearer}");
    }
    assert_eq!(edge.directory.calls(), 0);
    assert_ne!(code(abort("its-own")).await, Some(Code::Unauthenticated));
    let status = edge.client().put_product(with_bearer("its-own")).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    edge.client().put_product(edge.put("x")).await.unwrap();
}
