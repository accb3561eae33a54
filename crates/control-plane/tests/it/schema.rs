//! The database: migrations up and down, the hand-written schema, and what the application's login may not do.

use std::collections::BTreeMap;
use std::path::Path;

use diesel::QueryableByName;
use diesel::sql_types::{Bool, Text};
use diesel_async::{RunQueryDsl, SimpleAsyncConnection};
use mintmark_control_plane::migrate::MIGRATIONS;
use mintmark_db::{DbConfig, Pool, migrate};
use mintmark_devstack::testdb;
use tokio::runtime::Handle;

use crate::harness::Plane;

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    table_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
    #[diesel(sql_type = Text)]
    udt_name: String,
    #[diesel(sql_type = Bool)]
    nullable: bool,
}

/// Table, then column and type, in the order of the table, as `store/schema.rs` says it.
fn declared() -> BTreeMap<String, Vec<(String, String)>> {
    // The audit's tables are those of the crate that keeps it.
    let source =
        concat!(include_str!("../../src/store/schema.rs"), include_str!("../../../audit/src/schema.rs"));
    let mut tables = BTreeMap::new();
    for block in source.split("diesel::table! {").skip(1) {
        let block = block.split("\n}").next().unwrap();
        let name = block.split_whitespace().next().unwrap().to_owned();
        let columns = block
            .lines()
            .filter_map(|line| line.trim().trim_end_matches(',').split_once(" -> "))
            .map(|(column, kind)| (column.to_owned(), kind.to_owned()))
            .collect();
        tables.insert(name, columns);
    }
    tables
}

fn in_diesel(column: &Column) -> String {
    let kind = match column.udt_name.as_str() {
        "uuid" => "Uuid",
        "text" => "Text",
        "bpchar" => "Bpchar",
        "bool" => "Bool",
        "int2" => "SmallInt",
        "int4" => "Integer",
        "int8" => "BigInt",
        "bytea" => "Bytea",
        "jsonb" => "Jsonb",
        "timestamptz" => "Timestamptz",
        "date" => "Date",
        "_text" => "Array<Text>",
        other => panic!("{other} has no counterpart here yet"),
    };
    if column.nullable { format!("Nullable<{kind}>") } else { kind.to_owned() }
}

#[tokio::test(flavor = "multi_thread")]
async fn schema_in_the_source_is_the_schema_of_the_migrated_database() {
    let db = testdb::database("control-plane").await;
    let pool = Pool::new(&DbConfig::new(db.owner_url()), &Handle::current()).unwrap();
    let sql = "SELECT table_name::text, column_name::text, udt_name::text, is_nullable = 'YES' AS nullable
               FROM information_schema.columns
               WHERE table_schema = 'public' AND table_name NOT IN ('jobs', '__diesel_schema_migrations')
               ORDER BY table_name, ordinal_position";
    let columns: Vec<Column> = diesel::sql_query(sql).load(&mut pool.get().await.unwrap()).await.unwrap();
    let mut found: BTreeMap<String, Vec<(String, String)>> = BTreeMap::new();
    for column in &columns {
        let pair = (column.column_name.clone(), in_diesel(column));
        found.entry(column.table_name.clone()).or_default().push(pair);
    }
    assert_eq!(declared(), found);
}

#[tokio::test(flavor = "multi_thread")]
async fn migrations_go_up_once_and_down_again() {
    // The roles are the cluster's, and made with the first database of this service.
    let _roles = testdb::database("control-plane").await;
    let db = testdb::empty().await;
    let config = DbConfig::new(db.superuser_url());
    let applied = migrate(&config, MIGRATIONS).await.unwrap().len();
    assert!(migrate(&config, MIGRATIONS).await.unwrap().is_empty());

    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/control-plane");
    let mut downs: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path().join("down.sql"))
        .filter(|path| path.exists())
        .collect();
    downs.sort();
    assert_eq!(downs.len(), applied, "each migration has a way down");
    let pool = Pool::new(&config, &Handle::current()).unwrap();
    let mut conn = pool.get().await.unwrap();
    for down in downs.iter().rev() {
        conn.batch_execute(&std::fs::read_to_string(down).unwrap()).await.unwrap();
    }
    let sql = "SELECT table_name::text, '' AS column_name, '' AS udt_name, false AS nullable
               FROM information_schema.tables WHERE table_schema = 'public'";
    let left: Vec<Column> = diesel::sql_query(sql).load(&mut conn).await.unwrap();
    let left: Vec<&str> = left.iter().map(|table| table.table_name.as_str()).collect();
    assert_eq!(left, ["__diesel_schema_migrations"]);
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
