//! Batches and codes on a real platform.

use crate::desk::Desk;

/// Mints, watches, reveals, recalls; gives the id of a sealed batch.
pub fn checks(desk: &Desk) -> String {
    let variables = desk.home.dev_env().unwrap();
    let product = variables["MINTMARK_PRODUCT"].as_str();
    let order = ["batch", "create", "--product", product, "--units", "300"];
    let said = desk.run(&[&order[..], &["--wait"]].concat());
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(said.err.contains("mint: sealed, 300 of 300 units"), "{said:?}");
    assert!(said.out.contains("state    sealed") && said.out.contains("units    300"), "{said:?}");
    let batch = said.out.lines().next().unwrap().split_whitespace().nth(1).unwrap().to_owned();
    assert!(batch.starts_with("bat_"), "{said:?}");

    let once = [&order[..], &["--idempotency-key", "cli-once"]].concat();
    let first = desk.json(&once);
    assert_eq!(first["id"], desk.json(&once)["id"], "one key, one batch");
    let other = [&order[..5], &["301", "--idempotency-key", "cli-once"]].concat();
    assert_eq!(desk.fails(1, &other)["status"], 422);
    let watched = desk.json(&["batch", "watch", first["id"].as_str().unwrap()]);
    assert_eq!(watched["state"], "sealed");

    let table = desk.shows(&["batch", "list"]);
    assert!(table.contains(&batch) && table.contains("100 %"), "{table}");
    assert!(desk.shows(&["batch", "events", &batch]).contains("batch.sealed"));
    assert_eq!(desk.fails(1, &["batch", "cancel", &batch, "--yes"])["status"], 409);
    assert_eq!(desk.fails(6, &["batch", "show", "bat_01h45ytscbebyvny4gc8cr8ma2"])["status"], 404);

    codes(desk, &batch);
    let gone = first["id"].as_str().unwrap();
    let recalled = desk.json(&["batch", "revoke", gone, "--reason", "the ink fades", "--yes"]);
    assert_eq!(recalled["state"], "revoked");
    assert!(desk.shows(&["batch", "show", gone]).contains("recalled"));

    let scans = desk.json(&["scan", "stats"]);
    assert_eq!(scans["totals"]["scans"], 0);
    assert!(desk.shows(&["scan", "stats", "--batch", &batch]).contains("scans"));
    assert_eq!(desk.fails(1, &["scan", "stats", "--from", "yesterday"])["status"], 400);
    batch
}

fn codes(desk: &Desk, batch: &str) {
    let units = desk.json(&["code", "list", batch, "--all"]);
    assert_eq!(units["items"].as_array().unwrap().len(), 300, "two pages");
    let shown = desk.json(&["code", "reveal", batch, "7"]);
    let code = shown["code"].as_str().unwrap();
    assert!(desk.shows(&["batch", "events", batch]).contains("code.revealed"));
    let file = desk.write("codes.txt", 0o600, &format!("{code}\n\nAAAA-AAAA-AAAA-AAAA-AAAA\n"));
    let revoke = ["code", "revoke", batch, "--file", file.to_str().unwrap(), "--reason", "stolen", "--yes"];
    let counts = desk.json(&revoke);
    assert_eq!(counts, serde_json::json!({ "revoked": 1, "alreadyRevoked": 0, "unmatched": 1 }));
    assert!(desk.shows(&revoke).contains("recalled before           1"));
}
