//! Redis away in every way that it can be: decisions go on within their budget, and counting within a second of its return.

use std::time::{Duration, Instant};

use mintmark_auth::Tier;
use mintmark_devstack::redis::{RedisGroup, RedisServer};
use mintmark_rpc::client::{Decision, LimitRequest, Ratelimit};
use mintmark_service::limit::FailMode;
use mintmark_service::telemetry::metrics_text;

use crate::stage::{self, Replica, Stage, request};

/// The budget of 25 ms, the call itself, and what a busy machine adds.
const AT_ONCE: Duration = Duration::from_millis(250);
/// What "within a second" means.
const RECOVERED: Duration = Duration::from_secs(1);

/// What the closed mode says, and how long it took at most.
async fn refuses(caller: &Ratelimit, request: &LimitRequest) {
    let started = Instant::now();
    let decision = caller.check(request).await;
    assert!(started.elapsed() < AT_ONCE, "waited {:?}", started.elapsed());
    assert!(matches!(decision, Decision::Unavailable { .. }), "{decision:?}");
}

/// Every decision is made at once while Redis is away; none is an admission.
async fn stays_closed(caller: &Ratelimit) {
    let request = request("acme", Tier::Pro);
    // One may still be answered from before.
    crate::eventually("the outage is seen", || async {
        matches!(caller.check(&request).await, Decision::Unavailable { .. })
    })
    .await;
    for _ in 0..20 {
        refuses(caller, &request).await;
    }
}

