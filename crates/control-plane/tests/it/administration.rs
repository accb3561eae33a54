//! `/v1/admin`: what administrators do in person and through keys, and that nobody gives what they have not.

use serde_json::{Value, json};

use mintmark_audit::token::Jwks;
use mintmark_audit::verify::{Trust, bundle};

use crate::directory::{FakeDirectory, Trouble};
use crate::harness::{Person, Plane, Reply, Shop, next, text};
use crate::stage::{Another, eventually, order, until, working};

/// A key of a person; its text.
async fn key(plane: &Plane, who: &Person, scopes: &[&str]) -> String {
    let body = json!({ "name": "A key", "scopes": scopes });
    let made = plane.as_person(who, "POST", "/v1/api-keys", body).await.expect(201);
    text(&made, "key").to_owned()
}

async fn ask(plane: &Plane, key: &str, method: &str, path: &str, body: Value) -> Reply {
    let body = (!body.is_null()).then_some(&body);
    plane.send(method, path, None, &[("X-API-Key", key)], body).await
}

/// The code of a refusal for want of rights of the key's maker; like every 403 of a key it says what the key has.
fn beyond_its_maker(refused: &Reply) -> &str {
    let scopes = (&refused.body["requiredScope"], &refused.body["grantedScopes"]);
    assert_eq!(scopes, (&json!("admin:write"), &json!(["admin:write"])), "{:#}", refused.body);
    refused.problem(403)
}

async fn act_as(plane: &Plane, key: &str, user: &str) -> Reply {
    ask(plane, key, "POST", &format!("/v1/admin/users/{user}/impersonate"), json!({})).await
}

