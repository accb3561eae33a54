//! gRPC messages: each request type reads and prints itself, and the real handlers refuse what is wrong as the sender's
//! mistake, never as their own.

use std::sync::LazyLock;

use bytes::Bytes;
use mintmark_auth::{audience, scope};
use mintmark_evidence_vault::grpc::EvidenceRpc;
use mintmark_ids::{DisputeId, TenantId};
use mintmark_wire::control::v1::ExchangePreflightTokenRequest;
use mintmark_wire::directory::v1::*;
use mintmark_wire::envoy::service::ratelimit::v3::RateLimitRequest;
use mintmark_wire::evidence::v1 as evidence;
use mintmark_wire::preflight::v1 as preflight;
use mintmark_wire::ratelimit::v1::CheckRequest;
use prost::Message;
use tonic::Code;
use tonic::metadata::MetadataMap;

use super::stage::{self, RpcDoor, Stage, every_rpc, kept_channel, open_rpcs, own_rpcs};

static DOORS: LazyLock<Vec<RpcDoor>> = LazyLock::new(|| {
    let mut doors = stage::wait_for(every_rpc(stage::started()));
    doors.retain(|door| !open_rpcs().contains(door.path.as_str()));
    doors
});

/// The first byte chooses the method, the second whether the caller may call it; the rest is the message.
pub fn run(data: &[u8]) {
    let [which, caller, message @ ..] = data else { return };
    let stage = stage::started();
    let door = &DOORS[usize::from(*which) % DOORS.len()];
    let well_formed = reads_itself(&door.path, message);
    let rightful = caller % 4 != 0;
    let metadata = if rightful { rightful_metadata(stage, door) } else { MetadataMap::new() };
    let answer =
        stage::wait_for(async { stage.call_over(kept_channel(door.addr), door, &metadata, message).await });
    let code = answer.as_ref().map_or_else(tonic::Status::code, |_| Code::Ok);
    let about = || format!("{}: {answer:?} to {message:02x?}", door.path);
    if !rightful {
        assert_eq!(code, Code::Unauthenticated, "{}", about());
        return;
    }
    let own_fault =
        [Code::Internal, Code::Unknown, Code::DataLoss, Code::Unavailable, Code::DeadlineExceeded];
    assert!(!own_fault.contains(&code), "{}", about());
    // A credential of Envoy's opens its own domains, and the message says which one it is about.
    let elsewhere = own_rpcs().contains(door.path.as_str()) && code == Code::PermissionDenied;
    // What is presented for an exchange is a credential too, and made of the fuzzed bytes.
    let presented = door.path.ends_with("/ExchangePreflightToken") && code == Code::Unauthenticated;
    assert!(
        (code != Code::Unauthenticated || presented) && (code != Code::PermissionDenied || elsewhere),
        "{}",
        about()
    );
    if !well_formed {
        assert_eq!(code, Code::InvalidArgument, "{}", about());
    }
}

fn rightful_metadata(stage: &Stage, door: &RpcDoor) -> MetadataMap {
    const DIRECTORY: &[&str] = &[scope::DIRECTORY_PUBLISH, scope::DIRECTORY_REVOKE, scope::DIRECTORY_READ];
    if own_rpcs().contains(door.path.as_str()) {
        return Stage::bearer(&stage.envoy_credential);
    }
    if door.service == "evidence-vault" {
        let row = EvidenceRpc::METHODS.into_iter().find(|row| row.path == door.path);
        let scope = row.unwrap_or_else(|| panic!("{} has no row", door.path)).scope;
        let tenant = TenantId::parse("fuzzed").unwrap_or_else(|error| panic!("{error}"));
        return Stage::bearer(stage.person_call(&tenant, DisputeId::new(), scope).expose());
    }
    let (audience, scopes) = match door.service {
        "ratelimit" => (audience::RATELIMIT, &[scope::RATELIMIT_CHECK][..]),
        "preflight-gateway" => (audience::PREFLIGHT, &scope::PREFLIGHT[..]),
        "control-plane" => (audience::REGISTRY, &[scope::TOKENS_EXCHANGE][..]),
        _ => (audience::RESOLVER, DIRECTORY),
    };
    // Somebody's own tenant: what is published or recalled there disturbs nobody.
    let tenant = TenantId::parse("fuzzed").unwrap_or_else(|error| panic!("{error}"));
    let source = if audience == audience::REGISTRY { stage.console_tokens() } else { stage.tokens.clone() };
    Stage::bearer(source.for_tenant(audience, &tenant, scopes).expose())
}

