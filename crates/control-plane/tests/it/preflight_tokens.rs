//! PREFLIGHT_JWTs: whoever gets one, with what in it, and what the audit then knows.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintmark_auth::{
    Grant, ServiceVerifier, SigningKey, Tier, TokenError, TrustBundle, TrustStore, TrustedKey, audience,
};
use mintmark_ids::ServiceName;
use serde_json::{Value, json};

use crate::harness::{Plane, Reply, text};
use crate::stage::count;

const EXCHANGE: &str = "/v1/preflight-tokens";
const ISSUE: &str = "/api/admin/preflight-tokens";
const ALL: [&str; 5] = ["preflight:read", "preflight:write", "preflight:analyze", "jobs:read", "jobs:write"];

/// What a preflight service would accept: the plane's key, the contract's issuer, audience and scopes.
fn verifier(plane: &Plane) -> ServiceVerifier {
    let pem = std::fs::read_to_string(plane.folder.path().join("identity.pem")).unwrap();
    let key = TrustedKey {
        jwk: SigningKey::from_pem(&pem).unwrap().public_jwk(),
        service: ServiceName::ControlPlane,
        grants: vec![Grant { aud: "ppos:control".to_owned(), scopes: ALL.map(str::to_owned).to_vec() }],
    };
    let bundle = TrustBundle::new("https://auth.printprice.pro", vec![key]).unwrap();
    ServiceVerifier::new(TrustStore::fixed(bundle), audience::PREFLIGHT)
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[track_caller]
fn lacks(reply: &Reply, required: &str, granted: &[&str]) {
    assert_eq!(reply.problem(403), "FORBIDDEN");
    assert_eq!(reply.body["requiredScope"], required);
    assert_eq!(reply.body["grantedScopes"], json!(granted));
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_gives_an_owner_a_token_that_a_preflight_service_accepts() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let tenant = &shop.owner.tenant;
    plane.admin("PATCH", &format!("/api/admin/tenants/{tenant}"), json!({ "tier": "pro" })).await.expect(200);

    let reply = plane.as_person(&shop.owner, "POST", EXCHANGE, json!({ "scopes": ALL })).await;
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    let made = reply.expect(201);
    assert_eq!(made["scopes"], json!(ALL));
    let token = text(&made, "token");
    let caller = verifier(&plane).verify(token).unwrap();
    assert_eq!(caller.tenant().as_str(), tenant);
    assert_eq!(caller.scopes(), ALL);
    assert_eq!(caller.subject(), format!("user:{}", shop.owner.id));
    assert_eq!(caller.tier(), Tier::Pro);

    let claims = claims(token);
    assert_eq!((text(&claims, "iss"), text(&claims, "aud")), ("https://auth.printprice.pro", "ppos:control"));
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 300);
    let ends = chrono::DateTime::parse_from_rfc3339(text(&made, "expiresAt")).unwrap();
    assert_eq!(ends.timestamp(), claims["exp"].as_i64().unwrap());

    // It opens the preflight service, and nothing here.
    let mut impostor = shop.owner.clone();
    impostor.session = token.to_owned();
    plane.get(&impostor, "/v1/brands").await.problem(401);
    let fault = verifier(&plane).verify(&shop.owner.session).unwrap_err();
    assert_eq!(fault, TokenError::Header, "a session is no PREFLIGHT_JWT");
    assert_eq!(verifier(&plane).verify(&plane.control).unwrap_err(), TokenError::ControlToken);
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_never_gives_more_than_the_role_carries() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let tenant = shop.owner.tenant.clone();
    let (admin, member) = (plane.person(&tenant, false).await, plane.person(&tenant, false).await);
    let (chief, stranger) = (plane.person(&tenant, true).await, plane.shop().await);
    plane.grant(&admin, &shop.brand, "admin").await;
    plane.grant(&member, &shop.brand, "member").await;
    let look = ["preflight:read", "jobs:read"];
    let ask = async |who, scopes: &[&str], brand: Option<&str>| {
        let mut body = json!({ "scopes": scopes });
        if let Some(brand) = brand {
            body["brandId"] = brand.into();
        }
        plane.as_person(who, "POST", EXCHANGE, body).await
    };

    ask(&admin, &ALL, None).await.expect(201);
    ask(&admin, &ALL, Some(&shop.brand)).await.expect(201);
    let narrow = ask(&admin, &["jobs:read"], None).await.expect(201);
    assert_eq!(claims(text(&narrow, "token"))["scp"], json!(["jobs:read"]), "no more than was asked for");
    let looking = ask(&member, &look, Some(&shop.brand)).await.expect(201);
    assert_eq!(verifier(&plane).verify(text(&looking, "token")).unwrap().scopes(), look);
    for scope in ["preflight:write", "preflight:analyze", "jobs:write"] {
        lacks(&ask(&member, &["preflight:read", scope], None).await, scope, &look);
    }
    lacks(&ask(&chief, &["preflight:read"], None).await, "preflight:read", &[]);
    lacks(&ask(&chief, &["jobs:read"], Some(&shop.brand)).await, "jobs:read", &[]);
    // Another tenant's brand is not there, whatever one is in one's own.
    assert_eq!(ask(&stranger.owner, &look, Some(&shop.brand)).await.problem(404), "NOT_FOUND");

    // A second brand: the role for the named one counts, or the highest.
    let second = plane.brand(&chief).await;
    plane.grant(&member, &second, "admin").await;
    ask(&member, &ALL, None).await.expect(201);
    lacks(&ask(&member, &["jobs:write"], Some(&shop.brand)).await, "jobs:write", &look);
}

