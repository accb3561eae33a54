//! Every route passes the limiter, named by what was verified of its caller; the answer says what is left.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mintmark_auth::Tier;
use mintmark_ids::TenantId;
use mintmark_service::limit::{Bucket, LimitAnswer, RejectReason, Stranger, Unverified};
use mintmark_service::telemetry::metrics_text;
use mintmark_web::{
    Access, BoxFuture, Budget, Charge, Key, Limit, Limiter, Limits, Owner, Route, Verdict, no_content,
};
use reqwest::{Client, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::edge::TestEdge;

/// Gives one verdict, and keeps what it was asked.
struct Fake {
    verdict: Verdict,
    asked: Mutex<Vec<Charge>>,
}

impl Limiter for Fake {
    fn charge(&self, charge: Charge) -> BoxFuture<'_, Verdict> {
        self.asked.lock().unwrap().push(charge);
        Box::pin(async { self.verdict.clone() })
    }
}

impl Fake {
    fn new(verdict: Verdict) -> Arc<Self> {
        Arc::new(Self { verdict, asked: Mutex::default() })
    }

    fn last(&self) -> Charge {
        self.asked.lock().unwrap().pop().unwrap()
    }
}

fn answer(refused: &[Bucket]) -> LimitAnswer {
    LimitAnswer {
        allowed: refused.is_empty(),
        limit: 1000,
        tenant_remaining: 37,
        key_remaining: 5,
        window: Duration::from_secs(60),
        reset_at: 1_800_000_000,
        reset_after: Duration::from_millis(11_500),
        refused: refused.to_vec(),
        reason: RejectReason::of(refused),
    }
}

/// An edge with this limiter, which believes a proxy on this machine.
async fn start(limiter: &Arc<Fake>, unverified: u64) -> TestEdge {
    let limits = Limits {
        limiter: limiter.clone(),
        unverified: Unverified::new(unverified, Duration::from_secs(3_600)),
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
    };
    TestEdge::start_with(|edge| edge.limits(limits)).await
}

