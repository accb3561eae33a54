//! API keys: who may make them, what they may carry, how they end, and that nothing ever shows one again.

use std::time::Instant;

use chrono::{DateTime, Duration, Utc};
use serde_json::{Value, json};

use crate::harness::{Person, Plane, Reply, next, text};
use crate::stage::Another;

const ALL: [&str; 9] = [
    "trust:read",
    "attestations:read",
    "attestations:write",
    "payouts:write",
    "reports:generate",
    "exports:read",
    "webhooks:admin",
    "admin:read",
    "admin:write",
];

async fn make(plane: &Plane, who: &Person, body: Value) -> Reply {
    plane.as_person(who, "POST", "/v1/api-keys", body).await
}

async fn key(plane: &Plane, who: &Person, scopes: &[&str]) -> Value {
    make(plane, who, json!({ "name": "A key", "scopes": scopes })).await.expect(201)
}

/// Asks something that needs `admin:read`.
async fn with_key(plane: &Plane, key: &str) -> Reply {
    with_key_at(plane, &plane.base, key).await
}

async fn with_key_at(plane: &Plane, base: &str, key: &str) -> Reply {
    plane.send_to(base, "GET", "/v1/admin/users", None, &[("X-API-Key", key)], None).await
}

#[tokio::test(flavor = "multi_thread")]
async fn create_gives_what_the_maker_may_grant_and_shows_the_key_once() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let admin = plane.person(&shop.owner.tenant, false).await;
    let member = plane.person(&shop.owner.tenant, false).await;
    plane.grant(&admin, &shop.brand, "admin").await;
    plane.grant(&member, &shop.brand, "member").await;
    let of_brand =
        ["trust:read", "attestations:read", "attestations:write", "reports:generate", "exports:read"];
    for scope in ALL.into_iter().chain(["public", "enterprise"]) {
        for (who, may) in
            [(&shop.owner, true), (&admin, of_brand.contains(&scope) || scope == "public"), (&member, false)]
        {
            let reply = make(&plane, who, json!({ "name": "A key", "scopes": [scope] })).await;
            if may {
                let made = reply.expect(201);
                assert!(text(&made, "key").starts_with("mmk_test_"), "no key in the answer");
                assert_eq!((made["scopes"].clone(), made["tier"].clone()), (json!([scope]), json!("free")));
                assert_eq!(made["createdBy"], who.id.as_str());
            } else {
                assert_eq!(reply.problem(403), "SCOPE_NOT_GRANTABLE", "{scope}");
                assert_eq!(reply.body["requiredScope"], scope);
                assert!(reply.body["grantedScopes"].is_array());
            }
        }
    }
    let made = key(&plane, &shop.owner, &["enterprise"]).await;
    let (id, secret) = (text(&made, "id"), text(&made, "key"));
    for path in
        ["/v1/api-keys".to_owned(), format!("/v1/api-keys/{id}"), "/v1/admin/audit-entries".to_owned()]
    {
        let shown = plane.get(&shop.owner, &path).await.expect(200).to_string();
        assert!(shown.contains(id), "{path}: {shown}");
        let random = &secret[secret.len() - 72..];
        assert!(!shown.contains(&random[..64]) && !shown.contains(secret), "{path} shows a key");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn create_with_bad_input_names_the_field() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let past = Utc::now() - Duration::hours(1);
    for (body, code) in [
        (json!({ "name": "", "scopes": ["admin:read"] }), "TEXT_LENGTH"),
        (json!({ "name": "A key", "scopes": [] }), "SCOPES_INVALID"),
        (json!({ "name": "A key", "scopes": ["admin:read", "admin:read"] }), "SCOPES_INVALID"),
        (json!({ "name": "A key", "scopes": ["admin:everything"] }), "INVALID_BODY"),
        (json!({ "name": "A key", "scopes": ["Admin:Read"] }), "INVALID_BODY"),
        (json!({ "name": "A key" }), "INVALID_BODY"),
        (json!({ "name": "A key", "scopes": ["admin:read"], "expiresAt": past }), "EXPIRY_PASSED"),
        (json!({ "name": "A key", "scopes": ["admin:read"], "tier": "pro" }), "TIER_TOO_HIGH"),
        (json!({ "name": "A key", "scopes": ["admin:read"], "key": "mine" }), "INVALID_BODY"),
    ] {
        let reply = make(&plane, &shop.owner, body.clone()).await;
        assert_eq!(reply.problem(400), code, "{body}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_keeps_or_narrows_and_ends_the_old_key() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let end = Utc::now() + Duration::days(30);
    let order = json!({ "name": "Rotating", "scopes": ["admin:read", "exports:read"], "expiresAt": end });
    let first = make(&plane, &shop.owner, order).await.expect(201);
    let rotate = async |id: &str, body: Value| {
        plane.as_person(&shop.owner, "POST", &format!("/v1/api-keys/{id}/rotate"), body).await
    };

    let second = rotate(text(&first, "id"), json!({})).await.expect(201);
    for kept in ["scopes", "tier", "name", "expiresAt", "createdBy"] {
        assert_eq!(second[kept], first[kept], "{kept}");
    }
    assert_ne!(second["key"], first["key"]);
    assert_eq!(with_key(&plane, text(&first, "key")).await.problem(401), "AUTHENTICATION_REQUIRED");
    with_key(&plane, text(&second, "key")).await.expect(200);
    let old = plane.get(&shop.owner, &format!("/v1/api-keys/{}", text(&first, "id"))).await.expect(200);
    assert_eq!(old["replacedBy"], second["id"]);
    assert_eq!(rotate(text(&first, "id"), json!({})).await.problem(409), "KEY_REVOKED");

    let id = text(&second, "id");
    let wider = rotate(id, json!({ "scopes": ["admin:read", "admin:write"] })).await;
    assert_eq!(wider.problem(403), "SCOPE_NOT_GRANTABLE");
    assert_eq!(wider.body["requiredScope"], "admin:write");
    assert_eq!(wider.body["grantedScopes"], json!(["admin:read", "exports:read"]));
    assert_eq!(rotate(id, json!({ "scopes": ["enterprise"] })).await.status, 403);
    assert_eq!(
        rotate(id, json!({ "expiresAt": end + Duration::days(1) })).await.body["code"],
        "EXPIRY_TOO_LATE"
    );
    assert_eq!(rotate(id, json!({ "tier": "pro" })).await.body["code"], "TIER_TOO_HIGH");
    assert_eq!(rotate(id, json!({ "scopes": [] })).await.body["code"], "SCOPES_INVALID");
    with_key(&plane, text(&second, "key")).await.expect(200);

    let earlier = end - Duration::days(1);
    let third = rotate(id, json!({ "scopes": ["exports:read"], "expiresAt": earlier })).await.expect(201);
    assert_eq!(third["scopes"], json!(["exports:read"]));
    assert!(text(&third, "expiresAt").parse::<DateTime<Utc>>().unwrap() < end);
    let narrowed = with_key(&plane, text(&third, "key")).await;
    assert_eq!(narrowed.problem(403), "FORBIDDEN");
    assert_eq!(narrowed.body["requiredScope"], "admin:read");
    assert_eq!(narrowed.body["grantedScopes"], json!(["exports:read"]));
}

async fn rotated(plane: &Plane, who: &Person, made: &Value) -> Value {
    let path = format!("/v1/api-keys/{}/rotate", text(made, "id"));
    plane.as_person(who, "POST", &path, json!({})).await.expect(201)
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_of_a_colleagues_key_hands_over_none_of_the_colleagues_rights() {
    let plane = Plane::start().await;
    // Both administer the tenant; the owner alone has a role for the brand, and the chief is after it.
    let shop = plane.shop().await;
    let chief = plane.person(&shop.owner.tenant, true).await;
    let owners = key(&plane, &shop.owner, &["admin:write"]).await;
    let loot = rotated(&plane, &chief, &owners).await;
    let with_loot = async |path: String, body: Value| {
        plane.send("POST", &path, None, &[("X-API-Key", text(&loot, "key"))], Some(&body)).await
    };
    let role = json!({ "role": "owner", "brandId": shop.brand });
    let given = with_loot(format!("/v1/admin/users/{}/roles", chief.id), role).await;
    assert_eq!(given.problem(403), "ROLE_NOT_ASSIGNABLE");
    let acted = with_loot(format!("/v1/admin/users/{}/impersonate", shop.owner.id), json!({})).await;
    assert_eq!(acted.problem(403), "RIGHTS_EXCEEDED");
    assert_eq!(loot["createdBy"], chief.id.as_str());
    let brand = format!("/v1/brands/{}", shop.brand);
    assert_eq!(plane.get(&chief, &brand).await.status, 403, "the chief has still nothing of the brand");

    let entries = plane.get(&shop.owner, "/v1/admin/audit-entries?action=API_KEY_ROTATED").await.expect(200);
    let entry = &entries["items"][0];
    assert_eq!(text(entry, "actor"), format!("user:{}", chief.id));
    assert_eq!(entry["detail"]["creator"], shop.owner.id.as_str(), "whose it was");
}

#[tokio::test(flavor = "multi_thread")]
async fn rotate_of_the_key_of_a_maker_who_lost_their_rights_gives_those_of_whoever_rotates() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    for loss in [json!({ "tenantAdmin": false }), json!({ "disabled": true })] {
        let maker = plane.person(&shop.owner.tenant, true).await;
        let made = key(&plane, &maker, &["admin:read"]).await;
        plane.admin("PATCH", &format!("/api/admin/users/{}", maker.id), loss.clone()).await.expect(200);
        let powerless = with_key(&plane, text(&made, "key")).await;
        assert_eq!((powerless.problem(403), &powerless.body["grantedScopes"]), ("FORBIDDEN", &json!([])));

        let fresh = rotated(&plane, &shop.owner, &made).await;
        assert_eq!((&fresh["createdBy"], &fresh["scopes"]), (&json!(shop.owner.id), &json!(["admin:read"])));
        with_key(&plane, text(&fresh, "key")).await.expect(200);
        assert_eq!(with_key(&plane, text(&made, "key")).await.status, 401);
        let mine = plane.get(&maker, &format!("/v1/api-keys/{}", text(&fresh, "id"))).await;
        assert!([401, 403].contains(&mine.status), "it is no longer the maker's: {loss}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_reached_by_their_maker_and_by_administrators_alone() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let (ada, bea) =
        (plane.person(&shop.owner.tenant, false).await, plane.person(&shop.owner.tenant, false).await);
    plane.grant(&ada, &shop.brand, "admin").await;
    plane.grant(&bea, &shop.brand, "admin").await;
    let stranger = plane.shop().await.owner;
    let made = key(&plane, &ada, &["exports:read"]).await;
    let id = text(&made, "id");
    for (who, status) in [(&bea, 403), (&stranger, 404), (&ada, 200), (&shop.owner, 200)] {
        assert_eq!(plane.get(who, &format!("/v1/api-keys/{id}")).await.status, status);
        let listed = plane.get(who, "/v1/api-keys").await.expect(200).to_string().contains(id);
        assert_eq!(listed, status == 200);
    }
    for (who, status, code) in [(&bea, 403, "FORBIDDEN"), (&stranger, 404, "NOT_FOUND")] {
        for act in ["rotate", "revoke"] {
            let path = format!("/v1/api-keys/{id}/{act}");
            assert_eq!(plane.as_person(who, "POST", &path, json!({})).await.problem(status), code);
        }
    }
    let revoke = format!("/v1/api-keys/{id}/revoke");
    let first = plane.as_person(&shop.owner, "POST", &revoke, Value::Null).await.expect(200);
    let again = plane.as_person(&ada, "POST", &revoke, Value::Null).await.expect(200);
    assert_eq!(first["revokedAt"], again["revokedAt"], "a second revocation keeps the first one's time");
}

/// The first answer that is another: what is changed behind the service's back shows when the lease has run out.
async fn changed(plane: &Plane, key: &str, before: u16) -> Reply {
    let deadline = Instant::now() + std::time::Duration::from_secs(10);
    loop {
        let reply = with_key(plane, key).await;
        if reply.status != before || Instant::now() > deadline {
            return reply;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_ends_with_its_expiry_its_makers_rights_and_its_environment() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let chief = plane.person(&shop.owner.tenant, true).await;
    let made = key(&plane, &chief, &["enterprise"]).await;
    let secret = text(&made, "key");
    with_key(&plane, secret).await.expect(200);

    let user = format!("/api/admin/users/{}", chief.id);
    plane.admin("PATCH", &user, json!({ "tenantAdmin": false })).await.expect(200);
    let reply = with_key(&plane, secret).await;
    assert_eq!(reply.problem(403), "FORBIDDEN");
    assert_eq!(reply.body["grantedScopes"], json!([]));
    plane.admin("PATCH", &user, json!({ "tenantAdmin": true, "disabled": true })).await.expect(200);
    assert_eq!(with_key(&plane, secret).await.status, 403, "a disabled maker's key can do nothing");
    plane.admin("PATCH", &user, json!({ "disabled": false })).await.expect(200);
    with_key(&plane, secret).await.expect(200);

    plane.sql("UPDATE api_key SET expires_at = clock_timestamp() - interval '1 second'").await;
    assert_eq!(changed(&plane, secret, 200).await.problem(401), "AUTHENTICATION_REQUIRED");
    plane.sql("UPDATE api_key SET expires_at = NULL").await;
    with_key(&plane, secret).await.expect(200);
    plane.sql("UPDATE api_key SET environment = 'live'").await;
    assert_eq!(changed(&plane, secret, 200).await.status, 401);
    plane.sql("UPDATE api_key SET environment = 'test'").await;
    changed(&plane, secret, 401).await.expect(200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_read_from_either_header_and_never_from_two_that_differ() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let (one, two) =
        (key(&plane, &shop.owner, &["admin:read"]).await, key(&plane, &shop.owner, &["admin:read"]).await);
    let (one, two) = (text(&one, "key"), text(&two, "key"));
    let ask = async |bearer: Option<&str>, header: &[(&str, &str)]| {
        plane.send("GET", "/v1/admin/users", bearer, header, None).await
    };
    ask(Some(one), &[]).await.expect(200);
    ask(None, &[("X-API-Key", one)]).await.expect(200);
    ask(Some(one), &[("x-api-key", one)]).await.expect(200);
    assert_eq!(ask(Some(one), &[("X-API-Key", two)]).await.problem(400), "CREDENTIALS_CONFLICT");
    assert_eq!(ask(Some(&shop.owner.session), &[("X-API-Key", two)]).await.status, 400);
    for (bearer, header) in [
        (None, &[("Authorization", "Basic YTpi"), ("X-API-Key", one)][..]),
        (Some(one), &[("X-API-Key", "")]),
        (None, &[("X-API-Key", one), ("X-API-Key", two)]),
        (Some(one), &[("Authorization", "Basic YTpi")]),
    ] {
        let refused = ask(bearer, header).await;
        assert_eq!(refused.problem(400), "CREDENTIALS_CONFLICT");
        assert!(!refused.body.to_string().contains("mmk_"), "{:#}", refused.body);
    }
    let on_session_route = async |header: &[(&str, &str)]| {
        plane.send("GET", "/v1/brands", Some(&shop.owner.session), header, None).await
    };
    assert_eq!(on_session_route(&[("X-API-Key", one)]).await.problem(400), "CREDENTIALS_CONFLICT");
    let control = on_session_route(&[("X-API-Key", &plane.control)]).await;
    assert_eq!(control.problem(400), "CREDENTIALS_CONFLICT", "taken away, and still another one");
    on_session_route(&[("X-API-Key", &shop.owner.session)]).await.expect(200);
    assert_eq!(ask(None, &[("X-API-Key", &shop.owner.session)]).await.status, 401, "a session is no key");
    assert_eq!(ask(None, &[("X-API-Key", one), ("X-API-Key", one)]).await.status, 401);
    let mistyped = format!("{}{}", &one[..one.len() - 1], if one.ends_with('0') { "1" } else { "0" });
    assert_eq!(ask(None, &[("X-API-Key", &mistyped)]).await.problem(401), "AUTHENTICATION_REQUIRED");
    assert!(!ask(None, &[("X-API-Key", &mistyped)]).await.body.to_string().contains(&mistyped[20..]));
}

#[tokio::test(flavor = "multi_thread")]
async fn revoke_ends_a_key_on_every_replica_for_requests_that_begin_after_its_answer() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let replica = Another::beside(&plane, &[]).await;
    for _ in 0..10 {
        let made = key(&plane, &shop.owner, &["admin:read"]).await;
        let (id, secret) = (text(&made, "id"), text(&made, "key"));
        with_key(&plane, secret).await.expect(200);
        with_key_at(&plane, &replica.base, secret).await.expect(200);
        let path = format!("/v1/api-keys/{id}/revoke");
        plane.as_person(&shop.owner, "POST", &path, Value::Null).await.expect(200);
        let tries = (0..8)
            .map(|at| with_key_at(&plane, if at % 2 == 0 { &plane.base } else { &replica.base }, secret));
        for reply in futures::future::join_all(tries).await {
            assert_eq!(reply.problem(401), "AUTHENTICATION_REQUIRED");
        }
    }
    let used = plane.get(&shop.owner, "/v1/api-keys").await.expect(200);
    let last = text(&used["items"][0], "lastUsedAt").parse::<DateTime<Utc>>().unwrap();
    assert_eq!(last.timestamp() % 3600, 0, "to the hour");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_scope_of_a_key_reaches_minting_or_packs() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let batch = plane.batch(&shop.owner, &shop.brand, &shop.product, 3).await;
    let batch = text(&batch, "id");
    plane.sql("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 7").await;
    let exports = format!("/v1/batches/{batch}/exports");
    let export = plane.as_person(&shop.owner, "POST", &exports, json!({})).await.expect(202);
    let export = text(&export, "id");
    let order = json!({ "productId": shop.product, "units": 1, "mode": "static" });
    let acts = [
        ("POST", format!("/v1/brands/{}/batches", shop.brand), order),
        ("POST", format!("/v1/batches/{batch}/cancel"), Value::Null),
        ("POST", format!("/v1/batches/{batch}/revoke"), Value::Null),
        ("POST", exports, json!({})),
        ("GET", format!("/v1/exports/{export}"), Value::Null),
        ("GET", format!("/v1/exports/{export}/download"), Value::Null),
        ("POST", "/v1/preflight-tokens".to_owned(), json!({ "scopes": ["jobs:read"] })),
        ("POST", "/v1/api-keys".to_owned(), json!({ "name": "A key", "scopes": ["admin:read"] })),
    ];
    let before = plane.get(&shop.owner, &format!("/v1/brands/{}/batches", shop.brand)).await.expect(200);
    for scope in ALL.into_iter().chain(["public", "enterprise"]) {
        let made = key(&plane, &shop.owner, &[scope]).await;
        for (method, path, body) in &acts {
            let name = format!("key-{}", next());
            let body = (!body.is_null()).then_some(body);
            for (bearer, headers) in [
                (Some(text(&made, "key")), vec![("Idempotency-Key", name.as_str())]),
                (None, vec![("Idempotency-Key", name.as_str()), ("X-API-Key", text(&made, "key"))]),
            ] {
                let reply = plane.send(method, path, bearer, &headers, body).await;
                assert_eq!(reply.problem(401), "AUTHENTICATION_REQUIRED", "{scope}: {method} {path}");
            }
        }
    }
    let after = plane.get(&shop.owner, &format!("/v1/brands/{}/batches", shop.brand)).await.expect(200);
    assert_eq!(before, after);
}
