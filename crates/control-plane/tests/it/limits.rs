//! Limits over HTTP, with the true rate limiter and a true Redis: who is charged, what is answered, what an outage does.

use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use futures::StreamExt;
use mintmark_auth::{DEFAULT_ISSUER, Grant, SigningKey, TrustBundle, TrustedKey, audience, scope};
use mintmark_devstack::redis::RedisServer;
use mintmark_devstack::{Process, free_port};
use mintmark_ids::ServiceName;
use mintmark_objects::LocalSigner;
use mintmark_service::telemetry::metrics_text;
use serde_json::{Value, json};

use crate::harness::{Person, Plane, Reply, next, text};
use crate::stage::{Another, eventually};

/// The length in seconds of a window that no test sees end: windows begin at multiples of their length, and of these there is
/// one that does not end soon.
static WINDOW_SECS: LazyLock<u64> = LazyLock::new(|| {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    [86_400, 70_001, 50_021].into_iter().find(|length| length - now % length >= NEEDED_SECS).unwrap()
});
/// What the longest test takes on a busy machine, in seconds.
const NEEDED_SECS: u64 = 240;

/// `RateLimit-Policy` where both buckets have this limit.
fn policy(limit: u32) -> String {
    let window = *WINDOW_SECS;
    format!(r#""tenant";q={limit};w={window}, "key";q={limit};w={window}"#)
}

/// A limited control plane beside one that is not, on which things are made without being counted.
struct Limited {
    plane: Plane,
    beside: Another,
    limiter: Option<Process>,
    redis: RedisServer,
    ops: String,
}

/// Variables of the specification that a test sets for both processes.
type Limits<'a> = &'a [(&'static str, &'a str)];

impl Limited {
    async fn start(limits: Limits<'_>) -> Limited {
        let window = WINDOW_SECS.to_string();
        let plane = Plane::start().await;
        let redis = RedisServer::start(&[]).await.unwrap();
        let (address, ops) = (format!("127.0.0.1:{}", free_port()), format!("127.0.0.1:{}", free_port()));
        let common = [
            ("APP_ENV", "test"),
            ("RATE_LIMIT_FAIL_OPEN", "false"),
            ("RATE_LIMIT_WINDOW_SEC", window.as_str()),
        ];
        let (bundle, url) = (trust_bundle(&plane), redis.url());
        let own = [
            ("RATELIMIT_GRPC_ADDR", address.as_str()),
            ("OPS_ADDR", &ops),
            ("TRUST_BUNDLE_FILE", &bundle),
            ("RATE_LIMIT_REDIS_URL", &url),
            // A test is no place to find out how fast a busy machine is.
            ("RATE_LIMIT_REDIS_BUDGET_MS", "1000"),
        ];
        let environment = own.iter().chain(&common).chain(limits);
        let environment: Vec<(String, String)> =
            environment.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let log = plane.folder.path().join("ratelimit.log");
        let mut limiter = Process::spawn(&program(), &[], &environment, &log).unwrap();
        limiter.wait_ready(&format!("http://{ops}/readyz"), Duration::from_secs(60)).await.unwrap();

        let url = format!("http://{address}");
        let own = [
            ("RATE_LIMIT_ENABLED", "true"),
            ("RATELIMIT_GRPC_URL", url.as_str()),
            ("RATE_LIMIT_BUDGET_MS", "2000"),
            ("CONTROL_TRUSTED_PROXIES", "127.0.0.1"),
        ];
        let variables: Vec<(&str, &str)> = own.iter().chain(&common).chain(limits).copied().collect();
        let beside = Another::beside(&plane, &variables).await;
        let limited = Limited { plane, beside, limiter: Some(limiter), redis, ops };
        eventually("the limiter counts", async || {
            let reply = limited.get("/openapi.json", None, &[("x-forwarded-for", "192.0.2.1")]).await;
            reply.header("ratelimit").map(drop)
        })
        .await;
        limited.redis.ask(&["FLUSHALL"]).await.unwrap();
        limited
    }

    async fn send(&self, method: &str, path: &str, token: Option<&str>, headers: &[(&str, &str)]) -> Reply {
        self.plane.send_to(&self.beside.base, method, path, token, headers, None).await
    }

    async fn get(&self, path: &str, token: Option<&str>, headers: &[(&str, &str)]) -> Reply {
        self.send("GET", path, token, headers).await
    }

    async fn brands(&self, who: &Person) -> Reply {
        self.get("/v1/brands", Some(&who.session), &[]).await
    }

    /// How many of so many requests with an API key pass; all others are refused with 429.
    async fn passing(&self, key: &str, times: usize) -> usize {
        let headers = [("X-API-Key", key)];
        let requests = (0..times).map(|_| self.get("/v1/admin/users?limit=1", None, &headers));
        let replies: Vec<Reply> = futures::stream::iter(requests).buffer_unordered(8).collect().await;
        for reply in &replies {
            assert!(matches!(reply.status, 200 | 429), "{:#}", reply.body);
        }
        replies.iter().filter(|reply| reply.status == 200).count()
    }

    /// What the limiter itself has counted under these labels.
    async fn rejected(&self, labels: &str) -> u64 {
        let text = reqwest::get(format!("http://{}/metrics", self.ops)).await.unwrap().text().await.unwrap();
        counted(&text, labels)
    }

    async fn tenant(&self, tier: &str) -> Person {
        let id = format!("limited-{}", next());
        let new = json!({ "id": id, "name": "A tenant", "tier": tier });
        self.plane.admin("POST", "/api/admin/tenants", new).await.expect(201);
        self.plane.person(&id, true).await
    }

    async fn key(&self, who: &Person, tier: &str) -> Value {
        let order = json!({ "name": "A key", "scopes": ["admin:read"], "tier": tier });
        self.plane.as_person(who, "POST", "/v1/api-keys", order).await.expect(201)
    }

    async fn refuses_all_but_the_essential(&self, person: &Person) {
        eventually("the outage is seen", async || (self.brands(person).await.status == 503).then_some(()))
            .await;
        let reply = self.brands(person).await;
        assert_eq!(reply.problem(503), "RATE_LIMIT_UNAVAILABLE");
        assert_eq!(reply.body["reason"], "redis_unavailable");
        assert_eq!(reply.header("retry-after"), Some("1"));
        self.get("/openapi.json", None, &[]).await.problem(503);
        self.get("/v1/brands", Some("guess"), &[]).await.problem(503);

        self.get("/api/admin/tenants", Some(&self.plane.control), &[]).await.expect(200);
        assert_eq!(self.get("/api/admin/tenants", Some("guess"), &[]).await.status, 401);
        self.get("/.well-known/jwks.json", None, &[]).await.expect(200);
        for path in ["/v1/api-keys", "/v1/admin/api-keys"] {
            let key = self.key(person, "free").await;
            let path = format!("{path}/{}/revoke", text(&key, "id"));
            let reply = self.send("POST", &path, Some(&person.session), &[]).await;
            assert!(matches!(reply.status, 200 | 204), "{path}: {} {:#}", reply.status, reply.body);
        }
    }
}

fn counted(metrics: &str, labels: &str) -> u64 {
    let line = format!("rate_limit_rejected_total{{{labels}}} ");
    metrics.lines().find_map(|found| found.strip_prefix(&line)).map_or(0, |count| count.parse().unwrap())
}

/// What the limiter trusts: the identity of the planes of this folder.
fn trust_bundle(plane: &Plane) -> String {
    let pem = std::fs::read_to_string(plane.folder.path().join("identity.pem")).unwrap();
    let jwk = SigningKey::from_pem(&pem).unwrap().public_jwk();
    let scopes = vec![scope::RATELIMIT_CHECK.to_owned()];
    let grants = vec![Grant { aud: audience::RATELIMIT.to_owned(), scopes }];
    let trusted = TrustedKey { jwk, service: ServiceName::ControlPlane, grants };
    let path = plane.folder.path().join("limiter-trust.json");
    std::fs::write(&path, TrustBundle::new(DEFAULT_ISSUER, vec![trusted]).unwrap().to_json()).unwrap();
    path.to_str().unwrap().to_owned()
}

fn program() -> PathBuf {
    let own = std::env::current_exe().unwrap();
    let path = own.parent().unwrap().parent().unwrap().join("ratelimit");
    assert!(path.exists(), "{} is missing: run `cargo build --workspace --bins` first", path.display());
    path
}

/// `r` of both buckets, and the one `t`.
fn left(reply: &Reply) -> (u64, u64, u64) {
    let field = reply.header("ratelimit").unwrap_or_else(|| panic!("no RateLimit: {:#}", reply.body));
    let buckets: Vec<(u64, u64)> = field
        .split(", ")
        .zip(["\"tenant\";r=", "\"key\";r="])
        .map(|(bucket, start)| {
            let (remaining, reset) = bucket.strip_prefix(start).unwrap().split_once(";t=").unwrap();
            (remaining.parse().unwrap(), reset.parse().unwrap())
        })
        .collect();
    let [(tenant, reset), (key, same)] = buckets[..] else { panic!("{field}") };
    assert_eq!(reset, same, "{field}");
    (tenant, key, reset)
}

#[tokio::test(flavor = "multi_thread")]
async fn session_counts_for_its_tenant_at_the_tenants_tier() {
    let limited = Limited::start(&[("RATE_LIMIT_MAX_FREE", "3"), ("RATE_LIMIT_MAX_PRO", "5")]).await;
    let person = limited.tenant("free").await;
    let colleague = limited.plane.person(&person.tenant, false).await;
    for remaining in [2, 1, 0] {
        let reply = limited.brands(&person).await;
        assert_eq!(reply.header("ratelimit-policy"), Some(policy(3).as_str()));
        let (tenant, key, reset) = left(&reply);
        assert_eq!((tenant, key), (remaining, remaining));
        assert!((1..=*WINDOW_SECS).contains(&reset), "{reset}");
        reply.expect(200);
    }
    let rejected = r#"key_id="none",reason="key_limit",tier="free""#;
    let before = limited.rejected(rejected).await;
    let reply = limited.brands(&person).await;
    assert_eq!(reply.problem(429), "RATE_LIMITED");
    assert_eq!(reply.body["reason"], "key_limit");
    assert_eq!(reply.body["violated-policies"], json!(["tenant", "key"]));
    let after: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert!(after >= left(&reply).2, "{after}");
    assert_eq!(limited.rejected(rejected).await - before, 1, "each rejection once");

    let reply = limited.brands(&colleague).await;
    assert_eq!(reply.problem(429), "RATE_LIMITED");
    assert_eq!(reply.body["reason"], "tenant_limit");
    assert_eq!(reply.body["violated-policies"], json!(["tenant"]));

    // The tier is read with the session: what the operator raises counts at the next request.
    let path = format!("/api/admin/tenants/{}", person.tenant);
    limited.plane.admin("PATCH", &path, json!({ "tier": "pro" })).await.expect(200);
    let reply = limited.brands(&person).await;
    assert_eq!(reply.header("ratelimit-policy"), Some(policy(5).as_str()));
    assert_eq!(left(&reply).0, 1, "of five, three were used, and refused requests charged nothing");
}

#[tokio::test(flavor = "multi_thread")]
async fn noisy_free_key_leaves_a_pro_sibling_exactly_900_and_a_free_one_none() {
    let limited = Limited::start(&[]).await;
    let admin = limited.tenant("pro").await;
    let noisy = limited.key(&admin, "free").await;
    let (free, pro) = (limited.key(&admin, "free").await, limited.key(&admin, "pro").await);
    assert_eq!(limited.passing(text(&noisy, "key"), 1_000).await, 100);
    assert_eq!(limited.passing(text(&free, "key"), 5).await, 0);
    assert_eq!(limited.passing(text(&pro, "key"), 1_000).await, 900);
    let labels = format!(r#"key_id="{}",reason="key_limit",tier="free""#, text(&noisy, "id"));
    assert_eq!(limited.rejected(&labels).await, 900);
    let labels = format!(r#"key_id="{}",reason="tenant_limit",tier="pro""#, text(&pro, "id"));
    assert_eq!(limited.rejected(&labels).await, 100);
}

#[tokio::test(flavor = "multi_thread")]
async fn random_tokens_of_one_network_buy_nothing_and_make_few_counters() {
    let limited = Limited::start(&[("RATE_LIMIT_MAX_FREE", "5")]).await;
    let person = limited.tenant("pro").await;
    let mut statuses = Vec::new();
    for number in 0..30 {
        let address = format!("203.0.113.{number}");
        let token = format!("random-{number}");
        let path = if number % 2 == 0 { "/v1/brands" } else { "/v1/admin/users" };
        let reply = limited.get(path, Some(&token), &[("x-forwarded-for", &address)]).await;
        statuses.push(reply.status);
    }
    assert_eq!(statuses[..5], [401; 5]);
    assert!(statuses[5..].iter().all(|status| *status == 429), "{statuses:?}");
    assert_eq!(
        limited.redis.ask(&["DBSIZE"]).await.unwrap(),
        ":10",
        "two for each that was below the budget"
    );
    let found = limited.redis.ask(&["KEYS", "*"]).await.unwrap();
    assert!(found.contains("sha256_") && !found.contains("random"), "no credential stands in a key: {found}");

    // Who verifies is not concerned, from wherever.
    let neighbour = [("x-forwarded-for", "203.0.113.77")];
    limited.get("/v1/brands", Some(&person.session), &neighbour).await.expect(200);
    // Without a credential the network itself is charged.
    for expected in [200, 200, 200, 200, 200, 429] {
        assert_eq!(limited.get("/openapi.json", None, &neighbour).await.status, expected);
    }
    for _ in 0..10 {
        let jwks = limited.get("/.well-known/jwks.json", None, &neighbour).await;
        assert_eq!((jwks.status, jwks.header("ratelimit")), (200, None), "exempt");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn closed_mode_refuses_what_nobody_counts_but_the_operator_and_revocations() {
    let mut limited = Limited::start(&[]).await;
    let person = limited.tenant("free").await;
    limited.redis.kill();
    limited.refuses_all_but_the_essential(&person).await;
    // Only this test of the process brings the tier enterprise into an outage.
    let tenant = limited.tenant("enterprise").await;
    let label = r#"key_id="none",reason="redis_unavailable",tier="enterprise""#;
    for _ in 0..5 {
        limited.brands(&tenant).await.problem(503);
    }
    assert_eq!(limited.rejected(label).await, 5, "the limiter counts each");
    assert_eq!(counted(&metrics_text(), label), 0, "and nobody else");

    limited.redis.restart().await.unwrap();
    let back = Instant::now();
    eventually("requests are counted again", async || {
        (limited.brands(&person).await.status == 200).then_some(())
    })
    .await;
    assert!(back.elapsed() < Duration::from_secs(2), "a second, and what a busy machine adds");

    drop(limited.limiter.take());
    limited.refuses_all_but_the_essential(&person).await;
    for _ in 0..5 {
        limited.brands(&tenant).await.problem(503);
    }
    assert_eq!(counted(&metrics_text(), label), 5, "we count each ourselves");
}

#[tokio::test(flavor = "multi_thread")]
async fn open_mode_passes_what_nobody_counts() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let nowhere = format!("http://127.0.0.1:{}", free_port());
    let beside = Another::beside(
        &plane,
        &[("RATE_LIMIT_ENABLED", "true"), ("RATE_LIMIT_FAIL_OPEN", "true"), ("RATELIMIT_GRPC_URL", &nowhere)],
    )
    .await;
    for _ in 0..10 {
        let reply =
            plane.send_to(&beside.base, "GET", "/v1/brands", Some(&shop.owner.session), &[], None).await;
        assert_eq!(reply.header("ratelimit"), None, "nobody knows");
        reply.expect(200);
    }
    assert!(metrics_text().contains(r#"rate_limit_passed_open_total{tier="free"}"#));
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_urls_are_counted_for_their_tenant_apart_from_its_requests() {
    let limited = Limited::start(&[("RATE_LIMIT_MAX_FREE", "3")]).await;
    let person = limited.tenant("free").await;
    let folder = format!("exports/{}/an-export", person.tenant);
    let written = limited.plane.folder.path().join("objects").join(&folder);
    std::fs::create_dir_all(&written).unwrap();
    // The key of the harness.
    let signer = LocalSigner::new(&[b'm'; 32]);
    let url = |part: usize| {
        let (path, name) = (format!("{folder}/part-{part:04}.zip"), format!("part-{part:04}.zip"));
        std::fs::write(written.join(&name), b"a part").unwrap();
        let ttl = Duration::from_secs(300);
        signer.sign_get(&limited.beside.base, &path, &name, &[7; 32], ttl, chrono::Utc::now()).unwrap().url
    };
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let get = async |url: &str| client.get(url).send().await.unwrap();
    for part in 1..=40 {
        let answer = get(&url(part)).await;
        assert_eq!(answer.status(), 200, "a pack of any size can be fetched from one network");
        let policy = answer.headers()["ratelimit-policy"].to_str().unwrap();
        assert_eq!(policy, self::policy(10000));
        assert_eq!(answer.bytes().await.unwrap().as_ref(), b"a part");
    }
    let keys = limited.redis.ask(&["KEYS", "*:tenant:*"]).await.unwrap();
    assert!(
        keys.starts_with(&format!("ratelimit:control-plane-downloads:tenant:{}:", person.tenant)),
        "{keys}"
    );
    assert_eq!(keys.lines().count(), 1, "{keys}");
    assert_eq!(left(&limited.brands(&person).await).0, 2, "its requests have what they had");

    // What nobody signed is nobody's.
    let good = url(1);
    for (number, expected) in [403, 403, 403, 429].into_iter().enumerate() {
        assert_eq!(get(&format!("{good}{number}")).await.status(), expected);
    }
    assert_eq!(get(&good).await.status(), 200);
}
