//! `ExchangePreflightToken`: a service hands in its caller's PREFLIGHT_JWT and goes on with one that is no wider.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use mintmark_auth::{DEFAULT_ISSUER, ServiceVerifier, SigningKey, TokenSource, TrustStore, audience, scope};
use mintmark_fault::{Fault, Kind};
use mintmark_ids::{ServiceName, TenantId};
use mintmark_rpc::client::{ControlPlane, ExchangedToken};
use serde_json::{Value, json};

use crate::harness::{Plane, text, trust_bundle};
use crate::stage::count;

/// A console with its own key, and a tenant whose caller has a token.
struct Console {
    plane: Plane,
    tenant: TenantId,
    client: ControlPlane,
}

impl Console {
    async fn start() -> Self {
        let plane = Plane::start().await;
        let tenant = TenantId::parse(&plane.tenant().await).unwrap();
        let source = source(&plane, "console.pem", ServiceName::Console);
        let client = ControlPlane::new(&format!("http://{}", plane.grpc), source).unwrap();
        Console { plane, tenant, client }
    }

    async fn issue(&self, tenant: &str, scopes: &[&str]) -> String {
        let order = json!({ "tenantId": tenant, "scopes": scopes });
        let made = self.plane.admin("POST", "/api/admin/preflight-tokens", order).await.expect(201);
        text(&made, "token").to_owned()
    }

    async fn exchange(&self, presented: &str, scopes: &[&str]) -> Result<ExchangedToken, Fault> {
        self.client.exchange_preflight(&self.tenant, presented, scopes).await
    }
}

/// What mints with a key of the plane's folder.
fn source(plane: &Plane, key: &str, service: ServiceName) -> TokenSource {
    let pem = std::fs::read_to_string(plane.folder.path().join(key)).unwrap();
    TokenSource::new(service, SigningKey::from_pem(&pem).unwrap(), DEFAULT_ISSUER)
}

fn claims(token: &str) -> Value {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_gives_a_token_that_is_no_wider_and_ends_no_later() {
    let console = Console::start().await;
    let presented = console.issue(console.tenant.as_str(), &["preflight:read", "jobs:read"]).await;
    let wanted = ["preflight:read", "preflight:write"];
    let given = console.exchange(&presented, &wanted).await.unwrap();
    assert_eq!(given.scopes(), ["preflight:read"]);
    assert_ne!(given.expose(), presented);
    let (own, new) = (claims(&presented), claims(given.expose()));
    for same in ["iss", "aud", "sub", "tenantId", "tier", "exp"] {
        assert_eq!(own[same], new[same], "{same}");
    }
    assert_eq!(new["scp"], json!(["preflight:read"]));
    assert_ne!(own["jti"], new["jti"]);
    let trust = TrustStore::fixed(trust_bundle(console.plane.folder.path()));
    let caller = ServiceVerifier::new(trust, audience::PREFLIGHT).verify(given.expose()).unwrap();
    assert_eq!(caller.expires_at(), given.expires_at());

    // Exchanged again it is still no wider, and nothing asked for is everything it has.
    let again = console.exchange(given.expose(), &[]).await.unwrap();
    assert_eq!(again.scopes(), ["preflight:read"]);
    assert!(again.expires_at() <= given.expires_at());
    let entries = "SELECT count(*) AS n FROM audit_entry WHERE action = 'PREFLIGHT_TOKEN_MINTED' AND outcome = 'allowed' \
                   AND actor = 'service:console' AND detail->>'subject' = 'service:control-plane'";
    assert_eq!(count(&console.plane, entries).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_of_what_is_no_good_preflight_token_is_refused() {
    let console = Console::start().await;
    let shop = console.plane.shop().await;
    let good = console.issue(console.tenant.as_str(), &["jobs:read"]).await;
    let (rest, signature) = good.rsplit_once('.').unwrap();
    let turned: String = signature.chars().rev().collect();
    let own = source(&console.plane, "console.pem", ServiceName::Console);
    let own = own.for_tenant(audience::PREFLIGHT, &console.tenant, &[scope::JOBS_READ]);
    for (what, presented) in [
        ("nothing", String::new()),
        ("no JWT", "swordfish".to_owned()),
        ("another signature", format!("{rest}.{turned}")),
        ("a session", shop.owner.session.clone()),
        ("the control token", console.plane.control.clone()),
        ("one that the console signed itself", own.expose().to_owned()),
        ("with the word Bearer", format!("Bearer {good}")),
    ] {
        let fault = console.exchange(&presented, &[]).await.unwrap_err();
        assert_eq!(
            (fault.kind(), fault.code()),
            (Kind::Unauthenticated, "AUTHENTICATION_REQUIRED"),
            "{what}"
        );
    }
    let entries = "SELECT count(*) AS n FROM audit_entry WHERE actor = 'service:console'";
    assert_eq!(count(&console.plane, entries).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_for_another_tenant_or_other_scopes_is_refused_and_audited() {
    let console = Console::start().await;
    let other = console.plane.tenant().await;
    let theirs = console.issue(&other, &["jobs:read"]).await;
    let fault = console.exchange(&theirs, &[]).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "TENANT_MISMATCH"));

    let ours = console.issue(console.tenant.as_str(), &["jobs:read"]).await;
    let fault = console.exchange(&ours, &["preflight:write"]).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Forbidden, "FORBIDDEN"));
    assert_eq!(fault.members()["requiredScope"], "preflight:write");
    assert_eq!(fault.members()["grantedScopes"], json!(["jobs:read"]));

    let fault = console.exchange(&ours, &["directory:publish"]).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Unprocessable, "UNKNOWN_SCOPE"));
    let entries =
        "SELECT count(*) AS n FROM audit_entry WHERE actor = 'service:console' AND outcome = 'refused'";
    assert_eq!(count(&console.plane, entries).await, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn exchange_is_for_whom_the_bundle_names_and_the_client_says_whose_mistake_it_is() {
    let console = Console::start().await;
    let good = console.issue(console.tenant.as_str(), &["jobs:read"]).await;
    // The control plane's own key may not say this scope, and a stranger's key says nothing.
    for (key, service) in
        [("identity.pem", ServiceName::ControlPlane), ("sessions.pem", ServiceName::Console)]
    {
        let source = source(&console.plane, key, service);
        let client = ControlPlane::new(&format!("http://{}", console.plane.grpc), source).unwrap();
        let fault = client.exchange_preflight(&console.tenant, &good, &[]).await.unwrap_err();
        assert_eq!(fault.kind(), Kind::Internal, "our misconfiguration is not the caller's: {fault}");
    }
    let source = source(&console.plane, "console.pem", ServiceName::Console);
    let nobody = ControlPlane::new("http://127.0.0.1:1", source).unwrap();
    let fault = nobody.exchange_preflight(&console.tenant, &good, &[]).await.unwrap_err();
    assert_eq!((fault.kind(), fault.code()), (Kind::Unavailable, "CONTROL_PLANE_UNAVAILABLE"));
}
