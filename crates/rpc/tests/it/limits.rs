//! Which calls of a limited edge are counted: nobody can count here, so what is counted is refused.

use std::time::Duration;

use mintmark_auth::{
    Grant, ServiceVerifier, SigningKey, TokenSource, TrustBundle, TrustStore, TrustedKey, audience, scope,
};
use mintmark_fault::{Fault, Kind};
use mintmark_ids::ServiceName;
use mintmark_rpc::client::{LimitPolicy, Preflight, Ratelimit};
use mintmark_rpc::{GrpcEdge, Limits, Rpc, Target, connect_lazy};
use mintmark_service::Context;
use mintmark_service::limit::{FailMode, Unverified};
use mintmark_wire::preflight::v1::{GetJobRequest, ListChangedJobsRequest};
use tokio::runtime::Handle;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;

use crate::edge::{local, stranger, tenant};
use crate::tls::Authority;

const ISSUER: &str = "https://auth.example";
const CHANGED: &str = "/mintmark.preflight.v1.PreflightService/ListChangedJobs";
const ROWS: [Rpc; 2] = [
    Rpc { path: CHANGED, scope: scope::JOBS_READ },
    Rpc { path: "/mintmark.preflight.v1.PreflightService/GetJob", scope: scope::JOBS_READ },
];

/// An edge with rows and nothing behind them: what gets past the gate is UNIMPLEMENTED.
struct Limited {
    authority: String,
    tokens: TokenSource,
    context: Context,
}

impl Drop for Limited {
    fn drop(&mut self) {
        self.context.shutdown.trigger();
    }
}

impl Limited {
    async fn start(context: Context) -> Self {
        let key = SigningKey::from_pem(&SigningKey::generate_pem()).unwrap();
        let scopes = vec![scope::JOBS_READ.to_owned()];
        let grants = vec![Grant { aud: audience::PREFLIGHT.to_owned(), scopes }];
        let trusted = TrustedKey { jwk: key.public_jwk(), service: ServiceName::ControlPlane, grants };
        let trust = TrustStore::fixed(TrustBundle::new(ISSUER, vec![trusted]).unwrap());
        let policy =
            LimitPolicy { mode: FailMode::Closed, budget: Duration::from_secs(5), metric_key_ids: 0 };
        let limits = Limits {
            limiter: Ratelimit::new("http://127.0.0.1:1", stranger(), policy).unwrap(),
            namespace: "test",
            unverified: Unverified::new(1, Duration::from_secs(86_400)),
            trusted_proxies: Vec::new(),
            own_work: &[CHANGED],
        };
        let verifier = ServiceVerifier::new(trust, audience::PREFLIGHT);
        let edge = GrpcEdge::new("preflight-gateway", ROWS.to_vec(), verifier).limits(limits);
        let running = edge.bind(local(0), &context).await.unwrap();
        let authority = running.addr.to_string();
        tokio::spawn(running.serve());
        Self { authority, tokens: TokenSource::new(ServiceName::ControlPlane, key, ISSUER), context }
    }

    fn in_the_clear(&self) -> Preflight {
        Preflight::new(&format!("http://{}", self.authority)).unwrap()
    }

    fn over_tls(&self, from: &Context) -> Preflight {
        Preflight::new(Target::new(&format!("https://{}", self.authority), from)).unwrap()
    }

    /// The control plane's own work, by whichever connection.
    async fn changed(&self, client: Preflight) -> Fault {
        let own = self.tokens.for_tenant(audience::PREFLIGHT, &tenant(), &[scope::JOBS_READ]);
        client.list_changed_jobs(&own, ListChangedJobsRequest::default()).await.unwrap_err()
    }
}

fn passed(fault: &Fault) -> bool {
    match fault.code() {
        "UNIMPLEMENTED" => true,
        "RATE_LIMIT_UNAVAILABLE" => false,
        other => panic!("{other}: {fault}"),
    }
}

#[tokio::test]
async fn health_and_a_services_own_work_are_not_counted_and_all_else_is() {
    let edge = Limited::start(Context::for_tests("preflight-gateway")).await;
    assert!(passed(&edge.changed(edge.in_the_clear()).await));
    let own = edge.tokens.for_tenant(audience::PREFLIGHT, &tenant(), &[scope::JOBS_READ]);
    let other = edge.in_the_clear().get_job(&own, GetJobRequest::default()).await.unwrap_err();
    assert!(!passed(&other), "that method is no work of a service's own");

    let forged = stranger().for_tenant(audience::PREFLIGHT, &tenant(), &[scope::JOBS_READ]);
    let guess = || async {
        let client = edge.in_the_clear();
        client.list_changed_jobs(&forged, ListChangedJobsRequest::default()).await.unwrap_err()
    };
    assert!(!passed(&guess().await), "a token that does not verify is no service's");
    assert_eq!(guess().await.kind(), Kind::RateLimited, "and its network has no more of them");

    let channel = connect_lazy(&format!("http://{}", edge.authority), &Handle::current()).unwrap();
    HealthClient::new(channel).check(HealthCheckRequest::default()).await.unwrap();
}

#[tokio::test]
async fn own_work_on_another_services_connection_is_counted() {
    let authority = Authority::new();
    let edge = Limited::start(authority.context("preflight-gateway")).await;
    assert!(passed(&edge.changed(edge.over_tls(&authority.context("control-plane"))).await));
    assert!(!passed(&edge.changed(edge.over_tls(&authority.context("console"))).await));
}