#[tokio::test(flavor = "multi_thread")]
async fn issue_gives_the_operator_a_token_for_any_tenant() {
    let plane = Plane::start().await;
    let id = "ppos-production-worker";
    plane.admin("POST", "/api/admin/tenants", json!({ "id": id, "name": "Worker" })).await.expect(201);
    let made = plane.admin("POST", ISSUE, json!({ "tenantId": id, "scopes": ALL })).await.expect(201);
    let caller = verifier(&plane).verify(text(&made, "token")).unwrap();
    assert_eq!((caller.tenant().as_str(), caller.subject()), (id, "service:control-plane"));
    assert_eq!(caller.tier(), Tier::Free);

    let nobody = plane.admin("POST", ISSUE, json!({ "tenantId": "nobody", "scopes": ALL })).await;
    nobody.problem(404);
    assert_eq!(nobody.body["field"], "tenantId");
}

#[tokio::test(flavor = "multi_thread")]
async fn scopes_that_are_none_are_refused_by_both_routes() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let tenant = &shop.owner.tenant;
    for (scopes, status, code) in [
        (json!([]), 400, "SCOPES_REQUIRED"),
        (json!(["preflight:admin"]), 422, "UNKNOWN_SCOPE"),
        (json!(["preflight:read", "directory:publish"]), 422, "UNKNOWN_SCOPE"),
        (json!("preflight:read"), 400, "INVALID_BODY"),
    ] {
        let own = plane.as_person(&shop.owner, "POST", EXCHANGE, json!({ "scopes": scopes })).await;
        assert_eq!(own.problem(status), code, "{scopes}");
        let issued = plane.admin("POST", ISSUE, json!({ "tenantId": tenant, "scopes": scopes })).await;
        assert_eq!(issued.problem(status), code, "{scopes}");
    }
    // A body cannot name another tenant.
    let body = json!({ "scopes": ["jobs:read"], "tenantId": "other" });
    assert_eq!(plane.as_person(&shop.owner, "POST", EXCHANGE, body).await.problem(400), "INVALID_BODY");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_is_in_the_audit_and_none_leaves_without() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let tenant = &shop.owner.tenant;
    let scopes = json!({ "scopes": ["jobs:read"] });
    plane.as_person(&shop.owner, "POST", EXCHANGE, scopes.clone()).await.expect(201);
    plane.admin("POST", ISSUE, json!({ "tenantId": tenant, "scopes": ["jobs:read"] })).await.expect(201);
    for actor in [format!("user:{}", shop.owner.id), "control-token".to_owned()] {
        let query = format!(
            "SELECT count(*) AS n FROM audit_entry WHERE action = 'PREFLIGHT_TOKEN_MINTED' AND outcome = 'allowed'
             AND tenant_id = '{tenant}' AND actor = '{actor}' AND detail->'scopes' = '[\"jobs:read\"]'"
        );
        assert_eq!(count(&plane, &query).await, 1, "{actor}");
    }
    let leaked = "SELECT count(*) AS n FROM audit_entry e WHERE e::text LIKE '%eyJ%'";
    assert_eq!(count(&plane, leaked).await, 0, "the audit holds no token");

    plane.sql("REVOKE INSERT ON audit_entry FROM control_app").await;
    let reply = plane.as_person(&shop.owner, "POST", EXCHANGE, scopes).await;
    assert!(reply.status >= 500 && reply.body.get("token").is_none(), "{reply:?}");
}
