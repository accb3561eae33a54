//! What every crate must carry, and that the documents name only what exists.

use std::path::{Path, PathBuf};

#[test]
fn every_crate_inherits_the_workspace_lints_and_has_a_readme() {
    let mut wrong = Vec::new();
    for folder in crates() {
        let manifest = read(&folder.join("Cargo.toml"));
        if !manifest.contains("[lints]\nworkspace = true") && !folder.ends_with("wire") {
            wrong.push(format!("{}: [lints] workspace = true is missing", folder.display()));
        }
        if !folder.join("README.md").exists() {
            wrong.push(format!("{}: README.md is missing", folder.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_path_that_a_document_names_exists() {
    let mut wrong = Vec::new();
    for document in [
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "README.md",
        "SECURITY.md",
        "docs/operations.md",
        "docs/restore.md",
    ] {
        let text = read(&root().join(document));
        for path in named_paths(&text) {
            if !root().join(&path).exists() {
                wrong.push(format!("{document} names {path}, which does not exist"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn readme_lists_every_document() {
    let readme = read(&root().join("README.md"));
    let mut unlisted = Vec::new();
    for entry in std::fs::read_dir(root().join("docs")).expect("docs/ is readable") {
        let path = entry.expect("an entry").path();
        let name = format!("docs/{}", path.file_name().unwrap_or_default().to_string_lossy());
        if path.extension().is_some_and(|it| it == "md") && !readme.contains(&format!("`{name}`")) {
            unlisted.push(name);
        }
    }
    assert!(unlisted.is_empty(), "give each its row under \"Read on\" of README.md: {unlisted:?}");
}

#[test]
fn no_main_is_longer_than_forty_lines() {
    let mut wrong = Vec::new();
    for folder in crates() {
        let main = folder.join("src/main.rs");
        if main.exists() && read(&main).lines().count() > 40 {
            wrong.push(main.display().to_string());
        }
    }
    assert!(wrong.is_empty(), "main.rs parses, loads and calls; longer ones: {wrong:?}");
}

/// Words in backticks that look like a path of this repository.
fn named_paths(text: &str) -> Vec<String> {
    const ROOTS: &[&str] =
        &["crates/", "proto/", "migrations/", "tests/", "deploy/", "k8s/", "docs/", ".ci/", ".github/"];
    text.split('`')
        .skip(1)
        .step_by(2)
        .filter(|word| ROOTS.iter().any(|root| word.starts_with(root)))
        .filter(|word| !word.contains(['*', '<', '{', ' ', '…']))
        .map(|word| word.trim_end_matches('/').to_owned())
        .collect()
}

fn crates() -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = std::fs::read_dir(root().join("crates"))
        .expect("crates/ is readable")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.join("Cargo.toml").exists())
        .collect();
    folders.sort();
    folders
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent").to_owned()
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