/// A tenant administrator who is Owner of a brand too, a member of it, and a second tenant.
async fn cast(plane: &Plane) -> (Shop, Person, Shop) {
    let shop = plane.shop().await;
    let member = plane.person(&shop.owner.tenant, false).await;
    plane.grant(&member, &shop.brand, "member").await;
    (shop, member, plane.shop().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn reading_needs_admin_read_and_stays_within_the_tenant() {
    let plane = Plane::start().await;
    let (shop, member, other) = cast(&plane).await;
    let reader = key(&plane, &shop.owner, &["admin:read"]).await;
    let writer = key(&plane, &shop.owner, &["admin:write"]).await;
    for path in ["/v1/admin/users", "/v1/admin/audit-entries", "/v1/admin/failed-events"] {
        let seen = ask(&plane, &reader, "GET", path, Value::Null).await.expect(200).to_string();
        assert!(!seen.contains(&other.owner.tenant) && !seen.contains(&other.owner.id), "{path}: {seen}");
        let refused = ask(&plane, &writer, "GET", path, Value::Null).await;
        assert_eq!(refused.problem(403), "FORBIDDEN", "{path}");
        assert_eq!(refused.body["requiredScope"], "admin:read");
        assert_eq!(refused.body["grantedScopes"], json!(["admin:write"]));
        plane.get(&shop.owner, path).await.expect(200);
        let refused = plane.get(&member, path).await;
        assert_eq!((refused.problem(403), &refused.body["grantedScopes"]), ("FORBIDDEN", &json!([])));
        assert_eq!(plane.send("GET", path, None, &[], None).await.problem(401), "AUTHENTICATION_REQUIRED");
        assert_eq!(plane.send("GET", path, Some(&plane.control), &[], None).await.status, 401);
    }
    let users = ask(&plane, &reader, "GET", "/v1/admin/users?limit=1", Value::Null).await.expect(200);
    assert_eq!(users["items"].as_array().unwrap().len(), 1);
    assert!(users["nextCursor"].is_string());
    let refused = "/v1/admin/audit-entries?action=ACCESS_REFUSED&resourceKind=tenant";
    let noted = ask(&plane, &reader, "GET", refused, Value::Null).await.expect(200);
    let by: Vec<&str> = noted["items"].as_array().unwrap().iter().map(|entry| text(entry, "actor")).collect();
    assert!(by.iter().any(|actor| actor.starts_with("api-key:key_")), "{noted:#}");
    assert!(by.contains(&format!("user:{}", member.id).as_str()), "{noted:#}");
    let mine = format!("/v1/admin/audit-entries?actor=user:{}&from=2020-01-01T00:00:00Z", member.id);
    let entries = ask(&plane, &reader, "GET", &mine, Value::Null).await.expect(200);
    assert!(!entries["items"].as_array().unwrap().is_empty());
    assert!(entries["items"].as_array().unwrap().iter().all(|entry| entry["outcome"] == "refused"));
    let wrong = ask(&plane, &reader, "GET", "/v1/admin/audit-entries?from=yesterday", Value::Null).await;
    assert_eq!(wrong.problem(400), "INVALID_QUERY");
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_given_up_to_ones_own_and_never_those_of_the_operator() {
    let plane = Plane::start().await;
    let (shop, member, other) = cast(&plane).await;
    let writer = key(&plane, &shop.owner, &["admin:write"]).await;
    let newcomer = plane.person(&shop.owner.tenant, false).await;
    let path = format!("/v1/admin/users/{}/roles", newcomer.id);
    for role in ["ARBITRATOR", "GOVERNANCE"] {
        let refused = ask(&plane, &writer, "POST", &path, json!({ "role": role })).await;
        assert_eq!(beyond_its_maker(&refused), "ROLE_NOT_ASSIGNABLE", "{role}");
    }
    ask(&plane, &writer, "POST", &path, json!({ "role": "USER" })).await.expect(201);
    let given = json!({ "role": "owner", "brandId": shop.brand });
    let made = ask(&plane, &writer, "POST", &path, given.clone()).await.expect(201);
    plane.get(&newcomer, &format!("/v1/brands/{}", shop.brand)).await.expect(200);

    // A colleague who administers the tenant and has no role for the brand gives none for it, in person or by a key.
    let chief = plane.person(&shop.owner.tenant, true).await;
    let chiefs = key(&plane, &chief, &["admin:write"]).await;
    let to_member = format!("/v1/admin/users/{}/roles", chief.id);
    let refused = ask(&plane, &chiefs, "POST", &to_member, given.clone()).await;
    assert_eq!(beyond_its_maker(&refused), "ROLE_NOT_ASSIGNABLE");
    assert_eq!((&refused.body["requiredRole"], &refused.body["grantedRoles"]), (&json!("owner"), &json!([])));
    let in_person = plane.as_person(&chief, "POST", &to_member, given.clone()).await;
    assert_eq!(
        (in_person.problem(403), &in_person.body["requiredScope"]),
        ("ROLE_NOT_ASSIGNABLE", &Value::Null)
    );
    let remove = format!("/v1/admin/roles/{}", text(&made, "id"));
    let refused = ask(&plane, &chiefs, "DELETE", &remove, Value::Null).await;
    assert_eq!(beyond_its_maker(&refused), "ROLE_NOT_ASSIGNABLE");
    assert_eq!(plane.as_person(&member, "DELETE", &remove, Value::Null).await.status, 403);
    let theirs = key(&plane, &other.owner, &["admin:write"]).await;
    assert_eq!(ask(&plane, &theirs, "DELETE", &remove, Value::Null).await.problem(404), "NOT_FOUND");
    assert_eq!(ask(&plane, &theirs, "POST", &path, json!({ "role": "USER" })).await.status, 404);

    ask(&plane, &writer, "DELETE", &remove, Value::Null).await.expect(204);
    assert_eq!(plane.get(&newcomer, &format!("/v1/brands/{}", shop.brand)).await.status, 403);
    let arbitrator = json!({ "userId": member.id, "role": "ARBITRATOR" });
    let held = plane.admin("POST", "/api/admin/memberships", arbitrator).await.expect(201);
    let remove = format!("/v1/admin/roles/{}", text(&held, "id"));
    let refused = ask(&plane, &writer, "DELETE", &remove, Value::Null).await;
    assert_eq!(beyond_its_maker(&refused), "ROLE_NOT_ASSIGNABLE");
}

#[tokio::test(flavor = "multi_thread")]
async fn impersonation_gives_no_right_that_one_has_not_and_ends_with_its_key() {
    let plane = Plane::start().await;
    let (shop, member, other) = cast(&plane).await;
    let writer = key(&plane, &shop.owner, &["admin:write"]).await;
    let made = act_as(&plane, &writer, &member.id).await.expect(201);
    let lives =
        text(&made, "expiresAt").parse::<chrono::DateTime<chrono::Utc>>().unwrap() - chrono::Utc::now();
    assert!(lives.num_seconds() <= 900, "{lives}");
    let session = text(&made, "token");
    let brand = format!("/v1/brands/{}", shop.brand);
    plane.send("GET", &brand, Some(session), &[], None).await.expect(200);

    let entries =
        plane.get(&shop.owner, "/v1/admin/audit-entries?action=IMPERSONATION_STARTED").await.expect(200);
    let entry = &entries["items"][0];
    assert!(text(entry, "actor").starts_with("api-key:key_"), "{entry:#}");
    assert_eq!(entry["resourceId"], member.id.as_str());

    assert_eq!(act_as(&plane, &writer, &other.owner.id).await.problem(404), "NOT_FOUND");
    let judge = plane.person(&shop.owner.tenant, false).await;
    let role = json!({ "userId": judge.id, "role": "ARBITRATOR" });
    plane.admin("POST", "/api/admin/memberships", role).await.expect(201);
    assert_eq!(beyond_its_maker(&act_as(&plane, &writer, &judge.id).await), "RIGHTS_EXCEEDED");
    let chief = plane.person(&shop.owner.tenant, true).await;
    let chiefs = key(&plane, &chief, &["admin:write"]).await;
    let refused = act_as(&plane, &chiefs, &member.id).await;
    assert_eq!(beyond_its_maker(&refused), "RIGHTS_EXCEEDED", "the chief has no brand");
    plane
        .admin("PATCH", &format!("/api/admin/users/{}", judge.id), json!({ "disabled": true }))
        .await
        .expect(200);
    assert_eq!(act_as(&plane, &writer, &judge.id).await.problem(409), "USER_DISABLED");
    let too_long = format!("/v1/admin/users/{}/impersonate", member.id);
    let reply = ask(&plane, &writer, "POST", &too_long, json!({ "ttlSecs": 901 })).await;
    assert_eq!(reply.problem(400), "TTL_OUT_OF_RANGE");

    // The person gains a right that the key's maker has not: the session is worth nothing until that is gone.
    let role = json!({ "userId": member.id, "role": "GOVERNANCE" });
    let gained = plane.admin("POST", "/api/admin/memberships", role).await.expect(201);
    assert_eq!(plane.send("GET", &brand, Some(session), &[], None).await.status, 401);
    let gone = format!("/api/admin/memberships/{}", text(&gained, "id"));
    plane.admin("DELETE", &gone, Value::Null).await.expect(204);
    plane.send("GET", &brand, Some(session), &[], None).await.expect(200);
    plane.sql("UPDATE api_key SET revoked_at = clock_timestamp()").await;
    assert_eq!(
        plane.send("GET", &brand, Some(session), &[], None).await.problem(401),
        "AUTHENTICATION_REQUIRED"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn impersonation_reaches_no_minting_export_token_role_or_key_under_any_scope() {
    let plane = Plane::start().await;
    let (shop, ..) = cast(&plane).await;
    let batch = plane.batch(&shop.owner, &shop.brand, &shop.product, 3).await;
    let batch = text(&batch, "id");
    plane.sql("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 7").await;
    let exports = format!("/v1/batches/{batch}/exports");
    let export = plane.as_person(&shop.owner, "POST", &exports, json!({})).await.expect(202);
    let export = text(&export, "id");
    let order = json!({ "productId": shop.product, "units": 1, "mode": "static" });
    let user = &shop.owner.id;
    let acts = [
        ("POST", format!("/v1/brands/{}/batches", shop.brand), order),
        ("POST", format!("/v1/batches/{batch}/cancel"), Value::Null),
        ("POST", format!("/v1/batches/{batch}/revoke"), json!({ "reason": "test" })),
        ("POST", format!("/v1/batches/{batch}/codes/revoke"), json!({ "serials": [1] })),
        ("POST", format!("/v1/batches/{batch}/secret/destroy"), json!({ "confirm": batch })),
        ("POST", format!("/v1/batches/{batch}/tokens/1/reveal"), Value::Null),
        ("POST", exports, json!({})),
        ("POST", format!("/v1/exports/{export}/cancel"), Value::Null),
        ("GET", format!("/v1/exports/{export}/download"), Value::Null),
        ("POST", "/v1/preflight-tokens".to_owned(), json!({ "scopes": ["jobs:read"] })),
        ("POST", "/v1/brands".to_owned(), json!({ "name": "Another" })),
        ("POST", "/v1/api-keys".to_owned(), json!({ "name": "A key", "scopes": ["trust:read"] })),
        ("GET", "/v1/api-keys".to_owned(), Value::Null),
        ("POST", format!("/v1/admin/users/{user}/roles"), json!({ "role": "USER" })),
        ("POST", format!("/v1/admin/users/{user}/impersonate"), json!({})),
        ("POST", "/v1/admin/audit-exports".to_owned(), json!({})),
    ];
    for scope in ["admin:write", "enterprise"] {
        let writer = key(&plane, &shop.owner, &[scope]).await;
        let made = act_as(&plane, &writer, user).await.expect(201);
        let session = text(&made, "token");
        for (method, path, body) in &acts {
            let name = format!("key-{}", next());
            let headers = [("Idempotency-Key", name.as_str())];
            let body = (!body.is_null()).then_some(body);
            let refused = plane.send(method, path, Some(session), &headers, body).await;
            assert_eq!(refused.problem(403), "IMPERSONATION_REFUSED", "{scope}: {method} {path}");
        }
        plane.send("GET", &format!("/v1/batches/{batch}"), Some(session), &[], None).await.expect(200);
    }
    for scope in [
        "trust:read",
        "attestations:read",
        "attestations:write",
        "payouts:write",
        "reports:generate",
        "exports:read",
        "webhooks:admin",
        "admin:read",
        "public",
    ] {
        let key = key(&plane, &shop.owner, &[scope]).await;
        let refused = act_as(&plane, &key, user).await;
        assert_eq!(
            (refused.problem(403), &refused.body["requiredScope"]),
            ("FORBIDDEN", &json!("admin:write"))
        );
    }
    let both = format!("user:{user} by api-key:key_");
    let noted =
        plane.get(&shop.owner, "/v1/admin/audit-entries?action=ACCESS_REFUSED&limit=200").await.expect(200);
    let under_both =
        noted["items"].as_array().unwrap().iter().filter(|entry| text(entry, "actor").starts_with(&both));
    assert_eq!(under_both.count(), 2 * acts.len(), "each refusal is in the audit under both names");
}

#[tokio::test(flavor = "multi_thread")]
async fn failed_events_are_listed_and_run_again_once() {
    let directory = FakeDirectory::start().await;
    let plane = working(&directory.url()).await;
    let shop = plane.shop().await;
    let other = plane.shop().await;
    directory.trouble(Trouble::RefuseChunkOnce(0, "CODE_EXISTS"));
    let batch = order(&plane, &shop, 30).await;
    until(&plane, &shop, &format!("/v1/batches/{batch}"), "failed").await;
    let reader = key(&plane, &shop.owner, &["admin:read"]).await;
    let writer = key(&plane, &shop.owner, &["admin:write"]).await;
    let strangers = key(&plane, &other.owner, &["enterprise"]).await;
    let events = "/v1/admin/failed-events";
    let failed = ask(&plane, &reader, "GET", events, Value::Null).await.expect(200);
    let event = &failed["items"][0];
    assert_eq!((text(event, "kind"), &event["replays"]), ("mint-batch", &json!(0)));
    assert!(text(event, "lastError").starts_with("CODE_EXISTS"), "{event:#}");
    let empty = ask(&plane, &strangers, "GET", events, Value::Null).await.expect(200);
    assert_eq!(empty["items"], json!([]));
    let replay = format!("{events}/{}/replay", text(event, "id"));
    assert_eq!(ask(&plane, &strangers, "POST", &replay, Value::Null).await.problem(404), "NOT_FOUND");
    assert_eq!(ask(&plane, &reader, "POST", &replay, Value::Null).await.problem(403), "FORBIDDEN");
    let (one, two) = tokio::join!(
        ask(&plane, &writer, "POST", &replay, Value::Null),
        ask(&plane, &writer, "POST", &replay, Value::Null)
    );
    let mut both = [one.status, two.status];
    both.sort_unstable();
    assert_eq!(both, [202, 409], "of two at once one replays it");
    let sealed = async || {
        let view = plane.get(&shop.owner, &format!("/v1/batches/{batch}")).await.expect(200);
        (text(&view, "state") == "sealed").then_some(())
    };
    eventually("the replayed batch is sealed", sealed).await;
    assert_eq!(ask(&plane, &writer, "POST", &replay, Value::Null).await.problem(409), "JOB_NOT_DEAD");
}

#[tokio::test(flavor = "multi_thread")]
async fn audit_export_is_a_file_of_the_tenants_entries_with_their_commitments() {
    let plane = Plane::start().await;
    let (shop, _, other) = cast(&plane).await;
    let exporter = key(&plane, &shop.owner, &["exports:read"]).await;
    let reader = key(&plane, &shop.owner, &["admin:read"]).await;
    let path = "/v1/admin/audit-exports";
    let refused = ask(&plane, &reader, "POST", path, json!({})).await;
    assert_eq!((refused.problem(403), &refused.body["requiredScope"]), ("FORBIDDEN", &json!("exports:read")));
    let empty = json!({ "from": "2026-02-01T00:00:00Z", "to": "2026-01-01T00:00:00Z" });
    assert_eq!(ask(&plane, &exporter, "POST", path, empty).await.problem(400), "RANGE_EMPTY");
    let asked = ask(&plane, &exporter, "POST", path, json!({})).await.expect(202);
    let one = format!("{path}/{}", text(&asked, "id"));
    let download = format!("{one}/download");
    assert_eq!(ask(&plane, &exporter, "GET", &download, Value::Null).await.problem(409), "EXPORT_NOT_READY");
    let strangers = key(&plane, &other.owner, &["exports:read"]).await;
    assert_eq!(ask(&plane, &strangers, "GET", &one, Value::Null).await.problem(404), "NOT_FOUND");

    let _worker = Another::beside(&plane, &[("JOB_WORKERS", "1")]).await;
    let ready = async || {
        let view = ask(&plane, &exporter, "GET", &one, Value::Null).await.expect(200);
        (text(&view, "state") == "ready").then_some(view)
    };
    let view = eventually("the audit export is ready", ready).await;
    let link = ask(&plane, &exporter, "GET", &download, Value::Null).await.expect(200);
    let url = reqwest::Url::parse(text(&link, "url")).unwrap();
    let here = format!("{}?{}", url.path(), url.query().unwrap());
    let file = plane.send("GET", &here, None, &[], None).await.expect(200);
    let file = text(&json!({ "file": file }), "file").to_owned();
    let jwks = plane.send("GET", "/.well-known/jwks.json", None, &[], None).await.expect(200);
    let trust = Trust { jwks: Jwks::parse(&jwks.to_string()).unwrap(), ..Trust::default() };
    let mut entries = Vec::new();
    let report = bundle(file.as_bytes(), &trust, |entry| entries.push(entry.clone())).unwrap();
    // No sequencer runs here: nothing is proven, everything is there, and the file says what it does not hold.
    assert_eq!((report.proven, report.pending), (0, entries.len() as u64));
    assert_eq!(report.header.missing, ["evidence-vault"]);
    assert_eq!(view["entries"], entries.len());
    assert!(entries.iter().all(|entry| entry.tenant_id.as_deref() == Some(shop.owner.tenant.as_str())));
    assert!(entries.iter().any(|entry| entry.action == "API_KEY_CREATED"));
    assert!(entries.windows(2).all(|pair| pair[0].id < pair[1].id));
    let bent = file.replacen("API_KEY_CREATED", "API_KEY_DELETED", 1);
    assert!(bundle(bent.as_bytes(), &trust, |_| {}).is_err());
}
