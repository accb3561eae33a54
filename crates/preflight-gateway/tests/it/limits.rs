//! Every route is counted; while nobody can count, the closed mode refuses.

use std::path::Path;

use mintmark_auth::SigningKey;
use mintmark_preflight_gateway::http::routes;

use crate::stage::Stage;

/// A fresh key of the gateway's own, in this folder.
pub fn own_key(folder: &Path) -> String {
    let key = folder.join("identity.pem");
    std::fs::write(&key, SigningKey::generate_pem().as_str()).unwrap();
    key.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_is_refused_while_nobody_can_count_it() {
    let folder = tempfile::tempdir().unwrap();
    let key = own_key(folder.path());
    let stage = Stage::start_with(&[
        ("RATE_LIMIT_ENABLED", "true"),
        ("RATE_LIMIT_FAIL_OPEN", "false"),
        ("RATELIMIT_GRPC_URL", "http://127.0.0.1:1"),
        ("PREFLIGHT_SIGNING_KEY_FILE", &key),
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
