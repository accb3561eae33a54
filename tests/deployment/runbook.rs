//! `docs/operations.md` against what is deployed: each alert has its heading there, and commands for a cluster name what is in it.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::observation::{ran, tool, yaml};

fn document() -> String {
    std::fs::read_to_string(workspace().join("docs/operations.md")).unwrap()
}

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn every_alert_has_its_heading_in_the_document_and_every_heading_its_alert() {
    let mut alerts = BTreeSet::new();
    for group in yaml("alerts.yaml")["groups"].as_array().unwrap() {
        for rule in group["rules"].as_array().unwrap() {
            let Some(name) = rule["alert"].as_str() else { continue };
            let expected = format!("docs/operations.md#{}", name.to_lowercase());
            assert_eq!(rule["annotations"]["runbook_url"], expected, "{name}");
            alerts.insert(name.to_owned());
        }
    }
    let document = document();
    let section = document.split("\n## ").find(|part| part.starts_with("Alerts\n")).unwrap();
    let mut headings = BTreeSet::new();
    for part in section.split("\n### ").skip(1) {
        let (heading, text) = part.split_once('\n').unwrap();
        assert!(text.trim().len() > 80, "{heading} does not say what to do");
        assert!(headings.insert(heading.to_owned()), "{heading} stands there twice");
    }
    assert_eq!(alerts, headings);
}

/// Kind (as kubectl takes it) and name of everything that the production overlay makes.
fn objects() -> BTreeSet<String> {
    let overlay = workspace().join("k8s/overlays/production");
    let rendered = ran(Command::new(tool("kustomize")).arg("build").arg(overlay));
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), rendered).unwrap();
    let script = "import json, sys, yaml; json.dump(list(yaml.safe_load_all(open(sys.argv[1]))), sys.stdout)";
    let text = ran(Command::new(tool("python-kubernetes")).args(["-c", script]).arg(file.path()));
    let objects: Vec<Value> = serde_json::from_str(&text).unwrap();
    let mut names: BTreeSet<String> = objects
        .iter()
        .map(|it| {
            let kind = it["kind"].as_str().unwrap().to_lowercase();
            format!("{kind}/{}", it["metadata"]["name"].as_str().unwrap())
        })
        .collect();
    // What these two make in the cluster, and what an operator provides (k8s/README.md).
    for it in &objects {
        let made = match it["kind"].as_str().unwrap() {
            "ExternalSecret" => &it["spec"]["target"]["name"],
            "Certificate" => &it["spec"]["secretName"],
            _ => continue,
        };
        names.insert(format!("secret/{}", made.as_str().unwrap()));
    }
    let provided = ["configmap/mintmark-trust", "configmap/mintmark-audit-keys", "secret/mintmark-authority"];
    names.extend(provided.map(str::to_owned));
    names
}

#[test]
fn commands_for_a_cluster_name_what_the_manifests_make() {
    let (objects, document) = (objects(), document());
    let mut named = Vec::new();
    let mut inside = false;
    for line in document.lines() {
        match line.strip_prefix("```") {
            Some(marker) => inside = marker == "sh cluster",
            None if inside => named.extend(line.split_whitespace().filter(|word| is_object(word))),
            None => {}
        }
    }
    assert!(named.len() >= 5, "only {} objects were found", named.len());
    let unknown: Vec<&&str> = named.iter().filter(|name| !objects.contains(**name)).collect();
    assert!(unknown.is_empty(), "no manifest makes {unknown:?}");
}

fn is_object(word: &str) -> bool {
    let kinds = [
        "deployment",
        "job",
        "secret",
        "configmap",
        "externalsecret",
        "certificate",
        "horizontalpodautoscaler",
    ];
    word.split_once('/').is_some_and(|(kind, _)| kinds.contains(&kind))
}
