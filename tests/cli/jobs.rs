//! Work in the background on a real platform, the export of the audit, and a dead letter that is replayed.

use std::fs;

use crate::desk::Desk;
use crate::evidence::well_known;

/// `batch` was minted and exported before.
pub fn checks(desk: &Desk, batch: &str) {
    let export = audit(desk);
    let ended = desk.json(&["job", "list", "--ended"]);
    let works: Vec<&str> =
        ended["items"].as_array().unwrap().iter().filter_map(|item| item["work"].as_str()).collect();
    assert!(["mint", "export", "audit export"].iter().all(|work| works.contains(work)), "{ended}");
    assert_eq!(ended["skipped"], serde_json::json!([]));
    assert_eq!(desk.json(&["job", "list"])["items"], serde_json::json!([]), "nothing goes on");
    assert_eq!(desk.shows(&["job", "list"]), "No work goes on.\n");
    assert!(desk.shows(&["job", "show", batch]).contains("sealed"));
    assert_eq!(desk.json(&["job", "watch", batch])["state"], "sealed");
    assert!(desk.shows(&["job", "watch", &export]).contains("ready"));
    dead(desk, &export);
}

/// The tenant's log is exported, fetched and verified; the export's id.
fn audit(desk: &Desk) -> String {
    let made = desk.json(&["audit", "export", "--out", "log.ndjson"]);
    let log = fs::read(desk.path("log.ndjson")).unwrap();
    assert_eq!(made["bytes"], log.len());
    well_known(desk, "jwks.json");
    let keys = ["--keys", "audit-keys.txt", "--jwks", "jwks.json"];
    let verified = desk.json(&[&["audit", "verify", "log.ndjson"][..], &keys].concat());
    assert_eq!(verified["holds"], true, "{verified}");

    let id = made["id"].as_str().unwrap();
    assert!(desk.shows(&["audit", "exports"]).contains(id));
    assert_eq!(desk.run(&["audit", "export", "--export", id, "--out", "log.ndjson"]).code, Some(2));
    desk.shows(&["audit", "export", "--export", id, "--out", "log.ndjson", "--force"]);
    assert_eq!(fs::read(desk.path("log.ndjson")).unwrap(), log);
    let backwards = ["audit", "export", "--from", "2026-02-01T00:00:00Z", "--to", "2026-01-01T00:00:00Z"];
    assert_eq!(desk.fails(1, &backwards)["code"], "RANGE_EMPTY");
    id.to_owned()
}

/// As if every attempt to write the export had failed.
fn dead(desk: &Desk, export: &str) {
    assert_eq!(desk.shows(&["job", "dead", "list"]), "Nothing was given up.\n");
    give_up(desk);
    let listed = desk.json(&["job", "dead", "list"]);
    let letter = &listed["items"][0];
    let id = letter["id"].as_str().unwrap();
    assert_eq!(letter["lastError"], "STORE_UNAVAILABLE: the disk was full");
    assert!(desk.shows(&["job", "dead", "list"]).contains("the disk was full"));
    assert_eq!(desk.json(&["audit", "exports"])["items"][0]["state"], "queued");
    assert_eq!(desk.json(&["job", "dead", "replay", id])["replayed"], true);
    assert!(desk.shows(&["job", "watch", export]).contains("ready"), "it was made after all");
    assert_eq!(desk.fails(1, &["job", "dead", "replay", id])["code"], "JOB_NOT_DEAD");
    let stranger = "job_01h45ytscbebyvny4gc8cr8ma2";
    assert_eq!(desk.fails(6, &["job", "dead", "replay", stranger])["status"], 404);
}

fn give_up(desk: &Desk) {
    let keys = desk.home.path().join("keys");
    let variables = fs::read_to_string(keys.join("control-plane-sequencer.env")).unwrap();
    let url =
        variables.lines().find_map(|line| line.strip_prefix("CONTROL_SEQUENCER_DATABASE_URL=")).unwrap();
    let password = |login: &str| fs::read_to_string(keys.join(format!("postgres-{login}"))).unwrap();
    let url = url.replace("control_sequencer", "control_app");
    let url = url.replace(password("control_sequencer").trim(), password("control_app").trim());
    let statements = "UPDATE jobs SET state = 'dead', last_error = 'STORE_UNAVAILABLE: the disk was full' \
                      WHERE kind = 'export-audit'; \
                      UPDATE audit_export SET state = 'queued', entries = NULL, bytes = NULL, sha256 = NULL, \
                      expires_at = NULL;";
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
        let connection = tokio::spawn(connection);
        client.batch_execute(statements).await.unwrap();
        drop(client);
        connection.await.unwrap().unwrap();
    });
}
