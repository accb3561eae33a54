//! The telemetry of before is kept when its table becomes one of segments and days, and when it goes back.

use std::path::{Path, PathBuf};

use mintmark_devstack::testdb;
use tokio_postgres::Client;

use crate::stage::connect;

const OURS: &str = "2026-11-22-000004_telemetry";

/// The folders of migrations before ours.
fn earlier() -> Vec<PathBuf> {
    let parent = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../migrations/resolver");
    let mut folders: Vec<PathBuf> = std::fs::read_dir(parent)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir() && path.file_name().unwrap().to_str().unwrap() < OURS)
        .collect();
    folders.sort();
    folders
}

async fn run(client: &Client, folder: &Path, file: &str) {
    let sql = std::fs::read_to_string(folder.join(file)).unwrap();
    client.batch_execute(&format!("BEGIN;\n{sql}\n;COMMIT;")).await.unwrap();
}

async fn sums(client: &Client) -> (i64, i64, String) {
    let query =
        "SELECT count(*), sum(serial)::bigint, string_agg(DISTINCT network::text, ',') FROM scan_event";
    let row = client.query_one(query, &[]).await.unwrap();
    (row.get(0), row.get(1), row.get(2))
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_survive_the_migration_up_and_down() {
    let _logins = testdb::database("resolver").await;
    let db = testdb::empty().await;
    let superuser = connect(&db.superuser_url()).await;
    superuser.batch_execute(&format!("ALTER DATABASE {} OWNER TO resolver_owner", db.name())).await.unwrap();
    let owner = connect(&db.url("resolver_owner")).await;
    let earlier = earlier();
    for folder in &earlier {
        run(&owner, folder, "up.sql").await;
    }
    let ours = earlier[0].with_file_name(OURS);
    owner
        .batch_execute(
            "INSERT INTO scan_event (at, serial, outcome, device_class, country, network)
             SELECT now() - interval '1 minute' * n, n, 'unknown', 'phone', 'DE', '203.0.113.0/24' FROM generate_series(1, 7000) n",
        )
        .await
        .unwrap();
    let before = sums(&owner).await;
    run(&owner, &ours, "up.sql").await;
    assert_eq!(sums(&owner).await, before);
    let segments = owner.query("SELECT rows FROM scan_segment ORDER BY rows", &[]).await.unwrap();
    assert_eq!(segments.iter().map(|row| row.get::<_, i32>(0)).collect::<Vec<_>>(), [2000, 5000]);
    let strays: i64 = owner.query_one("SELECT count(*) FROM scan_event_stray", &[]).await.unwrap().get(0);
    assert_eq!(strays, 0, "each day has its partition");
    run(&owner, &ours, "down.sql").await;
    assert_eq!(sums(&owner).await, before);
    run(&owner, &ours, "up.sql").await;
    assert_eq!(sums(&owner).await, before);
}
