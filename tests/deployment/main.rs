//! What is deployed against the programs: each container's configuration, as it is rendered, is one that its program accepts.
#![expect(clippy::unwrap_used, reason = "a panic in a test is its report")]

mod compose;
mod configuration;
mod description;
mod fixtures;
mod images;
mod metrics;
mod observation;
mod runbook;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use description::{Given, Needed, ROLES, Variable, complaints, describe};
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
    let output = Command::new(mintmark_tests::program(container["program"].as_str().unwrap()))
        .args(arguments(container))
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

fn arguments(container: &Value) -> impl Iterator<Item = &str> {
    container["args"].as_array().unwrap().iter().map(|it| it.as_str().unwrap())
}

fn read(container: &Value) -> Vec<Variable> {
    describe(container["program"].as_str().unwrap(), arguments(container))
}

#[test]
fn every_container_is_given_what_its_program_reads_and_secrets_come_from_secrets() {
    for overlay in ["production", "development"] {
        let containers = containers(overlay);
        for container in &containers {
            let folders: Vec<&str> = container["secret_folders"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it.as_str().unwrap())
                .collect();
            let given = container["environment"].as_object().unwrap().iter().map(|(name, value)| {
                let value = value.as_str().unwrap();
                Given {
                    name,
                    from_secret: value.starts_with("secret:"),
                    secret_file: folders.iter().any(|folder| value.starts_with(&format!("{folder}/"))),
                }
            });
            let wrong = complaints(&read(container), given);
            assert_eq!(wrong, [""; 0], "{overlay}: {}", container["name"]);
        }
        let described: BTreeSet<_> =
            ROLES.map(|(program, role)| (program, role.into_iter().collect::<Vec<_>>())).into();
        let deployed = containers
            .iter()
            .map(|it| (it["program"].as_str().unwrap(), arguments(it).collect::<Vec<_>>()))
            .collect();
        assert_eq!(described, deployed, "{overlay}: docs/configuration.md has other roles");
    }
}

/// What the description says of a variable is so: without one that is needed nothing starts, and the rest can go.
#[test]
fn container_starts_without_exactly_what_is_not_needed() {
    let files = Files::new();
    for container in containers("production") {
        let described = read(&container);
        for name in container["environment"].as_object().unwrap().keys() {
            let variable = described.iter().find(|it| it.name == *name).unwrap();
            let answer = check(&container, &files, |it| it.retain(|(other, _)| other != name));
            let is_needed = variable.needed != Needed::Never;
            assert_eq!(answer.is_err(), is_needed, "{} without {name}: {answer:?}", container["name"]);
        }
    }
}
