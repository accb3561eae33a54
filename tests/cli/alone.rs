//! What commands say where there is no platform, or no way to it.

use crate::desk::Desk;
use crate::pretender::{Pretender, json};

#[test]
fn command_without_a_platform_says_what_to_do() {
    let desk = Desk::alone();
    let error = desk.fails(2, &["brand", "list"]);
    assert_eq!(error["code"], "NO_CONTEXT");
    assert!(error["hint"].as_str().unwrap().contains("mintmark context add"), "{error}");
    assert!(desk.shows(&["context", "list"]).contains("No contexts yet"));
    assert_eq!(desk.json(&["context", "list"]), serde_json::json!({ "items": [] }));
}

#[test]
fn usage_errors_end_with_2() {
    let desk = Desk::alone();
    for words in [
        &["batch", "create"][..],
        &["nothing"],
        &["tenant", "create", "x"],
        &["batch", "list", "--limit", "0"],
        &["batch", "list", "--limit", "1", "--all"],
        &["context", "add", "local", "--control", "https://control.example"],
        &[
            "context",
            "add",
            "prod",
            "--control",
            "https://control.example",
            "--session",
            "eyJhbGciOiJub25lIn0",
        ],
    ] {
        assert_eq!(desk.run(words).code, Some(2), "{words:?}");
    }
    let said = desk.run(&["batch", "create", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert!(said.code == Some(2) && error["error"]["code"] == "USAGE", "{said:?}");
    assert!(error["error"]["message"].as_str().unwrap().contains("--units"), "{error}");
    for clear in ["http://control.example", "http://10.1.2.3:8080"] {
        let error = desk.fails(2, &["context", "add", "prod", "--control", clear]);
        assert!(error["message"].as_str().unwrap().contains("in clear"), "{error}");
    }
    assert!(!desk.path(".config/mintmark").exists(), "a refused context leaves nothing");
}

#[test]
fn configuration_that_others_can_read_is_refused() {
    let desk = Desk::alone();
    let text = "current = \"prod\"\n[contexts.prod]\ncontrol = \"http://127.0.0.1:1\"\nsession = { value = \"a.b.c\" }\n";
    for mode in [0o644, 0o640, 0o660, 0o604] {
        let path = desk.write(".config/mintmark/config.toml", mode, text);
        let error = desk.fails(2, &["context", "show"]);
        assert_eq!(error["code"], "FILE_MODE");
        let way_out = format!("chmod 600 {}", path.display());
        assert!(error["message"].as_str().unwrap().contains(&way_out), "{error}");
    }
    desk.write(".config/mintmark/config.toml", 0o600, text);
    let shown = desk.shows(&["context", "show"]);
    assert!(shown.contains("in the configuration file") && !shown.contains("a.b.c"), "{shown}");
    let session = desk.write("session", 0o644, "a.b.c");
    let place = format!("file:{}", session.display());
    desk.shows(&["context", "set", "prod", "--session", &place]);
    assert_eq!(desk.fails(2, &["brand", "list"])["code"], "FILE_MODE");
}

#[test]
fn context_without_a_credential_ends_with_4() {
    let desk = Desk::alone();
    desk.shows(&[
        "context",
        "add",
        "prod",
        "--control",
        "https://control.example",
        "--control-token",
        "env:OPS_TOKEN",
    ]);
    for words in [&["brand", "list"][..], &["tenant", "list"], &["session"]] {
        let error = desk.fails(4, words);
        assert_eq!(error["code"], "NO_CREDENTIAL");
    }
}

#[test]
fn platform_that_is_away_ends_with_3_after_some_attempts() {
    let desk = Desk::alone();
    let mut away = Pretender::new();
    let place = format!("file:{}", desk.write("session", 0o600, "a.b.c").display());
    desk.shows(&["context", "add", "away", "--control", &away.url(), "--session", &place]);
    let said = desk.run(&["brand", "list"]);
    assert_eq!(said.code, Some(3), "{said:?}");
    assert!(said.err.contains("nothing answers at") && said.err.contains("context show"), "{said:?}");

    away.answer(|_, _| {
        json(
            "503 Service Unavailable",
            "Retry-After: 30\r\n",
            &serde_json::json!({
                "code": "BUSY", "detail": "the database is away", "requestId": "req-7",
            }),
        )
    });
    let said = desk.run(&["brand", "list", "--json"]);
    let error: serde_json::Value = serde_json::from_str(&said.err).unwrap();
    assert_eq!(said.code, Some(3), "{said:?}");
    assert_eq!(
        error["error"],
        serde_json::json!({
            "code": "BUSY", "message": "the database is away", "exit": 3, "status": 503, "requestId": "req-7",
            "retryAfterSecs": 30, "hint": "Try again in 30 s.",
        })
    );
    assert_eq!(away.seen().len(), 1, "nobody waits 30 seconds in silence");
}

#[test]
fn destructive_command_asks_and_without_a_terminal_needs_yes() {
    let desk = Desk::alone();
    let mut platform = Pretender::new();
    platform.answer(|_, _| json("200 OK", "", &serde_json::json!({ "id": "bat_1", "state": "revoked" })));
    let place = format!("file:{}", desk.write("session", 0o600, "a.b.c").display());
    desk.shows(&["context", "add", "here", "--control", &platform.url(), "--session", &place]);
    for words in [
        &["batch", "revoke", "bat_1", "--reason", "ink"][..],
        &["batch", "cancel", "bat_1"],
        &["batch", "destroy-secret", "bat_1"],
        &["code", "revoke", "bat_1", "A", "--reason", "ink"],
        &["export", "cancel", "exp_1"],
        &["context", "remove", "here"],
    ] {
        assert_eq!(desk.fails(2, words)["code"], "CONFIRMATION_REQUIRED", "{words:?}");
    }
    assert!(platform.seen().is_empty(), "nothing was sent: {:?}", platform.seen());
    desk.shows(&["batch", "revoke", "bat_1", "--reason", "ink", "--yes"]);
    assert_eq!(platform.seen().len(), 1);
    assert_eq!(platform.seen()[0].line, "POST /v1/batches/bat_1/revoke");
    assert_eq!(platform.seen()[0].credential.as_deref(), Some("Bearer a.b.c"));
}
