//! The role table of the minting specification, row by row, with everybody who may not.

use serde_json::{Value, json};

use crate::harness::{Person, Plane, next, text};
use crate::looks::picture;

struct Cast {
    owner: Person,
    admin: Person,
    member: Person,
    /// Of the same tenant, without a role for the brand.
    colleague: Person,
    /// Administrator of the tenant, without a role for the brand.
    chief: Person,
    brand: String,
    product: String,
    batch: String,
    export: String,
}

async fn cast(plane: &Plane) -> Cast {
    let shop = plane.shop().await;
    let tenant = shop.owner.tenant.clone();
    let (admin, member) = (plane.person(&tenant, false).await, plane.person(&tenant, false).await);
    plane.grant(&admin, &shop.brand, "admin").await;
    plane.grant(&member, &shop.brand, "member").await;
    let batch = text(&plane.batch(&shop.owner, &shop.brand, &shop.product, 3).await, "id").to_owned();
    plane.sql("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 7").await;
    let exports = format!("/v1/batches/{batch}/exports");
    let export = plane.as_person(&shop.owner, "POST", &exports, json!({})).await.expect(202);
    Cast {
        colleague: plane.person(&tenant, false).await,
        chief: plane.person(&tenant, true).await,
        export: text(&export, "id").to_owned(),
        owner: shop.owner,
        brand: shop.brand,
        product: shop.product,
        admin,
        member,
        batch,
    }
}

/// Asks as everybody; `least` is the lowest role that may. A ready download is another test's: here it is enough that the
/// right people get past the gate.
async fn walk(plane: &Plane, cast: &Cast, row: &str, least: &str, ask: impl AsyncFn(&Person) -> u16) {
    let ranked = [("member", &cast.member), ("admin", &cast.admin), ("owner", &cast.owner)];
    let from = ranked.iter().position(|(role, _)| *role == least).unwrap();
    for (rank, (role, person)) in ranked.iter().enumerate() {
        let status = ask(person).await;
        if rank >= from {
            assert!(matches!(status, 200 | 202 | 409), "{row}: {role} may, and got {status}");
        } else {
            assert_eq!(status, 403, "{row}: {role}");
        }
    }
    assert_eq!(ask(&cast.colleague).await, 403, "{row}: colleague without a role");
    assert_eq!(ask(&cast.chief).await, 403, "{row}: tenant administrator without a role");
    let stranger = plane.shop().await.owner;
    assert_eq!(ask(&stranger).await, 404, "{row}: owner of another tenant's brand");
}