fn from(edge: &TestEdge, path: &str, address: &str) -> RequestBuilder {
    Client::new().get(edge.url(path)).header("x-forwarded-for", address)
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

fn network(address: &str) -> Stranger {
    Stranger::of_network(address.parse().unwrap())
}

fn nobody(name: Stranger) -> Charge {
    let owner = Owner::Stranger(name.clone());
    let budget = Budget::Requests;
    Charge { budget, owner, key: Key::Stranger(name), tier: Tier::Free, passes_uncounted: false }
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_say_what_is_left_also_where_they_fail() {
    let edge = start(&Fake::new(Verdict::Passes(Some(answer(&[])))), 100).await;
    for (path, status) in [("/headers", 200), ("/broken", 500), ("/v1/session", 401)] {
        let response = from(&edge, path, "203.0.113.7").send().await.unwrap();
        assert_eq!(response.status(), status, "{path}");
        let fields = (header(&response, "ratelimit-policy"), header(&response, "ratelimit"));
        let policy = r#""tenant";q=1000;w=60, "key";q=1000;w=60"#;
        assert_eq!(fields, (Some(policy), Some(r#""tenant";r=37;t=12, "key";r=5;t=12"#)), "{path}");
        assert_eq!(header(&response, "retry-after"), None, "{path}");
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_over_its_limit_is_a_problem_that_names_the_buckets() {
    let cases = [
        (vec![Bucket::Tenant], "tenant_limit", json!(["tenant"])),
        (vec![Bucket::Key], "key_limit", json!(["key"])),
        (vec![Bucket::Tenant, Bucket::Key], "key_limit", json!(["tenant", "key"])),
    ];
    for (refused, reason, violated) in cases {
        let edge = start(&Fake::new(Verdict::Refused(answer(&refused))), 100).await;
        // Before the body is read, and before the handler.
        let request = Client::new().post(edge.url("/v1/things")).bearer_auth(&edge.token).body("not json");
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 429);
        assert_eq!(header(&response, "ratelimit"), Some(r#""tenant";r=37;t=12, "key";r=5;t=12"#));
        let after: u64 = header(&response, "retry-after").unwrap().parse().unwrap();
        assert!((12..=18).contains(&after), "not before the window ends, and spread: {after}");
        assert_eq!(header(&response, "content-type"), Some("application/problem+json"));
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "RATE_LIMITED");
        assert_eq!((&problem["reason"], &problem["violated-policies"]), (&json!(reason), &violated));
        edge.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn request_that_nobody_can_count_is_503() {
    let edge = start(&Fake::new(Verdict::Unavailable { retry_after: Duration::from_secs(1) }), 100).await;
    let response = from(&edge, "/v1/things", "203.0.113.7").send().await.unwrap();
    assert_eq!((response.status().as_u16(), header(&response, "retry-after")), (503, Some("1")));
    assert_eq!(header(&response, "ratelimit"), None);
    let problem: Value = response.json().await.unwrap();
    assert_eq!(problem["code"], "RATE_LIMIT_UNAVAILABLE");
    assert_eq!(problem["reason"], "redis_unavailable");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn request_is_charged_to_whoever_was_verified() {
    let fake = Fake::new(Verdict::Passes(None));
    let edge = start(&fake, 100).await;
    let post = || Client::new().post(edge.url("/v1/things")).header("x-forwarded-for", "203.0.113.7");

    assert_eq!(post().bearer_auth(&edge.token).body("not json").send().await.unwrap().status(), 415);
    let control = nobody(Stranger::of_credential(&edge.token));
    let control = Charge { tier: Tier::Enterprise, passes_uncounted: true, ..control };
    assert_eq!(fake.last(), control, "the control token, by its hash");

    assert_eq!(post().bearer_auth("guess").send().await.unwrap().status(), 401);
    let guess = Charge { passes_uncounted: true, ..nobody(Stranger::of_credential("guess")) };
    assert_eq!(fake.last(), guess, "a credential that did not verify, by its hash");

    assert_eq!(post().header("authorization", "Basic YTpi").send().await.unwrap().status(), 401);
    let unread = Charge { passes_uncounted: true, ..nobody(network("203.0.113.7")) };
    assert_eq!(fake.last(), unread, "what nobody could read, by its network");

    // Two that differ are one that did not verify, whatever each is worth.
    let asked = || from(&edge, "/v1/session", "203.0.113.7");
    for (request, name) in [
        (asked().bearer_auth("one").header("x-api-key", "other"), Stranger::of_credential("one")),
        (
            asked().header("authorization", "Basic YTpi").header("x-api-key", "key"),
            Stranger::of_credential("key"),
        ),
        (asked().bearer_auth("one").header("x-api-key", ""), Stranger::of_credential("one")),
        (asked().bearer_auth("one").bearer_auth("other"), network("203.0.113.7")),
    ] {
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 400);
        let problem: Value = response.json().await.unwrap();
        assert_eq!(problem["code"], "CREDENTIALS_CONFLICT");
        assert_eq!(fake.last(), nobody(name));
    }

    for (lines, name) in [
        (&["203.0.113.7"][..], "203.0.113.0"),
        (&["198.51.100.1, 203.0.113.9"], "203.0.113.0"),
        (&["198.51.100.1", "2001:db8:1::2"], "2001:db8:1::"),
        (&["not an address"], "127.0.0.1"),
    ] {
        // On a public route nobody looks at a credential.
        let mut request = Client::new().get(edge.url("/headers")).bearer_auth(&edge.token);
        for line in lines {
            request = request.header("x-forwarded-for", *line);
        }
        assert_eq!(request.send().await.unwrap().status(), 200);
        assert_eq!(fake.last(), nobody(network(name)), "{lines:?}");
    }
    assert!(fake.asked.lock().unwrap().is_empty(), "each request was charged once");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_url_that_verified_is_charged_to_its_tenant_apart_and_any_other_to_its_network() {
    let fake = Fake::new(Verdict::Passes(None));
    let limits = Limits {
        limiter: fake.clone(),
        unverified: Unverified::new(1, Duration::from_secs(60)),
        trusted_proxies: Vec::new(),
    };
    let verify = |request: &actix_web::HttpRequest| {
        let tenant = request.match_info().query("path").split('/').next()?;
        (request.query_string() == "signature=good").then(|| TenantId::parse(tenant).ok())?
    };
    let edge = TestEdge::start_with(|edge| edge.limits(limits).signed_for(verify)).await;
    let get = async |path: &str| Client::new().get(edge.url(path)).send().await.unwrap().status().as_u16();
    for path in ["/files/acme/a.zip?signature=good", "/files/acme/b.zip?signature=good"] {
        assert_eq!(get(path).await, 200);
        let charge = Charge {
            budget: Budget::Downloads,
            owner: Owner::Tenant(TenantId::parse("acme").unwrap()),
            key: Key::Stranger(Stranger::of_credential(path)),
            tier: Tier::Enterprise,
            passes_uncounted: false,
        };
        assert_eq!(fake.last(), charge, "each URL has a bucket of its own");
    }
    // A bad signature, and a good one where none is asked for.
    for path in ["/files/acme/a.zip?signature=bad", "/files/acme/a.zip", "/headers?signature=good"] {
        assert_eq!(get(path).await, 200);
        assert_eq!(fake.last(), nobody(network("127.0.0.1")), "{path}");
    }
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn credentials_that_do_not_verify_ask_nobody_above_their_networks_budget() {
    let fake = Fake::new(Verdict::Passes(None));
    let edge = start(&fake, 3).await;
    let guess = |number: usize, address: &str| {
        from(&edge, "/v1/session", address).bearer_auth(format!("guess-{number}"))
    };
    let line = r#"rate_limit_rejected_total{key_id="none",reason="key_limit",tier="free"} "#;
    let rejected = || -> u64 {
        let text = metrics_text();
        text.lines().find_map(|found| found.strip_prefix(line)).map_or(0, |count| count.parse().unwrap())
    };
    let before = rejected();
    for number in 0..8 {
        let response = guess(number, &format!("203.0.113.{number}")).send().await.unwrap();
        assert_eq!(response.status(), if number < 3 { 401 } else { 429 }, "{number}");
        if number >= 3 {
            assert_eq!(header(&response, "ratelimit-policy"), Some(r#""network";q=3;w=3600"#));
            assert!(header(&response, "retry-after").is_some());
            let problem: Value = response.json().await.unwrap();
            assert_eq!(problem["violated-policies"], json!(["network"]));
        }
    }
    assert_eq!(fake.asked.lock().unwrap().len(), 3, "random tokens buy nothing");
    assert_eq!(rejected() - before, 5, "each rejection once");
    assert_eq!(
        guess(9, "198.51.100.1").send().await.unwrap().status(),
        401,
        "another network is not concerned"
    );
    let public = from(&edge, "/headers", "203.0.113.1").send().await.unwrap();
    assert_eq!(public.status(), 200, "nor is who brings no credential");
    edge.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_say_what_an_outage_may_take_away() {
    let rows = || {
        let row = |path| Route::get(path, Access::Public, async || no_content());
        vec![row("/limited"), row("/counted").limit(Limit::Counted), row("/exempt").limit(Limit::Exempt)]
    };
    let fake = Fake::new(Verdict::Passes(None));
    let limits = Limits {
        limiter: fake.clone(),
        unverified: Unverified::new(1, Duration::from_secs(60)),
        trusted_proxies: Vec::new(),
    };
    let edge = TestEdge::start_of(rows(), |edge| edge.limits(limits)).await;
    for (path, asked) in [("/limited", Some(false)), ("/counted", Some(true)), ("/exempt", None)] {
        assert_eq!(Client::new().get(edge.url(path)).send().await.unwrap().status(), 204);
        let charge = fake.asked.lock().unwrap().pop();
        assert_eq!(charge.map(|charge| charge.passes_uncounted), asked, "{path}");
    }
    edge.stop().await;
}
