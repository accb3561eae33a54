//! The binary and the document that it serves.

use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use mintmark_preflight_gateway::http::{openapi, routes};
use mintmark_web::openapi::missing;

use crate::stage::Stage;

async fn run(arguments: &[&str], variables: Vec<(String, String)>) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_preflight-gateway"));
    command.args(arguments).env_clear().envs(variables);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let said = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code(), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_tells_every_problem_of_each_role() {
    let stage = Stage::start().await;
    let sound = stage.variables().to_vec();
    for (role, needs) in [
        ("gateway", &["PREFLIGHT_DATABASE_URL", "TRUST_BUNDLE_FILE", "PREFLIGHT_SIGNING_KEY_FILE"][..]),
        ("worker", &["PREFLIGHT_WORKER_DATABASE_URL"][..]),
        ("migrate", &["PREFLIGHT_MIGRATION_DATABASE_URL"][..]),
    ] {
        let (code, said) = run(&[role, "--check-config"], Vec::new()).await;
        assert_eq!(code, Some(64), "{role}: {said}");
        assert!(needs.iter().all(|name| said.contains(name)), "{role}: {said}");
        if role != "migrate" {
            let (code, said) = run(&[role, "--check-config"], sound.clone()).await;
            assert_eq!(code, Some(0), "{role}: {said}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_without_an_engine_does_not_start() {
    let stage = Stage::start().await;
    let mut variables = stage.variables().to_vec();
    variables.push(("PREFLIGHT_ENGINE".to_owned(), "/nowhere/preflight-engine".to_owned()));
    variables.push(("OPS_ADDR".to_owned(), "127.0.0.1:0".to_owned()));
    let (code, said) = run(&["worker"], variables).await;
    assert_ne!(code, Some(0));
    assert!(said.contains("/nowhere/preflight-engine") && said.contains("PREFLIGHT_ENGINE"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn document_describes_every_route_and_is_served() {
    assert_eq!(missing(&routes(), &openapi::document()), [""; 0]);
    let stage = Stage::start().await;
    let document = stage.send("GET", "/openapi.json", None, &[], None).await.expect(200);
    let create = &document["paths"]["/api/preflight/jobs"]["post"];
    assert_eq!(create["security"][0]["preflightJwt"], serde_json::json!([]));
    assert_eq!(document["components"]["securitySchemes"]["preflightJwt"]["bearerFormat"], "JWT");
}

/// An engine that answers its probe without one of the layers.
fn half_open(stage: &Stage) -> String {
    let path = stage.folder.path().join("half-open");
    let layers = r#"[{"name":"landlock","on":false,"detail":"the kernel has none"},{"name":"seccomp","on":true,"detail":"37 calls"}]"#;
    let envelope = format!(
        r#"{{"envelope":1,"engine":"0","sandbox":{{"full":false,"layers":{layers}}},"facts":null,"cpu_us":1}}"#
    );
    std::fs::write(&path, format!("#!/bin/sh\necho '{envelope}'\n")).unwrap();
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn worker_without_a_layer_of_the_sandbox_does_not_start_in_production_and_says_so_elsewhere() {
    let stage = Stage::start().await;
    let engine = half_open(&stage);
    let mut variables = stage.variables().to_vec();
    let ops = mintmark_devstack::free_port();
    variables.push(("PREFLIGHT_ENGINE".to_owned(), engine));
    variables.push(("OPS_ADDR".to_owned(), format!("127.0.0.1:{ops}")));

    let production = [variables.clone(), vec![("APP_ENV".to_owned(), "production".to_owned())]].concat();
    let (code, said) = run(&["worker"], production).await;
    assert_ne!(code, Some(0));
    assert!(said.contains("landlock (the kernel has none)"), "{said}");

    let mut command = Command::new(env!("CARGO_BIN_EXE_preflight-gateway"));
    command.arg("worker").env_clear().envs(variables).stdout(Stdio::null()).stderr(Stdio::null());
    let mut worker = command.spawn().unwrap();
    let begun = Instant::now();
    let health = loop {
        if let Ok(answer) = reqwest::get(format!("http://127.0.0.1:{ops}/readyz")).await
            && let Ok(health) = answer.json::<serde_json::Value>().await
            && health["ready"] == true
        {
            break health;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the worker is not ready");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let metrics =
        reqwest::get(format!("http://127.0.0.1:{ops}/metrics")).await.unwrap().text().await.unwrap();
    worker.kill().unwrap();
    worker.wait().unwrap();
    assert_eq!(health["notes"]["sandbox"], "partial, without landlock (the kernel has none)");
    let layer = |line: &&str| line.starts_with("preflight_sandbox_layer") && line.contains("landlock");
    assert!(metrics.lines().find(layer).unwrap().ends_with(" 0"), "{metrics}");
}
