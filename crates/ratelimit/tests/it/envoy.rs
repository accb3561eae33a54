//! A real Envoy that asks: what its clients see, and what its upstream does not.

pub mod proxy;

use mintmark_auth::{CertificateIdentity, Tier};
use mintmark_devstack::redis::RedisServer;
use mintmark_rpc::client::LimitRequest;
use mintmark_service::telemetry::metrics_text;
use reqwest::Response;
use serde_json::Value;

use self::proxy::{Limited, Proxy, RULES};
use crate::certificates::Authority;
use crate::stage::{self, Stage, request};

fn header<'a>(response: &'a Response, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

/// How many requests of what is only watched would have been refused.
fn shadowed() -> u64 {
    let name = r#"rate_limit_envoy_descriptors_total{domain="edge",outcome="shadow",rule="watched"} "#;
    let text = metrics_text();
    text.lines().find_map(|line| line.strip_prefix(name)?.parse().ok()).unwrap_or_default()
}

/// Waits until Envoy has its connection to the limiter, and the limiter its Redis.
async fn ready(proxy: &Proxy) {
    crate::eventually("Envoy is answered", || async { proxy.status(&[("x-caller", "probe")]).await == 200 })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_passes_limits_and_hides_the_credentials() {
    stage::in_one_window(3600, limits_and_credentials).await;
}

async fn limits_and_credentials() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let limited = Limited::start(&redis.url(), &[]).await;
    let proxy = Proxy::start(&limited, "edge", limited.credential()).await;
    ready(&proxy).await;
    let before = proxy.came_through();

    for left in [2, 1, 0] {
        let passed = proxy.get(&[("x-caller", "ann")]).await;
        assert_eq!(passed.status(), 200);
        assert_eq!(header(&passed, "ratelimit-policy"), r#""caller";q=3;w=3600"#);
        assert!(header(&passed, "ratelimit").starts_with(&format!(r#""caller";r={left};t="#)), "{passed:?}");
        assert_eq!(header(&passed, "x-ratelimit-limit"), r#"3, 3;w=3600;name="caller""#);
        assert_eq!(header(&passed, "x-ratelimit-remaining"), left.to_string());
    }
    let refused = proxy.get(&[("x-caller", "ann")]).await;
    assert_eq!(refused.status(), 429);
    assert_eq!(header(&refused, "ratelimit-policy"), r#""caller";q=3;w=3600"#);
    assert!(header(&refused, "ratelimit").starts_with(r#""caller";r=0;t="#), "{refused:?}");
    assert!(header(&refused, "retry-after").parse::<u64>().unwrap() >= 1);
    assert_eq!(header(&refused, "content-type"), "application/problem+json");
    let problem: Value = serde_json::from_slice(&refused.bytes().await.unwrap()).unwrap();
    assert_eq!((problem["code"].as_str(), problem["status"].as_u64()), (Some("RATE_LIMITED"), Some(429)));
    assert_eq!(problem["violated-policies"], serde_json::json!(["caller"]));
    assert_eq!(proxy.came_through() - before, 3, "the refused one did not come through");

    // A refused request charges none of its descriptors.
    let both = [("x-caller", "ann"), ("x-tenant-id", "beta"), ("x-key-id", "key_b")];
    assert_eq!(proxy.status(&both).await, 429);
    let count = ["EVAL", "return #redis.call('KEYS', ARGV[1])", "0", "*beta*"];
    assert_eq!(redis.ask(&count).await.unwrap(), ":0");
    // Our own buckets: what came through Envoy counts for whoever asks `Check`.
    let own = [("x-tenant-id", "acme"), ("x-key-id", "key_a")];
    for _ in 0..5 {
        assert_eq!(proxy.status(&own).await, 200);
    }
    assert_eq!(proxy.status(&own).await, 429);
    let caller = limited.stage.caller(&limited.replica);
    let same = LimitRequest { namespace: "edge", ..request("acme", Tier::Free) };
    stage::limited(caller.check(&same).await);

    let before = shadowed();
    for _ in 0..3 {
        let watched = proxy.get(&[("x-watched", "ann")]).await;
        assert_eq!((watched.status().as_u16(), header(&watched, "ratelimit")), (200, ""), "only watched");
    }
    assert_eq!(shadowed() - before, 2, "{}", metrics_text());

    assert_eq!(proxy.status(&[]).await, 200, "Envoy does not ask where no header names anybody");
    for head in proxy.seen.lock().unwrap().iter().map(|head| head.to_lowercase()) {
        for secret in ["authorization", "x-api-key", "a-session", "an-api-key", "mmenv_"] {
            assert!(!head.contains(secret), "{secret} at the upstream: {head}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_follows_the_file_and_closes_without_redis() {
    stage::in_one_window(3600, file_and_outage).await;
}

async fn file_and_outage() {
    let mut redis = RedisServer::start(&[]).await.unwrap();
    let limited = Limited::start(&redis.url(), &[]).await;
    let proxy = Proxy::start(&limited, "edge", limited.credential()).await;
    ready(&proxy).await;
    let ann = [("x-caller", "ann")];
    for _ in 0..3 {
        assert_eq!(proxy.status(&ann).await, 200);
    }
    assert_eq!(proxy.status(&ann).await, 429);
    limited.write_rules(&RULES.replace(r#""requests_per_unit": 3"#, r#""requests_per_unit": 4"#));
    crate::eventually("the new rules are in force", || async { proxy.status(&ann).await == 200 }).await;
    limited.write_rules("{");
    crate::eventually("the gauge says that the file is broken", || async {
        metrics_text().contains(r#"file_reload_failing{file="envoy-rules"} 1"#)
    })
    .await;
    assert_eq!(proxy.status(&ann).await, 429, "the old rules are kept");

    redis.kill();
    let bob = [("x-caller", "bob")];
    crate::eventually("Redis is missed", || async { proxy.status(&bob).await == 503 }).await;
    let before = proxy.came_through();
    for _ in 0..5 {
        assert_eq!(proxy.status(&bob).await, 503);
    }
    assert_eq!(proxy.came_through(), before);
    assert_eq!(proxy.status(&[("x-watched", "bob")]).await, 200, "what is only watched refuses nothing");
    redis.restart().await.unwrap();
    crate::eventually("it counts again", || async { proxy.status(&bob).await == 200 }).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_with_a_wrong_credential_or_domain_is_closed() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let limited = Limited::start(&redis.url(), &[]).await;
    let wrong = mintmark_auth::envoy::generate();
    let wrong = secrecy::ExposeSecret::expose_secret(&wrong.credential);
    let (stranger, elsewhere, idle) = tokio::join!(
        Proxy::start(&limited, "edge", wrong),
        Proxy::start(&limited, "other", limited.credential()),
        Proxy::start(&limited, "idle", limited.credential()),
    );
    // Nothing speaks of this domain, so nothing is limited; and it says that Redis and the way to it are there.
    ready(&idle).await;
    let passed = idle.get(&[("x-caller", "ann")]).await;
    assert_eq!((passed.status().as_u16(), header(&passed, "ratelimit")), (200, ""));
    for proxy in [&stranger, &elsewhere] {
        for _ in 0..3 {
            assert_eq!(proxy.status(&[("x-caller", "ann")]).await, 503);
        }
        assert_eq!(proxy.came_through(), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn envoy_with_a_certificate_that_the_trust_bundle_names_needs_no_credential() {
    stage::in_one_window(3600, by_certificate).await;
}

async fn by_certificate() {
    let redis = RedisServer::start(&[]).await.unwrap();
    let (authority, foreign, stage) = (Authority::new(), Authority::new(), Stage::new());
    let known = CertificateIdentity::DnsName("edge.envoy.example".into());
    stage.name_envoys(&[(known, &["edge"])]);
    let limited = Limited::start_in(stage, authority.context("ratelimit"), &redis.url(), &[]).await;
    let edge = authority.issue("edge.envoy.example");
    let unnamed = authority.issue("other.envoy.example");
    let stranger = foreign.issue_for_one_who_trusts(&authority, "edge.envoy.example");
    let (proxy, unnamed, stranger, elsewhere, plain) = tokio::join!(
        Proxy::start_certified(&limited, "edge", &edge),
        Proxy::start_certified(&limited, "edge", &unnamed),
        Proxy::start_certified(&limited, "edge", &stranger),
        Proxy::start_certified(&limited, "other", &edge),
        Proxy::start(&limited, "edge", limited.credential()),
    );
    ready(&proxy).await;
    let before = proxy.came_through();
    for _ in 0..3 {
        assert_eq!(proxy.status(&[("x-caller", "ann")]).await, 200);
    }
    assert_eq!(proxy.status(&[("x-caller", "ann")]).await, 429);
    assert_eq!(proxy.came_through() - before, 3);
    for (closed, why) in [
        (unnamed, "a certificate that the bundle does not name"),
        (stranger, "the same name from a foreign authority"),
        (elsewhere, "another domain"),
        (plain, "a good credential in the clear"),
    ] {
        for _ in 0..3 {
            assert_eq!(closed.status(&[("x-caller", "bob")]).await, 503, "{why}");
        }
        assert_eq!(closed.came_through(), 0, "{why}");
    }
}
