//! Every route is counted; while nobody can count, the closed mode refuses.

use mintmark_auth::SigningKey;
use mintmark_preflight_gateway::http::routes;

use crate::stage::Stage;

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_refused_while_nobody_can_count_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("identity.pem");
    std::fs::write(&key, SigningKey::generate_pem().as_str()).unwrap();
    let stage = Stage::start_with(&[
        ("RATE_LIMIT_ENABLED", "true"),
        ("RATE_LIMIT_FAIL_OPEN", "false"),
        ("RATELIMIT_GRPC_URL", "http://127.0.0.1:1"),
        ("PREFLIGHT_SIGNING_KEY_FILE", key.to_str().unwrap()),
    ])
    .await;
    let all = stage.all();
    for route in routes() {
        let path = route.template().replace("{jobId}", "none").replace("{policy}", "none");
        let path = path.replace("{schema}", "facts");
        let reply = stage.send(route.method().as_str(), &path, Some(&all), &[], None).await;
        assert_eq!(reply.problem(503), "RATE_LIMIT_UNAVAILABLE", "{route:?}");
        assert!(reply.headers.contains_key("retry-after"));
    }
}
