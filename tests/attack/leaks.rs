//! The rules of `.gitleaks.toml`, tried with gitleaks: they find what we hand out, and nothing in this repository.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use mintmark_auth::{IssuedKey, KeyEnvironment, control, envoy};
use secrecy::ExposeSecret as _;
use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}

/// What gitleaks finds in `subject`, run in `folder`: paths are allowed by how they look from there.
fn found_in(folder: &Path, subject: &str) -> Vec<(String, String)> {
    let report = tempfile::NamedTempFile::new().unwrap();
    let gitleaks = mintmark_devstack::tools::find("gitleaks").unwrap();
    let output: Output = Command::new(gitleaks)
        .arg("dir")
        .args(["--no-banner", "--redact", "--log-level", "error", "--report-format", "json", "--report-path"])
        .arg(report.path())
        .arg("--config")
        .arg(root().join(".gitleaks.toml"))
        .arg(subject)
        .current_dir(folder)
        .output()
        .unwrap();
    let code = output.status.code();
    assert!(matches!(code, Some(0 | 1)), "gitleaks: {}", String::from_utf8_lossy(&output.stderr));
    let found: Vec<Value> = serde_json::from_slice(&std::fs::read(report.path()).unwrap()).unwrap();
    assert_eq!(found.is_empty(), code == Some(0), "the exit code says whether there is a leak");
    let pair = |finding: &Value| {
        (finding["RuleID"].as_str().unwrap().to_owned(), finding["File"].as_str().unwrap().to_owned())
    };
    found.iter().map(pair).collect()
}

#[test]
fn planted_secrets_are_found_and_similar_words_are_not() {
    let folder = tempfile::tempdir().unwrap();
    let key = IssuedKey::generate(KeyEnvironment::Live);
    let token = control::generate();
    let planted = [
        ("key.md", key.expose().to_owned(), "mintmark-api-key"),
        (
            "key.env",
            format!("API_KEY={}\n", IssuedKey::generate(KeyEnvironment::Test).expose()),
            "mintmark-api-key",
        ),
        (
            "token.sh",
            format!("export PPOS_CONTROL_TOKEN={}\n", token.expose_secret()),
            "mintmark-control-token",
        ),
        (
            "envoy.yaml",
            format!("value: Bearer {}\n", envoy::generate().credential.expose_secret()),
            "mintmark-envoy-credential",
        ),
    ];
    for (name, text, _) in &planted {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let short = &key.expose()[..key.expose().len() - 1];
    let harmless = [
        ("docs.md", "curl -H 'X-API-Key: mmk_live_<id>_<secret and checksum>' and mmct_…".to_owned()),
        ("cut.md", short.to_owned()),
        ("id.md", format!("{} is the id of a key, which is no secret", key.id())),
    ];
    for (name, text) in &harmless {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let found = found_in(folder.path(), ".");
    for (name, _, rule) in &planted {
        assert!(found.iter().any(|(by, file)| by == rule && file.ends_with(name)), "{name}: {found:?}");
    }
    for (name, _) in &harmless {
        assert!(!found.iter().any(|(_, file)| file.ends_with(name)), "{name}: {found:?}");
    }
}

#[test]
fn documents_and_sources_hold_no_secret() {
    for folder in [
        "docs",
        "crates",
        "tests/support",
        "tests/fuzzing",
        "migrations",
        "proto",
        "deploy",
        ".github",
        "README.md",
    ] {
        let found = found_in(&root(), folder);
        assert!(found.is_empty(), "{folder}: {found:?}");
    }
}