#[tokio::test(flavor = "multi_thread")]
async fn submit_mint_request_is_for_admin_and_owner() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let order = json!({ "productId": cast.product, "units": 1, "mode": "static" });
    walk(&plane, &cast, "submit", "admin", async |person: &Person| {
        plane.order(person, &cast.brand, &format!("key-{}", next()), &order).await.status
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn view_batches_tokens_and_events_is_for_every_member() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    for path in [
        format!("/v1/brands/{}/batches", cast.brand),
        format!("/v1/batches/{}", cast.batch),
        format!("/v1/batches/{}/tokens", cast.batch),
        format!("/v1/batches/{}/events", cast.batch),
        format!("/v1/batches/{}/scans", cast.batch),
        format!("/v1/brands/{}/scans", cast.brand),
        format!("/v1/batches/{}/exports", cast.batch),
        format!("/v1/exports/{}", cast.export),
        format!("/v1/brands/{}", cast.brand),
        format!("/v1/products?brandId={}", cast.brand),
        format!("/v1/products/{}", cast.product),
    ] {
        walk(&plane, &cast, &path, "member", async |person: &Person| plane.get(person, &path).await.status)
            .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn generate_export_is_for_admin_and_owner() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let path = format!("/v1/batches/{}/exports", cast.batch);
    walk(&plane, &cast, "export", "admin", async |person: &Person| {
        plane.as_person(person, "POST", &path, json!({ "formats": ["csv"] })).await.status
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_export_is_for_admin_and_owner() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let path = format!("/v1/exports/{}/cancel", cast.export);
    walk(&plane, &cast, "cancel", "admin", async |person: &Person| {
        plane.as_person(person, "POST", &path, Value::Null).await.status
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn download_export_is_for_every_member() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let path = format!("/v1/exports/{}/download", cast.export);
    walk(&plane, &cast, "download", "member", async |person: &Person| plane.get(person, &path).await.status)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cancel_and_revoke_are_for_admin_and_owner() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let shop_order = json!({ "productId": cast.product, "units": 1, "mode": "static" });
    let waiting =
        plane.order(&cast.owner, &cast.brand, &format!("key-{}", next()), &shop_order).await.expect(202);
    let waiting = text(&waiting, "id");
    let codes = json!({ "codes": ["P5EFA11P6MBB22HP81V1"], "reason": "lost" });
    // A batch that is not published is 409 for those who may.
    for (row, path, body) in [
        ("cancel", format!("/v1/batches/{}/cancel", cast.batch), Value::Null),
        ("revoke", format!("/v1/batches/{waiting}/revoke"), json!({ "reason": "lost" })),
        ("revoke codes", format!("/v1/batches/{waiting}/codes/revoke"), codes),
    ] {
        walk(&plane, &cast, row, "admin", async |person: &Person| {
            plane.as_person(person, "POST", &path, body.clone()).await.status
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn reveal_of_a_code_is_for_every_member() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let path = format!("/v1/batches/{}/tokens/1/reveal", cast.batch);
    walk(&plane, &cast, "reveal", "member", async |person: &Person| {
        plane.as_person(person, "POST", &path, Value::Null).await.status
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn destruction_of_a_secret_is_for_the_owner() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let path = format!("/v1/batches/{}/secret/destroy", cast.batch);
    walk(&plane, &cast, "destroy", "owner", async |person: &Person| {
        plane.as_person(person, "POST", &path, json!({ "confirm": cast.batch })).await.status
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_is_taken_away_is_gone_at_the_next_request() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let person = plane.person(&cast.owner.tenant, false).await;
    let membership = plane.grant(&person, &cast.brand, "owner").await;
    let reveal = format!("/v1/batches/{}/tokens/1/reveal", cast.batch);
    let cancel = format!("/v1/batches/{}/cancel", cast.batch);
    plane.as_person(&person, "POST", &reveal, Value::Null).await.expect(200);
    plane.as_person(&person, "POST", &cancel, Value::Null).await.problem(409);
    plane.admin("DELETE", &format!("/api/admin/memberships/{membership}"), Value::Null).await.expect(204);
    plane.as_person(&person, "POST", &reveal, Value::Null).await.problem(403);
    plane.as_person(&person, "POST", &cancel, Value::Null).await.problem(403);
}

#[tokio::test(flavor = "multi_thread")]
async fn products_are_made_and_changed_by_admin_and_owner() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let path = format!("/v1/products/{}", cast.product);
    walk(&plane, &cast, "change a product", "admin", async |person: &Person| {
        plane.as_person(person, "PATCH", &path, json!({ "name": "New" })).await.status
    })
    .await;
    walk(&plane, &cast, "make a product", "admin", async |person: &Person| {
        let new = json!({ "brandId": cast.brand, "gtin": crate::harness::gtin(), "name": "P" });
        match plane.as_person(person, "POST", "/v1/products", new).await.status {
            201 => 200,
            other => other,
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn looks_are_changed_by_admin_and_owner() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    let look = format!("/v1/brands/{}/presentation", cast.brand);
    walk(&plane, &cast, "see a look", "member", async |person: &Person| {
        plane.get(person, &look).await.status
    })
    .await;
    walk(&plane, &cast, "change a colour", "admin", async |person: &Person| {
        plane.as_person(person, "PUT", &look, json!({ "primaryColour": "#12475a" })).await.status
    })
    .await;
    for path in [format!("/v1/brands/{}/logo", cast.brand), format!("/v1/products/{}/picture", cast.product)]
    {
        walk(&plane, &cast, "change an image", "admin", async |person: &Person| {
            match picture(&plane, person, &path).await.status {
                204 => 200,
                other => other,
            }
        })
        .await;
        walk(&plane, &cast, "remove an image", "admin", async |person: &Person| {
            match plane.as_person(person, "DELETE", &path, Value::Null).await.status {
                204 => 200,
                other => other,
            }
        })
        .await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn brand_create_is_for_tenant_administrators_who_become_its_owner() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    for person in [&cast.admin, &cast.member, &cast.colleague] {
        let reply = plane.as_person(person, "POST", "/v1/brands", json!({ "name": "B" })).await;
        assert_eq!(reply.problem(403), "FORBIDDEN");
        assert_eq!(reply.body["requiredRole"], "tenantAdmin");
    }
    let brand = plane.brand(&cast.chief).await;
    let product = plane.product(&cast.chief, &brand).await;
    plane.batch(&cast.chief, &brand, &product, 1).await;
    let mine = plane.get(&cast.chief, "/v1/brands").await.expect(200);
    let mine: Vec<&str> = mine["items"].as_array().unwrap().iter().map(|item| text(item, "id")).collect();
    assert_eq!(mine, [brand.as_str()], "lists what one has a role for");
}

#[tokio::test(flavor = "multi_thread")]
async fn evidence_roles_open_nothing_of_a_brand() {
    let plane = Plane::start().await;
    let cast = cast(&plane).await;
    for role in ["USER", "ARBITRATOR", "GOVERNANCE"] {
        let grant = json!({ "userId": cast.colleague.id, "role": role });
        plane.admin("POST", "/api/admin/memberships", grant).await.expect(201);
    }
    plane.get(&cast.colleague, &format!("/v1/batches/{}", cast.batch)).await.problem(403);
    let list = plane.get(&cast.colleague, "/v1/brands").await.expect(200);
    assert_eq!(list["items"], Value::Array(Vec::new()));
}