/// Whether the message is one of the method's request type; then it must print as it is read.
fn reads_itself(path: &str, message: &[u8]) -> bool {
    match path.rsplit('/').next().unwrap_or_default() {
        "PutProduct" => check::<PutProductRequest>(message),
        "OpenPublication" => check::<OpenPublicationRequest>(message),
        "Publish" => check::<PublishRequest>(message),
        "SealPublication" => check::<SealPublicationRequest>(message),
        "AbortPublication" => check::<AbortPublicationRequest>(message),
        "RevokeBatch" => check::<RevokeBatchRequest>(message),
        "RevokeCodes" => check::<RevokeCodesRequest>(message),
        "GetPublication" => check::<GetPublicationRequest>(message),
        "PullScans" => check::<PullScansRequest>(message),
        "Check" => check::<CheckRequest>(message),
        "ExchangePreflightToken" => check::<ExchangePreflightTokenRequest>(message),
        "CreateJob" => check::<preflight::CreateJobRequest>(message),
        "GetJob" => check::<preflight::GetJobRequest>(message),
        "ListJobs" => check::<preflight::ListJobsRequest>(message),
        "GetReport" => check::<preflight::GetReportRequest>(message),
        "UpdateJob" => check::<preflight::UpdateJobRequest>(message),
        "CancelJob" => check::<preflight::CancelJobRequest>(message),
        "ListPolicies" => check::<preflight::ListPoliciesRequest>(message),
        "GetPolicy" => check::<preflight::GetPolicyRequest>(message),
        "PutPolicy" => check::<preflight::PutPolicyRequest>(message),
        "DeletePolicy" => check::<preflight::DeletePolicyRequest>(message),
        "GetMetrics" => check::<preflight::GetMetricsRequest>(message),
        "ReportTelemetry" => check::<preflight::ReportTelemetryRequest>(message),
        "ListChangedJobs" => check::<preflight::ListChangedJobsRequest>(message),
        "Upload" => check::<evidence::UploadRequest>(message),
        "GetEvidence" => check::<evidence::GetEvidenceRequest>(message),
        "ListEvidence" => check::<evidence::ListEvidenceRequest>(message),
        "ReadContent" => check::<evidence::ReadContentRequest>(message),
        "SetLegalHold" => check::<evidence::SetLegalHoldRequest>(message),
        "GetErasureProof" => check::<evidence::GetErasureProofRequest>(message),
        "GetVerifyingKeys" => check::<evidence::GetVerifyingKeysRequest>(message),
        "ListAuditEntries" => check::<evidence::ListAuditEntriesRequest>(message),
        "GetAuditProof" => check::<evidence::GetAuditProofRequest>(message),
        "ExportAudit" => check::<evidence::ExportAuditRequest>(message),
        "StartOperation" => check::<evidence::StartOperationRequest>(message),
        "GetOperation" => check::<evidence::GetOperationRequest>(message),
        "ShouldRateLimit" => check::<RateLimitRequest>(message),
        other => panic!("{path}: say in tests/fuzzing/targets/grpc.rs what {other} takes"),
    }
}

fn check<M: Message + Default + PartialEq + std::fmt::Debug>(message: &[u8]) -> bool {
    let Ok(read) = M::decode(Bytes::copy_from_slice(message)) else { return false };
    let printed = read.encode_to_vec();
    let again = M::decode(printed.as_slice()).unwrap_or_else(|error| panic!("{error}: {read:?}"));
    assert_eq!(again, read, "a message prints as it is read");
    true
}