async fn recovers(caller: &Ratelimit) {
    let request = request("acme", Tier::Enterprise);
    let back =
        crate::within(RECOVERED, || async { matches!(caller.check(&request).await, Decision::Allowed(_)) });
    assert!(back.await, "not within a second of Redis's return");
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_redis_killed_and_restarted_empty() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::strict();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;
    redis.kill();
    stays_closed(&caller).await;
    redis.restart().await.unwrap();
    recovers(&caller).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_redis_paused() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::strict();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;
    redis.pause();
    stays_closed(&caller).await;
    redis.resume();
    recovers(&caller).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_redis_out_of_memory_charges_neither_bucket() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::strict();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;
    redis.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await.unwrap();
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    redis.ask(&["FLUSHALL"]).await.unwrap();
    stays_closed(&caller).await;
    assert_eq!(redis.ask(&["DBSIZE"]).await.unwrap(), ":0", "neither bucket was charged");
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    recovers(&caller).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_its_scripts_forgotten_goes_on() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;
    redis.ask(&["SCRIPT", "FLUSH"]).await.unwrap();
    stage::allowed(caller.check(&request("acme", Tier::Free)).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_a_master_that_became_a_replica_is_unavailable() {
    let master = RedisServer::start(&[]).await.unwrap();
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::strict();
    let replica = stage.replica(&[("RATE_LIMIT_REDIS_URL", &redis.url())]).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;
    redis.ask(&["REPLICAOF", "127.0.0.1", &master.port().to_string()]).await.unwrap();
    stays_closed(&caller).await;
    redis.ask(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    recovers(&caller).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_behind_sentinels_follows_the_promoted_master() {
    let mut group = RedisGroup::start().await.unwrap();
    let stage = Stage::strict();
    let replica = stage
        .replica(&[
            ("RATE_LIMIT_REDIS_MODE", "sentinel"),
            ("RATE_LIMIT_REDIS_URL", &group.urls()),
            ("RATE_LIMIT_REDIS_MASTER", group.name()),
        ])
        .await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;
    group.master.kill();
    stays_closed(&caller).await;
    let promoted = group.replica.port().to_string();
    crate::eventually("a sentinel names the replica", || async {
        for sentinel in &group.sentinels {
            let named = sentinel.ask(&["SENTINEL", "GET-MASTER-ADDR-BY-NAME", group.name()]).await.unwrap();
            if named.ends_with(&promoted) {
                return true;
            }
        }
        false
    })
    .await;
    recovers(&caller).await;
    assert_ne!(group.replica.ask(&["DBSIZE"]).await.unwrap(), ":0", "counted by the promoted one");
}

/// A limiter in the open mode that admits one request of tier pro in a window.
async fn open_for_one(stage: &Stage, redis: &RedisServer) -> (Replica, Ratelimit) {
    let url = redis.url();
    let variables = [
        ("RATE_LIMIT_REDIS_URL", url.as_str()),
        ("RATE_LIMIT_FAIL_OPEN", "true"),
        ("RATE_LIMIT_MAX_PRO", "1"),
    ];
    let replica = stage.replica(&variables).await;
    let caller = stage.caller(&replica);
    stage::ready(&caller).await;
    (replica, caller)
}

#[tokio::test(flavor = "multi_thread")]
async fn check_in_the_open_mode_passes_and_is_counted_as_such() {
    stage::in_one_window(60, open_mode_passes).await;
}

async fn open_mode_passes() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let (_replica, caller) = open_for_one(&stage, &redis).await;
    let request = request("acme", Tier::Pro);
    stage::allowed(caller.check(&request).await);
    // Known to be over its limit, and remembered as such.
    stage::limited(caller.check(&request).await);
    redis.kill();
    crate::eventually("the outage is seen", || async {
        caller.check(&request).await == Decision::PassedOpen
    })
    .await;
    for _ in 0..20 {
        assert_eq!(caller.check(&request).await, Decision::PassedOpen, "never refused");
    }
    let text = metrics_text();
    assert!(text.contains(r#"rate_limit_passed_open_total{tier="pro"}"#), "{text}");
    redis.restart().await.unwrap();
    crate::eventually("it counts again", || async {
        matches!(caller.check(&request).await, Decision::Allowed(_) | Decision::Limited(_))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn check_in_the_open_mode_with_redis_out_of_memory_or_silent_passes() {
    stage::in_one_window(60, open_mode_passes_without_memory).await;
}

async fn open_mode_passes_without_memory() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::new();
    let (_replica, caller) = open_for_one(&stage, &redis).await;
    let (full, another) = (request("acme", Tier::Pro), request("other", Tier::Pro));
    stage::allowed(caller.check(&full).await);
    stage::limited(caller.check(&full).await);
    redis.ask(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]).await.unwrap();
    redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    for _ in 0..20 {
        assert_eq!(caller.check(&another).await, Decision::PassedOpen, "never refused");
    }
    // Redis still says which buckets are full.
    stage::limited(caller.check(&full).await);
    redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    stage::allowed(caller.check(&another).await);
    stage::limited(caller.check(&another).await);

    // Silent, and not yet given up: what is remembered refuses nothing from the first decision on that failed.
    redis.pause();
    assert_eq!(caller.check(&request("third", Tier::Pro)).await, Decision::PassedOpen);
    assert_eq!(caller.check(&full).await, Decision::PassedOpen, "nobody counts");
    redis.resume();
}

#[tokio::test(flavor = "multi_thread")]
async fn check_with_the_limiter_itself_away_follows_the_callers_mode() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let stage = Stage::strict();
    let port = mintmark_devstack::free_port().to_string();
    let address = format!("127.0.0.1:{port}");
    let variables = [("RATE_LIMIT_REDIS_URL", redis.url()), ("RATELIMIT_GRPC_ADDR", address.clone())];
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let (closed, open) = (
        stage.caller_of(address.parse().unwrap(), FailMode::Closed),
        stage.caller_of(address.parse().unwrap(), FailMode::Open),
    );
    let request = request("acme", Tier::Enterprise);
    for _ in 0..20 {
        refuses(&closed, &request).await;
        assert_eq!(open.check(&request).await, Decision::PassedOpen);
    }
    let text = metrics_text();
    let label = text.lines().find(|line| {
        line.starts_with("rate_limit_rejected_total{key_id=\"key_")
            && line.contains("reason=\"redis_unavailable\",tier=\"enterprise\"")
    });
    assert!(label.is_some(), "the caller counted them:\n{text}");

    let replica = stage.replica(&variables).await;
    for caller in [&closed, &open] {
        let back = crate::within(RECOVERED, || async {
            matches!(caller.check(&request).await, Decision::Allowed(_))
        });
        assert!(back.await, "not within a second of the limiter's return");
    }
    drop(replica);
}
