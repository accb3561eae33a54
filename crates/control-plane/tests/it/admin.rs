//! What the operator does: tenants, people, roles, sessions.

use serde_json::{Value, json};

use crate::harness::{Plane, next, text};

#[tokio::test(flavor = "multi_thread")]
async fn tenant_create_find_change_and_create_again() {
    let plane = Plane::start().await;
    let made = plane.admin("POST", "/api/admin/tenants", json!({ "id": "acme", "name": "Acme" })).await;
    assert_eq!(made.header("location"), Some("/api/admin/tenants/acme"));
    assert_eq!(made.expect(201)["tier"], "free");

    let change = json!({ "tier": "pro", "name": "Acme & Sons" });
    plane.admin("PATCH", "/api/admin/tenants/acme", change).await.expect(200);
    plane.admin("PATCH", "/api/admin/tenants/acme", json!({})).await.expect(200);
    let found = plane.admin("GET", "/api/admin/tenants/acme", Value::Null).await.expect(200);
    assert_eq!((text(&found, "tier"), text(&found, "name")), ("pro", "Acme & Sons"));

    let again = plane.admin("POST", "/api/admin/tenants", json!({ "id": "acme", "name": "Other" })).await;
    assert_eq!(again.problem(409), "TENANT_EXISTS");
    plane.admin("GET", "/api/admin/tenants/nobody", Value::Null).await.problem(404);
    plane.admin("PATCH", "/api/admin/tenants/nobody", json!({ "tier": "pro" })).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn user_create_with_a_taken_address_is_409_within_the_tenant_only() {
    let plane = Plane::start().await;
    let (one, other) = (plane.tenant().await, plane.tenant().await);
    let user = |tenant: &str, email: &str| json!({ "tenantId": tenant, "email": email, "name": "Ada" });
    plane.admin("POST", "/api/admin/users", user(&one, "Ada@example.com")).await.expect(201);
    let again = plane.admin("POST", "/api/admin/users", user(&one, "ada@EXAMPLE.com")).await;
    assert_eq!(again.problem(409), "EMAIL_EXISTS");
    plane.admin("POST", "/api/admin/users", user(&other, "ada@example.com")).await.expect(201);
    plane.admin("POST", "/api/admin/users", user("nobody", "ada@example.com")).await.problem(404);

    let list = plane.admin("GET", &format!("/api/admin/users?tenantId={one}"), Value::Null).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn user_disabled_is_refused_at_the_next_request_and_gets_no_session() {
    let plane = Plane::start().await;
    let person = plane.person(&plane.tenant().await, true).await;
    plane.get(&person, "/v1/brands").await.expect(200);

    let path = format!("/api/admin/users/{}", person.id);
    let shut = plane.admin("PATCH", &path, json!({ "disabled": true })).await.expect(200);
    assert_eq!(shut["disabled"], true);
    assert_eq!(plane.get(&person, "/v1/brands").await.problem(401), "AUTHENTICATION_REQUIRED");
    let session = plane.admin("POST", "/api/admin/sessions", json!({ "userId": person.id })).await;
    assert_eq!(session.problem(409), "USER_DISABLED");

    let change = json!({ "disabled": false, "name": "Again", "tenantAdmin": false });
    let open = plane.admin("PATCH", &path, change).await.expect(200);
    assert_eq!(
        (&open["disabled"], text(&open, "name"), &open["tenantAdmin"]),
        (&json!(false), "Again", &json!(false))
    );
    plane.get(&person, "/v1/brands").await.expect(200);
    let brand = plane.as_person(&person, "POST", "/v1/brands", json!({ "name": "B" })).await;
    assert_eq!(brand.problem(403), "FORBIDDEN", "no administrator any more");
}

#[tokio::test(flavor = "multi_thread")]
async fn membership_removed_is_gone_at_the_next_request() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    let member = plane.person(&shop.owner.tenant, false).await;
    let path = format!("/v1/brands/{}", shop.brand);
    plane.get(&member, &path).await.problem(403);

    let membership = plane.grant(&member, &shop.brand, "member").await;
    plane.get(&member, &path).await.expect(200);
    let url = format!("/api/admin/memberships/{membership}");
    assert_eq!(plane.admin("DELETE", &url, Value::Null).await.status, 204);
    plane.get(&member, &path).await.problem(403);
    plane.admin("DELETE", &url, Value::Null).await.problem(404);
}

#[tokio::test(flavor = "multi_thread")]
async fn membership_create_fits_role_brand_and_tenant() {
    let plane = Plane::start().await;
    let (shop, other) = (plane.shop().await, plane.shop().await);
    let user = plane.person(&shop.owner.tenant, false).await.id;
    let nobody = "usr_01h45ytscbebyvny4gc8cr8ma2";
    for (body, status, code) in [
        (json!({ "userId": user, "role": "admin" }), 400, "BRAND_REQUIRED"),
        (json!({ "userId": user, "brandId": shop.brand, "role": "USER" }), 400, "BRAND_NOT_ALLOWED"),
        (json!({ "userId": user, "brandId": shop.brand, "role": "king" }), 400, "ROLE_UNKNOWN"),
        (json!({ "userId": user, "brandId": other.brand, "role": "admin" }), 404, "NOT_FOUND"),
        (json!({ "userId": nobody, "role": "USER" }), 404, "NOT_FOUND"),
    ] {
        let reply = plane.admin("POST", "/api/admin/memberships", body.clone()).await;
        assert_eq!(reply.problem(status), code, "{body}");
    }
    for (body, again) in [
        (
            json!({ "userId": user, "brandId": shop.brand, "role": "admin" }),
            json!({ "userId": user, "brandId": shop.brand, "role": "member" }),
        ),
        (json!({ "userId": user, "role": "arbitrator" }), json!({ "userId": user, "role": "ARBITRATOR" })),
    ] {
        plane.admin("POST", "/api/admin/memberships", body).await.expect(201);
        let reply = plane.admin("POST", "/api/admin/memberships", again).await;
        assert_eq!(reply.problem(409), "MEMBERSHIP_EXISTS");
    }
    plane
        .admin("POST", "/api/admin/memberships", json!({ "userId": user, "role": "GOVERNANCE" }))
        .await
        .expect(201);

    let of_user = format!("/api/admin/memberships?userId={user}");
    let list = plane.admin("GET", &of_user, Value::Null).await.expect(200);
    let roles: Vec<&str> = list["items"].as_array().unwrap().iter().map(|item| text(item, "role")).collect();
    assert_eq!(roles, ["GOVERNANCE", "ARBITRATOR", "admin"]);
    let of_tenant = format!("/api/admin/memberships?tenantId={}", shop.owner.tenant);
    let list = plane.admin("GET", &of_tenant, Value::Null).await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 4, "and the owner's");
    plane.admin("GET", "/api/admin/memberships", Value::Null).await.problem(400);
}

#[tokio::test(flavor = "multi_thread")]
async fn session_create_keeps_to_the_limit() {
    let plane = Plane::start_with(&[("SESSION_TTL_SECS", "600")]).await;
    let person = plane.person(&plane.tenant().await, false).await;
    for (ttl, status) in
        [(json!(1), 201), (json!(600), 201), (json!(0), 400), (json!(601), 400), (json!(-1), 400)]
    {
        let body = json!({ "userId": person.id, "ttlSecs": ttl });
        let reply = plane.admin("POST", "/api/admin/sessions", body).await;
        assert_eq!(reply.status, status, "{ttl}");
        assert_eq!(reply.header("cache-control"), Some("no-store"));
    }
    let body = json!({ "userId": format!("usr_01h45ytscbebyvny4gc8cr{:04}", next()) });
    plane.admin("POST", "/api/admin/sessions", body).await.problem(404);
}
