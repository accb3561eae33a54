//! What is counted, what is refused, and what Redis then holds.

use std::time::Duration;

use mintmark_auth::Tier;
use mintmark_devstack::redis::RedisServer;
use mintmark_ids::ApiKeyId;
use mintmark_rpc::client::{Decision, LimitKey, LimitRequest, Owner};
use mintmark_service::limit::{Bucket, RejectReason, Stranger};

use crate::stage::{self, NAMESPACE, Stage, admitted, allowed, limited, request};

#[tokio::test(flavor = "multi_thread")]
async fn check_of_ten_times_the_free_limit_leaves_900_to_a_pro_sibling_and_none_to_a_free_one() {
    stage::in_one_window(60, nine_hundred_are_left).await;
}

async fn nine_hundred_are_left() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;

    let noisy = request("acme", Tier::Free);
    assert_eq!(admitted(&caller, &noisy, 1000).await, 100, "the free limit");
    let refused = limited(caller.check(&noisy).await);
    assert_eq!(refused.refused, [Bucket::Tenant, Bucket::Key], "every bucket that refused");
    assert_eq!(refused.reason, Some(RejectReason::KeyLimit));
    assert_eq!((refused.limit, refused.remaining()), (100, 0));

    let free_sibling = request("acme", Tier::Free);
    let refused = limited(caller.check(&free_sibling).await);
    assert_eq!(
        (refused.refused.as_slice(), refused.reason),
        (&[Bucket::Tenant][..], Some(RejectReason::TenantLimit))
    );
    assert_eq!(admitted(&caller, &free_sibling, 50).await, 0, "none");

    let pro_sibling = request("acme", Tier::Pro);
    assert_eq!(admitted(&caller, &pro_sibling, 1000).await, 900, "what the tenant has left at this tier");
    let refused = limited(caller.check(&pro_sibling).await);
    assert_eq!(refused.reason, Some(RejectReason::TenantLimit));
    assert_eq!(refused.key_remaining, 100, "a refused request charged nothing to its key");

    // Nothing of this reached another tenant.
    let answer = allowed(caller.check(&request("other", Tier::Free)).await);
    assert_eq!((answer.tenant_remaining, answer.key_remaining), (99, 99));
}

#[tokio::test(flavor = "multi_thread")]
async fn check_writes_exactly_the_documented_keys_and_they_end_with_their_window() {
    stage::in_one_window(60, documented_keys).await;
}

async fn documented_keys() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let caller = stage.caller(&replica);
    super::eventually("the limiter decides", || async {
        matches!(caller.check(&request("warm-up", Tier::Free)).await, Decision::Allowed(_))
    })
    .await;
    redis.ask(&["FLUSHALL"]).await.unwrap();

    let key = ApiKeyId::new();
    let request = LimitRequest { key: LimitKey::ApiKey(key), cost: 3, ..request("acme", Tier::Pro) };
    let answer = allowed(caller.check(&request).await);
    let start = answer.reset_at - 60;
    assert_eq!(start % 60, 0, "aligned to whole minutes");
    assert_eq!((answer.limit, answer.tenant_remaining, answer.key_remaining), (1000, 997, 997));
    assert!(answer.reset_after <= Duration::from_secs(60));

    let (tenant, own) = (
        format!("ratelimit:{NAMESPACE}:tenant:acme:{start}"),
        format!("ratelimit:{NAMESPACE}:key:{key}:{start}"),
    );
    let listed = redis.ask(&["KEYS", "*"]).await.unwrap();
    let mut keys: Vec<&str> = listed.lines().collect();
    keys.sort_unstable();
    assert_eq!(keys, [own.as_str(), tenant.as_str()]);
    for name in [&tenant, &own] {
        assert_eq!(redis.ask(&["GET", name]).await.unwrap(), "3");
        let ends = redis.ask(&["EXPIRETIME", name]).await.unwrap();
        assert_eq!(ends, format!(":{}", answer.reset_at + 5));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_charges_both_or_neither() {
    stage::in_one_window(60, both_or_neither).await;
}

async fn both_or_neither() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;

    let key = LimitKey::ApiKey(ApiKeyId::new());
    let by = |cost| LimitRequest { key: key.clone(), cost, ..request("acme", Tier::Free) };
    assert_eq!(allowed(caller.check(&by(60)).await).remaining(), 40);
    let refused = limited(caller.check(&by(41)).await);
    assert_eq!((refused.refused.len(), refused.remaining()), (2, 40), "too much, and nothing charged");
    assert_eq!(allowed(caller.check(&by(40)).await).remaining(), 0, "a smaller one still fits");
    let refused = limited(caller.check(&by(101)).await);
    assert_eq!(refused.reason, Some(RejectReason::KeyLimit), "above the limit: in every window");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_counts_strangers_apart_from_tenants() {
    stage::in_one_window(60, strangers_apart).await;
}

async fn strangers_apart() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let limits = [("RATE_LIMIT_REDIS_URL", redis.url()), ("RATE_LIMIT_MAX_FREE", "2".to_owned())];
    let limits: Vec<(&str, &str)> = limits.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let replica = stage.replica(&limits).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;

    let stranger = Stranger::of_network("203.0.113.7".parse().unwrap());
    let nobody = LimitRequest {
        owner: Owner::Stranger(stranger.clone()),
        key: LimitKey::Stranger(stranger),
        ..request("acme", Tier::Free)
    };
    assert_eq!(admitted(&caller, &nobody, 5).await, 2);
    assert_eq!(admitted(&caller, &request("acme", Tier::Free), 1).await, 1);
}
