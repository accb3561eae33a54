//! `ShouldRateLimit` as it goes over the wire: who may ask, and what each descriptor is told.

use std::time::Duration;

use mintmark_auth::{audience, scope};
use mintmark_devstack::redis::RedisServer;
use mintmark_rpc::{authorized, connect_lazy};
use mintmark_wire::envoy::extensions::common::ratelimit::v3::RateLimitDescriptor;
use mintmark_wire::envoy::extensions::common::ratelimit::v3::rate_limit_descriptor::Entry;
use mintmark_wire::envoy::service::ratelimit::v3::rate_limit_response::rate_limit::Unit;
use mintmark_wire::envoy::service::ratelimit::v3::rate_limit_response::{Code as Said, DescriptorStatus};
use mintmark_wire::envoy::service::ratelimit::v3::rate_limit_service_client::RateLimitServiceClient;
use mintmark_wire::envoy::service::ratelimit::v3::{RateLimitRequest, RateLimitResponse};
use mintmark_wire::ratelimit::v1::CheckRequest;
use mintmark_wire::ratelimit::v1::ratelimit_service_client::RatelimitServiceClient;
use tokio::runtime::Handle;
use tonic::{Code, Request};

use crate::envoy::proxy::Limited;
use crate::stage::{self, Replica, Stage, tenant};

fn descriptor(entries: &[(&str, &str)], hits_addend: Option<u64>) -> RateLimitDescriptor {
    let entry = |(key, value): &(&str, &str)| Entry { key: (*key).to_owned(), value: (*value).to_owned() };
    RateLimitDescriptor { entries: entries.iter().map(entry).collect(), hits_addend, is_negative_hits: false }
}

pub fn caller(name: &str) -> RateLimitDescriptor {
    descriptor(&[("caller", name)], None)
}

pub fn message(descriptors: &[RateLimitDescriptor]) -> RateLimitRequest {
    RateLimitRequest { domain: "edge".to_owned(), descriptors: descriptors.to_vec(), hits_addend: 0 }
}

pub fn with<M>(message: M, bearer: &str) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert("authorization", format!("Bearer {bearer}").parse().unwrap());
    request
}

async fn ask(replica: &Replica, request: Request<RateLimitRequest>) -> Result<RateLimitResponse, Code> {
    let channel = connect_lazy(&format!("http://{}", replica.addr), &Handle::current()).unwrap();
    let answer = RateLimitServiceClient::new(channel).should_rate_limit(request).await;
    answer.map(tonic::Response::into_inner).map_err(|status| status.code())
}

fn told(status: &DescriptorStatus) -> (Said, Option<&str>, u32) {
    let name = status.current_limit.as_ref().map(|limit| limit.name.as_str());
    (status.code(), name, status.limit_remaining)
}

#[tokio::test(flavor = "multi_thread")]
async fn should_rate_limit_takes_its_own_credential_for_its_own_domains_alone() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let limited = Limited::start(&redis.url(), &[]).await;
    let replica = &limited.replica;
    stage::ready(&limited.stage.caller(replica)).await;
    let ann = message(&[caller("ann")]);
    ask(replica, with(ann.clone(), limited.credential())).await.unwrap();
    let other = RateLimitRequest { domain: "other".to_owned(), ..ann.clone() };
    let nowhere = RateLimitRequest { domain: String::new(), ..ann.clone() };
    for message in [other, nowhere] {
        assert_eq!(ask(replica, with(message, limited.credential())).await, Err(Code::PermissionDenied));
    }
    let service =
        limited.stage.tokens.for_tenant(audience::RATELIMIT, &tenant("acme"), &[scope::RATELIMIT_CHECK]);
    let token = authorized(ann.clone(), &service, Duration::from_secs(5));
    assert_eq!(ask(replica, token).await, Err(Code::Unauthenticated), "a service token");
    assert_eq!(ask(replica, Request::new(ann.clone())).await, Err(Code::Unauthenticated), "nothing");
    for bearer in ["", "mmenv_", limited.issued.sha256.as_str(), &limited.credential()[1..]] {
        assert_eq!(ask(replica, with(ann.clone(), bearer)).await, Err(Code::Unauthenticated), "{bearer}");
    }
    let mut twice = with(ann.clone(), limited.credential());
    twice.metadata_mut().append("authorization", "Bearer x".parse().unwrap());
    assert_eq!(ask(replica, twice).await, Err(Code::Unauthenticated), "two");

    let channel = connect_lazy(&format!("http://{}", replica.addr), &Handle::current()).unwrap();
    let check = with(CheckRequest::default(), limited.credential());
    let refused = RatelimitServiceClient::new(channel).check(check).await.unwrap_err();
    assert_eq!(refused.code(), Code::Unauthenticated, "Check takes service tokens only");

    // Without a credential in the configuration the method is not there.
    let stage = Stage::new();
    let bare = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let service = stage.tokens.for_tenant(audience::RATELIMIT, &tenant("acme"), &[scope::RATELIMIT_CHECK]);
    let token = authorized(ann.clone(), &service, Duration::from_secs(5));
    assert_eq!(ask(&bare, token).await, Err(Code::Unimplemented));
    assert_eq!(ask(&bare, with(ann, limited.credential())).await, Err(Code::Unauthenticated));
}

