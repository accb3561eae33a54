//! People, roles and API keys on a real platform.

use std::os::unix::fs::PermissionsExt;

use crate::desk::Desk;
use crate::people::{in_context, join};

/// Roles are given and taken, keys are made, used, rotated and revoked.
pub fn checks(desk: &Desk) {
    people(desk);
    keys(desk);
}

fn people(desk: &Desk) {
    let variables = desk.home.dev_env().unwrap();
    let (tenant, brand) = (&variables["MINTMARK_TENANT"], &variables["MINTMARK_BRAND"]);
    let mia = join(desk, tenant, "mia");
    let table = desk.shows(&["user", "list"]);
    assert!(table.starts_with("ID ") && table.contains("mia@cli.example"), "{table}");
    assert_eq!(desk.fails(1, &["user", "create", "MIA@cli.example", "--name", "Again"])["status"], 409);

    // An administrator gives what is theirs to give; the rest is the operator's.
    assert_eq!(desk.fails(5, &in_context("mia", &["user", "list"]))["status"], 403);
    let member = desk.json(&["user", "grant", "Mia@cli.example", "member", "--brand", brand]);
    assert_eq!((&member["userId"], &member["role"]), (&mia, &"member".into()));
    let refused = desk.fails(5, &["user", "grant", "mia@cli.example", "GOVERNANCE"]);
    assert_eq!(refused["code"], "ROLE_NOT_ASSIGNABLE");
    desk.shows(&["user", "grant", mia.as_str().unwrap(), "GOVERNANCE", "--tenant", tenant]);
    let shown = desk.shows(&["user", "show", "mia@cli.example", "--tenant", tenant]);
    assert!(shown.contains("GOVERNANCE") && shown.contains(brand.as_str()), "{shown}");
    assert_eq!(desk.fails(6, &["user", "show", "nobody@cli.example"])["code"], "NOT_FOUND");

    let role = member["id"].as_str().unwrap();
    assert_eq!(desk.fails(2, &["user", "revoke-role", role])["code"], "CONFIRMATION_REQUIRED");
    assert_eq!(desk.json(&["user", "revoke-role", role, "--yes"])["revoked"], true);
    assert_eq!(desk.fails(6, &["user", "revoke-role", role, "--yes"])["status"], 404);

    desk.shows(&["user", "update", "mia@cli.example", "--disable", "--yes"]);
    assert_eq!(desk.fails(4, &in_context("mia", &["brand", "list"]))["status"], 401);
    assert_eq!(desk.json(&["user", "update", "mia@cli.example", "--enable"])["disabled"], false);
}

fn keys(desk: &Desk) {
    let file = desk.path("reader.key");
    let to_file = ["key", "create", "Reader", "--scopes", "admin:read", "--out", file.to_str().unwrap()];
    let said = desk.run(&to_file);
    let key = std::fs::read_to_string(&file).unwrap();
    assert_eq!(said.code, Some(0), "{said:?}");
    assert!(key.starts_with("mmk_test_") && key.ends_with('\n'), "one line, the key alone");
    assert!(!said.out.contains(key.trim()) && !said.err.contains(key.trim()), "it is in the file alone");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(desk.fails(2, &to_file)["code"], "USAGE");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key, "a file that is there stays");

    // A program's desk: the key and nothing else.
    let control = &desk.home.dev_env().unwrap()["MINTMARK_CONTROL_URL"];
    let place = format!("file:{}", file.display());
    desk.shows(&["context", "add", "program", "--control", control, "--api-key", &place]);
    desk.shows(&in_context("program", &["user", "list"]));
    let refused = desk.fails(5, &in_context("program", &["audit", "exports"]));
    assert!(refused["hint"].as_str().unwrap().contains("exports:read"), "{refused}");
    assert_eq!(desk.fails(4, &in_context("program", &["key", "list"]))["code"], "NO_CREDENTIAL");

    let shown = desk.run(&["key", "create", "Exporter", "--scopes", "exports:read,admin:read"]);
    assert!(shown.out.contains("mmk_test_") && shown.err.contains("only time"), "{shown:?}");
    let listed = desk.json(&["key", "list"]);
    let id = |name: &str| {
        let key = listed["items"].as_array().unwrap().iter().find(|key| key["name"] == name).unwrap();
        key["id"].as_str().unwrap().to_owned()
    };
    let table = desk.shows(&["key", "list"]);
    assert!(table.contains("Exporter") && table.contains("exports:read, admin:read"), "{table}");
    let unknown = desk.run(&["key", "create", "X", "--scopes", "admin:all"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");

    let narrower = desk.json(&["key", "rotate", &id("Exporter"), "--scopes", "admin:read", "--yes"]);
    assert_eq!(narrower["scopes"], serde_json::json!(["admin:read"]));
    assert!(desk.shows(&["key", "show", &id("Exporter")]).contains(narrower["id"].as_str().unwrap()));

    let reader = id("Reader");
    assert_eq!(desk.fails(2, &["key", "revoke", &reader])["code"], "CONFIRMATION_REQUIRED");
    assert!(desk.shows(&["key", "revoke", &reader, "--yes"]).contains("state       revoked"));
    assert_eq!(desk.fails(4, &in_context("program", &["user", "list"]))["status"], 401);
}
