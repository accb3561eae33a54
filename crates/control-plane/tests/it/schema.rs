//! The database: migrations up and down, the hand-written schema, and what the application's login may not do.

use diesel_async::SimpleAsyncConnection;
use mintmark_control_plane::migrate::MIGRATIONS;
use mintmark_db::{DbConfig, Pool, migrate};
use mintmark_devstack::testdb::{self, schema};
use tokio::runtime::Handle;

use crate::harness::Plane;

#[tokio::test(flavor = "multi_thread")]
async fn schema_in_the_source_is_the_schema_of_the_migrated_database() {
    // The audit's tables are those of the crate that keeps it.
    let source =
        concat!(include_str!("../../src/store/schema.rs"), include_str!("../../../audit/src/schema.rs"));
    let found = schema::found(&testdb::database("control-plane").await).await;
    assert_eq!(schema::declared(source), found);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_down_and_up_again() {
    schema::goes_down_and_up_again("control-plane").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_applies_each_migration_once() {
    // The roles are the cluster's, and made with the first database of this service.
    let _roles = testdb::database("control-plane").await;
    let db = testdb::empty().await;
    let config = DbConfig::new(db.superuser_url());
    assert!(!migrate(&config, MIGRATIONS).await.unwrap().is_empty());
    assert!(migrate(&config, MIGRATIONS).await.unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn application_login_cannot_rewrite_what_happened() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    plane.batch(&shop.owner, &shop.brand, &shop.product, 1).await;
    let pool = Pool::new(&DbConfig::new(plane.db.url("control_app")), &Handle::current()).unwrap();
    for forbidden in [
        "UPDATE batch_event SET actor = 'control-token'",
        "DELETE FROM batch_event",
        "TRUNCATE batch_event",
        "DELETE FROM batch",
        "UPDATE batch SET units = 2",
        "UPDATE batch SET first_serial = 2",
        "UPDATE batch SET tenant_id = 'other'",
        "DELETE FROM idempotency",
        "UPDATE idempotency SET fingerprint = fingerprint",
        "DELETE FROM product",
        "UPDATE product SET gtin = gtin",
        "UPDATE app_user SET tenant_id = tenant_id",
        "UPDATE membership SET role = 'owner'",
        "DELETE FROM tenant",
        "DELETE FROM export",
        "UPDATE audit_entry SET actor = 'control-token'",
        "DELETE FROM audit_entry",
        "TRUNCATE audit_entry CASCADE",
        "UPDATE audit_pending SET entry_id = entry_id",
        "DELETE FROM audit_pending",
        "TRUNCATE audit_pending",
        "DELETE FROM jobs",
        "UPDATE scan_summary SET product_id = product_id",
        "DELETE FROM scan_summary",
        "DELETE FROM scan_cursor",
        "UPDATE brand_presentation SET tenant_id = tenant_id",
        "UPDATE look_image SET brand_id = brand_id",
        "UPDATE look_image SET product_id = product_id",
        "CREATE TABLE mine (id int)",
    ] {
        let refused = pool.get().await.unwrap().batch_execute(forbidden).await.unwrap_err().to_string();
        assert!(
            refused.contains("permission denied") || refused.contains("must be owner"),
            "{forbidden}: {refused}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn application_login_can_neither_replace_a_secret_nor_take_a_recall_back() {
    let plane = Plane::start().await;
    let shop = plane.shop().await;
    plane.batch(&shop.owner, &shop.brand, &shop.product, 1).await;
    let pool = Pool::new(&DbConfig::new(plane.db.url("control_app")), &Handle::current()).unwrap();
    let tried = async |statement: &str| pool.get().await.unwrap().batch_execute(statement).await;
    let refused = async |statement: &str, why: &str| {
        let refused = tried(statement).await.unwrap_err().to_string();
        assert!(refused.contains(why), "{statement}: {refused}");
    };
    refused("UPDATE batch SET wrapped_secret = 'mine'", "can be destroyed, not changed").await;
    let destroy = "UPDATE batch SET wrapped_secret = NULL, secret_key_id = NULL, secret_destroyed_at = now()";
    refused(destroy, "batch_secret_outlives_minting").await;
    refused("UPDATE batch SET wrapped_secret = NULL", "batch_secret_is_there_or_destroyed").await;
    tried("UPDATE batch SET state = 'sealed', sealed_at = now(), partition_id = 7").await.unwrap();
    tried(destroy).await.unwrap();
    let back =
        "UPDATE batch SET wrapped_secret = 'mine', secret_key_id = 'cmk-1', secret_destroyed_at = NULL";
    refused(back, "can be destroyed, not changed").await;
    tried("UPDATE batch SET state = 'revoked', revoked_at = now()").await.unwrap();
    refused("UPDATE batch SET state = 'sealed', revoked_at = NULL", "a recall is not taken back").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_cannot_point_into_another_tenant() {
    let plane = Plane::start().await;
    let (shop, other) = (plane.shop().await, plane.shop().await);
    plane.batch(&shop.owner, &shop.brand, &shop.product, 1).await;
    let tenant = &other.owner.tenant;
    let pool = Pool::new(&DbConfig::new(plane.db.owner_url()), &Handle::current()).unwrap();
    let mine = format!("tenant_id = '{}'", shop.owner.tenant);
    for statement in [
        format!("UPDATE batch SET tenant_id = '{tenant}' WHERE {mine}"),
        format!("UPDATE product SET tenant_id = '{tenant}' WHERE {mine}"),
        format!("UPDATE membership SET tenant_id = '{tenant}' WHERE {mine}"),
        format!("UPDATE batch_event SET tenant_id = '{tenant}' WHERE {mine}"),
    ] {
        let refused = pool.get().await.unwrap().batch_execute(&statement).await.unwrap_err().to_string();
        assert!(refused.contains("foreign key constraint"), "{statement}: {refused}");
    }
}
