//! Tenants, logins, brands and products on a real platform; who may do what, and whose things are nobody's.

use base64::Engine;

use crate::desk::Desk;

/// What an operator does for a new customer, and what the customer's people do first.
pub fn checks(desk: &Desk) {
    tenants(desk);
    brands_and_products(desk);
    refusals(desk);
}

fn tenants(desk: &Desk) {
    let made =
        desk.json(&["tenant", "create", "cli-spirits", "--name", "Spirits of the CLI", "--tier", "pro"]);
    assert_eq!((made["id"].as_str(), made["tier"].as_str()), (Some("cli-spirits"), Some("pro")));
    let again = desk.fails(1, &["tenant", "create", "cli-spirits", "--name", "Again"]);
    assert_eq!(again["status"], 409);
    assert!(again["requestId"].is_string(), "{again}");
    let table = desk.shows(&["tenant", "list"]);
    assert!(
        table.starts_with("ID ") && table.contains("Spirits of the CLI") && table.contains("pro"),
        "{table}"
    );
    let two = desk.json(&["tenant", "list", "--limit", "1"]);
    assert_eq!(two["items"].as_array().unwrap().len(), 1);
    assert!(two["nextCursor"].is_string(), "{two}");
    let changed = desk.json(&["tenant", "update", "cli-spirits", "--tier", "enterprise"]);
    assert_eq!(changed["tier"], "enterprise");
    assert!(desk.shows(&["tenant", "show", "cli-spirits"]).contains("tier     enterprise"));
    assert_eq!(desk.fails(6, &["tenant", "show", "nobody-at-all"])["status"], 404);
    assert_eq!(desk.fails(1, &["tenant", "create", "A B", "--name", "x"])["status"], 400);
}

fn brands_and_products(desk: &Desk) {
    let brand = desk.json(&["brand", "create", "Gin of the CLI"]);
    let id = brand["id"].as_str().unwrap();
    assert!(desk.shows(&["brand", "list"]).contains("Gin of the CLI"));
    let empty = desk.shows(&["batch", "list", "--brand", id]);
    assert_eq!(empty, "No batches yet: `mintmark batch create` mints one.\n");
    assert_eq!(
        desk.json(&["batch", "list", "--brand", id]),
        serde_json::json!({ "items": [], "nextCursor": null })
    );

    let logo = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/mintmark/demo/logo.png");
    let look = desk.json(&["brand", "update", id, "--colour", "#0b4f6c", "--logo", logo]);
    assert_eq!(look["presentation"]["primaryColour"], "#0b4f6c");
    assert_eq!(look["presentation"]["logo"]["contentType"], "image/png");
    let shown = desk.shows(&["brand", "update", id, "--no-colour", "--no-logo"]);
    assert!(shown.contains("the page's own") && shown.contains("none"), "{shown}");
    assert_eq!(desk.fails(1, &["brand", "update", id, "--colour", "blue"])["status"], 400);

    let product = desk.json(&[
        "product",
        "create",
        "4006381333931",
        "--name",
        "Gin 1",
        "--brand",
        id,
        "--destination",
        "https://gin.example/{serial}",
    ]);
    assert_eq!(product["gtin"], "04006381333931");
    let product = product["id"].as_str().unwrap();
    let shown = desk.shows(&["product", "update", product, "--no-destination", "--name", "Gin one"]);
    assert!(shown.contains("Gin one") && !shown.contains("gin.example"), "{shown}");
    assert!(desk.shows(&["product", "list", "--brand", id]).contains("the built-in page"));
    let wrong = desk.fails(1, &["product", "create", "4006381333932", "--name", "x", "--brand", id]);
    assert!(wrong["message"].as_str().unwrap().contains("check digit"), "{wrong}");
}

/// A stranger to the tenant, a member with no role, and a session that is none.
fn refusals(desk: &Desk) {
    let variables = desk.home.dev_env().unwrap();
    let (url, brand) = (&variables["MINTMARK_CONTROL_URL"], &variables["MINTMARK_BRAND"]);
    let token = desk.write("control-token", 0o600, &variables["PPOS_CONTROL_TOKEN"]);
    let token = format!("file:{}", token.display());
    desk.shows(&[
        "context",
        "add",
        "stranger",
        "--control",
        url,
        "--control-token",
        &token,
        "--tenant",
        "cli-spirits",
    ]);
    let control = |path: &str, body: &str| {
        let output = std::process::Command::new("curl")
            .args(["-sf", "-H", "Content-Type: application/json", "-d", body])
            .args(["-H", &format!("Authorization: Bearer {}", variables["PPOS_CONTROL_TOKEN"])])
            .arg(format!("{url}{path}"))
            .output()
            .unwrap();
        assert!(output.status.success(), "{path}: {output:?}");
    };
    control("/api/admin/users", r#"{"tenantId":"cli-spirits","email":"ada@cli.example","name":"Ada"}"#);
    let login = desk.shows(&["login", "--email", "Ada@cli.example", "--ttl", "600", "--context", "stranger"]);
    assert!(login.contains("cli-spirits") && login.contains("in 0 h"), "{login}");

    assert_eq!(desk.fails(6, &stranger(&["brand", "show", brand]))["status"], 404);
    assert_eq!(desk.fails(6, &stranger(&["batch", "list", "--brand", brand]))["status"], 404);
    let forbidden = desk.fails(5, &stranger(&["brand", "create", "Not mine to make"]));
    assert_eq!(forbidden["status"], 403);
    assert!(desk.shows(&stranger(&["brand", "list"])).starts_with("No brand that you have a role for"));
    assert_eq!(
        desk.fails(6, &stranger(&["login", "--email", "nobody@cli.example"]))["code"],
        "USER_NOT_FOUND"
    );

    desk.shows(&stranger(&["logout"]));
    assert_eq!(desk.fails(4, &stranger(&["brand", "list"]))["code"], "NO_CREDENTIAL");
    let part = |claims: &str| base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(claims);
    let (head, claims) = (part(r#"{"alg":"EdDSA"}"#), part(r#"{"sub":"user:usr_1","exp":9999999999}"#));
    let forged = desk.write("forged", 0o600, &format!("{head}.{claims}.AAAA"));
    let place = format!("file:{}", forged.display());
    desk.shows(&["context", "set", "stranger", "--session", &place]);
    let refused = desk.fails(4, &stranger(&["brand", "list"]));
    assert_eq!(refused["status"], 401);
    assert!(refused["hint"].as_str().unwrap().contains("mintmark login"), "{refused}");
}

/// The command in the stranger's context.
fn stranger<'a>(words: &[&'a str]) -> Vec<&'a str> {
    [words, &["--context", "stranger"]].concat()
}
