//! The RPCs.

use mintmark_auth::{DEFAULT_ISSUER, SigningKey, TokenSource, audience, scope};
use mintmark_control_plane::grpc::PreflightTokenRpc;
use mintmark_ids::{ServiceName, TenantId};
use mintmark_wire::control::v1::ExchangePreflightTokenRequest;
use mintmark_wire::directory::v1::GetPublicationRequest;
use mintmark_wire::envoy::service::ratelimit::v3::RateLimitRequest;
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::stage::{ENVOY_DOMAIN, RpcDoor, Stage, every_rpc, kept_channel, open_rpcs, own_rpcs};

/// A kind of caller, and its metadata.
struct Caller {
    name: &'static str,
    metadata: MetadataMap,
}

/// Measures every RPC for every caller.
pub async fn measure(stage: &Stage) -> Vec<Vec<String>> {
    let callers = callers(stage);
    let names = callers.iter().map(|caller| caller.name.to_owned());
    let mut table = vec![["service", "rpc"].map(str::to_owned).into_iter().chain(names).collect()];
    let open = open_rpcs();
    for door in every_rpc(stage).await {
        let is_open = open.contains(door.path.as_str());
        let mut row = vec![door.service.to_owned(), door.path.clone()];
        for caller in &callers {
            row.push(if is_open { "open".to_owned() } else { cell(stage, &door, caller).await });
        }
        table.push(row);
    }
    table
}

fn callers(stage: &Stage) -> Vec<Caller> {
    let [ours, theirs] = [&stage.ours.tenant, &stage.theirs.tenant].map(|id| TenantId::parse(id).unwrap());
    let gateway = SigningKey::from_pem(&stage.reader_pem).unwrap();
    let gateway = TokenSource::new(ServiceName::PreflightGateway, gateway, DEFAULT_ISSUER);
    let all = [scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
    let token = |source: &TokenSource, audience, tenant: &TenantId, scopes: &[&'static str]| {
        Stage::bearer(source.for_tenant(audience, tenant, scopes).expose())
    };
    let service =
        |tenant: &TenantId, scopes: &[&'static str]| token(&stage.tokens, audience::RESOLVER, tenant, scopes);
    let dispute = stage.ours.dispute.parse().unwrap();
    let reading = Stage::bearer(stage.person_call(&ours, dispute, scope::EVIDENCE_READ).expose());
    let caller = |name, metadata| Caller { name, metadata };
    vec![
        caller("anonymous", MetadataMap::new()),
        caller("control", Stage::bearer(&stage.control_token)),
        caller("owner", Stage::bearer(&stage.ours.owner.session)),
        caller("preflight", token(&stage.tokens, audience::PREFLIGHT, &ours, &scope::PREFLIGHT)),
        caller("publisher", service(&ours, &[scope::DIRECTORY_PUBLISH])),
        caller("revoker", service(&ours, &[scope::DIRECTORY_REVOKE])),
        caller("reader", service(&ours, &[scope::DIRECTORY_READ])),
        caller("elsewhere", service(&theirs, &all)),
        caller("gateway", token(&gateway, audience::RESOLVER, &ours, &[scope::DIRECTORY_READ])),
        caller("limited", token(&stage.tokens, audience::RATELIMIT, &ours, &[scope::RATELIMIT_CHECK])),
        caller(
            "console",
            token(&stage.console_tokens(), audience::REGISTRY, &ours, &[scope::TOKENS_EXCHANGE]),
        ),
        caller("governor", reading),
        caller("envoy", Stage::bearer(&stage.envoy_credential)),
        caller("publisher*", token(&gateway, audience::RESOLVER, &ours, &[scope::DIRECTORY_PUBLISH])),
    ]
}

/// How the RPC answers the caller: the same for every message, or `in`.
async fn cell(stage: &Stage, door: &RpcDoor, caller: &Caller) -> String {
    let about = || format!("{} as {}", door.path, caller.name);
    let mut messages = vec![Vec::new()];
    if caller.name == "envoy" && own_rpcs().contains(door.path.as_str()) {
        let domain = ENVOY_DOMAIN.to_owned();
        messages.insert(0, RateLimitRequest { domain, ..RateLimitRequest::default() }.encode_to_vec());
    } else if caller.name == "console" && door.path == PreflightTokenRpc::METHODS[0].path {
        // What is presented is a credential too, and judged as one.
        let tenant = TenantId::parse(&stage.ours.tenant).unwrap();
        let presented = stage.tokens.for_tenant(audience::PREFLIGHT, &tenant, &[scope::JOBS_READ]);
        let presented_token = presented.expose().to_owned();
        let exchange = ExchangePreflightTokenRequest { presented_token, ..Default::default() };
        messages.insert(0, exchange.encode_to_vec());
    } else if caller.name == "elsewhere" {
        // Every message of the directory that names a publication names it in its first field.
        messages.insert(0, GetPublicationRequest { batch_id: stage.ours.batch.clone() }.encode_to_vec());
    } else {
        messages.push(b"\xff\xff\xff".to_vec());
    }
    let mut answer: Option<String> = None;
    for message in messages {
        let answered = stage.call_over(kept_channel(door.addr), door, &caller.metadata, &message).await;
        let cell = answered.as_ref().map_or_else(|status| judged(status, &about()), |_| "in".to_owned());
        let first = answer.get_or_insert_with(|| cell.clone());
        if *first == "in" || *first == "not found" {
            break;
        }
        assert_eq!(*first, cell, "{}: the refusal depends on the message: {answered:?}", about());
    }
    let answer = answer.unwrap();
    match caller.name {
        "preflight" if door.service == "preflight-gateway" => {
            assert_ne!(answer, "unauthenticated", "{}: this is what it is for", about());
        }
        "anonymous" | "control" | "owner" | "preflight" | "publisher*" => {
            assert_eq!(answer, "unauthenticated", "{}: the wrong kind of credential", about());
        }
        _ => {}
    }
    answer
}

fn judged(status: &Status, about: &str) -> String {
    match status.code() {
        Code::Unauthenticated => "unauthenticated".to_owned(),
        Code::PermissionDenied => "denied".to_owned(),
        Code::NotFound => "not found".to_owned(),
        Code::InvalidArgument | Code::FailedPrecondition | Code::Aborted => "in".to_owned(),
        other => panic!("{about}: {other:?}: {status:?}"),
    }
}
