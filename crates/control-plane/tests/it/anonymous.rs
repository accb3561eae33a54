//! Every route refuses whoever does not bring the one credential that it takes.

use mintmark_control_plane::http::routes;
use mintmark_web::Access;
use serde_json::json;

use crate::harness::Plane;

/// The route's path with something plausible in the place of each parameter.
fn concrete(template: &str) -> String {
    let filled = |segment: &str| match segment {
        "{tenantId}" => "acme".to_owned(),
        "{userId}" => "usr_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        "{membershipId}" => "mem_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        "{brandId}" => "brd_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        "{productId}" => "prd_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        "{batchId}" => "bat_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        "{exportId}" => "exp_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        "{disputeId}" => "dsp_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        "{evidenceId}" => "evd_01h45ytscbebyvny4gc8cr8ma2".to_owned(),
        "{serial}" => "1".to_owned(),
        other => other.to_owned(),
    };
    template.split('/').map(filled).collect::<Vec<_>>().join("/")
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_refuses_the_wrong_credential_before_it_reads_anything() {
    let plane = Plane::start().await;
    let person = plane.person(&plane.tenant().await, true).await;
    let mut altered = person.session.clone();
    altered.truncate(altered.len() - 2);
    let mut seen = 0;
    for route in routes().iter().filter(|route| route.access().needs_credentials()) {
        let path = concrete(route.template());
        let foreign = if route.access() == Access::ControlToken { &person.session } else { &plane.control };
        // A body that no route takes: were it read first, the answer would be 400.
        let body = json!({ "unknown": true });
        for token in [None, Some(""), Some("garbage"), Some(altered.as_str()), Some(foreign.as_str())] {
            let reply = plane.send(route.method().as_str(), &path, token, &[], Some(&body)).await;
            assert_eq!(reply.problem(401), "AUTHENTICATION_REQUIRED", "{route:?} {token:?}");
            assert!(reply.header("www-authenticate").is_some(), "{route:?}");
        }
        seen += 1;
    }
    assert!(seen >= 20, "only {seen} routes were walked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_of_another_issuer_or_key_is_refused() {
    let (plane, other) = (Plane::start().await, Plane::start().await);
    let tenant = other.tenant().await;
    let stranger = other.person(&tenant, true).await;
    assert_eq!(plane.get(&stranger, "/v1/brands").await.problem(401), "AUTHENTICATION_REQUIRED");
    other.get(&stranger, "/v1/brands").await.expect(200);
}
