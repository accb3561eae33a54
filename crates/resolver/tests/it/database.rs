//! Migrations: as the program embeds them, up and down.

use diesel_migrations::MigrationHarness;
use mintmark_db::{DbConfig, migrate};
use mintmark_devstack::testdb;
use mintmark_resolver::migrate::MIGRATIONS;

use crate::stage::connect;

async fn tables(url: &str) -> Vec<String> {
    let client = connect(url).await;
    let query = "SELECT tablename::text FROM pg_tables WHERE schemaname = 'public' AND tablename NOT LIKE '\\_\\_%' AND tablename !~ '^scan_event_[0-9]{8}$' ORDER BY 1";
    client.query(query, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_goes_up_again_after_it_went_down() {
    // The template brings the logins; the empty database belongs to nobody of ours.
    let _logins = testdb::database("resolver").await;
    let db = testdb::empty().await;
    let superuser = connect(&db.superuser_url()).await;
    superuser.batch_execute(&format!("ALTER DATABASE {} OWNER TO resolver_owner", db.name())).await.unwrap();
    let url = db.url("resolver_owner");
    let config = DbConfig::new(url.clone());
    let up = async || migrate(&config, MIGRATIONS).await;
    up().await.unwrap();
    let all = tables(&url).await;
    assert_eq!(
        all,
        [
            "activation",
            "change_counter",
            "image",
            "partition",
            "product",
            "publication",
            "publication_chunk",
            "revoked_code",
            "scan_event",
            "scan_event_stray",
            "scan_segment",
            "scan_summary",
            "scan_summary_counter",
            "scan_summary_mark"
        ]
    );
    superuser.batch_execute("SELECT open_partition(1, 1)").await.unwrap();
    for login in ["resolver_scan", "resolver_directory"] {
        let query = "SELECT has_database_privilege($1, current_database(), 'TEMPORARY')";
        let temporary: bool = superuser.query_one(query, &[&login]).await.unwrap().get(0);
        assert!(!temporary, "{login} may make temporary tables");
    }
    let down_url = url.clone();
    tokio::task::spawn_blocking(move || {
        let runtime = tokio::runtime::Handle::current();
        let conn = runtime.block_on(async {
            use diesel_async::AsyncConnection;
            diesel_async::AsyncPgConnection::establish(&down_url).await.unwrap()
        });
        diesel_async::AsyncMigrationHarness::new(conn).revert_all_migrations(MIGRATIONS).unwrap();
    })
    .await
    .unwrap();
    assert!(tables(&url).await.is_empty(), "{:?}", tables(&url).await);
    up().await.unwrap();
    assert_eq!(tables(&url).await, all);
}