#[tokio::test(flavor = "multi_thread")]
async fn should_rate_limit_tells_each_descriptor_in_order_and_charges_all_or_none() {
    stage::in_one_window(3600, all_or_none).await;
}

async fn all_or_none() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let limited = Limited::start(&redis.url(), &[]).await;
    let replica = &limited.replica;
    stage::ready(&limited.stage.caller(replica)).await;
    let ask = async |message| ask(replica, with(message, limited.credential())).await.unwrap();
    let own = descriptor(&[("tenant_id", "acme"), ("key_id", "key_1")], None);
    let unknown = descriptor(&[("nobody", "speaks of this")], None);

    let said = ask(message(&[own.clone(), unknown, descriptor(&[("caller", "ann")], Some(2))])).await;
    assert_eq!(said.overall_code(), Said::Ok);
    let statuses: Vec<_> = said.statuses.iter().map(told).collect();
    assert_eq!(statuses, [(Said::Ok, Some("own"), 4), (Said::Ok, None, 0), (Said::Ok, Some("caller"), 1)]);
    let limit = said.statuses[2].current_limit.as_ref().unwrap();
    assert_eq!((limit.requests_per_unit, limit.unit()), (3, Unit::Hour));
    let left = said.statuses[2].duration_until_reset.unwrap().seconds;
    assert!((1..=3600).contains(&left), "{left}");

    // Two more do not fit: nothing is charged, and who refused says so.
    let two = RateLimitRequest { hits_addend: 2, ..message(&[own.clone(), caller("ann")]) };
    let said = ask(two).await;
    assert_eq!(said.overall_code(), Said::OverLimit);
    let statuses: Vec<_> = said.statuses.iter().map(told).collect();
    assert_eq!(statuses, [(Said::Ok, Some("own"), 4), (Said::OverLimit, Some("caller"), 1)]);
    assert!(!said.raw_body.is_empty());

    // A look charges nothing, and says whether one more would pass.
    let look = message(&[descriptor(&[("caller", "ann")], Some(0))]);
    for _ in 0..2 {
        assert_eq!(told(&ask(look.clone()).await.statuses[0]), (Said::Ok, Some("caller"), 1));
    }
    assert_eq!(ask(message(&[caller("ann")])).await.overall_code(), Said::Ok);
    assert_eq!(ask(look).await.overall_code(), Said::OverLimit);

    // The same descriptor twice is charged twice.
    assert_eq!(told(&ask(message(&[caller("bob"), caller("bob")])).await.statuses[1]).2, 1);
    assert_eq!(ask(message(&[caller("bob"), caller("bob")])).await.overall_code(), Said::OverLimit);
    assert_eq!(ask(message(&[caller("bob")])).await.overall_code(), Said::Ok);
    assert_eq!(ask(message(&[])).await.overall_code(), Said::Ok);
}

#[tokio::test(flavor = "multi_thread")]
async fn should_rate_limit_remembers_what_is_full_and_asks_redis_no_more() {
    stage::in_one_window(3600, what_is_full).await;
}

async fn what_is_full() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let limited = Limited::start(&redis.url(), &[]).await;
    stage::ready(&limited.stage.caller(&limited.replica)).await;
    let ask = async |message| ask(&limited.replica, with(message, limited.credential())).await;
    let full = RateLimitRequest { hits_addend: 3, ..message(&[caller("dan")]) };
    assert_eq!(ask(full).await.unwrap().overall_code(), Said::Ok);
    assert_eq!(ask(message(&[caller("dan")])).await.unwrap().overall_code(), Said::OverLimit);
    redis.pause();
    let said = ask(message(&[caller("eve"), caller("dan")])).await.unwrap();
    assert_eq!(said.overall_code(), Said::OverLimit);
    assert_eq!(told(&said.statuses[1]), (Said::OverLimit, Some("caller"), 0));
    assert_eq!(ask(message(&[caller("eve")])).await, Err(Code::Unavailable));
    redis.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn should_rate_limit_refuses_a_message_that_is_not_clear() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let limited = Limited::start(&redis.url(), &[]).await;
    stage::ready(&limited.stage.caller(&limited.replica)).await;
    let negative = RateLimitDescriptor { is_negative_hits: true, ..caller("ann") };
    for descriptors in [
        vec![negative],
        vec![descriptor(&[("caller", "ann")], Some(1_000_000_001))],
        vec![descriptor(&[("caller", "ann"); 17], None)],
        vec![caller("ann"); 65],
    ] {
        let answer = ask(&limited.replica, with(message(&descriptors), limited.credential())).await;
        assert_eq!(answer, Err(Code::InvalidArgument));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn should_rate_limit_in_the_open_mode_passes_while_redis_is_away() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let limited = Limited::start(&redis.url(), &[("RATE_LIMIT_FAIL_OPEN", "true")]).await;
    let replica = &limited.replica;
    stage::ready(&limited.stage.caller(replica)).await;
    redis.kill();
    let cat = with(message(&[caller("cat")]), limited.credential());
    let said = ask(replica, cat).await.unwrap();
    assert_eq!((said.overall_code(), told(&said.statuses[0])), (Said::Ok, (Said::Ok, None, 0)));
    let text = mintmark_service::telemetry::metrics_text();
    assert!(text.contains(r#"rate_limit_passed_open_total{tier="none"}"#), "{text}");
}
