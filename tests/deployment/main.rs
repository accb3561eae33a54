//! What is deployed against the programs: each container's configuration, as it is rendered, is one that its program accepts.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod compose;
mod fixtures;
mod images;
mod observation;

use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use fixtures::Files;

/// What `deploy/check/manifests.py` prints of an overlay: a program, its arguments, and its whole environment.
fn containers(overlay: &str) -> Vec<Value> {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let tool = |name: &str| {
        mintmark_devstack::tools::find(name)
            .unwrap_or_else(|| panic!("{name} is missing: run `make setup-test`"))
    };
    let output = Command::new(tool("python-kubernetes"))
        .arg(root.join("deploy/check/manifests.py"))
        .arg(tool("kustomize"))
        .args(["--print", overlay])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

/// `--check-config` of a container with its environment; what it says when it refuses.
fn check(
    container: &Value,
    files: &Files,
    change: impl Fn(&mut Vec<(String, String)>),
) -> Result<(), String> {
    let mut environment: Vec<(String, String)> = container["environment"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(name, value)| (name.clone(), files.here(name, value.as_str().unwrap())))
        .collect();
    change(&mut environment);
    let arguments = container["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap());
    let output = Command::new(mintmark_tests::program(container["program"].as_str().unwrap()))
        .args(arguments)
        .arg("--check-config")
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

#[test]
fn every_container_of_every_overlay_is_configured_as_its_program_wants() {
    let files = Files::new();
    for overlay in ["production", "development"] {
        let containers = containers(overlay);
        assert!(containers.len() >= 14, "{overlay} has only {}", containers.len());
        for container in &containers {
            let answer = check(container, &files, |_| {});
            assert_eq!(answer, Ok(()), "{overlay}: {}", container["name"]);
        }
    }
}

#[test]
fn container_without_one_of_its_secrets_or_certificates_is_refused() {
    let files = Files::new();
    for container in containers("production") {
        let secrets: Vec<String> = container["environment"]
            .as_object()
            .unwrap()
            .iter()
            // The store's keys are wanted where the store is.
            .filter(|(name, value)| {
                value.as_str().unwrap().starts_with("secret:") || *name == "TLS_CERT_FILE"
            })
            .map(|(name, _)| name.clone())
            .collect();
        for missing in secrets {
            let answer = check(&container, &files, |it| it.retain(|(name, _)| *name != missing));
            assert!(answer.is_err(), "{} starts without {missing}", container["name"]);
        }
    }
}
