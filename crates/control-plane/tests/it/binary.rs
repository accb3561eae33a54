//! The binary: what it says of its configuration, and how it ends.

use std::process::{Command, Output};

use mintmark_auth::{SigningKey, control};
use mintmark_devstack::testdb;
use secrecy::ExposeSecret;

/// Runs the binary with these variables and no others.
async fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_control-plane"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_with_nothing_set_lists_every_problem_and_exits_64() {
    let output = run(&["--check-config"], &[]).await;
    assert_eq!(output.status.code(), Some(64));
    let said = said(&output);
    for name in
        ["CONTROL_DATABASE_URL", "PPOS_CONTROL_TOKEN", "CODE_MASTER_KEY", "CODE_BASE_URL", "EXPORT_STORE_URL"]
    {
        assert!(said.contains(name), "{name} is missing in {said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn check_config_of_a_sound_configuration_exits_0_until_one_value_is_insecure() {
    let folder = tempfile::tempdir().unwrap();
    let key_file = |name: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, SigningKey::generate_pem().as_str()).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (identity, sessions) = (key_file("identity.pem"), key_file("sessions.pem"));
    let token = control::generate();
    let key = "bW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW1tbW0=";
    let sound = [
        ("CONTROL_DATABASE_URL", "postgres://control_app@127.0.0.1/mintmark_control"),
        ("PPOS_CONTROL_TOKEN", token.expose_secret()),
        ("CONTROL_SIGNING_KEY_FILE", identity.as_str()),
        ("SESSION_SIGNING_KEY_FILE", sessions.as_str()),
        ("TRUST_BUNDLE_FILE", "/etc/mintmark/trust-bundle.json"),
        ("CODE_MASTER_KEY", key),
        ("CODE_BASE_URL", "https://id.example"),
        ("EXPORT_STORE_URL", "file:///var/lib/mintmark/exports"),
        ("EXPORT_URL_SIGNING_KEY", key),
    ];
    let output = run(&["--check-config"], &sound).await;
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));

    for (name, value) in [
        ("PPOS_CONTROL_TOKEN", "swordfish"),
        ("CODE_MASTER_KEY", "c2hvcnQ="),
        ("CODE_BASE_URL", "http://id.example"),
        ("CONTROL_PUBLIC_URL", "http://control.example"),
        ("DIRECTORY_GRPC_URL", "http://directory.example:9081"),
        ("PREFLIGHT_GATEWAY_GRPC_URL", "http://gateway.example:9082"),
        ("SESSION_SIGNING_KEY_FILE", identity.as_str()),
        ("CONTROL_SIGNING_KEY_FILE", "/nowhere.pem"),
        ("APP_ENV", "staging"),
        ("JOB_WORKERS", "65"),
    ] {
        let mut variables: Vec<_> = sound.into_iter().filter(|(other, _)| *other != name).collect();
        variables.push((name, value));
        let output = run(&["serve", "--check-config"], &variables).await;
        let said = said(&output);
        assert_eq!(output.status.code(), Some(64), "{name}={value}: {said}");
        assert!(said.starts_with(name) && !said.contains("swordfish") && !said.contains("c2hvcnQ"), "{said}");
    }
    let insecure = [("APP_ENV", "development"), ("CONTROL_PUBLIC_URL", "http://control.example")];
    let variables: Vec<_> = sound.into_iter().chain(insecure).collect();
    assert_eq!(run(&["--check-config"], &variables).await.status.code(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn migrate_applies_what_is_missing_and_then_nothing() {
    // The roles are the cluster's, and made with the first database of this service.
    let _roles = testdb::database("control-plane").await;
    let db = testdb::empty().await;
    let url = db.superuser_url();
    let variables = [("CONTROL_MIGRATION_DATABASE_URL", url.as_str())];
    let first = run(&["migrate"], &variables).await;
    assert_eq!(first.status.code(), Some(0), "{}", said(&first));
    assert!(!said(&first).contains("\"count\":0"), "{}", said(&first));
    let again = said(&run(&["migrate"], &variables).await);
    assert!(again.contains("\"count\":0") && again.contains("is up to date"), "{again}");
    assert_eq!(run(&["migrate", "--check-config"], &[]).await.status.code(), Some(64));
}
